"""What a run may write over: its own, and nothing else."""

import multiprocessing
import pathlib

import pytest

from data_prep.earth_engine.records.record_config import RecordsConfig
from data_prep.earth_engine.records.record_output import check_output
from data_prep.earth_engine.records.record_output import record_folder
from data_prep.earth_engine.records.record_output import work_alone
from s2distill.errors import ConfigError
from s2distill.errors import OutputError


def _config(tmp_path, **changes):
    fields = {"places": "p", "output": str(tmp_path / "records"), **changes}
    return RecordsConfig(**fields)


@pytest.mark.parametrize(
    ("output", "work"),
    [("a", "a"), ("a/records", "a"), ("a", "a/work"), ("a/../b", "b/work")],
)
def test_output_and_work_folder_are_never_one_in_the_other(
    tmp_path, output, work
):
    config = _config(
        tmp_path, output=str(tmp_path / output), workdir=str(tmp_path / work)
    )
    with pytest.raises(ConfigError, match="lie in one another"):
        check_output(config)


def test_neighbours_whose_names_begin_alike_are_apart(tmp_path):
    check_output(_config(tmp_path))  # records and records.work


def test_overwrite_replaces_records_and_nothing_else(tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    (folder / "thesis.tex").write_text("mine")
    config = _config(tmp_path, overwrite=True)
    with pytest.raises(OutputError, match=r"holds no records\.json"):
        check_output(config)
    (folder / "records.json").write_text("{}")
    check_output(config)
    with record_folder(config) as path:
        assert (folder / "thesis.tex").exists()  # until the new one is whole
        pathlib.Path(path, "new").write_text("x")
    assert [p.name for p in folder.iterdir()] == ["new"]


def test_what_fails_leaves_the_old_records(tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    (folder / "records.json").write_text("{}")
    config = _config(tmp_path, overwrite=True)
    with pytest.raises(RuntimeError), record_folder(config):
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["records"]


def test_what_lies_in_the_work_folder_is_left_alone(tmp_path):
    work = tmp_path / "records.work" / "records"
    work.mkdir(parents=True)
    (work / "thesis.tex").write_text("mine")
    config = _config(tmp_path)
    with work_alone(config), record_folder(config) as path:
        pathlib.Path(path, "new").write_text("x")
    assert (work / "thesis.tex").read_text() == "mine"


def _may_work(config):
    with work_alone(config):
        return True


def _hold(config, held, ended):
    with work_alone(config):
        held.set()
        ended.wait(30)


def test_of_two_runs_in_one_work_folder_the_second_is_refused(tmp_path):
    config = _config(tmp_path)
    context = multiprocessing.get_context("spawn")
    held, ended = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(config, held, ended))
    other.start()
    assert held.wait(60)
    with pytest.raises(OutputError, match="another run works in"):
        _may_work(config)
    other.kill()  # whatever ends it, its lock ends with it
    other.join()
    assert _may_work(config)


def test_a_work_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    config = _config(tmp_path, workdir=str(tmp_path / "file" / "work"))
    with pytest.raises(OutputError, match="cannot write to the work folder"):
        _may_work(config)

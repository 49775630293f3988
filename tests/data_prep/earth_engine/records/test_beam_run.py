"""Beam's options, and what is said of a pipeline that fails."""

import os
import pathlib
import shutil
import sys
import tarfile

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import DebugOptions
from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.runners.portability.stager import Stager

from data_prep.earth_engine.records.beam_run import count_workers
from data_prep.earth_engine.records.beam_run import is_local
from data_prep.earth_engine.records.beam_run import make_options
from data_prep.earth_engine.records.beam_run import progress_bar
from data_prep.earth_engine.records.beam_run import run_pipeline
from s2distill.errors import ConfigError
from s2distill.errors import EarthEngineError

DATAFLOW = ("--runner=DataflowRunner", "--project=p", "--region=us-central1")


@pytest.mark.parametrize(
    "beam_args", [(), ("--runner=DirectRunner",), ("--runner=FnApiRunner",)]
)
def test_the_local_runner_needs_nothing_downloaded(beam_args):
    options = make_options(beam_args, paths=["here"])
    assert is_local(options)
    assert "FnApiRunner" in options.view_as(StandardOptions).runner


def test_workers_elsewhere_do_not_see_this_disk():
    with pytest.raises(ConfigError, match=r"places\.geojson lies on this"):
        make_options(DATAFLOW, paths=["gs://b/out", "places.geojson"])
    assert not is_local(make_options(DATAFLOW, paths=["gs://b/out"]))


@pytest.mark.parametrize(
    ("beam_args", "expected"),
    [
        ((), 1),
        (("--direct_num_workers=3",), 1),
        (
            (
                "--direct_num_workers=3",
                "--direct_running_mode=multi_processing",
            ),
            3,
        ),
        ((*DATAFLOW, "--num_workers=2", "--max_num_workers=5"), 5),
        ((*DATAFLOW, "--num_workers=2"), 2),
    ],
)
def test_the_quota_is_shared_by_so_many_processes(beam_args, expected):
    assert count_workers(make_options(beam_args, paths=[])) == expected


def test_machines_whose_number_nobody_said_cannot_share_a_quota():
    with pytest.raises(ConfigError, match="--max_num_workers is not among"):
        count_workers(make_options(DATAFLOW, paths=[]))


def test_a_machine_elsewhere_has_one_process():
    options = make_options(DATAFLOW, paths=[])
    experiments = options.view_as(DebugOptions).experiments
    assert "no_use_multiple_sdk_containers" in experiments


class _Root(beam.PTransform):
    def __init__(self, act):
        super().__init__()
        self._act = act

    def expand(self, root):
        return root | beam.Create([3]) | beam.Map(self._act)


def _refuse(_):
    raise EarthEngineError("place a has 2 outcomes")


def test_a_failing_step_is_one_line_without_traces():
    options = make_options((), paths=[])
    with pytest.raises(EarthEngineError) as caught:
        run_pipeline(_Root(_refuse), options)
    message = str(caught.value)
    assert message == "place a has 2 outcomes"


def test_a_pipeline_runs_to_its_end(tmp_path):
    target = tmp_path / "done"
    run_pipeline(
        _Root(lambda n: target.write_text(str(n))), make_options((), paths=[])
    )
    assert target.read_text() == "3"


def test_the_bar_shows_what_is_there_and_ends_with_the_block(capsys):
    there = [4]
    with progress_bar(lambda: there[0], 10):
        there[0] = 9
    shown = capsys.readouterr().err
    assert "4/10" in shown  # what an earlier run left counts at once
    assert "9/10" in shown


def test_beam_stages_the_whole_package_for_its_workers(tmp_path, monkeypatch):
    root = pathlib.Path(__file__).resolve().parents[4]
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, source)
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("s2distill", "data_prep"):
        shutil.copytree(root / name, source / name, ignore=skip)
    # Beam asks for `python`, which is the one that runs us.
    folder = pathlib.Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    options = make_options(
        (*DATAFLOW, f"--setup_file={source / 'setup.py'}"), paths=[]
    )
    Stager.create_job_resources(options, str(target))
    [package] = target.glob("*.tar.gz")
    with tarfile.open(package) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    modules = {
        path.relative_to(root).as_posix()
        for name in ("s2distill", "data_prep")
        for path in (root / name).rglob("*.py")
    }
    assert modules <= names


def test_zero_processes_means_one_a_core():
    beam_args = (
        "--direct_num_workers=0",
        "--direct_running_mode=multi_processing",
    )
    assert count_workers(make_options(beam_args, paths=[])) == os.cpu_count()


def _interrupt(_):
    raise KeyboardInterrupt


def test_an_interrupted_pipeline_is_interrupted_and_has_not_failed():
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(_Root(_interrupt), make_options((), paths=[]))

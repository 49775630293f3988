import dataclasses
import pathlib

import pytest

from benchmarks.accuracy.stage import Stage
from benchmarks.accuracy.stage import check_stages
from benchmarks.accuracy.stage import fingerprint_stages
from s2distill.errors import ConfigError

WORLD = Stage(
    name="world",
    program="data_prep.simulate",
    flags={"output": pathlib.Path("a/b"), "seed": 3, "bands": ("B2", "B3")},
    makes=(),
    seconds=1,
)
TEACHER = Stage(
    name="teacher",
    program="s2distill.train",
    flags={"records": "a/b", "workdir": "c", "teacher": None},
    makes=(),
    needs=("world",),
    seconds=1,
)


def test_flags_become_the_lines_of_a_flagfile():
    assert WORLD.flag_lines() == ["--output=a/b", "--seed=3", "--bands=B2,B3"]
    assert TEACHER.flag_lines() == ["--records=a/b", "--workdir=c"]


def test_a_flagfile_comes_before_what_changes_it():
    stage = dataclasses.replace(WORLD, flagfile="configs/world.flags")
    assert stage.flag_lines()[0] == "--flagfile=configs/world.flags"


def test_a_plan_in_order_passes():
    check_stages([WORLD, TEACHER])


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([TEACHER, WORLD], "teacher is there twice, or before"),
        ([WORLD, WORLD], "world is there twice"),
        (
            [WORLD, dataclasses.replace(TEACHER, flags={"sheds": 1})],
            "stage teacher: .*sheds",
        ),
        (
            [WORLD, dataclasses.replace(TEACHER, flags={"records": "a"})],
            "stage teacher: --workdir is required",
        ),
    ],
    ids=["order", "twice", "unknown flag", "missing flag"],
)
def test_a_plan_that_cannot_run_is_refused_before_it_does(stages, message):
    with pytest.raises(ConfigError, match=message):
        check_stages(stages)


def _digest(stages, folder="elsewhere"):
    return fingerprint_stages(stages, pathlib.Path(folder))


def test_a_digest_does_not_know_how_the_folder_was_spelled():
    moved = dataclasses.replace(
        WORLD, flags=WORLD.flags | {"output": pathlib.Path("/c/a/b")}
    )
    assert _digest([WORLD], "a") == _digest([moved], "/c/a")
    assert _digest([WORLD], "a") != _digest([moved], "a")


def test_a_digest_changes_with_the_command_and_with_what_it_stands_on():
    before = _digest([WORLD, TEACHER])
    assert before == _digest([WORLD, TEACHER])
    other = dataclasses.replace(WORLD, flags=WORLD.flags | {"seed": 4})
    after = _digest([other, TEACHER])
    assert after["world"] != before["world"]
    assert after["teacher"] != before["teacher"]
    longer = dataclasses.replace(TEACHER, flags=TEACHER.flags | {"steps": 9})
    after = _digest([WORLD, longer])
    assert after["world"] == before["world"]
    assert after["teacher"] != before["teacher"]
    # How long it was thought to take is no part of it.
    slower = dataclasses.replace(WORLD, seconds=99)
    assert _digest([slower, TEACHER]) == before


def test_a_digest_changes_with_the_content_of_a_flagfile(tmp_path):
    path = tmp_path / "a.flags"
    stage = dataclasses.replace(WORLD, flagfile=str(path))
    path.write_text("--frames=8\n")
    before = _digest([stage])
    path.write_text("--frames=9\n")
    assert _digest([stage]) != before

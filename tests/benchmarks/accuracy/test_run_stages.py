"""Real processes of a program made for the test: it writes, waits or fails."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from benchmarks.accuracy.run_stages import Outcome
from benchmarks.accuracy.run_stages import format_time
from benchmarks.accuracy.run_stages import run_stages
from benchmarks.accuracy.run_stages import time_left_s
from benchmarks.accuracy.stage import Stage

ROOT = pathlib.Path(__file__).resolve().parents[3]
# Appends a line to --output each time, so that runs can be counted.
PROGRAM = """
    import pathlib, sys, time
    lines = pathlib.Path(sys.argv[1].partition("=")[2]).read_text().split()
    flags = dict(line.removeprefix("--").split("=", 1) for line in lines)
    print("I was given", flags)
    if flags["do"] == "fail":
        raise SystemExit("no such town")
    if flags["do"] == "nothing":
        raise SystemExit(0)
    with open(flags["output"], "a") as file:
        print(flags["do"], file=file, flush=True)
    if flags["do"] == "wait":
        while not pathlib.Path(flags["output"] + ".go").exists():
            time.sleep(0.02)
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Name of the program, which child processes find too."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "program_of_test.py").write_text(textwrap.dedent(PROGRAM))
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{ROOT}")
    return "program_of_test"


@pytest.fixture
def make_stage(tmp_path, program):
    """A stage that writes a file, named for it."""

    def make(name, do="write", needs=(), **changes):
        path = tmp_path / f"{name}.txt"
        return Stage(
            name=name,
            program=program,
            flags={"output": path, "do": do, **changes},
            makes=(path,),
            needs=needs,
            seconds=1.0,
        )

    return make


def _runs(tmp_path, name):
    """How often a stage has written to its file since that was removed."""
    return (tmp_path / f"{name}.txt").read_text().count("\n")


def test_what_is_done_is_not_done_again(tmp_path, make_stage, capsys):
    stages = [make_stage("world"), make_stage("model", needs=("world",))]
    first = run_stages(stages, tmp_path / "out")
    assert [o.status for o in first.values()] == ["done", "done"]
    assert first["world"].seconds >= 0
    flagfile = tmp_path / "out" / "flags" / "world.flags"
    assert first["world"].command == (
        f"python -m program_of_test --flagfile={flagfile}"
    )
    log = (tmp_path / "out" / "logs" / "world.log").read_text()
    assert log.startswith(f"$ {first['world'].command}\n")
    assert "I was given" in log
    capsys.readouterr()
    second = run_stages(stages, tmp_path / "out")
    assert second == first
    assert capsys.readouterr().out == ""
    assert _runs(tmp_path, "world") == _runs(tmp_path, "model") == 1


def test_the_command_of_a_stage_repeats_it(tmp_path, make_stage):
    outcomes = run_stages([make_stage("world")], tmp_path / "out")
    _, *arguments = outcomes["world"].command.split()
    subprocess.run([sys.executable, *arguments], check=True)
    assert _runs(tmp_path, "world") == 2


def test_what_stands_on_a_changed_stage_begins_anew(tmp_path, make_stage):
    world, other = make_stage("world"), make_stage("other")
    model = make_stage("model", needs=("world",))
    run_stages([world, other, model], tmp_path / "out")
    changed = dataclasses.replace(world, flags=world.flags | {"seed": 4})
    # Two lines would say that the old output was kept.
    (tmp_path / "other.txt").write_text("kept\n")
    run_stages([changed, other, model], tmp_path / "out")
    assert _runs(tmp_path, "world") == _runs(tmp_path, "model") == 1
    assert (tmp_path / "other.txt").read_text() == "kept\n"


def test_an_output_that_was_removed_is_made_again(tmp_path, make_stage):
    stages = [make_stage("world")]
    run_stages(stages, tmp_path / "out")
    (tmp_path / "world.txt").unlink()
    run_stages(stages, tmp_path / "out")
    assert _runs(tmp_path, "world") == 1


def test_a_failure_stops_only_what_needs_it(tmp_path, make_stage, capsys):
    stages = [
        make_stage("teacher", "fail"),
        make_stage("student", needs=("teacher",)),
        make_stage("score", needs=("student",)),
        make_stage("control"),
    ]
    outcomes = run_stages(stages, tmp_path / "out")
    assert {name: o.status for name, o in outcomes.items()} == {
        "teacher": "failed",
        "student": "not run",
        "score": "not run",
        "control": "done",
    }
    printed = capsys.readouterr().out
    assert f"FAILED (exit 1): {outcomes['teacher'].command}" in printed
    assert "| no such town" in printed
    assert "student: not run, for teacher failed" in printed
    # Mended, the same run goes on.
    mended = [make_stage("teacher"), *stages[1:]]
    outcomes = run_stages(mended, tmp_path / "out")
    assert {o.status for o in outcomes.values()} == {"done"}
    assert _runs(tmp_path, "control") == 1


def test_a_stage_that_leaves_nothing_has_failed(tmp_path, make_stage, capsys):
    stage = make_stage("world", "nothing")
    outcomes = run_stages([stage], tmp_path / "out")
    assert outcomes["world"].status == "failed"
    assert "world.txt is not there" in capsys.readouterr().out


def test_a_stage_that_was_cut_off_goes_on_with_what_it_left(
    tmp_path, make_stage
):
    stage = make_stage("model", "wait")
    code = textwrap.dedent(f"""
        import pathlib
        from benchmarks.accuracy.run_stages import run_stages
        from benchmarks.accuracy.stage import Stage
        path = pathlib.Path({str(tmp_path)!r})
        run_stages([Stage(name="model", program="program_of_test",
            flags={{"output": path / "model.txt", "do": "wait"}},
            makes=(path / "model.txt",), seconds=1.0)], path / "out")
    """)
    with subprocess.Popen([sys.executable, "-c", code]) as run:
        _wait_for(lambda: (tmp_path / "model.txt").exists())
        os.kill(run.pid, signal.SIGKILL)
    # The stage outlived its run, and is waited for, not doubled.
    state = tmp_path / "out" / "stages" / "model.json"
    assert json.loads(state.read_text())["done"] is False
    with subprocess.Popen([sys.executable, "-c", code]) as run:
        with pytest.raises(subprocess.TimeoutExpired):
            run.wait(timeout=1.0)
        assert _runs(tmp_path, "model") == 1
        (tmp_path / "model.txt.go").touch()
        assert run.wait(timeout=60) == 0
    assert _runs(tmp_path, "model") == 2
    outcomes = run_stages([stage], tmp_path / "out")
    assert outcomes["model"].resumed
    assert _runs(tmp_path, "model") == 2


def _wait_for(is_true, seconds=60):
    end_s = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def test_time_left_follows_the_pace_of_what_was_measured(make_stage):
    stages = [
        dataclasses.replace(make_stage(name), seconds=seconds)
        for name, seconds in (("a", 10), ("b", 30), ("c", 100))
    ]
    assert time_left_s(stages, stages, {}) == 140
    done = Outcome(status="done", command="", seconds=20)
    assert time_left_s(stages[1:], stages, {"a": done}) == 260
    # What was only the rest of a stage tells no pace, nor what failed.
    rest = dataclasses.replace(done, resumed=True)
    failed = Outcome(status="failed", command="")
    assert time_left_s(stages[2:], stages, {"a": rest, "b": failed}) == 100


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (99, "99 s"), (100, "2 min"), (7500, "2 h 05 min")],
)
def test_times_are_written_for_readers(seconds, text):
    assert format_time(seconds) == text

"""Runs stages one after another, each a process, and goes on where it was cut.

OUTPUT/flags/NAME.flags    what the stage was given
OUTPUT/logs/NAME.log       what it said
OUTPUT/stages/NAME.json    whether it is done, and how long it took

A stage whose outputs are there and whose command has not changed is passed
over. One that was cut off is run again on what it left, which training takes
up at its last checkpoint. One whose command changed, or that stands on such a
stage, begins anew.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import IO
from typing import Any
from typing import Literal

from benchmarks.accuracy.stage import Stage
from benchmarks.accuracy.stage import fingerprint_stages
from s2distill.atomic_write import atomic_file
from s2distill.atomic_write import write_json
from s2distill.flag_config import read_versions

Status = Literal["done", "failed", "not run"]
_TAIL_LINES = 15


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a stage.

    Attributes:
      status: "not run" where a stage that it needs failed.
      command: That repeats it.
      seconds: Of the process that finished it; None unless done.
      commit: Of the source tree it ran in; None unless done.
      resumed: True if an earlier process had done a part of it, which
        `seconds` does not hold.
    """

    status: Status
    command: str
    seconds: float | None = None
    commit: str | None = None
    resumed: bool = False


def run_stages(
    stages: Sequence[Stage], folder: pathlib.Path
) -> dict[str, Outcome]:
    """Runs what is not done yet; a failure stops only what needs it.

    Args:
      stages: In order.
      folder: Output of the benchmark.

    Returns:
      Name -> what became of the stage.
    """
    digests = fingerprint_stages(stages, folder)
    commit = read_versions()["commit"]
    outcomes: dict[str, Outcome] = {}
    with _locked(folder) as lock:
        for number, stage in enumerate(stages):
            head = f"[{number + 1}/{len(stages)}] {stage.name}"
            state = _read_state(folder, stage)
            if _is_done(stage, state, digests[stage.name]):
                outcomes[stage.name] = _outcome_of(stage, folder, state)
                continue
            missing = [n for n in stage.needs if outcomes[n].status != "done"]
            if missing:
                _say(f"{head}: not run, for {', '.join(missing)} failed")
                outcomes[stage.name] = Outcome(
                    status="not run", command=_command(stage, folder)
                )
                continue
            left_s = time_left_s(stages[number:], stages, outcomes)
            _say(f"{head}, about {format_time(left_s)} left")
            outcomes[stage.name] = _run_stage(
                stage, folder, digests[stage.name], commit, lock
            )
    return outcomes


def time_left_s(
    rest: Sequence[Stage],
    stages: Sequence[Stage],
    outcomes: Mapping[str, Outcome],
) -> float:
    """What the rest should take, by the pace of what is done.

    Args:
      rest: Stages to run; those of them that are done already count too.
      stages: All, with what each was expected to take.
      outcomes: Of those that were run.
    """
    measured = [
        (outcomes[s.name].seconds, s.seconds)
        for s in stages
        if s.name in outcomes
        and outcomes[s.name].seconds is not None
        and not outcomes[s.name].resumed
    ]
    taken, expected = (
        map(sum, zip(*measured, strict=True)) if measured else (1, 1)
    )
    return sum(stage.seconds for stage in rest) * taken / max(expected, 1e-9)


def format_time(seconds: float) -> str:
    """As in 45 s, 12 min or 2 h 05 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _run_stage(
    stage: Stage,
    folder: pathlib.Path,
    digest: str,
    commit: str,
    lock: IO[str],
) -> Outcome:
    command = _command(stage, folder)
    resumed = _prepare(stage, folder, digest)
    log = folder / "logs" / f"{stage.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    started_s = time.monotonic()
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {command}\n")
        file.flush()
        code = _wait(
            subprocess.Popen(
                [sys.executable, *shlex.split(command)[1:]],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                # The lock outlives this process with the stage it started.
                pass_fds=[lock.fileno()],
            )
        )
    seconds = round(time.monotonic() - started_s, 1)
    missing = [str(path) for path in stage.makes if not path.exists()]
    if code or missing:
        what = f"exit {code}" if code else f"{', '.join(missing)} is not there"
        _say(f"  FAILED ({what}): {command}\n{_tail(log)}")
        return Outcome(status="failed", command=command)
    state = {
        "digest": digest,
        "seconds": seconds,
        "commit": commit,
        "resumed": resumed,
    }
    write_json(_state_file(folder, stage), state | {"done": True})
    _say(f"  done in {format_time(seconds)}")
    return _outcome_of(stage, folder, state)


def _prepare(stage: Stage, folder: pathlib.Path, digest: str) -> bool:
    """Writes the flagfile; True if a process began this very stage before."""
    resumed = _read_state(folder, stage).get("digest") == digest
    if not resumed:
        for path in stage.makes:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    with atomic_file(folder / "flags" / f"{stage.name}.flags") as path:
        path.write_text("\n".join(stage.flag_lines()) + "\n", encoding="utf-8")
    write_json(_state_file(folder, stage), {"digest": digest, "done": False})
    return resumed


def _wait(process: subprocess.Popen) -> int:
    """Exit code of a process that does not outlive an interrupt of ours."""
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise


@contextlib.contextmanager
def _locked(folder: pathlib.Path) -> Iterator[IO[str]]:
    """One run at a time, counting a stage that outlived a killed run."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"Waiting for another run in {folder}, or its last stage")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _command(stage: Stage, folder: pathlib.Path) -> str:
    flagfile = folder / "flags" / f"{stage.name}.flags"
    return shlex.join(["python", "-m", stage.program, f"--flagfile={flagfile}"])


def _is_done(stage: Stage, state: dict[str, Any], digest: str) -> bool:
    return (
        state.get("done", False)
        and state["digest"] == digest
        and all(path.exists() for path in stage.makes)
    )


def _outcome_of(
    stage: Stage, folder: pathlib.Path, state: dict[str, Any]
) -> Outcome:
    return Outcome(
        status="done",
        command=_command(stage, folder),
        seconds=state["seconds"],
        commit=state["commit"],
        resumed=state["resumed"],
    )


def _state_file(folder: pathlib.Path, stage: Stage) -> pathlib.Path:
    return folder / "stages" / f"{stage.name}.json"


def _read_state(folder: pathlib.Path, stage: Stage) -> dict[str, Any]:
    path = _state_file(folder, stage)
    if not path.exists():
        return {}
    return json.loads(path.read_text(encoding="utf-8"))


def _tail(log: pathlib.Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    # A progress bar is one line that was written many times.
    shown = [line.rpartition("\r")[2] for line in lines[-_TAIL_LINES:]]
    return "\n".join(f"  | {line}" for line in shown) + f"\n  | ({log})"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}{os.linesep}")
    sys.stdout.flush()

"""What is known of each batch task, on disk before the service is asked.

One JSON line for each thing that happened; the last line of a task counts. A
task stands there as ASKED, with its request id, before the request leaves, so
after a kill at any moment the same id is used again, and Earth Engine, which
starts one operation for an id, makes the export once. Source: REST reference
v1, projects.image.export, `requestId`.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterable
from typing import Any

from data_prep.earth_engine.file_text import exists
from data_prep.earth_engine.file_text import is_remote
from data_prep.earth_engine.file_text import read_bytes
from data_prep.earth_engine.file_text import write_text
from s2distill.errors import EarthEngineError
from s2distill.errors import OutputError

NEW = "NEW"  # never asked for, or to be asked for again
ASKED = "ASKED"  # it may have begun or not
SUCCEEDED = "SUCCEEDED"
FAILED = "FAILED"
CANCELLED = "CANCELLED"
# States of operations of Earth Engine that are not at their end.
OPEN = ("PENDING", "RUNNING", "CANCELLING")
ENDED = (SUCCEEDED, FAILED, CANCELLED)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskEntry:
    """What is known of one task: one layer of one cell.

    Attributes:
      task: "<key of the cell>/<layer>".
      state: NEW, ASKED, or that of the operation.
      attempt: Counts requests, from 1; each has an id of its own.
      fails: Attempts that ended as FAILED.
      request_id: Of the present attempt.
      operation: Its name at the service; "" until it is known.
      message: What the service said of the last failure.
      eecu_s: Compute time of the attempt that succeeded, in EECU-seconds.
    """

    task: str
    state: str = NEW
    attempt: int = 0
    fails: int = 0
    request_id: str = ""
    operation: str = ""
    message: str = ""
    eecu_s: float = 0.0

    def replaced(self, **changes: Any) -> "TaskEntry":
        """This entry with some attributes changed."""
        return dataclasses.replace(self, **changes)


class Ledger:
    """The entries of all tasks of a run; one process writes it at a time."""

    def __init__(self, path: str) -> None:
        """Reads what is there.

        Raises:
          EarthEngineError: A line other than the last is no entry.
          OutputError: The file cannot be read.
        """
        self.path = path
        self._entries: dict[str, TaskEntry] = {}
        self._lines: list[str] = []
        text = _read(path)
        for number, line in enumerate(text.splitlines(keepends=True), 1):
            # A kill may have cut the last line: it was never acted upon.
            if line.endswith("\n"):
                entry = _parse(line, f"{path}, line {number}")
                self._entries[entry.task] = entry
                self._lines.append(line)
        if text and not text.endswith("\n"):
            write_text(path, "".join(self._lines))

    def get(self, task: str) -> TaskEntry:
        """The last entry of a task; a NEW one if it has none."""
        return self._entries.get(task) or TaskEntry(task=task)

    def entries(self) -> list[TaskEntry]:
        """The last entry of each task that has one."""
        return list(self._entries.values())

    def note(self, entries: Iterable[TaskEntry]) -> None:
        """Writes entries; on disk when it returns.

        Raises:
          OutputError: The disk refuses.
        """
        changed = [
            entry for entry in entries if entry != self._entries.get(entry.task)
        ]
        lines = [
            json.dumps(dataclasses.asdict(entry), sort_keys=True) + "\n"
            for entry in changed
        ]
        if not lines:
            return
        self._lines.extend(lines)
        if is_remote(self.path):  # objects cannot grow
            write_text(self.path, "".join(self._lines))
        else:
            _append(self.path, "".join(lines))
        self._entries.update((entry.task, entry) for entry in changed)


def _read(path: str) -> str:
    if not exists(path):
        return ""
    try:
        return read_bytes(path).decode()
    except OSError as error:
        raise OutputError(
            f"cannot read the ledger {path}: {error}; without it exports "
            "might be made twice"
        ) from error


def _parse(line: str, where: str) -> TaskEntry:
    try:
        return TaskEntry(**json.loads(line))
    except (ValueError, TypeError) as error:
        raise EarthEngineError(
            f"{where} is no entry of a ledger: {error}; it was changed by "
            "hand, or by two runs at one time. Remove the line, or take "
            "another --workdir"
        ) from error


def _append(path: str, text: str) -> None:
    try:
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OutputError(
            f"cannot write the ledger {path}: {error.strerror or error}; "
            "nothing more was asked for. Free some space and run again"
        ) from error

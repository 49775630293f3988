"""Submits batch tasks under a queue limit and follows them to their end."""

import collections
import dataclasses
import time
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import tqdm
from absl import logging

from data_prep.earth_engine.asking.client import Client
from data_prep.earth_engine.asking.client import GivenUpError
from data_prep.earth_engine.asking.fetch import TooLargeError
from data_prep.earth_engine.batch.batch_ledger import ASKED
from data_prep.earth_engine.batch.batch_ledger import CANCELLED
from data_prep.earth_engine.batch.batch_ledger import ENDED
from data_prep.earth_engine.batch.batch_ledger import FAILED
from data_prep.earth_engine.batch.batch_ledger import NEW
from data_prep.earth_engine.batch.batch_ledger import OPEN
from data_prep.earth_engine.batch.batch_ledger import SUCCEEDED
from data_prep.earth_engine.batch.batch_ledger import Ledger
from data_prep.earth_engine.batch.batch_ledger import TaskEntry
from data_prep.earth_engine.batch.batch_operations import Operations
from data_prep.earth_engine.batch.batch_operations import by_description
from data_prep.earth_engine.batch.batch_operations import describe
from data_prep.earth_engine.batch.batch_operations import state_of
from data_prep.earth_engine.batch.batch_operations import with_operation
from s2distill.errors import EarthEngineError

# Submitting takes a second a task; in between the others are looked at.
_SUBMIT_AT_ONCE = 100
# So many refusals one after another are no matter of one task.
_REFUSED_IN_A_ROW = 3
_BAR_S = 1.0  # between two drawings of the progress bar


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunLimits:
    """How a run treats the service.

    Attributes:
      max_waiting: Nothing is submitted while so many operations of the
        project, of this run or not, wait or run.
      max_task_tries: Attempts of a task that fails.
      poll_s: Between two looks at the operations.
    """

    max_waiting: int
    max_task_tries: int
    poll_s: float


class BatchRun:
    """The tasks of a run; what is known of them is in the ledger."""

    def __init__(
        self,
        client: Client,
        ledger: Ledger,
        tasks: Sequence[str],
        *,
        make_request_id: Callable[[str, int], str],
        make_request: Callable[[TaskEntry], dict[str, Any]],
        limits: RunLimits,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Makes a run; nothing is asked yet.

        Args:
          client: Logged in.
          ledger: Of this run.
          tasks: Names, in the order in which they are submitted.
          make_request_id: Of a task and the number of its attempt.
          make_request: What `ee.data.exportImage` takes, for an entry.
          limits: How the service is treated.
          sleep: Called with seconds.
        """
        self._counters = client.counters
        self._operations = Operations(client)
        self._ledger = ledger
        self._tasks = tuple(tasks)
        self._make_request_id = make_request_id
        self._make_request = make_request
        self._limits = limits
        self._sleep = sleep
        self._refused = 0

    def entries(self) -> list[TaskEntry]:
        """What is known of each task, in their order."""
        return [self._ledger.get(task) for task in self._tasks]

    def given_up(self) -> list[TaskEntry]:
        """Tasks that failed as often as they may."""
        return [e for e in self._with_state(FAILED) if self._is_given_up(e)]

    def run(self, *, wait: bool = True) -> None:
        """Submits what is not yet at its end, and follows it there.

        Args:
          wait: False: submits what the limit allows, and returns.

        Raises:
          StoppedError: The service refuses every request.
          EarthEngineError: It refuses one task after another.
        """
        # Whoever runs a cancelled run again wants its tasks.
        self._ledger.note(
            entry.replaced(state=NEW) for entry in self._with_state(CANCELLED)
        )
        with tqdm.tqdm(
            total=len(self._tasks),
            desc="tasks",
            unit="task",
            mininterval=_BAR_S,
            miniters=0,
        ) as bar:
            while True:
                waiting = self.look()
                self._show(bar)
                idle = self._submit_some(waiting, bar)
                if not wait and idle:
                    return
                if not self._eligible() and not self._with_state(*OPEN):
                    return
                if idle:
                    self._counters.add("asleep_s", self._limits.poll_s)
                    self._sleep(self._limits.poll_s)

    def look(self) -> int:
        """Notes the states of our operations.

        Returns:
          Operations of the project, of this run or not, that wait or run.
        """
        self._counters.add("polls")
        operations = self._operations.list()
        by_name = {found["name"]: found for found in operations}
        named = by_description(operations)
        changed = []
        for entry in self.entries():
            if entry.state in OPEN:
                found = by_name.get(entry.operation)
                found = found or self._operations.find(entry.operation)
                changed.append(with_operation(entry, found))
            elif _may_have_begun(entry) and describe(entry) in named:
                self._counters.add("tasks_adopted")
                changed.append(with_operation(entry, named[describe(entry)]))
        self._note(changed)
        return sum(state_of(found) in OPEN for found in operations)

    def cancel(self) -> int:
        """Cancels what waits or runs; the number of tasks."""
        self.look()
        cancelled = self._with_state(*OPEN)
        for entry in tqdm.tqdm(cancelled, desc="cancel", unit="task"):
            self._operations.cancel(entry.operation)
        self.look()
        return len(cancelled)

    def _with_state(self, *states: str) -> list[TaskEntry]:
        return [entry for entry in self.entries() if entry.state in states]

    def _is_given_up(self, entry: TaskEntry) -> bool:
        return entry.fails >= self._limits.max_task_tries

    def _eligible(self) -> list[TaskEntry]:
        """To be submitted, now or when the queue has room."""
        return [
            entry
            for entry in self._with_state(NEW, ASKED, FAILED)
            if entry.state != FAILED or not self._is_given_up(entry)
        ]

    def _submit_some(self, waiting: int, bar: tqdm.tqdm) -> bool:
        """True if nothing more can be submitted at present."""
        room = max(0, self._limits.max_waiting - waiting)
        eligible = self._eligible()
        for entry in eligible[: min(room, _SUBMIT_AT_ONCE)]:
            if not self._submit(self._next_attempt(entry)):
                return True
            self._show(bar)
        return len(eligible) <= _SUBMIT_AT_ONCE or room <= _SUBMIT_AT_ONCE

    def _next_attempt(self, entry: TaskEntry) -> TaskEntry:
        """The entry as it is asked for; in the ledger when this returns."""
        if _may_have_begun(entry):
            # The same id once more: what it began is not begun again.
            asked = entry.replaced(state=ASKED)
        else:
            attempt = entry.attempt + 1
            asked = entry.replaced(
                state=ASKED,
                attempt=attempt,
                request_id=self._make_request_id(entry.task, attempt),
                operation="",
            )
        if entry.attempt:
            self._counters.add("tasks_retried")
        self._ledger.note([asked])
        return asked

    def _submit(self, entry: TaskEntry) -> bool:
        """False where the queue is full."""
        try:
            operation = self._operations.start(entry, self._make_request(entry))
        except (GivenUpError, TooLargeError) as error:
            self._refuse(entry, error)
            return True
        self._refused = 0
        if operation is None:
            self._counters.add("queue_full")
            return False
        self._counters.add("tasks_submitted")
        self._note([with_operation(entry, operation)])
        return True

    def _refuse(self, entry: TaskEntry, error: EarthEngineError) -> None:
        self._counters.add("tasks_refused")
        fails = entry.fails + 1
        self._note(
            [entry.replaced(state=FAILED, fails=fails, message=str(error))]
        )
        self._refused += 1
        if self._refused >= _REFUSED_IN_A_ROW:
            raise EarthEngineError(
                f"{self._refused} tasks one after another were refused, the "
                f"last, {entry.task}, with: {error}; mend that and run again"
            ) from error

    def _note(self, entries: Sequence[TaskEntry]) -> None:
        self._ledger.note(entries)
        for entry in entries:
            if entry.state in ENDED:
                self._counters.add(f"tasks_{entry.state.lower()}")
            if entry.state == FAILED:
                logging.warning("%s failed: %s", entry.task, entry.message)

    def _show(self, bar: tqdm.tqdm) -> None:
        states = collections.Counter(entry.state for entry in self.entries())
        shown = {state.lower(): n for state, n in sorted(states.items())}
        bar.set_postfix(shown, refresh=False)
        bar.update(states[SUCCEEDED] + len(self.given_up()) - bar.n)


def _may_have_begun(entry: TaskEntry) -> bool:
    """Asked for, and no operation is known."""
    return entry.state in (ASKED, FAILED) and not entry.operation

"""The operations of a project, asked again and again as long as that helps."""

import functools
from collections.abc import Iterable
from typing import Any

import ee

from data_prep.earth_engine.asking.client import Client
from data_prep.earth_engine.asking.client import GivenUpError
from data_prep.earth_engine.batch.batch_ledger import FAILED
from data_prep.earth_engine.batch.batch_ledger import TaskEntry
from data_prep.earth_engine.batch.batch_tasks import make_description

Operation = dict[str, Any]
# Words of the service at its limit: 3,000 of a user, over all projects.
_QUEUE_FULL = "too many tasks"
_GONE = "the service knows no such operation any more"


class Operations:
    """The export operations that Earth Engine keeps for a project."""

    def __init__(self, client: Client) -> None:
        """Keeps the client, which is logged in."""
        self._client = client

    def list(self) -> list[Operation]:
        """All that the service still knows, old ones too."""
        return self._client.persist(ee.data.listOperations)

    def find(self, name: str) -> Operation:
        """One that may be too old for the list; FAILED if it is gone."""
        try:
            return self._client.persist(
                functools.partial(ee.data.getOperation, name)
            )
        except GivenUpError as error:
            if not str(error).startswith("HTTP 404"):
                raise
            return {
                "name": name,
                "metadata": {"state": FAILED},
                "error": {"message": _GONE},
            }

    def start(
        self, entry: TaskEntry, request: dict[str, Any]
    ) -> Operation | None:
        """Begins an export.

        Args:
          entry: Whose request id was not used for anything else.
          request: What `ee.data.exportImage` takes.

        Returns:
          The operation, also where an earlier request began it; None where
          the queue is full.

        Raises:
          GivenUpError: The service refuses this export.
          StoppedError: It refuses all.
        """
        return self._client.persist(lambda: _export(entry, request))

    def cancel(self, name: str) -> None:
        """Cancels one."""
        self._client.persist(functools.partial(ee.data.cancelOperation, name))


def state_of(operation: Operation) -> str:
    """PENDING, RUNNING, SUCCEEDED, ..."""
    return operation.get("metadata", {}).get("state", "")


def by_description(operations: Iterable[Operation]) -> dict[str, Operation]:
    """Operations by the name that the task manager shows."""
    return {
        found.get("metadata", {}).get("description", ""): found
        for found in operations
    }


def describe(entry: TaskEntry) -> str:
    """What the operation of an entry is called."""
    return make_description(entry.task, entry.attempt, entry.request_id)


def with_operation(entry: TaskEntry, operation: Operation) -> TaskEntry:
    """The entry as the operation says."""
    state = state_of(operation)
    usage = operation.get("metadata", {}).get("batchEecuUsageSeconds", 0)
    return entry.replaced(
        state=state,
        operation=operation["name"],
        fails=entry.fails + (state == FAILED),
        message=operation.get("error", {}).get("message", entry.message),
        eecu_s=float(usage),
    )


def _export(entry: TaskEntry, request: dict[str, Any]) -> Operation | None:
    try:
        return ee.data.exportImage(entry.request_id, request)
    except (ee.EEException, OSError) as error:
        if _QUEUE_FULL in str(error).lower():
            return None
        # It may have begun all the same: the answer was lost, or it was the
        # refusal of an id that came before. Which of the two answers a second
        # request gets is not documented.
        found = by_description(ee.data.listOperations()).get(describe(entry))
        if found is None:
            raise
        return found

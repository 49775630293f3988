"""Operations: begun once, found again, and cancelled, over the real client."""

import json
import urllib.error
import urllib.request

import pytest

from data_prep.earth_engine.asking.client import GivenUpError
from data_prep.earth_engine.batch.batch_ledger import ASKED
from data_prep.earth_engine.batch.batch_ledger import TaskEntry
from data_prep.earth_engine.batch.batch_operations import Operations
from data_prep.earth_engine.batch.batch_operations import by_description
from data_prep.earth_engine.batch.batch_operations import describe
from data_prep.earth_engine.batch.batch_operations import state_of
from data_prep.earth_engine.batch.batch_operations import with_operation
from data_prep.earth_engine.batch.batch_settings import task_name
from data_prep.earth_engine.batch.batch_tasks import make_request
from data_prep.earth_engine.batch.batch_tasks import make_request_id
from data_prep.earth_engine.batch.cells import make_cells
from tests.earth_engine_server.batch_area import LAYERS
from tests.earth_engine_server.batch_area import PLACES
from tests.earth_engine_server.batch_area import connect
from tests.earth_engine_server.batch_area import make_settings
from tests.earth_engine_server.batch_area import running_server
from tests.earth_engine_server.refusal import Refusal

SETTINGS = make_settings()
CELL = make_cells(PLACES, 3)[0]


def _make_entry(attempt=1, layer=LAYERS[0]):
    task = task_name(CELL, layer)
    return TaskEntry(
        task=task,
        state=ASKED,
        attempt=attempt,
        request_id=make_request_id(SETTINGS, task, attempt),
    )


def _start(operations, entry, layer=LAYERS[0]):
    request = make_request(SETTINGS, CELL, layer, entry.attempt)
    return operations.start(entry, request)


def test_an_export_begins_and_is_listed():
    with running_server(export_polls=9) as server:
        operations = Operations(connect(server))
        assert operations.list() == []
        entry = _make_entry()
        begun = _start(operations, entry)
        assert state_of(begun) == "PENDING"
        found = by_description(operations.list())
        assert list(found) == [describe(entry)]
        assert found[describe(entry)]["name"] == begun["name"]
        assert operations.find(begun["name"])["name"] == begun["name"]


def test_more_operations_than_a_page_are_all_listed(monkeypatch):
    from ee import data

    monkeypatch.setattr(data, "_TASKLIST_PAGE_SIZE", 3)
    with running_server(export_polls=99) as server:
        operations = Operations(connect(server))
        for attempt in range(1, 9):
            _start(operations, _make_entry(attempt))
        assert len(by_description(operations.list())) == 8


@pytest.mark.parametrize("refuse_duplicates", [False, True])
@pytest.mark.parametrize("lost", [False, True])
def test_the_same_id_begins_one_operation(refuse_duplicates, lost):
    faults = ("lost",) if lost else ()
    with running_server(
        refuse_duplicates=refuse_duplicates,
        export_faults=faults,
        export_polls=99,
    ) as server:
        operations = Operations(connect(server))
        first = _start(operations, _make_entry())
        again = _start(operations, _make_entry())
        assert first["name"] == again["name"]
        assert len(server.exports.started) == 1


def test_a_busy_service_is_asked_again():
    with running_server(export_faults=(429, 500, 503)) as server:
        client = connect(server)
        assert state_of(_start(Operations(client), _make_entry())) == "PENDING"
        assert client.counters.read()["retried"] == 3


def test_a_full_queue_is_no_error():
    with running_server(queue_limit=1, export_polls=99) as server:
        client = connect(server)
        operations = Operations(client)
        assert _start(operations, _make_entry()) is not None
        assert _start(operations, _make_entry(2)) is None
        assert "retried" not in client.counters.read()


def test_an_export_that_is_refused_is_given_up_with_its_reason():
    with running_server() as server:
        entry = _make_entry()
        request = make_request(SETTINGS, CELL, LAYERS[0], 1)
        request["description"] = "two words"
        with pytest.raises(GivenUpError, match="HTTP 400: Invalid descript"):
            Operations(connect(server)).start(entry, request)


def test_a_field_the_service_does_not_know_is_refused():
    with running_server() as server:
        request = make_request(SETTINGS, CELL, LAYERS[0], 1)
        request["fileExportOptions"]["tfRecordOptions"]["patchSize"] = 4
        with pytest.raises(GivenUpError, match='Unknown name "patchSize"'):
            Operations(connect(server)).start(_make_entry(), request)


def test_an_operation_that_is_gone_has_failed():
    with running_server() as server:
        found = Operations(connect(server)).find("projects/p/operations/OLD")
    entry = with_operation(_make_entry(), found)
    assert entry.state == "FAILED"
    assert entry.message == "the service knows no such operation any more"


def test_a_service_that_fails_for_long_does_not_make_a_task_fail():
    def refuse(_):
        raise Refusal(503, "The service is currently unavailable.")

    with running_server() as server:
        server.exports.get = refuse
        client = connect(server, max_tries=2)
        with pytest.raises(GivenUpError, match="HTTP 503.*after 2 tries"):
            Operations(client).find("projects/p/operations/X")


def test_a_cancelled_operation_says_so():
    with running_server(export_polls=99) as server:
        operations = Operations(connect(server))
        begun = _start(operations, _make_entry())
        operations.cancel(begun["name"])
        assert state_of(operations.find(begun["name"])) == "CANCELLED"


def test_an_entry_takes_state_reason_and_cost_of_its_operation():
    operation = {
        "name": "projects/p/operations/A",
        "metadata": {"state": "FAILED", "batchEecuUsageSeconds": 7.5},
        "done": True,
        "error": {"code": 3, "message": "User memory limit exceeded."},
    }
    entry = with_operation(_make_entry().replaced(fails=1), operation)
    assert (entry.state, entry.fails, entry.eecu_s) == ("FAILED", 2, 7.5)
    assert entry.operation == "projects/p/operations/A"
    assert entry.message == "User memory limit exceeded."


def test_operations_are_those_of_the_project():
    with running_server() as server:
        first = Operations(connect(server, ee_project="one"))
        begun = _start(first, _make_entry())
        assert begun["name"].startswith("projects/one/operations/")
        assert [found["name"] for found in first.list()] == [begun["name"]]
        assert Operations(connect(server, ee_project="two")).list() == []


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (409, "ABORTED"),
        (429, "RESOURCE_EXHAUSTED"),
        (500, "INTERNAL"),
        (503, "UNAVAILABLE"),
    ],
)
def test_the_double_names_a_status_as_the_service_does(status, name):
    def refuse(_):
        raise Refusal(status, "no")

    with running_server() as server:
        server.exports.get = refuse
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{server.url}/v1/projects/p/operations")
        with caught.value as answer:
            error = json.load(answer)["error"]
    assert error == {"code": status, "message": "no", "status": name}

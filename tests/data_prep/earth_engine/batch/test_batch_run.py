"""Runs: every task once, whatever befalls the run, the line or the service."""

import pytest

from data_prep.earth_engine.batch import batch_operations
from data_prep.earth_engine.batch import batch_run
from data_prep.earth_engine.batch.batch_ledger import Ledger
from s2distill.errors import EarthEngineError
from tests.earth_engine_server import batch_area
from tests.earth_engine_server.batch_area import connect
from tests.earth_engine_server.batch_area import make_settings
from tests.earth_engine_server.batch_area import running_server

TASKS = 4  # two cells, two layers


def make_run(client, settings, workdir, *, tasks=TASKS, **limits):
    return batch_area.make_run(client, settings, workdir, tasks=tasks, **limits)


class KilledError(BaseException):
    """The process ends here."""


def _states(run):
    return [entry.state for entry in run.entries()]


def test_all_tasks_come_to_their_end(tmp_path):
    with running_server(bucket=str(tmp_path / "b"), export_polls=2) as server:
        client = connect(server)
        run = make_run(client, make_settings(), tmp_path)
        run.run()
        assert _states(run) == ["SUCCEEDED"] * TASKS
        assert len(server.exports.started) == TASKS
        assert len(list(tmp_path.glob("b/**/export-mixer.json"))) == TASKS
        counters = client.counters.read()
        assert counters["tasks_submitted"] == TASKS
        assert counters["tasks_succeeded"] == TASKS
        assert counters["asleep_s"] == 60 * (counters["polls"] - 1)
        assert run.given_up() == []


def test_the_bar_shows_the_states_and_not_each_task(tmp_path, capsys):
    with running_server() as server:
        make_run(connect(server), make_settings(), tmp_path).run()
    shown = capsys.readouterr().err.split("\r")
    assert "4/4" in shown[-1]
    assert "succeeded=4" in shown[-1]
    assert len([line for line in shown if "new=" in line]) < TASKS


def test_a_second_run_submits_nothing(tmp_path):
    with running_server() as server:
        settings = make_settings()
        make_run(connect(server), settings, tmp_path).run()
        client = connect(server)
        again = make_run(client, settings, tmp_path)
        again.run()
        assert _states(again) == ["SUCCEEDED"] * TASKS
        assert len(server.exports.started) == TASKS
        assert "tasks_submitted" not in client.counters.read()


def test_layers_of_a_cell_are_submitted_one_after_the_other(tmp_path):
    with running_server() as server:
        make_run(connect(server), make_settings(), tmp_path).run()
        cells = [name.rpartition("_s2_")[0] for name in server.exports.started]
        fine = [name.rpartition("_fine_")[0] for name in server.exports.started]
        assert cells[0::2] == fine[1::2]
        assert all(cells[0::2])


@pytest.mark.parametrize("max_waiting", [1, 3])
def test_never_more_wait_than_allowed(tmp_path, max_waiting):
    with running_server() as server:
        most = []
        start = server.exports.start

        def watch(*request):
            answer = start(*request)
            operations = server.exports.operations.values()
            most.append(sum(not o.get("done") for o in operations))
            return answer

        server.exports.start = watch
        settings = make_settings()
        run = make_run(
            connect(server), settings, tmp_path, max_waiting=max_waiting
        )
        run.run()
        assert _states(run) == ["SUCCEEDED"] * TASKS
        assert max(most) == max_waiting


def test_many_tasks_are_looked_at_in_between(tmp_path, monkeypatch):
    monkeypatch.setattr(batch_run, "_SUBMIT_AT_ONCE", 3)
    with running_server(export_polls=99) as server:
        client = connect(server)
        run = make_run(client, make_settings(), tmp_path)
        run.run(wait=False)
        assert _states(run) == ["PENDING"] * TASKS
        counters = client.counters.read()
        assert counters["polls"] == 2
        assert "asleep_s" not in counters


def test_operations_of_others_count_too(tmp_path):
    with running_server(export_polls=99) as server:
        client = connect(server)
        make_run(client, make_settings(), tmp_path / "a", tasks=3).run(
            wait=False
        )
        other = make_run(client, make_settings(), tmp_path / "b", max_waiting=5)
        other.run(wait=False)
        assert _states(other).count("PENDING") == 2
        assert _states(other).count("NEW") == TASKS - 2


def test_a_queue_that_others_filled_is_waited_for(tmp_path):
    with running_server(queue_limit=2) as server:
        client = connect(server)
        run = make_run(client, make_settings(), tmp_path)
        run.run()
        assert _states(run) == ["SUCCEEDED"] * TASKS
        assert server.exports.refused > 0
        assert len(server.exports.started) == TASKS
        assert all(entry.attempt == 1 for entry in run.entries())
        assert client.counters.read()["queue_full"] == server.exports.refused


def test_a_failed_task_is_tried_again_under_another_name(tmp_path):
    with running_server(failed_exports=("_fine_1_",)) as server:
        client = connect(server)
        run = make_run(client, make_settings(), tmp_path)
        run.run()
        assert _states(run) == ["SUCCEEDED"] * TASKS
        attempts = [(e.attempt, e.fails) for e in run.entries()]
        assert attempts == [(1, 0), (2, 1)] * (TASKS // 2)
        assert client.counters.read()["tasks_retried"] == TASKS // 2


def test_a_task_that_fails_for_good_is_given_up_with_the_reason(tmp_path):
    with running_server(failed_exports=("_fine_",)) as server:
        settings = make_settings()
        run = make_run(connect(server), settings, tmp_path)
        run.run()
        assert _states(run) == ["SUCCEEDED", "FAILED"] * (TASKS // 2)
        assert [e.fails for e in run.given_up()] == [3] * (TASKS // 2)
        assert run.given_up()[0].message == "User memory limit exceeded."
        started = len(server.exports.started)
        make_run(connect(server), settings, tmp_path).run()
        assert len(server.exports.started) == started
        # A higher limit tries them again.
        more = make_run(connect(server), settings, tmp_path, max_task_tries=4)
        more.run()
        assert len(server.exports.started) == started + TASKS // 2


@pytest.mark.parametrize("refuse_duplicates", [False, True])
@pytest.mark.parametrize("moment", ["before", "after", "noted"])
def test_a_kill_at_any_moment_exports_nothing_twice(
    tmp_path, monkeypatch, moment, refuse_duplicates
):
    with running_server(
        refuse_duplicates=refuse_duplicates,
        export_polls=2,
    ) as server:
        settings = make_settings()
        run = make_run(connect(server), settings, tmp_path)
        export = batch_operations._export
        calls = []

        def killed_export(entry, request):
            calls.append(entry)
            if len(calls) < 4:
                return export(entry, request)
            if moment == "before":
                raise KilledError
            answer = export(entry, request)
            if moment == "after":
                raise KilledError
            return answer

        def killed_note(self, entries):
            note(self, entries)
            if len(calls) == 4 and "PENDING" in [e.state for e in entries]:
                raise KilledError

        note = Ledger.note
        monkeypatch.setattr(batch_operations, "_export", killed_export)
        if moment == "noted":
            monkeypatch.setattr(Ledger, "note", killed_note)
        with pytest.raises(KilledError):
            run.run()
        monkeypatch.undo()
        begun = 3 if moment == "before" else 4
        assert len(server.exports.started) == begun
        client = connect(server)
        again = make_run(client, settings, tmp_path)
        again.run()
        assert _states(again) == ["SUCCEEDED"] * TASKS
        assert len(server.exports.started) == TASKS
        assert len(set(server.exports.started)) == TASKS
        assert all(entry.attempt == 1 for entry in again.entries())
        adopted = client.counters.read().get("tasks_adopted", 0)
        assert adopted == (moment == "after")


def test_a_service_that_loses_answers_exports_nothing_twice(tmp_path):
    faults = (429, "lost", None, 500, "lost", "lost", 503, "cut off") * 2
    with running_server(export_faults=faults) as server:
        run = make_run(connect(server), make_settings(), tmp_path)
        run.run()
        assert _states(run) == ["SUCCEEDED"] * TASKS
        assert len(server.exports.started) == TASKS


def test_three_refusals_in_a_row_stop_the_run(tmp_path):
    with running_server(export_faults=(400,) * 3) as server:
        settings = make_settings()
        run = make_run(connect(server), settings, tmp_path)
        with pytest.raises(EarthEngineError, match="3 tasks one after another"):
            run.run()
        assert _states(run).count("FAILED") == 3
        assert server.exports.started == []
        # Mended, it goes on with the same ids.
        again = make_run(connect(server), settings, tmp_path)
        again.run()
        assert _states(again) == ["SUCCEEDED"] * TASKS
        assert all(entry.attempt == 1 for entry in again.entries())


def test_without_waiting_the_run_returns_and_goes_on_later(tmp_path):
    with running_server(export_polls=3) as server:
        settings = make_settings()
        run = make_run(connect(server), settings, tmp_path)
        run.run(wait=False)
        assert _states(run) == ["PENDING"] * TASKS
        again = make_run(connect(server), settings, tmp_path)
        again.run()
        assert _states(again) == ["SUCCEEDED"] * TASKS
        assert len(server.exports.started) == TASKS


def test_a_cancelled_run_can_be_run_again(tmp_path):
    with running_server(export_polls=3) as server:
        settings = make_settings()
        make_run(connect(server), settings, tmp_path).run(wait=False)
        run = make_run(connect(server), settings, tmp_path)
        assert run.cancel() == TASKS
        assert _states(run) == ["CANCELLED"] * TASKS
        again = make_run(connect(server), settings, tmp_path)
        again.run()
        assert _states(again) == ["SUCCEEDED"] * TASKS
        assert all(entry.attempt == 2 for entry in again.entries())
        assert all(entry.fails == 0 for entry in again.entries())


def test_a_task_somebody_cancels_is_not_submitted_again_at_once(tmp_path):
    with running_server(export_polls=3) as server:
        settings = make_settings()
        run = make_run(connect(server), settings, tmp_path)
        run.run(wait=False)
        name = run.entries()[0].operation
        server.exports.cancel(f"/v1/{name}:cancel")
        run.run()
        assert _states(run) == ["CANCELLED"] + ["SUCCEEDED"] * (TASKS - 1)
        assert len(server.exports.started) == TASKS


def test_an_operation_too_old_for_the_list_is_asked_for_alone(tmp_path):
    with running_server(export_polls=3) as server:
        run = make_run(connect(server), make_settings(), tmp_path, tasks=2)
        run.run(wait=False)
        get = server.exports.get

        def forgetful(path):
            answer = get(path)
            answer.pop("operations", None)
            return answer

        server.exports.get = forgetful
        run.run()
        assert _states(run) == ["SUCCEEDED"] * 2

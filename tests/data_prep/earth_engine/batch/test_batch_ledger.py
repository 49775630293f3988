"""The ledger: what was noted is there, whatever happened afterwards."""

import pathlib

import pytest
import tensorflow as tf

from data_prep.earth_engine.batch import batch_ledger
from data_prep.earth_engine.batch.batch_ledger import ASKED
from data_prep.earth_engine.batch.batch_ledger import SUCCEEDED
from data_prep.earth_engine.batch.batch_ledger import Ledger
from data_prep.earth_engine.batch.batch_ledger import TaskEntry
from data_prep.earth_engine.file_text import write_text
from s2distill.errors import EarthEngineError
from s2distill.errors import OutputError

FIRST = TaskEntry(task="a/s2", state=ASKED, attempt=1, request_id="s2d-1")
SECOND = TaskEntry(task="a/fine", state="RUNNING", operation="o/7", eecu_s=2.5)


def test_a_task_that_nobody_noted_is_new(tmp_path):
    ledger = Ledger(f"{tmp_path}/none/ledger.jsonl")
    assert ledger.get("a/s2") == TaskEntry(task="a/s2", state="NEW")
    assert ledger.entries() == []


def test_the_last_entry_of_a_task_counts(tmp_path):
    path = f"{tmp_path}/run/ledger.jsonl"
    ledger = Ledger(path)
    ledger.note([FIRST, SECOND])
    ended = FIRST.replaced(state=SUCCEEDED, operation="o/8", message='say "x"')
    ledger.note([ended])
    for seen in (ledger, Ledger(path)):
        assert seen.get("a/s2") == ended
        assert seen.get("a/fine") == SECOND
        assert len(seen.entries()) == 2
    assert pathlib.Path(path).read_text().count("\n") == 3


def test_what_is_known_already_is_not_written_again(tmp_path):
    path = f"{tmp_path}/ledger.jsonl"
    ledger = Ledger(path)
    for _ in range(3):
        ledger.note([FIRST])
    assert pathlib.Path(path).read_text().count("\n") == 1


@pytest.mark.parametrize("kept", [1, 40, 0])
def test_a_line_cut_by_a_kill_was_never_noted(tmp_path, kept):
    path = tmp_path / "ledger.jsonl"
    Ledger(str(path)).note([FIRST, SECOND])
    first, second, _ = path.read_text().split("\n")
    path.write_text(f"{first}\n{second[:kept]}")
    ledger = Ledger(str(path))
    assert ledger.get("a/s2") == FIRST
    assert ledger.get("a/fine").state == "NEW"
    ledger.note([SECOND])
    assert Ledger(str(path)).get("a/fine") == SECOND


def test_a_line_that_is_no_entry_is_named(tmp_path):
    path = tmp_path / "ledger.jsonl"
    Ledger(str(path)).note([FIRST])
    path.write_text(f'{path.read_text()}{{"task": 3, "colour": 1}}\n')
    with pytest.raises(EarthEngineError, match=r"ledger.jsonl, line 2 is no"):
        Ledger(str(path))


def test_a_disk_that_refuses_is_an_error_before_anything_is_asked(tmp_path):
    (tmp_path / "file").write_text("")
    ledger = Ledger(f"{tmp_path}/ledger.jsonl")
    ledger.path = f"{tmp_path}/file/ledger.jsonl"
    with pytest.raises(OutputError, match="nothing more was asked for"):
        ledger.note([FIRST])
    assert ledger.get("a/s2").state == "NEW"


def test_a_ledger_elsewhere_is_written_as_a_whole(tmp_path, monkeypatch):
    path = f"ram://ledgers/{tmp_path.name}.jsonl"
    written = []

    def replace(path, text):
        # TensorFlow's memory appends where a bucket replaces.
        if tf.io.gfile.exists(path):
            tf.io.gfile.remove(path)
        written.append(text)
        write_text(path, text)

    monkeypatch.setattr(batch_ledger, "write_text", replace)
    ledger = Ledger(path)
    ledger.note([FIRST])
    ledger.note([SECOND])
    assert Ledger(path).entries() == [FIRST, SECOND]
    assert [text.count("\n") for text in written] == [1, 2]


def test_a_ledger_that_cannot_be_read_stops_the_run(tmp_path):
    with pytest.raises(OutputError, match="cannot read the ledger"):
        Ledger(str(tmp_path))

import os
import pathlib
import pickle
import re
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from data_prep.earth_engine.records.answers import AnswerStore
from s2distill.errors import AnswerError
from s2distill.errors import OutputError

ROOT = pathlib.Path(__file__).resolve().parents[4]
KEY = "utm16n-735680-3735040"
ODD_KEYS = [
    "utm60s--320-0",
    "with space",
    "a.npy",
    ".hidden",
    "50%[ab]*?#&",
    "Île-de-France",
    "高さ",
    "x" * 200,
]


def _make(seed=0, shape=(3, 5)):
    rng = np.random.default_rng(seed)
    answer = np.zeros(shape, [("B2", "<u2"), ("valid", "u1")])
    answer["B2"] = rng.integers(0, 60_000, shape)
    answer["valid"] = rng.integers(0, 2, shape)
    return answer


def _files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture(params=["disk", "bucket"])
def store(request, tmp_path):
    """A store on disk, and in TensorFlow's file system in memory."""
    if request.param == "disk":
        return AnswerStore(tmp_path / "answers")
    bucket = tmp_path.name.replace("[", "-").replace("]", "-")
    return AnswerStore(f"ram://{bucket}/answers")


def test_what_is_put_there_is_there(store):
    assert not store.has("s2", KEY)
    store.put("s2", KEY, _make())
    assert store.has("s2", KEY)
    found = store.get("s2", KEY)
    assert found.dtype == _make().dtype
    np.testing.assert_array_equal(found, _make())


def test_layers_and_places_are_kept_apart(store):
    assert store.keys("s2") == set()
    store.put("s2", "one", _make(1))
    store.put("fine", "one", _make(2))
    store.put("s2", "two", _make(3))
    assert store.keys("s2") == {"one", "two"}
    assert store.keys("fine") == {"one"}
    assert store.keys("other") == set()
    assert not store.has("fine", "two")
    np.testing.assert_array_equal(store.get("fine", "one"), _make(2))
    np.testing.assert_array_equal(store.get("s2", "two"), _make(3))


def test_the_later_answer_stands(tmp_path):
    store = AnswerStore(tmp_path)
    store.put("s2", KEY, _make(1, (9, 9)))
    store.put("s2", KEY, _make(2))
    np.testing.assert_array_equal(store.get("s2", KEY), _make(2))
    assert store.keys("s2") == {KEY}


def test_removing_leaves_nothing_and_may_be_done_twice(tmp_path):
    store = AnswerStore(tmp_path / "answers")
    store.put("s2", KEY, _make())
    store.remove()
    store.remove()
    assert store.keys("s2") == set()
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_is_not_there_names_its_file(store):
    with pytest.raises(AnswerError, match=f"s2/../{KEY}.npy cannot be read"):
        store.get("s2", KEY)


@pytest.mark.parametrize("key", ODD_KEYS, ids=range(len(ODD_KEYS)))
def test_keys_may_hold_odd_characters(tmp_path, key):
    store = AnswerStore(tmp_path)
    store.put("s2", key, _make())
    store.put("s2", "plain", _make(1))
    np.testing.assert_array_equal(store.get("s2", key), _make())
    assert store.has("s2", key)
    assert store.keys("s2") == {key, "plain"}


@pytest.mark.parametrize("key", ["", "a/b", "../../outside", "/etc/x"])
def test_a_key_never_leads_to_another_folder(tmp_path, key):
    store = AnswerStore(tmp_path / "answers")
    with pytest.raises(ValueError, match=f"the key {re.escape(repr(key))}"):
        store.put("s2", key, _make())
    assert _files(tmp_path) == []


def test_folders_hold_a_share_of_the_files_each(tmp_path):
    store = AnswerStore(tmp_path)
    keys = {f"utm16n-{320 * n}-0" for n in range(300)}
    for key in keys:
        store.put("s2", key, _make(shape=(1, 1)))
    assert store.keys("s2") == keys
    folders = list((tmp_path / "s2").iterdir())
    assert all(re.fullmatch("[0-9a-f]{2}", folder.name) for folder in folders)
    # 300 into 256: 177 are hit on average (256 (1 - (255/256)**300)).
    assert len(folders) > 150


@pytest.mark.parametrize("moment", ["writing", "renaming"])
def test_what_fails_halfway_leaves_no_file(tmp_path, monkeypatch, moment):
    store = AnswerStore(tmp_path)

    def fail(*_):
        yield b"half of it"
        raise OSError(28, "No space left on device")

    if moment == "renaming":
        monkeypatch.setattr(os, "replace", lambda *_: list(fail()))
    else:
        monkeypatch.setattr(
            "data_prep.earth_engine.records.answers.write_npy", fail
        )
    with pytest.raises(OutputError, match="No space left.*make room"):
        store.put("s2", KEY, _make())
    assert _files(tmp_path) == []
    monkeypatch.undo()
    store.put("s2", KEY, _make())
    np.testing.assert_array_equal(store.get("s2", KEY), _make())


def test_an_answer_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
    store = AnswerStore(tmp_path)
    store.put("s2", KEY, _make(1))

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OutputError, match="No space"):
        store.put("s2", KEY, _make(2))
    np.testing.assert_array_equal(store.get("s2", KEY), _make(1))


def test_a_process_that_is_killed_halfway_leaves_no_answer(tmp_path):
    program = (
        "import os, sys, numpy as np\n"
        "from data_prep.earth_engine.records.answers import AnswerStore\n"
        "os.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        f"AnswerStore(sys.argv[1]).put('s2', {KEY!r}, np.zeros((9, 9)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert len(_files(tmp_path)) == 1  # under a name that nobody reads
    store = AnswerStore(tmp_path)
    assert store.keys("s2") == set()
    assert not store.has("s2", KEY)
    store.put("s2", KEY, _make())
    np.testing.assert_array_equal(store.get("s2", KEY), _make())


def test_writers_of_one_key_never_show_half_an_answer(tmp_path):
    store, ended, seen = AnswerStore(tmp_path), threading.Event(), []
    answers = [np.full((40, 50), n, [("B2", "<u2")]) for n in range(8)]
    store.put("s2", KEY, answers[0])

    def write(number):
        for _ in range(20):
            store.put("s2", KEY, answers[number])

    def read():
        while not ended.is_set():
            seen.append(set(np.unique(store.get("s2", KEY)["B2"]).tolist()))

    writers = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    reader = threading.Thread(target=read)
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    ended.set()
    reader.join()
    assert seen
    assert all(len(values) == 1 for values in seen)
    assert len(_files(tmp_path)) == 1


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_cut_file_names_itself_and_the_way_out(tmp_path, share):
    store = AnswerStore(tmp_path)
    store.put("s2", KEY, _make())
    (path,) = _files(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(
        AnswerError, match=f"{KEY}.npy cannot be read: .*; run again"
    ) as caught:
        store.get("s2", KEY)
    assert str(path) in str(caught.value)


def test_a_store_travels_to_workers(tmp_path):
    store = AnswerStore(tmp_path)
    store.put("s2", KEY, _make())
    again = pickle.loads(pickle.dumps(store))
    np.testing.assert_array_equal(again.get("s2", KEY), _make())


def test_a_bucket_that_refuses_is_named_with_its_words():
    with pytest.raises(OutputError, match="none"):
        AnswerStore("none://bucket/answers").put("s2", KEY, _make())

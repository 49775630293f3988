import collections
import threading

from data_prep.earth_engine.asking.counters import Counters


def test_sums_begin_at_nothing_and_grow():
    counters = Counters()
    assert counters.read() == {}
    counters.add("requests")
    counters.add("requests")
    counters.add("bytes", 402)
    counters.add("asleep_s", 0.25)
    counters.add("asleep_s", 0.5)
    assert counters.read() == {"requests": 2, "bytes": 402, "asleep_s": 0.75}


def test_reading_leaves_the_sums_and_taking_begins_anew():
    counters = Counters()
    counters.add("done", 3)
    assert counters.read() == counters.take() == {"done": 3}
    assert counters.read() == {}
    counters.add("done")
    assert counters.take() == {"done": 1}


def test_what_was_read_is_a_copy():
    counters = Counters()
    counters.add("done")
    counters.read()["done"] = 99
    assert counters.read() == {"done": 1}


def test_threads_lose_no_number_while_another_takes_them():
    counters, ended = Counters(), threading.Event()
    taken = collections.Counter()

    def add():
        for _ in range(2_000):
            counters.add("done")

    def take():
        while not ended.is_set():
            taken.update(counters.take())

    adders = [threading.Thread(target=add) for _ in range(8)]
    taker = threading.Thread(target=take)
    for thread in (taker, *adders):
        thread.start()
    for thread in adders:
        thread.join()
    ended.set()
    taker.join()
    taken.update(counters.take())
    assert taken == {"done": 16_000}

"""Turns against a clock that only sleep moves: exact, and no time passes."""

import threading
import time

from data_prep.earth_engine.asking.pace import Pace


class Clock:
    """Seconds, moved by `sleep`; notes each sleep."""

    def __init__(self, now_s=1_000.0):
        self.now_s = now_s
        self.slept = []

    def __call__(self):
        return self.now_s

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now_s += seconds


def _make(per_s, clock):
    return Pace(per_s, clock=clock, sleep=clock.sleep)


def test_calls_are_evenly_spaced_from_the_first_on():
    clock = Clock()
    pace, turns = _make(8, clock), []
    for _ in range(5):
        pace.wait()
        turns.append(clock.now_s)
    assert turns == [1_000, 1_000.125, 1_000.25, 1_000.375, 1_000.5]
    assert clock.slept == [0.125] * 4


def test_a_clock_that_begins_at_0_lets_the_first_through_at_once():
    clock = Clock(0.0)
    _make(0.5, clock).wait()
    assert clock.slept == []


def test_callers_slower_than_the_pace_never_sleep():
    clock = Clock()
    pace = _make(4, clock)
    for _ in range(6):
        pace.wait()
        clock.now_s += 0.25
    assert clock.slept == []


def test_a_pause_is_followed_by_no_burst():
    clock = Clock()
    pace = _make(4, clock)
    pace.wait()
    clock.now_s += 100
    begun_s, turns = clock.now_s, []
    for _ in range(4):
        pace.wait()
        turns.append(clock.now_s - begun_s)
    assert turns == [0, 0.25, 0.5, 0.75]


def test_work_between_calls_counts_as_waiting():
    clock = Clock()
    pace = _make(2, clock)
    pace.wait()
    clock.now_s += 0.375
    pace.wait()
    assert clock.slept == [0.125]


def test_no_more_than_the_quota_begin_in_any_second():
    clock = Clock()
    pace, turns = _make(10, clock), []
    for number in range(200):
        pace.wait()
        turns.append(clock.now_s)
        clock.now_s += 0.37 if number % 17 == 0 else 0.001
    for begin_s in turns:
        # Ten intervals of 0.1 s: both ends may fall into one second.
        inside = [t for t in turns if begin_s <= t < begin_s + 1 - 1e-9]
        assert len(inside) <= 10


def test_threads_that_come_together_get_a_turn_each():
    slept, lock = [], threading.Lock()

    def sleep(seconds):
        with lock:
            slept.append(seconds)

    pace = Pace(4, clock=lambda: 50.0, sleep=sleep)
    threads = [threading.Thread(target=pace.wait) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(slept) == [number / 4 for number in range(1, 32)]


def test_a_sleeping_caller_keeps_no_other_from_its_turn():
    asleep, awake, slept = threading.Event(), threading.Event(), []

    def sleep(seconds):
        slept.append(seconds)
        if seconds == 0.5:
            asleep.set()
            assert awake.wait(10)

    pace = Pace(2, clock=lambda: 0.0, sleep=sleep)
    pace.wait()
    first = threading.Thread(target=pace.wait)
    first.start()
    assert asleep.wait(10)
    pace.wait()
    assert slept == [0.5, 1.0]
    awake.set()
    first.join()


def test_by_default_it_is_the_time_of_day_that_passes():
    pace, begun_s = Pace(50), time.monotonic()
    for _ in range(4):
        pace.wait()
    assert time.monotonic() - begun_s >= 0.0599


def test_without_a_limit_nobody_waits():
    clock = Clock()
    pace = _make(float("inf"), clock)
    for _ in range(3):
        pace.wait()
    assert clock.slept == []

"""Begins so many requests a second and no more."""

import threading
import time
from collections.abc import Callable


class Pace:
    """Gives each caller its moment, evenly spaced; safe for threads."""

    def __init__(
        self,
        per_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Sets the pace.

        Args:
          per_s: Calls let through in a second.
          clock: Seconds.
          sleep: Called with seconds.
        """
        self._interval_s = 1 / per_s
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next_s = 0.0

    def wait(self) -> None:
        """Returns when it is this caller's turn."""
        with self._lock:
            now_s = self._clock()
            # Turns that nobody took are lost, or a pause would be followed
            # by a burst.
            turn_s = max(now_s, self._next_s)
            self._next_s = turn_s + self._interval_s
        if turn_s > now_s:
            self._sleep(turn_s - now_s)

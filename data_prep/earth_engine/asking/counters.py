"""Numbers that threads add to, and a run reports."""

import collections
import threading


class Counters:
    """Named sums; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: collections.Counter[str] = collections.Counter()

    def add(self, name: str, number: float = 1) -> None:
        """Adds to a sum; the first time begins it."""
        with self._lock:
            self._sums[name] += number

    def take(self) -> dict[str, float]:
        """The sums so far, which begin again at nothing."""
        with self._lock:
            sums, self._sums = self._sums, collections.Counter()
        return dict(sums)

    def read(self) -> dict[str, float]:
        """The sums so far."""
        with self._lock:
            return dict(self._sums)

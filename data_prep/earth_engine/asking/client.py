"""How Earth Engine is asked: again and again, at its pace, place by place.

The `ee` client is used as it comes: it builds and encodes graphs, signs and
sends requests. Retries are ours, because its own are neither counted nor
spread over time, and because only we know which place a request was for.
"""

import dataclasses
import random
import threading
import time
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import ee
import google.auth.exceptions
import numpy as np
from absl import logging

from data_prep.earth_engine.asking.client_config import ClientConfig
from data_prep.earth_engine.asking.counters import Counters
from data_prep.earth_engine.asking.faults import Fault
from data_prep.earth_engine.asking.faults import Verdict
from data_prep.earth_engine.asking.faults import read_fault
from data_prep.earth_engine.asking.faults import wait_s
from data_prep.earth_engine.asking.fetch import TimedOutError
from data_prep.earth_engine.asking.fetch import TooLargeError
from data_prep.earth_engine.asking.guard import check_place
from data_prep.earth_engine.asking.login import connect
from data_prep.earth_engine.asking.npy import read_npy
from data_prep.earth_engine.asking.pace import Pace
from s2distill.errors import AnswerError
from s2distill.errors import EarthEngineError
from s2distill.geo.grid import Grid


class GivenUpError(EarthEngineError):
    """A request that cannot be answered; others can."""


class StoppedError(EarthEngineError):
    """No request can be answered: credentials, permission, no service."""


@dataclasses.dataclass(frozen=True)
class PixelRequest:
    """What is asked for in one request; immutable, so safe in any thread.

    Attributes:
      expression: What `ee.data.computePixels` encodes.
      grid: Where.
      bands: Which, in order; the guard bands among them.
    """

    expression: Any
    grid: Grid
    bands: tuple[str, ...]

    def to_parameters(self) -> dict[str, Any]:
        """New dictionaries at each call: the client changes what it gets."""
        a, b, c, d, e, f = self.grid.transform
        return {
            "expression": self.expression,
            "fileFormat": "NPY",
            "bandIds": list(self.bands),
            "grid": {
                "crsCode": self.grid.crs,
                "dimensions": {
                    "width": self.grid.width,
                    "height": self.grid.height,
                },
                "affineTransform": {
                    "scaleX": a,
                    "shearX": b,
                    "translateX": c,
                    "shearY": d,
                    "scaleY": e,
                    "translateY": f,
                },
            },
        }


class Client:
    """Asks for pixels again and again until they are there, or never will be.

    Safe for threads; not picklable: each process connects for itself.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        workers: int = 1,
        counters: Counters | None = None,
        sleep: Callable[[float], None] = time.sleep,
        seed: int | None = None,
    ) -> None:
        """Logs in.

        Args:
          config: How.
          workers: Processes that share the quota.
          counters: Where to count; new ones by default.
          sleep: Called with seconds.
          seed: Of the waiting times; None draws one, as processes must differ.

        Raises:
          EarthEngineError: It cannot be reached, or does not let us in.
        """
        self.counters = counters or Counters()
        self.threads = max(1, config.requests_in_flight // workers)
        self._max_tries = config.max_tries
        self._sleep = sleep
        self._draw = random.Random(seed)
        self._pace = Pace(config.requests_per_s / workers)
        self._in_flight = threading.BoundedSemaphore(self.threads)
        connect(config, connections=self.threads)

    def compute_pixels(self, request: PixelRequest) -> np.ndarray:
        """The pixels of a request, [H, W] structured by band.

        Raises:
          TooLargeError: Ask for less; TimedOutError if it took too long.
          GivenUpError: The service refuses this request for good, or
            `max_tries` tries failed.
          StoppedError: It refuses all requests.
        """
        return self.persist(lambda: self._ask(request))

    def persist(self, ask: Callable[[], Any]) -> Any:
        """What `ask` returns; called again as long as that may help."""
        for tries in range(1, self._max_tries + 1):
            try:
                with self._in_flight:
                    self._pace.wait()
                    self.counters.add("requests")
                    return ask()
            except (
                ee.EEException,
                google.auth.exceptions.GoogleAuthError,
                OSError,
                AnswerError,
            ) as error:
                fault = _read_any_fault(error)
                if fault.verdict is not Verdict.RETRY:
                    raise _as_error(fault) from error
                if tries == self._max_tries:
                    raise GivenUpError(
                        f"{fault.reason} (after {tries} tries)"
                    ) from error
            seconds = wait_s(tries, fault, self._draw)
            self.counters.add("retried")
            self.counters.add("asleep_s", seconds)
            logging.log_every_n_seconds(
                logging.INFO, "asking again: %s", 10, fault.reason
            )
            self._sleep(seconds)
        raise AssertionError("max_tries is above 0")

    def _ask(self, request: PixelRequest) -> np.ndarray:
        begun_s = time.monotonic()
        body = ee.data.computePixels(request.to_parameters())
        self.counters.add("answer_s", time.monotonic() - begun_s)
        self.counters.add("answered")
        self.counters.add("bytes", len(body))
        answer = read_answer(body, request)
        check_place(answer, request.grid)
        return answer


def read_answer(body: bytes, request: PixelRequest) -> np.ndarray:
    """The array of an NPY answer, checked against the request.

    Raises:
      AnswerError: Cut, or of another size, or without some band.
    """
    try:
        answer = read_npy(body)
    except ValueError as error:
        raise AnswerError(
            f"an answer of {len(body)} bytes is no whole NPY file: {error}"
        ) from error
    wanted = (request.grid.height, request.grid.width)
    if answer.shape != wanted:
        raise AnswerError(f"asked for {wanted} px, got {answer.shape}")
    missing = set(request.bands) - set(answer.dtype.names or ())
    if missing:
        raise AnswerError(
            f"asked for {len(request.bands)} bands, "
            f"{_join(sorted(missing))} did not come"
        )
    return answer


def _read_any_fault(error: Exception) -> Fault:
    if not isinstance(error, google.auth.exceptions.GoogleAuthError):
        return read_fault(error)
    # Tokens are fetched anew each hour, and that may fail like any request.
    if error.retryable or isinstance(
        error, google.auth.exceptions.TransportError
    ):
        return Fault(Verdict.RETRY, f"while signing in: {error}")
    return Fault(Verdict.STOP, f"credentials: {error}")


def _as_error(fault: Fault) -> EarthEngineError:
    kinds = {
        Verdict.SPLIT: TooLargeError,
        Verdict.TIMED_OUT: TimedOutError,
        Verdict.STOP: StoppedError,
    }
    return kinds.get(fault.verdict, GivenUpError)(fault.reason)


def _join(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"

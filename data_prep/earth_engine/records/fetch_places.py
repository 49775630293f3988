"""The Beam step that asks Earth Engine for places, many at a time."""

import concurrent.futures
import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from absl import logging
from apache_beam.transforms import window
from apache_beam.utils import shared
from apache_beam.utils import windowed_value

from data_prep.earth_engine.asking.client_config import ClientConfig
from data_prep.earth_engine.asking.fetch import TooLargeError
from data_prep.earth_engine.asking.fetch import fetch_layer
from data_prep.earth_engine.asking.fetch import layer_grid
from data_prep.earth_engine.layers import Layer
from data_prep.earth_engine.places.place import Place
from data_prep.earth_engine.places.place_time import to_time_utc_ms
from data_prep.earth_engine.records.answers import AnswerStore
from data_prep.earth_engine.records.answers import answer_key
from data_prep.earth_engine.records.outcome import REFUSED
from data_prep.earth_engine.records.outcome import TOO_LARGE
from data_prep.earth_engine.records.outcome import WRONG_ANSWER
from data_prep.earth_engine.records.outcome import Outcome
from s2distill.errors import AnswerError

COUNTERS = "earth_engine"  # namespace of the numbers that workers count


@dataclasses.dataclass(frozen=True)
class FetchSettings:
    """What each worker needs.

    Attributes:
      client: How Earth Engine is reached.
      layers: Each layer with its graph, `PreparedLayer`.
      answers: Folder of the answers.
      date: "YYYY-MM-DD" of places that have none.
      workers: Processes that share the quota.
    """

    client: ClientConfig
    layers: tuple[tuple[Layer, Any], ...]
    answers: str
    date: str
    workers: int


class FetchPlaces(beam.DoFn):
    """Place -> (key, Outcome), once its answers are on disk.

    Threads wait for answers while others are unpacked and kept. Answers
    that are on disk already are not asked for again, so a run that was
    killed goes on where it was, and a step that Beam repeats costs nothing.
    """

    def __init__(self, settings: FetchSettings) -> None:
        """Keeps the settings; the worker logs in when it is set up."""
        self._settings = settings
        # A worker makes several copies of a step; they have one quota.
        self._of_process = shared.Shared()

    def setup(self) -> None:
        """Logs in and starts the threads."""
        from data_prep.earth_engine.asking.client import Client

        settings = self._settings
        self._client = self._of_process.acquire(
            lambda: Client(settings.client, workers=settings.workers)
        )
        self._store = AnswerStore(settings.answers)
        self._threads = concurrent.futures.ThreadPoolExecutor(
            self._client.threads, thread_name_prefix="earth-engine"
        )

    def start_bundle(self) -> None:
        """Nothing is under way yet."""
        self._pending: set[concurrent.futures.Future] = set()

    def process(self, place: Place) -> Iterator[tuple[str, Outcome]]:
        """Begins a place, and gives those that have ended meanwhile."""
        self._pending.add(self._threads.submit(self._fetch, place))
        # Twice the threads: none of them waits for the next place.
        if len(self._pending) < 2 * self._client.threads:
            return
        done, self._pending = concurrent.futures.wait(
            self._pending, return_when=concurrent.futures.FIRST_COMPLETED
        )
        for future in done:
            yield future.result()
        self._count()

    def finish_bundle(self) -> Iterator[windowed_value.WindowedValue]:
        """Waits for the rest."""
        for future in concurrent.futures.as_completed(self._pending):
            yield windowed_value.WindowedValue(
                future.result(),
                window.GlobalWindow().max_timestamp(),
                (window.GlobalWindow(),),
            )
        self._count()

    def teardown(self) -> None:
        """Ends the threads."""
        threads = getattr(self, "_threads", None)
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, place: Place) -> tuple[str, Outcome]:
        from data_prep.earth_engine.asking.client import GivenUpError

        counters = self._client.counters
        begun_s = time.monotonic()
        key = answer_key(place, self._settings.date)
        try:
            for layer, prepared in self._settings.layers:
                if self._store.has(layer.name, key):
                    counters.add("answers_kept")
                    continue
                answer = self._ask_layer(place, layer, prepared)
                self._store.put(layer.name, key, answer)
                counters.add("answers_new")
        except (GivenUpError, TooLargeError, AnswerError) as error:
            counters.add("failed")
            # All of them are in the dead letters.
            logging.log_every_n_seconds(
                logging.WARNING, "given up: %s: %s", 10, place.key, error
            )
            return place.key, Outcome(place.key, _reason(error), str(error))
        counters.add("done")
        counters.add("place_s", time.monotonic() - begun_s)
        return place.key, Outcome(place.key)

    def _ask_layer(self, place: Place, layer: Layer, prepared: Any) -> Any:
        from data_prep.earth_engine.asking.client import PixelRequest

        grid = place.grid
        expression = prepared.at(
            crs=grid.crs,
            bounds=grid.bounds,
            time_utc_ms=to_time_utc_ms(place.date or self._settings.date),
        )
        return fetch_layer(
            layer,
            layer_grid(grid, layer),
            lambda window, bands: self._client.compute_pixels(
                PixelRequest(expression, window, bands)
            ),
        )

    def _count(self) -> None:
        """Hands the counters to Beam, whose metrics belong to this thread."""
        for name, number in self._client.counters.take().items():
            # Beam counts whole numbers: seconds become milliseconds.
            if name.endswith("_s"):
                name, number = f"{name[:-2]}_ms", number * 1000
            beam.metrics.Metrics.counter(COUNTERS, name).inc(round(number))


def read_counters(result: Any) -> dict[str, int]:
    """Sums of a finished pipeline, by name."""
    found = result.metrics().query(
        beam.metrics.MetricsFilter().with_namespace(COUNTERS)
    )
    return {
        counter.key.metric.name: counter.result for counter in found["counters"]
    }


def _reason(error: Exception) -> str:
    if isinstance(error, TooLargeError):
        return TOO_LARGE
    if isinstance(error, AnswerError):
        return WRONG_ANSWER
    return REFUSED

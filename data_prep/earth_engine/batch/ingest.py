"""The Beam step that takes places out of finished batch exports."""

import collections
import dataclasses
import os
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

import apache_beam as beam
from absl import logging

from data_prep.earth_engine.batch.batch_ledger import SUCCEEDED
from data_prep.earth_engine.batch.batch_ledger import TaskEntry
from data_prep.earth_engine.batch.batch_settings import BatchSettings
from data_prep.earth_engine.batch.batch_settings import task_folder
from data_prep.earth_engine.batch.batch_settings import task_name
from data_prep.earth_engine.batch.cell_export import read_cell_layer
from data_prep.earth_engine.batch.cells import Cell
from data_prep.earth_engine.batch.cells import make_cells
from data_prep.earth_engine.layers import Layer
from data_prep.earth_engine.layers import make_layers
from data_prep.earth_engine.places.place import Place
from data_prep.earth_engine.records.answers import AnswerStore
from data_prep.earth_engine.records.answers import answer_key
from data_prep.earth_engine.records.fetch_places import COUNTERS
from data_prep.earth_engine.records.outcome import WRONG_ANSWER
from data_prep.earth_engine.records.outcome import Outcome
from s2distill.errors import AnswerError
from s2distill.errors import S2DistillError

NOT_FINISHED = "its export is not finished"
UNREADABLE = "its export cannot be read"


@dataclasses.dataclass(frozen=True)
class IngestSettings:
    """What each worker needs.

    Attributes:
      batch: What was exported.
      exports: Folder of the exports, local or gs://.
      answers: Folder of the answers.
      entries: What the ledger says of each task by name; it alone decides
        whether an export is finished, files prove nothing.
    """

    batch: BatchSettings
    exports: str
    answers: str
    entries: Mapping[str, TaskEntry]


class IngestPlaces(beam.PTransform):
    """Places -> (key, Outcome) of each, once its answers are on disk.

    Every patch of a cell is read once, its guard checked, and kept if it is
    that of a place. Answers that are there already are not read again.
    """

    def __init__(self, settings: IngestSettings) -> None:
        """Keeps the settings."""
        super().__init__()
        self._settings = settings

    def expand(self, places: beam.PCollection) -> beam.PCollection:
        """Groups places by cell, and reads the exports of each."""
        return (
            places
            | "Name the cell" >> beam.Map(_with_cell, self._settings)
            | "Gather by cell" >> beam.GroupByKey()
            | "Read exports" >> beam.ParDo(_IngestCell(self._settings))
        )


def _with_cell(place: Place, settings: IngestSettings) -> tuple[str, Place]:
    (cell,) = make_cells([place], settings.batch.cell_tiles)
    return cell.key, place


class _IngestCell(beam.DoFn):
    """(Key of a cell, its places) -> (key, Outcome) of each place."""

    def __init__(self, settings: IngestSettings) -> None:
        self._settings = settings

    def setup(self) -> None:
        """Opens the store."""
        self._store = AnswerStore(self._settings.answers)
        self._layers = make_layers(self._settings.batch.recipe)

    def process(
        self, grouped: tuple[str, Iterable[Place]]
    ) -> Iterator[tuple[str, Outcome]]:
        """The outcomes of the places of one cell."""
        _, places = grouped
        (cell,) = make_cells(places, self._settings.batch.cell_tiles)
        failed: dict[str, Outcome] = {}
        for layer in self._layers:
            for outcome in self._ingest_layer(cell, layer):
                failed.setdefault(outcome.key, outcome)
        _count("cells")
        for _, place in cell.places:
            yield place.key, failed.get(place.key, Outcome(place.key))

    def _ingest_layer(self, cell: Cell, layer: Layer) -> list[Outcome]:
        """Those of places that have no answer after it."""
        missing = {
            index: place
            for index, place in cell.places
            if not self._store.has(layer.name, self._key(place))
        }
        _count("answers_kept", len(cell.places) - len(missing))
        if not missing:
            return []
        task = task_name(cell, layer)
        entry = self._settings.entries.get(task)
        if entry is None or entry.state != SUCCEEDED:
            _count("exports_not_finished")
            detail = f"task {task}: {_describe_state(entry)}"
            return _fail(missing, NOT_FINISHED, detail)
        folder = os.path.join(
            self._settings.exports,
            task_folder(self._settings.batch, task, entry.attempt),
        )
        try:
            return self._keep_patches(cell, layer, folder, missing)
        except AnswerError:
            raise
        except S2DistillError as error:
            _count("exports_unreadable")
            logging.warning("%s: %s", task, error)
            return _fail(missing, UNREADABLE, str(error))

    def _key(self, place: Place) -> str:
        return answer_key(place, self._settings.batch.date)

    def _keep_patches(
        self,
        cell: Cell,
        layer: Layer,
        folder: str,
        missing: Mapping[int, Place],
    ) -> list[Outcome]:
        failed = []
        counted: collections.Counter[str] = collections.Counter()
        patches = read_cell_layer(folder, self._settings.batch, cell, layer)
        for index, answer in patches:
            place = missing.get(index)
            if isinstance(answer, AnswerError):
                counted["patches_wrong"] += 1
                if place is not None:
                    failed.append(Outcome(place.key, WRONG_ANSWER, str(answer)))
            elif place is None:
                counted["patches_unwanted"] += 1
            else:
                self._store.put(layer.name, self._key(place), answer)
                counted["answers_new"] += 1
        for name, number in counted.items():
            _count(name, number)
        return failed


def _describe_state(entry: TaskEntry | None) -> str:
    """What the ledger says, for people."""
    if entry is None:
        return "never submitted"
    return f"{entry.state} {entry.message}".strip()


def _fail(
    places: Mapping[int, Place], reason: str, detail: str
) -> list[Outcome]:
    return [Outcome(place.key, reason, detail) for place in places.values()]


def _count(name: str, number: int = 1) -> None:
    beam.metrics.Metrics.counter(COUNTERS, name).inc(number)

"""One file of records from the answers of its places."""

import collections
import dataclasses
import os
import uuid
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np

from data_prep.earth_engine.file_text import is_remote
from data_prep.earth_engine.layers import Layer
from data_prep.earth_engine.layers import make_layers
from data_prep.earth_engine.places.place import Place
from data_prep.earth_engine.recipe import Recipe
from data_prep.earth_engine.records.answers import AnswerStore
from data_prep.earth_engine.records.answers import answer_key
from data_prep.earth_engine.records.assemble import FOR_GOOD
from data_prep.earth_engine.records.assemble import make_example
from data_prep.earth_engine.records.assemble import make_spec
from data_prep.earth_engine.records.outcome import WRONG_ANSWER
from data_prep.earth_engine.records.outcome import Outcome
from data_prep.earth_engine.records.shard_plan import ShardNumber
from s2distill.data.manifest import Shard
from s2distill.data.record_serializer import RecordSerializer
from s2distill.errors import AnswerError


@dataclasses.dataclass(frozen=True)
class RecordFileReport:
    """What was written to one file, and what was not.

    Attributes:
      shard: The file.
      index: Its number within the split.
      dropped: Number of places by reason.
      dead: One dictionary for each place that is in no file.
    """

    shard: Shard
    index: int
    dropped: dict[str, int]
    dead: tuple[dict[str, Any], ...]


def write_record_file(
    number: ShardNumber,
    places: Sequence[tuple[Place, Outcome]],
    recipe: Recipe,
    answers: AnswerStore,
    directory: str,
    *,
    date: str = "",
) -> RecordFileReport:
    """Writes one file, whole or not at all.

    The bytes depend on the answers alone: records stand in the order of
    their keys, whatever the order in which answers came.

    Args:
      number: Which file.
      places: All of its places, with what became of them.
      recipe: What was asked for.
      answers: Where the answers are.
      directory: Folder of the file, local or gs://.
      date: "YYYY-MM-DD" of places that have none.

    Returns:
      What was written; a file without a record is written too, so that the
      numbers of files in their names stay true.
    """
    import tensorflow as tf

    dead: list[dict[str, Any]] = []
    records = 0
    path = os.path.join(directory, number.name)
    temporary = path if is_remote(path) else f"{path}.{uuid.uuid4().hex}"
    tf.io.gfile.makedirs(directory)
    try:
        with tf.io.TFRecordWriter(temporary) as writer:
            for place, record in _make_records(places, recipe, answers, date):
                if isinstance(record, Outcome):
                    dead.append(_describe(place, record))
                    continue
                writer.write(record)
                records += 1
        if temporary != path:
            os.replace(temporary, path)
    finally:
        if temporary != path and os.path.exists(temporary):
            os.remove(temporary)
    shard = Shard(
        file=number.name,
        split=number.split,
        records=records,
        bytes=tf.io.gfile.stat(path).length,
    )
    dropped = collections.Counter(entry["reason"] for entry in dead)
    return RecordFileReport(shard, number.index, dict(dropped), tuple(dead))


def _make_records(
    places: Sequence[tuple[Place, Outcome]],
    recipe: Recipe,
    answers: AnswerStore,
    date: str,
) -> Iterator[tuple[Place, bytes | Outcome]]:
    """The bytes of each place's record, or why there is none."""
    layers = make_layers(recipe)
    serializer = None
    for place, outcome in sorted(places, key=lambda pair: pair[0].key):
        if not outcome.is_done:
            yield place, outcome
            continue
        if serializer is None:
            serializer = RecordSerializer(make_spec(recipe, place.tile_px))
        key = answer_key(place, date)
        try:
            found = {
                layer.name: _get_answer(answers, layer, key, place)
                for layer in layers
            }
            example = make_example(place, recipe, found)
        except AnswerError as error:
            # What is no use is not kept: the next run asks for it anew.
            for layer in layers:
                answers.discard(layer.name, key)
            yield place, Outcome(place.key, WRONG_ANSWER, str(error))
            continue
        if isinstance(example, str):
            yield place, Outcome(place.key, example)
        else:
            yield place, serializer.serialize(example)


def _get_answer(
    answers: AnswerStore, layer: Layer, key: str, place: Place
) -> np.ndarray:
    answer = answers.get(layer.name, key)
    wanted = (place.tile_px * layer.factor,) * 2
    if answer.dtype != layer.dtype or answer.shape != wanted:
        raise AnswerError(
            f"the answer for {key} in {answers.directory} has "
            f"{answer.shape} px and {len(answer.dtype.names or ())} bands; "
            f"{wanted} and {len(layer.bands)} were expected"
        )
    return answer


def _describe(place: Place, outcome: Outcome) -> dict[str, Any]:
    left, _, _, top = place.grid.bounds
    return {
        "key": place.key,
        "reason": outcome.reason,
        "detail": outcome.detail,
        "ask_again": outcome.reason not in FOR_GOOD,
        "split": place.split,
        "crs": place.grid.crs,
        "left": left,
        "top": top,
    }

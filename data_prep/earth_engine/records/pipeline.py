"""The Beam pipeline: places, their outcomes, files of records, one folder.

    places file -> Place -> (fetch or ingest) -> Outcome
                     '-> join by key -> by file -> file of records -> folder

Every place has exactly one outcome: none is lost and none counts twice, or
the pipeline fails.
"""

import dataclasses
import json
import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import apache_beam as beam

from data_prep.earth_engine.file_text import write_text
from data_prep.earth_engine.places.place import Place
from data_prep.earth_engine.places.places import read_places
from data_prep.earth_engine.places.wanted_places import list_wanted
from data_prep.earth_engine.recipe import Recipe
from data_prep.earth_engine.records.answers import AnswerStore
from data_prep.earth_engine.records.assemble import HELD_OUT_WITHOUT_LABELS
from data_prep.earth_engine.records.assemble import make_spec
from data_prep.earth_engine.records.outcome import Outcome
from data_prep.earth_engine.records.record_files import RecordFileReport
from data_prep.earth_engine.records.record_files import write_record_file
from data_prep.earth_engine.records.shard_plan import ShardNumber
from data_prep.earth_engine.records.shard_plan import plan_shards
from s2distill.data.manifest import MANIFEST_FILE
from s2distill.data.manifest import Manifest
from s2distill.data.record_folder import write_tfds_metadata
from s2distill.data.schema import make_features
from s2distill.errors import EarthEngineError

DEAD_LETTER_FILE = "dead_letter.jsonl"
SUMMARY_FILE = "summary.json"


@dataclasses.dataclass(frozen=True)
class RecordsPlan:
    """What becomes of the answers.

    Attributes:
      places: Places file.
      recipe: What was asked for.
      answers: Folder of the answers.
      directory: Folder in which the files of records are written.
      workdir: Folder of the dead letters and the summary.
      date: "YYYY-MM-DD" of places that have none.
      records_per_shard: At most so many in a file.
      provenance: JSON-able, for the manifest.
    """

    places: str
    recipe: Recipe
    answers: str
    directory: str
    workdir: str
    date: str
    records_per_shard: int
    provenance: dict[str, Any]


class MakeRecords(beam.PTransform):
    """Root of the pipeline: from the places file to the folder of records."""

    def __init__(
        self, plan: RecordsPlan, find_outcomes: beam.PTransform | Callable
    ) -> None:
        """Makes the transform.

        Args:
          plan: What becomes of the answers.
          find_outcomes: Takes a PCollection of Place; gives one of (key,
            Outcome), once their answers are on disk.
        """
        super().__init__()
        self._plan = plan
        self._find_outcomes = find_outcomes

    def expand(self, root: beam.Pipeline) -> beam.PCollection:
        """One dictionary, the summary that was written."""
        plan = self._plan
        numbered = (
            root
            | "Name the places file" >> beam.Create([plan.places])
            | "Read places" >> beam.FlatMap(_read_numbered, plan)
        )
        outcomes = (
            numbered
            | "Take places" >> beam.Map(lambda pair: pair[1][0])
            # So that all workers share what one file named.
            | "Deal places to workers" >> beam.Reshuffle()
            | "Find outcomes" >> self._find_outcomes
        )
        return (
            {"place": numbered, "outcome": outcomes}
            | "Join places and outcomes" >> beam.CoGroupByKey()
            | "Match" >> beam.Map(_match)
            | "Gather by file" >> beam.GroupByKey()
            | "Write files" >> beam.Map(_write, plan)
            | "Gather reports" >> beam.combiners.ToList()
            | "Finish the folder" >> beam.Map(finish_folder, plan)
        )


def _read_numbered(
    path: str, plan: RecordsPlan
) -> Iterator[tuple[str, tuple[Place, ShardNumber]]]:
    wanted, _ = list_wanted(read_places(path).places, plan.recipe)
    numbers = plan_shards(wanted, plan.records_per_shard)
    for place in wanted:
        yield place.key, (place, numbers[place.key])


def _match(
    joined: tuple[str, dict[str, Iterable[Any]]],
) -> tuple[tuple[str, int, int], tuple[Place, Outcome]]:
    key, found = joined
    places, outcomes = list(found["place"]), list(found["outcome"])
    if len(places) != 1 or len(outcomes) != 1:
        raise EarthEngineError(
            f"place {key} has {len(places)} entries and {len(outcomes)} "
            "outcomes; one of each was expected"
        )
    place, number = places[0]
    # Beam groups by the bytes of a key: a plain tuple has one form only.
    return dataclasses.astuple(number), (place, outcomes[0])


def _write(
    grouped: tuple[tuple[str, int, int], Iterable[tuple[Place, Outcome]]],
    plan: RecordsPlan,
) -> RecordFileReport:
    number, places = grouped
    return write_record_file(
        ShardNumber(*number),
        list(places),
        plan.recipe,
        AnswerStore(plan.answers),
        plan.directory,
        date=plan.date,
    )


def finish_folder(
    reports: Iterable[RecordFileReport], plan: RecordsPlan
) -> dict[str, Any]:
    """Writes what makes the files a folder; the manifest last.

    Until the manifest is there, readers refuse the folder.

    Args:
      reports: Of all files.
      plan: What they were made of.

    Returns:
      What is written as the summary: records by split, dropped by reason.
    """
    reports = sorted(reports, key=lambda r: (r.shard.split, r.index))
    found = read_places(plan.places)
    wanted, held_out = list_wanted(found.places, plan.recipe)
    dropped: dict[str, int] = dict(found.dropped)
    if held_out:
        dropped[HELD_OUT_WITHOUT_LABELS] = len(held_out)
    counts: dict[str, int] = {}
    for report in reports:
        split = report.shard.split
        counts[split] = counts.get(split, 0) + report.shard.records
        for reason, number in report.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + number
    _write_dead_letters(reports, plan)
    if any(counts.values()):
        _write_folder(reports, plan, found.split_rule, dropped)
    summary = {
        "places": len(wanted),
        "records": counts,
        "dropped": dict(sorted(dropped.items())),
        "dead_letters": sum(len(report.dead) for report in reports),
        "to_ask_again": sum(
            entry["ask_again"] for report in reports for entry in report.dead
        ),
    }
    write_text(
        os.path.join(plan.workdir, SUMMARY_FILE),
        json.dumps(summary, indent=2, sort_keys=True) + "\n",
    )
    return summary


def _write_dead_letters(
    reports: Iterable[RecordFileReport], plan: RecordsPlan
) -> None:
    dead = sorted(
        (entry for report in reports for entry in report.dead),
        key=lambda entry: entry["key"],
    )
    lines = [json.dumps(entry, sort_keys=True) + "\n" for entry in dead]
    write_text(os.path.join(plan.workdir, DEAD_LETTER_FILE), "".join(lines))


def _write_folder(
    reports: list[RecordFileReport],
    plan: RecordsPlan,
    split_rule: dict[str, Any] | None,
    dropped: dict[str, int],
) -> None:
    tile_px = read_places(plan.places).tile_px
    spec = make_spec(plan.recipe, tile_px)
    shards = [report.shard for report in reports]
    write_tfds_metadata(plan.directory, make_features(spec), shards)
    manifest = Manifest(
        spec=spec,
        shards=tuple(shards),
        split_rule=split_rule,
        dropped=dict(sorted(dropped.items())),
        provenance=plan.provenance,
    )
    write_text(
        os.path.join(plan.directory, MANIFEST_FILE),
        json.dumps(manifest.to_json(), indent=2, sort_keys=True) + "\n",
    )

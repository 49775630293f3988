"""What only records can have wrong: splits that touch, and labels."""

import collections
from collections.abc import Iterator

from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.finding import name_some
from data_prep.diagnosis.finding import percent
from data_prep.diagnosis.subject import LabelFacts
from data_prep.diagnosis.subject import RecordFacts
from data_prep.diagnosis.subject import Subject
from data_prep.split import Bounds
from data_prep.split import check_splits_apart
from s2distill.data.schema import SPLITS
from s2distill.errors import SplitError

_RARE_BUILDINGS = 0.001
_MOST_EMPTY = 0.5


def find_record_faults(subject: Subject) -> Iterator[Finding]:
    """Splits, statistics and labels of record folders."""
    facts = subject.record_facts
    if facts is None:
        return
    yield from _find_splits(facts)
    if subject.statistics is None and facts.counts.get("train"):
        yield Finding(
            "no_statistics",
            "warning",
            f"{facts.directories[0]} has no statistics.json, which training "
            "needs; run data_prep.band_statistics",
        )
    if len(facts.tile_px) > 1:
        yield Finding(
            "tile_sizes",
            "warning",
            f"tiles of {' and '.join(map(str, facts.tile_px))} px make no "
            "common batches; train with --crop_px, or write one folder again",
        )
    if facts.labels is not None:
        yield from _find_labels(facts.labels)


def _find_splits(facts: RecordFacts) -> Iterator[Finding]:
    empty = [split for split in SPLITS if not facts.counts.get(split)]
    if empty and set(facts.fields) & {"building", "road"}:
        yield Finding(
            "empty_split",
            "note",
            f"no record in {', '.join(empty)}: scores need a validation and a "
            "test split of their own",
        )
    if len(SPLITS) - len(empty) < 2:
        return
    if facts.split_rule is None:
        yield Finding(
            "split_by_hand",
            "note",
            "the manifest tells no rule by which places were split, so only "
            "overlap was looked for, no gap",
        )
    gap_m = float((facts.split_rule or {}).get("gap_m", 0.0))
    by_crs: dict[str, dict[str, dict[str, Bounds]]] = {}
    for place in facts.footprints:
        splits = by_crs.setdefault(place.crs, {})
        splits.setdefault(place.split, {})[place.key] = place.bounds
    for crs, footprints in sorted(by_crs.items()):
        try:
            check_splits_apart(footprints, gap_m=gap_m)
        except SplitError as error:
            yield Finding(
                "splits_touch",
                "error",
                f"{error} (in {crs}); what is tested on was seen in training",
            )
    keys = collections.Counter(place.key for place in facts.footprints)
    twice = [key for key, number in keys.items() if number > 1]
    if twice:
        yield Finding(
            "duplicate_key",
            "warning",
            f"the same key stands in two records: {name_some(twice)}; two "
            "folders of one place?",
            tuple(twice),
        )


def _find_labels(labels: LabelFacts) -> Iterator[Finding]:
    if labels.unlabelled:
        number = len(labels.unlabelled)
        yield Finding(
            "unlabelled",
            "warning" if number > _MOST_EMPTY * labels.records else "note",
            f"{number} of {labels.records} records have no labelled pixel: "
            f"{name_some(labels.unlabelled)}; they teach a student with a "
            "teacher only, and score nothing",
            labels.unlabelled,
        )
    share = labels.building_share
    if share is not None and share < _RARE_BUILDINGS:
        yield Finding(
            "rare_buildings",
            "warning",
            f"only {percent(share)} of the labelled pixels are building, in "
            f"{labels.records} records; a network learns to answer no: check "
            "that the labels lie on this ground (CRS), or choose places with "
            "houses",
        )
    elif labels.no_building:
        yield Finding(
            "no_building",
            "note",
            f"{len(labels.no_building)} of {labels.records} records have no "
            f"building: {name_some(labels.no_building)}; right where there "
            "is none",
            labels.no_building,
        )
    if labels.unlabelled_image:
        yield Finding(
            "label_without_image",
            "warning",
            f"{len(labels.unlabelled_image)} of {labels.records} records have "
            "labels where the image shows nothing: "
            f"{name_some(labels.unlabelled_image)}; the teacher would learn "
            "houses from black: write the records again with the labels kept "
            "to the image",
            labels.unlabelled_image,
        )

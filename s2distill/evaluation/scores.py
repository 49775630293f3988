"""The scores of one model: what each is called and what it is made of.

Every score is a function of sums that add up over tiles. The sums of each
tile are kept, so intervals, strata and comparisons of two models need no
second look at a pixel.
"""

import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np

from s2distill.evaluation import bootstrap
from s2distill.evaluation import calibration
from s2distill.evaluation import counting
from s2distill.evaluation import height
from s2distill.evaluation import objects
from s2distill.evaluation import precision_recall
from s2distill.evaluation import segmentation
from s2distill.evaluation.ratio import to_number

ScoreFunction = Callable[[np.ndarray], np.ndarray]

# Name of a score -> the sums it needs, and how it follows from them.
SCORES: dict[str, tuple[str, ScoreFunction]] = {
    "building_iou": ("building", segmentation.iou),
    "building_miou": ("building", segmentation.miou),
    "road_iou": ("road", segmentation.iou),
    "road_miou": ("road", segmentation.miou),
    "count_r2": ("count", counting.count_r2),
    "count_mae": ("count", counting.count_mae),
    "height_mae_m": ("height", height.height_mae_m),
    "height_bias_m": ("height", height.height_bias_m),
    **{
        f"height_coverage_{100 * level:.0f}": (
            "height_coverage",
            functools.partial(height.height_coverage, level=level),
        )
        for level in height.LEVELS
    },
    **{
        f"{kind}_ece{which}": (
            f"{kind}{which}_histogram",
            calibration.expected_calibration_error,
        )
        for kind in ("building", "road")
        for which in ("", "_uncalibrated")
    },
    "building_average_precision": (
        "building_histogram",
        precision_recall.average_precision,
    ),
    "road_average_precision": (
        "road_histogram",
        precision_recall.average_precision,
    ),
    "invented_per_km2": ("objects", objects.invented_per_km2),
    "missed_per_km2": ("objects", objects.missed_per_km2),
}
# Likewise, for functions that give one score for each class.
CLASS_SCORES: dict[str, tuple[str, ScoreFunction, tuple[str, ...]]] = {
    "height_mae": ("height", height.height_mae_by_band_m, height.BAND_NAMES),
    "height_coverage_80": (
        "height_coverage",
        height.height_coverage_80_by_band,
        height.BAND_NAMES,
    ),
    "invented_per_km2": (
        "objects",
        objects.invented_per_km2_by_size,
        objects.SIZE_NAMES,
    ),
    "missed_per_km2": (
        "objects",
        objects.missed_per_km2_by_size,
        objects.SIZE_NAMES,
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tile:
    """What is kept of one tile.

    Attributes:
      key: Of the record; its position in the dataset where it has none.
      sums: Name of the sums -> array of the tile; a name that is absent
        here is absent in every tile of the dataset.
      cells: [cells, 2] true and predicted count, for the scatter.
      stratum: Region or kind of place; None where the dataset gives none.
    """

    key: str
    sums: dict[str, np.ndarray]
    cells: np.ndarray
    stratum: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores of one model on one set of tiles.

    Attributes:
      values: Name -> score; None where it is undefined.
      intervals: Name -> 95 % bootstrap interval over tiles; None where it
        is undefined, as with a single tile.
      tiles: What the scores were computed from, tile by tile.
      strata: Name of a stratum -> scores on its tiles.
    """

    values: dict[str, float | None]
    intervals: dict[str, tuple[float, float] | None]
    tiles: tuple[Tile, ...]
    strata: dict[str, "Scores"]

    def total(self, name: str) -> np.ndarray | None:
        """Sums over all tiles, such as "building_histogram"; None if absent."""
        stacked = stack_sums(self.tiles, name)
        return None if stacked is None else stacked.sum(axis=0)

    @property
    def cells(self) -> np.ndarray:
        """[cells, 2] true and predicted count of every cell."""
        return np.concatenate([tile.cells for tile in self.tiles])

    def to_json(self) -> dict[str, Any]:
        """Plain values: every score by name, intervals, tiles, strata."""
        return {
            **self.values,
            "intervals": {
                name: None if interval is None else list(interval)
                for name, interval in self.intervals.items()
            },
            "tiles": len(self.tiles),
            "strata": {
                name: scores.to_json() for name, scores in self.strata.items()
            },
        }


def compute_scores(tiles: Sequence[Tile]) -> Scores:
    """All scores of some tiles, and of each of their strata.

    Args:
      tiles: At least one; their order moves intervals, not scores.

    Returns:
      Scores; those whose sums are absent or empty are None.
    """
    names = sorted({t.stratum for t in tiles if t.stratum is not None})
    values: dict[str, float | None] = {}
    intervals: dict[str, tuple[float, float] | None] = {}
    needed = {needs for needs, *_ in (*SCORES.values(), *CLASS_SCORES.values())}
    for needs in sorted(needed):
        stacked = stack_sums(tiles, needs)
        drawn = None
        # One tile can only be drawn as itself: no interval, not a sure one.
        if stacked is not None and len(tiles) > 1:
            drawn = bootstrap.replicate_sums(stacked)
        for name, score in _scores_of(needs):
            values[name], intervals[name] = None, None
            if stacked is not None:
                values[name] = to_number(score(stacked.sum(axis=0)))
            if values[name] is not None and drawn is not None:
                intervals[name] = bootstrap.percentile_interval(score(drawn))
    return Scores(
        values=values,
        intervals=intervals,
        tiles=tuple(tiles),
        strata={
            name: compute_scores(
                [
                    dataclasses.replace(tile, stratum=None)
                    for tile in tiles
                    if tile.stratum == name
                ]
            )
            for name in names
        },
    )


def stack_sums(tiles: Sequence[Tile], name: str) -> np.ndarray | None:
    """[tiles, ...] float64 sums of one name; None where there are none."""
    if name not in tiles[0].sums:
        return None
    return np.stack([tile.sums[name] for tile in tiles]).astype(np.float64)


def _scores_of(needs: str) -> list[tuple[str, ScoreFunction]]:
    """Every score that is one number and made of these sums."""
    found = [
        (name, score) for name, (sums, score) in SCORES.items() if sums == needs
    ]
    for prefix, (sums, score, classes) in CLASS_SCORES.items():
        if sums == needs:
            found += [
                (f"{prefix}_{suffix}", _pick(score, index))
                for index, suffix in enumerate(classes)
            ]
    return found


def _pick(score: ScoreFunction, index: int) -> ScoreFunction:
    return lambda sums: score(sums)[..., index]

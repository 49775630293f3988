"""Draws places from a region so that a later draw keeps the earlier ones.

Each place has a rank, a hash of its key; the draw takes the lowest ranks. So
a larger number keeps all that a smaller one gave, in the same order, and a
part of the region gives its places in the order they had in the whole.
"""

import collections
import dataclasses
import hashlib
import heapq
from collections.abc import Iterator
from collections.abc import Sequence

import numpy as np

from data_prep.earth_engine.places.built_up import NO_VALUE
from data_prep.earth_engine.places.built_up import BuiltUpStrata
from data_prep.earth_engine.places.place import PIXEL_M
from data_prep.earth_engine.places.place import Place
from data_prep.earth_engine.places.place import make_key
from data_prep.earth_engine.places.place import place_at
from data_prep.earth_engine.places.place_candidates import Coverage
from data_prep.earth_engine.places.place_candidates import find_squares
from data_prep.earth_engine.places.place_checks import is_date
from data_prep.earth_engine.places.place_splits import BETWEEN_SPLITS
from data_prep.earth_engine.places.place_splits import splits_of_squares
from data_prep.earth_engine.places.region import Region
from data_prep.split import SplitRule
from s2distill.data.schema import SPLITS
from s2distill.errors import ConfigError
from s2distill.errors import PlaceError


@dataclasses.dataclass(frozen=True, kw_only=True)
class SampleRule:
    """What to draw.

    Attributes:
      count: Number of places; 0 takes all.
      tile_px: Side of a place in pixels of 10 m.
      split_rule: Blocks, gap and shares of the splits.
      coverage: Which squares belong to the region, see `find_squares`.
      dates: "YYYY-MM-DD", of which each place gets one by its hash; none
        leaves it to the recipe.
      seed: Another number gives another draw of the same splits.
      strata: Built-up shares to draw equally from; None draws from all.
    """

    count: int
    tile_px: int
    split_rule: SplitRule
    coverage: Coverage = "whole"
    dates: tuple[str, ...] = ()
    seed: int = 0
    strata: BuiltUpStrata | None = None

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ConfigError(
                f"--count={self.count} must be above 0, or 0 for all places"
            )
        held_out = self.split_rule.validation_share + self.split_rule.test_share
        if held_out > 0 and self.split_rule.block_m < PIXEL_M * self.tile_px:
            raise ConfigError(
                f"--block_m={self.split_rule.block_m:g} is smaller than a "
                f"place of {PIXEL_M * self.tile_px} m, so that hardly one "
                "would lie in one split; give blocks of several places"
            )
        wrong = [date for date in self.dates if not date or not is_date(date)]
        if wrong:
            raise ConfigError(
                f"{wrong[0]!r} is no date; wanted is YYYY-MM-DD, for example "
                "2020-07-01"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlaceSample:
    """What was drawn, and from what.

    Attributes:
      places: In the order of the draw: its beginning is the smaller draw.
      dropped: Number of squares of the region left out, by reason; those
        that were merely not drawn are not among them.
      available: Number of places to draw from, by stratum ("" without).
      missing: Number of places that a stratum had too few, by stratum.
    """

    places: tuple[Place, ...]
    dropped: dict[str, int]
    available: dict[str, int]
    missing: dict[str, int]


@dataclasses.dataclass(frozen=True)
class _Candidates:
    """Squares of all zones that have a split; arrays over all of them."""

    zones: tuple[str, ...]
    zone: np.ndarray
    col: np.ndarray
    row: np.ndarray
    split: np.ndarray
    stratum: np.ndarray
    built_up: np.ndarray


def draw_places(region: Region, rule: SampleRule) -> PlaceSample:
    """Draws places.

    Args:
      region: Where.
      rule: How many, how large, of what.

    Returns:
      Places, with the property "built_up" where strata are asked for.

    Raises:
      PlaceError: Not one place is left, or the region is too large.
      ConfigError: The raster does not fit its scale.
      RasterError: The raster cannot be read.
      GridError: The raster has no position.
    """
    names = rule.strata.names if rule.strata else ("",)
    shares = _draw_shares(rule)
    candidates, dropped = _find_candidates(region, rule)
    available = {
        name: int(np.count_nonzero(candidates.stratum == number))
        for number, name in enumerate(names)
    }
    if not sum(available.values()):
        reasons = ", ".join(f"{n} {why}" for why, n in dropped.items())
        side_m = PIXEL_M * rule.tile_px
        raise PlaceError(
            f"{region.source} gives no place of {side_m} x {side_m} m; left "
            f"out: {reasons or 'nothing'}; give a larger region, a smaller "
            "--tile_px, other blocks, or --coverage=centre"
        )
    ranks = _ranks(candidates, rule)
    order = np.lexsort((candidates.row, candidates.col, ranks))
    if rule.count == 0:
        drawn, missing = order, collections.Counter()
    else:
        in_order = candidates.stratum[order]
        queues = [order[in_order == n] for n in range(len(names))]
        drawn, missing = _draw(queues, shares, rule.count)
    return PlaceSample(
        places=tuple(_make_place(candidates, i, names, rule) for i in drawn),
        dropped=dropped,
        available=available,
        missing={names[n]: number for n, number in sorted(missing.items())},
    )


def seats(shares: Sequence[float]) -> Iterator[int]:
    """The strata of the first, second, ... place of a draw, without end.

    Sainte-Lague's way of giving out seats: after any number of places the
    strata have their shares, rounded, and no later place takes one back, as
    rounding anew for a larger number could.

    Args:
      shares: Of the strata; 0 leaves one out.

    Yields:
      Number of a stratum.
    """
    queue = [(1 / share, n) for n, share in enumerate(shares) if share > 0]
    heapq.heapify(queue)
    given = collections.Counter()
    while True:
        _, stratum = queue[0]
        yield stratum
        given[stratum] += 1
        quotient = (2 * given[stratum] + 1) / shares[stratum]
        heapq.heapreplace(queue, (quotient, stratum))


def _draw_shares(rule: SampleRule) -> Sequence[float]:
    if rule.strata is None:
        return (1.0,)
    number = len(rule.strata.names)
    return rule.strata.shares or (1.0 / number,) * number


def _draw(
    queues: list[np.ndarray], shares: Sequence[float], count: int
) -> tuple[list[int], collections.Counter[int]]:
    """Candidates in order of the draw, and the empty seats of each stratum."""
    drawn, taken = [], collections.Counter()
    missing: collections.Counter[int] = collections.Counter()
    for _, stratum in zip(range(count), seats(shares), strict=False):
        if taken[stratum] == queues[stratum].size:
            missing[stratum] += 1
            continue
        drawn.append(int(queues[stratum][taken[stratum]]))
        taken[stratum] += 1
    return drawn, missing


def _find_candidates(
    region: Region, rule: SampleRule
) -> tuple[_Candidates, dict[str, int]]:
    found, dropped = find_squares(
        region, rule.tile_px, rule.coverage, gap_m=rule.split_rule.gap_m
    )
    counts = collections.Counter(dropped)
    parts = []
    for number, squares in enumerate(found):
        split = splits_of_squares(rule.split_rule, squares)
        counts[BETWEEN_SPLITS] += int(np.count_nonzero(split < 0))
        squares, split = squares.chosen(split >= 0), split[split >= 0]
        stratum = np.zeros(split.size, int)
        built_up = np.zeros(split.size)
        if rule.strata:
            built_up = rule.strata.measure(squares)
            stratum = rule.strata.strata_of(built_up)
            counts[NO_VALUE] += int(np.count_nonzero(stratum < 0))
        zone = np.full(split.size, number)
        fields = (zone, squares.cols, squares.rows, split, stratum, built_up)
        parts.append([field[stratum >= 0] for field in fields])
    return (
        _Candidates(
            tuple(squares.crs for squares in found),
            *map(np.concatenate, zip(*parts, strict=True)),
        ),
        {reason: number for reason, number in counts.items() if number},
    )


def _ranks(candidates: _Candidates, rule: SampleRule) -> np.ndarray:
    """[N] uint64 from nothing but seed and key."""
    tile_m = PIXEL_M * rule.tile_px
    lefts = (candidates.col * tile_m).tolist()
    tops = ((candidates.row + 1) * tile_m).tolist()
    zones = [candidates.zones[zone] for zone in candidates.zone]
    return np.array(
        [
            _hash(f"{rule.seed}|{make_key(crs, left, top)}")
            for crs, left, top in zip(zones, lefts, tops, strict=True)
        ],
        np.uint64,
    )


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _make_place(
    candidates: _Candidates,
    number: int,
    names: Sequence[str],
    rule: SampleRule,
) -> Place:
    place = place_at(
        candidates.zones[candidates.zone[number]],
        int(candidates.col[number]),
        int(candidates.row[number]),
        rule.tile_px,
        split=SPLITS[candidates.split[number]],
        stratum=names[candidates.stratum[number]],
    )
    if rule.dates:
        # Other words than those of the rank: the two draws are independent.
        draw = _hash(f"{rule.seed}|date|{place.key}")
        date = rule.dates[draw % len(rule.dates)]
        place = dataclasses.replace(place, date=date)
    if rule.strata:
        built_up = round(float(candidates.built_up[number]), 4)
        place = dataclasses.replace(place, properties={"built_up": built_up})
    return place

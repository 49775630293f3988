"""What a run will cost, before anything is spent: requests, bytes, time."""

import collections
import dataclasses
import math
from collections.abc import Sequence

from data_prep.earth_engine.asking.fetch import LIMIT_BANDS
from data_prep.earth_engine.asking.fetch import LIMIT_BYTES
from data_prep.earth_engine.asking.fetch import layer_grid
from data_prep.earth_engine.asking.fetch import plan_requests
from data_prep.earth_engine.layers import Layer
from data_prep.earth_engine.places.place import Place
from data_prep.earth_engine.recipe import Recipe
from data_prep.earth_engine.records.shard_plan import plan_shards

_GIB = 2**30
# Google Cloud, list price of Standard storage in us-central1 (2025), per GiB
# and month.
STORAGE_USD_PER_GIB = 0.020


@dataclasses.dataclass(frozen=True)
class LayerPlan:
    """What one layer of all places takes.

    Attributes:
      layer: Which.
      pixels: Side of an answer, px.
      requests: For one place.
      bytes: Of one place.
      largest_m: Side of the largest place that one request can bring; 0 if
        not even a Sentinel-2 pixel can.
    """

    layer: Layer
    pixels: int
    requests: int
    bytes: int
    largest_m: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run takes.

    Attributes:
      places: Number to ask for.
      kept: Number whose answers are on disk already.
      by_split: Places by split.
      shards: Files of records by split.
      layers: What each layer takes.
      requests_in_flight: At one time.
      requests_per_s: Most begun in a second.
      answer_s: How long the service is thought to take for an answer.
    """

    places: int
    kept: int
    by_split: dict[str, int]
    shards: dict[str, int]
    layers: tuple[LayerPlan, ...]
    requests_in_flight: int
    requests_per_s: float
    answer_s: float

    @property
    def requests(self) -> int:
        """Requests to come, without those that have to be repeated."""
        each = sum(layer.requests for layer in self.layers)
        return each * (self.places - self.kept)

    @property
    def bytes(self) -> int:
        """Bytes of all answers to come."""
        each = sum(layer.bytes for layer in self.layers)
        return each * (self.places - self.kept)

    @property
    def per_s(self) -> float:
        """Requests a second under the quota."""
        return min(self.requests_per_s, self.requests_in_flight / self.answer_s)

    @property
    def time_s(self) -> float:
        """Seconds under the quota."""
        return self.requests / self.per_s


def make_plan(
    places: Sequence[Place],
    layers: Sequence[Layer],
    *,
    kept: int,
    records_per_shard: int,
    requests_in_flight: int,
    requests_per_s: float,
    answer_s: float,
) -> Plan:
    """Plans a run.

    Args:
      places: All that are wanted, at least one.
      layers: Asked for each.
      kept: How many have their answers on disk.
      records_per_shard: At most so many in a file.
      requests_in_flight: At one time.
      requests_per_s: Most begun in a second.
      answer_s: Seconds the service takes for an answer.
    """
    numbers = set(plan_shards(places, records_per_shard).values())
    grid = places[0].grid
    return Plan(
        places=len(places),
        kept=kept,
        by_split=dict(collections.Counter(place.split for place in places)),
        shards=dict(collections.Counter(number.split for number in numbers)),
        layers=tuple(
            LayerPlan(
                layer=layer,
                pixels=grid.width * layer.factor,
                requests=len(plan_requests(layer, layer_grid(grid, layer))),
                bytes=layer.pixel_bytes * (grid.width * layer.factor) ** 2,
                largest_m=find_largest_m(layer),
            )
            for layer in layers
        ),
        requests_in_flight=requests_in_flight,
        requests_per_s=requests_per_s,
        answer_s=answer_s,
    )


def find_largest_m(layer: Layer) -> int:
    """Side of the largest place that one request can bring, whole 10 m.

    Answers are limited to 48 MiB and 1,024 bands.
    """
    if len(layer.bands) > LIMIT_BANDS:
        return 0
    side_px = math.isqrt(LIMIT_BYTES // layer.pixel_bytes)
    return side_px // layer.factor * 10


def format_plan(plan: Plan, recipe: Recipe) -> str:
    """The plan as lines for a terminal."""
    splits = ", ".join(f"{n:,} {s}" for s, n in sorted(plan.by_split.items()))
    files = ", ".join(f"{n:,} {s}" for s, n in sorted(plan.shards.items()))
    lines = [
        f"places      {plan.places:,} ({splits})",
        f"answers     {plan.kept:,} places have theirs on disk already",
        f"records     {plan.places:,} at most, in files: {files}",
        f"frames      {recipe.frames_before} before and "
        f"{recipe.frames_after} after, {recipe.product_level}, "
        f"{len(recipe.bands)} bands",
        "",
        "layer   answer px   bands   B/px   a place   requests   largest place"
        " in one request",
    ]
    for part in plan.layers:
        largest = f"{part.largest_m:,} m" if part.largest_m else "none"
        lines.append(
            f"{part.layer.name:<6}  {part.pixels:>4} x {part.pixels:<4} "
            f"{len(part.layer.bands):>5}  {part.layer.pixel_bytes:>5}  "
            f"{_format_bytes(part.bytes):>8}  {part.requests:>9}   {largest}"
        )
    gib = plan.bytes / _GIB
    lines += [
        "",
        f"requests    {plan.requests:,}",
        f"bytes       {_format_bytes(plan.bytes)} of answers to come; kept in "
        f"Cloud Storage {gib * STORAGE_USD_PER_GIB:,.2f} USD a month",
        f"time        {_format_time(plan.time_s)} at {plan.per_s:,.1f} "
        f"requests/s: {plan.requests_in_flight} at one time, "
        f"{plan.answer_s:g} s for an answer (--assumed_answer_s), at most "
        f"{plan.requests_per_s:g} begun in a second; retries come on top",
    ]
    return "\n".join(lines) + "\n"


def _format_bytes(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return (
                f"{number:,.0f} {unit}"
                if unit == "B"
                else (f"{number:,.1f} {unit}")
            )
        number /= 1000
    return f"{number:,.1f} TB"


def _format_time(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:,.1f} h"

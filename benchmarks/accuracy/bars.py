"""The bars of issue 4, each with what was measured and whether it is met."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from benchmarks.accuracy import models
from benchmarks.accuracy.comparison import ABOVE
from benchmarks.accuracy.cost_rows import FRAMES
from benchmarks.accuracy.cost_rows import PRODUCT_GFLOPS
from benchmarks.accuracy.cost_rows import at_reference_speed
from benchmarks.accuracy.cost_rows import find_forward
from benchmarks.accuracy.preset import STANDARD_NETWORK

MET, MISSED, REPORTED, ABSENT = "met", "missed", "reported", "not measured"

RETENTION = 0.92
TEACHER_MIOU = (0.85, 0.97)
COUNT_R2 = 0.91
HEIGHT_MAE_M = 1.5
FRAMES_GAIN, FRAMES_FROM, FRAMES_TO = 0.06, 1, 8
ECE = 0.02
AUROC = 0.9
FALSE_ALARMS = 0.05
SHARE_OF_PRODUCT = 0.7
SECONDS_PER_KM2 = 0.75
_SMALL = "small"

Interval = list[float] | tuple[float, float] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bar:
    """One line of what the benchmark must show.

    Attributes:
      what: Is measured.
      bar: That it is held against; empty where it is only reported.
      value: That was measured; None where it was not.
      interval: 95 % interval of the value.
      met: Whether the bar is met; None where there is none.
      note: What else a reader must know.
    """

    what: str
    bar: str = ""
    value: float | None = None
    interval: Interval = None
    met: bool | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """One of MET, MISSED, REPORTED, ABSENT."""
        if self.value is None:
            return ABSENT
        if self.met is None:
            return REPORTED
        return MET if self.met else MISSED

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        content = dataclasses.asdict(self) | {"verdict": self.verdict}
        if self.interval is not None:
            content["interval"] = list(self.interval)
        return content


def make_bars(results: Mapping[str, Any]) -> list[Bar]:
    """Every bar, in the order of the issue.

    Args:
      results: Of `results.make_results`.
    """
    rows = {row["name"]: row for row in results["models"]}
    teacher = rows.get(models.TEACHER, {})
    student = rows.get(models.STUDENT, {})
    return [
        _at_least(student, "retention", "retention, buildings", RETENTION),
        _teacher_bar(teacher),
        _at_least(student, "count_r2", "count R2", COUNT_R2),
        _at_most(student, "height_mae_m", "height MAE, m", HEIGHT_MAE_M),
        *_frame_bars(results["frames"]),
        *[
            _baseline_bar(row)
            for row in results["models"]
            if row["group"] == "baselines"
        ],
        _gain_bar(rows, "hard_label_student", "clean labels"),
        _gain_bar(rows, "spoiled_student", "a tenth of the labels spoiled"),
        _gain_bar(
            rows, "shifted_aligned_student", "labels out of place, alignment"
        ),
        _at_most(student, "building_ece", "ECE of presence, calibrated", ECE),
        _reported(student, "invented_per_km2", "invented buildings per km2"),
        _reported(student, "missed_per_km2", "missed buildings per km2"),
        *_window_bars(results["out_of_distribution"]),
        *_speed_bars(results),
    ]


def _score(row: Mapping[str, Any], name: str) -> tuple[Any, Interval]:
    if "metrics" not in row:
        return None, None
    return row["metrics"].get(name), row["intervals"].get(name)


def _at_least(row: Mapping[str, Any], name: str, what: str, bar: float) -> Bar:
    value, interval = _score(row, name)
    return Bar(
        what=what,
        bar=f"at least {bar:g}",
        value=value,
        interval=interval,
        met=None if value is None else value >= bar,
    )


def _at_most(row: Mapping[str, Any], name: str, what: str, bar: float) -> Bar:
    value, interval = _score(row, name)
    return Bar(
        what=what,
        bar=f"at most {bar:g}",
        value=value,
        interval=interval,
        met=None if value is None else value <= bar,
    )


def _reported(row: Mapping[str, Any], name: str, what: str) -> Bar:
    value, interval = _score(row, name)
    return Bar(what=what, value=value, interval=interval)


def _teacher_bar(row: Mapping[str, Any]) -> Bar:
    value, interval = _score(row, "building_miou")
    low, high = TEACHER_MIOU
    return Bar(
        what="teacher, building mIoU",
        bar=f"{low:g} to {high:g}",
        value=value,
        interval=interval,
        met=None if value is None else low <= value <= high,
    )


def _frame_bars(rows: list[dict[str, Any]]) -> list[Bar]:
    steps = [row["step"] for row in rows if row["step"]]
    smallest = min(steps, key=lambda step: step["difference"], default=None)
    counts = ", ".join(str(row["frames"]) for row in rows)
    by_count = {row["frames"]: row["metrics"]["building_miou"] for row in rows}
    ends = [by_count.get(n) for n in (FRAMES_FROM, FRAMES_TO)]
    gain = None if None in ends else ends[1] - ends[0]
    return [
        Bar(
            what="frames: smallest step of building mIoU",
            bar="above 0",
            value=smallest and smallest["difference"],
            interval=smallest and smallest["interval"],
            met=smallest and smallest["difference"] > 0,
            note=f"frames {counts}",
        ),
        Bar(
            what=f"frames: mIoU of {FRAMES_TO} over {FRAMES_FROM}",
            bar=f"at least {FRAMES_GAIN:g}",
            value=gain,
            met=None if gain is None else gain >= FRAMES_GAIN,
        ),
    ]


def _baseline_bar(row: Mapping[str, Any]) -> Bar:
    found = (row.get("comparison") or {}).get("building_miou") or {}
    value = found.get("difference")
    return Bar(
        what=f"student over {row['name']} of equal budget, building mIoU",
        bar="above 0",
        value=value,
        interval=found.get("interval"),
        met=None if value is None else value > 0,
        note="" if found.get("verdict") == ABOVE else found.get("verdict", ""),
    )


def _gain_bar(
    rows: Mapping[str, Mapping[str, Any]], name: str, what: str
) -> Bar:
    comparison = rows.get(name, {}).get("comparison") or {}
    found = comparison.get("building_miou") or {}
    verdict = found.get("verdict", "")
    return Bar(
        what=f"gain in building mIoU, {what}",
        value=found.get("difference"),
        interval=found.get("interval"),
        note=f"{comparison.get('of')} over {comparison.get('with')}"
        + ("" if verdict == ABOVE else f": {verdict}")
        if found
        else "",
    )


def _window_bars(windows: Mapping[str, Any] | None) -> list[Bar]:
    worlds = windows["worlds"] if windows else {}
    bars = [
        Bar(
            what=f"out of distribution, {name}: AUROC",
            bar=f"at least {AUROC:g}",
            value=row["auroc"],
            interval=row["interval"],
            met=None if row["auroc"] is None else row["auroc"] >= AUROC,
            note=f"{row['windows']} windows",
        )
        for name, row in worlds.items()
    ]
    share = windows["test"]["false_alarms"] if windows else None
    return [
        *bars,
        Bar(
            what="in distribution: false alarms",
            bar=f"at most {FALSE_ALARMS:g}",
            value=share,
            met=None if share is None else share <= FALSE_ALARMS,
            note=f"{windows['test']['windows']} windows" if windows else "",
        ),
    ]


def _speed_bars(results: Mapping[str, Any]) -> list[Bar]:
    """Of the student of the table, and of preset "small" if it is another."""
    costs = {
        cost["preset"]: cost
        for cost in results["cost"]
        if (cost["network"], cost["precision"]) == (STANDARD_NETWORK, "float32")
    }
    own = next(
        (
            row["cost"]["preset"]
            for row in results["models"]
            if row["name"] == models.STUDENT and row.get("cost")
        ),
        _SMALL,
    )
    return [
        bar
        for preset in dict.fromkeys((own, _SMALL))
        for bar in _speed_bars_of(preset, costs.get(preset))
    ]


def _speed_bars_of(preset: str, cost: Mapping[str, Any] | None) -> list[Bar]:
    forward = cost and find_forward(cost, FRAMES)
    share = forward and forward["share_of_product"]
    seconds = forward and at_reference_speed(forward)
    what = f"student {preset}, float32, {FRAMES} frames"
    return [
        Bar(
            what=f"{what}: share of the product's speed",
            bar=f"at least {SHARE_OF_PRODUCT:g}",
            value=share,
            met=share and share >= SHARE_OF_PRODUCT,
        ),
        Bar(
            what=f"{what}: s per km2 at {PRODUCT_GFLOPS:g} GFLOP/s",
            bar=f"at most {SECONDS_PER_KM2:g}",
            value=seconds,
            met=seconds and seconds <= SECONDS_PER_KM2,
        ),
    ]

"""Scores of several models side by side: JSON and a table for the terminal."""

import textwrap
from collections.abc import Mapping
from typing import Any

from s2distill.evaluation import bootstrap
from s2distill.evaluation.ratio import ratio
from s2distill.evaluation.ratio import to_number
from s2distill.evaluation.scores import SCORES
from s2distill.evaluation.scores import Scores
from s2distill.evaluation.scores import stack_sums

# Row of the table, its score, decimals.
_ROWS = (
    ("building mIoU", "building_miou", 3),
    ("building IoU", "building_iou", 3),
    ("retention", "retention", 3),
    ("road mIoU", "road_miou", 3),
    ("count R2", "count_r2", 3),
    ("count MAE", "count_mae", 2),
    ("height MAE, m", "height_mae_m", 2),
    ("  0 to 5 m", "height_mae_0_5_m", 2),
    ("  5 to 10 m", "height_mae_5_10_m", 2),
    ("  10 to 20 m", "height_mae_10_20_m", 2),
    ("  over 20 m", "height_mae_over_20_m", 2),
    ("height in 50 %", "height_coverage_50", 2),
    ("height in 80 %", "height_coverage_80", 2),
    ("height in 90 %", "height_coverage_90", 2),
    ("presence ECE", "building_ece", 3),
    ("  uncalibrated", "building_ece_uncalibrated", 3),
    ("average precision", "building_average_precision", 3),
    ("invented per km2", "invented_per_km2", 0),
    ("missed per km2", "missed_per_km2", 0),
)
_LABEL_WIDTH = 18
_COLUMN_WIDTH = 15
_RETAINED = "building_miou"


def compute_retention(
    scores: Scores, teacher: Scores
) -> tuple[float | None, tuple[float, float] | None]:
    """Share of the teacher's building mIoU that a model keeps.

    Both are drawn with the same tiles in each replicate, so what is hard for
    both cancels out of the interval.

    Args:
      scores: Of a student or baseline.
      teacher: Of the teacher on the same tiles.

    Returns:
      (retention, its 95 % interval); None where undefined, or where the two
      were not scored on the same tiles.
    """
    if _keys(scores) != _keys(teacher):
        return None, None
    if None in (scores.values[_RETAINED], teacher.values[_RETAINED]):
        return None, None
    needs, score = SCORES[_RETAINED]
    stacks = [stack_sums(one.tiles, needs) for one in (scores, teacher)]
    value = to_number(ratio(*(score(stack.sum(axis=0)) for stack in stacks)))
    if len(scores.tiles) < 2:
        return value, None
    replicates = [score(bootstrap.replicate_sums(stack)) for stack in stacks]
    return value, bootstrap.percentile_interval(ratio(*replicates))


def make_report(
    scores: Mapping[str, Scores], teacher: str | None = None
) -> dict[str, dict[str, Any]]:
    """JSON-able scores of every model, with retention.

    Args:
      scores: Name of a model -> its scores.
      teacher: Which of them is the teacher; None leaves retention null.

    Returns:
      Name -> what `Scores.to_json` gives, and "retention", null for the
      teacher itself.
    """
    report = {}
    for name, one in scores.items():
        value, interval = None, None
        if teacher in scores and name != teacher:
            value, interval = compute_retention(one, scores[teacher])
        content = one.to_json()
        content["retention"] = value
        content["intervals"]["retention"] = (
            None if interval is None else list(interval)
        )
        report[name] = content
    return report


def format_table(report: Mapping[str, dict[str, Any]]) -> str:
    """The report as aligned text: a column for each model.

    Below each score stands its interval. A score that no model has is left
    out; one that a model does not have is a dash.

    Args:
      report: What `make_report` gives, or read back from JSON.

    Returns:
      Aligned lines, each ended; all but the last as wide as the rule.
    """
    names = list(report)
    lines = _header(names)
    rule = "-" * (_LABEL_WIDTH + _COLUMN_WIDTH * len(names))
    lines.append(rule)
    for label, key, decimals in _ROWS:
        if all(report[name].get(key) is None for name in names):
            continue
        values = [_format(report[name].get(key), decimals) for name in names]
        spans = [
            _format_interval(report[name]["intervals"].get(key), decimals)
            for name in names
        ]
        lines.append(_row(label, values))
        if any(spans):
            lines.append(_row("", spans))
    lines.append(rule)
    tiles = sorted({report[name]["tiles"] for name in names})
    counted = " or ".join(str(number) for number in tiles)
    lines.append(
        f"{counted} tiles; below each score its 95 % interval "
        "(bootstrap over tiles)"
    )
    lines += _explain(report)
    return "\n".join(lines) + "\n"


def _explain(report: Mapping[str, dict[str, Any]]) -> list[str]:
    """Lines on what the rows do not say of themselves."""

    def having(key: str) -> str:
        return ", ".join(n for n, one in report.items() if one.get(key))

    lines = []
    if having("height_coverage_80"):
        lines.append(
            "height in 80 %: share of true heights within the central 80 % "
            "interval"
        )
    if calibrated := having("building_ece_uncalibrated"):
        lines.append(
            f"calibrated on the validation split: {calibrated}; the others "
            "as trained"
        )
    return lines


def _keys(scores: Scores) -> list[str]:
    return [tile.key for tile in scores.tiles]


def _header(names: list[str]) -> list[str]:
    """Names of models, broken at underscores to the width of a column."""
    broken = [
        textwrap.wrap(name.replace("_", " "), _COLUMN_WIDTH - 2)
        for name in names
    ]
    height = max(len(words) for words in broken)
    padded = [[""] * (height - len(words)) + words for words in broken]
    return [_row("", list(line)) for line in zip(*padded, strict=True)]


def _row(label: str, cells: list[str]) -> str:
    text = label.ljust(_LABEL_WIDTH)
    return text + "".join(cell.rjust(_COLUMN_WIDTH) for cell in cells)


def _format(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def _format_interval(interval: list[float] | None, decimals: int) -> str:
    if interval is None:
        return ""
    low, high = interval
    return f"{low:.{decimals}f}..{high:.{decimals}f}"

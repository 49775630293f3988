"""The scores of models as Markdown: each model a row."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from benchmarks.accuracy.markdown import DASH
from benchmarks.accuracy.markdown import format_number
from benchmarks.accuracy.markdown import format_table
from benchmarks.accuracy.markdown import format_with_interval
from s2distill.evaluation.height import BAND_NAMES
from s2distill.evaluation.objects import SIZE_NAMES

# Column, score, decimals, whether its interval is shown.
_COLUMNS = (
    ("building mIoU", "building_miou", 3, True),
    ("building IoU", "building_iou", 3, True),
    ("retention", "retention", 3, True),
    ("road mIoU", "road_miou", 3, True),
    ("count R2", "count_r2", 3, True),
    ("count MAE", "count_mae", 2, False),
    ("height MAE, m", "height_mae_m", 2, True),
    ("ECE", "building_ece", 3, True),
)
_MODEL_SETS = {
    "headline": "Teacher, student",
    "comparison": "The student at the budget of all that follows",
    "baselines": "Baselines, against it",
    "spoiled": "A tenth of the labels wrong or missing",
    "shifted": "Labels out of place",
    "choices": "Choices of the method, each changed alone",
}


def model_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every model in sets, with intervals and how it stands against another."""
    lines: list[str] = []
    for group, title in _MODEL_SETS.items():
        chosen = [row for row in rows if row["group"] == group]
        if chosen:
            if len(chosen) < len(rows):
                lines += [f"{title}:", ""]
            lines += [*_model_table(chosen), ""]
    return lines[:-1]


def height_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Height error by true height, and what the intervals cover."""
    header = ["model", *(name.replace("_", " ") for name in BAND_NAMES)]
    header += ["bias", "within 50 %", "within 80 %", "within 90 %"]
    return _score_table(
        rows,
        header,
        [
            *((f"height_mae_{name}", 2) for name in BAND_NAMES),
            ("height_bias_m", 2),
            *((f"height_coverage_{n}", 2) for n in (50, 80, 90)),
        ],
    )


def size_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Invented and missed buildings, by size class."""
    keys = [
        (f"{side}_per_km2{size}", 0)
        for side in ("invented", "missed")
        for size in ("", *(f"_{name}" for name in SIZE_NAMES))
    ]
    header = [key.replace("_per_km2", "").replace("_", " ") for key, _ in keys]
    return _score_table(rows, ["model", *header], keys)


def frame_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The one student with each number of frames."""
    if len(rows) < 2:
        return []
    return format_table(
        ["frames", *(column[0] for column in _COLUMNS), "step in mIoU"],
        [
            [
                row["frames"],
                *_score_cells(row),
                format_with_interval(
                    row["step"]["difference"], row["step"]["interval"], 3
                )
                if row["step"]
                else DASH,
            ]
            for row in rows
        ],
    )


def _model_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    compared = any(row.get("comparison") for row in rows)
    header = ["model", *(column[0] for column in _COLUMNS)]
    if compared:
        header += ["difference in building mIoU", "above"]
    return format_table(
        header,
        [
            [
                f"{row['name']}: {row['what']}",
                *_score_cells(row),
                *(_comparison_cells(row) if compared else []),
            ]
            for row in rows
        ],
    )


def _score_cells(row: Mapping[str, Any]) -> list[str]:
    if "metrics" not in row:
        return [row["status"], *[DASH] * (len(_COLUMNS) - 1)]
    return [
        format_with_interval(
            row["metrics"].get(key),
            row["intervals"].get(key) if shown else None,
            decimals,
        )
        for _, key, decimals, shown in _COLUMNS
    ]


def _comparison_cells(row: Mapping[str, Any]) -> list[str]:
    comparison = row.get("comparison") or {}
    found = comparison.get("building_miou")
    if not found:
        return [DASH, DASH]
    number = format_with_interval(found["difference"], found["interval"], 3)
    return [
        f"{comparison['of']} over {comparison['with']}: {number}",
        found["verdict"],
    ]


def _score_table(
    rows: Sequence[Mapping[str, Any]],
    header: Sequence[str],
    keys: Sequence[tuple[str, int]],
) -> list[str]:
    return format_table(
        header,
        [
            [
                row["name"],
                *(
                    format_number(row["metrics"].get(key), decimals)
                    for key, decimals in keys
                ),
            ]
            for row in rows
            if "metrics" in row
        ],
    )

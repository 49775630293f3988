"""The files of an evaluation: scores, table and pictures in one folder.

OUTPUT/scores.json
OUTPUT/table.txt
OUTPUT/pictures/examples.png            all examples, one in a row
OUTPUT/pictures/example_00_KEY.png ...  each on its own sheet
OUTPUT/pictures/precision_recall.png, counts.png, reliability.png
"""

import os
import pathlib
import re
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from s2distill.atomic_write import atomic_file
from s2distill.atomic_write import write_json
from s2distill.evaluation import panel
from s2distill.evaluation import pictures
from s2distill.evaluation.report import format_table
from s2distill.evaluation.report import make_report
from s2distill.evaluation.scores import Scores
from s2distill.evaluation.segmentation import miou

SCORES_FILE = "scores.json"
TABLE_FILE = "table.txt"
PICTURES_FOLDER = "pictures"


def pick_examples(scores: Scores, number: int) -> list[int]:
    """Tiles to show: from the worst to the best, evenly by rank.

    Picked by rank, not by eye, so that pictures are as honest as scores.

    Args:
      scores: Of the model that is to be shown.
      number: How many; fewer where there are fewer tiles.

    Returns:
      Positions among the tiles, rising in building mIoU. Tiles without a
      building are left out while others are there.
    """
    tiles = [tile.sums.get("building", np.zeros(4)) for tile in scores.tiles]
    values = np.array([float(miou(sums)) for sums in tiles])
    ranked = np.argsort(values, kind="stable")  # NaN comes last
    defined = int(np.sum(np.isfinite(values)))
    ranked = ranked[: defined or len(ranked)]
    number = min(number, len(ranked))
    chosen = np.linspace(0, len(ranked) - 1, number).round().astype(int)
    return [int(ranked[index]) for index in chosen]


def write_gallery(
    output: str | os.PathLike[str],
    scores: Mapping[str, Scores],
    examples: Sequence[panel.Example],
    *,
    teacher: str | None,
    cell_m: float,
) -> tuple[dict[str, dict[str, Any]], list[pathlib.Path]]:
    """Writes everything a reader of an evaluation wants.

    Args:
      output: Folder; files of the same name are replaced.
      scores: Name of a model -> its scores; the order is that of the table.
      examples: Tiles to show.
      teacher: Name of the teacher among `scores`, for retention.
      cell_m: Side of the squares in which buildings were counted.

    Returns:
      (what is in scores.json, the files in the order above).

    Raises:
      OutputError: If the disk refuses.
    """
    folder = pathlib.Path(output)
    report = make_report(scores, teacher)
    paths = [folder / SCORES_FILE, folder / TABLE_FILE]
    write_json(paths[0], report)
    with atomic_file(paths[1]) as temporary:
        temporary.write_text(format_table(report), encoding="utf-8")
    drawn = folder / PICTURES_FOLDER
    if examples:
        paths.append(drawn / "examples.png")
        panel.draw_contact_sheet(paths[-1], examples)
    for index, example in enumerate(examples):
        name = re.sub(r"[^\w.-]+", "_", example.title)
        paths.append(drawn / f"example_{index:02d}_{name}.png")
        panel.draw_panel(paths[-1], example)
    paths += [
        drawn / f"{name}.png"
        for name in ("precision_recall", "counts", "reliability")
    ]
    pictures.draw_precision_recall(paths[-3], scores)
    pictures.draw_counts(paths[-2], scores, cell_m=cell_m)
    pictures.draw_reliability(paths[-1], scores)
    return report, paths

"""Pictures beside the table, in the style of `evaluation.pictures`.

models.png              building mIoU of every model, with intervals
frames.png              mIoU against the number of frames
height.png              height error by true height
out_of_distribution.png scores of windows, world by world
counts.png              predicted against true number of buildings
precision_recall.png    buildings and roads
reliability.png         presence before and after calibration
"""

import pathlib
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from benchmarks.accuracy import models
from s2distill.evaluation import pictures
from s2distill.evaluation.drawing import FAINT
from s2distill.evaluation.drawing import house_style
from s2distill.evaluation.drawing import model_colours
from s2distill.evaluation.drawing import model_title
from s2distill.evaluation.drawing import save_figure
from s2distill.evaluation.height import BAND_NAMES
from s2distill.evaluation.scores import Scores
from s2distill.evaluation.trust import ALARM

# Few enough to tell apart.
_SHOWN = (
    models.TEACHER,
    models.STUDENT,
    "hard_label_student",
    "bicubic_unet",
    "u_tae",
)
_COUNT_CELL_M = 160.0
_SIMULATED = "simulated test scenes"


def draw_plots(
    folder: pathlib.Path,
    results: Mapping[str, Any],
    scores: Mapping[str, Scores],
    windows: Mapping[str, np.ndarray],
) -> list[pathlib.Path]:
    """Draws what there is something to draw of.

    Args:
      folder: To write PNG files to.
      results: Of `results.make_results`.
      scores: Name of a model -> scores on simulated test scenes.
      windows: World -> [tiles, windows] scores, "test" among them.

    Returns:
      The files.
    """
    if not scores:
        return []
    shown = {name: scores[name] for name in _SHOWN if name in scores}
    draw_models(folder / "models.png", results["models"])
    draw_heights(folder / "height.png", shown)
    pictures.draw_counts(folder / "counts.png", shown, cell_m=_COUNT_CELL_M)
    pictures.draw_precision_recall(folder / "precision_recall.png", shown)
    pictures.draw_reliability(folder / "reliability.png", shown)
    names = ["models", "height", "counts", "precision_recall", "reliability"]
    if len(results["frames"]) > 1:
        draw_frames(folder / "frames.png", results["frames"])
        names.append("frames")
    if "test" in windows and len(windows) > 1:
        draw_windows(folder / "out_of_distribution.png", windows)
        names.append("out_of_distribution")
    return [folder / f"{name}.png" for name in names]


def draw_models(path: pathlib.Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Building mIoU of every model that was scored, the best on top."""
    found = [row for row in rows if "metrics" in row]
    found = [r for r in found if r["metrics"]["building_miou"] is not None]
    found.sort(key=lambda row: row["metrics"]["building_miou"])
    colours = dict.fromkeys(("headline", "comparison"), "#0072b2")
    colours["baselines"] = "#d55e00"
    with house_style():
        figure = Figure(
            figsize=(7.6, 0.9 + 0.32 * len(found)), layout="constrained"
        )
        axes = figure.add_subplot()
        for place, row in enumerate(found):
            value = row["metrics"]["building_miou"]
            colour = colours.get(row["group"], FAINT)
            interval = row["intervals"].get("building_miou")
            if interval:
                axes.plot(interval, [place, place], color=colour)
            axes.plot(value, place, "o", color=colour, markersize=6)
        axes.set_yticks(
            range(len(found)), [model_title(row["name"]) for row in found]
        )
        axes.set_xlabel("building mIoU, 95 % interval over tiles")
        axes.set_title(f"Every model, {_SIMULATED}")
        save_figure(figure, path)


def draw_frames(path: pathlib.Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """MIoU of buildings and of roads against the number of frames."""
    counts = [row["frames"] for row in rows]
    colours = model_colours(("building", "road"))
    with house_style():
        figure = Figure(figsize=(5.6, 4.2), layout="constrained")
        axes = figure.add_subplot()
        for kind, colour in colours.items():
            key = f"{kind}_miou"
            values = [row["metrics"][key] for row in rows]
            spans = [
                row["intervals"][key] or (v, v)
                for row, v in zip(rows, values, strict=True)
            ]
            axes.plot(counts, values, "o-", color=colour, label=f"{kind}s")
            axes.fill_between(
                counts, *zip(*spans, strict=True), color=colour, alpha=0.12
            )
        axes.set_xscale("log", base=2)
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.minorticks_off()
        axes.set_xlabel("Sentinel-2 frames, the clearest")
        axes.set_ylabel("mIoU")
        axes.set_title(f"One student, more frames, {_SIMULATED}")
        axes.legend(loc="lower right")
        save_figure(figure, path)


def draw_heights(path: pathlib.Path, scores: Mapping[str, Scores]) -> None:
    """Height error of each band of true height, all models side by side."""
    colours = model_colours(scores)
    width = 0.8 / max(len(scores), 1)
    with house_style():
        figure = Figure(figsize=(7.6, 4.2), layout="constrained")
        axes = figure.add_subplot()
        for number, (name, one) in enumerate(scores.items()):
            values = [
                one.values[f"height_mae_{band}"] or np.nan
                for band in BAND_NAMES
            ]
            places = np.arange(len(BAND_NAMES)) + (number + 0.5) * width - 0.4
            axes.bar(
                places,
                values,
                0.9 * width,
                color=colours[name],
                label=model_title(name),
            )
        labels = [_band_title(band) for band in BAND_NAMES]
        axes.set_xticks(range(len(BAND_NAMES)), labels)
        axes.grid(axis="x", visible=False)
        axes.set_xlabel("true height")
        axes.set_ylabel("mean absolute error, m")
        axes.set_title(f"Height, {_SIMULATED}")
        axes.legend()
        save_figure(figure, path)


def draw_windows(path: pathlib.Path, windows: Mapping[str, np.ndarray]) -> None:
    """Out-of-distribution scores: a row of dots for each world."""
    colours = model_colours(windows)
    with house_style():
        figure = Figure(
            figsize=(7.6, 1.2 + 0.55 * len(windows)), layout="constrained"
        )
        axes = figure.add_subplot()
        axes.axvline(ALARM, color=FAINT, linestyle="--", linewidth=1.2)
        names = list(windows)[::-1]
        for place, name in enumerate(names):
            scores = windows[name][np.isfinite(windows[name])]
            # Spread, so that equal scores stay countable.
            spread = np.linspace(-0.25, 0.25, len(scores))
            axes.plot(
                scores,
                place + spread,
                "o",
                color=colours[name],
                markersize=4,
                alpha=0.6,
                markeredgewidth=0,
            )
        axes.set_yticks(range(len(names)), [model_title(n) for n in names])
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.set_xlabel("out-of-distribution score; dashed: alarm")
        axes.set_title("Windows of simulated worlds")
        save_figure(figure, path)


def _band_title(band: str) -> str:
    """The name of a band as a reader sees it: 0 to 5 m."""
    parts = band.split("_")
    return (
        " to ".join(parts[:2]) + " m"
        if parts[0] != "over"
        else (f"over {parts[1]} m")
    )

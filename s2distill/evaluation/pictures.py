"""Pictures of scores: precision-recall, counts, reliability."""

import os
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from s2distill.evaluation.calibration import ECE_BINS
from s2distill.evaluation.calibration import STEPS
from s2distill.evaluation.calibration import reliability_curve
from s2distill.evaluation.drawing import FAINT
from s2distill.evaluation.drawing import house_style
from s2distill.evaluation.drawing import model_colours
from s2distill.evaluation.drawing import model_title
from s2distill.evaluation.drawing import save_figure
from s2distill.evaluation.precision_recall import precision_recall_curve
from s2distill.evaluation.scores import Scores
from s2distill.evaluation.segmentation import PRESENCE

_MAX_COLUMNS = 3


def draw_precision_recall(
    path: str | os.PathLike[str], scores: Mapping[str, Scores]
) -> None:
    """Precision against recall of buildings and of roads, all models.

    Args:
      path: PNG to write.
      scores: Name of a model -> its scores; the order gives the colours.
    """
    kinds = [
        kind
        for kind in ("building", "road")
        if any(_has_truth(one, kind) for one in scores.values())
    ]
    with house_style():
        figure = Figure(
            figsize=(4.9 * max(len(kinds), 1), 5.0), layout="constrained"
        )
        for index, kind in enumerate(kinds):
            axes = figure.add_subplot(1, len(kinds), index + 1)
            _draw_curves(axes, scores, kind)
        save_figure(figure, path)


def draw_reliability(
    path: str | os.PathLike[str], scores: Mapping[str, Scores]
) -> None:
    """Presence of buildings against how often it came true, all models.

    A model that was calibrated is also drawn as it was before, dotted.

    Args:
      path: PNG to write.
      scores: Name of a model -> its scores; the order gives the colours.
    """
    colours = model_colours(scores)
    with house_style():
        figure = Figure(figsize=(8.8, 5.2), layout="constrained")
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], "--", color=FAINT, linewidth=1.2)
        axes.text(
            0.86,
            0.88,
            "calibrated",
            color=FAINT,
            rotation=45,
            rotation_mode="anchor",
            ha="center",
            va="bottom",
        )
        for name, one in scores.items():
            if _has_truth(one, "building"):
                mean, share = reliability_curve(one.total("building_histogram"))
                error = one.values["building_ece"]
                axes.plot(
                    mean,
                    share,
                    "o-",
                    color=colours[name],
                    markersize=5,
                    label=f"{model_title(name)}, ECE {error:.3f}",
                )
            if one.values["building_ece_uncalibrated"] is not None:
                _draw_uncalibrated(axes, one, colours[name])
        _square(axes)
        axes.set_title("Is presence what it says?")
        axes.set_xlabel("predicted presence, mean of bin")
        axes.set_ylabel("share of pixels that are building")
        if axes.get_legend_handles_labels()[0]:
            figure.legend(
                loc="outside right center",
                title=f"{ECE_BINS} bins of equal mass",
                alignment="left",
            )
        save_figure(figure, path)


def draw_counts(
    path: str | os.PathLike[str],
    scores: Mapping[str, Scores],
    *,
    cell_m: float,
) -> None:
    """Predicted against true number of buildings in squares of ground.

    Args:
      path: PNG to write.
      scores: Name of a model -> its scores.
      cell_m: Side of the squares.
    """
    colours = model_colours(scores)
    cells = {name: one.cells for name, one in scores.items()}
    top = 1.05 * max(
        (float(c.max()) for c in cells.values() if c.size), default=1.0
    )
    columns = min(len(scores), _MAX_COLUMNS)
    rows = -(-len(scores) // columns)
    with house_style():
        figure = Figure(
            figsize=(3.9 * columns + 0.3, 4.1 * rows), layout="constrained"
        )
        for index, (name, one) in enumerate(scores.items()):
            axes = figure.add_subplot(rows, columns, index + 1)
            _draw_scatter(axes, cells[name], colours[name], top)
            axes.set_title(f"{model_title(name)}\n{_count_text(one)}")
        figure.supxlabel(
            f"true buildings in a square of {cell_m:g} m", fontsize=10
        )
        figure.supylabel("predicted buildings", fontsize=10)
        save_figure(figure, path)


def _draw_uncalibrated(axes: Axes, scores: Scores, colour: str) -> None:
    histogram = scores.total("building_uncalibrated_histogram")
    error = scores.values["building_ece_uncalibrated"]
    axes.plot(
        *reliability_curve(histogram),
        "o:",
        color=colour,
        markersize=3,
        alpha=0.6,
        label=f"  before calibration, {error:.3f}",
    )


def _has_truth(scores: Scores, kind: str) -> bool:
    return scores.values[f"{kind}_average_precision"] is not None


def _draw_curves(axes: Axes, scores: Mapping[str, Scores], kind: str) -> None:
    colours = model_colours(scores)
    at_half = round(PRESENCE * STEPS)
    for name, one in scores.items():
        if not _has_truth(one, kind):
            continue
        # Masks are cut where the network's own presence is a half.
        own = one.total(f"{kind}_uncalibrated_histogram")
        curve = precision_recall_curve(
            one.total(f"{kind}_histogram") if own is None else own
        )
        score = one.values[f"{kind}_average_precision"]
        axes.plot(
            curve.recall,
            curve.precision,
            color=colours[name],
            label=f"{model_title(name)}, AP {score:.3f}",
        )
        axes.plot(
            curve.recall[at_half],
            curve.precision[at_half],
            "o",
            color=colours[name],
            markeredgecolor="white",
            markersize=9,
            clip_on=False,
            zorder=3,
        )
    _square(axes)
    axes.set_title(f"{kind.capitalize()}s, pixel by pixel")
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    axes.legend(
        loc="lower left",
        title="dot: where masks are cut",
        alignment="left",
    )


def _draw_scatter(
    axes: Axes, cells: np.ndarray, colour: str, top: float
) -> None:
    axes.plot([0, top], [0, top], "--", color=FAINT, linewidth=1.2)
    axes.text(
        0.97 * top,
        0.97 * top,
        "1:1 ",
        color=FAINT,
        ha="right",
        va="bottom",
        rotation=45,
        rotation_mode="anchor",
    )
    axes.plot(
        cells[:, 0],
        cells[:, 1],
        "o",
        color=colour,
        markersize=5,
        alpha=0.55,
        markeredgewidth=0,
    )
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    axes.set_aspect("equal")


def _count_text(scores: Scores) -> str:
    r2, mae = scores.values["count_r2"], scores.values["count_mae"]
    parts = [] if r2 is None else [f"$R^2$ {r2:.2f}"]
    parts += [] if mae is None else [f"MAE {mae:.1f}"]
    return ", ".join(parts) or "no counts"


def _square(axes: Axes) -> None:
    axes.set_xlim(0, 1.005)
    axes.set_ylim(0, 1.005)
    axes.set_aspect("equal")

"""One look for all pictures: colours, letters, and how a figure is saved.

Colours keep apart for readers who do not tell red from green (Okabe and Ito,
jfly.uni-koeln.de/color, and red-brown against blue for the maps).
"""

import os
from collections.abc import Iterable
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from s2distill.atomic_write import atomic_file

INK = "#222222"
FAINT = "#8a8a8a"
GROUND = "#f4f1ea"
BUILDING = "#b5382a"
ROAD = "#2f6690"
NO_DATA = "#c9c9c9"

_STYLE = {
    "font.size": 10,
    "font.family": "DejaVu Sans",  # matplotlib carries it
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlepad": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "figure.constrained_layout.w_pad": 0.09,  # inches
    "figure.constrained_layout.h_pad": 0.09,
    "lines.linewidth": 2.0,
}
_MODEL_COLOURS = ("#222222", "#0072b2", "#d55e00", "#009e73", "#cc79a7")
_DOTS_PER_INCH = 130


def house_style() -> Any:
    """Context in which figures are drawn and saved."""
    return mpl.rc_context(_STYLE)


def model_colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each model, in order; the same order, the same colours."""
    return {
        name: _MODEL_COLOURS[index % len(_MODEL_COLOURS)]
        for index, name in enumerate(names)
    }


def model_title(name: str) -> str:
    """The name of a model as a reader sees it: "hard label student"."""
    return name.replace("_", " ")


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Writes a PNG, whole or not at all."""
    with atomic_file(path) as temporary:
        figure.savefig(
            temporary, dpi=_DOTS_PER_INCH, facecolor="white", format="png"
        )

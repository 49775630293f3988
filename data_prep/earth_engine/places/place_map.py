"""A map of drawn places and the region they come from."""

import collections
import os
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import ScalarFormatter

from data_prep.earth_engine.places.place import Place
from data_prep.earth_engine.places.place import footprints_lon_lat
from data_prep.earth_engine.places.region import Region
from s2distill.atomic_write import atomic_file
from s2distill.data.schema import SPLITS

# Told apart by readers who do not tell red from green (Okabe and Ito).
_COLOURS = {"train": "#0072b2", "validation": "#e69f00", "test": "#d55e00"}
_GROUND, _SHORE, _INK, _FAINT = "#f0ece2", "#9b9487", "#222222", "#8a8a8a"
_STYLE = {
    "font.family": "DejaVu Sans",  # matplotlib carries it
    "font.size": 9,
    "axes.edgecolor": _FAINT,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "text.color": _INK,
}
_WIDTH_IN = 8.0
_TALLEST_IN = 10.0
_LOWEST_IN = 3.0
_DPI = 140
_DOT_PT = 3.0
# Where there are more, dots would hide how densely they lie.
_MOST_DOTS = 5000


def draw_map(
    path: str | os.PathLike[str], places: Sequence[Place], region: Region
) -> None:
    """Writes a PNG of places, coloured by split, over their region.

    Squares are drawn to scale, with a dot in the middle of each, so that
    those smaller than a dot are seen too.

    Args:
      path: PNG file.
      places: At least one.
      region: Where they were drawn from.
    """
    turn = _is_over_antimeridian(region)
    outline = region.geometry
    if turn:
        # Joined again where it was cut at 180 degrees.
        outline = shapely.union_all(
            shapely.transform(shapely.get_parts(outline), _turned)
        )
    with mpl.rc_context(_STYLE):
        box = outline.bounds
        stretch = 1 / np.cos(np.radians((box[1] + box[3]) / 2))
        tall = np.ptp(box[1::2]) * stretch / np.ptp(box[0::2])
        height_in = np.clip(_WIDTH_IN * tall, _LOWEST_IN, _TALLEST_IN)
        figure = Figure(
            figsize=(_WIDTH_IN, height_in), dpi=_DPI, layout="constrained"
        )
        axes = figure.subplots()
        _draw_region(axes, outline)
        _draw_places(axes, places, turn)
        axes.autoscale_view()
        borders = _draw_zone_borders(axes)
        axes.set_aspect(stretch)
        for axis, marks in ((axes.xaxis, "WE"), (axes.yaxis, "SN")):
            axis.set_major_formatter(_DegreeFormatter(marks))
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        _draw_legend(axes, places, borders)
        with atomic_file(path) as temporary:
            figure.savefig(temporary, format="png", facecolor="white")


class _DegreeFormatter(ScalarFormatter):
    """Degrees with a letter for the side: 179.9 and 180.1 are 179.9 E, W."""

    def __init__(self, marks: str) -> None:
        super().__init__(useOffset=False)
        self._marks = marks

    def __call__(self, x: float, pos: int | None = None) -> str:
        degrees = x - 360 if self._marks == "WE" and x > 180 else x
        text = super().__call__(abs(degrees), pos)
        return f"{text}\N{DEGREE SIGN} {self._marks[int(degrees >= 0)]}"


def _is_over_antimeridian(region: Region) -> bool:
    """True where the region is narrower when it runs on past 180 degrees."""
    points = shapely.get_coordinates(region.geometry)
    return np.ptp(_turned(points)[:, 0]) < np.ptp(points[:, 0])


def _turned(points: np.ndarray) -> np.ndarray:
    """Points with longitudes from 0 to 360 degrees."""
    moved = points.copy()
    moved[moved[:, 0] < 0, 0] += 360.0
    return moved


def _draw_region(axes: Axes, outline: shapely.Geometry) -> None:
    for polygon in shapely.get_parts(outline):
        rings = [polygon.exterior, *polygon.interiors]
        path = Path.make_compound_path(
            *(Path(ring.coords, closed=True) for ring in rings)
        )
        axes.add_patch(
            PathPatch(path, facecolor=_GROUND, edgecolor=_SHORE, linewidth=0.8)
        )


def _draw_places(axes: Axes, places: Sequence[Place], turn: bool) -> None:
    corners = footprints_lon_lat(places)
    if turn:
        corners = _turned(corners.reshape(-1, 2)).reshape(corners.shape)
    splits = np.array([place.split for place in places])
    for split in SPLITS:
        of_split = corners[splits == split]
        colour = {"facecolor": _COLOURS[split], "linewidth": 0}
        axes.add_collection(PolyCollection(of_split, **colour))
        if len(places) < _MOST_DOTS:
            axes.scatter(
                *of_split.mean(axis=1).T, s=_DOT_PT**2, marker="s", **colour
            )


def _draw_zone_borders(axes: Axes) -> list[Line2D]:
    """Every sixth degree, and the equator, where they are in the picture."""
    style = {
        "color": _FAINT,
        "linewidth": 0.8,
        "linestyle": (0, (5, 4)),
        "label": "border of UTM zones",
    }
    west, east = axes.get_xlim()
    south, north = axes.get_ylim()
    first, last = np.ceil(west / 6), np.floor(east / 6)
    lines = [axes.axvline(6 * n, **style) for n in np.arange(first, last + 1)]
    if south < 0 < north:
        lines.append(axes.axhline(0, **style))
    return lines


def _draw_legend(
    axes: Axes, places: Sequence[Place], borders: list[Line2D]
) -> None:
    counts = collections.Counter(place.split for place in places)
    splits = [
        Line2D(
            [],
            [],
            linestyle="",
            marker="s",
            color=_COLOURS[split],
            label=f"{split}  {counts[split]:,}",
        )
        for split in SPLITS
    ]
    axes.legend(
        handles=[*splits, *borders[:1]],
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=4,
        frameon=False,
    )

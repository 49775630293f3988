"""The charts of the page: values by band, and where the splits lie.

Each is drawn twice, for light and dark; colours are Okabe and Ito's, which
readers who do not tell red from green can keep apart.
"""

import dataclasses
import io
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from data_prep.diagnosis.band_order import pool_pixels
from data_prep.diagnosis.diagnose import Diagnosis
from data_prep.diagnosis.measured import Measured
from data_prep.diagnosis.pictures import encode_png
from data_prep.diagnosis.subject import Footprint

_DOTS_PER_INCH = 110
_SPLIT_COLOURS = {
    "train": "#0072b2",
    "validation": "#e69f00",
    "test": "#d55e00",
}
_VALUES = {"light": "#0072b2", "dark": "#56b4e9"}
_TRAINING = "#e69f00"
# Percentile of the brightest band at which the axis ends: clouds reach far
# beyond.
_SHOWN = 95.0
_BINS = 60
_COLUMNS = 4
_ROW_INCHES, _TITLE_INCHES = 1.5, 0.25


@dataclasses.dataclass(frozen=True)
class Chart:
    """One chart as two data URIs.

    Attributes:
      light: PNG for a light page.
      dark: PNG for a dark page.
      alt: What it shows, in words.
    """

    light: str
    dark: str
    alt: str


def draw_values(diagnosis: Diagnosis) -> Chart | None:
    """How often each reflectance occurs, band by band.

    With statistics to compare with, their centre and the scale around it
    are shown as a line and a band. None where there is nothing to draw.
    """
    measured = diagnosis.measured
    bands = measured.subject.bands
    pixels = pool_pixels(measured, bands, clearest_share=1.0)
    if not len(pixels):
        return None
    statistics = diagnosis.statistics

    def draw(theme: str, ink: str) -> Figure:
        rows = -(-len(bands) // _COLUMNS)
        height = _ROW_INCHES * rows
        figure = Figure(figsize=(9.5, height))
        figure.subplots_adjust(
            left=0.015,
            right=0.985,
            wspace=0.12,
            top=1 - _TITLE_INCHES / height,
            bottom=_TITLE_INCHES / height,
            hspace=2 * _TITLE_INCHES / (_ROW_INCHES - 2 * _TITLE_INCHES),
        )
        top = float(np.percentile(pixels, _SHOWN, axis=0).max())
        low = min(float(np.percentile(pixels, 0.1)), 0.0)
        for i, band in enumerate(bands):
            axes = figure.add_subplot(rows, _COLUMNS, i + 1)
            values = pixels[:, i]
            axes.hist(
                values[(values >= low) & (values <= top)],
                bins=_BINS,
                range=(low, top),
                color=_VALUES[theme],
                histtype="stepfilled",
                alpha=0.85,
            )
            if statistics is not None and band in statistics.bands:
                k = statistics.bands.index(band)
                centre, scale = statistics.centre[k], statistics.scale[k]
                axes.axvspan(
                    centre - scale, centre + scale, color=_TRAINING, alpha=0.3
                )
                axes.axvline(centre, color=_TRAINING, linewidth=2)
            axes.set_title(band, loc="left", fontweight="bold", color=ink)
            axes.set_xlim(low, top)
            axes.set_yticks([])
            axes.spines[["top", "right", "left"]].set_visible(False)
        return figure

    return _twice(draw, f"Values of {len(bands)} bands")


def draw_splits(footprints: Sequence[Footprint]) -> Chart | None:
    """Where the records of each split lie, in lon/lat; None without any."""
    if not footprints:
        return None
    places = _lon_lat(footprints)
    splits = np.array([place.split for place in footprints])

    def draw(theme: str, ink: str) -> Figure:
        del theme  # the colours of splits are read on both
        figure = Figure(figsize=(7.5, 4.5))
        axes = figure.add_subplot()
        for split, colour in _SPLIT_COLOURS.items():
            chosen = places[splits == split]
            if not len(chosen):
                continue
            for left, bottom, right, top in chosen:
                axes.fill(
                    [left, right, right, left],
                    [bottom, bottom, top, top],
                    color=colour,
                    alpha=0.7,
                    linewidth=0,
                )
            middle = chosen.reshape(-1, 2, 2).mean(axis=1)
            # A mark too, so that tiles far apart are not lost.
            axes.plot(
                middle[:, 0],
                middle[:, 1],
                ".",
                markersize=5,
                color=colour,
                label=f"{split} ({len(chosen)})",
            )
        axes.set_xlabel("longitude, degrees", color=ink)
        axes.set_ylabel("latitude, degrees", color=ink)
        axes.ticklabel_format(useOffset=False)
        latitude = float(places[:, 1::2].mean())
        axes.set_aspect(1 / max(np.cos(np.radians(latitude)), 0.1), "datalim")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, labelcolor=ink)
        return figure

    return _twice(draw, f"Places of {len(footprints)} records by split")


def has_values(measured: Measured) -> bool:
    """True if there is a frame whose values can be drawn."""
    return any(look.facts.is_measured for look in measured.looks())


def _lon_lat(footprints: Sequence[Footprint]) -> np.ndarray:
    """[N, 4] (left, bottom, right, top) in degrees."""
    import rasterio.warp

    found = [
        rasterio.warp.transform_bounds(place.crs, "EPSG:4326", *place.bounds)
        for place in footprints
    ]
    return np.array(found)


def _twice(draw: Callable[[str, str], Figure], alt: str) -> Chart:
    pictures = {}
    for theme, ink, faint in (
        ("light", "#222222", "#8a8a8a"),
        ("dark", "#e8e8e8", "#9a9a9a"),
    ):
        with mpl.rc_context(_style(ink, faint)):
            figure = draw(theme, ink)
            buffer = io.BytesIO()
            figure.savefig(
                buffer, dpi=_DOTS_PER_INCH, format="png", transparent=True
            )
        pictures[theme] = encode_png(buffer.getvalue())
    return Chart(alt=alt, **pictures)


def _style(ink: str, faint: str) -> dict[str, Any]:
    return {
        "font.size": 9,
        "font.family": "DejaVu Sans",  # matplotlib carries it
        "text.color": ink,
        "axes.edgecolor": faint,
        "axes.labelcolor": ink,
        "xtick.color": faint,
        "ytick.color": faint,
        "xtick.labelcolor": ink,
        "ytick.labelcolor": ink,
    }

"""A contact sheet: towns, frames, their mean, and the truth."""

import os
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from data_prep.simulation.scene import MARGIN_PX
from data_prep.simulation.scene import Scene
from s2distill.atomic_write import atomic_file
from s2distill.data.bands import RGB_BANDS
from s2distill.data.bands import S2_QUANTIFICATION_DN
from s2distill.data.bands import find_bands

_COLUMNS = (
    "50 cm view",
    "clearest frame",
    "another date",
    "false colour (B8 B4 B3)",
    "mean of clear frames",
    "truth: building height, roads",
)


def show_reflectance(
    reflectance: np.ndarray, brightest: float = 0.25
) -> np.ndarray:
    """Reflectance [..., 3] -> 0..1 for the screen, with a gamma of 1.4."""
    return np.clip(reflectance / brightest, 0, 1) ** (1 / 1.4)


def draw_gallery(
    scenes: Sequence[Scene],
    bands: tuple[str, ...],
    path: str | os.PathLike[str],
    *,
    offset_dn: float = 0.0,
    dpi: int = 60,
) -> None:
    """Writes a contact sheet, a row for each scene.

    Args:
      scenes: What to show.
      bands: Of the frames; must hold B2, B3 and B4.
      path: PNG file.
      offset_dn: Of the frames.
      dpi: Resolution; a picture is 3 inches wide.
    """
    figure = Figure(figsize=(3 * len(_COLUMNS), 3 * len(scenes)), dpi=dpi)
    axes = figure.subplots(len(scenes), len(_COLUMNS), squeeze=False)
    for row, scene in zip(axes, scenes, strict=True):
        for axis, picture in zip(
            row, _pictures(scene, bands, offset_dn), strict=True
        ):
            axis.imshow(picture, interpolation="nearest")
            axis.set_axis_off()
        row[0].set_title("\n".join(dict.fromkeys(scene.town.styles)), y=0.8)
        row[0].title.set_color("white")
    for axis, title in zip(axes[0], _COLUMNS, strict=True):
        axis.text(
            0.5, 1.02, title, ha="center", va="bottom", transform=axis.transAxes
        )
    figure.subplots_adjust(0, 0, 1, 0.98, 0.01, 0.01)
    with atomic_file(path) as temporary:
        figure.savefig(temporary)


def _pictures(
    scene: Scene, bands: tuple[str, ...], offset_dn: float
) -> list[np.ndarray]:
    stack = scene.stack
    reflectance = (stack.dn + np.float32(offset_dn)) / S2_QUANTIFICATION_DN
    clear = stack.valid.reshape(len(stack.valid), -1).mean(1)
    order = np.argsort(-clear, kind="stable")
    best, second = reflectance[order[0]], reflectance[order[len(order) // 2]]
    weight = stack.valid[..., None].astype(np.float32)
    mean = (reflectance * weight).sum(0) / np.maximum(weight.sum(0), 1)
    rgb = find_bands(RGB_BANDS, bands)
    false = best[..., rgb]
    if "B8" in bands:
        near, red, green = (
            best[..., i] for i in find_bands(("B8", "B4", "B3"), bands)
        )
        false = np.stack([near / 2.2, red, green], -1)
    return [
        scene.image,
        show_reflectance(best[..., rgb]),
        show_reflectance(second[..., rgb]),
        show_reflectance(false),
        show_reflectance(mean[..., rgb]),
        _truth(scene),
    ]


def _truth(scene: Scene) -> np.ndarray:
    """Roads grey, buildings by height from violet to yellow."""
    inner = np.s_[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
    painting = scene.painting
    height_m = painting.building_height_m[inner]
    colours = matplotlib.colormaps["plasma"](np.sqrt(height_m / 40).clip(0, 1))
    picture = np.full((*height_m.shape, 3), 0.08)
    picture[painting.road[inner] > 0] = 0.4
    inside = painting.building[inner] > 0
    picture[inside] = colours[..., :3][inside]
    return picture

"""Trees: single crowns over roofs and streets, and closed woods."""

import math

import numpy as np

from data_prep.simulation.noise import fractal_noise
from data_prep.simulation.noise import smooth_noise
from data_prep.simulation.occupancy import PIXEL_M
from data_prep.simulation.occupancy import fill_polygon
from data_prep.simulation.palette import Palette
from data_prep.simulation.town import Town

_SIZES_M = (3.0, 4.0, 5.0, 6.0, 7.5, 9.0, 11.0, 13.0)
_SHAPES_PER_SIZE = 3
_COLOURS = 6


class CrownStamps:
    """Crowns of several sizes and outlines, lit from the sun's side."""

    def __init__(
        self, rng: np.random.Generator, toward_sun_xy: tuple[float, float]
    ) -> None:
        self._stamps = [
            [_make_stamp(rng, size, toward_sun_xy) for size in _SIZES_M]
            for _ in range(_SHAPES_PER_SIZE)
        ]

    def plant(
        self,
        town: Town,
        rng: np.random.Generator,
        palette: Palette,
        surface: np.ndarray,
        relief: np.ndarray,
        height_m: np.ndarray,
    ) -> None:
        """Paints the single trees of a town, in place."""
        colours = _add_colours(town, rng, palette)
        sizes = np.abs(town.trees_m[:, 2:] - np.asarray(_SIZES_M)[None]).argmin(
            1
        )
        number = len(sizes)
        shapes = rng.integers(0, _SHAPES_PER_SIZE, number)
        kinds = rng.integers(0, len(colours), number)
        corner = np.round(town.trees_m[:, :2] / PIXEL_M).astype(int)
        for (x, y), size, shape, kind in zip(
            corner, sizes, shapes, kinds, strict=True
        ):
            rise, light = self._stamps[shape][size]
            half = rise.shape[0] // 2
            x0, y0 = x - half, y - half
            if min(x0, y0) < 0:
                continue
            window = np.s_[y0 : y0 + rise.shape[0], x0 : x0 + rise.shape[1]]
            under = height_m[window]
            if under.shape != rise.shape:
                continue
            over = rise > under
            np.copyto(under, rise, where=over)
            np.copyto(surface[window], colours[kind], where=over)
            np.copyto(relief[window], light, where=over)


def paint_forest(
    surface: np.ndarray,
    relief: np.ndarray,
    height_m: np.ndarray,
    town: Town,
    rng: np.random.Generator,
    palette: Palette,
) -> None:
    """Paints closed woods, in place: bumpy, with dark gaps."""
    if not town.forests_m:
        return
    inside = np.zeros(surface.shape, np.uint8)
    for ring in town.forests_m:
        fill_polygon(inside, ring, 1, convex=False)
    bumps = fractal_noise(rng, *surface.shape, cell_px=16, octaves=3)
    spots = smooth_noise(rng, *surface.shape, cell_px=18)
    wood = (inside > 0) & (bumps > -1.1)
    colours = _add_colours(town, rng, palette)
    for number, ident in enumerate(colours[:4]):
        low, high = ((-9, -0.6), (-0.6, 0), (0, 0.6), (0.6, 9))[number]
        surface[wood & (spots > low) & (spots <= high)] = ident
    height_m[wood] = 8 + 2.5 * bumps[wood]
    # Crowns shade their lower parts; slopes would cost a gradient.
    relief[wood] = np.clip(0.85 + 0.28 * bumps[wood], 0.3, 1.4)


def _add_colours(
    town: Town, rng: np.random.Generator, palette: Palette
) -> list[int]:
    kinds = [town.tree_material] * (_COLOURS - 1) + ["deciduous"]
    return [palette.add(k, math.exp(rng.normal(0, 0.18))) for k in kinds]


def _make_stamp(
    rng: np.random.Generator,
    diameter_m: float,
    toward_sun_xy: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Height (negative outside the crown) and light of one crown."""
    size = 2 * math.ceil(diameter_m * 0.62 / PIXEL_M) + 1
    axis = (np.arange(size) - size // 2) * PIXEL_M
    x, y = np.meshgrid(axis, axis)
    radius, bearing = np.hypot(x, y), np.arctan2(y, x)
    edge = 1 + 0.13 * np.sin(3 * bearing + rng.uniform(0, 6))
    edge += 0.1 * np.sin(5 * bearing + rng.uniform(0, 6))
    share = radius / (diameter_m / 2 * edge)
    lumps = smooth_noise(rng, size, size, 4)
    top = 2.5 + 0.85 * diameter_m
    rise = top - 0.3 * diameter_m * share**2 + 0.5 * lumps
    rise[share > 1] = -1.0
    facing = (x * toward_sun_xy[0] + y * toward_sun_xy[1]) / (diameter_m / 2)
    light = np.clip(0.95 + 0.4 * facing + 0.16 * lumps, 0.35, 1.6)
    return rise.astype(np.float32), light.astype(np.float32)

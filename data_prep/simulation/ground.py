"""Paints what lies on the ground: soil, lawns, fields, streets, cars."""

import math

import numpy as np

from data_prep.simulation.cars import park_cars
from data_prep.simulation.noise import fractal_noise
from data_prep.simulation.occupancy import PIXEL_M
from data_prep.simulation.occupancy import draw_line
from data_prep.simulation.occupancy import fill_polygon
from data_prep.simulation.palette import Palette
from data_prep.simulation.town import Town


def paint_ground(
    surface: np.ndarray,
    town: Town,
    rng: np.random.Generator,
    palette: Palette,
) -> None:
    """Paints everything below buildings and trees, in place.

    Args:
      surface: [h, w] uint16, rows of the palette.
      town: Geometry.
      rng: Source of chance.
      palette: Gets a row for each ground.
    """
    _paint_wild(surface, town, rng, palette)
    for patch in town.patches:
        ident = palette.add(patch.material, math.exp(rng.normal(0, 0.12)))
        fill_polygon(surface, patch.ring_m, ident, convex=False)
    _paint_streets(surface, town, rng, palette)
    park_cars(surface, town, rng, palette)


def _paint_wild(
    surface: np.ndarray,
    town: Town,
    rng: np.random.Generator,
    palette: Palette,
) -> None:
    """Ground cover in spots: grass worn to soil, tall and dry places."""
    half = (surface.shape[0] + 1) // 2, (surface.shape[1] + 1) // 2
    field = fractal_noise(rng, *half, cell_px=45, octaves=4, persistence=0.7)
    field = np.repeat(np.repeat(field, 2, 0), 2, 1)
    field = field[: surface.shape[0], : surface.shape[1]]
    surface[:] = palette.plain(town.ground)
    levels = rng.uniform(0.7, 1.6, 2)
    second = "dry_grass" if town.ground != "dry_grass" else "meadow"
    surface[field > levels[0]] = palette.add(second, 1.0)
    surface[field < -levels[1]] = palette.plain(town.soil)


def _paint_streets(
    surface: np.ndarray,
    town: Town,
    rng: np.random.Generator,
    palette: Palette,
) -> None:
    has_sidewalks = rng.random() < 0.7
    walk = palette.add("concrete", math.exp(rng.normal(-0.1, 0.15)))
    dirt = palette.add(town.soil, math.exp(rng.normal(0.1, 0.1)))
    tar = _draw_tar(rng, palette)
    if has_sidewalks:
        for street in town.streets:
            if street.paved and street.width_m > 6:
                draw_line(
                    surface, street.line_m, walk, width_m=street.width_m + 3.0
                )
    for street in town.streets:
        ident = tar[rng.integers(len(tar))] if street.paved else dirt
        draw_line(surface, street.line_m, ident, width_m=street.width_m)
    paint = palette.plain("line_paint")
    for street in town.streets:
        if street.paved and street.width_m > 9.9:
            for start in range(0, len(street.line_m) - 1, 2):
                draw_line(
                    surface,
                    street.line_m[start : start + 2],
                    paint,
                    width_m=PIXEL_M,
                )


def _draw_tar(rng: np.random.Generator, palette: Palette) -> list[int]:
    """Three pavings of a town's streets."""
    base = rng.normal(0, 0.15)
    kinds = rng.choice(
        ["worn_asphalt", "dark_asphalt", "concrete"], 3, p=(0.62, 0.3, 0.08)
    )
    return [
        palette.add(str(kind), math.exp(base + rng.normal(0, 0.08)))
        for kind in kinds
    ]

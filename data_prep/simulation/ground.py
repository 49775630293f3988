"""Paints what lies on the ground: soil, lawns, fields, streets, cars."""

import math
from collections.abc import Callable

import numpy as np

from data_prep.simulation.noise import fractal_noise
from data_prep.simulation.occupancy import PIXEL_M
from data_prep.simulation.occupancy import draw_line
from data_prep.simulation.occupancy import fill_polygon
from data_prep.simulation.palette import Palette
from data_prep.simulation.town import Town

_CARS = ("dark_car", "white_car", "silver_car", "red_car", "dark_car")
_CAR_M = (4.4, 1.9)


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
    _park_cars(surface, town, rng, palette)


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
    tar = draw_tar(rng, palette)
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


def draw_tar(rng: np.random.Generator, palette: Palette) -> list[int]:
    """Three pavings of a town's streets."""
    base = rng.normal(0, 0.15)
    kinds = rng.choice(
        ["worn_asphalt", "dark_asphalt", "concrete"], 3, p=(0.62, 0.3, 0.08)
    )
    return [
        palette.add(str(kind), math.exp(base + rng.normal(0, 0.08)))
        for kind in kinds
    ]


def _park_cars(
    surface: np.ndarray,
    town: Town,
    rng: np.random.Generator,
    palette: Palette,
) -> None:
    rows = [palette.add(kind, rng.uniform(0.8, 1.2)) for kind in _CARS]

    def put(centre: np.ndarray, along: np.ndarray) -> None:
        across = np.array([-along[1], along[0]])
        a, b = along * _CAR_M[0] / 2, across * _CAR_M[1] / 2
        ring = centre + np.stack([-a - b, a - b, a + b, b - a])
        fill_polygon(surface, ring, rows[rng.integers(len(rows))])

    for street in town.streets:
        if street.paved:
            for _ in range(rng.poisson(1.6)):
                piece = rng.integers(len(street.line_m) - 1)
                start, end = street.line_m[piece : piece + 2]
                run = (end - start) / max(np.hypot(*(end - start)), 1e-6)
                side = np.array([-run[1], run[0]]) * rng.choice((-1, 1))
                place = start + (end - start) * rng.random()
                put(place + side * street.width_m * rng.uniform(0.2, 0.36), run)
    for patch in town.patches:
        if patch.cars:
            _fill_parking(patch.ring_m, patch.cars, rng, put)


def _fill_parking(
    ring_m: np.ndarray,
    share: float,
    rng: np.random.Generator,
    put: Callable[[np.ndarray, np.ndarray], None],
) -> None:
    """Rows of cars along the longest side of a paved ground."""
    sides = np.roll(ring_m, -1, axis=0) - ring_m
    longest = sides[np.argmax(np.hypot(*sides.T))]
    run = longest / np.hypot(*longest)
    across = np.array([-run[1], run[0]])
    centre = ring_m.mean(0)
    local = np.stack([(ring_m - centre) @ run, (ring_m - centre) @ across])
    reach = np.quantile(np.abs(local), 0.5, axis=1)
    if reach[0] * reach[1] < 20:
        if rng.random() < share:
            put(centre, run)
        return
    for row in np.arange(-reach[1], reach[1], 8.0):
        for place in np.arange(-reach[0], reach[0], 2.9):
            if rng.random() < share * 0.5:
                put(centre + run * place + across * row, across)

"""Cars along streets, in driveways and on parking grounds."""

import math

import cv2
import numpy as np

from data_prep.simulation.layout import Street
from data_prep.simulation.occupancy import FIXED_BITS
from data_prep.simulation.occupancy import to_fixed_px
from data_prep.simulation.palette import Palette
from data_prep.simulation.town import Town

_KINDS = ("dark_car", "white_car", "silver_car", "red_car", "dark_car")
_LENGTH_M, _WIDTH_M = 4.4, 1.9
_CARS_PER_STREET = 1.6


def park_cars(
    surface: np.ndarray,
    town: Town,
    rng: np.random.Generator,
    palette: Palette,
) -> None:
    """Paints cars onto the ground, in place.

    Args:
      surface: [h, w] uint16, rows of the palette.
      town: Geometry.
      rng: Source of chance.
      palette: Gets a row for each colour.
    """
    groups = [_on_streets(town.streets, rng)]
    groups += [
        _on_parking(patch.ring_m, patch.cars, rng)
        for patch in town.patches
        if patch.cars
    ]
    cars = np.concatenate([np.zeros((0, 3)), *groups])
    colours = rng.integers(0, len(_KINDS), len(cars))
    rings = to_fixed_px(_rings_m(cars))
    for colour, kind in enumerate(_KINDS):
        ident = palette.add(kind, rng.uniform(0.8, 1.2))
        chosen = list(rings[colours == colour])
        if chosen:
            cv2.fillPoly(surface, chosen, ident, shift=FIXED_BITS)


def _rings_m(cars: np.ndarray) -> np.ndarray:
    """[N, 4, 2] corners of cars given as x, y, direction."""
    along = np.stack([np.cos(cars[:, 2]), np.sin(cars[:, 2])], 1)
    across = np.stack([-along[:, 1], along[:, 0]], 1)
    a, b = along * (_LENGTH_M / 2), across * (_WIDTH_M / 2)
    corners = np.stack([-a - b, a - b, a + b, b - a], 1)
    return cars[:, None, :2] + corners


def _on_streets(
    streets: tuple[Street, ...], rng: np.random.Generator
) -> np.ndarray:
    """[N, 3] cars at the edges of paved streets."""
    paved = [street for street in streets if street.paved]
    if not paved:
        return np.zeros((0, 3))
    number = rng.poisson(_CARS_PER_STREET, len(paved))
    street = np.repeat(np.arange(len(paved)), number)
    lines = np.stack([s.line_m for s in paved])
    width = np.array([s.width_m for s in paved])[street]
    piece = rng.integers(0, lines.shape[1] - 1, len(street))
    start = lines[street, piece]
    run = lines[street, piece + 1] - start
    angle = np.arctan2(run[:, 1], run[:, 0])
    side = width * rng.uniform(0.2, 0.36, len(street))
    side *= rng.choice((-1, 1), len(street))
    place = start + run * rng.random((len(street), 1))
    place += np.stack([-np.sin(angle), np.cos(angle)], 1) * side[:, None]
    return np.column_stack([place, angle])


def _on_parking(
    ring_m: np.ndarray, share: float, rng: np.random.Generator
) -> np.ndarray:
    """[N, 3] rows of cars along the longest side of a paved ground."""
    sides = np.roll(ring_m, -1, axis=0) - ring_m
    longest = sides[np.argmax(np.hypot(*sides.T))]
    angle = math.atan2(longest[1], longest[0])
    axes = np.array(
        [
            [math.cos(angle), -math.sin(angle)],
            [math.sin(angle), math.cos(angle)],
        ]
    )
    centre = ring_m.mean(0)
    # The median corner: a rectangle well inside most rings.
    reach = np.sort(np.abs((ring_m - centre) @ axes), axis=0)[len(ring_m) // 2]
    if reach[0] * reach[1] < 20:
        there = rng.random() < share
        return np.array([(*centre, angle)] if there else []).reshape(-1, 3)
    along = np.arange(-reach[0], reach[0], 2.9)
    away = np.arange(-reach[1], reach[1], 8.0)
    local = np.stack(np.meshgrid(along, away), -1).reshape(-1, 2)
    local = local[rng.random(len(local)) < share * 0.5]
    place = centre + local @ axes.T
    return np.column_stack([place, np.full(len(place), angle + math.pi / 2)])

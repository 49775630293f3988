"""Fills blocks with large buildings: slabs, towers, halls."""

import math
from collections.abc import Callable

import numpy as np

from data_prep.simulation.buildings import draw_height_m
from data_prep.simulation.frames import Frame
from data_prep.simulation.layout import Block
from data_prep.simulation.site import Site
from data_prep.simulation.styles import STYLES
from data_prep.simulation.styles import draw


def fill_slabs(site: Site, block: Block) -> None:
    """Parallel apartment blocks on lawns, with parking between."""
    rng = site.rng
    length, depth = rng.uniform(32, 64), rng.uniform(11, 15)
    height = draw_height_m(rng, rng.uniform(3, 7))
    roof = draw(rng, STYLES["estate"].roofs)

    def add(front: Frame) -> None:
        shape = draw(rng, {"box": 6, "l": 1, "u": 0.7, "t": 0.7})
        deep = depth if shape == "box" else depth * 2
        stands = site.build(
            front,
            (length, deep),
            shape=shape,
            height_m=height + 3.0 * rng.integers(-1, 2),
            roof_material=roof,
        )
        if stands and rng.random() < 0.6:
            site.pave(
                front,
                (-length / 2, length / 2),
                (deep + 3, deep + 14),
                "worn_asphalt",
                cars=0.6,
            )

    pitch = length + rng.uniform(9, 16), depth + rng.uniform(18, 28)
    turn = (math.pi / 2) * int(rng.integers(0, 2))
    scatter(block.centre.turned(turn), block.ring_m, pitch, add)


def fill_towers(site: Site, block: Block) -> None:
    """Towers far apart."""
    rng = site.rng
    side = rng.uniform(17, 26)

    def add(front: Frame) -> None:
        site.build(
            front,
            (side, side),
            shape=draw(rng, {"box": 3, "t": 1, "l": 1}),
            height_m=draw_height_m(rng, rng.uniform(6, 15)),
            roof_material=draw(rng, STYLES["estate"].roofs),
        )

    scatter(block.centre, block.ring_m, (side + 26, side + 30), add)


def fill_halls(site: Site, block: Block) -> None:
    """Warehouses, shops and schools in paved yards."""
    rng = site.rng
    if rng.random() < 0.85:
        yards = {
            "worn_asphalt": 4,
            "concrete": 2.5,
            "gravel": 1.5,
            "dark_asphalt": 2,
        }
        site.cover(
            block.shrunk_m(rng.uniform(0.7, 0.86)),
            draw(rng, yards),
            rng.uniform(0.05, 0.5),
        )
    size = rng.uniform(24, 58), rng.uniform(18, 40)

    def add(front: Frame) -> None:
        scale = rng.uniform(0.55, 1.0, 2)
        site.build(
            front,
            (size[0] * scale[0], size[1] * scale[1]),
            shape=draw(rng, {"box": 5, "l": 2, "t": 0.5, "u": 0.5}),
            roof="gable" if rng.random() < 0.25 else "flat",
            height_m=rng.uniform(4.5, 9) * math.exp(abs(rng.normal(0, 0.25))),
            roof_material=draw(rng, STYLES["commercial"].roofs),
        )

    pitch = size[0] + rng.uniform(8, 22), size[1] + rng.uniform(10, 22)
    scatter(block.centre, block.ring_m, pitch, add)


def scatter(
    centre: Frame,
    ring_m: np.ndarray,
    pitch_m: tuple[float, float],
    add: Callable[[Frame], None],
) -> None:
    """Calls `add` on a turned lattice of places inside a ring."""
    offset = ring_m - (centre.x_m, centre.y_m)
    radius = np.hypot(*offset.T)
    bearing = np.arctan2(offset[:, 1], offset[:, 0])
    order = np.argsort(bearing)
    bearing, radius = bearing[order], radius[order]
    lines = [math.ceil(radius.max() / p) for p in pitch_m]
    for i in range(-lines[0], lines[0] + 1):
        for j in range(-lines[1], lines[1] + 1):
            # A lattice with half a pitch, so that two fit a narrow block.
            u, v = (i + 0.5) * pitch_m[0], (j + 0.5) * pitch_m[1]
            x, y = centre.place_m(u, v)
            limit = np.interp(
                math.atan2(y - centre.y_m, x - centre.x_m),
                bearing,
                radius,
                period=2 * math.pi,
            )
            if math.hypot(u, v) < limit - 0.2 * min(pitch_m):
                add(centre.moved(u, v - pitch_m[1] * 0.3))

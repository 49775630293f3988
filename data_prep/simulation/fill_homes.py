"""Fills blocks with homes: houses with gardens, terraces, closed rows."""

import math

import numpy as np

from data_prep.simulation.buildings import draw_height_m
from data_prep.simulation.frames import Frame
from data_prep.simulation.frames import Walk
from data_prep.simulation.layout import Block
from data_prep.simulation.site import Site
from data_prep.simulation.styles import Style
from data_prep.simulation.styles import draw

_SIDEWALK_M = 1.5
_HOUSE_M2 = (55.0, 420.0)


def fill_houses(site: Site, block: Block) -> None:
    """Single houses along each street, each on its plot."""
    rng, style = site.rng, block.style
    for side, margin in zip(block.sides_m, block.margins_m, strict=True):
        walk = Walk(side)
        setback = rng.uniform(*style.setback_m)
        roof = draw(rng, style.roofs)
        while not walk.is_over:
            area = _draw_area(rng, style)
            aspect = rng.uniform(0.62, 1.5)
            size = math.sqrt(area * aspect), math.sqrt(area / aspect)
            plot = walk.step(size[0] + rng.uniform(*style.gap_m))
            if rng.random() < style.vacancy or site.occupancy.is_outside(
                plot.x_m, plot.y_m
            ):
                continue
            if rng.random() < 0.5:
                roof = draw(rng, style.roofs)
            away = margin + _SIDEWALK_M + setback + rng.uniform(0, 2)
            front = plot.moved(0, away).turned(rng.normal(0, 0.04))
            if site.occupancy.is_taken(*front.place_m(0, size[1] / 2)):
                continue
            shape = "box"
            if area > 110 and rng.random() < 0.4:
                shape = "l" if rng.random() < 0.65 else "t"
            stands = site.build(
                front,
                size,
                shape=shape,
                roof=site.draw_roof(style),
                height_m=draw_height_m(rng, style.floors),
                roof_material=roof,
            )
            if stands:
                _add_plot(site, front, style, size, away - margin)


def _add_plot(
    site: Site,
    front: Frame,
    style: Style,
    size: tuple[float, float],
    to_street: float,
) -> None:
    """Driveway, yard, shed and pool of a house."""
    rng = site.rng
    length, depth = size
    chance = rng.random(4)
    if chance[0] < 0.55:
        place = (1 if rng.random() < 0.5 else -1) * (length / 2 - 1.0)
        site.pave(
            front,
            (place - 1.8, place + 1.8),
            (-to_street, rng.uniform(0.2, 1.0) * depth),
            draw(rng, {"concrete": 3, "worn_asphalt": 2, "gravel": 2}),
            cars=float(rng.random() < 0.4),
        )
    if chance[1] < 0.22:
        start = depth + rng.uniform(0, 2)
        covers = {"concrete": 2, "gravel": 1, "red_tile": 1, site.soil: 1.5}
        site.pave(
            front,
            (-rng.uniform(0.2, 0.5) * length, rng.uniform(0.2, 0.5) * length),
            (start, start + rng.uniform(4, 9)),
            draw(rng, covers),
        )
    back = front.moved(rng.uniform(-3, 3), depth + rng.uniform(4, 11))
    if chance[2] < 0.15:
        site.build(
            back,
            (rng.uniform(5, 8), rng.uniform(4.5, 6.5)),
            height_m=rng.uniform(2.3, 3.2),
            roof_material=draw(rng, style.roofs),
        )
    elif chance[3] < 0.06:
        site.pave(back, (-3.5, 3.5), (0, 4), "pool")


def fill_terraces(site: Site, block: Block) -> None:
    """Rows of houses that touch, with gardens behind."""
    rng, style = site.rng, block.style
    for side, margin in zip(block.sides_m, block.margins_m, strict=True):
        walk = Walk(side)
        away = margin + _SIDEWALK_M + rng.uniform(*style.setback_m)
        depth = rng.uniform(9, 12)
        while not walk.is_over:
            unit = rng.uniform(7, 10)
            number = int(rng.integers(3, 9))
            middle = walk.step(unit * number).moved(0, away)
            walk.step(rng.uniform(4, 9))
            roof = draw(rng, style.roofs)
            height = draw_height_m(rng, style.floors)
            kind = "gable" if rng.random() < style.slanted else "flat"
            for place in range(number):
                if rng.random() < 0.2:
                    roof = draw(rng, style.roofs)
                site.build(
                    middle.moved((place - (number - 1) / 2) * unit, 0),
                    (unit, depth),
                    roof=kind,
                    height_m=height + rng.normal(0, 0.3),
                    roof_material=roof,
                    gap_m=-1.0,
                )


def fill_perimeter(site: Site, block: Block) -> None:
    """Buildings wall to wall round the block, and some in the yard."""
    rng, style = site.rng, block.style
    covers = {"concrete": 2, "worn_asphalt": 2, "gravel": 1.5, "lawn": 3}
    site.cover(block.shrunk_m(0.72), draw(rng, covers), 0.15)
    depth = rng.uniform(10, 14)
    for side, margin in zip(block.sides_m, block.margins_m, strict=True):
        walk = Walk(side)
        away = margin + _SIDEWALK_M + style.setback_m[0]
        while not walk.is_over:
            length = rng.uniform(12, 24)
            front = walk.step(length).moved(0, away)
            if rng.random() < style.vacancy:
                continue
            shape = "box" if rng.random() < 0.75 else "l"
            material = draw(rng, style.roofs)
            # Where the deep one meets a neighbour, a shallow one may fit.
            for part in (1.0, 0.75, 0.5):
                if site.build(
                    front,
                    (length * min(1.0, part + 0.25), depth * part),
                    shape=shape,
                    roof=site.draw_roof(style),
                    height_m=draw_height_m(rng, style.floors),
                    roof_material=material,
                    gap_m=-1.2,
                ):
                    break
                shape = "box"
    if rng.random() < 0.6:
        fill_middle(site, block, "court" if rng.random() < 0.4 else "u")


def fill_middle(site: Site, block: Block, shape: str) -> None:
    """One large building in the middle: a school, a church, a court."""
    rng = site.rng
    front = block.centre.turned(rng.normal(0, 0.05)).moved(0, -14)
    site.build(
        front,
        (rng.uniform(26, 42), rng.uniform(26, 34)),
        shape=shape,
        roof="gable" if rng.random() < 0.6 else "flat",
        height_m=draw_height_m(rng, max(2.0, block.style.floors)),
        roof_material=draw(rng, block.style.roofs),
    )


def _draw_area(rng: np.random.Generator, style: Style) -> float:
    median, spread = style.house_m2
    area = median * math.exp(rng.normal(0, spread))
    return min(max(area, _HOUSE_M2[0]), _HOUSE_M2[1])

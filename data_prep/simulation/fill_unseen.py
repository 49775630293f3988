"""Fills blocks of the styles that are drawn only when named."""

import numpy as np

from data_prep.simulation.fill_large import scatter
from data_prep.simulation.frames import Frame
from data_prep.simulation.layout import Block
from data_prep.simulation.site import Site
from data_prep.simulation.styles import draw

_HUT_M2 = (16.0, 36.0)


def fill_huts(site: Site, block: Block) -> None:
    """Huts wherever one fits, hardly a path between them, on bare soil."""
    rng, style = site.rng, block.style
    site.cover(block.ring_m, site.soil)

    def add(front: Frame) -> None:
        chance = rng.random()
        if chance < style.vacancy or site.occupancy.is_outside(
            front.x_m, front.y_m
        ):
            return
        median, spread = style.house_m2
        area = np.clip(median * np.exp(rng.normal(0, spread)), *_HUT_M2)
        aspect = rng.uniform(0.6, 1.6)
        site.build(
            front.moved(*rng.uniform(-0.6, 0.6, 2)).turned(rng.normal(0, 0.1)),
            (float(np.sqrt(area * aspect)), float(np.sqrt(area / aspect))),
            height_m=rng.uniform(2.2, 3.4),
            roof_material=draw(rng, style.roofs),
            gap_m=-0.5,
        )

    pitch = rng.uniform(5.2, 5.8)
    scatter(block.centre, block.ring_m, (pitch, pitch), add)


def fill_greenhouses(site: Site, block: Block) -> None:
    """Long bright halls side by side, with hardly a gap between them."""
    rng, style = site.rng, block.style
    site.cover(block.shrunk_m(0.96), site.soil)
    length, width = rng.uniform(30, 60), rng.uniform(8, 13)
    height = rng.uniform(3.2, 5.0)
    material = draw(rng, style.roofs)

    def add(front: Frame) -> None:
        site.build(
            front,
            (length, width),
            roof="gable",
            height_m=height,
            roof_material=material,
            gap_m=-0.5,
        )

    pitch = length + rng.uniform(3, 6), width + rng.uniform(0.5, 2.0)
    scatter(block.centre, block.ring_m, pitch, add)

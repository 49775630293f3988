"""Fills blocks with open land: farms, fields, parks, woods, ponds."""

import itertools
import math

import numpy as np

from data_prep.simulation.fill_homes import fill_middle
from data_prep.simulation.frames import Walk
from data_prep.simulation.layout import Block
from data_prep.simulation.site import Site
from data_prep.simulation.styles import draw


def fill_field(site: Site, block: Block) -> None:
    """Strips of crops, meadow and ploughed soil."""
    rng = site.rng
    covers = {
        "crop": 4,
        "meadow": 3,
        "stubble": 2,
        "dry_grass": 1,
        site.soil: 1.5,
    }
    near, far = block.sides_m[0], block.sides_m[2][::-1]
    for low, high in itertools.pairwise(
        np.linspace(0, 1, int(rng.integers(2, 5)))
    ):
        strip = np.concatenate(
            [
                near * (1 - low) + far * low,
                (near * (1 - high) + far * high)[::-1],
            ]
        )
        site.cover(strip, draw(rng, covers))


def fill_farm(site: Site, block: Block) -> None:
    """A yard with a house and barns, among fields."""
    rng = site.rng
    fill_field(site, block)
    walk = Walk(block.sides_m[int(rng.integers(4))])
    front = walk.step(walk.length_m * rng.uniform(0.6, 1.2))
    front = front.moved(0, rng.uniform(12, 24))
    site.pave(front, (-38, 38), (-8, 48), "lawn")
    yard = draw(rng, {site.soil: 3, "gravel": 2, "concrete": 1.5})
    site.pave(front, (-24, 24), (-4, 34), yard)
    roofs = block.style.roofs | {"rusty_metal": 2.5}
    for _ in range(int(rng.integers(2, 7))):
        place = front.moved(rng.uniform(-24, 24), rng.uniform(0, 32))
        site.build(
            place.turned((math.pi / 2) * int(rng.integers(0, 2))),
            (rng.uniform(11, 34), rng.uniform(8, 15)),
            shape="l" if rng.random() < 0.2 else "box",
            roof="gable",
            height_m=rng.uniform(3.5, 8),
            roof_material=draw(rng, roofs),
        )


def fill_park(site: Site, block: Block) -> None:
    """Lawns and trees, or a sports ground."""
    rng = site.rng
    covers = {"lawn": 4, "meadow": 2, "dry_grass": 1}
    site.cover(block.shrunk_m(0.93), draw(rng, covers))
    if rng.random() < 0.5:
        site.forests_m.append(block.shrunk_m(0.5))
    if rng.random() < 0.4:
        courts = {"red_tile": 1, "blue_metal": 0.6, "lawn": 1, site.soil: 1}
        along, away = rng.uniform(-15, 15, 2)
        site.pave(
            block.centre.moved(along, away),
            (-9, 9),
            (0, 34),
            draw(rng, courts),
        )


def fill_forest(site: Site, block: Block) -> None:
    """A wood."""
    site.forests_m.append(block.shrunk_m(site.rng.uniform(0.75, 1.0)))
    site.occupancy.take(block.ring_m)


def fill_pond(site: Site, block: Block) -> None:
    """Water with a green shore."""
    rng = site.rng
    centre = block.ring_m.mean(0)
    angle = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    wobble = 1 + 0.2 * np.sin(2 * angle + rng.uniform(0, 6))
    wobble += 0.12 * np.sin(3 * angle + rng.uniform(0, 6))
    ring = np.stack([np.cos(angle), np.sin(angle)], 1) * wobble[:, None]
    scale = rng.uniform(0.25, 0.5) * np.ptp(block.ring_m, axis=0) / 2
    site.cover(centre + ring * (scale + 5), "meadow")
    site.cover(centre + ring * scale, "water")
    site.occupancy.take(centre + ring * (scale + 8))


def fill_bare(site: Site, block: Block) -> None:
    """A building site, a market place, waste land."""
    rng = site.rng
    cover = draw(rng, {site.soil: 3, "gravel": 1, "dry_grass": 2})
    site.cover(block.shrunk_m(0.9), cover)
    if rng.random() < 0.5:
        fill_middle(site, block, "box")

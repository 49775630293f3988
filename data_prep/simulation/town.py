"""A seeded town as geometry: streets, buildings, trees, grounds.

`render.py` paints it; `scene.py` makes records of it. All lengths are
metres, x to the right (east), y down (south), from the top left corner.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from data_prep.simulation.buildings import Building
from data_prep.simulation.fill_homes import fill_houses
from data_prep.simulation.fill_homes import fill_perimeter
from data_prep.simulation.fill_homes import fill_terraces
from data_prep.simulation.fill_large import fill_halls
from data_prep.simulation.fill_large import fill_slabs
from data_prep.simulation.fill_large import fill_towers
from data_prep.simulation.fill_open import fill_bare
from data_prep.simulation.fill_open import fill_farm
from data_prep.simulation.fill_open import fill_field
from data_prep.simulation.fill_open import fill_forest
from data_prep.simulation.fill_open import fill_park
from data_prep.simulation.fill_open import fill_pond
from data_prep.simulation.fill_unseen import fill_greenhouses
from data_prep.simulation.fill_unseen import fill_huts
from data_prep.simulation.layout import Street
from data_prep.simulation.layout import make_layout
from data_prep.simulation.occupancy import Occupancy
from data_prep.simulation.site import Patch
from data_prep.simulation.site import Site
from data_prep.simulation.styles import STYLE_WEIGHTS
from data_prep.simulation.styles import draw
from data_prep.simulation.styles import find_style

_FILLS = {
    "bare": fill_bare,
    "farm": fill_farm,
    "field": fill_field,
    "forest": fill_forest,
    "greenhouses": fill_greenhouses,
    "halls": fill_halls,
    "houses": fill_houses,
    "huts": fill_huts,
    "park": fill_park,
    "perimeter": fill_perimeter,
    "pond": fill_pond,
    "slabs": fill_slabs,
    "terraces": fill_terraces,
    "towers": fill_towers,
}
_DRY_STYLES = ("dry_town", "informal_settlement")


@dataclasses.dataclass(frozen=True)
class Town:
    """What stands where.

    Attributes:
      height_m: Extent down.
      width_m: Extent to the right.
      styles: Main style and that beyond the border.
      streets: Pieces of street.
      buildings: In no order.
      patches: Grounds, later ones over earlier ones.
      forests_m: Outlines [N, 2] of woods.
      trees_m: [N, 3] x, y and crown diameter of single trees.
      tree_material: Dominant kind of tree.
      ground: Material of the ground between everything.
      soil: Material of bare soil and dirt roads.
    """

    height_m: float
    width_m: float
    styles: tuple[str, str]
    streets: tuple[Street, ...]
    buildings: tuple[Building, ...]
    patches: tuple[Patch, ...]
    forests_m: tuple[np.ndarray, ...]
    trees_m: np.ndarray
    tree_material: str
    ground: str
    soil: str


def make_town(
    rng: np.random.Generator,
    *,
    height_m: float,
    width_m: float,
    style: str | None = None,
    weights: Mapping[str, float] = STYLE_WEIGHTS,
) -> Town:
    """Builds a town.

    Args:
      rng: Source of chance; the same state gives the same town.
      height_m: Extent down.
      width_m: Extent to the right.
      style: Main style, known to `styles.find_style`; drawn when None.
      weights: How often each style is drawn.

    Returns:
      The town.
    """
    main = style or draw(rng, weights)
    other = main if rng.random() < 0.55 else draw(rng, weights)
    is_dry = main in _DRY_STYLES or rng.random() < 0.12
    soil = draw(rng, {"brown_soil": 3, "red_soil": 1.5, "pale_soil": 2})
    ground = draw(
        rng,
        {soil: 3, "dry_grass": 2} if is_dry else {"lawn": 5, "dry_grass": 1},
    )
    streets, blocks = make_layout(
        rng, height_m=height_m, width_m=width_m, styles=(main, other)
    )
    occupancy = Occupancy(height_m, width_m)
    for street in streets:
        occupancy.take_line(street.line_m, street.width_m + 2.0)
    site = Site(rng, occupancy, soil)
    for block in blocks:
        _FILLS[block.fill](site, block)
    return Town(
        height_m=height_m,
        width_m=width_m,
        styles=(main, other),
        streets=tuple(streets),
        buildings=tuple(site.buildings),
        patches=tuple(site.patches),
        forests_m=tuple(site.forests_m),
        trees_m=_plant_trees(rng, main, height_m, width_m, streets),
        tree_material=draw(
            rng,
            {"olive_tree": 1.0}
            if is_dry
            else {"deciduous": 5, "conifer": 1.5, "olive_tree": 0.6},
        ),
        ground=ground,
        soil=soil,
    )


def _plant_trees(
    rng: np.random.Generator,
    style: str,
    height_m: float,
    width_m: float,
    streets: list[Street],
) -> np.ndarray:
    """Trees in gardens, and rows of them along some streets."""
    density = find_style(style).trees * rng.uniform(0.5, 1.5)
    number = rng.poisson(density * height_m * width_m / 1e4)
    places = [rng.uniform((0, 0), (width_m, height_m), (number, 2))]
    for street in streets:
        if rng.random() < 0.25:
            run = street.line_m[-1] - street.line_m[0]
            length = float(np.hypot(*run))
            if length < 20:
                continue
            side = np.array([-run[1], run[0]]) / length
            share = (np.arange(0, length, rng.uniform(9, 16)) / length)[:, None]
            away = (street.width_m / 2 + 2.0) * rng.choice((-1, 1))
            at = share * (len(street.line_m) - 1)
            low = np.minimum(at.astype(int), len(street.line_m) - 2)[:, 0]
            line = street.line_m
            points = line[low] + (at - low[:, None]) * (
                line[low + 1] - line[low]
            )
            places.append(points + side * away)
    points = np.concatenate(places)
    crown = np.clip(np.exp(rng.normal(1.72, 0.38, len(points))), 2.5, 14)
    return np.column_stack([points, crown])

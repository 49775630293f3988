"""What distinguishes one kind of settlement from another."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from s2distill.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Style:
    """A kind of settlement.

    Attributes:
      block_m: Range of the distance between parallel streets, short side.
      elongation: Range of long side over short side of a block.
      warp_m: How far streets leave the straight line.
      keep: Share of street pieces that exist.
      unpaved: Share of streets without paving.
      street_m: Range of the width of an ordinary street.
      fills: Weight of each way to fill a block; `town.py` lists them.
      house_m2: Median and spread (log) of a house's footprint.
      gap_m: Range of the gap between neighbours.
      setback_m: Range of the distance from the street's edge.
      floors: Mean number of floors of houses.
      vacancy: Share of plots without a house.
      trees: Trees per hectare outside forests.
      roofs: Weight of each roof material.
      slanted: Share of houses with gable or hip roofs.
    """

    block_m: tuple[float, float]
    elongation: tuple[float, float]
    warp_m: float
    keep: float
    unpaved: float
    street_m: tuple[float, float]
    fills: dict[str, float]
    house_m2: tuple[float, float]
    gap_m: tuple[float, float]
    setback_m: tuple[float, float]
    floors: float
    vacancy: float
    trees: float
    roofs: dict[str, float]
    slanted: float


_TILED = {"red_tile": 5, "brown_tile": 2, "grey_shingle": 1, "slate": 1}
_SHINGLED = {
    "grey_shingle": 4,
    "dark_shingle": 2.5,
    "brown_tile": 2,
    "red_tile": 1,
    "grey_metal": 1.2,
    "white_metal": 1,
    "slate": 1,
}
_FLAT = {
    "roof_gravel": 3,
    "bitumen": 2,
    "roof_concrete": 3,
    "white_membrane": 2.5,
    "grey_metal": 2,
    "white_metal": 1.5,
    "blue_metal": 0.6,
}
_METAL = {
    "grey_metal": 4,
    "rusty_metal": 3,
    "white_metal": 2,
    "blue_metal": 1,
    "green_metal": 0.6,
    "roof_concrete": 1.5,
    "thatch": 0.8,
}

STYLES: dict[str, Style] = {
    "grid_suburb": Style(
        block_m=(62, 84),
        elongation=(1.4, 2.6),
        warp_m=1.0,
        keep=0.96,
        unpaved=0.05,
        street_m=(7, 9.5),
        fills={"houses": 14, "park": 1, "slabs": 1, "halls": 0.7, "bare": 0.5},
        house_m2=(165, 0.28),
        gap_m=(4, 9),
        setback_m=(4, 8),
        floors=1.4,
        vacancy=0.08,
        trees=30,
        roofs=_SHINGLED,
        slanted=0.85,
    ),
    "curved_suburb": Style(
        block_m=(72, 100),
        elongation=(1.2, 2.0),
        warp_m=17.0,
        keep=0.84,
        unpaved=0.05,
        street_m=(6.5, 9),
        fills={"houses": 13, "park": 1, "forest": 1.2, "pond": 0.6},
        house_m2=(200, 0.3),
        gap_m=(6, 14),
        setback_m=(5, 11),
        floors=1.6,
        vacancy=0.1,
        trees=45,
        roofs=_SHINGLED,
        slanted=0.92,
    ),
    "wooded_suburb": Style(
        block_m=(95, 135),
        elongation=(1.2, 2.0),
        warp_m=24.0,
        keep=0.62,
        unpaved=0.1,
        street_m=(6.5, 8.5),
        fills={"houses": 8, "forest": 6, "park": 1, "field": 1, "pond": 0.7},
        house_m2=(190, 0.3),
        gap_m=(9, 20),
        setback_m=(8, 16),
        floors=1.7,
        vacancy=0.12,
        trees=95,
        roofs=_SHINGLED,
        slanted=0.95,
    ),
    "terraced_town": Style(
        block_m=(56, 76),
        elongation=(1.2, 2.2),
        warp_m=5.0,
        keep=0.95,
        unpaved=0.0,
        street_m=(7, 10),
        fills={"terraces": 9, "perimeter": 3, "houses": 3, "park": 1},
        house_m2=(120, 0.25),
        gap_m=(3, 7),
        setback_m=(1, 4),
        floors=2.4,
        vacancy=0.05,
        trees=18,
        roofs=_TILED,
        slanted=0.9,
    ),
    "old_town": Style(
        block_m=(58, 84),
        elongation=(1.0, 1.6),
        warp_m=10.0,
        keep=0.93,
        unpaved=0.0,
        street_m=(6, 9),
        fills={"perimeter": 9, "terraces": 3, "slabs": 1, "park": 1.2},
        house_m2=(150, 0.3),
        gap_m=(2, 5),
        setback_m=(0.5, 2),
        floors=3.6,
        vacancy=0.06,
        trees=12,
        roofs=_TILED,
        slanted=0.75,
    ),
    "estate": Style(
        block_m=(90, 130),
        elongation=(1.0, 1.6),
        warp_m=4.0,
        keep=0.9,
        unpaved=0.0,
        street_m=(8, 12),
        fills={"slabs": 9, "towers": 3, "park": 1.5, "halls": 1, "houses": 1},
        house_m2=(180, 0.3),
        gap_m=(5, 10),
        setback_m=(4, 8),
        floors=2.0,
        vacancy=0.1,
        trees=30,
        roofs=_FLAT,
        slanted=0.2,
    ),
    "commercial": Style(
        block_m=(100, 140),
        elongation=(1.0, 1.7),
        warp_m=2.0,
        keep=0.9,
        unpaved=0.05,
        street_m=(9, 13),
        fills={"halls": 10, "bare": 1.2, "houses": 2, "slabs": 1, "field": 1},
        house_m2=(220, 0.35),
        gap_m=(5, 12),
        setback_m=(4, 9),
        floors=1.6,
        vacancy=0.15,
        trees=10,
        roofs=_FLAT,
        slanted=0.25,
    ),
    "village": Style(
        block_m=(85, 130),
        elongation=(1.0, 1.7),
        warp_m=24.0,
        keep=0.72,
        unpaved=0.35,
        street_m=(4.5, 7),
        fills={
            "houses": 7,
            "farm": 3,
            "field": 3,
            "forest": 1.5,
            "bare": 0.6,
            "pond": 0.5,
        },
        house_m2=(170, 0.4),
        gap_m=(7, 20),
        setback_m=(3, 12),
        floors=1.5,
        vacancy=0.22,
        trees=28,
        roofs=_TILED | {"rusty_metal": 1, "grey_metal": 1, "thatch": 0.4},
        slanted=0.93,
    ),
    "farmland": Style(
        block_m=(130, 200),
        elongation=(1.0, 1.6),
        warp_m=22.0,
        keep=0.6,
        unpaved=0.6,
        street_m=(4, 7),
        fills={
            "field": 9,
            "farm": 4,
            "forest": 2,
            "houses": 2.5,
            "pond": 0.5,
            "bare": 0.5,
        },
        house_m2=(190, 0.4),
        gap_m=(12, 30),
        setback_m=(5, 15),
        floors=1.4,
        vacancy=0.3,
        trees=14,
        roofs=_TILED | {"grey_metal": 2, "rusty_metal": 1, "white_metal": 1},
        slanted=0.9,
    ),
    "dry_town": Style(
        block_m=(58, 82),
        elongation=(1.0, 2.2),
        warp_m=7.0,
        keep=0.88,
        unpaved=0.75,
        street_m=(6, 9),
        fills={"houses": 12, "bare": 2, "halls": 0.6, "farm": 1.5},
        house_m2=(135, 0.35),
        gap_m=(3, 8),
        setback_m=(1.5, 6),
        floors=1.2,
        vacancy=0.14,
        trees=14,
        roofs=_METAL,
        slanted=0.5,
    ),
}
# How often each is a scene's main style.
STYLE_WEIGHTS = {
    "grid_suburb": 5.0,
    "curved_suburb": 3.5,
    "wooded_suburb": 1.5,
    "terraced_town": 2.0,
    "old_town": 1.5,
    "estate": 1.5,
    "commercial": 2.0,
    "village": 3.0,
    "farmland": 1.3,
    "dry_town": 2.0,
}

# Never drawn unless named: what networks of the towns above have not seen.
UNSEEN_STYLES: dict[str, Style] = {
    "informal_settlement": Style(
        block_m=(120, 190),
        elongation=(1.0, 1.8),
        warp_m=26.0,
        keep=0.3,
        unpaved=1.0,
        street_m=(3, 5),
        fills={"huts": 14, "bare": 1},
        house_m2=(24, 0.25),
        gap_m=(0.3, 1.5),
        setback_m=(0.2, 1),
        floors=1.0,
        vacancy=0.06,
        trees=3,
        roofs={"rusty_metal": 5, "grey_metal": 4, "white_metal": 1.2},
        slanted=0.0,
    ),
    "greenhouses": Style(
        block_m=(90, 150),
        elongation=(1.0, 1.8),
        warp_m=6.0,
        keep=0.85,
        unpaved=0.7,
        street_m=(4, 6),
        fills={"greenhouses": 14, "pond": 0.6, "farm": 0.6},
        house_m2=(160, 0.3),
        gap_m=(1, 4),
        setback_m=(2, 5),
        floors=1.3,
        vacancy=0.1,
        trees=3,
        roofs={"white_membrane": 5, "white_metal": 2, "grey_metal": 1},
        slanted=0.9,
    ),
}


def find_style(name: str) -> Style:
    """The style of a name, drawn by default or not; KeyError without one."""
    return STYLES[name] if name in STYLES else UNSEEN_STYLES[name]


def weights_of(names: Sequence[str]) -> dict[str, float]:
    """How often each of some styles is drawn, the others never.

    Args:
      names: Keys of `STYLES` or `UNSEEN_STYLES`, in any order.

    Returns:
      The weights of `STYLE_WEIGHTS`, and 1 for each unseen style, in one
      order: the same names give the same towns.

    Raises:
      ConfigError: No name, or one of no style.
    """
    known = STYLE_WEIGHTS | dict.fromkeys(UNSEEN_STYLES, 1.0)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ConfigError(
            f"styles {','.join(names) or '(none)'}: "
            f"no style {', '.join(unknown) or 'is named'}; there are "
            f"{', '.join(known)}"
        )
    return {name: known[name] for name in known if name in names}


def draw(rng: np.random.Generator, weights: dict[str, float]) -> str:
    """A key of `weights`, as often as its weight says."""
    level = rng.random() * sum(weights.values())
    for name, weight in weights.items():
        level -= weight
        if level < 0:
            return name
    return name

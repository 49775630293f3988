"""The site under construction: what stands, and what ground is taken."""

import dataclasses
import math

import numpy as np

from data_prep.simulation.buildings import Building
from data_prep.simulation.buildings import RoofKind
from data_prep.simulation.buildings import make_wing
from data_prep.simulation.buildings import make_wings
from data_prep.simulation.frames import Frame
from data_prep.simulation.occupancy import Occupancy
from data_prep.simulation.styles import Style


@dataclasses.dataclass(frozen=True)
class Patch:
    """Ground of one cover.

    Attributes:
      ring_m: [N, 2] outline.
      material: A key of `spectra.MATERIALS`.
      cars: Share of parking places that are taken; 0 where nobody parks.
    """

    ring_m: np.ndarray
    material: str
    cars: float = 0.0


class Site:
    """Collects buildings and grounds; what is taken stays taken.

    Attributes:
      rng: Source of chance.
      soil: Material of bare soil here.
      occupancy: Ground that is taken.
      buildings: So far.
      patches: So far; later ones lie over earlier ones.
      forests_m: Outlines [N, 2] of woods.
    """

    def __init__(
        self, rng: np.random.Generator, occupancy: Occupancy, soil: str
    ) -> None:
        self.rng = rng
        self.soil = soil
        self.occupancy = occupancy
        self.buildings: list[Building] = []
        self.patches: list[Patch] = []
        self.forests_m: list[np.ndarray] = []

    def build(
        self,
        frame: Frame,
        size_m: tuple[float, float],
        *,
        height_m: float,
        roof_material: str,
        shape: str = "box",
        roof: RoofKind = "flat",
        gap_m: float = 0.8,
    ) -> bool:
        """Adds a building if its ground is free; tells whether it was.

        Args:
          frame: Middle of its front.
          size_m: Along the front, and away from it.
          height_m: Of the roof.
          roof_material: A key of `spectra.MATERIALS`.
          shape: Of the footprint, see `make_wings`.
          roof: Kind of roof.
          gap_m: Ground that must be free around; negative to touch others.
        """
        wings = make_wings(
            self.rng, frame, size_m=size_m, shape=shape, roof=roof
        )
        if not all(self.occupancy.is_free(wing, gap_m) for wing in wings):
            return False
        for wing in wings:
            self.occupancy.take(wing.corners_m(-0.5))
        bright = math.exp(self.rng.normal(0, 0.2))
        self.buildings.append(
            Building(wings, max(height_m, 2.2), roof_material, bright)
        )
        return True

    def pave(
        self,
        frame: Frame,
        along_m: tuple[float, float],
        away_m: tuple[float, float],
        material: str,
        cars: float = 0.0,
    ) -> None:
        """Covers a rectangle; buildings may still stand on it."""
        ring = make_wing(frame, along_m, away_m).corners_m()
        self.patches.append(Patch(ring, material, cars))

    def cover(self, ring_m: np.ndarray, material: str, cars: float = 0) -> None:
        """Covers any polygon; buildings may still stand on it."""
        self.patches.append(Patch(ring_m, material, cars))

    def draw_roof(self, style: Style) -> RoofKind:
        """Flat or slanted, as is usual in the style."""
        if self.rng.random() >= style.slanted:
            return "flat"
        return "gable" if self.rng.random() < 0.6 else "hip"

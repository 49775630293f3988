"""Buildings: wings with roofs, joined into footprints of many shapes."""

import dataclasses
import math
from typing import Literal

import numpy as np
import shapely

from data_prep.simulation.frames import Frame

RoofKind = Literal["flat", "gable", "hip"]
# Wings reach so far into each other, so that their union has no slit.
_OVERLAP_M = 1.0


@dataclasses.dataclass(frozen=True)
class Wing:
    """A rectangle with one roof.

    Attributes:
      frame: Its centre, and the direction of its axis.
      length_m: Along the axis.
      width_m: Across it; not more than the length.
      roof: Kind of roof; ridges run along the axis.
    """

    frame: Frame
    length_m: float
    width_m: float
    roof: RoofKind

    def corners_m(self, grow_m: float = 0.0) -> np.ndarray:
        """[4, 2] corners (x, y), the rectangle grown on every side."""
        a, b = self.length_m / 2 + grow_m, self.width_m / 2 + grow_m
        return self.place_m(((-a, -b), (a, -b), (a, b), (-a, b)))

    def place_m(self, points: tuple[tuple[float, float], ...]) -> np.ndarray:
        """[N, 2] points given along and across the axis, placed."""
        frame = self.frame
        c, s = math.cos(frame.angle_rad), math.sin(frame.angle_rad)
        x, y = frame.x_m, frame.y_m
        return np.array(
            [(x + c * u - s * v, y + s * u + c * v) for u, v in points]
        )


@dataclasses.dataclass(frozen=True)
class Building:
    """One building.

    Attributes:
      wings: At least one; together the footprint.
      height_m: Roof above ground.
      roof_material: A key of `spectra.MATERIALS`.
      brightness: Factor on the material's reflectance.
    """

    wings: tuple[Wing, ...]
    height_m: float
    roof_material: str
    brightness: float

    @property
    def footprint(self) -> shapely.Polygon:
        """The union of the wings, metres (x right, y down)."""
        parts = shapely.polygons(
            np.stack([wing.corners_m() for wing in self.wings])
        )
        return parts[0] if len(parts) == 1 else shapely.union_all(parts)

    @property
    def centroid_m(self) -> tuple[float, float]:
        """(x, y) centre of mass of the footprint."""
        if len(self.wings) == 1:
            return self.wings[0].frame.x_m, self.wings[0].frame.y_m
        centre = self.footprint.centroid
        return centre.x, centre.y


def make_wing(
    frame: Frame,
    along_m: tuple[float, float],
    away_m: tuple[float, float],
    roof: RoofKind = "flat",
) -> Wing:
    """The rectangle between two distances along and two away."""
    centre = frame.moved(sum(along_m) / 2, sum(away_m) / 2)
    length, width = along_m[1] - along_m[0], away_m[1] - away_m[0]
    if length >= width:
        return Wing(centre, length, width, roof)
    return Wing(centre.turned(math.pi / 2), width, length, roof)


def make_wings(
    rng: np.random.Generator,
    frame: Frame,
    *,
    size_m: tuple[float, float],
    shape: str,
    roof: RoofKind,
) -> tuple[Wing, ...]:
    """Wings of a footprint that fills a rectangle.

    Args:
      rng: Source of chance.
      frame: Middle of the front, and the direction of the front.
      size_m: Along the front, and away from it.
      shape: "box", "l", "t", "u" or "court".
      roof: Kind of roof of every wing.
    """
    length, depth = size_m
    half = length / 2
    if shape == "box":
        return (make_wing(frame, (-half, half), (0, depth), roof),)
    if shape in "lt":
        bar = depth * rng.uniform(0.42, 0.6)
        arm = length * rng.uniform(0.3, 0.45)
        low = -half
        if shape == "t":
            low = rng.uniform(-0.2, 0.2) * length - arm / 2
        elif rng.random() < 0.5:
            low = half - arm
        return (
            make_wing(frame, (-half, half), (0, bar), roof),
            make_wing(frame, (low, low + arm), (bar - _OVERLAP_M, depth), roof),
        )
    thick = min(depth, length) * rng.uniform(0.24, 0.32)
    inner = (-half + thick - _OVERLAP_M, half - thick + _OVERLAP_M)
    wings = (
        make_wing(frame, (-half, -half + thick), (0, depth), roof),
        make_wing(frame, (half - thick, half), (0, depth), roof),
        make_wing(frame, inner, (0, thick), roof),
    )
    if shape == "u":
        return wings
    return (*wings, make_wing(frame, inner, (depth - thick, depth), roof))


def draw_height_m(rng: np.random.Generator, floors: float) -> float:
    """Height of a building of about so many floors; long tail upwards."""
    number = max(1.0, floors * math.exp(rng.normal(0, 0.32)))
    return float(number * 3.0 + rng.uniform(0.3, 1.8))

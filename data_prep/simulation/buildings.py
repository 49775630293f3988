"""Buildings: wings with roofs, joined into footprints of many shapes."""

import dataclasses
import math
from typing import Literal

import numpy as np
import shapely

RoofKind = Literal["flat", "gable", "hip"]
# Wings reach so far into each other, so that their union has no slit.
_OVERLAP_M = 1.0


@dataclasses.dataclass(frozen=True)
class Wing:
    """A rectangle with one roof.

    Attributes:
      centre_m: (x, y).
      length_m: Along its axis.
      width_m: Across it.
      angle_rad: Of the axis, from x towards y.
      roof: Kind of roof; ridges run along the axis.
    """

    centre_m: tuple[float, float]
    length_m: float
    width_m: float
    angle_rad: float
    roof: RoofKind

    def corners_m(self, grow_m: float = 0.0) -> np.ndarray:
        """[4, 2] corners, the rectangle grown on every side."""
        a, b = self.length_m / 2 + grow_m, self.width_m / 2 + grow_m
        return self.place_m(((-a, -b), (a, -b), (a, b), (-a, b)))

    def place_m(self, points: tuple[tuple[float, float], ...]) -> np.ndarray:
        """[N, 2] points given along and across the axis, placed."""
        c, s = math.cos(self.angle_rad), math.sin(self.angle_rad)
        x, y = self.centre_m
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
            return self.wings[0].centre_m
        centre = self.footprint.centroid
        return centre.x, centre.y


@dataclasses.dataclass(frozen=True)
class Frame:
    """A place and a direction: x along the street, y away from it."""

    origin_m: tuple[float, float]
    angle_rad: float

    def wing(
        self,
        along_m: tuple[float, float],
        deep_m: tuple[float, float],
        roof: RoofKind,
    ) -> Wing:
        """The wing between two distances along and two away."""
        u = (along_m[0] + along_m[1]) / 2
        v = (deep_m[0] + deep_m[1]) / 2
        c, s = math.cos(self.angle_rad), math.sin(self.angle_rad)
        centre = (
            self.origin_m[0] + c * u - s * v,
            self.origin_m[1] + s * u + c * v,
        )
        length, width = along_m[1] - along_m[0], deep_m[1] - deep_m[0]
        if length >= width:
            return Wing(centre, length, width, self.angle_rad, roof)
        return Wing(centre, width, length, self.angle_rad + math.pi / 2, roof)


def make_wings(
    rng: np.random.Generator,
    frame: Frame,
    *,
    length_m: float,
    depth_m: float,
    shape: str,
    roof: RoofKind,
) -> tuple[Wing, ...]:
    """Wings of a footprint that fills `length_m` x `depth_m`.

    Args:
      rng: Source of chance.
      frame: Middle of the front, and the direction of the front.
      length_m: Along the front.
      depth_m: Away from the street.
      shape: "box", "l", "t", "u" or "court".
      roof: Kind of roof of every wing.
    """
    half = length_m / 2
    if shape == "box":
        return (frame.wing((-half, half), (0, depth_m), roof),)
    bar = depth_m * rng.uniform(0.42, 0.6)
    arm = length_m * rng.uniform(0.3, 0.45)
    deep = (bar - _OVERLAP_M, depth_m)
    front = frame.wing((-half, half), (0, bar), roof)
    if shape == "l":
        side = (
            (-half, -half + arm) if rng.random() < 0.5 else (half - arm, half)
        )
        return front, frame.wing(side, deep, roof)
    if shape == "t":
        middle = rng.uniform(-0.2, 0.2) * length_m
        return front, frame.wing(
            (middle - arm / 2, middle + arm / 2), deep, roof
        )
    thick = min(bar, arm, depth_m / 3, length_m / 3)
    left = frame.wing((-half, -half + thick), (0, depth_m), roof)
    right = frame.wing((half - thick, half), (0, depth_m), roof)
    inner = (-half + thick - _OVERLAP_M, half - thick + _OVERLAP_M)
    front = frame.wing(inner, (0, thick), roof)
    if shape == "u":
        return left, right, front
    back = frame.wing(inner, (depth_m - thick, depth_m), roof)
    return left, right, front, back


def draw_height_m(rng: np.random.Generator, floors: float) -> float:
    """Height of a building of about so many floors; long tail upwards."""
    number = max(1.0, floors * math.exp(rng.normal(0, 0.32)))
    return float(round(number * 3.0 + rng.uniform(0.3, 1.8), 1))

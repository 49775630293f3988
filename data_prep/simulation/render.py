"""Paints a town: which surface lies where, how high, how bright."""

import dataclasses
import math

import cv2
import numpy as np

from data_prep.simulation.buildings import Building
from data_prep.simulation.buildings import Wing
from data_prep.simulation.crowns import CrownStamps
from data_prep.simulation.crowns import paint_forest
from data_prep.simulation.ground import paint_ground
from data_prep.simulation.noise import fractal_noise
from data_prep.simulation.noise import grain
from data_prep.simulation.occupancy import FIXED_BITS
from data_prep.simulation.occupancy import PIXEL_M
from data_prep.simulation.occupancy import draw_line
from data_prep.simulation.occupancy import fill_polygon
from data_prep.simulation.occupancy import to_fixed_px
from data_prep.simulation.palette import Palette
from data_prep.simulation.spectra import SEASON_CHANGE
from data_prep.simulation.spectra import select_bands
from data_prep.simulation.town import Town

_SHRINK_M = -PIXEL_M / 2  # OpenCV fills the border pixels too
_ROOF_TILT_DEG = 27.0


@dataclasses.dataclass(frozen=True)
class Painting:
    """Rasters of a town at 0.5 m, all [h, w].

    Attributes:
      surface: uint16, row of `spectra`.
      brightness: float32, factor on the spectrum: texture, roof slopes.
      height_m: float32, top of buildings and trees above the ground.
      building: uint8, 1 on footprints (trees do not hide them).
      road: uint8, 1 on streets.
      building_height_m: float32, 0 outside buildings.
      spectra: [N, 10] float32 percent, `spectra.SPECTRUM_BANDS`.
      season: [N] float32, how each surface follows the season.
    """

    surface: np.ndarray
    brightness: np.ndarray
    height_m: np.ndarray
    building: np.ndarray
    road: np.ndarray
    building_height_m: np.ndarray
    spectra: np.ndarray
    season: np.ndarray

    def cropped(self, margin_px: int) -> "Painting":
        """The painting without `margin_px` on each side."""
        if margin_px == 0:
            return self
        inner = np.s_[margin_px:-margin_px, margin_px:-margin_px]
        rasters = {
            field.name: np.ascontiguousarray(getattr(self, field.name)[inner])
            for field in dataclasses.fields(self)
            if field.name not in ("spectra", "season")
        }
        return dataclasses.replace(self, **rasters)

    def reflectance(self, bands: tuple[str, ...]) -> np.ndarray:
        """Reflectance in full sun and leaf, [C, h, w] float32."""
        table = select_bands(self.spectra, bands)
        planes = np.empty((len(bands), *self.surface.shape), np.float32)
        for plane, column in zip(planes, table.T, strict=True):
            # Rows are within the table; "clip" only spares a copy.
            np.take(
                np.ascontiguousarray(column),
                self.surface,
                out=plane,
                mode="clip",
            )
            plane *= self.brightness
        return planes

    def every_second(self) -> "Painting":
        """The painting at 1 m: surfaces of every second pixel, mean light.

        Its pixels are sampled a quarter of a metre off their middle.
        """
        size = tuple(n // 2 for n in self.surface.shape[::-1])
        rows, cols = 2 * size[1], 2 * size[0]
        rasters = {
            field.name: np.ascontiguousarray(
                getattr(self, field.name)[:rows:2, :cols:2]
            )
            for field in dataclasses.fields(self)
            if field.name not in ("spectra", "season", "brightness")
        }
        mean = cv2.resize(
            self.brightness[:rows, :cols], size, interpolation=cv2.INTER_AREA
        )
        return dataclasses.replace(self, brightness=mean, **rasters)

    def season_plane(self) -> np.ndarray:
        """[h, w] float32, factor on `season_change` of the bands."""
        return self.season[self.surface] * self.brightness

    @staticmethod
    def season_change(bands: tuple[str, ...]) -> np.ndarray:
        """[C] float32, reflectance added when leaves are gone."""
        return select_bands(SEASON_CHANGE, bands)


def paint(
    town: Town, rng: np.random.Generator, toward_sun_xy: tuple[float, float]
) -> Painting:
    """Paints a town.

    Args:
      town: Geometry.
      rng: Source of textures and colours.
      toward_sun_xy: Unit vector to the sun (x right, y down), which decides
        the bright side of roofs and crowns.
    """
    shape = round(town.height_m / PIXEL_M), round(town.width_m / PIXEL_M)
    palette = Palette(rng)
    surface = np.empty(shape, np.uint16)
    relief = np.ones(shape, np.float32)
    height = np.zeros(shape, np.float32)
    road = np.zeros(shape, np.uint8)
    building = np.zeros(shape, np.uint8)
    roof_height = np.zeros(shape, np.float32)
    paint_ground(surface, town, rng, palette)
    paint_forest(surface, relief, height, town, rng, palette)
    for street in town.streets:
        draw_line(road, street.line_m, 1, width_m=street.width_m)
    for item in town.buildings:
        ident = palette.add(item.roof_material, item.brightness)
        _paint_building(
            item, ident, surface, relief, roof_height, building, toward_sun_xy
        )
    _add_roof_details(town, rng, relief)
    np.maximum(height, roof_height, out=height)
    height[building > 0] = roof_height[building > 0]
    stamps = CrownStamps(rng, toward_sun_xy)
    stamps.plant(town, rng, palette, surface, relief, height)
    spectra, season, texture = palette.tables()
    coarse = fractal_noise(rng, *shape, cell_px=90, octaves=5, persistence=0.7)
    coarse *= np.float32(0.07)
    cv2.scaleAdd(grain(rng, *shape), 0.07, coarse, coarse)
    coarse *= np.take(texture, surface)
    brightness = relief * np.maximum(1 + coarse, np.float32(0.3))
    return Painting(
        surface=surface,
        brightness=brightness,
        height_m=height,
        building=building,
        road=road,
        building_height_m=roof_height,
        spectra=spectra,
        season=season,
    )


def _paint_building(
    item: Building,
    ident: int,
    surface: np.ndarray,
    relief: np.ndarray,
    roof_height: np.ndarray,
    building: np.ndarray,
    toward_sun_xy: tuple[float, float],
) -> None:
    for wing in item.wings:
        corners = to_fixed_px(wing.corners_m(_SHRINK_M))
        for plane, value in (
            (surface, ident),
            (building, 1),
            (roof_height, item.height_m),
            (relief, 1.0),
        ):
            cv2.fillConvexPoly(plane, corners, value, shift=FIXED_BITS)
        if wing.roof != "flat":
            for facet, looks in _roof_facets(wing):
                light = _facet_light(looks, toward_sun_xy)
                fill_polygon(relief, facet, light)


def _roof_facets(wing: Wing) -> list[tuple[np.ndarray, float]]:
    """Facets of a gable or hip roof: corners, and where each looks, rad."""
    a, b = wing.length_m / 2 + _SHRINK_M, wing.width_m / 2 + _SHRINK_M
    cut = min(b, a) if wing.roof == "hip" else 0.0
    ridge = a - cut
    facets = [
        (((-a, -b), (a, -b), (ridge, 0.0), (-ridge, 0.0)), -math.pi / 2),
        (((-a, b), (a, b), (ridge, 0.0), (-ridge, 0.0)), math.pi / 2),
    ]
    if cut:
        facets.append((((a, -b), (a, b), (ridge, 0.0)), 0.0))
        facets.append((((-a, -b), (-a, b), (-ridge, 0.0)), math.pi))
    return [
        (wing.place_m(points), wing.frame.angle_rad + looks)
        for points, looks in facets
    ]


def _facet_light(looks_rad: float, toward_sun_xy: tuple[float, float]) -> float:
    """Light on a slope over light on the flat, sun at 45 degrees.

    Lambert: cos(tilt) + sin(tilt) cot(elevation) cos(difference of azimuth),
    with a quarter of the light from the whole sky.
    """
    tilt = math.radians(_ROOF_TILT_DEG)
    facing = (
        math.cos(looks_rad) * toward_sun_xy[0]
        + math.sin(looks_rad) * toward_sun_xy[1]
    )
    return 0.25 + 0.75 * (math.cos(tilt) + math.sin(tilt) * facing)


def _add_roof_details(
    town: Town, rng: np.random.Generator, relief: np.ndarray
) -> None:
    """Machines, hatches and skylights on large flat roofs."""
    for item in town.buildings:
        for wing in item.wings:
            area = wing.length_m * wing.width_m
            if wing.roof != "flat" or area < 150:
                continue
            for _ in range(rng.poisson(min(area / 130, 14))):
                u, v = rng.uniform(-0.42, 0.42, 2)
                size = rng.uniform(0.5, 2.0, 2)
                x, y = u * wing.length_m, v * wing.width_m
                box = wing.place_m(
                    (
                        (x - size[0], y - size[1]),
                        (x + size[0], y - size[1]),
                        (x + size[0], y + size[1]),
                        (x - size[0], y + size[1]),
                    )
                )
                fill_polygon(relief, box, rng.choice((0.55, 0.75, 1.3)))

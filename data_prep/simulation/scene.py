"""One scene: a town in its place, seen at 50 cm and by Sentinel-2.

A scene depends on the seed and on the block of ground it lies in, on
nothing else: more scenes, or other shares, never change the others.
"""

import dataclasses
import json
from typing import Any

import cv2
import numpy as np

from data_prep.simulation.conditions import HEAVY_HAZE
from data_prep.simulation.conditions import Condition
from data_prep.simulation.conditions import to_eight_bit
from data_prep.simulation.light import cast_shadows
from data_prep.simulation.light import sun_at_overpass
from data_prep.simulation.occupancy import PIXEL_M
from data_prep.simulation.render import Painting
from data_prep.simulation.render import paint
from data_prep.simulation.sensor import MARGIN_M
from data_prep.simulation.sensor import S2_PIXEL_M
from data_prep.simulation.sensor import FrameConditions
from data_prep.simulation.sensor import SensorSettings
from data_prep.simulation.sensor import Stack
from data_prep.simulation.sensor import simulate_stack
from data_prep.simulation.snow import lay_snow
from data_prep.simulation.snow import snow_cover
from data_prep.simulation.spectra import SKY_LIGHT
from data_prep.simulation.spectra import select_bands
from data_prep.simulation.styles import STYLE_WEIGHTS
from data_prep.simulation.styles import weights_of
from data_prep.simulation.town import Town
from data_prep.simulation.town import make_town
from data_prep.simulation.view import View
from data_prep.simulation.view import draw_view
from data_prep.simulation.view import render_view
from s2distill.data.bands import S2_BANDS
from s2distill.data.bands import S2_QUANTIFICATION_DN
from s2distill.geo.grid import Grid

_DAY_S = 86_400
_YEAR_S = 365 * _DAY_S
_FIRST_TIME_S = 1_577_872_800  # 2020-01-01T10:00:00Z
_REVISIT_S = 5 * _DAY_S  # two satellites; ESA
MARGIN_PX = round(MARGIN_M / PIXEL_M)
_SENSOR_PIXEL_M = 1.0  # the optics see no half metres; a quarter of the work


@dataclasses.dataclass(frozen=True, kw_only=True)
class SceneSettings:
    """What all scenes of a run share.

    Attributes:
      seed: Another seed gives another world.
      bands: Names.
      height_px: Sentinel-2 rows.
      width_px: Sentinel-2 columns.
      frames: Number of dates.
      offset_dn: 0, or -1000 as since baseline 04.00.
      product_level: Written into the records; the model is of L2A.
      styles: Kinds of town that are drawn, see `styles.weights_of`.
      condition: What Sentinel-2 sees them under, on every date.
    """

    seed: int
    bands: tuple[str, ...]
    height_px: int
    width_px: int
    frames: int
    offset_dn: float = 0.0
    product_level: str = "L2A"
    styles: tuple[str, ...] = tuple(STYLE_WEIGHTS)
    condition: Condition = "ordinary"


@dataclasses.dataclass(frozen=True)
class Scene:
    """A scene whose truth is known.

    Attributes:
      town: Geometry; its extent has `MARGIN_M` around the tile.
      painting: Rasters of the whole extent.
      stack: Sentinel-2 frames of the tile.
      image: [h, w, 3] uint8, the 50 cm view of the tile.
      view: How the view was taken.
      grid: Where the tile lies, 10 m.
    """

    town: Town
    painting: Painting
    stack: Stack
    image: np.ndarray
    view: View
    grid: Grid


def make_scene(
    settings: SceneSettings,
    grid: Grid,
    place: tuple[int, int],
    style: str | None = None,
) -> Scene:
    """Builds a town and takes its pictures.

    Args:
      settings: Of the run.
      grid: Where the tile lies.
      place: Row and column of its block of ground; with the seed it decides
        everything else.
      style: Main style of the town; drawn when None.
    """
    rng = np.random.default_rng([settings.seed, *place])
    latitude = float(rng.choice((-1, 1), p=(0.3, 0.7)) * rng.uniform(3, 57))
    town = make_town(
        rng,
        height_m=settings.height_px * S2_PIXEL_M + 2 * MARGIN_M,
        width_m=settings.width_px * S2_PIXEL_M + 2 * MARGIN_M,
        style=style,
        weights=weights_of(settings.styles),
    )
    times = _draw_times(rng, settings.frames)
    sun = sun_at_overpass(latitude, int(rng.choice(times)))
    painting = paint(town, rng, sun.toward_xy)
    view = draw_view(rng)
    image = render_view(painting, sun, view, MARGIN_PX, rng)
    light = _SeasonalLight(painting, settings, latitude, rng)
    stack = simulate_stack(
        light.reflectance_at,
        times,
        SensorSettings(
            bands=settings.bands,
            pixel_m=_SENSOR_PIXEL_M,
            margin_m=MARGIN_M,
            offset_dn=settings.offset_dn,
            haze_depth=HEAVY_HAZE if settings.condition == "haze" else None,
        ),
        rng,
    )
    if settings.condition == "eight_bit":
        stack = dataclasses.replace(stack, dn=to_eight_bit(stack.dn))
    return Scene(town, painting, stack, image, view, grid)


def to_example(
    scene: Scene, settings: SceneSettings, key: str, *, labels: bool
) -> dict[str, Any]:
    """The record of a scene, as `s2distill/data/schema.py` lists it."""
    shape = scene.image.shape[:2]
    notes = {
        "simulated": True,
        "seed": settings.seed,
        "styles": scene.town.styles,
        "buildings": len(centroids_row_col_px(scene)),
        "shift_m": np.round(scene.stack.shift_m, 3).tolist(),
    }
    if settings.condition != "ordinary":
        notes["condition"] = settings.condition
    example: dict[str, Any] = {
        "key": key,
        "s2": {
            "image": scene.stack.dn,
            "valid": scene.stack.valid,
            "time_utc_s": scene.stack.time_utc_s,
        },
        "image": {
            "rgb": scene.image,
            "valid": np.ones(shape, np.uint8),
            "view_angle_deg": np.float32(scene.view.angle_deg),
            "view_azimuth_deg": np.float32(scene.view.azimuth_deg),
        },
        "meta": {
            "crs": scene.grid.crs,
            "transform": np.array(scene.grid.transform, np.float64),
            "product_level": settings.product_level,
            "quantification_dn": np.float32(S2_QUANTIFICATION_DN),
            "offset_dn": np.float32(settings.offset_dn),
            "provenance": json.dumps(notes, sort_keys=True),
        },
    }
    if labels:
        example["label"] = make_labels(scene)
    return example


def make_labels(scene: Scene) -> dict[str, np.ndarray]:
    """The truth of the tile: [h, w] arrays of the group `label`."""
    from data_prep.rasterize import CENTROID_SIGMA_M
    from data_prep.rasterize import make_centroid_density

    inner = np.s_[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
    building = np.ascontiguousarray(scene.painting.building[inner])
    height, width = building.shape
    density = make_centroid_density(
        centroids_row_col_px(scene),
        height,
        width,
        sigma_px=CENTROID_SIGMA_M / PIXEL_M,
    )
    height_m = scene.painting.building_height_m[inner]
    return {
        "valid": np.ones(building.shape, np.uint8),
        "building": building,
        "centroid_density": density.astype(np.float16),
        "road": np.ascontiguousarray(scene.painting.road[inner]),
        "height_m": height_m.astype(np.float16),
    }


def centroids_row_col_px(scene: Scene) -> np.ndarray:
    """[N, 2] float, centroids inside the tile, in label pixels.

    Pixel (0, 0) reaches from 0 to 1: its centre is (0.5, 0.5).
    """
    points = np.array([b.centroid_m for b in scene.town.buildings])
    if not len(points):
        return np.zeros((0, 2))
    row_col = (points[:, ::-1] - MARGIN_M) / PIXEL_M
    size = scene.image.shape[:2]
    inside = np.all((row_col >= 0) & (row_col < size), axis=1)
    return row_col[inside]


class _SeasonalLight:
    """Reflectance of a painting under the sun and in the season of a date."""

    def __init__(
        self,
        painting: Painting,
        settings: SceneSettings,
        latitude_deg: float,
        rng: np.random.Generator,
    ) -> None:
        bands = settings.bands
        size = tuple(n // 2 for n in painting.surface.shape[::-1])
        half = painting.every_second()
        self._planes = np.empty((len(bands), *size[::-1]), np.float32)
        for index, band in enumerate(bands):
            if S2_BANDS[band].gsd_m > S2_PIXEL_M:
                # Exact enough for 20 m, at a quarter of the work.
                self._planes[index] = half.reflectance((band,))[0]
            else:
                fine = painting.reflectance((band,))[0]
                cv2.resize(
                    fine,
                    size,
                    self._planes[index],
                    interpolation=cv2.INTER_AREA,
                )
        self._leaf = half.season_plane()
        if settings.condition == "snow":
            # A child's chance: the dates stay those of the ordinary world.
            cover = snow_cover(half, rng.spawn(1)[0])
            lay_snow(self._planes, cover, half.brightness, bands)
            self._leaf *= 1 - cover
        self._height_m = half.height_m
        self._change = painting.season_change(bands)
        self._dark = 1 - select_bands(SKY_LIGHT, bands)
        self._latitude_deg = latitude_deg
        self._lit = np.empty_like(self._planes)  # used again by each date
        # How far leaves fall: little in the tropics.
        self._swing = min(1.0, abs(latitude_deg) / 35) * rng.uniform(0.5, 1.0)
        self._greenest = rng.normal(0.5 if latitude_deg > 0 else 0.0, 0.06)

    def reflectance_at(self, conditions: FrameConditions) -> np.ndarray:
        """[C, h, w] float32 on the date; the next call overwrites it."""
        time = conditions.time_utc_s
        sun = sun_at_overpass(self._latitude_deg, time)
        shadow = cast_shadows(self._height_m, sun, _SENSOR_PIXEL_M)
        bareness = self._bareness(time)
        light = np.empty_like(shadow)
        for index, plane in enumerate(self._planes):
            lit = self._lit[index]
            change = float(bareness * self._change[index])
            cv2.scaleAdd(self._leaf, change, plane, lit)
            np.multiply(shadow, -self._dark[index], out=light)
            light += np.float32(1.0)
            lit *= light
        return self._lit

    def _bareness(self, time_utc_s: int) -> np.float32:
        """0 in full leaf, up to 1 in winter."""
        phase = (time_utc_s - _FIRST_TIME_S) / _YEAR_S - self._greenest
        wave = 0.5 - 0.5 * np.cos(2 * np.pi * phase)
        return np.float32(self._swing * wave)


def _draw_times(rng: np.random.Generator, number: int) -> np.ndarray:
    """[number] ascending acquisition times within about a year."""
    slots = max(number * 2, round(_YEAR_S / _REVISIT_S))
    picked = np.sort(rng.choice(slots, number, replace=False))
    start = _FIRST_TIME_S + int(rng.integers(0, 4)) * _YEAR_S
    return (start + picked * _REVISIT_S).astype(np.int64)

"""One town as a user would bring it: GeoTIFFs and GeoJSON."""

import json
import os
import pathlib
import zlib
from typing import Any

import numpy as np
import shapely

from data_prep.simulation.frame_files import write_frames
from data_prep.simulation.frame_files import write_raster
from data_prep.simulation.placement import CRS
from data_prep.simulation.scene import MARGIN_PX
from data_prep.simulation.scene import Scene
from data_prep.simulation.scene import SceneSettings
from data_prep.simulation.scene import make_scene
from data_prep.simulation.sensor import MARGIN_M
from s2distill.atomic_write import atomic_directory
from s2distill.geo.grid import Grid

LABEL_FACTOR = 20
# Records lie from 200 km east and 1,000 km north on; this town lies south
# and west of all of them, so that no training set has seen it.
_LEFT_M = 180_000.0
_TOP_M = 900_000.0


def write_town_files(
    directory: str | os.PathLike[str],
    settings: SceneSettings,
    *,
    overwrite: bool = False,
    style: str | None = None,
) -> Scene:
    """Writes one town that no record holds.

        DIR/sentinel2/YYYY-MM-DD.tif  one file a date, digital numbers
        DIR/image.tif                 50 cm red green blue
        DIR/truth.tif                 50 cm building, road, height in metres
        DIR/buildings.geojson         polygons with height_m
        DIR/roads.geojson             centre lines with width_m, paved

    Args:
      directory: Folder to write, whole or not at all.
      settings: Size, bands, frames, seed.
      overwrite: Replace a folder that exists.
      style: Main style of the town; drawn when None.

    Returns:
      The scene.
    """
    grid = Grid(
        CRS,
        (10.0, 0.0, _LEFT_M, 0.0, -10.0, _TOP_M),
        settings.height_px,
        settings.width_px,
    )
    place = (zlib.crc32(b"town files"), 0)
    scene = make_scene(settings, grid, place, style)
    with atomic_directory(directory, overwrite=overwrite) as folder:
        (folder / "sentinel2").mkdir()
        write_frames(
            folder / "sentinel2",
            scene.stack,
            scene.grid,
            bands=settings.bands,
            offset_dn=settings.offset_dn,
            product_level=settings.product_level,
        )
        fine = grid.refined(LABEL_FACTOR)
        write_raster(
            folder / "image.tif",
            fine,
            np.moveaxis(scene.image, -1, 0),
            ("red", "green", "blue"),
        )
        inner = np.s_[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
        painting = scene.painting
        truth = [
            plane[inner].astype(np.float32)
            for plane in (
                painting.building,
                painting.road,
                painting.building_height_m,
            )
        ]
        write_raster(
            folder / "truth.tif",
            fine,
            np.stack(truth),
            ("building", "road", "height_m"),
        )
        _write_features(folder / "buildings.geojson", _buildings(scene))
        _write_features(folder / "roads.geojson", _roads(scene))
    return scene


def _buildings(scene: Scene) -> list[dict[str, Any]]:
    return [
        _feature(scene, item.footprint, {"height_m": round(item.height_m, 2)})
        for item in scene.town.buildings
        if _is_seen(scene, item.footprint)
    ]


def _roads(scene: Scene) -> list[dict[str, Any]]:
    features = []
    for street in scene.town.streets:
        line = shapely.LineString(street.line_m)
        if _is_seen(scene, line):
            properties = {
                "width_m": round(street.width_m, 2),
                "paved": street.paved,
            }
            features.append(_feature(scene, line, properties))
    return features


def _is_seen(scene: Scene, geometry: shapely.Geometry) -> bool:
    height, width = scene.grid.height * 10.0, scene.grid.width * 10.0
    tile = shapely.box(MARGIN_M, MARGIN_M, MARGIN_M + width, MARGIN_M + height)
    return bool(shapely.intersects(tile, geometry))


def _feature(
    scene: Scene, geometry: shapely.Geometry, properties: dict[str, Any]
) -> dict[str, Any]:
    left, _, _, top = scene.grid.bounds

    def to_map(points: np.ndarray) -> np.ndarray:
        return np.column_stack(
            [left + points[:, 0] - MARGIN_M, top - points[:, 1] + MARGIN_M]
        ).round(2)

    return {
        "type": "Feature",
        "properties": properties,
        "geometry": shapely.geometry.mapping(
            shapely.transform(geometry, to_map)
        ),
    }


def _write_features(path: pathlib.Path, features: list[Any]) -> None:
    # RFC 7946 wants degrees; the member "crs" of GeoJSON 2008, which GDAL
    # reads and writes, keeps metres exact.
    name = f"urn:ogc:def:crs:{CRS.replace(':', '::')}"
    content = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": name}},
        "features": features,
    }
    path.write_text(json.dumps(content), encoding="utf-8")

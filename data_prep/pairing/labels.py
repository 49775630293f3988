"""Vector labels of a place, drawn on the label grid of each tile."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely

from data_prep.pairing.image import Bounds
from data_prep.pairing.image import Image
from data_prep.pairing.image import format_bounds
from data_prep.rasterize import CENTROID_SIGMA_M
from data_prep.rasterize import find_centroids
from data_prep.rasterize import make_centroid_density
from data_prep.rasterize import rasterize_mask
from data_prep.rasterize import rasterize_values
from s2distill.errors import ConfigError
from s2distill.errors import GridError
from s2distill.errors import VectorError
from s2distill.geo.grid import Grid
from s2distill.geo.vector import Features
from s2distill.geo.vector import read_features
from s2distill.geo.vector import read_lines_or_polygons


class Layer:
    """Geometries with a value each, found quickly by place."""

    def __init__(
        self, geometries: np.ndarray, values: np.ndarray | None = None
    ) -> None:
        self.geometries = geometries
        self.values = values
        self._tree = shapely.STRtree(geometries)

    def touches(self, bounds: Bounds) -> bool:
        """True where a geometry meets the bounds."""
        box = shapely.box(*bounds)
        return bool(self._tree.query(box, predicate="intersects").size)

    def near(self, grid: Grid) -> tuple[np.ndarray, np.ndarray | None]:
        """Geometries whose bounds meet the grid, and their values."""
        found = np.sort(self._tree.query(shapely.box(*grid.bounds)))
        values = None if self.values is None else self.values[found]
        return self.geometries[found], values


@dataclasses.dataclass(frozen=True, kw_only=True)
class Labels:
    """What is known of a place; None = nobody says.

    Attributes:
      buildings: Polygons, one a building; values are heights in m if known.
      roads: Polygons of the carriageways.
      area: Polygons in which the labels are complete; None = wherever the
        image shows the ground.
      notes: Geometries mended and dropped, by layer, for the provenance.
    """

    buildings: Layer | None = None
    roads: Layer | None = None
    area: Layer | None = None
    notes: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def fields(self) -> tuple[str, ...]:
        """Optional fields of the records that these labels fill."""
        found = []
        if self.buildings is not None:
            found.append("building")
        if self.roads is not None:
            found.append("road")
        if self.buildings is not None and self.buildings.values is not None:
            found.append("height")
        return tuple(found)

    def draw(self, grid: Grid, image_valid: np.ndarray) -> dict[str, Any]:
        """Draws the group `label` of a record.

        Args:
          grid: [h, w] label grid, in the CRS of the labels.
          image_valid: [h, w] uint8.

        Returns:
          Arrays as `s2distill/data/schema.py` lists them; 0 where nobody
          labelled, heights there and where unknown NaN.
        """
        valid = image_valid
        if self.area is not None:
            # Ground that the image does not show is no place to learn from.
            valid = image_valid * rasterize_mask(self.area.near(grid)[0], grid)
        drawn: dict[str, Any] = {"valid": valid.astype(np.uint8)}
        if self.buildings is not None:
            drawn.update(self._draw_buildings(grid, drawn["valid"]))
        if self.roads is not None:
            road = rasterize_mask(self.roads.near(grid)[0], grid)
            drawn["road"] = road * drawn["valid"]
        return drawn

    def _draw_buildings(
        self, grid: Grid, valid: np.ndarray
    ) -> dict[str, np.ndarray]:
        polygons, heights_m = self.buildings.near(grid)
        density = make_centroid_density(
            find_centroids(polygons, grid),
            grid.height,
            grid.width,
            sigma_px=CENTROID_SIGMA_M / grid.pixel_size[0],
        )
        drawn = {
            "building": rasterize_mask(polygons, grid) * valid,
            "centroid_density": (density * valid).astype(np.float16),
        }
        if heights_m is not None:
            height_m = rasterize_values(polygons, heights_m, grid)
            height_m[valid == 0] = np.nan
            drawn["height_m"] = height_m.astype(np.float16)
        return drawn


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelFiles:
    """Files of labels; "" = not given.

    Attributes:
      buildings: Polygons.
      height_field: Attribute of `buildings`, in m.
      roads: Polygons, or centre lines.
      road_width_m: Width of centre lines; None = not given.
      road_width_field: Attribute of `roads`, in m; where it is missing,
        `road_width_m` holds.
      area: Polygons in which labels are complete.
    """

    buildings: str = ""
    height_field: str = ""
    roads: str = ""
    road_width_m: float | None = None
    road_width_field: str = ""
    area: str = ""


def read_labels(files: LabelFiles, crs: str) -> Labels:
    """Reads labels into a CRS.

    Args:
      files: Where they are.
      crs: Of the records.

    Raises:
      VectorError: A file cannot be read or holds nothing usable.
      ConfigError: A setting without its file, or roads without a width.
    """
    _check(files)
    layers: dict[str, Layer] = {}
    notes: dict[str, Any] = {}
    if files.buildings:
        found = read_features(
            files.buildings, crs, value_field=files.height_field or None
        )
        heights_m = found.values
        if heights_m is not None:
            # A height of 0 or less stands for "unknown" in many registers.
            heights_m = np.where(heights_m > 0, heights_m, np.nan)
        layers["buildings"] = Layer(found.geometries, heights_m)
        notes["buildings"] = _note(found)
    if files.roads:
        found = read_lines_or_polygons(
            files.roads, crs, width_field=files.road_width_field or None
        )
        carriageways, without = _widen(found, files)
        layers["roads"] = Layer(carriageways)
        notes["roads"] = {**_note(found), "lines without width": without}
    if files.area:
        found = read_features(files.area, crs)
        layers["area"] = Layer(found.geometries)
        notes["labels_area"] = _note(found)
    return Labels(**layers, notes=notes)


def check_labels_overlap(labels: Labels, image: Image, grid: Grid) -> None:
    """Refuses labels that lie nowhere on the picture.

    Drawn there they would say "no building" of every roof: a wrong CRS, not
    an empty place. Of an empty place `area` says that somebody looked.

    Args:
      labels: In the CRS of the grid.
      image: The picture.
      grid: Of the records.

    Raises:
      GridError: Buildings or roads are given, none on the picture.
    """
    if labels.area is not None:
        return
    bounds = image.bounds_in(grid.crs)
    for name in ("buildings", "roads"):
        layer = getattr(labels, name)
        if layer is None or layer.touches(bounds):
            continue
        own = tuple(shapely.total_bounds(layer.geometries))
        raise GridError(
            f"none of the {len(layer.geometries)} {name} "
            f"({format_bounds(own)}) lies on {image.path} "
            f"({format_bounds(bounds)}) in {grid.crs}; check --image_crs, "
            "--image_transform and the CRS of the vector file, or say with "
            "--labels_area where the labels are complete"
        )


def _check(files: LabelFiles) -> None:
    if files.height_field and not files.buildings:
        raise ConfigError(
            f"--height_field={files.height_field} without --buildings; give "
            "the file that has the field"
        )
    has_width = files.road_width_m is not None or files.road_width_field
    if has_width and not files.roads:
        raise ConfigError(
            "--road_width_m or --road_width_field without --roads; give the "
            "file of the roads"
        )
    if files.area and not (files.buildings or files.roads):
        raise ConfigError(
            f"--labels_area={files.area} without --buildings or --roads; give "
            "the labels that are complete there"
        )


def _note(found: Features) -> dict[str, Any]:
    return {
        "used": len(found.geometries),
        "mended": found.repaired,
        "dropped": found.dropped,
    }


def _widen(found: Features, files: LabelFiles) -> tuple[np.ndarray, int]:
    """Polygons of the carriageways, and how many lines had no width."""
    geometries = found.geometries
    widths_m = np.full(len(geometries), np.nan)
    if found.values is not None:
        widths_m = np.where(found.values > 0, found.values, np.nan)
    if files.road_width_m is not None:
        widths_m = np.where(np.isnan(widths_m), files.road_width_m, widths_m)
    is_area = shapely.get_dimensions(geometries) == 2
    usable = is_area | (widths_m > 0)
    if not usable.any():
        raise VectorError(
            f"{files.roads} holds centre lines and no width; give "
            "--road_width_m=METRES or --road_width_field=NAME"
        )
    polygons = geometries.copy()
    lines = usable & ~is_area
    polygons[lines] = shapely.buffer(geometries[lines], widths_m[lines] / 2)
    return polygons[usable], int(np.count_nonzero(~usable))

"""One record of a place: picture, labels and frames of one tile."""

import dataclasses
import json
from typing import Any

import numpy as np

from data_prep.pairing.frames import Frames
from data_prep.pairing.image import Image
from data_prep.pairing.labels import Labels
from data_prep.pairing.pair_grid import LABEL_FACTOR
from data_prep.pairing.tiles import Tile
from s2distill.geo.grid import Grid

OUTSIDE_IMAGE = "outside the image"
NO_VALID_FRAME = "no valid frame"
NO_LABELLED_GROUND = "no labelled ground"
HELD_OUT_WITHOUT_LABELS = "in a held-out block, and there are no labels"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """Everything that is known of a place.

    Attributes:
      name: Begins the keys of its records.
      image: The 50 cm picture.
      labels: In the CRS of the records.
      frames: Sentinel-2 frames.
      bands: Names of the bands of the records.
      shift_x_y_m: By how much picture and labels must move to the east and
        to the north to lie on the frames.
      view_deg: Angle of the picture's view off nadir, and azimuth in which
        roofs lean in it, clockwise from north; None where nobody knows.
      min_image_share: Share of a tile that the picture must show.
      provenance: JSON-able, the same for each record.
    """

    name: str
    image: Image
    labels: Labels
    frames: Frames
    bands: tuple[str, ...]
    shift_x_y_m: tuple[float, float]
    view_deg: tuple[float, float] | None
    min_image_share: float
    provenance: dict[str, Any]

    @property
    def fields(self) -> tuple[str, ...]:
        """Those of `schema.OPTIONAL_FIELDS` that its records hold."""
        view = () if self.view_deg is None else ("view",)
        return ("image", *view, *self.labels.fields)

    def make_example(self, tile: Tile) -> dict[str, Any] | str:
        """The record of a tile, or the reason why there is none."""
        if tile.split != "train" and not self.labels.fields:
            return HELD_OUT_WITHOUT_LABELS
        # What lies there once picture and labels are moved.
        fine = move_grid(
            tile.grid, *(-shift for shift in self.shift_x_y_m)
        ).refined(LABEL_FACTOR)
        rgb, image_valid = self.image.read(fine)
        if not image_valid.any() or image_valid.mean() < self.min_image_share:
            return OUTSIDE_IMAGE
        dn, valid = self.frames.read(self.bands, tile.grid)
        shows_ground = valid.any(axis=(1, 2))
        if not shows_ground.any():
            return NO_VALID_FRAME
        dn, valid = dn[shows_ground], valid[shows_ground]
        times = np.array(self.frames.times_utc_s, np.int64)[shows_ground]
        example = {
            "key": self._key(tile.grid),
            "s2": {
                "image": dn * valid[..., None].astype(np.uint16),
                "valid": valid.astype(np.uint8),
                "time_utc_s": times,
            },
            "image": {"rgb": rgb, "valid": image_valid},
            "meta": self._meta(tile.grid),
        }
        if self.view_deg is not None:
            angle_deg, azimuth_deg = map(np.float32, self.view_deg)
            example["image"] |= {
                "view_angle_deg": angle_deg,
                "view_azimuth_deg": azimuth_deg,
            }
        if self.labels.fields:
            example["label"] = self.labels.draw(fine, image_valid)
            if not example["label"]["valid"].any():
                return NO_LABELLED_GROUND
        return example

    def _key(self, grid: Grid) -> str:
        left, _, _, top = grid.bounds
        return f"{self.name}-{left:.10g}-{top:.10g}"

    def _meta(self, grid: Grid) -> dict[str, Any]:
        return {
            "crs": grid.crs,
            "transform": np.array(grid.transform, np.float64),
            "product_level": self.frames.product_level,
            "quantification_dn": np.float32(self.frames.quantification_dn),
            "offset_dn": np.float32(self.frames.offset_dn),
            "provenance": json.dumps(self.provenance, sort_keys=True),
        }


def move_grid(grid: Grid, x_m: float, y_m: float) -> Grid:
    """The grid displaced to the east and to the north."""
    a, b, c, d, e, f = grid.transform
    return dataclasses.replace(grid, transform=(a, b, c + x_m, d, e, f + y_m))

"""The one description that every kind of input is opened into.

A subject is a list of places; a place is a list of frames on one grid. A
folder of records has many places of some frames, a folder of GeoTIFFs one
place of many, an image one place of one. Values are kept as they are stored:
the doctor judges them before anybody scales or masks them.
"""

import dataclasses
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

import numpy as np

from data_prep.diagnosis.finding import Finding
from s2distill.data.bands import S2_QUANTIFICATION_DN
from s2distill.geo.grid import Grid

if TYPE_CHECKING:
    from s2distill.data.normalize import BandStatistics

Kind = Literal[
    "records",
    "earth_engine_image",
    "earth_engine_table",
    "geotiff_frames",
    "geotiff_series",
    "image",
]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One date of one place.

    Attributes:
      name: For messages: a file, or "frame 3 of KEY".
      bands: Names of the C bands: of the band table where they are known,
        else what the file calls them.
      values: [H, W, C] as stored, NaN included.
      inside: [H, W] bool, True where the input itself says that the ground
        is seen: not nodata, not masked.
      time_utc_s: Seconds since 1970; None where nothing tells.
      product_level: "L1C", "L2A", or "" where nothing tells.
      quantification_dn: DN per unit reflectance.
      offset_dn: Added to DN before division.
    """

    name: str
    bands: tuple[str, ...]
    values: np.ndarray
    inside: np.ndarray
    time_utc_s: int | None = None
    product_level: str = ""
    quantification_dn: float = float(S2_QUANTIFICATION_DN)
    offset_dn: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W), pixels."""
        return self.values.shape[0], self.values.shape[1]

    def band(self, name: str) -> np.ndarray:
        """[H, W] values of one band."""
        return self.values[..., self.bands.index(name)]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """Frames of one piece of ground, on one grid.

    Attributes:
      name: Key of a record, or what tells this place from others; "" where
        there is one.
      frames: In the order of the input.
      grid: Where the frames lie; None where nobody knows.
      split: Of a record; "" elsewhere.
      block_px: Side of the windows that `frames` were put together from;
        None where they are one piece.
      picture: [h, w, 3] uint8, the 50 cm image, thinned; None without one.
    """

    name: str
    frames: tuple[Frame, ...]
    grid: Grid | None = None
    split: str = ""
    block_px: int | None = None
    picture: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Footprint:
    """Where one record lies.

    Attributes:
      key: Of the record.
      split: Of the record.
      crs: Of the bounds.
      bounds: (left, bottom, right, top).
    """

    key: str
    split: str
    crs: str
    bounds: tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelFacts:
    """What the labels of the records that were looked at hold.

    Attributes:
      records: How many were looked at.
      labelled_share: Share of the label pixels that are labelled.
      building_share: Share of the labelled pixels that are building; None
        without that field.
      road_share: Likewise of roads.
      buildings: Sum of the centroid density; None without that field.
      unlabelled: Keys of records with no labelled pixel.
      no_building: Keys of records with no building pixel.
      unlabelled_image: Keys of records whose labels lie, by more than a tenth,
        where the image shows nothing.
    """

    records: int
    labelled_share: float
    building_share: float | None
    road_share: float | None
    buildings: float | None
    unlabelled: tuple[str, ...]
    no_building: tuple[str, ...]
    unlabelled_image: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordFacts:
    """What only records have.

    Attributes:
      directories: The folders.
      fields: Optional fields that every folder holds.
      tile_px: Sides of the tiles, Sentinel-2 pixels, each once.
      label_factor: Label pixels per Sentinel-2 pixel and axis.
      counts: Records by split.
      split_rule: As the manifest tells it; None if split by hand.
      footprints: Of the records whose place was read.
      labels: None without labels.
      dropped: Tiles that were left out, by reason.
    """

    directories: tuple[str, ...]
    fields: tuple[str, ...]
    tile_px: tuple[int, ...]
    label_factor: int
    counts: dict[str, int]
    split_rule: dict[str, Any] | None
    footprints: tuple[Footprint, ...]
    labels: LabelFacts | None
    dropped: dict[str, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Column:
    """One property of a table export.

    Attributes:
      name: Of the property.
      kind: "float", "int64", "bytes" or "nothing".
      count: Records that have it.
      missing: Records that lack it, or hold NaN.
      percentiles: 0, 16, 50, 84, 100 of its numbers; () for text.
      distinct: Number of different values, at most 100 counted.
    """

    name: str
    kind: str
    count: int
    missing: int
    percentiles: tuple[float, ...]
    distinct: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Subject:
    """An input, opened.

    Attributes:
      kind: What it is.
      source: As the user named it.
      records: Records, patches or files; rows of a table.
      shape: Of one record, patch or stack: [T, H, W, C], or [H, W, C] where
        there are no dates. None where sizes differ.
      bands: Names of the C bands.
      places: Those that were looked at.
      looked_at: A sentence: how much of the input that was.
      findings: What opening it already told.
      crs: Of the first place; None where nobody knows.
      transform: Affine a b c d e f of the first place, or of the whole
        image; None where nobody knows.
      frames: Frames of a place; the greatest number where they differ.
      pixel_m: Ground size of a pixel, metres; None where nobody knows.
      nan_share: Share of NaN where the input has more planes than bands; None
        elsewhere, where the frames tell.
      statistics: Band statistics that lie beside records.
      record_facts: What only records have.
      columns: What only tables have.
    """

    kind: Kind
    source: str
    records: int
    shape: tuple[int | None, ...]
    bands: tuple[str, ...]
    places: tuple[Place, ...]
    looked_at: str
    findings: tuple[Finding, ...] = ()
    crs: str | None = None
    transform: tuple[float, ...] | None = None
    frames: int = 0
    pixel_m: float | None = None
    nan_share: float | None = None
    statistics: "BandStatistics | None" = None
    record_facts: RecordFacts | None = None
    columns: tuple[Column, ...] = ()

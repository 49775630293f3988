"""One grid: where an array of pixels lies on the ground.

The six numbers of a transform are in affine order a b c d e f:
x = a * col + b * row + c, y = d * col + e * row + f. Bounds are (left,
bottom, right, top). Pixels are addressed (row, col), from the top left.
"""

import dataclasses
import math
from typing import Any

import rasterio
import rasterio.crs
import rasterio.errors

from s2distill.errors import GridError


@dataclasses.dataclass(frozen=True)
class Grid:
    """A north-up (or south-up) raster grid.

    Attributes:
      crs: "EPSG:32616", or WKT where no authority code exists.
      transform: Affine (a, b, c, d, e, f); b and d are 0.
      height: Rows.
      width: Columns.
    """

    crs: str
    transform: tuple[float, float, float, float, float, float]
    height: int
    width: int

    def __post_init__(self) -> None:
        a, b, _, d, e, _ = self.transform
        if b != 0 or d != 0:
            raise GridError(
                f"rotated transform {self.transform}: warp the raster to a "
                "north-up grid first (gdalwarp)"
            )
        if a <= 0 or e == 0 or not all(map(math.isfinite, self.transform)):
            raise GridError(f"transform {self.transform} has no pixel size")
        if self.height < 1 or self.width < 1:
            raise GridError(f"grid of {self.height} x {self.width} px is empty")

    @property
    def pixel_size(self) -> tuple[float, float]:
        """(x, y) size of a pixel in units of the CRS, both positive."""
        return self.transform[0], abs(self.transform[4])

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) in units of the CRS."""
        a, _, left, _, e, y0 = self.transform
        y1 = y0 + e * self.height
        return left, min(y0, y1), left + a * self.width, max(y0, y1)

    @property
    def is_projected(self) -> bool:
        """True where the CRS has metres, so that `pixel_size` is in m."""
        return parse_crs(self.crs).is_projected

    @property
    def affine(self) -> rasterio.Affine:
        """The transform as rasterio wants it."""
        return rasterio.Affine(*self.transform)

    def refined(self, factor: int) -> "Grid":
        """The grid with each pixel cut into `factor` x `factor`."""
        a, b, c, d, e, f = self.transform
        return Grid(
            self.crs,
            (a / factor, b, c, d, e / factor, f),
            self.height * factor,
            self.width * factor,
        )

    def coarsened(self, factor: int) -> "Grid":
        """The grid with blocks of `factor` x `factor` joined; exact only."""
        if self.height % factor or self.width % factor:
            raise GridError(
                f"{self.height} x {self.width} px do not divide by {factor}"
            )
        a, b, c, d, e, f = self.transform
        return Grid(
            self.crs,
            (a * factor, b, c, d, e * factor, f),
            self.height // factor,
            self.width // factor,
        )

    def cropped(self, row: int, col: int, height: int, width: int) -> "Grid":
        """The grid of a window; it may reach past the edge."""
        a, b, c, d, e, f = self.transform
        return Grid(
            self.crs, (a, b, c + col * a, d, e, f + row * e), height, width
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, read back by `from_json`."""
        return {**dataclasses.asdict(self), "transform": list(self.transform)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Grid":
        """The grid that `to_json` wrote."""
        return cls(
            crs=content["crs"],
            transform=tuple(content["transform"]),
            height=content["height"],
            width=content["width"],
        )


def parse_crs(crs: str) -> rasterio.crs.CRS:
    """The rasterio CRS of "EPSG:32616" or WKT; GridError if unknown."""
    try:
        return rasterio.crs.CRS.from_user_input(crs)
    except (rasterio.errors.CRSError, ValueError) as error:
        raise GridError(f"unknown CRS {crs!r}: {error}") from error


def format_crs(crs: rasterio.crs.CRS) -> str:
    """An authority code such as "EPSG:32616" where there is one, else WKT."""
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else crs.to_wkt()

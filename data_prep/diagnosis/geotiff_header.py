"""What a raster file says of itself, read without its pixels."""

import dataclasses
import math
import os
from collections.abc import Mapping

from s2distill.errors import GridError
from s2distill.errors import RasterError
from s2distill.geo.grid import Grid
from s2distill.geo.raster import grid_of
from s2distill.geo.raster import open_raster

_METRES_PER_DEGREE = 111_320.0  # of the equator, WGS 84


@dataclasses.dataclass(frozen=True, kw_only=True)
class Header:
    """One raster file.

    Attributes:
      path: As it was found.
      grid: Where it lies; None where it does not say.
      height: Rows.
      width: Columns.
      dtype: Of its first band.
      descriptions: Names of its bands, None where one has none.
      tags: Of the file.
      nodata: None where it declares none.
      lacks: Why there is no grid; "" where there is one.
      has_alpha: True if its last band says what is opaque.
    """

    path: str
    grid: Grid | None
    height: int
    width: int
    dtype: str
    descriptions: tuple[str | None, ...]
    tags: Mapping[str, str]
    nodata: float | None
    lacks: str
    has_alpha: bool

    @property
    def name(self) -> str:
        """The file without its folder."""
        return os.path.basename(self.path)


def read_header(path: str) -> Header:
    """Reads what a file says of itself.

    Raises:
      RasterError: If it cannot be read, or holds complex numbers.
    """
    import rasterio.enums

    with open_raster(path) as dataset:
        if "complex" in dataset.dtypes[0]:
            raise RasterError(
                f"{path} holds {dataset.dtypes[0]}, which is no reflectance "
                "and no picture; leave it out, or write real numbers"
            )
        try:
            grid, lacks = grid_of(dataset), ""
        except GridError as error:
            grid, lacks = None, str(error)
        return Header(
            path=path,
            grid=grid,
            height=dataset.height,
            width=dataset.width,
            dtype=dataset.dtypes[0],
            descriptions=dataset.descriptions,
            tags=dataset.tags(),
            nodata=dataset.nodata,
            lacks=lacks,
            has_alpha=dataset.colorinterp[-1]
            == rasterio.enums.ColorInterp.alpha,
        )


def ground_pixel_m(grid: Grid | None) -> float | None:
    """Side of a pixel on the ground, m: of degrees, at the grid's middle."""
    if grid is None:
        return None
    x, y = grid.pixel_size
    if grid.is_projected:
        return math.sqrt(x * y)
    _, bottom, _, top = grid.bounds
    narrowing = math.cos(math.radians((bottom + top) / 2))
    return _METRES_PER_DEGREE * math.sqrt(x * y * max(narrowing, 0.0))

"""Grids: closed forms and round trips."""

import math

import numpy as np
import pytest
import rasterio

from s2distill.errors import GridError
from s2distill.geo.grid import Grid
from s2distill.geo.grid import format_crs
from s2distill.geo.grid import parse_crs

UTM = Grid("EPSG:32616", (10.0, 0, 7e5, 0, -10.0, 3.7e6), 30, 44)
DEGREES = Grid("EPSG:4326", (1.2e-4, 0, 2.79, 0, -9e-5, 42.3), 377, 380)


def test_bounds_and_pixel_size_of_a_grid():
    assert UTM.bounds == (7e5, 3.7e6 - 300, 7e5 + 440, 3.7e6)
    assert UTM.pixel_size == (10.0, 10.0)
    assert UTM.is_projected
    assert not DEGREES.is_projected


def test_a_grid_that_counts_rows_northwards_has_the_same_bounds():
    south_up = Grid(UTM.crs, (10.0, 0, 7e5, 0, 10.0, 3.7e6 - 300), 30, 44)
    assert south_up.bounds == UTM.bounds


@pytest.mark.parametrize("grid", [UTM, DEGREES])
def test_a_refined_grid_covers_the_same_ground(grid):
    fine = grid.refined(20)
    assert (fine.height, fine.width) == (grid.height * 20, grid.width * 20)
    np.testing.assert_allclose(fine.bounds, grid.bounds, rtol=1e-14)
    np.testing.assert_allclose(
        fine.coarsened(20).transform, grid.transform, rtol=1e-15
    )


def test_a_cropped_grid_has_the_same_pixels_even_past_the_edge():
    part = UTM.cropped(-3, 40, 8, 9)
    assert (part.height, part.width) == (8, 9)
    # Row 5, column 2 of the part is row 2, column 42 of the whole.
    assert part.affine @ (2, 5) == UTM.affine @ (42, 2)


def test_blocks_that_do_not_divide_are_refused():
    with pytest.raises(GridError, match="30 x 44 px do not divide by 4"):
        UTM.coarsened(4)


def test_json_gives_the_grid_back():
    assert Grid.from_json(DEGREES.to_json()) == DEGREES


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ((10, 1, 0, 0, -10, 0), "rotated"),
        ((10, 0, 0, 1, -10, 0), "rotated"),
        ((0, 0, 0, 0, -10, 0), "no pixel size"),
        ((-10, 0, 0, 0, -10, 0), "no pixel size"),
        ((10, 0, 0, 0, 0, 0), "no pixel size"),
        ((10, 0, math.nan, 0, -10, 0), "no pixel size"),
    ],
)
def test_a_transform_without_sense_is_refused(transform, message):
    with pytest.raises(GridError, match=message):
        Grid("EPSG:32616", transform, 4, 5)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
def test_an_empty_grid_is_refused(shape):
    with pytest.raises(GridError, match="is empty"):
        Grid("EPSG:32616", UTM.transform, *shape)


def test_a_crs_has_its_code_or_its_wkt():
    assert format_crs(parse_crs("EPSG:32616")) == "EPSG:32616"
    own = rasterio.crs.CRS.from_string("+proj=laea +lat_0=12 +lon_0=3")
    assert parse_crs(format_crs(own)) == own


def test_an_unknown_crs_is_refused():
    with pytest.raises(GridError, match="unknown CRS 'EPSG:nowhere'"):
        parse_crs("EPSG:nowhere")

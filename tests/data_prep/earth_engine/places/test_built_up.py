import numpy as np
import pytest
import rasterio
import rasterio.warp

from data_prep.earth_engine.places.built_up import BuiltUpStrata
from data_prep.earth_engine.places.place_candidates import Squares
from s2distill.errors import ConfigError
from s2distill.errors import GridError
from s2distill.errors import RasterError

CRS = "EPSG:32616"
LEFT, TOP = 640_000, 3_366_400  # on the lattice of 320 m
TILE = 320


def _write(path, array, *, crs=CRS, transform=None, nodata=None):
    if transform is None:
        transform = rasterio.Affine(10, 0, LEFT, 0, -10, TOP)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=array.shape[0],
        width=array.shape[1],
        count=1,
        dtype=array.dtype,
        crs=crs,
        transform=transform,
        nodata=nodata,
    ) as file:
        file.write(array, 1)
    return str(path)


def _squares_over(rows, cols, margin=0):
    """Squares from the top left, row by row as the array; margin around."""
    row, col = np.meshgrid(
        np.arange(-margin, rows + margin),
        np.arange(-margin, cols + margin),
        indexing="ij",
    )
    return Squares(
        CRS, 32, LEFT // TILE + col.ravel(), TOP // TILE - 1 - row.ravel()
    )


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [("float32", -9999), ("float32", None), ("uint8", 255), ("uint8", None)],
)
def test_means_are_those_of_the_pixels_under_each_square(
    tmp_path, dtype, nodata
):
    rng = np.random.default_rng(0)
    values = (rng.random((5 * 32, 9 * 32)) * 100).astype(dtype)
    path = _write(tmp_path / "a.tif", values, nodata=nodata)
    squares = _squares_over(5, 9, margin=1)
    found = BuiltUpStrata(raster=path, scale=100).measure(squares)
    wanted = np.full((7, 11), np.nan)
    wanted[1:-1, 1:-1] = (
        values.astype(float).reshape(5, 32, 9, 32).mean((1, 3)) / 100
    )
    np.testing.assert_allclose(found.reshape(7, 11), wanted, atol=1e-6)


@pytest.mark.parametrize("unknown", [-1, np.nan])
def test_unknown_pixels_take_no_part_and_too_many_leave_no_value(
    tmp_path, unknown
):
    rng = np.random.default_rng(0)
    values = rng.random((32, 4 * 32)).astype("float32")
    values[:, :32] = unknown  # all of the first square
    values[:20, 32:64] = unknown  # most of the second
    values[8:16, 64:96] = unknown  # a quarter of the third
    nodata = None if np.isnan(unknown) else unknown
    path = _write(tmp_path / "a.tif", values, nodata=nodata)
    found = BuiltUpStrata(raster=path).measure(_squares_over(1, 4))
    known = np.delete(values[:, 64:96], range(8, 16), axis=0)
    assert np.isnan(found).tolist() == [True, True, False, False]
    assert found[2:] == pytest.approx([known.mean(), values[:, 96:].mean()])


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:32617"])
def test_a_raster_of_another_crs_is_measured_on_the_same_ground(tmp_path, crs):
    # A plane in x and y of the zone, sampled where the pixels are: its mean
    # over a square is its value in the middle.
    bounds = rasterio.warp.transform_bounds(
        CRS, crs, LEFT - 2000, TOP - 5000, LEFT + 6000, TOP + 2000
    )
    side = 400
    width, height = ((bounds[i + 2] - bounds[i]) / side for i in (0, 1))
    cols, rows = np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5)
    there = (
        bounds[0] + width * cols.ravel(),
        bounds[3] - height * rows.ravel(),
    )
    transform = rasterio.Affine(width, 0, bounds[0], 0, -height, bounds[3])
    x, y = rasterio.warp.transform(crs, CRS, *there)
    plane = 0.5 + (np.array(x) - LEFT) / 4e4 + (np.array(y) - TOP) / 2e4
    path = _write(
        tmp_path / "a.tif",
        plane.reshape(side, side).astype("float32"),
        crs=crs,
        transform=transform,
    )
    squares = _squares_over(9, 12)
    found = BuiltUpStrata(raster=path).measure(squares)
    x, y = (np.stack([squares.cols, squares.rows]) + 0.5) * TILE
    wanted = 0.5 + (x - LEFT) / 4e4 + (y - TOP) / 2e4
    # A fifth of what the next square differs by; a shifted or flipped
    # lattice would be off by 0.008 and more.
    np.testing.assert_allclose(found, wanted, atol=0.0016)


def test_pixels_larger_than_a_square_give_it_their_value(tmp_path):
    values = np.array([[0.1, 0.8], [0.3, 0.6]], "float32")
    transform = rasterio.Affine(4 * TILE, 0, LEFT, 0, -2 * TILE, TOP)
    path = _write(tmp_path / "a.tif", values, transform=transform)
    found = BuiltUpStrata(raster=path).measure(_squares_over(4, 8))
    wanted = values.repeat(2, axis=0).repeat(4, axis=1)
    np.testing.assert_allclose(found.reshape(4, 8), wanted, atol=1e-6)


def test_many_squares_far_apart_in_any_order_get_their_own_value(tmp_path):
    rng = np.random.default_rng(2)
    values = rng.random((300, 200)).astype("float32")
    transform = rasterio.Affine(TILE, 0, LEFT, 0, -TILE, TOP)
    path = _write(tmp_path / "a.tif", values, transform=transform)
    every = _squares_over(300, 200)
    order = rng.permutation(60_000)[:5000]
    found = BuiltUpStrata(raster=path).measure(every.chosen(order))
    np.testing.assert_allclose(found, values.ravel()[order], atol=1e-6)


def test_a_raster_elsewhere_knows_nothing(tmp_path):
    values = np.ones((32, 32), "float32")
    path = _write(tmp_path / "a.tif", values, crs="EPSG:32755")
    found = BuiltUpStrata(raster=path).measure(_squares_over(3, 2))
    assert np.isnan(found).all()


def test_no_square_is_no_value(tmp_path):
    path = _write(tmp_path / "a.tif", np.ones((32, 32), "float32"))
    none = _squares_over(1, 1).chosen(np.array([], int))
    assert BuiltUpStrata(raster=path).measure(none).shape == (0,)


def test_strata_begin_at_their_lower_edge():
    strata = BuiltUpStrata(raster="a", edges=(0.02, 0.3))
    assert strata.names == (
        "built-up 0-0.02",
        "built-up 0.02-0.3",
        "built-up 0.3-1",
    )
    shares = np.array([0.0, 0.0199, 0.02, 0.299, 0.3, 1.0, np.nan])
    assert strata.strata_of(shares).tolist() == [0, 0, 1, 1, 2, 2, -1]


def test_values_that_do_not_fit_the_scale_are_refused(tmp_path):
    path = _write(tmp_path / "a.tif", np.full((32, 32), 57, "uint8"))
    with pytest.raises(ConfigError, match="a.tif .*57.*--built_up_scale=1;"):
        BuiltUpStrata(raster=path).measure(_squares_over(1, 1))
    below = _write(tmp_path / "b.tif", np.full((32, 32), -0.5, "float32"))
    with pytest.raises(ConfigError, match="b.tif has a place of -0.5"):
        BuiltUpStrata(raster=below).measure(_squares_over(1, 1))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"edges": (0.3, 0.1)}, "--strata=0.3,0.1: edges must ascend"),
        ({"edges": (0.0, 0.1)}, "--strata=0,0.1: edges must ascend"),
        ({"edges": (0.5, 1.0)}, "both ends left out"),
        ({"edges": (float("nan"),)}, "--strata=nan"),
        ({"scale": 0.0}, "--built_up_scale=0 must be above 0"),
        ({"scale": float("nan")}, "--built_up_scale=nan"),
        ({"shares": (0.5, 0.5)}, "wanted are 4 shares.*built-up 0.3-1"),
        ({"shares": (0.5, 0.5, 0.5, -0.5)}, "that sum to 1"),
        ({"shares": (0.5, 0.5, 0.5, 0.5)}, "that sum to 1"),
    ],
)
def test_strata_that_are_none_are_refused(fields, words):
    with pytest.raises(ConfigError, match=words):
        BuiltUpStrata(raster="a", **fields)


def test_a_file_that_is_no_raster_with_a_position_is_refused(tmp_path):
    squares = _squares_over(1, 1)
    (tmp_path / "text.tif").write_text("a")
    with pytest.raises(RasterError, match="text.tif"):
        BuiltUpStrata(raster=str(tmp_path / "text.tif")).measure(squares)
    nowhere = _write(tmp_path / "n.tif", np.ones((32, 32), "float32"), crs=None)
    with pytest.raises(GridError, match="n.tif has no CRS"):
        BuiltUpStrata(raster=nowhere).measure(squares)

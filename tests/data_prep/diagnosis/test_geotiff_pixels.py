import numpy as np
import pytest
import rasterio

from data_prep.diagnosis.geotiff_header import read_header
from data_prep.diagnosis.geotiff_pixels import read_values
from data_prep.diagnosis.geotiff_pixels import select_bands
from data_prep.diagnosis.sampling import plan_windows
from s2distill.geo.grid import Grid

TRANSFORM = rasterio.Affine(10, 0, 5e5, 0, -10, 4.6e6)


def _write(path, planes, nodata=None, transform=TRANSFORM):
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=planes.shape[1],
        width=planes.shape[2],
        count=len(planes),
        dtype=planes.dtype,
        crs="EPSG:32631",
        transform=transform,
        nodata=nodata,
    ) as dataset:
        dataset.write(planes)
    return read_header(str(path))


@pytest.fixture
def planes():
    return np.random.default_rng(0).integers(1, 9000, (3, 6, 7), np.int16)


def test_values_come_as_stored_in_the_order_asked_for(tmp_path, planes):
    header = _write(tmp_path / "a.tif", planes)
    values, inside = read_values(
        header, {"B8": 2, "B2": 0}, None, plan_windows(6, 7)
    )
    np.testing.assert_array_equal(values[..., 0], planes[2])
    np.testing.assert_array_equal(values[..., 1], planes[0])
    assert values.dtype == np.int16
    assert inside.all()


def test_nan_stays_nan_and_nodata_is_outside(tmp_path, planes):
    floats = planes.astype(np.float32)
    floats[:, 0] = -9999
    floats[1, 1] = -9999
    floats[:, 2, 3] = np.nan
    header = _write(tmp_path / "a.tif", floats, nodata=-9999)
    values, inside = read_values(
        header, {"B2": 0, "B3": 1}, None, plan_windows(6, 7)
    )
    assert not inside[0].any()
    assert inside[1:].all()  # one band alone is no nodata
    assert np.isnan(values[2, 3]).all()


def test_mask_bands_say_what_is_inside_and_are_no_values(tmp_path, planes):
    planes[2] = 4  # vegetation
    planes[2, :, 1] = 9  # cloud
    header = _write(tmp_path / "a.tif", planes)
    values, inside = read_values(
        header, {"B2": 0, "SCL": 2}, None, plan_windows(6, 7)
    )
    assert values.shape == (6, 7, 1)
    np.testing.assert_array_equal(inside[0], np.arange(7) != 1)


def test_windows_are_put_together_side_by_side(tmp_path, planes):
    header = _write(tmp_path / "a.tif", planes)
    windows = [[(0, 0, 2, 3), (0, 4, 2, 3)], [(4, 0, 2, 3), (4, 4, 2, 3)]]
    values, inside = read_values(header, {"B2": 0}, None, windows)
    expected = planes[0][[0, 1, 4, 5]][:, [0, 1, 2, 4, 5, 6]]
    np.testing.assert_array_equal(values[..., 0], expected)
    assert inside.shape == expected.shape


def test_another_grid_is_warped_and_what_lies_off_is_black(tmp_path, planes):
    moved = rasterio.Affine(10, 0, 5e5 + 20, 0, -10, 4.6e6)
    header = _write(tmp_path / "a.tif", planes, transform=moved)
    grid = Grid("EPSG:32631", tuple(TRANSFORM)[:6], 6, 7)
    values, _ = read_values(header, {"B2": 0}, grid, plan_windows(6, 7))
    np.testing.assert_array_equal(values[:, 2:, 0], planes[0][:, :5])
    assert (values[:, :2] == 0).all()


def test_bands_are_taken_in_the_order_of_the_table():
    indices = {"SCL": 3, "B8": 0, "B2": 1, "other": 2}
    assert list(select_bands(indices).items()) == [
        ("B2", 1),
        ("B8", 0),
        ("SCL", 3),
    ]

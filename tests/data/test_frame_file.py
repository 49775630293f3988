import numpy as np
import pytest

from s2distill.data.frame_file import open_frame
from s2distill.data.frame_file import read_frame
from s2distill.data.frame_file import window_under
from s2distill.errors import GridError
from s2distill.errors import RasterError
from s2distill.geo.grid import Grid

NAMES = ("B2", "B8", "B12")
NAME = "2020-01-13_L2A.tif"


@pytest.fixture
def values():
    rng = np.random.default_rng(5)
    return rng.integers(1, 9_000, (11, 8, 3), dtype=np.int16)


def _open(path, **changes):
    return open_frame(
        path, changes.get("file_bands"), None, changes.get("offset_dn")
    )


def test_bands_are_read_in_the_order_asked_for(write_frame, values):
    frame = _open(write_frame(NAME, values, descriptions=NAMES))
    dn, valid = read_frame(frame, ("B12", "B2"), frame.grid)
    assert dn.dtype == np.uint16
    np.testing.assert_array_equal(dn, values[..., [2, 0]])
    np.testing.assert_array_equal(valid, np.ones((11, 8), np.uint8))


@pytest.mark.parametrize("corner", [(2, 3), (-4, -2), (8, 5), (-3, 4)])
def test_a_window_is_the_same_pixels_and_nothing_outside(
    write_frame, values, corner
):
    frame = _open(write_frame(NAME, values, descriptions=NAMES))
    grid = frame.grid.cropped(*corner, 6, 5)
    dn, valid = read_frame(frame, NAMES, grid)
    padded = np.zeros((40, 40, 3), np.uint16)
    padded[15:26, 15:23] = values
    row, col = 15 + corner[0], 15 + corner[1]
    expected = padded[row : row + 6, col : col + 5]
    np.testing.assert_array_equal(dn, expected)
    np.testing.assert_array_equal(valid, expected.any(axis=-1))


def test_a_grid_elsewhere_reads_as_not_valid(write_frame, values):
    frame = _open(write_frame(NAME, values, descriptions=NAMES))
    for grid in (
        frame.grid.cropped(500, 0, 4, 6),
        Grid("EPSG:32615", (10.0, 0, 3e5, 0, -10.0, 1e6), 4, 6),
    ):
        dn, valid = read_frame(frame, NAMES, grid)
        assert dn.shape == (4, 6, 3)
        assert not dn.any()
        assert not valid.any()


def test_nothing_known_is_not_valid_and_one_dark_band_is(write_frame, values):
    values[0, 0] = 0
    values[1, 2, 1] = 0
    values[3, 4, 2] = -7
    frame = _open(write_frame(NAME, values, descriptions=NAMES, nodata=0))
    dn, valid = read_frame(frame, NAMES, frame.grid)
    assert np.argwhere(valid == 0).tolist() == [[0, 0], [3, 4]]
    assert not dn[0, 0].any()
    assert not dn[3, 4].any()
    assert dn[1, 2].tolist() == [values[1, 2, 0], 0, values[1, 2, 2]]


def test_a_declared_nodata_in_one_band_spoils_the_pixel_alone(
    write_frame, values
):
    values[6, 1, 1] = 9_999
    frame = _open(write_frame(NAME, values, descriptions=NAMES, nodata=9_999))
    _, valid = read_frame(frame, NAMES, frame.grid)
    assert np.argwhere(valid == 0).tolist() == [[6, 1]]


def test_a_nan_spoils_its_own_pixel_alone_even_warped(write_frame, values):
    flat = np.full((11, 8, 3), 1234.0, np.float32)
    flat[5, 4, 1] = np.nan
    frame = _open(write_frame(NAME, flat, descriptions=NAMES))
    dn, valid = read_frame(frame, NAMES, frame.grid)
    assert np.argwhere(valid == 0).tolist() == [[5, 4]]
    assert set(dn[valid > 0].ravel()) == {1234}
    # Shifted by 0.3 px: neighbours take the rest of their own weight.
    a, b, c, d, e, f = frame.grid.transform
    shifted = Grid(frame.grid.crs, (a, b, c + 13.0, d, e, f - 13.0), 8, 6)
    dn, valid = read_frame(frame, NAMES, shifted)
    assert np.argwhere(valid == 0).tolist() == [[4, 3]]
    assert set(dn[valid > 0].ravel()) == {1234}


def test_warping_interpolates_a_plane_exactly(write_frame):
    rows, cols = np.mgrid[:20, :24]
    plane = (1000 + 40 * rows + 16 * cols)[..., None].astype(np.uint16)
    frame = _open(write_frame(NAME, plane, descriptions=("B2",)))
    a, b, c, d, e, f = frame.grid.transform
    half = Grid(frame.grid.crs, (a, b, c + 35.0, d, e, f - 25.0), 9, 7)
    dn, valid = read_frame(frame, ("B2",), half)
    rows, cols = np.mgrid[:9, :7]
    expected = 1000 + 40 * (rows + 2.5) + 16 * (cols + 3.5)
    assert valid.all()
    assert np.abs(dn[..., 0] - expected).max() <= 1  # half a DN and rounding


def test_another_coordinate_system_meets_the_same_ground(write_frame):
    import rasterio.warp

    values = np.full((40, 40, 1), 100, np.uint16)
    values[18:22, 9:13] = 5000
    frame = _open(write_frame(NAME, values, descriptions=("B2",)))
    left, _, _, top = frame.grid.bounds
    (lon,), (lat,) = rasterio.warp.transform(
        frame.grid.crs, "EPSG:4326", [left + 110], [top - 200]
    )
    step = 1e-4
    grid = Grid(
        "EPSG:4326", (step, 0, lon - 5 * step, 0, -step, lat + 5 * step), 10, 10
    )
    dn, valid = read_frame(frame, ("B2",), grid)
    assert valid.all()
    assert dn[4:6, 4:6, 0].min() > 4900
    assert dn[0, 0, 0] == 100


def test_reflectance_becomes_digital_numbers(write_frame):
    rng = np.random.default_rng(3)
    reflectance = rng.uniform(0.01, 1.2, (7, 9, 1)).astype(np.float32)
    path = write_frame(NAME, reflectance, descriptions=("B2",))
    for offset_dn in (0.0, -1000.0):
        frame = _open(path, offset_dn=offset_dn)
        dn, valid = read_frame(frame, ("B2",), frame.grid)
        assert valid.all()
        back = (dn + offset_dn) / 10_000
        np.testing.assert_allclose(back, reflectance, atol=6e-5)  # half a DN


def test_digital_numbers_in_floats_stay(write_frame, values):
    path = write_frame(NAME, values.astype(np.float64), descriptions=NAMES)
    frame = _open(path)
    dn, _ = read_frame(frame, NAMES, frame.grid)
    np.testing.assert_array_equal(dn, values)


def test_a_mask_band_and_a_mask_of_the_file_exclude(write_frame, values):
    values[..., 2] = 4  # SCL: vegetation
    values[2, 3, 2] = 9
    mask = np.full((11, 8), 255, np.uint8)
    mask[7, 1] = 0
    path = write_frame(
        NAME, values, descriptions=("B2", "B8", "SCL"), mask=mask
    )
    frame = _open(path)
    _, valid = read_frame(frame, ("B2", "B8"), frame.grid)
    assert np.argwhere(valid == 0).tolist() == [[2, 3], [7, 1]]


def test_a_cut_file_is_named(write_frame, values):
    rng = np.random.default_rng(0)
    values = rng.integers(1, 9_000, (64, 64, 3), dtype=np.int16)
    path = write_frame(NAME, values, descriptions=NAMES)
    frame = _open(path)
    with open(path, "r+b") as file:
        file.truncate(9_000)
    with pytest.raises(RasterError, match=f"cannot read .*{NAME}"):
        read_frame(frame, NAMES, frame.grid)


def test_a_file_that_is_no_raster_is_named(tmp_path):
    path = tmp_path / NAME
    path.write_text("no raster")
    with pytest.raises(RasterError, match=f"cannot read .*{NAME}.*fetch"):
        _open(str(path))


def test_a_file_without_position_is_refused(tmp_path):
    import rasterio

    path = tmp_path / NAME
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(
            path, "w", driver="GTiff", height=4, width=5, count=1, dtype="uint8"
        ) as dataset,
    ):
        dataset.descriptions = ("B2",)
    with pytest.raises(GridError, match=f"{NAME} has no CRS"):
        _open(str(path))


def test_the_window_under_a_grid_has_a_margin_and_stays_inside():
    source = Grid("EPSG:32631", (10.0, 0, 5e5, 0, -10.0, 4.7e6), 30, 40)
    window = window_under(source, source.cropped(10, 20, 4, 6))
    assert (window.row_off, window.col_off) == (8, 18)
    assert (window.height, window.width) == (8, 10)
    window = window_under(source, source.cropped(-5, 38, 7, 9))
    assert (window.row_off, window.col_off) == (0, 36)
    assert (window.height, window.width) == (4, 4)
    assert window_under(source, source.cropped(90, 0, 5, 5)) is None


def test_a_negative_number_spoils_its_own_pixel_alone_when_warped(write_frame):
    flat = np.full((9, 12, 1), 1234, np.int16)
    flat[5, 4] = -9_000
    frame = _open(write_frame(NAME, flat, descriptions=("B2",)))
    a, b, c, d, e, f = frame.grid.transform
    shifted = Grid(frame.grid.crs, (a, b, c + 13.0, d, e, f - 13.0), 7, 9)
    dn, valid = read_frame(frame, ("B2",), shifted)
    assert np.argwhere(valid == 0).tolist() == [[4, 3]]
    assert set(dn[valid > 0].ravel()) == {1234}


@pytest.mark.parametrize("factors", [(1, 2), (2, 1)])
def test_a_grid_coarser_along_one_axis_is_not_taken_for_the_same(
    write_frame, factors
):
    rows, cols = np.mgrid[:12, :16]
    plane = (1000 + 40 * rows + 16 * cols)[..., None].astype(np.uint16)
    frame = _open(write_frame(NAME, plane, descriptions=("B2",)))
    a, b, c, d, e, f = frame.grid.transform
    down, right = factors
    grid = Grid(frame.grid.crs, (a * right, b, c, d, e * down, f), 5, 6)
    dn, _ = read_frame(frame, ("B2",), grid)
    rows, cols = np.mgrid[:5, :6]
    expected = 1000 + 40 * ((rows + 0.5) * down - 0.5)
    expected = expected + 16 * ((cols + 0.5) * right - 0.5)
    inside = np.s_[1:, 1:]  # GDAL widens the kernel; edges have one side
    assert np.abs(dn[inside][..., 0] - expected[inside]).max() <= 1

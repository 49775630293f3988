import numpy as np
import pytest
import rasterio

from data_prep.pairing.stretch import measure_stretch
from data_prep.pairing.stretch import to_bytes
from s2distill.errors import RasterError


def write(path, planes, **keywords):
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(planes),
        height=planes.shape[1],
        width=planes.shape[2],
        dtype=planes.dtype,
        crs="EPSG:32633",
        transform=rasterio.Affine(0.5, 0, 5e5, 0, -0.5, 5e6),
        **keywords,
    ) as file:
        file.write(planes)


def test_percentiles_are_those_of_all_valid_pixels_of_the_file(tmp_path):
    rng = np.random.default_rng(0)
    # Wider than a block, so that windows at the edge are cut.
    planes = rng.integers(1, 60_000, (2, 37, 1100), dtype=np.uint16)
    planes[:, 5:20, :700] = 0
    write(tmp_path / "a.tif", planes, nodata=0)
    found = measure_stretch(tmp_path / "a.tif", (2, 1))
    for (low, high), plane in zip(found, planes[::-1], strict=True):
        seen = plane[plane > 0]
        expected = np.percentile(seen, [1, 99], method="lower")
        np.testing.assert_array_equal([low, high], expected)


def test_the_range_is_drawn_from_0_to_255_and_clipped():
    planes = np.array([[[0, 100, 150, 200, 999]], [[0, 5, 10, 15, 20]]])
    shown = to_bytes(planes, ((100.0, 200.0), (0.0, 20.0)))
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown[0], [[0, 0, 128, 255, 255]])
    np.testing.assert_array_equal(shown[1], [[0, 64, 128, 191, 255]])


def test_a_flat_band_has_a_range_too(tmp_path):
    write(tmp_path / "a.tif", np.full((1, 3, 4), 7, np.uint16))
    assert measure_stretch(tmp_path / "a.tif", (1,)) == ((7.0, 8.0),)


def test_a_file_of_nodata_alone_is_refused(tmp_path):
    write(tmp_path / "a.tif", np.zeros((1, 3, 4), np.uint16), nodata=0)
    with pytest.raises(RasterError, match="a.tif has no valid pixel.*nodata"):
        measure_stretch(tmp_path / "a.tif", (1,))

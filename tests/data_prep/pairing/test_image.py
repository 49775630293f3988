import numpy as np
import pytest
import rasterio

from data_prep.pairing.image import open_image
from s2distill.errors import ConfigError

LEFT, TOP = 500_000.0, 5_000_000.0


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
        transform=rasterio.Affine(0.5, 0, LEFT, 0, -0.5, TOP),
        **keywords,
    ) as file:
        file.write(planes)


@pytest.mark.parametrize("bands", [(3, 2, 1), (2,)], ids=["bgr", "grey"])
def test_16_bits_are_stretched_over_the_whole_image(tmp_path, bands):
    rng = np.random.default_rng(1)
    # Each band and each half has its own range: a stretch by tile or over
    # all bands together would show.
    planes = rng.integers(2, 900, (4, 60, 90), dtype=np.uint16)
    planes *= np.array([1, 7, 20, 3], np.uint16)[:, None, None]
    planes[:, :, 45:] //= 2
    planes[:, 20:40, :30] = 0
    write(tmp_path / "a.tif", planes, nodata=0)
    image = open_image(tmp_path / "a.tif", bands=bands)
    rgb, valid = image.read(image.grid.cropped(10, 20, 33, 55))
    window = np.s_[10:43, 20:75]
    np.testing.assert_array_equal(valid, (planes[0] > 0)[window])
    for shown, band in zip(np.moveaxis(rgb, -1, 0), bands * 3, strict=False):
        plane = planes[band - 1].astype(float)
        seen = plane[planes[0] > 0]
        low, high = np.percentile(seen, [1, 99], method="lower")
        expected = np.clip((plane - low) / (high - low), 0, 1)[window] * 255
        # Half a step: rounding to bytes.
        np.testing.assert_allclose(shown, expected * valid, atol=0.501)


def test_beyond_a_16_bit_image_nothing_is_valid(tmp_path):
    planes = np.arange(1, 201, dtype=np.uint16).reshape(1, 10, 20) * 300
    write(tmp_path / "a.tif", planes)
    image = open_image(tmp_path / "a.tif")
    rgb, valid = image.read(image.grid.cropped(-3, -4, 16, 29))
    expected = np.zeros((16, 29), np.uint8)
    expected[3:13, 4:24] = 1
    np.testing.assert_array_equal(valid, expected)
    assert not rgb[valid == 0].any()


def test_8_bits_stay_as_they_are_and_one_band_is_grey(tmp_path):
    rng = np.random.default_rng(2)
    plane = rng.integers(0, 256, (1, 12, 17), dtype=np.uint8)
    write(tmp_path / "a.tif", plane)
    image = open_image(tmp_path / "a.tif")
    rgb, valid = image.read(image.grid)
    assert image.stretch_dn is None
    assert valid.all()
    for band in range(3):
        np.testing.assert_array_equal(rgb[..., band], plane[0])


@pytest.mark.parametrize("bands", [(1, 2), (1, 2, 9), (0,)])
def test_bands_that_the_image_has_not_are_refused(tmp_path, bands):
    write(tmp_path / "a.tif", np.ones((4, 5, 6), np.uint8))
    words = f"--image_bands={','.join(map(str, bands))}: .*a.tif.* 1 to 4"
    with pytest.raises(ConfigError, match=words):
        open_image(tmp_path / "a.tif", bands=bands)

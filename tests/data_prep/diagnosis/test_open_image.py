import numpy as np
import pytest
import rasterio

from data_prep.diagnosis.geotiff_header import read_header
from data_prep.diagnosis.open_image import open_images


def _open(*paths):
    return open_images("x", [read_header(str(p)) for p in paths], ())


def _codes(subject):
    return {f.code: f.severity for f in subject.findings}


def test_a_real_grey_image_of_half_a_metre(real_data):
    subject = _open(real_data("solaris") / "sample_geotiff.tif")
    assert subject.kind == "image"
    assert subject.shape == (900, 900, 1)
    assert subject.bands == ("grey",)
    assert subject.crs == "EPSG:32616"
    assert subject.pixel_m == 0.5
    assert subject.findings == ()


def test_a_real_image_without_position(real_data):
    subject = _open(real_data("solaris-tutorials-mvoi") / "viz_version.tif")
    assert subject.bands == ("red", "green", "blue")
    assert _codes(subject) == {"no_position": "warning"}
    assert "--image_crs" in subject.findings[0].message


def test_several_images_are_several_places(real_data):
    subject = _open(*sorted(real_data("solaris").glob("*.tif")))
    assert subject.records == 2
    assert [len(place.frames) for place in subject.places] == [1, 1]
    assert "9 windows" in subject.looked_at


@pytest.mark.parametrize(
    ("pixel_m", "dtype", "codes"),
    [
        (0.5, "uint8", {}),
        (2.5, "uint8", {"coarse_image": "warning"}),
        (0.5, "float32", {"image_dtype": "warning"}),
    ],
)
def test_what_the_teacher_cannot_take_is_a_warning(
    tmp_path, pixel_m, dtype, codes
):
    with rasterio.open(
        tmp_path / "a.tif",
        "w",
        driver="GTiff",
        height=20,
        width=30,
        count=3,
        dtype=dtype,
        crs="EPSG:32631",
        transform=rasterio.Affine(pixel_m, 0, 5e5, 0, -pixel_m, 4e6),
    ) as dataset:
        rng = np.random.default_rng(0)
        dataset.write(rng.integers(1, 250, (3, 20, 30)).astype(dtype))
    assert _codes(_open(tmp_path / "a.tif")) == codes

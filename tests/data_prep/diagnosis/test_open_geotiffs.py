import shutil

import numpy as np
import pytest
import rasterio

from data_prep.diagnosis.open_geotiffs import find_geotiffs
from data_prep.diagnosis.open_geotiffs import open_geotiffs
from s2distill.errors import RasterError


def _open(path, file_bands=()):
    return open_geotiffs(str(path), find_geotiffs(str(path)), file_bands)


def test_folders_globs_and_files_are_found(real_data, tmp_path):
    folder = real_data("eotdl-boadella")
    assert len(find_geotiffs(str(folder))) == 8
    assert len(find_geotiffs(f"{folder}/Boa*.tif")) == 7
    assert len(find_geotiffs(f"{folder}/s2_roads.tiff")) == 1
    assert find_geotiffs(str(tmp_path / "none.tif")) == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("eotdl-boadella", "geotiff_frames"),
        ("eotdl-boadella/s2_roads.tiff", "geotiff_frames"),
        ("nasaharvest", "geotiff_series"),
        ("solaris", "image"),
        ("solaris-tutorials-mvoi", "image"),
    ],
)
def test_real_files_are_told_apart(real_data, name, kind):
    folder, _, file = name.partition("/")
    assert _open(real_data(folder) / file).kind == kind


def test_a_text_file_among_rasters_is_a_finding(real_data, tmp_path):
    source = real_data("eotdl-boadella") / "Boadella_2020-01-13.tif"
    shutil.copy(source, tmp_path)
    (tmp_path / "notes.tif").write_text("no raster")
    subject = _open(tmp_path)
    assert subject.records == 1
    assert [f.code for f in subject.findings] == ["unreadable_file"]
    assert subject.findings[0].where == ("notes.tif",)


def test_text_files_alone_are_an_error_that_counts_them(tmp_path):
    (tmp_path / "a.tif").write_text("no raster")
    (tmp_path / "b.tif").write_text("no raster")
    with pytest.raises(RasterError, match=r"a\.tif.*\(and 1 more\)"):
        _open(tmp_path)


def _write_rgb(path, pixel_m, dtype="uint8"):
    rng = np.random.default_rng(0)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=40,
        width=50,
        count=3,
        dtype=dtype,
        crs="EPSG:32631",
        transform=rasterio.Affine(pixel_m, 0, 5e5, 0, -pixel_m, 4e6),
    ) as dataset:
        dataset.write(rng.integers(1, 250, (3, 40, 50)).astype(dtype))


def test_a_picture_of_10_m_pixels_is_no_50_cm_image(tmp_path):
    _write_rgb(tmp_path / "2020-01-01.tif", 10)
    subject = _open(tmp_path)
    assert subject.kind == "geotiff_frames"
    assert subject.findings[0].code == "unknown_bands"
    assert "--file_bands" in subject.findings[0].message


def test_bands_named_by_the_user_make_a_frame(tmp_path):
    _write_rgb(tmp_path / "2020-01-01.tif", 10)
    subject = _open(tmp_path, ("B4", "B3", "B2"))
    assert subject.bands == ("B2", "B3", "B4")
    assert subject.findings == ()

import pytest
import rasterio

from data_prep.diagnosis.geotiff_header import ground_pixel_m
from data_prep.diagnosis.geotiff_header import read_header
from s2distill.errors import RasterError
from s2distill.geo.grid import Grid


def test_a_real_file_tells_its_grid_and_kind(real_data):
    path = real_data("eotdl-boadella") / "Boadella_2020-01-13.tif"
    header = read_header(str(path))
    assert header.name == "Boadella_2020-01-13.tif"
    assert (header.height, header.width) == (377, 380)
    assert header.grid.crs == "EPSG:4326"
    assert header.dtype == "int16"
    assert header.descriptions == (None,) * 12
    assert header.nodata is None
    assert header.lacks == ""


def test_a_file_without_position_says_what_it_lacks(real_data):
    path = real_data("solaris-tutorials-mvoi") / "viz_version.tif"
    header = read_header(str(path))
    assert header.grid is None
    assert "no CRS" in header.lacks


def _write_empty(folder, **options):
    """A GeoTIFF of 3 x 4 px in which nothing was written."""
    path = str(folder / "a.tif")
    rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=3,
        width=4,
        crs="EPSG:32631",
        transform=rasterio.Affine(2, 0, 0, 0, -2, 0),
        **options,
    ).close()
    return path


def test_alpha_is_told(tmp_path):
    path = _write_empty(
        tmp_path, count=4, dtype="uint8", photometric="RGB", alpha="YES"
    )
    assert read_header(path).has_alpha


def test_a_text_file_is_no_raster(tmp_path):
    path = tmp_path / "notes.tif"
    path.write_text("not a raster")
    with pytest.raises(RasterError, match=r"notes\.tif"):
        read_header(str(path))


def test_pixels_are_metres_of_ground_also_in_degrees():
    metres = Grid("EPSG:32631", (10.0, 0, 0, 0, -10.0, 0), 5, 6)
    assert ground_pixel_m(metres) == 10
    step = 10 / 111_320
    equator = Grid("EPSG:4326", (step, 0, 3, 0, -step, 0.0), 4, 6)
    assert ground_pixel_m(equator) == pytest.approx(10, rel=1e-4)
    # At 60 degrees a degree of longitude is half as long.
    north = Grid("EPSG:4326", (2 * step, 0, 3, 0, -step, 60.0), 4, 6)
    assert ground_pixel_m(north) == pytest.approx(10, rel=1e-3)
    assert ground_pixel_m(None) is None


def test_complex_numbers_are_refused(tmp_path):
    path = _write_empty(tmp_path, count=1, dtype="complex64")
    with pytest.raises(RasterError, match=r"a\.tif holds complex64"):
        read_header(path)

"""Rasters: read back from disk, and nothing left when writing fails."""

import resource

import numpy as np
import pytest
import rasterio

from s2distill.errors import GridError
from s2distill.errors import OutputError
from s2distill.errors import RasterError
from s2distill.geo.grid import Grid
from s2distill.geo.raster import Layer
from s2distill.geo.raster import read_grid
from s2distill.geo.raster import round_to_step
from s2distill.geo.raster import write_cog

GRID = Grid("EPSG:4326", (6e-6, 0, 2.79, 0, -4.5e-6, 42.36), 700, 1130)
LAYERS = (
    Layer(name="height_m", unit="m", step=0.25),
    Layer(name="density", unit="buildings/pixel", step=2**-20, keeps_sum=True),
)


def make_values():
    rng = np.random.default_rng(4)
    values = rng.random((700, 1130, 2)) * (30, 3e-7)
    values[:90, :600] = np.nan
    return values.astype(np.float32)


def write(path, values, rows=(1, 60, 512, 127), **keywords):
    with write_cog(path, GRID, LAYERS, **keywords) as writer:
        for block in np.split(values, np.cumsum(rows)[:-1]):
            writer.append(block)


def test_a_map_is_read_back_with_its_place_names_units_and_overviews(
    tmp_path,
):
    values = make_values()
    path = tmp_path / "new" / "map.tif"
    write(path, values, tags={"MODEL": "student"})
    assert read_grid(path) == GRID
    with rasterio.open(path) as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.descriptions == ("height_m", "density")
        assert file.units == ("m", "buildings/pixel")
        assert file.overviews(1) == [2, 4]
        assert file.tags()["MODEL"] == "student"
        assert np.isnan(file.nodata)
        height_m, density = file.read()
        coarse = file.read(2, out_shape=(350, 565))
    np.testing.assert_allclose(height_m, values[..., 0], atol=0.125)
    # An overview is a mean, so that density there is per full pixel.
    blocks = density.reshape(350, 2, 565, 2)
    np.testing.assert_allclose(coarse, blocks.mean((1, 3)), rtol=1e-5)
    assert [p.name for p in path.parent.iterdir()] == ["map.tif"]


def test_sums_are_kept_where_single_values_are_under_the_step():
    values = make_values()[..., 1]
    result = round_to_step(values, LAYERS[1])
    assert values[100].max() < LAYERS[1].step / 2
    np.testing.assert_array_equal(np.isnan(result), np.isnan(values))
    assert np.nanmin(result) >= 0
    for first, last in ((0, 1130), (7, 300), (555, 980)):
        np.testing.assert_allclose(
            np.nansum(result[:, first:last], 1),
            np.nansum(values[:, first:last], 1),
            atol=1.01 * LAYERS[1].step,
        )


def test_values_without_a_step_stay_as_they_are():
    values = make_values()[..., 0]
    layer = Layer(name="raw", unit="m")
    np.testing.assert_array_equal(round_to_step(values, layer), values)


def test_missing_rows_are_refused_and_leave_nothing(tmp_path):
    with (
        pytest.raises(OutputError, match="1 of 700 rows"),
        write_cog(tmp_path / "map.tif", GRID, LAYERS) as writer,
    ):
        writer.append(np.zeros((1, 1130, 2), np.float32))
    assert not list(tmp_path.iterdir())


def test_an_error_in_between_leaves_the_old_file(tmp_path):
    path = tmp_path / "map.tif"
    path.write_text("old")
    with (
        pytest.raises(ZeroDivisionError),
        write_cog(path, GRID, LAYERS) as writer,
    ):
        writer.append(np.zeros((1 // 0, 1130, 2), np.float32))
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.999])
def test_a_full_disk_is_heard_and_leaves_nothing(tmp_path, share):
    whole = tmp_path / "whole.tif"
    write(whole, make_values())
    size = whole.stat().st_size
    whole.unlink()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size * share), limits[1]))
    try:
        with pytest.raises(OutputError, match=r"cannot write .*map.tif: ") as e:
            write(tmp_path / "map.tif", make_values())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(e.value)
    assert not list(tmp_path.iterdir())


def write_plain(path, **keywords):
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=3,
        width=4,
        count=1,
        dtype="uint8",
        **keywords,
    ) as file:
        file.write(np.ones((1, 3, 4), np.uint8))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"transform": rasterio.Affine(1, 0, 5, 0, -1, 9)}, "has no CRS"),
        ({"crs": "EPSG:32616"}, "has no transform"),
        (
            {
                "crs": "EPSG:32616",
                "transform": rasterio.Affine(1, 1, 5, 1, -1, 9),
            },
            "rotated",
        ),
    ],
)
def test_a_raster_without_a_place_is_refused(tmp_path, keywords, message):
    write_plain(tmp_path / "nowhere.tif", **keywords)
    with pytest.raises(GridError, match=f"nowhere.tif.*{message}"):
        read_grid(tmp_path / "nowhere.tif")


@pytest.mark.parametrize("content", [None, b"", b"not a raster"])
def test_what_is_no_raster_is_refused(tmp_path, content):
    path = tmp_path / "broken.tif"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RasterError, match="cannot read .*broken.tif") as caught:
        read_grid(path)
    assert "\n" not in str(caught.value)

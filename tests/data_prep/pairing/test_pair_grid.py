import types

import numpy as np
import pytest
import rasterio
import rasterio.warp

from data_prep.pairing.image import Image
from data_prep.pairing.image import find_utm
from data_prep.pairing.image import open_image
from data_prep.pairing.pair_grid import make_pair_grid
from s2distill.errors import GridError
from s2distill.geo.grid import Grid


def at(crs, transform, height=130, width=90):
    return Image(path="a.tif", grid=Grid(crs, transform, height, width))


def stack_on(grid):
    return types.SimpleNamespace(grid=grid)


def test_without_frames_the_grid_holds_the_whole_pixels_of_the_image():
    image = at("EPSG:32616", (0.5, 0, 737201, 0, -0.5, 3736839))
    grid = make_pair_grid(image, None)
    assert grid.crs == "EPSG:32616"
    assert grid.bounds == (737210, 3736780, 737240, 3736830)


def test_frames_of_ten_metres_give_their_lattice_and_cover_the_image():
    image = at("EPSG:32616", (0.5, 0, 737201, 0, -0.5, 3736839))
    frames = Grid("EPSG:32616", (10.0, 0, 700003, 0, -10.0, 3800007), 99, 99)
    grid = make_pair_grid(image, stack_on(frames))
    left, bottom, right, top = grid.bounds
    assert (left % 10, top % 10) == (3, 7)
    assert left <= 737201 < left + 10
    assert right - 10 < 737246 <= right
    assert bottom <= 3736774 < bottom + 10
    assert top - 10 < 3736839 <= top


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857"])
def test_a_crs_without_true_metres_gives_way_to_utm(crs):
    xs, ys = rasterio.warp.transform("EPSG:4326", crs, [2.5], [42.2])
    pixel = 0.5 / 111_320 if crs == "EPSG:4326" else 0.5
    image = at(crs, (pixel, 0, xs[0], 0, -pixel, ys[0]), 800, 900)
    assert make_pair_grid(image, None).crs == "EPSG:32631"
    # Frames in degrees have no 10 m lattice to keep.
    degrees = Grid("EPSG:4326", (1e-4, 0, 2.4, 0, -1e-4, 42.3), 99, 99)
    assert make_pair_grid(image, stack_on(degrees)).crs == "EPSG:32631"


def test_the_south_has_zones_of_its_own():
    image = at("EPSG:4326", (1e-6, 0, -70.5, 0, -1e-6, -33.0))
    assert find_utm(image) == "EPSG:32719"


def test_an_image_within_one_pixel_is_refused():
    image = at("EPSG:32616", (0.5, 0, 737203, 0, -0.5, 3736839), 20, 20)
    with pytest.raises(GridError, match="a.tif covers 10 x 10 m"):
        make_pair_grid(image, None)


# rasterio 1.4 multiplies affines as affine 3 wishes no longer.
@pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")
def test_an_image_in_degrees_is_warped_to_where_it_belongs(tmp_path):
    """A bright square, put down in degrees, is found where UTM has it."""
    utm = Grid("EPSG:32631", (0.5, 0, 460_000, 0, -0.5, 4_670_000), 240, 200)
    source = np.full((3, 240, 200), 60, np.uint8)
    source[:, 100:140, 60:120] = 200
    path = tmp_path / "utm.tif"
    profile = {"driver": "GTiff", "count": 3, "dtype": "uint8"}
    with rasterio.open(
        path,
        "w",
        crs=utm.crs,
        transform=utm.affine,
        height=240,
        width=200,
        **profile,
    ) as file:
        file.write(source)
    transform, width, height = rasterio.warp.calculate_default_transform(
        utm.crs, "EPSG:4326", 200, 240, *utm.bounds
    )
    degrees = np.zeros((3, height, width), np.uint8)
    rasterio.warp.reproject(
        source,
        degrees,
        src_crs=utm.crs,
        src_transform=utm.affine,
        dst_crs="EPSG:4326",
        dst_transform=transform,
    )
    with rasterio.open(
        tmp_path / "degrees.tif",
        "w",
        crs="EPSG:4326",
        transform=transform,
        height=height,
        width=width,
        nodata=0,
        **profile,
    ) as file:
        file.write(degrees)
    image = open_image(tmp_path / "degrees.tif")
    rgb, valid = image.read(utm)
    assert valid[10:-10, 10:-10].all()
    assert rgb[106:134, 66:114].min() > 190
    outside = rgb[..., 0].astype(int)
    outside[94:146, 54:126] = 60
    assert outside[10:-10, 10:-10].max() < 70
    assert (rgb[valid == 0] == 0).all()

import numpy as np
import pytest
import rasterio

from data_prep.pairing.open_place import open_place
from data_prep.pairing.pair_config import Config
from s2distill.errors import ConfigError
from s2distill.geo.grid import Grid

_GRID = Grid("EPSG:32633", (10.0, 0, 500_000, 0, -10.0, 5_200_000), 6, 9)


@pytest.fixture
def city(tmp_path):
    """A picture that names neither its CRS nor its place."""
    rgb = np.random.default_rng(0).integers(1, 256, (3, 120, 180), np.uint8)
    profile = {"height": 120, "width": 180, "count": 3, "dtype": "uint8"}
    path = tmp_path / "city.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        crs=_GRID.crs,
        transform=_GRID.refined(20).affine,
        **profile,
    ) as file:
        file.write(rgb)
    return path


def _open(city, **changes):
    values = {"image": str(city), "output": "", "bands": ("B4", "B2")}
    return open_place(Config(**(values | {"simulate_frames": 2} | changes)))


def test_without_frames_the_sensor_model_looks_at_the_image(city):
    place, grid = _open(city, seed=7)
    assert grid == _GRID
    assert (place.name, place.bands) == ("city", ("B4", "B2"))
    assert place.shift_x_y_m == (0.0, 0.0)
    assert place.provenance["frames"] == "sensor model"
    assert place.provenance["s2_seed"] == 7
    dn, valid = place.frames.read(("B4", "B2"), grid)
    assert dn.shape == (2, 6, 9, 2)
    assert valid.any()


def test_the_frames_written_are_opened_as_real_ones_would_be(city, tmp_path):
    folder = tmp_path / "s2"
    made, grid = _open(city, frames_output=str(folder))
    found, same = _open(city, frames=str(folder), register=False)
    assert same == grid
    assert found.provenance["frames"] == sorted(
        path.name for path in folder.iterdir()
    )
    dn, valid = made.frames.read(("B2",), grid)
    dn_found, valid_found = found.frames.read(("B2",), grid)
    np.testing.assert_array_equal(valid_found, valid)
    # What is not valid is no data in a file.
    np.testing.assert_array_equal(dn_found, dn * valid[..., None])


@pytest.mark.parametrize(
    ("flags", "view_deg"),
    [
        ({}, None),
        ({"view_angle_deg": 9.5, "view_azimuth_deg": 200.0}, (9.5, 200.0)),
        ({"view_angle_deg": 0.0}, (0.0, 0.0)),
    ],
)
def test_a_view_given_is_kept(city, flags, view_deg):
    place = _open(city, **flags)[0]
    assert place.view_deg == view_deg
    assert place.provenance.get("view_angle_azimuth_deg") == view_deg


def test_a_transform_given_moves_the_image(city):
    numbers = ("0.5", "0", "600000", "0", "-0.5", "5000000")
    grid = _open(city, image_transform=numbers)[1]
    assert grid.bounds == (600_000, 4_999_940, 600_090, 5_000_000)


@pytest.mark.parametrize(
    "numbers", [("1", "2"), ("0.5", "0", "x", "0", "-0.5", "1"), ("nan",) * 6]
)
def test_a_transform_is_six_numbers(city, numbers):
    with pytest.raises(ConfigError, match="wanted are six numbers"):
        _open(city, image_transform=numbers)


def test_bands_of_an_image_are_numbers(city):
    with pytest.raises(ConfigError, match="--image_bands=red,2"):
        _open(city, image_bands=("red", "2"))

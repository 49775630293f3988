import json

import numpy as np
import pytest
import rasterio
import rasterio.features
import shapely

from data_prep.simulation.scene import SceneSettings
from data_prep.simulation.scene import make_labels
from data_prep.simulation.town_files import write_town_files
from s2distill.errors import OutputError

_SETTINGS = SceneSettings(
    seed=4,
    bands=("B2", "B3", "B4", "B8"),
    height_px=9,
    width_px=12,
    frames=2,
    offset_dn=-1000.0,
)
_FINE = rasterio.Affine(0.5, 0, 180_000, 0, -0.5, 900_000)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files") / "town"
    return folder, write_town_files(folder, _SETTINGS, style="grid_suburb")


def test_image_and_truth_lie_on_one_grid_of_half_a_metre(town):
    folder, scene = town
    labels = make_labels(scene)
    with rasterio.open(folder / "image.tif") as file:
        assert file.crs.to_epsg() == 32631
        assert file.transform == _FINE
        assert file.descriptions == ("red", "green", "blue")
        image = np.moveaxis(file.read(), 0, -1)
    np.testing.assert_array_equal(image, scene.image)
    with rasterio.open(folder / "truth.tif") as file:
        assert file.transform == _FINE
        assert file.descriptions == ("building", "road", "height_m")
        building, road, height_m = file.read()
    np.testing.assert_array_equal(building, labels["building"])
    np.testing.assert_array_equal(road, labels["road"])
    np.testing.assert_allclose(height_m, labels["height_m"], rtol=1e-3)


def test_frames_are_files_of_10_m_with_their_scale(town):
    folder, scene = town
    paths = sorted((folder / "sentinel2").glob("*.tif"))
    assert len(paths) == 2
    for path, dn, valid in zip(
        paths, scene.stack.dn, scene.stack.valid, strict=True
    ):
        with rasterio.open(path) as file:
            assert file.transform == rasterio.Affine(
                10, 0, 180_000, 0, -10, 900_000
            )
            assert file.tags()["OFFSET_DN"] == "-1000.0"
            np.testing.assert_array_equal(
                np.moveaxis(file.read(), 0, -1), dn * valid[..., None]
            )


def test_polygons_on_the_map_are_the_buildings_of_the_truth(town):
    folder, scene = town
    content = json.loads((folder / "buildings.geojson").read_text())
    assert content["crs"]["properties"]["name"].endswith("EPSG::32631")
    shapes = [
        (feature["geometry"], feature["properties"]["height_m"])
        for feature in content["features"]
    ]
    burnt = rasterio.features.rasterize(
        shapes, scene.image.shape[:2], transform=_FINE, dtype="float32"
    )
    truth = make_labels(scene)
    both = (burnt > 0) & (truth["building"] > 0)
    assert both.sum() / ((burnt > 0) | (truth["building"] > 0)).sum() > 0.95
    difference = np.abs(burnt - truth["height_m"].astype(float))[both]
    assert np.median(difference) < 0.02


def test_road_lines_with_their_width_are_the_roads_of_the_truth(town):
    folder, scene = town
    content = json.loads((folder / "roads.geojson").read_text())
    roads = [
        shapely.geometry.shape(feature["geometry"]).buffer(
            feature["properties"]["width_m"] / 2
        )
        for feature in content["features"]
    ]
    burnt = rasterio.features.rasterize(
        roads, scene.image.shape[:2], transform=_FINE
    )
    road = make_labels(scene)["road"]
    assert (burnt & road).sum() / (burnt | road).sum() > 0.9


def test_a_folder_that_exists_is_not_overwritten(town):
    before = (town[0] / "image.tif").read_bytes()
    with pytest.raises(OutputError, match="town"):
        write_town_files(town[0], _SETTINGS)
    assert (town[0] / "image.tif").read_bytes() == before

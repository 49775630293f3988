"""The picture of a mapped town, drawn from files as the programs write them."""

import numpy as np
import pytest
import rasterio

from s2distill.errors import S2DistillError
from s2distill.town_picture import draw_town

TOWN_PX = 8


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """A small simulated town."""
    from data_prep import simulate

    folder = tmp_path_factory.mktemp("simulated") / "town"
    simulate.run(
        simulate.Config(
            town_geotiffs=str(folder), town_px=TOWN_PX, frames=3, seed=4
        )
    )
    return folder


def _write_map(path, town, names=("building", "road")):
    """A map on the town's label grid, unknown (NaN) in a corner."""
    with rasterio.open(town / "truth.tif") as truth:
        profile = truth.profile | {"count": len(names), "dtype": "float32"}
        side = truth.height
    rng = np.random.default_rng(0)
    values = rng.random((len(names), side, side), dtype=np.float32)
    values[:, :5, :7] = np.nan
    profile = {
        key: profile[key]
        for key in ("crs", "transform", "width", "height", "count", "dtype")
    }
    with rasterio.open(path, "w", driver="GTiff", **profile) as file:
        file.write(values)
        file.descriptions = names
    return path


def test_a_town_and_its_map_are_drawn(town, tmp_path):
    from matplotlib import image

    path = tmp_path / "town.png"
    draw_town(
        path,
        town=town,
        town_map=_write_map(tmp_path / "map.tif", town),
        model="student",
    )
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    picture = image.imread(path)[..., :3]
    height, width, _ = picture.shape
    assert min(height, width) > 200
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 500


def test_another_map_makes_another_picture(town, tmp_path):
    pictures = []
    for name in ("one", "two"):
        town_map = _write_map(tmp_path / f"{name}.tif", town)
        if name == "two":
            with rasterio.open(town_map, "r+") as file:
                file.write(1 - file.read())
        path = tmp_path / f"{name}.png"
        draw_town(path, town=town, town_map=town_map, model="student")
        pictures.append(path.read_bytes())
    assert pictures[0] != pictures[1]


def test_a_map_that_is_not_there_is_refused(town, tmp_path):
    path = tmp_path / "town.png"
    with pytest.raises(S2DistillError, match="nowhere.tif"):
        draw_town(path, town=town, town_map=tmp_path / "nowhere.tif", model="m")
    assert not path.exists()

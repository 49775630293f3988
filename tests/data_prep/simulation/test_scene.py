import json

import numpy as np
import pytest

from data_prep.simulation.scene import MARGIN_PX
from data_prep.simulation.scene import SceneSettings
from data_prep.simulation.scene import centroids_row_col_px
from data_prep.simulation.scene import make_labels
from data_prep.simulation.scene import make_scene
from data_prep.simulation.scene import to_example
from s2distill.geo.grid import Grid

_GRID = Grid("EPSG:32631", (10.0, 0, 2e5, 0, -10.0, 1e6), 9, 12)


def _settings(**changes):
    values = {"bands": ("B2", "B8", "B11"), "height_px": 9, "width_px": 12}
    return SceneSettings(**({"seed": 5, "frames": 3} | values | changes))


def _scene(place=(3, 4), **changes):
    return make_scene(_settings(**changes), _GRID, place, "grid_suburb")


@pytest.fixture(scope="module")
def scene():
    return _scene()


def test_frames_and_view_show_the_tile(scene):
    assert scene.stack.dn.shape == (3, 9, 12, 3)
    assert scene.image.shape == (180, 240, 3)
    assert scene.painting.surface.shape == (
        180 + 2 * MARGIN_PX,
        240 + 2 * MARGIN_PX,
    )
    assert (np.diff(scene.stack.time_utc_s) >= 5 * 86_400).all()
    assert (np.diff(scene.stack.time_utc_s) % (5 * 86_400) == 0).all()


def test_a_scene_depends_on_seed_and_place_alone(scene):
    again = _scene()
    np.testing.assert_array_equal(again.stack.dn, scene.stack.dn)
    np.testing.assert_array_equal(again.image, scene.image)
    for other in (_scene(place=(3, 5)), _scene(seed=6)):
        assert not np.array_equal(other.image, scene.image)


def test_the_density_of_centroids_counts_the_buildings_of_the_tile(scene):
    labels = make_labels(scene)
    points = centroids_row_col_px(scene)
    assert len(points) > 3
    assert (points >= 0).all()
    assert (points < (180, 240)).all()
    total = labels["centroid_density"].astype(float).sum()
    assert total == pytest.approx(len(points), rel=2e-3)
    # Compact houses hold their own centre.
    rows, cols = points.astype(int).T
    assert labels["building"][rows, cols].mean() > 0.9
    assert labels["valid"].all()


def test_a_record_says_what_it_is_and_labels_only_where_asked(scene):
    settings = _settings(offset_dn=-1000.0)
    example = to_example(scene, settings, "a", labels=False)
    assert "label" not in example
    meta = example["meta"]
    assert (meta["product_level"], meta["offset_dn"]) == ("L2A", -1000)
    np.testing.assert_array_equal(meta["transform"], _GRID.transform)
    notes = json.loads(meta["provenance"])
    assert notes["simulated"] is True
    assert notes["buildings"] == len(centroids_row_col_px(scene))
    labelled = to_example(scene, settings, "a", labels=True)
    assert set(labelled["label"]) >= {"building", "road", "height_m"}

import dataclasses
import json
import typing

import numpy as np
import pytest

from data_prep.simulation.conditions import Condition
from data_prep.simulation.conditions import to_eight_bit
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


@pytest.fixture(scope="module")
def changed():
    """The same scene under each condition."""
    return {name: _scene(condition=name) for name in typing.get_args(Condition)}


def test_conditions_change_what_sentinel_2_sees_and_nothing_else(
    scene, changed
):
    np.testing.assert_array_equal(changed["ordinary"].stack.dn, scene.stack.dn)
    for name, other in changed.items():
        np.testing.assert_array_equal(other.image, scene.image)
        for key, plane in make_labels(scene).items():
            np.testing.assert_array_equal(make_labels(other)[key], plane)
        for field in dataclasses.fields(scene.stack):
            same = np.array_equal(
                getattr(other.stack, field.name),
                getattr(scene.stack, field.name),
            )
            assert same == (field.name != "dn" or name == "ordinary")


def test_snow_haze_and_eight_bits_show_in_the_digital_numbers(scene, changed):
    def dn(name):
        return changed[name].stack.dn[scene.stack.valid > 0].astype(float)

    ordinary, snow, haze = (dn(n) for n in ("ordinary", "snow", "haze"))
    blue, near, short = range(3)
    assert snow[:, blue].mean() > 3 * ordinary[:, blue].mean()
    assert snow[:, near].mean() > 1.2 * ordinary[:, near].mean()
    assert snow[:, short].mean() < 0.8 * ordinary[:, short].mean()
    assert haze[:, blue].mean() > ordinary[:, blue].mean() + 800
    assert haze.shape == ordinary.shape
    np.testing.assert_array_equal(
        changed["eight_bit"].stack.dn, to_eight_bit(scene.stack.dn)
    )


def test_snow_hides_the_season():
    spread = {}
    for name in ("ordinary", "snow"):
        settings = _settings(condition=name, frames=16)
        stack = make_scene(settings, _GRID, (3, 3), "farmland").stack
        # Infrared over blue: free of the gain of a date, not of its leaves.
        ratio = [
            np.median(dn[..., 1] / dn[..., 0].astype(float))
            for dn, valid in zip(stack.dn, stack.valid, strict=True)
            if valid.mean() > 0.9
        ]
        spread[name] = np.std(ratio) / np.mean(ratio)
    assert spread["ordinary"] > 0.05
    assert spread["snow"] < 0.012  # 0.019 if leaves showed through


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
    assert "condition" not in notes
    snowy = to_example(scene, _settings(condition="snow"), "a", labels=False)
    assert json.loads(snowy["meta"]["provenance"])["condition"] == "snow"
    labelled = to_example(scene, settings, "a", labels=True)
    assert set(labelled["label"]) >= {"building", "road", "height_m"}

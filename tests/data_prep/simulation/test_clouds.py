import numpy as np
import pytest

from data_prep.simulation.clouds import draw_clouds


def _fields(kind, number=60, shape=(30, 44)):
    return [
        draw_clouds(np.random.default_rng(seed), shape, kind)
        for seed in range(number)
    ]


def test_a_clear_frame_has_no_cloud_and_a_mask_that_is_seldom_wrong():
    fields = _fields("clear", 300)
    assert not any(f.opacity.any() or f.shadow.any() for f in fields)
    wrong = [(f.valid == 0).sum() for f in fields]
    assert max(wrong) <= 12  # a bright roof taken for a cloud
    assert np.mean(np.array(wrong) > 0) == pytest.approx(0.06, abs=0.04)


def test_a_cloudy_frame_shows_next_to_no_ground():
    fields = _fields("cloudy")
    assert np.mean([f.opacity.mean() for f in fields]) > 0.98
    assert np.mean([f.valid.mean() for f in fields]) < 0.01


@pytest.mark.parametrize("kind", ["partly", "cloudy"])
def test_the_mask_covers_every_thick_cloud_and_every_deep_shadow(kind):
    for field in _fields(kind):
        assert field.opacity.shape == field.valid.shape == (30, 44)
        assert not field.valid[field.opacity > 0.3].any()
        assert not field.valid[field.shadow > 0.4].any()


def test_partly_cloudy_frames_differ_from_nearly_clear_to_half_covered():
    covers = [f.opacity.mean() for f in _fields("partly")]
    assert 0.03 < np.mean(covers) < 0.5
    assert min(covers) < 0.05
    assert max(covers) > 0.3


def test_shadow_takes_no_more_light_than_there_is_below_a_cloud():
    for field in _fields("partly"):
        assert field.opacity.min() >= 0
        assert field.opacity.max() <= 1
        assert field.shadow.min() >= 0
        assert (field.shadow <= 0.72 * (1 - field.opacity) + 1e-5).all()
        assert field.brightness.min() >= 0.25
        assert field.brightness.max() <= 0.95

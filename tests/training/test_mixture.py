import numpy as np
import pytest

from s2distill.training.mixture import mix_targets


def test_the_mixture_is_the_share_where_both_are_and_either_alone(batch):
    _, targets = batch
    value, weight = mix_targets(targets, hard_share=0.25)["building"]
    both = targets["building_weight"] > 0
    mixed = (
        0.25 * targets["building"] + 0.75 * targets["teacher_building_probs"]
    )
    want = np.where(both, mixed, targets["teacher_building_probs"])
    np.testing.assert_allclose(np.asarray(value), want, atol=1e-6)
    assert (np.asarray(weight) == 1).all()

    targets["teacher_building_weight"] *= 0
    value, weight = mix_targets(targets, hard_share=0.25)["building"]
    np.testing.assert_allclose(
        np.asarray(value)[both], targets["building"][both], atol=1e-6
    )
    np.testing.assert_array_equal(
        np.asarray(weight), targets["building_weight"]
    )


def test_a_soft_height_counts_by_how_sure_the_teacher_is_of_a_building(batch):
    _, targets = batch
    _, weight = mix_targets(targets, hard_share=0.0)["height"]
    np.testing.assert_allclose(
        np.asarray(weight), targets["teacher_building_probs"]
    )


@pytest.mark.parametrize("hard_share", [0.3, 1.0])
def test_the_scale_is_learnt_from_labels_where_there_are_any(batch, hard_share):
    _, targets = batch
    targets["teacher_height_scale_m"] = 1 + targets["teacher_road_probs"]
    found = mix_targets(targets, hard_share=hard_share)["height_scale"]
    labelled = targets["height_weight"] > 0
    assert 0 < labelled.sum() < labelled.size
    height_m, weight, *spread_m = map(np.asarray, found)
    np.testing.assert_array_equal(
        height_m[labelled], targets["height_m"][labelled]
    )
    assert (weight[labelled] == 1).all()
    if hard_share == 1:
        assert not spread_m
        assert not weight[~labelled].any()
        return
    assert not spread_m[0][labelled].any()
    for found, name in (
        (height_m, "teacher_height_m"),
        (weight, "teacher_building_probs"),
        (spread_m[0], "teacher_height_scale_m"),
    ):
        np.testing.assert_array_equal(
            found[~labelled], targets[name][~labelled]
        )


def test_a_teacher_that_tells_no_scale_teaches_none(batch):
    _, targets = batch
    assert "height_scale" not in mix_targets(targets, hard_share=0.0)
    scale_m = targets["teacher_road_probs"].copy()
    scale_m[0] = 0  # one place was labelled by an older one
    targets["teacher_height_scale_m"] = scale_m
    found = mix_targets(targets, hard_share=0.0)
    _, weight, _ = map(np.asarray, found["height_scale"])
    assert not weight[0].any()
    np.testing.assert_array_equal(
        weight[1], targets["teacher_building_probs"][1]
    )
    # Its heights count as before.
    np.testing.assert_array_equal(
        found["height"][1], targets["teacher_building_probs"]
    )

import numpy as np
import tensorflow as tf

from s2distill.data import batches
from s2distill.data.normalize import BandStatistics

STATISTICS = BandStatistics(bands=("B2",), centre=(0.1,), scale=(0.05,))


def label_batch():
    """Two examples of 2 x 3 px; the second has no labels."""
    rng = np.random.default_rng(0)
    shape = (2, 2, 3)
    height_m = rng.uniform(3, 9, shape).astype(np.float16)
    height_m[0, 0, 0] = np.nan
    building = np.ones(shape, np.uint8)
    building[0, 0, 2] = 0
    valid = np.ones(shape, np.uint8)
    valid[0, 1, 1] = 0
    has = np.array([True, False])
    return {
        "building": building,
        "centroid_density": rng.random(shape).astype(np.float16),
        "road": rng.integers(0, 2, shape).astype(np.uint8),
        "height_m": height_m,
        "label_valid": valid,
        "has_building": has,
        "has_road": ~has,
        "has_height": has,
    }


def as_tensors(batch):
    return {name: tf.constant(x) for name, x in batch.items()}


def test_weights_say_where_an_answer_is_known():
    targets = batches.make_targets(as_tensors(label_batch()))
    known = {n: t.numpy()[..., 0] for n, t in targets.items()}
    np.testing.assert_array_equal(
        known["building_weight"], [[[1, 1, 1], [1, 0, 1]], np.zeros((2, 3))]
    )
    np.testing.assert_array_equal(
        known["road_weight"], [np.zeros((2, 3)), np.ones((2, 3))]
    )
    # Not the unknown height, not the ground beside a building.
    np.testing.assert_array_equal(
        known["height_weight"], [[[0, 1, 0], [1, 0, 1]], np.zeros((2, 3))]
    )


def test_what_is_known_is_kept_and_the_rest_is_zero():
    batch = label_batch()
    targets = batches.make_targets(as_tensors(batch))
    for name, weight in (
        ("building", "building_weight"),
        ("centroid_density", "building_weight"),
        ("road", "road_weight"),
        ("height_m", "height_weight"),
    ):
        assert targets[name].shape == (2, 2, 3, 1)
        assert targets[name].dtype == tf.float32
        mask = targets[weight].numpy()[..., 0] > 0
        expected = np.where(mask, batch[name], 0).astype(np.float32)
        np.testing.assert_array_equal(targets[name][..., 0], expected)


def teacher_batch():
    """Two examples of 2 x 2 px with all of a teacher's answers."""
    valid = np.array([[[1, 0], [0, 1]], [[1, 1], [0, 1]]], np.uint8)
    planes = {
        name: np.full((2, 2, 2), value, np.float16)
        for name, value in zip(
            (
                "teacher_building_probs",
                "teacher_road_probs",
                "teacher_centroid_density",
                "teacher_height_m",
            ),
            (0.5, 0.25, 0.125, 8),
            strict=True,
        )
    }
    has = {
        f"has_teacher_{answer}": np.array([True, True])
        for answer in ("building", "road", "height")
    }
    return planes, {**planes, **has, "teacher_valid": valid}


def test_the_teachers_answers_count_where_it_saw_the_ground():
    planes, batch = teacher_batch()
    targets = batches.make_targets(as_tensors(batch))
    weights = [f"teacher_{a}_weight" for a in ("building", "road", "height")]
    assert set(targets) == {*planes, *weights}
    valid = batch["teacher_valid"]
    for name in weights:
        np.testing.assert_array_equal(targets[name][..., 0], valid)
    for name, plane in planes.items():
        np.testing.assert_array_equal(targets[name][..., 0], plane * valid)


def test_an_answer_that_a_teacher_did_not_give_has_no_weight():
    planes, batch = teacher_batch()
    batch["has_teacher_road"] = np.array([True, False])
    targets = batches.make_targets(as_tensors(batch))
    valid = batch["teacher_valid"]
    given = valid * np.array([1, 0], np.uint8)[:, None, None]
    for name in planes:
        known = given if name == "teacher_road_probs" else valid
        np.testing.assert_array_equal(
            targets[name][..., 0], planes[name] * known
        )
    for answer, known in (("building", valid), ("road", given)):
        weight = targets[f"teacher_{answer}_weight"][..., 0]
        np.testing.assert_array_equal(weight, known)


def test_a_teachers_height_that_is_not_finite_is_unknown():
    _, batch = teacher_batch()
    batch["teacher_height_m"][0, 0, 0] = np.nan
    batch["teacher_height_m"][1, 1, 1] = np.inf
    targets = batches.make_targets(as_tensors(batch))
    known = batch["teacher_valid"].copy()
    known[0, 0, 0] = known[1, 1, 1] = 0
    np.testing.assert_array_equal(
        targets["teacher_height_weight"][..., 0], known
    )
    np.testing.assert_array_equal(
        targets["teacher_height_m"][..., 0], 8 * known
    )
    np.testing.assert_array_equal(
        targets["teacher_building_weight"][..., 0], batch["teacher_valid"]
    )


def test_a_scale_is_kept_where_the_height_is_known_and_it_is_told():
    _, batch = teacher_batch()
    rng = np.random.default_rng(1)
    scale = rng.uniform(0.5, 9, (2, 2, 2)).astype(np.float16)
    scale[0, 0, 0] = np.inf
    batch["teacher_height_scale_m"] = scale
    batch["teacher_height_m"][1, 1, 1] = np.nan
    batch["has_teacher_height"] = np.array([True, False])
    targets = batches.make_targets(as_tensors(batch))
    known = batch["teacher_valid"].astype(bool)
    known[1] = False  # another folder's record, whose teacher told none
    np.testing.assert_array_equal(
        targets["teacher_height_weight"][..., 0], known
    )
    known[0, 0, 0] = False
    np.testing.assert_array_equal(
        targets["teacher_height_scale_m"][..., 0], np.where(known, scale, 0)
    )


def test_grey_is_the_weighted_mean_of_the_colours():
    rng = np.random.default_rng(2)
    rgb = rng.integers(0, 256, (2, 3, 4, 3), dtype=np.uint8)
    valid = rng.integers(0, 2, (2, 3, 4), dtype=np.uint8)
    targets = batches.make_targets(
        as_tensors({"rgb": rgb, "image_valid": valid})
    )
    assert set(targets) == {"image_grey", "image_weight"}
    grey = rgb @ np.array([0.299, 0.587, 0.114]) / 255 * valid
    np.testing.assert_allclose(targets["image_grey"][..., 0], grey, atol=1e-6)
    np.testing.assert_array_equal(targets["image_weight"][..., 0], valid)


def test_inputs_are_normalised_and_jitter_touches_the_image_alone():
    rgb = np.full((1, 2, 2, 3), 51, np.uint8)
    batch = as_tensors(
        {
            "s2_dn": np.full((1, 2, 1, 1, 1), 1500, np.uint16),
            "s2_valid": np.array([1, 0], np.uint8).reshape(1, 2, 1, 1),
            "rgb": rgb,
            "image_valid": np.ones((1, 2, 2), np.uint8),
            "jitter": np.array([[1.0, 0.1]], np.float32),
            "view_deg": np.array([[45.0, 90.0]], np.float32),
        }
    )
    inputs = batches.make_inputs(
        batch, STATISTICS, quantification_dn=1e4, offset_dn=0.0
    )
    np.testing.assert_allclose(inputs["s2"].numpy().ravel(), [1, 0], atol=1e-5)
    np.testing.assert_array_equal(inputs["frame_valid"].numpy().ravel(), [1, 0])
    np.testing.assert_allclose(inputs["image"], np.full(rgb.shape, -0.5))
    np.testing.assert_allclose(inputs["view"], [[1, 0, 1]], atol=1e-6)
    grey = batches.make_targets(batch)["image_grey"]
    np.testing.assert_allclose(grey, np.full((1, 2, 2, 1), 0.2), atol=1e-6)

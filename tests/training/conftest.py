"""A tiny student, its batches, and a folder to train in."""

import numpy as np
import pytest
import tensorflow as tf

from s2distill.models.student import StudentConfig
from s2distill.models.student import build_student

BANDS, FACTOR, SIDE = 3, 4, 8


@pytest.fixture
def tiny_student():
    import keras

    keras.utils.set_random_seed(5)
    return build_student(
        BANDS,
        FACTOR,
        StudentConfig(
            channels=(8,),
            stages=1,
            enlargement=2,
            unet_channels=(8, 8),
        ),
    )


@pytest.fixture
def batches():
    """Infinite batches in which bright ground is a building."""
    rng = np.random.default_rng(0)
    s2 = rng.normal(size=(24, 2, SIDE, SIDE, BANDS)).astype("float32")
    bright = (s2[:, 0, :, :, :1] > 0).astype("float32")
    s2[:, 1] = s2[:, 0]
    label = bright.repeat(FACTOR, 1).repeat(FACTOR, 2)
    ones = np.ones_like(label)
    inputs = {"s2": s2, "frame_valid": np.ones(s2.shape[:4], "float32")}
    targets = {
        "building": label,
        "building_weight": ones,
        "centroid_density": label * 0.01,
    }
    dataset = tf.data.Dataset.from_tensor_slices((inputs, targets))
    return dataset.repeat().batch(4)


@pytest.fixture
def batch():
    """Answers and targets of a network, random ones."""
    rng = np.random.default_rng(0)

    shape = (2, 4, 3, 1)

    def u(scale=1.0):
        return (scale * rng.random(shape)).astype("float32")

    weight = (rng.random(shape) < 0.5).astype("float32")
    targets = {
        "building": np.round(u()),
        "road": np.round(u()),
        "centroid_density": u(0.02),
        "height_m": u(20),
        "image_grey": u(),
        "building_weight": weight,
        "road_weight": weight,
        "height_weight": weight,
        "image_weight": np.ones(shape, "float32"),
        "teacher_building_probs": u(),
        "teacher_road_probs": u(),
        "teacher_centroid_density": u(0.02),
        "teacher_height_m": u(20),
        **{
            f"teacher_{answer}_weight": np.ones(shape, "float32")
            for answer in ("building", "road", "height")
        },
    }
    answers = {
        "building_logits": u(),
        "road_logits": u(),
        "centroid_density": u(0.02),
        "height_m": u(20),
        "height_scale_m": 1 + u(3),
        "image_grey": u(),
    }
    return answers, targets

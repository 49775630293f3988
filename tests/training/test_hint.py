import keras
import numpy as np
import pytest

from s2distill.errors import ConfigError
from s2distill.models.teacher import TeacherConfig
from s2distill.models.teacher import build_teacher
from s2distill.training.hint import FeatureHint
from s2distill.training.hint import answer_with_features
from s2distill.training.hint import area_weights
from s2distill.training.hint import resample


def _random(*shape):
    rng = np.random.default_rng(sum(shape))
    return rng.normal(2, 3, shape).astype("float32")


@pytest.mark.parametrize(("old", "new"), [(6, 3), (5, 4), (7, 7), (10, 4)])
def test_each_new_pixel_is_a_mean_and_each_old_one_counts_once(old, new):
    weights = area_weights(old, new)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(weights.sum(axis=0), new / old, rtol=1e-6)


def test_halving_takes_the_mean_of_four_and_thirds_are_shared():
    x = _random(2, 4, 6, 3)
    want = x.reshape(2, 2, 2, 3, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(resample(x, (2, 3)), want, rtol=1e-5)
    # Two new pixels over three old ones: the middle one is halved.
    want = [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]]
    np.testing.assert_allclose(area_weights(3, 2), want, atol=1e-6)
    assert resample(x, (4, 6)) is x


def _hint(student, channels):
    layer = FeatureHint(channels)
    layer.build(student.shape)
    return layer


def test_a_student_that_knows_nothing_costs_one():
    student, teacher = _random(2, 4, 6, 5), _random(2, 4, 6, 3)
    layer = _hint(student, 3)
    layer.project.kernel.assign(np.zeros((1, 1, 5, 3)))
    total, weight = layer(student, teacher, np.ones((2, 8, 12, 1), "float32"))
    assert float(weight) == 48
    assert float(total / weight) == pytest.approx(1, rel=1e-5)


def test_features_that_a_projection_makes_equal_cost_nothing():
    student = _random(2, 6, 9, 4)
    mixing = _random(4, 3)
    teacher = student @ mixing
    mean, deviation = teacher.mean((0, 1, 2)), teacher.std((0, 1, 2))
    # On the coarser grid of the two.
    seen = np.ones((2, 6, 9, 1), "float32")
    layer = _hint(student, 3)
    layer.project.kernel.assign((mixing / deviation)[None, None])
    layer.project.bias.assign(-mean / deviation)
    total, weight = layer(student, teacher, seen)
    assert float(total / weight) < 1e-8


def test_ground_the_teacher_did_not_see_has_no_part():
    student, teacher = _random(2, 4, 6, 4), _random(2, 8, 12, 3)
    seen = np.ones((2, 16, 24, 1), "float32")
    seen[0, :, 12:] = 0
    layer = _hint(student, 3)
    before = layer(student, teacher, seen)
    student[0, :, 3:] = 7
    teacher[0, :, 6:] = -7
    after = layer(student, teacher, seen)
    assert float(before[1]) == 36  # cells of the coarser grid
    np.testing.assert_allclose(before, after, rtol=1e-6)
    student[0, :, :3] = 7
    changed = float(layer(student, teacher, seen)[0])
    assert changed != pytest.approx(float(before[0]), rel=0.01)


def test_a_network_gives_its_features_beside_the_same_answers():
    network = build_teacher(TeacherConfig(channels=(4, 4)))
    image = {"image": _random(1, 8, 12, 3)}
    found = answer_with_features(network)(image)
    features = found.pop("features")
    assert features.shape == (1, 2, 3, 4)
    for name, answer in network(image).items():
        np.testing.assert_array_equal(found[name], answer)


def test_a_network_of_an_older_version_gives_no_hints():
    x = keras.Input((4,))
    old = keras.Model(x, {"height_m": keras.layers.Dense(1)(x)}, name="old")
    with pytest.raises(ConfigError, match="old has no layer 'features'"):
        answer_with_features(old)

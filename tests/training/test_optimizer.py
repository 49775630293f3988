import keras
import numpy as np
import pytest
from keras import ops

from s2distill.training.optimizer import ConvMuon
from s2distill.training.optimizer import WarmupCosine
from s2distill.training.optimizer import make_optimizer


def _variable(shape, name):
    values = np.random.default_rng(0).normal(size=shape).astype("float32")
    return keras.Variable(values, name=name)


def _move(optimizer, variable, gradient):
    before = ops.convert_to_numpy(variable)
    optimizer.build([variable])
    optimizer.apply([ops.convert_to_tensor(gradient)], [variable])
    return ops.convert_to_numpy(variable) - before


def _made(warmup_steps):
    return make_optimizer(
        steps=100,
        learning_rate=0.5,
        warmup_steps=warmup_steps,
        weight_decay=0.1,
        clip_norm=1.0,
    )


def _muon(**changes):
    return ConvMuon(
        learning_rate=1.0, weight_decay=None, adam_weight_decay=None, **changes
    )


def test_the_rate_rises_to_its_height_and_falls_to_zero():
    schedule = WarmupCosine(peak=1e-3, steps=100, warmup_steps=20)
    assert float(schedule(0)) == 0
    assert float(schedule(10)) == pytest.approx(0.5e-3)
    assert float(schedule(20)) == pytest.approx(1e-3)
    assert float(schedule(60)) == pytest.approx(0.5e-3, rel=1e-4)
    assert float(schedule(100)) == pytest.approx(0, abs=1e-9)
    assert float(schedule(150)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("steps", "warmup"), [(1, 50), (3, 50), (5, 0)])
def test_a_short_run_still_has_a_rate(steps, warmup):
    schedule = WarmupCosine(peak=1.0, steps=steps, warmup_steps=warmup)
    rates = [float(schedule(step)) for step in range(steps)]
    assert max(rates) > 0.4
    assert all(0 <= rate <= 1 for rate in rates)


def test_an_update_of_a_kernel_is_its_gradient_with_equal_singular_values():
    kernel = _variable((3, 3, 5, 7), "kernel")
    gradient = np.random.default_rng(1).normal(size=kernel.shape)
    step = -_move(_muon(), kernel, gradient.astype("float32")).reshape(45, 7)
    u, sizes, v = np.linalg.svd(step / (0.2 * np.sqrt(45)), full_matrices=False)
    # Five Newton-Schulz steps bring them near 1, not to 1.
    assert sizes.min() > 0.6
    assert sizes.max() < 1.3
    want_u, _, want_v = np.linalg.svd(
        gradient.reshape(45, 7), full_matrices=False
    )
    overlap = np.sum((u @ v) * (want_u @ want_v)) / 7
    assert overlap > 0.95


@pytest.mark.parametrize("shape", [(90, 20), (20, 90), (30, 30)])
def test_the_iteration_on_the_smaller_side_is_the_plain_one(shape):
    rng = np.random.default_rng(2)
    u, _, v = np.linalg.svd(rng.normal(size=shape), full_matrices=False)
    sizes = np.logspace(0, -4, min(shape))
    matrix = ((u * sizes) @ v).astype("float32")
    optimizer = _muon()
    found = optimizer.zeropower_via_newtonschulz5(matrix, 5)
    # Each singular value by itself, in float64.
    values = sizes / np.linalg.norm(sizes)
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    error = np.linalg.norm(found - (u * values) @ v)
    assert error < 1e-3 * np.linalg.norm(values)
    # And as Keras does it.
    plain = keras.optimizers.Muon.zeropower_via_newtonschulz5(
        optimizer, ops.convert_to_tensor(matrix), 5
    )
    assert np.linalg.norm(found - plain) < 1e-3 * np.linalg.norm(values)


@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e12])
def test_gradients_of_one_direction_and_any_size_stay_finite(scale):
    column = np.random.default_rng(0).normal(size=(27, 1))
    kernel = _variable((3, 3, 3, 8), "kernel")
    gradient = scale * (column * np.ones(8)).reshape(3, 3, 3, 8)
    step = _move(_muon(), kernel, gradient.astype("float32"))
    assert np.isfinite(step).all()
    assert np.abs(step).max() < 1


def test_the_size_of_a_gradient_does_not_matter_to_muon():
    rng = np.random.default_rng(1)
    gradient = rng.normal(size=(3, 3, 4, 4)).astype("float32")
    steps = [
        _move(
            _muon(),
            _variable((3, 3, 4, 4), "kernel"),
            gradient * np.float32(size),
        )
        for size in (1.0, 1000.0)
    ]
    np.testing.assert_allclose(steps[0], steps[1], rtol=0.02, atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "name"), [((6,), "bias"), ((3, 3, 2, 6), "heads_raw_kernel")]
)
def test_vectors_and_the_ends_of_a_network_move_by_adam(shape, name):
    variable = _variable(shape, name)
    gradient = np.random.default_rng(1).normal(size=shape).astype("float32")
    step = _move(
        _muon(exclude_layers=["heads_raw"], adam_lr_ratio=0.5),
        variable,
        gradient,
    )
    # The first step of Adam is the sign of the gradient times the rate.
    np.testing.assert_allclose(step, -0.5 * np.sign(gradient), atol=5e-3)


def test_weights_decay_by_the_rate():
    optimizer = _made(warmup_steps=0)
    bias = _variable((4,), "bias")
    before = ops.convert_to_numpy(bias)
    step = _move(optimizer, bias, np.zeros(4, "float32"))
    np.testing.assert_allclose(step, -0.5 * 0.1 * before, rtol=1e-5)


def test_it_survives_serialization():
    optimizer = _made(warmup_steps=2)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, ConvMuon)
    assert again.get_config() == optimizer.get_config()

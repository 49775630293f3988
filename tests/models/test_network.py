"""What every network must hold, and the door to them."""

import typing

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from s2distill.errors import ConfigError
from s2distill.models.heads import OUTPUTS
from s2distill.models.network import FRAME_NETWORKS
from s2distill.models.network import build_network

BANDS, FACTOR = 3, 4


def _build(name, preset="small"):
    return build_network(name, preset=preset, bands=BANDS, label_factor=FACTOR)


@pytest.fixture(scope="module", params=list(FRAME_NETWORKS))
def network(request):
    """Each network that takes frames; random weights hide no path."""
    model = _build(request.param)
    rng = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.1, weight.shape))
    return model


def _stack(frames=4, height=8, width=10):
    rng = np.random.default_rng(0)
    s2 = rng.normal(size=(2, frames, height, width, BANDS)).astype("float32")
    valid = (rng.random(s2.shape[:4]) < 0.7).astype("float32")
    return s2, valid


def _answer(model, s2, valid):
    out = model({"s2": s2, "frame_valid": valid})
    return {k: ops.convert_to_numpy(v) for k, v in out.items()}


def _assert_same(a, b):
    assert set(a) == set(b) == set(OUTPUTS)
    for name in a:
        # float32 sums in another order; heights are tens of metres.
        np.testing.assert_allclose(
            a[name], b[name], rtol=1e-4, atol=1e-4, err_msg=name
        )


def test_order_of_frames_does_not_matter(network):
    s2, valid = _stack()
    order = [3, 1, 0, 2]
    _assert_same(
        _answer(network, s2, valid),
        _answer(network, s2[:, order], valid[:, order]),
    )


def test_an_invalid_frame_has_no_influence_at_all(network):
    s2, valid = _stack()
    valid[:, 2] = 0
    poisoned = s2.copy()
    poisoned[:, 2] = np.nan
    rest = [0, 1, 3]
    _assert_same(
        _answer(network, poisoned, valid),
        _answer(network, s2[:, rest], valid[:, rest]),
    )


def test_every_valid_frame_has_influence(network):
    s2, valid = _stack()
    valid[:] = 1
    before = _answer(network, s2, valid)["building_logits"]
    for t in range(s2.shape[1]):
        moved = s2.copy()
        moved[:, t] += 1
        after = _answer(network, moved, valid)["building_logits"]
        assert np.abs(after - before).max() > 1e-4


@pytest.mark.parametrize("frames", [1, 5])
def test_any_number_of_frames_and_odd_sizes_work(network, frames):
    s2, valid = _stack(frames, height=5, width=7)
    valid[0] = 0  # an example without a valid pixel
    for answer in _answer(network, s2, valid).values():
        assert answer.shape == (2, 20, 28, 1)
        assert answer.dtype == np.float32
        assert np.isfinite(answer).all()


def test_saved_and_loaded_it_gives_the_same_numbers(network, tmp_path):
    s2, valid = _stack(frames=2, height=5, width=7)
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    _assert_same(_answer(network, s2, valid), _answer(loaded, s2, valid))


def test_a_graph_for_any_size_gives_the_same_numbers(network):
    traced = tf.function(
        lambda s2, frame_valid: network({"s2": s2, "frame_valid": frame_valid}),
        input_signature=[
            tf.TensorSpec((None, None, None, None, BANDS)),
            tf.TensorSpec((None, None, None, None)),
        ],
    )
    s2, valid = _stack(frames=3, height=5, width=7)
    _assert_same(
        {k: v.numpy() for k, v in traced(s2, valid).items()},
        _answer(network, s2, valid),
    )


def test_gradients_reach_every_weight(network):
    s2, valid = _stack()
    rng = np.random.default_rng(1)
    weights = network.trainable_weights
    with tf.GradientTape() as tape:
        answers = network({"s2": s2, "frame_valid": valid}, training=True)
        loss = sum(
            tf.reduce_sum(answer * rng.normal(size=answer.shape))
            for answer in answers.values()
        )
    gradients = tape.gradient(loss, [w.value for w in weights])
    unreached = [
        w.path
        for w, g in zip(weights, gradients, strict=True)
        if g is None or not np.any(g)
    ]
    assert not unreached


@pytest.fixture
def mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("name", FRAME_NETWORKS)
def test_mixed_precision_answers_nearly_the_same_in_float32(
    name, mixed_precision
):
    half = _build(name)
    keras.config.set_dtype_policy("float32")
    whole = _build(name)
    whole.set_weights(half.get_weights())
    assert half.input_dtype == whole.input_dtype == "float32"
    computed = {layer.compute_dtype for layer in half.layers}
    assert computed == {"bfloat16", "float32"}
    s2, valid = _stack(frames=3)
    rough, exact = _answer(half, s2, valid), _answer(whole, s2, valid)
    for key, answer in exact.items():
        assert rough[key].dtype == np.float32
        # Freshly initialised answers lie near the means that they start at.
        np.testing.assert_allclose(rough[key], answer, rtol=0.1, atol=0.1)


@pytest.mark.parametrize(
    "name", ["bicubic_unet", "super_resolution_unet", "u_tae"]
)
def test_presets_grow_with_their_names(name):
    counts = [
        _build(name, preset).count_params()
        for preset in ("small", "base", "full")
    ]
    assert counts == sorted(counts)
    assert counts[0] < counts[1] / 2
    assert counts[1] < counts[2] / 2


def test_the_teacher_has_its_inputs_and_the_same_answers():
    model = _build("teacher")
    assert set(model.input) == {"image"}
    assert set(model.output) == set(OUTPUTS)


def test_every_list_of_networks_is_the_same():
    from s2distill.serving.card import ModelKind
    from s2distill.training_config import Config

    names = ("teacher", *FRAME_NETWORKS)
    assert names == typing.get_args(ModelKind)
    flags = typing.get_type_hints(Config)
    assert names == typing.get_args(flags["network"])


def test_unknown_names_are_refused_with_what_there_is():
    with pytest.raises(ConfigError, match="no network 'unet'.*teacher"):
        build_network("unet", preset="small", bands=3, label_factor=20)
    with pytest.raises(ConfigError, match="no preset 'huge'.*small"):
        build_network("student", preset="huge", bands=3, label_factor=20)
    with pytest.raises(ConfigError, match="teacher has no preset 'huge'"):
        build_network("teacher", preset="huge", bands=3, label_factor=20)


@pytest.mark.parametrize(
    ("name", "choice", "message"),
    [
        ("u_tae", {"fusion": "attention"}, "--fusion=attention .* u_tae"),
        ("teacher", {"fusion": "mean_max"}, "--fusion=mean_max .* teacher"),
        ("student", {"view": True}, "--view is for --network=teacher"),
    ],
    ids=["u_tae", "teacher", "student"],
)
def test_a_choice_of_another_network_is_refused(name, choice, message):
    with pytest.raises(ConfigError, match=message):
        build_network(name, preset="small", bands=3, label_factor=20, **choice)


def test_a_student_fuses_as_it_is_told():
    def layers(fusion):
        model = build_network(
            "student", preset="small", bands=3, label_factor=4, fusion=fusion
        )
        return {type(layer).__name__ for layer in model.layers}

    assert "AttentionExchange" in layers("attention") - layers(None)
    assert layers("mean_max") == layers(None)


def test_a_teacher_with_view_is_told_the_view():
    model = build_network(
        "teacher", preset="small", bands=3, label_factor=4, view=True
    )
    assert set(model.input) == {"image", "view"}

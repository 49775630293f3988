"""The promises of the student as a whole, with random (not zero) weights."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from s2distill.models.fusion import FUSIONS
from s2distill.models.heads import FEATURES
from s2distill.models.student import STUDENT_PRESETS
from s2distill.models.student import StudentConfig
from s2distill.models.student import build_student
from s2distill.models.student import fit_enlargement
from s2distill.models.unet import BOTTLENECK

BANDS, FACTOR = 3, 4
TINY = StudentConfig(
    channels=(8, 12),
    stages=2,
    unet_channels=(8, 8, 12),
    enlargement=2,
)
CONFIGS = {kind: dataclasses.replace(TINY, fusion=kind) for kind in FUSIONS}
CONFIGS["enlarged frames"] = dataclasses.replace(TINY, frame_enlargement=2)


@pytest.fixture(scope="module", params=CONFIGS.values(), ids=CONFIGS)
def student(request):
    model = build_student(BANDS, FACTOR, request.param)
    rng = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.1, weight.shape))
    return model


def _stack(frames=4, height=6, width=8, seed=0):
    rng = np.random.default_rng(seed)
    s2 = rng.normal(size=(2, frames, height, width, BANDS)).astype("float32")
    valid = (rng.random((2, frames, height, width)) < 0.7).astype("float32")
    return s2, valid


def _answer(model, s2, valid):
    out = model({"s2": s2, "frame_valid": valid})
    return {k: ops.convert_to_numpy(v) for k, v in out.items()}


def _assert_same(a, b, atol):
    for name in a:
        np.testing.assert_allclose(a[name], b[name], atol=atol, err_msg=name)


def test_order_of_frames_does_not_matter(student):
    s2, valid = _stack()
    order = [3, 1, 0, 2]
    _assert_same(
        _answer(student, s2, valid),
        _answer(student, s2[:, order], valid[:, order]),
        atol=1e-5,  # float32 sums in another order
    )


def test_an_invalid_frame_has_no_influence_at_all(student):
    s2, valid = _stack()
    valid[:, 2] = 0
    without = [0, 1, 3]
    s2_poisoned = s2.copy()
    s2_poisoned[:, 2] = np.nan
    _assert_same(
        _answer(student, s2_poisoned, valid),
        _answer(student, s2[:, without], valid[:, without]),
        atol=1e-5,
    )


def test_an_invalid_pixel_has_no_influence_at_all(student):
    s2, valid = _stack()
    dirty = np.where(valid[..., None] > 0, s2, np.nan).astype("float32")
    _assert_same(
        _answer(student, dirty, valid), _answer(student, s2, valid), atol=0
    )


def test_every_valid_frame_has_influence(student):
    s2, valid = _stack()
    valid[:] = 1
    before = _answer(student, s2, valid)["building_logits"]
    for t in range(4):
        moved = s2.copy()
        moved[:, t] += 1
        after = _answer(student, moved, valid)["building_logits"]
        assert np.abs(after - before).max() > 1e-4


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_any_number_of_frames_and_odd_sizes_work(student, frames):
    s2, valid = _stack(frames, height=5, width=7)
    for answer in _answer(student, s2, valid).values():
        assert answer.shape == (2, 20, 28, 1)
        assert np.isfinite(answer).all()


def test_no_valid_pixel_gives_finite_answers(student):
    s2, valid = _stack()
    for answer in _answer(student, s2, np.zeros_like(valid)).values():
        assert np.isfinite(answer).all()


def test_a_longer_stack_of_the_same_frame_changes_nothing(student):
    s2, valid = _stack(1)
    valid[:] = 1
    _assert_same(
        _answer(student, s2, valid),
        _answer(student, s2.repeat(5, 1), valid.repeat(5, 1)),
        atol=1e-5,
    )


def test_a_graph_for_any_size_gives_the_same_numbers(student):
    traced = tf.function(
        lambda s2, valid: student({"s2": s2, "frame_valid": valid}),
        input_signature=[
            tf.TensorSpec((None, None, None, None, BANDS)),
            tf.TensorSpec((None, None, None, None)),
        ],
    )
    for sizes in ((1, 5, 7), (3, 8, 6)):
        stack = _stack(*sizes)
        answers = {k: v.numpy() for k, v in traced(*stack).items()}
        _assert_same(answers, _answer(student, *stack), atol=1e-4)


def _build_slim(kind):
    config = dataclasses.replace(
        CONFIGS[kind], channels=(8,), unet_channels=(8, 8), sigmas_px=(0.3,)
    )
    return build_student(BANDS, FACTOR, config)


@pytest.mark.parametrize("kind", FUSIONS)
def test_compiled_for_a_size_it_gives_the_same_numbers(kind):
    student = _build_slim(kind)
    compiled = tf.function(
        lambda s2, valid: student({"s2": s2, "frame_valid": valid}),
        jit_compile=True,
    )
    stack = _stack(frames=2, height=4, width=5)
    answers = {k: v.numpy() for k, v in compiled(*stack).items()}
    _assert_same(answers, _answer(student, *stack), atol=1e-4)


def test_exported_it_takes_any_number_of_frames_and_any_size(tmp_path):
    student = _build_slim("attention")
    student.export(tmp_path, verbose=False)
    served = tf.saved_model.load(tmp_path)
    for sizes in ((1, 5, 7), (3, 8, 6)):
        s2, valid = _stack(*sizes)
        answers = served.serve({"s2": s2, "frame_valid": valid})
        _assert_same(
            {k: v.numpy() for k, v in answers.items()},
            _answer(student, s2, valid),
            atol=1e-4,
        )


def test_saved_and_loaded_it_gives_the_same_numbers(student, tmp_path):
    student.save(tmp_path / "student.keras")
    loaded = keras.models.load_model(tmp_path / "student.keras")
    stack = _stack(frames=3, height=5, width=7)
    _assert_same(_answer(loaded, *stack), _answer(student, *stack), atol=1e-5)


def _count_numbers(model, frames):
    """Sum of the sizes of all tensors of the graph for so many frames."""
    traced = tf.function(
        lambda s2, valid: model({"s2": s2, "frame_valid": valid})
    ).get_concrete_function(
        tf.TensorSpec((1, frames, 16, 20, BANDS)),
        tf.TensorSpec((1, frames, 16, 20)),
    )
    return sum(
        tensor.shape.num_elements()
        for operation in traced.graph.get_operations()
        for tensor in operation.outputs
    )


def test_cost_is_linear_in_the_number_of_frames(student):
    few, more, most = (_count_numbers(student, t) for t in (3, 5, 7))
    assert most - more == more - few > 0


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_in_half_precision_it_answers_nearly_the_same(config):
    whole = build_student(BANDS, FACTOR, config)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = build_student(BANDS, FACTOR, config)
    finally:
        keras.config.set_dtype_policy("float32")
    half.dtype_policy = keras.DTypePolicy("float32")  # of what it is fed
    half.set_weights(whole.get_weights())
    for layer in half.layers:
        single = layer.name in ("shift_and_add", "heads")
        wanted = "float32" if single else "bfloat16"
        assert layer.compute_dtype == wanted, layer.name
    stack = _stack()
    # 8 bits, through some 20 layers.
    _assert_same(_answer(half, *stack), _answer(whole, *stack), atol=0.1)


@pytest.mark.parametrize("name", ["hrnet_w18", "hrnet_w32"])
def test_hrnet_presets_have_the_published_branches(name):
    config = STUDENT_PRESETS[name]
    width = int(name.removeprefix("hrnet_w"))
    assert config.channels == tuple(width * 2**i for i in range(4))
    assert (config.stages, config.blocks) == (4, 4)
    # From 2.5 m to the 80 m of the coarsest branch.
    assert len(config.unet_channels) == 6
    assert config.unet_channels[-1] >= config.channels[-1]


def test_the_coarsest_and_finest_features_have_names(student):
    taps = [student.get_layer(name).output for name in (BOTTLENECK, FEATURES)]
    s2, valid = _stack(height=8, width=12)
    coarse, fine = keras.Model(student.input, taps)(
        {"s2": s2, "frame_valid": valid}
    )
    assert coarse.shape == (2, 4, 6, 12)  # 2 levels below twice the size
    assert fine.shape == (2, 16, 24, 8)


def test_frames_are_enlarged_no_more_than_the_label_grid_allows():
    config = dataclasses.replace(CONFIGS["enlarged frames"], enlargement=4)
    names = {layer.name for layer in build_student(BANDS, 3, config).layers}
    assert "frame_enlarge" not in names


def test_small_preset_builds_with_three_bands_and_ten():
    counts = [
        build_student(bands, 20, STUDENT_PRESETS["small"]).count_params()
        for bands in (3, 10)
    ]
    config = STUDENT_PRESETS["small"]
    planes = config.channels[0] + (
        len(config.sigmas_px) * config.unet_channels[0]
    )
    assert counts[1] - counts[0] == 7 * 9 * planes  # nothing but the stems


@pytest.mark.parametrize("factor", [1, 3, 4, 7, 20])
def test_answers_stand_on_any_label_grid(factor):
    s2, valid = _stack(height=3, width=5)
    for name, answer in _answer(
        build_student(BANDS, factor, TINY), s2, valid
    ).items():
        assert answer.shape == (2, 3 * factor, 5 * factor, 1), name


@pytest.mark.parametrize(
    ("wanted", "factor", "fits"), [(4, 20, 4), (4, 10, 2), (4, 5, 1), (1, 8, 1)]
)
def test_an_enlargement_is_halved_until_it_divides(wanted, factor, fits):
    assert fit_enlargement(wanted, factor) == fits


@pytest.mark.parametrize(
    ("wanted", "factor", "message"),
    [(4, 0, "at least 1, got 0"), (3, 6, "power of two, got 3")],
)
def test_an_impossible_enlargement_is_refused(wanted, factor, message):
    with pytest.raises(ValueError, match=message):
        fit_enlargement(wanted, factor)


def test_a_unet_too_shallow_for_the_frames_is_refused():
    config = StudentConfig(enlargement=4, unet_channels=(8, 8))
    with pytest.raises(ValueError, match=r"of 2 levels .* at levels \[2\]"):
        build_student(BANDS, 20, config)


def test_a_branch_without_a_stage_is_refused():
    with pytest.raises(ValueError, match="2 branches of frames .* got 1"):
        build_student(BANDS, FACTOR, StudentConfig(channels=(8, 12)))

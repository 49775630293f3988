"""The promises of the student as a whole, with random (not zero) weights."""

import numpy as np
import pytest
from keras import ops

from s2distill.models.student import STUDENT_PRESETS
from s2distill.models.student import StudentConfig
from s2distill.models.student import build_student
from s2distill.models.student import fit_enlargement

BANDS, FACTOR = 3, 4
TINY = StudentConfig(
    channels=(8, 12),
    stages=2,
    unet_channels=(8, 8, 12),
    enlargement=2,
)


@pytest.fixture(scope="module")
def student():
    model = build_student(BANDS, FACTOR, TINY)
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

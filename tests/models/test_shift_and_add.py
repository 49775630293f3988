"""Sums of samples, by a loop over all of them, and what they reveal."""

import itertools

import numpy as np
import pytest
from keras import ops

from s2distill.models.frame_shifts import frame_shifts_px
from s2distill.models.shift_and_add import ShiftAndAdd

B, T, H, W, C = 2, 3, 4, 5, 2
FACTOR, SIGMAS = 2, (0.2, 0.5)


@pytest.fixture
def frames():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(B, T, H, W, C)).astype("float32")
    valid = (rng.random((B, T, H, W)) < 0.7).astype("float32")
    valid[0, :, :3, :3] = 0  # the first fine pixels see no sample
    return x, valid


def _add(x, valid, factor=FACTOR, sigmas=SIGMAS):
    return ops.convert_to_numpy(ShiftAndAdd(factor, sigmas)(x, valid))


def _samples_around(shifts, b, row, col):
    """Each (t, pixel) beside the fine pixel and its distance to it."""
    place = (np.array([row, col]) + 0.5) / FACTOR - 0.5
    here = row // FACTOR, col // FACTOR
    for t, dy, dx in itertools.product(range(T), (-1, 0, 1), (-1, 0, 1)):
        i, j = here[0] + dy, here[1] + dx
        if 0 <= i < H and 0 <= j < W:
            moved_y = shifts[b, t, i, here[1], 1]
            moved_x = shifts[b, t, i, j, 0]
            away = np.array([i - moved_y, j - moved_x]) - place
            yield (t, i, j), away


def test_each_fine_pixel_is_the_weighted_mean_of_the_samples_around(
    frames, check_layer
):
    x, valid = frames
    out, _ = check_layer(
        ShiftAndAdd,
        {"factor": FACTOR, "sigmas_px": SIGMAS},
        x,
        valid,
        half_dtype="float32",  # it computes in single precision always
    )
    clean = x * valid[..., None]
    places_first = (0, 2, 3, 1)
    shifts = ops.convert_to_numpy(
        frame_shifts_px(
            ops.convert_to_tensor(clean.transpose(*places_first, 4)),
            ops.convert_to_tensor(valid.transpose(places_first)),
        )
    ).transpose(0, 3, 1, 2, 4)
    for b, row, col in np.ndindex(B, H * FACTOR, W * FACTOR):
        weight = dict.fromkeys(SIGMAS, 1e-30)
        total = {s: np.zeros(C) for s in SIGMAS}
        for (t, i, j), away in _samples_around(shifts, b, row, col):
            for s in SIGMAS:
                w = valid[b, t, i, j] * np.exp(-(away @ away) / s**2 / 2)
                weight[s] += w
                total[s] += w * clean[b, t, i, j]
        narrow, wide = SIGMAS
        if weight[wide] < 1e-20:
            continue
        mean = total[wide] / weight[wide]
        share = weight[narrow] / weight[wide]
        sharp = (total[narrow] / weight[wide] + 0.02 * mean) / (share + 0.02)
        want = [*mean, *sharp, 1, np.log(share + 0.02)]
        np.testing.assert_allclose(out[b, row, col], want, atol=2e-4)


def test_ground_that_no_frame_shows_is_marked_and_zero(frames):
    x, valid = frames
    x[0, :, :3, :3] = np.nan
    unseen = _add(x, valid)[0, 0, 0]
    np.testing.assert_array_equal(unseen[: 2 * C + 1], 0)


def test_what_stands_in_an_invalid_pixel_has_no_influence(frames):
    x, valid = frames
    poisoned = np.where(valid[..., None] > 0, x, np.nan).astype("float32")
    np.testing.assert_array_equal(_add(x, valid), _add(poisoned, valid))


def test_order_and_repetition_of_frames_change_nothing(frames):
    x, valid = frames
    order = [2, 0, 1, 2, 0, 1]
    np.testing.assert_allclose(
        _add(x[:, order], valid[:, order]), _add(x, valid), atol=2e-4
    )


def test_a_lonely_pixel_may_be_given_twice():
    x = np.full((1, 1, 3, 3, 1), 0.5, "float32")
    valid = np.zeros((1, 1, 3, 3), "float32")
    valid[0, 0, 1, 1] = 1
    once = _add(x, valid, 4, (0.1, 0.3))
    twice = _add(x.repeat(2, 1), valid.repeat(2, 1), 4, (0.1, 0.3))
    np.testing.assert_allclose(twice, once, atol=1e-5)
    np.testing.assert_allclose(once[..., 0], 0.5, atol=1e-5)  # to the corner


@pytest.mark.parametrize("sigmas_px", [(), (0.3, 0.0)])
def test_a_kernel_without_width_is_refused(sigmas_px):
    with pytest.raises(ValueError, match="widths above 0"):
        ShiftAndAdd(2, sigmas_px)


def test_a_constant_stays_constant():
    x = np.full((1, 2, 3, 3, 1), 0.7, "float32")
    out = _add(x, np.ones((1, 2, 3, 3), "float32"))
    np.testing.assert_allclose(out[..., :2], 0.7, atol=1e-5)


def test_shifted_frames_together_show_what_none_does():
    """A wave of 1.6 px, above what samples 1 px apart can hold."""
    size, factor = 16, 4
    shifts = np.array([-0.3, -0.1, 0.1, 0.3])
    edge = 2 * factor

    def ground(x_px):  # slow waves betray the shift, a fast one is the test
        return np.sin(x_px / 1.6) + 0.3 * np.sin(2 * np.pi * x_px / 1.6)

    x = ground(np.arange(size) - shifts[:, None])
    frames = np.broadcast_to(x[None, :, None, :, None], (1, 4, size, size, 1))
    valid = np.ones(frames.shape[:4], "float32")
    fine = (np.arange(size * factor) + 0.5) / factor - 0.5
    out = _add(frames.astype("float32"), valid, factor, (0.1, 0.3))
    sharp = out[0, edge:-edge, edge:-edge, 1]
    alone = _add(frames[:, :1].astype("float32"), valid[:, :1], factor)
    alone = alone[0, edge:-edge, edge:-edge, 1]
    truth = ground(fine)[edge:-edge]
    error = np.abs(sharp - truth).mean()
    assert error < 0.1
    assert error < np.abs(alone - truth).mean() / 2


def test_the_widest_kernel_comes_first_however_they_are_given(frames):
    x, valid = frames
    np.testing.assert_array_equal(
        _add(x, valid), _add(x, valid, sigmas=SIGMAS[::-1])
    )

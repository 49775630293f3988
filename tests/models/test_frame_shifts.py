"""Shifts found are those put in; what says nothing about them changes none."""

import numpy as np
import pytest
from keras import ops

from s2distill.models.frame_shifts import MAX_SHIFT_PX
from s2distill.models.frame_shifts import frame_shifts_px

BANDS = 3
# Radius of what an answer depends on: two windows of 15 px and a neighbour.
REACH_PX = 7 + 7 + 1


def _frames(shifts_px, size=24, seed=0):
    """[1, T, size, size, BANDS]: waves of 10 px and longer, displaced."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size].astype(float)
    stack = np.zeros((1, len(shifts_px), size, size, BANDS))
    for band in range(BANDS):
        for _ in range(12):
            fx, fy = rng.uniform(-0.1, 0.1, 2)
            phase, height = rng.uniform(0, 6.28), rng.normal()
            for t, (sx, sy) in enumerate(shifts_px):
                wave = 2 * np.pi * (fx * (x - sx) + fy * (y - sy)) + phase
                stack[0, t, ..., band] += height * np.sin(wave)
    return stack.astype("float32")


def _found(frames, valid=None):
    """[1, T, size, size, 2], of frames in the same order."""
    if valid is None:
        valid = np.ones(frames.shape[:4])
    places_first = (0, 2, 3, 1)
    shifts = frame_shifts_px(
        ops.convert_to_tensor(frames.transpose(*places_first, 4)),
        ops.convert_to_tensor(valid.astype("float32").transpose(places_first)),
    )
    return ops.convert_to_numpy(shifts).transpose(0, 3, 1, 2, 4)


@pytest.mark.parametrize("axis", [0, 1])
def test_known_shifts_are_found_with_sign_and_axis(axis):
    shifts = np.zeros((4, 2))
    shifts[:, axis] = (0.3, -0.2, 0.1, -0.2)
    found = _found(_frames(shifts))[0].mean((1, 2))
    np.testing.assert_allclose(found, shifts, atol=0.03)


def test_shifts_count_from_the_mean_of_the_frames():
    shifts = np.array([(0.5, 0.1), (0.1, 0.1), (0.3, 0.4)])
    found = _found(_frames(shifts))[0].mean((1, 2))
    np.testing.assert_allclose(found, shifts - shifts.mean(0), atol=0.03)


def test_haze_and_a_brighter_band_are_no_shift():
    shifts = np.array([(0.2, 0), (-0.2, 0)])
    frames = _frames(shifts)
    before = _found(frames)
    frames[0, 0] += (1, 0, -2)
    np.testing.assert_allclose(_found(frames), before, atol=1e-3)


def test_one_frame_and_equal_frames_have_no_shift():
    frame = _frames([(0.4, 0.4)])
    assert not _found(frame).any()
    np.testing.assert_allclose(_found(frame.repeat(3, 1)), 0, atol=1e-5)


def test_a_band_of_noise_does_not_move_the_answer():
    shifts = np.array([(0.3, -0.1), (-0.3, 0.1)])
    frames = _frames(shifts)
    noise = np.random.default_rng(4).normal(size=frames.shape[:4])
    frames[..., 0] = 3 * noise
    found = _found(frames)[0].mean((1, 2))
    np.testing.assert_allclose(found, shifts, atol=0.05)


@pytest.mark.parametrize("shift_px", [0.7, 2.5])
def test_a_shift_is_bounded_and_not_before_it_must(shift_px):
    shifts = np.array([(shift_px, 0), (-shift_px, 0)])
    found = _found(_frames(shifts))[0, :, 12, 12, 0]
    wanted = min(shift_px, MAX_SHIFT_PX)
    np.testing.assert_allclose(np.abs(found), wanted, atol=0.1)


def test_flat_ground_tells_no_shift():
    frames = np.zeros((1, 2, 9, 9, BANDS), "float32")
    frames[0, 1] = 0.3
    np.testing.assert_allclose(_found(frames), 0, atol=1e-5)


def test_noise_alone_stays_within_bounds():
    noise = np.random.default_rng(2).normal(size=(2, 3, 9, 9, BANDS))
    found = _found(noise.astype("float32"))
    assert np.abs(found).max() <= MAX_SHIFT_PX == 0.9


def test_a_clouded_frame_moves_no_other():
    shifts = np.array([(0.3, 0), (-0.3, 0), (0, 0)])
    frames = _frames(shifts)
    valid = np.ones(frames.shape[:4])
    valid[0, 2] = 0
    frames[0, 2] = 0  # as the caller gives what is invalid
    both = _found(frames, valid)
    np.testing.assert_allclose(both[:, :2], _found(frames[:, :2]), atol=1e-6)
    assert not both[0, 2].any()


def test_an_answer_depends_on_its_surroundings_alone():
    size = 2 * REACH_PX + 4
    frames = _frames([(0.3, 0), (-0.3, 0)], size)
    before = _found(frames)
    frames[:, 0, :, 0] = 9
    after = _found(frames)
    far = np.s_[:, :, :, REACH_PX + 1 :]
    np.testing.assert_allclose(after[far], before[far], atol=1e-5)
    assert np.abs(after - before)[:, :, :, 1].max() > 0.01


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (2, 3)])
def test_images_of_a_few_pixels_work(shape):
    frames = np.random.default_rng(3).normal(size=(1, 2, *shape, BANDS))
    assert np.isfinite(_found(frames.astype("float32"))).all()

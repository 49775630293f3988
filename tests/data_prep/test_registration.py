import numpy as np
import pytest
import rasterio
from scipy import ndimage

from data_prep import registration
from s2distill.errors import GridError

# The sensor model, by which the shift is looked for, has 5 m and a mean over
# 10 m; frames are not made by it here, but as another sensor would.
BLUR_SIGMA_M = 4.0
NOISE = 0.1  # of the standard deviation of the sharp frame
CLOUDY_UNMASKED, CLOUDY_MASKED = 1, 2


def degrade(grey, shift_m):
    """Moves a 50 cm picture (right, down), blurs it, and averages 20 x 20."""
    moved = ndimage.shift(
        grey, (2 * shift_m[1], 2 * shift_m[0]), order=3, mode="nearest"
    )
    blurred = ndimage.gaussian_filter(moved, 2 * BLUR_SIGMA_M, mode="nearest")
    height, width = (size // 20 for size in grey.shape)
    return blurred.reshape(height, 20, width, 20).mean(axis=(1, 3))


def make_frames(grey, shift_m, rng, *, number=6):
    """Noisy frames of a picture, all displaced alike.

    One is under cloud and its mask does not say so, one under cloud that it
    says; a third has a hole.
    """
    sharp = degrade(grey, shift_m)
    shape = (number, *sharp.shape)
    frames = rng.uniform(0.9, 1.1, (number, 1, 1)) * sharp
    frames += rng.normal(0, NOISE * sharp.std(), shape)
    clouds = ndimage.gaussian_filter(rng.normal(size=shape), (0, 3, 3))
    valid = np.ones(shape, np.uint8)
    for cloudy in (CLOUDY_UNMASKED, CLOUDY_MASKED):
        frames[cloudy] = 2 * sharp.max() + 20 * sharp.std() * clouds[cloudy]
    valid[CLOUDY_MASKED] = 0
    valid[0, :5, 3:9] = 0
    frames[0, :5, 3:9] = 0
    return frames.astype(np.float32), valid


@pytest.fixture
def atlanta(real_data):
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(
            real_data("solaris-tutorials-mvoi") / "viz_version.tif"
        ) as file,
    ):
        return file.read().mean(axis=0, dtype=np.float32)


@pytest.mark.parametrize(
    "shift_m",
    [(0.0, 0.0), (1.1, 0.6), (3.7, -6.2), (-14.0, 8.5), (21.3, 12.9)],
)
def test_a_known_shift_of_a_degraded_real_picture_is_found_within_a_metre(
    atlanta, shift_m
):
    frames, frames_valid = make_frames(
        atlanta, shift_m, np.random.default_rng(3)
    )
    found = registration.register(
        atlanta,
        np.ones(atlanta.shape, np.uint8),
        frames,
        frames_valid,
        max_shift_px=3,
    )
    error_m = np.hypot(
        10 * found.shift_col_px - shift_m[0],
        10 * found.shift_row_px - shift_m[1],
    )
    assert error_m < 1.0
    assert found.correlation > 0.9
    assert found.confidence > 0.2
    # 12 / sqrt(n) of 45 x 45 pixels, less what the shift leaves uncovered.
    assert 12 / 45 < found.chance < 12 / 40


def test_holes_in_the_picture_do_not_move_it(atlanta):
    shift_m = (-4.4, 7.1)
    frames, frames_valid = make_frames(
        atlanta, shift_m, np.random.default_rng(4)
    )
    valid = np.ones(atlanta.shape, np.uint8)
    valid[200:420, :300] = 0
    holed = np.where(valid, atlanta, 255).astype(np.float32)
    found = registration.register(
        holed, valid, frames, frames_valid, max_shift_px=2
    )
    assert found.shift_col_px == pytest.approx(-0.44, abs=0.1)
    assert found.shift_row_px == pytest.approx(0.71, abs=0.1)


def test_frames_of_another_place_give_no_confidence(atlanta):
    rng = np.random.default_rng(5)
    other = ndimage.gaussian_filter(rng.normal(size=(5, 45, 45)), (0, 1, 1))
    found = registration.register(
        atlanta,
        np.ones(atlanta.shape, np.uint8),
        other.astype(np.float32),
        np.ones(other.shape, np.uint8),
        max_shift_px=3,
    )
    assert found.correlation < found.chance


def test_the_median_leaves_out_what_is_masked():
    frames = np.array([[[1.0, 9.0]], [[3.0, 5.0]], [[90.0, 7.0]]])
    valid = np.array([[[1, 0]], [[1, 0]], [[0, 0]]], np.uint8)
    median, seen = registration.median_frame(frames, valid)
    np.testing.assert_array_equal(median, [[2.0, 0.0]])
    np.testing.assert_array_equal(seen, [[True, False]])


def test_correlation_is_blind_to_gain_offset_and_masked_pixels():
    rng = np.random.default_rng(0)
    first = rng.normal(size=(13, 17)).astype(np.float32)
    valid = rng.random(first.shape) < 0.8
    second = np.where(valid, 3 * first + 7, 1e6)
    assert registration.correlate_masked(first, second, valid) > 0.999
    assert registration.correlate_masked(first, -first, valid) < -0.999


def test_nothing_to_compare_is_refused():
    frames = np.ones((2, 6, 9), np.float32)
    with pytest.raises(GridError, match="fewer than 64.*--noregister"):
        registration.register(
            np.ones((120, 180), np.float32),
            np.ones((120, 180), np.uint8),
            frames,
            np.zeros(frames.shape, np.uint8),
            max_shift_px=1,
        )

import numpy as np
import pytest
from scipy import ndimage

from data_prep.diagnosis.alignment import align_place
from data_prep.diagnosis.measure import measure_frame
from data_prep.diagnosis.subject import Place

BANDS = ("B3", "B4", "B8")


def _align(frames, **fields):
    place = Place(name="", frames=tuple(frames), **fields)
    return align_place(place, [measure_frame(f) for f in frames])


def _ground(seed=0, shape=(90, 120)):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(*shape, 3)), (1, 1, 0))
    return 2000 + 3000 * smooth


@pytest.mark.parametrize("shift", [(3, -2), (-5, 0), (0, 7)])
def test_a_shift_by_whole_pixels_is_found(make_frame, shift):
    ground = _ground()
    rng = np.random.default_rng(1)
    frames = []
    for i in range(4):
        moved = np.roll(ground, shift if i == 2 else (0, 0), (0, 1))
        noisy = moved + rng.normal(0, 30, moved.shape)
        frames.append(make_frame(noisy, BANDS, str(i)))
    found = _align(frames)
    shifts = np.array([[a.row_px, a.col_px] for a in found])
    np.testing.assert_allclose(shifts[2] - shifts[0], shift, atol=0.1)
    np.testing.assert_allclose(shifts[3] - shifts[0], (0, 0), atol=0.1)
    assert found[2].correlation > 0.8 > found[2].still


def test_half_a_pixel_is_seen(make_frame):
    ground = _ground()
    moved = ndimage.shift(ground, (0.5, 0, 0), order=3, mode="wrap")
    frames = [make_frame(v, BANDS) for v in (ground, moved, ground + 5)]
    found = _align(frames)
    assert found[1].row_px - found[0].row_px == pytest.approx(0.5, abs=0.15)
    assert found[1].col_px - found[0].col_px == pytest.approx(0, abs=0.1)


def test_brighter_or_raised_the_same_ground_is_still_alike(make_frame):
    ground = _ground()
    frames = [make_frame(v, BANDS) for v in (ground, 2 * ground + 1000)]
    found = _align(frames)
    assert found[0].correlation > 0.99
    assert found[1].correlation > 0.99


def test_another_ground_is_not_alike(make_frame):
    frames = [make_frame(_ground(i), BANDS) for i in range(3)]
    assert max(a.correlation for a in _align(frames)) < 0.25


def test_pixels_that_are_not_seen_take_no_part(make_frame):
    ground = _ground()
    hole = ground.copy()
    hole[:30] = np.nan
    hidden = ground.copy()
    hidden[:, :40] = 30_000
    inside = np.ones(ground.shape[:2], bool)
    inside[:, :40] = False
    found = _align(
        [
            make_frame(ground, BANDS),
            make_frame(hole, BANDS),
            make_frame(hidden, BANDS, inside=inside),
        ]
    )
    assert min(a.correlation for a in found) > 0.95
    assert max(abs(a.row_px) + abs(a.col_px) for a in found) < 0.1


def test_nothing_is_said_of_one_frame_or_of_tiny_tiles(make_frame):
    assert _align([make_frame(_ground(), BANDS)]) == (None,)
    tiny = _ground(shape=(16, 40))
    assert _align([make_frame(tiny, BANDS)] * 2) == (None, None)


def test_a_black_frame_is_passed_over(make_frame):
    ground = _ground()
    frames = [make_frame(v, BANDS) for v in (ground, ground * 0, ground + 3)]
    found = _align(frames)
    assert found[1] is None
    assert found[0].correlation > 0.99


def test_of_windows_put_together_only_one_is_compared(make_frame):
    """The seams between windows are alike in all frames, and no ground."""
    blocks = [_ground(i, (40, 40)) + 4000 * (i % 2) for i in range(20)]

    def mosaic(first):
        rows = [
            np.concatenate(blocks[first + 3 * r : first + 3 * r + 3], axis=1)
            for r in range(3)
        ]
        return np.concatenate(rows)

    frames = [make_frame(mosaic(first), BANDS) for first in (0, 10)]
    assert _align(frames)[0].still > 0.2
    assert abs(_align(frames, block_px=40)[0].still) < 0.1

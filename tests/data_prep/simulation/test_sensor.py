import math

import numpy as np
import pytest

from data_prep.simulation.conditions import haze_layer
from data_prep.simulation.sensor import MARGIN_M
from data_prep.simulation.sensor import SensorSettings
from data_prep.simulation.sensor import mtf_at_nyquist
from data_prep.simulation.sensor import sample_planes
from data_prep.simulation.sensor import simulate_stack
from s2distill.data.bands import DEFAULT_BANDS
from s2distill.data.bands import S2_BANDS

_TIMES = np.arange(6) * 864_000 + 1_577_872_800


def _settings(bands, **changes):
    values = {"bands": bands, "pixel_m": 1.0, "margin_m": MARGIN_M}
    return SensorSettings(**(values | changes))


def _plane_shape(rows, cols, pixel_m=1.0):
    return tuple(round((n * 10 + 2 * MARGIN_M) / pixel_m) for n in (rows, cols))


def test_flat_ground_stays_flat_in_each_band():
    planes = np.full((10, *_plane_shape(7, 10)), 0.25, np.float32)
    sampled = sample_planes(planes, (2.5, -1.0), _settings(DEFAULT_BANDS))
    assert sampled.shape == (10, 7, 10)
    np.testing.assert_allclose(sampled, 0.25, rtol=1e-5)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.3, -4.1)])
@pytest.mark.parametrize("band", ["B2", "B4", "B8"])
def test_a_plane_of_constant_slope_keeps_it_and_moves_by_the_shift(band, shift):
    shape = _plane_shape(9, 6)
    x = np.arange(shape[1]) + 0.5 - MARGIN_M
    y = np.arange(shape[0]) + 0.5 - MARGIN_M
    plane = (0.3 + 0.001 * x[None] + 0.0005 * y[:, None]).astype(np.float32)
    sampled = sample_planes(plane[None], shift, _settings((band,)))[0]
    col, row = np.arange(6) * 10 + 5.0, np.arange(9) * 10 + 5.0
    expected = 0.3 + 0.001 * (col[None] - shift[0])
    expected = expected + 0.0005 * (row[:, None] - shift[1])
    # Sources are whole metres; the kernel is cut at 3.5 sigma.
    np.testing.assert_allclose(sampled, expected, atol=3e-4)


@pytest.mark.parametrize("band", ["B2", "B8", "B11"])
def test_a_wave_at_nyquist_keeps_the_share_that_the_mtf_says(band):
    gsd = float(S2_BANDS[band].gsd_m)
    shape = _plane_shape(6, 20)
    x = np.arange(shape[1]) + 0.5 - MARGIN_M
    wave = np.cos(np.pi * (x - gsd / 2) / gsd)
    plane = np.broadcast_to(0.5 + 0.4 * wave, shape).astype(np.float32)
    sampled = sample_planes(plane[None], (0.0, 0.0), _settings((band,)))[0]
    amplitude = np.abs(sampled - 0.5).max() / 0.4
    assert amplitude == pytest.approx(mtf_at_nyquist(band), abs=0.01)


def test_sampling_agrees_with_brute_force_convolution():
    rng = np.random.default_rng(0)
    plane = rng.random(_plane_shape(4, 5)).astype(np.float32)
    shift = (1.7, -2.2)
    sampled = sample_planes(plane[None], shift, _settings(("B3",)))[0]
    sigma = 10 * math.sqrt(-2 * math.log(mtf_at_nyquist("B3") * math.pi / 2))
    sigma /= math.pi
    fine = np.arange(-5, 5, 0.1) + 0.05  # the pixel, integrated by hand
    y = np.arange(plane.shape[0]) + 0.5 - MARGIN_M + shift[1]
    x = np.arange(plane.shape[1]) + 0.5 - MARGIN_M + shift[0]
    for row in range(4):
        for col in range(5):
            wy = np.exp(
                -((y[:, None] - row * 10 - 5 - fine) ** 2) / 2 / sigma**2
            ).sum(1)
            wx = np.exp(
                -((x[:, None] - col * 10 - 5 - fine) ** 2) / 2 / sigma**2
            ).sum(1)
            expected = wy @ plane @ wx / wy.sum() / wx.sum()
            assert sampled[row, col] == pytest.approx(expected, abs=1e-3)


def test_half_metre_and_one_metre_sources_agree():
    rng = np.random.default_rng(1)
    fine = rng.random(_plane_shape(6, 8, 0.5)).astype(np.float32)
    coarse = fine.reshape(fine.shape[0] // 2, 2, -1, 2).mean((1, 3))
    bands = ("B4",)
    a = sample_planes(fine[None], (0.7, 2.0), _settings(bands, pixel_m=0.5))
    b = sample_planes(coarse[None], (0.7, 2.0), _settings(bands))
    np.testing.assert_allclose(a, b, atol=2e-3)


def test_large_scenes_are_sampled_like_their_parts():
    rng = np.random.default_rng(2)
    plane = rng.random(_plane_shape(70, 40)).astype(np.float32)
    whole = sample_planes(plane[None], (0, 0), _settings(("B2",)))[0]
    part_shape = _plane_shape(10, 12)
    part = plane[400 : 400 + part_shape[0], 200 : 200 + part_shape[1]]
    piece = sample_planes(part[None], (0, 0), _settings(("B2",)))[0]
    np.testing.assert_allclose(whole[40:50, 20:32], piece, atol=1e-5)


def test_no_margin_still_gives_each_pixel_a_weighted_mean():
    plane = np.full((1, 60, 80), 0.4, np.float32)
    settings = _settings(("B2",), margin_m=0.0)
    sampled = sample_planes(plane, (4.0, -4.0), settings)
    np.testing.assert_allclose(sampled, 0.4, rtol=1e-5)


def test_a_size_that_is_no_multiple_of_10_m_is_refused():
    with pytest.raises(ValueError, match="no multiple of 10"):
        sample_planes(
            np.zeros((1, 65, 80), np.float32),
            (0.0, 0.0),
            _settings(("B2",), margin_m=0.0),
        )


def test_noise_has_the_strength_of_the_snr():
    bands = ("B2", "B8")
    planes = np.empty((2, *_plane_shape(60, 60)), np.float32)
    planes[0], planes[1] = 0.12, 0.2
    settings = _settings(bands, cloudy=0.0, partly_cloudy=0.0)
    stack = simulate_stack(
        planes, _TIMES[:1], settings, np.random.default_rng(5)
    )
    for index, band in enumerate(bands):
        values = stack.dn[0, ..., index].astype(float)
        snr = values.mean() / values.std()
        assert snr == pytest.approx(S2_BANDS[band].snr, rel=0.1)


def test_the_offset_is_added_to_the_digital_numbers():
    planes = np.full((1, *_plane_shape(4, 6)), 0.2, np.float32)
    stacks = [
        simulate_stack(
            planes,
            _TIMES,
            _settings(("B3",), offset_dn=offset),
            np.random.default_rng(8),
        )
        for offset in (0.0, -1000.0)
    ]
    difference = stacks[1].dn.astype(int) - stacks[0].dn.astype(int)
    assert (difference == 1000).all()
    assert stacks[0].dn.dtype == np.uint16
    assert stacks[0].dn.shape == (6, 4, 6, 1)


def test_heavy_haze_lies_over_each_frame_and_no_mask_finds_it():
    bands = ("B2", "B12")
    planes = np.full((2, *_plane_shape(8, 14)), 0.2, np.float32)
    clear, hazy = (
        simulate_stack(
            planes,
            _TIMES,
            _settings(bands, partly_cloudy=0.0, cloudy=0.0, haze_depth=depth),
            np.random.default_rng(6),
        )
        for depth in (None, (2.0, 2.0))
    )
    np.testing.assert_array_equal(hazy.valid, clear.valid)
    np.testing.assert_array_equal(hazy.shift_m, clear.shift_m)
    layer = haze_layer(2.0, bands)
    expected = clear.dn * layer.contrast + 10_000 * layer.path
    # The same noise, but shot noise grows with the signal.
    means = [stack.mean((1, 2)) for stack in (hazy.dn, expected)]
    np.testing.assert_allclose(*means, rtol=2e-3)


def test_each_date_has_haze_of_its_own_within_the_range():
    planes = np.full((1, *_plane_shape(4, 6)), 0.1, np.float32)
    settings = _settings(
        ("B2",), cloudy=0.0, partly_cloudy=0.0, haze_depth=(1.0, 3.0)
    )
    rng = np.random.default_rng(1)
    stack = simulate_stack(planes, _TIMES, settings, rng)
    means = stack.dn.mean((1, 2, 3)) / 1e4
    low, high = (haze_layer(depth, ("B2",)).path[0] for depth in (1.0, 3.0))
    assert means.min() > low
    assert means.max() < high + 0.1
    assert len(np.unique(means.round(3))) == len(_TIMES)


def test_clouds_are_bright_and_the_mask_finds_most_of_them():
    planes = np.full((1, *_plane_shape(32, 32)), 0.08, np.float32)
    settings = _settings(("B2",), cloudy=0.2, partly_cloudy=0.5)
    bright = missed = clear = 0
    for seed in range(20):
        stack = simulate_stack(
            planes, _TIMES, settings, np.random.default_rng(seed)
        )
        cloud = stack.dn[..., 0] > 2500
        bright += cloud.sum()
        missed += (cloud & (stack.valid == 1)).sum()
        clear += stack.valid.reshape(6, -1).mean(1).max() > 0.9
    assert bright > 1000
    assert missed / bright < 0.1
    assert clear == 20  # each place is seen once at least


def test_a_callable_sees_the_date_of_each_frame():
    seen = []

    def reflectance(conditions):
        seen.append(conditions.time_utc_s)
        return np.full((1, *_plane_shape(2, 2)), 0.1, np.float32)

    settings = _settings(("B2",))
    simulate_stack(reflectance, _TIMES, settings, np.random.default_rng(0))
    assert seen == list(_TIMES)

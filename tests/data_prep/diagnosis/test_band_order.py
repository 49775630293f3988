import dataclasses

import numpy as np
import pytest

from data_prep.diagnosis.band_order import blue_for_red
from data_prep.diagnosis.band_order import fit_order
from data_prep.diagnosis.band_order import green_curvature
from data_prep.diagnosis.band_order import pool_pixels
from data_prep.diagnosis.measured import measure_subject
from s2distill.data.bands import DEFAULT_BANDS


def _fit(subject):
    measured = measure_subject(subject)
    pixels = pool_pixels(
        measured, subject.bands, clearest_share=0.5, least_clear=0.3
    )
    return fit_order(pixels, subject.bands)


def test_the_right_order_explains_real_pixels(l2a, l1c):
    for subject in (l2a, l1c):
        fit = _fit(subject)
        assert fit.misfit < 0.09
        assert fit.misfit / fit.best_misfit < 1.35


@pytest.mark.parametrize(
    ("pair", "ratio"),
    [
        (("B4", "B8"), 2.5),
        (("B11", "B12"), 2.5),
        (("B8", "B11"), 2.5),
        (("B5", "B6"), 2.5),
        (("B4", "B5"), 1.5),
    ],
)
def test_an_exchange_of_unlike_bands_is_named(
    ten_bands, swap_values, pair, ratio
):
    fit = _fit(swap_values(ten_bands, pair))
    assert fit.misfit / fit.best_misfit > ratio
    one, other = pair
    assert fit.swaps[one] == other
    assert fit.swaps[other] == one


def test_the_order_of_wavelengths_under_our_names_is_named(ten_bands, change):
    spectral = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")
    order = [DEFAULT_BANDS.index(band) for band in spectral]
    fit = _fit(change(ten_bands, lambda _, v: v[..., order]))
    assert fit.misfit > 0.2
    assert fit.best_misfit < 0.09  # all of several exchanges are undone
    said_b8 = DEFAULT_BANDS.index("B8")
    assert fit.swaps["B8"] == spectral[said_b8] == "B5"


def test_the_values_are_looked_at_and_not_only_the_names(ten_bands, change):
    """The same permutation of names and values is no fault."""
    frames = [
        dataclasses.replace(f, bands=f.bands[::-1], values=f.values[..., ::-1])
        for f in ten_bands.places[0].frames
    ]
    place = dataclasses.replace(ten_bands.places[0], frames=tuple(frames))
    turned = dataclasses.replace(
        ten_bands, places=(place,), bands=ten_bands.bands[::-1]
    )
    assert _fit(turned).misfit < 0.09


def test_water_cloud_and_snow_are_not_judged():
    rng = np.random.default_rng(0)
    water = np.array([4.5, 4.2, 2.6, 1.1, 2.1, 1.5, 1.3, 1, 0.6, 0.4]) / 100
    snow = np.array([90, 91, 90, 80, 88, 85, 83, 77, 12, 8]) / 100
    for spectrum in (water, snow):
        pixels = spectrum * rng.uniform(0.8, 1.2, (500, 1))
        assert fit_order(pixels, DEFAULT_BANDS) is None


def test_few_bands_or_few_pixels_are_not_judged(ten_bands):
    pixels = ten_bands.places[0].frames[4].values.reshape(-1, 10) / 10_000
    assert fit_order(pixels[:, :4], DEFAULT_BANDS[:4]) is None
    assert fit_order(pixels[:50], DEFAULT_BANDS) is None


def test_red_varies_more_than_blue_over_real_land(l2a, l1c):
    for subject, clear in ((l2a, (3, 4, 5, 6)), (l1c, (2, 3, 4))):
        looks = measure_subject(subject).places[0].looks
        signs = [blue_for_red(looks[i]) for i in clear]
        assert min(spread for spread, _ in signs) > 1.2
        assert min(gain for _, gain in signs) > 0


def test_the_signs_turn_when_blue_and_red_are_exchanged(l2a, swap_values):
    before = measure_subject(l2a).places[0].looks[5]
    after = measure_subject(swap_values(l2a, ("B2", "B4"))).places[0].looks[5]
    spread, gain = blue_for_red(before)
    assert blue_for_red(after) == pytest.approx((1 / spread, -gain))


def test_without_b12_one_sign_is_left_and_without_b2_none(l2a, keep_bands):
    looks = measure_subject(keep_bands(l2a, ("B2", "B4"))).places[0].looks
    assert blue_for_red(looks[5])[1] is None
    looks = measure_subject(keep_bands(l2a, ("B3", "B4"))).places[0].looks
    assert blue_for_red(looks[5]) is None


def test_plants_are_green():
    blue, green, red, infrared = 0.03, 0.06, 0.04, 0.4
    pixels = np.tile([blue, green, red, infrared], (200, 1))
    bands = ("B2", "B3", "B4", "B8")
    assert green_curvature(pixels, bands) == pytest.approx(0.025 / 0.06)
    wrong = ("B3", "B2", "B4", "B8")
    assert green_curvature(pixels, wrong) == pytest.approx(-0.02 / 0.06)
    bare = pixels * [1, 1, 1, 0.1]
    assert green_curvature(bare, bands) is None
    assert green_curvature(pixels[:, :3], bands[:3]) is None


def test_pooled_pixels_are_reflectance_of_the_clearest_frames(l2a):
    measured = measure_subject(l2a)
    every = pool_pixels(measured, ("B8", "B2"), clearest_share=1.0)
    clear = pool_pixels(measured, ("B8", "B2"), clearest_share=0.5)
    assert every.shape[1] == clear.shape[1] == 2
    assert len(every) <= 8000
    # Without the overcast date, blue is dark.
    assert np.percentile(every[:, 1], 95) > 0.3
    assert np.percentile(clear[:, 1], 95) < 0.2
    assert np.median(clear[:, 0]) > np.median(clear[:, 1])


def test_nothing_is_pooled_where_no_frame_is_clear_enough(l2a):
    measured = measure_subject(l2a)
    none = pool_pixels(measured, ("B2",), clearest_share=1.0, least_clear=1.01)
    assert none.shape == (0, 1)

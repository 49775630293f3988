import numpy as np
import pytest

from data_prep.diagnosis.statistics_order import agrees
from data_prep.diagnosis.statistics_order import fit_statistics
from s2distill.data.bands import DEFAULT_BANDS


def _pixels(subject, order=slice(None)):
    stack = [f.values.reshape(-1, 10) for f in subject.places[0].frames]
    return (np.concatenate(stack) / 10_000)[:, order]


def _exchange(one, other):
    order = list(range(10))
    i, j = DEFAULT_BANDS.index(one), DEFAULT_BANDS.index(other)
    order[i], order[j] = order[j], order[i]
    return order


def test_pixels_fit_the_statistics_made_of_them(clear_ten, l2a_statistics):
    fit = fit_statistics(_pixels(clear_ten), DEFAULT_BANDS, l2a_statistics)
    assert fit.swaps == {}
    assert fit.distance < 1e-6


@pytest.mark.parametrize("pair", [("B4", "B8"), ("B3", "B4")])
def test_exchanged_bands_are_named(clear_ten, l2a_statistics, pair):
    one, other = pair
    pixels = _pixels(clear_ten, _exchange(one, other))
    fit = fit_statistics(pixels, DEFAULT_BANDS, l2a_statistics)
    assert fit.swaps == {one: other, other: one}


def test_another_climate_is_no_other_order(l1c, l2a_statistics, keep_bands):
    pixels = _pixels(keep_bands(l1c, DEFAULT_BANDS))
    fit = fit_statistics(pixels, DEFAULT_BANDS, l2a_statistics)
    assert fit.distance > 0.2
    assert fit.swaps == {}


def test_statistics_agree_with_the_right_exchange_only(
    clear_ten, l2a_statistics
):
    pixels = _pixels(clear_ten, _exchange("B2", "B4"))
    right, wrong = {"B2": "B4", "B4": "B2"}, {"B3": "B4", "B4": "B3"}
    arguments = (pixels, DEFAULT_BANDS, l2a_statistics)
    assert agrees(*arguments, right)
    assert not agrees(*arguments, wrong)
    assert not agrees(_pixels(clear_ten), *arguments[1:], right)
    assert not agrees(*arguments, {"B1": "B2"})


def test_nothing_is_said_of_one_shared_band(clear_ten, l2a_statistics):
    pixels = _pixels(clear_ten)[:, :2]
    assert fit_statistics(pixels, ("B2", "X"), l2a_statistics) is None

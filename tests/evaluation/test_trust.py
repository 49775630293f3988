import numpy as np
import pytest
import scipy.stats

from s2distill.evaluation.trust import alarm_share
from s2distill.evaluation.trust import area_under_roc


def _draw(seed, shape, shift=0.0):
    # One decimal: many ties.
    rng = np.random.default_rng(seed)
    return np.round(rng.normal(shift, 1, shape), 1)


@pytest.mark.parametrize("shift", [0.0, 0.7, 9.0, -2.0])
def test_area_equals_counting_all_pairs(shift):
    inside, outside = _draw(0, (5, 9)), _draw(1, (3, 4, 5), shift)
    wins = [
        (o > i) + 0.5 * (o == i) for o in outside.ravel() for i in inside.flat
    ]
    assert area_under_roc(inside, outside) == pytest.approx(np.mean(wins))


def test_area_of_two_gaussians_is_the_closed_form():
    inside, outside = _draw(2, 20_000), _draw(3, 30_000, 1.5)
    # P(outside > inside) = Phi(shift / sqrt 2); 20,000 draws: 0.003 or so.
    expected = scipy.stats.norm.cdf(1.5 / 2**0.5)
    assert area_under_roc(inside, outside) == pytest.approx(expected, abs=0.01)


def test_area_reflects_when_the_sides_are_exchanged():
    inside, outside = _draw(4, 40), _draw(5, 30, 1.0)
    assert area_under_roc(inside, outside) == pytest.approx(
        1 - area_under_roc(outside, inside)
    )


def test_windows_without_a_judgement_take_no_part():
    inside, outside = _draw(6, 40), _draw(7, 30, 1.0)
    holes = np.append(inside, [np.nan] * 9), np.append(outside, np.nan)
    assert area_under_roc(*holes) == area_under_roc(inside, outside)
    assert alarm_share(holes[0]) == alarm_share(inside)


def test_alarms_are_those_above_the_threshold_alone():
    scores = np.array([[0.2, 1.0, 1.1], [7.0, np.inf, 0.999]])
    assert alarm_share(scores) == pytest.approx(3 / 6)
    assert alarm_share(scores, 5.0) == pytest.approx(2 / 6)


def test_no_window_leaves_both_undefined():
    nothing, some = np.full((2, 3), np.nan), np.ones(4)
    assert np.isnan(area_under_roc(nothing, some))
    assert np.isnan(area_under_roc(some, nothing))
    assert np.isnan(alarm_share(nothing))

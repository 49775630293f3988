import numpy as np
import pytest

from benchmarks.accuracy.comparison import ABOVE
from benchmarks.accuracy.comparison import BELOW
from benchmarks.accuracy.comparison import UNDECIDED
from benchmarks.accuracy.comparison import compare


def test_a_model_is_not_above_itself(make_scores):
    rng = np.random.default_rng(0)
    scores = make_scores(rng.integers(1, 99, (7, 4)))
    found = compare(scores, scores, "building_iou")
    assert found.difference == 0
    assert found.interval == (0, 0)
    assert found.verdict == UNDECIDED


def test_the_difference_is_that_of_the_scores_over_all_tiles(make_scores):
    better = make_scores([[8, 1, 1, 90], [4, 0, 0, 96]])
    worse = make_scores([[6, 2, 2, 90], [2, 2, 2, 94]])
    found = compare(better, worse, "building_iou")
    # 12 of 14 pixels against 8 of 16.
    assert found.difference == pytest.approx(12 / 14 - 8 / 16)
    # A replicate holds one tile twice or both: 0.8 - 0.6 and 1 - 1 / 3 bound.
    assert found.interval[0] >= 0.2 - 1e-9
    assert found.interval[1] <= 2 / 3 + 1e-9
    assert found.verdict == ABOVE
    turned = compare(worse, better, "building_iou")
    assert turned.difference == -found.difference
    assert turned.verdict == BELOW


def test_what_is_hard_for_both_is_no_doubt_about_the_difference(make_scores):
    """Every tile has another score, and one model is 0.1 above on each."""
    found_px = np.arange(10, 60, 5)
    first = make_scores([[n + 10, 0, 90 - n, 50] for n in found_px])
    second = make_scores([[n, 0, 100 - n, 50] for n in found_px])
    one = first.intervals["building_iou"]
    assert one[1] - one[0] > 0.1
    found = compare(first, second, "building_iou")
    assert found.interval == pytest.approx((0.1, 0.1))


def test_scores_of_other_tiles_are_refused(make_scores):
    first = make_scores([[1, 2, 3, 4]])
    with pytest.raises(ValueError, match="different tiles.*tile0.*town0"):
        compare(first, make_scores([[1, 2, 3, 4]], "town"), "building_iou")


def test_what_was_not_scored_is_not_compared(make_scores):
    scores = make_scores([[1, 2, 3, 4], [2, 3, 4, 5]])
    assert compare(scores, scores, "road_iou") is None
    empty = make_scores([[0, 0, 0, 4], [0, 0, 0, 5]])
    assert compare(empty, scores, "building_iou") is None


def test_one_tile_gives_no_interval_and_no_verdict(make_scores):
    found = compare(
        make_scores([[9, 0, 1, 90]]),
        make_scores([[1, 0, 9, 90]]),
        "building_iou",
    )
    assert found.difference == pytest.approx(0.8)
    assert found.to_json() == {
        "difference": found.difference,
        "interval": None,
        "verdict": UNDECIDED,
    }

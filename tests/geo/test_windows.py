"""Windows and weights against what they promise, over many sizes."""

import numpy as np
import pytest

from s2distill.errors import ConfigError
from s2distill.geo.windows import plan_axis

CASES = [
    (1, 8, 2),
    (7, 8, 4),
    (8, 8, 4),
    (9, 8, 4),
    (31, 8, 3),
    (100, 12, 6),
    (101, 17, 1),
    (377, 64, 16),
]


@pytest.mark.parametrize(("length", "window", "overlap"), CASES)
def test_windows_reach_from_edge_to_edge_and_overlap_enough(
    length, window, overlap
):
    plan = plan_axis(length, window_px=window, overlap_px=overlap)
    assert plan.size == min(window, length)
    assert plan.starts[0] == 0
    assert plan.starts[-1] + plan.size == length
    if len(plan.starts) > 1:
        assert max(np.diff(plan.starts)) <= window - overlap


@pytest.mark.parametrize(("length", "window", "overlap"), CASES)
def test_there_are_as_few_windows_as_will_do(length, window, overlap):
    plan = plan_axis(length, window_px=window, overlap_px=overlap)
    fewer = len(plan.starts) - 1
    reach = window + (fewer - 1) * (window - overlap)
    assert fewer == 0 or reach < length


@pytest.mark.parametrize("factor", [1, 5])
@pytest.mark.parametrize(("length", "window", "overlap"), CASES)
def test_weights_sum_to_one_at_each_pixel(length, window, overlap, factor):
    plan = plan_axis(length, window_px=window, overlap_px=overlap)
    total = np.zeros(length * factor)
    for start, weight in zip(plan.starts, plan.weights(factor), strict=True):
        assert weight.shape == (plan.size * factor,)
        assert weight.dtype == np.float32
        assert weight.min() >= 0
        total[start * factor : (start + plan.size) * factor] += weight
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_a_window_counts_nothing_at_its_inner_edges_and_all_in_its_middle():
    plan = plan_axis(100, window_px=40, overlap_px=16)
    first, middle, _, last = plan.weights(1)
    assert first[0] == 1
    assert first[-6:].max() == 0
    assert middle[:6].max() == middle[-6:].max() == 0
    assert last[:6].max() == 0
    assert last[-1] == 1
    assert middle[20] == 1


@pytest.mark.parametrize("overlap", [-1, 0, 5])
def test_an_overlap_that_does_not_fit_is_refused(overlap):
    with pytest.raises(ConfigError, match=f"overlap_px={overlap} does not fit"):
        plan_axis(20, window_px=8, overlap_px=overlap)

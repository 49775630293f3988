import numpy as np
import pytest

from s2distill.evaluation.bootstrap import draw_weights
from s2distill.evaluation.bootstrap import percentile_interval
from s2distill.evaluation.bootstrap import replicate_sums


def _mean(sums):
    return sums[..., 0] / sums[..., 1]


def test_each_replicate_draws_as_many_tiles_as_there_are():
    weights = draw_weights(7, 50)
    assert weights.shape == (50, 7)
    assert set(weights.sum(axis=1)) == {7.0}
    assert weights.std() > 0.5


def test_the_same_number_of_tiles_gives_the_same_draw():
    np.testing.assert_array_equal(draw_weights(5), draw_weights(5))


def test_replicates_equal_a_loop_that_repeats_tiles():
    sums = np.random.default_rng(0).random((6, 2)) + 1
    found = _mean(replicate_sums(sums))
    for replicate, weights in zip(found, draw_weights(6), strict=True):
        drawn = np.repeat(sums, weights.astype(int), axis=0)
        assert replicate == pytest.approx(_mean(drawn.sum(axis=0)))


def test_interval_of_a_mean_is_that_of_its_standard_error():
    values = np.random.default_rng(1).normal(3, 2, 400)
    sums = np.stack([values, np.ones(400)], axis=-1)
    low, high = percentile_interval(_mean(replicate_sums(sums)))
    error = values.std() / np.sqrt(400)
    # 500 replicates: the 2.5 % quantile scatters by 0.15 standard errors.
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.4 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.4 * error)


def test_equal_tiles_have_an_interval_of_no_width():
    sums = np.tile([2.0, 4.0], (5, 1))
    assert percentile_interval(_mean(replicate_sums(sums))) == (0.5, 0.5)


def test_interval_ignores_a_few_undefined_replicates_but_not_most():
    replicates = np.linspace(0, 1, 101)
    replicates[:10] = np.nan
    low, _ = percentile_interval(replicates)
    assert low == pytest.approx(0.1 + 0.025 * 0.9)
    replicates[:60] = np.nan
    assert percentile_interval(replicates) is None

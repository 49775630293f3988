import numpy as np
import pytest

from s2distill.evaluation.height import height_bias_m
from s2distill.evaluation.height import height_mae_by_band_m
from s2distill.evaluation.height import height_mae_m
from s2distill.evaluation.height import sum_height_errors


def _planes(seed, shape=(9, 14)):
    rng = np.random.default_rng(seed)
    true = rng.uniform(0, 40, shape).astype(np.float32)
    predicted = true + rng.normal(0, 3, shape).astype(np.float32)
    return predicted, true, (rng.random(shape) < 0.6).astype(np.float32)


def test_scores_equal_means_over_the_pixels_of_all_tiles():
    tiles = [_planes(0), _planes(1, (4, 5))]
    sums = sum(sum_height_errors(*tile) for tile in tiles)
    error, true = (
        np.concatenate([part(*tile)[tile[2] > 0] for tile in tiles])
        for part in (lambda p, t, _: p - t, lambda _, t, __: t)
    )
    tolerance = 1e-5  # float32 heights
    assert float(height_mae_m(sums)) == pytest.approx(
        np.abs(error).mean(), abs=tolerance
    )
    assert float(height_bias_m(sums)) == pytest.approx(
        error.mean(), abs=tolerance
    )
    edges = [0, 5, 10, 20, np.inf]
    for band, found in enumerate(height_mae_by_band_m(sums)):
        inside = (true >= edges[band]) & (true < edges[band + 1])
        assert found == pytest.approx(
            np.abs(error[inside]).mean(), abs=tolerance
        )


def test_invalid_pixels_do_not_move_the_sums():
    predicted, true, weight = _planes(2)
    before = sum_height_errors(predicted, true, weight)
    predicted[weight == 0] = np.nan
    true[weight == 0] = np.nan
    after = sum_height_errors(predicted, true, weight)
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(
    ("true_m", "band"), [(-1, 0), (0, 0), (4.9, 0), (5, 1), (10, 2), (20, 3)]
)
def test_a_height_on_an_edge_belongs_to_the_band_above(true_m, band):
    one = np.ones((1, 1))
    sums = sum_height_errors(one, true_m * one, one)
    assert np.flatnonzero(sums[:, 0]).tolist() == [band]


def test_scores_without_a_known_height_are_undefined():
    sums = sum_height_errors(*(np.zeros((2, 3)) for _ in range(3)))
    assert np.isnan(height_mae_m(sums))
    assert np.isnan(height_mae_by_band_m(sums)).all()

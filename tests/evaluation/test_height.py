import numpy as np
import pytest

from s2distill.evaluation.height import LEVELS
from s2distill.evaluation.height import RATIO_STEPS
from s2distill.evaluation.height import fit_scale_factor
from s2distill.evaluation.height import height_bias_m
from s2distill.evaluation.height import height_coverage
from s2distill.evaluation.height import height_coverage_80_by_band
from s2distill.evaluation.height import height_mae_by_band_m
from s2distill.evaluation.height import height_mae_m
from s2distill.evaluation.height import sum_height_coverage
from s2distill.evaluation.height import sum_height_errors
from s2distill.evaluation.height import sum_height_ratios


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
    covered = sum_height_coverage(*(np.zeros((2, 3)) for _ in range(4)))
    assert np.isnan(height_coverage(covered, 0.8))
    assert np.isnan(height_coverage_80_by_band(covered)).all()


def _laplace_planes(seed, shape, true_over_stated=1.0):
    """Predicted, stated scale, true height and weight; errors are Laplace."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(0, 40, shape)
    scale = np.exp(rng.normal(0.5, 0.6, shape))
    error = rng.laplace(0, scale * true_over_stated)
    planes = true + error, scale, true
    weight = (rng.random(shape) < 0.7).astype(np.float32)
    return (*(plane.astype(np.float32) for plane in planes), weight)


def test_intervals_of_a_true_laplace_scale_cover_what_they_say():
    sums = sum_height_coverage(*_laplace_planes(3, (200, 150)))
    for level in LEVELS:
        # 21,000 draws: a standard error of at most 0.0035.
        assert height_coverage(sums, level) == pytest.approx(level, abs=0.012)


def test_coverage_equals_counting_pixels_within_the_interval():
    tiles = [_laplace_planes(4, (9, 14), 1.7), _laplace_planes(5, (6, 5))]
    sums = sum(sum_height_coverage(*tile) for tile in tiles)
    predicted, scale, true = (
        np.concatenate([tile[i][tile[3] > 0] for tile in tiles])
        for i in range(3)
    )
    for level in LEVELS:
        inside = np.abs(predicted - true) <= -scale * np.log(1 - level)
        assert height_coverage(sums, level) == pytest.approx(inside.mean())
    inside = np.abs(predicted - true) <= -scale * np.log(0.2)
    high = true >= 20
    assert height_coverage_80_by_band(sums)[3] == pytest.approx(
        inside[high].mean()
    )


@pytest.mark.parametrize("true_over_stated", [0.4, 1.0, 2.5])
def test_factor_finds_how_far_a_scale_is_off(true_over_stated):
    planes = _laplace_planes(6, (200, 150), true_over_stated)
    factor = fit_scale_factor(sum_height_ratios(*planes))
    assert factor == pytest.approx(true_over_stated, rel=0.04)


def test_intervals_cover_their_share_once_the_factor_is_applied():
    predicted, scale, true, weight = _laplace_planes(7, (40, 50))
    true = true + 3  # a bias: no longer Laplace around the prediction
    ratios = sum_height_ratios(predicted, scale, true, weight)
    factor = np.float32(fit_scale_factor(ratios))
    sums = sum_height_coverage(predicted, factor * scale, true, weight)
    # A step of the histogram holds less than a hundredth of the pixels.
    assert height_coverage(sums, 0.8) == pytest.approx(0.8, abs=0.01)


def test_invalid_pixels_do_not_move_coverage_or_factor():
    planes = _laplace_planes(8, (9, 11))
    before = sum_height_coverage(*planes), sum_height_ratios(*planes)
    for plane in planes[:3]:
        plane[planes[3] == 0] = np.nan
    after = sum_height_coverage(*planes), sum_height_ratios(*planes)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_factor_without_a_known_height_is_undefined():
    assert fit_scale_factor(np.zeros(RATIO_STEPS)) is None


def test_errors_beyond_the_histogram_fall_into_its_ends():
    one = np.ones((1, 2))
    ratios = sum_height_ratios(np.array([[0, 1e9]]), one, 0 * one, one)
    assert np.flatnonzero(ratios).tolist() == [0, RATIO_STEPS - 1]

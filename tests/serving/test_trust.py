import numpy as np
import pytest
import scipy.stats

from s2distill.errors import ConfigError
from s2distill.serving.trust import LayerTrust
from s2distill.serving.trust import Trust
from s2distill.serving.trust import fit_gaussian
from s2distill.serving.trust import fit_trust
from s2distill.serving.trust import shrinkage
from s2distill.serving.trust import upper_limit
from s2distill.serving.window_features import COMPOSITE


def _gaussian(seed, number, dimensions=5):
    """Correlated draws of very different spreads, and their covariance."""
    rng = np.random.default_rng(seed)
    mixing = (np.eye(dimensions) + 0.4) * np.geomspace(0.1, 10, dimensions)
    offset = np.arange(dimensions) * 3.0
    draws = rng.normal(0, 1, (number, dimensions)) @ mixing + offset
    return draws, mixing.T @ mixing


def _distances(features, mean, whitening):
    return np.linalg.norm((features - mean) @ whitening, axis=1)


def test_distances_of_a_gaussian_follow_chi_square():
    training, _ = _gaussian(0, 40_000)
    squares = _distances(_gaussian(1, 20_000)[0], *fit_gaussian(training)) ** 2
    for level in (0.5, 0.9, 0.97):
        expected = scipy.stats.chi2.ppf(level, df=5)
        # 20,000 draws scatter by 1 %, shrinkage takes less.
        assert np.quantile(squares, level) == pytest.approx(expected, rel=0.03)


def test_distance_is_that_of_mahalanobis_where_data_abound():
    training, covariance = _gaussian(2, 60_000)
    points = _gaussian(4, 50)[0] * 1.7
    mean, whitening = fit_gaussian(training)
    centred = points - training.mean(axis=0)
    exact = np.einsum(
        "nd,de,ne->n", centred, np.linalg.inv(covariance), centred
    )
    found = _distances(points, mean, whitening) ** 2
    np.testing.assert_allclose(found, exact, rtol=0.05)


def test_shrinkage_equals_the_sum_over_single_windows():
    rng = np.random.default_rng(5)
    x = rng.normal(0, [1, 2, 3, 1, 1, 0.5], (17, 6))
    x -= x.mean(axis=0)
    covariance = x.T @ x / 17
    target = np.trace(covariance) / 6 * np.eye(6)
    noise = sum(np.sum((np.outer(r, r) - covariance) ** 2) for r in x) / 17**2
    expected = noise / np.sum((covariance - target) ** 2)
    assert 0 < expected < 1
    assert shrinkage(x) == pytest.approx(expected)


def test_shrinkage_is_whole_where_covariance_is_all_noise():
    rng = np.random.default_rng(6)
    assert shrinkage(rng.normal(0, 1, (5, 40))) > 0.7
    assert shrinkage(np.zeros((4, 3))) == 1.0


def test_a_channel_that_was_silent_in_training_does_not_shout():
    training = _gaussian(7, 500)[0]
    training[:, 2] = 0.0
    mean, whitening = fit_gaussian(training)
    point = training[:1].copy()
    before = _distances(point, mean, whitening)
    point[:, 2] = 1e-4 * training.std()
    assert _distances(point, mean, whitening) == pytest.approx(before, rel=0.01)


def test_new_windows_exceed_the_limit_as_often_as_they_may():
    rng = np.random.default_rng(8)
    alarms = [
        np.mean(rng.gamma(2, 1, 200) > upper_limit(rng.gamma(2, 1, 64), 0.03))
        for _ in range(400)
    ]
    # The largest of 64: a new one is above with a chance of 1 / 65.
    assert np.mean(alarms) == pytest.approx(1 / 65, abs=0.004)


def test_the_limit_of_few_windows_is_the_largest():
    assert upper_limit(np.array([3.0, 1.0, 2.0]), 0.03) == 3.0
    assert upper_limit(np.arange(100.0), 0.0301) == 97.0


@pytest.fixture
def fitted():
    """Trust in two layers of Gaussian windows, from 600 and 400 of them."""
    training = {"a": _gaussian(10, 600)[0], "b": _gaussian(11, 600, 3)[0]}
    held_out = {"a": _gaussian(12, 400)[0], "b": _gaussian(13, 400, 3)[0]}
    return fit_trust(training, held_out, scales={"a": 1.0, "b": 0.5})


def test_held_out_windows_raise_the_share_of_alarms_asked_for(fitted):
    held_out = {"a": _gaussian(12, 400)[0], "b": _gaussian(13, 400, 3)[0]}
    combined = np.mean(
        [
            _distances(held_out[name], layer.mean, layer.whitening)
            / np.sqrt(len(layer.mean))
            / layer.limit
            for name, layer in fitted.layers.items()
        ],
        axis=0,
    )
    # floor(0.03 x 401) = 12 reach the threshold, one of them by a hair.
    assert np.sum(combined > fitted.threshold * (1 + 1e-5)) == 11
    assert fitted.scales == {"a": 1.0, "b": 0.5}
    assert fitted.window_px == 16


@pytest.mark.parametrize(("few", "side"), [(0, "training"), (1, "held-out")])
def test_too_few_windows_are_refused(few, side):
    sides = [{"a": _gaussian(14, 80)[0]} for _ in range(2)]
    sides[few] = {"a": sides[few]["a"][:31]}
    with pytest.raises(ConfigError, match=f"31 {side} windows .* too few"):
        fit_trust(*sides, scales={"a": 1.0})


def _composite_trust(bands=2):
    """Judges by the composite alone: all its numbers are 0 with spread 1."""
    size = 4 * bands
    layer = LayerTrust(
        scale=1.0,
        mean=np.zeros(size, np.float32),
        whitening=np.eye(size, dtype=np.float32),
        limit=2.0,
    )
    return Trust(window_px=4, layers={COMPOSITE: layer}, threshold=0.5)


def test_a_constant_scene_has_the_score_of_its_level():
    inputs = {
        "s2": np.full((1, 3, 8, 6, 2), 0.7, np.float32),
        "frame_valid": np.ones((1, 3, 8, 6), np.float32),
    }
    scores = _composite_trust().score({}, inputs)
    assert scores.shape == (1, 2, 2, 1)
    # Of 8 numbers 2 are 0.7 and no spread; over limit and threshold, both 1.
    np.testing.assert_allclose(scores, np.sqrt(2 * 0.49 / 8), rtol=1e-5)


def test_hardly_seen_windows_are_not_judged():
    valid = np.zeros((1, 2, 8, 8), np.float32)
    valid[0, 0, 0, :4] = 1  # a quarter of the first window
    valid[0, 1, 0, 4:7] = 1  # less of the second; none of the others
    inputs = {"s2": np.zeros((1, 2, 8, 8, 2), np.float32), "frame_valid": valid}
    scores = _composite_trust().score({}, inputs).numpy()[0, :, :, 0]
    assert np.isfinite(scores).tolist() == [[True, False], [False, False]]

import numpy as np
import pytest

from data_prep.simulation.noise import fractal_noise
from data_prep.simulation.noise import grain
from data_prep.simulation.noise import smooth_noise


def _neighbours(field):
    """Correlation of each pixel with the next in its row."""
    return np.corrcoef(field[:, :-1].ravel(), field[:, 1:].ravel())[0, 1]


def test_grain_has_mean_0_and_deviation_1_and_no_neighbours():
    field = grain(np.random.default_rng(0), 200, 301)
    assert field.shape == (200, 301)
    assert field.mean() == pytest.approx(0, abs=0.02)
    assert field.std() == pytest.approx(1, abs=0.01)
    assert abs(_neighbours(field)) < 0.02


def test_smooth_noise_is_smooth_as_far_as_its_cell():
    field = smooth_noise(np.random.default_rng(1), 300, 401, 12.0)
    assert field.shape == (300, 401)
    assert field.mean() == pytest.approx(0, abs=0.1)
    assert field.std() == pytest.approx(0.85, abs=0.06)
    assert _neighbours(field) > 0.95
    far = np.corrcoef(field[:, :-40].ravel(), field[:, 40:].ravel())[0, 1]
    assert abs(far) < 0.1


@pytest.mark.parametrize("octaves", [3, 4, 5])
@pytest.mark.parametrize("persistence", [0.5, 0.7])
def test_fractal_noise_has_about_deviation_1_for_all_octaves_in_use(
    octaves, persistence
):
    field = fractal_noise(
        np.random.default_rng(2),
        400,
        523,
        cell_px=25,
        octaves=octaves,
        persistence=persistence,
    )
    assert field.shape == (400, 523)
    assert field.mean() == pytest.approx(0, abs=0.15)
    assert field.std() == pytest.approx(1, abs=0.25)


def test_the_same_seed_gives_the_same_field():
    fields = [
        fractal_noise(np.random.default_rng(seed), 31, 44, cell_px=9, octaves=3)
        for seed in (5, 5, 6)
    ]
    np.testing.assert_array_equal(fields[0], fields[1])
    assert np.abs(fields[0] - fields[2]).max() > 0.5

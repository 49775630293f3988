import numpy as np
import pytest

from data_prep.simulation.render import paint
from data_prep.simulation.snow import SNOW_PERCENT
from data_prep.simulation.snow import lay_snow
from data_prep.simulation.snow import snow_cover
from data_prep.simulation.spectra import MATERIALS
from data_prep.simulation.spectra import SPECTRUM_BANDS
from data_prep.simulation.spectra import select_bands
from data_prep.simulation.town import make_town


@pytest.fixture(scope="module")
def painting():
    rng = np.random.default_rng(3)
    town = make_town(rng, height_m=130.0, width_m=210.0, style="grid_suburb")
    return paint(town, rng, (1.0, 0.0)).every_second()


@pytest.fixture(scope="module")
def cover(painting):
    return snow_cover(painting, np.random.default_rng(4))


def test_snow_lies_on_the_ground_and_less_on_streets_and_trees(painting, cover):
    roof, street = painting.building > 0, painting.road > 0
    tree = painting.height_m > painting.building_height_m
    ground = ~(roof | street | tree)
    assert cover.shape == painting.surface.shape
    assert cover.min() >= 0
    assert cover.max() <= 1
    assert cover[ground].min() >= 0.7
    assert cover[ground].mean() > 0.9
    assert 0.1 < cover[street & ~tree].mean() < 0.7
    assert 0.1 <= cover[tree].mean() <= 0.35


def test_each_roof_has_its_own_snow_and_some_have_none(painting, cover):
    tree = painting.height_m > painting.building_height_m
    roof = (painting.building > 0) & ~tree
    shares = [
        np.unique(cover[roof & (painting.surface == ident)])
        for ident in np.unique(painting.surface[roof])
    ]
    assert all(len(share) == 1 for share in shares)
    shares = np.concatenate(shares)
    assert len(np.unique(shares)) > 0.5 * len(shares)
    assert 0.05 < (shares == 0).mean() < 0.45
    assert shares[shares > 0].min() >= 0.4


def test_snow_is_white_to_the_eye_and_dark_in_the_short_wave_infrared():
    green, near, short = select_bands(SNOW_PERCENT, ("B3", "B8", "B11"))
    # The index of snow; 0.4 is the usual bound.
    assert (green - short) / (green + short) > 0.7
    brightest = max(max(m.percent) for m in MATERIALS.values()) / 100
    assert near > brightest
    assert short < 0.15
    assert len(SNOW_PERCENT) == len(SPECTRUM_BANDS)


def test_covered_ground_mixes_snow_with_what_lies_below():
    bands = ("B11", "B2")
    rng = np.random.default_rng(0)
    planes = rng.random((2, 3, 5), np.float32)
    cover = rng.random((3, 5), np.float32)
    cover[0, 0], cover[2, 4] = 0.0, 1.0
    brightness = rng.uniform(0.5, 1.0, (3, 5)).astype(np.float32)
    brightness[2, 4] = 1.2  # no snow is brighter than snow
    before = planes.copy()
    lay_snow(planes, cover, brightness, bands)
    np.testing.assert_array_equal(planes[:, 0, 0], before[:, 0, 0])
    np.testing.assert_allclose(planes[:, 2, 4], (0.10, 0.88), rtol=1e-6)
    for band, snow in enumerate((0.10, 0.88)):
        for row, col in np.ndindex(2, 5):
            share = cover[row, col]
            expected = (1 - share) * before[band, row, col]
            expected += share * snow * brightness[row, col]
            assert planes[band, row, col] == pytest.approx(expected, rel=1e-5)

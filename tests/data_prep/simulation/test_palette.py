import numpy as np
import pytest

from data_prep.simulation.palette import Palette
from data_prep.simulation.spectra import MATERIALS
from data_prep.simulation.spectra import material_index


def test_each_material_has_its_plain_row_and_added_rows_follow():
    palette = Palette(np.random.default_rng(0))
    assert [palette.plain(name) for name in MATERIALS] == list(
        range(len(MATERIALS))
    )
    assert palette.add("slate", 1.0) == len(MATERIALS)
    assert palette.add("slate", 1.0) == len(MATERIALS) + 1
    spectra, season, texture = palette.tables()
    assert spectra.shape == (len(MATERIALS) + 2, 10)
    assert season.shape == texture.shape == (len(MATERIALS) + 2,)


def test_brightness_scales_a_row_and_a_lean_turns_it_but_little():
    palette = Palette(np.random.default_rng(1))
    rows = [
        [palette.add("concrete", brightness) for _ in range(300)]
        for brightness in (1.0, 2.0)
    ]
    once, twice = palette.tables()[0][rows]
    plain = np.array(MATERIALS["concrete"].percent)
    np.testing.assert_allclose(once.mean(0), plain, rtol=0.02)
    np.testing.assert_allclose(twice.mean(0), 2 * plain, rtol=0.02)
    # A lean takes from one end of the spectrum what it gives to the other.
    ends = once[:, [0, -1]] / plain[[0, -1]]
    np.testing.assert_allclose(ends.sum(1), 2.0, rtol=1e-5)
    assert ends[:, 0].std() == pytest.approx(0.05, rel=0.15)


def test_spectra_stay_between_black_and_white():
    palette = Palette(np.random.default_rng(2))
    dark = palette.add("dark_car", 1e-6)
    bright = palette.add("white_membrane", 50.0)
    spectra = palette.tables()[0]
    np.testing.assert_array_equal(spectra[dark], np.float32(0.2))
    np.testing.assert_array_equal(spectra[bright], 90.0)


def test_what_the_season_does_not_change_stays_unchanged():
    season = Palette(np.random.default_rng(3)).tables()[1]
    assert season[material_index("slate")] == 0
    assert 0.7 * 0.9 <= season[material_index("deciduous")] <= 1.3 * 0.9
    assert season[material_index("stubble")] < 0  # green again in winter

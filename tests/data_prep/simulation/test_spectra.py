import numpy as np
import pytest

from data_prep.simulation.spectra import MATERIALS
from data_prep.simulation.spectra import SEASON_CHANGE
from data_prep.simulation.spectra import SKY_LIGHT
from data_prep.simulation.spectra import SPECTRUM_BANDS
from data_prep.simulation.spectra import material_index
from data_prep.simulation.spectra import select_bands
from s2distill.errors import BandError

_GREEN = ("lawn", "meadow", "crop", "deciduous", "conifer", "olive_tree")
_BARE = ("brown_soil", "red_soil", "worn_asphalt", "concrete", "red_tile")


def _ndvi(percent):
    red, near = np.moveaxis(select_bands(percent, ("B4", "B8")), -1, 0)
    return (near - red) / (near + red)


def test_reflectance_is_a_share_in_each_band_of_each_material():
    for material in MATERIALS.values():
        values = select_bands(material.percent, SPECTRUM_BANDS)
        assert values.shape == (len(SPECTRUM_BANDS),)
        assert values.min() > 0
        assert values.max() < 0.7


@pytest.mark.parametrize("name", _GREEN)
def test_plants_are_green_to_the_vegetation_index(name):
    assert _ndvi(MATERIALS[name].percent) > 0.7


@pytest.mark.parametrize("name", _BARE)
def test_soil_paving_and_tiles_are_not(name):
    assert 0 < _ndvi(MATERIALS[name].percent) < 0.35


def test_water_is_darker_the_longer_the_wave():
    assert _ndvi(MATERIALS["water"].percent) < 0
    assert (np.diff(MATERIALS["water"].percent) < 0).all()
    assert (np.diff(SKY_LIGHT) < 0).all()


def test_winter_takes_the_green_and_leaves_reflectance_positive():
    for material in MATERIALS.values():
        # 1.3 is the strongest season that a palette draws.
        bare = np.add(
            material.percent, 1.3 * material.season * np.array(SEASON_CHANGE)
        )
        assert bare.min() > 0
        if material.season > 0:
            assert _ndvi(bare) < _ndvi(material.percent)


def test_bands_are_picked_by_name_from_rows_and_tables():
    row = tuple(range(10))
    np.testing.assert_allclose(
        select_bands(row, ("B12", "B2", "B8")), (0.09, 0.0, 0.06)
    )
    table = np.stack([row, np.add(row, 50)])
    np.testing.assert_allclose(
        select_bands(table, ("B3",)), [[0.01], [0.51]], rtol=1e-6
    )
    with pytest.raises(BandError, match="B9"):
        select_bands(row, ("B9",))


def test_a_material_is_found_at_its_place():
    names = list(MATERIALS)
    assert names[material_index("water")] == "water"
    with pytest.raises(KeyError):
        material_index("gold")

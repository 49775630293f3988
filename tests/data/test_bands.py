import pytest

from s2distill.data import bands
from s2distill.errors import BandError
from s2distill.errors import ProductLevelError


@pytest.mark.parametrize(
    ("text", "name"),
    [("B2", "B2"), ("B02", "B2"), ("b8a", "B8A"), (" B12 ", "B12")],
)
def test_spellings_of_a_band_give_its_name(text, name):
    assert bands.parse_band_name(text) == name


@pytest.mark.parametrize("text", ["B13", "B0", "red", "", "B2A", "B8AA"])
def test_an_unknown_band_is_refused_with_the_known(text):
    with pytest.raises(BandError, match=f"band '{text}'; the bands are B1, B2"):
        bands.parse_band_name(text)


@pytest.mark.parametrize("texts", [("B2", "B02"), ()])
def test_bands_stand_once_each(texts):
    with pytest.raises(BandError, match="each once"):
        bands.parse_band_names(texts)


def test_positions_follow_the_order_asked_for():
    assert bands.find_bands(("B8", "B2"), ("B2", "B3", "B8")) == [2, 0]


def test_a_missing_band_is_named_beside_those_present():
    with pytest.raises(BandError, match="no band B11, B12 among B2, B3"):
        bands.find_bands(("B11", "B2", "B12"), ("B2", "B3"))


def test_only_the_two_product_levels_pass():
    assert [bands.check_product_level(x) for x in ("L1C", "L2A")] == [
        "L1C",
        "L2A",
    ]
    with pytest.raises(ProductLevelError, match="product level 'L2'"):
        bands.check_product_level("L2")


def test_the_table_has_the_thirteen_bands_by_wavelength():
    wavelengths = [b.wavelength_nm for b in bands.S2_BANDS.values()]
    assert len(wavelengths) == 13
    assert wavelengths == sorted(wavelengths)
    assert {b.gsd_m for b in bands.S2_BANDS.values()} == {10, 20, 60}
    assert len(bands.L2A_FILE_BANDS) == 12

import numpy as np
import pytest

from s2distill.data import normalize
from s2distill.data.normalize import BandStatistics
from s2distill.errors import BandError
from s2distill.errors import RecordError

STATISTICS = BandStatistics(
    bands=("B2", "B8"), centre=(0.08, 0.3), scale=(0.02, 0.1)
)


def normalized(dn, valid, offset_dn=0.0):
    x, seen = normalize.normalize_s2(
        dn, valid, STATISTICS, quantification_dn=1e4, offset_dn=offset_dn
    )
    return x.numpy(), seen.numpy()


@pytest.mark.parametrize("offset_dn", [0.0, -1000.0])
def test_normalisation_is_the_formula(offset_dn):
    rng = np.random.default_rng(0)
    dn = rng.integers(0, 12_000, (3, 5, 4, 2)).astype(np.uint16)
    valid = rng.integers(0, 2, (3, 5, 4)).astype(np.uint8)
    x, seen = normalized(dn, valid, offset_dn)
    twin = (dn.astype(np.float64) + offset_dn) / 1e4
    twin = np.clip((twin - [0.08, 0.3]) / [0.02, 0.1], -6, 6)
    np.testing.assert_allclose(x, twin * valid[..., None], atol=1e-5)
    np.testing.assert_array_equal(seen, valid)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_pixel_that_is_not_finite_spoils_no_neighbour(bad):
    dn = np.full((1, 2, 2, 2), 900.0, np.float32)
    whole, _ = normalized(dn, np.ones((1, 2, 2)))
    dn[0, 1, 0, 1] = bad
    x, seen = normalized(dn, np.ones((1, 2, 2)))
    np.testing.assert_array_equal(seen[0], [[1, 1], [0, 1]])
    assert (x[0, 1, 0] == 0).all()
    keep = seen > 0
    np.testing.assert_array_equal(x[keep], whole[keep])


def test_an_image_spans_minus_one_to_one():
    np.testing.assert_allclose(
        normalize.normalize_image(np.array([0, 51, 255], np.uint8)),
        [-1, -0.6, 1],
        atol=1e-6,
    )


def test_statistics_are_selected_by_name_and_survive_the_file(tmp_path):
    chosen = STATISTICS.select(("B8", "B2"))
    assert (chosen.centre, chosen.scale) == ((0.3, 0.08), (0.1, 0.02))
    normalize.write_statistics(tmp_path / "s.json", chosen)
    assert normalize.read_statistics(tmp_path / "s.json") == chosen
    with pytest.raises(BandError, match="no band B11 among B2, B8"):
        STATISTICS.select(("B11",))


def test_absent_statistics_name_the_program_that_makes_them(tmp_path):
    with pytest.raises(RecordError, match="no .*s.json; data_prep.band_stat"):
        normalize.read_statistics(tmp_path / "s.json")


def test_statistics_must_fit_their_bands():
    with pytest.raises(RecordError, match="of 2 bands have 1 centres and 2"):
        BandStatistics(bands=("B2", "B3"), centre=(0.1,), scale=(1.0, 1.0))
    with pytest.raises(RecordError, match="must be positive"):
        BandStatistics(bands=("B2",), centre=(0.1,), scale=(0.0,))


@pytest.mark.parametrize("text", ['{"bands": ["B2"', "{}"])
def test_cut_statistics_are_named(tmp_path, text):
    path = tmp_path / "statistics.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=r"statistics\.json is cut"):
        normalize.read_statistics(path)

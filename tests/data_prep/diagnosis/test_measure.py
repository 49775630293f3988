import numpy as np
import pytest

from data_prep.diagnosis.measure import MEDIAN
from data_prep.diagnosis.measure import PERCENTILES
from data_prep.diagnosis.measure import is_whole
from data_prep.diagnosis.measure import measure_frame
from data_prep.diagnosis.measure import seen_mask
from data_prep.diagnosis.measure import shows_land
from data_prep.diagnosis.measure import thin
from data_prep.diagnosis.measure import to_reflectance
from data_prep.diagnosis.subject import Frame

BANDS = ("B2", "B4", "B8")


def _frame(values, inside=None, bands=BANDS, **fields):
    if inside is None:
        inside = np.ones(values.shape[:2], bool)
    return Frame(name="a", bands=bands, values=values, inside=inside, **fields)


def _random(seed=0, dtype=np.float32, high=9000):
    rng = np.random.default_rng(seed)
    return rng.integers(300, high, (20, 30, 3)).astype(dtype)


def test_seen_is_inside_finite_and_not_black():
    values = _random()
    inside = np.ones((20, 30), bool)
    inside[0] = False
    values[1, :, 1] = np.nan
    values[2] = 0
    values[3, :, 0] = 0  # one dark band is no black pixel
    seen = seen_mask(_frame(values, inside))
    np.testing.assert_array_equal(seen.all(axis=1), np.arange(20) > 2)
    assert not seen[:3].any()


def test_facts_are_those_of_the_seen_pixels():
    values = _random()
    values[:4] = 0
    values[5, :3, 2] = np.nan
    facts = measure_frame(_frame(values))
    pixels = values[4:].reshape(-1, 3)
    pixels = pixels[np.isfinite(pixels).all(axis=1)]
    assert facts.seen_px == len(pixels) == 16 * 30 - 3
    assert facts.seen_share == pytest.approx(len(pixels) / 600)
    assert facts.nan_share == pytest.approx(3 / 1800)
    assert facts.black_share == pytest.approx(120 / 600)
    assert (facts.minimum, facts.maximum) == (pixels.min(), pixels.max())
    assert facts.is_whole
    assert facts.is_measured
    np.testing.assert_allclose(
        facts.percentiles, np.percentile(pixels, PERCENTILES, axis=0).T
    )
    assert facts.percentile("B8", MEDIAN) == np.median(pixels[:, 2])


def test_a_frame_with_little_to_see_is_not_measured():
    values = _random()
    values[2:] = np.nan
    facts = measure_frame(_frame(values))
    assert facts.seen_px == 60
    assert not facts.is_measured
    assert np.isnan(facts.percentiles).all()


def test_a_constant_frame_is_told_from_one_that_varies():
    values = np.full((20, 30, 3), (700, 800, 900), np.uint16)
    assert measure_frame(_frame(values)).is_constant
    values[3, 4, 1] += 1
    assert not measure_frame(_frame(values)).is_constant


def test_equal_pixels_have_equal_digests_whatever_is_not_seen():
    values = _random()
    other = values.copy()
    values[0], other[0] = np.nan, 0
    assert (
        measure_frame(_frame(values)).digest
        == measure_frame(_frame(other)).digest
    )
    other[5, 5, 1] += 1
    assert (
        measure_frame(_frame(values)).digest
        != measure_frame(_frame(other)).digest
    )


@pytest.mark.parametrize(
    ("make", "scale"),
    [
        (lambda dn: dn, "dn"),
        (lambda dn: dn.astype(np.uint16), "dn"),
        (lambda dn: dn / 10_000, "reflectance"),
        (lambda dn: dn / 10_000 + 1.05, "reflectance"),
        (lambda dn: (dn / 40).astype(np.uint8), "8-bit"),
        (lambda dn: (dn // 40).astype(np.uint16), "8-bit"),
        (lambda dn: dn / 40 + 0.5, "8-bit"),  # resampled
        (lambda dn: dn / 100, "dn"),  # percent
        (lambda dn: dn * np.nan, "none"),
        (lambda dn: np.rint(dn / 10_000), "dn"),
    ],
)
def test_the_kind_of_numbers_is_told(make, scale):
    assert measure_frame(_frame(make(_random()))).scale == scale


def test_one_pixel_of_glint_makes_no_digital_numbers_of_reflectance():
    values = _random() / 10_000
    values[3, 3, 0] = 2.5
    assert measure_frame(_frame(values)).scale == "reflectance"


def test_dark_water_in_true_numbers_is_no_8_bit_picture():
    rng = np.random.default_rng(0)
    water = rng.normal((230, 110, 40), (8, 8, 8), (20, 30, 3)).astype(np.uint16)
    assert water.max() < 256
    assert measure_frame(_frame(water)).scale == "dn"
    land = water[..., ::-1]  # dark in blue, bright in the infrared
    assert measure_frame(_frame(land)).scale == "8-bit"
    assert shows_land(BANDS, np.array([50.0, 40.0, 230.0]))
    assert not shows_land(("a", "b", "c"), np.array([50.0, 40.0, 230.0]))


def test_reflectance_takes_offset_and_quantification():
    frame = _frame(_random(), offset_dn=-1000.0, quantification_dn=5000.0)
    facts = measure_frame(frame)
    got = to_reflectance(np.array([3500.0]), frame, facts)
    np.testing.assert_allclose(got, [0.5])
    frame = _frame(_random() / 10_000, offset_dn=-1000.0)
    got = to_reflectance(np.array([0.25]), frame, measure_frame(frame))
    np.testing.assert_allclose(got, [0.25])


def test_thin_keeps_rows_evenly_spread_and_never_more():
    rows = np.arange(1000)[:, None]
    assert len(thin(rows, 300)) <= 300
    assert thin(rows, 300)[-1, 0] > 900
    assert len(thin(rows, 1000)) == 1000


def test_whole_numbers_are_told_of_floats():
    assert is_whole(np.array([1.0, 4.0]))
    assert not is_whole(np.array([1.0, 4.5]))
    assert is_whole(np.array([1, 4], np.int16))

import numpy as np
import pytest

from data_prep.simulation.conditions import HEAVY_HAZE
from data_prep.simulation.conditions import haze_layer
from data_prep.simulation.conditions import to_eight_bit

_BANDS = ("B12", "B2", "B8", "B4")
_BY_WAVELENGTH = [1, 3, 2, 0]


def test_two_layers_of_haze_are_one_of_the_sum_of_their_depths():
    low, high, both = (haze_layer(d, _BANDS) for d in (0.7, 1.9, 2.6))
    # What the upper layer reflects, and what passes it down and up again
    # after any number of bounces between the two.
    path = high.path + high.contrast * low.path / (1 - high.path * low.path)
    np.testing.assert_allclose(both.path, path, rtol=1e-5)


@pytest.mark.parametrize("depth", [0.0, *HEAVY_HAZE])
def test_haze_takes_no_light_away(depth):
    layer = haze_layer(depth, _BANDS)
    np.testing.assert_allclose(
        layer.path + np.sqrt(layer.contrast), 1, atol=1e-6
    )


def test_haze_is_strong_in_the_blue_and_weak_in_the_short_wave_infrared():
    layer = haze_layer(2.0, _BANDS)
    assert (np.diff(layer.path[_BY_WAVELENGTH]) < 0).all()
    assert (np.diff(layer.contrast[_BY_WAVELENGTH]) > 0).all()
    # (1 - 0.7) x 2.0 / 2 = 0.3 at 490 nm.
    assert layer.path[1] == pytest.approx(0.3 / 1.3, rel=1e-6)
    assert layer.contrast[1] == pytest.approx(1 / 1.69, rel=1e-6)
    assert layer.path[0] < 0.05


def test_eight_bits_are_cut_at_3000_and_leave_no_data_alone():
    dn = np.array([[0, 1, 11, 12], [1500, 3000, 3001, 65_535]], np.uint16)
    shown = to_eight_bit(dn)
    np.testing.assert_array_equal(shown, [[0, 1, 1, 1], [127, 255, 255, 255]])
    assert shown.dtype == np.uint16

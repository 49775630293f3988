import numpy as np
import pytest

from data_prep.simulation.rgb_reflectance import estimate_reflectance
from s2distill.errors import BandError


def test_black_white_and_between_map_to_usual_reflectance():
    rgb = np.zeros((2, 3, 3), np.uint8)
    rgb[0, 1] = 255
    rgb[1, 2] = 51  # a fifth
    planes = estimate_reflectance(rgb, ("B2", "B3", "B4"))
    assert planes.shape == (3, 2, 3)
    np.testing.assert_allclose(planes[:, 0, 0], (0.015, 0.02, 0.015), 1e-5)
    np.testing.assert_allclose(planes[:, 0, 1], (0.24, 0.27, 0.30), 1e-5)
    np.testing.assert_allclose(planes[2, 1, 2], 0.015 + 0.285 / 5, 1e-5)


def test_a_green_picture_is_bright_in_the_near_infrared():
    rgb = np.zeros((1, 2, 3), np.uint8)
    rgb[0, 0] = (40, 90, 40)
    rgb[0, 1] = (70, 70, 70)
    near_infrared, red = estimate_reflectance(rgb, ("B8", "B4"))
    assert near_infrared[0, 0] > 5 * red[0, 0]
    assert near_infrared[0, 1] < 3 * red[0, 1]


def test_gamma_makes_the_middle_darker():
    rgb = np.full((1, 1, 3), 128, np.uint8)
    assert (
        estimate_reflectance(rgb, ("B4",), gamma=2.0)[0, 0, 0]
        < (estimate_reflectance(rgb, ("B4",))[0, 0, 0])
    )


def test_a_band_that_no_picture_tells_of_is_refused():
    with pytest.raises(BandError, match="no band B9 can be made"):
        estimate_reflectance(np.zeros((2, 2, 3), np.uint8), ("B4", "B9"))


def test_floats_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        estimate_reflectance(np.zeros((2, 2, 3), np.float32))

import pytest

from data_prep.pairing.pair_config import Config
from data_prep.pairing.pair_config import check_config
from s2distill.errors import BandError
from s2distill.errors import ConfigError


def _config(**changes):
    values = {"image": "image.tif", "output": "out", "frames": "s2/*.tif"}
    return Config(**values | changes)


def test_real_frames_or_simulated_ones_are_taken():
    check_config(_config())
    check_config(_config(frames="", simulate_frames=3, frames_output="s2"))


@pytest.mark.parametrize(
    ("angle_deg", "azimuth_deg"), [(0.0, None), (60.0, 0.0), (10.0, 360.0)]
)
def test_a_view_is_an_angle_and_a_direction(angle_deg, azimuth_deg):
    check_config(
        _config(view_angle_deg=angle_deg, view_azimuth_deg=azimuth_deg)
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": ""}, "--frames=''.*and not both"),
        ({"simulate_frames": 3}, "--simulate_frames=3.*and not both"),
        ({"frames_output": "s2"}, "--frames_output=s2 is for simulated"),
        ({"max_shift_m": 0.0}, "--max_shift_m=0.0 must be above 0"),
        ({"min_image_share": 1.5}, "--min_image_share=1.5 within 0..1"),
        ({"seed": -1}, "--seed=-1 must be at least 0"),
        ({"image_gamma": 0.0}, "--image_gamma=0.0 above 0"),
        ({"view_azimuth_deg": 5.0}, "=5 says nothing without --view_angle"),
        ({"view_angle_deg": 5.0}, "angle_deg=5 without --view_azimuth_deg"),
        (
            {"view_angle_deg": -1.0, "view_azimuth_deg": 5.0},
            "--view_angle_deg=-1 must lie in 0..60",
        ),
        (
            {"view_angle_deg": float("nan"), "view_azimuth_deg": 5.0},
            "--view_angle_deg=nan must lie in 0..60",
        ),
        (
            {"view_angle_deg": 5.0, "view_azimuth_deg": 361.0},
            "--view_azimuth_deg=361 must lie in 0..360",
        ),
    ],
)
def test_flags_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        check_config(_config(**changes))


def test_a_band_that_does_not_exist_is_refused():
    with pytest.raises(BandError, match="B99"):
        check_config(_config(bands=("B2", "B99")))

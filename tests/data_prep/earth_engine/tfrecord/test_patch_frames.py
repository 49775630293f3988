"""Digital numbers and masks of a patch, against a plain account."""

import numpy as np
import pytest

from data_prep.earth_engine.tfrecord.band_series import parse_series
from data_prep.earth_engine.tfrecord.patch_frames import look_like_reflectance
from data_prep.earth_engine.tfrecord.patch_frames import make_frames
from data_prep.earth_engine.tfrecord.patch_frames import names_to_read
from s2distill.geo.grid import Grid

GRID = Grid("EPSG:32616", (10.0, 0.0, 737200.0, 0.0, -10.0, 3736840.0), 5, 7)
BANDS = ("B8", "B2")


def random_values(names, seed=0):
    rng = np.random.default_rng(seed)
    return {
        name: rng.integers(1, 10_000, (5, 7)).astype(np.float32)
        for name in names
    }


def make(values, names=None, **keywords):
    series = parse_series(names or list(values))
    keywords = {"grid": GRID, "source": "patch 0 of x", **keywords}
    return make_frames(values, series, BANDS, **keywords)


def test_bands_are_in_the_order_of_the_model_and_frames_in_that_of_time():
    names = ["f01_B2", "f00_B8", "f10_B2", "f00_B2", "f10_B8", "f01_B8"]
    values = random_values(names)
    frames = make(values)
    assert frames.dn.shape == (3, 5, 7, 2)
    assert frames.dn.dtype == np.uint16
    for t, frame in enumerate(("f00", "f01", "f10")):
        for c, band in enumerate(BANDS):
            np.testing.assert_array_equal(
                frames.dn[t, ..., c], values[f"{frame}_{band}"]
            )
    assert frames.valid.dtype == np.uint8
    assert (frames.valid == 1).all()
    assert frames.paths == ("patch 0 of x",)


def test_pixels_without_a_measurement_are_not_valid():
    values = random_values(["B2", "B8"])
    b2, b8 = values["B2"], values["B8"]
    b2[0, 0] = b8[0, 0] = 0  # what exports put into masked pixels
    b2[0, 1] = 0  # dark, and seen
    b8[0, 2] = np.nan
    b2[0, 3] = np.inf
    b8[0, 4] = -1
    b2[0, 5] = 65_536
    b8[0, 6] = 65_535
    frames = make(values)
    assert frames.valid[0, 0].tolist() == [0, 1, 0, 0, 0, 0, 1]
    assert (frames.valid[0, 1:] == 1).all()
    assert (frames.dn[0, 0, [0, 2, 3, 4, 5]] == 0).all()
    assert frames.dn[0, 0, 6, 0] == 65_535
    assert frames.dn[0, 0, 1].tolist() == [b8[0, 1], 0]


@pytest.mark.parametrize(
    ("mask", "seen", "hidden"),
    [
        ("valid", 1, 0),
        ("SCL", 4, 9),
        ("QA60", 0, 1024),
        ("CLM", 0, 1),
        ("dataMask", 1, 0),
    ],
)
def test_a_mask_exported_with_its_frame_counts_for_it_alone(mask, seen, hidden):
    names = ["f00_B2", "f00_B8", f"f00_{mask}", "f01_B2", "f01_B8"]
    values = random_values(names)
    values[f"f00_{mask}"][:] = seen
    values[f"f00_{mask}"][2, 3] = hidden
    frames = make(values)
    expected = np.ones((2, 5, 7))
    expected[0, 2, 3] = 0
    np.testing.assert_array_equal(frames.valid, expected)
    assert (frames.dn[0, 2, 3] == 0).all()


def test_only_what_is_used_is_read():
    names = [
        f"f0{t}_{name}"
        for t in range(2)
        for name in ("B2", "B3", "B8", "day", "valid", "SCL")
    ]
    series = parse_series([*names, "longitude"])
    assert sorted(names_to_read(series, BANDS)) == sorted(
        f"f0{t}_{name}"
        for t in range(2)
        for name in ("B2", "B8", "valid", "SCL")
    )
    values = random_values(names_to_read(series, BANDS))
    make(values, names=[*names, "longitude"])


def test_reflectance_becomes_digital_numbers_by_its_factor():
    values = {k: v / 10_000 for k, v in random_values(["B2", "B8"]).items()}
    frames = make(values, dn_per_unit=10_000)
    np.testing.assert_array_equal(
        frames.dn[0, ..., 1], np.rint(values["B2"] * np.float32(10_000))
    )
    assert not look_like_reflectance(frames)
    assert look_like_reflectance(make(values))


def test_nothing_seen_does_not_look_like_reflectance():
    zeros = {name: np.zeros((5, 7), np.float32) for name in ("B2", "B8")}
    assert not look_like_reflectance(make(zeros))


def test_windows_are_cut_where_their_grid_lies():
    frames = make(random_values(["0_B2", "0_B8", "1_B2", "1_B8"]))
    dn, valid = frames.read(("B2",), GRID.cropped(1, 2, 3, 4))
    np.testing.assert_array_equal(dn, frames.dn[:, 1:4, 2:6, 1:])
    np.testing.assert_array_equal(valid, frames.valid[:, 1:4, 2:6])
    assert dn.shape == (2, 3, 4, 1)

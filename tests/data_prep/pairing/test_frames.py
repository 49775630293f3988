import numpy as np
import pytest

from data_prep.pairing.frames import SimulatedFrames
from data_prep.simulation.sensor import Stack
from s2distill.data.frame_stack import open_frames
from s2distill.geo.grid import Grid

GRID = Grid("EPSG:32633", (10.0, 0, 500_000, 0, -10.0, 5_200_000), 5, 8)
BANDS = ("B4", "B3", "B8")


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    valid = (rng.random((3, 5, 8)) < 0.8).astype(np.uint8)
    dn = rng.integers(1, 4000, (3, 5, 8, 3), dtype=np.uint16)
    times = 1_600_000_000 + 86_400 * np.arange(3)
    stack = Stack(dn * valid[..., None], valid, times, np.zeros((3, 2)))
    return SimulatedFrames(stack, BANDS, GRID, offset_dn=-1000.0)


def test_a_window_is_cut_in_the_order_of_the_bands_asked_for(frames):
    dn, valid = frames.read(("B8", "B4"), GRID.cropped(1, 3, 2, 4))
    np.testing.assert_array_equal(dn[..., 0], frames.stack.dn[:, 1:3, 3:7, 2])
    np.testing.assert_array_equal(dn[..., 1], frames.stack.dn[:, 1:3, 3:7, 0])
    np.testing.assert_array_equal(valid, frames.stack.valid[:, 1:3, 3:7])


def test_frames_written_as_geotiffs_are_read_back_the_same(frames, tmp_path):
    frames.write(tmp_path / "sentinel2")
    stack = open_frames(str(tmp_path / "sentinel2"))
    dn, valid = stack.read(BANDS, GRID)
    np.testing.assert_array_equal(dn, frames.stack.dn)
    np.testing.assert_array_equal(valid, frames.stack.valid)
    assert stack.grid == GRID
    assert stack.offset_dn == -1000
    assert stack.product_level == "L2A"
    assert stack.times_utc_s == frames.times_utc_s

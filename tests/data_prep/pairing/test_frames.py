import numpy as np
import pytest
import rasterio
from scipy import ndimage

from data_prep.pairing.frames import SimulatedFrames
from data_prep.pairing.frames import register_image
from data_prep.pairing.image import open_image
from data_prep.simulation.sensor import Stack
from s2distill.data.frame_stack import open_frames
from s2distill.errors import GridError
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


CITY_GRID = Grid("EPSG:32633", (10.0, 0, 500_000, 0, -10.0, 5_200_000), 24, 30)
RIGHT_M, DOWN_M = 12.0, -5.5  # by which the frames lie off the picture


def write_tif(path, planes, grid, **tags):
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(planes),
        dtype=planes.dtype,
        height=grid.height,
        width=grid.width,
        crs=grid.crs,
        transform=grid.affine,
    ) as file:
        file.write(planes)
        file.descriptions = tuple(f"B{4 - n}" for n in range(len(planes)))
        file.update_tags(**tags)


def make_ground(seed):
    """[h, w] float64 about 128: blocks and edges, with a margin of 40 px."""
    rng = np.random.default_rng(seed)
    shape = (CITY_GRID.height * 20 + 80, CITY_GRID.width * 20 + 80)
    ground = ndimage.gaussian_filter(rng.normal(size=shape), 8)
    return 128 + 60 * np.clip(2 * ground / ground.std(), -2, 2) / 2


@pytest.fixture
def city(tmp_path):
    """A picture, and a function that writes frames of some ground under it."""
    rgb = make_ground(0)[40:-40, 40:-40].astype(np.uint8)
    fine = CITY_GRID.refined(20)
    write_tif(tmp_path / "city.tif", np.stack([rgb] * 3), fine)
    (tmp_path / "s2").mkdir()

    def write_frames(seed):
        ground = ndimage.gaussian_filter(make_ground(seed), 9)
        row, col = (int(40 - 2 * shift) for shift in (DOWN_M, RIGHT_M))
        moved = ground[row : row + fine.height, col : col + fine.width]
        blocks = moved.reshape(CITY_GRID.height, 20, CITY_GRID.width, 20)
        dn = 10 * blocks.mean(axis=(1, 3), keepdims=True)[:, 0, :, 0]
        for day in (4, 9, 14):
            write_tif(
                tmp_path / "s2" / f"2021-06-{day:02d}.tif",
                dn[None].astype(np.uint16),
                CITY_GRID,
                PRODUCT_LEVEL="L2A",
                OFFSET_DN="0",
            )
        return open_frames(str(tmp_path / "s2"))

    return open_image(tmp_path / "city.tif"), write_frames


def test_a_picture_is_found_on_its_frames(city):
    image, write_frames = city
    found = register_image(image, write_frames(0), CITY_GRID, max_shift_m=15)
    error_m = np.hypot(
        10 * found.shift_col_px - RIGHT_M, 10 * found.shift_row_px - DOWN_M
    )
    assert error_m < 1
    assert found.correlation > 1.5 * found.chance


@pytest.mark.parametrize(
    ("seed", "max_shift_m", "message"),
    [
        # Correlation 0.22 and 0.11 above other places, by chance alone.
        (3, 30.0, r"by 22\.. m, correlation 0\.22 \(chance may reach 0\.[45]"),
        (0, 8.0, r"moved by 13\.. m.*not to be believed with --max_shift_m=8"),
    ],
    ids=["another place", "too far"],
)
def test_a_shift_that_is_not_to_be_believed_is_refused(
    city, seed, max_shift_m, message
):
    image, write_frames = city
    with pytest.raises(GridError, match=message):
        register_image(
            image, write_frames(seed), CITY_GRID, max_shift_m=max_shift_m
        )

import numpy as np
import pytest

from s2distill.data.frame_stack import open_frames
from s2distill.errors import BandError
from s2distill.errors import FrameError
from s2distill.errors import GridError
from s2distill.errors import ProductLevelError
from s2distill.geo.grid import Grid


@pytest.fixture
def values():
    rng = np.random.default_rng(9)
    return rng.integers(1, 9_000, (3, 7, 5, 2), dtype=np.uint16)


@pytest.fixture
def folder(write_frame, values, tmp_path):
    """Three dates; their names are not in the order of their dates."""
    for name, frame, date in zip(
        ("c.tif", "a.tif", "b.tif"),
        values,
        ("2020-01-02", "2020-05-06", "2020-09-10"),
        strict=True,
    ):
        write_frame(
            name,
            frame,
            descriptions=("B8", "B2"),
            DATETIME_UTC=date,
            PRODUCT_LEVEL="L2A",
            OFFSET_DN="-1000",
            QUANTIFICATION_DN="10000",
        )
    (tmp_path / "notes.txt").write_text("not a frame")
    return tmp_path


@pytest.mark.parametrize("pattern", ["", "*.tif", "**/?.tif"])
def test_folder_and_globs_find_the_frames_oldest_first(folder, values, pattern):
    stack = open_frames(str(folder / pattern))
    assert [p[-5:] for p in stack.paths] == ["c.tif", "a.tif", "b.tif"]
    assert list(stack.times_utc_s) == [1577923200, 1588723200, 1599696000]
    assert stack.bands == ("B2", "B8")
    assert stack.product_level == "L2A"
    assert (stack.offset_dn, stack.quantification_dn) == (-1000.0, 10_000.0)
    dn, valid = stack.read(("B8", "B2"), stack.grid)
    np.testing.assert_array_equal(dn, values)
    assert valid.shape == (3, 7, 5)
    assert valid.all()


def test_a_frame_that_lacks_the_area_does_not_touch_the_others(
    folder, values, write_frame
):
    small = Grid("EPSG:32631", (10.0, 0, 500_030, 0, -10.0, 4_699_970), 2, 2)
    write_frame(
        "d.tif",
        values[0, :2, :2],
        grid=small,
        descriptions=("B8", "B2"),
        DATETIME_UTC="2019-01-01",
        PRODUCT_LEVEL="L2A",
        OFFSET_DN="-1000",
    )
    stack = open_frames(str(folder))
    assert stack.grid.height == 7  # of the largest, not of the oldest
    dn, valid = stack.read(("B8", "B2"), stack.grid)
    np.testing.assert_array_equal(dn[1:], values)
    assert valid[0].sum() == 4
    np.testing.assert_array_equal(dn[0, 3:5, 3:5], values[0, :2, :2])


def test_some_frames_can_be_selected(folder, values):
    stack = open_frames(str(folder)).select([2, 0])
    dn, _ = stack.read(("B8", "B2"), stack.grid)
    np.testing.assert_array_equal(dn, values[[2, 0]])
    with pytest.raises(FrameError, match="no frame is left of 2"):
        stack.select([])


def test_a_band_that_a_file_lacks_is_refused_with_its_name(folder):
    stack = open_frames(str(folder))
    with pytest.raises(BandError, match="c.tif has no band B12, only B8, B2"):
        stack.read(("B2", "B12"), stack.grid)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(FrameError, match=f"no .* in the folder {tmp_path}"):
        open_frames(str(tmp_path))
    with pytest.raises(FrameError, match="no .* at .*scene/\\*.tif"):
        open_frames(str(tmp_path / "scene" / "*.tif"))


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"PRODUCT_LEVEL": "L1C", "OFFSET_DN": "-1000"}, "is L2A .* but L1C"),
        ({"PRODUCT_LEVEL": "L2A", "OFFSET_DN": "0"}, "is -1000.0 .* but 0.0"),
    ],
    ids=["level", "offset"],
)
def test_mixed_levels_and_offsets_are_refused(
    folder, values, write_frame, tags, message
):
    write_frame(
        "d.tif",
        values[0],
        descriptions=("B8", "B2"),
        DATETIME_UTC="2021-01-01",
        **tags,
    )
    with pytest.raises(ProductLevelError, match=f"{message}.*d.tif"):
        open_frames(str(folder))


def test_files_without_a_common_band_are_refused(write_frame, values, tmp_path):
    for day, name in enumerate(("B2", "B3"), start=1):
        write_frame(
            f"2020-01-0{day}_L2A.tif",
            values[0, ..., :1],
            descriptions=(name,),
        )
    with pytest.raises(BandError, match="no band is in all of 2 files"):
        open_frames(str(tmp_path))


def test_a_frame_of_another_place_is_refused(folder, values, write_frame):
    far = Grid("EPSG:32631", (10.0, 0, 7e5, 0, -10.0, 4.7e6), 7, 5)
    write_frame(
        "d.tif",
        values[0],
        grid=far,
        descriptions=("B8", "B2"),
        DATETIME_UTC="2021-01-01",
        PRODUCT_LEVEL="L2A",
        OFFSET_DN="-1000",
    )
    with pytest.raises(GridError, match="d.tif does not overlap the other"):
        open_frames(str(folder))


def test_the_real_stack_of_boadella_needs_no_flag(real_data):
    stack = open_frames(str(real_data("eotdl-boadella") / "Boadella*.tif"))
    assert len(stack.paths) == 7
    assert stack.product_level == "L2A"
    assert "B10" not in stack.bands
    assert len(stack.bands) == 12
    dn, valid = stack.read(("B2",), stack.grid)
    assert dn.shape == (7, 377, 380, 1)
    # 2020-01-18 is all cloud.
    medians = [int(np.median(frame)) for frame in dn]
    assert np.argmax(medians) == 1
    assert medians[1] > 4 * medians[4]
    assert valid.mean() > 0.999


def test_the_real_export_of_many_months_in_one_file_is_refused(real_data):
    with pytest.raises(BandError, match="B1 twice .B1 and B1_1.*one file"):
        open_frames(str(real_data("nasaharvest") / "*.tif"))

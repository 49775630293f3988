import dataclasses

import numpy as np
import pytest
import rasterio

from data_prep.simulation.frame_files import write_frames
from data_prep.simulation.frame_files import write_raster
from data_prep.simulation.sensor import Stack
from s2distill.data.frame_stack import open_frames
from s2distill.geo.grid import Grid

_GRID = Grid("EPSG:32631", (10.0, 0.0, 300_000.0, 0.0, -10.0, 2e6), 5, 8)
_BANDS = ("B2", "B8", "B11")


@pytest.fixture
def stack():
    rng = np.random.default_rng(0)
    return Stack(
        dn=rng.integers(1, 9000, (2, 5, 8, 3), dtype=np.uint16),
        valid=rng.integers(0, 2, (2, 5, 8), dtype=np.uint8),
        # 2020-01-01T10:00:00Z and 2020-03-01T10:00:05Z
        time_utc_s=np.array([1_577_872_800, 1_583_056_805]),
        shift_m=np.zeros((2, 2)),
    )


def test_each_date_is_a_file_that_says_what_it_holds(tmp_path, stack):
    write_frames(
        tmp_path,
        stack,
        _GRID,
        bands=_BANDS,
        offset_dn=-1000.0,
        product_level="L1C",
    )
    paths = sorted(tmp_path.iterdir())
    assert [p.name for p in paths] == ["2020-01-01.tif", "2020-03-01.tif"]
    for path, dn, valid in zip(paths, stack.dn, stack.valid, strict=True):
        with rasterio.open(path) as file:
            assert file.crs.to_epsg() == 32631
            assert tuple(file.transform)[:6] == _GRID.transform
            assert file.descriptions == _BANDS
            assert file.nodata == 0
            assert file.dtypes == ("uint16",) * 3
            tags = file.tags()
            np.testing.assert_array_equal(
                np.moveaxis(file.read(), 0, -1), dn * valid[..., None]
            )
        assert tags["PRODUCT_LEVEL"] == "L1C"
        assert float(tags["QUANTIFICATION_DN"]) == 10_000
        assert float(tags["OFFSET_DN"]) == -1000
    assert tags["DATETIME_UTC"] == "2020-03-01T10:00:05+00:00"


def test_a_stack_of_frames_reads_back_what_was_written(tmp_path, stack):
    write_frames(tmp_path, stack, _GRID, bands=_BANDS, offset_dn=-1000.0)
    found = open_frames(
        str(tmp_path), file_bands=None, product_level=None, offset_dn=None
    )
    assert found.times_utc_s == tuple(stack.time_utc_s)
    assert (found.product_level, found.offset_dn) == ("L2A", -1000.0)
    # Bands in another order than in the files.
    dn, valid = found.read(("B11", "B2"), _GRID)
    np.testing.assert_array_equal(valid, stack.valid)
    np.testing.assert_array_equal(
        dn, stack.dn[..., [2, 0]] * stack.valid[..., None]
    )


def test_a_frame_must_have_its_date(tmp_path, stack):
    short = dataclasses.replace(stack, time_utc_s=stack.time_utc_s[:1])
    with pytest.raises(ValueError, match="shorter"):
        write_frames(tmp_path, short, _GRID, bands=_BANDS, offset_dn=0.0)


def test_planes_of_any_kind_keep_their_values_and_names(tmp_path):
    planes = np.random.default_rng(1).random((2, 5, 8), np.float32)
    write_raster(tmp_path / "a.tif", _GRID, planes, ("one", "two"))
    with rasterio.open(tmp_path / "a.tif") as file:
        np.testing.assert_array_equal(file.read(), planes)
        assert file.descriptions == ("one", "two")
        assert file.nodata is None

import pytest

from data_prep.diagnosis.frame_description import common_grid
from data_prep.diagnosis.frame_description import describe_file
from data_prep.diagnosis.frame_description import find_troubles
from data_prep.diagnosis.frame_description import shared_bands
from data_prep.diagnosis.geotiff_header import Header
from s2distill.geo.grid import Grid

GRID = Grid("EPSG:32631", (10.0, 0, 5e5, 0, -10.0, 4.6e6), 20, 30)


def _file(name="2020-01-13.tif", bands=("B2", "B8"), grid=GRID, **tags):
    header = Header(
        path=f"scene/{name}",
        grid=grid,
        height=20,
        width=30,
        dtype="uint16",
        descriptions=bands,
        tags=tags,
        nodata=None,
        lacks="" if grid else f"{name} has no CRS",
        has_alpha=False,
    )
    return describe_file(header, ())


def _codes(files, groups=None):
    groups = groups or [files]
    return {f.code: f for f in find_troubles(files, groups)}


def test_tags_and_names_are_read_as_the_models_do():
    file = _file(
        PRODUCT_LEVEL="L1C",
        OFFSET_DN="-1000",
        QUANTIFICATION_DN="5000",
        DATETIME_UTC="2021-03-04T10:00:00",
    )
    assert file.bands == ("B2", "B8")
    assert file.product_level == "L1C"
    assert (file.offset_dn, file.quantification_dn) == (-1000, 5000)
    assert file.time_utc_s == 1_614_852_000
    assert file.troubles == ()


def test_what_is_not_told_is_a_trouble_and_no_refusal():
    file = _file("frame.tif", bands=("one", "two"), OFFSET_DN="many")
    assert [code for code, _ in file.troubles] == [
        "unknown_bands",
        "no_date",
        "bad_tag",
    ]
    assert file.bands == ("one", "two")
    assert file.product_level == ""
    assert file.offset_dn == 0


def test_unnamed_bands_get_numbers():
    assert _file(bands=(None, None)).bands == ("band 1", "band 2")


def test_the_names_given_by_the_user_win():
    header = _file(bands=(None, None)).header
    assert describe_file(header, ("B4", "B3")).bands == ("B3", "B4")


def test_good_files_have_no_trouble():
    files = [_file(), _file("2020-01-18.tif")]
    assert _codes(files) == {}
    assert shared_bands(files) == ("B2", "B8")
    assert common_grid(files) == GRID


def test_a_missing_date_matters_among_several_frames_only():
    files = [_file(), _file("frame.tif")]
    assert _codes(files)["no_date"].severity == "warning"
    groups = [[files[0]], [files[1]]]
    assert _codes(files, groups)["no_date"].severity == "note"


def test_different_bands_are_a_warning():
    files = [_file(), _file("2020-01-18.tif", bands=("B2", "B4"))]
    found = _codes(files)["mixed_bands"]
    assert found.severity == "warning"
    assert "B4 is not in 2020-01-13.tif" in found.message
    assert "B8 is not in 2020-01-18.tif" in found.message
    assert shared_bands(files) == ("B2",)


def test_another_grid_and_another_place_are_notes():
    moved = Grid("EPSG:32631", (10.0, 0, 5e5 + 5, 0, -10.0, 4.6e6), 20, 30)
    files = [_file(), _file("b.tif", grid=moved), _file("c.tif")]
    assert common_grid(files) == GRID
    assert _codes(files)["other_grid"].where == ("b.tif",)
    found = _codes(files, [files[:2], files[2:]])["several_places"]
    assert found.severity == "note"
    assert found.where == ("c.tif",)


@pytest.mark.parametrize("grids", [(None, GRID), (None, None)])
def test_files_without_position_are_a_warning(grids):
    files = [
        _file(f"2020-01-1{i}.tif", grid=grid) for i, grid in enumerate(grids)
    ]
    assert _codes(files)["no_position"].severity == "warning"

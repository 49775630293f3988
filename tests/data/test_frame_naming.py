import datetime

import pytest

from s2distill.data import frame_naming
from s2distill.errors import BandError
from s2distill.errors import ConfigError
from s2distill.errors import FrameError
from s2distill.errors import ProductLevelError

L2A = (
    "B1",
    "B2",
    "B3",
    "B4",
    "B5",
    "B6",
    "B7",
    "B8",
    "B8A",
    "B9",
    "B11",
    "B12",
)


@pytest.mark.parametrize(
    ("descriptions", "expected"),
    [
        (("B8", "B2"), {"B8": 0, "B2": 1}),
        (("B08", "b8a", "B12"), {"B8": 0, "B8A": 1, "B12": 2}),
        (("blue", "nir08", "Red"), {"B2": 0, "B8A": 1, "B4": 2}),
        (("B02 (490 nm)", None, "SCL"), {"B2": 0, "SCL": 2}),
        (("20200113_B3", "dataMask"), {"B3": 0, "dataMask": 1}),
        (("VV", "VH", "B11", "slope"), {"B11": 2}),
    ],
)
def test_descriptions_of_the_wild_are_understood(descriptions, expected):
    assert frame_naming.find_file_bands("f", descriptions, None) == expected


def test_twelve_bands_without_names_are_a_whole_l2a_product():
    found = frame_naming.find_file_bands("f", (None,) * 12, None)
    assert tuple(found) == L2A
    assert list(found.values()) == list(range(12))


def test_thirteen_bands_without_names_are_l1c_with_b10_in_its_place():
    found = frame_naming.find_file_bands("f", (None,) * 13, None)
    assert found["B9"] == 9
    assert found["B10"] == 10
    assert found["B12"] == 12


def test_given_names_win_over_descriptions_and_may_pass_bands_over():
    found = frame_naming.find_file_bands(
        "f", ("B2", "B3", "B4"), ("-", "B11", "SCL")
    )
    assert found == {"B11": 1, "SCL": 2}


@pytest.mark.parametrize(
    ("descriptions", "given", "error", "message"),
    [
        ((None,) * 4, None, BandError, "f.tif has 4 bands without names"),
        (("VV", "VH"), None, BandError, "f.tif has no Sentinel-2.*VV, VH"),
        (("B2", "B2_1"), None, BandError, "band B2 twice.*one file a date"),
        (("0_B2", "1_B2"), None, BandError, "twice .0_B2 and 1_B2."),
        ((None,) * 3, ("B2",), BandError, "B2 names 1 bands, f.tif has 3"),
        ((None,) * 2, ("B2", "B99"), ConfigError, "'B99' is neither"),
        ((None,) * 2, ("B2", "B02"), ConfigError, "stands twice"),
    ],
)
def test_bands_that_cannot_be_told_are_refused(
    descriptions, given, error, message
):
    with pytest.raises(error, match=message):
        frame_naming.find_file_bands("f.tif", descriptions, given)


@pytest.mark.parametrize(
    ("path", "tags", "moment"),
    [
        ("a/Boadella_2020-01-13.tif", {}, (2020, 1, 13)),
        ("20200113.tif", {}, (2020, 1, 13)),
        ("x_2020_01_13_b.tif", {}, (2020, 1, 13)),
        (
            "S2A_MSIL2A_20200113T105421_N0213_R051_T31TDG_20200113T123456.tif",
            {},
            (2020, 1, 13, 10, 54, 21),
        ),
        ("tile_20209999_2021-02-03.tif", {}, (2021, 2, 3)),
        ("2001-13.tif", {"DATETIME_UTC": "2022-05-06"}, (2022, 5, 6)),
        (
            "2020-01-13.tif",
            {"DATETIME_UTC": "2020-01-13T12:00:00+02:00"},
            (2020, 1, 13, 10),
        ),
    ],
)
def test_the_time_comes_from_tag_or_name(path, tags, moment):
    expected = datetime.datetime(*moment, tzinfo=datetime.UTC).timestamp()
    assert frame_naming.find_time_utc_s(path, tags) == expected


@pytest.mark.parametrize(
    ("path", "tags", "message"),
    [
        ("s2_roads.tiff", {}, "no date in the name or tags of s2_roads.tiff"),
        ("2019-02-30.tif", {}, "no date"),
        ("a.tif", {"DATETIME_UTC": "May"}, "DATETIME_UTC='May', which is no"),
    ],
)
def test_a_frame_without_a_date_is_refused(path, tags, message):
    with pytest.raises(FrameError, match=message):
        frame_naming.find_time_utc_s(path, tags)


@pytest.mark.parametrize(
    ("path", "tags", "bands", "given", "level"),
    [
        ("a.tif", {"PRODUCT_LEVEL": "L1C"}, ("B2",), None, "L1C"),
        ("a.tif", {"PROCESSING_LEVEL": "Level-2A"}, ("B2",), None, "L2A"),
        ("S2B_MSIL1C_20200113.tif", {}, ("B2",), None, "L1C"),
        ("scene_L2A_2020.tif", {}, ("B2",), None, "L2A"),
        ("a.tif", {}, ("B2", "B10"), None, "L1C"),
        ("a.tif", {}, L2A, None, "L2A"),
        ("a.tif", {}, ("B2",), "L1C", "L1C"),
    ],
)
def test_the_level_comes_from_tag_name_bands_or_user(
    path, tags, bands, given, level
):
    assert frame_naming.find_product_level(path, tags, bands, given) == level


def test_a_level_against_the_files_own_word_is_refused():
    with pytest.raises(
        ProductLevelError, match="x_L2A.tif says that it is L2A"
    ):
        frame_naming.find_product_level("x_L2A.tif", {}, ("B2",), "L1C")


def test_a_level_that_nothing_tells_is_refused():
    with pytest.raises(ProductLevelError, match="x.tif is L1C or L2A; give"):
        frame_naming.find_product_level("x.tif", {}, ("B2", "B3"), None)


@pytest.mark.parametrize(
    ("path", "tags", "given", "offset_dn"),
    [
        ("a.tif", {}, None, 0.0),
        ("a.tif", {"OFFSET_DN": "-1000"}, None, -1000.0),
        ("S2A_MSIL2A_20220308T1_N0400_R1.tif", {}, None, -1000.0),
        ("S2A_MSIL2A_20210308T1_N0214_R1.tif", {}, None, 0.0),
        ("S2A_MSIL2A_20220308T1_N0509_R1.tif", {}, 0.0, 0.0),
        ("S2A_N0509_R1.tif", {"OFFSET_DN": "0"}, None, 0.0),
    ],
)
def test_the_offset_comes_from_user_tag_or_baseline(
    path, tags, given, offset_dn
):
    assert frame_naming.find_offset_dn(path, tags, given) == offset_dn


def test_the_scale_comes_from_the_tag():
    tags = {"QUANTIFICATION_DN": "4096"}
    assert frame_naming.find_quantification_dn("a", tags, 1e4) == 4096.0
    assert frame_naming.find_quantification_dn("a", {}, 1e4) == 1e4


def test_a_tag_that_is_no_number_is_refused():
    with pytest.raises(FrameError, match="a.tif has tag OFFSET_DN='minus'"):
        frame_naming.find_offset_dn("a.tif", {"OFFSET_DN": "minus"}, None)

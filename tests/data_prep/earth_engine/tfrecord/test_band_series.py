"""Names of bands, ours and those that Earth Engine leaves."""

import random

import numpy as np
import pytest
import rasterio

from data_prep.earth_engine.tfrecord.band_series import natural_key
from data_prep.earth_engine.tfrecord.band_series import parse_series
from s2distill.data.bands import S2_BANDS
from s2distill.errors import BandError

ALL = tuple(S2_BANDS)
IDS = (
    "20191228T105439_20191228T105433_T31TDG",
    "20200113T105421_20200113T105419_T31TDG",
)


def test_the_real_export_holds_twelve_months_of_all_bands(real_data):
    path = real_data("nasaharvest") / "98-togo_2019-02-06_2020-02-01.tif"
    with rasterio.open(path) as dataset:
        names, pixels = dataset.descriptions, dataset.read()
    assert len(names) == 206
    series = parse_series(names)
    assert series.labels == ("", *(str(month) for month in range(1, 12)))
    assert series.bands == ALL
    assert series.gaps == {}
    assert series.other == ("elevation", "slope")
    for month, frame in enumerate(series.frames):
        # 17 bands a month: two of radar, 13 of Sentinel-2, two of weather.
        assert frame == {b: 17 * month + 2 + i for i, b in enumerate(ALL)}
        assert series.companions[month] == {
            "VV": 17 * month,
            "VH": 17 * month + 1,
            "temperature_2m": 17 * month + 15,
            "total_precipitation": 17 * month + 16,
        }
    unknown = np.isnan(pixels)
    assert unknown.sum() == 109
    assert [names[i] for i in np.flatnonzero(unknown.any((1, 2)))] == ["slope"]
    dn = pixels[[f[b] for f in series.frames for b in ALL]]
    assert (dn == np.rint(dn)).all()
    assert dn.min() >= 0
    assert dn.max() <= 10_000


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["f00_B2", "f00_B8A", "f01_B2", "f01_B8A"], ("f00", "f01")),
        (["f9_B2", "f9_B8A", "f10_B2", "f10_B8A"], ("f9", "f10")),
        (["0_B2", "0_B8A", "1_B2", "1_B8A"], ("0", "1")),
        ([f"{i}_{b}" for i in IDS for b in ("B2", "B8A")], IDS),
        (["B2", "B8A", "B2_1", "B8A_1"], ("", "1")),
        (["B2_0", "B8A_0", "B2_1", "B8A_1"], ("0", "1")),
        (
            [
                f"{b}_2020-{d}"
                for d in ("01-13", "06-21")
                for b in ("B2", "B8A")
            ],
            ("2020-01-13", "2020-06-21"),
        ),
        (
            [f"{b}_20200{d}" for d in (113, 621) for b in ("B2", "B8A")],
            ("20200113", "20200621"),
        ),
        (
            [f"{b}_2020_0{d}" for d in ("1_13", "6_21") for b in ("B2", "B8A")],
            ("2020_01_13", "2020_06_21"),
        ),
        (
            [f"B{b}_20200113T10542{s}" for s in (1, 9) for b in ("02", "8a")],
            ("20200113T105421", "20200113T105429"),
        ),
        (["B2", "B8A"], ("",)),
        (["B02", "b8a"], ("",)),
    ],
)
def test_frames_are_found_in_every_way_of_naming(names, labels):
    series = parse_series(names)
    assert series.labels == labels
    assert series.names == tuple(names)
    assert series.bands == ("B2", "B8A")
    assert series.frames == tuple(
        {"B2": 2 * i, "B8A": 2 * i + 1} for i in range(len(labels))
    )
    assert series.other == ()


def test_the_order_of_frames_is_not_that_of_names():
    names = [f"f{i:02d}_{b}" for i in range(12) for b in (*ALL, "valid")]
    names += ["longitude", "latitude"]
    expected = parse_series(names)
    assert expected.labels == tuple(f"f{i:02d}" for i in range(12))
    random.Random(3).shuffle(names)
    shuffled = parse_series(names)
    assert shuffled.labels == expected.labels
    for number, frame in enumerate(shuffled.frames):
        assert {names[i] for i in frame.values()} == {
            f"f{number:02d}_{band}" for band in ALL
        }
        valid = shuffled.companions[number]["valid"]
        assert names[valid] == f"f{number:02d}_valid"
    assert set(shuffled.other) == {"longitude", "latitude"}


def test_what_is_beside_a_frame_is_its_companion():
    names = ["f00_B2", "f00_valid", "f01_B2", "f01_day", "f02_valid", "slope"]
    series = parse_series(names)
    assert series.companions == ({"valid": 1}, {"day": 3})
    assert series.other == ("f02_valid", "slope")


def test_a_frame_whose_label_begins_like_another_keeps_its_companions():
    series = parse_series(["a1_B2", "a1_b_2_B2", "a1_b_2_valid", "a1_valid"])
    assert series.labels == ("a1", "a1_b_2")
    assert series.companions == ({"valid": 3}, {"valid": 2})


def test_a_label_at_the_end_is_not_taken_for_a_longer_one():
    series = parse_series(["B2", "B2_1", "B2_11", "QA60", "QA60_1", "QA60_11"])
    assert series.companions == ({"QA60": 3}, {"QA60": 4}, {"QA60": 5})


def test_unequal_frames_are_reported():
    series = parse_series(["B2", "B3", "B8", "B3_1", "B2_2", "B8_2"])
    assert series.bands == ()
    assert series.gaps == {"1": ("B2", "B8"), "2": ("B3",)}
    with pytest.raises(BandError, match="frame 1 has no B2, only B3; export"):
        series.check_bands(["B2", "B3"])
    with pytest.raises(BandError, match=r"frame \(of plain names\) has no B12"):
        series.check_bands(["B12"])
    parse_series(["B2", "B3", "B2_1"]).check_bands(["B2"])


@pytest.mark.parametrize(
    "names",
    [
        ["blue_before", "blue_during"],
        ["B2_median", "B2_stdDev"],
        ["median_B2"],
        ["B13", "B0", "B2A", "B"],
        ["B2_1a", "XB2"],
        [],
    ],
)
def test_names_that_are_no_band_of_a_date_make_no_frame(names):
    series = parse_series(names)
    assert series.frames == series.labels == series.companions == ()
    assert series.other == tuple(names)
    assert series.bands == ()
    with pytest.raises(BandError, match="no Sentinel-2 band among"):
        series.check_bands(["B2"])


def test_many_names_are_not_all_told():
    series = parse_series([f"x{i}" for i in range(206)])
    with pytest.raises(BandError, match="x7 and 198 more; names such"):
        series.check_bands(["B2"])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["B2", "B02"], "B2 and B02 are both band B2"),
        (["f00_B2", "f00_b2"], "f00_B2 and f00_b2 are both"),
        (["0_B2", "B3_1"], "two kinds, 0_B2 and B3_1"),
        (["B4", "0_B2"], "two kinds, B4 and 0_B2"),
    ],
)
def test_names_that_nobody_can_sort_are_refused(names, words):
    with pytest.raises(BandError, match=words):
        parse_series(names)


def test_natural_order_is_that_of_numbers():
    names = ["B10", "B2", "B8A", "B8", "f10_B2", "f9_B2", "2020-1-9", ""]
    assert sorted(names, key=natural_key) == [
        "", "2020-1-9", "B2", "B8", "B8A", "B10", "f9_B2", "f10_B2",
    ]  # fmt: skip

import numpy as np
import pytest
import rasterio

from data_prep.diagnosis.geotiff_header import read_header
from data_prep.diagnosis.open_series import find_series_faults
from data_prep.diagnosis.open_series import make_frames
from data_prep.diagnosis.open_series import open_series_file
from data_prep.earth_engine.tfrecord.band_series import parse_series


def test_a_real_export_of_twelve_months(real_data):
    (path,) = real_data("nasaharvest").glob("*.tif")
    subject = open_series_file("x", read_header(str(path)))
    assert subject.kind == "geotiff_series"
    assert subject.shape == (12, 17, 17, 13)
    assert subject.frames == 12
    assert "B10" in subject.bands
    assert subject.nan_share == pytest.approx(109 / (206 * 17 * 17))
    (finding,) = subject.findings
    assert finding.severity == "note"
    assert "slope (109 px)" in finding.message
    with rasterio.open(path) as dataset:
        plane = dataset.read(dataset.descriptions.index("B8_7") + 1)
    frame = subject.places[0].frames[7]
    np.testing.assert_array_equal(frame.band("B8"), plane)


def test_our_own_names_give_mask_and_time():
    names = ("f00_B2", "f00_valid", "f00_day", "f00_second", "f01_B2")
    names = (*names, "f01_valid", "f01_day", "f01_second")
    values = np.ones((3, 4, 8), np.float32)
    values[..., 2], values[..., 3] = 18_000, 3_600
    values[..., 6] = 0  # there is no second frame
    values[0, :, 1] = 0
    values[..., 5] = 0
    series = parse_series(names)
    first, second = make_frames(
        series, values, np.ones((3, 4), bool), prefix="patch 3, "
    )
    assert first.name == "patch 3, frame f00"
    assert first.bands == ("B2",)
    assert first.time_utc_s == 18_000 * 86_400 + 3_600
    np.testing.assert_array_equal(first.inside.all(axis=1), [0, 1, 1])
    assert second.time_utc_s is None
    assert not second.inside.any()
    assert find_series_faults(series, values)[0].code == "other_planes"


def test_a_date_in_a_name_is_a_time():
    series = parse_series(("B2_2020-01-13", "B2_2020-13-45"))
    frames = make_frames(
        series, np.ones((2, 3, 2)), np.ones((2, 3), bool), prefix=""
    )
    assert [frame.time_utc_s for frame in frames] == [1_578_873_600, None]


def test_a_band_that_a_frame_lacks_is_a_warning():
    series = parse_series(("f00_B2", "f00_B8", "f01_B2"))
    (finding,) = find_series_faults(series, np.ones((2, 2, 3)))
    assert (finding.code, finding.severity) == ("mixed_bands", "warning")
    assert "frame f01 lacks B8" in finding.message


def test_names_of_no_band_are_a_note():
    series = parse_series(("red_before", "red_during"))
    (finding,) = find_series_faults(series, np.ones((2, 2, 2)))
    assert (finding.code, finding.severity) == ("unknown_bands", "note")

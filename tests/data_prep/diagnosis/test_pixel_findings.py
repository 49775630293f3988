import dataclasses

import numpy as np
import pytest

from data_prep.diagnosis.measured import measure_subject
from data_prep.diagnosis.pixel_findings import find_pixel_faults


def _find(subject):
    found = find_pixel_faults(measure_subject(subject))
    return {finding.code: finding for finding in found}


@pytest.fixture(scope="module")
def name(l2a):
    return l2a.places[0].frames[3].name


def test_good_frames_have_no_fault_and_cloud_is_a_note(l2a):
    found = _find(l2a)
    assert set(found) == {"cloudy_frame"}
    assert found["cloudy_frame"].severity == "note"
    assert found["cloudy_frame"].where == ("Boadella_2020-01-18.tif",)


def test_a_black_frame_is_an_error(l2a, change, name):
    found = _find(change(l2a, lambda i, v: v * (i != 3)))
    assert found["black_frame"].severity == "error"
    assert found["black_frame"].where == (name,)
    assert found["black_frame"].message.startswith("1 of 7 frames is black")


def test_a_constant_frame_is_an_error(l2a, change, name):
    found = _find(change(l2a, lambda i, v: v if i != 3 else v * 0 + 777))
    assert found["constant_frame"].severity == "error"
    assert found["constant_frame"].where == (name,)


def test_a_frame_of_nan_is_an_error_and_nan_in_part_a_note(l2a, change, name):
    def spoil(i, values):
        values = values.astype(np.float32)
        if i == 3:
            values[:] = np.nan
        if i == 5:
            values[:10, :10, 2] = np.nan
        return values

    found = _find(change(l2a, spoil))
    assert found["nan_frame"].severity == "error"
    assert found["nan_frame"].where == (name,)
    assert found["nan_pixels"].severity == "note"
    assert found["nan_pixels"].where == (l2a.places[0].frames[5].name,)
    assert "black_frame" not in found


def test_much_nan_is_a_warning(l2a, change):
    def spoil(i, values):
        values = values.astype(np.float32)
        if i == 5:
            values[: round(0.4 * len(values))] = np.nan
        return values

    found = _find(change(l2a, spoil))
    assert found["nan_pixels"].severity == "warning"
    assert "40 %" in found["nan_pixels"].message


def _hide(subject, hidden):
    frames = [
        dataclasses.replace(f, inside=f.inside & (i not in hidden))
        for i, f in enumerate(subject.places[0].frames)
    ]
    place = dataclasses.replace(subject.places[0], frames=tuple(frames))
    return dataclasses.replace(subject, places=(place,))


def test_what_a_mask_hides_is_no_black_frame(l2a, change):
    black = change(l2a, lambda i, v: v * (i != 3))
    found = _find(_hide(black, {3}))
    assert "black_frame" not in found
    assert found["hidden_frame"].severity == "note"


def test_when_most_frames_are_hidden_that_is_a_warning(l2a):
    assert _find(_hide(l2a, range(4)))["hidden_frame"].severity == "warning"


def _copy(subject, source, target, **changes):
    frames = list(subject.places[0].frames)
    frames[target] = dataclasses.replace(
        frames[source], name=frames[target].name, **changes
    )
    place = dataclasses.replace(subject.places[0], frames=tuple(frames))
    return dataclasses.replace(subject, places=(place,))


def test_a_frame_that_stands_twice_is_named_with_its_twin(l2a):
    found = _find(_copy(l2a, 4, 6))
    twins = tuple(l2a.places[0].frames[i].name for i in (4, 6))
    assert found["duplicate_frame"].severity == "warning"
    assert found["duplicate_frame"].where == twins
    assert "same_time" not in found


def test_two_pictures_of_one_time_are_a_note(l2a):
    frames = list(l2a.places[0].frames)
    frames[4] = dataclasses.replace(frames[4], time_utc_s=frames[6].time_utc_s)
    place = dataclasses.replace(l2a.places[0], frames=tuple(frames))
    found = _find(dataclasses.replace(l2a, places=(place,)))
    assert found["same_time"].severity == "note"
    assert "2022-03-08" in found["same_time"].message


@pytest.mark.parametrize(
    ("splits", "code", "severity"),
    [
        (("train", "test"), "duplicate_across_splits", "error"),
        (("train", "train"), "duplicate_record", "warning"),
    ],
)
def test_two_records_with_the_same_pixels(l2a, splits, code, severity):
    places = tuple(
        dataclasses.replace(l2a.places[0], name=str(i), split=split)
        for i, split in enumerate(splits)
    )
    found = _find(dataclasses.replace(l2a, places=places, kind="records"))
    assert found[code].severity == severity
    assert "duplicate_frame" not in found


def test_an_image_of_one_colour_is_an_error(make_subject, make_frame):
    values = np.full((40, 50, 3), 200, np.uint8)
    frame = make_frame(values, ("red", "green", "blue"))
    found = _find(make_subject([frame], kind="image"))
    assert found["black_image"].severity == "error"
    values[3, 4] = 7
    assert _find(make_subject([frame], kind="image")) == {}

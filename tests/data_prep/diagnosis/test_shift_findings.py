import dataclasses

import numpy as np
import pytest

from data_prep.diagnosis.measured import measure_subject
from data_prep.diagnosis.shift_findings import find_shifts
from data_prep.diagnosis.shift_findings import shifted_looks


def _find(subject):
    return list(find_shifts(measure_subject(subject)))


def _roll(change, subject, number, shift):
    return change(
        subject, lambda i, v: np.roll(v, shift, (0, 1)) if i == number else v
    )


def test_dates_that_differ_by_a_pixel_are_no_fault(l2a, l1c):
    assert _find(l2a) == []
    assert _find(l1c) == []


@pytest.mark.parametrize("shift", [(3, -4), (-6, 0)])
def test_a_shifted_frame_is_a_warning_with_its_shift(l1c, change, shift):
    (finding,) = _find(_roll(change, l1c, 3, shift))
    assert (finding.code, finding.severity) == ("shifted_frame", "warning")
    assert finding.where == ("L1C_3.tif",)
    place = measure_subject(_roll(change, l1c, 3, shift)).places[0]
    ((_, row_px, col_px),) = shifted_looks(place)
    assert (row_px, col_px) == pytest.approx(shift, abs=0.9)


def test_the_message_names_the_direction(l1c, change):
    (finding,) = _find(_roll(change, l1c, 3, (3, -4)))
    assert " px down, " in finding.message
    assert " px left)" in finding.message


def test_of_two_frames_the_second_is_named(make_subject, l1c, change):
    two = make_subject(l1c.places[0].frames[2:4])
    assert _find(two) == []
    (finding,) = _find(_roll(change, two, 1, (4, 4)))
    assert finding.where == ("L1C_3.tif",)


def test_on_small_tiles_two_pixels_are_allowed(l1c, change, make_subject):
    part = np.s_[30:80, 30:80]
    frames = [
        dataclasses.replace(f, values=f.values[part], inside=f.inside[part])
        for f in l1c.places[0].frames[2:]
    ]
    small = make_subject(frames)
    assert _find(_roll(change, small, 1, (2, 0))) == []
    assert len(_find(_roll(change, small, 1, (4, 0)))) == 1


def test_clouds_have_no_place(l2a, change):
    assert _find(_roll(change, l2a, 1, (5, 5))) == []


def test_grounds_that_are_not_alike_have_no_place(make_subject, make_frame):
    """On small tiles noise alone has a best shift, far away."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        frames = [
            make_frame(rng.integers(1, 9000, (28, 30, 3)), ("B3", "B4", "B8"))
            for _ in range(4)
        ]
        assert _find(make_subject(frames)) == []

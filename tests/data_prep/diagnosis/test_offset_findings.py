import dataclasses

import numpy as np
import pytest

from data_prep.diagnosis.measured import measure_subject
from data_prep.diagnosis.offset_findings import find_offset_faults


def _find(subject):
    found = find_offset_faults(measure_subject(subject))
    return {finding.code: finding for finding in found}


def _declare(subject, *offsets):
    frames = [
        dataclasses.replace(f, offset_dn=offsets[i % len(offsets)])
        for i, f in enumerate(subject.places[0].frames)
    ]
    place = dataclasses.replace(subject.places[0], frames=tuple(frames))
    return dataclasses.replace(subject, places=(place,))


def test_good_places_have_no_offset_fault(l2a, l1c, ten_bands):
    assert _find(l2a) == {}
    assert _find(l1c) == {}
    assert _find(ten_bands) == {}


def test_one_raised_frame_is_an_error_that_names_it(l2a, change):
    found = _find(change(l2a, lambda i, v: v + 1000 * (i == 6)))
    assert found["offset_frame"].severity == "error"
    assert found["offset_frame"].where == (l2a.places[0].frames[6].name,)
    assert "subtract 1000" in found["offset_frame"].message


def test_without_infrared_the_same_is_a_warning(l2a, change, keep_bands):
    four = keep_bands(l2a, ("B2", "B3", "B4", "B8"))
    found = _find(change(four, lambda i, v: v + 1000 * (i == 6)))
    assert found["offset_frame"].severity == "warning"
    assert "haze" in found["offset_frame"].message


def test_all_frames_raised_are_a_suspicion(l2a, l1c, change):
    for place in (l2a, l1c):
        found = _find(change(place, lambda _, v: v + 1000))
        assert set(found) == {"offset_suspected"}
        assert found["offset_suspected"].severity == "warning"


def test_all_frames_raised_and_declared_so_are_none(l2a, change):
    raised = change(l2a, lambda _, v: v + 1000)
    assert _find(_declare(raised, -1000.0)) == {}


def test_an_offset_declared_but_taken_off_already_is_an_error(l2a):
    found = _find(_declare(l2a, -1000.0))
    assert found["offset_missing"].severity == "error"


def test_two_declared_offsets_are_an_error(l2a, change):
    raised = change(l2a, lambda i, v: v + 1000 * (i % 2))
    found = _find(_declare(raised, 0.0, -1000.0))
    assert set(found) == {"mixed_offsets"}
    assert "-1000 DN in" in found["mixed_offsets"].message


def test_a_desert_without_dark_ground_is_not_suspected(
    make_subject, make_frame
):
    rng = np.random.default_rng(0)
    sand = np.array([1150, 1700, 2600, 3500, 3000, 4600, 4200])
    bands = ("B2", "B3", "B4", "B8", "B5", "B11", "B12")
    frames = [
        make_frame(
            (sand * rng.uniform(0.98, 1.1, (40, 50, 1))).astype(np.uint16),
            bands,
            str(i),
        )
        for i in range(3)
    ]
    assert _find(make_subject(frames)) == {}


@pytest.mark.parametrize("raised", [0, 1000])
def test_a_single_frame_is_suspected_only_when_raised(l2a, change, raised):
    place = dataclasses.replace(l2a.places[0], frames=l2a.places[0].frames[5:6])
    one = dataclasses.replace(l2a, places=(place,))
    found = _find(change(one, lambda _, v: v + raised))
    assert bool(found) == bool(raised)


def test_a_cloud_alone_is_bright_and_not_suspected(l2a):
    place = dataclasses.replace(l2a.places[0], frames=l2a.places[0].frames[1:2])
    assert _find(dataclasses.replace(l2a, places=(place,))) == {}

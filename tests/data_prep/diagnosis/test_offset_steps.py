import dataclasses

import numpy as np
import pytest

from data_prep.diagnosis.measured import measure_subject
from data_prep.diagnosis.offset_steps import find_raised

TEN = ("B2", "B3", "B4", "B8", "B5", "B6", "B7", "B8A", "B11", "B12")
FOUR = ("B2", "B3", "B4", "B8")


def _raised(subject):
    """Numbers of the frames that stand above others, and how surely."""
    place = measure_subject(subject).places[0]
    found = find_raised(place.measured)
    names = [look.name for look in place.looks]
    return {names.index(r.look.name): r.is_sure for r in found}


def _with_step(change, subject, numbers, step=1000):
    return change(subject, lambda i, v: v + step * (i in numbers))


@pytest.mark.parametrize("bands", [None, TEN, FOUR, FOUR[:3]])
def test_no_natural_frame_of_a_real_l2a_place_is_raised(l2a, keep_bands, bands):
    """Haze, cloud, muddy water and three seasons are among them."""
    subject = l2a if bands is None else keep_bands(l2a, bands)
    assert _raised(subject) == {}


@pytest.mark.parametrize("bands", [None, TEN, FOUR])
def test_no_natural_frame_of_a_real_l1c_place_is_raised(l1c, keep_bands, bands):
    subject = l1c if bands is None else keep_bands(l1c, bands)
    assert _raised(subject) == {}


@pytest.mark.parametrize("bands", [None, TEN, FOUR])
@pytest.mark.parametrize("number", [3, 4, 5, 6])
def test_each_clear_l2a_frame_is_found_when_raised(
    l2a, change, keep_bands, number, bands
):
    subject = l2a if bands is None else keep_bands(l2a, bands)
    assert set(_raised(_with_step(change, subject, {number}))) == {number}


@pytest.mark.parametrize("number", [2, 3, 4])
def test_each_clear_l1c_frame_is_found_when_raised(l1c, change, number):
    assert set(_raised(_with_step(change, l1c, {number}))) == {number}


def test_a_frame_half_in_cloud_is_found_by_its_floor(l2a, change):
    assert 2 in _raised(_with_step(change, l2a, {2}))


def test_only_short_wave_infrared_makes_it_sure(l2a, change, keep_bands):
    assert _raised(_with_step(change, l2a, {5})) == {5: True}
    four = keep_bands(l2a, FOUR)
    assert _raised(_with_step(change, four, {5})) == {5: False}


@pytest.mark.parametrize("step", [300, 2500])
def test_another_step_is_no_offset(l2a, change, step):
    assert _raised(_with_step(change, l2a, {5}, step)) == {}


def test_half_of_the_frames_raised_are_found(l2a, change):
    assert set(_raised(_with_step(change, l2a, {4, 5, 6}))) == {4, 5, 6}


def test_where_all_but_one_are_raised_the_one_is_not_accused(l2a, change):
    found = _raised(_with_step(change, l2a, {0, 1, 2, 3, 4, 6}))
    assert 5 not in found
    assert {3, 4, 6} <= set(found)


def test_of_two_frames_the_higher_is_named(l2a, change):
    frames = l2a.places[0].frames[4:6]
    place = dataclasses.replace(l2a.places[0], frames=frames)
    two = dataclasses.replace(l2a, places=(place,))
    assert _raised(two) == {}
    assert set(_raised(_with_step(change, two, {0}))) == {0}


def test_a_declared_offset_is_taken_off_first(l2a, change):
    raised = _with_step(change, l2a, {5})
    frames = [
        dataclasses.replace(f, offset_dn=-1000.0 if i == 5 else 0.0)
        for i, f in enumerate(raised.places[0].frames)
    ]
    place = dataclasses.replace(raised.places[0], frames=tuple(frames))
    assert _raised(dataclasses.replace(raised, places=(place,))) == {}


def test_a_single_frame_cannot_stand_above_others(l2a):
    place = dataclasses.replace(l2a.places[0], frames=l2a.places[0].frames[:1])
    assert _raised(dataclasses.replace(l2a, places=(place,))) == {}


def test_frames_that_share_no_band_are_not_compared(l2a, make_subject):
    one, two = l2a.places[0].frames[4:6]
    other = dataclasses.replace(
        two, bands=("X",), values=np.asarray(two.values[..., :1]) + 1000
    )
    assert _raised(make_subject([one, other])) == {}

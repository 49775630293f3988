import dataclasses

import pytest

from data_prep.diagnosis.level_findings import find_level_faults
from data_prep.diagnosis.level_findings import judge_level
from data_prep.diagnosis.measured import measure_subject

TEN = ("B2", "B3", "B4", "B8", "B5", "B6", "B7", "B8A", "B11", "B12")
TWELVE = (*TEN[:3], "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12")


def _find(*subjects):
    """Findings of the frames of several real places, taken as one input."""
    places = tuple(s.places[0] for s in subjects)
    joined = dataclasses.replace(subjects[0], places=places)
    found = find_level_faults(measure_subject(joined))
    return {finding.code: finding for finding in found}


def _say(subject, level):
    frames = [
        dataclasses.replace(f, product_level=level)
        for f in subject.places[0].frames
    ]
    place = dataclasses.replace(subject.places[0], frames=tuple(frames))
    return dataclasses.replace(subject, places=(place,))


def test_one_level_is_no_fault(l2a, l1c):
    assert _find(l2a) == {}
    assert _find(l1c) == {}


def test_levels_mixed_by_name_are_an_error(l2a, l1c):
    found = _find(l2a, l1c)
    assert found["mixed_levels"].severity == "error"
    assert found["mixed_levels"].where == tuple(
        f"L1C_{i}.tif" for i in range(5)
    )
    assert "5 L1C" in found["mixed_levels"].message


def test_levels_mixed_without_a_word_are_told_surely_by_b9(
    l2a, l1c, keep_bands
):
    found = _find(
        _say(keep_bands(l2a, TWELVE), ""), _say(keep_bands(l1c, TWELVE), "")
    )
    assert found["mixed_levels"].severity == "error"
    assert "B9" in found["mixed_levels"].message


def test_in_ten_bands_blue_light_gives_mixed_levels_away(l2a, l1c, keep_bands):
    found = _find(
        _say(keep_bands(l2a, TEN), ""), _say(keep_bands(l1c, TEN), "")
    )
    assert found["mixed_levels"].severity == "warning"
    assert set(found["mixed_levels"].where) >= {"L1C_2.tif", "L1C_3.tif"}
    assert "level_unknown" in found


def test_a_false_level_is_contradicted(l2a, l1c, keep_bands):
    found = _find(_say(l1c, "L2A"))
    assert found["level_contradicted"].severity == "error"
    found = _find(_say(keep_bands(l2a, TWELVE), "L1C"))
    assert found["level_contradicted"].severity == "error"
    found = _find(_say(keep_bands(l1c, TEN), "L2A"))
    assert found["level_contradicted"].severity == "warning"


def test_missing_blue_light_proves_no_l2a(l2a, keep_bands):
    assert _find(_say(keep_bands(l2a, TEN), "L1C")) == {}


def test_an_unknown_level_is_a_note_that_says_what_it_looks_like(l1c):
    found = _find(_say(l1c, ""))
    assert found["level_unknown"].severity == "note"
    assert "5 of 5 frames look like L1C, surely" in (
        found["level_unknown"].message
    )


@pytest.mark.parametrize("bands", [TWELVE, TEN], ids=["with B9", "without"])
def test_every_clear_real_frame_is_judged_right(l2a, l1c, keep_bands, bands):
    for subject, level, clear in (
        (l2a, "L2A", (3, 4, 5, 6)),
        (l1c, "L1C", (2, 3, 4)),
    ):
        looks = measure_subject(keep_bands(subject, bands)).places[0].looks
        judged = [judge_level(look) for look in looks]
        assert [judged[i][0] for i in clear] == [level] * len(clear)
        # What is cloudy is judged right, or not at all.
        assert {j[0] for j in judged if j is not None} == {level}


def test_nothing_is_said_of_8_bit_pictures(l1c, change):
    squeezed = change(l1c, lambda _, v: v // 100)
    looks = measure_subject(squeezed).places[0].looks
    assert {judge_level(look) for look in looks} == {None}


def test_a_half_cloudy_frame_is_not_judged_by_its_blue(l1c, keep_bands):
    looks = measure_subject(keep_bands(l1c, TEN)).places[0].looks
    assert judge_level(looks[3]) == ("L1C", "likely")
    cloudy = dataclasses.replace(looks[3], clear_share=0.4)
    assert judge_level(cloudy) is None


def test_of_many_frames_a_few_odd_ones_are_no_mixture(l2a, l1c, keep_bands):
    """One blue frame among 28 is nature, among 5 it is a fault."""
    odd = _say(keep_bands(l1c, TEN), "")
    place = dataclasses.replace(odd.places[0], frames=odd.places[0].frames[3:4])
    odd = dataclasses.replace(odd, places=(place,))
    good = _say(keep_bands(l2a, TEN), "")
    assert "mixed_levels" in _find(good, odd)
    assert "mixed_levels" not in _find(*[good] * 6, odd)

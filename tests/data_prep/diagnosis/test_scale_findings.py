import numpy as np
import pytest

from data_prep.diagnosis.measured import measure_subject
from data_prep.diagnosis.scale_findings import find_scale_faults


def _find(subject):
    found = find_scale_faults(measure_subject(subject))
    return {finding.code: finding for finding in found}


def test_true_digital_numbers_are_no_fault(l2a, l1c):
    assert _find(l2a) == {}
    assert _find(l1c) == {}


@pytest.mark.parametrize(
    "squeeze",
    [
        lambda dn: np.clip(dn / 10_000 * 255, 0, 255).astype(np.uint8),
        lambda dn: np.clip(dn / 10_000 * 255, 0, 255).astype(np.uint16),
        lambda dn: np.clip(dn / 3000 * 255, 0, 255).astype(np.uint16),
    ],
    ids=["uint8", "uint16", "stretched"],
)
def test_8_bit_pictures_are_an_error(l2a, change, squeeze):
    found = _find(change(l2a, lambda _, v: squeeze(v)))
    assert set(found) == {"eight_bit"}
    assert found["eight_bit"].severity == "error"
    assert len(found["eight_bit"].where) == 7


def test_one_8_bit_frame_among_others_is_named(l2a, change):
    found = _find(change(l2a, lambda i, v: v if i != 4 else v // 24))
    assert found["eight_bit"].where == (l2a.places[0].frames[4].name,)
    assert found["eight_bit"].message.startswith("1 of 7 frames is 8-bit")


def test_reflectance_as_floats_is_a_note(l2a, change):
    found = _find(change(l2a, lambda _, v: (v / 10_000).astype(np.float32)))
    assert {c: f.severity for c, f in found.items()} == {"reflectance": "note"}


def test_one_frame_of_reflectance_among_numbers_is_an_error(l2a, change):
    found = _find(change(l2a, lambda i, v: v / (10_000.0 if i == 4 else 1.0)))
    assert found["mixed_scale"].severity == "error"
    assert found["mixed_scale"].where == (l2a.places[0].frames[4].name,)


def test_glint_above_2_makes_files_of_reflectance_black(l2a, change):
    def glint(i, values):
        values = (values / 10_000).astype(np.float32)
        if i == 4:
            values[3, 5] = 2.25
        return values

    found = _find(change(l2a, glint))
    assert found["reflectance_outliers"].severity == "error"
    assert "2.25" in found["reflectance_outliers"].message


def test_reflectance_rounded_to_whole_numbers_is_an_error(l2a, change):
    rounded = change(l2a, lambda _, v: np.rint(v / 10_000).astype(np.uint16))
    found = _find(rounded)
    assert found["reflectance_as_dn"].severity == "error"
    assert "wrong_scale" not in found


@pytest.mark.parametrize(
    ("factor", "severity"), [(0.1, "error"), (6.5, "warning"), (20.0, "error")]
)
def test_another_scale_is_told_by_brightness(l2a, change, factor, severity):
    scaled = change(l2a, lambda _, v: np.rint(v * factor).astype(np.int32))
    found = _find(scaled)
    assert found["wrong_scale"].severity == severity


def test_a_dark_sea_is_no_wrong_scale(make_subject, make_frame):
    rng = np.random.default_rng(0)
    sea = (290, 210, 110, 60, 30, 25)
    bands = ("B2", "B3", "B4", "B8", "B11", "B12")
    frames = [
        make_frame(
            rng.normal(sea, 6, (40, 50, 6)).astype(np.uint16), bands, str(i)
        )
        for i in range(3)
    ]
    assert _find(make_subject(frames)) == {}


@pytest.mark.parametrize(
    ("rows", "severity"), [(5, "warning"), (None, "error")]
)
def test_nodata_that_nobody_declared_is_told(l2a, change, rows, severity):
    def hide(_, values):
        values = values.copy()
        values[:rows] = -9999
        return values

    found = _find(change(l2a, hide))["negative_values"]
    assert found.severity == severity
    assert "down to -9999" in found.message


def test_a_little_below_0_is_what_correction_does(l2a, change):
    assert _find(change(l2a, lambda _, v: v - 300)) == {}

import numpy as np
import pytest

from data_prep.diagnosis.diagnose import diagnose
from s2distill.errors import ModelError


def test_a_good_place_has_neither_error_nor_warning(l2a, l1c, codes):
    assert codes(l2a) == {}
    assert codes(l1c) == {}


def test_findings_come_errors_first(l2a, change):
    def spoil(i, values):
        values = values * (i != 3)
        return values.astype(np.float32) * (np.nan if i == 5 else 1)

    found = diagnose(change(l2a, spoil)).findings
    severities = [finding.severity for finding in found]
    assert severities == sorted(
        severities, key=("error", "warning", "note").index
    )
    assert {"black_frame", "nan_frame"} <= {f.code for f in found}


def test_what_only_follows_from_another_fault_is_not_told(
    l2a, change, l2a_statistics, codes
):
    rounded = change(l2a, lambda _, v: np.rint(v / 10_000).astype(np.uint16))
    assert codes(rounded) == {"reflectance_as_dn": "error"}
    bright = change(l2a, lambda _, v: np.rint(v * 6.5).astype(np.int32))
    assert codes(bright) == {"wrong_scale": "warning"}


def test_several_faults_are_all_told(l2a, change, codes):
    def spoil(i, values):
        return values * (i != 3) + 1000 * (i == 5)

    assert codes(change(l2a, spoil)) == {
        "black_frame": "error",
        "offset_frame": "error",
    }


def test_with_a_model_its_statistics_are_compared(clear_ten, make_model):
    diagnosis = diagnose(clear_ten, make_model())
    assert diagnosis.statistics_of == "the model's training statistics"
    assert max(abs(d.centre_scales) for d in diagnosis.distances) < 0.1
    assert diagnosis.fit.fits
    assert diagnosis.fit.sentence.endswith("trained on 4 frames).")


def test_without_model_and_statistics_nothing_is_compared(l2a_diagnosis):
    diagnosis = l2a_diagnosis
    assert diagnosis.fit is None
    assert diagnosis.statistics_of == ""
    assert diagnosis.distances == ()


def test_a_folder_without_card_is_an_error(l2a, tmp_path):
    with pytest.raises(ModelError, match=r"model_card\.json"):
        diagnose(l2a, str(tmp_path))

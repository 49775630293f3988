import pickle

import pytest

from data_prep.earth_engine.records import outcome
from data_prep.earth_engine.records.outcome import Outcome


def test_a_place_without_a_reason_is_done():
    assert Outcome("utm16n-0-0").is_done
    assert not Outcome("utm16n-0-0", outcome.REFUSED).is_done
    # The detail explains a reason; alone it is none.
    assert Outcome("utm16n-0-0", detail="slow").is_done


def test_reasons_can_be_told_apart_and_hold_no_detail():
    reasons = [outcome.REFUSED, outcome.TOO_LARGE, outcome.WRONG_ANSWER]
    assert len(set(reasons)) == 3
    assert all(reasons)


def test_an_outcome_travels_to_workers_and_never_changes():
    one = Outcome("utm16n-0-0", outcome.TOO_LARGE, "one pixel, one band")
    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(AttributeError):
        one.reason = ""

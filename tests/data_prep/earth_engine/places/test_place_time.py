"""The moment of a date."""

import pytest

from data_prep.earth_engine.places.place_time import to_time_utc_ms


@pytest.mark.parametrize(
    ("date", "days"),
    [("1970-01-01", 0), ("1970-03-01", 59), ("2020-02-29", 18_321)],
)
def test_a_date_is_its_noon(date, days):
    assert to_time_utc_ms(date) == (days * 24 + 12) * 3_600_000


def test_another_form_of_date_is_refused():
    with pytest.raises(ValueError, match="1/3/1970"):
        to_time_utc_ms("1/3/1970")

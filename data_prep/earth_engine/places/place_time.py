"""The moment that stands for the date of a place."""

import datetime

_NOON_H = 12


def to_time_utc_ms(date: str) -> int:
    """Noon of "YYYY-MM-DD", milliseconds since 1970, UTC."""
    day = datetime.date.fromisoformat(date)
    moment = datetime.datetime.combine(
        day, datetime.time(_NOON_H), datetime.UTC
    )
    return int(moment.timestamp() * 1000)

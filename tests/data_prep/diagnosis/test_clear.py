import numpy as np
import pytest

from data_prep.diagnosis.clear import estimate_clear
from data_prep.diagnosis.measure import measure_frame


def _shares(frames):
    return estimate_clear(frames, [measure_frame(f) for f in frames])


def test_the_overcast_date_of_a_real_place_is_found_and_no_other(l2a):
    shares = _shares(l2a.places[0].frames)
    assert shares[1] < 0.01
    assert 0.2 < shares[2] < 0.8
    assert min(shares[:1] + shares[3:]) > 0.9


def test_a_forgotten_offset_is_no_cloud(l2a, change):
    raised = change(l2a, lambda i, v: v + 1000 if i == 4 else v)
    assert _shares(raised.places[0].frames)[4] > 0.9


def test_a_bright_roof_stays_clear_where_three_dates_show_it(make_frame):
    rng = np.random.default_rng(0)
    ground = rng.integers(300, 700, (20, 30, 3))
    ground[:5, :6] += 5000
    frames = [
        make_frame(ground + 10 * i, ("B2", "B3", "B4"), str(i))
        for i in range(3)
    ]
    assert _shares(frames) == (1.0, 1.0, 1.0)
    # With two dates there is only brightness to go by.
    assert _shares(frames[:2]) == pytest.approx([0.95, 0.95])


def test_what_is_not_seen_is_not_clear(make_frame):
    values = np.full((10, 20, 3), 500) + np.arange(20)[:, None]
    inside = np.ones((10, 20), bool)
    inside[:4] = False
    frame = make_frame(values, ("B2", "B3", "B4"), inside=inside)
    assert _shares([frame]) == (0.6,)


def test_nothing_is_said_of_unknown_bands(make_frame):
    values = np.full((10, 20, 2), 500)
    assert _shares([make_frame(values, ("VV", "VH"))]) == (None,)

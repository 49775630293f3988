import dataclasses

import numpy as np

from data_prep.diagnosis.measured import measure_place
from data_prep.diagnosis.measured import measure_subject


def test_every_frame_is_looked_at_once_in_order(l2a, measured_l2a):
    names = [look.name for look in measured_l2a.looks()]
    assert names == [frame.name for frame in l2a.places[0].frames]
    assert all(look.alignment is not None for look in measured_l2a.looks())


def test_black_frames_are_not_among_the_measured(l2a, change):
    black = change(l2a, lambda i, v: v * (i != 3))
    place = measure_place(black.places[0])
    assert len(place.looks) == 7
    assert [k.name for k in place.looks if k not in place.measured] == [
        l2a.places[0].frames[3].name
    ]


def test_a_subject_without_places_has_no_looks(make_subject, make_frame):
    subject = make_subject([make_frame(np.ones((5, 6, 1)), ("B2",))])
    empty = dataclasses.replace(subject, places=())
    assert list(measure_subject(empty).looks()) == []

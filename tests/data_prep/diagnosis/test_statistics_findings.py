import numpy as np
import pytest

from data_prep.diagnosis.measured import measure_subject
from data_prep.diagnosis.statistics_findings import find_statistics_faults
from data_prep.diagnosis.statistics_findings import measure_distance

WHOSE = "the training statistics"


def _statistics(bands, centre, scale):
    from s2distill.data.normalize import BandStatistics

    return BandStatistics(
        bands=tuple(bands), centre=tuple(centre), scale=tuple(scale)
    )


def _place(make_subject, make_frame):
    """B2 normal around 0.1 +- 0.02, B8 around 0.3 +- 0.05."""
    rng = np.random.default_rng(0)
    values = rng.normal((1000, 3000), (200, 500), (80, 90, 2))
    return make_subject([make_frame(values.clip(1), ("B2", "B8"))])


def _find(subject, statistics):
    found = find_statistics_faults(measure_subject(subject), statistics, WHOSE)
    return {finding.code: finding for finding in found}


def test_distances_are_in_scales(make_subject, make_frame):
    subject = _place(make_subject, make_frame)
    statistics = _statistics(("B8", "B2"), (0.2, 0.1), (0.05, 0.04))
    b2, b8 = measure_distance(measure_subject(subject), statistics)
    assert (b2.band, b8.band) == ("B2", "B8")
    assert b2.centre_scales == pytest.approx(0, abs=0.05)
    assert b2.spread_ratio == pytest.approx(0.5, abs=0.03)
    assert b8.centre_scales == pytest.approx(2, abs=0.06)
    assert b8.spread_ratio == pytest.approx(1, abs=0.05)
    assert b2.clipped_share == 0


def test_values_like_the_statistics_are_silent(clear_ten, l2a_statistics):
    assert _find(clear_ten, l2a_statistics) == {}


@pytest.mark.parametrize(
    ("centre", "severity"),
    [((0.1, 0.2), "note"), ((0.1, 0.1), "warning"), ((0.06, 0.2), "warning")],
    ids=["one band", "one far", "most bands"],
)
def test_how_far_and_how_many_decide(
    make_subject, make_frame, centre, severity
):
    statistics = _statistics(("B2", "B8"), centre, (0.02, 0.05))
    found = _find(_place(make_subject, make_frame), statistics)
    assert found["unlike_statistics"].severity == severity


def test_cloud_that_is_cut_off_is_a_note(make_subject, make_frame):
    subject = _place(make_subject, make_frame)
    subject.places[0].frames[0].values[:8] += 9000  # a tenth
    statistics = _statistics(("B2", "B8"), (0.1, 0.3), (0.02, 0.05))
    found = _find(subject, statistics)
    assert {c: f.severity for c, f in found.items()} == {
        "clipped_values": "note"
    }
    assert "10 % of the values" in found["clipped_values"].message


def test_nothing_is_said_without_statistics_or_of_images(
    make_subject, make_frame, l2a_statistics
):
    subject = _place(make_subject, make_frame)
    assert _find(subject, None) == {}
    values = np.full((20, 20, 3), 9000)
    image = make_subject([make_frame(values, ("B2", "B3", "B4"))], kind="image")
    assert _find(image, l2a_statistics) == {}

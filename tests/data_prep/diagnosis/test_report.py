import dataclasses
import json

import numpy as np
import pytest

from data_prep.diagnosis.diagnose import diagnose
from data_prep.diagnosis.report import clear_share
from data_prep.diagnosis.report import format_time
from data_prep.diagnosis.report import make_report
from data_prep.diagnosis.report import nan_share

PROMISED = {
    "kind",
    "records",
    "shape",
    "bands",
    "crs",
    "transform",
    "frames",
    "nan_share",
    "findings",
}


def test_the_promised_keys_are_there_and_plain(l2a_diagnosis):
    report = make_report(l2a_diagnosis)
    assert set(report) >= PROMISED
    again = json.loads(json.dumps(report, allow_nan=False))
    assert again == report
    assert report["kind"] == "geotiff_frames"
    assert report["shape"] == [7, 126, 127, 12]
    assert report["frames"] == 7
    assert report["levels"] == ["L2A"]
    assert report["offsets_dn"] == [0.0]
    assert report["times"] == [
        "2020-01-13T00:00:00+00:00",
        "2022-03-08T00:00:00+00:00",
    ]
    assert report["counts"] == {"error": 0, "warning": 0, "note": 1}
    assert report["findings"] == []  # good data has no fault
    (note,) = report["notes"]
    assert set(note) == {"code", "severity", "message", "where"}


def test_facts_of_a_frame_are_those_of_its_pixels(l2a, l2a_diagnosis):
    facts = make_report(l2a_diagnosis)["frame_facts"][4]
    frame = l2a.places[0].frames[4]
    assert facts["name"] == frame.name
    assert facts["maximum"] == frame.values.max()
    assert facts["percentiles"]["B8"]["p50"] == np.median(frame.band("B8"))
    assert facts["clear_share"] > 0.9


def test_nan_becomes_null(black_diagnosis):
    report = make_report(black_diagnosis)
    assert report["frame_facts"][3]["minimum"] is None
    assert report["frame_facts"][3]["percentiles"]["B2"]["p50"] is None
    json.dumps(report, allow_nan=False)


def test_nan_shares_are_weighted_by_size(make_subject, make_frame):
    big = np.ones((20, 30, 2), np.float32)
    small = np.ones((10, 10, 2), np.float32)
    small[:5] = np.nan
    subject = make_subject([make_frame(big, ("B2", "B8"))])
    other = make_subject([make_frame(small, ("B2", "B8"))])
    both = dataclasses.replace(subject, places=subject.places + other.places)
    measured = diagnose(both).measured
    assert nan_share(measured) == pytest.approx(100 / 1400)
    told = dataclasses.replace(both, nan_share=0.25)
    assert nan_share(dataclasses.replace(measured, subject=told)) == 0.25


def test_of_records_splits_and_labels_are_told(real_records):
    from data_prep.diagnosis.open_records import open_records

    folder = real_records(fields=("building",))
    report = make_report(diagnose(open_records("x", [str(folder)], 9)))
    assert report["splits"] == {"train": 3, "validation": 3, "test": 3}
    assert report["labels"]["buildings"] == 27
    assert report["fields"] == ["building"]
    json.dumps(report, allow_nan=False)


def test_what_is_unknown_is_none_or_empty(make_subject, make_frame):
    values = np.ones((20, 30, 1)) + np.arange(30)[:, None]
    subject = make_subject([make_frame(values, ("VV",))])
    looks = list(diagnose(subject).measured.looks())
    assert clear_share(looks) is None
    assert format_time(None) == ""
    assert make_report(diagnose(subject))["times"] == []

import dataclasses

import pytest

from data_prep.diagnosis.diagnose import diagnose
from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.subject import Column
from data_prep.diagnosis.table import facts_of
from data_prep.diagnosis.table import format_diagnosis
from data_prep.diagnosis.table import verdict


def test_the_verdict_and_findings_stand_before_the_numbers(black_diagnosis):
    text = format_diagnosis(black_diagnosis)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[3] == "Found: 1 error, 1 note."
    places = [
        text.index(part)
        for part in ("ERROR    black_frame:", "note     cloudy", "kind  ")
    ]
    assert places == sorted(places)
    assert "Boadella_2020-01-28.tif" in text
    row = next(line for line in lines if line.startswith("Boadella_2020-01-28"))
    assert row.endswith("-       -           -")


def test_a_good_input_is_called_so(l2a_diagnosis):
    assert verdict(l2a_diagnosis) == "Nothing wrong was found (1 note)."


@pytest.mark.parametrize(
    ("severities", "text"),
    [
        ((), "Nothing wrong was found."),
        (("note", "note"), "Nothing wrong was found (2 notes)."),
        (("error", "error", "note"), "Found: 2 errors, 1 note."),
        (("warning",), "Found: 1 warning."),
    ],
)
def test_the_verdict_counts(l2a_diagnosis, severities, text):
    found = tuple(Finding("a", s, "") for s in severities)
    diagnosis = dataclasses.replace(l2a_diagnosis, findings=found)
    assert verdict(diagnosis) == text


def test_with_a_model_the_answer_and_the_bands_are_shown(clear_ten, make_model):
    text = format_diagnosis(diagnose(clear_ten, make_model(frames=8)))
    assert "This input fits the model" in text
    assert "against the model's training statistics" in text
    assert "+0.0" in text or "-0.0" in text


def test_many_frames_are_not_listed(l2a_diagnosis):
    measured = l2a_diagnosis.measured
    many = dataclasses.replace(measured, places=measured.places * 3)
    diagnosis = dataclasses.replace(l2a_diagnosis, measured=many)
    assert "dark end" in format_diagnosis(l2a_diagnosis)
    assert "dark end" not in format_diagnosis(diagnosis)


def test_of_records_splits_and_labels_are_shown(real_records):
    from data_prep.diagnosis.open_records import open_records

    folder = real_records(fields=("building",))
    pairs = dict(facts_of(diagnose(open_records("x", [str(folder)], 9))))
    assert pairs["splits"] == "3 train, 3 validation, 3 test"
    assert pairs["labels"] == "100 % labelled, 3 % of it building, 27 houses"


def test_columns_of_a_table_are_shown(l2a):
    column = Column(
        name="class",
        kind="float32",
        count=9,
        missing=0,
        percentiles=(0.0, 1.0, 2.0, 3.0, 4.0),
        distinct=5,
    )
    text = Column(
        name="name",
        kind="bytes",
        count=9,
        missing=0,
        percentiles=(),
        distinct=2,
    )
    table = dataclasses.replace(
        l2a, kind="earth_engine_table", places=(), columns=(column, text)
    )
    shown = format_diagnosis(diagnose(table))
    assert "class   float32       9       0       2        4" in shown

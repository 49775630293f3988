from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.finding import count_frames
from data_prep.diagnosis.finding import count_severities
from data_prep.diagnosis.finding import name_some
from data_prep.diagnosis.finding import percent
from data_prep.diagnosis.finding import sort_findings


def test_errors_come_first_and_equals_keep_their_order():
    found = [
        Finding("a", "note", ""),
        Finding("b", "warning", ""),
        Finding("c", "error", ""),
        Finding("d", "note", ""),
        Finding("e", "error", ""),
    ]
    assert [f.code for f in sort_findings(found)] == ["c", "e", "b", "a", "d"]
    assert count_severities(found) == {"error": 2, "warning": 1, "note": 2}


def test_json_holds_plain_values():
    finding = Finding("a", "error", "text", ("x", "y"))
    assert finding.to_json() == {
        "code": "a",
        "severity": "error",
        "message": "text",
        "where": ["x", "y"],
    }


def test_many_names_are_cut_short():
    assert name_some(["a", "b"]) == "a, b"
    assert name_some(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_frames_are_counted_in_grammar():
    assert count_frames(["a"], 7) == "1 of 7 frames lies"
    assert count_frames(["a", "b"], 7, ("is", "are")) == "2 of 7 frames are"


def test_a_share_reads_as_none_or_all_only_if_it_is():
    assert percent(0.0) == "0 %"
    assert percent(1.0) == "100 %"
    assert percent(0.004) == "0.4 %"
    assert percent(0.9999) == "over 99 %"
    assert percent(0.256) == "26 %"

import pytest

from benchmarks.accuracy.markdown import format_number
from benchmarks.accuracy.markdown import format_table
from benchmarks.accuracy.markdown import format_with_interval


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (None, 3, "-"),
        (0.70749, 3, "0.707"),
        (-0.0004, 3, "0.000"),
        (-0.0006, 3, "-0.001"),
        (12345.6, 0, "12,346"),
    ],
)
def test_numbers_are_rounded_and_nothing_is_a_dash(value, decimals, text):
    assert format_number(value, decimals) == text


def test_an_interval_stands_in_brackets_where_there_is_one():
    assert format_with_interval(0.5, (0.4, 0.61), 1) == "0.5 (0.4..0.6)"
    assert format_with_interval(0.5, None, 1) == "0.5"
    assert format_with_interval(None, None, 1) == "-"


def test_every_line_of_a_table_has_as_many_cells():
    rows = [("x", 1, 2), ("y", 3, "-")]
    lines = format_table(("", "a", "b"), rows, texts=(2,))
    assert lines == [
        "|  | a | b |",
        "| --- | ---: | --- |",
        "| x | 1 | 2 |",
        "| y | 3 | - |",
    ]

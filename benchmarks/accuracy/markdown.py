"""Numbers and tables as Markdown."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

DASH = "-"


def format_number(value: float | None, decimals: int) -> str:
    """The number, or a dash where there is none; 0 is never negative."""
    if value is None:
        return DASH
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def format_with_interval(
    value: float | None, interval: Sequence[float] | None, decimals: int
) -> str:
    """As in 0.71 (0.68..0.74)."""
    text = format_number(value, decimals)
    if value is None or interval is None:
        return text
    low, high = (format_number(end, decimals) for end in interval)
    return f"{text} ({low}..{high})"


def format_table(
    header: Sequence[str],
    rows: Iterable[Sequence[Any]],
    texts: Sequence[int] = (),
) -> list[str]:
    """Lines of a table.

    Args:
      header: Name of each column.
      rows: Cells.
      texts: Columns of text, besides the first; the others hold numbers.
    """
    columns = range(len(header))
    rule = ["---" if n in (0, *texts) else "---:" for n in columns]
    return [
        "| " + " | ".join(map(str, cells)) + " |"
        for cells in (header, rule, *rows)
    ]

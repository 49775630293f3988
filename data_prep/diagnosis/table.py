"""A diagnosis for the terminal: the verdict, the findings, then the numbers."""

import textwrap
from collections.abc import Sequence

import numpy as np

from data_prep.diagnosis.diagnose import Diagnosis
from data_prep.diagnosis.finding import count_severities
from data_prep.diagnosis.finding import percent
from data_prep.diagnosis.measure import HIGH
from data_prep.diagnosis.measure import LOW
from data_prep.diagnosis.measure import MEDIAN
from data_prep.diagnosis.measured import Look
from data_prep.diagnosis.report import clear_share
from data_prep.diagnosis.report import nan_share
from data_prep.diagnosis.subject import Subject
from s2distill.data.schema import SPLITS

_WIDTH = 80
_MARKS = {"error": "ERROR", "warning": "WARNING", "note": "note"}
_MOST_ROWS = 16
_NAME_WIDTH = 30


def format_diagnosis(diagnosis: Diagnosis) -> str:
    """The whole text, lines of at most 80 characters."""
    subject = diagnosis.measured.subject
    parts = [_head(subject), _wrap(verdict(diagnosis))]
    if diagnosis.fit is not None:
        parts.append(_wrap(diagnosis.fit.sentence))
    parts.append(_findings(diagnosis))
    parts.append(_facts(diagnosis))
    for rows in (
        _frames(diagnosis),
        _bands(diagnosis),
        _columns(subject),
    ):
        if rows:
            parts.append(rows)
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict(diagnosis: Diagnosis) -> str:
    """One sentence: how many findings of which kind."""
    counts = count_severities(diagnosis.findings)
    if not counts["error"] and not counts["warning"]:
        notes = counts["note"]
        more = f" ({notes} note{'s' if notes > 1 else ''})" if notes else ""
        return f"Nothing wrong was found{more}."
    told = [
        f"{counts[name]} {name}{'s' if counts[name] > 1 else ''}"
        for name in ("error", "warning", "note")
        if counts[name]
    ]
    return f"Found: {', '.join(told)}."


def facts_of(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """What the input is, as pairs of a name and a text."""
    measured = diagnosis.measured
    subject = measured.subject
    looks = list(measured.looks())
    pairs = [
        ("kind", subject.kind),
        ("records", str(subject.records)),
        ("looked at", subject.looked_at),
        ("shape", " x ".join(str(n or "?") for n in subject.shape)),
        ("bands", ", ".join(subject.bands)),
    ]
    if subject.crs:
        pairs.append(("crs", subject.crs))
    if subject.pixel_m:
        pairs.append(("pixel", f"{subject.pixel_m:.3g} m"))
    pairs.append(("NaN", percent(nan_share(measured))))
    if looks and subject.kind != "image":
        pairs += _frame_pairs(subject, looks)
    return pairs + _record_pairs(subject)


def _frame_pairs(
    subject: Subject, looks: Sequence[Look]
) -> list[tuple[str, str]]:
    levels = {k.frame.product_level for k in looks}
    offsets = sorted({k.frame.offset_dn for k in looks})
    pairs = [
        ("frames", f"{subject.frames} a place"),
        ("level", ", ".join(sorted(level or "unknown" for level in levels))),
        ("offset", ", ".join(f"{offset:g} DN" for offset in offsets)),
    ]
    clear = clear_share(looks)
    if clear is not None:
        pairs.append(("clear", f"{percent(clear)} of all pixels"))
    return pairs


def _record_pairs(subject: Subject) -> list[tuple[str, str]]:
    facts = subject.record_facts
    if facts is None:
        return []
    counts = [f"{facts.counts.get(split, 0)} {split}" for split in SPLITS]
    pairs = [
        ("splits", ", ".join(counts)),
        ("fields", ", ".join(facts.fields) or "none"),
    ]
    if facts.labels is not None:
        told = [f"{percent(facts.labels.labelled_share)} labelled"]
        for name in ("building", "road"):
            share = getattr(facts.labels, f"{name}_share")
            if share is not None:
                told.append(f"{percent(share)} of it {name}")
        if facts.labels.buildings is not None:
            told.append(f"{facts.labels.buildings:.0f} houses")
        pairs.append(("labels", ", ".join(told)))
    return pairs


def _head(subject: Subject) -> str:
    return f"{subject.source}\n{'=' * min(len(subject.source), _WIDTH)}"


def _wrap(text: str, first: str = "", rest: str = "") -> str:
    return "\n".join(
        textwrap.wrap(
            text,
            _WIDTH,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def _findings(diagnosis: Diagnosis) -> str:
    lines = [
        _wrap(
            f"{finding.code}: {finding.message}",
            f"{_MARKS[finding.severity]:<9}",
            " " * 9,
        )
        for finding in diagnosis.findings
    ]
    return "\n".join(lines)


def _facts(diagnosis: Diagnosis) -> str:
    return "\n".join(
        _wrap(text, f"{name:<11}", " " * 11)
        for name, text in facts_of(diagnosis)
    )


def _frames(diagnosis: Diagnosis) -> str:
    """A row a frame; nothing where there are too many to read."""
    looks = list(diagnosis.measured.looks())
    if not looks or len(looks) > _MOST_ROWS:
        return ""
    rows = [("frame", "clear", "NaN", "dark end", "median", "bright end")]
    for look in looks:
        rows.append(
            (
                look.name[-_NAME_WIDTH:],
                "" if look.clear_share is None else percent(look.clear_share),
                percent(look.facts.nan_share),
                *(_mean(look, which) for which in (LOW, MEDIAN, HIGH)),
            )
        )
    return _align(rows)


def _mean(look: Look, which: int) -> str:
    """Mean over the bands of a percentile; "-" where nothing is seen."""
    values = look.facts.percentiles[:, which]
    if not np.isfinite(values).all():
        return "-"
    mean = float(values.mean())
    return f"{mean:.0f}" if abs(mean) >= 100 else f"{mean:.3g}"


def _bands(diagnosis: Diagnosis) -> str:
    if not diagnosis.distances:
        return ""
    rows = [("band", "median off by", "spread", "cut off")]
    rows += [
        (
            d.band,
            f"{d.centre_scales:+.2f} scales",
            f"{d.spread_ratio:.2f}",
            percent(d.clipped_share),
        )
        for d in diagnosis.distances
    ]
    title = f"against {diagnosis.statistics_of} (median and scale of each band)"
    return f"{_wrap(title)}\n{_align(rows)}"


def _columns(subject: Subject) -> str:
    if not subject.columns:
        return ""
    rows = [("column", "type", "values", "lowest", "median", "highest")]
    for column in subject.columns[:_MOST_ROWS]:
        ends = (
            [f"{column.percentiles[i]:.4g}" for i in (0, 2, 4)]
            if (column.percentiles)
            else ["", "", ""]
        )
        rows.append((column.name, column.kind, str(column.count), *ends))
    more = len(subject.columns) - _MOST_ROWS
    return _align(rows) + (f"\nand {more} more columns" if more > 0 else "")


def _align(rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, the first to the left, others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [
            text.rjust(width)
            for text, width in zip(row[1:], widths[1:], strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)

"""Opens table exports of Earth Engine: rows and columns, no ground."""

import numpy as np

from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.subject import Column
from data_prep.diagnosis.subject import Subject
from data_prep.earth_engine.tfrecord.table_reader import iterate_table
from s2distill.data.bands import S2_BANDS
from s2distill.errors import RecordError

_MOST_DISTINCT = 100
_PERCENTILES = (0, 16, 50, 84, 100)


def open_table(source: str) -> Subject:
    """Opens a table export; all of its rows are read.

    Args:
      source: TFRecord file, glob or folder.

    Raises:
      RecordError: If it is cut, damaged or empty.
    """
    values: dict[str, list[np.ndarray]] = {}
    rows = 0
    for record in iterate_table(source):
        rows += 1
        for name, content in record.items():
            values.setdefault(name, []).append(content)
    columns = tuple(
        _make_column(name, rows, content) for name, content in values.items()
    )
    if not columns:
        raise RecordError(f"{source} holds no value; export it again")
    missing = sum(column.missing for column in columns)
    return Subject(
        kind="earth_engine_table",
        source=source,
        records=rows,
        shape=(rows, len(columns)),
        bands=tuple(column.name for column in columns),
        places=(),
        looked_at=f"all {rows} rows",
        findings=tuple(_find_column_faults(columns, rows)),
        nan_share=missing / (rows * len(columns)),
        columns=columns,
    )


def _make_column(name: str, rows: int, content: list[np.ndarray]) -> Column:
    joined = np.concatenate([np.atleast_1d(part) for part in content])
    if joined.dtype == object:
        texts = set(joined.tolist())
        return Column(
            name=name,
            kind="bytes",
            count=len(content),
            missing=rows - len(content),
            percentiles=(),
            distinct=min(len(texts), _MOST_DISTINCT),
        )
    finite = joined[np.isfinite(joined)]
    holes = len(joined) - len(finite)
    return Column(
        name=name,
        kind=str(joined.dtype),
        count=len(content),
        missing=rows - len(content) + holes,
        percentiles=tuple(float(p) for p in np.percentile(finite, _PERCENTILES))
        if len(finite)
        else (),
        distinct=min(len(np.unique(finite)), _MOST_DISTINCT),
    )


def _find_column_faults(
    columns: tuple[Column, ...], rows: int
) -> list[Finding]:
    found = []
    holes = [c for c in columns if c.missing]
    if holes:
        worst = max(holes, key=lambda c: c.missing)
        found.append(
            Finding(
                "missing_values",
                "warning",
                f"{len(holes)} of {len(columns)} columns lack values, most "
                f"{worst.name}, in {worst.missing} of {rows} rows; masked "
                "pixels become so: drop those rows, or unmask the image",
                tuple(c.name for c in holes),
            )
        )
    constant = [c.name for c in columns if rows > 1 and c.distinct < 2]
    if constant:
        found.append(
            Finding(
                "constant_column",
                "warning",
                f"one value in every row: {', '.join(constant[:3])}; such a "
                "column tells nothing",
                tuple(constant),
            )
        )
    known = [c.name for c in columns if c.name in S2_BANDS]
    if not known:
        found.append(
            Finding(
                "unknown_bands",
                "note",
                "no column is called like a Sentinel-2 band, so nothing is "
                "said of levels, offsets and order",
            )
        )
    return found

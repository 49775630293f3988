"""Reads table exports: one record a feature, its properties as columns.

Earth Engine writes numbers as floats and text as bytes. A property that a
feature does not have is left out of its record.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from data_prep.earth_engine.tfrecord.band_series import natural_key
from data_prep.earth_engine.tfrecord.example_codec import decode_floats
from data_prep.earth_engine.tfrecord.example_codec import kind_of
from data_prep.earth_engine.tfrecord.example_codec import parse_example
from data_prep.earth_engine.tfrecord.export_files import Paths
from data_prep.earth_engine.tfrecord.export_files import find_files
from data_prep.earth_engine.tfrecord.export_files import read_serialized
from s2distill.errors import BandError
from s2distill.errors import RecordError

_TYPES = {"float": np.float32, "int64": np.int64, "bytes": np.object_}


def iterate_table(
    paths: Paths, names: Sequence[str] | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """The records of a table, one in memory at a time.

    Args:
      paths: File, pattern or folder, or several of these, read in the order
        of their names.
      names: Columns; None gives what each record has.

    Yields:
      By name, [K]: float32, int64, or objects of type bytes. A value that a
      record lacks is absent, one without content has K = 0.

    Raises:
      RecordError: A file is absent, cut or damaged, or no TFRecord export.
    """
    for _, features in _read_records(paths):
        wanted = features if names is None else names
        yield {
            name: _decode(features[name])
            for name in sorted(wanted, key=natural_key)
            if name in features
        }


def read_table(
    paths: Paths,
    names: Sequence[str] | None = None,
    *,
    fill: float | None = None,
) -> dict[str, np.ndarray]:
    """A whole table export.

    Args:
      paths: As for `iterate_table`.
      names: Columns; None reads all that any record has, B2 before B10.
      fill: Stands where a record has no value of a float column, for example
        NaN. None refuses such columns.

    Returns:
      By name, [N], or [N, K] where every record has K > 1 values: float32,
      int64, or objects of type bytes.

    Raises:
      RecordError: As `iterate_table`; or there is no record, a column has
        records without a value, of different lengths or of different types.
      BandError: No record has one of `names`.
    """
    columns: dict[str, _Column] = {}
    count = 0
    for where, features in _read_records(paths):
        for name in features if names is None else names:
            if name in features:
                if name not in columns:
                    columns[name] = _Column(name)
                columns[name].add(count, features[name], where)
        count += 1
    if not count:
        raise RecordError(f"{', '.join(find_files(paths))}: no record in it")
    wanted = sorted(columns, key=natural_key) if names is None else names
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise BandError(
            f"no column {', '.join(missing)} in {find_files(paths)[0]}; leave "
            "the names out to read all it has"
        )
    return {name: columns[name].to_array(count, fill) for name in wanted}


class _Column:
    """Values of one column while they come in."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._kind = ""
        self._values: list[Any] = []
        self._rows: list[int] = []
        self._lengths: set[int] = set()

    def add(self, row: int, feature: Any, where: str) -> None:
        kind = kind_of(feature)
        values = () if kind == "nothing" else _list_of(feature)
        if not len(values):
            return
        if self._kind and kind != self._kind:
            raise RecordError(
                f"{where}: {self._name} is {kind}, before it was {self._kind}; "
                "export the column with one type"
            )
        self._kind = kind
        self._values.extend(values)
        self._rows.append(row)
        self._lengths.add(len(values))

    def to_array(self, count: int, fill: float | None) -> np.ndarray:
        if not self._rows:
            raise RecordError(
                f"{self._name}: none of {count} records has a value; leave "
                "the column out"
            )
        if len(self._lengths) > 1:
            raise RecordError(
                f"{self._name} has from {min(self._lengths)} to "
                f"{max(self._lengths)} values a record: that makes no array; "
                "iterate_table gives them one by one"
            )
        width = self._lengths.pop()
        shape = (len(self._rows), width) if width > 1 else len(self._rows)
        values = np.empty(len(self._values), _TYPES[self._kind])
        values[:] = self._values
        values = values.reshape(shape)
        if len(self._rows) == count:
            return values
        if fill is None or self._kind != "float":
            row = next(n for n in range(count) if n not in set(self._rows))
            raise RecordError(
                f"{self._name}: {count - len(self._rows)} of {count} records, "
                f"first number {row}, have no value; give a fill value for "
                "floats, or read with iterate_table"
            )
        filled = np.full((count, *values.shape[1:]), fill, np.float32)
        filled[self._rows] = values
        return filled


def _read_records(paths: Paths) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for file in find_files(paths):
        for number, serialized in enumerate(read_serialized(file)):
            where = f"record {number} of {file}"
            yield where, parse_example(serialized, where)


def _list_of(feature: Any) -> Sequence[Any]:
    return getattr(feature, feature.WhichOneof("kind")).value


def _decode(feature: Any) -> np.ndarray:
    kind = kind_of(feature)
    if kind == "nothing":
        return np.empty(0, np.float32)
    if kind == "float":
        return decode_floats(feature.float_list)
    values = _list_of(feature)
    array = np.empty(len(values), _TYPES[kind])
    array[:] = values
    return array

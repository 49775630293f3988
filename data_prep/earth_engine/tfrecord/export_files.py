"""The files of a TFRecord export: which, in which order, and what is in them.

Earth Engine numbers the shards of an image export, five digits or more, and
the order of patches is that of the numbers. Whether a shard is compressed
depends on who asked for it, and its name on who copied it since, so the first
bytes decide.
"""

import contextlib
import gzip
import os
import re
import zlib
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from data_prep.earth_engine.tfrecord.band_series import natural_key
from s2distill.errors import RecordError

_SHARD = re.compile(
    r"(?P<prefix>.*?)(?P<number>\d+)(?P<suffix>\.tfrecords?(?:\.gz)?)",
    re.IGNORECASE | re.DOTALL,
)
_PADDED = 5  # digits of a shard's number
# Gzip and deflate (RFC 1952). Two bytes alone are also the length of a first
# record of 35,615 bytes and some others; three of one in 16 million.
_GZIP_START = b"\x1f\x8b\x08"
_FRAME_BYTES = 16  # length, two checksums around each record
_SIZE_MODULUS = 2**32  # of the length at the end of a gzip file
_CHUNK_BYTES = 2**20
_BATCH_BYTES = 2**18  # read at once where records are smaller

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def find_files(paths: Paths) -> tuple[str, ...]:
    """The files that paths and patterns stand for, 2 before 10.

    Args:
      paths: File, pattern such as "gs://bucket/export-*.tfrecord.gz", folder
        of .tfrecord files, or several of these.

    Raises:
      RecordError: If one of them stands for no file.
    """
    import tensorflow as tf

    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    found: set[str] = set()
    for path in map(os.fspath, paths):
        pattern = path
        if tf.io.gfile.isdir(path):
            pattern = os.path.join(path, "*.tfrecord*")
        try:
            files = tf.io.gfile.glob(pattern)
        except tf.errors.OpError as error:
            raise RecordError(
                f"cannot look for {pattern}: {_first_line(error)}"
            ) from error
        if not files:
            raise RecordError(
                f"no file {pattern}; put a pattern into quotes, and give it "
                "the folder that the export was written to"
            )
        found.update(files)
    return tuple(sorted(found, key=natural_key))


def find_shards(paths: Paths) -> tuple[str, ...]:
    """The shards of one image export, in the order of their patches.

    Args:
      paths: As for `find_files`.

    Returns:
      One file, or all from number 0 on.

    Raises:
      RecordError: If there is none, one is missing, two have one number, or
        the files are of different exports.
    """
    files = find_files(paths)
    matches = [_SHARD.fullmatch(file) for file in files]
    if len(files) == 1:
        # A number of another length is part of a name: image_2021.tfrecord.
        if matches[0] is None or len(matches[0]["number"]) != _PADDED:
            return files
    elif None in matches or len({m["prefix"] for m in matches}) > 1:
        raise RecordError(
            f"{files[0]} and {files[-1]} are no shards of one export, whose "
            "names differ in the last number only; give one export at a time"
        )
    by_number: dict[int, str] = {}
    for file, match in zip(files, matches, strict=True):
        number = int(match["number"])
        if number in by_number:
            raise RecordError(
                f"{by_number[number]} and {file} have one number: two exports "
                "or two copies; keep one"
            )
        by_number[number] = file
    for number in range(max(by_number)):
        if number not in by_number:
            raise RecordError(
                f"shard {_name_of(matches, number)} is missing beside "
                f"{files[-1]}; fetch it: without it the patches after it "
                "would lie in wrong places"
            )
    return tuple(by_number[number] for number in sorted(by_number))


def read_serialized(path: str) -> Iterator[bytes]:
    """The records of one file, checksums verified, few in memory at a time.

    Args:
      path: TFRecord file, local or gs://, compressed or not.

    Raises:
      RecordError: If the file is absent, cut or damaged, before or after the
        last whole record.
    """
    import tensorflow as tf

    compressed = is_compressed(path)
    # TensorFlow takes 0.2 ms to hand a record over, so small ones come many
    # at a time; of patches there is one, and the next is being read.
    batch = min(_BATCH_BYTES // (_first_length(path, compressed) + 1) + 1, 512)
    dataset = tf.data.TFRecordDataset(path, "GZIP" if compressed else "")
    batches = dataset.batch(batch).prefetch(1).as_numpy_iterator()
    count = frame_bytes = 0
    while True:
        with _read_errors(path, count):
            records = next(batches, None)
        if records is None:
            break
        count += len(records)
        for record in records:
            frame_bytes += len(record) + _FRAME_BYTES
            yield record
    if compressed:
        _check_gzip_end(path, count, frame_bytes)
    else:
        _check_plain_end(path, count, frame_bytes)


def is_compressed(path: str) -> bool:
    """True if the first bytes are those of gzip, whatever the name says.

    Raises:
      RecordError: If the file is absent, empty, or cannot be opened.
    """
    start = _read_bytes(path, len(_GZIP_START))
    if not start:
        raise RecordError(f"{path} is empty; fetch it again")
    return start == _GZIP_START


def _name_of(matches: Sequence[re.Match[str]], number: int) -> str:
    """What the shard with a number would be called."""
    match = matches[0]
    padded = all(len(m["number"]) >= _PADDED for m in matches)
    digits = f"{number:0{_PADDED if padded else 1}d}"
    return f"{match['prefix']}{digits}{match['suffix']}"


def _read_bytes(path: str, length: int, *, at_end: bool = False) -> bytes:
    import tensorflow as tf

    with _read_errors(path, 0), tf.io.gfile.GFile(path, "rb") as file:
        if at_end:
            file.seek(max(file.size() - length, 0))
        return file.read(length)


def _first_length(path: str, compressed: bool) -> int:
    """Bytes of the first record; 0 if there is none."""
    import tensorflow as tf

    with _read_errors(path, 0), tf.io.gfile.GFile(path, "rb") as file:
        stream = gzip.GzipFile(fileobj=file) if compressed else file
        return int.from_bytes(stream.read(8), "little")


def _check_plain_end(path: str, count: int, frame_bytes: int) -> None:
    """Raises if bytes are left that TensorFlow passed over.

    It takes up to 11 bytes, too few for a record to begin, for the end.
    """
    import tensorflow as tf

    with _read_errors(path, count):
        rest = tf.io.gfile.stat(path).length - frame_bytes
        if rest:
            raise EOFError(f"{rest} bytes of a record at the end")


def _check_gzip_end(path: str, count: int, frame_bytes: int) -> None:
    """Raises if the compressed stream has no end.

    TensorFlow takes the end of a cut file for that of the records wherever a
    record happens to end there, and never asks for the end of the stream. Its
    last 4 bytes tell how much was compressed.
    """
    size = int.from_bytes(_read_bytes(path, 4, at_end=True), "little")
    if size == frame_bytes % _SIZE_MODULUS:
        return
    # Cut, or several streams one after another: only reading it all can tell.
    import tensorflow as tf

    with (
        _read_errors(path, count),
        tf.io.gfile.GFile(path, "rb") as file,
        gzip.GzipFile(fileobj=file) as stream,
    ):
        unread = True
        while unread:  # to the end: a stream that is cut raises there
            unread = bool(stream.read(_CHUNK_BYTES))


@contextlib.contextmanager
def _read_errors(path: str, count: int) -> Iterator[None]:
    import tensorflow as tf

    try:
        yield
    except tf.errors.NotFoundError as error:
        raise RecordError(
            f"no file {path}; name the TFRecord file of an export"
        ) from error
    except (
        tf.errors.DataLossError,
        EOFError,
        gzip.BadGzipFile,
        zlib.error,
    ) as error:
        raise RecordError(
            f"{path} is cut or damaged somewhere after record {count} "
            f"({_first_line(error)}); fetch it again"
        ) from error
    except (tf.errors.OpError, OSError) as error:
        raise RecordError(
            f"cannot read {path}: {_first_line(error)}"
        ) from error


def _first_line(error: Any) -> str:
    """The message without TensorFlow's account of its own functions."""
    text = getattr(error, "message", None) or str(error)
    text = text.rpartition("}} ")[2].partition(" [Op:")[0]
    return text.strip().partition("\n")[0]

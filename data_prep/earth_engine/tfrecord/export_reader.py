"""Reads Earth Engine's TFRecord exports into arrays that know where they lie.

An export holds flat lists without shape. The shape comes from the mixer and
from what the caller knows of the request (kernel, tensor depths), and every
length is checked against it: nothing is guessed.

Values are float32. Bands of an integer type other than byte, which Earth
Engine stores as 64-bit integers, are given as float64, which holds them all.
"""

import dataclasses
import itertools
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from data_prep.earth_engine.tfrecord.band_series import natural_key
from data_prep.earth_engine.tfrecord.example_codec import decode_pixels
from data_prep.earth_engine.tfrecord.example_codec import kind_of
from data_prep.earth_engine.tfrecord.example_codec import parse_example
from data_prep.earth_engine.tfrecord.export_files import Paths
from data_prep.earth_engine.tfrecord.export_files import find_shards
from data_prep.earth_engine.tfrecord.export_files import read_serialized
from data_prep.earth_engine.tfrecord.mixer import Mixer
from s2distill.errors import BandError
from s2distill.errors import ConfigError
from s2distill.errors import RecordError
from s2distill.geo.grid import Grid

_MOST_KERNEL_PX = 1024  # looked for when a length does not fit

Patch = tuple[int, Grid, dict[str, np.ndarray]]


def read_patches(
    paths: Paths,
    mixer: Mixer,
    *,
    bands: Sequence[str] | None = None,
    kernel_px: tuple[int, int] = (0, 0),
    tensor_depths: Mapping[str, int] | None = None,
    keep_margin: bool = False,
) -> Iterator[Patch]:
    """The patches of an image export, in order; one in memory at a time.

    Args:
      paths: File, pattern or folder, or several of these, of one export.
      mixer: Of this export.
      bands: Names to read; None reads all.
      kernel_px: (rows, columns) by which each patch was grown, half at each
        side. Earth Engine's `kernelSize` is (columns, rows); its default of 1
        grows nothing and is 0 here.
      tensor_depths: By name, values per pixel of bands that hold arrays.
      keep_margin: Give the margin too, on a grid grown by it.

    Yields:
      (number of the patch, its grid, by name [h, w], or [h, w, depth] for
      the names in `tensor_depths`).

    Raises:
      RecordError: A file is missing, cut or damaged; a length fits no patch;
        or there are more or fewer patches than the mixer says.
      BandError: A band is not there.
      ConfigError: A kernel that has no half.
    """
    shape = _PatchShape(mixer, kernel_px, dict(tensor_depths or {}))
    margin = shape.margin_px if keep_margin else (0, 0)
    names = None if bands is None else list(bands)
    kinds: dict[str, str] = {}
    index = 0
    for where, features in _read_examples(find_shards(paths)):
        if index == mixer.total_patches:
            raise RecordError(
                f"{where} is one more than the {mixer.total_patches} patches "
                "of the mixer: it belongs to another export"
            )
        if names is None:
            names = sorted(features, key=natural_key)
        elif bands is None:
            _check_same(features, names, where)
        _check_present(features, names, where)
        values = {}
        for name in names:
            kind = kind_of(features[name])
            if kinds.setdefault(name, kind) != kind:
                raise RecordError(
                    f"{where}: {name} holds {kind}, before it held "
                    f"{kinds[name]}: shards of two exports; fetch them again"
                )
            values[name] = shape.unfold(
                name, decode_pixels(features[name]), keep_margin, where
            )
        yield index, mixer.patch_grid(index, margin_px=margin), values
        index += 1
    if index != mixer.total_patches:
        raise RecordError(
            f"{index} patches in {find_shards(paths)[-1]} and the files before "
            f"it, {mixer.total_patches} in the mixer: a file is missing or cut"
            ", or maskedThreshold left patches out; fetch the export again"
        )


def read_image(
    paths: Paths,
    mixer: Mixer,
    *,
    bands: Sequence[str] | None = None,
    kernel_px: tuple[int, int] = (0, 0),
    tensor_depths: Mapping[str, int] | None = None,
) -> tuple[np.ndarray, tuple[str, ...], Grid]:
    """A whole image export as one array.

    Args:
      paths: As for `read_patches`, and so are the others.
      mixer: Of this export.
      bands: Names to read; None reads all, B2 before B10.
      kernel_px: (rows, columns) by which each patch was grown; cut away.
      tensor_depths: Values per pixel of bands that hold arrays.

    Returns:
      ([H, W, B], names of the B planes, grid). A band with arrays becomes
      planes NAME_0, NAME_1 and so on.

    Raises:
      RecordError, BandError, ConfigError: As `read_patches`.
    """
    image: np.ndarray | None = None
    planes: tuple[str, ...] = ()
    patches = read_patches(
        paths,
        mixer,
        bands=bands,
        kernel_px=kernel_px,
        tensor_depths=tensor_depths,
    )
    for index, grid, values in patches:
        stacked = np.dstack(list(values.values()))
        if image is None:
            planes = tuple(
                plane
                for name, array in values.items()
                for plane in _plane_names(name, array)
            )
            image = np.empty(
                (mixer.grid.height, mixer.grid.width, len(planes)),
                stacked.dtype,
            )
        row, col = mixer.patch_corner(index)
        image[row : row + grid.height, col : col + grid.width] = stacked
    assert image is not None  # a mixer counts at least one patch
    return image, planes, mixer.grid


def peek_features(paths: Paths) -> dict[str, int]:
    """What the first record holds: number of values by name, B2 before B10.

    Args:
      paths: As for `read_patches`.

    Raises:
      RecordError: If there is no record, or it cannot be read.
    """
    for _, features in _read_examples(find_shards(paths)[:1]):
        return {
            name: len(decode_pixels(features[name]))
            for name in sorted(features, key=natural_key)
        }
    raise RecordError(f"{find_shards(paths)[0]} holds no record")


def _read_examples(
    files: Sequence[str],
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """("record 3 of FILE", its features), file after file."""
    for file in files:
        for number, serialized in enumerate(read_serialized(file)):
            where = f"record {number} of {file}"
            yield where, parse_example(serialized, where)


@dataclasses.dataclass(frozen=True)
class _PatchShape:
    mixer: Mixer
    kernel_px: tuple[int, int]
    depths: dict[str, int]

    def __post_init__(self) -> None:
        if any(side < 0 or side % 2 for side in self.kernel_px):
            raise ConfigError(
                f"a kernel of {self.kernel_px} px has no half; a kernelSize "
                "of 1, the default, grows nothing: give 0"
            )

    @property
    def margin_px(self) -> tuple[int, int]:
        rows, cols = self.kernel_px
        return rows // 2, cols // 2

    def unfold(
        self, name: str, flat: np.ndarray, keep_margin: bool, where: str
    ) -> np.ndarray:
        """The flat list of a band as an array; its margin cut, or kept."""
        rows, cols = self.mixer.patch_shape
        full = (rows + self.kernel_px[0], cols + self.kernel_px[1])
        depth = self.depths.get(name)
        shape = full if depth is None else (*full, depth)
        if len(flat) != np.prod(shape):
            raise RecordError(f"{where}: {self._explain(name, len(flat))}")
        array = flat.reshape(shape)
        if not keep_margin:
            top, left = self.margin_px
            array = array[top : top + rows, left : left + cols]
        kind = np.float64 if flat.dtype == np.int64 else np.float32
        # A copy: the record's own bytes are read-only, and wider.
        return array.astype(kind)

    def _explain(self, name: str, length: int) -> str:
        rows, cols = self.mixer.patch_shape
        kernel_rows, kernel_cols = self.kernel_px
        depth = self.depths.get(name, 1)
        pixels = (rows + kernel_rows) * (cols + kernel_cols)
        text = (
            f"{name} has {length:,} values, {pixels * depth:,} are expected "
            f"of {rows} x {cols} px with a kernel of {kernel_rows} x "
            f"{kernel_cols} and depth {depth}"
        )
        fitting = _fitting_kernel(rows, cols, length / depth)
        if fitting is not None:
            return f"{text}; a kernel of {fitting[0]} x {fitting[1]} fits"
        if length and length % pixels == 0:
            return (
                f"{text}; it fits {length // pixels} values per pixel: name "
                "them in tensor_depths"
            )
        if length == 1:
            return (
                f"{text}: this is a table, or one pixel a record "
                "(sequenceData); export patches"
            )
        return f"{text}; no kernel fits: is the mixer of another export?"


def _fitting_kernel(
    rows: int, cols: int, pixels: float
) -> tuple[int, int] | None:
    """The even kernel that makes a patch of so many pixels, square if any."""
    sides = range(0, _MOST_KERNEL_PX + 1, 2)
    for side in sides:
        if (rows + side) * (cols + side) == pixels:
            return side, side
    for side in sides:
        rest = pixels / (rows + side) - cols
        if rest in sides:
            return side, int(rest)
    return None


def _plane_names(name: str, array: np.ndarray) -> list[str]:
    if array.ndim == 2:
        return [name]
    return [f"{name}_{number}" for number in range(array.shape[2])]


def _check_present(
    features: Mapping[str, Any], names: Sequence[str], where: str
) -> None:
    missing = [name for name in names if name not in features]
    if missing:
        found = sorted(features, key=natural_key)
        raise BandError(
            f"{where} has no band {', '.join(missing)}; it holds "
            f"{', '.join(found) or 'nothing'}"
        )


def _check_same(
    features: Mapping[str, Any], names: Sequence[str], where: str
) -> None:
    more = sorted(itertools.filterfalse(names.__contains__, features))
    if more:
        raise BandError(
            f"{where} holds {', '.join(more)}, the first record does not: "
            "shards of two exports; fetch them again"
        )

"""The files of one layer of one cell, read back as the answers of places."""

import math
import os
from collections.abc import Iterator
from collections.abc import Mapping

import numpy as np

from data_prep.earth_engine.asking.guard import check_place
from data_prep.earth_engine.batch.batch_settings import BatchSettings
from data_prep.earth_engine.batch.cells import Cell
from data_prep.earth_engine.batch.tensor_bands import STACK
from data_prep.earth_engine.batch.tensor_bands import STACK_LENGTH
from data_prep.earth_engine.batch.tensor_bands import scalar_bands
from data_prep.earth_engine.batch.tensor_bands import split_stack
from data_prep.earth_engine.layers import GUARD_BANDS
from data_prep.earth_engine.layers import Layer
from data_prep.earth_engine.tfrecord.export_reader import peek_features
from data_prep.earth_engine.tfrecord.export_reader import read_patches
from data_prep.earth_engine.tfrecord.mixer import Mixer
from data_prep.earth_engine.tfrecord.mixer import read_mixer
from s2distill.errors import AnswerError
from s2distill.errors import RecordError
from s2distill.geo.grid import parse_crs

_TOLERANCE_M = 1e-6  # of a position in the mixer


def find_mixer(folder: str) -> str | None:
    """Path of the mixer in the folder of an export; None without one."""
    import tensorflow as tf

    found = tf.io.gfile.glob(os.path.join(folder, "*mixer.json"))
    return sorted(found)[0] if found else None


def read_cell_layer(
    folder: str, settings: BatchSettings, cell: Cell, layer: Layer
) -> Iterator[tuple[int, np.ndarray | AnswerError]]:
    """The patches of an export, each as `computePixels` would answer it.

    Args:
      folder: With the files of the export, local or gs://.
      settings: It was exported with.
      cell: Where.
      layer: What.

    Yields:
      (number of the patch, [H, W] structured answer with the types of the
      layer, whose guard is right; or what is wrong with this patch).

    Raises:
      RecordError: There is no mixer, it is of another export, or files are
        missing, cut or damaged.
      BandError: A band is missing.
    """
    path = find_mixer(folder)
    if path is None:
        raise RecordError(
            f"no mixer in {folder}; it is the last file that an export writes: "
            "if the files were copied, copy them all, with their folders"
        )
    mixer = read_mixer(path)
    _check_mixer(mixer, cell.expected_mixer(layer), path)
    files = os.path.join(folder, "*.tfrecord*")
    kernel = _find_kernel(files, settings.kernel_of(layer), mixer)
    is_tensor = settings.is_tensor(layer)
    patches = read_patches(
        files,
        mixer,
        bands=_exported_bands(layer, is_tensor),
        kernel_px=(kernel, kernel),
        tensor_depths={STACK: len(layer.bands)} if is_tensor else None,
        # The order of an array's numbers is not known yet, so nothing of it
        # can be cut.
        keep_margin=is_tensor,
    )
    for index, _, values in patches:
        try:
            if is_tensor:
                values = split_stack(layer, values, margin_px=kernel // 2)
            answer = to_answer(values, layer)
            check_place(answer, mixer.patch_grid(index))
        except AnswerError as error:
            yield index, error
        else:
            yield index, answer


def to_answer(values: Mapping[str, np.ndarray], layer: Layer) -> np.ndarray:
    """Bands that an export made float32, with the types of the layer again.

    Args:
      values: [H, W] by band.
      layer: Whose bands they are.

    Returns:
      [H, W] structured.

    Raises:
      AnswerError: A number that is not whole, or that the type cannot hold.
    """
    shape = values[layer.bands[0]].shape
    answer = np.empty(shape, list(layer.types.items()))
    for name, kind in layer.types.items():
        plane, limits = values[name], np.iinfo(kind)
        # NaN compares as false, so it is refused too.
        fits = (
            (plane >= limits.min)
            & (plane <= limits.max)
            & (np.floor(plane) == plane)
        )
        if not fits.all():
            row, col = np.argwhere(~fits)[0]
            raise AnswerError(
                f"band {name} is {plane[row, col]:g} at row {row}, column "
                f"{col}; whole numbers from {limits.min} to {limits.max} "
                f"({kind}) are expected"
            )
        answer[name] = plane
    return answer


def _exported_bands(layer: Layer, is_tensor: bool) -> tuple[str, ...]:
    if not is_tensor:
        return layer.bands
    return STACK, STACK_LENGTH, *scalar_bands(layer)


def _find_kernel(files: str, asked: int, mixer: Mixer) -> int:
    """Pixels by which patches were grown.

    The guide says that a patch grows by the kernel in all, the REST reference
    that it grows by it on each side. The length of a band tells which; that
    it was understood well, the guard.
    """
    if not asked:
        return 0
    grown = math.isqrt(peek_features(files)[GUARD_BANDS[0]])
    kernel = grown - mixer.patch_width
    return kernel if kernel in (asked, 2 * asked) else asked


def _check_mixer(found: Mixer, expected: Mixer, path: str) -> None:
    same = (
        parse_crs(found.crs) == parse_crs(expected.crs)
        and np.allclose(
            found.transform, expected.transform, rtol=0, atol=_TOLERANCE_M
        )
        and found.patch_shape == expected.patch_shape
        and found.patches_per_row == expected.patches_per_row
        and found.total_patches == expected.total_patches
    )
    if not same:
        raise RecordError(
            f"{path} is of another export: it says {found}, the cell is "
            f"{expected}"
        )

"""The stack as one array band, and the way back.

With `tensorDepths` Earth Engine cuts an array that is longer than its depth
and pads one that is shorter, and says so nowhere. Beside the array there is
therefore its length, and as bands of their own those that say where it is
and what of it is seen: longitude, latitude, and the validity of each frame.
All of them are in the array too, and must be equal there.

Whether the numbers of an array lie pixel by pixel or channel by channel is
not said either ("channels, height, width", the guide says of images); the
bands that are there twice tell.
"""

from collections.abc import Mapping

import numpy as np

from data_prep.earth_engine.layers import GUARD_BANDS
from data_prep.earth_engine.layers import Layer
from s2distill.errors import AnswerError

STACK = "stack"
STACK_LENGTH = "stack_length"


def scalar_bands(layer: Layer) -> tuple[str, ...]:
    """Bands of a layer that stand beside its array as well."""
    return (
        *(band for band in layer.bands if band.endswith("_valid")),
        *GUARD_BANDS,
    )


def split_stack(
    layer: Layer, values: Mapping[str, np.ndarray], *, margin_px: int = 0
) -> dict[str, np.ndarray]:
    """The bands of a layer from its array.

    Args:
      layer: Whose bands the array holds.
      values: [H, W] of the scalar bands and the length, and [H, W, D] of the
        array, its numbers in the order of the file.
      margin_px: To cut at each side; beyond the box of an export there is
        nothing, not even arrays.

    Returns:
      By band, [H, W] without the margin.

    Raises:
      AnswerError: The array was cut or padded, or is not of these pixels.
    """
    depth = len(layer.bands)
    height, width, _ = values[STACK].shape
    inside = (
        slice(margin_px, height - margin_px),
        slice(margin_px, width - margin_px),
    )
    lengths = np.unique(values[STACK_LENGTH][inside])
    if lengths.tolist() != [depth]:
        raise AnswerError(
            f"arrays of {lengths.min():g} to {lengths.max():g} numbers where "
            f"the layer {layer.name} has {depth} bands: they were cut or "
            "padded; export again"
        )
    flat = values[STACK].reshape(-1)
    by_channel = flat.reshape(depth, height, width)
    by_pixel = np.moveaxis(flat.reshape(height, width, depth), -1, 0)
    for planes in (by_channel, by_pixel):
        bands = {
            name: plane[inside]
            for name, plane in zip(layer.bands, planes, strict=True)
        }
        if all(
            np.array_equal(bands[name], values[name][inside])
            for name in scalar_bands(layer)
        ):
            return bands
    raise AnswerError(
        f"the array of the layer {layer.name} does not agree with the bands "
        "beside it, in no order of its numbers; export again"
    )

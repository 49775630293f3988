"""What a network saw in each window of ground: means and spreads of layers.

A window is a square of `window_px` Sentinel-2 pixels; the last of a row or
column may reach over the edge. Only pixels that some frame shows take part.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

# Mean and spread over the frames of what the network is fed, pixel by pixel.
COMPOSITE = "composite"
# From the ground up; a network has some of them.
LAYERS = ("shift_and_add", "stem", "pool0", "bottleneck", "features")
# A window of which less was seen is not judged: its mean is mostly noise.
LEAST_SEEN = 0.25
_PROBE_PX = 64  # divides by every halving of every network


def find_layers(network: Any, window_px: int) -> dict[str, float]:
    """The layers of a network that can be pooled over windows.

    Args:
      network: Keras model of {"s2", "frame_valid"}.
      window_px: Side of a window, Sentinel-2 pixels.

    Returns:
      Name -> pixels of the layer per Sentinel-2 pixel and axis: a whole
      number, or 1 over one, of which a window holds a whole number.
    """
    names = [layer.name for layer in network.layers if layer.name in LAYERS]
    bands = network.input["s2"].shape[-1]
    shape = (1, 2, _PROBE_PX, _PROBE_PX)
    answers = tap_layers(network, names)(
        {
            "s2": tf.zeros((*shape, bands)),
            "frame_valid": tf.ones(shape),
        },
        training=False,
    )
    scales = {COMPOSITE: 1.0}
    for name in names:
        planes = answers[name]
        scale = planes.shape[1] / _PROBE_PX
        # Not of each frame apart, nor with pixels that two windows share.
        if len(planes) == 1 and window_px * scale % 1 == 0:
            scales[name] = scale
    return scales


def tap_layers(network: Any, names: Sequence[str]) -> keras.Model:
    """The network, answering with the output of some layers besides its own.

    Args:
      network: Keras model whose answers are a dictionary.
      names: Of layers; `COMPOSITE` is passed over, as it is none.

    Returns:
      Model of the same inputs and weights.
    """
    found = {
        name: network.get_layer(name).output
        for name in names
        if name != COMPOSITE
    }
    tapped = keras.Model(network.input, {**network.output, **found})
    # As the network: the model itself would cast what it is fed.
    tapped.dtype_policy = keras.DTypePolicy("float32")
    return tapped


def make_window_features(
    answers: Mapping[str, tf.Tensor],
    inputs: Mapping[str, tf.Tensor],
    scales: Mapping[str, float],
    window_px: int,
) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """Means and spreads of each layer in each window.

    Args:
      answers: Of `tap_layers`; [B, h, w, C] for each layer.
      inputs: s2 [B, T, H, W, C], normalised, 0 where not valid; frame_valid
        [B, T, H, W].
      scales: As `find_layers` returns.
      window_px: Side of a window.

    Returns:
      (name -> [B, ceil(H / window_px), ceil(W / window_px), 2 C] float32,
      means then standard deviations, 0 where nothing was seen; share of each
      window that was seen [B, ..., ...] float32).
    """
    seen = tf.reduce_max(tf.cast(inputs["frame_valid"], tf.float32), axis=1)
    seen = seen[..., tf.newaxis]
    features = {}
    for name, scale in scales.items():
        planes = (
            make_composite(inputs["s2"], inputs["frame_valid"])
            if name == COMPOSITE
            else tf.cast(answers[name], tf.float32)
        )
        weight = _to_grid(seen, scale)
        # Networks that pad what they are fed have layers that reach further.
        height, width = tf.unstack(tf.shape(weight)[1:3])
        planes = planes[:, :height, :width]
        features[name] = _pool(planes, weight, round(window_px * scale))
    share = _sum_windows(_pad(seen, window_px), window_px) / window_px**2
    return features, share[..., 0]


def make_composite(s2: tf.Tensor, frame_valid: tf.Tensor) -> tf.Tensor:
    """[B, T, H, W, C] frames to [B, H, W, 2 C] mean and spread over time."""
    weight = tf.cast(frame_valid, tf.float32)[..., tf.newaxis]
    s2 = tf.cast(s2, tf.float32)
    count = tf.maximum(tf.reduce_sum(weight, axis=1, keepdims=True), 1.0)
    mean = tf.reduce_sum(s2 * weight, axis=1, keepdims=True) / count
    variance = tf.reduce_sum((s2 - mean) ** 2 * weight, 1, True) / count
    both = tf.concat([mean, tf.sqrt(variance)], axis=-1)
    return both[:, 0]


def _to_grid(seen: tf.Tensor, scale: float) -> tf.Tensor:
    """A mask [B, H, W, 1] on the grid of a layer, as shares."""
    if scale >= 1:
        return tf.repeat(tf.repeat(seen, round(scale), 1), round(scale), 2)
    # A pixel over the edge was not seen: the last one counts for its part.
    side = round(1 / scale)
    return _sum_windows(_pad(seen, side), side) / side**2


def _pool(planes: tf.Tensor, weight: tf.Tensor, side: int) -> tf.Tensor:
    """Weighted mean and standard deviation in squares of [B, h, w, C]."""
    planes, weight = _pad(planes, side), _pad(weight, side)
    total = tf.maximum(_sum_windows(weight, side), 1e-6)
    mean = _sum_windows(planes * weight, side) / total
    # In two passes: the square of a mean would drown a small variance.
    fine = tf.repeat(tf.repeat(mean, side, 1), side, 2)
    variance = _sum_windows((planes - fine) ** 2 * weight, side) / total
    return tf.concat([mean, tf.sqrt(variance)], axis=-1)


def _pad(planes: tf.Tensor, side: int) -> tf.Tensor:
    """Zeros at the bottom and right until squares of `side` fit."""
    shape = tf.shape(planes)
    rows, cols = -shape[1] % side, -shape[2] % side
    return tf.pad(planes, [[0, 0], [0, rows], [0, cols], [0, 0]])


def _sum_windows(planes: tf.Tensor, side: int) -> tf.Tensor:
    """[B, h, w, C] to [B, h / side, w / side, C] sums in squares of ground.

    Rows, then columns, each as the middle one of three axes: twice as fast
    as one sum over two of six axes.
    """
    shape, channels = tf.shape(planes), planes.shape[-1]
    rows, cols = shape[1] // side, shape[2] // side
    strips = tf.reshape(planes, [shape[0] * rows, side, shape[2] * channels])
    strips = tf.reduce_sum(strips, axis=1)
    squares = tf.reshape(strips, [shape[0] * rows * cols, side, channels])
    squares = tf.reduce_sum(squares, axis=1)
    return tf.reshape(squares, [shape[0], rows, cols, channels])

"""Where each frame lies against the others, to a tenth of a pixel.

Refined Sentinel-2 products are placed to about 0.3 px. That is a blessing:
frames that sample the ground at different places together hold detail that
no one of them does, once it is known where each lies.

Frames stand last but for their bands here, [B, H, W, T, C], so that all that
was seen of a place is one matrix.
"""

from typing import Any

from keras import ops

# Refined products rarely err by more; beyond a pixel the linear model fails.
MAX_SHIFT_PX = 0.9
# Shifts vary slowly, with the attitude of the satellite and with terrain. A
# window, not the whole picture, also makes the answer at a place independent
# of how a map was cut, but for its margins: 150 m hold enough edges. Smaller
# pictures, as in training, are windows of their own, and a little less exact.
_WINDOW_PX = 15
# Added to the information about a shift, so that ground without edges gives
# 0: a flat window knows nothing, and 0 is then the likeliest.
_PRIOR_INFORMATION = 0.05
# Variance of sensor noise and of what registration cannot explain, in units
# of normalised reflectance; keeps a band that fits perfectly from deciding.
_NOISE_VARIANCE = 0.01


def frame_shifts_px(frames: Any, frame_valid: Any) -> Any:
    """By how much the ground of each frame appears displaced from the mean's.

    To first order a frame f of shift s is m - s . grad m, with m the mean of
    the frames. Around each pixel the s of least squares is taken, after each
    band of f - m has lost its mean there (haze, season), with bands weighted
    by how well they agree. The gradient keeps its mean: ground whose brightness
    only rises evenly cannot tell a shift from haze, and shifts found on such
    broad shapes are too small (half, for waves of 24 px).

    Args:
      frames: [B, H, W, T, C] float32 normalised reflectance, 0 where invalid.
      frame_valid: [B, H, W, T] float32, 1 where a frame shows the ground.

    Returns:
      [B, H, W, T, 2] float32: (x, y), to the right and down, each within
      `MAX_SHIFT_PX`; 0 where nothing is known.

    Source:
      Lucas and Kanade 1981, "An Iterative Image Registration Technique with
      an Application to Stereo Vision", one step of it.
    """
    seen = frame_valid[..., None]
    count = ops.sum(seen, axis=3)
    mean = ops.sum(frames, axis=3) / ops.maximum(count, 1.0)
    above, _, below = neighbours(mean, axis=1)
    left, _, right = neighbours(mean, axis=2)
    slope_x, slope_y = (right - left) / 2, (below - above) / 2
    # No slope is known at the border, nor beside what no frame has seen.
    known = ops.cast(count > 0, seen.dtype)
    above, here, below = neighbours(known, axis=1)
    left, _, right = neighbours(known, axis=2)
    seen = seen * (here * above * below * left * right)[..., None]
    apart, weight = _centre_and_weigh(
        seen * (frames - mean[..., None, :]), seen
    )
    squares = ops.stack(
        [ops.square(slope_x), ops.square(slope_y), slope_x * slope_y], axis=-1
    )
    slopes = ops.stack([slope_x, slope_y], axis=-1)
    # Sums over the bands, [T, C] x [C, 3 or 2] at each place.
    agreement = ops.concatenate(
        [ops.matmul(weight, squares), ops.matmul(weight * apart, slopes)],
        axis=-1,
    )
    information = _window_mean(seen * agreement)
    xx, yy, xy, ax, ay = ops.split(information, 5, axis=-1)
    xx, yy = xx + _PRIOR_INFORMATION, yy + _PRIOR_INFORMATION
    moved = ops.concatenate([yy * ax - xy * ay, xx * ay - xy * ax], axis=-1)
    return ops.clip(-moved / (xx * yy - xy * xy), -MAX_SHIFT_PX, MAX_SHIFT_PX)


def neighbours(x: Any, axis: int) -> list[Any]:
    """[B, H, W, ...] shifted so that each pixel holds its neighbour.

    Args:
      x: Whatever the pixels hold.
      axis: 1 for the rows above, here and below; 2 for the columns.

    Returns:
      Three arrays, in that order, with zeros beyond the border.
    """
    size = ops.shape(x)[axis]
    padding = [(0, 0)] * len(x.shape)
    padding[axis] = (1, 1)
    padded = ops.pad(x, padding)
    if axis == 1:
        return [padded[:, k : k + size] for k in range(3)]
    return [padded[:, :, k : k + size] for k in range(3)]


def _centre_and_weigh(apart: Any, seen: Any) -> tuple[Any, Any]:
    """Differences less their mean in the window, and 1 / their variance."""
    per_share = 1 / ops.maximum(_window_mean(seen), 1e-6)
    mean = _window_mean(apart) * per_share
    variance = _window_mean(ops.square(apart)) * per_share - ops.square(mean)
    return apart - mean, 1 / (ops.maximum(variance, 0.0) + _NOISE_VARIANCE)


def _window_mean(x: Any) -> Any:
    """[B, H, W, T, C]: the mean around each pixel, of what is in the image."""
    _, height, width, frames, channels = ops.shape(x)
    x = ops.reshape(x, (-1, height, width, frames * channels))
    for size in ((_WINDOW_PX, 1), (1, _WINDOW_PX)):
        x = ops.average_pool(x, size, strides=1, padding="same")
    return ops.reshape(x, (-1, height, width, frames, channels))

"""More weight for the pixels of a mask that lie near its outlines.

Outlines are where masks at 50 cm from 10 m frames are won or lost, and a few
per cent of the ground.
"""

from typing import Any

from keras import ops

from s2distill.errors import ConfigError


def weigh_edges(
    probs: Any, weight: Any, *, edge_weight: float, radius_px: int
) -> Any:
    """Weights raised near edges of the target.

    How much of an edge is near is the range of the target within a square
    window: 1 across the outline of a hard mask, less where a soft one is
    undecided. Pixels without weight make no edge.

    Args:
      probs: [B, h, w, 1] in [0, 1].
      weight: [B, h, w, 1], at least 0.
      edge_weight: Added share: a pixel at a hard edge weighs 1 + this.
      radius_px: Of the window, which is 2 radius_px + 1 wide.

    Returns:
      [B, h, w, 1], at least `weight`.

    Raises:
      ConfigError: If the radius is less than a pixel.
    """
    if radius_px < 1:
        raise ConfigError(f"radius_px must be at least 1, got {radius_px}")
    known = ops.cast(weight > 0, probs.dtype)
    # As a maximum too, so that both take one pass: 1 - the minimum.
    pair = ops.concatenate([probs * known, (1 - probs) * known], axis=-1)
    side = 2 * radius_px + 1
    for window in ((side, 1), (1, side)):
        pair = ops.max_pool(pair, window, strides=1, padding="same")
    highest, one_minus_lowest = ops.split(pair, 2, axis=-1)
    edge = ops.maximum(highest + one_minus_lowest - 1, 0.0)
    return weight * (1 + edge_weight * edge)

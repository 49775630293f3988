"""Masks of buildings and roads: confusion counts of tiles, IoU and mIoU.

Counts are summed over all valid pixels of all tiles before any ratio is
taken (method: not averaged over tiles), so that an empty tile does not count
as much as a full one.

Shapes: ..., any leading axes of sums, for example bootstrap replicates.
"""

import numpy as np

from s2distill.evaluation.ratio import ratio

PRESENCE = 0.5  # a pixel is a building, or road, from here on


def sum_confusion(
    probs: np.ndarray, label: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Confusion counts of one tile.

    Args:
      probs: [h, w] in 0 to 1.
      label: [h, w], 1 where it is truly there.
      weight: [h, w], above 0 where the label is known.

    Returns:
      [4] float64: pixels found, invented, missed, rightly empty.
    """
    known = weight > 0
    predicted = probs[known] >= PRESENCE
    true = label[known] >= 0.5
    return np.array(
        [
            np.sum(predicted & true),
            np.sum(predicted & ~true),
            np.sum(~predicted & true),
            np.sum(~predicted & ~true),
        ],
        np.float64,
    )


def iou(sums: np.ndarray) -> np.ndarray:
    """[..., 4] counts to [...] IoU; NaN where neither side has a pixel."""
    found, invented, missed, _ = np.moveaxis(sums, -1, 0)
    return ratio(found, found + invented + missed)


def miou(sums: np.ndarray) -> np.ndarray:
    """[..., 4] counts to [...] mean of the IoU of the class and of its absence.

    NaN where one of the two is undefined: a mean over the one class that is
    there would look like a very good score.
    """
    _, invented, missed, empty = np.moveaxis(sums, -1, 0)
    absent = ratio(empty, empty + invented + missed)
    return (iou(sums) + absent) / 2

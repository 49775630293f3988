"""Invented and missed buildings per km2, found as connected objects.

An object counts from 25 m2. It is matched when it overlaps an object of the
other side at IoU 0.1 or more; that one may be smaller than 25 m2, so that a
building near the bound is not invented by one pixel of difference. Objects
touch along edges, not corners, or rows of houses would join.
"""

import numpy as np
import scipy.ndimage

from s2distill.evaluation.ratio import ratio
from s2distill.evaluation.segmentation import PRESENCE

MATCH_IOU = 0.1
# Lower edges of the size classes, m2; the first is the least that counts,
# the last has no upper edge. A hut or garage, a house, a hall or block.
SIZE_EDGES_M2 = (25.0, 100.0, 400.0)
SIZE_NAMES = ("25_100_m2", "100_400_m2", "over_400_m2")

_M2_PER_KM2 = 1e6


def sum_objects(
    probs: np.ndarray,
    label: np.ndarray,
    weight: np.ndarray,
    *,
    gsd_m: float,
) -> np.ndarray:
    """Sums of one tile, size class by size class.

    Args:
      probs: [h, w] in 0 to 1.
      label: [h, w], 1 on true buildings.
      weight: [h, w], above 0 where the truth is known.
      gsd_m: Side of a pixel.

    Returns:
      [3 classes, 5] float64: invented, predicted, missed, true objects, and
      the known area in km2, the same in each class.
    """
    known = weight > 0
    predicted, predicted_px = _label_objects((probs >= PRESENCE) & known)
    true, true_px = _label_objects((label >= 0.5) & known)
    best_predicted, best_true = _best_ious(
        predicted, predicted_px, true, true_px
    )
    area_m2 = gsd_m**2
    classes = len(SIZE_EDGES_M2)
    sums = np.zeros((classes, 5))
    for column, sizes_px, best_iou in (
        (0, predicted_px, best_predicted),
        (2, true_px, best_true),
    ):
        size_class = np.searchsorted(SIZE_EDGES_M2, sizes_px * area_m2, "right")
        unmatched = size_class[best_iou < MATCH_IOU]
        # Class 0 is below the first edge: too small to count.
        sums[:, column] = _count_classes(unmatched)
        sums[:, column + 1] = _count_classes(size_class)
    sums[:, 4] = np.sum(known) * area_m2 / _M2_PER_KM2
    return sums


def invented_per_km2(sums: np.ndarray) -> np.ndarray:
    """[..., 3, 5] sums to [...] predicted objects without a true one."""
    return ratio(sums[..., 0].sum(axis=-1), sums[..., 0, 4])


def missed_per_km2(sums: np.ndarray) -> np.ndarray:
    """[..., 3, 5] sums to [...] true objects without a predicted one."""
    return ratio(sums[..., 2].sum(axis=-1), sums[..., 0, 4])


def invented_per_km2_by_size(sums: np.ndarray) -> np.ndarray:
    """[..., 3, 5] sums to [..., 3], by size of the predicted object."""
    return ratio(sums[..., 0], sums[..., 4])


def missed_per_km2_by_size(sums: np.ndarray) -> np.ndarray:
    """[..., 3, 5] sums to [..., 3], by size of the true object."""
    return ratio(sums[..., 2], sums[..., 4])


def _label_objects(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[h, w] numbers from 1, 0 outside, and the [objects] sizes in pixels."""
    numbers, objects = scipy.ndimage.label(inside)
    sizes = np.bincount(numbers.ravel(), minlength=objects + 1)[1:]
    return numbers, sizes


def _best_ious(
    first: np.ndarray,
    first_px: np.ndarray,
    second: np.ndarray,
    second_px: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """For each object of each side, its best IoU with one of the other."""
    both = (first > 0) & (second > 0)
    pairs, shared_px = np.unique(
        np.stack([first[both], second[both]]), axis=1, return_counts=True
    )
    i, j = pairs - 1
    ious = shared_px / (first_px[i] + second_px[j] - shared_px)
    best_first = np.zeros(len(first_px))
    best_second = np.zeros(len(second_px))
    np.maximum.at(best_first, i, ious)
    np.maximum.at(best_second, j, ious)
    return best_first, best_second


def _count_classes(size_class: np.ndarray) -> np.ndarray:
    classes = len(SIZE_EDGES_M2)
    return np.bincount(size_class, minlength=classes + 1)[1:]

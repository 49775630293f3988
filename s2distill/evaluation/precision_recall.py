"""Precision and recall over all thresholds, from the fine histogram.

The histogram is that of `calibration.sum_histogram`: thresholds are its 512
steps of presence.
"""

import dataclasses

import numpy as np

from s2distill.evaluation.calibration import STEPS
from s2distill.evaluation.ratio import ratio


@dataclasses.dataclass(frozen=True)
class PrecisionRecall:
    """A curve, by rising threshold.

    Attributes:
      threshold: [512] presence from which a pixel counts as there.
      precision: [512] share of those that are truly there; NaN for none.
      recall: [512] share of the true ones among them; NaN without truth.
    """

    threshold: np.ndarray
    precision: np.ndarray
    recall: np.ndarray


def precision_recall_curve(histogram: np.ndarray) -> PrecisionRecall:
    """The curve of a [3, 512] histogram."""
    precision, recall = _precision_recall(histogram)
    return PrecisionRecall(np.arange(STEPS) / STEPS, precision, recall)


def average_precision(histogram: np.ndarray) -> np.ndarray:
    """Sum of precision times growth of recall, without interpolation.

    Args:
      histogram: [..., 3, 512] sums.

    Returns:
      [...] in 0 to 1; NaN where nothing is truly there.
    """
    precision, recall = _precision_recall(histogram)
    following = np.concatenate(
        [recall[..., 1:], np.zeros_like(recall[..., :1])], axis=-1
    )
    growth = recall - following
    # Above the highest presence no pixel is left: precision is undefined
    # there, and recall does not grow.
    return np.where(growth == 0, 0.0, precision * growth).sum(axis=-1)


def _precision_recall(
    histogram: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """[..., 3, 512] sums to [..., 512] precision and recall."""
    from_above = np.cumsum(histogram[..., ::-1].astype(np.float64), axis=-1)[
        ..., ::-1
    ]
    pixels, true = from_above[..., 0, :], from_above[..., 2, :]
    return ratio(true, pixels), ratio(true, true[..., :1])

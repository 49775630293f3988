"""How well an out-of-distribution score tells known places from others.

Scores are those of windows; NaN marks a window that showed too little to be
judged, and takes no part.
"""

import numpy as np
import scipy.stats

from s2distill.evaluation.ratio import ratio

ALARM = 1.0  # from here on a window is unlike what the model was trained on


def area_under_roc(inside: np.ndarray, outside: np.ndarray) -> float:
    """Chance that a window from outside scores above one from inside.

    Ties count half.

    Args:
      inside: Scores in distribution, any shape.
      outside: Scores out of distribution, any shape.

    Returns:
      0 to 1, 0.5 for a score that tells nothing; NaN where a side is empty.

    Source:
      Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747 (the area
      is the statistic of Mann and Whitney, over all pairs).
    """
    inside, outside = _judged(inside), _judged(outside)
    ranks = scipy.stats.rankdata(np.concatenate([inside, outside]))
    above = ranks[len(inside) :].sum() - len(outside) * (len(outside) + 1) / 2
    return float(ratio(above, len(inside) * len(outside)))


def alarm_share(scores: np.ndarray, threshold: float = ALARM) -> float:
    """Share of the judged windows that score above the threshold.

    In distribution it is the rate of false alarms; outside, of those caught.

    Args:
      scores: Any shape.
      threshold: Of the score.

    Returns:
      0 to 1; NaN without a judged window.
    """
    judged = _judged(scores)
    return float(ratio(np.sum(judged > threshold), len(judged)))


def _judged(scores: np.ndarray) -> np.ndarray:
    flat = np.asarray(scores, np.float64).ravel()
    return flat[~np.isnan(flat)]

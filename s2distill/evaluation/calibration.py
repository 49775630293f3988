"""Whether presence means what it says, from a fine histogram of each tile.

A histogram of 512 equal steps of presence is additive over tiles and small
(6 kB), so curves, calibration and their bootstrap need no pixel again. Each
step keeps its own sum of presence: means are exact, only the order within a
step is lost, which moves no result by more than a step, 0.002.
"""

import numpy as np
import scipy.optimize

from s2distill.evaluation.ratio import ratio

STEPS = 512
ECE_BINS = 15
_TEMPERATURES = (0.1, 10.0)  # a network further off needs training
_BIASES = (-5.0, 5.0)  # likewise


def sum_histogram(
    probs: np.ndarray, label: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Histogram of one tile.

    Args:
      probs: [h, w] in 0 to 1.
      label: [h, w], 1 where it is truly there.
      weight: [h, w], above 0 where the label is known.

    Returns:
      [3, 512] float32: pixels, sum of presence, pixels truly there. A tile
      has less than 2**24 pixels, so counts are exact.
    """
    known = weight > 0
    p = probs[known].astype(np.float64)
    step = np.clip((p * STEPS).astype(np.int64), 0, STEPS - 1)
    return np.stack(
        [
            np.bincount(step, minlength=STEPS),
            np.bincount(step, p, minlength=STEPS),
            np.bincount(step[label[known] >= 0.5], minlength=STEPS),
        ]
    ).astype(np.float32)


def reliability_curve(
    histogram: np.ndarray, bins: int = ECE_BINS
) -> tuple[np.ndarray, np.ndarray]:
    """Mean presence and true share in bins of equal mass.

    Where a bin ends within a step of the histogram, the step is shared out
    in proportion, so bins have the same mass even when most pixels have the
    same presence.

    Args:
      histogram: [3, 512] sums.
      bins: Number of bins.

    Returns:
      ([bins] mean presence, [bins] share truly there); NaN without a pixel.
    """
    pixels, presence, true = _cut_equal_mass(histogram, bins)
    return ratio(presence, pixels), ratio(true, pixels)


def expected_calibration_error(histogram: np.ndarray) -> np.ndarray:
    """Mean distance of presence from the true share, 15 equal-mass bins.

    Args:
      histogram: [..., 3, 512] sums.

    Returns:
      [...] in 0 to 1; NaN without a pixel.

    Source:
      Nguyen and O'Connor 2015, arXiv:1508.05154, section 4 (equal mass).
    """
    flat = histogram.reshape(-1, *histogram.shape[-2:])
    off = []
    for one in flat:
        _, presence, true = _cut_equal_mass(one, ECE_BINS)
        off.append(np.abs(presence - true).sum())
    errors = ratio(np.array(off), flat[:, 0].sum(axis=-1))
    return errors.reshape(histogram.shape[:-2])


def fit_presence(histogram: np.ndarray) -> tuple[float, float] | None:
    """The temperature and the bias by which presence is calibrated.

    sigmoid(logit / temperature + bias) minimises the cross-entropy over the
    pixels of the histogram, each step standing at its mean presence. The
    bias is needed where the loss asked for masks that overlap well: they are
    best cut below a presence of 0.5, and no temperature moves 0.5.

    Args:
      histogram: [3, 512] sums over the validation split.

    Returns:
      (temperature in 0.1 to 10, bias in -5 to 5); None where one class has no
      pixel.

    Source:
      Platt 1999, "Probabilistic outputs for support vector machines"; Guo et
      al. 2017, arXiv:1706.04599, section 4.2.
    """
    pixels, presence, true = histogram[:, histogram[0] > 0].astype(np.float64)
    if true.sum() in (0, pixels.sum()):
        return None
    # float32 sums may put a mean at exactly 0 or 1.
    mean = np.clip(presence / pixels, 1e-7, 1 - 1e-7)
    logits = np.log(mean) - np.log1p(-mean)

    def cross_entropy(log_temperature_bias: np.ndarray) -> float:
        log_temperature, bias = log_temperature_bias
        x = logits / np.exp(log_temperature) + bias
        return float(np.sum(pixels * np.logaddexp(0, x) - true * x))

    # Nats per pixel: the search stops at changes of a certain size.
    found = scipy.optimize.minimize(
        lambda x: cross_entropy(x) / pixels.sum(),
        np.zeros(2),
        method="L-BFGS-B",
        bounds=(tuple(np.log(_TEMPERATURES)), _BIASES),
        options={"ftol": 1e-12, "gtol": 1e-9},
    )
    log_temperature, bias = found.x
    return float(np.exp(log_temperature)), float(bias)


def _cut_equal_mass(histogram: np.ndarray, bins: int) -> np.ndarray:
    """[3, 512] sums to [3, bins] sums of equal mass."""
    occupied = histogram[:, histogram[0] > 0].astype(np.float64)
    running = np.concatenate(
        [np.zeros((3, 1)), np.cumsum(occupied, axis=1)], axis=1
    )
    edges = np.linspace(0, running[0, -1], bins + 1)
    at_edges = [np.interp(edges, running[0], row) for row in running]
    return np.diff(at_edges, axis=1)

"""Losses of the six answers, each as a sum and its weight.

A mean over the valid pixels of one replica is not the mean over those of
the whole batch, so nothing here divides: `objective.combine` does, once.

Shapes: everything is [B, h, w, 1] float32 on the label grid. `weight` is 0
where a target is unknown; what is predicted there has no influence, nor has
the target, which is finite.
"""

from typing import Any

from keras import ops

# Kept from 0 so that logarithms stay finite; below any density that counts.
_DENSITY_EPSILON = 1e-7
_HEIGHT_UNIT_M = 10.0


def binary_cross_entropy(
    logits: Any, probs: Any, weight: Any, *, temperature: float = 1.0
) -> tuple[Any, Any]:
    """Cross-entropy from probabilities, hard or soft, to logits.

    Args:
      logits: Any real numbers.
      probs: Targets in [0, 1].
      weight: At least 0.
      temperature: Softens both: probabilities p become
        sigmoid(logit(p) / temperature), logits are divided by it, and the
        loss is multiplied by its square, which keeps the size of the
        gradient (Hinton et al. 2015, arXiv:1503.02531, section 2.1).

    Returns:
      (sum of weighted nats, sum of weights), scalars.
    """
    logits = _known(logits, weight)
    if temperature != 1.0:
        bounded = ops.clip(probs, 1e-4, 1 - 1e-4)
        teacher_logits = ops.log(bounded) - ops.log1p(-bounded)
        probs = ops.sigmoid(teacher_logits / temperature)
        logits = logits / temperature
    # log(1 + exp(x)) - x p; one pass, and it never overflows.
    total, number = _weighted(ops.softplus(logits) - logits * probs, weight)
    return total * temperature**2, number


def overlap_loss(logits: Any, probs: Any, weight: Any) -> tuple[Any, Any]:
    """One minus the soft intersection over union of the whole batch.

    Cross-entropy alone leaves small buildings below one half for long; this
    pulls a mask towards the score it is judged by. In the form used, unlike
    that of products, it is least where both agree, for soft targets too.

    Args:
      logits: Any real numbers.
      probs: Targets in [0, 1].
      weight: At least 0.

    Returns:
      (loss in [0, 1] times the sum of weights, sum of weights): a ratio of
      sums, which replicas must not average but can only approximate.

    Source:
      Wang et al. 2023, "Jaccard Metric Losses", arXiv:2302.05666, eq. (6).
    """
    found = ops.sigmoid(_known(logits, weight))
    both, total = _weighted(found + probs, weight)
    apart, _ = _weighted(ops.absolute(found - probs), weight)
    # One pixel of grace keeps an empty batch at 0.
    return (1 - (both - apart + 2) / (both + apart + 2)) * total, total


def density_divergence(
    density: Any, target: Any, weight: Any
) -> tuple[Any, Any]:
    """Generalised Kullback-Leibler divergence of two densities.

    t log(t / d) - t + d: the deviance of a Poisson count, whose minimum
    under uncertainty is the expected density, so that sums stay unbiased.

    Args:
      density: Predicted, buildings per pixel, >= 0.
      target: True or the teacher's, buildings per pixel, >= 0.
      weight: At least 0.

    Returns:
      (sum in nats, number of buildings in the target plus one). Counting by
      buildings, not pixels, keeps the loss of an average scene near 1.
    """
    d = _known(density, weight) + _DENSITY_EPSILON
    t = ops.maximum(target, 0.0) + _DENSITY_EPSILON
    total, _ = _weighted(t * (ops.log(t) - ops.log(d)) - t + d, weight)
    buildings, _ = _weighted(t, weight)
    return total, buildings + ops.cast(ops.any(weight > 0), buildings.dtype)


def height_error(height_m: Any, target_m: Any, weight: Any) -> tuple[Any, Any]:
    """Absolute error of height, heavier on tall buildings, per 10 m.

    A pixel of a building of 10 m weighs twice one of 0 m: tall ones are
    few, and a plain mean squashes them.

    Args:
      height_m: Predicted, m above ground.
      target_m: True or the teacher's, m above ground.
      weight: At least 0; 1 on building pixels of known height.

    Returns:
      (sum in units of 10 m, sum of weights).
    """
    tallness = 1.0 + ops.maximum(target_m, 0.0) / _HEIGHT_UNIT_M
    error_m = ops.absolute(_known(height_m, weight) - target_m)
    total, number = _weighted(error_m, weight * tallness)
    return total / _HEIGHT_UNIT_M, number


def height_scale_nats(
    scale_m: Any, error_m: Any, weight: Any
) -> tuple[Any, Any]:
    """Negative log-likelihood of errors under a Laplace distribution.

    |e| / b + log(2 b), least where b is the mean of |e|. It teaches the scale
    alone: were the height to learn from it too, a large b would buy off the
    buildings that are hard, which are the tall ones. And it weighs all
    buildings alike, so that intervals cover what they say of all of them.

    Args:
      scale_m: Predicted scale b, above 0.
      error_m: |e|, as `absolute_error_m` gives it; gets no gradient.
      weight: At least 0.

    Returns:
      (sum in nats, sum of weights).
    """
    error_m = _known(ops.stop_gradient(error_m), weight)
    scale_m = ops.where(weight > 0, scale_m, 1.0)
    return _weighted(error_m / scale_m + ops.log(2.0 * scale_m), weight)


def absolute_error_m(height_m: Any, target_m: Any, spread_m: Any = None) -> Any:
    """What |height - truth| is to be expected, m.

    Where the truth is Laplace distributed about the target with scale s, and
    the height lies d beside the target, it is |d| + s exp(-|d| / s): s where
    both agree, |d| where they are far apart.

    Args:
      height_m: Predicted.
      target_m: A label, or a teacher's height.
      spread_m: Scale s of the target, a teacher's; 0 at labels. None is 0.
    """
    apart = ops.absolute(height_m - target_m)
    if spread_m is None:
        return apart
    # At s = 0 the second term is 0 whatever the exponential is.
    return apart + spread_m * ops.exp(-apart / ops.maximum(spread_m, 1e-3))


def image_error(image: Any, target: Any, weight: Any) -> tuple[Any, Any]:
    """Absolute error of the grey image, both in [0, 1]."""
    return _weighted(ops.absolute(_known(image, weight) - target), weight)


def _known(predicted: Any, weight: Any) -> Any:
    """Nothing where the weight is 0, which must silence NaN and infinity."""
    return ops.where(weight > 0, predicted, 0.0)


def _weighted(values: Any, weight: Any) -> tuple[Any, Any]:
    return ops.sum(values * weight), ops.sum(weight)

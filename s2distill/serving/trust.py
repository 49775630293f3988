"""How unlike the training places a window of ground is, to the network itself.

Each window is described by means and spreads of some layers. Its distance to
the windows of the training places is Mahalanobis', layer by layer, and the
score is the mean over the layers of the distance in units of a limit that few
held-out windows exceed. Nothing out of distribution is needed to fit it.

Source: Lee et al. 2018, arXiv:1807.03888, sections 2.1 and 2.2, with one
Gaussian in place of one for each class.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from s2distill.errors import ConfigError
from s2distill.serving.window_features import LEAST_SEEN
from s2distill.serving.window_features import make_window_features

WINDOW_PX = 16  # 160 m
ALARM_SHARE = 0.03  # of held-out windows in distribution, at most
LEAST_WINDOWS = 32  # fewer make no covariance and no limit
# Windows of one scene share its light: fewer independent ones than the
# formula of shrinkage counts. Of 3, 10, 30 and diagonal matrices the third
# told unseen towns best (384 simulated windows).
_SHRINKAGE_FACTOR = 30.0
_MOST_SHRINKAGE = 0.6
# Of a column, beside those of the layer: a channel that was silent in
# training must not shout at its first whisper.
_LEAST_SPREAD = 0.01


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LayerTrust:
    """The windows of the training places, as one layer describes them.

    Attributes:
      scale: Pixels of the layer per Sentinel-2 pixel and axis.
      mean: [D] float32.
      whitening: [D, D] float32; takes the distance from the mean to
        independent numbers of variance 1.
      limit: Distance that few held-out windows exceed, above 0.
    """

    scale: float
    mean: np.ndarray
    whitening: np.ndarray
    limit: float


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Trust:
    """What the score is computed from.

    Attributes:
      window_px: Side of a window, Sentinel-2 pixels.
      layers: Name -> its statistics.
      threshold: Mean over the layers from which the score is above 1.
    """

    window_px: int
    layers: Mapping[str, LayerTrust]
    threshold: float

    @property
    def scales(self) -> dict[str, float]:
        """Name of a layer -> its pixels per Sentinel-2 pixel."""
        return {name: layer.scale for name, layer in self.layers.items()}

    def score(
        self, answers: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tf.Tensor:
        """The score of each window.

        Args:
          answers: Of `window_features.tap_layers` for these layers.
          inputs: s2 [B, T, H, W, C], normalised; frame_valid [B, T, H, W].

        Returns:
          [B, ceil(H / window_px), ceil(W / window_px), 1] float32, above 1 =
          unlike anything it was trained on; NaN where less than a quarter of
          the window was seen.
        """
        features, seen = make_window_features(
            answers, inputs, self.scales, self.window_px
        )
        distances = [
            _distance(features[name], layer.mean, layer.whitening) / layer.limit
            for name, layer in self.layers.items()
        ]
        score = tf.add_n(distances) / (len(distances) * self.threshold)
        score = tf.where(seen >= LEAST_SEEN, score, float("nan"))
        return score[..., tf.newaxis]


def fit_trust(
    training: Mapping[str, np.ndarray],
    held_out: Mapping[str, np.ndarray],
    *,
    scales: Mapping[str, float],
    window_px: int = WINDOW_PX,
    alarm_share: float = ALARM_SHARE,
) -> Trust:
    """Fits the score to windows in distribution.

    Args:
      training: Layer -> [N, D] features of windows of the training places.
      held_out: Layer -> [M, D] of places that were not trained on.
      scales: Layer -> pixels per Sentinel-2 pixel.
      window_px: Side of the windows.
      alarm_share: How many windows of new places in distribution may score
        above 1.

    Returns:
      Trust.

    Raises:
      ConfigError: Fewer than 32 windows on either side.
    """
    for name, side in (("training", training), ("held-out", held_out)):
        windows = min(len(features) for features in side.values())
        if windows < LEAST_WINDOWS:
            raise ConfigError(
                f"{windows} {name} windows of {window_px} px are too few to "
                f"tell what is usual, {LEAST_WINDOWS} are needed: give more "
                "records or smaller windows"
            )
    layers, in_limits = {}, []
    for name, scale in scales.items():
        mean, whitening = fit_gaussian(training[name])
        distances = _distance(held_out[name], mean, whitening).numpy()
        limit = upper_limit(distances, alarm_share)
        layers[name] = LayerTrust(
            scale=scale, mean=mean, whitening=whitening, limit=limit
        )
        in_limits.append(distances / limit)
    return Trust(
        window_px=window_px,
        layers=layers,
        threshold=upper_limit(np.mean(in_limits, axis=0), alarm_share),
    )


def fit_gaussian(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and whitening of features, with a covariance that is shrunk.

    Args:
      features: [N, D].

    Returns:
      (mean [D], whitening [D, D]) float32: (x - mean) @ whitening has
      uncorrelated columns of variance about 1.
    """
    features = features.astype(np.float64)
    mean = features.mean(axis=0)
    spread = features.std(axis=0)
    usual = float(np.sqrt(np.mean(spread**2))) or 1.0
    spread = np.maximum(spread, _LEAST_SPREAD * usual)
    standard = (features - mean) / spread
    covariance = standard.T @ standard / len(standard)
    share = min(_MOST_SHRINKAGE, _SHRINKAGE_FACTOR * shrinkage(standard))
    covariance *= 1 - share
    covariance[np.diag_indices_from(covariance)] += share
    values, vectors = np.linalg.eigh(covariance)
    whitening = vectors / np.sqrt(values) / spread[:, np.newaxis]
    return mean.astype(np.float32), whitening.astype(np.float32)


def shrinkage(centred: np.ndarray) -> float:
    """How far a covariance is best shrunk to a multiple of the identity.

    Args:
      centred: [N, D] of mean 0.

    Returns:
      The share of the identity, 0 to 1.

    Source:
      Ledoit and Wolf 2004, doi:10.1016/S0047-259X(03)00096-4, section 3.2.
    """
    number, dimensions = centred.shape
    covariance = centred.T @ centred / number
    squares = np.sum(covariance**2)
    level = np.trace(covariance) / dimensions
    off = squares - dimensions * level**2
    noise = np.mean(np.sum(centred**2, axis=1) ** 2) - squares
    return float(np.clip(noise / number / off, 0.0, 1.0)) if off > 0 else 1.0


def upper_limit(distances: np.ndarray, alarm_share: float) -> float:
    """The distance that at most a share of new windows exceeds, on average.

    That of the k-th largest of M, k = floor(share (M + 1)): a new one is as
    likely to fall into any of the M + 1 gaps. Where k would be 0, the largest.

    Args:
      distances: [M] of held-out windows.
      alarm_share: In 0 to 1.

    Returns:
      One of the distances.
    """
    k = max(1, math.floor(alarm_share * (len(distances) + 1)))
    return float(np.sort(distances)[-k])


def _distance(
    features: Any, mean: np.ndarray, whitening: np.ndarray
) -> tf.Tensor:
    """[..., D] to [...] Mahalanobis distance over the root of D."""
    centred = tf.cast(features, tf.float32) - mean
    independent = tf.tensordot(centred, tf.constant(whitening), axes=1)
    return tf.sqrt(tf.reduce_mean(independent**2, axis=-1))

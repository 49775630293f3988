"""Intervals of scores: tiles are drawn again with replacement.

Tiles, not pixels: pixels of one tile share a town, a sun and a cloud, and
would give intervals that are far too narrow.
"""

import numpy as np

REPLICATES = 500
LEVEL = 0.95
_SEED = 20_230_731
_MIN_DEFINED_SHARE = 0.5


def draw_weights(tiles: int, replicates: int = REPLICATES) -> np.ndarray:
    """How often each tile is drawn in each replicate.

    The draw depends on the number of tiles alone, so two models scored on
    the same tiles have the same replicates and can be compared in pairs.

    Args:
      tiles: Number of tiles.
      replicates: Number of replicates.

    Returns:
      [replicates, tiles] float64; each row sums to `tiles`.
    """
    rng = np.random.default_rng(_SEED)
    shares = np.full(tiles, 1 / tiles)
    return rng.multinomial(tiles, shares, size=replicates).astype(np.float64)


def replicate_sums(sums: np.ndarray) -> np.ndarray:
    """The sums of each replicate.

    Args:
      sums: [tiles, ...] additive sums.

    Returns:
      [replicates, ...]; a score function makes [replicates] scores of them.
    """
    return np.tensordot(draw_weights(len(sums)), sums, axes=1)


def percentile_interval(replicates: np.ndarray) -> tuple[float, float] | None:
    """The central 95 % of [replicates] scores.

    None where fewer than half of the replicates are defined: what is left
    would describe only the draws that happened to hold the rare tile.
    """
    defined = replicates[np.isfinite(replicates)]
    if len(defined) < _MIN_DEFINED_SHARE * len(replicates):
        return None
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)

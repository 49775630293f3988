"""Which order of bands fits some statistics: those of a model, say."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize

if TYPE_CHECKING:
    from s2distill.data.normalize import BandStatistics

# Mean distance of logarithms, said less best order. Natural differences of
# season and ground gain up to 0.1 by a change of order, and leave the best
# order far away; data of the same kind fit to less than 0.08.
_GAIN, _FIT = 0.04, 0.08
_GROSS_GAIN = 0.15
_AGREES = 0.02
_LEAST_REFLECTANCE = 1e-4
_OF_SPREAD = 0.5  # spreads differ more between seasons than medians


@dataclasses.dataclass(frozen=True)
class StatisticsFit:
    """How an order of bands fits statistics.

    Attributes:
      distance: Of the order that the bands are said to have.
      swaps: Said name -> name that fits; empty where the names fit.
    """

    distance: float
    swaps: dict[str, str]


def fit_statistics(
    pixels: np.ndarray, bands: Sequence[str], statistics: "BandStatistics"
) -> StatisticsFit | None:
    """Compares medians and spreads with statistics, in all orders at once.

    Args:
      pixels: [N, C] reflectance.
      bands: Names that the C bands are said to have.
      statistics: Centre and scale of reflectance.

    Returns:
      None if they share fewer than two bands.
    """
    shared = _shared(bands, statistics)
    if len(shared) < 2 or not len(pixels):
        return None
    distance = _distance(pixels, bands, statistics, shared)
    said = float(np.trace(distance)) / len(shared)
    # Names stay where they are unless another order is truly better.
    stay = distance - 1e-3 * np.eye(len(distance))
    rows, columns = optimize.linear_sum_assignment(stay)
    best = float(distance[rows, columns].mean())
    gain = said - best
    near = best < _FIT and gain > max(_GAIN, best)
    if not near and gain < _GROSS_GAIN:
        return StatisticsFit(said, {})
    return StatisticsFit(
        said,
        {
            shared[i]: shared[j]
            for i, j in zip(rows, columns, strict=True)
            if i != j
        },
    )


def agrees(
    pixels: np.ndarray,
    bands: Sequence[str],
    statistics: "BandStatistics",
    swaps: Mapping[str, str],
) -> bool:
    """True if statistics fit better with bands renamed.

    Args:
      pixels: [N, C] reflectance.
      bands: Names that the C bands are said to have.
      statistics: Centre and scale of reflectance.
      swaps: Said name -> name that is thought to fit.
    """
    shared = _shared(bands, statistics)
    if not set(swaps) <= set(shared) or not len(pixels):
        return False
    distance = _distance(pixels, bands, statistics, shared)
    renamed = [
        distance[i, shared.index(swaps.get(band, band))]
        for i, band in enumerate(shared)
    ]
    return float(np.trace(distance) / len(shared) - np.mean(renamed)) > _AGREES


def _shared(bands: Sequence[str], statistics: "BandStatistics") -> list[str]:
    return [band for band in bands if band in statistics.bands]


def _distance(
    pixels: np.ndarray,
    bands: Sequence[str],
    statistics: "BandStatistics",
    shared: Sequence[str],
) -> np.ndarray:
    """[C', C'] how far each shared column lies from each shared band."""
    columns = [list(bands).index(band) for band in shared]
    chosen = statistics.select(tuple(shared))
    low, middle, high = np.percentile(pixels[:, columns], (16, 50, 84), axis=0)
    spread = np.maximum((high - low) / 2, _LEAST_REFLECTANCE)
    middle = np.maximum(middle, _LEAST_REFLECTANCE)
    centre = np.maximum(np.array(chosen.centre), _LEAST_REFLECTANCE)
    of_middle = np.abs(np.log(middle[:, None] / centre))
    of_spread = np.abs(np.log(spread[:, None] / np.array(chosen.scale)))
    return of_middle + _OF_SPREAD * of_spread

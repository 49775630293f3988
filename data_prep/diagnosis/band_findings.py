"""Bands under wrong names: by the statistics of a model, or by spectra."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from data_prep.diagnosis.band_order import OrderFit
from data_prep.diagnosis.band_order import blue_for_red
from data_prep.diagnosis.band_order import fit_order
from data_prep.diagnosis.band_order import green_curvature
from data_prep.diagnosis.band_order import pool_pixels
from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.measured import Measured
from data_prep.diagnosis.statistics_order import agrees
from data_prep.diagnosis.statistics_order import fit_statistics
from s2distill.data.bands import S2_BANDS

if TYPE_CHECKING:
    from s2distill.data.normalize import BandStatistics

# Misfit in the said order over that in the best: 1.0 to 1.25 in right orders.
_SUSPECT, _SURE = 1.5, 2.5
_LEAST_MISFIT = 0.06  # below it the said order explains the pixels as it is
_HOPELESS = 0.2  # no land has that, whatever order fits
_EXPLAINED = 0.12
# B2 and B4 exchanged: medians over the frames, natural 1.04 to 2.1, and above
# 0 in every frame but two.
_SPREAD, _SHORT_WAVE = 0.92, -0.01
_CLEAR, _CLEAR_ENOUGH = 0.5, 0.3
_GREEN = -0.03  # curvature of plants; natural 0.06 to 0.4
_WAY_OUT = (
    "the bands stand in another order than their names say: correct the "
    "names (--file_bands) or the order"
)


def find_band_faults(
    measured: Measured, statistics: "BandStatistics | None", whose: str
) -> Iterator[Finding]:
    """Bands whose values are those of other bands.

    Args:
      measured: The input.
      statistics: Reflectance that the bands should have; None if unknown.
      whose: What the statistics are of, for the message.
    """
    bands = _common_bands(measured)
    if measured.subject.kind == "image" or not bands:
        return
    every = pool_pixels(measured, bands, clearest_share=1.0)
    clear = pool_pixels(
        measured, bands, clearest_share=0.5, least_clear=_CLEAR_ENOUGH
    )
    fit = fit_order(clear, bands)
    by_statistics = None
    if statistics is not None:
        by_statistics = fit_statistics(every, bands, statistics)
    if by_statistics is not None and by_statistics.swaps:
        yield _unlike(by_statistics.swaps, fit, whose)
        return
    if fit is not None and _is_wrong(fit):
        yield _by_spectra(fit)
        return
    for swaps, text in _by_signs(measured, clear, bands):
        sure = statistics is not None and agrees(
            every, bands, statistics, swaps
        )
        yield Finding(
            "band_order",
            "error" if sure else "warning",
            text + (f"; {whose} say so too" if sure else ""),
            tuple(swaps),
        )
        return


def _common_bands(measured: Measured) -> tuple[str, ...]:
    """Bands that all frames have that hold numbers of the right kind."""
    sets = [
        k.frame.bands
        for k in measured.looks()
        if k.facts.scale in ("dn", "reflectance")
    ]
    if not sets:
        return ()
    return tuple(
        band
        for band in sets[0]
        if band in S2_BANDS and all(band in bands for bands in sets)
    )


def _is_wrong(fit: OrderFit) -> bool:
    ratio = fit.misfit / max(fit.best_misfit, 1e-6)
    suspect = ratio >= _SUSPECT and fit.misfit >= _LEAST_MISFIT
    return suspect or fit.misfit >= _HOPELESS


def _unlike(swaps: dict[str, str], fit: OrderFit | None, whose: str) -> Finding:
    # Spectra say more surely which band is which; statistics that one is.
    if fit is not None and _is_wrong(fit) and fit.best_misfit < _EXPLAINED:
        swaps = fit.swaps
    return Finding(
        "band_order",
        "error",
        f"the bands do not follow {whose}: {_listed(swaps)}; {_WAY_OUT}",
        tuple(swaps),
    )


def _by_spectra(fit: OrderFit) -> Finding:
    ratio = fit.misfit / max(fit.best_misfit, 1e-6)
    solved = fit.best_misfit < _EXPLAINED
    looks = _listed(fit.swaps) if solved else "in no order tried do they fit"
    sure = ratio >= _SURE or fit.misfit >= _HOPELESS
    return Finding(
        "band_order",
        "error" if sure else "warning",
        f"the bands do not look like the land they should show: {looks} "
        "(mixtures of vegetation, soil, paving, water and haze fit to "
        f"{100 * fit.misfit:.0f} %, else to 3 to 7 %); {_WAY_OUT}",
        tuple(fit.swaps),
    )


def _by_signs(
    measured: Measured, pixels: np.ndarray, bands: tuple[str, ...]
) -> Iterator[tuple[dict[str, str], str]]:
    """Visible bands exchanged, which mixtures hardly notice."""
    spread, gain = _red_against_blue(measured)
    if spread < _SPREAD and gain < _SHORT_WAVE:
        yield (
            {"B2": "B4", "B4": "B2"},
            "B2 and B4 look exchanged: over land red varies more than blue, "
            f"here B4 varies {spread:.2f} times as much as B2; files in the "
            "order red, green, blue need --file_bands=B4,B3,B2,...",
        )
    curvature = green_curvature(pixels, bands)
    if curvature is not None and curvature < _GREEN:
        yield (
            {"B3": "B2", "B2": "B3"},
            "B3 looks exchanged with B2 or B4: over plants green stands above "
            "the mean of blue and red, here B3 stands "
            f"{-100 * curvature:.0f} % of the brightest of the three below "
            f"it; {_WAY_OUT}",
        )


def _red_against_blue(measured: Measured) -> tuple[float, float]:
    """Medians of the two signs of `blue_for_red`; what is unknown is no sign.

    Where there is no B12, the second is -inf, so that the first decides.
    """
    signs = [
        found
        for k in measured.looks()
        if (k.clear_share or 0.0) > _CLEAR
        and (found := blue_for_red(k)) is not None
    ]
    if not signs:
        return float("inf"), float("inf")
    gains = [gain for _, gain in signs if gain is not None]
    return (
        float(np.median([spread for spread, _ in signs])),
        float(np.median(gains)) if gains else float("-inf"),
    )


def _listed(swaps: dict[str, str]) -> str:
    parts = [f"what is called {a} looks like {b}" for a, b in swaps.items()]
    shown = ", ".join(parts[:4])
    rest = len(parts) - 4
    return f"{shown} and {rest} more" if rest > 0 else shown

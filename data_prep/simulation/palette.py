"""Surfaces of one painting: every roof, car and crown has its own colour."""

import math

import numpy as np

from data_prep.simulation.spectra import MATERIALS
from data_prep.simulation.spectra import material_index


class Palette:
    """Rows of spectra; the first are the plain materials of this place."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._rows: list[tuple[int, float]] = [
            (index, math.exp(rng.normal(0, 0.08)))
            for index in range(len(MATERIALS))
        ]

    def plain(self, material: str) -> int:
        """The row of a material as it is usual in this place."""
        return material_index(material)

    def add(self, material: str, brightness: float) -> int:
        """A new row; returns its number."""
        self._rows.append((material_index(material), brightness))
        return len(self._rows) - 1

    def tables(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Spectra [N, 10] percent, season [N], texture [N], float32.

        Each row also leans a little to red or blue, as no two paints are
        the same.
        """
        kinds = np.array([kind for kind, _ in self._rows])
        factor = np.array([factor for _, factor in self._rows])
        materials = list(MATERIALS.values())
        percent = np.array([m.percent for m in materials])[kinds]
        lean = self._rng.normal(0, 0.05, (len(kinds), 1))
        slope = np.linspace(-1, 1, percent.shape[1])
        spectra = percent * factor[:, None] * (1 + lean * slope)
        season = np.array([m.season for m in materials])[kinds]
        season = season * self._rng.uniform(0.7, 1.3, len(kinds))
        texture = np.array([m.texture for m in materials])[kinds]
        return (
            np.clip(spectra, 0.2, 90).astype(np.float32),
            season.astype(np.float32),
            texture.astype(np.float32),
        )

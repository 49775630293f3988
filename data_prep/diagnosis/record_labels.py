"""Adds up what the labels of records hold, one record at a time."""

from typing import Any

import numpy as np

from data_prep.diagnosis.subject import LabelFacts

_OFF_IMAGE = 0.1  # share of the labels that may lie off the image


class LabelCounter:
    """Takes records; gives `LabelFacts`."""

    def __init__(self) -> None:
        self._records = 0
        self._pixels = 0
        self._labelled = 0
        self._sums: dict[str, float] = {}
        self._unlabelled: list[str] = []
        self._no_building: list[str] = []
        self._off_image: list[str] = []

    def add(self, example: dict[str, Any]) -> None:
        """Counts one decoded record; one without labels counts nothing."""
        label = example.get("label")
        if not label:
            return
        key = example["key"].decode()
        valid = label["valid"] > 0
        self._records += 1
        self._pixels += valid.size
        self._labelled += int(valid.sum())
        if not valid.any():
            self._unlabelled.append(key)
        for name in ("building", "road", "centroid_density"):
            if name in label:
                total = float(np.sum(label[name][valid], dtype=np.float64))
                self._sums[name] = self._sums.get(name, 0.0) + total
        houses = label.get("building")
        if houses is not None and valid.any() and not houses[valid].any():
            self._no_building.append(key)
        shown = example.get("image", {}).get("valid")
        if shown is not None and valid.any():
            off = float((shown[valid] == 0).mean())
            if off > _OFF_IMAGE:
                self._off_image.append(key)

    def facts(self) -> LabelFacts | None:
        """What was counted; None if no record had labels."""
        if not self._records:
            return None
        return LabelFacts(
            records=self._records,
            labelled_share=self._labelled / self._pixels,
            building_share=self._share("building"),
            road_share=self._share("road"),
            buildings=self._sums.get("centroid_density"),
            unlabelled=tuple(self._unlabelled),
            no_building=tuple(self._no_building),
            unlabelled_image=tuple(self._off_image),
        )

    def _share(self, name: str) -> float | None:
        if name not in self._sums:
            return None
        return self._sums[name] / max(self._labelled, 1)

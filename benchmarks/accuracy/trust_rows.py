"""Whether the student knows what it was never trained on."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from s2distill.evaluation.bootstrap import REPLICATES
from s2distill.evaluation.bootstrap import percentile_interval
from s2distill.evaluation.ratio import to_number
from s2distill.evaluation.trust import alarm_share
from s2distill.evaluation.trust import area_under_roc

_SEED = 20_231_116


def read_windows(path: str | os.PathLike[str]) -> np.ndarray:
    """[tiles, windows] scores that `judge_windows` wrote."""
    with np.load(path) as file:
        return file["scores"]


def make_trust_rows(
    inside: np.ndarray, outside: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """What `results.json` says of windows in and out of distribution.

    Args:
      inside: [tiles, windows] scores of test tiles; NaN is not judged.
      outside: World -> [tiles, windows] scores.

    Returns:
      "test": judged windows and share of false alarms; "worlds": for each the
      number of judged windows, AUROC against the test windows with its 95 %
      interval (tiles of both drawn again), and the share caught.
    """
    return {
        "test": {
            "windows": _count(inside),
            "false_alarms": to_number(alarm_share(inside)),
        },
        "worlds": {
            name: {
                "windows": _count(scores),
                "auroc": to_number(area_under_roc(inside, scores)),
                "interval": _interval(inside, scores),
                "caught": to_number(alarm_share(scores)),
            }
            for name, scores in outside.items()
        },
    }


def _count(scores: np.ndarray) -> int:
    return int(np.sum(~np.isnan(scores)))


def _interval(inside: np.ndarray, outside: np.ndarray) -> list[float] | None:
    rng = np.random.default_rng(_SEED)
    drawn = [
        area_under_roc(
            *(rng.choice(side, len(side)) for side in (inside, outside))
        )
        for _ in range(REPLICATES)
    ]
    interval = percentile_interval(np.array(drawn))
    return None if interval is None else list(interval)

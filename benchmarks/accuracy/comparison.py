"""Two models on the same tiles: what differs, and whether that is chance."""

import dataclasses
from typing import Any

from s2distill.evaluation import bootstrap
from s2distill.evaluation.ratio import to_number
from s2distill.evaluation.scores import SCORES
from s2distill.evaluation.scores import Scores
from s2distill.evaluation.scores import stack_sums

ABOVE, BELOW, UNDECIDED = "yes", "no, below", "interval overlaps 0"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """By how much one model scores higher than another.

    Attributes:
      difference: Of the scores.
      interval: 95 % bootstrap interval over tiles; None with a single tile.
    """

    difference: float
    interval: tuple[float, float] | None

    @property
    def verdict(self) -> str:
        """Whether the first is above, as far as the tiles can tell."""
        if self.interval is None:
            return UNDECIDED
        low, high = self.interval
        if low > 0:
            return ABOVE
        return BELOW if high < 0 else UNDECIDED

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "difference": self.difference,
            "interval": None if self.interval is None else list(self.interval),
            "verdict": self.verdict,
        }


def compare(first: Scores, second: Scores, name: str) -> Comparison | None:
    """How much higher the first model scores.

    Both are drawn with the same tiles in each replicate, so what is hard for
    both cancels out of the interval.

    Args:
      first: Of one model.
      second: Of another, on the same tiles in the same order.
      name: A key of `evaluation.scores.SCORES`.

    Returns:
      The comparison; None where either score is undefined.

    Raises:
      ValueError: If the two were scored on different tiles.
    """
    keys = [[tile.key for tile in one.tiles] for one in (first, second)]
    if keys[0] != keys[1]:
        raise ValueError(
            f"two models scored on different tiles: {len(keys[0])} beginning "
            f"with {keys[0][0]}, {len(keys[1])} beginning with {keys[1][0]}"
        )
    needs, score = SCORES[name]
    stacks = [stack_sums(one.tiles, needs) for one in (first, second)]
    if any(stack is None for stack in stacks):
        return None
    values = [score(stack.sum(axis=0)) for stack in stacks]
    difference = to_number(values[0] - values[1])
    if difference is None:
        return None
    interval = None
    if len(first.tiles) > 1:
        drawn = [score(bootstrap.replicate_sums(stack)) for stack in stacks]
        interval = bootstrap.percentile_interval(drawn[0] - drawn[1])
    return Comparison(difference=difference, interval=interval)

"""What a benchmark was asked for."""

import dataclasses

from benchmarks.accuracy.layout import Layout
from benchmarks.accuracy.preset import BenchmarkPreset


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setup:
    """One benchmark.

    Attributes:
      preset_name: Its name.
      preset: Its budget.
      seed: Of the world and of every training.
      precision: Of every training, "float32" or "mixed_bfloat16".
      layout: Where everything lies.
    """

    preset_name: str
    preset: BenchmarkPreset
    seed: int
    precision: str
    layout: Layout

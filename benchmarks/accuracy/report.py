"""Writes what a benchmark found: results.json, table.md and the plots."""

import pathlib
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from benchmarks.accuracy.bars import make_bars
from benchmarks.accuracy.layout import ATLANTA
from benchmarks.accuracy.plots import draw_plots
from benchmarks.accuracy.results import make_results
from benchmarks.accuracy.results import read_all_windows
from benchmarks.accuracy.results import read_scores
from benchmarks.accuracy.run_stages import Outcome
from benchmarks.accuracy.setup import Setup
from benchmarks.accuracy.stage import Stage
from benchmarks.accuracy.table import format_results
from s2distill.atomic_write import atomic_file
from s2distill.atomic_write import write_json


def write_report(
    setup: Setup, stages: Sequence[Stage], outcomes: Mapping[str, Outcome]
) -> tuple[dict[str, Any], list[pathlib.Path]]:
    """Writes everything that was found so far.

    Args:
      setup: Of the benchmark.
      stages: That were to be run.
      outcomes: Name -> what became of each.

    Returns:
      (content of results.json, the files).
    """
    layout = setup.layout
    scores = read_scores(setup, outcomes)
    real = read_scores(setup, outcomes, ATLANTA)
    results = make_results(setup, stages, outcomes, scores, real)
    results["bars"] = [bar.to_json() for bar in make_bars(results)]
    write_json(layout.results, results)
    with atomic_file(layout.table) as path:
        path.write_text(format_results(results), encoding="utf-8")
    plots = draw_plots(
        layout.output, results, scores, read_all_windows(setup, outcomes)
    )
    return results, [layout.results, layout.table, *plots]

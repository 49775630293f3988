"""The table of a benchmark as Markdown: bars first, then everything."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from benchmarks.accuracy.bars import Bar
from benchmarks.accuracy.bars import make_bars
from benchmarks.accuracy.cost_tables import cost_lines
from benchmarks.accuracy.cost_tables import window_lines
from benchmarks.accuracy.markdown import DASH
from benchmarks.accuracy.markdown import format_number
from benchmarks.accuracy.markdown import format_table
from benchmarks.accuracy.markdown import format_with_interval
from benchmarks.accuracy.model_tables import frame_lines
from benchmarks.accuracy.model_tables import height_lines
from benchmarks.accuracy.model_tables import model_lines
from benchmarks.accuracy.model_tables import size_lines
from benchmarks.accuracy.run_stages import format_time


def format_results(results: Mapping[str, Any]) -> str:
    """The whole of table.md."""
    rows = results["models"]
    parts = [
        _head(results),
        _section("What it must show", _bar_lines(make_bars(results))),
        _section("Models", model_lines(rows)),
        _section("Height error by true height, m", height_lines(rows)),
        _section("Buildings by size, per km2", size_lines(rows)),
        _section("Frames, the one student", frame_lines(results["frames"])),
        _section(
            "Out of distribution",
            window_lines(results["out_of_distribution"]),
        ),
        _section("Cost", cost_lines(results["cost"])),
        _section(
            "Atlanta: a real image, frames made of it by the sensor model",
            model_lines(results["atlanta"]),
        ),
        _section("How it was made", _stage_lines(results)),
    ]
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def _head(results: Mapping[str, Any]) -> list[str]:
    machine = results["machine"]
    return [
        f"# Accuracy benchmark, preset {results['preset']}, seed "
        f"{results['seed']}",
        "",
        f"{results['simulated']} Scores are of test scenes never trained on; "
        "in brackets 95 % intervals (bootstrap over tiles).",
        "",
        f"Trained in {results['precision']} on {machine['processor']}, "
        f"{machine['cores']} cores, {machine['memory_gib']:g} GiB; all stages "
        f"together {format_time(results['seconds'])}. Commits: "
        f"{', '.join(results['commits']) or 'none'}.",
        "",
    ]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "", *(lines or ["Not run."]), ""]


def _bar_lines(bars: Sequence[Bar]) -> list[str]:
    return format_table(
        ("", "value", "bar", "", "note"),
        [
            (
                bar.what,
                format_with_interval(bar.value, bar.interval, _decimals(bar)),
                bar.bar or DASH,
                bar.verdict,
                bar.note,
            )
            for bar in bars
        ],
        texts=(2, 3, 4),
    )


def _decimals(bar: Bar) -> int:
    return 3 if bar.value is None or abs(bar.value) < 10 else 1


def _stage_lines(results: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            name,
            stage["status"],
            format_number(stage["seconds"], 0)
            + (" (went on)" if stage["resumed"] else ""),
            f"`{stage['command']}`",
        )
        for name, stage in results["stages"].items()
    ]
    return format_table(("stage", "", "s", "command"), rows, texts=(1, 3))

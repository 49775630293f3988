"""Costs of networks, and windows out of distribution, as Markdown."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from benchmarks.accuracy.cost_rows import FRAMES
from benchmarks.accuracy.cost_rows import PRODUCT_GFLOPS
from benchmarks.accuracy.cost_rows import find_forward
from benchmarks.accuracy.markdown import format_number
from benchmarks.accuracy.markdown import format_table
from benchmarks.accuracy.markdown import format_with_interval


def window_lines(windows: Mapping[str, Any] | None) -> list[str]:
    """Windows in and out of distribution."""
    if not windows:
        return []
    test = windows["test"]
    return [
        *format_table(
            ("world", "windows", "AUROC", "alarms"),
            [
                (
                    name,
                    row["windows"],
                    format_with_interval(row["auroc"], row["interval"], 3),
                    format_number(row["caught"], 3),
                )
                for name, row in windows["worlds"].items()
            ],
        ),
        "",
        f"False alarms on {test['windows']} test windows: "
        f"{format_number(test['false_alarms'], 3)}.",
    ]


def cost_lines(costs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Multiply-adds, parameters and seconds of every network."""
    if not costs:
        return []
    rows = []
    for cost in costs:
        for forward in cost["forward"]:
            first = forward is (
                find_forward(cost, FRAMES) or cost["forward"][0]
            )
            rows.append(
                (
                    f"{cost['network']} {cost['preset']}, {cost['precision']}",
                    forward["frames"] or "image",
                    format_number(cost["parameters"] / 1e6, 2),
                    format_number(forward["multiply_adds_per_km2"] / 1e9, 1),
                    format_number(forward["seconds_per_km2"], 2),
                    format_number(forward["gflops"], 0),
                    format_number(forward["product_gflops"], 0),
                    format_number(forward["share_of_product"], 2),
                    format_number(
                        cost["training_step"]["seconds"] if first else None, 3
                    ),
                )
            )
    header = (
        "network",
        "frames",
        "parameters, M",
        "multiply-adds per km2, G",
        "s per km2",
        "GFLOP/s",
        "product, GFLOP/s",
        "share",
        "s per training step",
    )
    return [*format_table(header, rows), "", *_fit_lines(costs)]


def _fit_lines(costs: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = []
    for cost in costs:
        fit = cost["frames_fit"]
        forward = find_forward(cost, FRAMES)
        if not fit or not forward:
            continue
        fixed, each = (
            fit["fixed_seconds_per_km2"],
            fit["seconds_per_km2_and_frame"],
        )
        share = fixed / (fixed + FRAMES * each)
        lines.append(
            f"{cost['network']} {cost['preset']}, {cost['precision']}, where "
            f"the product runs at {PRODUCT_GFLOPS:g} GFLOP/s: {fixed:.2f} s "
            f"per km2 and {each:.3f} s a frame; {share:.0%} of the time of "
            f"{FRAMES} frames does not depend on their number; no time lies "
            f"further than {fit['largest_departure']:.0%} from that line."
        )
    return lines

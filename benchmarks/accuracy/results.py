"""What a benchmark measured, as plain values: the content of results.json."""

import json
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.accuracy import judging_stages
from benchmarks.accuracy import models
from benchmarks.accuracy.comparison import compare
from benchmarks.accuracy.cost_rows import fit_frames
from benchmarks.accuracy.layout import ATLANTA
from benchmarks.accuracy.machine import describe_machine
from benchmarks.accuracy.model_stages import FRAMES_STAGE
from benchmarks.accuracy.model_stages import frames_name
from benchmarks.accuracy.model_stages import training_flags
from benchmarks.accuracy.models import Model
from benchmarks.accuracy.models import make_models
from benchmarks.accuracy.run_stages import Outcome
from benchmarks.accuracy.setup import Setup
from benchmarks.accuracy.stage import Stage
from benchmarks.accuracy.tile_sums import read_tiles
from benchmarks.accuracy.trust_rows import make_trust_rows
from benchmarks.accuracy.trust_rows import read_windows
from s2distill.evaluation.report import compute_retention
from s2distill.evaluation.scores import Scores
from s2distill.evaluation.scores import compute_scores
from s2distill.flag_config import read_versions

COMPARED = ("building_miou", "building_iou", "road_miou", "count_r2")
SIMULATED = (
    "Simulated towns and simulated Sentinel-2 frames; only the rows of "
    "Atlanta are of a real image, with frames made of it by the sensor model."
)


def read_scores(
    setup: Setup, outcomes: Mapping[str, Outcome], place: str = ""
) -> dict[str, Scores]:
    """Name -> scores of every model that was scored, in order.

    Args:
      setup: Of the benchmark.
      outcomes: Of its stages.
      place: Empty for the simulated world, or ATLANTA.
    """
    prefix = f"{place}_score" if place else "score"
    found = {}
    for name in make_models(setup.preset):
        outcome = outcomes.get(f"{prefix}_{name}")
        if outcome and outcome.status == "done":
            path = setup.layout.scores(name, place)
            found[name] = compute_scores(read_tiles(path))
    return found


def make_results(
    setup: Setup,
    stages: Sequence[Stage],
    outcomes: Mapping[str, Outcome],
    scores: Mapping[str, Scores],
    real: Mapping[str, Scores],
) -> dict[str, Any]:
    """Everything that was measured.

    Args:
      setup: Of the benchmark.
      stages: That were to be run.
      outcomes: Name -> what became of each.
      scores: Of models on the simulated test scenes.
      real: Of models on the test blocks of Atlanta; may be empty.
    """
    table = make_models(setup.preset)
    there = {stage.name for stage in stages}
    costs = read_costs(setup, outcomes)
    return {
        "simulated": SIMULATED,
        "preset": setup.preset_name,
        "seed": setup.seed,
        "precision": setup.precision,
        "models": [
            make_row(name, model, outcomes, scores)
            | {"cost": find_cost(setup, model, costs)}
            for name, model in table.items()
            if name in there
        ],
        "frames": make_frame_rows(setup, outcomes, scores),
        "out_of_distribution": make_windows(setup, outcomes),
        "atlanta": [
            make_row(name, model, outcomes, real, ATLANTA)
            for name, model in table.items()
            if f"{ATLANTA}_{name}" in there
        ],
        "cost": costs,
        "machine": describe_machine(),
        "versions": read_versions(),
        "commits": sorted({o.commit for o in outcomes.values() if o.commit}),
        "seconds": sum(o.seconds or 0 for o in outcomes.values()),
        "stages": {
            name: {
                "status": outcome.status,
                "seconds": outcome.seconds,
                "resumed": outcome.resumed,
                "command": outcome.command,
            }
            for name, outcome in outcomes.items()
        },
    }


def make_row(
    name: str,
    model: Model,
    outcomes: Mapping[str, Outcome],
    scores: Mapping[str, Scores],
    place: str = "",
) -> dict[str, Any]:
    """One model: its scores and how it stands against another."""
    prefix = f"{place}_" if place else ""
    failed = [
        stage
        for stage in (f"{prefix}{name}", f"{prefix}score_{name}")
        if outcomes[stage].status != "done"
    ]
    row: dict[str, Any] = {
        "name": name,
        "what": model.what,
        "group": model.group,
        "status": "failed" if failed else "ok",
        "changes": dict(model.changes),
        "training_seconds": outcomes[f"{prefix}{name}"].seconds,
    }
    if name not in scores:
        return row
    one = scores[name].to_json()
    row["tiles"] = one.pop("tiles")
    row["intervals"] = one.pop("intervals")
    one.pop("strata")
    if models.TEACHER in scores and not model.is_teacher:
        value, interval = compute_retention(
            scores[name], scores[models.TEACHER]
        )
        one["retention"] = value
        row["intervals"]["retention"] = interval and list(interval)
    row["metrics"] = one
    row["comparison"] = _compare(name, model, scores)
    return row


def make_frame_rows(
    setup: Setup, outcomes: Mapping[str, Outcome], scores: Mapping[str, Scores]
) -> list[dict[str, Any]]:
    """The one student with each number of frames, against one fewer."""
    found: dict[int, Scores] = {}
    outcome = outcomes.get(FRAMES_STAGE)
    for count in setup.preset.frame_counts:
        if count == setup.preset.frames and models.STUDENT in scores:
            found[count] = scores[models.STUDENT]
        elif outcome and outcome.status == "done":
            name = frames_name(count)
            tiles = read_tiles(setup.layout.scores(name))
            found[count] = compute_scores(tiles)
    rows = []
    before = None
    for count, one in found.items():
        step = compare(one, before, COMPARED[0]) if before else None
        rows.append(
            {
                "frames": count,
                "metrics": one.values,
                "intervals": one.intervals,
                "step": step and step.to_json(),
            }
        )
        before = one
    return rows


def read_all_windows(
    setup: Setup, outcomes: Mapping[str, Outcome]
) -> dict[str, np.ndarray]:
    """World -> [tiles, windows] scores, "test" first, of what was judged."""
    return {
        world: read_windows(setup.layout.windows(world))
        for world in ("test", *judging_stages.unseen_worlds(setup.preset))
        if f"windows_{world}" in outcomes
        and outcomes[f"windows_{world}"].status == "done"
    }


def make_windows(
    setup: Setup, outcomes: Mapping[str, Outcome]
) -> dict[str, Any] | None:
    """Windows in and out of distribution; None if they were not judged."""
    scores = read_all_windows(setup, outcomes)
    if "test" not in scores:
        return None
    return make_trust_rows(scores.pop("test"), scores)


def read_costs(
    setup: Setup, outcomes: Mapping[str, Outcome]
) -> list[dict[str, Any]]:
    """What `time_network` measured: each network in each precision."""
    costs: list[dict[str, Any]] = []
    for network, preset in judging_stages.timed_networks(setup.preset):
        outcome = outcomes.get(judging_stages.timing_name(network, preset))
        if outcome and outcome.status == "done":
            path = setup.layout.cost(network, preset)
            for cost in json.loads(path.read_text(encoding="utf-8")):
                fit = fit_frames(cost["forward"])
                costs.append(cost | {"frames_fit": fit})
    return costs


def find_cost(
    setup: Setup, model: Model, costs: Sequence[dict[str, Any]]
) -> dict[str, Any] | None:
    """Cost of a model in its own precision; None where it was not timed."""
    if set(model.changes) & {"fusion", "view"}:
        return None  # another network than the one that was timed
    flags = training_flags(setup, model)
    for cost in costs:
        wanted = (flags["network"], flags["preset"], setup.precision)
        if (cost["network"], cost["preset"], cost["precision"]) == wanted:
            return cost
    return None


def _compare(
    name: str, model: Model, scores: Mapping[str, Scores]
) -> dict[str, Any] | None:
    """The student against a baseline; any other model against its own."""
    if model.against not in scores:
        return None
    first, second = name, model.against
    if model.group == "baselines":
        first, second = second, first
    differences = {
        score: compare(scores[first], scores[second], score)
        for score in COMPARED
    }
    return {
        "of": first,
        "with": second,
        **{score: d and d.to_json() for score, d in differences.items()},
    }

"""The plan: every stage of the benchmark on the simulated world, in order."""

from benchmarks.accuracy import models
from benchmarks.accuracy.judging_stages import draw_examples
from benchmarks.accuracy.judging_stages import judge_windows
from benchmarks.accuracy.judging_stages import time_networks
from benchmarks.accuracy.model_stages import train_and_score
from benchmarks.accuracy.model_stages import vary_frames
from benchmarks.accuracy.models import make_models
from benchmarks.accuracy.record_stages import export
from benchmarks.accuracy.record_stages import label
from benchmarks.accuracy.record_stages import prepare_records
from benchmarks.accuracy.record_stages import simulate
from benchmarks.accuracy.setup import Setup
from benchmarks.accuracy.stage import Stage


def make_plan(setup: Setup) -> list[Stage]:
    """Stages in order; those of the headline come first."""
    table = make_models(setup.preset)
    headline = [
        simulate(setup),
        *train_and_score(setup, models.TEACHER, table),
        export(setup, models.TEACHER),
        label(setup, models.ANSWERED),
        *train_and_score(setup, models.STUDENT, table),
        export(setup, models.STUDENT),
    ]
    rest = [*judge_windows(setup), vary_frames(setup), *time_networks(setup)]
    for name, model in table.items():
        if model.group == "headline":
            continue
        rest += prepare_records(setup, model, [s.name for s in rest])
        rest += train_and_score(setup, name, table)
    return [*headline, *rest, draw_examples(setup)]

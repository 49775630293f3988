"""The plan: complete, in order, refused by no program, of equal budgets."""

import dataclasses
import importlib
import pathlib

import pytest

from benchmarks.accuracy.atlanta_plan import make_atlanta_plan
from benchmarks.accuracy.judging_stages import timed_networks
from benchmarks.accuracy.model_stages import training_flags
from benchmarks.accuracy.models import TEACHER
from benchmarks.accuracy.models import make_models
from benchmarks.accuracy.plan import make_plan
from benchmarks.accuracy.preset import PRESETS
from benchmarks.accuracy.preset import find_preset
from benchmarks.accuracy.stage import check_stages
from s2distill.errors import ConfigError
from s2distill.flag_config import parse_config

ROOT = pathlib.Path(__file__).resolve().parents[3]
FULL_FLAGS = sorted((ROOT / "configs").glob("benchmark_full_*.flags"))

BUDGET = (
    "batch_size",
    "crop_px",
    "crops_per_record",
    "steps",
    "learning_rate",
    "precision",
    "seed",
)


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_program_takes_its_stages(make_setup, preset):
    setup = dataclasses.replace(make_setup(), preset=find_preset(preset))
    check_stages([*make_plan(setup), *make_atlanta_plan(setup)])


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_network_has_the_size_that_is_asked_of_it(make_setup, name):
    from s2distill.models.network import FRAME_NETWORKS
    from s2distill.models.teacher import TEACHER_PRESETS

    preset = find_preset(name)
    sizes = {TEACHER: TEACHER_PRESETS} | {
        network: presets for network, (presets, _) in FRAME_NETWORKS.items()
    }
    for network, size in timed_networks(preset):
        assert size in sizes[network], network


@pytest.mark.parametrize("path", FULL_FLAGS, ids=lambda path: path.stem)
def test_a_flagfile_of_the_full_preset_is_its_stage(make_setup, path):
    setup = dataclasses.replace(
        make_setup("workdir/accuracy_full"),
        preset=find_preset("full"),
        precision="mixed_bfloat16",
        seed=0,
    )
    stages = {stage.name: stage for stage in make_plan(setup)}
    stage = stages[path.stem.removeprefix("benchmark_full_")]
    config = importlib.import_module(stage.program).Config
    found, wanted = (
        parse_config(config, ["program", *lines])
        for lines in ([f"--flagfile={path}"], stage.flag_lines())
    )
    assert found == wanted


def test_an_unknown_preset_is_refused():
    with pytest.raises(ConfigError, match="--preset=huge: there are small"):
        find_preset("huge")


def test_the_headline_comes_first_and_stands_alone(make_setup):
    stages = make_plan(make_setup())
    headline = [stage for stage in stages if stage.headline]
    assert stages[: len(headline)] == headline
    assert [stage.name for stage in headline] == [
        "world",
        "teacher",
        "score_teacher",
        "export_teacher",
        "answered",
        "student",
        "calibrate_student",
        "score_student",
        "export_student",
    ]
    check_stages(headline)


def test_every_model_is_trained_and_scored(make_setup):
    setup = make_setup()
    names = {stage.name for stage in make_plan(setup)}
    real = {stage.name for stage in make_atlanta_plan(setup)}
    for name, model in make_models(setup.preset).items():
        assert {name, f"score_{name}"} <= names
        assert (f"atlanta_{name}" in real) == model.real
        assert model.against in (None, *make_models(setup.preset))


def test_no_two_stages_write_to_one_place(make_setup):
    setup = make_setup()
    stages = [*make_plan(setup), *make_atlanta_plan(setup)]
    made = [path for stage in stages for path in stage.makes]
    assert len(set(made)) == len(made)
    assert all(setup.layout.output in path.parents for path in made)


def test_students_and_baselines_have_one_budget(make_setup):
    setup = make_setup()
    budgets = {
        tuple(training_flags(setup, model)[name] for name in BUDGET)
        for model in make_models(setup.preset).values()
        if not (model.is_teacher or model.long)
    }
    assert len(budgets) == 1


def test_a_model_learns_from_what_is_written_before(make_setup):
    """Every record folder and model is made by a stage that is needed."""
    setup = make_setup()
    stages = [*make_plan(setup), *make_atlanta_plan(setup)]
    makers = {path: s.name for s in stages for path in s.makes}
    by_name = {stage.name: stage for stage in stages}
    for stage in stages:
        for name, value in stage.flags.items():
            if name in ("output", "frames_output", "overwrite"):
                continue
            for path in value if isinstance(value, tuple) else (value,):
                maker = makers.get(path) or makers.get(
                    getattr(path, "parent", None)
                )
                if maker and maker != stage.name:
                    assert maker in _all_needs(stage, by_name), stage.name


def _all_needs(stage, by_name):
    found = set(stage.needs)
    for name in stage.needs:
        found |= _all_needs(by_name[name], by_name)
    return found


def test_the_worlds_of_windows_are_other_towns(make_setup):
    stages = {stage.name: stage for stage in make_plan(make_setup())}
    worlds = (
        "world",
        "informal_settlement",
        "greenhouses",
        "snow",
        "haze",
        "eight_bit",
    )
    seeds = {stages[name].flags["seed"] for name in worlds}
    assert len(seeds) == len(worlds)
    assert "styles" not in stages["world"].flags


def test_only_what_a_row_is_about_is_changed(make_setup):
    setup = make_setup()
    table = make_models(setup.preset)
    student = training_flags(setup, table["student"])
    for name, model in table.items():
        base = student
        if model.is_teacher:
            base = training_flags(setup, table[TEACHER])
        flags = training_flags(setup, model)
        changed = {k for k in flags if flags[k] != base.get(k)}
        if not model.long:
            changed -= {"steps", "epoch_steps"}
        # `frames` of a preset may be what a row asks for already.
        assert changed <= set(model.changes), name

"""Training as a program, in process, on random records and tiny networks."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest

from s2distill.errors import ConfigError
from s2distill.errors import ModelError
from s2distill.errors import RecordError
from s2distill.train import Config
from s2distill.train import run

BANDS, TILE, FACTOR = ("B2", "B3", "B8"), 6, 4
SMALL = {"bands": BANDS, "tile_px": TILE, "label_factor": FACTOR}
LABELS = ("image", "building", "road", "height")


@pytest.fixture(autouse=True)
def tiny_presets(monkeypatch):
    """Networks that are built in a second."""
    from s2distill.models.student import STUDENT_PRESETS
    from s2distill.models.student import StudentConfig
    from s2distill.models.teacher import TEACHER_PRESETS
    from s2distill.models.teacher import TeacherConfig

    student = StudentConfig(
        channels=(8, 12),
        stages=2,
        unet_channels=(8, 8, 12),
        enlargement=2,
    )
    monkeypatch.setitem(STUDENT_PRESETS, "tiny", student)
    monkeypatch.setitem(
        TEACHER_PRESETS,
        "tiny",
        TeacherConfig(channels=(8, 12)),
    )
    monkeypatch.setitem(
        STUDENT_PRESETS,
        "wider",
        dataclasses.replace(student, channels=(12, 12)),
    )


def _write_world(folder, write, fields=LABELS, bands=BANDS):
    from s2distill.data.manifest import STATISTICS_FILE
    from s2distill.data.normalize import BandStatistics
    from s2distill.data.normalize import write_statistics

    counts = {"train": 6, "validation": 2}
    write(folder, counts, fields=fields, **SMALL | {"bands": bands})
    statistics = BandStatistics(
        bands=bands, centre=(0.5,) * len(bands), scale=(0.3,) * len(bands)
    )
    write_statistics(folder / STATISTICS_FILE, statistics)
    return str(folder)


@pytest.fixture
def world(example_records, tmp_path):
    """A folder of labelled records with band statistics."""
    return _write_world(tmp_path / "world", example_records)


@pytest.fixture
def make_config(world, tmp_path):
    """A short training; keyword arguments change it."""

    def make(**changes):
        values = {
            "records": (world,),
            "workdir": str(tmp_path / "run"),
            "preset": "tiny",
            "frames": 3,
            "crop_px": 4,
            "crops_per_record": 2,
            "batch_size": 2,
            "steps": 2,
            "epoch_steps": 2,
            "validation_steps": 1,
        }
        return Config(**values | changes)

    return make


@pytest.fixture
def no_steps(monkeypatch):
    """Takes no step, where a test asks what comes before and after."""
    from s2distill.training import loop

    monkeypatch.setattr(loop, "train", lambda *arguments: None)


def _answers(result):
    import keras

    rng = np.random.default_rng(0)
    if result.kind == "teacher":
        shape = (1, TILE * FACTOR, TILE * FACTOR, 3)
        inputs = {"image": rng.normal(size=shape).astype("float32")}
    else:
        shape = (1, 2, TILE, TILE + 1, len(BANDS))
        inputs = {
            "s2": rng.normal(size=shape).astype("float32"),
            "frame_valid": np.ones(shape[:-1], np.float32),
        }
    outputs = result.network(inputs)
    return {k: keras.ops.convert_to_numpy(v) for k, v in outputs.items()}


def _assert_same_answers(one, other):
    expected, found = _answers(one), _answers(other)
    assert set(expected) == set(found)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], name)


def _assert_no_network(workdir):
    assert not list(pathlib.Path(workdir).rglob("*model*"))


def test_a_student_is_trained_and_read_back(make_config):
    from s2distill.training_run import load_run

    config = make_config()
    result = run(config)
    workdir = pathlib.Path(config.workdir)
    for name in ("model.keras", "config.json", "run.flags", "versions.json"):
        assert (workdir / name).stat().st_size > 0, name
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 1  # epoch
    assert np.isfinite(json.loads(lines[0])["loss"])
    assert np.isfinite(json.loads(lines[0])["val_loss"])
    assert list((workdir / "logs").rglob("events.out.tfevents.*"))
    assert (result.kind, result.frames) == ("student", 3)
    back = load_run(workdir)
    assert back.spec == result.spec
    assert back.statistics == result.statistics
    assert back.training["steps"] == 2
    _assert_same_answers(result, back)


def test_a_run_records_what_it_was_taught(
    make_config, tmp_path, example_records, no_steps
):
    from s2distill.training_run import load_run

    bare = _write_world(tmp_path / "b", example_records, ("image", "building"))
    teacher = make_config(
        network="teacher", records=(bare,), workdir=str(tmp_path / "teacher")
    )
    assert run(teacher).answers == ("building",)
    assert load_run(teacher.workdir).answers == ("building",)
    # By labels, and by a teacher that knows less.
    for name, records, answers in (
        ("one", teacher.records, ("building",)),
        ("two", make_config().records, ("building", "road", "height")),
    ):
        config = make_config(
            records=records,
            workdir=str(tmp_path / name),
            teacher=teacher.workdir,
            hard_share=0.5,
        )
        assert run(config).answers == answers


def test_the_run_flags_repeat_the_run(make_config, no_steps):
    from s2distill.flag_config import parse_config

    config = make_config(network="teacher")
    run(config)
    flagfile = pathlib.Path(config.workdir) / "run.flags"
    assert parse_config(Config, ["train", f"--flagfile={flagfile}"]) == config


def test_a_finished_training_is_not_begun_again(
    make_config, no_steps, monkeypatch
):
    from s2distill.training import loop

    config = make_config(network="teacher")
    first = run(config)
    path = pathlib.Path(config.workdir) / "model.keras"
    written = path.stat().st_mtime_ns

    def refuse(*arguments):
        raise AssertionError("trained again")

    monkeypatch.setattr(loop, "train", refuse)
    again = run(config)
    assert path.stat().st_mtime_ns == written
    assert (again.kind, again.frames) == ("teacher", 0)
    _assert_same_answers(first, again)


def test_a_workdir_begun_with_other_flags_is_refused(make_config, no_steps):
    run(make_config(network="teacher"))
    with pytest.raises(ConfigError) as caught:
        run(make_config(network="teacher", learning_rate=0.5))
    message = str(caught.value)
    assert "--learning_rate=0.5" in message
    assert "--learning_rate=0.005" in message
    assert "--seed" not in message
    assert "choose another --workdir" in message


def test_a_teacher_answers_on_the_fly(make_config, tmp_path, monkeypatch):
    from s2distill.training import loop

    seen = []

    def take_no_step(trainer, make_dataset, *arguments):
        seen.append((trainer, next(iter(make_dataset(0)))))

    monkeypatch.setattr(loop, "train", take_no_step)
    teacher = make_config(network="teacher", workdir=str(tmp_path / "teacher"))
    made = run(teacher)
    result = run(make_config(teacher=teacher.workdir, hard_share=0.0))
    assert result.training["teacher"] == teacher.workdir
    trainer, (inputs, _) = seen[-1]
    assert trainer.teacher is not None
    assert not trainer.teacher.trainable_variables
    for one, other in zip(
        trainer.teacher.get_weights(), made.network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert "image" in inputs


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": 0}, "--frames must be at least 1, got 0"),
        (
            {"teacher": "somewhere", "hard_share": 1.0},
            "--teacher=somewhere has no part with --hard_share=1.0; lower",
        ),
        (
            {"network": "teacher", "teacher": "other"},
            "--network=teacher learns from labels; drop --teacher=other",
        ),
    ],
)
def test_flags_that_contradict_are_refused(make_config, changes, message):
    config = make_config(**changes)
    with pytest.raises(ConfigError, match=message):
        run(config)
    assert not pathlib.Path(config.workdir).exists()


def test_weights_are_taken_from_another_run(make_config, tmp_path, no_steps):
    first = run(make_config())
    second = run(
        make_config(
            workdir=str(tmp_path / "second"),
            init_from=str(tmp_path / "run"),
            seed=7,
        )
    )
    for one, other in zip(
        first.network.get_weights(), second.network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(other, one)


def test_weights_of_another_shape_are_refused(make_config, tmp_path, no_steps):
    run(make_config())
    config = make_config(
        workdir=str(tmp_path / "second"),
        init_from=str(tmp_path / "run"),
        preset="wider",
    )
    with pytest.raises(ConfigError) as caught:
        run(config)
    message = str(caught.value)
    assert f"--init_from={tmp_path / 'run'} holds a student" in message
    assert "do not fit a student of preset wider" in message
    assert "\n" not in message
    _assert_no_network(config.workdir)


def test_bands_the_first_run_never_saw_are_refused(
    make_config, tmp_path, example_records, no_steps
):
    run(make_config())
    other = _write_world(
        tmp_path / "other", example_records, bands=("B2", "B8")
    )
    config = make_config(
        records=(other,),
        workdir=str(tmp_path / "second"),
        init_from=str(tmp_path / "run"),
    )
    with pytest.raises(ConfigError, match="bands B2,B3,B8"):
        run(config)
    _assert_no_network(config.workdir)


def _change_version(folder):
    path = folder / "records.json"
    content = json.loads(path.read_text()) | {"schema_version": "0.3.0"}
    path.write_text(json.dumps(content))


def _cut_shard(folder):
    path = sorted(folder.glob("*-train.tfrecord-*"))[0]
    path.write_bytes(path.read_bytes()[:-100])


def _drop_shard(folder):
    sorted(folder.glob("*-train.tfrecord-*"))[0].unlink()


def _drop_manifest(folder):
    (folder / "records.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_change_version, "schema version 0.3.0, this program reads 1"),
        (_cut_shard, "bytes.*the file is cut or changed"),
        (_drop_shard, "is missing; copy the folder again"),
        (_drop_manifest, "no records in .*records.json is not there"),
    ],
)
@pytest.mark.parametrize("place", ["first", "second"])
def test_spoilt_records_are_refused_in_one_line(
    make_config, tmp_path, example_records, spoil, message, place
):
    config = make_config()
    other = _write_world(tmp_path / "other", example_records)
    spoil(tmp_path / "other")
    good = config.records[0]
    records = (other, good) if place == "first" else (good, other)
    with pytest.raises(RecordError, match=message) as caught:
        run(dataclasses.replace(config, records=records))
    assert str(tmp_path / "other") in str(caught.value)
    assert "\n" not in str(caught.value)
    _assert_no_network(config.workdir)


def test_records_without_statistics_are_refused(make_config, world):
    (pathlib.Path(world) / "statistics.json").unlink()
    config = make_config()
    with pytest.raises(RecordError, match="no band statistics at"):
        run(config)
    _assert_no_network(config.workdir)


def test_the_precision_of_a_run_does_not_outlive_it(make_config, no_steps):
    import keras

    result = run(make_config(precision="mixed_bfloat16", steps=1))
    assert keras.config.dtype_policy().name == "float32"
    policies = {layer.dtype_policy.name for layer in result.network.layers}
    assert "mixed_bfloat16" in policies


def test_a_run_that_was_refused_may_be_begun_again(
    make_config, tmp_path, no_steps
):
    config = make_config(init_from=str(tmp_path / "nowhere"))
    with pytest.raises(ModelError, match="nowhere is no finished training"):
        run(config)
    run(dataclasses.replace(config, init_from=None))

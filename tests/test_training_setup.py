"""What a training refuses before its first step, in one line each."""

import dataclasses
import json
import types

import keras
import numpy as np
import pytest

from s2distill import training_setup
from s2distill.data.manifest import Manifest
from s2distill.data.manifest import Shard
from s2distill.data.manifest import read_manifest
from s2distill.data.normalize import BandStatistics
from s2distill.data.normalize import write_statistics
from s2distill.data.schema import RecordSpec
from s2distill.errors import ConfigError
from s2distill.errors import RecordError
from s2distill.errors import SplitError
from s2distill.models.student import STUDENT_PRESETS
from s2distill.models.student import StudentConfig
from s2distill.models.student import build_student
from s2distill.models.teacher import TEACHER_PRESETS
from s2distill.models.teacher import TeacherConfig
from s2distill.models.teacher import build_teacher
from s2distill.training.objective import Objective
from s2distill.training_config import Config
from s2distill.training_run import Run
from s2distill.training_run import write_run

BANDS, FACTOR = ("B2", "B3", "B8"), 4
SPEC = RecordSpec(
    bands=BANDS,
    tile_px=6,
    label_factor=FACTOR,
    product_level="L2A",
    quantification_dn=10_000.0,
    offset_dn=0.0,
    fields=("image", "building"),
)
STUDENT = StudentConfig(
    channels=(8,), stages=1, enlargement=2, unet_channels=(8, 8)
)
TEACHER = TeacherConfig(channels=(8,))


@pytest.fixture(autouse=True)
def tiny_presets(monkeypatch):
    monkeypatch.setitem(STUDENT_PRESETS, "tiny", STUDENT)
    monkeypatch.setitem(TEACHER_PRESETS, "tiny", TEACHER)


def _config(**changes):
    values = {"records": ("world",), "workdir": "run", "preset": "tiny"}
    return Config(**values | changes)


@pytest.fixture
def write(tmp_path):
    """Writes a finished run of some kind, bands and level."""

    def make(name, kind="student", bands=BANDS, level="L2A", **changes):
        network = (
            build_teacher(TEACHER)
            if kind == "teacher"
            else build_student(len(bands), FACTOR, STUDENT)
        )
        ones = (1.0,) * len(bands)
        spec = dataclasses.replace(SPEC, bands=bands, product_level=level)
        write_run(
            tmp_path / name,
            Run(
                kind=kind,
                network=network,
                spec=spec,
                statistics=BandStatistics(bands=bands, centre=ones, scale=ones),
                frames=0 if kind == "teacher" else 3,
                training={},
                **changes,
            ),
        )
        return str(tmp_path / name), network

    return make


def _manifests(tmp_path, example_records, *fields):
    found = []
    for number, names in enumerate(fields):
        folder = tmp_path / f"world{number}"
        example_records(folder, {"train": 1}, fields=names)
        found.append(read_manifest(folder))
    return found


def _manifest(fields, answers=(), split="train"):
    return Manifest(
        spec=dataclasses.replace(SPEC, fields=fields, teacher_answers=answers),
        shards=(Shard(file="f", split=split, records=1, bytes=1),),
    )


_ROADS_AND_BUILDINGS = _manifest(("road", "teacher"), ("building",))


@pytest.mark.parametrize(
    ("manifests", "changes", "taught"),
    [
        ([_manifest(("image", "road", "building"))], {}, "building road"),
        ([_manifest(("building", "height"))], {}, "building height"),
        # A height on no building teaches nothing.
        ([_manifest(("road", "height"))], {}, "road"),
        # Nor does a split that nobody trains on.
        (
            [_manifest(("building",)), _manifest(("road",), split="test")],
            {},
            "building",
        ),
        # The share of labels says which of the two are learnt from.
        ([_ROADS_AND_BUILDINGS], {}, "road"),
        ([_ROADS_AND_BUILDINGS], {"hard_share": 0.0}, "building"),
        ([_ROADS_AND_BUILDINGS], {"hard_share": 0.5}, "building road"),
        (
            [_manifest(("image", "road"))],
            {"hard_share": 0.5, "teacher": "run"},
            "building road",
        ),
    ],
)
def test_a_network_is_taught_what_its_records_hold(manifests, changes, taught):
    # Of the trainer, what a live teacher answers; asked where there is one.
    trainer = types.SimpleNamespace(teacher_answers=("building",))
    found = training_setup.find_answers(_config(**changes), manifests, trainer)
    assert found == tuple(taught.split())


def test_a_live_teacher_answers_what_it_was_trained_for(write):
    path, _ = write("source", kind="teacher", answers=("building",))
    trainer = training_setup.make_trainer(
        _config(teacher=path, hard_share=0.0), SPEC
    )
    assert trainer.teacher_answers == ("building",)


def test_a_teachers_heights_alone_teach_nothing():
    manifests = [_manifest(("teacher",), ("height",))]
    with pytest.raises(ConfigError, match="there is nothing to learn from"):
        training_setup.check_targets(_config(hard_share=0.0), manifests)


def _start(config):
    source = training_setup.load_source(config)
    return training_setup.make_trainer(config, SPEC, source)


@pytest.mark.parametrize(
    ("fields", "changes", "message"),
    [
        (("image", "teacher"), {}, "there is nothing to learn from"),
        ((), {"hard_share": 0.5}, "frames alone: there is nothing"),
        (("building",), {"hard_share": 0.0}, "nothing to learn from"),
        (("building",), {"hard_share": 0.3}, "holds no answers of one"),
    ],
)
def test_records_that_teach_nothing_are_refused(
    tmp_path, example_records, fields, changes, message
):
    manifests = _manifests(tmp_path, example_records, fields)
    with pytest.raises(ConfigError, match=message):
        training_setup.check_targets(_config(**changes), manifests)


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        (("building",), {}),
        (("image", "teacher"), {"hard_share": 0.0}),
        (("image", "building"), {"hard_share": 0.3, "teacher": "run"}),
        (("image", "road"), {"network": "teacher"}),
    ],
)
def test_records_that_teach_something_are_taken(
    tmp_path, example_records, fields, changes
):
    manifests = _manifests(tmp_path, example_records, fields)
    training_setup.check_targets(_config(**changes), manifests)


def test_a_folder_without_images_for_a_teacher_is_named(
    tmp_path, example_records
):
    manifests = _manifests(
        tmp_path, example_records, ("image", "building"), ("building",)
    )
    config = _config(network="teacher", records=("one", "other"))
    with pytest.raises(RecordError, match="^other holds no 50 cm images"):
        training_setup.check_targets(config, manifests)


def test_weights_of_bands_in_another_order_are_refused(write):
    path, _ = write("source", bands=("B8", "B3", "B2"))
    with pytest.raises(ConfigError, match="B8,B3,B2; .* of bands B2,B3,B8"):
        _start(_config(init_from=path))


def test_weights_of_another_level_are_refused(write):
    path, _ = write("source", level="L1C")
    with pytest.raises(ConfigError, match="trained on L1C, the records hold"):
        _start(_config(init_from=path))


def test_a_teachers_weights_fit_any_bands(write):
    path, source = write("source", kind="teacher", bands=("B2", "B8"))
    config = _config(init_from=path, network="teacher")
    keras.utils.set_random_seed(7)
    trainer = _start(config)
    for one, other in zip(
        source.get_weights(), trainer.network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_teacher_starts_with_statistics_of_its_own_records(write, tmp_path):
    path, _ = write("source", kind="teacher", bands=("B2", "B8"))
    own = BandStatistics(bands=BANDS, centre=(2.0,) * 3, scale=(3.0,) * 3)
    write_statistics(tmp_path / "statistics.json", own)
    config = _config(
        init_from=path, network="teacher", records=(str(tmp_path),)
    )
    source = training_setup.load_source(config)
    assert training_setup.read_band_statistics(config, SPEC, source) == own


def test_a_student_starts_with_the_statistics_its_weights_know(write):
    path, _ = write("source")
    config = _config(init_from=path)
    source = training_setup.load_source(config)
    found = training_setup.read_band_statistics(config, SPEC, source)
    assert found == source.statistics


def test_a_teacher_that_is_a_student_is_refused(write):
    path, _ = write("source")
    with pytest.raises(ConfigError, match="source holds a student; a teacher"):
        training_setup.make_trainer(_config(teacher=path, hard_share=0.0), SPEC)


def test_an_objective_is_what_the_flags_say():
    config = _config(
        label_shift_m=3.0, edge_weight=1.5, hard_share=0.4, temperature=2.0
    )
    spec = dataclasses.replace(SPEC, tile_px=32)
    objective = training_setup.make_trainer(config, spec).objective
    assert objective == Objective(
        label_shift_m=3.0,
        edge_weight=1.5,
        hard_share=0.4,
        temperature=2.0,
        label_gsd_m=2.5,
    )


@pytest.mark.parametrize(("crop_px", "side_m"), [(4, 40), (0, 60)])
def test_a_shift_that_leaves_little_to_compare_is_refused(crop_px, side_m):
    config = _config(label_shift_m=20.0, crop_px=crop_px)
    with pytest.raises(ConfigError, match=f"half of a crop of {side_m} m"):
        training_setup.make_trainer(config, SPEC)


def test_a_live_teacher_gives_hints(write):
    path, _ = write("source", kind="teacher")
    trainer = training_setup.make_trainer(
        _config(teacher=path, hard_share=0.0, hint_weight=0.5), SPEC
    )
    assert trainer.objective.hint == 0.5
    assert trainer.hint.channels == TEACHER.channels[0]


def test_a_view_that_no_record_tells_is_refused(tmp_path, example_records):
    manifests = _manifests(tmp_path, example_records, ("image", "building"))
    config = _config(network="teacher", view=True)
    with pytest.raises(RecordError, match="--view: world does not tell from"):
        training_setup.check_targets(config, manifests)


def test_folders_split_by_two_rules_are_refused(tmp_path, example_records):
    from s2distill.data.folders import open_folders

    _manifests(tmp_path, example_records, ("building",), ("building",))
    for number, block_m in enumerate((1000, 500)):
        path = tmp_path / f"world{number}" / "records.json"
        content = json.loads(path.read_text())
        content["split_rule"] = {"block_m": block_m}
        path.write_text(json.dumps(content))
    folders = [tmp_path / "world0", tmp_path / "world1"]
    with pytest.raises(SplitError, match=r"block_m\": 1000.*block_m\": 500"):
        open_folders(folders)
    open_folders(folders[:1] * 2)

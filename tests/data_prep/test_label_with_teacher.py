import hashlib
import json

import numpy as np
import pytest
import tensorflow as tf

from data_prep import label_with_teacher
from data_prep.band_statistics import write_folder_statistics
from data_prep.simulation.view import View
from s2distill.data.folders import read_records
from s2distill.data.manifest import read_manifest
from s2distill.errors import ConfigError
from s2distill.errors import ModelError
from s2distill.errors import RecordError

FIELDS = ("image", "view", "building", "road")


class ColourTeacher(tf.Module):
    """Answers in closed form: red, green, blue and their mean."""

    def __init__(self, answer_side=1, factor=1.0):
        self.step = answer_side
        self.factor = tf.Variable(factor)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.uint8, "image")
        ]
    )
    def __call__(self, image):
        colours = tf.cast(image[:, :: self.step], tf.float32) / 255.0
        colours *= self.factor
        return {
            "building": colours[..., :1],
            "road": colours[..., 1:2],
            "centroid_density": colours[..., 2:],
            "height_m": 40 * tf.reduce_mean(colours, -1, keepdims=True),
        }


class LeaningTeacher(tf.Module):
    """Answers with the view it was given, and tells a scale of 2 m."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.uint8, "image"),
            tf.TensorSpec([None, 3], tf.float32, "view"),
        ]
    )
    def __call__(self, image, view):
        ones = tf.ones_like(tf.cast(image[..., :1], tf.float32))
        parts = tf.split(view[:, tf.newaxis, tf.newaxis], 3, axis=-1)
        right, down, known = (part * ones for part in parts)
        return {
            "building": known,
            "road": right,
            "centroid_density": down,
            "height_m": ones,
            "height_scale_m": 2 * ones,
        }


def save_module(path, module):
    signature = module.__call__.get_concrete_function()
    tf.saved_model.save(module, str(path), signatures=signature)
    return str(path)


def save_teacher(path, **keywords):
    return save_module(path, ColourTeacher(**keywords))


def label(tmp_path, teacher, source="world", **keywords):
    label_with_teacher.run(
        label_with_teacher.Config(
            records=str(tmp_path / source),
            teacher=teacher,
            output=str(tmp_path / "soft"),
            batch_size=2,
            **keywords,
        )
    )
    return tmp_path / "soft"


def test_every_record_gets_the_answers_and_keeps_what_it_held(
    tmp_path, example_records
):
    written = example_records(
        tmp_path / "world", {"train": 5, "test": 1}, fields=FIELDS
    )
    write_folder_statistics(tmp_path / "world")
    soft = label(tmp_path, save_teacher(tmp_path / "teacher"))
    for split, before in written.items():
        after = list(read_records(soft, split))
        assert [r["key"] for r in after] == [r["key"] for r in before]
        for old, new in zip(before, after, strict=True):
            valid = old["image"]["valid"]
            red, green, blue = np.moveaxis(
                old["image"]["rgb"] / 255.0 * valid[..., None], -1, 0
            )
            teacher = new.pop("teacher")
            np.testing.assert_array_equal(teacher["valid"], valid)
            for name, expected in (
                ("building_probs", red),
                ("road_probs", green),
                ("centroid_density", blue),
                ("height_m", 40 * (red + green + blue) / 3),
            ):
                np.testing.assert_allclose(
                    teacher[name], expected, rtol=1e-3, atol=1e-6
                )
            for group in ("s2", "image", "label"):
                for name, values in old[group].items():
                    np.testing.assert_array_equal(new[group][name], values)
            assert new["meta"]["provenance"] == old["meta"]["provenance"]
    assert (soft / "statistics.json").read_bytes() == (
        tmp_path / "world" / "statistics.json"
    ).read_bytes()


def check_views(soft, expected):
    """The answers of a LeaningTeacher, record by record."""
    for record, view in zip(read_records(soft, "train"), expected, strict=True):
        group = record["teacher"]
        names = ("road_probs", "centroid_density", "building_probs")
        for name, value in zip(names, view, strict=True):
            np.testing.assert_allclose(
                group[name], value * group["valid"], rtol=1e-3, atol=1e-4
            )


def test_a_teacher_that_takes_the_view_is_given_each_records(
    tmp_path, example_records
):
    written = example_records(
        tmp_path / "world", {"train": 3}, fields=("image", "view")
    )["train"]
    soft = label(tmp_path, save_module(tmp_path / "t", LeaningTeacher()))
    check_views(
        soft,
        [
            (
                *View(
                    float(record["image"]["view_angle_deg"]),
                    float(record["image"]["view_azimuth_deg"]),
                ).lean_xy,
                1,
            )
            for record in written
        ],
    )


def test_without_the_field_the_view_is_unknown(tmp_path, example_records):
    example_records(tmp_path / "world", {"train": 3}, fields=("image",))
    soft = label(tmp_path, save_module(tmp_path / "t", LeaningTeacher()))
    check_views(soft, np.zeros((3, 3)))


@pytest.mark.parametrize(
    ("answers", "held"),
    [
        (["building", "height"], True),
        (["building"], False),
    ],
)
def test_a_scale_is_written_beside_the_height_it_is_of(
    tmp_path, example_records, answers, held
):
    example_records(tmp_path / "world", {"train": 1}, fields=("image",))
    teacher = save_module(tmp_path / "t", LeaningTeacher())
    (tmp_path / "t" / "model_card.json").write_text(
        json.dumps({"answers": answers})
    )
    soft = label(tmp_path, teacher)
    assert read_manifest(soft).spec.teacher_scales == held
    (record,) = read_records(soft, "train")
    group = record["teacher"]
    assert ("height_scale_m" in group) == held
    if held:
        np.testing.assert_array_equal(
            group["height_scale_m"], 2 * group["valid"]
        )


def test_only_the_splits_asked_for_are_written(tmp_path, example_records):
    example_records(tmp_path / "world", {"train": 2, "test": 1}, fields=FIELDS)
    soft = label(
        tmp_path,
        save_teacher(tmp_path / "teacher"),
        splits=("train", "validation"),
    )
    assert len(list(read_records(soft, "train"))) == 2
    assert {shard.split for shard in read_manifest(soft).shards} == {"train"}


@pytest.mark.parametrize(
    ("splits", "error", "message"),
    [
        (("train", "dev"), ConfigError, "no split dev; there are train"),
        (("validation",), RecordError, "no record in validation, only in tr"),
    ],
)
def test_splits_that_are_not_there_are_refused(
    tmp_path, example_records, splits, error, message
):
    example_records(tmp_path / "world", {"train": 1}, fields=FIELDS)
    with pytest.raises(error, match=message):
        label(tmp_path, "unread", splits=splits)
    assert not (tmp_path / "soft").exists()


def test_the_manifest_names_the_teacher_and_the_source(
    tmp_path, example_records
):
    example_records(tmp_path / "world", {"train": 1}, fields=FIELDS)
    teacher = save_teacher(tmp_path / "teacher")
    (tmp_path / "teacher" / "model_card.json").write_text('{"kind": "x"}')
    manifest = read_manifest(label(tmp_path, teacher))
    assert manifest.spec.fields == (*FIELDS, "teacher")
    assert manifest.spec.teacher_answers == ("building", "road", "height")
    found = manifest.provenance["teacher"]
    assert found["path"] == teacher
    assert found["card"] == {"kind": "x"}
    assert found["sha256"] == label_with_teacher.hash_files(teacher)
    assert manifest.provenance["source"]["provenance"] == {"program": "tests"}


def test_only_answers_the_teacher_was_trained_for_are_written(
    tmp_path, example_records
):
    written = example_records(
        tmp_path / "world", {"train": 3}, fields=("image", "teacher")
    )["train"]
    teacher = save_teacher(tmp_path / "teacher")
    card = {"answers": ["building", "height"]}
    (tmp_path / "teacher" / "model_card.json").write_text(json.dumps(card))
    soft = label(tmp_path, teacher, overwrite_answers=True)
    spec = read_manifest(soft).spec
    assert spec.teacher_answers == ("building", "height")
    assert not spec.teacher_scales
    for old, new in zip(written, read_records(soft, "train"), strict=True):
        assert set(new["teacher"]) == {
            "valid",
            "building_probs",
            "centroid_density",
            "height_m",
        }
        red = old["image"]["rgb"][..., 0] / 255 * old["image"]["valid"]
        np.testing.assert_allclose(
            new["teacher"]["building_probs"], red, rtol=1e-3, atol=1e-6
        )


def test_the_hash_covers_names_and_contents(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"1")
    inner = hashlib.sha256(b"1").digest()
    expected = hashlib.sha256(b"a/x\0" + inner).hexdigest()
    assert label_with_teacher.hash_files(tmp_path) == expected
    (tmp_path / "a" / "x").rename(tmp_path / "a" / "y")
    assert label_with_teacher.hash_files(tmp_path) != expected


def test_answers_that_are_there_are_given_up_only_when_told(
    tmp_path, example_records
):
    written = example_records(
        tmp_path / "world",
        {"train": 1},
        fields=("image", "teacher"),
        teacher_answers=("building", "height"),
        teacher_scales=True,
    )
    teacher = save_teacher(tmp_path / "teacher")
    with pytest.raises(
        RecordError,
        match="holds answers already: building, height; .*--overwrite_answers",
    ):
        label(tmp_path, teacher)
    assert not (tmp_path / "soft").exists()
    soft = label(tmp_path, teacher, overwrite_answers=True)
    assert read_manifest(soft).spec.fields == ("image", "teacher")
    before = written["train"][0]["teacher"]["building_probs"]
    (after,) = read_records(soft, "train")
    assert not np.array_equal(after["teacher"]["building_probs"], before)


def test_records_without_images_are_refused(tmp_path, example_records):
    example_records(tmp_path / "world", {"train": 1}, fields=("building",))
    with pytest.raises(RecordError, match="holds no images, only building"):
        label(tmp_path, "nowhere")


def test_a_path_without_a_model_is_refused(tmp_path, example_records):
    example_records(tmp_path / "world", {"train": 1}, fields=("image",))
    with pytest.raises(ModelError, match="no SavedModel at .*nowhere"):
        label(tmp_path, str(tmp_path / "nowhere"))


def test_a_model_of_another_signature_is_refused(tmp_path):
    class Other(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([2], tf.float32)])
        def __call__(self, x):
            return {"y": x}

    teacher = save_module(tmp_path / "m", Other())
    with pytest.raises(ModelError, match="maps x to y; a teacher maps image a"):
        label_with_teacher.load_teacher(teacher)


def test_answers_on_another_grid_leave_no_folder(tmp_path, example_records):
    example_records(tmp_path / "world", {"train": 1}, fields=("image",))
    teacher = save_teacher(tmp_path / "teacher", answer_side=2)
    with pytest.raises(ModelError, match=r"shape \(60, 120, 1\), its image"):
        label(tmp_path, teacher)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["teacher", "world"]


def test_answers_that_are_not_finite_are_refused(tmp_path, example_records):
    example_records(tmp_path / "world", {"train": 1}, fields=("image",))
    teacher = save_teacher(tmp_path / "teacher", factor=np.nan)
    with pytest.raises(ModelError, match="building for record tile-train-0 is"):
        label(tmp_path, teacher)


def test_the_card_is_part_of_the_manifest_as_json(tmp_path, example_records):
    example_records(tmp_path / "world", {"train": 1}, fields=("image",))
    soft = label(tmp_path, save_teacher(tmp_path / "teacher"))
    content = json.loads((soft / "records.json").read_text())
    assert content["provenance"]["teacher"]["card"] is None

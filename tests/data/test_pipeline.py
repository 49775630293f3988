import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from s2distill.data.normalize import BandStatistics
from s2distill.data.pipeline import PipelineConfig
from s2distill.data.pipeline import make_eval_dataset
from s2distill.data.pipeline import make_train_dataset
from s2distill.data.schema import ANSWERS
from s2distill.data.schema import TEACHER_FEATURES
from s2distill.errors import BandError
from s2distill.errors import ConfigError
from s2distill.errors import RecordError

STATISTICS = BandStatistics(
    bands=("B12", "B2", "B8"), centre=(0.2, 0.1, 0.3), scale=(0.1, 0.2, 0.3)
)
LABELS = ("image", "view", "building", "road", "height")
# 4 m labels: small, and as exact as those of 0.5 m.
SMALL = {"tile_px": 6, "label_factor": 4}
# No chance at all: what comes out can be computed by hand.
STILL = PipelineConfig(
    batch_size=2, frames=4, augment=False, view_drop=0.0, shuffle_records=1
)


@pytest.fixture
def world(tmp_path, example_records):
    """Labelled records, two teachers', and some of frames alone."""
    written = {}
    for name, count, fields, answers, scales in (
        ("labelled", 9, LABELS, (), False),
        ("soft", 5, ("image", "teacher"), ANSWERS, True),
        ("weak", 4, ("teacher",), ("building", "height"), False),
        ("bare", 3, (), (), False),
    ):
        split = example_records(
            tmp_path / name,
            {"train": count, "test": 5},
            fields=fields,
            teacher_answers=answers,
            teacher_scales=scales,
            prefix=name,
            seed=count,
            **SMALL,
        )
        for examples in split.values():
            written |= {example["key"]: example for example in examples}
    return tmp_path, written


def paths(world, *names):
    return [str(world[0] / name) for name in names]


def take(dataset, number):
    return [
        tuple({n: x.numpy() for n, x in part.items()} for part in batch)
        for batch in dataset.take(number)
    ]


def assert_equal(one, two):
    for batch, twin in zip(one, two, strict=True):
        for part, other in zip(batch, twin, strict=True):
            assert set(part) == set(other)
            for name in part:
                np.testing.assert_array_equal(part[name], other[name], name)


def normalized(example):
    statistics = STATISTICS.select(("B2", "B8", "B12"))
    x = example["s2"]["image"] / 1e4 - statistics.centre
    x = np.clip(x / statistics.scale, -6, 6)
    return x * example["s2"]["valid"][..., None]


def test_evaluation_meets_each_record_once_and_whole(world):
    dataset = make_eval_dataset(
        paths(world, "labelled", "soft", "weak", "bare"),
        "test",
        PipelineConfig(batch_size=4, frames=5, crop_px=2, frame_drop=0.9),
        STATISTICS,
        with_keys=True,
    )
    batches = take(dataset, -1)
    assert [len(t["key"]) for _, t in batches] == [4] * 5
    keys = [k.decode() for _, t in batches for k in t["key"]]
    assert sorted(keys) == sorted(k for k in world[1] if "-test-" in k)
    for inputs, targets in batches:
        for n, key in enumerate(targets["key"]):
            check_example(inputs, targets, n, world[1][key.decode()])


def check_example(inputs, targets, n, example):
    count = len(example["s2"]["image"])
    np.testing.assert_allclose(
        inputs["s2"][n, :count], normalized(example), atol=1e-5
    )
    np.testing.assert_array_equal(
        inputs["frame_valid"][n, :count], example["s2"]["valid"]
    )
    assert not inputs["s2"][n, count:].any()
    assert not inputs["frame_valid"][n, count:].any()
    image = example.get("image")
    if image is not None:
        np.testing.assert_allclose(
            inputs["image"][n], image["rgb"] / 127.5 - 1, atol=1e-6
        )
    check_weight(targets["image_weight"][n], image)
    label = example.get("label")
    for name in ("building", "road"):
        check_weight(targets[f"{name}_weight"][n], label)
        expected = 0 if label is None else label[name] * label["valid"]
        np.testing.assert_array_equal(targets[name][n, ..., 0], expected)
    if label is not None:
        known = label["valid"] * label["building"] > 0
        known &= np.isfinite(label["height_m"])
        np.testing.assert_array_equal(
            targets["height_weight"][n, ..., 0], known
        )
        np.testing.assert_array_equal(
            targets["height_m"][n, ..., 0],
            np.where(known, label["height_m"], 0),
        )
    teacher = example.get("teacher", {})
    for answer, names in TEACHER_FEATURES.items():
        for name in names:
            given = teacher if name in teacher else None
            check_weight(targets[f"teacher_{answer}_weight"][n], given)
            expected = 0 if given is None else given[name] * given["valid"]
            np.testing.assert_array_equal(
                targets[f"teacher_{name}"][n, ..., 0], expected
            )

    found = targets["teacher_height_scale_m"][n, ..., 0]
    scale_m = teacher.get("height_scale_m", 0) * teacher.get("valid", 0)
    np.testing.assert_array_equal(found, scale_m)


def check_weight(weight, group):
    expected = 0 if group is None else group["valid"]
    np.testing.assert_array_equal(weight[..., 0], expected)


def test_evaluation_takes_the_clearest_frames(world):
    dataset = make_eval_dataset(
        paths(world, "labelled"),
        "test",
        dataclasses.replace(STILL, frames=2),
        STATISTICS,
        with_keys=True,
    )
    for inputs, targets in take(dataset, -1):
        for n, key in enumerate(targets["key"]):
            valid = world[1][key.decode()]["s2"]["valid"]
            clear = np.sort(valid.sum((1, 2)))[::-1][:2]
            found = inputs["frame_valid"][n].sum((1, 2))
            assert found.sum() == clear.sum()


def test_absent_fields_give_no_targets(world):
    def specs(*names):
        folders = paths(world, *names)
        return make_train_dataset(folders, STILL, STATISTICS).element_spec

    inputs, targets = specs("bare")
    assert set(inputs) == {"s2", "frame_valid"}
    assert targets == {}
    inputs, targets = specs("soft")
    assert set(inputs) == {"s2", "frame_valid", "image", "view"}
    assert {n for n in targets if "teacher" not in n} == {
        "image_grey",
        "image_weight",
    }
    _, targets = specs("weak", "bare")
    assert set(targets) == {
        "teacher_building_probs",
        "teacher_centroid_density",
        "teacher_building_weight",
        "teacher_height_m",
        "teacher_height_weight",
    }


def test_shapes_are_known_before_the_first_batch(world):
    inputs, targets = make_train_dataset(
        paths(world, "labelled", "bare"),
        PipelineConfig(batch_size=3, frames=7, crop_px=5),
        STATISTICS,
    ).element_spec
    assert inputs["s2"].shape == (3, 7, 5, 5, 3)
    assert inputs["frame_valid"].shape == (3, 7, 5, 5)
    assert inputs["image"].shape == (3, 20, 20, 3)
    assert inputs["view"].shape == (3, 3)
    assert inputs["view"].dtype == tf.float32
    assert {t.shape for t in targets.values()} == {
        tf.TensorShape((3, 20, 20, 1))
    }
    assert {t.dtype for t in targets.values()} == {tf.float32}


def test_training_mixes_all_folders_evenly(world):
    config = PipelineConfig(batch_size=21, frames=2, crop_px=3)
    dataset = make_train_dataset(
        paths(world, "labelled", "soft", "weak", "bare"), config, STATISTICS
    )
    for _, targets in take(dataset, 2):  # an epoch each
        has = {
            name: targets[f"{name}_weight"].any((1, 2, 3)).sum()
            for name in ("building", "teacher_height", "teacher_road", "image")
        }
        assert has == {
            "building": 9,
            "teacher_height": 5 + 4,
            "teacher_road": 5,
            "image": 9 + 5,
        }


def test_the_same_seed_gives_the_same_batches_and_another_does_not(world):
    config = PipelineConfig(
        batch_size=4, frames=3, crop_px=4, frame_drop=0.3, seed=7
    )
    folders = paths(world, "labelled")

    def batches(**changes):
        changed = dataclasses.replace(config, **changes)
        return take(make_train_dataset(folders, changed, STATISTICS), 6)

    first = batches()
    keras.utils.set_random_seed(123)
    assert_equal(batches(), first)
    for change in ({"seed": 8}, {"host_index": 1, "host_count": 2}):
        other = batches(**change)
        assert not np.array_equal(other[0][0]["s2"], first[0][0]["s2"])


def test_a_run_resumes_where_it_stopped(world):
    config = PipelineConfig(batch_size=4, frames=3, crop_px=4, frame_drop=0.3)
    folders = paths(world, "labelled")
    whole = take(make_train_dataset(folders, config, STATISTICS), 9)
    resumed = make_train_dataset(folders, config, STATISTICS, start_step=5)
    assert_equal(take(resumed, 4), whole[5:])


def ground_records(tmp_path, example_records, monkeypatch):
    """Records whose DN and labels both name the place of each pixel."""
    side, factor = SMALL["tile_px"], SMALL["label_factor"]
    places = np.arange(side * side).reshape(side, side)
    from s2distill.data.records import RecordWriter

    write = RecordWriter.write

    def with_places(self, split, example):
        frames = np.arange(len(example["s2"]["image"]))
        dn = places + 100 * frames[:, None, None] + 1
        example["s2"]["image"][...] = dn[..., None]
        example["s2"]["valid"][...] = 1
        example["label"]["valid"][...] = 1
        fine = places.repeat(factor, 0).repeat(factor, 1)
        example["label"]["centroid_density"][...] = fine
        write(self, split, example)

    monkeypatch.setattr(RecordWriter, "write", with_places)
    example_records(
        tmp_path / "ground", {"train": 6}, frames=(5, 5), fields=LABELS, **SMALL
    )
    return [str(tmp_path / "ground")]


def test_crops_and_symmetries_keep_labels_on_their_ground(
    tmp_path, example_records, monkeypatch
):
    folders = ground_records(tmp_path, example_records, monkeypatch)
    statistics = BandStatistics(
        bands=("B2", "B8", "B12"), centre=(0.0,) * 3, scale=(1.0,) * 3
    )
    config = PipelineConfig(
        batch_size=6, frames=3, crop_px=4, frame_drop=0.3, seed=1
    )
    dataset = make_train_dataset(folders, config, statistics)
    corners, dropped, first_frames = set(), 0, set()
    for inputs, targets in take(dataset, 12):
        dn = np.rint(inputs["s2"][..., 0] * 1e4).astype(int) - 1
        for n in range(6):
            seen = inputs["frame_valid"][n].all((1, 2))
            assert seen.any()
            dropped += 3 - seen.sum()
            assert (dn[n][~seen] == -1).all()
            shown = dn[n][seen]
            numbers = shown[:, 0, 0] // 100
            first_frames.add(numbers[0])
            assert len(set(numbers)) == len(numbers)
            place = shown[0] % 100
            assert all((frame % 100 == place).all() for frame in shown)
            fine = place.repeat(4, 0).repeat(4, 1)
            np.testing.assert_array_equal(
                targets["centroid_density"][n, ..., 0], fine
            )
            corners.add((place.min(), place[0, 0]))
    assert first_frames == set(range(5))
    assert 0 < dropped < 6 * 12 * 3 * 0.5
    # 3 x 3 places of the crop, and its first corner anywhere in it.
    assert {low for low, _ in corners} == {0, 1, 2, 6, 7, 8, 12, 13, 14}
    assert len(corners) > 18


def test_hosts_share_the_records(world):
    keys = []
    for host in range(3):
        config = dataclasses.replace(STILL, host_index=host, host_count=3)
        dataset = make_eval_dataset(
            paths(world, "labelled", "bare"),
            "test",
            config,
            STATISTICS,
            with_keys=True,
        )
        keys += [k.decode() for _, t in take(dataset, -1) for k in t["key"]]
    expected = [
        f"{name}-test-{n}" for name in ("labelled", "bare") for n in range(5)
    ]
    assert sorted(keys) == sorted(expected)


def test_stacks_without_a_frame_come_out_empty_but_whole(
    tmp_path, example_records
):
    example_records(tmp_path / "r", {"train": 2}, frames=(0, 0), **SMALL)
    dataset = make_train_dataset(
        [str(tmp_path / "r")],
        PipelineConfig(batch_size=2, frames=3),
        STATISTICS,
    )
    ((inputs, _),) = take(dataset, 1)
    assert inputs["s2"].shape == (2, 3, 6, 6, 3)
    assert not inputs["s2"].any()
    assert not inputs["frame_valid"].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 0}, "batch_size=0 must be at least 1"),
        ({"frames": 0}, "frames=0 must"),
        ({"frame_drop": 1.0}, r"frame_drop=1.0 must lie in \[0, 1\)"),
        ({"view_drop": -0.1}, r"view_drop=-0.1 must lie in \[0, 1\)"),
        (
            {"host_index": 2, "host_count": 2},
            r"host_index=2 must lie in 0\.\.1",
        ),
    ],
)
def test_an_impossible_configuration_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(STILL, **change)


@pytest.mark.parametrize("crop_px", [0, 7])
def test_a_crop_that_does_not_fit_is_refused(world, crop_px):
    config = dataclasses.replace(STILL, crop_px=crop_px)
    with pytest.raises(RecordError, match=f"crop of {crop_px} px from .*label"):
        make_train_dataset(paths(world, "labelled"), config, STATISTICS)


def test_an_empty_split_and_missing_statistics_are_refused(world):
    with pytest.raises(RecordError, match="no record in the validation split"):
        make_eval_dataset(
            paths(world, "labelled"), "validation", STILL, STATISTICS
        )
    other = BandStatistics(bands=("B2",), centre=(0.1,), scale=(1.0,))
    with pytest.raises(BandError, match="no band B8, B12 among B2"):
        make_train_dataset(paths(world, "labelled"), STILL, other)


def test_crops_of_a_record_go_to_consecutive_batches(world):
    config = PipelineConfig(
        batch_size=2, frames=2, crop_px=2, crops_per_record=3, seed=4
    )

    def batches(start_step, number):
        dataset = make_train_dataset(
            paths(world, "labelled", "soft"),
            config,
            STATISTICS,
            start_step=start_step,
        )
        return take(dataset, number)

    straight = batches(0, 8)
    # Also where a run resumes between two crops of one record.
    for start in (1, 3, 5):
        assert_equal(straight[start:], batches(start, 8 - start))
    images = [inputs["image"] for inputs, _ in straight]
    assert not np.array_equal(images[0], images[1])
    assert images[0].shape == (2, 8, 8, 3)

"""Toy networks of closed form on random records, scored end to end."""

import dataclasses
import json

import numpy as np
import pytest

from s2distill import evaluation_run
from s2distill.errors import BandError
from s2distill.errors import ConfigError
from s2distill.errors import ProductLevelError
from s2distill.errors import RecordError
from s2distill.evaluation.report import make_report
from s2distill.evaluation_run import evaluate_models
from s2distill.evaluation_run import make_predict_function

BANDS, TILE, FACTOR = ("B2", "B3", "B4", "B8"), 6, 4
FIELDS = ("image", "building", "road", "height")


def _run(kind, network, frames, **changes):
    from s2distill.data.normalize import BandStatistics
    from s2distill.data.schema import RecordSpec
    from s2distill.training_run import Run

    keywords = {"bands": BANDS, "tile_px": TILE, "label_factor": FACTOR}
    spec = RecordSpec(**{**keywords, "fields": FIELDS, **changes})
    return Run(
        kind=kind,
        network=network,
        spec=spec,
        statistics=BandStatistics(
            bands=BANDS, centre=(0.3,) * 4, scale=(0.2, 0.3, 0.25, 0.4)
        ),
        frames=frames,
        training={},
    )


def _answers(signal):
    """The answers of a toy network, from one plane in about -1 to 1."""
    return {
        "building_logits": 4 * signal,
        "road_logits": -4 * signal,
        "centroid_density": 0.5 + 0.1 * signal,
        "height_m": 20 + 5 * signal,
        "height_scale_m": 2 + 0 * signal,
        "image_grey": 0.5 + 0.5 * signal,
    }


def make_teacher(**changes):
    """Sees a building where the image is bright in red."""
    import keras

    image = keras.Input((None, None, 3), name="image")
    outputs = _answers(image[..., :1])
    return _run("teacher", keras.Model({"image": image}, outputs), 0, **changes)


def make_student(frames=3, **changes):
    """Sees a building where the first band of the frames' mean is bright."""
    import keras
    from keras import ops

    s2 = keras.Input((None, None, None, len(BANDS)), name="s2")
    valid = keras.Input((None, None, None), name="frame_valid")
    weight = ops.expand_dims(valid, -1)
    mean = ops.sum(s2 * weight, axis=1) / ops.maximum(ops.sum(weight, 1), 1)
    wide = ops.repeat(ops.repeat(mean[..., :1], FACTOR, 1), FACTOR, 2)
    network = keras.Model({"s2": s2, "frame_valid": valid}, _answers(wide))
    return _run("student", network, frames, **changes)


@pytest.fixture
def world(example_records, tmp_path):
    """(folder, test records) with 5 test tiles."""
    folder = tmp_path / "world"
    written = example_records(
        folder,
        {"train": 1, "test": 5},
        bands=BANDS,
        tile_px=TILE,
        label_factor=FACTOR,
        fields=FIELDS,
    )
    return str(folder), written["test"]


@pytest.fixture
def no_pictures(monkeypatch):
    """Scores alone: drawing takes most of the time."""
    monkeypatch.setattr(
        evaluation_run,
        "write_gallery",
        lambda output, scores, examples, teacher, cell_m: (
            make_report(scores, teacher),
            [],
        ),
    )


def _score(models, world, output, **keywords):
    keywords = {"batch_size": 2, "count_cell_m": 30, "examples": 2, **keywords}
    return evaluate_models(models, [world[0]], output, **keywords)


def test_teachers_scores_are_those_of_the_written_records(
    world, tmp_path, no_pictures
):
    report, _ = _score({"big": make_teacher()}, world, tmp_path / "out")
    labels = [record["label"] for record in world[1]]
    red = np.stack([record["image"]["rgb"][..., 0] for record in world[1]])
    known = np.stack([label["valid"] for label in labels]) > 0
    true = np.stack([label["building"] for label in labels]) > 0
    seen = (red >= 128)[known]
    true_known = true[known]
    expected = np.sum(seen & true_known) / np.sum(seen | true_known)
    assert report["big"]["building_iou"] == pytest.approx(expected)
    height = np.stack([label["height_m"] for label in labels])
    built = known & true & np.isfinite(height)
    error = np.abs(20 + 5 * (red / 127.5 - 1) - height.astype(float))[built]
    assert report["big"]["height_mae_m"] == pytest.approx(
        error.mean(), abs=1e-3
    )
    assert report["big"]["tiles"] == 5


def test_students_are_retained_against_the_teacher(world, tmp_path):
    models = {"first": make_teacher(), "small": make_student()}
    report, paths = _score(models, world, tmp_path / "out")
    assert report["small"]["retention"] == pytest.approx(
        report["small"]["building_miou"] / report["first"]["building_miou"]
    )
    assert report["first"]["retention"] is None
    on_disk = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert on_disk == json.loads(json.dumps(report))
    assert all(path.stat().st_size > 0 for path in paths)
    names = [path.name for path in paths]
    assert names[:3] == ["scores.json", "table.txt", "examples.png"]
    assert sum(name.startswith("example_") for name in names) == 2


def test_batch_size_does_not_move_scores(world, tmp_path, no_pictures):
    one, five = (
        _score(
            {"small": make_student()},
            world,
            tmp_path / str(size),
            batch_size=size,
            examples=0,
        )[0]["small"]
        for size in (1, 5)
    )
    assert one["building_iou"] == five["building_iou"]
    assert one["height_mae_m"] == pytest.approx(five["height_mae_m"], rel=1e-6)


def test_tiles_are_told_apart_by_a_pattern(world, tmp_path, no_pictures):
    report, _ = _score(
        {"small": make_student()},
        world,
        tmp_path,
        stratum_pattern=r"-([0-2])$",
        examples=0,
    )
    strata = report["small"]["strata"]
    assert {name: one["tiles"] for name, one in strata.items()} == {
        "0": 1,
        "1": 1,
        "2": 1,
        "other": 2,
    }


def test_probabilities_are_the_sigmoid_of_logits(world):
    image = np.random.default_rng(0).uniform(-1, 1, (2, 3, 5, 3))
    image = image.astype(np.float32)
    answers = make_predict_function(make_teacher())({"image": image, "s2": 0})
    expected = 1 / (1 + np.exp(-4 * image[..., :1]))
    np.testing.assert_allclose(answers["building"], expected, rtol=1e-5)
    np.testing.assert_allclose(answers["road"], 1 - expected, atol=1e-6)


def test_a_calibrated_model_answers_before_and_after():
    from s2distill.serving.calibration import Calibration

    image = np.random.default_rng(0).uniform(-1, 1, (2, 3, 5, 3))
    inputs = {"image": image.astype(np.float32)}
    teacher = make_teacher()
    plain = make_predict_function(teacher)(inputs)
    calibrated = make_predict_function(
        dataclasses.replace(
            teacher,
            calibration=Calibration(
                temperatures={"building": 2.0, "road": 0.5},
                biases={"building": -0.3, "road": 0.0},
                height_scale_factor=3.0,
            ),
        )
    )(inputs)
    for name, temperature, bias in (("building", 2, -0.3), ("road", 0.5, 0)):
        before = calibrated[f"{name}_uncalibrated"]
        np.testing.assert_array_equal(before, plain[name])
        logits = np.log(before) - np.log1p(-before)
        expected = 1 / (1 + np.exp(-logits / temperature - bias))
        # float32 logits from presence near 1
        np.testing.assert_allclose(calibrated[name], expected, atol=1e-4)
    np.testing.assert_allclose(calibrated["height_scale_m"], 6.0)
    np.testing.assert_array_equal(calibrated["height_m"], plain["height_m"])


def test_bands_in_another_order_are_refused(world, tmp_path):
    turned = make_student(bands=BANDS[::-1])
    with pytest.raises(BandError, match="small was trained on bands B8,B4"):
        _score({"small": turned}, world, tmp_path)


def test_another_product_level_is_refused(world, tmp_path):
    other = make_student(product_level="L1C")
    with pytest.raises(ProductLevelError, match="trained on L1C.*has L2A"):
        _score({"small": other}, world, tmp_path)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"count_cell_m": 1.0}, "squares of 1.0 m: a pixel has 2.5 m"),
        ({"stratum_pattern": "("}, r"stratum pattern '\('"),
        ({"stratum_pattern": "a"}, "'a' has no group"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    keywords, message, world, tmp_path
):
    with pytest.raises(ConfigError, match=message):
        _score({"small": make_student()}, world, tmp_path, **keywords)


def test_no_model_is_refused(world, tmp_path):
    with pytest.raises(ConfigError, match="no model to score"):
        _score({}, world, tmp_path)


def test_an_empty_split_is_refused(world, tmp_path):
    with pytest.raises(RecordError, match="no record in the validation split"):
        _score({"a": make_student()}, world, tmp_path, split="validation")

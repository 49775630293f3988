"""The calibration program on a toy network and random records."""

import dataclasses
import json

import numpy as np
import pytest

from s2distill import calibrate
from s2distill import evaluate
from s2distill import export
from s2distill.errors import BandError
from s2distill.errors import ConfigError
from s2distill.errors import ModelError
from s2distill.errors import RecordError
from s2distill.serving.window_features import COMPOSITE
from s2distill.training_run import Run
from s2distill.training_run import load_run
from s2distill.training_run import write_run

BANDS, FACTOR = ("B2", "B8"), 2
FIELDS = ("building", "road", "height")
SPEC = {"bands": BANDS, "tile_px": 8, "label_factor": FACTOR, "fields": FIELDS}


def _build_network():
    """Knows nothing: presence is too sure of itself, heights are all 20 m."""
    import keras
    from keras import ops

    s2 = keras.Input((None, None, None, len(BANDS)), name="s2")
    valid = keras.Input((None, None, None), name="frame_valid")
    mean = ops.mean(s2, axis=1) + ops.mean(valid, axis=1)[..., None]
    x = keras.layers.Conv2D(3, 3, padding="same", name="stem")(mean)
    x = keras.layers.UpSampling2D(FACTOR, name="features")(x)
    one = 0 * x[..., :1] + 1
    return keras.Model(
        {"s2": s2, "frame_valid": valid},
        {
            "building_logits": 3 * ops.sin(5 * x[..., :1]) - 1,
            "road_logits": x[..., 1:2],
            "centroid_density": 0.01 * one,
            "height_m": 20 * one,
            "height_scale_m": 0.5 * one,
            "image_grey": 0.5 * one,
        },
    )


@pytest.fixture
def workdir(tmp_path):
    """A finished training of the toy."""
    import keras

    from s2distill.data.normalize import BandStatistics
    from s2distill.data.schema import RecordSpec

    keras.utils.set_random_seed(1)
    run = Run(
        kind="student",
        network=_build_network(),
        spec=RecordSpec(**SPEC),
        statistics=BandStatistics(
            bands=BANDS, centre=(0.6, 0.6), scale=(0.3, 0.3)
        ),
        frames=3,
        training={},
    )
    write_run(tmp_path / "run", run)
    return tmp_path / "run"


@pytest.fixture
def world(example_records, tmp_path):
    folder = str(tmp_path / "world")
    counts = {"train": 10, "validation": 9, "test": 2}
    example_records(folder, counts, frames=(3, 4), **SPEC)
    return folder


@pytest.fixture
def make_config(workdir, world):
    def make(**changes):
        fields = {"workdir": str(workdir), "records": (world,), "window_px": 4}
        return calibrate.Config(**fields | changes)

    return make


def test_everything_is_fitted_and_taken_by_export_and_evaluate(
    make_config, workdir, world, tmp_path
):
    from s2distill.serving.predictor import load_predictor

    calibration = calibrate.run(make_config())
    before, after = (calibration.measured[k] for k in ("before", "after"))
    # Half of the pixels are buildings, whatever the network sees: presence
    # must become 0.5 and all intervals much wider.
    assert before["building_ece"] > 0.2
    assert after["building_ece"] < 0.1
    assert before["height_coverage_80"] < 0.2
    assert after["height_coverage_80"] == pytest.approx(0.8, abs=0.02)
    assert list(calibration.trust.layers) == ["composite", "stem", "features"]
    for name in ("calibration.json", "calibration.npz", "calibration.png"):
        assert (workdir / name).stat().st_size > 0
    exported = tmp_path / "model"
    export.run(export.Config(workdir=str(workdir), output=str(exported)))
    predictor = load_predictor(exported)
    card = predictor.card
    assert card.temperatures == calibration.temperatures
    assert card.biases == calibration.biases
    assert card.height_scale_factor == calibration.height_scale_factor
    assert (card.trust_window_px, card.trust_threshold) == (
        4,
        calibration.trust.threshold,
    )
    rng = np.random.default_rng(3)
    dn = rng.integers(1, 12_000, (1, 3, 8, 12, 2), dtype=np.uint16)
    valid = np.ones(dn.shape[:4], np.uint8)
    usual = predictor({"s2_dn": dn, "frame_valid": valid})
    strange = predictor({"s2_dn": dn // 40, "frame_valid": valid})
    assert usual["out_of_distribution"].shape == (1, 2, 3, 1)
    assert usual["out_of_distribution"].max() < 1.3
    assert strange["out_of_distribution"].min() > 1.5
    scale = 0.5 * calibration.height_scale_factor
    np.testing.assert_allclose(usual["height_scale_m"], scale, rtol=1e-6)

    def score(**flags):
        return evaluate.run(
            evaluate.Config(
                records=(world,),
                models=(f"toy={workdir}",),
                output=str(tmp_path / "scores"),
                count_cell_m=20,
                examples=0,
                **flags,
            )
        )["toy"]

    plain, calibrated = score(calibrated=False), score()
    assert plain["building_ece_uncalibrated"] is None
    assert calibrated["building_ece_uncalibrated"] == plain["building_ece"]
    assert calibrated["building_ece"] < plain["building_ece"] / 3
    assert calibrated["building_miou"] == plain["building_miou"]
    assert calibrated["missed_per_km2"] == plain["missed_per_km2"]
    assert (
        "validation split: toy"
        in (tmp_path / "scores" / "table.txt").read_text()
    )


def test_windows_of_the_train_split_are_seen_with_fewer_frames_too(
    make_config, workdir
):
    config, model = make_config(batch_size=2), load_run(workdir)
    one_frame = dataclasses.replace(model, frames=1)
    scales = {COMPOSITE: 1.0}

    def spreads(split, run=model):
        """Of the composite over time, by batch of 2 tiles of 4 windows."""
        found = calibrate.collect_windows(config, run, split, scales)
        return found[COMPOSITE][:, 2:4].mean(axis=1)

    training = spreads("train")
    assert len(training) == 40
    # Of 3 frames: all, two, one; of one frame nothing spreads over time.
    assert training[:8].min() > 0
    assert training[8:16].min() > 0
    np.testing.assert_allclose(training[16:24], 0, atol=1e-6)
    assert spreads("validation").min() > 0
    np.testing.assert_allclose(spreads("validation", one_frame), 0, atol=1e-6)


def test_flags_overrule_what_was_fitted(make_config, workdir, tmp_path):
    from s2distill.serving.card import read_card

    calibration = calibrate.run(make_config(trust=False))
    assert calibration.trust is None
    assert load_run(workdir).calibration is None
    found = load_run(workdir, calibrated=True).calibration
    assert found.biases == calibration.biases
    for name, flags in (
        ("bare", {"calibrated": False}),
        ("own", {"temperatures": ("1.5", "0.8")}),
    ):
        output = str(tmp_path / name)
        export.run(export.Config(workdir=str(workdir), output=output, **flags))
    bare, own = (read_card(tmp_path / name) for name in ("bare", "own"))
    assert bare.temperatures == {"building": 1.0, "road": 1.0}
    assert bare.height_scale_factor == 1.0
    assert own.temperatures == {"building": 1.5, "road": 0.8}
    assert own.biases == {"building": 0.0, "road": 0.0}
    assert own.height_scale_factor == calibration.height_scale_factor


def test_labels_of_a_kind_that_nobody_gave_leave_it_as_trained(
    make_config, example_records, tmp_path
):
    folder = str(tmp_path / "roads")
    spec = {**SPEC, "fields": ("road",)}
    example_records(folder, {"validation": 2}, frames=(3, 3), **spec)
    calibration = calibrate.run(make_config(records=(folder,), trust=False))
    assert calibration.temperatures["building"] == 1.0
    assert calibration.temperatures["road"] != 1.0
    assert calibration.height_scale_factor == 1.0
    assert calibration.measured["before"]["building_ece"] is None


def test_the_files_repeat_what_was_printed(make_config, workdir, capsys):
    calibrate.run(make_config(trust=False))
    shown = capsys.readouterr().out.splitlines()
    content = json.loads((workdir / "calibration.json").read_text())
    temperature = content["temperatures"]["road"]
    assert any(
        line.startswith(f"presence of road: sigmoid(logit / {temperature:.3f}")
        for line in shown
    )
    assert shown[-2:] == [
        str(workdir / "calibration.json"),
        str(workdir / "calibration.png"),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window_px": 0}, "--window_px=0: a window has 1 pixel"),
        ({"alarm_share": 1.0}, "--alarm_share=1.0 must lie between"),
        ({"window_px": 8}, "10 training windows of 8 px are too few"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    make_config, workdir, changes, message
):
    with pytest.raises(ConfigError, match=message):
        calibrate.run(make_config(**changes))
    assert not list(workdir.glob("calibration*"))


def test_records_of_other_bands_are_refused(
    make_config, example_records, tmp_path
):
    folder = str(tmp_path / "turned")
    spec = {**SPEC, "bands": BANDS[::-1]}
    example_records(folder, {"validation": 1}, **spec)
    with pytest.raises(BandError, match="was trained on bands B2,B8"):
        calibrate.run(make_config(records=(folder,)))


def test_trust_needs_the_places_of_training(
    make_config, example_records, tmp_path
):
    folder = str(tmp_path / "validation")
    example_records(folder, {"validation": 2}, frames=(3, 3), **SPEC)
    with pytest.raises(RecordError, match="no record in the train split"):
        calibrate.run(make_config(records=(folder,)))


def test_a_stale_calibration_is_refused(make_config, workdir):
    calibrate.run(make_config(trust=False))
    run = load_run(workdir)
    write_run(workdir, dataclasses.replace(run, network=_build_network()))
    with pytest.raises(ModelError, match="fitted to another model"):
        load_run(workdir, calibrated=True)

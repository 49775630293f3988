"""The export program, on a workdir as train leaves it."""

import json

import numpy as np
import pytest

from s2distill import export
from s2distill.data.normalize import BandStatistics
from s2distill.data.schema import RecordSpec
from s2distill.errors import ConfigError
from s2distill.errors import ModelError
from s2distill.errors import OutputError

BANDS = ("B2", "B8")


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    from s2distill.models.student import StudentConfig
    from s2distill.models.student import build_student
    from s2distill.training_run import Run
    from s2distill.training_run import write_run

    folder = tmp_path_factory.mktemp("run")
    network = build_student(
        2,
        4,
        StudentConfig(channels=(8,), unet_channels=(8, 8), enlargement=2),
    )
    rng = np.random.default_rng(1)
    for weight in network.weights:
        weight.assign(rng.normal(0, 0.2, weight.shape))
    run = Run(
        kind="student",
        network=network,
        spec=RecordSpec(bands=BANDS, tile_px=8, label_factor=4, offset_dn=-1e3),
        statistics=BandStatistics(
            bands=BANDS, centre=(0.1, 0.3), scale=(0.05, 0.1)
        ),
        frames=3,
        training={"seed": 5},
        answers=("building", "height"),
    )
    write_run(folder, run)
    return folder


def test_a_workdir_becomes_a_model_with_its_card(workdir, tmp_path):
    from s2distill.serving.predictor import load_predictor
    from s2distill.training_run import load_run

    scores = tmp_path / "scores.json"
    scores.write_text(json.dumps({"building_miou": 0.7}))
    export.run(
        export.Config(
            workdir=str(workdir),
            output=str(tmp_path / "model"),
            temperatures=("1.5", "0.8"),
            scores=str(scores),
        )
    )
    predictor = load_predictor(tmp_path / "model")
    card = predictor.card
    assert (card.kind, card.bands, card.frames) == ("student", BANDS, 3)
    assert (card.offset_dn, card.label_factor) == (-1000.0, 4)
    assert card.temperatures == {"building": 1.5, "road": 0.8}
    assert card.metrics == {"building_miou": 0.7}
    assert card.training == {"seed": 5}
    assert card.answers == ("building", "height")

    rng = np.random.default_rng(2)
    dn = rng.integers(1, 9_000, (1, 2, 5, 6, 2), dtype=np.uint16)
    answers = predictor(
        {"s2_dn": dn, "frame_valid": np.ones(dn.shape[:4], np.uint8)}
    )
    s2 = ((dn - 1000.0) / 10_000 - [0.1, 0.3]) / [0.05, 0.1]
    expected = load_run(workdir).network(
        {
            "s2": np.clip(s2, -6, 6).astype(np.float32),
            "frame_valid": np.ones(dn.shape[:4], np.float32),
        }
    )
    for name, temperature in card.temperatures.items():
        logits = np.array(expected[f"{name}_logits"])
        np.testing.assert_allclose(
            answers[name], 1 / (1 + np.exp(-logits / temperature)), atol=1e-5
        )


def test_a_workdir_without_a_network_is_refused(tmp_path):
    config = export.Config(workdir=str(tmp_path), output=str(tmp_path / "m"))
    with pytest.raises(ModelError, match="no finished training"):
        export.run(config)


def test_an_output_that_exists_is_refused_before_anything_is_read(tmp_path):
    (tmp_path / "model").write_text("x")
    config = export.Config(workdir="/nowhere", output=str(tmp_path / "model"))
    with pytest.raises(OutputError, match="model exists already"):
        export.run(config)


@pytest.mark.parametrize(
    "given", [("1",), ("1", "x"), ("0", "1"), ("1", "inf")]
)
def test_temperatures_that_are_not_two_positive_numbers_are_refused(
    given, workdir, tmp_path
):
    config = export.Config(
        workdir=str(workdir),
        output=str(tmp_path / "model"),
        temperatures=given,
    )
    shown = ",".join(given)
    with pytest.raises(ConfigError, match=f"--temperatures={shown}: give two"):
        export.run(config)


@pytest.mark.parametrize("content", [None, "not json", "[1]"])
def test_scores_that_are_no_json_object_are_refused(content, workdir, tmp_path):
    path = tmp_path / "scores.json"
    if content is not None:
        path.write_text(content)
    config = export.Config(
        workdir=str(workdir), output=str(tmp_path / "m"), scores=str(path)
    )
    with pytest.raises(ConfigError, match="--scores=.*scores.json"):
        export.run(config)

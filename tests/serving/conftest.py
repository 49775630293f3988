"""Tiny networks with random (not zero) weights, and their cards."""

import numpy as np
import pytest

BANDS = ("B2", "B8", "B12")
FACTOR = 4


def _randomise(network, seed):
    rng = np.random.default_rng(seed)
    for weight in network.weights:
        weight.assign(rng.normal(0, 0.2, weight.shape))
    return network


@pytest.fixture(scope="session")
def make_card():
    """A card of the tiny networks, with changes."""
    from s2distill.data.normalize import BandStatistics
    from s2distill.serving.card import ModelCard

    def make(**changes):
        values = {
            "kind": "student",
            "bands": BANDS,
            "product_level": "L2A",
            "quantification_dn": 10_000.0,
            "offset_dn": -1000.0,
            "statistics": BandStatistics(
                bands=BANDS, centre=(0.1, 0.3, 0.2), scale=(0.05, 0.1, 0.07)
            ),
            "label_factor": FACTOR,
            "frames": 3,
            "temperatures": {"building": 1.7, "road": 0.6},
            "metrics": {"building_miou": 0.71},
            "training": {"seed": 4},
        }
        return ModelCard(**{**values, **changes})

    return make


@pytest.fixture(scope="session")
def student():
    from s2distill.models.student import StudentConfig
    from s2distill.models.student import build_student

    config = StudentConfig(
        channels=(8, 12),
        stages=2,
        unet_channels=(8, 8, 12),
        enlargement=2,
    )
    return _randomise(build_student(len(BANDS), FACTOR, config), 3)


@pytest.fixture(scope="session")
def teacher():
    from s2distill.models.teacher import TeacherConfig
    from s2distill.models.teacher import build_teacher

    config = TeacherConfig(channels=(8, 12))
    return _randomise(build_teacher(config), 4)


@pytest.fixture(scope="session")
def viewing_teacher(teacher):
    """Sees a building sooner where roofs lean."""
    import keras

    image = keras.Input((None, None, 3), name="image")
    view = keras.Input((3,), name="view")
    answers = dict(teacher({"image": image}))
    lean = keras.layers.Dense(1, name="lean")(view)
    answers["building_logits"] += keras.layers.Reshape((1, 1, 1))(lean)
    network = keras.Model({"image": image, "view": view}, answers)
    network.get_layer("lean").kernel.assign([[2.0], [-3.0], [0.5]])
    return network


@pytest.fixture(scope="session")
def trust(student):
    """Fitted to windows of 4 px of random, normalised frames."""
    from s2distill.serving.trust import fit_trust
    from s2distill.serving.window_features import find_layers
    from s2distill.serving.window_features import make_window_features
    from s2distill.serving.window_features import tap_layers

    scales = find_layers(student, 4)
    rng = np.random.default_rng(7)
    sides = []
    for batch in (10, 9):
        frames = rng.normal(0, 1, (batch, 2, 8, 8, len(BANDS)))
        fed = {
            "s2": frames.astype(np.float32),
            "frame_valid": np.ones((batch, 2, 8, 8), np.float32),
        }
        answers = tap_layers(student, scales)(fed)
        features, _ = make_window_features(answers, fed, scales, 4)
        sides.append(
            {
                name: np.reshape(values, (-1, values.shape[-1]))
                for name, values in features.items()
            }
        )
    return fit_trust(*sides, scales=scales, window_px=4)


@pytest.fixture(scope="session")
def make_frames():
    """Random digital numbers [B, T, H, W, C] and their mask."""

    def make(shape=(2, 3, 6, 8), *, seed=0, valid_share=0.7):
        rng = np.random.default_rng(seed)
        return {
            "s2_dn": rng.integers(
                0, 65_536, (*shape, len(BANDS)), dtype=np.uint16
            )
            // rng.integers(1, 30, (*shape, 1), dtype=np.uint16),
            "frame_valid": (rng.random(shape) < valid_share).astype(np.uint8),
        }

    return make


@pytest.fixture(scope="session")
def make_image():
    def make(shape=(2, 14, 10), *, seed=0):
        rng = np.random.default_rng(seed)
        return {"image": rng.integers(0, 256, (*shape, 3), dtype=np.uint8)}

    return make


@pytest.fixture(scope="session")
def saved_models(student, teacher, make_card, tmp_path_factory):
    """Folders of exported SavedModels, by kind."""
    from s2distill.serving.export import export_model

    folder = tmp_path_factory.mktemp("saved_models")
    export_model(student, make_card(), folder / "student")
    card = make_card(kind="teacher", frames=0)
    export_model(teacher, card, folder / "teacher")
    return {kind: folder / kind for kind in ("student", "teacher")}

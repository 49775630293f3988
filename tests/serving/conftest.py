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

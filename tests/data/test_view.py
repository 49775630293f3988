import numpy as np
import pytest
import tensorflow as tf

from data_prep.simulation.view import View
from s2distill.data.augment import SYMMETRIES
from s2distill.data.augment import apply_symmetry
from s2distill.data.normalize import BandStatistics
from s2distill.data.pipeline import PipelineConfig
from s2distill.data.pipeline import make_eval_dataset
from s2distill.data.pipeline import make_train_dataset
from s2distill.data.records import RecordWriter
from s2distill.data.view import VIEW_CHANNELS
from s2distill.data.view import make_view
from s2distill.data.view import turn_view

NAN = np.nan
STATISTICS = BandStatistics(
    bands=("B2", "B8", "B12"), centre=(1.0,) * 3, scale=(1.0,) * 3
)


@pytest.mark.parametrize("wrap", [lambda f: f, tf.function])
def test_the_lean_is_that_of_the_simulated_view(wrap):
    rng = np.random.default_rng(0)
    angle, azimuth = rng.uniform([[0], [0]], [[40], [360]], (2, 9))
    view = wrap(make_view)(
        tf.constant(angle, tf.float32), tf.constant(azimuth, tf.float32)
    )
    expected = [
        (*View(*one).lean_xy, 1) for one in zip(angle, azimuth, strict=True)
    ]
    assert view.shape == (9, VIEW_CHANNELS)
    np.testing.assert_allclose(view, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("angle_deg", "azimuth_deg", "expected"),
    [
        (45, 0, (0, -1, 1)),  # to the north is up
        (45, 90, (1, 0, 1)),
        (NAN, 90, (0, 0, 0)),
        (20, NAN, (0, 0, 0)),
        (NAN, NAN, (0, 0, 0)),
        (0, NAN, (0, 0, 1)),  # straight down there is no direction
        (-5, 90, (0, 0, 0)),
        (90, 90, (0, 0, 0)),
        (np.inf, 90, (0, 0, 0)),
    ],
)
def test_what_is_not_known_is_zero(angle_deg, azimuth_deg, expected):
    view = make_view(tf.constant(angle_deg, tf.float32), float(azimuth_deg))
    np.testing.assert_allclose(view, expected, atol=1e-6)


def _lean_drawn(picture):
    """From the one pixel of value 1 to that of value 2, (right, down)."""
    (foot,), (roof,) = (np.argwhere(picture == value) for value in (1, 2))
    return (roof - foot)[::-1]


@pytest.mark.parametrize("wrap", [lambda f: f, tf.function])
def test_the_view_turns_with_its_picture(wrap):
    picture = np.zeros((9, 9), np.uint8)
    picture[4, 3], picture[2, 8] = 1, 2
    views = np.tile(np.float32([5, -2, 1]), (SYMMETRIES, 1))
    np.testing.assert_array_equal(_lean_drawn(picture), views[0, :2])
    turned = wrap(turn_view)(
        tf.constant(views), tf.range(SYMMETRIES, dtype=tf.int32)
    )
    for number in range(SYMMETRIES):
        moved = apply_symmetry(
            {"x": tf.constant(picture)}, {"x": 0}, tf.constant(number)
        )["x"].numpy()
        np.testing.assert_array_equal(turned[number, :2], _lean_drawn(moved))
        assert turned[number, 2] == 1
    assert len({tuple(view) for view in turned.numpy()}) == SYMMETRIES


@pytest.fixture
def batches(tmp_path, example_records, monkeypatch):
    """Training batches of images that are an arrow, blue to red, as roofs lean.

    A function of the chance that a view is dropped.
    """
    write = RecordWriter.write
    rng = np.random.default_rng(3)

    def with_arrow(self, split, example):
        lean = rng.choice([-6, -4, 3, 5, 9], 2)
        image = example["image"]
        image["rgb"][...] = 0
        image["rgb"][12, 11, 2] = 255
        image["rgb"][12 + lean[1], 11 + lean[0], 0] = 255
        image["view_angle_deg"] = np.rad2deg(np.arctan(np.hypot(*lean)))
        image["view_azimuth_deg"] = np.rad2deg(np.arctan2(lean[0], -lean[1]))
        write(self, split, example)

    monkeypatch.setattr(RecordWriter, "write", with_arrow)
    example_records(
        tmp_path / "arrows",
        {"train": 6},
        fields=("image", "view"),
        label_factor=4,
    )

    def make(view_drop):
        dataset = make_train_dataset(
            [str(tmp_path / "arrows")],
            PipelineConfig(
                batch_size=5,
                frames=2,
                crops_per_record=2,
                frame_drop=0.2,
                view_drop=view_drop,
                seed=5,
            ),
            STATISTICS,
        )
        return dataset.take(12).as_numpy_iterator()

    return make


def test_in_training_the_view_leans_as_the_image_does(batches):
    seen = set()
    for inputs, _ in batches(view_drop=0.0):
        for image, view in zip(inputs["image"], inputs["view"], strict=True):
            foot, roof = (
                np.array(np.unravel_index(image[..., c].argmax(), (24, 24)))
                for c in (2, 0)
            )
            np.testing.assert_allclose(view[:2], (roof - foot)[::-1], rtol=1e-4)
            assert view[2] == 1
            seen.add(tuple(np.rint(view[:2])))
    assert len(seen) > 12


def test_dropping_views_changes_nothing_else(batches):
    known = []
    for (inputs, targets), (twin, twin_targets) in zip(
        batches(view_drop=0.3), batches(view_drop=0.0), strict=True
    ):
        view, whole = inputs.pop("view"), twin.pop("view")
        known.extend(view[:, 2])
        np.testing.assert_array_equal(view, whole * view[:, 2:])
        for name, values in (inputs | targets).items():
            expected = (twin | twin_targets)[name]
            np.testing.assert_array_equal(values, expected, name)
    # 60 draws of chance 0.3: four standard deviations are 0.24.
    assert 1 - np.mean(known) == pytest.approx(0.3, abs=0.24)


def test_evaluation_is_given_the_view_where_records_know_it(
    tmp_path, example_records
):
    written = example_records(
        tmp_path / "told", {"test": 3}, fields=("image", "view"), seed=1
    )["test"]
    example_records(tmp_path / "untold", {"test": 2}, fields=("image",))
    ((inputs, _),) = make_eval_dataset(
        [str(tmp_path / "told"), str(tmp_path / "untold")],
        "test",
        PipelineConfig(batch_size=5, frames=1, view_drop=0.9),
        STATISTICS,
    )
    angles = [
        (image["view_angle_deg"], image["view_azimuth_deg"])
        for image in (record["image"] for record in written)
    ]
    expected = [(*View(*angle).lean_xy, 1) for angle in angles]
    np.testing.assert_allclose(
        inputs["view"], [*expected, (0, 0, 0), (0, 0, 0)], atol=1e-6
    )

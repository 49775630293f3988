import keras
import numpy as np
import pytest
from keras import ops

from s2distill.errors import ConfigError
from s2distill.models.teacher import TeacherConfig
from s2distill.models.teacher import build_teacher
from s2distill.training.objective import Objective
from s2distill.training.trainer import SoftIntersection
from s2distill.training.trainer import Trainer
from s2distill.training.trainer import ask_teacher


def test_the_loss_falls_and_the_buildings_are_learnt(tiny_student, batches):
    trainer = Trainer(tiny_student, Objective())
    trainer.compile(optimizer=keras.optimizers.Adam(1e-2))
    history = trainer.fit(
        batches, epochs=2, steps_per_epoch=60, verbose=0, shuffle=False
    ).history
    assert history["loss"][1] < 0.5 * history["loss"][0]
    assert history["building_iou"][1] > 0.8


def test_a_live_teacher_gives_what_it_would_write_into_records():
    teacher = build_teacher(TeacherConfig(channels=(4, 4)))
    image = np.random.default_rng(0).normal(size=(2, 16, 16, 3))
    image = image.astype("float32")
    seen = np.ones((2, 16, 16, 1), "float32")
    soft = ask_teacher(teacher, {"image": image}, {"image_weight": seen})
    answers = teacher({"image": image})
    np.testing.assert_allclose(
        ops.convert_to_numpy(soft["teacher_building_probs"]),
        1 / (1 + np.exp(-ops.convert_to_numpy(answers["building_logits"]))),
        rtol=1e-5,
    )
    np.testing.assert_array_equal(
        soft["teacher_height_scale_m"], answers["height_scale_m"]
    )
    for answer in ("building", "road", "height"):
        weight = soft[f"teacher_{answer}_weight"]
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), seen)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (("building",), {"building_probs", "centroid_density"}),
        (("road",), {"road_probs"}),
        (
            ("building", "height"),
            {
                "building_probs",
                "centroid_density",
                "height_m",
                "height_scale_m",
            },
        ),
    ],
)
def test_a_live_teacher_is_asked_only_what_it_was_trained_for(wanted, names):
    teacher = build_teacher(TeacherConfig(channels=(4, 4)))
    inputs = {"image": np.zeros((1, 8, 8, 3), "float32")}
    seen = np.ones((1, 8, 8, 1), "float32")
    soft = ask_teacher(teacher, inputs, {"image_weight": seen}, wanted)
    weights = {f"{answer}_weight" for answer in wanted}
    assert set(soft) == {f"teacher_{name}" for name in names | weights}


def test_labels_are_shifted_and_their_common_shift_is_followed(
    tiny_student, batches
):
    objective = Objective(label_shift_m=5.0, label_gsd_m=2.5)
    trainer = Trainer(tiny_student, objective)
    trainer.shift_finder.mean_px.assign([5.0, -5.0])
    trainer.compile(optimizer=keras.optimizers.Adam(1e-2))
    trainer.evaluate(batches.take(1), verbose=0)
    np.testing.assert_array_equal(trainer.shift_finder.mean_px, [5, -5])
    trainer.fit(batches, steps_per_epoch=2, verbose=0, shuffle=False)
    mean_px = np.abs(trainer.shift_finder.mean_px)
    assert (mean_px < 5).all()
    # Two batches take 4 % of it, or little more.
    assert (mean_px > 4.5).all()


@pytest.fixture
def batches_with_image(batches):
    """The same with a 50 cm image that brightens with the buildings."""

    def add(inputs, targets):
        image = ops.repeat(targets["building"], 3, axis=-1)
        weight = ops.ones_like(targets["building"])
        return {**inputs, "image": image}, {**targets, "image_weight": weight}

    return batches.map(add)


def _fit(trainer, batches, steps):
    trainer.compile(optimizer=keras.optimizers.Adam(1e-2))
    history = trainer.fit(
        batches, epochs=2, steps_per_epoch=steps, verbose=0, shuffle=False
    )
    return history.history


def test_a_live_teacher_is_never_trained(tiny_student, batches_with_image):
    teacher = build_teacher(TeacherConfig(channels=(4, 4)))
    before = [w.numpy().copy() for w in teacher.weights]
    trainer = Trainer(
        tiny_student,
        Objective(hard_share=0.0),
        teacher=teacher,
        teacher_answers=("building",),
    )
    history = _fit(trainer, batches_with_image, 2)
    assert history["density"][0] > 0
    assert history["road"] == history["height"] == [0, 0]
    names = {id(w) for w in trainer.trainable_variables}
    assert names == {id(w) for w in tiny_student.trainable_variables}
    for old, new in zip(before, teacher.weights, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_hints_lead_the_features_and_leave_no_trace_in_the_network(
    tiny_student, batches_with_image, tmp_path
):
    teacher = build_teacher(TeacherConfig(channels=(6, 4)))
    before = [w.numpy().copy() for w in teacher.weights]
    weights = len(tiny_student.weights)
    objective = Objective(
        hard_share=0.0, hint=1.0, building=0, density=0, height=0
    )
    trainer = Trainer(
        tiny_student, objective, teacher=teacher, teacher_answers=("building",)
    )
    history = _fit(trainer, batches_with_image, 20)
    assert 0 < history["hint"][1] < 0.7 * history["hint"][0]
    assert history["loss"][1] == pytest.approx(history["hint"][1], rel=0.01)
    assert len(tiny_student.weights) == weights
    own = {id(w) for w in tiny_student.trainable_variables}
    beside = [w for w in trainer.trainable_variables if id(w) not in own]
    assert [tuple(w.shape) for w in beside] == [(1, 1, 8, 6), (6,)]
    for old, new in zip(before, teacher.weights, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    # A checkpoint holds what a resumed run needs.
    trainer.save_weights(tmp_path / "one.weights.h5")
    saved = [w.numpy().copy() for w in trainer.trainable_variables]
    for variable in trainer.trainable_variables:
        variable.assign(variable * 0)
    trainer.load_weights(tmp_path / "one.weights.h5")
    for old, new in zip(saved, trainer.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_hints_without_a_teacher_are_refused(tiny_student):
    with pytest.raises(ConfigError, match="give --teacher, or drop"):
        Trainer(tiny_student, Objective(hint=0.5))


def test_intersection_counts_only_pixels_with_weight():
    metric = SoftIntersection(name="iou")
    truth = np.array([1, 1, 0, 0, 1], "float32")
    found = np.array([1, 0, 1, 0, 0], bool)
    weight = np.array([1, 1, 1, 1, 0], "float32")
    metric.update_state(truth, found, sample_weight=weight)
    assert float(metric.result()) == pytest.approx(1 / 3)

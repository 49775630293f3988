import numpy as np
import pytest
from keras import ops

from s2distill.errors import ConfigError
from s2distill.training.objective import Objective
from s2distill.training.objective import combine
from s2distill.training.objective import compute_losses
from s2distill.training.objective import mix_targets

SHAPE = (2, 4, 3, 1)


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)

    def u(scale=1.0):
        return (scale * rng.random(SHAPE)).astype("float32")

    weight = (rng.random(SHAPE) < 0.5).astype("float32")
    targets = {
        "building": np.round(u()),
        "road": np.round(u()),
        "centroid_density": u(0.02),
        "height_m": u(20),
        "image_grey": u(),
        "building_weight": weight,
        "road_weight": weight,
        "height_weight": weight,
        "image_weight": np.ones(SHAPE, "float32"),
        "teacher_building_probs": u(),
        "teacher_road_probs": u(),
        "teacher_centroid_density": u(0.02),
        "teacher_height_m": u(20),
        **{
            f"teacher_{answer}_weight": np.ones(SHAPE, "float32")
            for answer in ("building", "road", "height")
        },
    }
    answers = {
        "building_logits": u(),
        "road_logits": u(),
        "centroid_density": u(0.02),
        "height_m": u(20),
        "image_grey": u(),
    }
    return answers, targets


def _np(x):
    return ops.convert_to_numpy(x)


def test_hard_share_one_is_blind_to_the_teacher(batch):
    answers, targets = batch
    objective = Objective(hard_share=1.0)
    before = combine(objective, compute_losses(objective, answers, targets))
    for name in targets:
        if name.startswith("teacher"):
            targets[name] = targets[name] * 0
    after = combine(objective, compute_losses(objective, answers, targets))
    assert float(before) == float(after)


def test_hard_share_zero_is_blind_to_labels(batch):
    answers, targets = batch
    objective = Objective(hard_share=0.0)
    before = combine(objective, compute_losses(objective, answers, targets))
    for name in ("building", "road", "centroid_density", "height_m"):
        targets[name] = 1 - targets[name]
    after = combine(objective, compute_losses(objective, answers, targets))
    assert float(before) == float(after)


def test_a_hard_teacher_equals_the_labels(batch):
    answers, targets = batch
    targets["teacher_building_probs"] = targets["building"]
    targets["teacher_building_weight"] = targets["building_weight"]
    hard = compute_losses(Objective(hard_share=1.0), answers, targets)
    soft = compute_losses(Objective(hard_share=0.0), answers, targets)
    assert float(hard["building"][0]) == pytest.approx(
        float(soft["building"][0]), rel=1e-6
    )


def test_the_mixture_is_the_share_where_both_are_and_either_alone(batch):
    _, targets = batch
    value, weight = mix_targets(Objective(hard_share=0.25), targets)["building"]
    both = targets["building_weight"] > 0
    mixed = (
        0.25 * targets["building"] + 0.75 * targets["teacher_building_probs"]
    )
    want = np.where(both, mixed, targets["teacher_building_probs"])
    np.testing.assert_allclose(_np(value), want, atol=1e-6)
    assert (_np(weight) == 1).all()

    targets["teacher_building_weight"] *= 0
    value, weight = mix_targets(Objective(hard_share=0.25), targets)["building"]
    np.testing.assert_allclose(
        _np(value)[both], targets["building"][both], atol=1e-6
    )
    np.testing.assert_array_equal(_np(weight), targets["building_weight"])


def test_a_soft_height_counts_by_how_sure_the_teacher_is_of_a_building(batch):
    _, targets = batch
    _, weight = mix_targets(Objective(hard_share=0.0), targets)["height"]
    np.testing.assert_allclose(_np(weight), targets["teacher_building_probs"])


@pytest.mark.parametrize("hard_share", [0.0, 0.5])
def test_a_place_without_road_answers_leaves_the_road_loss_alone(
    batch, hard_share
):
    answers, targets = batch
    # The second place has no labels of roads and no teacher's answers.
    for name in ("road", "road_weight", "teacher_road_probs"):
        targets[name] = targets[name].copy()  # three weights are one array
        targets[name][1] = 0
    targets["teacher_road_weight"][1] = 0
    objective = Objective(hard_share=hard_share)

    def find_loss(part, answers, targets):
        value, weight = compute_losses(objective, answers, targets)[part]
        return float(value), float(weight)

    before = find_loss("road", answers, targets)
    building = find_loss("building", answers, targets)
    alone = ({name: x[:1] for name, x in side.items()} for side in batch)
    assert before == pytest.approx(find_loss("road", *alone), rel=1e-6)
    for name in ("road_logits", "building_logits"):
        answers[name][1] = 1 - 3 * answers[name][1]
    assert find_loss("road", answers, targets) == before
    assert find_loss("building", answers, targets) != building


def test_without_any_road_answers_there_is_no_road_loss(batch):
    answers, targets = batch
    for name in ("teacher_road_probs", "teacher_road_weight"):
        del targets[name]
    parts = compute_losses(Objective(hard_share=0.0), answers, targets)
    assert set(parts) == {"building", "density", "height", "image"}


def test_targets_that_are_absent_add_nothing(batch):
    answers, targets = batch
    only = {k: targets[k] for k in ("building", "building_weight")} | {
        "centroid_density": targets["centroid_density"],
    }
    assert set(compute_losses(Objective(), answers, only)) == {
        "building",
        "density",
    }


@pytest.mark.parametrize("part", ["building", "road", "density", "height"])
def test_each_weight_moves_the_loss(batch, part):
    answers, targets = batch
    light, heavy = Objective(), Objective(**{part: 7.0})
    assert float(
        combine(heavy, compute_losses(heavy, answers, targets))
    ) > float(combine(light, compute_losses(light, answers, targets)))


def test_a_batch_without_any_label_gives_zero_not_nan(batch):
    answers, targets = batch
    blank = {
        k: v * 0 if k.endswith("weight") else v for k, v in targets.items()
    }
    objective = Objective(hard_share=0.5)
    loss = combine(objective, compute_losses(objective, answers, blank))
    assert float(loss) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"hard_share": 1.5}, "hard_share must lie in 0 to 1, got 1.5"),
        ({"temperature": 0.0}, "temperature must be positive, got 0.0"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Objective(**wrong)

import numpy as np
import pytest

from s2distill.errors import ConfigError
from s2distill.training.objective import Objective
from s2distill.training.objective import combine
from s2distill.training.objective import compute_losses
from s2distill.training.objective import make_shift_finder

SHAPE = (2, 4, 3, 1)


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


@pytest.mark.parametrize(
    "part", ["building", "road", "density", "height", "height_scale"]
)
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


def test_a_batch_of_labels_alone_teaches_the_scale_their_errors(batch):
    answers, targets = batch
    value, weight = compute_losses(Objective(), answers, targets)[
        "height_scale"
    ]
    known = targets["height_weight"] > 0
    scale_m = answers["height_scale_m"][known]
    error_m = np.abs(answers["height_m"] - targets["height_m"])[known]
    want = np.sum(error_m / scale_m + np.log(2 * scale_m))
    assert float(value) == pytest.approx(want, rel=1e-4)
    assert float(weight) == known.sum()


def test_edges_weigh_more_in_the_masks_alone(batch):
    answers, targets = batch
    for name in ("building", "road"):
        targets[name] = np.zeros_like(targets[name])
        targets[name][0, :, 0] = 1  # the second place has no outline
        targets[f"{name}_weight"] = np.ones_like(targets[name])
    gsd_m = 2.0  # one pixel to either side is near
    plain, heavy = (
        compute_losses(
            Objective(edge_weight=w, label_gsd_m=gsd_m), answers, targets
        )
        for w in (0.0, 3.0)
    )
    for name in plain:
        if name in ("building", "road"):
            # Two of three columns of one place of 4 x 3 pixels.
            assert float(plain[name][1]) == 24
            assert float(heavy[name][1]) == 24 + 3 * 8
        else:
            assert float(heavy[name][0]) == float(plain[name][0])


_SHIFTED = Objective(label_shift_m=3.0, label_gsd_m=1.0)


@pytest.fixture
def moved_batch():
    """A network that is right, and targets one of which lies beside it."""
    rng = np.random.default_rng(0)
    shape = (2, 24, 28, 1)
    truth = (rng.random((2, 8, 7, 1)) < 0.5).repeat(3, 1).repeat(4, 2)
    truth = truth.astype("float32")
    answers = {
        "building_logits": 8 * truth - 4,
        "road_logits": np.zeros(shape, "float32"),
        "centroid_density": 0.01 * truth + 1e-3,
        "height_m": 9 * truth,
        "height_scale_m": np.ones(shape, "float32"),
        "image_grey": truth,
    }
    there = truth.copy()
    there[1] = np.roll(truth[1], (2, -1), axis=(0, 1))
    ones = np.ones(shape, "float32")
    targets = {
        "building": there,
        "centroid_density": 0.01 * there,
        "height_m": 9 * there,
        "image_grey": there,
    } | {f"{k}_weight": ones for k in ("building", "height", "image")}
    return answers, targets


def _compute_shifted(answers, targets, **keywords):
    finder = make_shift_finder(_SHIFTED)
    return compute_losses(
        _SHIFTED, answers, targets, shift_finder=finder, **keywords
    )


def _means(parts):
    return {name: float(v) / float(w) for name, (v, w) in parts.items()}


def test_the_loss_is_taken_where_the_labels_fit(moved_batch):
    answers, targets = moved_batch
    straight = _means(compute_losses(Objective(), answers, targets))
    shifted = _means(_compute_shifted(answers, targets))
    assert set(shifted) == set(straight)
    assert straight["height"] > 0.1
    assert shifted["height"] == pytest.approx(0, abs=1e-6)
    assert shifted["image"] == pytest.approx(0, abs=1e-6)
    assert shifted["building"] < 0.1 * straight["building"]
    assert shifted["density"] < straight["density"]


def test_labels_shift_against_an_image_that_the_network_sees(moved_batch):
    answers, targets = moved_batch
    blind, sees = (
        _means(_compute_shifted(answers, targets, sees_image=s))
        for s in (False, True)
    )
    straight = _means(compute_losses(Objective(), answers, targets))
    assert sees["image"] == straight["image"]
    assert sees["building"] == blind["building"]


def test_labels_in_place_cost_what_they_cost_without_shifts(moved_batch):
    answers, targets = (
        {k: v[:1] for k, v in side.items()} for side in moved_batch
    )
    straight = compute_losses(Objective(), answers, targets)
    shifted = _compute_shifted(answers, targets)
    for name, (value, weight) in straight.items():
        assert float(shifted[name][0]) == float(value)
        assert float(shifted[name][1]) == float(weight)


def test_an_objective_says_how_far_and_how_finely_labels_shift():
    assert make_shift_finder(Objective()) is None
    finder = make_shift_finder(Objective(label_shift_m=3.0, label_gsd_m=0.5))
    assert (finder.radius_px, finder.step_px) == (6, 2)
    coarse = make_shift_finder(Objective(label_shift_m=5.0, label_gsd_m=2.5))
    assert (coarse.radius_px, coarse.step_px) == (2, 1)


def test_a_shift_needs_a_mask(moved_batch):
    answers, targets = moved_batch
    only = {k: v for k, v in targets.items() if k.startswith("height")}
    assert _means(_compute_shifted(answers, only)) == _means(
        compute_losses(Objective(), answers, only)
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"hard_share": 1.5}, "hard_share must lie in 0 to 1, got 1.5"),
        ({"temperature": 0.0}, "temperature must be positive, got 0.0"),
        ({"label_gsd_m": 0.0}, "label_gsd_m must be positive, got 0.0"),
        ({"edge_weight": -1.0}, "edge_weight must be at least 0, got -1.0"),
        ({"label_shift_m": -3.0}, "label_shift_m must be at least 0, got -3"),
        (
            {"label_shift_m": 0.7},
            "label_shift_m=0.7 is less than the step",
        ),
        ({"hint": -0.1}, "hint must be at least 0, got -0.1"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Objective(**wrong)

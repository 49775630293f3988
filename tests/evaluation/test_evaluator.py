import numpy as np
import pytest

from s2distill.errors import ModelError
from s2distill.errors import RecordError
from s2distill.evaluation.evaluator import evaluate


def _answer(inputs):
    """The inputs of these tests are the answers."""
    return inputs


@pytest.fixture
def scored(tiles, make_batches):
    """Scores of 7 tiles, after an optional change, at some batch size."""

    def run(change=None, batch_size=3, number=7):
        targets, answers = tiles(number, 0)
        if change:
            change(targets, answers)
        return evaluate(
            _answer,
            make_batches(targets, answers, batch_size),
            count_tile_px=8,
        )

    return run


def test_main_scores_equal_their_definitions_over_all_pixels(scored, tiles):
    targets, answers = tiles(7, 0)
    values = scored().values
    known = targets["building_weight"] > 0
    true, found = (x["building"][known] >= 0.5 for x in (targets, answers))
    iou = np.sum(true & found) / np.sum(true | found)
    absent = np.sum(~true & ~found) / np.sum(~true | ~found)
    assert values["building_iou"] == pytest.approx(iou)
    assert values["building_miou"] == pytest.approx((iou + absent) / 2)
    built = targets["height_weight"] > 0
    assert values["height_mae_m"] == pytest.approx(
        np.abs(answers["height_m"] - targets["height_m"])[built].mean(),
        abs=1e-5,
    )
    counts = [
        np.where(known, x["centroid_density"], 0)
        .reshape(7, 3, 8, 5, 8)
        .sum(axis=(2, 4))
        for x in (targets, answers)
    ]
    assert values["count_mae"] == pytest.approx(
        np.abs(counts[1] - counts[0]).mean(), abs=1e-6
    )
    sse = np.sum((counts[1] - counts[0]) ** 2)
    sst = np.sum((counts[0] - counts[0].mean()) ** 2)
    assert values["count_r2"] == pytest.approx(1 - sse / sst, abs=1e-4)


def test_batch_size_does_not_matter(scored):
    assert scored(batch_size=1).to_json() == scored(batch_size=7).to_json()


def test_unknown_pixels_do_not_move_any_score(scored):
    def spoil(targets, answers):
        for target, weight in (
            ("building", "building_weight"),
            ("road", "road_weight"),
            ("height_m", "height_weight"),
        ):
            unknown = targets[weight] == 0
            answers[target][unknown] = np.nan
            targets[target][unknown] = 1 if target != "height_m" else np.nan
        answers["centroid_density"][targets["building_weight"] == 0] = np.nan

    assert scored(spoil).to_json() == scored().to_json()


@pytest.mark.parametrize(
    ("absent", "undefined", "defined"),
    [
        ("road", "road_miou", "building_miou"),
        ("height_m", "height_mae_m", "count_r2"),
        ("centroid_density", "count_r2", "building_ece"),
        ("building", "missed_per_km2", "road_iou"),
    ],
)
def test_a_target_that_is_absent_leaves_its_scores_undefined(
    scored, absent, undefined, defined
):
    scores = scored(lambda targets, answers: targets.pop(absent))
    assert scores.values[undefined] is None
    assert scores.intervals[undefined] is None
    assert scores.values[defined] is not None


def test_a_target_without_weight_leaves_its_scores_undefined(scored):
    def forget(targets, answers):
        targets["road_weight"][:] = 0

    assert scored(forget).values["road_miou"] is None


def test_tiles_keep_keys_and_strata(scored):
    scores = scored()
    assert [t.key for t in scores.tiles][:2] == ["tile-0", "tile-1"]
    assert {n: len(s.tiles) for n, s in scores.strata.items()} == {
        "new": 3,
        "old": 4,
    }


def test_tiles_without_a_key_are_numbered(scored):
    scores = scored(lambda targets, answers: targets.pop("key"))
    assert [t.key for t in scores.tiles] == [str(n) for n in range(7)]


def test_no_tile_is_refused():
    with pytest.raises(RecordError, match="no tile to score.*--split"):
        evaluate(_answer, [])


def test_a_missing_answer_is_refused(scored):
    with pytest.raises(ModelError, match="no answer 'road' among building"):
        scored(lambda targets, answers: answers.pop("road"))


def test_an_answer_on_another_grid_is_refused(scored):
    def halve(targets, answers):
        answers["height_m"] = answers["height_m"][:, ::2, ::2]

    with pytest.raises(ModelError, match=r"'height_m' has shape \(3, 12, 20"):
        scored(halve)


def test_an_answer_that_is_not_finite_is_refused(scored):
    def spoil(targets, answers):
        targets["building_weight"][1, 2, 3] = 1
        answers["building"][1, 2, 3] = np.nan

    with pytest.raises(ModelError, match="'building' is not finite in 1 "):
        scored(spoil)


def _less_sure(probs):
    return 0.5 + 0.8 * (probs - 0.5)  # masks stay


def _add_optional(targets, answers):
    rng = np.random.default_rng(5)
    answers["height_scale_m"] = rng.uniform(1, 9, answers["height_m"].shape)
    answers["building_uncalibrated"] = _less_sure(answers["building"])


def test_answers_that_need_not_be_there_leave_the_other_scores(scored):
    without, given = scored().values, scored(_add_optional).values
    for name, value in without.items():
        if value is not None:
            assert given[name] == value
    optional = ("height_coverage_80", "building_ece_uncalibrated")
    for name in optional:
        assert without[name] is None
        assert 0 < given[name] < 1
    assert given["road_ece_uncalibrated"] is None


def test_coverage_and_uncalibrated_error_are_of_the_known_pixels(scored, tiles):
    targets, answers = tiles(7, 0)
    _add_optional(targets, answers)
    built = targets["height_weight"] > 0
    error = np.abs(answers["height_m"] - targets["height_m"])[built]
    reach = -np.log(0.1) * answers["height_scale_m"][built]
    values = scored(_add_optional).values
    assert values["height_coverage_90"] == pytest.approx(
        np.mean(error <= reach)
    )

    def only(targets, answers):
        answers["building"] = _less_sure(answers["building"])

    uncalibrated = values["building_ece_uncalibrated"]
    assert uncalibrated == scored(only).values["building_ece"]


def test_calibration_moves_no_mask_and_no_building(scored):
    def calibrate(targets, answers):
        answers["building_uncalibrated"] = answers["building"]
        answers["building"] = 0.4 * answers["building"]

    plain, moved = scored().values, scored(calibrate).values
    for name in ("building_iou", "building_miou", "missed_per_km2"):
        assert moved[name] == plain[name]
    assert moved["building_ece"] != plain["building_ece"]


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "'height_scale_m' is not finite"), (0.0, "is 0.0 .* above 0")],
)
def test_a_scale_that_is_no_scale_is_refused(scored, value, message):
    def spoil(targets, answers):
        _add_optional(targets, answers)
        targets["height_weight"][1, 2, 3] = 1
        answers["height_scale_m"][1, 2, 3] = value

    with pytest.raises(ModelError, match=message):
        scored(spoil)

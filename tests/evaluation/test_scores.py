import json

import numpy as np
import pytest

from s2distill.evaluation.evaluator import evaluate
from s2distill.evaluation.scores import compute_scores
from s2distill.evaluation.scores import stack_sums


@pytest.fixture(scope="module")
def scores(tiles, make_batches):
    return evaluate(dict, make_batches(*tiles(9, 4), 4), count_tile_px=8)


def test_json_has_the_names_that_others_call(scores):
    content = json.loads(json.dumps(scores.to_json(), allow_nan=False))
    for name in (
        "building_iou",
        "building_miou",
        "road_miou",
        "count_r2",
        "count_mae",
        "height_mae_m",
        "height_mae_over_20_m",
        "building_ece",
        "invented_per_km2",
        "missed_per_km2_over_400_m2",
    ):
        assert name in content
    assert content["tiles"] == 9
    assert content["strata"]["new"]["tiles"] == 3


def test_every_interval_holds_its_score(scores):
    defined = {k: v for k, v in scores.values.items() if v is not None}
    assert len(defined) > 12
    for name, value in defined.items():
        low, high = scores.intervals[name]
        assert low <= value <= high or "ece" in name  # ECE is biased upwards
        assert low < high or value == 0


def test_scores_of_a_stratum_are_those_of_its_tiles_alone(scores):
    alone = compute_scores([t for t in scores.tiles if t.stratum == "new"])
    assert scores.strata["new"].values == alone.values
    assert scores.strata["new"].values != scores.values


def test_order_of_tiles_does_not_move_scores(scores):
    turned = compute_scores(scores.tiles[::-1]).values
    for name, value in scores.values.items():
        if value is None:
            assert turned[name] is None
        else:
            assert turned[name] == pytest.approx(value, rel=1e-12)


def test_one_tile_has_scores_and_no_interval(scores):
    alone = compute_scores(scores.tiles[:1])
    assert alone.values["building_iou"] is not None
    assert set(alone.intervals.values()) == {None}


def test_total_and_cells_gather_all_tiles(scores):
    np.testing.assert_array_equal(
        scores.total("building"),
        sum(tile.sums["building"] for tile in scores.tiles),
    )
    assert scores.cells.shape == (9 * 15, 2)
    assert scores.total("absent") is None
    assert stack_sums(scores.tiles, "count").shape == (9, 5)

import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from s2distill.evaluation.drawing import model_colours
from s2distill.evaluation.evaluator import evaluate
from s2distill.evaluation.pictures import draw_counts
from s2distill.evaluation.pictures import draw_precision_recall
from s2distill.evaluation.pictures import draw_reliability


@pytest.fixture(scope="module")
def models(tiles, make_batches):
    targets, answers = tiles(4, 6)
    poor = answers | {"building": 0.6 * answers["building"]}
    return {
        name: evaluate(dict, make_batches(targets, one, 4), count_tile_px=8)
        for name, one in (("teacher", answers), ("student", poor))
    }


@pytest.fixture(scope="module")
def without_truth(tiles, make_batches):
    targets, answers = tiles(2, 6)
    only_road = {k: v for k, v in targets.items() if "road" in k}
    return {"student": evaluate(dict, make_batches(only_road, answers, 2))}


def _count_pixels(path, colour):
    picture = matplotlib.image.imread(path)[..., :3]
    return np.sum(np.all(np.abs(picture - to_rgb(colour)) < 0.02, axis=-1))


def _draw_counts(path, scores):
    draw_counts(path, scores, cell_m=160)


@pytest.mark.parametrize("draw", [draw_precision_recall, draw_reliability])
def test_every_model_is_drawn_in_its_colour(draw, models, tmp_path):
    draw(tmp_path / "a.png", models)
    for colour in model_colours(models).values():
        assert _count_pixels(tmp_path / "a.png", colour) > 300


def test_counts_have_a_plot_for_each_model(models, tmp_path):
    _draw_counts(tmp_path / "one.png", {"student": models["student"]})
    _draw_counts(tmp_path / "two.png", models)
    one, two = (
        matplotlib.image.imread(tmp_path / name).shape[1]
        for name in ("one.png", "two.png")
    )
    assert two > 1.8 * one


@pytest.mark.parametrize(
    "draw", [draw_precision_recall, draw_reliability, _draw_counts]
)
def test_scores_that_are_undefined_leave_a_picture_that_opens(
    draw, without_truth, tmp_path
):
    draw(tmp_path / "a.png", without_truth)
    assert matplotlib.image.imread(tmp_path / "a.png").size > 0


def test_reliability_shows_a_calibrated_model_as_it_was_before(
    tiles, make_batches, tmp_path
):
    targets, answers = tiles(4, 6)
    before = answers | {"building_uncalibrated": 0.5 * answers["building"]}
    shown = []
    for name, one in (("plain", answers), ("calibrated", before)):
        path = tmp_path / f"{name}.png"
        draw_reliability(
            path, {"student": evaluate(dict, make_batches(targets, one, 4))}
        )
        shown.append(matplotlib.image.imread(path))
    assert shown[0].shape == shown[1].shape
    assert np.any(shown[0] != shown[1], axis=-1).sum() > 300

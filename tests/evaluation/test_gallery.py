import json

import numpy as np
import pytest

from s2distill.evaluation.evaluator import evaluate
from s2distill.evaluation.gallery import pick_examples
from s2distill.evaluation.gallery import write_gallery
from s2distill.evaluation.panel import Example
from s2distill.evaluation.scores import Tile
from s2distill.evaluation.scores import compute_scores


def _scores(found_px):
    """One tile for each number of building pixels found of 10."""
    return compute_scores(
        [
            Tile(
                key=str(n),
                sums={"building": np.array([n, 0.0, 10 - n, 50])},
                cells=np.zeros((0, 2)),
            )
            for n in found_px
        ]
    )


def test_examples_go_from_the_worst_to_the_best_by_rank():
    scores = _scores([7, 2, 9, 4, 5])
    assert pick_examples(scores, 5) == [1, 3, 4, 0, 2]
    assert pick_examples(scores, 3) == [1, 4, 2]
    assert pick_examples(scores, 99) == [1, 3, 4, 0, 2]
    assert pick_examples(scores, 0) == []


def test_tiles_without_a_building_are_shown_only_where_all_are_so():
    empty = Tile(
        key="e",
        sums={"building": np.array([0.0, 0, 0, 9])},
        cells=np.zeros((0, 2)),
    )
    some = compute_scores([empty, *_scores([3, 8]).tiles])
    assert pick_examples(some, 9) == [1, 2]
    assert pick_examples(compute_scores([empty, empty]), 9) == [0, 1]


@pytest.fixture
def example():
    rng = np.random.default_rng(0)
    truth = {"building": rng.random((8, 12)).round()}
    return Example(
        title="town 7/b",
        side_m=60,
        frame_rgb=rng.random((4, 6, 3)),
        mean_rgb=rng.random((4, 6, 3)),
        frames=2,
        image_rgb=None,
        truth=truth,
        known=np.ones((8, 12)),
        answers={"student": truth},
    )


def test_gallery_holds_scores_table_and_pictures(
    tiles, make_batches, example, tmp_path
):
    scores = {"student": evaluate(dict, make_batches(*tiles(3, 0), 3))}
    report, paths = write_gallery(
        tmp_path, scores, [example], teacher=None, cell_m=160
    )
    names = [path.relative_to(tmp_path).as_posix() for path in paths]
    assert names == [
        "scores.json",
        "table.txt",
        "pictures/examples.png",
        "pictures/example_00_town_7_b.png",
        "pictures/precision_recall.png",
        "pictures/counts.png",
        "pictures/reliability.png",
    ]
    assert all(path.stat().st_size > 0 for path in paths)
    read = json.loads(paths[0].read_text())
    assert read["student"]["building_iou"] == report["student"]["building_iou"]
    assert "3 tiles" in paths[1].read_text()


def test_gallery_without_examples_has_no_example_pictures(
    tiles, make_batches, tmp_path
):
    scores = {"student": evaluate(dict, make_batches(*tiles(2, 0), 2))}
    _, paths = write_gallery(tmp_path, scores, [], teacher=None, cell_m=160)
    assert not [p for p in paths if p.name.startswith("example")]

import json

import numpy as np
import pytest

from s2distill.evaluation.evaluator import evaluate
from s2distill.evaluation.report import compute_retention
from s2distill.evaluation.report import format_table
from s2distill.evaluation.report import make_report
from s2distill.evaluation.scores import compute_scores


@pytest.fixture(scope="module")
def models(tiles, make_batches):
    """A teacher, and a student that misses every second building pixel."""
    targets, answers = tiles(8, 2)
    worse = answers | {"building": answers["building"].copy()}
    worse["building"][:, ::2] = 0
    return {
        name: evaluate(dict, make_batches(targets, one, 4), count_tile_px=8)
        for name, one in (("teacher", answers), ("hard_label_student", worse))
    }


def test_retention_is_the_share_of_the_teachers_miou(models):
    student, teacher = models["hard_label_student"], models["teacher"]
    value, (low, high) = compute_retention(student, teacher)
    expected = student.values["building_miou"] / teacher.values["building_miou"]
    assert value == pytest.approx(expected)
    assert low < value < high < 1


def test_a_model_retains_itself_without_any_doubt(models):
    # Both are drawn with the same tiles; unpaired draws would have a width.
    assert compute_retention(models["teacher"], models["teacher"]) == (
        1.0,
        (1.0, 1.0),
    )


def test_retention_on_other_tiles_is_undefined(models):
    fewer = compute_scores(models["teacher"].tiles[1:])
    assert compute_retention(models["hard_label_student"], fewer) == (
        None,
        None,
    )


def test_retention_of_one_tile_has_no_interval(models):
    one, other = (compute_scores(m.tiles[:1]) for m in models.values())
    value, interval = compute_retention(other, one)
    assert value > 0
    assert interval is None


def test_report_gives_retention_to_all_but_the_teacher(models):
    report = json.loads(json.dumps(make_report(models, "teacher")))
    assert report["teacher"]["retention"] is None
    assert report["hard_label_student"]["retention"] < 1
    assert len(report["hard_label_student"]["intervals"]["retention"]) == 2


def test_report_without_a_teacher_has_no_retention(models):
    report = make_report({"student": models["hard_label_student"]}, "teacher")
    assert report["student"]["retention"] is None


def test_table_is_aligned_and_shows_scores_with_intervals(models):
    report = make_report(models, "teacher")
    report["teacher"]["road_miou"] = None
    report["teacher"]["intervals"]["road_miou"] = None
    for one in report.values():
        one["count_r2"] = None
    table = format_table(report)
    lines = table.splitlines()
    assert {len(line) for line in lines[:-1]} == {18 + 2 * 15}
    assert lines[0].split() == ["hard", "label"]
    assert lines[1].split() == ["teacher", "student"]
    row = next(n for n, line in enumerate(lines) if "building mIoU" in line)
    student = report["hard_label_student"]
    assert lines[row].endswith(f"{student['building_miou']:.3f}")
    low, high = student["intervals"]["building_miou"]
    assert lines[row + 1].endswith(f"{low:.3f}..{high:.3f}")
    assert "count R2" not in table
    road = next(line for line in lines if "road mIoU" in line)
    assert road.split()[2] == "-"
    assert lines[-1].startswith("8 tiles")


def test_table_tells_which_models_were_calibrated(tiles, make_batches):
    targets, answers = tiles(4, 2)
    calibrated = answers | {
        "building_uncalibrated": answers["building"] ** 2,
        "height_scale_m": np.full_like(answers["height_m"], 3.0),
    }
    models = {
        name: evaluate(dict, make_batches(targets, one, 4), count_tile_px=8)
        for name, one in (("plain", answers), ("student", calibrated))
    }
    table = format_table(make_report(models))
    rows = {line.split("  ")[0]: line.split() for line in table.splitlines()}
    assert rows["height in 80 %"][4] == "-"
    assert 0 < float(rows["height in 80 %"][5]) < 1
    (uncalibrated,) = [r for r in table.splitlines() if "  uncalibrated" in r]
    assert uncalibrated.split()[1] == "-"
    assert "calibrated on the validation split: student; the other" in table
    plain = format_table(make_report({"plain": models["plain"]}))
    assert "calibrated" not in plain
    assert "height in" not in plain

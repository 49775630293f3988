"""The report of a benchmark whose scores were made up, model by model."""

import itertools
import json

import numpy as np
import pytest

from benchmarks.accuracy.atlanta_plan import make_atlanta_plan
from benchmarks.accuracy.judging_stages import timed_networks
from benchmarks.accuracy.judging_stages import unseen_worlds
from benchmarks.accuracy.layout import ATLANTA
from benchmarks.accuracy.layout import Layout
from benchmarks.accuracy.model_stages import frames_name
from benchmarks.accuracy.models import COMPARISON
from benchmarks.accuracy.models import make_models
from benchmarks.accuracy.plan import make_plan
from benchmarks.accuracy.preset import find_preset
from benchmarks.accuracy.report import write_report
from benchmarks.accuracy.run_stages import Outcome
from benchmarks.accuracy.setup import Setup
from benchmarks.accuracy.tile_sums import write_tiles
from s2distill.atomic_write import write_json
from s2distill.evaluation.height import sum_height_errors
from s2distill.evaluation.objects import sum_objects
from s2distill.evaluation.scores import Tile
from s2distill.evaluation.segmentation import miou

# Share of the pixels that a model finds, so that all are ranked by hand.
SKILL = {"teacher": 0.95, "student": 0.9, "u_tae": 0.93, "bicubic_unet": 0.7}
TILES = 6


def _make_tiles(skill, seed, *, calibrated):
    """Tiles of the same true buildings, of which a model finds a share."""
    truth = np.random.default_rng(3)
    rng = np.random.default_rng(seed)
    tiles = []
    for number in range(TILES):
        building_px = int(truth.integers(200, 400))
        found = int(rng.binomial(building_px, skill))
        sums = {
            "building": np.array(
                [found, 20, building_px - found, 2000], np.float64
            ),
            "road": np.array([50, 20, 10, 900], np.float64),
            "height": sum_height_errors(
                rng.uniform(1, 30, (8, 9)),
                truth.uniform(1, 30, (8, 9)),
                np.ones((8, 9)),
            ),
            "objects": sum_objects(
                rng.random((20, 30)),
                np.round(truth.random((20, 30))),
                np.ones((20, 30)),
                gsd_m=5.0,
            ),
            "building_histogram": rng.integers(1, 9, (3, 512)).astype(float),
        }
        if calibrated:
            sums["building_uncalibrated_histogram"] = rng.integers(
                1, 9, (3, 512)
            ).astype(float)
        tiles.append(
            Tile(key=f"t{number}", sums=sums, cells=truth.random((4, 2)))
        )
    return tiles


def _make_costs(setup):
    for network, preset in timed_networks(setup.preset):
        frames = [0] if network == "teacher" else [1, 8, 16]
        costs = [
            {
                "network": network,
                "preset": preset,
                "precision": precision,
                "parameters": 470_013,
                "forward": [
                    {
                        "frames": count,
                        "multiply_adds_per_km2": 1.5e10,
                        "seconds_per_km2": 0.2 + 0.01 * count,
                        "gflops": 150.0,
                        "product_gflops": 200.0,
                        "share_of_product": 0.75,
                    }
                    for count in frames
                ],
                "training_step": {"seconds": 0.456},
            }
            for precision in ("float32", "mixed_bfloat16")
        ]
        write_json(setup.layout.cost(network, preset), costs)


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    """(setup, stages) of a tiny benchmark of which all is there."""
    folder = tmp_path_factory.mktemp("benchmark")
    setup = Setup(
        preset_name="tiny",
        preset=find_preset("tiny"),
        seed=3,
        precision="float32",
        layout=Layout(folder),
    )
    layout = setup.layout
    for seed, (name, model) in enumerate(make_models(setup.preset).items()):
        for place in ("", *([ATLANTA] if model.real else [])):
            write_tiles(
                layout.scores(name, place),
                _make_tiles(
                    SKILL.get(name, 0.8), seed, calibrated=name == "student"
                ),
            )
    for count in setup.preset.frame_counts:
        write_tiles(
            layout.scores(frames_name(count)),
            _make_tiles(0.5 + 0.1 * count, 90 + count, calibrated=True),
        )
    rng = np.random.default_rng(8)
    worlds = ("test", *unseen_worlds(setup.preset))
    for number, world in enumerate(worlds):
        path = layout.windows(world)
        path.parent.mkdir(exist_ok=True)
        np.savez(path, scores=rng.uniform(0.1, 1, (5, 4)) + number)
    _make_costs(setup)
    return setup, [*make_plan(setup), *make_atlanta_plan(setup)]


def _outcomes(stages, failed=()):
    return {
        stage.name: Outcome(status="failed", command=f"run {stage.name}")
        if stage.name in failed
        else Outcome(
            status="done",
            command=f"run {stage.name}",
            seconds=2.0,
            commit="abc",
        )
        for stage in stages
    }


@pytest.fixture(scope="module")
def report(benchmark):
    """(results, paths) of the whole of it."""
    setup, stages = benchmark
    return write_report(setup, stages, _outcomes(stages))


def test_every_model_is_a_row_with_scores_and_cost(benchmark, report):
    setup, _ = benchmark
    results = json.loads(setup.layout.results.read_text())
    assert results == json.loads(json.dumps(report[0]))
    rows = {row["name"]: row for row in results["models"]}
    assert list(rows) == list(make_models(setup.preset))
    tiles = _make_tiles(0.9, 1, calibrated=True)
    expected = miou(sum(tile.sums["building"] for tile in tiles))
    student = rows["student"]
    assert student["metrics"]["building_miou"] == pytest.approx(expected)
    low, high = student["intervals"]["building_miou"]
    assert low < expected < high
    assert student["metrics"]["retention"] == pytest.approx(
        expected / rows["teacher"]["metrics"]["building_miou"]
    )
    assert student["tiles"] == TILES
    assert student["cost"]["parameters"] == 470_013
    assert student["cost"]["precision"] == "float32"
    # It has another graph than what was timed.
    assert rows["attention_student"]["cost"] is None
    assert "simulated" in results["simulated"].lower()
    assert results["commits"] == ["abc"]


def test_the_student_is_held_against_each_baseline(report):
    rows = {row["name"]: row for row in report[0]["models"]}
    worse = rows["bicubic_unet"]["comparison"]
    assert (worse["of"], worse["with"]) == (COMPARISON, "bicubic_unet")
    assert worse["building_miou"]["verdict"] == "yes"
    better = rows["u_tae"]["comparison"]["building_miou"]
    assert better["difference"] < 0
    spoiled = rows["spoiled_student"]["comparison"]
    assert spoiled["with"] == "spoiled_hard_label_student"


def test_frames_are_rows_each_against_the_one_before(benchmark, report):
    rows = report[0]["frames"]
    counts = benchmark[0].preset.frame_counts
    assert [row["frames"] for row in rows] == list(counts)
    assert rows[0]["step"] is None
    for before, row in itertools.pairwise(rows):
        assert row["step"]["difference"] == pytest.approx(
            row["metrics"]["building_miou"] - before["metrics"]["building_miou"]
        )
    # With as many as in training it is the student's own score.
    student = report[0]["models"][1]["metrics"]
    assert rows[-1]["metrics"]["building_miou"] == student["building_miou"]


def test_the_table_holds_every_model_bar_and_command(benchmark, report):
    setup, stages = benchmark
    text = setup.layout.table.read_text()
    for name in make_models(setup.preset):
        assert f"| {name}: " in text
    for stage in stages:
        assert f"`run {stage.name}`" in text
    for bar in report[0]["bars"]:
        assert f"| {bar['what']} |" in text
    assert "Simulated" in text
    assert "Not run." not in text
    # 0.2 s and 0.01 s a frame.
    assert "71% of the time of 8 frames does not depend" in text


def test_pictures_are_pictures(benchmark, report):
    setup, _ = benchmark
    drawn = [path for path in report[1] if path.suffix == ".png"]
    assert {path.stem for path in drawn} == {
        "models",
        "frames",
        "height",
        "out_of_distribution",
        "counts",
        "precision_recall",
        "reliability",
    }
    for path in drawn:
        assert path.parent == setup.layout.output
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_a_model_that_failed_is_a_row_that_says_so(benchmark):
    setup, stages = benchmark
    failed = ("score_u_tae", "score_frames", "windows_test", "atlanta_teacher")
    results, _ = write_report(setup, stages, _outcomes(stages, failed))
    rows = {row["name"]: row for row in results["models"]}
    assert rows["u_tae"]["status"] == "failed"
    assert "metrics" not in rows["u_tae"]
    assert rows["student"]["status"] == "ok"
    assert results["out_of_distribution"] is None
    text = setup.layout.table.read_text()
    assert "| u_tae: plain U-TAE at 10 m, enlarged at its end | failed |" in (
        text
    )
    assert "## Out of distribution\n\nNot run." in text
    bars = {bar["what"]: bar["verdict"] for bar in results["bars"]}
    name = "student over u_tae of equal budget, building mIoU"
    assert bars[name] == "not measured"


def test_the_headline_alone_makes_a_table(benchmark):
    setup, stages = benchmark
    headline = [stage for stage in stages if stage.headline]
    results, _ = write_report(setup, headline, _outcomes(headline))
    assert [row["name"] for row in results["models"]] == ["teacher", "student"]
    assert results["atlanta"] == []
    assert setup.layout.table.read_text().count("Not run.") >= 3

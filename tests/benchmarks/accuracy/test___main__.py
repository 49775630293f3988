"""The program itself; the slow test trains, labels, calibrates and scores."""

import json
import pathlib
import subprocess
import sys

import pytest

from benchmarks.accuracy import __main__ as program
from s2distill.errors import ConfigError

ROOT = pathlib.Path(__file__).resolve().parents[3]


def test_it_must_be_run_where_the_configs_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no folder configs"):
        program.run(program.Config(output="out"))


def test_a_folder_holds_one_benchmark(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    identity = {"preset": "tiny", "seed": 1, "precision": "float32"}
    (tmp_path / "benchmark.json").write_text(json.dumps(identity))
    with pytest.raises(ConfigError, match="'seed': 1.*'seed': 2.*--output"):
        program.run(
            program.Config(
                output=str(tmp_path),
                preset="tiny",
                seed=2,
                precision="float32",
                headline_only=True,
            )
        )
    assert [path.name for path in tmp_path.iterdir()] == ["benchmark.json"]


@pytest.mark.slow
def test_the_headline_is_trained_scored_and_not_done_twice(tmp_path):
    command = [
        sys.executable,
        "-m",
        "benchmarks.accuracy",
        "--preset=tiny",
        "--headline_only",
        f"--output={tmp_path / 'out'}",
    ]
    subprocess.run(command, cwd=ROOT, check=True)
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    rows = {row["name"]: row for row in results["models"]}
    assert set(rows) == {"teacher", "student"}
    for row in rows.values():
        assert row["status"] == "ok"
        assert row["tiles"] == 3
        assert 0 <= row["metrics"]["building_miou"] <= 1
    student = rows["student"]["metrics"]
    assert student["retention"] == pytest.approx(
        student["building_miou"] / rows["teacher"]["metrics"]["building_miou"]
    )
    assert student["building_ece_uncalibrated"] is not None
    assert (tmp_path / "out" / "table.md").read_text().startswith("# Accuracy")

    marks = sorted((tmp_path / "out" / "stages").iterdir())
    times = [path.stat().st_mtime_ns for path in marks]
    again = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert [path.stat().st_mtime_ns for path in marks] == times
    assert "left" not in again.stdout
    assert results == json.loads(
        (tmp_path / "out" / "results.json").read_text()
    )

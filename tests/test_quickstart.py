"""The whole program on a minute world: every stage, none of them good."""

import json
import math
import pathlib

import pytest
import rasterio

from s2distill.quickstart import Config
from s2distill.quickstart import run

pytestmark = pytest.mark.slow

SCORES = {
    "building_iou",
    "building_miou",
    "road_miou",
    "count_r2",
    "height_mae_m",
}
NUMBERS = {"retention", "seconds", "peak_rss_gib", "seed"}
BASELINES = {"hard_label_student", "single_frame_student", "bicubic_unet"}


def _run(folder, **changes):
    return run(
        Config(
            workdir=str(folder),
            train_scenes=4,
            test_scenes=2,
            teacher_steps=4,
            student_steps=4,
            **changes,
        )
    )


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    """(workdir, summary, what was printed) of a run with all baselines."""
    import contextlib
    import io

    folder = tmp_path_factory.mktemp("quickstart") / "run"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        summary = _run(folder, baselines=True)
    return folder, summary, printed.getvalue()


def test_the_summary_holds_the_promised_keys(quickstart):
    folder, returned, _ = quickstart
    summary = json.loads((folder / "summary.json").read_text())
    assert summary == returned
    assert set(summary) == {"teacher", "student"} | BASELINES | NUMBERS
    for name in {"teacher", "student"} | BASELINES:
        assert set(summary[name]) == SCORES, name
        for score, value in summary[name].items():
            assert value is None or math.isfinite(value), (name, score)
        assert 0 <= summary[name]["building_miou"] <= 1
    # The two test towns have buildings, so it can be told.
    assert math.isfinite(summary["retention"])
    assert summary["seed"] == 0
    assert summary["seconds"] > 1
    assert 0.1 < summary["peak_rss_gib"] < 64


def test_every_printed_path_opens(quickstart):
    folder, _, printed = quickstart
    after = printed.rpartition("Open:")[2]
    paths = [
        pathlib.Path(line.split(maxsplit=1)[1].removeprefix("picture").strip())
        if line.strip().startswith("its picture")
        else pathlib.Path(line.split()[-1])
        for line in after.splitlines()
        if line.strip()
    ]
    assert len(paths) == 5
    assert all(path.exists() for path in paths)
    pictures = [path for path in paths if path.suffix == ".png"]
    pictures += list((folder / "scores" / "pictures").glob("*.png"))
    assert len(pictures) > 2
    for path in pictures:
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_the_map_lies_where_the_town_does(quickstart):
    folder = quickstart[0]
    with (
        rasterio.open(folder / "map" / "town.tif") as found,
        rasterio.open(folder / "town" / "truth.tif") as truth,
    ):
        assert found.crs == truth.crs
        assert found.bounds == truth.bounds
        assert found.shape == truth.shape
        assert {"building", "road"} <= set(found.descriptions)
        assert found.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_another_seed_is_another_world_and_another_result(quickstart, tmp_path):
    folder, first, _ = quickstart
    second = _run(tmp_path / "run", seed=1)
    assert set(second) == {"teacher", "student"} | NUMBERS
    assert second["seed"] == 1
    assert second["student"] != first["student"]
    shards = sorted((folder / "world").rglob("*.tfrecord-*"))
    assert shards
    for path in shards:
        twin = tmp_path / "run" / path.relative_to(folder)
        assert not twin.exists() or twin.read_bytes() != path.read_bytes()

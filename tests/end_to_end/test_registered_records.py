"""A real picture that was given a wrong place, on its simulated frames."""

import dataclasses
import json

import numpy as np
import pytest

from data_prep.pair_geotiffs import Config
from data_prep.pair_geotiffs import run
from data_prep.registration import register
from s2distill.data.folders import read_records

TRUE_PLACE = ("0.5", "0", "737201", "0", "-0.5", "3736839")
# 7.5 m too far west, 4 m too far south.
WRONG_PLACE = ("0.5", "0", "737193.5", "0", "-0.5", "3736835")


@pytest.fixture
def config(real_data, tmp_path):
    """Flags for the misplaced picture, and its frames at the true place."""
    made = Config(
        image=str(real_data("solaris-tutorials-mvoi") / "viz_version.tif"),
        image_crs="EPSG:32616",
        image_transform=TRUE_PLACE,
        simulate_frames=6,
        bands=("B2", "B3", "B4"),
        tile_px=32,
        validation_share=0.0,
        test_share=0.0,
        frames_output=str(tmp_path / "frames"),
        output=str(tmp_path / "made"),
    )
    run(made)
    return dataclasses.replace(
        made,
        image_transform=WRONG_PLACE,
        simulate_frames=0,
        frames=made.frames_output,
        frames_output="",
        output=str(tmp_path / "found"),
    )


def find_rest_m(record):
    """By how much the image still lies off its frames, (east, north)."""
    found = register(
        record["image"]["rgb"].mean(axis=-1, dtype=np.float32),
        record["image"]["valid"],
        record["s2"]["image"].mean(axis=-1, dtype=np.float32),
        record["s2"]["valid"],
        max_shift_px=3,
    )
    return 10 * found.shift_col_px, -10 * found.shift_row_px


@pytest.mark.filterwarnings("ignore")  # the picture names no place of its own
def test_records_of_a_misplaced_picture_lie_on_its_frames(
    config, tmp_path, capsys
):
    run(config)
    assert "registration: image moved by" in capsys.readouterr().out
    (record,) = read_records(config.output, "train")
    provenance = json.loads(record["meta"]["provenance"])
    shift_m = provenance["registration"]["shift_x_y_m"]
    # Each frame has an error of its own, 3 m in each axis; six are averaged.
    np.testing.assert_allclose(shift_m, (7.5, 4.0), atol=3.5)
    assert max(map(abs, find_rest_m(record))) < 1
    given = dataclasses.replace(
        config, register=False, output=str(tmp_path / "given")
    )
    run(given)
    (record,) = read_records(given.output, "train")
    np.testing.assert_allclose(find_rest_m(record), shift_m, atol=1)

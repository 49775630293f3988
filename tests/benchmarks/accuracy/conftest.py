"""Fixtures of the benchmark's tests: tiles whose scores are known by hand."""

import dataclasses
import pathlib

import numpy as np
import pytest

from benchmarks.accuracy.layout import Layout
from benchmarks.accuracy.preset import find_preset
from benchmarks.accuracy.setup import Setup
from s2distill.evaluation.scores import Tile
from s2distill.evaluation.scores import compute_scores


@pytest.fixture
def make_setup():
    """A benchmark of the tiny preset, in some folder; changes its budget."""

    def make(output="out", **changes):
        return Setup(
            preset_name="tiny",
            preset=dataclasses.replace(find_preset("tiny"), **changes),
            seed=3,
            precision="float32",
            layout=Layout(pathlib.Path(output)),
        )

    return make


@pytest.fixture
def make_scores():
    """Scores of tiles that each have [found, invented, missed, empty] px."""

    def make(counts, prefix="tile"):
        return compute_scores(
            [
                Tile(
                    key=f"{prefix}{number}",
                    sums={"building": np.array(one, np.float64)},
                    cells=np.zeros((0, 2)),
                )
                for number, one in enumerate(counts)
            ]
        )

    return make

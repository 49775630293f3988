import json

import numpy as np
import pytest

from benchmarks.accuracy.damage_labels import Config
from benchmarks.accuracy.damage_labels import run
from s2distill.data.folders import read_records
from s2distill.errors import ConfigError


@pytest.fixture
def world(example_records, tmp_path):
    """A folder of random labelled records."""
    folder = tmp_path / "world"
    example_records(folder, {"train": 2, "test": 1}, fields=("building",))
    return str(folder)


def test_labels_are_shifted_or_spoiled_as_asked(world, tmp_path):
    for name, flags in {
        "shifted": {"shift_m": 3.0},
        "spoiled labels": {"spoiled_share": 1.0},
    }.items():
        output = tmp_path / "out"
        run(Config(records=world, output=str(output), overwrite=True, **flags))
        manifest = json.loads((output / "records.json").read_text())
        assert name in manifest["provenance"]["damage"]
        first, second = (
            next(iter(read_records(folder, "train")))
            for folder in (world, output)
        )
        assert not np.array_equal(
            first["label"]["building"], second["label"]["building"]
        )


@pytest.mark.parametrize(
    "flags", [{}, {"shift_m": 1.0, "spoiled_share": 0.1}], ids=["none", "both"]
)
def test_one_damage_at_a_time(flags):
    with pytest.raises(ConfigError, match="and not both"):
        run(Config(records="world", output="out", **flags))

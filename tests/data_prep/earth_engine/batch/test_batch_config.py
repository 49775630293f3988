"""Flags of batch exports."""

import math

import pytest

from data_prep.earth_engine.batch.batch_config import BatchConfig
from data_prep.earth_engine.batch.batch_config import check_batch_config
from s2distill.errors import BandError
from s2distill.errors import ConfigError
from s2distill.flag_config import parse_config

REQUIRED = {
    "places": "places.geojson",
    "bucket": "my-bucket",
    "prefix": "area",
    "workdir": "runs/area",
    "ee_project": "my-project",
}


def test_defaults_make_sense():
    config = BatchConfig(**REQUIRED)
    check_batch_config(config)
    assert config.cell_tiles == 16
    assert config.max_waiting == 2000
    assert config.ee_url == "https://earthengine.googleapis.com"


def test_nowait_is_a_flag():
    flags = [f"--{name}={value}" for name, value in REQUIRED.items()]
    assert parse_config(BatchConfig, ["program", *flags]).wait
    assert not parse_config(BatchConfig, ["program", *flags, "--nowait"]).wait


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_waiting": 3001}, "--max_waiting=3001 must be from 1 to 3000"),
        ({"max_waiting": 0}, "--max_waiting=0 must be from 1 to 3000"),
        ({"max_task_tries": 0}, "--max_task_tries=0 must be above 0"),
        ({"date": "1 June"}, "--date=1 June is no date YYYY-MM-DD"),
        ({"poll_s": 0.0}, "--poll_s=0.0 must be above 0"),
        ({"poll_s": math.nan}, "--poll_s=nan must be above 0"),
        ({"poll_s": math.inf}, "--poll_s=inf must be .* finite"),
        ({"max_task_tries": math.nan}, "--max_task_tries=nan must be above"),
        ({"ee_project": ""}, "--ee_project is empty"),
    ],
)
def test_flags_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        check_batch_config(BatchConfig(**{**REQUIRED, **changes}))


def test_the_recipe_is_checked_too():
    config = BatchConfig(**REQUIRED, bands=("B2", "B10"))
    with pytest.raises(BandError, match="B10"):
        check_batch_config(config)


def test_a_plan_needs_no_project():
    check_batch_config(
        BatchConfig(**{**REQUIRED, "ee_project": ""}, dry_run=True)
    )

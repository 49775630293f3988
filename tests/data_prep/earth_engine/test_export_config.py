import dataclasses

import pytest

from data_prep.earth_engine.export_config import ExportConfig
from data_prep.earth_engine.export_config import check_export_config
from s2distill.errors import BandError
from s2distill.errors import ConfigError
from s2distill.flag_config import parse_config

GOOD = ExportConfig(places="p.geojson", output="o", ee_project="my-project")


def test_recipe_client_and_records_are_flags_of_one_program():
    config = parse_config(
        ExportConfig,
        [
            "program",
            "--places=p.geojson",
            "--output=o",
            "--ee_project=my-project",
            "--frames_before=3",
            "--requests_in_flight=7",
            "--records_per_shard=5",
            "--assumed_answer_s=0.5",
            "--",
            "--direct_num_workers=2",
        ],
    )
    check_export_config(config)
    assert config == dataclasses.replace(
        GOOD,
        frames_before=3,
        requests_in_flight=7,
        records_per_shard=5,
        assumed_answer_s=0.5,
        beam_args=("--direct_num_workers=2",),
    )


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"bands": ("B99",)}, BandError, "B99"),
        ({"frames_before": 0, "frames_after": 0}, ConfigError, "0 frames"),
        ({"ee_project": ""}, ConfigError, "--ee_project is empty"),
        ({"max_tries": 0}, ConfigError, "--max_tries=0"),
        ({"records_per_shard": 0}, ConfigError, "--records_per_shard=0"),
        ({"date": "May"}, ConfigError, "--date=May"),
        ({"assumed_answer_s": 0.0}, ConfigError, "--assumed_answer_s=0.0 must"),
        ({"assumed_answer_s": float("nan")}, ConfigError, "=nan must be above"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_each_part_is_checked(changes, error, message):
    with pytest.raises(error, match=message):
        check_export_config(dataclasses.replace(GOOD, **changes))


def test_a_dry_run_needs_no_project_but_a_recipe_that_makes_sense():
    dry = dataclasses.replace(GOOD, ee_project="", dry_run=True)
    check_export_config(dry)
    with pytest.raises(ConfigError, match="--assumed_answer_s=-1"):
        check_export_config(dataclasses.replace(dry, assumed_answer_s=-1.0))
    with pytest.raises(ConfigError, match="--window_days=0"):
        check_export_config(dataclasses.replace(dry, window_days=0))


@pytest.mark.parametrize(
    ("name", "value"), [("requests_in_flight", 0), ("requests_per_s", -2.0)]
)
def test_a_dry_run_divides_by_no_quota_of_0(name, value):
    dry = dataclasses.replace(GOOD, ee_project="", dry_run=True)
    with pytest.raises(ConfigError, match=f"--{name}={value} must be above 0"):
        check_export_config(dataclasses.replace(dry, **{name: value}))

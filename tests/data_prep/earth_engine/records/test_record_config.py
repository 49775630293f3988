import dataclasses
import importlib.util

import pytest

from data_prep.earth_engine.recipe import Recipe
from data_prep.earth_engine.records.record_config import RecordsConfig
from data_prep.earth_engine.records.record_config import check_beam
from data_prep.earth_engine.records.record_config import check_records_config
from data_prep.earth_engine.records.record_config import find_answers_folder
from s2distill.errors import ConfigError
from s2distill.flag_config import parse_config
from s2distill.flag_config import to_flag_lines

GOOD = RecordsConfig(places="places.geojson", output="records/area")


def test_places_and_output_are_all_that_is_needed():
    check_records_config(GOOD)
    for name in ("places", "output"):
        arguments = [f"--{other}=x" for other in ("places", "output")]
        arguments.remove(f"--{name}=x")
        with pytest.raises(ConfigError, match=f"--{name} is required"):
            parse_config(RecordsConfig, ["program", *arguments])


@pytest.mark.parametrize(
    ("output", "workdir", "expected"),
    [
        ("records/area", "", "records/area.work"),
        ("records/area/", "", "records/area.work"),
        ("gs://bucket/area/", "", "gs://bucket/area.work"),
        ("records/area", "scratch", "scratch"),
    ],
)
def test_work_lies_beside_the_records_unless_told_otherwise(
    output, workdir, expected
):
    config = dataclasses.replace(GOOD, output=output, workdir=workdir)
    assert config.work_folder == expected
    folder = find_answers_folder(config, Recipe())
    assert folder.startswith(f"{expected}/answers-")


@pytest.mark.parametrize("number", [0, -3])
def test_a_file_holds_at_least_one_record(number):
    config = dataclasses.replace(GOOD, records_per_shard=number)
    with pytest.raises(ConfigError, match=f"--records_per_shard={number} must"):
        check_records_config(config)


@pytest.mark.parametrize("date", ["", "2020-02-29"])
def test_a_date_may_be_left_to_the_places(date):
    check_records_config(dataclasses.replace(GOOD, date=date))


@pytest.mark.parametrize(
    "date", ["2021-02-29", "01.02.2020", "2020", "20200229", "2020-W09-6"]
)
def test_a_date_that_is_none_is_named(date):
    with pytest.raises(ConfigError, match=f"--date={date} is no date YYYY-MM"):
        check_records_config(dataclasses.replace(GOOD, date=date))


def test_what_stands_after_the_dashes_is_beams():
    config = parse_config(
        RecordsConfig,
        [
            "program",
            "--places=p",
            "--output=o",
            "--",
            "--runner=DataflowRunner",
            "--output=beams own",
        ],
    )
    assert config.output == "o"
    assert config.beam_args == ("--runner=DataflowRunner", "--output=beams own")
    assert not any("beam" in line for line in to_flag_lines(config))


def test_without_beam_its_installation_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install -e '\.\[beam\]'"):
        check_beam()

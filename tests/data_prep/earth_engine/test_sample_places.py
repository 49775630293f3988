import dataclasses
import json

import numpy as np
import pytest
import rasterio

from data_prep.earth_engine.places.places import read_places
from data_prep.earth_engine.sample_places import Config
from data_prep.earth_engine.sample_places import run
from data_prep.pairing.pair_config import Config as PairConfig
from s2distill.errors import ConfigError
from s2distill.errors import OutputError
from s2distill.errors import PlaceError
from s2distill.errors import VectorError

AREA = [(-84.12, 33.1), (-83.9, 33.12), (-83.95, 33.3), (-84.1, 33.27)]


@pytest.fixture
def area(tmp_path):
    path = tmp_path / "area.geojson"
    polygon = {"type": "Polygon", "coordinates": [[*AREA, AREA[0]]]}
    path.write_text(json.dumps(polygon))
    return str(path)


@pytest.fixture
def config(tmp_path, area):
    return Config(
        region=area, count=90, output=str(tmp_path / "places.geojson")
    )


def _replace(config, **fields):
    return dataclasses.replace(config, **fields)


def test_the_splits_have_the_flags_of_pair_geotiffs():
    def of(config_class):
        return {
            field.name: (field.type, field.default)
            for field in dataclasses.fields(config_class)
        }

    ours, theirs = of(Config), of(PairConfig)
    for name in (
        "tile_px",
        "block_m",
        "gap_m",
        "validation_share",
        "test_share",
        "split_salt",
        "overwrite",
    ):
        assert ours[name] == theirs[name]


def test_the_file_holds_what_was_asked_for_and_how(config, capsys):
    run(_replace(config, date="2023-07-01", split_salt="b", seed=3))
    found = read_places(config.output)
    assert len(found.places) == 90
    assert {place.date for place in found.places} == {"2023-07-01"}
    assert found.split_rule == {
        "block_m": 1000.0,
        "gap_m": 50.0,
        "validation_share": 0.15,
        "test_share": 0.15,
        "salt": "b",
    }
    assert found.dropped["between two splits"] > 100
    assert found.dropped["near a UTM zone border"] > 10
    assert found.provenance["program"].endswith("sample_places")
    assert "--seed=3" in found.provenance["flags"]
    assert found.region["type"] == "MultiPolygon"
    ring = np.array(found.region["coordinates"][0][0])
    assert {tuple(point) for point in ring} == set(AREA)
    text = capsys.readouterr().out
    assert text.startswith("90 places of ")
    zones = [place.grid.crs for place in found.places]
    for crs in ("EPSG:32616", "EPSG:32617"):
        assert f"{zones.count(crs)} {crs}" in text


def test_the_table_adds_up(config, capsys):
    run(config)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["train", "validation", "test", "all"]
    name, *numbers = lines[2].split()
    assert name == "all"
    splits = [place.split for place in read_places(config.output).places]
    assert list(map(int, numbers)) == [
        *map(splits.count, ("train", "validation", "test")),
        90,
    ]


def test_a_repeated_run_writes_the_same_bytes_and_a_larger_one_more(
    config, tmp_path
):
    run(config)
    first = (tmp_path / "places.geojson").read_bytes()
    run(_replace(config, overwrite=True))
    flags = b"--overwrite=True"
    again = (tmp_path / "places.geojson").read_bytes()
    assert again.replace(flags, b"--overwrite=False") == first
    small = read_places(config.output).places
    larger = _replace(config, count=140, output=str(tmp_path / "l.geojson"))
    run(larger)
    assert read_places(larger.output).places[:90] == small


def test_a_box_takes_the_place_of_a_file(config):
    box = ("-84.12", "33.1", "-83.9", "33.3")
    run(_replace(config, region="", region_box=box, count=0))
    in_box = {place.key for place in read_places(config.output).places}
    run(_replace(config, count=0, overwrite=True))
    in_area = {place.key for place in read_places(config.output).places}
    assert in_area < in_box


def test_touching_squares_cover_the_region_for_a_batch_export(config):
    run(
        _replace(
            config,
            count=0,
            coverage="touch",
            test_share=0.0,
            validation_share=0.0,
            gap_m=0.0,
        )
    )
    found = read_places(config.output)
    assert {place.split for place in found.places} == {"train"}
    assert "between two splits" not in found.dropped
    touched = len(found.places)
    run(
        _replace(
            config,
            count=0,
            test_share=0.0,
            validation_share=0.0,
            gap_m=0.0,
            overwrite=True,
        )
    )
    assert touched > len(read_places(config.output).places)


def _write_raster(path, scale):
    """Built up from 0 in the west to all in the east."""
    columns = np.linspace(0, scale, 400) ** 2 / scale
    values = np.broadcast_to(columns, (300, 400)).astype("uint16")
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=300,
        width=400,
        count=1,
        dtype="uint16",
        crs="EPSG:4326",
        transform=rasterio.Affine(0.001, 0, -84.2, 0, -0.001, 33.35),
    ) as file:
        file.write(values, 1)
    return str(path)


def test_strata_are_drawn_and_shown(config, tmp_path, capsys):
    raster = _write_raster(tmp_path / "built.tif", 10_000)
    run(
        _replace(
            config,
            built_up=raster,
            built_up_scale=10_000.0,
            strata=("0.1", "0.3"),
            dates=("2022-06-01", "2023-06-01"),
        )
    )
    places = read_places(config.output).places
    strata = [place.stratum for place in places]
    assert [strata.count(name) for name in sorted(set(strata))] == [30] * 3
    for place in places:
        low, high = map(float, place.stratum.split()[1].split("-"))
        assert low - 1e-4 <= place.properties["built_up"] <= high + 1e-4
    assert {place.date for place in places} == {"2022-06-01", "2023-06-01"}
    text = capsys.readouterr().out
    row = next(
        line for line in text.splitlines() if line.startswith("built-up 0-0.1")
    )
    assert row.split()[-1] == "30"


def test_what_is_scarce_is_said_in_plain_words(config, tmp_path, capsys):
    raster = _write_raster(tmp_path / "built.tif", 100)
    run(
        _replace(
            config,
            built_up=raster,
            built_up_scale=100.0,
            strata=("0.72",),
            strata_shares=("0.1", "0.9"),
            count=3000,
            block_m=9000.0,
            validation_share=0.01,
        )
    )
    text = capsys.readouterr().out
    assert "built-up 0.72-1 has " in text
    assert "fewer than asked for; a larger region, other --strata" in text
    assert "no place for validation: blocks of --block_m=9000" in text
    run(_replace(config, count=10**6, overwrite=True))
    assert "the region has " in capsys.readouterr().out


def test_a_picture_is_drawn_if_asked_for(config, tmp_path):
    run(_replace(config, picture=str(tmp_path / "map.png")))
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"region": ""}, ConfigError, "--region=''.*give one of the two"),
        ({"region_box": ("1",)}, ConfigError, "'1': give one of the two"),
        (
            {"date": "2020-01-01", "dates": ("2021-01-01",)},
            ConfigError,
            "--date=2020-01-01, --dates=2021-01-01: give one",
        ),
        ({"date": "1.1.2020"}, ConfigError, "'1.1.2020' is no date"),
        ({"strata_shares": ("1",)}, ConfigError, "needs --built_up"),
        (
            {"built_up": "b.tif", "strata": ("few",)},
            ConfigError,
            "--strata=few: wanted are numbers",
        ),
        ({"count": -3}, ConfigError, "--count=-3"),
        ({"tile_px": 0}, ConfigError, "--tile_px=0"),
        ({"tile_px": 5000}, ConfigError, "--block_m=1000 is smaller"),
        ({"tile_px": 5000, "block_m": 1e5}, PlaceError, "gives no place of 50"),
        ({"test_share": 2.0}, ConfigError, "test_share=2.0"),
        ({"region": "none.geojson"}, VectorError, "none.geojson cannot be"),
    ],
)
def test_flags_that_make_no_sense_are_one_line_and_leave_nothing(
    config, tmp_path, fields, error, words
):
    with pytest.raises(error, match=words) as caught:
        run(_replace(config, picture=str(tmp_path / "map.png"), **fields))
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"area.geojson"}


def test_what_exists_is_kept(config, tmp_path):
    (tmp_path / "places.geojson").write_text("mine")
    with pytest.raises(OutputError, match="places.geojson exists.*--overwrite"):
        run(config)
    assert (tmp_path / "places.geojson").read_text() == "mine"
    (tmp_path / "map.png").write_text("mine")
    elsewhere = _replace(
        config,
        output=str(tmp_path / "new.geojson"),
        picture=str(tmp_path / "map.png"),
    )
    with pytest.raises(OutputError, match="map.png exists already"):
        run(elsewhere)
    assert not (tmp_path / "new.geojson").exists()

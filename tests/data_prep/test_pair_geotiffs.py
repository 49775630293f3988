import dataclasses
import json
import pathlib
import resource
import subprocess
import sys

import numpy as np
import pytest
import rasterio
import shapely

from data_prep.pair_geotiffs import Config
from data_prep.pair_geotiffs import run
from s2distill.errors import BandError
from s2distill.errors import ConfigError
from s2distill.errors import FrameError
from s2distill.errors import GridError
from s2distill.errors import OutputError
from s2distill.errors import ProductLevelError
from s2distill.errors import RasterError
from s2distill.errors import VectorError

CRS = "EPSG:32633"
LEFT, TOP = 500_000.0, 5_200_000.0
HEIGHT_PX, WIDTH_PX = 6, 9  # Sentinel-2 pixels
BANDS = ("B2", "B4", "B8")


def write_tif(path, planes, *, pixel_m, crs=CRS, left=LEFT, **keywords):
    tags = keywords.pop("tags", {})
    names = keywords.pop("names", None)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(planes),
        height=planes.shape[1],
        width=planes.shape[2],
        dtype=planes.dtype,
        crs=crs,
        transform=rasterio.Affine(pixel_m, 0, left, 0, -pixel_m, TOP),
        **keywords,
    ) as file:
        file.write(planes)
        if names:
            file.descriptions = names
        file.update_tags(**tags)


def write_vectors(path, geometries, properties=None, crs=CRS):
    properties = properties or [{} for _ in geometries]
    content = {
        "type": "FeatureCollection",
        "crs": {
            "type": "name",
            "properties": {"name": f"urn:ogc:def:crs:{crs.replace(':', '::')}"},
        },
        "features": [
            {
                "type": "Feature",
                "properties": fields,
                "geometry": shapely.geometry.mapping(geometry),
            }
            for geometry, fields in zip(geometries, properties, strict=True)
        ],
    }
    path.write_text(json.dumps(content))


def box(row, col, height, width):
    """A polygon of whole label pixels."""
    left, top = LEFT + col / 2, TOP - row / 2
    return shapely.box(left, top - height / 2, left + width / 2, top)


@pytest.fixture
def place(tmp_path):
    """Files of a small place, what was drawn, and flags to read them."""
    rng = np.random.default_rng(7)
    shape = (HEIGHT_PX * 20, WIDTH_PX * 20)
    rgb = rng.integers(1, 256, (3, *shape), dtype=np.uint8)
    write_tif(tmp_path / "city.tif", rgb, pixel_m=0.5)
    write_vectors(
        tmp_path / "buildings.geojson",
        [box(10, 20, 30, 14), box(70, 100, 9, 41)],
        [{"high": 6.5}, {"high": None}],
    )
    line = shapely.LineString([(LEFT, TOP - 25.25), (LEFT + 90, TOP - 25.25)])
    write_vectors(tmp_path / "roads.geojson", [line], [{"wide": 4.2}])
    folder = tmp_path / "frames"
    folder.mkdir()
    dn = rng.integers(
        1, 5000, (3, len(BANDS), HEIGHT_PX, WIDTH_PX), dtype=np.uint16
    )
    dn[1, :, 2, 3] = 0
    for number, frame in enumerate(dn):
        write_tif(
            folder / f"2021-0{number + 1}-04.tif",
            frame,
            pixel_m=10.0,
            names=BANDS,
            nodata=0,
            tags={"PRODUCT_LEVEL": "L2A", "OFFSET_DN": "0"},
        )
    config = Config(
        image=str(tmp_path / "city.tif"),
        buildings=str(tmp_path / "buildings.geojson"),
        height_field="high",
        roads=str(tmp_path / "roads.geojson"),
        road_width_field="wide",
        frames=str(folder),
        bands=BANDS,
        tile_px=3,
        block_m=1e6,
        gap_m=0.0,
        validation_share=0.0,
        test_share=0.0,
        register=False,
        output=str(tmp_path / "records"),
    )
    return config, rgb, dn


def read_records(folder, split="train"):
    import tensorflow_datasets as tfds

    dataset = tfds.builder_from_directory(str(folder)).as_dataset(split=split)
    return list(tfds.as_numpy(dataset))


@pytest.mark.filterwarnings("ignore")  # TFDS's own, while it reads
def test_records_hold_what_was_drawn_pixel_by_pixel(place, capsys):
    config, rgb, dn = place
    run(config)
    records = read_records(config.output)
    assert len(records) == 2 * 3
    building = np.zeros(rgb.shape[1:], np.uint8)
    height_m = np.zeros(rgb.shape[1:])
    building[10:40, 20:34] = building[70:79, 100:141] = 1
    height_m[10:40, 20:34] = 6.5
    height_m[70:79, 100:141] = np.nan
    road = np.zeros(rgb.shape[1:], np.uint8)
    rows_m = 0.25 + 0.5 * np.arange(rgb.shape[1])
    road[np.abs(rows_m - 25.25) < 2.1] = 1
    counted = 0.0
    for record in records:
        a, _, left, _, e, top = record["meta"]["transform"]
        assert (a, e) == (10.0, -10.0)
        row, col = round((TOP - top) / 10), round((left - LEFT) / 10)
        near = np.s_[row : row + 3, col : col + 3]
        fine = np.s_[
            20 * row : 20 * (row + 3),
            20 * col : 20 * (col + 3),
        ]
        planes = np.moveaxis(dn, 1, -1)
        np.testing.assert_array_equal(
            record["s2"]["image"], planes[:, near[0], near[1]]
        )
        np.testing.assert_array_equal(
            record["s2"]["valid"], (planes > 0).any(-1)[:, near[0], near[1]]
        )
        image = np.moveaxis(rgb, 0, -1)[fine]
        np.testing.assert_array_equal(record["image"]["rgb"], image)
        label = record["label"]
        np.testing.assert_array_equal(label["valid"], 1)
        np.testing.assert_array_equal(label["building"], building[fine])
        np.testing.assert_array_equal(label["road"], road[fine])
        np.testing.assert_array_equal(
            label["height_m"].astype(float), height_m[fine]
        )
        counted += label["centroid_density"].astype(float).sum()
        assert record["meta"]["crs"] == CRS.encode()
    assert counted == pytest.approx(2, abs=2e-3)
    assert records[0]["s2"]["time_utc_s"][0] // 86_400 == 18_631  # 2021-01-04
    printed = capsys.readouterr().out
    assert "records: 6 train" in printed
    assert "no tile for" not in printed  # nor was any asked for
    assert (config_path(config) / "statistics.json").is_file()


def config_path(config):
    return pathlib.Path(config.output)


@pytest.mark.filterwarnings("ignore")
def test_what_is_not_given_is_absent(place):
    config, _, _ = place
    run(
        dataclasses.replace(
            config, roads="", road_width_field="", height_field=""
        )
    )
    label = read_records(config.output)[0]["label"]
    assert set(label) == {"valid", "building", "centroid_density"}


@pytest.mark.filterwarnings("ignore")
def test_without_labels_held_out_blocks_are_left_out(place, capsys):
    config, _, _ = place
    bare = dataclasses.replace(
        config, buildings="", roads="", road_width_field="", height_field=""
    )
    run(bare)
    assert "label" not in read_records(config.output)[0]
    assert "no tile for" not in capsys.readouterr().out
    held_out = dataclasses.replace(bare, test_share=1.0, overwrite=True)
    with pytest.raises(Exception, match="in a held-out block"):
        run(held_out)


@pytest.mark.filterwarnings("ignore")
def test_a_split_asked_for_and_left_empty_is_named(place, capsys):
    config, _, _ = place
    run(dataclasses.replace(config, test_share=1e-6))
    printed = capsys.readouterr().out
    assert "no tile for test: blocks of --block_m=" in printed


@pytest.mark.filterwarnings("ignore")
def test_labels_area_leaves_the_rest_unlabelled(place, tmp_path, capsys):
    config, _, _ = place
    write_vectors(tmp_path / "area.geojson", [box(0, 0, 60, 30)])
    run(dataclasses.replace(config, labels_area=str(tmp_path / "area.geojson")))
    (record,) = read_records(config.output)
    expected = np.zeros((60, 60), np.uint8)
    expected[:, :30] = 1
    np.testing.assert_array_equal(record["label"]["valid"], expected)
    assert record["label"]["building"][10:40, 20:30].all()
    assert not record["label"]["building"][:, 30:].any()
    assert "5 no labelled ground" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")
def test_overlapping_tiles_are_cut_in_train_alone(place):
    config, _, _ = place
    run(dataclasses.replace(config, stride_px=2, test_share=1.0))
    assert len(read_records(config.output, "test")) == 2
    run(dataclasses.replace(config, stride_px=2, overwrite=True))
    assert len(read_records(config.output)) == 2 * 4


CHANGED_FLAGS = {
    "band": {"bands": ("B2", "B11")},
    "unknown band": {"bands": ("B2", "B77")},
    "unknown crs": {"image_crs": "EPSG:999999"},
    "two crs": {"image_crs": "EPSG:32634"},
    "transform": {"image_transform": ("1", "2")},
    "points": {"height_field": ""},
    "height": {"height_field": "tall"},
    "no width": {"road_width_field": ""},
    "no frames": {"frames": ""},
    "register": {"register": True, "max_shift_m": 5.0},
}
OTHER_IMAGES = {
    "no crs": {"crs": None},
    "unknown crs": {"crs": None},
    "wrong crs": {"crs": "EPSG:4326"},
    "coarse": {"pixel_m": 10.0},
    "apart": {"left": LEFT + 5000},
    "float": {"dtype": np.float32},
}


def break_place(config, tmp_path, how):
    """Breaks files, and returns the changed configuration."""
    if how in OTHER_IMAGES:
        keywords = {"pixel_m": 0.5, **OTHER_IMAGES[how]}
        ones = np.ones((3, 40, 40), keywords.pop("dtype", np.uint8))
        write_tif(tmp_path / "city.tif", ones, **keywords)
    elif how == "no image":
        (tmp_path / "city.tif").unlink()
    elif how == "points":
        write_vectors(tmp_path / "buildings.geojson", [shapely.Point(0, 0)])
    else:
        break_frames(tmp_path / "frames", how)
    return dataclasses.replace(config, **CHANGED_FLAGS.get(how, {}))


def break_frames(folder, how):
    for path in folder.iterdir():
        if how == "empty":
            path.unlink()
        elif how == "all invalid":
            with rasterio.open(path, "r+") as file:
                file.write(np.zeros(file.read().shape, np.uint16))
    if how == "mixed":
        with rasterio.open(folder / "2021-02-04.tif", "r+") as file:
            file.update_tags(PRODUCT_LEVEL="L1C")


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ("band", BandError, r"2021-01-04.tif has no band B11.*--file_bands"),
        ("unknown band", BandError, "no Sentinel-2 band 'B77'"),
        ("no crs", GridError, "city.tif has no CRS.*--image_crs"),
        ("unknown crs", GridError, "EPSG:999999"),
        ("wrong crs", GridError, "city.tif.*no place.*EPSG:4326.*--image_crs"),
        ("two crs", GridError, "says EPSG:32633, --image_crs=EPSG:32634"),
        ("coarse", GridError, "city.tif has pixels of 10.* m.*--image_trans"),
        ("apart", GridError, "city.tif.*2021-.*do not overlap.*--image_crs"),
        ("transform", ConfigError, "--image_transform=1,2: wanted are six"),
        ("float", RasterError, "city.tif holds float32.*gdal_translate"),
        ("no image", RasterError, "cannot read .*city.tif"),
        ("points", VectorError, "buildings.geojson.*no usable.*is a Point"),
        ("height", VectorError, "buildings.geojson has no field 'tall'"),
        ("no width", VectorError, "roads.geojson.*no width.*--road_width_m"),
        ("empty", FrameError, "no Sentinel-2 GeoTIFF in the folder.*--frames"),
        ("mixed", ProductLevelError, "L2A in .*01-04.* L1C in .*02-04"),
        ("all invalid", FrameError, "no frame has a valid pixel.*clearer"),
        ("no frames", ConfigError, "--frames=''.*--simulate_frames|not both"),
        ("register", GridError, "to register|--noregister"),
    ],
)
def test_bad_input_is_refused_in_one_line_and_leaves_nothing(
    place, tmp_path, how, error, words
):
    config = place[0]
    config = break_place(config, tmp_path, how)
    with pytest.raises(error, match=words) as caught:
        run(config)
    assert "\n" not in str(caught.value)
    assert not config_path(config).exists()


@pytest.mark.filterwarnings("ignore")
def test_a_view_that_is_given_is_in_every_record(place):
    config = place[0]
    run(
        dataclasses.replace(config, view_angle_deg=11.5, view_azimuth_deg=250.0)
    )
    for record in read_records(config.output):
        assert record["image"]["view_angle_deg"] == 11.5
        assert record["image"]["view_azimuth_deg"] == 250
        provenance = json.loads(record["meta"]["provenance"])
        assert provenance["view_angle_azimuth_deg"] == [11.5, 250]


def test_an_output_that_exists_is_kept(place):
    config = place[0]
    config_path(config).mkdir()
    (config_path(config) / "mine").write_text("x")
    with pytest.raises(OutputError, match="exists already.*--overwrite"):
        run(config)


def test_a_full_disk_ends_the_program_and_leaves_nothing(place):
    config = place[0]
    arguments = [
        f"--{name}={','.join(value) if isinstance(value, tuple) else value}"
        for name, value in dataclasses.asdict(config).items()
        if value not in (None, "", ())
    ]
    ended = subprocess.run(
        [sys.executable, "-m", "data_prep.pair_geotiffs", *arguments],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (20_000, 20_000)
        ),
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("OutputError: cannot write")
    assert config.output in last
    left = [p.name for p in config_path(config).parent.iterdir()]
    assert not [name for name in left if "records" in name]

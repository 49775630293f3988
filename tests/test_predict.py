"""The program, from files to a file, with a model that can be told by hand."""

import json
import os
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
import rasterio

from s2distill import predict
from s2distill.data.bands import L2A_FILE_BANDS
from s2distill.errors import BandError
from s2distill.errors import ConfigError
from s2distill.errors import FrameError
from s2distill.errors import ModelError
from s2distill.errors import OutputError
from s2distill.errors import ProductLevelError
from s2distill.geo.raster import grid_of

FACTOR = 4
BANDS = ("B8", "B2")
TRANSFORM = rasterio.Affine(1.2e-4, 0, 2.79, 0, -9.1e-5, 42.36)


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory):
    """A SavedModel whose answers are means of what it is shown."""
    import tensorflow as tf

    from s2distill.data.normalize import BandStatistics
    from s2distill.serving.card import ModelCard
    from s2distill.serving.card import write_card

    class Toy(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None] * 4 + [2], tf.uint16, name="s2_dn"),
                tf.TensorSpec([None] * 4, tf.uint8, name="frame_valid"),
            ]
        )
        def serve(self, s2_dn, frame_valid):
            seen = tf.cast(frame_valid, tf.float32)[..., None]
            dn = tf.cast(s2_dn, tf.float32) * seen
            count = tf.maximum(tf.reduce_sum(seen, 1), 1)
            mean = tf.reduce_sum(dn, 1) / count
            fine = tf.repeat(tf.repeat(mean, FACTOR, 1), FACTOR, 2)
            b8, b2 = fine[..., :1], fine[..., 1:]
            return {
                "building": b8 / 10_000,
                "road": b2 / 10_000,
                "centroid_density": b8 * 1e-7,
                "height_m": b2 / 100,
                "image_grey": b2 / 10_000,
                # One window, far off if it is bright; the card tells of it
                # where a test asks for it.
                "out_of_distribution": tf.reduce_mean(
                    mean[..., 1:] / 1000, (1, 2, 3), keepdims=True
                ),
            }

    folder = tmp_path_factory.mktemp("toy") / "saved_model"
    module = Toy()
    tf.saved_model.save(
        module, str(folder), signatures={"serving_default": module.serve}
    )
    write_card(
        folder,
        ModelCard(
            kind="student",
            bands=BANDS,
            product_level="L2A",
            quantification_dn=10_000.0,
            offset_dn=0.0,
            statistics=BandStatistics(
                bands=BANDS, centre=(0.1, 0.1), scale=(0.1, 0.1)
            ),
            label_factor=FACTOR,
            frames=3,
        ),
    )
    return folder


def write_frame(
    path, frame, *, level="L2A", names=("B2", "B8"), transform=TRANSFORM
):
    path.parent.mkdir(exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=frame.shape[0],
        width=frame.shape[1],
        count=frame.shape[2],
        dtype="uint16",
        crs="EPSG:4326",
        transform=transform,
        nodata=0,
    ) as file:
        file.write(np.moveaxis(frame, -1, 0).astype(np.uint16))
        file.descriptions = names
        if level:
            file.update_tags(PRODUCT_LEVEL=level)


@pytest.fixture
def scene(tmp_path):
    """Frames of B2, B8 on three dates; rows 0 to 3 are nodata in all."""
    rng = np.random.default_rng(3)
    frames = rng.integers(50, 6000, (3, 41, 55, 2))
    frames[:, :4] = 0
    for day, frame in enumerate(frames, start=10):
        write_frame(tmp_path / "scene" / f"2023-07-{day}.tif", frame)
    return frames


@pytest.fixture
def make_config(toy_model, tmp_path):
    def make(**fields):
        return predict.Config(
            **{
                "model": str(toy_model),
                "frames": str(tmp_path / "scene"),
                "output": str(tmp_path / "out" / "map.tif"),
                "window_px": 24,
                "overlap_px": 8,
                **fields,
            }
        )

    return make


def test_a_map_holds_the_model_s_answers_in_their_place(
    make_config, scene, tmp_path
):
    predict.run(make_config())
    fine = scene.mean(0).repeat(FACTOR, 0).repeat(FACTOR, 1)
    fine[: 4 * FACTOR] = np.nan
    with rasterio.open(tmp_path / "out" / "map.tif") as file:
        assert file.crs.to_epsg() == 4326
        assert file.shape == (41 * FACTOR, 55 * FACTOR)
        assert file.transform.almost_equals(
            TRANSFORM @ rasterio.Affine.scale(1 / FACTOR), 1e-15
        )
        assert np.isnan(file.nodata)
        assert file.descriptions == (
            "building",
            "road",
            "centroid_density",
            "height_m",
        )
        assert file.units == (
            "probability",
            "probability",
            "buildings/pixel",
            "m",
        )
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.tags()["FRAME_DATES"] == "2023-07-10,2023-07-11,2023-07-12"
        building, road, density, height_m = file.read()
    np.testing.assert_allclose(building, fine[..., 1] / 1e4, atol=2**-11)
    np.testing.assert_allclose(road, fine[..., 0] / 1e4, atol=2**-11)
    np.testing.assert_allclose(density, fine[..., 1] * 1e-7, atol=2**-20)
    np.testing.assert_allclose(height_m, fine[..., 0] / 100, atol=2**-5)
    # Sums of density are counts: right within one step for each row.
    assert abs(np.nansum(density) - np.nansum(fine[..., 1]) * 1e-7) < (
        41 * FACTOR * 2**-20
    )


def test_a_map_leaves_out_what_nobody_taught_the_model(
    make_config, change_card, scene, tmp_path
):
    model = change_card(answers=["building"])
    predict.run(make_config())
    predict.run(make_config(model=model, output=str(tmp_path / "less.tif")))
    with (
        rasterio.open(tmp_path / "out" / "map.tif") as whole,
        rasterio.open(tmp_path / "less.tif") as less,
    ):
        assert less.descriptions == ("building", "centroid_density")
        assert less.units == ("probability", "buildings/pixel")
        np.testing.assert_array_equal(less.read(), whole.read([1, 3]))


@pytest.fixture
def change_card(toy_model, tmp_path):
    """A copy of the toy model with some fields of its card changed."""

    def change(**fields):
        model = tmp_path / "changed"
        shutil.copytree(toy_model, model)
        card = json.loads((model / "model_card.json").read_text())
        (model / "model_card.json").write_text(json.dumps(card | fields))
        return str(model)

    return change


def test_windows_unlike_the_training_are_told_in_one_line(
    make_config, change_card, tmp_path, capsys
):
    # Windows of 24 px begin at 0, 16 and 32.
    frame = np.full((24, 56, 2), 600)
    frame[:, 40:] = 6000
    write_frame(tmp_path / "scene" / "2023-07-10.tif", frame)
    model = change_card(trust_window_px=16, trust_threshold=0.9)
    predict.run(make_config(model=model))
    (line, _) = capsys.readouterr().out.splitlines()
    assert line.startswith("33.3 % of the windows of 160 m are unlike")


def test_a_map_tells_where_calibration_wants_its_masks_cut(
    make_config, change_card, scene
):
    config = make_config(model=change_card(biases={"building": -1, "road": 0}))
    predict.run(config)
    with rasterio.open(config.output) as file:
        assert file.tags()["BUILDING_MASK_PRESENCE"] == "0.269"
        assert "ROAD_MASK_PRESENCE" not in file.tags()


def test_a_map_wider_than_a_block_has_overviews(make_config, tmp_path):
    frame = np.full((40, 300, 2), 1000)
    write_frame(tmp_path / "wide" / "2023-07-10.tif", frame)
    config = make_config(frames=str(tmp_path / "wide" / "*.tif"))
    predict.run(config)
    with rasterio.open(config.output) as file:
        assert file.overviews(1) == [2, 4]
        assert file.block_shapes[0] == (512, 512)
        np.testing.assert_allclose(file.read(1), 0.1, atol=2**-11)


def test_a_date_that_is_skipped_is_not_seen(make_config, scene, tmp_path):
    predict.run(make_config(skip_dates=("2023-07-11",)))
    with rasterio.open(tmp_path / "out" / "map.tif") as file:
        road = file.read(2)[4 * FACTOR :: FACTOR, ::FACTOR]
    expected = scene[[0, 2], 4:, :, 0].mean(0) / 1e4
    np.testing.assert_allclose(road, expected, atol=2**-11)


def test_a_real_scene_with_its_cloudy_date_masked(
    make_config, real_data, tmp_path
):
    folder = real_data("eotdl-boadella")
    for path in sorted(folder.glob("Boadella_2020-0[16]-*.tif")):
        with rasterio.open(path) as source:
            window = rasterio.windows.Window(60, 90, 37, 29)
            planes = source.read(window=window)
            part = grid_of(source).cropped(90, 60, 29, 37)
        write_frame(
            tmp_path / "part" / path.name,
            np.moveaxis(planes, 0, -1),
            names=L2A_FILE_BANDS,
            transform=part.affine,
        )
    maps = []
    for name, fields in (
        ("masked.tif", {"cloud_dn": 2500.0}),
        ("skipped.tif", {"skip_dates": ("2020-01-18",), "cloud_dn": 2500.0}),
        ("cloudy.tif", {}),
    ):
        config = make_config(
            frames=str(tmp_path / "part"),
            output=str(tmp_path / name),
            **fields,
        )
        predict.run(config)
        with rasterio.open(config.output) as file:
            maps.append(file.read())
    np.testing.assert_array_equal(maps[0], maps[1])
    assert np.abs(maps[2] - maps[1]).max() > 0.05


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"frames": "{tmp}/none/*.tif"}, FrameError, "none/"),
        (
            {"skip_dates": ("2023-07-10", "2023-07-11", "2023-07-12")},
            FrameError,
            "no frame is left of 3",
        ),
        (
            {"skip_dates": ("2023-01-01",)},
            ConfigError,
            "no frame of 2023-01-01; the frames are of 2023-07-10",
        ),
        ({"cloud_dn": 10.0}, FrameError, "none of 3 frames has a usable"),
        ({"offset_dn": -1000.0}, ProductLevelError, "offset"),
        ({"product_level": "L1C"}, ProductLevelError, "L1C"),
        ({"file_bands": ("B8", "B3")}, BandError, "no band B2"),
        ({"model": "{tmp}"}, ModelError, "no model card"),
        ({"output": "{tmp}/map.png"}, ConfigError, "ends in .tif"),
        ({"overlap_px": 13}, ConfigError, "overlap_px=13"),
        ({"max_frames": 0}, ConfigError, "max_frames=0"),
    ],
)
def test_bad_input_is_refused_and_leaves_nothing(
    make_config, scene, tmp_path, fields, error, message
):
    filled = {
        key: value.format(tmp=tmp_path) if isinstance(value, str) else value
        for key, value in fields.items()
    }
    with pytest.raises(error, match=message) as caught:
        predict.run(make_config(**filled))
    assert "\n" not in str(caught.value)
    assert not list((tmp_path).rglob("*map*"))


def test_frames_of_mixed_level_are_refused(make_config, scene, tmp_path):
    path = tmp_path / "scene" / "2023-07-20.tif"
    write_frame(path, scene[0], level="L1C")
    with pytest.raises(ProductLevelError, match="2023-07-20.tif"):
        predict.run(make_config())


def test_an_empty_folder_is_refused(make_config, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FrameError, match="empty"):
        predict.run(make_config(frames=str(tmp_path / "empty")))


def test_a_full_disk_leaves_nothing(make_config, scene, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    predict.run(make_config())
    size = os.path.getsize(tmp_path / "out" / "map.tif")
    other = make_config(output=str(tmp_path / "full" / "map.tif"))
    for share in (0.2, 0.9):
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (int(size * share), limits[1])
        )
        try:
            with pytest.raises(OutputError, match="full/map.tif"):
                predict.run(other)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert not list((tmp_path / "full").iterdir())


def test_help_begins_with_a_command_and_loads_no_tensorflow():
    code = (
        "import sys; from s2distill import predict\n"
        "sys.argv = ['predict', '--help']\n"
        "try: predict.main()\n"
        "finally: assert not {'tensorflow', 'rasterio'} & set(sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    assert "python -m s2distill.predict --model=" in answer.stdout
    assert "--cloud_dn" in answer.stdout

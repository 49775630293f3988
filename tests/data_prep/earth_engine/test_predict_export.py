"""From an export to predictions, with a model that can be told by hand."""

import os

import numpy as np
import pytest
import tensorflow as tf

from data_prep.earth_engine import predict_export
from data_prep.earth_engine.predict_export import NODATA
from data_prep.earth_engine.tfrecord.export_reader import read_image
from data_prep.earth_engine.tfrecord.export_writer import Sharding
from data_prep.earth_engine.tfrecord.export_writer import write_export
from data_prep.earth_engine.tfrecord.mixer import Mixer
from data_prep.earth_engine.tfrecord.mixer import read_mixer
from s2distill.data.normalize import BandStatistics
from s2distill.errors import BandError
from s2distill.errors import ConfigError
from s2distill.errors import ModelError
from s2distill.errors import OutputError
from s2distill.errors import ProductLevelError
from s2distill.errors import RecordError
from s2distill.serving.card import ModelCard
from s2distill.serving.card import write_card

FACTOR = 3
BANDS = ("B8", "B2")
MIXER = Mixer(
    crs="EPSG:32616",
    transform=(10.0, 0.0, 737200.0, 0.0, -10.0, 3736840.0),
    patch_height=20,
    patch_width=12,
    patches_per_row=2,
    total_patches=6,
)
HEIGHT, WIDTH, FRAMES = 60, 24, 3


class Toy(tf.Module):
    """Means over the frames that are seen, and of all pixels around."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None] * 4 + [2], tf.uint16, name="s2_dn"),
            tf.TensorSpec([None] * 4, tf.uint8, name="frame_valid"),
        ]
    )
    def serve(self, s2_dn, frame_valid):
        seen = tf.cast(frame_valid, tf.float32)[..., None]
        dn = tf.cast(s2_dn, tf.float32) * seen
        mean = tf.reduce_sum(dn, 1) / tf.maximum(tf.reduce_sum(seen, 1), 1)
        fine = tf.repeat(tf.repeat(mean, FACTOR, 1), FACTOR, 2)
        blurred = tf.nn.avg_pool2d(fine, 3 * FACTOR, 1, "SAME")
        return {
            "building": fine[..., :1] / 10_000,
            "road": fine[..., 1:] / 10_000,
            "centroid_density": fine[..., :1] * 1e-7,
            "height_m": blurred[..., 1:] / 100,
            "image_grey": fine[..., 1:] / 10_000,
        }


def make_card(**changes):
    values = {
        "kind": "student",
        "bands": BANDS,
        "product_level": "L2A",
        "quantification_dn": 10_000.0,
        "offset_dn": 0.0,
        "statistics": BandStatistics(
            bands=BANDS, centre=(0.1, 0.1), scale=(0.1, 0.1)
        ),
        "label_factor": FACTOR,
        "frames": 3,
    }
    return ModelCard(**{**values, **changes})


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy") / "saved_model"
    module = Toy()
    tf.saved_model.save(
        module, str(folder), signatures={"serving_default": module.serve}
    )
    write_card(folder, make_card())
    return folder


def random_bands(kernel=0):
    """Bands of the whole image and half a kernel around it."""
    rng = np.random.default_rng(0)
    shape = (HEIGHT + kernel, WIDTH + kernel)
    bands = {}
    for t in range(FRAMES):
        for band in (*BANDS, "B3"):
            dn = rng.integers(1, 10_000, shape).astype(np.float32)
            dn[rng.random(shape) < 0.05] = np.nan
            bands[f"f{t:02d}_{band}"] = dn
        valid = (rng.random(shape) < 0.5).astype(np.uint8)
        bands[f"f{t:02d}_valid"] = valid
    return bands


def cut(bands, kernel=0):
    for index in range(6):
        row, col = MIXER.patch_corner(index)
        window = np.s_[row : row + 20 + kernel, col : col + 12 + kernel]
        yield index, {name: array[window] for name, array in bands.items()}


def write(folder, bands, kernel=0):
    return write_export(
        folder / "in",
        MIXER,
        cut(bands, kernel),
        kernel_px=(kernel, kernel),
        sharding=Sharding(patches=4),
    )


def predict(tmp_path, model, export, **flags):
    predict_export.run(
        predict_export.Config(
            input=export.shards,
            mixer=export.mixer,
            model=str(model),
            output=str(tmp_path / "out"),
            **flags,
        )
    )
    folder = str(tmp_path / "out")
    mixer = read_mixer(f"{folder}/predictions-mixer.json")
    return read_image(folder, mixer)


def mean_dn(bands):
    """[..., 2] means of the valid frames, and where there is one."""
    shape = next(iter(bands.values())).shape
    total, count = np.zeros((*shape, 2)), np.zeros(shape)
    for t in range(FRAMES):
        planes = np.stack([bands[f"f{t:02d}_{b}"] for b in BANDS], axis=-1)
        valid = np.isfinite(planes).all(-1) & (bands[f"f{t:02d}_valid"] > 0)
        total += np.where(valid[..., None], planes, 0)
        count += valid
    return total / np.maximum(count, 1)[..., None], count > 0


def enlarged(array):
    return array.repeat(FACTOR, 0).repeat(FACTOR, 1)


@pytest.mark.parametrize("window_px", [64, 8])
def test_predictions_lie_where_the_export_does(
    window_px, model, tmp_path, capsys
):
    bands = random_bands()
    export = write(tmp_path, bands)
    maps, names, grid = predict(
        tmp_path, model, export, window_px=window_px, overlap_px=4
    )
    assert names == ("building", "centroid_density", "height_m", "road")
    assert grid == MIXER.grid.refined(FACTOR)
    means, seen = (enlarged(array) for array in mean_dn(bands))
    assert 0.05 < (~seen).mean() < 0.3
    building, density, _, road = np.moveaxis(maps, -1, 0)
    np.testing.assert_allclose(
        building, np.where(seen, means[..., 0] / 10_000, NODATA), rtol=1e-5
    )
    np.testing.assert_allclose(
        density, np.where(seen, means[..., 0] * 1e-7, NODATA), rtol=1e-5
    )
    np.testing.assert_allclose(
        road, np.where(seen, means[..., 1] / 10_000, NODATA), rtol=1e-5
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"Predictions: {tmp_path}/out, 6 patches in 1 ")
    shard = "predictions-00000.tfrecord.gz"
    assert lines[1] == (
        f"gcloud storage cp {tmp_path}/out/{shard} "
        f"{tmp_path}/out/predictions-mixer.json gs://BUCKET/FOLDER/"
    )
    assert lines[2] == (
        "earthengine upload image --asset_id=projects/PROJECT/assets/NAME "
        f"--nodata_value=-9999 gs://BUCKET/FOLDER/{shard} "
        "gs://BUCKET/FOLDER/predictions-mixer.json"
    )


@pytest.mark.parametrize("kernel", [4, 64])
def test_a_kernel_shows_the_model_what_lies_beyond_a_patch(
    kernel, model, tmp_path
):
    bands = random_bands(kernel)
    export = write(tmp_path, bands, kernel)
    maps, names, _ = predict(
        tmp_path, model, export, kernel_px=(str(kernel),), overlap_px=16
    )
    means, seen = mean_dn(bands)

    def shifted(row, col):
        top, left = kernel // 2 + row, kernel // 2 + col
        return np.s_[top : top + HEIGHT, left : left + WIDTH]

    here = shifted(0, 0)
    np.testing.assert_allclose(
        maps[..., names.index("building")],
        enlarged(np.where(seen, means[..., 0] / 10_000, NODATA)[here]),
        rtol=1e-5,
    )
    # In the middle of a pixel: the mean of 3 x 3, those of other patches too.
    around = np.mean(
        [means[shifted(i, j)][..., 1] for i in (-1, 0, 1) for j in (-1, 0, 1)],
        axis=0,
    )
    middle = maps[FACTOR // 2 :: FACTOR, FACTOR // 2 :: FACTOR]
    np.testing.assert_allclose(
        middle[..., names.index("height_m")],
        np.where(seen[here], around / 100, NODATA),
        rtol=1e-4,
    )


def test_names_of_other_makers_are_understood(model, tmp_path):
    ours = random_bands()
    theirs = {}
    for t in range(FRAMES):
        valid = ours[f"f{t:02d}_valid"] > 0
        for band in (*BANDS, "B3"):
            # addBands: B8, B8_1, B8_2. Masked pixels are exported as 0.
            name = f"{band}_{t}" if t else band
            theirs[name] = np.where(valid, ours[f"f{t:02d}_{band}"], 0)
    one = tmp_path / "one"
    two = tmp_path / "two"
    first = predict(one, model, write(one, ours))[0]
    second = predict(two, model, write(two, theirs))[0]
    np.testing.assert_array_equal(first, second)


def test_a_patch_that_no_frame_shows_is_nodata_and_keeps_its_place(
    model, tmp_path
):
    bands = random_bands()
    for t in range(FRAMES):
        bands[f"f{t:02d}_valid"][20:40, 12:] = 0
    maps, _, _ = predict(tmp_path, model, write(tmp_path, bands))
    inside = np.s_[20 * FACTOR : 40 * FACTOR, 12 * FACTOR :]
    assert (maps[inside] == NODATA).all()
    assert (maps[: 20 * FACTOR] == NODATA).mean() < 0.5


def test_reflectance_is_taken_with_its_factor(model, tmp_path):
    bands = random_bands()
    export = write(tmp_path, bands)
    expected = predict(tmp_path, model, export)[0]
    small = {
        n: b if n.endswith("valid") else b / np.float32(10_000)
        for n, b in bands.items()
    }
    other = tmp_path / "other"
    with pytest.raises(ConfigError, match="patch 0 of .* like reflectance"):
        predict(other, model, write(other, small))
    assert os.listdir(other) == ["in"]
    export = write(tmp_path / "third", small)
    maps = predict(other, model, export, dn_per_unit=10_000.0)[0]
    np.testing.assert_allclose(maps, expected, rtol=1e-3)


def test_only_the_outputs_asked_for_are_written(model, tmp_path):
    export = write(tmp_path, random_bands())
    _, names, _ = predict(tmp_path, model, export, outputs=("road",))
    assert names == ("road",)


def test_predictions_go_to_a_bucket(model, tmp_path, capsys):
    export = write(tmp_path, random_bands())
    folder = "ram://maps/out"
    predict_export.run(
        predict_export.Config(
            input=export.shards,
            mixer=export.mixer,
            model=str(model),
            output=folder,
        )
    )
    mixer = read_mixer(f"{folder}/predictions-mixer.json")
    assert read_image(folder, mixer)[2] == MIXER.grid.refined(FACTOR)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].endswith(
        f" {folder}/predictions-00000.tfrecord.gz "
        f"{folder}/predictions-mixer.json"
    )


@pytest.mark.parametrize(
    ("flags", "error", "words"),
    [
        ({"kernel_px": ("a",)}, ConfigError, "--kernel_px=a: one number"),
        ({"kernel_px": ("1", "2", "3")}, ConfigError, "--kernel_px=1,2,3: "),
        ({"kernel_px": ("1",)}, ConfigError, "has no half"),
        ({"kernel_px": ("4", "2")}, RecordError, "a kernel of 0 x 0 fits"),
        ({"dn_per_unit": 0.0}, ConfigError, "--dn_per_unit=0.0: above 0"),
        ({"outputs": ("roof",)}, ConfigError, "gives no roof, only building"),
        ({"overlap_px": 40}, ConfigError, "--overlap_px=40 does not fit"),
        ({"product_level": "L1C"}, ProductLevelError, "trained on L2A"),
        ({"offset_dn": -1000.0}, ProductLevelError, "the frames have .*-1000"),
    ],
)
def test_flags_that_do_not_fit_are_refused(
    flags, error, words, model, tmp_path
):
    export = write(tmp_path, random_bands())
    with pytest.raises(error, match=words):
        predict(tmp_path, model, export, **flags)
    assert os.listdir(tmp_path) == ["in"]


def test_a_frame_without_a_band_of_the_model_is_named(model, tmp_path):
    bands = random_bands()
    del bands["f01_B2"]
    with pytest.raises(BandError, match="frame f01 has no B2, only B3, B8"):
        predict(tmp_path, model, write(tmp_path, bands))


def test_an_export_without_sentinel_2_is_refused(
    real_data, model, tmp_path, capsys
):
    folder = real_data("servir-aces")
    with pytest.raises(BandError, match="no Sentinel-2 band among blue_before"):
        predict_export.run(
            predict_export.Config(
                input=(str(folder / "image_2021.tfrecord.gz"),),
                mixer=str(folder / "image_2021.json"),
                model=str(model),
                output=str(tmp_path / "out"),
            )
        )
    assert capsys.readouterr().out == ""


def test_a_teacher_is_refused(model, tmp_path):
    teacher = tmp_path / "teacher"
    write_card(teacher, make_card(kind="teacher"))
    with pytest.raises(ModelError, match="is a teacher, which takes a 50 cm"):
        predict(tmp_path, teacher, write(tmp_path, random_bands()))


def test_patches_too_large_for_a_record_are_refused_at_once(model, tmp_path):
    large = tmp_path / "large"
    write_card(large, make_card(label_factor=2000))
    with pytest.raises(RecordError, match="building, road, .* takes 15,360,0"):
        predict(tmp_path, large, write(tmp_path, random_bands()))


def test_an_output_that_exists_is_kept(model, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    export = write(tmp_path, random_bands())
    with pytest.raises(OutputError, match="exists already"):
        predict(tmp_path, model, export)
    predict(tmp_path, model, export, overwrite=True)
    assert "mine" not in os.listdir(tmp_path / "out")

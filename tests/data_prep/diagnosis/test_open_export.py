import gzip
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from data_prep.diagnosis.open_export import find_mixer
from data_prep.diagnosis.open_export import open_export
from data_prep.earth_engine.tfrecord.example_codec import encode_example
from data_prep.earth_engine.tfrecord.mixer import Mixer
from data_prep.earth_engine.tfrecord.mixer import write_mixer
from s2distill.errors import RecordError

TRANSFORM = (10.0, 0.0, 5e5, 0.0, -10.0, 4.6e6)


def _export(folder, planes, per_row=2, kernel=0, name="export"):
    """Writes patches of 4 x 6 px; `planes` maps a name to f(patch)."""
    count = 6
    mixer = Mixer(
        crs="EPSG:32631",
        transform=TRANSFORM,
        patch_height=4,
        patch_width=6,
        patches_per_row=per_row,
        total_patches=count,
    )
    write_mixer(folder / f"{name}-mixer.json", mixer)
    for shard, patches in enumerate((range(4), range(4, count))):
        path = str(folder / f"{name}-{shard:05d}.tfrecord")
        with tf.io.TFRecordWriter(path) as writer:
            for patch in patches:
                shape = (4 + kernel, 6 + kernel)
                writer.write(
                    encode_example(
                        {n: f(patch, shape) for n, f in planes.items()}
                    )
                )
    return str(folder / f"{name}-*.tfrecord")


def _random(seed):
    def plane(patch, shape):
        rng = np.random.default_rng((seed, patch))
        return rng.integers(200, 4000, shape).astype(np.float32)

    return plane


def test_a_real_image_export_is_read_with_the_mixer_beside_it(real_data):
    folder = real_data("servir-aces")
    source = str(folder / "image_2021.tfrecord.gz")
    subject = open_export(source, "", 64)
    assert subject.kind == "earth_engine_image"
    assert subject.records == 1
    assert subject.shape == (256, 256, 8)
    assert len(subject.bands) == 8
    assert subject.crs == "EPSG:4326"
    mixer = json.loads((folder / "image_2021.json").read_text())
    affine = mixer["projection"]["affine"]["doubleMatrix"]
    assert subject.transform == pytest.approx(affine)
    assert subject.nan_share == 0
    assert find_mixer(source).endswith("image_2021.json")


def test_a_real_table_has_no_mixer_though_an_image_lies_beside(real_data):
    source = str(real_data("servir-aces") / "training.tfrecord.gz")
    assert find_mixer(source) == ""
    assert open_export(source, "", 64).kind == "earth_engine_table"


def test_patches_of_a_series_keep_their_place_and_frames(tmp_path):
    planes = {
        f"f0{f}_{band}": _random(10 * f + i)
        for f in range(2)
        for i, band in enumerate(("B2", "B8"))
    }
    subject = open_export(_export(tmp_path, planes), "", 3)
    assert subject.shape == (2, 4, 6, 2)
    assert subject.records == 6
    assert [p.name for p in subject.places] == ["patch 0", "patch 2", "patch 5"]
    assert subject.looked_at.startswith("3 of 6 patches")
    place = subject.places[1]
    assert place.grid.bounds == (5e5, 4.6e6 - 80, 5e5 + 60, 4.6e6 - 40)
    np.testing.assert_array_equal(
        place.frames[1].band("B8"), planes["f01_B8"](2, (4, 6))
    )


def test_a_kernel_is_found_and_cut_away(tmp_path):
    plane = _random(1)
    source = _export(tmp_path, {"B2": plane, "B8": _random(2)}, kernel=4)
    subject = open_export(source, "", 64)
    assert [f.code for f in subject.findings] == ["kernel"]
    np.testing.assert_array_equal(
        subject.places[3].frames[0].band("B2"), plane(3, (8, 10))[2:-2, 2:-2]
    )


def test_nan_is_counted_over_all_planes(tmp_path):
    def holes(patch, shape):
        values = np.ones(shape, np.float32)
        values[0, :3] = np.nan
        return values

    source = _export(tmp_path, {"B2": _random(1), "slope": holes})
    subject = open_export(source, "", 64)
    assert subject.nan_share == pytest.approx(3 / 48)
    assert "slope (3 px)" in subject.findings[0].message


def test_an_image_without_its_mixer_is_an_error(real_data, tmp_path):
    shutil.copy(real_data("servir-aces") / "image_2021.tfrecord.gz", tmp_path)
    with pytest.raises(RecordError, match="--mixer"):
        open_export(str(tmp_path / "image_2021.tfrecord.gz"), "", 64)


def test_a_mixer_of_another_export_is_passed_over(tmp_path):
    source = _export(tmp_path, {"B2": _random(1)})
    _export(tmp_path, {"B2": _random(1)}, name="another")
    (tmp_path / "a.json").write_text("{}")
    assert find_mixer(source).endswith("/export-mixer.json")


def test_a_cut_export_is_an_error_that_names_the_file(real_data, tmp_path):
    folder = real_data("servir-aces")
    raw = gzip.decompress((folder / "image_2021.tfrecord.gz").read_bytes())
    (tmp_path / "image_2021.tfrecord").write_bytes(raw[: len(raw) // 2])
    shutil.copy(folder / "image_2021.json", tmp_path)
    with pytest.raises(RecordError, match=r"image_2021\.tfrecord.*cut"):
        open_export(str(tmp_path / "image_2021.tfrecord"), "", 64)

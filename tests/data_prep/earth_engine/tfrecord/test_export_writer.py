"""What is written is read back, by TensorFlow alone and by our reader."""

import gzip
import itertools
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from data_prep.earth_engine.tfrecord.export_reader import read_image
from data_prep.earth_engine.tfrecord.export_reader import read_patches
from data_prep.earth_engine.tfrecord.export_writer import Export
from data_prep.earth_engine.tfrecord.export_writer import Sharding
from data_prep.earth_engine.tfrecord.export_writer import write_export
from data_prep.earth_engine.tfrecord.export_writer import write_predictions
from data_prep.earth_engine.tfrecord.mixer import Mixer
from data_prep.earth_engine.tfrecord.mixer import read_mixer
from s2distill.errors import ConfigError
from s2distill.errors import OutputError
from s2distill.errors import RecordError

MIXER = Mixer(
    crs="EPSG:4326",
    transform=(9e-5, 0.0, 89.39, 0.0, -9e-5, 27.448),
    patch_height=6,
    patch_width=4,
    patches_per_row=5,
    total_patches=15,
)
HEIGHT, WIDTH = 18, 20


def random_bands(kernel=(0, 0), seed=0):
    rng = np.random.default_rng(seed)
    shape = (HEIGHT + kernel[0], WIDTH + kernel[1])
    floats = rng.normal(0, 1e4, shape).astype(np.float32)
    floats[rng.random(shape) < 0.05] = np.nan
    return {
        "nir": floats,
        "valid": rng.integers(0, 2, shape, dtype=np.uint8),
        "second": rng.integers(-(2**40), 2**40, shape),
        "series": rng.random((*shape, 3)).astype(np.float32),
    }


def cut(bands, kernel=(0, 0)):
    corners = itertools.product(range(0, HEIGHT, 6), range(0, WIDTH, 4))
    for index, (row, col) in enumerate(corners):
        window = np.s_[row : row + 6 + kernel[0], col : col + 4 + kernel[1]]
        yield index, {name: array[window] for name, array in bands.items()}


def plain_patches():
    """One band that tells where each pixel comes from."""
    pixels = np.arange(HEIGHT * WIDTH, dtype=np.float32)
    return list(cut({"a": pixels.reshape(HEIGHT, WIDTH)}))


@pytest.mark.parametrize(
    ("kernel", "patches", "compress"),
    [
        ((0, 0), None, True),
        ((0, 0), 1, False),
        ((4, 4), 4, True),
        ((4, 4), 15, False),
        ((2, 8), None, False),
        ((2, 8), 7, True),
    ],
)
def test_an_export_comes_back_exactly(kernel, patches, compress, tmp_path):
    bands = random_bands(kernel)
    export = write_export(
        tmp_path / "out",
        MIXER,
        cut(bands, kernel),
        kernel_px=kernel,
        sharding=Sharding(patches=patches, compress=compress),
    )
    assert len(export.shards) == -(-15 // (patches or 15))
    assert read_mixer(export.mixer) == MIXER
    depths = {"series": 3}
    found = read_patches(
        export.shards,
        MIXER,
        kernel_px=kernel,
        tensor_depths=depths,
        keep_margin=True,
    )
    for (index, values), (number, _, back) in zip(
        cut(bands, kernel), found, strict=True
    ):
        assert number == index
        for name, array in values.items():
            np.testing.assert_array_equal(back[name], array)
    image, names, grid = read_image(
        str(tmp_path / "out"), MIXER, kernel_px=kernel, tensor_depths=depths
    )
    assert grid == MIXER.grid
    top, left = kernel[0] // 2, kernel[1] // 2
    inside = np.s_[top : top + HEIGHT, left : left + WIDTH]
    expected = np.dstack([bands[n][inside] for n in sorted(bands)])
    assert names == ("nir", "second", "series_0", "series_1", "series_2",
                     "valid")  # fmt: skip
    np.testing.assert_array_equal(image, expected)


def test_files_are_named_and_filled_as_earth_engine_does(tmp_path):
    export = write_export(
        tmp_path / "out",
        MIXER,
        plain_patches(),
        name="place",
        sharding=Sharding(patches=6),
    )
    assert sorted(os.listdir(tmp_path / "out")) == [
        "place-00000.tfrecord.gz",
        "place-00001.tfrecord.gz",
        "place-00002.tfrecord.gz",
        "place-mixer.json",
    ]
    folder = f"{tmp_path}/out/place-"
    assert export == Export(
        tuple(f"{folder}0000{n}.tfrecord.gz" for n in range(3)),
        f"{folder}mixer.json",
    )
    index = 0
    for shard, count in zip(export.shards, (6, 6, 3), strict=True):
        records = list(tf.data.TFRecordDataset(shard, "GZIP"))
        assert len(records) == count
        for record in records:
            values = tf.io.parse_single_example(
                record, {"a": tf.io.FixedLenFeature([6, 4], tf.float32)}
            )
            expected = plain_patches()[index][1]["a"]
            np.testing.assert_array_equal(values["a"], expected)
            index += 1


@pytest.mark.parametrize("compress", [True, False])
def test_shards_keep_the_size_before_compression(compress, tmp_path):
    export = write_export(
        tmp_path / "out",
        MIXER,
        plain_patches(),
        sharding=Sharding(max_bytes=400, compress=compress),
    )
    sizes = []
    for shard in export.shards:
        data = pathlib.Path(shard).read_bytes()
        sizes.append(len(gzip.decompress(data) if compress else data))
    one = sum(sizes) // 15
    # As many as fit: one more would be too many.
    assert all(400 - one < size <= 400 for size in sizes[:-1])
    assert sizes[-1] <= 400


def test_a_shard_holds_a_patch_however_large(tmp_path):
    export = write_export(
        tmp_path / "out",
        MIXER,
        plain_patches(),
        sharding=Sharding(max_bytes=1),
    )
    assert len(export.shards) == 15


def test_the_same_patches_give_the_same_bytes(tmp_path):
    contents = []
    for folder in ("one", "two"):
        patches = (
            (i, dict(sorted(v.items(), reverse=folder == "two")))
            for i, v in cut(random_bands())
        )
        export = write_export(
            tmp_path / folder, MIXER, patches, sharding=Sharding(patches=4)
        )
        contents.append([pathlib.Path(s).read_bytes() for s in export.shards])
    assert contents[0] == contents[1]


def test_predictions_are_floats_on_the_finer_mixer(tmp_path):
    fine = MIXER.refined(20)
    rng = np.random.default_rng(0)
    maps = [rng.random((120, 80)) for _ in range(15)]
    export = write_predictions(
        tmp_path / "out",
        fine,
        ((i, {"building": m, "count": i * m}) for i, m in enumerate(maps)),
        sharding=Sharding(patches=7),
    )
    assert os.path.basename(export.mixer) == "predictions-mixer.json"
    assert read_mixer(export.mixer) == fine
    for index, grid, values in read_patches(export.shards, fine):
        expected = maps[index].astype(np.float32)
        np.testing.assert_array_equal(values["building"], expected)
        assert grid.bounds == pytest.approx(MIXER.patch_grid(index).bounds)
    # Byte and integer bands would not be floats.
    (record,) = tf.data.TFRecordDataset(export.shards[0], "GZIP").take(1)
    features = tf.train.Example.FromString(record.numpy()).features.feature
    assert {f.WhichOneof("kind") for f in features.values()} == {"float_list"}


def _swapped(patches):
    patches[3], patches[4] = patches[4], patches[3]


def _renamed(patches):
    patches[4][1]["b"] = patches[4][1].pop("a")


def _reshaped(patches):
    patches[2][1]["a"] = patches[2][1]["a"].T


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p.pop(), "14 of 15 patches came"),
        (lambda p: p.clear(), "0 of 15 patches came"),
        (lambda p: p.pop(5), "patch 6 came, 5 of 15 was due"),
        (lambda p: p.insert(5, p[4]), "patch 4 came, 5 of 15 was due"),
        (lambda p: p.append((15, p[0][1])), "patch 15 came, 15 of 15 was due"),
        (_swapped, "patch 4 came, 3 of 15 was due"),
        (_renamed, "patch 4 has bands b, the first had a"),
        (lambda p: p[0][1].clear(), "patch 0 has bands -, the first had -"),
        (_reshaped, r"patch 2: a has shape \(4, 6\), 6 x 4 px are due"),
        (lambda p: p[1][1].update(a=np.zeros(24)), r"shape \(24,\), 6 x 4"),
    ],
)
def test_what_is_not_the_export_is_refused_and_leaves_nothing(
    change, words, tmp_path
):
    patches = plain_patches()
    change(patches)
    with pytest.raises(RecordError, match=words):
        write_predictions(tmp_path / "out", MIXER, iter(patches))
    assert os.listdir(tmp_path) == []


def test_a_kernel_is_part_of_the_shape(tmp_path):
    with pytest.raises(RecordError, match="8 x 6 px are due .* 2 x 2"):
        write_export(tmp_path / "out", MIXER, plain_patches(), kernel_px=(2, 2))


def test_an_output_that_exists_is_kept_unless_told(tmp_path):
    write_predictions(tmp_path / "out", MIXER, plain_patches())
    with pytest.raises(OutputError, match="exists already"):
        write_predictions(tmp_path / "out", MIXER, plain_patches())
    export = write_predictions(
        tmp_path / "out",
        MIXER,
        plain_patches(),
        sharding=Sharding(compress=False),
        overwrite=True,
    )
    assert export.shards[0].endswith("/predictions-00000.tfrecord")
    assert len(os.listdir(tmp_path / "out")) == 2


def test_an_export_is_written_to_a_bucket_with_its_mixer_last(monkeypatch):
    from data_prep.earth_engine.tfrecord import export_writer

    folder = "ram://bucket/out"
    seen = []
    write_mixer = export_writer.write_mixer

    def spy(path, mixer):
        seen.extend(tf.io.gfile.listdir(folder))
        write_mixer(path, mixer)

    monkeypatch.setattr(export_writer, "write_mixer", spy)
    export = write_export(
        folder, MIXER, plain_patches(), sharding=Sharding(patches=9)
    )
    assert sorted(seen) == [os.path.basename(s) for s in export.shards]
    image, _, _ = read_image(folder, read_mixer(export.mixer))
    expected = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    np.testing.assert_array_equal(image[..., 0], expected)


@pytest.mark.parametrize("changes", [{"max_bytes": 0}, {"patches": 0}])
def test_shards_of_nothing_are_refused(changes):
    with pytest.raises(ConfigError, match="must be 1 or more"):
        Sharding(**changes)


def test_a_disk_that_refuses_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_export(tmp_path / "file" / "out", MIXER, plain_patches())

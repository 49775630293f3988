"""Exports made by hand with TensorFlow alone, and the real one."""

import gzip
import itertools
import struct

import numpy as np
import pytest
import tensorflow as tf

from data_prep.earth_engine.tfrecord.export_reader import peek_features
from data_prep.earth_engine.tfrecord.export_reader import read_image
from data_prep.earth_engine.tfrecord.export_reader import read_patches
from data_prep.earth_engine.tfrecord.mixer import Mixer
from data_prep.earth_engine.tfrecord.mixer import read_mixer
from s2distill.errors import BandError
from s2distill.errors import ConfigError
from s2distill.errors import RecordError

MIXER = Mixer(
    crs="EPSG:32616",
    transform=(10.0, 0.0, 737200.0, 0.0, -10.0, 3736840.0),
    patch_height=5,
    patch_width=7,
    patches_per_row=3,
    total_patches=12,
)
HEIGHT, WIDTH = 20, 21


def feature(values, kind):
    flat = values.ravel().tolist()
    if kind == "float":
        return tf.train.Feature(float_list=tf.train.FloatList(value=flat))
    if kind == "int64":
        return tf.train.Feature(int64_list=tf.train.Int64List(value=flat))
    stored = tf.train.BytesList(value=[bytes(flat)])
    return tf.train.Feature(bytes_list=stored)


def cut(image, kernel=(0, 0)):
    """Patches of an image that is larger by half a kernel at each side."""
    for row, col in itertools.product(range(4), range(3)):
        yield image[
            row * 5 : row * 5 + 5 + kernel[0],
            col * 7 : col * 7 + 7 + kernel[1],
        ]


def write(folder, bands, *, kernel=(0, 0), shards=(12,), compress=True):
    """Writes shards of so many patches; bands: name -> (image, kind)."""
    cuts = {
        name: list(cut(image, kernel)) for name, (image, _) in bands.items()
    }
    index = 0
    for number, count in enumerate(shards):
        path = str(folder / f"e-{number:05d}.tfrecord.gz")
        options = "GZIP" if compress else None
        with tf.io.TFRecordWriter(path, options=options) as writer:
            for _ in range(count):
                values = {
                    name: feature(cuts[name][index % 12], kind)
                    for name, (_, kind) in bands.items()
                }
                features = tf.train.Features(feature=values)
                example = tf.train.Example(features=features)
                writer.write(example.SerializeToString())
                index += 1
    return str(folder)


def random_image(seed, kernel=(0, 0), depth=None):
    rng = np.random.default_rng(seed)
    shape = (HEIGHT + kernel[0], WIDTH + kernel[1])
    shape += () if depth is None else (depth,)
    return rng.normal(0, 1000, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("shards", "kernel", "compress"),
    [
        ((12,), (0, 0), True),
        ((12,), (2, 6), False),
        ((1,) * 12, (4, 4), True),
        ((5, 0, 6, 1), (4, 4), True),  # compressed, nothing has an end too
        ((5, 6, 1), (0, 0), False),
    ],
)
def test_an_image_comes_back_from_its_patches(
    shards, kernel, compress, tmp_path
):
    bands = {n: random_image(i, kernel) for i, n in enumerate(("B10", "B2"))}
    stored = {name: (image, "float") for name, image in bands.items()}
    path = write(
        tmp_path, stored, kernel=kernel, shards=shards, compress=compress
    )
    image, names, grid = read_image(path, MIXER, kernel_px=kernel)
    assert names == ("B2", "B10")
    assert grid == MIXER.grid
    assert image.dtype == np.float32
    top, left = kernel[0] // 2, kernel[1] // 2
    inside = np.s_[top : top + HEIGHT, left : left + WIDTH]
    np.testing.assert_array_equal(image[..., 0], bands["B2"][inside])
    np.testing.assert_array_equal(image[..., 1], bands["B10"][inside])


def test_the_margin_is_kept_on_request_with_its_grid(tmp_path):
    kernel = (4, 6)
    image = random_image(0, kernel)
    path = write(tmp_path, {"B2": (image, "float")}, kernel=kernel)
    found = list(read_patches(path, MIXER, kernel_px=kernel, keep_margin=True))
    assert [index for index, *_ in found] == list(range(12))
    for (index, grid, values), expected in zip(
        found, cut(image, kernel), strict=True
    ):
        np.testing.assert_array_equal(values["B2"], expected)
        assert grid == MIXER.patch_grid(index, margin_px=(2, 3))
        assert values["B2"].shape == (grid.height, grid.width)


def test_patches_may_be_changed_and_keep_nothing_of_the_record(tmp_path):
    path = write(tmp_path, {"B2": (random_image(0), "float")})
    _, _, values = next(read_patches(path, MIXER))
    values["B2"] += 1
    assert values["B2"].base is None


def test_bands_of_arrays_get_their_depth(tmp_path):
    flat, deep = random_image(0), random_image(1, depth=3)
    bands = {"cloud": (flat, "float"), "series": (deep, "float")}
    path = write(tmp_path, bands)
    depths = {"series": 3}
    for (_, _, values), expected in zip(
        read_patches(path, MIXER, tensor_depths=depths), cut(deep), strict=True
    ):
        np.testing.assert_array_equal(values["series"], expected)
    image, names, _ = read_image(path, MIXER, tensor_depths=depths)
    assert names == ("cloud", "series_0", "series_1", "series_2")
    np.testing.assert_array_equal(image, np.dstack([flat, deep]))


def test_bands_of_integers_are_read_as_they_are_stored(tmp_path):
    rng = np.random.default_rng(0)
    mask = rng.integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint8)
    second = rng.integers(-(2**40), 2**40, (HEIGHT, WIDTH))
    bands = {"valid": (mask, "bytes"), "second": (second, "int64")}
    path = write(tmp_path, bands)
    _, _, values = next(read_patches(path, MIXER))
    assert values["valid"].dtype == np.float32
    assert values["second"].dtype == np.float64
    image, names, _ = read_image(path, MIXER)
    assert names == ("second", "valid")
    np.testing.assert_array_equal(image[..., 0], second)
    np.testing.assert_array_equal(image[..., 1], mask)


def test_bands_are_given_in_the_order_asked_for(tmp_path):
    bands = {n: (random_image(i), "float") for i, n in enumerate("abc")}
    path = write(tmp_path, bands)
    image, names, _ = read_image(path, MIXER, bands=["c", "a"])
    assert names == ("c", "a")
    np.testing.assert_array_equal(image[..., 1], bands["a"][0])


def test_values_that_are_no_numbers_stay_what_they_are(tmp_path):
    image = random_image(0)
    image[3, 4], image[19, 20] = np.nan, np.inf
    path = write(tmp_path, {"a": (image, "float")})
    found = read_image(path, MIXER)[0][..., 0]
    np.testing.assert_array_equal(found, image)


def test_only_what_is_asked_for_is_read(tmp_path):
    path = write(tmp_path, {"a": (random_image(0), "float")}, shards=(6, 6))
    (tmp_path / "e-00001.tfrecord.gz").write_bytes(b"\x1f\x8b\x08 and no more")
    patches = read_patches(path, MIXER)
    assert [next(patches)[0] for _ in range(6)] == [*range(6)]
    with pytest.raises(RecordError, match=r"e-00001\.tfrecord\.gz is cut"):
        next(patches)


@pytest.mark.parametrize(
    ("shards", "words"),
    [
        ((5, 6), "11 patches in .*e-00001.* 12 in the mixer"),
        ((12, 1), "record 0 of .*e-00001.* one more than the 12 patches"),
        ((13,), "record 12 of .*e-00000.* one more than the 12"),
    ],
)
def test_another_number_of_patches_than_the_mixers_is_refused(
    shards, words, tmp_path
):
    path = write(tmp_path, {"a": (random_image(0), "float")}, shards=shards)
    with pytest.raises(RecordError, match=words):
        read_image(path, MIXER)


@pytest.mark.parametrize(
    ("kernel", "asked", "words"),
    [
        ((4, 4), (0, 0), "a has 99 values, 35 are .* a kernel of 4 x 4 fits"),
        ((2, 6), (2, 2), "a has 91 values, 63 are .* a kernel of 2 x 6 fits"),
        ((0, 0), (4, 4), "a has 35 values, 99 are .* a kernel of 0 x 0 fits"),
    ],
)
def test_a_kernel_that_would_fit_is_named(kernel, asked, words, tmp_path):
    image = random_image(0, kernel)
    path = write(tmp_path, {"a": (image, "float")}, kernel=kernel)
    with pytest.raises(RecordError, match=f"record 0 of .*: {words}"):
        read_image(path, MIXER, kernel_px=asked)


def flat_export(folder, length):
    path = str(folder / "a.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        values = {"a": feature(np.zeros(length), "float")}
        features = tf.train.Features(feature=values)
        writer.write(tf.train.Example(features=features).SerializeToString())
    return path


@pytest.mark.parametrize(
    ("length", "depths", "words"),
    [
        (70, {}, "fits 2 values per pixel: name them in tensor_depths"),
        (70, {"a": 3}, "105 are expected of .* depth 3; it fits 2 values"),
        (36, {}, "no kernel fits: is the mixer of another export"),
        (1, {}, "this is a table, or one pixel a record"),
        (0, {}, "a has 0 values, 35 are expected .* no kernel fits"),
    ],
)
def test_a_length_that_fits_nothing_is_explained(
    length, depths, words, tmp_path
):
    path = flat_export(tmp_path, length)
    with pytest.raises(RecordError, match=words) as caught:
        next(read_patches(path, MIXER, tensor_depths=depths))
    assert "\n" not in str(caught.value)


def test_a_missing_band_names_those_found(tmp_path):
    bands = {n: (random_image(0), "float") for n in ("B10", "B2")}
    path = write(tmp_path, bands)
    with pytest.raises(BandError, match="no band B3, B4; it holds B2, B10"):
        read_image(path, MIXER, bands=["B2", "B3", "B4"])


def test_a_band_that_ends_midway_is_missed(tmp_path):
    (tmp_path / "two").mkdir()
    both = {n: (random_image(0), "float") for n in "ab"}
    write(tmp_path, both, shards=(6, 6))
    write(tmp_path / "two", {"a": both["a"]}, shards=(6, 6))
    (tmp_path / "two" / "e-00001.tfrecord.gz").rename(
        tmp_path / "e-00001.tfrecord.gz"
    )
    with pytest.raises(BandError, match="e-00001.* has no band b; it holds a"):
        read_image(str(tmp_path), MIXER)


def test_a_band_that_begins_midway_is_not_passed_over(tmp_path):
    (tmp_path / "two").mkdir()
    both = {n: (random_image(0), "float") for n in "ab"}
    write(tmp_path, {"a": both["a"]}, shards=(6, 6))
    write(tmp_path / "two", both, shards=(6, 6))
    (tmp_path / "two" / "e-00001.tfrecord.gz").rename(
        tmp_path / "e-00001.tfrecord.gz"
    )
    with pytest.raises(BandError, match="e-00001.* holds b, the first record"):
        read_image(str(tmp_path), MIXER)
    assert read_image(str(tmp_path), MIXER, bands=["a"])[1] == ("a",)


def test_a_band_that_changes_its_type_is_refused(tmp_path):
    (tmp_path / "two").mkdir()
    image = random_image(0).astype(np.uint8)
    write(tmp_path, {"a": (image, "float")}, shards=(6, 6))
    write(tmp_path / "two", {"a": (image, "bytes")}, shards=(6, 6))
    (tmp_path / "two" / "e-00001.tfrecord.gz").rename(
        tmp_path / "e-00001.tfrecord.gz"
    )
    with pytest.raises(RecordError, match="a holds bytes, before it held flo"):
        read_image(str(tmp_path), MIXER)


@pytest.mark.parametrize("kernel", [(1, 1), (3, 4), (-2, 0)])
def test_a_kernel_without_a_half_is_refused(kernel, tmp_path):
    path = write(tmp_path, {"a": (random_image(0), "float")})
    with pytest.raises(ConfigError, match="has no half"):
        next(read_patches(path, MIXER, kernel_px=kernel))


def test_what_a_file_holds_can_be_asked_without_a_mixer(tmp_path):
    image = random_image(0)
    bands = {"B10": (image, "float"), "B2": (image.astype(int), "int64")}
    assert list(peek_features(write(tmp_path, bands)).items()) == [
        ("B2", 35),
        ("B10", 35),
    ]
    with tf.io.TFRecordWriter(str(tmp_path / "none.gz"), "GZIP"):
        pass
    with pytest.raises(RecordError, match="none.gz holds no record"):
        peek_features(tmp_path / "none.gz")


def varint(data, place):
    number = shift = 0
    while True:
        number |= (data[place] & 0x7F) << shift
        shift += 7
        place += 1
        if data[place - 1] < 0x80:
            return number, place


def fields(data):
    """(number, content) of the length-delimited fields of a message."""
    place = 0
    while place < len(data):
        tag, place = varint(data, place)
        assert tag & 7 == 2
        length, place = varint(data, place)
        yield tag >> 3, data[place : place + length]
        place += length


def parse_by_hand(path):
    """The one record of a file, without TensorFlow or protocol buffers."""
    data = gzip.decompress(path.read_bytes())
    (length,) = struct.unpack_from("<Q", data)
    assert len(data) == length + 16
    ((_, features),) = fields(data[12:-4])
    bands = {}
    for _, entry in fields(features):
        (_, name), (_, value) = fields(entry)
        ((kind, floats),) = fields(value)
        assert kind == 2  # float_list
        ((_, packed),) = fields(floats)
        bands[name.decode()] = np.frombuffer(packed, "<f4").reshape(256, 256)
    return bands


def test_the_real_export_is_what_a_twin_reads_by_hand(real_data):
    folder = real_data("servir-aces")
    mixer = read_mixer(folder / "image_2021.json")
    path = folder / "image_2021.tfrecord.gz"
    image, names, grid = read_image(path, mixer)
    colours, times = ("blue", "green", "nir", "red"), ("before", "during")
    assert names == tuple(f"{c}_{t}" for c in colours for t in times)
    expected = parse_by_hand(path)
    assert set(expected) == set(names)
    for plane, name in enumerate(names):
        np.testing.assert_array_equal(image[..., plane], expected[name])
    assert grid == mixer.grid
    # Reflectance of a valley in the Himalayas: vegetation, brightest in nir.
    assert np.isfinite(image).all()
    assert 0.01 < image.min() < image.max() < 0.63
    brightest = np.bincount(image.argmax(axis=-1).ravel(), minlength=8)
    assert brightest[[4, 5]].sum() > 0.9 * 256**2
    left, bottom, right, top = grid.bounds
    assert (left, top) == (89.39005136557161, 27.448158253564596)
    assert (right, bottom) == pytest.approx((89.41305, 27.42516), abs=1e-5)

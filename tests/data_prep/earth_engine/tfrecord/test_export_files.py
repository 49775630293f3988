"""Order of shards, and files cut at every byte."""

import gzip
import zlib

import numpy as np
import pytest
import tensorflow as tf

from data_prep.earth_engine.tfrecord.export_files import find_files
from data_prep.earth_engine.tfrecord.export_files import find_shards
from data_prep.earth_engine.tfrecord.export_files import is_compressed
from data_prep.earth_engine.tfrecord.export_files import read_serialized
from s2distill.errors import RecordError


def write(path, records, *, compress):
    options = "GZIP" if compress else None
    with tf.io.TFRecordWriter(str(path), options=options) as writer:
        for record in records:
            writer.write(record)


def random_records(count, seed=0, longest=40):
    rng = np.random.default_rng(seed)
    return [rng.bytes(int(n)) for n in rng.integers(1, longest, count)]


def touch(folder, *names):
    for name in names:
        (folder / name).write_bytes(b"x")
    return [str(folder / name) for name in names]


@pytest.mark.parametrize(
    "names",
    [
        [f"export-{n:05d}.tfrecord.gz" for n in range(12)],
        [f"export_{n:05d}.tfrecord" for n in range(3)],
        [f"{n:05d}.tfrecord.gz" for n in range(3)],
        [f"2021-a-{n}.TFRecord.gz" for n in range(12)],
        ["image_2021.tfrecord.gz"],
        ["s2_20200113.tfrecord.gz"],
        ["whatever"],
        ["one-00000.tfrecord.gz"],
    ],
)
def test_shards_come_in_the_order_of_their_numbers(names, tmp_path):
    expected = touch(tmp_path, *names)
    assert find_shards(f"{tmp_path}/*") == tuple(expected)
    assert find_shards(expected[::-1]) == tuple(expected)


def test_order_holds_past_five_digits(tmp_path, monkeypatch):
    names = [f"e-{n:05d}.tfrecord" for n in range(100_003)]
    monkeypatch.setattr(tf.io.gfile, "glob", lambda _: sorted(names))
    assert find_shards(str(tmp_path)) == tuple(names)


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["e-00000.tfrecord.gz", "e-00002.tfrecord.gz"], "e-00001.tfrecord.gz"),
        (["e-00001.tfrecord.gz"], "e-00000.tfrecord.gz"),
        (["e-1.tfrecord", "e-2.tfrecord"], "e-0.tfrecord"),
        (
            [f"e-{n}.tfrecord" for n in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11)],
            "e-10.tfrecord",
        ),
    ],
)
def test_a_missing_shard_is_named(names, missing, tmp_path):
    touch(tmp_path, *names)
    with pytest.raises(RecordError, match=f"shard .*/{missing} is missing"):
        find_shards(f"{tmp_path}/*")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a-00000.tfrecord", "b-00001.tfrecord"], "no shards of one export"),
        (["a-00000.tfrecord", "a.tfrecord"], "no shards of one export"),
        (["a-00000.tfrecord", "a-00000.tfrecord.gz"], "have one number"),
        (["a-1.tfrecord", "a-01.tfrecord"], "have one number"),
    ],
)
def test_files_of_two_exports_are_refused(names, words, tmp_path):
    touch(tmp_path, *names)
    with pytest.raises(RecordError, match=words):
        find_shards(f"{tmp_path}/*")


def test_a_pattern_without_files_is_named(tmp_path):
    with pytest.raises(RecordError, match=r"no file .*/none-\*"):
        find_files([f"{tmp_path}/none-*"])
    with pytest.raises(RecordError, match=r"no file .*/\*\.tfrecord\*"):
        find_files(tmp_path)


def test_a_folder_stands_for_its_records_only(tmp_path):
    expected = touch(tmp_path, "e-00000.tfrecord.gz", "e-00001.tfrecord.gz")
    touch(tmp_path, "e-mixer.json")
    assert find_files(tmp_path) == tuple(expected)


def test_files_come_in_the_order_of_numbers_in_their_names(tmp_path):
    expected = touch(tmp_path, "week_2.tfrecord", "week_10.tfrecord")
    assert find_files(tmp_path) == tuple(expected)


def test_a_file_named_twice_is_read_once(tmp_path):
    (path,) = touch(tmp_path, "a.tfrecord")
    assert find_files([path, f"{tmp_path}/*"]) == (path,)


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("name", ["a.tfrecord", "a.tfrecord.gz", "a"])
def test_the_first_bytes_decide_and_not_the_name(name, compress, tmp_path):
    records = random_records(30)
    write(tmp_path / name, records, compress=compress)
    path = str(tmp_path / name)
    assert is_compressed(path) == compress
    assert list(read_serialized(path)) == records


def test_a_first_record_whose_length_begins_like_gzip_is_read(tmp_path):
    records = [bytes(0x8B1F), b"next"]  # 1f 8b, the lowest byte first
    write(tmp_path / "a", records, compress=False)
    assert (tmp_path / "a").read_bytes()[:2] == b"\x1f\x8b"
    assert list(read_serialized(str(tmp_path / "a"))) == records


@pytest.mark.parametrize("longest", [40, 400_000])
def test_records_of_any_length_come_in_order(longest, tmp_path):
    records = random_records(30, longest=longest)
    for compress in (True, False):
        write(tmp_path / "a", records, compress=compress)
        assert list(read_serialized(str(tmp_path / "a"))) == records


def test_objects_elsewhere_are_read_as_files_are(tmp_path):
    records = random_records(5)
    tf.io.gfile.makedirs("ram://bucket/x")
    write("ram://bucket/x/a-00000.tfrecord.gz", records, compress=True)
    (path,) = find_shards("ram://bucket/x/a-*.tfrecord.gz")
    assert list(read_serialized(path)) == records


def test_a_compressed_file_cut_at_any_byte_is_refused(tmp_path):
    write(tmp_path / "whole", random_records(20), compress=True)
    whole = (tmp_path / "whole").read_bytes()
    path = tmp_path / "cut.tfrecord.gz"
    last = len(whole)
    for length in (*range(5), *range(5, last, 37), *range(last - 9, last)):
        path.write_bytes(whole[:length])
        with pytest.raises(RecordError, match=r"cut\.tfrecord\.gz is ") as e:
            list(read_serialized(str(path)))
        assert "\n" not in str(e.value)


def test_a_stream_cut_where_a_record_ends_is_refused(tmp_path):
    """TensorFlow reads such a file without a word."""
    write(tmp_path / "whole", random_records(20), compress=False)
    plain = (tmp_path / "whole").read_bytes()
    stop = 16 + len(random_records(20)[0])
    stream = zlib.compressobj(wbits=31)
    cut = stream.compress(plain[:stop]) + stream.flush(zlib.Z_SYNC_FLUSH)
    path = str(tmp_path / "cut")
    (tmp_path / "cut").write_bytes(cut)
    silent = tf.data.TFRecordDataset(path, "GZIP").as_numpy_iterator()
    assert len(list(silent)) == 1
    with pytest.raises(RecordError, match="cut or damaged .* record 1 "):
        list(read_serialized(path))


def test_an_uncompressed_file_cut_within_a_record_is_refused(tmp_path):
    records = random_records(3)
    write(tmp_path / "whole", records, compress=False)
    whole = (tmp_path / "whole").read_bytes()
    ends = np.cumsum([len(r) + 16 for r in records])
    path = tmp_path / "cut"
    for length in range(0, len(whole), 2):
        if length in ends:  # nothing in the file tells; the mixer's count does
            continue
        path.write_bytes(whole[:length])
        with pytest.raises(RecordError, match="cut or damaged|is empty"):
            list(read_serialized(str(path)))


@pytest.mark.parametrize("compress", [True, False])
def test_a_changed_byte_is_found_wherever_it_is(compress, tmp_path):
    write(tmp_path / "whole", random_records(4), compress=compress)
    whole = (tmp_path / "whole").read_bytes()
    path = tmp_path / "bad"
    start = 10 if compress else 0  # before are time and system, unused
    for place in range(start, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(RecordError, match="bad is cut or damaged"):
            list(read_serialized(str(path)))


def test_streams_one_after_another_are_read_as_one(tmp_path):
    write(tmp_path / "plain", random_records(6), compress=False)
    plain = (tmp_path / "plain").read_bytes()
    stop = 16 + len(random_records(6)[0])
    joined = gzip.compress(plain[:stop]) + gzip.compress(plain[stop:])
    (tmp_path / "joined").write_bytes(joined)
    found = list(read_serialized(str(tmp_path / "joined")))
    assert found == random_records(6)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(RecordError, match="no file .*/absent"):
        list(read_serialized(f"{tmp_path}/absent"))


def test_a_folder_in_place_of_a_file_is_one_line(tmp_path):
    with pytest.raises(RecordError, match="cannot read"):
        list(read_serialized(str(tmp_path)))

import numpy as np
import pytest

from s2distill.data import folders
from s2distill.data.folders import RecordFile
from s2distill.errors import BandError
from s2distill.errors import ProductLevelError
from s2distill.errors import RecordError


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"bands": ("B2",)}, BandError, "a has bands B2,B8,B12, .*b has B2:"),
        (
            {"product_level": "L1C"},
            ProductLevelError,
            "a has product_level L2A, .*b has L1C",
        ),
        (
            {"offset_dn": -1000.0},
            ProductLevelError,
            "a has offset_dn 0.0, .*b has -1000.0",
        ),
        (
            {"label_factor": 10},
            RecordError,
            "a has label_factor 20, .*b has 10",
        ),
    ],
)
def test_folders_that_do_not_fit_are_both_quoted(
    tmp_path, example_records, change, error, message
):
    example_records(tmp_path / "a", {"train": 1})
    example_records(tmp_path / "b", {"train": 1}, **change)
    with pytest.raises(error, match=message):
        folders.open_folders([tmp_path / "a", tmp_path / "b"])


def test_no_folder_at_all_is_refused():
    with pytest.raises(RecordError, match="no record folder"):
        folders.open_folders([])


def test_tiles_of_two_sizes_are_both_quoted(tmp_path, example_records):
    paths = [tmp_path / "a", tmp_path / "b"]
    example_records(paths[0], {"train": 1})
    example_records(paths[1], {"train": 1}, tile_px=7)
    with pytest.raises(RecordError, match="a has tiles of 6 px, .*b of 7 px"):
        folders.check_same_tile(paths, folders.open_folders(paths))


def test_an_empty_split_names_the_folders(tmp_path, example_records):
    example_records(tmp_path / "a", {"train": 1})
    manifests = folders.open_folders([tmp_path / "a"])
    with pytest.raises(RecordError, match="no record in the test split of .*a"):
        folders.list_files([tmp_path / "a"], manifests, "test")
    with pytest.raises(RecordError, match="no split 'tset'; there are train"):
        folders.list_files([tmp_path / "a"], manifests, "tset")


def test_files_are_dealt_once_each_and_evenly():
    rng = np.random.default_rng(0)
    files = [
        RecordFile(path=f"f{i}", folder=0, records=int(n))
        for i, n in enumerate(rng.integers(1, 33, 50))
    ]
    hands = folders.deal_files(files, 7)
    dealt = [f for hand in hands for f in hand]
    assert sorted(f.path for f in dealt) == sorted(f.path for f in files)
    sizes = [sum(f.records for f in hand) for hand in hands]
    # Greedy dealing: no two hands differ by more than one file.
    assert max(sizes) - min(sizes) <= max(f.records for f in files)


def test_records_are_read_as_they_were_written(tmp_path, example_records):
    written = example_records(
        tmp_path / "a", {"train": 5}, fields=("image", "building")
    )["train"]
    found = list(folders.read_records(tmp_path / "a", "train"))
    assert [r["key"] for r in found] == [r["key"] for r in written]
    for record, example in zip(found, written, strict=True):
        assert record["meta"]["crs"] == "EPSG:32633"
        for group in ("s2", "image", "label"):
            for name, values in example[group].items():
                np.testing.assert_array_equal(record[group][name], values)


def test_only_features_asked_for_are_decoded(tmp_path, example_records):
    example_records(tmp_path / "a", {"train": 1}, fields=("image",))
    (record,) = folders.read_records(
        tmp_path / "a", "train", ("key", "s2/valid")
    )
    assert set(record) == {"key", "s2"}
    assert set(record["s2"]) == {"valid"}


def test_a_damaged_record_is_named_by_its_file(tmp_path, example_records):
    example_records(tmp_path / "a", {"train": 1})
    (path,) = (tmp_path / "a").glob("*.tfrecord-*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(
        RecordError, match=f"{path.name} is damaged, a checksum"
    ):
        list(folders.read_records(tmp_path / "a", "train"))

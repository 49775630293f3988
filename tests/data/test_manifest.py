import json

import pytest

from s2distill.data.manifest import Manifest
from s2distill.data.manifest import Shard
from s2distill.data.manifest import read_manifest
from s2distill.data.schema import RecordSpec
from s2distill.errors import RecordError


def test_what_was_written_is_read(tmp_path, example_records):
    example_records(tmp_path / "r", {"train": 9, "test": 2}, fields=("road",))
    manifest = read_manifest(tmp_path / "r")
    assert manifest.spec == RecordSpec(
        bands=("B2", "B8", "B12"), tile_px=6, fields=("road",)
    )
    assert [manifest.count(s) for s in ("train", "validation", "test")] == [
        9,
        0,
        2,
    ]
    assert [s.records for s in manifest.shards] == [4, 4, 1, 2]
    assert manifest.provenance == {"program": "tests"}
    for shard in manifest.shards:
        assert (tmp_path / "r" / shard.file).stat().st_size == shard.bytes


def test_a_folder_without_records_is_refused(tmp_path):
    with pytest.raises(RecordError, match="no records in .*: records.json is"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("version", ["0.9.0", "1.3.0", None])
def test_an_unknown_schema_version_is_refused(
    tmp_path, example_records, version
):
    example_records(tmp_path / "r", {"train": 1})
    path = tmp_path / "r" / "records.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "schema_version": version}))
    with pytest.raises(
        RecordError,
        match=f"version {version}, this program reads 1.0.0, 1.1.0, 1.2.0; w",
    ):
        read_manifest(tmp_path / "r")


def test_a_file_cut_in_the_middle_is_named(tmp_path, example_records):
    example_records(tmp_path / "r", {"train": 2})
    (path,) = (tmp_path / "r").glob("*.tfrecord-*")
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[: size // 2])
    with pytest.raises(
        RecordError, match=f"{path.name} has {size // 2} bytes, {size} were"
    ):
        read_manifest(tmp_path / "r")


def test_a_missing_file_is_named(tmp_path, example_records):
    example_records(tmp_path / "r", {"train": 2})
    (path,) = (tmp_path / "r").glob("*.tfrecord-*")
    path.unlink()
    with pytest.raises(RecordError, match=f"{path.name} is missing"):
        read_manifest(tmp_path / "r")


def test_json_holds_rule_and_reasons():
    manifest = Manifest(
        spec=RecordSpec(bands=("B2",), tile_px=2),
        shards=(Shard(file="f", split="test", records=3, bytes=7),),
        split_rule={"block_m": 640},
        dropped={"cloud": 4},
    )
    content = json.loads(json.dumps(manifest.to_json()))
    assert content["split_rule"] == {"block_m": 640}
    assert content["dropped"] == {"cloud": 4}
    assert content["shards"] == [
        {"file": "f", "split": "test", "records": 3, "bytes": 7}
    ]


def test_a_manifest_cut_in_the_middle_is_named(tmp_path, example_records):
    example_records(tmp_path / "world", {"train": 1})
    path = tmp_path / "world" / "records.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(RecordError, match=r"records\.json is cut or changed"):
        read_manifest(tmp_path / "world")

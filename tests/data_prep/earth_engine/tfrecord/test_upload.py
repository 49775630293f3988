"""Command lines, parsed by the `earthengine` command itself."""

import json
import shlex
import subprocess
import sys

import pytest

from data_prep.earth_engine.tfrecord.export_writer import Export
from data_prep.earth_engine.tfrecord.upload import copy_command
from data_prep.earth_engine.tfrecord.upload import upload_command
from s2distill.errors import ConfigError

LOCAL = Export(
    tuple(f"out/my maps-{n:05d}.tfrecord.gz" for n in range(12)),
    "out/my maps-mixer.json",
)
ASSET = "projects/my-project/assets/maps"


_PARSE = """
import argparse, json, sys
from ee.cli import commands
for line in json.loads(sys.argv[1]):
    parser = argparse.ArgumentParser()
    upload = commands.UploadImageCommand(parser)
    manifest = upload.manifest_from_args(parser.parse_args(line))
    sys.stdout.write(json.dumps(manifest) + chr(10))
"""


def parse(*commands):
    """The manifests that Earth Engine's own command makes of lines.

    In a process of its own: importing the command switches TensorFlow's eager
    execution off.
    """
    start = ["earthengine", "upload", "image"]
    lines = [shlex.split(command) for command in commands]
    assert all(line[:3] == start for line in lines)
    arguments = json.dumps([line[3:] for line in lines])
    answer = subprocess.run(
        [sys.executable, "-c", _PARSE, arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_earth_engine_takes_all_files_as_one_source_in_order():
    there = Export(("gs://b/x-00000.tfrecord",), "gs://b/x-mixer.json")
    copied, in_place = parse(
        upload_command(LOCAL, ASSET, gcs_folder="gs://b/f/", nodata=-9999),
        upload_command(there, ASSET),
    )
    assert copied["name"] == ASSET
    assert copied["missingData"] == {"values": [-9999]}
    (tileset,) = copied["tilesets"]
    (source,) = tileset["sources"]
    assert source["uris"] == [
        *(f"gs://b/f/my maps-{n:05d}.tfrecord.gz" for n in range(12)),
        "gs://b/f/my maps-mixer.json",
    ]
    assert "missingData" not in in_place
    assert in_place["tilesets"][0]["sources"] == [
        {"uris": ["gs://b/x-00000.tfrecord", "gs://b/x-mixer.json"]}
    ]


@pytest.mark.parametrize("folder", ["", "bucket/folder", "/tmp"])
def test_local_files_need_a_bucket(folder):
    with pytest.raises(ConfigError, match="lies on this machine"):
        upload_command(LOCAL, ASSET, gcs_folder=folder)


def test_local_files_are_copied_first():
    line = shlex.split(copy_command(LOCAL, "gs://b/f"))
    assert line[:3] == ["gcloud", "storage", "cp"]
    assert line[3:] == [*LOCAL.shards, LOCAL.mixer, "gs://b/f/"]

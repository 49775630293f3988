"""Whole or not at all, on the disk and where folders cannot be moved."""

import pytest
import tensorflow as tf

from data_prep.earth_engine.output_folder import op_errors
from data_prep.earth_engine.output_folder import output_folder
from s2distill.errors import OutputError

OWN = r"e-\d+"


@pytest.fixture(params=["disk", "ram"])
def folder(request, tmp_path):
    if request.param == "disk":
        return str(tmp_path / "out")
    return f"ram://folders/{tmp_path.name}"


def put(path, text="x"):
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(text)


def files_in(folder):
    if not tf.io.gfile.exists(folder):
        return []
    return sorted(tf.io.gfile.listdir(folder))


def write(folder, *names, fails=False, overwrite=False):
    with output_folder(folder, OWN, overwrite=overwrite) as inside:
        for name in names:
            put(f"{inside}/{name}")
        if fails:
            raise ZeroDivisionError


def test_files_are_there_when_the_block_ends(folder):
    write(folder, "e-1", "e-2")
    assert files_in(folder) == ["e-1", "e-2"]


def test_a_failure_leaves_nothing(folder):
    with pytest.raises(ZeroDivisionError):
        write(folder, "e-1", fails=True)
    assert files_in(folder) == []


def test_what_is_there_is_kept_unless_told(folder):
    write(folder, "e-1")
    with pytest.raises(OutputError, match="exists already"):
        write(folder, "e-2")
    assert files_in(folder) == ["e-1"]
    write(folder, "e-2", overwrite=True)
    assert files_in(folder) == ["e-2"]


def test_files_of_others_in_a_bucket_are_let_alone():
    bucket = "ram://shared"
    tf.io.gfile.makedirs(bucket)
    put(f"{bucket}/theirs")
    put(f"{bucket}/e-1")
    with pytest.raises(ZeroDivisionError):
        write(bucket, "e-2", fails=True, overwrite=True)
    assert files_in(bucket) == ["theirs"]


def test_a_write_that_is_refused_is_one_line(monkeypatch):
    def refuse(path):
        raise tf.errors.PermissionDeniedError(None, None, "no\nrights")

    monkeypatch.setattr(tf.io.gfile, "makedirs", refuse)
    with pytest.raises(OutputError, match="cannot write ram://x: no rights;"):
        write("ram://x", "e-1")


def fill_disk(folder):
    with output_folder(folder, OWN) as inside:
        put(f"{inside}/e-1")
        with op_errors():
            raise tf.errors.ResourceExhaustedError(None, None, "no space")


def test_a_full_disk_midway_is_one_line(folder):
    with pytest.raises(OutputError, match="cannot write .*no space"):
        fill_disk(folder)
    assert files_in(folder) == []

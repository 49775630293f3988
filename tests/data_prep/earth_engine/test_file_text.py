import pytest

from data_prep.earth_engine.file_text import exists
from data_prep.earth_engine.file_text import is_remote
from data_prep.earth_engine.file_text import read_bytes
from data_prep.earth_engine.file_text import write_text
from s2distill.errors import OutputError

# TensorFlow's own file system in memory stands for a bucket: both are opened
# by tf.io.gfile alone.
BUCKET = "ram://bucket"


def test_only_paths_with_a_scheme_are_remote(tmp_path):
    assert is_remote("gs://bucket/a.geojson")
    assert not is_remote(tmp_path / "a.geojson")
    assert not is_remote("C:/a.geojson")


@pytest.mark.parametrize("where", ["disk", "bucket"])
def test_what_is_written_is_read_back(tmp_path, where):
    path = tmp_path / "new" / "a.txt"
    if where == "bucket":
        path = f"{BUCKET}/{tmp_path.name}.txt"
    assert not exists(path)
    write_text(path, "Île-de-France\n")
    assert exists(path)
    assert read_bytes(path) == "Île-de-France\n".encode()


def test_a_file_that_exists_is_replaced(tmp_path):
    write_text(tmp_path / "a", "a long text")
    write_text(tmp_path / "a", "other")
    assert read_bytes(tmp_path / "a") == b"other"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_that_is_not_there_is_one_reason(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        read_bytes(tmp_path / "none")
    with pytest.raises(OSError, match="NotFound"):
        read_bytes(f"{BUCKET}/none")


def test_a_write_that_is_refused_names_the_path(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot write .*folder"):
        write_text(tmp_path / "folder", "text")
    with pytest.raises(OutputError, match="cannot write none://bucket/a.*acc"):
        write_text("none://bucket/a", "text")

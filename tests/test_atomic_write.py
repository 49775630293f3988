import json
import pathlib

import pytest

from s2distill.atomic_write import atomic_directory
from s2distill.atomic_write import atomic_file
from s2distill.atomic_write import check_absent
from s2distill.atomic_write import write_json
from s2distill.errors import OutputError


def _names(folder):
    return sorted(path.name for path in pathlib.Path(folder).iterdir())


def _write_and_fail(path):
    path.write_text("half")
    raise KeyError


def _fill_the_disk():
    """Raises what a full disk raises: /dev/full takes nothing."""
    with open("/dev/full", "w") as file:
        file.write("x")


def test_a_file_appears_whole_at_the_end_of_the_block(tmp_path):
    final = tmp_path / "deep" / "map.tif"
    with atomic_file(final) as path:
        path.write_text("half")
        assert path.suffix == ".tif"
        assert not final.exists()
        path.write_text("whole")
    assert final.read_text() == "whole"
    assert _names(final.parent) == ["map.tif"]


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path):
    final = tmp_path / "a.txt"
    final.write_text("old")
    with (
        pytest.raises(KeyError),
        atomic_file(final) as path,
    ):
        _write_and_fail(path)
    assert final.read_text() == "old"
    assert _names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("atomic", [atomic_file, atomic_directory])
def test_a_full_disk_is_named_and_leaves_nothing(atomic, tmp_path):
    final = tmp_path / "result"
    with (
        pytest.raises(OutputError) as error,
        atomic(final),
    ):
        _fill_the_disk()
    message = str(error.value)
    assert message.startswith(f"cannot write {final}: No space left")
    assert "Free some space" in message
    assert "\n" not in message
    assert _names(tmp_path) == []


@pytest.mark.parametrize("atomic", [atomic_file, atomic_directory])
def test_a_parent_that_is_a_file_is_named(atomic, tmp_path):
    (tmp_path / "parent").write_text("in the way")
    with (
        pytest.raises(OutputError, match="cannot write .*parent/result"),
        atomic(tmp_path / "parent" / "result"),
    ):
        pytest.fail("the block began: its work would be lost")


def test_a_folder_appears_whole_at_the_end_of_the_block(tmp_path):
    final = tmp_path / "records"
    with atomic_directory(final) as folder:
        (folder / "a").write_text("1")
        assert not final.exists()
    assert _names(final) == ["a"]
    assert _names(tmp_path) == ["records"]


def test_a_folder_that_fails_leaves_nothing(tmp_path):
    with (
        pytest.raises(KeyError),
        atomic_directory(tmp_path / "records") as folder,
    ):
        _write_and_fail(folder / "a")
    assert _names(tmp_path) == []


def test_an_empty_folder_may_be_filled_and_a_full_one_not(tmp_path):
    final = tmp_path / "records"
    final.mkdir()
    with atomic_directory(final) as folder:
        (folder / "a").write_text("1")
    with (
        pytest.raises(OutputError, match="records exists already.*--overwrite"),
        atomic_directory(final),
    ):
        pytest.fail("the block began: its work would be lost")
    assert _names(final) == ["a"]


def test_a_folder_is_replaced_only_once_the_new_one_is_whole(tmp_path):
    final = tmp_path / "records"
    final.mkdir()
    (final / "old").write_text("1")
    with (
        pytest.raises(KeyError),
        atomic_directory(final, overwrite=True),
    ):
        raise KeyError
    assert _names(final) == ["old"]
    with atomic_directory(final, overwrite=True) as folder:
        (folder / "new").write_text("1")
        assert _names(final) == ["old"]
    assert _names(final) == ["new"]
    assert _names(tmp_path) == ["records"]


def test_a_file_is_in_the_way_of_a_folder(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(OutputError, match="exists already"):
        check_absent(tmp_path / "a")
    check_absent(tmp_path / "b")


def test_json_is_sorted_ends_with_a_newline_and_refuses_nan(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1.5, "a": [None]})
    text = (tmp_path / "a.json").read_text()
    assert text.index('"a"') < text.index('"b"')
    assert text.endswith("}\n")
    assert json.loads(text) == {"a": [None], "b": 1.5}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert (tmp_path / "a.json").read_text() == text

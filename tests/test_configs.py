"""Every flagfile in configs/ says what it makes, and its program takes it.

The first lines of a flagfile are comments. One of them names the program,
`# program: s2distill.train`, and one shows the command, beginning with
`#     python -m` and holding `--flagfile=configs/NAME.flags`.
"""

import importlib
import pathlib
import shlex

import pytest

from s2distill.flag_config import parse_config

ROOT = pathlib.Path(__file__).resolve().parents[1]
CONFIGS = sorted((ROOT / "configs").rglob("*.flags"))


def _header(path):
    lines = path.read_text().splitlines()
    end = next(n for n, line in enumerate(lines) if not line.startswith("#"))
    return [line.removeprefix("#") for line in lines[:end]]


def _program(path):
    named = [
        line.partition(":")[2].strip()
        for line in _header(path)
        if line.startswith(" program:")
    ]
    assert len(named) == 1, f"{path.name} has no line '# program: ...'"
    return named[0]


def _command(path):
    """Arguments of the command in the header, its lines joined."""
    words = []
    for line in _header(path):
        if line.strip().startswith("python -m") or words:
            words += shlex.split(line.strip().removesuffix("\\"))
            if not line.rstrip().endswith("\\"):
                break
    return words


def test_there_are_configs_and_nothing_else():
    assert CONFIGS
    others = {
        path
        for path in (ROOT / "configs").rglob("*")
        if path.is_file() and path.suffix != ".flags"
    }
    assert not others


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_header_shows_the_command_and_the_program_takes_it(path, monkeypatch):
    monkeypatch.chdir(ROOT)  # as the command is typed
    command = _command(path)
    assert command[:3] == ["python", "-m", _program(path)]
    assert f"--flagfile={path.relative_to(ROOT).as_posix()}" in command
    program = importlib.import_module(_program(path))
    parse_config(program.Config, ["program", *command[3:]])


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_header_begins_with_what_the_config_makes(path):
    first = _header(path)[0].strip()
    assert len(first) > 20
    assert not first.startswith(("python", "program"))

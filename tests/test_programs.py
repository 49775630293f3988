"""Every program answers --help at once, and says first how to call it."""

import importlib
import pathlib
import subprocess
import sys
import tomllib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PROGRAMS = {
    script: target.split(":")[0]
    for script, target in PROJECT["scripts"].items()
}

_ASK_FOR_HELP = """
import runpy, sys
sys.argv = [sys.argv[1], "--help"]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
except SystemExit as stop:
    code = stop.code
heavy = {"tensorflow", "keras", "rasterio", "matplotlib", "apache_beam", "ee"}
sys.stderr.write(",".join(sorted(heavy & set(sys.modules))))
sys.exit(code)
"""


def _python(*arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("module", list(PROGRAMS.values()))
def test_help_answers_without_loading_tensorflow(module):
    answer = _python("-c", _ASK_FOR_HELP, module)
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == "", f"loaded: {answer.stderr}"
    lines = answer.stdout.splitlines()
    assert lines[0].endswith(".")
    assert lines[2].strip().startswith(f"python -m {module}"), lines[2]
    assert "--flagfile" in answer.stdout
    assert max(map(len, lines)) <= 80


def _command_of(docstring):
    """The command below the first sentence, its lines joined."""
    paragraph = docstring.split("\n\n")[1]
    command = []
    for line in paragraph.splitlines():
        command.append(line.strip().removesuffix("\\"))
        if not line.endswith("\\"):
            break
    return " ".join(command).split()


@pytest.mark.parametrize("module", list(PROGRAMS.values()))
def test_the_command_at_the_top_of_a_program_is_one_it_accepts(module):
    from s2distill.flag_config import parse_config

    program = importlib.import_module(module)
    command = _command_of(program.__doc__)
    assert command[:3] == ["python", "-m", module]
    arguments = [
        argument
        for argument in command[3:]
        if not argument.startswith("--flagfile=")
    ]
    if arguments == command[3:]:
        parse_config(program.Config, ["program", *arguments])
    for argument in command[3:]:
        if argument.startswith("--flagfile="):
            assert (ROOT / argument.partition("=")[2]).is_file()


@pytest.mark.parametrize("module", list(PROGRAMS.values()))
def test_a_wrong_flag_is_one_line_and_a_failure(module):
    answer = _python("-m", module, "--no_such_flag=1")
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.startswith("ConfigError: ")
    assert answer.stderr.count("\n") == 1


def test_the_package_is_imported_without_tensorflow():
    answer = _python(
        "-c",
        "import sys, s2distill; "
        "sys.exit(bool({'tensorflow', 'keras', 'numpy'} & set(sys.modules)))",
    )
    assert answer.returncode == 0, answer.stderr


def test_every_program_stands_as_a_console_script():
    programs = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for folder in ("s2distill", "data_prep")
        for path in (ROOT / folder).rglob("*.py")
        if 'if __name__ == "__main__":' in path.read_text()
    }
    assert programs == set(PROGRAMS.values())
    last_parts = [module.rpartition(".")[2] for module in PROGRAMS.values()]
    for script, module in PROGRAMS.items():
        *folders, name = module.split(".")
        if last_parts.count(name) > 1 and len(folders) > 1:
            name = f"{folders[-1]}_{name}"  # data_prep.earth_engine.export
        assert script == f"s2distill-{name.replace('_', '-')}"

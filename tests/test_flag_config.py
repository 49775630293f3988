import dataclasses
import json
import subprocess
import sys
from typing import Literal

import pytest

from s2distill import __version__
from s2distill import flag_config
from s2distill.errors import BandError
from s2distill.errors import ConfigError
from s2distill.flag_config import flag
from s2distill.flag_config import parse_config
from s2distill.flag_config import read_versions
from s2distill.flag_config import rest_arguments
from s2distill.flag_config import run_program
from s2distill.flag_config import to_flag_lines
from s2distill.flag_config import write_run_files


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    output: str = flag(help="Folder to write.")
    seed: int = flag(3, help="Another seed gives another world.")
    share: float = flag(0.25, help="A share.")
    augment: bool = flag(True, help="Whether to turn.")
    kind: Literal["small", "full"] = flag("small", help="Size.")
    bands: tuple[str, ...] = flag(("B2", "B3"), help="Names.")
    limit: int | None = flag(None, help="At most so many.")
    note: str | None = flag(None, help="Any text.")
    way: Literal["up", "down"] | None = flag(None, help="If any.")


def parse(*arguments):
    return parse_config(Config, ["program", *arguments], "What it does.")


def test_defaults_are_those_of_the_fields():
    assert parse("--output=o") == Config(output="o")


@pytest.mark.parametrize(
    ("argument", "field", "expected"),
    [
        ("--seed=-7", "seed", -7),
        ("--share=1e-3", "share", 0.001),
        ("--augment=false", "augment", False),
        ("--noaugment", "augment", False),
        ("--augment", "augment", True),
        ("--kind=full", "kind", "full"),
        ("--bands=B8,B4", "bands", ("B8", "B4")),
        ("--bands=", "bands", ()),
        ("--limit=0", "limit", 0),
        ("--note=a b=c", "note", "a b=c"),
        ("--way=down", "way", "down"),
    ],
)
def test_each_type_is_read(argument, field, expected):
    found = getattr(parse("--output=o", argument), field)
    assert found == expected
    assert type(found) is type(expected)


def test_the_later_of_two_values_wins_also_against_a_flagfile(tmp_path):
    flagfile = tmp_path / "a.flags"
    flagfile.write_text("--seed=10\n--output=from_file\n")
    assert parse("--output=o", "--seed=1", "--seed=2").seed == 2
    assert parse(f"--flagfile={flagfile}", "--seed=2").seed == 2
    assert parse("--seed=2", f"--flagfile={flagfile}").seed == 10
    assert parse("--flagfile", str(flagfile)).output == "from_file"


def test_a_flagfile_may_hold_comments_blank_lines_and_another_file(tmp_path):
    inner = tmp_path / "inner.flags"
    inner.write_text("--share=0.5\n")
    outer = tmp_path / "outer.flags"
    outer.write_text(
        f"# why\n\n// also why\n--output=o\n--flagfile={inner}\n--seed=8\n"
    )
    assert parse(f"--flagfile={outer}") == Config(output="o", share=0.5, seed=8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--output is required; --help explains it"),
        (["--output=o", "--sead=1"], "Unknown command line flag 'sead'"),
        (["--output=o", "--seed=1.5"], "flag --seed=1.5"),
        (["--output=o", "--kind=huge"], "value should be one of"),
        (["--output=o", "stray"], "unexpected argument 'stray'"),
        (["--output=o", "--", "--seed=1"], "unexpected argument '--seed=1'"),
        (["--flagfile=/nowhere/a.flags"], "/nowhere/a.flags"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        parse(*arguments)


def test_a_line_of_a_flagfile_without_dashes_is_refused(tmp_path):
    flagfile = tmp_path / "a.flags"
    flagfile.write_text("--output=o\nseed=4\n")
    with pytest.raises(ConfigError, match="unexpected argument 'seed=4'"):
        parse(f"--flagfile={flagfile}")


def test_a_type_that_makes_no_flag_is_the_programmers_error():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Odd:
        table: dict = dataclasses.field(metadata={"help": "No."})

    with pytest.raises(TypeError, match="field table has type"):
        parse_config(Odd, ["program"])


@pytest.mark.parametrize("argument", ["--help", "-h", "--helpfull"])
def test_help_begins_with_the_description_and_lists_every_flag(
    argument, capsys
):
    with pytest.raises(SystemExit) as stop:
        parse("--sead=1", argument)
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("What it does.\n")
    for field in dataclasses.fields(Config):
        assert f"--{field.name}  (" in text
        assert field.metadata["help"] in text
    assert "--output  (str, required)" in text
    assert "--seed  (int, 3)" in text
    assert "--kind  (small|full, small)" in text
    assert "--bands  (comma-separated list, B2,B3)" in text
    assert "--limit  (int)" in text
    assert "--flagfile  (file)" in text
    assert max(map(len, text.splitlines())) < 80


@pytest.mark.parametrize(
    "config",
    [
        Config(output="o"),
        Config(
            output="a b/c=d",
            seed=-1,
            share=1 / 3,
            augment=False,
            kind="full",
            bands=("B8A", "B12"),
            limit=9,
            note="# no comment",
        ),
        Config(output="o", bands=()),
    ],
    ids=["defaults", "everything", "empty list"],
)
def test_flag_lines_give_the_configuration_back(config, tmp_path):
    flagfile = tmp_path / "run.flags"
    flagfile.write_text("\n".join(to_flag_lines(config)))
    assert parse(f"--flagfile={flagfile}") == config


def test_two_programs_with_the_same_flag_share_a_process():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Other:
        seed: str = flag("x", help="Of another type.")

    assert parse_config(Other, ["program", "--seed=y"]).seed == "y"
    assert parse("--output=o", "--seed=5").seed == 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class BeamConfig(Config):
    beam_args: tuple[str, ...] = rest_arguments(
        help="Options of another library, which are " + "many " * 20
    )


def parse_beam(*arguments):
    return parse_config(BeamConfig, ["program", *arguments], "What it does.")


@pytest.mark.parametrize(
    ("arguments", "rest"),
    [
        ([], ()),
        (["--"], ()),
        (["--", "--runner=DataflowRunner"], ("--runner=DataflowRunner",)),
        # As it stands there, whatever we make of such words elsewhere.
        (["--", "--seed=9", "--output=b"], ("--seed=9", "--output=b")),
        (["--", "--help"], ("--help",)),
        (["--", "--flagfile=/nowhere"], ("--flagfile=/nowhere",)),
        (["--", "a b", "", "c,d"], ("a b", "", "c,d")),
        (["--", "x", "--", "y"], ("x", "--", "y")),
    ],
    ids=str,
)
def test_what_stands_after_the_dashes_is_handed_on_as_it_is(arguments, rest):
    found = parse_beam("--output=o", *arguments)
    assert found == BeamConfig(output="o", beam_args=rest)


def test_what_stands_before_the_dashes_is_ours_alone():
    with pytest.raises(ConfigError, match="Unknown command line flag 'runner'"):
        parse_beam("--output=o", "--runner=x", "--", "--workers=2")
    with pytest.raises(ConfigError, match="unexpected argument 'x': every arg"):
        parse_beam("--output=o", "x", "--", "--workers=2")
    with pytest.raises(ConfigError, match="--output is required"):
        parse_beam("--", "--output=o")
    with pytest.raises(ConfigError, match="Unknown .* 'beam_args'"):
        parse_beam("--output=o", "--beam_args=x")


def test_a_program_that_hands_nothing_on_says_so():
    assert parse("--output=o", "--") == Config(output="o")
    with pytest.raises(
        ConfigError,
        match="unexpected argument '--seed=1' after --: this program hands "
        "nothing on",
    ):
        parse("--output=o", "--", "--seed=1", "--seed=2")


def test_dashes_in_a_flagfile_end_no_flags(tmp_path):
    flagfile = tmp_path / "a.flags"
    flagfile.write_text("--output=o\n--\n--runner=x\n")
    with pytest.raises(ConfigError, match="unexpected argument '--runner=x'"):
        parse_beam(f"--flagfile={flagfile}")


def test_help_explains_what_may_stand_after_the_dashes(capsys):
    with pytest.raises(SystemExit) as stop:
        parse_beam("--help", "--", "--runner=x")
    assert stop.value.code == 0
    text = capsys.readouterr().out
    _, _, after = text.partition("  --  (all arguments after it)\n")
    assert after.startswith("      Options of another library, which are many")
    assert "beam_args" not in text
    assert max(map(len, text.splitlines())) < 80


def test_a_flagfile_repeats_the_flags_and_not_what_was_handed_on(tmp_path):
    config = BeamConfig(output="o", seed=4, beam_args=("--runner=x",))
    assert not any("runner" in line for line in to_flag_lines(config))
    write_run_files(tmp_path, config)
    again = parse_beam(f"--flagfile={tmp_path}/run.flags")
    assert again == BeamConfig(output="o", seed=4)


def test_run_files_repeat_the_run_and_name_the_versions(tmp_path):
    config = Config(output="o", seed=11, bands=("B4",))
    write_run_files(tmp_path / "new", config)
    assert parse(f"--flagfile={tmp_path}/new/run.flags") == config
    versions = json.loads((tmp_path / "new" / "versions.json").read_text())
    assert versions == read_versions()
    assert versions["python"] == sys.version.split()[0]
    assert set(versions) > {"tensorflow", "keras", "numpy", "commit"}


def test_versions_say_what_is_not_installed_and_no_checkout(monkeypatch):
    def refuse(*_, **__):
        raise FileNotFoundError("git")

    def absent(package):
        raise flag_config.importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.setattr(flag_config.importlib.metadata, "version", absent)
    versions = read_versions()
    assert versions["commit"] == "unknown"
    assert versions["keras"] == "not installed"


def test_the_package_has_a_version():
    assert __version__.count(".") >= 1


def _main(monkeypatch, run, *arguments):
    monkeypatch.setattr(sys, "argv", ["program", *arguments])
    run_program(run, Config, "What it does.")


def test_a_program_hands_its_configuration_on(monkeypatch):
    seen = []
    _main(monkeypatch, seen.append, "--output=o", "--seed=2")
    assert seen == [Config(output="o", seed=2)]


def test_an_error_of_ours_is_one_line_and_exit_1(monkeypatch, capsys):
    def fail(_):
        raise BandError("no band B99")

    with pytest.raises(SystemExit) as stop:
        _main(monkeypatch, fail, "--output=o")
    assert stop.value.code == 1
    assert capsys.readouterr().err == "BandError: no band B99\n"


def test_a_wrong_flag_is_one_line_and_exit_1(monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        _main(monkeypatch, print, "--sead=1")
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("ConfigError: Unknown command line flag 'sead'")
    assert error.count("\n") == 1


def test_an_interrupt_is_one_word_and_exit_130(monkeypatch, capsys):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stop:
        _main(monkeypatch, interrupt, "--output=o")
    assert stop.value.code == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_an_error_that_is_a_bug_keeps_its_traceback(monkeypatch):
    def fail(_):
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        _main(monkeypatch, fail, "--output=o")


def test_help_of_many_choices_stays_within_80_columns(capsys):
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Wide:
        credentials: Literal[
            "application_default", "service_account", "anonymous"
        ] = flag("application_default", help="Whose they are.")

    with pytest.raises(SystemExit):
        parse_config(Wide, ["program", "--help"])
    text = capsys.readouterr().out
    assert "--credentials  (application_default|service_account" in text
    assert max(map(len, text.splitlines())) <= 80

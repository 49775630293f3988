"""A frozen dataclass is the configuration; absl flags are made from it.

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Config:
        output: str = flag(help="Folder to write.")  # required
        seed: int = flag(0, help="Another seed gives another world.")

    def main() -> None:
        run_program(run, Config, __doc__)

Flags live in a `FlagValues` of their own, made when the program runs, never
at import: any number of programs share one process. No library code reads a
flag; programs hand plain values on.
"""

import dataclasses
import importlib.metadata
import logging as standard_logging
import os
import pathlib
import subprocess
import sys
import types
import typing
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from absl import flags
from absl import logging

from s2distill.atomic_write import atomic_file
from s2distill.atomic_write import write_json
from s2distill.errors import ConfigError
from s2distill.errors import S2DistillError

_WIDTH = 79
# What libraries log at each import or call, and nobody can act on.
_NOISE = (
    "FeatureConnector.dtype",  # TFDS 4.9 warns of its own attribute
    "apitools not found",  # Beam without Google Cloud
)


def flag(
    default: Any = dataclasses.MISSING,
    *,
    help: str,
) -> Any:
    """A dataclass field with help; required when it has no default."""
    return dataclasses.field(default=default, metadata={"help": help})


def rest_arguments(*, help: str) -> Any:
    """A field for what stands after `--`, handed on to another library.

    Its type is a tuple of str. It is no flag, so a flagfile cannot hold it.
    """
    return dataclasses.field(default=(), metadata={"help": help, "rest": True})


def parse_config(
    config_class: type, argv: Sequence[str], description: str = ""
) -> Any:
    """Makes a configuration from command-line arguments.

    `--flagfile=F` may stand anywhere; of two values of one flag the later
    wins, so overrides follow the flagfile.

    Args:
      config_class: Frozen dataclass whose fields were made by `flag`. Field
        types: str, int, float, bool, Literal, `X | None`, tuple of str.
      argv: Program name, then arguments.
      description: Shown above the flags by `--help`.

    Returns:
      An instance of `config_class`.

    Raises:
      ConfigError: Unknown, missing or malformed flag, or an argument that
        is no flag (absl would pass over it in silence).
      SystemExit: With 0, after printing help.
    """
    flag_values = _make_flag_values(config_class)
    own, after = _cut_at_dashes(argv)
    if any(a.lstrip("-") in ("help", "h", "helpfull") for a in own[1:]):
        sys.stdout.write(_help_text(config_class, description))
        raise SystemExit(0)
    try:
        rest = flag_values(own)
    except flags.Error as error:
        raise ConfigError(f"{error}; --help lists every flag") from error
    if len(rest) > 1:
        raise ConfigError(
            f"unexpected argument {rest[1]!r}: every argument is a flag, "
            f"--name=value (in a flagfile, one on each line)"
        )
    values = {f.name: flag_values[f.name].value for f in _fields(config_class)}
    values.update(_place_rest(config_class, after))
    for field in _fields(config_class):
        if values[field.name] is None and _is_required(field):
            raise ConfigError(f"--{field.name} is required; --help explains it")
        if isinstance(values[field.name], list):
            values[field.name] = tuple(values[field.name])
    return config_class(**values)


def run_program(
    run: Callable[[Any], None], config_class: type, description: str | None
) -> None:
    """The `main` of every program: parse, run, one line for each error."""
    _quieten_libraries()
    try:
        run(parse_config(config_class, sys.argv, description or ""))
    except S2DistillError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        raise SystemExit(130) from None


def _quieten_libraries() -> None:
    """Lets our own lines be seen among those of the libraries."""
    logging.use_absl_handler()
    logging.set_verbosity(logging.INFO)
    # TensorFlow tells of its CPU kernels at each start; warnings stay.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    logging.get_absl_handler().addFilter(
        lambda record: not any(words in record.getMessage() for words in _NOISE)
    )
    # GDAL warns of odd tags at each opening of a file, hundreds of times in a
    # map; its errors are raised.
    standard_logging.getLogger("rasterio").setLevel(standard_logging.ERROR)
    # Beam tells of every stage, and of Google Cloud clients nobody asked for.
    standard_logging.getLogger("apache_beam").setLevel(standard_logging.WARNING)
    standard_logging.getLogger("apache_beam.io.gcp").setLevel(
        standard_logging.ERROR
    )
    # What a step raises reaches us; its traces would bury the one line.
    for name in ("common", "worker"):
        standard_logging.getLogger(f"apache_beam.runners.{name}").setLevel(
            standard_logging.CRITICAL
        )


def to_flag_lines(config: Any) -> list[str]:
    """The lines of a flagfile that give `config` back."""
    lines = []
    for field in _fields(type(config)):
        value = getattr(config, field.name)
        if value is None:
            continue
        if isinstance(value, tuple):
            value = ",".join(value)
        lines.append(f"--{field.name}={value}")
    return lines


def write_run_files(workdir: str | os.PathLike[str], config: Any) -> None:
    """Writes `run.flags` and `versions.json`, which repeat and explain a run.

    `--flagfile=WORKDIR/run.flags` repeats it.
    """
    folder = pathlib.Path(workdir)
    with atomic_file(folder / "run.flags") as path:
        path.write_text(
            "\n".join(to_flag_lines(config)) + "\n", encoding="utf-8"
        )
    write_json(folder / "versions.json", read_versions())


def read_versions() -> dict[str, str]:
    """Versions of Python, this package, its commit and what it stands on."""
    found = {"python": sys.version.split()[0]}
    for package in ("s2distill", "tensorflow", "keras", "numpy", "rasterio"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    found["commit"] = _read_commit()
    return found


def _read_commit() -> str:
    """The commit of the source tree, or 'unknown' outside a checkout."""
    source = pathlib.Path(__file__).resolve().parent
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=source,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return "unknown"
    return answer.stdout.strip() or "unknown"


def _fields(config_class: type) -> list[dataclasses.Field]:
    """Those that are flags."""
    return [
        field
        for field in dataclasses.fields(config_class)
        if not field.metadata.get("rest")
    ]


def _cut_at_dashes(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Arguments before and after a lone `--`."""
    arguments = list(argv)
    if "--" not in arguments:
        return arguments, []
    cut = arguments.index("--")
    return arguments[:cut], arguments[cut + 1 :]


def _place_rest(
    config_class: type, after: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """What stood after `--` by the field that takes it."""
    for field in dataclasses.fields(config_class):
        if field.metadata.get("rest"):
            return {field.name: tuple(after)}
    if after:
        raise ConfigError(
            f"unexpected argument {after[0]!r} after --: this program hands "
            "nothing on to another"
        )
    return {}


def _is_required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING


def _make_flag_values(config_class: type) -> flags.FlagValues:
    flag_values = flags.FlagValues()
    hints = typing.get_type_hints(config_class)
    for field in _fields(config_class):
        default = None if _is_required(field) else field.default
        if isinstance(default, tuple):
            default = list(default)
        _define(
            flag_values,
            field.name,
            _without_none(hints[field.name]),
            default,
            field.metadata["help"],
        )
    return flag_values


def _without_none(hint: Any) -> Any:
    # `Literal[...] | None` is a Union, `int | None` a UnionType.
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        kinds = [k for k in typing.get_args(hint) if k is not type(None)]
        if len(kinds) == 1:
            return kinds[0]
    return hint


def _define(
    flag_values: flags.FlagValues,
    name: str,
    kind: Any,
    default: Any,
    text: str,
) -> None:
    keywords = {"flag_values": flag_values}
    if typing.get_origin(kind) is typing.Literal:
        choices = list(typing.get_args(kind))
        flags.DEFINE_enum(name, default, choices, text, **keywords)
    elif typing.get_origin(kind) is tuple:
        flags.DEFINE_list(name, default, text, **keywords)
    elif kind is bool:
        flags.DEFINE_bool(name, default, text, **keywords)
    elif kind is int:
        flags.DEFINE_integer(name, default, text, **keywords)
    elif kind is float:
        flags.DEFINE_float(name, default, text, **keywords)
    elif kind is str:
        flags.DEFINE_string(name, default, text, **keywords)
    else:
        raise TypeError(f"field {name} has type {kind}, which makes no flag")


def _help_text(config_class: type, description: str) -> str:
    parts = [description.strip(), "", "Flags:", ""]
    hints = typing.get_type_hints(config_class)
    for field in _fields(config_class):
        kind = _without_none(hints[field.name])
        shown = _kind_text(kind)
        if _is_required(field):
            shown += ", required"
        elif field.default is not None:
            value = field.default
            if isinstance(value, tuple):
                value = ",".join(value)
            shown += f", default {value!r}" if value == "" else f", {value}"
        parts.append(
            flags.text_wrap(
                f"--{field.name}  ({shown})", _WIDTH, "      ", "  "
            )
        )
        parts.append(
            flags.text_wrap(field.metadata["help"], _WIDTH, "      ", "      ")
        )
    for field in dataclasses.fields(config_class):
        if field.metadata.get("rest"):
            parts.append("  --  (all arguments after it)")
            parts.append(
                flags.text_wrap(field.metadata["help"], _WIDTH, "      ")
            )
    parts.append("  --flagfile  (file)")
    parts.append("      A file of flags, one a line; later flags win.")
    return "\n".join(parts) + "\n"


def _kind_text(kind: Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return "|".join(str(c) for c in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return "comma-separated list"
    return kind.__name__

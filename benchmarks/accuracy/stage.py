"""A stage: one program with its flags, which a reader can repeat by hand."""

import dataclasses
import hashlib
import importlib
import json
import pathlib
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from s2distill.errors import ConfigError
from s2distill.flag_config import parse_config


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """One command of a benchmark.

    Attributes:
      name: Of the stage, its flagfile and its log.
      program: Module, as after `python -m`.
      flags: Name -> value; None leaves a flag at its default.
      makes: What the command writes; removed when the stage begins anew.
      needs: Names of stages that must have succeeded before.
      seconds: About how long it takes.
      headline: Part of what `--headline_only` runs.
      flagfile: A flagfile that `flags` are added to.
    """

    name: str
    program: str
    flags: Mapping[str, Any]
    makes: tuple[pathlib.Path, ...]
    needs: tuple[str, ...] = ()
    seconds: float
    headline: bool = False
    flagfile: str | None = None

    def flag_lines(self) -> list[str]:
        """The lines of the stage's own flagfile."""
        lines = [f"--flagfile={self.flagfile}"] if self.flagfile else []
        for name, value in self.flags.items():
            if value is None:
                continue
            if isinstance(value, tuple):
                value = ",".join(map(str, value))
            lines.append(f"--{name}={value}")
        return lines


def check_stages(stages: Sequence[Stage]) -> None:
    """Raises ConfigError at a stage whose flags its program would refuse.

    A wrong flag of the last stage is better told before hours of training
    than after.

    Args:
      stages: In an order in which each comes after those it needs.
    """
    seen: set[str] = set()
    for stage in stages:
        if stage.name in seen or not seen.issuperset(stage.needs):
            raise ConfigError(
                f"stage {stage.name} is there twice, or before one of those "
                f"that it needs: {', '.join(stage.needs)}"
            )
        seen.add(stage.name)
        program = importlib.import_module(stage.program)
        try:
            parse_config(program.Config, [stage.program, *stage.flag_lines()])
        except ConfigError as error:
            raise ConfigError(f"stage {stage.name}: {error}") from error


def fingerprint_stages(
    stages: Sequence[Stage], folder: pathlib.Path
) -> dict[str, str]:
    """Name -> digest of a stage's command and of all that it stands on.

    Args:
      stages: In an order in which each comes after those it needs.
      folder: Output of the benchmark, whose name is no part of a digest:
        however a reader spells it, what is done is done.
    """
    digests: dict[str, str] = {}
    for stage in stages:
        content = [
            stage.program,
            {k: _spell(v, folder) for k, v in stage.flags.items()},
            _read_flagfile(stage),
            [digests[name] for name in stage.needs],
        ]
        text = json.dumps(content).encode()
        digests[stage.name] = hashlib.sha256(text).hexdigest()
    return digests


def _spell(value: Any, folder: pathlib.Path) -> Any:
    """A value as text; a path within the folder from there."""
    if isinstance(value, tuple):
        return [_spell(one, folder) for one in value]
    if isinstance(value, pathlib.Path) and value.is_relative_to(folder):
        return f"OUTPUT/{value.relative_to(folder).as_posix()}"
    return str(value)


def _read_flagfile(stage: Stage) -> str:
    if stage.flagfile is None:
        return ""
    return pathlib.Path(stage.flagfile).read_text(encoding="utf-8")

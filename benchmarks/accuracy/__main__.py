r"""Trains and scores everything, and puts it in one table.

    python -m benchmarks.accuracy --preset=small --seed=0 --output=runs/accuracy

Simulates a world, trains the teacher, the student, its baselines and the
variants of the method, each by the command of a stage, and scores them on
scenes never trained on. The output folder then holds results.json, table.md
and plots. Run again, it goes on where it was cut off. On 2 cores under 3
hours; with --headline_only (world, teacher, student, calibration, scores)
under 20 minutes. Everything but the rows of Atlanta is simulated; another
seed is another world. It runs in the root of the repository.
"""

import dataclasses
import json
import pathlib
import signal
import sys
from typing import Any
from typing import Literal

from benchmarks.accuracy.preset import find_preset
from s2distill.errors import ConfigError
from s2distill.errors import TrainingError
from s2distill.flag_config import flag
from s2distill.flag_config import run_program

_CONFIGS = pathlib.Path("configs")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of the program."""

    output: str = flag(help="Folder for everything; one for each benchmark.")
    preset: Literal["small", "full", "tiny"] = flag(
        "small",
        help="small: 2 cores. full: an accelerator. tiny: only checks that "
        "every stage runs.",
    )
    seed: int = flag(0, help="Of the world and of every training.")
    headline_only: bool = flag(
        False, help="Stop after the teacher, the student and their scores."
    )
    precision: Literal["auto", "float32", "mixed_bfloat16"] = flag(
        "auto",
        help="Of every training; auto takes bfloat16 where the processor "
        "multiplies it.",
    )


def run(config: Config) -> dict[str, Any]:
    """Runs what is left to do; returns what is in results.json."""
    from benchmarks.accuracy.atlanta_plan import find_image
    from benchmarks.accuracy.atlanta_plan import make_atlanta_plan
    from benchmarks.accuracy.plan import make_plan
    from benchmarks.accuracy.report import write_report
    from benchmarks.accuracy.run_stages import run_stages
    from benchmarks.accuracy.stage import check_stages

    if not _CONFIGS.is_dir():
        raise ConfigError(
            f"no folder {_CONFIGS}: run this in the root of the repository"
        )
    setup = _make_setup(config)
    stages = make_plan(setup)
    if config.headline_only:
        stages = [stage for stage in stages if stage.headline]
    elif find_image():
        stages += make_atlanta_plan(setup)
    else:
        _say(
            "The real image that configs/atlanta_pair.flags names is not "
            "there: the rows of Atlanta are left out."
        )
    check_stages(stages)
    _write_identity(setup)
    outcomes = run_stages(stages, setup.layout.output)
    results, paths = write_report(setup, stages, outcomes)
    _say("\n".join(["", *map(str, paths)]))
    failed = [n for n, o in outcomes.items() if o.status != "done"]
    if failed:
        raise TrainingError(
            f"{len(failed)} of {len(outcomes)} stages failed or were not run: "
            f"{', '.join(failed)}; {setup.layout.table} has the others. The "
            "same command tries them again"
        )
    return results


def main() -> None:
    """Entry point."""
    # So that a stage is ended with its benchmark, as by Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run_program(run, Config, __doc__)


def _make_setup(config: Config) -> Any:
    from benchmarks.accuracy.layout import Layout
    from benchmarks.accuracy.machine import choose_precision
    from benchmarks.accuracy.machine import read_cpu_flags
    from benchmarks.accuracy.setup import Setup

    preset = find_preset(config.preset)
    precision = config.precision
    if precision == "auto":
        precision = preset.precision or choose_precision(read_cpu_flags())
    return Setup(
        preset_name=config.preset,
        preset=preset,
        seed=config.seed,
        precision=precision,
        layout=Layout(pathlib.Path(config.output)),
    )


def _write_identity(setup: Any) -> None:
    """Refuses a folder of another benchmark."""
    from s2distill.atomic_write import write_json

    identity = {
        "preset": setup.preset_name,
        "seed": setup.seed,
        "precision": setup.precision,
    }
    path = setup.layout.identity
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found != identity:
            raise ConfigError(
                f"{setup.layout.output} holds the benchmark {found}, this one "
                f"is {identity}; choose another --output"
            )
    write_json(path, identity)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

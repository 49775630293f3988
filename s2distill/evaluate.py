r"""Score trained models side by side, as JSON, table and pictures.

    python -m s2distill.evaluate --records=world/labelled --split=test \
        --models=teacher=runs/teacher,student=runs/student --output=scores

Each model is NAME=WORKDIR of s2distill.train. All are scored on the same
tiles against true labels; a model of kind "teacher" among them gives the
retention of the others. What s2distill.calibrate has fitted to a model is
used, and the table says so. Writes scores.json, table.txt and pictures/, and
prints the table.
"""

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

from s2distill.errors import ConfigError
from s2distill.flag_config import flag
from s2distill.flag_config import run_program


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of the program."""

    records: tuple[str, ...] = flag(help="Record folders with labels.")
    models: tuple[str, ...] = flag(
        help="Models to score, each NAME=WORKDIR; the order of the table."
    )
    output: str = flag(help="Folder for scores, table and pictures.")
    split: str = flag("test", help="train, validation or test.")
    batch_size: int = flag(4, help="Tiles in a batch; moves no score.")
    calibrated: bool = flag(
        True,
        help="Use the calibration of those models that have one; it moves "
        "presence and the scale of height, and no mask.",
    )
    count_cell_m: float = flag(
        160.0, help="Side of the squares in which buildings are counted."
    )
    examples: int = flag(
        6, help="Tiles to show, by rank from the worst to the best."
    )
    stratum_pattern: str | None = flag(
        None,
        help="Regular expression; what its first group finds in the key of a "
        "tile is its stratum, and every stratum is scored apart.",
    )


def run(config: Config) -> dict[str, dict[str, Any]]:
    """Scores as configured; returns what is in scores.json."""
    from s2distill.evaluation.report import format_table
    from s2distill.evaluation_run import evaluate_models
    from s2distill.training_run import load_run

    workdirs = parse_models(config.models)
    report, paths = evaluate_models(
        {
            name: load_run(workdir, calibrated=config.calibrated)
            for name, workdir in workdirs.items()
        },
        config.records,
        config.output,
        split=config.split,
        batch_size=config.batch_size,
        count_cell_m=config.count_cell_m,
        examples=config.examples,
        stratum_pattern=config.stratum_pattern,
    )
    sys.stdout.write(format_table(report) + "\n")
    sys.stdout.writelines(f"{path}\n" for path in paths)
    return report


def parse_models(texts: Sequence[str]) -> dict[str, str]:
    """Name -> workdir from texts NAME=WORKDIR; ConfigError if malformed."""
    workdirs: dict[str, str] = {}
    for text in texts:
        name, _, workdir = text.partition("=")
        if not name or not workdir or name in workdirs:
            raise ConfigError(
                f"--models={text}: each is NAME=WORKDIR, each name once"
            )
        workdirs[name] = workdir
    if not workdirs:
        raise ConfigError("--models is empty: give NAME=WORKDIR, or several")
    return workdirs


def main() -> None:
    """Entry point."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()

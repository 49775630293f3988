r"""Damages the labels that a network learns from: spoils them, or shifts them.

    python -m benchmarks.accuracy.damage_labels --records=world/labelled \
        --spoiled_share=0.1 --output=records/spoiled

Of the share of buildings half goes missing, half is invented elsewhere. With
`--shift_m=3` the labels of each tile are moved by up to 3 m instead. Only the
train split is touched.
"""

import dataclasses
import sys
from typing import Any

from s2distill.errors import ConfigError
from s2distill.flag_config import flag
from s2distill.flag_config import run_program


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of the program."""

    records: str = flag(help="Record folder with labels.")
    output: str = flag(help="Record folder to write.")
    spoiled_share: float | None = flag(
        None, help="Share of the buildings whose labels are spoiled."
    )
    shift_m: float | None = flag(
        None, help="Labels of a tile are moved by at most so much."
    )
    seed: int = flag(0, help="Another seed damages other labels.")
    overwrite: bool = flag(False, help="Replace records that exist.")


def run(config: Config) -> Any:
    """Writes the records; returns what was done to them."""
    if (config.spoiled_share is None) == (config.shift_m is None):
        raise ConfigError("give --spoiled_share or --shift_m, and not both")
    from benchmarks.accuracy.damage import shift_labels
    from benchmarks.accuracy.damage import spoil_labels

    damage, amount = spoil_labels, config.spoiled_share
    if config.shift_m is not None:
        damage, amount = shift_labels, config.shift_m
    done = damage(
        config.records,
        config.output,
        amount,
        config.seed,
        overwrite=config.overwrite,
    )
    for name, value in dataclasses.asdict(done).items():
        sys.stdout.write(f"{name}: {value:g}\n")
    return done


def main() -> None:
    """Entry point."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()

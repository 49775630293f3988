r"""Scores one model on every test tile and keeps the sums of each tile.

    python -m benchmarks.accuracy.score_model --model=runs/student \
        --records=world/labelled --output=scores/student.npz

The metrics are those of s2distill.evaluate; `tile_sums` reads the file. With
several numbers of frames, `--frames=1,2,4 --output=student_{frames}.npz`, one
file for each.
"""

import dataclasses
from typing import TYPE_CHECKING

from s2distill.flag_config import flag
from s2distill.flag_config import run_program

if TYPE_CHECKING:
    from s2distill.evaluation.scores import Tile
    from s2distill.training_run import Run


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of the program."""

    model: str = flag(help="Training workdir, finished.")
    records: str = flag(help="Record folder with labels.")
    output: str = flag(
        help="NPZ file to write; {frames} in it becomes their number."
    )
    split: str = flag("test", help="train, validation or test.")
    frames: tuple[str, ...] = flag(
        ("0",),
        help="Frames to show, the clearest; 0 = as many as in training.",
    )
    batch_size: int = flag(4, help="Tiles in a batch; moves no score.")
    count_cell_m: float = flag(
        160.0, help="Side of the squares in which buildings are counted."
    )


def run(config: Config) -> None:
    """Scores, and writes a file for each number of frames."""
    from benchmarks.accuracy.tile_sums import write_tiles
    from s2distill.training_run import load_run

    model = load_run(config.model, calibrated=True)
    for frames in map(int, config.frames):
        tiles = score_tiles(config, model, frames or max(model.frames, 1))
        write_tiles(config.output.replace("{frames}", str(frames)), tiles)


def score_tiles(
    config: Config, model: "Run", frames: int
) -> tuple["Tile", ...]:
    """The sums of every tile, with so many frames."""
    from s2distill.data.folders import open_folders
    from s2distill.evaluation.evaluator import evaluate
    from s2distill.evaluation_run import make_predict_function
    from s2distill.evaluation_run import read_batches

    spec = open_folders([config.records])[0].spec
    label_gsd_m = 10.0 / spec.label_factor
    shown = dataclasses.replace(model, frames=frames)
    return evaluate(
        make_predict_function(model),
        read_batches(shown, [config.records], config.split, config.batch_size),
        label_gsd_m=label_gsd_m,
        count_tile_px=round(config.count_cell_m / label_gsd_m),
    ).tiles


def main() -> None:
    """Entry point."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()

r"""Asks a SavedModel how far each window lies from what it was trained on.

    python -m benchmarks.accuracy.judge_windows --model=saved_models/student \
        --records=unseen/snow/labelled --frames=8 --output=windows/snow.npz

The file holds `scores`, [tiles of the test split, windows of a tile]: above 1
the model would raise an alarm, NaN is not judged.
"""

import dataclasses

from s2distill.flag_config import flag
from s2distill.flag_config import run_program


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of the program."""

    model: str = flag(help="SavedModel of a student.")
    records: str = flag(help="Record folder.")
    output: str = flag(help="NPZ file to write.")
    split: str = flag("test", help="train, validation or test.")
    frames: int = flag(8, help="Frames to show, the clearest.")


def run(config: Config) -> None:
    """Judges every window, and writes the file."""
    import numpy as np
    import tensorflow as tf

    from s2distill.atomic_write import atomic_file
    from s2distill.data.folders import read_records
    from s2distill.data.frames import pick_clearest
    from s2distill.serving.predictor import load_predictor

    predictor = load_predictor(config.model)
    scores = []
    for record in read_records(
        config.records, config.split, names=("s2/image", "s2/valid")
    ):
        dn, valid = record["s2"]["image"], record["s2"]["valid"]
        order = pick_clearest(tf.constant(valid), config.frames).numpy()
        answers = predictor(
            {"s2_dn": dn[order][None], "frame_valid": valid[order][None]}
        )
        scores.append(answers["out_of_distribution"].ravel())
    with atomic_file(config.output) as path:
        np.savez(path, scores=np.stack(scores))


def main() -> None:
    """Entry point."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()

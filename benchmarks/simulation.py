r"""Measures how fast scenes are made, in seconds of one core.

python -m benchmarks.simulation --scenes=24

The bar: at most 0.25 s of one core for a scene of 640 x 640 px with 8 frames
of 10 bands, records included. CPU time is counted, so that other programs on
the machine disturb less than they would on the clock.
"""

import dataclasses
import json
import os
import sys
import tempfile
import time

from s2distill.flag_config import flag
from s2distill.flag_config import run_program


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of this program."""

    scenes: int = flag(24, help="Scenes to make.")
    tile_px: int = flag(32, help="Side of a scene, 10 m pixels.")
    frames: int = flag(8, help="Sentinel-2 dates.")
    seed: int = flag(0, help="Another seed gives other scenes.")


def run(config: Config) -> None:
    """Measures, and writes the numbers as JSON to the terminal."""
    # Before NumPy loads: one thread, as in the workers of simulate.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    import cv2

    from data_prep.simulate import Config as WorldConfig
    from data_prep.simulate import make_example
    from data_prep.simulate import scene_settings
    from data_prep.simulation.placement import make_rule
    from data_prep.simulation.placement import walk_places
    from s2distill.data.records import RecordWriter
    from s2distill.data.schema import RecordSpec

    cv2.setNumThreads(1)
    world = WorldConfig(
        output="unused",
        seed=config.seed,
        tile_px=config.tile_px,
        frames=config.frames,
    )
    settings = scene_settings(world, config.tile_px)
    counts = {"train": config.scenes + 1, "validation": 0, "test": 0}
    rule = make_rule(counts, config.tile_px * 10.0)
    jobs = [
        (settings, place, number % 4 == 0)
        for number, place in enumerate(
            walk_places(rule, counts, config.tile_px)
        )
    ]
    make_example(jobs[0])  # loads what is loaded once
    seconds = []
    examples = []
    for job in jobs[1:]:
        start = time.process_time()
        examples.append((job[2], make_example(job)))
        seconds.append(time.process_time() - start)
    writing = 0.0
    with tempfile.TemporaryDirectory() as folder:
        fields = {True: ("image", "view", "building", "road", "height")}
        fields[False] = ("image", "view")
        for labelled in (True, False):
            spec = RecordSpec(
                bands=settings.bands,
                tile_px=config.tile_px,
                fields=fields[labelled],
            )
            chosen = [e for kind, e in examples if kind == labelled]
            path = os.path.join(folder, str(labelled))
            with RecordWriter(path, spec, provenance={}) as writer:
                # The first loads what TensorFlow loads once.
                writer.write("train", chosen[0] | {"key": "first"})
                start = time.process_time()
                for example in chosen:
                    writer.write("train", example)
                writing += time.process_time() - start
    mean = sum(seconds) / len(seconds)
    each = mean + writing / len(seconds)
    result = {
        "scene_cpu_s": round(mean, 4),
        "scene_cpu_s_median": round(sorted(seconds)[len(seconds) // 2], 4),
        "record_cpu_s": round(writing / len(seconds), 4),
        "scenes_per_s_on_2_cores": round(2 / each, 2),
    }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


def main() -> None:
    """Entry point."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()

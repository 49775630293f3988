"""Measure how fast records become batches, and who waits for whom.

    python -m benchmarks.pipeline --workdir=/tmp/pipeline_benchmark

Writes records of full size with random content into the workdir (once), then
measures, in one process, so that ratios hold on any machine:

  raw          the bytes of the records, nothing decoded
  decoded      all fields, decoded by the schema
  pipeline     batches as in training: crop, frames, symmetries, float32
  waiting      share of a training step spent waiting for a batch, for a step
               that takes --step_s, or else for the small student on this
               machine

and writes them as JSON to stdout. Bars: decoded at least 60 % of raw,
waiting under 5 %.
"""

import dataclasses
import json
import pathlib
import statistics as stats
import sys
import time
from collections.abc import Callable
from typing import Any

from s2distill.flag_config import flag
from s2distill.flag_config import run_program

_FIELDS = ("image", "view", "building", "road", "height", "teacher")
_DN_HIGH = 4000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of this program."""

    workdir: str = flag(help="Folder for the records; kept for a next run.")
    records: int = flag(96, help="Records to write, about 4 MB each.")
    tile_px: int = flag(32, help="Side of a record, Sentinel-2 pixels.")
    frames: int = flag(8, help="Frames of a record and of a batch.")
    crop_px: int = flag(16, help="Side of a training crop; 0 = whole tile.")
    batch_size: int = flag(8, help="Records in a batch.")
    repeats: int = flag(5, help="Of each measurement; the median counts.")
    steps: int = flag(20, help="Training steps in which waiting is measured.")
    step_s: float = flag(
        0.0, help="Seconds of an idle step; 0 trains the small student."
    )


def run(config: Config) -> dict[str, Any]:
    """Measures everything and writes JSON to stdout; returns it too."""
    folder = pathlib.Path(config.workdir) / "records"
    if not folder.exists():
        _write_records(config, folder)
    rates = _measure_rates(config, folder)
    waiting_share, step_s = _measure_waiting(config, folder)
    result = {
        "raw_records_per_s": round(rates["raw"], 1),
        "decoded_records_per_s": round(rates["decoded"], 1),
        "decoded_share_of_raw": round(rates["decoded"] / rates["raw"], 3),
        "pipeline_records_per_s": round(rates["pipeline"], 1),
        "step_s": round(step_s, 4),
        "waiting_share": round(waiting_share, 4),
    }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return result


def _write_records(config: Config, folder: pathlib.Path) -> None:
    import numpy as np
    import tqdm

    from data_prep.band_statistics import write_folder_statistics
    from s2distill.data.bands import DEFAULT_BANDS
    from s2distill.data.records import RecordWriter
    from s2distill.data.schema import RecordSpec

    spec = RecordSpec(
        bands=DEFAULT_BANDS, tile_px=config.tile_px, fields=_FIELDS
    )
    rng = np.random.default_rng(0)
    with RecordWriter(
        folder, spec, provenance={"program": "benchmarks.pipeline"}
    ) as writer:
        for number in tqdm.trange(config.records, desc="writing"):
            writer.write("train", _make_record(spec, number, config, rng))
    write_folder_statistics(folder)


def _make_record(
    spec: Any, number: int, config: Config, rng: Any
) -> dict[str, Any]:
    import numpy as np

    side, label, frames = spec.tile_px, spec.label_px, config.frames

    def mask() -> Any:
        return rng.integers(0, 2, (label, label), dtype=np.uint8)

    def plane() -> Any:
        return rng.random((label, label), np.float32).astype(np.float16)

    return {
        "key": f"record-{number}",
        "s2": {
            "image": rng.integers(
                1,
                _DN_HIGH,
                (frames, side, side, len(spec.bands)),
                dtype=np.uint16,
            ),
            "valid": np.ones((frames, side, side), np.uint8),
            "time_utc_s": np.arange(frames, dtype=np.int64),
        },
        "meta": {
            "crs": "EPSG:32633",
            "transform": np.array([10.0, 0, 5e5, 0, -10.0, 5e6]),
            "product_level": spec.product_level,
            "quantification_dn": spec.quantification_dn,
            "offset_dn": spec.offset_dn,
            "provenance": "{}",
        },
        "image": {
            "rgb": rng.integers(0, 256, (label, label, 3), dtype=np.uint8),
            "valid": np.ones((label, label), np.uint8),
            "view_angle_deg": 10.0,
            "view_azimuth_deg": 90.0,
        },
        "label": {
            "valid": np.ones((label, label), np.uint8),
            "building": mask(),
            "centroid_density": plane(),
            "road": mask(),
            "height_m": plane(),
        },
        "teacher": {
            "building_probs": plane(),
            "road_probs": plane(),
            "centroid_density": plane(),
            "height_m": plane(),
            "valid": np.ones((label, label), np.uint8),
        },
    }


def _measure_rates(config: Config, folder: pathlib.Path) -> dict[str, float]:
    """Records per second; the kinds take turns, so that noise is shared."""
    import tensorflow as tf

    from s2distill.data.manifest import read_manifest
    from s2distill.data.schema import make_features

    manifest = read_manifest(folder)
    paths = [str(folder / shard.file) for shard in manifest.shards]
    features = make_features(manifest.spec)

    def raw() -> tf.data.Dataset:
        return tf.data.TFRecordDataset(
            paths, num_parallel_reads=tf.data.AUTOTUNE
        )

    def decoded() -> tf.data.Dataset:
        return raw().map(
            features.deserialize_example, num_parallel_calls=tf.data.AUTOTUNE
        )

    records = manifest.count("train")
    batches = max(1, records // config.batch_size)
    training = _training_batches(config, folder)

    def pipeline() -> tf.data.Dataset:
        return training.take(batches)

    found: dict[str, list[float]] = {"raw": [], "decoded": [], "pipeline": []}
    sizes = [records, records, batches * config.batch_size]
    for _ in range(config.repeats):
        for make, size in zip((raw, decoded, pipeline), sizes, strict=True):
            found[make.__name__].append(size / _seconds(make))
    return {name: stats.median(values) for name, values in found.items()}


def _seconds(make: Callable[[], Any]) -> float:
    """Seconds to run through a dataset; its elements never leave TensorFlow."""
    import tensorflow as tf

    dataset = make()
    started_s = time.perf_counter()
    dataset.reduce(tf.constant(0, tf.int64), lambda n, *_: n + 1).numpy()
    return time.perf_counter() - started_s


def _training_batches(config: Config, folder: pathlib.Path) -> Any:
    from s2distill.data.manifest import STATISTICS_FILE
    from s2distill.data.normalize import read_statistics
    from s2distill.data.pipeline import PipelineConfig
    from s2distill.data.pipeline import make_train_dataset

    return make_train_dataset(
        [str(folder)],
        PipelineConfig(
            batch_size=config.batch_size,
            frames=config.frames,
            crop_px=config.crop_px or None,
            frame_drop=0.2,
        ),
        read_statistics(folder / STATISTICS_FILE),
    )


def _measure_waiting(
    config: Config, folder: pathlib.Path
) -> tuple[float, float]:
    """Share of the time that a training loop waits, and its step in seconds."""
    batches = iter(_training_batches(config, folder))
    if config.step_s:

        def step(inputs: Any, targets: Any) -> None:
            del inputs, targets
            time.sleep(config.step_s)

    else:
        step = _make_student_step(folder)
    step(*next(batches))  # tracing and the first fill of the shuffle buffer
    step(*next(batches))
    waited_s, started_s = 0.0, time.perf_counter()
    for _ in range(config.steps):
        asked_s = time.perf_counter()
        batch = next(batches)
        waited_s += time.perf_counter() - asked_s
        step(*batch)
    took_s = time.perf_counter() - started_s
    return waited_s / took_s, took_s / config.steps


def _make_student_step(folder: pathlib.Path) -> Callable[[Any, Any], None]:
    """Trains the small student on hard labels and the teacher's answers."""
    import keras

    from s2distill.data.manifest import read_manifest
    from s2distill.models.network import build_network
    from s2distill.training.objective import Objective
    from s2distill.training.trainer import Trainer

    spec = read_manifest(folder).spec
    network = build_network(
        "student",
        preset="small",
        bands=len(spec.bands),
        label_factor=spec.label_factor,
    )
    trainer = Trainer(network, Objective(hard_share=0.3, temperature=1.0))
    trainer.compile(optimizer=keras.optimizers.AdamW(1e-4))

    def step(inputs: Any, targets: Any) -> None:
        trainer.train_on_batch(inputs, targets)

    return step


def main() -> None:
    """Entry point."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()

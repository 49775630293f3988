r"""Times a network beside the machine's own matrix product, in one process.

    python -m benchmarks.accuracy.time_network --network=student \
        --frame_counts=1,8,16,32 --output=cost/student.json

Forward passes on 320 m of ground, 10 bands, answers at 0.5 m, each between
two products of 2048 x 2048 matrices in float32: what another process takes
from the machine slows both. Then training steps. Medians over the repeats.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

from s2distill.flag_config import flag
from s2distill.flag_config import run_program

if TYPE_CHECKING:
    import keras
    import numpy as np

PRODUCT_SIDE = 2048
SIDE_PX = 32  # of 10 m
BANDS = 10
LABEL_FACTOR = 20
_KM2 = (SIDE_PX * 10 / 1000) ** 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of the program."""

    network: str = flag(help="As in s2distill.train.")
    output: str = flag(help="JSON file to write.")
    preset: str = flag("small", help="Size of the network.")
    precisions: tuple[str, ...] = flag(
        ("float32", "mixed_bfloat16"),
        help="Of the network, one after another; the product stays float32.",
    )
    frame_counts: tuple[str, ...] = flag(
        ("8",), help="T of the forward passes; a teacher has one image."
    )
    frames: int = flag(8, help="T of a training step.")
    batch_size: int = flag(16, help="Crops of a training step.")
    crop_px: int = flag(8, help="Side of a crop, pixels of 10 m.")
    repeats: int = flag(5, help="Measurements of each; the median counts.")


def run(config: Config) -> list[dict[str, Any]]:
    """Measures; returns what is in the file, an entry for each precision."""
    from s2distill.atomic_write import write_json

    results = [_measure(config, name) for name in config.precisions]
    write_json(config.output, results)
    return results


def main() -> None:
    """Entry point."""
    run_program(run, Config, __doc__)


def _measure(config: Config, precision: str) -> dict[str, Any]:
    import keras

    from s2distill.models.network import build_network

    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(precision)
    try:
        network = build_network(
            config.network,
            preset=config.preset,
            bands=BANDS,
            label_factor=LABEL_FACTOR,
        )
    finally:
        keras.config.set_dtype_policy("float32")
    sees_image = "image" in network.input
    counts = [0] if sees_image else [int(t) for t in config.frame_counts]
    return {
        "network": config.network,
        "preset": config.preset,
        "precision": precision,
        "parameters": network.count_params(),
        "forward": [
            time_forward(network, frames, config.repeats) for frames in counts
        ],
        # Last, for it moves the weights.
        "training_step": time_training(network, config),
    }


def time_forward(
    network: "keras.Model", frames: int, repeats: int
) -> dict[str, float]:
    """Seconds and work of one square kilometre.

    Args:
      network: Of `models.network`.
      frames: T; 0 for a network that sees an image.
      repeats: Measurements.

    Returns:
      frames, multiply_adds_per_km2, seconds_per_km2, gflops (2 operations a
      multiply-add), product_gflops, share_of_product.
    """
    import tensorflow as tf

    from benchmarks.accuracy.cost import count_multiply_adds

    side = SIDE_PX * LABEL_FACTOR if frames == 0 else SIDE_PX
    inputs = {
        name: tf.constant(values)
        for name, values in make_inputs(network, 1, frames, SIDE_PX).items()
    }
    forward = tf.function(
        lambda fed: network(fed, training=False), jit_compile=False
    )
    matrix = tf.random.normal([PRODUCT_SIDE, PRODUCT_SIDE], seed=0)
    product = tf.function(tf.linalg.matmul)
    seconds, product_s = time_in_turns(
        lambda: wait(forward(inputs)),
        lambda: product(matrix, matrix).numpy(),
        repeats,
    )
    multiply_adds = count_multiply_adds(network, max(frames, 1), side, side)
    gflops = 2e-9 * multiply_adds / seconds
    product_gflops = 2e-9 * PRODUCT_SIDE**3 / product_s
    return {
        "frames": frames,
        "multiply_adds_per_km2": multiply_adds / _KM2,
        "seconds_per_km2": seconds / _KM2,
        "gflops": gflops,
        "product_gflops": product_gflops,
        "share_of_product": gflops / product_gflops,
    }


def time_training(network: "keras.Model", config: Config) -> dict[str, Any]:
    """Seconds of a training step, and of the product beside it."""
    import tensorflow as tf

    from s2distill.training.objective import Objective
    from s2distill.training.optimizer import make_optimizer
    from s2distill.training.trainer import Trainer

    trainer = Trainer(network, Objective(hard_share=1.0))
    optimizer = make_optimizer(
        steps=1000,
        learning_rate=1e-3,
        warmup_steps=10,
        weight_decay=1e-4,
        clip_norm=1.0,
    )
    trainer.compile(optimizer=optimizer, jit_compile=False)
    frames = 0 if "image" in network.input else config.frames
    inputs = make_inputs(network, config.batch_size, frames, config.crop_px)
    targets = make_targets(config.batch_size, config.crop_px * LABEL_FACTOR)
    matrix = tf.random.normal([PRODUCT_SIDE, PRODUCT_SIDE], seed=0)
    product = tf.function(tf.linalg.matmul)
    seconds, product_s = time_in_turns(
        lambda: trainer.train_on_batch(inputs, targets),
        lambda: product(matrix, matrix).numpy(),
        config.repeats,
    )
    return {
        "seconds": seconds,
        "product_gflops": 2e-9 * PRODUCT_SIDE**3 / product_s,
        "batch_size": config.batch_size,
        "crop_px": config.crop_px,
        "frames": frames,
    }


def time_in_turns(
    first: Callable[[], Any], second: Callable[[], Any], repeats: int
) -> tuple[float, float]:
    """Median seconds of two functions that take turns, each warmed up."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for function in (first, second):
        function()
        function()  # the first call traces, the second fills the caches
    for _ in range(repeats):
        for function, measured in zip((first, second), seconds, strict=True):
            start_s = time.perf_counter()
            function()
            measured.append(time.perf_counter() - start_s)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def wait(answers: dict[str, Any]) -> float:
    """Reads one number of each answer: until then it may be unfinished."""
    return sum(float(values[0, 0, 0, 0]) for values in answers.values())


def make_inputs(
    network: "keras.Model", batch: int, frames: int, side_px: int
) -> dict[str, "np.ndarray"]:
    """Random inputs of a network, all valid, float32."""
    import numpy as np

    rng = np.random.default_rng(0)
    label_px = side_px * LABEL_FACTOR
    shapes = {
        "s2": (batch, frames, side_px, side_px, BANDS),
        "image": (batch, label_px, label_px, 3),
        "view": (batch, 3),
    }
    made = {
        name: rng.uniform(-1, 1, shape).astype(np.float32)
        for name, shape in shapes.items()
        if name in network.input
    }
    if "frame_valid" in network.input:
        made["frame_valid"] = np.ones(shapes["s2"][:4], np.float32)
    return made


def make_targets(batch: int, side_px: int) -> dict[str, "np.ndarray"]:
    """Random labels of everything, all known, float32."""
    import numpy as np

    rng = np.random.default_rng(1)
    shape = (batch, side_px, side_px, 1)

    def draw(high: float) -> np.ndarray:
        return rng.uniform(0, high, shape).astype(np.float32)

    targets = {
        "building": np.round(draw(1)),
        "road": np.round(draw(1)),
        "centroid_density": draw(1e-3),
        "height_m": draw(20),
        "image_grey": draw(1),
    }
    for name in ("building", "road", "height", "image"):
        targets[f"{name}_weight"] = np.ones(shape, np.float32)
    return targets


if __name__ == "__main__":
    main()

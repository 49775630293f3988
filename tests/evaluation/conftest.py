"""Small tiles with a known truth, as the pipeline would batch them."""

import numpy as np
import pytest

HEIGHT, WIDTH = 24, 40


def _make_tiles(number, seed):
    """Targets [number, h, w, 1] and answers that are nearly right."""
    rng = np.random.default_rng(seed)
    shape = (number, HEIGHT // 4, WIDTH // 4)
    blocks = (rng.random(shape) < 0.3).repeat(4, 1).repeat(4, 2)
    building = blocks[..., np.newaxis].astype(np.float32)
    road = (rng.random(building.shape) < 0.2).astype(np.float32)
    known = (rng.random(building.shape) < 0.9).astype(np.float32)
    density = rng.random(building.shape).astype(np.float32) * 0.01
    height = rng.uniform(2, 30, building.shape).astype(np.float32)
    targets = {
        "building": building,
        "building_weight": known,
        "road": road,
        "road_weight": known,
        "centroid_density": density,
        "height_m": height * building,
        "height_weight": known * building,
        "key": np.array([f"tile-{n}".encode() for n in range(number)]),
        "stratum": np.array(
            [b"old" if n % 3 else b"new" for n in range(number)]
        ),
    }
    noise = rng.normal(0, 0.25, (4, *building.shape)).astype(np.float32)
    answers = {
        "building": np.clip(0.2 + 0.6 * building + noise[0], 0, 1),
        "road": np.clip(0.2 + 0.6 * road + noise[1], 0, 1),
        "centroid_density": np.abs(density + 0.004 * noise[2]),
        "height_m": height + 8 * noise[3],
    }
    return targets, answers


@pytest.fixture(scope="session")
def tiles():
    """Returns a function: number and seed to (targets, answers)."""
    return _make_tiles


@pytest.fixture(scope="session")
def make_batches():
    """Cuts targets and answers into batches; inputs carry the answers."""

    def cut(targets, answers, batch_size):
        number = len(next(iter(targets.values())))
        return [
            tuple(
                {k: v[start : start + batch_size] for k, v in arrays.items()}
                for arrays in (answers, targets)
            )
            for start in range(0, number, batch_size)
        ]

    return cut

"""Fixtures for all tests: real files, and honest small records."""

import os
import pathlib

import numpy as np
import pytest

# Quiet: the start-up lines of TensorFlow are no part of a test's output.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

_REAL_DATA = pathlib.Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data():
    """Maps the name of a real data set to its folder; skips where absent.

    The data lie beside the project and never in it (licences, size), so a
    clone elsewhere has none; pytest names each test that this leaves out.
    """

    def find(name):
        folder = _REAL_DATA / name
        if not folder.is_dir():
            pytest.skip(f"real data {name} is not at {folder}")
        return folder

    return find


def make_example(spec, key, frames, rng):
    """A random record that fits `spec`: every value is told from another.

    Invalid pixels hold 0 DN, unlabelled ground holds 0, heights are unknown
    (NaN) off buildings and on some of them.
    """
    side, label = spec.tile_px, spec.label_px
    valid = (rng.random((frames, side, side)) < 0.8).astype(np.uint8)
    dn = rng.integers(
        1, 12_000, (frames, side, side, len(spec.bands)), dtype=np.uint16
    )
    example = {
        "key": key,
        "s2": {
            "image": dn * valid[..., None],
            "valid": valid,
            "time_utc_s": 1_600_000_000 + 432_000 * np.arange(frames),
        },
        "meta": {
            "crs": "EPSG:32633",
            "transform": np.array([10.0, 0, 5e5, 0, -10.0, 5e6]),
            "product_level": spec.product_level,
            "quantification_dn": spec.quantification_dn,
            "offset_dn": spec.offset_dn,
            "provenance": "{}",
        },
    }
    example["s2"]["time_utc_s"] = example["s2"]["time_utc_s"].astype(np.int64)
    _add_image(example, spec, label, rng)
    _add_labels(example, spec, label, rng)
    if "teacher" in spec.fields:
        example["teacher"] = _make_teacher(spec, label, rng)
    return example


def _add_image(example, spec, label, rng):
    image = {}
    if "image" in spec.fields:
        image["valid"] = (rng.random((label, label)) < 0.9).astype(np.uint8)
        rgb = rng.integers(1, 256, (label, label, 3), dtype=np.uint8)
        image["rgb"] = rgb * image["valid"][..., None]
    if "view" in spec.fields:
        image["view_angle_deg"] = np.float32(rng.uniform(0, 30))
        image["view_azimuth_deg"] = np.float32(rng.uniform(0, 360))
    if image:
        example["image"] = image


def _add_labels(example, spec, label, rng):
    if not spec.has_labels:
        return
    valid = (rng.random((label, label)) < 0.9).astype(np.uint8)
    group = {"valid": valid}
    if "building" in spec.fields:
        group["building"] = valid * rng.integers(
            0, 2, (label, label), dtype=np.uint8
        )
        group["centroid_density"] = valid * rng.random((label, label)).astype(
            np.float16
        )
    if "road" in spec.fields:
        group["road"] = valid * rng.integers(
            0, 2, (label, label), dtype=np.uint8
        )
    if "height" in spec.fields:
        height_m = rng.uniform(2, 40, (label, label)).astype(np.float16)
        height_m[rng.random((label, label)) < 0.5] = np.nan
        group["height_m"] = height_m
    example["label"] = group


def _make_teacher(spec, label, rng):
    def plane(high):
        return rng.uniform(0, high, (label, label)).astype(np.float16)

    planes = {
        "building_probs": plane(1),
        "road_probs": plane(1),
        "centroid_density": plane(0.02),
        "height_m": plane(40),
    }
    if spec.teacher_scales:
        planes["height_scale_m"] = plane(5)
    group = {"valid": (rng.random((label, label)) < 0.95).astype(np.uint8)}
    return group | {name: planes[name] for name in spec.teacher_features}


@pytest.fixture
def example_records():
    """Writes a folder of random records and returns them by split.

    `frames` holds the least and the greatest T; keyword arguments besides
    are those of RecordSpec.
    """
    from s2distill.data.records import RecordWriter
    from s2distill.data.schema import RecordSpec

    def write(
        directory,
        counts,
        *,
        frames=(1, 5),
        seed=0,
        prefix="tile",
        records_per_shard=4,
        **spec_fields,
    ):
        keywords = {"bands": ("B2", "B8", "B12"), "tile_px": 6}
        spec = RecordSpec(**{**keywords, **spec_fields})
        rng = np.random.default_rng(seed)
        written = {}
        with RecordWriter(
            directory,
            spec,
            provenance={"program": "tests"},
            records_per_shard=records_per_shard,
        ) as writer:
            for split, count in counts.items():
                written[split] = []
                for number in range(count):
                    example = make_example(
                        spec,
                        f"{prefix}-{split}-{number}",
                        int(rng.integers(frames[0], frames[1] + 1)),
                        rng,
                    )
                    writer.write(split, example)
                    written[split].append(example)
        return written

    return write


@pytest.fixture
def start_server():
    """Starts doubles of Earth Engine: `start_server(latency_s=0.1)`."""
    from tests.earth_engine_server.server import EarthEngineServer
    from tests.earth_engine_server.server import Settings

    servers = []

    def start(**settings):
        servers.append(EarthEngineServer(Settings(**settings)))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def reach():
    """Flags that reach such a server, for any program that asks it."""

    def flags(server):
        return {
            "ee_project": "my-project",
            "ee_credentials": "anonymous",
            "ee_url": server.url,
        }

    return flags

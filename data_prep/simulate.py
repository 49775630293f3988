r"""Writes a simulated world of towns as training records.

python -m data_prep.simulate --output=/tmp/world --train_scenes=200 \
    --validation_scenes=20 --test_scenes=40

The folder then holds `labelled` (a share of the train scenes, validation
and test, with the truth) and `unlabelled` (the other train scenes, without
it). The same seed gives the same bytes, on any number of workers. With
`--town_geotiffs=DIR` it writes one larger town as GeoTIFFs and GeoJSON
instead: input for data_prep.pair_geotiffs and s2distill.predict.

`--styles` and `--condition` are there to test trust: write a world that no
network was trained on, and see whether yours tells it from its own.
"""

import collections
import contextlib
import dataclasses
import multiprocessing
import os
import sys
from collections.abc import Iterator
from typing import Any
from typing import Literal

from data_prep.simulation.styles import STYLE_WEIGHTS
from data_prep.simulation.styles import UNSEEN_STYLES
from s2distill.data.bands import DEFAULT_BANDS
from s2distill.errors import ConfigError
from s2distill.flag_config import flag
from s2distill.flag_config import run_program
from s2distill.flag_config import to_flag_lines

# Workers share the cores, so each takes one thread. Their arrays are mostly
# of the same few sizes: memory given back by one is kept for the next, which
# saves the system the work of clearing it (a tenth of the time).
_WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "134217728",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of this program."""

    output: str = flag("", help="Folder to write records to.")
    train_scenes: int = flag(200, help="Scenes in the train split.")
    validation_scenes: int = flag(20, help="Scenes in the validation split.")
    test_scenes: int = flag(40, help="Scenes in the test split.")
    labelled_share: float = flag(
        0.25, help="Share of the train scenes that carry labels."
    )
    tile_px: int = flag(32, help="Side of a scene, Sentinel-2 pixels of 10 m.")
    frames: int = flag(8, help="Sentinel-2 dates of each scene.")
    bands: tuple[str, ...] = flag(DEFAULT_BANDS, help="Sentinel-2 bands.")
    offset_dn: float = flag(
        0.0, help="0, or -1000 as in products since January 2022."
    )
    seed: int = flag(0, help="Another seed gives another world.")
    styles: tuple[str, ...] = flag(
        tuple(STYLE_WEIGHTS),
        help="Kinds of town, in the world's usual proportions. Never drawn "
        f"unless named, for tests of trust: {', '.join(UNSEEN_STYLES)}.",
    )
    condition: Literal["ordinary", "snow", "haze", "eight_bit"] = flag(
        "ordinary",
        help="What Sentinel-2 sees the towns under; all but ordinary are for "
        "tests of trust, not for training. snow and haze lie over every "
        "date and no mask finds them; eight_bit stretches 0..3000 DN to "
        "0..255, as pictures made for the eye. Labels and 50 cm image stay.",
    )
    workers: int = flag(0, help="Processes; 0 = one for each core.")
    overwrite: bool = flag(False, help="Replace records that exist.")
    town_geotiffs: str = flag(
        "", help="Folder to write one town to, as GeoTIFFs and GeoJSON."
    )
    town_px: int = flag(
        128, help="Side of that town, Sentinel-2 pixels of 10 m."
    )


def run(config: Config) -> None:
    """Writes the records, or the town."""
    if bool(config.output) == bool(config.town_geotiffs):
        raise ConfigError(
            "give --output=DIR for records or --town_geotiffs=DIR for one "
            "town, and not both"
        )
    if config.town_geotiffs:
        from data_prep.simulation.town_files import write_town_files

        write_town_files(
            config.town_geotiffs,
            scene_settings(config, config.town_px),
            overwrite=config.overwrite,
        )
        sys.stdout.write(f"town: {config.town_geotiffs}\n")
        return
    _check(config)
    _write_records(config)


def scene_settings(config: Config, size_px: int) -> Any:
    """The settings that scenes of this run share."""
    from data_prep.simulation.scene import SceneSettings
    from data_prep.simulation.styles import weights_of
    from s2distill.data.bands import parse_band_names

    weights_of(config.styles)  # refuses before a worker does
    return SceneSettings(
        seed=config.seed,
        bands=parse_band_names(config.bands),
        height_px=size_px,
        width_px=size_px,
        frames=config.frames,
        offset_dn=config.offset_dn,
        styles=config.styles,
        condition=config.condition,
    )


def _check(config: Config) -> None:
    if not 0 <= config.labelled_share <= 1:
        raise ConfigError(
            f"--labelled_share={config.labelled_share} must lie in 0..1"
        )
    if config.frames < 1 or config.tile_px < 4 or config.tile_px % 2:
        raise ConfigError(
            f"--frames={config.frames} must be at least 1 and --tile_px="
            f"{config.tile_px} even and at least 4"
        )
    if config.seed < 0:
        raise ConfigError(f"--seed={config.seed} must be at least 0")


def _write_records(config: Config) -> None:
    import tqdm

    from data_prep.band_statistics import write_folder_statistics
    from data_prep.simulation.placement import check_places_apart
    from data_prep.simulation.placement import make_rule
    from data_prep.simulation.placement import walk_places
    from s2distill.data.records import RecordWriter
    from s2distill.data.schema import RecordSpec

    counts = {
        "train": config.train_scenes,
        "validation": config.validation_scenes,
        "test": config.test_scenes,
    }
    rule = make_rule(counts, config.tile_px * 10.0)
    places = list(walk_places(rule, counts, config.tile_px))
    check_places_apart(places, rule)
    labelled = round(config.labelled_share * config.train_scenes)
    settings = scene_settings(config, config.tile_px)
    jobs = [
        (settings, place, place.split != "train" or place.number < labelled)
        for place in places
    ]
    fields = {"labelled": ("image", "view", "building", "road", "height")}
    fields["unlabelled"] = ("image", "view")
    present = collections.Counter(
        "labelled" if has_labels else "unlabelled" for *_, has_labels in jobs
    )
    with contextlib.ExitStack() as stack:
        examples = _make_examples(jobs, config.workers, stack)
        writers = {
            name: stack.enter_context(
                RecordWriter(
                    os.path.join(config.output, name),
                    RecordSpec(
                        bands=settings.bands,
                        tile_px=config.tile_px,
                        fields=fields[name],
                        offset_dn=config.offset_dn,
                    ),
                    provenance=_provenance(config),
                    split_rule=rule.to_json(),
                    overwrite=config.overwrite,
                )
            )
            for name in present
        }
        progress = tqdm.tqdm(
            examples, total=len(jobs), desc="scenes", unit="scene"
        )
        for (_, place, has_labels), example in zip(jobs, progress, strict=True):
            name = "labelled" if has_labels else "unlabelled"
            writers[name].write(place.split, example)
    for name in sorted(present):
        folder = os.path.join(config.output, name)
        if any(
            place.split == "train" and has_labels == (name == "labelled")
            for _, place, has_labels in jobs
        ):
            write_folder_statistics(folder)
        sys.stdout.write(f"{name}: {present[name]} records in {folder}\n")


def _provenance(config: Config) -> dict[str, Any]:
    """Program and settings; nothing that changes the bytes between runs."""
    left_out = ["--output=", "--workers=", "--overwrite=", "--town"]
    # Worlds of before these flags keep their bytes.
    for name in ("styles", "condition"):
        if getattr(config, name) == getattr(Config, name):
            left_out.append(f"--{name}=")
    return {
        "program": "data_prep.simulate",
        "flags": [
            line
            for line in to_flag_lines(config)
            if not line.startswith(tuple(left_out))
        ],
    }


def _make_examples(
    jobs: list[Any], workers: int, stack: contextlib.ExitStack
) -> Iterator[dict[str, Any]]:
    """Makes the records in order, on several cores.

    The processes start at once, so that they work while this one still
    loads TensorFlow. At most a few scenes wait for the writer, so memory
    does not grow with their number. One worker too is a process of its own:
    with the threads of this one, sums would round in another order.
    """
    number = min(workers or os.cpu_count() or 1, len(jobs))
    context = multiprocessing.get_context("spawn")
    with _worker_environment():
        pool = stack.enter_context(context.Pool(number, _start_worker))
    ahead = 4 * number
    waiting = collections.deque(
        pool.apply_async(make_example, (job,)) for job in jobs[:ahead]
    )

    def answers() -> Iterator[dict[str, Any]]:
        for job in jobs[ahead:]:
            yield waiting.popleft().get()
            waiting.append(pool.apply_async(make_example, (job,)))
        while waiting:
            yield waiting.popleft().get()

    return answers()


def make_example(job: tuple[Any, Any, bool]) -> dict[str, Any]:
    """One record; called in worker processes, so TensorFlow stays out."""
    from data_prep.simulation.scene import make_scene
    from data_prep.simulation.scene import to_example

    settings, place, has_labels = job
    scene = make_scene(settings, place.grid, place.block)
    return to_example(scene, settings, place.key, labels=has_labels)


def _start_worker() -> None:
    import cv2

    cv2.setNumThreads(1)


@contextlib.contextmanager
def _worker_environment() -> Iterator[None]:
    """Processes started within get `_WORKER_ENVIRONMENT`."""
    before = {name: os.environ.get(name) for name in _WORKER_ENVIRONMENT}
    os.environ.update(_WORKER_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def main() -> None:
    """Entry point of the console script."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()

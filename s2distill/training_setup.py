"""What a training begins with: fitting records, band statistics, a trainer."""

import os
from collections.abc import Sequence

import keras

from s2distill.data.manifest import STATISTICS_FILE
from s2distill.data.manifest import Manifest
from s2distill.data.normalize import BandStatistics
from s2distill.data.normalize import read_statistics
from s2distill.data.schema import RecordSpec
from s2distill.data.schema import in_order
from s2distill.data.schema import learnable
from s2distill.errors import ConfigError
from s2distill.errors import RecordError
from s2distill.models.network import build_network
from s2distill.training.objective import Objective
from s2distill.training.trainer import Trainer
from s2distill.training_config import Config
from s2distill.training_run import Run
from s2distill.training_run import load_run

_MASKS = frozenset({"building", "road"})
_S2_GSD_M = 10.0


def check_targets(config: Config, manifests: Sequence[Manifest]) -> None:
    """Refuses records from which the network would learn no mask.

    Args:
      config: Of the program.
      manifests: Of `config.records`.

    Raises:
      ConfigError: If the share of labels asks for what no record holds.
      RecordError: If a 50 cm image is needed and a folder has none.
    """
    held = {field for manifest in manifests for field in manifest.spec.fields}
    folders = ", ".join(config.records)
    soft_held = {a for m in manifests for a in m.spec.teacher_answers}
    hard = config.hard_share > 0 and not held.isdisjoint(_MASKS)
    soft = config.hard_share < 1 and (
        bool(config.teacher) or not soft_held.isdisjoint(_MASKS)
    )
    if not hard and not soft:
        raise ConfigError(
            f"--hard_share={config.hard_share:g} and {folders} with "
            f"{', '.join(sorted(held)) or 'frames alone'}: there is nothing "
            "to learn from; give labelled records, or --hard_share=0 and "
            "records from data_prep.label_with_teacher"
        )
    if config.hard_share < 1 and not soft:
        raise ConfigError(
            f"--hard_share={config.hard_share:g} leaves the rest to a teacher, "
            f"and {folders} holds no answers of one, building or road; write "
            "them with data_prep.label_with_teacher, or give --teacher or "
            "--hard_share=1"
        )
    if config.network != "teacher" and not config.teacher:
        return
    for directory, manifest in zip(config.records, manifests, strict=True):
        if "image" not in manifest.spec.fields:
            raise RecordError(
                f"{directory} holds no 50 cm images, which a teacher looks "
                "at; leave the folder out or pair the places with an image"
            )
    if config.view and "view" not in held:
        raise RecordError(
            f"--view: {folders} does not tell from where its images were "
            "taken, it has no field `view`; drop the flag"
        )


def find_answers(
    config: Config, manifests: Sequence[Manifest], trainer: Trainer
) -> tuple[str, ...]:
    """What the network is taught; its other answers mean nothing.

    What the weights to start from were taught does not count: an answer that
    is trained no more drifts with all that it shares with the others.

    Args:
      config: Of the program.
      manifests: Of `config.records`.
      trainer: Knows what a live teacher answers.

    Returns:
      Those of `schema.ANSWERS` that have labels, if the run learns from
      labels, or a teacher's answers, if it learns from these.
    """
    taught: set[str] = set()
    for manifest in manifests:
        if not manifest.count("train"):
            continue
        if config.hard_share > 0:
            taught.update(learnable(manifest.spec.fields))
        if config.hard_share < 1:
            taught.update(learnable(manifest.spec.teacher_answers))
    if config.teacher:
        taught.update(trainer.teacher_answers)
    return in_order(taught)


def load_source(config: Config) -> Run | None:
    """The run to start from, or None."""
    return load_run(config.init_from) if config.init_from else None


def read_band_statistics(
    config: Config, spec: RecordSpec, source: Run | None
) -> BandStatistics:
    """Those the weights to start from know, else of the first record folder.

    A teacher knows none: it looks at no frame, and its run may be of others.
    """
    if source and config.network != "teacher":
        return source.statistics.select(spec.bands)
    path = os.path.join(config.records[0], STATISTICS_FILE)
    return read_statistics(path).select(spec.bands)


def make_trainer(
    config: Config, spec: RecordSpec, source: Run | None = None
) -> Trainer:
    """The network with its objective, and its teacher if it asks one.

    Args:
      config: Of the program.
      spec: Of the records.
      source: Run whose weights to start from.

    Raises:
      ConfigError: If the weights to start from do not fit, or the teacher
        is none.
    """
    network = build_network(
        config.network,
        preset=config.preset,
        bands=len(spec.bands),
        label_factor=spec.label_factor,
        fusion=config.fusion,
        view=config.view,
    )
    if source:
        _copy_weights(network, source, config, spec)
    objective = _make_objective(config, spec)
    if not config.teacher:
        return Trainer(network, objective)
    teacher = _load_teacher(config)
    return Trainer(
        network,
        objective,
        teacher=teacher.network,
        teacher_answers=teacher.answers,
    )


def _make_objective(config: Config, spec: RecordSpec) -> Objective:
    side_m = (config.crop_px or spec.tile_px) * _S2_GSD_M
    if 2 * config.label_shift_m >= side_m / 2:
        raise ConfigError(
            f"--label_shift_m={config.label_shift_m:g} to either side leaves "
            f"less than half of a crop of {side_m:g} m to compare; take larger "
            "crops with --crop_px, or a smaller shift"
        )
    return Objective(
        hard_share=config.hard_share,
        temperature=config.temperature,
        hint=config.hint_weight,
        edge_weight=config.edge_weight,
        label_shift_m=config.label_shift_m,
        label_gsd_m=_S2_GSD_M / spec.label_factor,
    )


def _load_teacher(config: Config) -> Run:
    run = load_run(config.teacher)
    if run.kind != "teacher":
        raise ConfigError(
            f"--teacher={config.teacher} holds a {run.kind}; a teacher is "
            "trained with --network=teacher"
        )
    return run


def _copy_weights(
    network: keras.Model, source: Run, config: Config, spec: RecordSpec
) -> None:
    shapes = [tuple(w.shape) for w in network.weights]
    found = [tuple(w.shape) for w in source.network.weights]
    # A teacher has no use for bands; its card still tells them.
    same_bands = config.network == "teacher" or source.spec.bands == spec.bands
    if shapes != found or not same_bands:
        raise ConfigError(
            f"--init_from={config.init_from} holds a {source.kind} of bands "
            f"{','.join(source.spec.bands)}; its weights do not fit a "
            f"{config.network} of preset {config.preset} and these records, "
            f"of bands {','.join(spec.bands)}"
        )
    if (
        config.network != "teacher"
        and source.spec.product_level != spec.product_level
    ):
        raise ConfigError(
            f"--init_from={config.init_from} was trained on "
            f"{source.spec.product_level}, the records hold "
            f"{spec.product_level}: levels are never mixed"
        )
    network.set_weights(source.network.get_weights())

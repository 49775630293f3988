r"""Write a teacher's answers into records, for a student to learn from.

    python -m data_prep.label_with_teacher --records=world/unlabelled \
        --teacher=runs/teacher_savedmodel --output=soft/unlabelled

Every record of the splits asked for is written again with all it held and the
teacher's building and road probabilities, centroid density and height beside
it: those that its model card says it was trained for, with the scale of the
height if it tells one. A teacher that takes the view of the image is given it,
where the records know it. Where the image is not valid the teacher saw
nothing, and its answer is marked so. Answers that are there already, of
another teacher or weak labels, are given up only with --overwrite_answers. The
manifest names the teacher and the hash of its files.
"""

import dataclasses
import hashlib
import json
import pathlib
import shutil
from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any

from absl import logging

from s2distill.errors import ConfigError
from s2distill.errors import ModelError
from s2distill.errors import RecordError
from s2distill.flag_config import flag
from s2distill.flag_config import run_program

if TYPE_CHECKING:
    import numpy as np

    from s2distill.data.manifest import Manifest
    from s2distill.data.schema import RecordSpec

# Feature of a record: output of the SavedModel.
OUTPUTS = {
    "building_probs": "building",
    "road_probs": "road",
    "centroid_density": "centroid_density",
    "height_m": "height_m",
}
_SCALE_OUTPUT = "height_scale_m"  # which older teachers do not have
_CARD_FILE = "model_card.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of this program."""

    records: str = flag(help="Record folder with 50 cm images.")
    teacher: str = flag(help="SavedModel of a teacher.")
    output: str = flag(help="Record folder to write.")
    splits: tuple[str, ...] = flag(
        ("train", "validation", "test"),
        help="Splits to write; a student is trained on the first two.",
    )
    batch_size: int = flag(4, help="Images the teacher answers at once.")
    overwrite: bool = flag(False, help="Replace records that exist.")
    overwrite_answers: bool = flag(
        False, help="Give up answers that the records already hold."
    )


def run(config: Config) -> None:
    """Labels the records."""
    import tqdm

    from s2distill.data.folders import open_folders
    from s2distill.data.folders import read_records
    from s2distill.data.manifest import STATISTICS_FILE
    from s2distill.data.records import RecordWriter

    if config.batch_size < 1:
        raise ConfigError(
            f"--batch_size must be at least 1, got {config.batch_size}"
        )
    manifest = open_folders([config.records])[0]
    spec = manifest.spec
    if "image" not in spec.fields:
        raise RecordError(
            f"{config.records} holds no images, only "
            f"{', '.join(spec.fields) or 'frames'}; a teacher looks at the "
            "50 cm image, so pair the places with one"
        )
    _check_splits(config, manifest)
    if spec.teacher_answers and not config.overwrite_answers:
        raise RecordError(
            f"{config.records} holds answers already: "
            f"{', '.join(spec.teacher_answers)}; label the records that they "
            "were added to, or give them up with --overwrite_answers"
        )
    teacher = load_teacher(config.teacher)
    card = _read_card(config.teacher)
    answers = trained_answers(card)
    spec = dataclasses.replace(
        spec,
        fields=tuple(dict.fromkeys((*spec.fields, "teacher"))),
        teacher_answers=answers,
        teacher_scales="height" in answers and teacher.tells_scale,
    )
    with RecordWriter(
        config.output,
        spec,
        provenance=_provenance(config, manifest, card),
        split_rule=manifest.split_rule,
        overwrite=config.overwrite,
    ) as writer:
        for reason, number in manifest.dropped.items():
            writer.count_dropped(reason, number)
        total = sum(
            shard.records
            for shard in manifest.shards
            if shard.split in config.splits
        )
        with tqdm.tqdm(total=total, desc="teacher", unit="record") as progress:
            for split in config.splits:
                records = read_records(config.records, split)
                for batch in _batches(records, config.batch_size):
                    for record in label_batch(batch, teacher, spec):
                        writer.write(split, record)
                    progress.update(len(batch))
    statistics = pathlib.Path(config.records) / STATISTICS_FILE
    if statistics.exists():  # of the same frames, so they still hold
        shutil.copyfile(
            statistics, pathlib.Path(config.output) / STATISTICS_FILE
        )
    logging.info("Wrote %d records to %s.", total, config.output)


def _check_splits(config: Config, manifest: "Manifest") -> None:
    from s2distill.data.schema import SPLITS

    unknown = [name for name in config.splits if name not in SPLITS]
    if unknown:
        raise ConfigError(
            f"--splits={','.join(config.splits)}: no split "
            f"{', '.join(unknown)}; there are {', '.join(SPLITS)}"
        )
    found = {shard.split for shard in manifest.shards}
    if found.isdisjoint(config.splits):
        raise RecordError(
            f"{config.records} has no record in "
            f"{', '.join(config.splits)}, only in {', '.join(sorted(found))}"
        )


class Teacher:
    """A teacher in a SavedModel.

    Attributes:
      takes_view: It looks at the view of the image too.
      tells_scale: It tells how far its height may be off.
    """

    def __init__(self, model: Any) -> None:
        """Takes a loaded SavedModel, which owns the weights."""
        self._model = model
        signature = model.signatures["serving_default"]
        self.takes_view = "view" in signature.structured_input_signature[1]
        self.tells_scale = _SCALE_OUTPUT in signature.structured_outputs

    def __call__(
        self, images: "np.ndarray", views: "np.ndarray"
    ) -> "dict[str, np.ndarray]":
        """Its answers.

        Args:
          images: [B, h, w, 3] uint8.
          views: [B, 3] float32, see `s2distill.data.view.make_view`.

        Returns:
          [B, h, w, 1] float32 by the names of `OUTPUTS`, and height_scale_m
          if it tells that.
        """
        import tensorflow as tf

        given = {"image": tf.constant(images)}
        if self.takes_view:
            given["view"] = tf.constant(views)
        found = self._model.signatures["serving_default"](**given)
        wanted = [*OUTPUTS.values(), *[_SCALE_OUTPUT] * self.tells_scale]
        return {name: found[name].numpy() for name in wanted}


def load_teacher(path: str) -> Teacher:
    """The teacher in a SavedModel.

    Args:
      path: Folder with the signature `serving_default`: image uint8
        [B, h, w, 3], and perhaps view float32 [B, 3], to float32 [B, h, w, 1]
        building and road (probabilities), centroid_density, height_m, and
        perhaps height_scale_m.

    Raises:
      ModelError: No SavedModel, or one of another signature.
    """
    import tensorflow as tf

    if not tf.saved_model.contains_saved_model(path):
        raise ModelError(
            f"no SavedModel at {path}; s2distill.export makes one of a "
            "training workdir"
        )
    model = tf.saved_model.load(path)
    signature = model.signatures.get("serving_default")
    inputs = signature.structured_input_signature[1] if signature else {}
    outputs = signature.structured_outputs if signature else {}
    if set(inputs) - {"view"} != {"image"} or not set(OUTPUTS.values()) <= set(
        outputs
    ):
        raise ModelError(
            f"{path} maps {', '.join(sorted(inputs)) or 'nothing'} to "
            f"{', '.join(sorted(outputs)) or 'nothing'}; a teacher maps image "
            f"and perhaps view to {', '.join(OUTPUTS.values())}"
        )
    return Teacher(model)


def trained_answers(card: dict[str, Any] | None) -> tuple[str, ...]:
    """What a teacher was trained for, as its model card tells.

    Args:
      card: None where there is none.

    Returns:
      Some of `schema.ANSWERS`; all where the card does not tell.
    """
    from s2distill.data.schema import ANSWERS

    return tuple((card or {}).get("answers", ANSWERS))


def label_batch(
    records: list[dict[str, Any]], teacher: Teacher, spec: "RecordSpec"
) -> list[dict[str, Any]]:
    """The records with the teacher's answers.

    Args:
      records: With image/rgb and image/valid of one size.
      teacher: Whom to ask.
      spec: Of the labelled records, with the answers that are wanted.

    Returns:
      Copies with the group `teacher`; its answers are 0 where the image is
      not valid.

    Raises:
      ModelError: An answer of another size than the image, or not finite.
    """
    import numpy as np

    from s2distill.data.schema import HEIGHT_SCALE_FEATURE

    images = [record["image"] for record in records]
    answers = teacher(
        np.stack([image["rgb"] for image in images]), _stack_views(images)
    )
    outputs = {**OUTPUTS, HEIGHT_SCALE_FEATURE: _SCALE_OUTPUT}
    labelled = []
    for number, record in enumerate(records):
        valid = (record["image"]["valid"] > 0).astype(np.uint8)
        group = {"valid": valid}
        for feature in spec.teacher_features:
            output = outputs[feature]
            values = answers[output][number]
            if values.shape != (*valid.shape, 1):
                raise ModelError(
                    f"the teacher's {output} for record {record['key']} has "
                    f"shape {values.shape}, its image {valid.shape}: export "
                    "a teacher that answers on the grid of the image"
                )
            values = np.where(valid > 0, values[..., 0], 0.0)
            if not np.isfinite(values).all():
                raise ModelError(
                    f"the teacher's {output} for record {record['key']} is "
                    "not finite everywhere: its training has failed"
                )
            group[feature] = values.astype(np.float16)
        labelled.append({**record, "teacher": group})
    return labelled


def _stack_views(images: list[dict[str, Any]]) -> "np.ndarray":
    """[B, 3] float32; 0 where the records do not know the view."""
    import numpy as np
    import tensorflow as tf

    from s2distill.data.view import make_view

    angle_deg, azimuth_deg = (
        tf.constant([image.get(name, np.nan) for image in images], tf.float32)
        for name in ("view_angle_deg", "view_azimuth_deg")
    )
    return make_view(angle_deg, azimuth_deg).numpy()


def hash_files(directory: str) -> str:
    """SHA-256 over names and contents of all files in a folder."""
    folder = pathlib.Path(directory)
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _read_card(directory: str) -> dict[str, Any] | None:
    path = pathlib.Path(directory) / _CARD_FILE
    if not path.exists():
        return None
    return json.loads(path.read_text(encoding="utf-8"))


def _provenance(
    config: Config, manifest: "Manifest", card: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "program": "data_prep.label_with_teacher",
        "teacher": {
            "path": config.teacher,
            "sha256": hash_files(config.teacher),
            "card": card,
        },
        "source": {
            "records": config.records,
            "provenance": manifest.provenance,
        },
    }


def _batches(
    records: Iterable[dict[str, Any]], size: int
) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for record in records:
        batch.append(record)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def main() -> None:
    """Entry point."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()

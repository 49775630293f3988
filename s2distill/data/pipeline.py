"""Record folders to batches: the input of training and of evaluation.

    config = PipelineConfig(batch_size=8, frames=8, crop_px=16)
    train = make_train_dataset(["world/labelled"], config, statistics)

Training meets every record once an epoch, folders mixed record by record, and
never ends. The order of files, the shuffle buffer, crops, frames and
symmetries are drawn statelessly from (seed, host, epoch or position), so the
same configuration gives the same batches on every run, whatever the number of
threads. Evaluation meets each record once, whole.
"""

import dataclasses
import math
from collections.abc import Sequence

import tensorflow as tf

from s2distill.data.augment import SYMMETRIES
from s2distill.data.augment import apply_symmetry
from s2distill.data.batches import make_inputs
from s2distill.data.batches import make_targets
from s2distill.data.folders import check_same_tile
from s2distill.data.folders import list_files
from s2distill.data.folders import open_folders
from s2distill.data.frames import draw_frames
from s2distill.data.frames import pad_frames
from s2distill.data.frames import pick_clearest
from s2distill.data.normalize import BandStatistics
from s2distill.data.record_parser import RecordParser
from s2distill.data.record_stream import as_written
from s2distill.data.record_stream import read_in_order
from s2distill.data.record_stream import read_shuffled
from s2distill.data.record_stream import share_of_host
from s2distill.data.schema import RecordSpec
from s2distill.errors import ConfigError
from s2distill.errors import RecordError

Arrays = dict[str, tf.Tensor]

_VIEW_FOLD = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class PipelineConfig:
    """How records become batches.

    Attributes:
      batch_size: Examples in a batch, on this host.
      frames: T of every batch; longer stacks are drawn from, shorter padded.
      crop_px: Side of a training crop, Sentinel-2 pixels; None = whole tile.
      seed: Another seed draws other orders, crops, frames and symmetries.
      augment: Symmetries and image jitter in training.
      frame_drop: Chance in [0, 1) that a training frame is left out.
      view_drop: Chance in [0, 1) that the view of a training image is made
        unknown, so that a teacher answers images of unknown view too.
      image_contrast: Largest change of the image's contrast, in [0, 1).
      image_brightness: Largest shift of the image, of its range -1..1.
      crops_per_record: Training crops cut from a record each time it is
        read; they go to as many consecutive batches, one to each. Reading a
        record of 4 to 8 MB costs far more than another crop of it.
      shuffle_records: Size of the shuffle buffer; a record has 4 to 8 MB.
      host_index: Which of the hosts this is.
      host_count: Hosts that share the records; each record goes to one.
    """

    batch_size: int
    frames: int
    crop_px: int | None = None
    seed: int = 0
    augment: bool = True
    frame_drop: float = 0.0
    view_drop: float = 0.15
    image_contrast: float = 0.2
    image_brightness: float = 0.1
    crops_per_record: int = 1
    shuffle_records: int = 32
    host_index: int = 0
    host_count: int = 1

    def __post_init__(self) -> None:
        for name in (
            "batch_size",
            "frames",
            "crops_per_record",
            "shuffle_records",
            "host_count",
        ):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name}={getattr(self, name)} must be at least 1"
                )
        for name in ("frame_drop", "view_drop", "image_contrast"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(
                    f"{name}={getattr(self, name)} must lie in [0, 1)"
                )
        if not 0 <= self.host_index < self.host_count:
            raise ConfigError(
                f"host_index={self.host_index} must lie in 0.."
                f"{self.host_count - 1}"
            )


def make_train_dataset(
    directories: Sequence[str],
    config: PipelineConfig,
    statistics: BandStatistics,
    *,
    start_step: int = 0,
) -> tf.data.Dataset:
    """Endless shuffled, augmented batches of the train splits.

    Args:
      directories: Record folders; records of all are mixed evenly.
      config: How.
      statistics: Of the bands of the records, at least.
      start_step: Batches to pass over, for a run that resumes: the same as
        `.skip(start_step)`, but nothing is decoded to be thrown away.

    Returns:
      (inputs, targets) as `batches.make_inputs` and `make_targets` say.
      Targets of a field that no folder has are absent; where only some have
      it, the others' records have weight 0.

    Raises:
      RecordError, BandError, ProductLevelError: As `folders.open_folders`
        and `list_files`; or a crop larger than a tile.
    """
    manifests = open_folders(directories)
    specs = [manifest.spec for manifest in manifests]
    if config.crop_px is None:
        check_same_tile(directories, manifests)
    else:
        _check_crop(directories, specs, config.crop_px)
    files = list_files(directories, manifests, "train")
    parser = RecordParser(specs, config.crop_px)
    seed = tf.random.fold_in(
        tf.constant([config.seed, 0], tf.int64), config.host_index
    )

    @as_written
    def make_examples(
        position: tf.Tensor, record: tuple[tf.Tensor, tf.Tensor]
    ) -> Arrays:
        return _make_train_examples(
            parser, config, *record, tf.random.fold_in(seed, position)
        )

    @as_written
    def deal_crops(batch: Arrays) -> tf.data.Dataset:
        return tf.data.Dataset.range(crops).map(
            lambda crop: {name: value[:, crop] for name, value in batch.items()}
        )

    crops = config.crops_per_record
    share = share_of_host(files, config.host_index, config.host_count)
    dataset = read_shuffled(share, config.shuffle_records, config.seed)
    dataset = dataset.enumerate()
    dataset = dataset.skip(start_step // crops * config.batch_size)
    dataset = dataset.map(
        make_examples,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    ).batch(config.batch_size, drop_remainder=True)
    dataset = dataset.flat_map(deal_crops).skip(start_step % crops)
    return _finish(dataset, specs[0], statistics, with_keys=False)


def make_eval_dataset(
    directories: Sequence[str],
    split: str,
    config: PipelineConfig,
    statistics: BandStatistics,
    *,
    with_keys: bool = False,
) -> tf.data.Dataset:
    """Batches of one split: each record once, in order, whole.

    Of longer stacks the clearest frames are taken. The last batch may be
    smaller. What `config` says of crops, augmentation and drops has no part.

    Args:
      directories: Record folders.
      split: "train", "validation" or "test".
      config: How.
      statistics: Of the bands of the records, at least.
      with_keys: Adds targets["key"], [B] string.

    Returns:
      Finite dataset of (inputs, targets), as `make_train_dataset`.

    Raises:
      RecordError, BandError, ProductLevelError: As `folders.open_folders`
        and `list_files`; or tiles of two sizes.
    """
    manifests = open_folders(directories)
    check_same_tile(directories, manifests)
    specs = [manifest.spec for manifest in manifests]
    files = list_files(directories, manifests, split)
    parser = RecordParser(specs)

    @as_written
    def make_example(serialized: tf.Tensor, folder: tf.Tensor) -> Arrays:
        parsed = parser(serialized, folder, tf.zeros([2]))
        order = pick_clearest(parsed["s2_valid"], config.frames)
        return _take_frames(parsed, order, config.frames)

    share = share_of_host(files, config.host_index, config.host_count)
    dataset = read_in_order(share).map(
        make_example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    dataset = dataset.batch(config.batch_size)
    dataset = _finish(dataset, specs[0], statistics, with_keys=with_keys)
    # Keras would find the length out by running dry, and warn of it.
    batches = -(-share.count // config.batch_size)
    return dataset.apply(tf.data.experimental.assert_cardinality(batches))


def _finish(
    dataset: tf.data.Dataset,
    spec: RecordSpec,
    statistics: BandStatistics,
    *,
    with_keys: bool,
) -> tf.data.Dataset:
    statistics = statistics.select(spec.bands)

    @as_written
    def make_batch(batch: Arrays) -> tuple[Arrays, Arrays]:
        inputs = make_inputs(
            batch,
            statistics,
            quantification_dn=spec.quantification_dn,
            offset_dn=spec.offset_dn,
        )
        targets = make_targets(batch)
        if with_keys:
            targets["key"] = batch["key"]
        return inputs, targets

    options = tf.data.Options()
    options.deterministic = True
    # Hosts divide the records themselves; see `share_of_host`.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return (
        dataset.map(make_batch, num_parallel_calls=2, deterministic=True)
        .prefetch(2)
        .with_options(options)
    )


def _make_train_examples(
    parser: RecordParser,
    config: PipelineConfig,
    serialized: tf.Tensor,
    folder: tf.Tensor,
    seed: tf.Tensor,
) -> Arrays:
    """Crops of one record, stacked."""
    seeds = tf.random.split(seed, 4)
    crops = config.crops_per_record
    lots = tf.random.stateless_uniform([crops, 2], seeds[0])
    examples = [
        _vary(
            example,
            parser,
            config,
            [tf.random.fold_in(s, number) for s in tf.unstack(seeds[1:])],
        )
        for number, example in enumerate(
            parser.cut_windows(serialized, folder, lots)
        )
    ]
    stacked = {
        name: tf.stack([example[name] for example in examples])
        for name in examples[0]
    }
    if "view_deg" in stacked:
        # A fold beside the splits above: what they draw stays as it was.
        lots = tf.random.stateless_uniform(
            [crops, 1], tf.random.fold_in(seed, _VIEW_FOLD)
        )
        stacked["view_deg"] = tf.where(
            lots < config.view_drop, math.nan, stacked["view_deg"]
        )
    return stacked


def _vary(
    example: Arrays,
    parser: RecordParser,
    config: PipelineConfig,
    seeds: Sequence[tf.Tensor],
) -> Arrays:
    """One crop with its frames drawn, turned, its image's light changed."""
    order, kept = draw_frames(
        example["s2_valid"], config.frames, config.frame_drop, seeds[0]
    )
    example = _take_frames(example, order, config.frames, kept)
    if not config.augment:
        return example
    number = tf.random.stateless_uniform(
        [], seeds[1], 0, SYMMETRIES, dtype=tf.int32
    )
    example = apply_symmetry(example, parser.row_axes, number)
    reach = tf.constant([config.image_contrast, config.image_brightness])
    jitter = tf.random.stateless_uniform([2], seeds[2], -1.0, 1.0) * reach
    return {
        **example,
        "jitter": jitter + tf.constant([1.0, 0.0]),
        "symmetry": number,
    }


def _take_frames(
    example: Arrays,
    order: tf.Tensor,
    frames: int,
    kept: tf.Tensor | None = None,
) -> Arrays:
    """The frames at `order`, padded; those not `kept` show nothing."""
    valid = tf.gather(example["s2_valid"], order)
    if kept is not None:
        valid = tf.where(kept[:, tf.newaxis, tf.newaxis], valid, 0)
    return {
        **example,
        "s2_dn": pad_frames(tf.gather(example["s2_dn"], order), frames),
        "s2_valid": pad_frames(valid, frames),
    }


def _check_crop(
    directories: Sequence[str], specs: Sequence[RecordSpec], crop_px: int
) -> None:
    for directory, spec in zip(directories, specs, strict=True):
        if not 1 <= crop_px <= spec.tile_px:
            raise RecordError(
                f"crop of {crop_px} px from {directory}, whose tiles have "
                f"{spec.tile_px} px; crop less"
            )

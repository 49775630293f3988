r"""Map an Earth Engine export, and write the maps as Earth Engine takes them.

    python -m data_prep.earth_engine.predict_export \
        --input='export-*.tfrecord.gz' --mixer=export-mixer.json \
        --model=workdir/student/saved_model --output=predictions

Takes an image export of Sentinel-2 frames (TFRecord, bands named f00_B2 ... or
as `band_series` tells) and a student's SavedModel. Writes as many examples as
the export has, in its order, with a mixer for the finer pixels, and prints the
`earthengine upload` command that makes an asset of them. Where no frame shows
the ground stands -9999, which the command declares as missing.

A patch is mapped in overlapping windows. Across the edges of patches a model
sees only what an export with `kernelSize` holds: 32 is enough.
"""

import dataclasses
import sys
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Literal

from s2distill.errors import ConfigError
from s2distill.errors import ModelError
from s2distill.flag_config import flag
from s2distill.flag_config import run_program

if TYPE_CHECKING:
    import numpy as np

    from data_prep.earth_engine.tfrecord.band_series import BandSeries
    from data_prep.earth_engine.tfrecord.export_writer import Export
    from data_prep.earth_engine.tfrecord.mixer import Mixer
    from data_prep.earth_engine.tfrecord.patch_frames import PatchFrames
    from s2distill.geo.grid import Grid
    from s2distill.serving.card import ModelCard
    from s2distill.serving.predictor import Predictor
    from s2distill.serving.region import RegionOptions

NODATA = -9999.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of this program."""

    input: tuple[str, ...] = flag(
        help="TFRecord files of one image export: quoted pattern, folder or "
        "list; local or gs://."
    )
    mixer: str = flag(help="JSON that Earth Engine wrote beside them.")
    model: str = flag(help="SavedModel of a student, from s2distill.export.")
    output: str = flag(help="Folder to write; local or gs://.")
    kernel_px: tuple[str, ...] = flag(
        ("0",),
        help="`kernelSize` of the export: one number, or rows,columns. 0 if "
        "the export named none.",
    )
    product_level: Literal["L1C", "L2A"] = flag(
        "L2A", help="Of the exported frames."
    )
    offset_dn: float = flag(
        0.0,
        help="Added to digital numbers before division; 0 for Earth Engine's "
        "HARMONIZED collections.",
    )
    dn_per_unit: float = flag(
        1.0,
        help="Digital numbers per exported unit: 10000 where reflectance was "
        "exported.",
    )
    outputs: tuple[str, ...] = flag(
        (),
        help="Maps to write, of building, road, centroid_density, height_m. "
        "Default: all that the model was trained for.",
    )
    max_frames: int = flag(
        16, help="A window is given its clearest frames, no more than these."
    )
    window_px: int = flag(
        64, help="Side of a window, Sentinel-2 pixels; memory grows with it."
    )
    overlap_px: int = flag(
        16, help="Least overlap of windows, Sentinel-2 pixels."
    )
    asset_id: str = flag(
        "projects/PROJECT/assets/NAME", help="For the command that is printed."
    )
    gcs_folder: str = flag(
        "gs://BUCKET/FOLDER",
        help="Where local files will be copied to, for that command.",
    )
    overwrite: bool = flag(False, help="Replace an output that exists.")


def run(config: Config) -> None:
    """Writes `config.output`, whole or not at all."""
    import tqdm

    from data_prep.earth_engine.tfrecord.band_series import parse_series
    from data_prep.earth_engine.tfrecord.export_reader import peek_features
    from data_prep.earth_engine.tfrecord.export_writer import write_predictions
    from data_prep.earth_engine.tfrecord.mixer import read_mixer
    from s2distill.serving.card import read_card
    from s2distill.serving.predictor import load_predictor

    kernel_px = _parse_kernel(config.kernel_px)
    if config.dn_per_unit <= 0:
        raise ConfigError(f"--dn_per_unit={config.dn_per_unit}: above 0 only")
    card = read_card(config.model)
    outputs = _choose_outputs(config, card)
    mixer = read_mixer(config.mixer)
    series = parse_series(list(peek_features(config.input)))
    series.check_bands(card.bands)
    card.check_fits(
        bands=series.bands,
        product_level=config.product_level,
        quantification_dn=card.quantification_dn,
        offset_dn=config.offset_dn,
    )
    fine = mixer.refined(card.label_factor)
    _check_fits_records(fine, outputs)
    predictor = load_predictor(config.model)
    patches = _read_frames(config, mixer, series, predictor, kernel_px)
    progress = tqdm.tqdm(
        patches, total=mixer.total_patches, desc="Mapping", unit="patch"
    )
    export = write_predictions(
        config.output,
        fine,
        (
            (
                index,
                map_patch(
                    frames,
                    predictor,
                    mixer.patch_grid(index),
                    outputs=outputs,
                    options=_options(config),
                ),
            )
            for index, frames in progress
        ),
        overwrite=config.overwrite,
    )
    _print_commands(config, export, mixer)


def map_patch(
    frames: "PatchFrames",
    predictor: "Predictor",
    inside: "Grid",
    *,
    outputs: Sequence[str],
    options: "RegionOptions",
) -> "dict[str, np.ndarray]":
    """Maps one patch.

    Args:
      frames: Of the patch, with or without margin.
      predictor: A student.
      inside: Grid of the patch without margin.
      outputs: Names of the answers wanted.
      options: Windows and frames.

    Returns:
      By name float32 [h, w], finer than `inside` by the model's label factor;
      `NODATA` where no frame shows the ground.
    """
    import numpy as np

    from s2distill.serving.region import map_region

    factor = predictor.card.label_factor
    fine = inside.refined(factor)
    shape = (fine.height, fine.width)
    if not frames.valid.any():
        return {name: np.full(shape, NODATA, np.float32) for name in outputs}
    maps = {name: np.empty(shape, np.float32) for name in outputs}
    margin = (frames.grid.height - inside.height) // 2 * factor
    left = (frames.grid.width - inside.width) // 2 * factor
    row = -margin
    for block in map_region(
        frames,
        predictor,
        bands=predictor.card.bands,
        label_factor=factor,
        outputs=outputs,
        options=options,
    ):
        begin, end = max(row, 0), min(row + len(block), shape[0])
        if begin < end:
            kept = block[begin - row : end - row, left : left + shape[1]]
            kept = np.where(np.isnan(kept), np.float32(NODATA), kept)
            for number, name in enumerate(outputs):
                maps[name][begin:end] = kept[..., number]
        row += len(block)
    return maps


def _read_frames(
    config: Config,
    mixer: "Mixer",
    series: "BandSeries",
    predictor: "Predictor",
    kernel_px: tuple[int, int],
) -> "Iterator[tuple[int, PatchFrames]]":
    """The frames of every patch, with as much margin as windows can use."""
    from data_prep.earth_engine.tfrecord.export_reader import read_patches
    from data_prep.earth_engine.tfrecord.patch_frames import (
        look_like_reflectance,
    )
    from data_prep.earth_engine.tfrecord.patch_frames import make_frames
    from data_prep.earth_engine.tfrecord.patch_frames import names_to_read

    bands = predictor.card.bands
    for index, grid, values in read_patches(
        config.input,
        mixer,
        bands=names_to_read(series, bands),
        kernel_px=kernel_px,
        keep_margin=True,
    ):
        top, left = (max(k // 2 - config.overlap_px, 0) for k in kernel_px)
        used = grid.cropped(
            top, left, grid.height - 2 * top, grid.width - 2 * left
        )
        window = (
            slice(top, top + used.height),
            slice(left, left + used.width),
        )
        frames = make_frames(
            {name: plane[window] for name, plane in values.items()},
            series,
            bands,
            grid=used,
            source=f"patch {index} of {', '.join(config.input)}",
            dn_per_unit=config.dn_per_unit,
        )
        if look_like_reflectance(frames):
            raise ConfigError(
                f"patch {index} of {', '.join(config.input)} holds nothing "
                f"above {frames.dn.max()}: that looks like reflectance, the "
                "model takes digital numbers; pass --dn_per_unit=10000"
            )
        yield index, frames


def _parse_kernel(texts: Sequence[str]) -> tuple[int, int]:
    try:
        rows, cols = (int(t) for t in (texts * 2 if len(texts) == 1 else texts))
    except ValueError as error:
        raise ConfigError(
            f"--kernel_px={','.join(texts)}: one number, or rows,columns"
        ) from error
    return rows, cols


def _choose_outputs(config: Config, card: "ModelCard") -> tuple[str, ...]:
    if not card.takes_frames:
        raise ModelError(
            f"{config.model} is a {card.kind}, which takes a 50 cm image and "
            "no frames; give the SavedModel of a student"
        )
    unknown = [n for n in config.outputs if n not in card.map_outputs]
    if unknown:
        raise ConfigError(
            f"--outputs={','.join(config.outputs)}: the model gives no "
            f"{', '.join(unknown)}, only {', '.join(card.map_outputs)}"
        )
    return config.outputs or card.map_outputs


def _check_fits_records(fine: "Mixer", outputs: Sequence[str]) -> None:
    """Refuses now what would be refused after the first patch."""
    import numpy as np

    from data_prep.earth_engine.tfrecord.example_codec import check_size

    plane = np.broadcast_to(np.float32(0), fine.patch_shape)  # takes no memory
    check_size(dict.fromkeys(outputs, plane))


def _options(config: Config) -> "RegionOptions":
    from s2distill.serving.region import RegionOptions

    return RegionOptions(
        window_px=config.window_px,
        overlap_px=config.overlap_px,
        max_frames=config.max_frames,
    )


def _print_commands(config: Config, export: "Export", mixer: "Mixer") -> None:
    from data_prep.earth_engine.file_text import is_remote
    from data_prep.earth_engine.tfrecord.upload import copy_command
    from data_prep.earth_engine.tfrecord.upload import upload_command

    lines = [
        f"Predictions: {config.output}, {mixer.total_patches} patches in "
        f"{len(export.shards)} files. To make an asset of them:"
    ]
    if not is_remote(config.output):
        lines.append(copy_command(export, config.gcs_folder))
    lines.append(
        upload_command(
            export,
            config.asset_id,
            gcs_folder=config.gcs_folder,
            nodata=NODATA,
        )
    )
    sys.stdout.write("\n".join(lines) + "\n")


def main() -> None:
    """Entry point of the console script."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()

r"""Maps a region: Sentinel-2 GeoTIFFs in, a cloud-optimised GeoTIFF out.

    python -m s2distill.predict --model=workdir/student/saved_model \
        --frames='scene/*.tif' --output=map.tif

The map has four bands: building and road (probability), centroid_density
(buildings per pixel; its sum over an area is the count) and height_m; those
that nobody taught the model, as its card tells, are left out. Its grid is
that of the frames, each pixel cut into as many as the model answers. Values
are float32; NaN stands where no frame shows the ground.
"""

import dataclasses
import datetime
import math
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from s2distill.errors import ConfigError
from s2distill.errors import ModelError
from s2distill.flag_config import flag
from s2distill.flag_config import run_program

if TYPE_CHECKING:
    from s2distill.data.frame_stack import FrameStack
    from s2distill.geo.raster import Layer
    from s2distill.serving.card import ModelCard
    from s2distill.serving.predictor import AlarmCounter

_SUFFIXES = (".tif", ".tiff")
_METRES_PER_DEGREE = 111_320  # along a meridian, and of longitude at 0
# Networks bear a tenth or two; a stack of another resolution is a mistake.
_GSD_TOLERANCE = 0.25
_HALF = 0.5  # where masks are cut unless calibration has moved it


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of the program."""

    model: str = flag(help="Folder of a SavedModel, from s2distill.export.")
    frames: str = flag(
        help="Folder or quoted glob of Sentinel-2 GeoTIFFs, one a date."
    )
    output: str = flag(help="GeoTIFF to write; replaced once the new is whole.")
    file_bands: tuple[str, ...] = flag(
        (),
        help="Band of each plane, for files without band descriptions; - to "
        "pass over one. Default: 12 planes are a whole L2A product.",
    )
    product_level: str | None = flag(
        None, help="L1C or L2A, where neither tags nor names of files say it."
    )
    offset_dn: float | None = flag(
        None,
        help="Added to digital numbers before division, -1000 for products "
        "of baseline 04.00 and later as ESA gives them. Default: what the "
        "files say, else 0.",
    )
    skip_dates: tuple[str, ...] = flag(
        (), help="Dates to leave out, as 2020-01-18."
    )
    max_frames: int = flag(
        16, help="A window is given its clearest frames, no more than these."
    )
    cloud_dn: float | None = flag(
        None,
        help="Mask pixels whose B2 is above this, for example 2500. A simple "
        "test: it takes snow and bright roofs for cloud, and lets thin cloud "
        "and shadow pass. Default: mask by SCL, QA60 or CLM bands only, "
        "where files have them.",
    )
    window_px: int = flag(
        64, help="Side of a window, Sentinel-2 pixels; memory grows with it."
    )
    overlap_px: int = flag(
        16, help="Least overlap of windows, Sentinel-2 pixels."
    )


def run(config: Config) -> None:
    """Writes `config.output`, whole or not at all."""
    _check_output(config.output)

    from s2distill.data.frame_stack import open_frames

    stack = open_frames(
        config.frames,
        file_bands=config.file_bands or None,
        product_level=config.product_level,
        offset_dn=config.offset_dn,
    )
    stack = _skip_dates(stack, config.skip_dates)

    from s2distill.serving.card import read_card

    card = read_card(config.model)
    if not card.takes_frames:
        raise ModelError(
            f"{config.model} is a {card.kind}, which takes a 50 cm image and "
            "no frames; give the SavedModel of a student"
        )
    card.check_fits(
        bands=stack.bands,
        product_level=stack.product_level,
        quantification_dn=stack.quantification_dn,
        offset_dn=stack.offset_dn,
    )
    _warn_of_gsd(stack, card.gsd_m)
    _write_map(config, stack, card)
    sys.stdout.write(f"Map: {config.output}\n")


def map_layers(outputs: Sequence[str]) -> "tuple[Layer, ...]":
    """Bands of a map of some of `serving.card.MAP_OUTPUTS`.

    Steps: a thousandth of a probability; 6 cm; a millionth of a building,
    of which sums keep all but one.
    """
    from s2distill.geo.raster import Layer

    layers = (
        Layer(name="building", unit="probability", step=2**-10),
        Layer(name="road", unit="probability", step=2**-10),
        Layer(
            name="centroid_density",
            unit="buildings/pixel",
            step=2**-20,
            keeps_sum=True,
        ),
        Layer(name="height_m", unit="m", step=2**-4),
    )
    return tuple(layer for layer in layers if layer.name in outputs)


def _write_map(config: Config, stack: "FrameStack", card: "ModelCard") -> None:
    import tqdm

    from s2distill.geo.raster import write_cog
    from s2distill.serving.predictor import AlarmCounter
    from s2distill.serving.predictor import load_predictor
    from s2distill.serving.region import RegionOptions
    from s2distill.serving.region import map_region
    from s2distill.serving.region import plan_axes

    options = RegionOptions(
        window_px=config.window_px,
        overlap_px=config.overlap_px,
        max_frames=config.max_frames,
        cloud_dn=config.cloud_dn,
    )
    rows, cols = plan_axes(stack, options)
    predictor = AlarmCounter(load_predictor(config.model))
    tags = {
        "MODEL": pathlib.Path(config.model).name,
        "FRAME_DATES": ",".join(_dates(stack)),
        "PRODUCT_LEVEL": stack.product_level,
    }
    for name, presence in card.mask_presence.items():
        # Calibration may have moved the presence at which a mask is best cut.
        if presence != _HALF:
            tags[f"{name.upper()}_MASK_PRESENCE"] = f"{presence:.3f}"
    total = len(rows.starts) * len(cols.starts)
    with (
        tqdm.tqdm(total=total, desc="Mapping", unit="window") as bar,
        write_cog(
            config.output,
            stack.grid.refined(card.label_factor),
            map_layers(card.map_outputs),
            tags=tags,
        ) as writer,
    ):
        for block in map_region(
            stack,
            predictor,
            bands=card.bands,
            label_factor=card.label_factor,
            outputs=card.map_outputs,
            options=options,
            on_window=bar.update,
        ):
            writer.append(block)
    _tell_of_alarms(predictor, card)


def _tell_of_alarms(predictor: "AlarmCounter", card: "ModelCard") -> None:
    if predictor.windows and card.trust_window_px is not None:
        share = 100 * predictor.alarms / predictor.windows
        side_m = card.trust_window_px * card.gsd_m
        sys.stdout.write(
            f"{share:.1f} % of the windows of {side_m:g} m are unlike "
            "anything the model was trained on: trust the map less there\n"
        )


def _check_output(output: str) -> None:
    """Refuses now what would be refused after an hour."""
    path = pathlib.Path(output)
    if path.suffix.lower() not in _SUFFIXES or path.is_dir():
        raise ConfigError(f"--output={output}: name a file that ends in .tif")


def _dates(stack: "FrameStack") -> list[str]:
    return [
        f"{datetime.datetime.fromtimestamp(int(t), datetime.UTC):%Y-%m-%d}"
        for t in stack.times_utc_s
    ]


def _skip_dates(stack: "FrameStack", skipped: tuple[str, ...]) -> "FrameStack":
    """The stack without some dates; ConfigError where it has no such date."""
    if not skipped:
        return stack
    dates = _dates(stack)
    unknown = [date for date in skipped if date not in dates]
    if unknown:
        raise ConfigError(
            f"--skip_dates={','.join(skipped)}: no frame of {unknown[0]}; the "
            f"frames are of {', '.join(dates)}"
        )
    return stack.select(
        i for i, date in enumerate(dates) if date not in skipped
    )


def _warn_of_gsd(stack: "FrameStack", gsd_m: float) -> None:
    """Says so where pixels are not of the size the model was trained on."""
    from absl import logging

    x_m, y_m = stack.grid.pixel_size
    if not stack.grid.is_projected:
        _, bottom, _, top = stack.grid.bounds
        latitude = math.radians((bottom + top) / 2)
        x_m *= _METRES_PER_DEGREE * math.cos(latitude)
        y_m *= _METRES_PER_DEGREE
    if max(abs(x_m / gsd_m - 1), abs(y_m / gsd_m - 1)) > _GSD_TOLERANCE:
        logging.warning(
            "pixels of %s are %.1f x %.1f m, the model was trained on %.1f m: "
            "expect little; resample the frames",
            stack.paths[0],
            x_m,
            y_m,
            gsd_m,
        )


def main() -> None:
    """Entry point of the console script."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()

"""From the flags of data_prep.pair_geotiffs to a place, checked."""

import math
import pathlib
import sys
from typing import Any

from data_prep.pairing.frames import Frames
from data_prep.pairing.frames import register_image
from data_prep.pairing.frames import simulate_frames
from data_prep.pairing.image import Image
from data_prep.pairing.image import open_image
from data_prep.pairing.labels import LabelFiles
from data_prep.pairing.labels import check_labels_overlap
from data_prep.pairing.labels import read_labels
from data_prep.pairing.pair import Place
from data_prep.pairing.pair_config import Config
from data_prep.pairing.pair_grid import S2_PIXEL_M
from data_prep.pairing.pair_grid import check_overlap
from data_prep.pairing.pair_grid import make_pair_grid
from s2distill.data.bands import parse_band_names
from s2distill.data.frame_stack import FrameStack
from s2distill.data.frame_stack import open_frames
from s2distill.errors import ConfigError
from s2distill.geo.grid import Grid


def open_place(config: Config) -> tuple[Place, Grid]:
    """Opens everything that the flags name.

    Args:
      config: Of data_prep.pair_geotiffs.

    Returns:
      The place, and the 10 m grid that covers its image.

    Raises:
      S2DistillError: Whatever does not fit, in one line.
    """
    image = open_image(
        config.image,
        crs=config.image_crs or None,
        transform=_parse_transform(config.image_transform),
        bands=_parse_bands(config.image_bands),
    )
    bands = parse_band_names(config.bands)
    stack = _open_stack(config, bands) if config.frames else None
    grid = make_pair_grid(image, stack)
    if stack is not None:
        check_overlap(image, stack, grid)
    labels = read_labels(
        LabelFiles(
            buildings=config.buildings,
            height_field=config.height_field,
            roads=config.roads,
            road_width_m=config.road_width_m,
            road_width_field=config.road_width_field,
            area=config.labels_area,
        ),
        grid.crs,
    )
    check_labels_overlap(labels, image, grid)
    frames, shift_x_y_m, notes = _align_frames(config, image, stack, grid)
    provenance = {
        "image": pathlib.Path(config.image).name,
        "image_stretch_dn": image.stretch_dn,
        "labels": labels.notes,
        **notes,
    }
    view_deg = _find_view(config)
    if view_deg is not None:
        provenance["view_angle_azimuth_deg"] = view_deg
    place = Place(
        name=pathlib.Path(config.image).stem,
        image=image,
        labels=labels,
        frames=frames,
        bands=bands,
        shift_x_y_m=shift_x_y_m,
        view_deg=view_deg,
        min_image_share=config.min_image_share,
        provenance=provenance,
    )
    return place, grid


def _open_stack(config: Config, bands: tuple[str, ...]) -> FrameStack:

    stack = open_frames(
        config.frames,
        file_bands=config.file_bands or None,
        product_level=config.product_level or None,
        offset_dn=config.offset_dn,
    )
    stack.check_bands(bands)
    return stack


def _align_frames(
    config: Config, image: Image, stack: FrameStack | None, grid: Grid
) -> tuple[Frames, tuple[float, float], dict[str, Any]]:
    """Frames, shift of the image in m, and what to say about them."""
    if stack is None:
        frames = simulate_frames(
            image,
            grid,
            bands=parse_band_names(config.bands),
            frames=config.simulate_frames,
            gamma=config.image_gamma,
            seed=config.seed,
        )
        if config.frames_output:
            frames.write(config.frames_output, overwrite=config.overwrite)
        return (
            frames,
            (0.0, 0.0),
            {"frames": "sensor model", "s2_seed": config.seed},
        )
    names = [pathlib.Path(path).name for path in stack.paths]
    if not config.register:
        return stack, (0.0, 0.0), {"frames": names}
    found = register_image(image, stack, grid, max_shift_m=config.max_shift_m)
    shift = (
        S2_PIXEL_M * found.shift_col_px,
        -S2_PIXEL_M * found.shift_row_px,
    )
    sys.stdout.write(
        f"registration: image moved by {shift[0]:+.2f} m east, "
        f"{shift[1]:+.2f} m north; correlation {found.correlation:.2f}, "
        f"confidence {found.confidence:.2f}\n"
    )
    note = {
        "shift_x_y_m": [round(value, 3) for value in shift],
        "correlation": round(found.correlation, 4),
        "confidence": round(found.confidence, 4),
    }
    return stack, shift, {"frames": names, "registration": note}


def _find_view(config: Config) -> tuple[float, float] | None:
    """Angle and azimuth, which is of no matter straight down."""
    if config.view_angle_deg is None:
        return None
    return config.view_angle_deg, config.view_azimuth_deg or 0.0


def _parse_bands(texts: tuple[str, ...]) -> tuple[int, ...]:
    try:
        return tuple(int(text) for text in texts)
    except ValueError as error:
        raise ConfigError(
            f"--image_bands={','.join(texts)}: wanted are numbers from 1, for "
            "example 3,2,1"
        ) from error


def _parse_transform(texts: tuple[str, ...]) -> tuple[float, ...] | None:
    if not texts:
        return None
    try:
        numbers = tuple(float(text) for text in texts)
    except ValueError:
        numbers = ()
    if len(numbers) != 6 or not all(map(math.isfinite, numbers)):
        raise ConfigError(
            f"--image_transform={','.join(texts)}: wanted are six numbers, "
            "for example 0.5,0,737201,0,-0.5,3736839"
        )
    return numbers

"""The flags of data_prep.pair_geotiffs, and what they may not be."""

import dataclasses

from s2distill.data.bands import DEFAULT_BANDS
from s2distill.data.bands import parse_band_names
from s2distill.errors import ConfigError
from s2distill.flag_config import flag

# Images that lean more are not sold, and the tangent would run away.
_LARGEST_VIEW_DEG = 60.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of data_prep.pair_geotiffs."""

    image: str = flag(
        help="50 cm image: uint8, or uint16, which is "
        "shown from its 1st to its 99th percentile."
    )
    output: str = flag(help="Record folder to write.")
    image_crs: str = flag("", help="EPSG:CODE of an image that names none.")
    image_transform: tuple[str, ...] = flag(
        (), help="Six affine numbers a,b,c,d,e,f of an image that has none."
    )
    image_bands: tuple[str, ...] = flag(
        (),
        help="Bands of the image (from 1) for red, green, blue, or one for "
        "grey; else the first three, or the only one.",
    )
    view_angle_deg: float | None = flag(
        None, help="View of the image, degrees off nadir, at the ground."
    )
    view_azimuth_deg: float | None = flag(
        None,
        help="Direction in which roofs lean in it, degrees clockwise from "
        "north: away from the satellite, so the satellite's own + 180.",
    )
    image_gamma: float = flag(
        1.0, help="Display gamma of the image; for simulated frames."
    )
    buildings: str = flag("", help="Vector file of building polygons.")
    height_field: str = flag("", help="Field of --buildings: height in m.")
    roads: str = flag("", help="Vector file of road polygons or lines.")
    road_width_m: float | None = flag(None, help="Width of road lines.")
    road_width_field: str = flag(
        "", help="Field of --roads: width in m, before --road_width_m."
    )
    labels_area: str = flag(
        "",
        help="Vector file of polygons in which the labels are complete; "
        "else they are wherever the image shows the ground.",
    )
    frames: str = flag(
        "", help="Sentinel-2 GeoTIFFs, one per date: a folder or a glob."
    )
    file_bands: tuple[str, ...] = flag(
        (), help="Bands in each frame file, in order, if it names none."
    )
    product_level: str = flag("", help="L1C or L2A, if the files do not say.")
    offset_dn: float | None = flag(
        None, help="Offset of the frames, if the files do not say."
    )
    simulate_frames: int = flag(
        0, help="Make so many frames of the image by the sensor model."
    )
    frames_output: str = flag(
        "", help="Folder for the simulated frames, to map the place later."
    )
    bands: tuple[str, ...] = flag(DEFAULT_BANDS, help="Bands to keep.")
    tile_px: int = flag(32, help="Side of a tile, pixels of 10 m.")
    stride_px: int = flag(
        0,
        help="Distance of tiles; less than --tile_px overlaps tiles of train, "
        "never of validation and test. 0 = --tile_px.",
    )
    min_image_share: float = flag(
        0.5, help="Share of a tile that the image must show."
    )
    block_m: float = flag(1000.0, help="Side of the blocks of a split.")
    gap_m: float = flag(50.0, help="Least distance between two splits.")
    validation_share: float = flag(0.15, help="Share of blocks.")
    test_share: float = flag(0.15, help="Share of blocks.")
    split_salt: str = flag("", help="Another text draws other blocks.")
    register: bool = flag(
        True, help="Move image and labels onto the frames; real frames only."
    )
    max_shift_m: float = flag(30.0, help="Larger shifts are an error.")
    seed: int = flag(0, help="Of simulated frames.")
    overwrite: bool = flag(False, help="Replace what exists.")


def check_config(config: Config) -> None:
    """Raises ConfigError or BandError at flags that make no sense."""
    parse_band_names(config.bands)
    if bool(config.frames) == (config.simulate_frames > 0):
        raise ConfigError(
            f"--frames={config.frames!r}, --simulate_frames="
            f"{config.simulate_frames}: give real frames, or a number of "
            "simulated ones above 0, and not both"
        )
    if config.frames_output and config.frames:
        raise ConfigError(
            f"--frames_output={config.frames_output} is for simulated frames; "
            "leave it out with --frames"
        )
    if config.max_shift_m <= 0 or not 0 <= config.min_image_share <= 1:
        raise ConfigError(
            f"--max_shift_m={config.max_shift_m} must be above 0 and "
            f"--min_image_share={config.min_image_share} within 0..1"
        )
    _check_view(config)
    if config.seed < 0 or config.image_gamma <= 0:
        raise ConfigError(
            f"--seed={config.seed} must be at least 0 and --image_gamma="
            f"{config.image_gamma} above 0"
        )


def _check_view(config: Config) -> None:
    angle_deg, azimuth_deg = config.view_angle_deg, config.view_azimuth_deg
    if angle_deg is None:
        if azimuth_deg is not None:
            raise ConfigError(
                f"--view_azimuth_deg={azimuth_deg:g} says nothing without "
                "--view_angle_deg"
            )
        return
    if not 0 <= angle_deg <= _LARGEST_VIEW_DEG:
        raise ConfigError(
            f"--view_angle_deg={angle_deg:g} must lie in 0.."
            f"{_LARGEST_VIEW_DEG:g}, degrees off nadir"
        )
    if azimuth_deg is None and angle_deg > 0:
        raise ConfigError(
            f"--view_angle_deg={angle_deg:g} without --view_azimuth_deg: in "
            "which direction do roofs lean, degrees clockwise from north?"
        )
    if azimuth_deg is not None and not 0 <= azimuth_deg <= 360:
        raise ConfigError(
            f"--view_azimuth_deg={azimuth_deg:g} must lie in 0..360, clockwise "
            "from north"
        )

r"""Makes records of a real 50 cm image, vector labels and Sentinel-2 frames.

python -m data_prep.pair_geotiffs --image=city.tif \
    --buildings=buildings.geojson --roads=roads.gpkg --road_width_m=6 \
    --frames='sentinel2/*.tif' --output=records/city

Everything is brought onto one grid: 10 m pixels and, 20 to 1, 50 cm pixels
for image and labels. The image is registered to the frames. Ground goes to
train, validation and test by blocks with a gap between. Without real frames,
`--simulate_frames=8` lets the sensor model see the image itself: B4, B3 and
B2 from the picture, the other bands coarse mixtures of these. Without
labels the records are for the teacher to label: train only.
"""

import collections
import dataclasses
import sys
from typing import TYPE_CHECKING

from s2distill.data.bands import DEFAULT_BANDS
from s2distill.errors import ConfigError
from s2distill.errors import FrameError
from s2distill.flag_config import flag
from s2distill.flag_config import run_program
from s2distill.flag_config import to_flag_lines

if TYPE_CHECKING:
    from data_prep.pairing.pair import Place
    from data_prep.pairing.tiles import Tile
    from data_prep.split import SplitRule


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of this program."""

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


def run(config: Config) -> None:
    """Writes the record folder."""
    from data_prep.band_statistics import write_folder_statistics
    from data_prep.pairing.open_place import open_place
    from data_prep.pairing.tiles import plan_tiles
    from data_prep.split import SplitRule
    from s2distill.atomic_write import check_absent

    _check(config)
    if not config.overwrite:
        for folder in filter(None, (config.output, config.frames_output)):
            check_absent(folder)
    rule = SplitRule(
        block_m=config.block_m,
        gap_m=config.gap_m,
        validation_share=config.validation_share,
        test_share=config.test_share,
        salt=config.split_salt,
    )
    place, grid = open_place(config)
    tiles, dropped = plan_tiles(
        grid,
        rule,
        tile_px=config.tile_px,
        stride_px=config.stride_px or config.tile_px,
    )
    counts, dropped = _write_records(config, place, rule, tiles, dropped)
    if counts.get("train"):
        write_folder_statistics(config.output)
    sys.stdout.write(_summary(config.output, counts, dropped))


def _check(config: Config) -> None:
    from s2distill.data.bands import parse_band_names

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
    if config.seed < 0 or config.image_gamma <= 0:
        raise ConfigError(
            f"--seed={config.seed} must be at least 0 and --image_gamma="
            f"{config.image_gamma} above 0"
        )


def _write_records(
    config: Config,
    place: "Place",
    rule: "SplitRule",
    tiles: list["Tile"],
    dropped: dict[str, int],
) -> tuple[dict[str, int], dict[str, int]]:
    """Writes the folder; records by split, dropped tiles by reason."""
    import tqdm

    from data_prep.pairing.pair import NO_VALID_FRAME
    from data_prep.pairing.tiles import check_tiles_apart
    from s2distill.data.records import RecordWriter
    from s2distill.data.schema import RecordSpec

    spec = RecordSpec(
        bands=place.bands,
        tile_px=config.tile_px,
        fields=("image", *place.labels.fields),
        product_level=place.frames.product_level,
        quantification_dn=place.frames.quantification_dn,
        offset_dn=place.frames.offset_dn,
    )
    provenance = {
        "program": "data_prep.pair_geotiffs",
        "flags": to_flag_lines(config),
        **place.provenance,
    }
    written = []
    with RecordWriter(
        config.output,
        spec,
        provenance=provenance,
        split_rule=rule.to_json(),
        overwrite=config.overwrite,
    ) as writer:
        for reason, number in dropped.items():
            writer.count_dropped(reason, number)
        for tile in tqdm.tqdm(tiles, desc="tiles", unit="tile"):
            example = place.make_example(tile)
            if isinstance(example, str):
                writer.count_dropped(example)
                continue
            writer.write(tile.split, example)
            written.append(tile)
        if not written and writer.dropped.get(NO_VALID_FRAME):
            raise FrameError(
                f"{config.frames or config.image}: no frame has a valid pixel "
                f"on any tile of {config.image}; dropped tiles: "
                f"{_format_counts(writer.dropped)}; give clearer dates, or "
                "frames of this place"
            )
        check_tiles_apart(written, rule)
    return writer.counts, writer.dropped


def _format_counts(counts: dict[str, int]) -> str:
    found = collections.Counter(counts).most_common()
    return ", ".join(f"{number} {name}" for name, number in found) or "none"


def _summary(
    output: str, counts: dict[str, int], dropped: dict[str, int]
) -> str:
    return (
        f"records: {_format_counts(counts)} in {output}\n"
        f"dropped tiles: {_format_counts(dropped)}\n"
    )


def main() -> None:
    """Entry point of the console script."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()

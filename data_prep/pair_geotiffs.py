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
import sys
from typing import TYPE_CHECKING

from data_prep.pairing.pair_config import Config
from data_prep.pairing.pair_config import check_config
from s2distill.errors import FrameError
from s2distill.flag_config import run_program
from s2distill.flag_config import to_flag_lines

if TYPE_CHECKING:
    from data_prep.pairing.pair import Place
    from data_prep.pairing.tiles import Tile
    from data_prep.split import SplitRule


def run(config: Config) -> None:
    """Writes the record folder."""
    from data_prep.band_statistics import write_folder_statistics
    from data_prep.pairing.open_place import open_place
    from data_prep.pairing.tiles import plan_tiles
    from data_prep.split import SplitRule
    from s2distill.atomic_write import check_absent

    check_config(config)
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
    shares = {
        "validation": config.validation_share,
        "test": config.test_share,
    }
    asked = [name for name, share in shares.items() if share > 0]
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
    missing = [name for name in asked if not counts.get(name)]
    if missing and place.labels.fields:  # without labels nothing is held out
        sys.stdout.write(
            f"no tile for {', '.join(missing)}: blocks of --block_m="
            f"{config.block_m:g} are large for this place; smaller ones, or "
            "another --split_salt, give every split its ground\n"
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
        fields=place.fields,
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

r"""Draws places from a region: grids in UTM, with keys, splits and dates.

python -m data_prep.earth_engine.sample_places --region=area.geojson \
    --count=500 --tile_px=32 --date=2023-07-01 --output=places.geojson

Places are squares on a lattice of their UTM zone. Ground goes to train,
validation and test by blocks with a gap between, as in pair_geotiffs. The
draw is stable: a larger --count keeps all places of a smaller one, and a part
of the region those of the whole. With --built_up, a raster of built-up
shares, places come equally from ground that is hardly and that is densely
built up. Nothing is asked of Earth Engine.
"""

import collections
import dataclasses
import sys
from typing import TYPE_CHECKING
from typing import Literal

from s2distill.errors import ConfigError
from s2distill.errors import OutputError
from s2distill.flag_config import flag
from s2distill.flag_config import run_program
from s2distill.flag_config import to_flag_lines

if TYPE_CHECKING:
    from data_prep.earth_engine.places.built_up import BuiltUpStrata
    from data_prep.earth_engine.places.place_sample import PlaceSample
    from data_prep.earth_engine.places.place_sample import SampleRule
    from data_prep.earth_engine.places.region import Region


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of this program."""

    output: str = flag(help="Places file to write (GeoJSON).")
    count: int = flag(help="Number of places; 0 takes all there are.")
    region: str = flag(
        "",
        help="Polygons: GeoJSON in longitude and latitude, or any vector "
        "file with a CRS. Its shape counts, not its box.",
    )
    region_box: tuple[str, ...] = flag(
        (),
        help="WEST,SOUTH,EAST,NORTH in degrees, instead of --region; west "
        "beyond east crosses the antimeridian.",
    )
    tile_px: int = flag(32, help="Side of a place, pixels of 10 m.")
    coverage: Literal["whole", "centre", "touch"] = flag(
        "whole",
        help="A square is of the region if all of it, its centre, or any of "
        "it lies in it. For a batch export of all ground: touch, with "
        "--count=0.",
    )
    date: str = flag(
        "",
        help="YYYY-MM-DD around which frames are wanted; none leaves it to "
        "the recipe of the export.",
    )
    dates: tuple[str, ...] = flag(
        (), help="Several, instead of --date; each place gets one, by its key."
    )
    built_up: str = flag(
        "", help="Raster of built-up shares, any CRS; draws by --strata."
    )
    built_up_scale: float = flag(
        1.0, help="Value of --built_up that stands for all built up, as 100."
    )
    strata: tuple[str, ...] = flag(
        ("0.02", "0.1", "0.3"),
        help="Built-up shares between two strata, ascending.",
    )
    strata_shares: tuple[str, ...] = flag(
        (), help="Of the draw, one for each stratum; else all are equal."
    )
    block_m: float = flag(1000.0, help="Side of the blocks of a split.")
    gap_m: float = flag(50.0, help="Least distance between two splits.")
    validation_share: float = flag(0.15, help="Share of blocks.")
    test_share: float = flag(0.15, help="Share of blocks.")
    split_salt: str = flag("", help="Another text draws other blocks.")
    seed: int = flag(0, help="Another number draws other places.")
    picture: str = flag("", help="PNG: a map of region and places.")
    overwrite: bool = flag(False, help="Replace what exists.")


def run(config: Config) -> None:
    """Writes the places file, the map if asked for, and a table."""
    _check_config(config)
    _check_outputs(config)
    from data_prep.earth_engine.places.place_sample import draw_places
    from data_prep.earth_engine.places.places import write_places

    rule = _make_rule(config)
    region = _read_region(config)
    sample = draw_places(region, rule)
    write_places(
        config.output,
        sample.places,
        split_rule=rule.split_rule.to_json(),
        region=region.to_json(),
        dropped=sample.dropped,
        provenance={
            "program": "data_prep.earth_engine.sample_places",
            "flags": to_flag_lines(config),
        },
    )
    if config.picture:
        from data_prep.earth_engine.places.place_map import draw_map

        draw_map(config.picture, sample.places, region)
    sys.stdout.write(_summary(config, sample))


def _check_config(config: Config) -> None:
    if bool(config.region) == bool(config.region_box):
        raise ConfigError(
            f"--region={config.region!r}, --region_box="
            f"{','.join(config.region_box)!r}: give one of the two"
        )
    if config.date and config.dates:
        raise ConfigError(
            f"--date={config.date}, --dates={','.join(config.dates)}: give "
            "one of the two"
        )
    if not config.built_up and config.strata_shares:
        raise ConfigError(
            f"--strata_shares={','.join(config.strata_shares)} needs "
            "--built_up, a raster of built-up shares"
        )


def _check_outputs(config: Config) -> None:
    from data_prep.earth_engine.file_text import exists
    from s2distill.atomic_write import check_absent

    if config.overwrite:
        return
    if exists(config.output):
        raise OutputError(
            f"{config.output} exists already; choose another path, remove "
            "it, or pass --overwrite"
        )
    if config.picture:
        check_absent(config.picture)


def _make_rule(config: Config) -> "SampleRule":
    from data_prep.earth_engine.places.place_sample import SampleRule
    from data_prep.split import SplitRule

    return SampleRule(
        count=config.count,
        tile_px=config.tile_px,
        coverage=config.coverage,
        dates=config.dates or ((config.date,) if config.date else ()),
        seed=config.seed,
        strata=_make_strata(config) if config.built_up else None,
        split_rule=SplitRule(
            block_m=config.block_m,
            gap_m=config.gap_m,
            validation_share=config.validation_share,
            test_share=config.test_share,
            salt=config.split_salt,
        ),
    )


def _make_strata(config: Config) -> "BuiltUpStrata":
    from data_prep.earth_engine.places.built_up import BuiltUpStrata

    return BuiltUpStrata(
        raster=config.built_up,
        scale=config.built_up_scale,
        edges=_numbers("strata", config.strata),
        shares=_numbers("strata_shares", config.strata_shares),
    )


def _numbers(name: str, texts: tuple[str, ...]) -> tuple[float, ...]:
    try:
        return tuple(map(float, texts))
    except ValueError:
        raise ConfigError(
            f"--{name}={','.join(texts)}: wanted are numbers with commas "
            "between"
        ) from None


def _read_region(config: Config) -> "Region":
    from data_prep.earth_engine.places.region import parse_region_box
    from data_prep.earth_engine.places.region import read_region

    if config.region:
        return read_region(config.region)
    return parse_region_box(config.region_box)


def _summary(config: Config, sample: "PlaceSample") -> str:
    from s2distill.data.schema import SPLITS

    places = sample.places
    total = sum(sample.available.values())
    lines = [f"{len(places):,} places of {total:,} in {config.output}"]
    lines += _table(sample, SPLITS)
    zones = collections.Counter(place.grid.crs for place in places)
    lines.append(f"zones: {_format_counts(zones)}")
    lines.append(f"squares left out: {_format_counts(sample.dropped)}")
    for stratum, number in sample.missing.items():
        where = f"{stratum} has" if stratum else "the region has"
        lines.append(
            f"{where} {sample.available[stratum]:,} places, {number:,} fewer "
            "than asked for; a larger region"
            + (", other --strata or --strata_shares" if stratum else "")
            + " or a smaller --tile_px gives more"
        )
    shares = {"validation": config.validation_share, "test": config.test_share}
    found = {place.split for place in places}
    lines += [
        f"no place for {split}: blocks of --block_m={config.block_m:g} are "
        "large for this region or the draw is small; smaller blocks, more "
        "places or another --split_salt give every split its ground"
        for split, share in shares.items()
        if share > 0 and split not in found
    ]
    return "\n".join(lines) + "\n"


def _table(sample: "PlaceSample", splits: tuple[str, ...]) -> list[str]:
    """Lines of a table: strata down, splits across."""
    counts = collections.Counter((p.stratum, p.split) for p in sample.places)
    strata = list(sample.available)
    first = max(len("all"), *map(len, strata))
    lines = [" " * first + "".join(f"{s:>12}" for s in (*splits, "all"))]
    for stratum in strata if strata != [""] else []:
        row = [counts[stratum, split] for split in splits]
        cells = "".join(f"{n:>12,}" for n in (*row, sum(row)))
        lines.append(f"{stratum:<{first}}{cells}")
    row = [sum(counts[s, split] for s in strata) for split in splits]
    cells = "".join(f"{n:>12,}" for n in (*row, sum(row)))
    return [*lines, f"{'all':<{first}}{cells}"]


def _format_counts(counts: dict[str, int]) -> str:
    found = collections.Counter(counts).most_common()
    return ", ".join(f"{number:,} {name}" for name, number in found) or "none"


def main() -> None:
    """Entry point of the console script."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()

"""What is asked of Earth Engine for each place: the flags of a recipe.

Collections, bands, dates and tables; no `ee`, no place. The programs that
export inherit these flags, so a flagfile of one is read by the other.
"""

import dataclasses
import math
from typing import Literal

from s2distill.data.bands import DEFAULT_BANDS
from s2distill.data.bands import ProductLevel
from s2distill.data.bands import parse_band_names
from s2distill.errors import BandError
from s2distill.errors import ConfigError
from s2distill.flag_config import flag

# Earth Engine data catalog. HARMONIZED: the offset of +1000 DN of processing
# baseline 04.00 and later is taken off, so offset_dn is 0.
S2_COLLECTIONS: dict[ProductLevel, str] = {
    "L1C": "COPERNICUS/S2_HARMONIZED",
    "L2A": "COPERNICUS/S2_SR_HARMONIZED",
}
CLOUD_SCORE_PLUS = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"
OPEN_BUILDINGS = "GOOGLE/Research/open-buildings/v3/polygons"
OPEN_BUILDINGS_TEMPORAL = "GOOGLE/Research/open-buildings-temporal/v1"
NAIP = "USDA/NAIP/DOQQ"
TIGER_ROADS = "TIGER/2016/Roads"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is asked of Earth Engine for each place."""

    bands: tuple[str, ...] = flag(
        DEFAULT_BANDS, help="Sentinel-2 bands to keep."
    )
    product_level: Literal["L1C", "L2A"] = flag(
        "L2A", help="L2A (surface) or L1C (top of atmosphere) reflectance."
    )
    frames_before: int = flag(
        16, help="Clearest frames to keep before the date."
    )
    frames_after: int = flag(
        16, help="Clearest frames to keep on and after the date."
    )
    window_days: int = flag(
        365, help="How far before and after the date frames are looked for."
    )
    frames_around: Literal["image", "place"] = flag(
        "image",
        help="Date in the middle of the frames: that of the 50 cm image (of "
        "the place where there is none), or that of the place.",
    )
    clear_band: Literal["cs", "cs_cdf"] = flag(
        "cs", help="Band of Cloud Score+ that says how clear a pixel is."
    )
    clear_threshold: float = flag(
        0.5, help="Pixels that are less clear are not valid; 0 to 1."
    )
    min_frame_score: float = flag(
        0.2,
        help="Frames whose mean score over the place is less are left out.",
    )
    image: str = flag(
        "",
        help="50 cm image: an image or image collection of Earth Engine, "
        f"such as {NAIP} or your own asset. Without one there are frames, "
        "and what else is asked for.",
    )
    image_kind: Literal["collection", "image"] = flag(
        "collection",
        help="What --image is: a collection, of which the images that have a "
        "date are looked at, or one image, taken whatever its date.",
    )
    image_bands: tuple[str, ...] = flag(
        ("R", "G", "B"), help="Its bands for red, green, blue."
    )
    image_range: tuple[str, ...] = flag(
        ("0", "255"),
        help="Its numbers that become 0 and 255, for images of 16 bits.",
    )
    image_window_days: int = flag(
        730,
        help="How far from the date of the place an image may be; the "
        "nearest that shows the place is taken.",
    )
    min_image_share: float = flag(
        0.5, help="Share of a place that the image must show."
    )
    view_angle_property: str = flag(
        "", help="Property of the image: its view angle, degrees off nadir."
    )
    view_azimuth_property: str = flag(
        "", help="Property of the image: azimuth of the view, degrees."
    )
    buildings: str = flag(
        "",
        help="Table of building polygons, such as "
        f"{OPEN_BUILDINGS} or your own asset.",
    )
    building_filter_property: str = flag(
        "", help="Numeric property of --buildings, such as confidence ..."
    )
    building_filter_min: float = flag(
        0.0, help="... that must be at least this."
    )
    height_property: str = flag(
        "", help="Property of --buildings: height above ground, m."
    )
    roads: str = flag(
        "",
        help=f"Table of road lines or polygons, such as {TIGER_ROADS} or "
        "your own asset.",
    )
    road_width_m: float = flag(
        6.0, help="Width of road lines; 0 if --roads holds polygons."
    )
    road_width_property: str = flag(
        "", help="Property of --roads: width in m, where it is above 0."
    )
    labels_area: str = flag(
        "",
        help="Table of polygons in which the labels are complete; else they "
        "are wherever the image shows the ground.",
    )
    weak_labels: str = flag(
        "",
        help="Image collection of weak labels, written as answers of a "
        f"teacher: {OPEN_BUILDINGS_TEMPORAL} (building presence, fractional "
        "count, height; no roads).",
    )

    @property
    def frames(self) -> int:
        """Frames of a place, those that stay empty included."""
        return self.frames_before + self.frames_after

    @property
    def image_range_dn(self) -> tuple[float, float]:
        """The two numbers of the image that become 0 and 255."""
        low, high = self.image_range
        return float(low), float(high)

    @property
    def label_fields(self) -> tuple[str, ...]:
        """Fields of the records that hold labels."""
        found = []
        if self.buildings:
            found.append("building")
        if self.roads:
            found.append("road")
        if self.buildings and self.height_property:
            found.append("height")
        return tuple(found)

    @property
    def record_fields(self) -> tuple[str, ...]:
        """Optional fields of the records, see `s2distill.data.schema`."""
        found = []
        if self.image:
            found.append("image")
        if self.view_angle_property:
            found.append("view")
        found.extend(self.label_fields)
        if self.weak_labels:
            found.append("teacher")
        return tuple(found)


def check_recipe(recipe: Recipe) -> None:
    """Raises ConfigError or BandError at flags that make no sense."""
    parse_band_names(recipe.bands)
    if recipe.product_level == "L2A" and "B10" in recipe.bands:
        raise BandError(
            "--bands has B10, which surface reflectance (L2A) lacks; leave "
            "it out or ask for --product_level=L1C"
        )
    _check_numbers(recipe)
    _check_tables(recipe)
    if len(recipe.image_bands) != 3:
        raise ConfigError(
            f"--image_bands={','.join(recipe.image_bands)}: three are needed, "
            "for red, green and blue; a grey image may name one band thrice"
        )
    try:
        low, high = recipe.image_range_dn
    except ValueError:
        low, high = 0.0, 0.0
    if not (low < high and math.isfinite(high - low)):
        raise ConfigError(
            f"--image_range={','.join(recipe.image_range)}: two numbers are "
            "needed, the lower first, such as 0,255 or 200,3000"
        )


def _check_numbers(recipe: Recipe) -> None:
    least = {
        "frames_before": 0,
        "frames_after": 0,
        "window_days": 1,
        "image_window_days": 1,
        "road_width_m": 0,
    }
    for name, bound in least.items():
        if not getattr(recipe, name) >= bound:  # nor NaN
            raise ConfigError(
                f"--{name}={getattr(recipe, name)} must be at least {bound}"
            )
    if recipe.frames == 0 or recipe.frames > 99:
        raise ConfigError(
            f"--frames_before={recipe.frames_before} and --frames_after="
            f"{recipe.frames_after} ask for {recipe.frames} frames; 1 to 99 "
            "can be had"
        )
    for name in ("clear_threshold", "min_frame_score", "min_image_share"):
        if not 0 <= getattr(recipe, name) <= 1:
            raise ConfigError(
                f"--{name}={getattr(recipe, name)} must be within 0..1"
            )
    if not math.isfinite(recipe.building_filter_min):
        raise ConfigError(
            f"--building_filter_min={recipe.building_filter_min} is no number"
        )


def _check_tables(recipe: Recipe) -> None:
    needs = {
        "height_property": "buildings",
        "building_filter_property": "buildings",
        "road_width_property": "roads",
        "view_angle_property": "image",
        "view_azimuth_property": "view_angle_property",
    }
    for name, other in needs.items():
        if getattr(recipe, name) and not getattr(recipe, other):
            raise ConfigError(
                f"--{name}={getattr(recipe, name)} needs --{other}; give it, "
                "or leave both out"
            )
    if recipe.road_width_property and not recipe.road_width_m:
        raise ConfigError(
            f"--road_width_property={recipe.road_width_property} with "
            "--road_width_m=0, which says that --roads holds polygons; give "
            "the width of lines that name none, or leave the property out"
        )
    if recipe.label_fields and not recipe.image:
        raise ConfigError(
            "--buildings or --roads without --image: labels are drawn where "
            "an image shows the ground; give the image they were drawn on, "
            "or weak labels, which need none"
        )
    if recipe.labels_area and not recipe.label_fields:
        raise ConfigError(
            f"--labels_area={recipe.labels_area} without --buildings or "
            "--roads; give the labels that are complete there"
        )

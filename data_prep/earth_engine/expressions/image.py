"""The 50 cm image of a place, and the date that the frames are taken around.

Expressions of the `ee` client; see `sentinel2` for what of them is tested.

Images of one date are laid side by side: a place on the edge of two tiles of
a flight is shown whole. Of all dates, those that show most of the place come
first, in steps of a twentieth, and of them the nearest to the place's date;
where that one has holes, the next ones show through. The day and the view of
each pixel are bands, so that a record can say what it is made of.
"""

import ee

from data_prep.earth_engine.expressions.sentinel2 import REGION_MAX_PIXELS
from data_prep.earth_engine.layers import VIEW_DEG
from data_prep.earth_engine.layers import VIEW_UNKNOWN
from data_prep.earth_engine.recipe import NAIP
from data_prep.earth_engine.recipe import Recipe

_DAY_MS = 86_400_000
# How much of a place an image shows is counted on the grid of Sentinel-2.
_SHARE_SCALE_M = 10
_SHARE_STEPS = 20
_COLOURS = ["red", "green", "blue"]
# Properties that are set on the images.
_DAY = "s2distill_day"
_SHARE = "s2distill_share"
_RANK = "s2distill_rank"


def build_image(
    recipe: Recipe, *, region: ee.Geometry, place_time: ee.Date
) -> ee.Image:
    """Bands red, green, blue, image_valid, image_day, and those of the view.

    All 0 where no image shows the ground. A pixel is shown where all three
    bands are unmasked and not all of them are 0.

    Args:
      recipe: What is asked for; `recipe.image` is not empty.
      region: The place.
      place_time: The date that images are wanted near.
    """
    names = [*_COLOURS, "image_valid", "image_day"]
    if recipe.view_angle_property:
        names += ["view_angle", "view_azimuth"]
    blank = (
        ee.Image.constant([0] * len(names))
        .rename(names)
        .updateMask(ee.Image.constant(0))
    )
    images = _find_images(recipe, region, place_time)
    dates = _join_dates(
        images.map(lambda image: _show(recipe, image)), region, place_time
    )
    # The last image of a mosaic is on top. Without the blank one, a place
    # that no image shows would give an image without bands.
    pile = ee.ImageCollection([blank]).merge(dates.sort(_RANK, False))
    return pile.mosaic().unmask(0, False)


def find_image_time(
    recipe: Recipe, *, region: ee.Geometry, place_time: ee.Date
) -> ee.Date:
    """Midnight (UTC) of the date of the image on top; else of the place's.

    Args:
      recipe: What is asked for; `recipe.image` is not empty.
      region: The place.
      place_time: The date that images are wanted near.
    """
    images = _find_images(recipe, region, place_time)
    # Without colours, which a request for frames need not carry.
    dates = _join_dates(
        images.map(lambda image: _outline(recipe, image)), region, place_time
    )
    days = (
        dates.filter(ee.Filter.gt(_SHARE, 0))
        .filter(ee.Filter.gt(_DAY, 0))
        .sort(_RANK)
        .aggregate_array(_DAY)
        # The first of a list is never missing when a default ends it.
        .add(_day(place_time.millis()))
    )
    return ee.Date(ee.Number(days.get(0)).multiply(_DAY_MS))


def _join_dates(
    images: ee.ImageCollection, region: ee.Geometry, place_time: ee.Date
) -> ee.ImageCollection:
    """One image for each date, with its day, share of the place, and rank.

    `images` have a band image_valid, and their day.
    """
    place_day = _day(place_time.millis())

    def join(day: ee.Number) -> ee.Image:
        mosaic = images.filter(ee.Filter.eq(_DAY, day)).mosaic()
        share = (
            mosaic.select("image_valid")
            .unmask(0, False)
            .reduceRegion(
                reducer=ee.Reducer.mean(),
                geometry=region,
                scale=_SHARE_SCALE_M,
                crs=region.projection(),
                maxPixels=REGION_MAX_PIXELS,
            )
            .get("image_valid")
        )
        hidden = ee.Number(1).subtract(share).multiply(_SHARE_STEPS).round()
        # A quarter of a day more for the later ones: no two days are equal.
        days_off = ee.Number(day).subtract(place_day).add(0.25).abs()
        rank = hidden.multiply(1_000_000).add(days_off)
        return mosaic.set({_DAY: day, _SHARE: share, _RANK: rank})

    days = images.aggregate_array(_DAY).distinct()
    return ee.ImageCollection(days.map(join))


def _find_images(
    recipe: Recipe, region: ee.Geometry, place_time: ee.Date
) -> ee.ImageCollection:
    if recipe.image_kind == "image":
        return ee.ImageCollection([ee.Image(recipe.image)])
    days = recipe.image_window_days
    images = (
        ee.ImageCollection(recipe.image)
        .filterBounds(region)
        .filterDate(
            place_time.advance(-days, "day"), place_time.advance(days, "day")
        )
    )
    if recipe.image == NAIP:
        # Those of near infrared, red and green have no band B (catalog).
        images = images.filter(
            ee.Filter.stringStartsWith("system:index", "c_").Not()
        )
    # Neighbours of one date overlap: which is on top is settled here.
    return images.sort("system:index")


def _show(recipe: Recipe, image: ee.Image) -> ee.Image:
    """Red, green, blue as 0 to 255, and the numbers; masked where not seen."""
    colours = _select_colours(recipe, image)
    low, high = recipe.image_range_dn
    scaled = colours.subtract(low).multiply(255 / (high - low))
    numbers = _make_numbers(recipe, image)
    constants = ee.Image.constant(list(numbers.values())).rename(list(numbers))
    shown = scaled.round().clamp(0, 255).addBands(constants)
    return _hide(shown, colours).set(_DAY, numbers["image_day"])


def _outline(recipe: Recipe, image: ee.Image) -> ee.Image:
    """Band image_valid alone, masked where `_show` is."""
    extent = ee.Image.constant(1).rename("image_valid")
    day = _make_numbers(recipe, image)["image_day"]
    return _hide(extent, _select_colours(recipe, image)).set(_DAY, day)


def _select_colours(recipe: Recipe, image: ee.Image) -> ee.Image:
    return image.resample("bilinear").select(list(recipe.image_bands), _COLOURS)


def _hide(image: ee.Image, colours: ee.Image) -> ee.Image:
    """Masks what lies beyond the picture, be it masked there or filled."""
    is_seen = colours.mask().reduce(ee.Reducer.min()).gte(0.5)
    is_filled = colours.reduce(ee.Reducer.max()).gt(0)
    return image.updateMask(is_seen).updateMask(is_filled)


def _make_numbers(recipe: Recipe, image: ee.Image) -> dict[str, ee.Number]:
    """Numbers of an image that become bands, by name."""
    time_ms, _ = _read(image, "system:time_start")
    numbers = {
        "image_valid": ee.Number(1),
        "image_day": _day(time_ms),
    }
    if recipe.view_angle_property:
        angle, is_known = _read(image, recipe.view_angle_property)
        # Some sensors give a sign to the side they look to.
        numbers["view_angle"] = _to_view_unit(angle.abs(), is_known)
        numbers["view_azimuth"] = ee.Number(VIEW_UNKNOWN)
    if recipe.view_azimuth_property:
        azimuth, is_known = _read(image, recipe.view_azimuth_property)
        # Some count from -180 to 180.
        azimuth = azimuth.add(360).mod(360)
        numbers["view_azimuth"] = _to_view_unit(azimuth, is_known)
    return numbers


def _read(image: ee.Image, name: str) -> tuple[ee.Number, ee.Number]:
    """A property, or 0; and 1 if there is one, or 0."""
    found = ee.List([image.get(name)])
    value = found.add(0).reduce(ee.Reducer.firstNonNull())
    return ee.Number(value), ee.Number(found.reduce(ee.Reducer.count()))


def _to_view_unit(angle_deg: ee.Number, is_known: ee.Number) -> ee.Number:
    unknown = ee.Number(1).subtract(is_known).multiply(VIEW_UNKNOWN)
    units = angle_deg.divide(VIEW_DEG).round()
    return units.multiply(is_known).add(unknown)


def _day(time_ms: ee.Number) -> ee.Number:
    return ee.Number(time_ms).divide(_DAY_MS).floor()

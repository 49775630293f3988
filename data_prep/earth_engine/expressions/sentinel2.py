"""The Sentinel-2 stack of a place: the clearest frames around a date.

Expressions of the `ee` client, computed by Earth Engine; nothing here asks
the service. What the service answers is not tested in this repository: the
graphs are checked against its list of algorithms, and run by a small
interpreter of that list's documentation.

The graph has the same size for any number of frames: frames are a collection
that is mapped, never a loop in Python.

Pixels are taken as Earth Engine takes them by default, by nearest neighbour:
bands of 20 m arrive as four equal pixels of 10 m, as `simulation.sensor`
makes them. The request's grid says where; nothing is reprojected here.

Unmasking is always done with `sameFootprint=False`: by default pixels outside
a granule would stay masked, and a frame that shows a corner of the place
would score as one that shows it all.
"""

import ee

from data_prep.earth_engine.layers import FRAME_SCORE
from data_prep.earth_engine.layers import frame_band
from data_prep.earth_engine.layers import make_frame_types
from data_prep.earth_engine.recipe import CLOUD_SCORE_PLUS
from data_prep.earth_engine.recipe import S2_COLLECTIONS
from data_prep.earth_engine.recipe import Recipe

_DAY_MS = 86_400_000
# The mean over 320 m needs no more than every second pixel of Cloud Score+.
_SCORE_SCALE_M = 20
# What a mean over a region may read: a square of 316 km at 10 m. The service's
# default of 1e7 is less than a batch cell of 16 x 16 places of 256 pixels.
REGION_MAX_PIXELS = 1_000_000_000
# Properties that are set on the images.
_SCORE = "s2distill_score"
_DATATAKE = "s2distill_datatake"
_VERSION = "s2distill_version"
_RANK = "s2distill_rank"
_ORDER = "s2distill_order"
# Blank frames come after any date; milliseconds, year 2286.
_AFTER_ALL_MS = 10_000_000_000_000
# Above the seconds of any window, so that differences stay positive.
_FAR_S = 1_000_000_000


def build_stack(
    recipe: Recipe, *, region: ee.Geometry, time: ee.Date
) -> ee.Image:
    """The bands of layer `s2`, see `layers`, without those of the guard.

    The clearest `frames_before` of the `window_days` before `time`, and the
    clearest `frames_after` of those on and after it, in order of time; blank
    frames last, so that there are always `recipe.frames`.

    Args:
      recipe: What is asked for.
      region: The place; frames are scored by their mean over it.
      time: The middle of the window.
    """
    days = recipe.window_days
    halves = []
    if recipe.frames_before:
        window = _find_frames(recipe, region, time.advance(-days, "day"), time)
        halves.append(
            _choose(recipe, window, region, time, recipe.frames_before)
        )
    if recipe.frames_after:
        window = _find_frames(recipe, region, time, time.advance(days, "day"))
        halves.append(
            _choose(recipe, window, region, time, recipe.frames_after)
        )
    frames = halves[0] if len(halves) == 1 else halves[0].merge(halves[1])
    types = make_frame_types(recipe)
    filled = (
        frames.map(lambda image: _draw_frame(recipe, image))
        .merge(_make_blanks(recipe.frames, types))
        .limit(recipe.frames, _ORDER)
    )
    return filled.toBands().rename(
        [
            frame_band(number, band)
            for number in range(recipe.frames)
            for band in types
        ]
    )


def _find_frames(
    recipe: Recipe, region: ee.Geometry, start: ee.Date, end: ee.Date
) -> ee.ImageCollection:
    """Frames of [start, end) with the band that says how clear they are."""
    return (
        ee.ImageCollection(S2_COLLECTIONS[recipe.product_level])
        .filterBounds(region)
        .filterDate(start, end)
        .linkCollection(
            ee.ImageCollection(CLOUD_SCORE_PLUS), [recipe.clear_band]
        )
    )


def _choose(
    recipe: Recipe,
    frames: ee.ImageCollection,
    region: ee.Geometry,
    time: ee.Date,
    number: int,
) -> ee.ImageCollection:
    """The clearest `number`, one for each datatake."""
    scored = frames.map(lambda image: _score(recipe, image, region, time))
    return (
        ee.ImageCollection(
            # A place under two granules is in the collection twice for each
            # pass, and again for each baseline that it was processed with.
            # They show the same photons: kept is the best, which is first.
            scored.sort(_VERSION, False).distinct([_DATATAKE])
        )
        .filter(
            ee.Filter.gte(_SCORE, round(recipe.min_frame_score / FRAME_SCORE))
        )
        .limit(number, _RANK, False)
    )


def _score(
    recipe: Recipe, image: ee.Image, region: ee.Geometry, time: ee.Date
) -> ee.Image:
    """Sets the properties that frames are chosen by.

    Both orders are texts that end in something no other frame has, so that
    equals never stand in whatever order the service read them in.
    """
    place = region.projection()
    clear = (
        # A pixel without a score, or outside the granule, is not clear.
        image.select(recipe.clear_band)
        .unmask(0, False)
        .reduceRegion(
            reducer=ee.Reducer.mean(),
            geometry=region,
            scale=_SCORE_SCALE_M,
            crs=place,
            maxPixels=REGION_MAX_PIXELS,
        )
    )
    score = (
        ee.Number(clear.get(recipe.clear_band))
        .divide(FRAME_SCORE)
        .round()
        .toInt()
    )
    # A datatake is named with its baseline: "GS2A_20170210T160421_008581_
    # N02.04". Without it, versions of one pass have one name.
    datatake = ee.String(image.get("DATATAKE_IDENTIFIER")).replace("_N.*$", "")
    index = image.get("system:index")
    crs = image.select(recipe.bands[0]).projection().crs()
    is_other_zone = crs.compareTo(place.crs()).abs()
    # Which version of a pass to keep: the clearest, in steps of 2 %, since
    # one of another zone, whose pixels would be taken askew, must not win by
    # a hair; and then the one with the newest calibration and geometry.
    version = [
        score.divide(200).round().toInt().format("%02d"),
        ee.Number(1).subtract(is_other_zone).toInt().format("%d"),
        _baseline(image).toInt().format("%04d"),
        index,
    ]
    # Which passes to keep: the clearest, and of two that are as clear, the
    # one nearer to the date.
    off_s = _time_ms(image).subtract(time.millis()).abs().divide(1000)
    rank = [
        score.format("%05d"),
        ee.Number(_FAR_S).subtract(off_s).toInt().format("%010d"),
        index,
    ]
    return image.set(
        {
            _SCORE: score,
            _DATATAKE: datatake,
            _VERSION: ee.List(version).join(),
            _RANK: ee.List(rank).join(),
        }
    )


def _draw_frame(recipe: Recipe, image: ee.Image) -> ee.Image:
    """A chosen frame with the bands and types of `make_frame_types`."""
    types = make_frame_types(recipe)
    bands = image.select(list(recipe.bands))
    is_seen = bands.mask().reduce(ee.Reducer.min())
    # Some files hold 0 where there is nothing, without a mask.
    is_filled = bands.reduce(ee.Reducer.max()).gt(0)
    valid = (
        image.select([recipe.clear_band], ["valid"])
        .gte(recipe.clear_threshold)
        .updateMask(is_seen)
        .updateMask(is_filled)
        .unmask(0, False)
    )
    time_ms = _time_ms(image)
    numbers = {
        "day": time_ms.divide(_DAY_MS).floor(),
        "second": time_ms.mod(_DAY_MS).divide(1000).floor(),
        "orbit": ee.Number(image.get("SENSING_ORBIT_NUMBER")),
        "baseline": _baseline(image),
        "score": ee.Number(image.get(_SCORE)),
    }
    constants = ee.Image.constant(list(numbers.values())).rename(list(numbers))
    # What has no footprint stands first: it is the one that is kept.
    frame = bands.unmask(0, False).addBands(valid).addBands(constants)
    return frame.cast(types, list(types)).set(_ORDER, time_ms)


def _make_blanks(number: int, types: dict[str, str]) -> ee.ImageCollection:
    blank = (
        ee.Image.constant([0] * len(types))
        .rename(list(types))
        .cast(types, list(types))
        .set(_ORDER, _AFTER_ALL_MS)
    )
    return ee.ImageCollection(ee.List.repeat(blank, number))


def _time_ms(image: ee.Image) -> ee.Number:
    return ee.Number(image.get("system:time_start"))


def _baseline(image: ee.Image) -> ee.Number:
    """511 for "05.11"."""
    text = ee.String(image.get("PROCESSING_BASELINE"))
    return ee.Number.parse(text).multiply(100).round()

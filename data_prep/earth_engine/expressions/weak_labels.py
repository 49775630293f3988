"""Weak labels of a place: Open Buildings 2.5D Temporal, one image a year.

Expressions of the `ee` client; see `sentinel2` for what of them is tested.

Source of names and ranges: Earth Engine data catalog,
GOOGLE/Research/open-buildings-temporal/v1. `inference_time_epoch_s`, 30 June
of each year from 2016 to 2023, is the time that an image is meant to show;
an image is an S2 cell in a UTM zone, so that a year is a mosaic. Presence is
0 to 1 and uncalibrated, height is metres up to 100, and the fractional count,
up to 0.0216, sums to buildings over pixels of 0.5 m.
"""

import ee

from data_prep.earth_engine.layers import HEIGHT_M
from data_prep.earth_engine.layers import WEAK_COUNT
from data_prep.earth_engine.layers import WEAK_PRESENCE
from data_prep.earth_engine.recipe import Recipe

_TIME = "inference_time_epoch_s"
_OFF = "s2distill_off"
# Band there, band here, its unit, its greatest number.
_BANDS = (
    ("building_presence", "weak_presence", WEAK_PRESENCE, 255),
    ("building_fractional_count", "weak_count", WEAK_COUNT, 65_535),
    ("building_height", "weak_height", HEIGHT_M, 65_535),
)


def build_weak_labels(
    recipe: Recipe, *, region: ee.Geometry, place_time: ee.Date
) -> ee.Image:
    """Bands weak_valid, weak_presence, weak_count, weak_height.

    Those of the year nearest to the place's date; all 0 where it knows
    nothing.

    Args:
      recipe: What is asked for; `recipe.weak_labels` is not empty.
      region: The place.
      place_time: The date that labels are wanted near.
    """
    names = [name for name, *_ in _BANDS]
    place_s = place_time.millis().divide(1000)
    images = (
        ee.ImageCollection(recipe.weak_labels)
        .filterBounds(region)
        .map(lambda image: _set_distance(image, place_s))
        .sort(_OFF)
    )
    # The list ends in a time that no image has: outside of the collection's
    # countries nothing is left, and nothing is known.
    nearest = images.aggregate_array(_TIME).add(-1).get(0)
    blank = (
        ee.Image.constant([0] * len(names))
        .rename(names)
        .updateMask(ee.Image.constant(0))
    )
    year = (
        images.filter(ee.Filter.eq(_TIME, nearest))
        # Neighbours overlap: which is on top is settled here.
        .sort("system:index")
        .select(names)
    )
    mosaic = ee.ImageCollection([blank]).merge(year).mosaic()
    valid = mosaic.mask().reduce(ee.Reducer.min()).gt(0).rename("weak_valid")
    labels = valid.unmask(0, False)
    for band, name, unit, greatest in _BANDS:
        scaled = mosaic.select([band], [name]).divide(unit).round()
        labels = labels.addBands(
            scaled.clamp(0, greatest).updateMask(valid).unmask(0, False)
        )
    return labels


def _set_distance(image: ee.Image, place_s: ee.Number) -> ee.Image:
    off_s = image.getNumber(_TIME).subtract(place_s).abs()
    return image.set(_OFF, off_s)

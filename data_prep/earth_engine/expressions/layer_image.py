"""A layer of a place as one expression, with exactly the bands of `layers`.

Expressions of the `ee` client; see `sentinel2` for what of them is tested.
"""

from collections.abc import Sequence

import ee

from data_prep.earth_engine.expressions.image import build_image
from data_prep.earth_engine.expressions.image import find_image_time
from data_prep.earth_engine.expressions.labels import build_labels
from data_prep.earth_engine.expressions.sentinel2 import build_stack
from data_prep.earth_engine.expressions.weak_labels import build_weak_labels
from data_prep.earth_engine.layers import GUARD_BANDS
from data_prep.earth_engine.layers import Layer
from data_prep.earth_engine.recipe import Recipe

_GUARD_PER_DEG = 100_000
_GUARD_MODULUS = 65_536
# A multiple of the modulus above 180 degrees: Earth Engine's remainder has
# the sign of the dividend.
_GUARD_SHIFT = 275 * _GUARD_MODULUS


def build_layer(
    recipe: Recipe, layer: Layer, *, region: ee.Geometry, place_time: ee.Date
) -> ee.Image:
    """The image of a layer, unmasked everywhere.

    Args:
      recipe: What is asked for.
      layer: One of `make_layers(recipe)`.
      region: The place, see `make_region`.
      place_time: The place's date.

    Returns:
      `layer.bands` in order, with the types of `layer.types`.
    """
    if layer.name == "s2":
        return _build_s2(recipe, region, place_time).addBands(_make_guard())
    parts = []
    if recipe.image:
        parts.append(build_image(recipe, region=region, place_time=place_time))
    if recipe.label_fields:
        parts.append(build_labels(recipe, region=region))
    if recipe.weak_labels:
        parts.append(
            build_weak_labels(recipe, region=region, place_time=place_time)
        )
    parts.append(_make_guard())
    image = parts[0]
    for part in parts[1:]:
        image = image.addBands(part)
    return image.cast(layer.types, list(layer.bands))


def make_region(crs: str, bounds: Sequence[float]) -> ee.Geometry:
    """A place as a rectangle with straight edges in its own projection.

    Args:
      crs: "EPSG:32616".
      bounds: (left, bottom, right, top), m.
    """
    return ee.Geometry.Rectangle(
        [float(value) for value in bounds], crs, geodesic=False
    )


def _build_s2(
    recipe: Recipe, region: ee.Geometry, place_time: ee.Date
) -> ee.Image:
    time = place_time
    if recipe.image and recipe.frames_around == "image":
        time = find_image_time(recipe, region=region, place_time=place_time)
    return build_stack(recipe, region=region, time=time)


def _make_guard() -> ee.Image:
    """Where the middle of each pixel is, in few bits; see `layers`."""
    return (
        ee.Image.pixelLonLat()
        .multiply(_GUARD_PER_DEG)
        .round()
        .add(_GUARD_SHIFT)
        .mod(_GUARD_MODULUS)
        .toUint16()
        .select(list(GUARD_BANDS))
    )

"""The bands of the answers, their types and scales: the one place with them.

A place is asked for in layers, each one image on one grid: `s2`, the stack at
10 m, and `fine`, everything on the label grid. Bands have integer types and
are never masked: what is not there is 0, and a band of its own says where.

    layer s2, for each frame f00, f01, ... (in order of time, empty ones last)
      f00_B2 ...       uint16  digital numbers, offset taken off (HARMONIZED)
      f00_valid        uint8   1 = seen, and as clear as asked for
      f00_day          uint16  days since 1970, UTC; 0 = there is no frame
      f00_second       int32   seconds of that day
      f00_orbit        uint8   relative orbit number, 1 to 143
      f00_baseline     uint16  processing baseline times 100: 511 for 05.11
      f00_score        uint16  mean Cloud Score+ over the place times 10,000
    layer fine
      red green blue   uint8
      image_valid      uint8   1 = the image shows the ground
      image_day        uint16  days since 1970, UTC; 0 = the image has no date
      view_angle       uint16  hundredths of a degree off nadir
      view_azimuth     uint16  hundredths of a degree; of both 65535 = unknown
      labelled         uint8   1 = the labels are complete here
      building         uint8   1 = inside a polygon
      centroids        uint8   buildings whose centroid lies in the pixel
      height           uint16  cm above ground; 0 = unknown or no building
      road             uint8   1 = on a road
      weak_valid       uint8   1 = the weak labels know this pixel
      weak_presence    uint8   building presence times 255
      weak_count       uint16  fractional count per pixel times 1,000,000
      weak_height      uint16  cm above ground
    both
      longitude        uint16  hundred-thousandths of a degree, modulo 65536
      latitude         uint16  the same; see `guard`

Day and second are two bands, and the guard is small, because batch exports may
write numbers as float32, which holds whole numbers only up to 2**24.
"""

import dataclasses
import functools
import hashlib
import json

import numpy as np

from data_prep.earth_engine.recipe import Recipe

# To be raised whenever `expressions` computes something else than before, so
# that answers of an older version are not taken for its own.
EXPRESSIONS_VERSION = 1
GUARD_BANDS = ("longitude", "latitude")
LABEL_FACTOR = 20  # label pixels per Sentinel-2 pixel: 50 cm
HEIGHT_M = 0.01  # metres per unit of `height` and `weak_height`
WEAK_PRESENCE = 1 / 255  # probability per unit of `weak_presence`
WEAK_COUNT = 1e-6  # buildings per unit of `weak_count`
VIEW_DEG = 0.01  # degrees per unit of `view_angle` and `view_azimuth`
VIEW_UNKNOWN = 65535  # the image names no angle
FRAME_SCORE = 1e-4  # Cloud Score+ per unit of `score`
BASELINE = 0.01  # processing baseline per unit of `baseline`

_FRAME_TYPES = {
    "valid": "uint8",
    "day": "uint16",
    "second": "int32",
    "orbit": "uint8",
    "baseline": "uint16",
    "score": "uint16",
}
_GUARD_TYPES = dict.fromkeys(GUARD_BANDS, "uint16")
_IMAGE_TYPES = {
    "red": "uint8",
    "green": "uint8",
    "blue": "uint8",
    "image_valid": "uint8",
    "image_day": "uint16",
}
_VIEW_TYPES = {"view_angle": "uint16", "view_azimuth": "uint16"}
_WEAK_TYPES = {
    "weak_valid": "uint8",
    "weak_presence": "uint8",
    "weak_count": "uint16",
    "weak_height": "uint16",
}


@dataclasses.dataclass(frozen=True)
class Layer:
    """One image that is asked for.

    Attributes:
      name: "s2" or "fine".
      factor: Pixels per Sentinel-2 pixel and axis.
      types: NumPy type of each band by name, in the order of the answer.
    """

    name: str
    factor: int
    types: dict[str, str]

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands, in order."""
        return tuple(self.types)

    @functools.cached_property
    def dtype(self) -> np.dtype:
        """Of an answer with all bands: one field a band, in order."""
        return np.dtype(list(self.types.items()))

    @functools.cached_property
    def pixel_bytes(self) -> int:
        """Bytes of one pixel of all bands."""
        return self.dtype.itemsize


def digest_recipe(recipe: Recipe) -> str:
    """A word that differs between recipes whose answers differ.

    What only says which answers become records takes no part.
    """
    # Of a program's flags, those of the recipe alone.
    names = [field.name for field in dataclasses.fields(Recipe)]
    names.remove("min_image_share")
    asked = {name: getattr(recipe, name) for name in names}
    types = {layer.name: layer.types for layer in make_layers(recipe)}
    text = json.dumps([EXPRESSIONS_VERSION, asked, types], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def frame_band(frame: int, band: str) -> str:
    """Name of a band of one frame: "f03_B2"."""
    return f"f{frame:02d}_{band}"


def make_frame_types(recipe: Recipe) -> dict[str, str]:
    """Types of the bands of one frame, without its number, in order."""
    return {**dict.fromkeys(recipe.bands, "uint16"), **_FRAME_TYPES}


def make_layers(recipe: Recipe) -> tuple[Layer, ...]:
    """The layers that a recipe asks for: `s2`, and `fine` if need be."""
    frame = make_frame_types(recipe)
    stack = {
        frame_band(number, band): kind
        for number in range(recipe.frames)
        for band, kind in frame.items()
    }
    layers = [Layer("s2", 1, {**stack, **_GUARD_TYPES})]
    fine = _make_fine_types(recipe)
    if fine:
        layers.append(Layer("fine", LABEL_FACTOR, {**fine, **_GUARD_TYPES}))
    return tuple(layers)


def _make_fine_types(recipe: Recipe) -> dict[str, str]:
    types: dict[str, str] = {}
    if recipe.image:
        types.update(_IMAGE_TYPES)
    if recipe.view_angle_property:
        types.update(_VIEW_TYPES)
    if recipe.label_fields:
        types["labelled"] = "uint8"
    if recipe.buildings:
        types.update({"building": "uint8", "centroids": "uint8"})
    if recipe.height_property:
        types["height"] = "uint16"
    if recipe.roads:
        types["road"] = "uint8"
    if recipe.weak_labels:
        types.update(_WEAK_TYPES)
    return types

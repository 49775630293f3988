"""Pictures, features and places for `interpreter`: a few pixels of an Earth.

A picture lies on the grid of the one place that is looked at; a footprint
says which of its pixels exist. Coordinates are metres of that grid.
"""

import dataclasses

import numpy as np
import shapely


@dataclasses.dataclass(frozen=True)
class Projection:
    """A coordinate system by its code."""

    crs: str


@dataclasses.dataclass(frozen=True)
class Geometry:
    """A shape in a coordinate system."""

    shape: shapely.Geometry
    crs: str

    @classmethod
    def rectangle(cls, bounds, crs):
        """From left, bottom, right, top."""
        return cls(shapely.box(*bounds), crs)


@dataclasses.dataclass(frozen=True)
class Feature:
    """A shape with properties."""

    geometry: Geometry
    properties: dict = dataclasses.field(default_factory=dict)

    def set(self, name, value):
        return dataclasses.replace(
            self, properties={**self.properties, name: value}
        )


@dataclasses.dataclass(frozen=True)
class Picture:
    """Bands with masks, and properties.

    Attributes:
      values: [h, w] float64 of each band.
      masks: [h, w] float64 of each band, 0 = masked.
      inside: [h, w] bool, the footprint.
      types: Type of each band that was cast.
      properties: By name.
      crs: Of its own pixels.
      geometry: Where it lies, for filters.
    """

    values: dict
    masks: dict
    inside: np.ndarray
    types: dict = dataclasses.field(default_factory=dict)
    properties: dict = dataclasses.field(default_factory=dict)
    crs: str = "EPSG:4326"
    geometry: Geometry | None = None

    def set(self, name, value):
        return dataclasses.replace(
            self, properties={**self.properties, name: value}
        )

    @property
    def bands(self):
        """Names, in order."""
        return list(self.values)

    def map(self, function):
        """The picture with `function` of each band's values."""
        return dataclasses.replace(
            self,
            values={k: function(v) for k, v in self.values.items()},
            types={},
        )

    def pick(self, bands, names=None):
        """Some of its bands, under new names."""
        for band in bands:
            if band not in self.values:
                raise ValueError(f"no band {band!r} among {self.bands}")
        pairs = list(zip(bands, names or bands, strict=True))
        if len({name for _, name in pairs}) != len(pairs):
            raise ValueError(f"two bands of one name in {names or bands}")
        return dataclasses.replace(
            self,
            values={name: self.values[band] for band, name in pairs},
            masks={name: self.masks[band] for band, name in pairs},
            types={
                name: self.types[band]
                for band, name in pairs
                if band in self.types
            },
        )

    def seen(self, band):
        """[h, w] float64, the mask within the footprint."""
        return self.masks[band] * self.inside


def make_picture(values, inside=None, masks=None, **properties):
    """A picture from [h, w] arrays by name; properties with "__" for ":"."""
    arrays = {k: np.asarray(v, np.float64) for k, v in values.items()}
    shape = next(iter(arrays.values())).shape
    return Picture(
        values=arrays,
        masks={k: np.ones(shape) for k in arrays} | (masks or {}),
        inside=np.ones(shape, bool) if inside is None else inside,
        properties={k.replace("__", ":"): v for k, v in properties.items()},
    )


@dataclasses.dataclass(frozen=True)
class World:
    """What expressions are computed on.

    Attributes:
      grid: `Grid` of all pictures.
      assets: A list of pictures or features, or a picture, by asset id.
      seed: Of the order in which collections are loaded.
    """

    grid: object
    assets: dict
    seed: int = 0

    def empty(self, value=0.0):
        """[h, w] float64."""
        return np.full((self.grid.height, self.grid.width), value, np.float64)

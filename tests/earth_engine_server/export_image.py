"""The outermost steps of an exported graph, read and carried out.

An export carries its grid and its bands in the graph: the client wraps the
image in `Image.reproject` and `Image.clipToBoundsAndScale`. Here these, and
the few functions that a batch export may put around the image of a layer,
are understood; what lies under an `Image.select` is not computed, it is the
world (`world.make_answer`).
"""

import dataclasses

import numpy as np

from tests.earth_engine_server import world
from tests.earth_engine_server.refusal import Refusal


@dataclasses.dataclass(frozen=True)
class _Band:
    """A band of the world, or several as one array, or their number."""

    names: tuple
    is_float: bool = False
    is_array: bool = False
    is_length: bool = False

    def read(self, answer):
        if self.is_length:
            return np.full((*answer.shape, 1), len(self.names))
        return np.stack([answer[name] for name in self.names], -1)


@dataclasses.dataclass(frozen=True)
class Image:
    """An image on an exact grid."""

    crs: str
    affine: tuple
    width: int
    height: int
    bands: dict

    def array_bands(self):
        return [name for name, band in self.bands.items() if band.is_array]

    def is_byte(self, name):
        band = self.bands[name]
        return (
            not (band.is_float or band.is_array or band.is_length)
            and np.dtype(world.band_type(band.names[0])) == np.uint8
        )

    def read(self, row, col, height, width, frames_missing):
        """Bands of a window that may pass the edge, each [H, W, D]."""
        a, b, c, d, e, f = self.affine
        names = {n: None for band in self.bands.values() for n in band.names}
        answer = world.make_answer(
            self.crs,
            (a, b, c + col * a, d, e, f + row * e),
            height,
            width,
            tuple(names),
            frames_missing,
        )
        return {name: band.read(answer) for name, band in self.bands.items()}


def make_image(expression):
    """The image that an expression of `Export.image` describes."""
    return _Graph(expression).to_image()


class _Graph:
    def __init__(self, expression):
        self.values = expression["values"]
        self.result = {"valueReference": expression["result"]}

    def to_image(self):
        clip = self.call(self.result, "Image.clipToBoundsAndScale")
        reproject = self.call(clip["input"], "Image.reproject")
        rectangle = self.call(
            clip["geometry"], "GeometryConstructors.Rectangle"
        )
        left, top, width, height = self.plain(rectangle["coordinates"])
        if (left, top) != (0, 0):
            raise Refusal(400, f"the box begins at {left}, {top}")
        self.call(rectangle["crs"], "Image.projection")
        crs = self.resolve(reproject["crs"])
        if "functionInvocationValue" in crs:
            crs = self.call(crs, "Projection")["crs"]
        return Image(
            crs=self.plain(crs),
            affine=tuple(map(float, self.plain(reproject["crsTransform"]))),
            width=int(width),
            height=int(height),
            bands=self.bands(reproject["image"]),
        )

    def bands(self, node):
        name, arguments = self.invocation(node)
        if name == "Image.select":
            names = self.plain(arguments["bandSelectors"])
            return {n: _Band((n,)) for n in names}
        if name == "Image.toFloat":
            found = self.bands(arguments["value"])
            return {
                n: dataclasses.replace(band, is_float=True)
                for n, band in found.items()
            }
        if name == "Image.addBands":
            first = self.bands(arguments["dstImg"])
            return {**first, **self.bands(arguments["srcImg"])}
        if name == "Image.rename":
            names = self.plain(arguments["names"])
            found = self.bands(arguments["input"])
            return dict(zip(names, found.values(), strict=True))
        if name == "Image.toArray":
            found = self.bands(arguments["image"])
            whole = tuple(n for band in found.values() for n in band.names)
            is_float = all(band.is_float for band in found.values())
            return {"array": _Band(whole, is_float, is_array=True)}
        if name == "Image.arrayLength":
            (found,) = self.bands(arguments["input"]).values()
            return {"length": _Band(found.names, False, is_length=True)}
        raise Refusal(501, f"the double does not export {name}")

    def resolve(self, node):
        while "valueReference" in node:
            node = self.values[node["valueReference"]]
        return node

    def invocation(self, node):
        node = self.resolve(node)
        if "functionInvocationValue" not in node:
            raise Refusal(400, f"no function: {node}")
        call = node["functionInvocationValue"]
        return call["functionName"], call.get("arguments", {})

    def call(self, node, name):
        found, arguments = self.invocation(node)
        if found != name:
            raise Refusal(400, f"{found} where an export has {name}")
        return arguments

    def plain(self, node):
        node = self.resolve(node)
        if "constantValue" in node:
            return node["constantValue"]
        if "integerValue" in node:
            return int(node["integerValue"])
        if "arrayValue" in node:
            return [self.plain(v) for v in node["arrayValue"]["values"]]
        raise Refusal(400, f"no constant: {node}")

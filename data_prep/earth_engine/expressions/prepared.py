"""A layer's expression, built once and moved from place to place.

Building and encoding the graph of a layer takes the `ee` client longer than a
place's share of a hundred requests a second. Places differ in six constants
only: crs, bounds, time. So the graph is built once for each recipe, and its
JSON kept as text with gaps. With the gaps filled it is handed to the client
through the client's own interface, `ee.encodable.Encodable`: any call that
takes an expression takes the moved one, and sends what it would have sent for
the place's own graph.

Where the gaps are is found, not declared: the graph is built for two places
that share no constant, and every difference must be one of the six.
"""

import dataclasses
import json
import re
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import ee
from ee import encodable

from data_prep.earth_engine.expressions.layer_image import build_layer
from data_prep.earth_engine.expressions.layer_image import make_region
from data_prep.earth_engine.layers import Layer
from data_prep.earth_engine.recipe import Recipe

Bounds = tuple[float, float, float, float]

_CONSTANTS = ("crs", "left", "bottom", "right", "top", "time_utc_ms")
# Two places that have no constant in common.
_PROBES = (
    ("EPSG:32601", 1120.5, 2120.5, 3120.5, 4120.5, 1_000_000_000_507),
    ("EPSG:32702", 5120.5, 6120.5, 7120.5, 8120.5, 1_100_000_000_509),
)
# As JSON writes the marks of `_mark`; no name in a graph has a character 0.
_GAP = re.compile(r'"\\u0000(\w+)\\u0000"')
# Where an encoded expression names another of its nodes.
_REFERENCES = ("valueReference", "functionReference", "body")


@dataclasses.dataclass(frozen=True)
class _Template:
    """One node of a graph.

    Attributes:
      parts: Text at even positions; between, what fills the gap: the name of
        a constant, or a position in `others`.
      others: Numbers of the nodes that it refers to.
    """

    parts: tuple[str | int, ...]
    others: tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class _Node(encodable.Encodable):
    """One node of a moved graph.

    It holds those it refers to: the client remembers what it has encoded by
    its address, so none may be freed, and its address used again, meanwhile.
    """

    template: _Template
    others: tuple["_Node", ...]
    constants: dict[str, str]

    def encode_cloud_value(self, encoder: Callable[[Any], Any]) -> Any:
        # Parsed anew each time: nobody shares what somebody may change.
        parts = list(self.template.parts)
        for index in range(1, len(parts), 2):
            gap = parts[index]
            parts[index] = (
                self.constants[gap]
                if isinstance(gap, str)
                else json.dumps(encoder(self.others[gap]))
            )
        return json.loads("".join(parts))


@dataclasses.dataclass(frozen=True)
class PreparedLayer:
    """The expression of a layer for any place; plain data, can be pickled.

    Attributes:
      templates: The nodes of the graph, each after those it refers to.
    """

    templates: tuple[_Template, ...]

    def at(
        self, crs: str, bounds: Bounds, time_utc_ms: int
    ) -> encodable.Encodable:
        """The expression at one place.

        Args:
          crs: "EPSG:32616".
          bounds: (left, bottom, right, top), m.
          time_utc_ms: The place's date, milliseconds since 1970.

        Returns:
          What `ee.data.computePixels`, `ee.data.exportImage` and
          `ee.serializer.encode` take as an expression; immutable, so any
          number of threads may encode it at once.
        """
        values = (crs, *(float(value) for value in bounds), int(time_utc_ms))
        constants = {
            name: json.dumps(value)
            for name, value in zip(_CONSTANTS, values, strict=True)
        }
        made: list[_Node] = []
        for template in self.templates:
            others = tuple(made[number] for number in template.others)
            made.append(_Node(template, others, constants))
        return made[-1]


def prepare_layer(recipe: Recipe, layer: Layer) -> PreparedLayer:
    """Builds the graph of a layer once.

    Args:
      recipe: What is asked for.
      layer: One of `make_layers(recipe)`.

    Raises:
      ValueError: The graph depends on its place by more than six constants;
        no recipe makes it so.
      ee.EEException: The client is not initialised.
    """
    one, two = (_encode(recipe, layer, probe) for probe in _PROBES)
    marked = _mark(one, two)
    folded: dict[str, Any] = {}
    for name in _walk(marked["values"], marked["result"], set()):
        folded[name] = _fold(marked["values"][name], folded)
    order = list(_walk(folded, marked["result"], set()))
    numbers = {name: number for number, name in enumerate(order)}
    return PreparedLayer(tuple(_cut(folded[name], numbers) for name in order))


def _encode(recipe: Recipe, layer: Layer, probe: tuple) -> dict[str, Any]:
    crs, *bounds, time_utc_ms = probe
    return ee.serializer.encode(
        build_layer(
            recipe,
            layer,
            region=make_region(crs, bounds),
            place_time=ee.Date(time_utc_ms),
        )
    )


def _mark(one: Any, two: Any) -> Any:
    """`one` with the name of a constant wherever `two` differs."""
    if isinstance(one, dict) and isinstance(two, dict) and set(one) == set(two):
        return {key: _mark(one[key], two[key]) for key in one}
    if isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        return [_mark(*pair) for pair in zip(one, two, strict=True)]
    if one == two:
        return one
    for name, *pair in zip(_CONSTANTS, *_PROBES, strict=True):
        if pair == [one, two]:
            return _write_gap(name)
    raise ValueError(
        f"the graphs of two places differ in {one!r:.80} and {two!r:.80}, "
        f"which is none of the six constants {', '.join(_CONSTANTS)}"
    )


def _fold(value: Any, nodes: dict[str, Any]) -> Any:
    """A node in which constants stand where the client refers to them.

    The client names each text that is used twice, and then cannot join lists
    of them into one constant. Half of its time is spent on such nodes.
    """
    if not isinstance(value, dict) or "constantValue" in value:
        return value
    if "valueReference" in value:
        other = nodes[value["valueReference"]]
        return other if "constantValue" in other else value
    if "arrayValue" in value:
        items = [_fold(item, nodes) for item in value["arrayValue"]["values"]]
        if all("constantValue" in item for item in items):
            return {"constantValue": [item["constantValue"] for item in items]}
        return {"arrayValue": {"values": items}}
    folded = {key: _fold(item, nodes) for key, item in value.items()}
    if "dictionaryValue" in folded:
        items = folded["dictionaryValue"]["values"]
        if all("constantValue" in item for item in items.values()):
            constants = {k: item["constantValue"] for k, item in items.items()}
            return {"constantValue": constants}
    return folded


def _write_gap(name: str) -> str:
    return f"\0{name}\0"


def _walk(nodes: dict[str, Any], name: str, seen: set[str]) -> Iterator[str]:
    """Names of the nodes, each after those that it refers to."""
    if name in seen:
        return
    seen.add(name)
    found: list[str] = []
    _replace_references(nodes[name], lambda other: found.append(other))
    for other in found:
        yield from _walk(nodes, other, seen)
    yield name


def _cut(node: dict[str, Any], numbers: dict[str, int]) -> _Template:
    """The text of a node, cut at its gaps."""
    others: list[int] = []

    def write(name: str) -> str:
        others.append(numbers[name])
        return _write_gap(str(len(others) - 1))

    pieces = _GAP.split(json.dumps(_replace_references(node, write)))
    return _Template(
        tuple(int(piece) if piece.isdigit() else piece for piece in pieces),
        tuple(others),
    )


def _replace_references(value: Any, new_name: Callable[[str], Any]) -> Any:
    """A copy of a node in which the nodes it refers to have other names."""
    if isinstance(value, list):
        return [_replace_references(item, new_name) for item in value]
    if not isinstance(value, dict) or "constantValue" in value:
        return value
    return {
        key: new_name(item)
        if key in _REFERENCES and isinstance(item, str)
        else _replace_references(item, new_name)
        for key, item in value.items()
    }

"""Checks an encoded expression against the client's own algorithm list.

Every function must exist, every argument be one of its arguments and of a
type that fits, every argument that has no default be there, every reference
lead to a node, every variable belong to a function around it. It is what can
be known of a graph without the service: not what Earth Engine would compute.

Types are followed as far as the graph shows them: through mapped functions
and through what returns the kind of thing that it was given. What comes out
of a property or a list is not known, and fits anywhere.
"""

import functools
import importlib.resources
import json
import re

# The service refuses deeper nesting (`ee.serializer`).
MAX_DEPTH = 100
# Functions that return the type of one of their arguments.
_SAME_AS = {
    "Collection.distinct": "collection",
    "Collection.filter": "collection",
    "Collection.limit": "collection",
    "Collection.merge": "collection1",
    "Element.copyProperties": "destination",
    "Element.set": "object",
    "Element.setMulti": "object",
}
# Arguments that must be given for our regions, whatever their default.
_OURS = {"Image.reduceRegion": ("maxPixels",)}
_ELEMENT = {"ImageCollection": "Image", "FeatureCollection": "Feature"}
_COLLECTION = {kind: name for name, kind in _ELEMENT.items()}
_NUMBERS = {"Number", "Float", "Integer", "Long"}
_FITS = {
    "Number": _NUMBERS,
    "Float": _NUMBERS,
    "Integer": _NUMBERS,
    "Long": _NUMBERS,
    "Element": {"Image", "Feature"},
    "FeatureCollection": {"ImageCollection"},
    # Promoted by the service (REST reference, ValueNode).
    "Date": _NUMBERS | {"String"},
    "ErrorMargin": _NUMBERS,
    "Projection": {"String"},
}
_ANYTHING = {"Object", "<any>", "Null"}


def check_expression(expression, kind="Image"):
    """Raises ValueError that names the first fault of an expression.

    One fault is of ours alone: the default of `maxPixels`, 1e7, is too small
    for the regions of batch exports, so that it must be given.

    Args:
      expression: As `ee.serializer.encode` gives it.
      kind: Type that the result must have.
    """
    check = _Check(expression["values"])
    found = check.follow(expression["result"], {}, ())
    if not _fits(found, kind):
        raise ValueError(f"the result is of type {found}, wanted is {kind}")
    unused = sorted(set(expression["values"]) - check.reached)
    if unused:
        raise ValueError(f"nothing refers to node {unused[0]!r}")
    for name, node in expression["values"].items():
        if _depth(node) > MAX_DEPTH:
            raise ValueError(
                f"node {name!r} is {_depth(node)} levels deep, more than the "
                f"{MAX_DEPTH} that the service reads"
            )


@functools.cache
def read_algorithms():
    """The wheel's algorithms by name: (return type, arguments by name)."""
    folder = importlib.resources.files("ee") / "tests"
    listed = json.loads((folder / "algorithms.json").read_text())
    return {
        item["name"].removeprefix("algorithms/"): (
            _base(item["returnType"]),
            {
                argument["argumentName"]: (
                    argument["type"],
                    argument.get("optional", False),
                )
                for argument in item.get("arguments", [])
            },
        )
        for item in listed["algorithms"]
    }


class _Check:
    """Walks the nodes of one expression and finds the type of each.

    Variables have types that depend on the function around them, so a node
    that several functions share is looked at once for each.
    """

    def __init__(self, nodes):
        self.nodes = nodes
        self.reached = set()
        self.known = {}

    def follow(self, name, variables, path):
        """Type of a node that is referred to."""
        if name not in self.nodes:
            raise ValueError(
                f"a reference to node {name!r}, which is not there"
            )
        if name in path:
            raise ValueError(f"node {name!r} refers to itself")
        key = name, tuple(sorted(variables.items()))
        if key not in self.known:
            self.reached.add(name)
            self.known[key] = self.visit(
                self.nodes[name], variables, (*path, name)
            )
        return self.known[key]

    def visit(self, node, variables, path):
        """Type of a node."""
        if not isinstance(node, dict) or len(node) != 1:
            raise ValueError(f"{node!r:.80} is no node")
        ((kind, value),) = node.items()
        if kind not in _KINDS:
            raise ValueError(f"no node is of kind {kind!r}")
        return _KINDS[kind](self, value, variables, path)

    def name(self, value, variables, path):
        """Type of a variable."""
        if value not in variables:
            raise ValueError(f"variable {value!r} outside of its function")
        return variables[value]

    def items(self, value, variables, path):
        """Type of a list or dictionary that is put together."""
        items = value["values"]
        is_list = isinstance(items, list)
        for item in items if is_list else items.values():
            self.visit(item, variables, path)
        return "List" if is_list else "Dictionary"

    def define(self, value, variables, path):
        """Type of a function, which nobody knows what is given to."""
        names = dict.fromkeys(value["argumentNames"], "Object")
        self.follow(value["body"], {**variables, **names}, path)
        return "Algorithm"

    def call(self, value, variables, path):
        """Type that a call returns."""
        name, given = value.get("functionName"), value["arguments"]
        if name not in read_algorithms():
            raise ValueError(f"there is no function {name!r}")
        returned, wanted = read_algorithms()[name]
        for argument in given:
            if argument not in wanted:
                raise ValueError(
                    f"{name} has no argument {argument!r}; it has "
                    f"{', '.join(wanted)}"
                )
        found = {}
        for argument, (kind, optional) in wanted.items():
            if argument not in given:
                if not optional or argument in _OURS.get(name, ()):
                    raise ValueError(f"{name} lacks the argument {argument!r}")
            elif argument != "baseAlgorithm":
                node = given[argument]
                found[argument] = self.visit(node, variables, path)
                self.check_type(name, argument, kind, node, found[argument])
        if "baseAlgorithm" in given:
            body = self.map(given["baseAlgorithm"], found, variables, path)
            if returned == "FeatureCollection":
                return _COLLECTION.get(body, returned)
        return found.get(_SAME_AS.get(name), returned)

    def map(self, node, found, variables, path):
        """Type of what a mapped function returns."""
        while "valueReference" in node:
            self.follow(node["valueReference"], variables, path)
            node = self.nodes[node["valueReference"]]
        if "functionDefinitionValue" not in node:
            raise ValueError(f"{node!r:.80} is mapped, but is no function")
        function = node["functionDefinitionValue"]
        element = _ELEMENT.get(found.get("collection"), "Object")
        names = dict.fromkeys(function["argumentNames"], element)
        return self.follow(function["body"], {**variables, **names}, path)

    def check_type(self, name, argument, wanted, node, found):
        """Refuses what cannot become the type of an argument."""
        constant = self.constant_of(node)
        items = re.fullmatch(r"List<(.+)>", wanted)
        wrong = not _fits(found, _base(wanted))
        if wanted in ("Integer", "Long") and isinstance(constant, float):
            wrong |= not constant.is_integer()
        if items and isinstance(constant, list):
            wrong |= any(
                not _fits(_constant_type(item), _base(items[1]))
                for item in constant
            )
        if wrong:
            raise ValueError(
                f"{name}: {argument} is of type {wanted}, not {found}"
                + (f" ({constant!r})" if constant is not None else "")
            )

    def constant_of(self, node):
        """The value of a constant, here or referred to; else None."""
        while "valueReference" in node:
            node = self.nodes[node["valueReference"]]
        return node.get("constantValue")


_KINDS = {
    "constantValue": lambda _, value, *__: _constant_type(value),
    "integerValue": lambda *_: "Long",
    "bytesValue": lambda *_: "Blob",
    "valueReference": _Check.follow,
    "argumentReference": _Check.name,
    "arrayValue": _Check.items,
    "dictionaryValue": _Check.items,
    "functionDefinitionValue": _Check.define,
    "functionInvocationValue": _Check.call,
}


def _base(kind):
    """ "List" of "List<Object>"."""
    return kind.partition("<")[0] or kind


def _constant_type(value):
    for python_type, kind in (
        (bool, "Boolean"),
        (int | float, "Number"),
        (str, "String"),
        (list, "List"),
        (dict, "Dictionary"),
    ):
        if isinstance(value, python_type):
            return kind
    return "Null"


def _fits(found, wanted):
    return (
        found == wanted
        or found in _ANYTHING
        or wanted in _ANYTHING
        or found in _FITS.get(wanted, ())
    )


def _depth(value):
    """Levels of nested JSON."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0

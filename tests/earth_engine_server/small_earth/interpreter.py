"""Runs the graphs of this project on a few pixels, in plain Python.

It walks an expression; what each function does stands in `functions`.
"""

from tests.earth_engine_server.small_earth.functions import FUNCTIONS


def run_expression(expression, world):
    """Computes an expression.

    Args:
      expression: As `ee.serializer.encode` gives it.
      world: A `World`, what the expression is computed on.
    """
    run = _Run(expression["values"], world)
    return run.follow(expression["result"], {})


class _Run:
    """Values of the nodes of one expression.

    A node that is referred to is computed once for each value of the
    variables that it depends on.
    """

    def __init__(self, nodes, world):
        self.nodes = nodes
        self.world = world
        self.known = {}
        self.free = {}

    def follow(self, name, variables):
        """Value of a node that is referred to."""
        own = {v: variables[v] for v in self._find_free(name)}
        key = name, tuple(sorted((v, id(value)) for v, value in own.items()))
        if key not in self.known:
            # The variables are kept, so that no other gets their address.
            value = self.visit(self.nodes[name], variables)
            self.known[key] = value, own
        return self.known[key][0]

    def visit(self, node, variables):
        """Value of a node."""
        ((kind, value),) = node.items()
        if kind == "constantValue":
            return value
        if kind == "valueReference":
            return self.follow(value, variables)
        if kind == "argumentReference":
            return variables[value]
        if kind == "arrayValue":
            return [self.visit(item, variables) for item in value["values"]]
        if kind == "dictionaryValue":
            items = value["values"].items()
            return {key: self.visit(item, variables) for key, item in items}
        if kind == "functionDefinitionValue":
            return self._define(value, variables)
        arguments = {
            name: self.visit(item, variables)
            for name, item in value["arguments"].items()
        }
        return FUNCTIONS[value["functionName"]](self.world, **arguments)

    def _define(self, value, variables):
        (name,) = value["argumentNames"]
        return lambda item: self.follow(
            value["body"], {**variables, name: item}
        )

    def _find_free(self, name):
        """Variables that a node takes from the functions around it."""
        if name not in self.free:
            self.free[name] = self._free_of(self.nodes[name])
        return self.free[name]

    def _free_of(self, value):
        if isinstance(value, list):
            return set().union(*map(self._free_of, value))
        if not isinstance(value, dict) or "constantValue" in value:
            return set()
        if "valueReference" in value:
            return self._find_free(value["valueReference"])
        if "argumentReference" in value:
            return {value["argumentReference"]}
        if "functionDefinitionValue" in value:
            function = value["functionDefinitionValue"]
            return self._find_free(function["body"]) - set(
                function["argumentNames"]
            )
        return self._free_of(list(value.values()))

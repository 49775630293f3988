import ast
import inspect
import pathlib
import re

import pytest

from s2distill import errors

ROOT = pathlib.Path(__file__).resolve().parents[1]
CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and value is not errors.S2DistillError
]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_is_caught_by_the_base_class_and_says_what_it_means(kind):
    assert issubclass(kind, errors.S2DistillError)
    assert len(kind.__doc__) > 20


def _raised_names():
    for folder in ("s2distill", "data_prep"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Raise) and isinstance(
                    node.exc, ast.Call
                ):
                    yield path, ast.unparse(node.exc.func)


def test_every_error_is_raised_somewhere():
    raised = {name for _, name in _raised_names()}
    assert {kind.__name__ for kind in CLASSES} <= raised


def test_no_code_raises_a_bare_exception():
    bare = [
        (path.name, name)
        for path, name in _raised_names()
        if re.fullmatch(r"(Base)?Exception|RuntimeError", name)
    ]
    assert not bare

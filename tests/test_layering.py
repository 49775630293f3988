"""Imports flow one way: the table of layers, and who may import whom."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]

BASE = {"errors", "atomic_write", "flag_config"}
# Layer -> the layers of s2distill that it may import, itself always.
ALLOWED = {
    "errors": set(),
    "atomic_write": {"errors"},
    "flag_config": {"errors", "atomic_write"},
    "geo": {"errors", "atomic_write"},
    "data": {"geo", "errors", "atomic_write"},
    "models": {"errors"},
    "training": {"errors", "atomic_write"},
    "evaluation": {"geo", "errors", "atomic_write"},
    "serving": {"geo", "data", "errors", "atomic_write"},
    "data_prep": {"geo", "data", *BASE},
}
ASKS_THE_TEACHER = "data_prep/label_with_teacher.py"
MAPS_AN_EXPORT = "data_prep/earth_engine/predict_export.py"
# Reads the card of a model, to say whether an input fits it.
JUDGES_THE_FIT = "data_prep/diagnosis/model_fit.py"
# What needs a trained model in data_prep.
NEED_A_MODEL = {ASKS_THE_TEACHER, MAPS_AN_EXPORT, JUDGES_THE_FIT}
# Modules beside the programs that several of them share; like programs they
# may import everything, and only programs may import them.
SHARED_BY_PROGRAMS = {
    "training_config",
    "training_run",
    "training_setup",
    "evaluation_run",
}
# Keras alone, so that every backend can run the networks.
BACKENDS = {"tensorflow", "jax", "torch"}


def _modules():
    for folder in ("s2distill", "data_prep"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix()


def _imports(source):
    """Dotted names that a module imports, also inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _layer(parts):
    """Layer of a module given as ("s2distill", "geo", "grid", ...)."""
    if parts[0] == "data_prep":
        return "data_prep"
    name = parts[1] if len(parts) > 1 else "s2distill"
    return name if name in ALLOWED else "program"


def _check(module, source):
    """Names of forbidden imports of one module."""
    layer = _layer(module.removesuffix(".py").split("/"))
    if module == "s2distill/__init__.py":
        return list(_imports(source))
    bad = []
    for name in _imports(source):
        parts = name.split(".")
        if parts[0] in BACKENDS and layer == "models":
            bad.append(name)
        if parts[0] not in ("s2distill", "data_prep"):
            continue
        if name == "s2distill.__version__":
            continue
        target = _layer(parts)
        if layer == "program" or target == layer:
            continue
        if target == "serving" and module in NEED_A_MODEL:
            continue
        if target not in ALLOWED[layer]:
            bad.append(name)
    return bad


@pytest.mark.parametrize("module", list(_modules()))
def test_imports_flow_one_way(module):
    assert _check(module, (ROOT / module).read_text()) == []


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("s2distill/geo/a.py", "import s2distill.data.bands", 1),
        ("s2distill/data/a.py", "from s2distill.geo.grid import Grid", 0),
        ("s2distill/data/a.py", "def f():\n import s2distill.train", 1),
        ("s2distill/models/a.py", "from tensorflow import Tensor", 1),
        ("s2distill/models/a.py", "from keras import ops", 0),
        ("s2distill/evaluation/a.py", "import s2distill.training_run", 1),
        ("s2distill/serving/a.py", "from s2distill.models import b", 1),
        ("s2distill/errors.py", "import s2distill.atomic_write", 1),
        ("s2distill/export.py", "from s2distill.models import b", 0),
        ("data_prep/split.py", "from s2distill.serving import load", 1),
        (ASKS_THE_TEACHER, "from s2distill.serving import load", 0),
        (ASKS_THE_TEACHER, "from s2distill.models import b", 1),
        (MAPS_AN_EXPORT, "from s2distill.serving import load", 0),
        (JUDGES_THE_FIT, "from s2distill.serving.card import ModelCard", 0),
        ("s2distill/geo/a.py", "import data_prep.split", 1),
        ("s2distill/geo/a.py", "if 1:\n from s2distill import data", 1),
        ("s2distill/__init__.py", "import keras", 1),
    ],
)
def test_the_rule_sees_what_it_must(module, source, expected):
    assert len(_check(module, source)) == expected


def test_nobody_imports_a_program_but_programs():
    programs = (
        {path.stem for path in (ROOT / "s2distill").glob("*.py")}
        - BASE
        - SHARED_BY_PROGRAMS
        - {"__init__"}
    )
    for module in _modules():
        importer = module.removesuffix(".py").split("/")
        if len(importer) == 2 and importer[1] in programs:
            continue
        for name in _imports((ROOT / module).read_text()):
            parts = name.split(".")
            assert not (
                parts[0] == "s2distill" and parts[1:2] and parts[1] in programs
            ), f"{module} imports the program {name}"


def test_the_graph_has_no_cycle():
    def module_name(path):
        name = path.removesuffix(".py").removesuffix("/__init__")
        return name.replace("/", ".")

    names = {module_name(path) for path in _modules()}
    graph = {}
    for path in _modules():
        # At import only: an import inside a function cannot deadlock.
        tree = ast.parse((ROOT / path).read_text())
        top = ast.Module(
            [
                n
                for n in tree.body
                if isinstance(n, ast.Import | ast.ImportFrom)
            ],
            [],
        )
        graph[module_name(path)] = {
            prefix
            for name in _imports(ast.unparse(top))
            for prefix in (name, name.rpartition(".")[0])
            if prefix in names and "." in prefix
        }
    done, open_now = set(), []

    def visit(name):
        assert name not in open_now, " -> ".join([*open_now, name])
        if name in done:
            return
        open_now.append(name)
        for other in graph[name] - {name}:
            visit(other)
        open_now.pop()
        done.add(name)

    for name in graph:
        visit(name)

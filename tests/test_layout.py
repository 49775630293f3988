"""The shape of the tree: a test file for each module, and nothing shapeless."""

import ast
import fnmatch
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
MAX_LINES = 400
SHAPELESS = {"utils", "util", "helpers", "helper", "common", "misc"}
# Tests of the whole tree, not of one module.
OF_THE_TREE = {
    "test_configs.py",
    "test_layering.py",
    "test_layout.py",
    "test_programs.py",
}

# A server that several tests start, no tests.
DOUBLES = TESTS / "earth_engine_server"


def _files(*folders):
    return [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]


def _ids(path):
    return path.relative_to(ROOT).as_posix()


MODULES = [p for p in _files("s2distill", "data_prep") if p.stem != "__init__"]
EVERY_FILE = _files("s2distill", "data_prep", "tests", "benchmarks")
TEXTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("*.toml")),
    *sorted(ROOT.glob("configs/*")),
    *sorted(ROOT.glob(".github/workflows/*")),
    ROOT / ".ci" / "run",
    ROOT / ".pre-commit-config.yaml",
]


def _test_file(module):
    """Where the tests of a module stand."""
    inside = module.relative_to(ROOT)
    if inside.parts[0] == "s2distill":
        inside = inside.relative_to("s2distill")
    return TESTS / inside.with_name(f"test_{inside.name}")


@pytest.mark.parametrize("module", MODULES, ids=_ids)
def test_every_module_has_its_test_file(module):
    assert _test_file(module).is_file(), f"missing {_ids(_test_file(module))}"


def _test_files():
    return [
        path
        for path in _files("tests")
        if path.name != "conftest.py" and DOUBLES not in path.parents
    ]


@pytest.mark.parametrize("path", _test_files(), ids=_ids)
def test_every_test_file_is_collected_and_holds_a_test(path):
    assert fnmatch.fnmatch(path.name, "test_*.py")
    tree = ast.parse(path.read_text())
    found = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert found


@pytest.mark.parametrize("path", _test_files(), ids=_ids)
def test_no_test_hides_another_of_the_same_name(path):
    names = [
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
    ]
    assert sorted(names) == sorted(set(names))


def test_every_test_file_belongs_to_a_module():
    wanted = {_test_file(p) for p in [*MODULES, *_files("benchmarks")]}
    stray = [
        _ids(path)
        for path in _test_files()
        if path not in wanted
        and not (path.parent == TESTS and path.name in OF_THE_TREE)
        and "end_to_end" not in path.parts
    ]
    assert not stray


@pytest.mark.parametrize("path", EVERY_FILE, ids=_ids)
def test_every_file_has_a_shape(path):
    parts = {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
    assert not parts & SHAPELESS
    source = path.read_text()
    assert source.count("\n") <= MAX_LINES
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"


def _undocumented(tree):
    """Public functions, classes and methods without a docstring."""
    if not ast.get_docstring(tree):
        yield "module"
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        if node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            yield node.name
        if isinstance(node, ast.ClassDef) and not _is_layer(node):
            yield from (
                f"{node.name}.{method.name}"
                for method in node.body
                if isinstance(method, ast.FunctionDef)
                and not method.name.startswith("_")
                and not ast.get_docstring(method)
            )


def _is_layer(node):
    """Keras classes document call, build, get_config in the class."""
    return any(ast.unparse(base).startswith("keras.") for base in node.bases)


@pytest.mark.parametrize("path", MODULES, ids=_ids)
def test_what_is_public_is_documented(path):
    assert list(_undocumented(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize("path", [*EVERY_FILE, *TEXTS], ids=_ids)
def test_no_file_names_a_path_of_somebodys_machine(path):
    source = path.read_text()
    for folder in ("home", "Users", "root", "work"):
        assert f"/{folder}/" not in source

"""Tests and benchmarks reach private names through `inside` alone."""

import ast
from pathlib import Path

import inside
import pytest
from inside import Limit, Part

import eingrad as eg

SOURCE = Path(eg.__file__).parent
TESTS = Path(__file__).resolve().parent
READERS = sorted(
    path
    for path in (*TESTS.rglob("*.py"), *(TESTS.parent / "benchmarks").rglob("*.py"))
    if path.name != "inside.py"
)
OWN = {"self", "cls"}  # a class of the tests may have private names
# IPython, namedtuple, os, inspect
NOT_OURS = {"_repr_latex_", "_repr_svg_", "_fields", "_exit", "_name"}


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name.strip("_") != ""


def defined_in(text):
    """Private names that a module defines: in it, in its classes, on its instances."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                names.add(name)
    return {name for name in names if is_private(name)}


def reached_in(text, ours):
    """Private names that are imported, taken of an object, or written as a string."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.startswith("eingrad."):
                found |= {alias.name for alias in names if is_private(alias.name)}
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in OWN:
                pass
            case ast.Attribute(attr=name) if is_private(name) and name not in NOT_OURS:
                found.add(name)
            case ast.Constant(value=str(name)) if name.rpartition(".")[2] in ours - NOT_OURS:
                found.add(name)
    return found


@pytest.fixture(scope="module")
def ours():
    return {name for path in SOURCE.rglob("*.py") for name in defined_in(path.read_text("utf-8"))}


@pytest.mark.parametrize("path", READERS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_private_names_are_reached_through_inside_alone(path, ours):
    """What a test needs of the inside is said there, once, in the words of the project."""
    assert not reached_in(path.read_text("utf-8"), ours)


REACHED = {
    "an import": ("from eingrad._ir.nodes import _liver", {"_liver"}),
    "an import of a public name": ("from eingrad._ir import contract", set()),
    "an import of a room": ("from eingrad import _ir", set()),
    "an attribute": ("plan._heart.source", {"_heart"}),
    "an attribute of a module": ("_read_only._liver.clear()", {"_liver"}),
    "a public attribute of a module": ("_ir.contract", set()),
    "a room of the package": ("eg._formula.text(y)", {"_formula"}),
    "a string": ("monkeypatch.setattr(plan, '_heart', None)", {"_heart"}),
    "a path": ("monkeypatch.setattr('eingrad._run._heart', 1)", {"eingrad._run._heart"}),
    "an own attribute": ("self._rng = 1", set()),
    "a special attribute": ("f.__name__", set()),
    "a name of others": ("Pair._fields", set()),
    "a word": ("print('_unheard_of')", set()),
}


@pytest.mark.parametrize(("text", "found"), REACHED.values(), ids=REACHED)
def test_a_private_name_that_is_reached_is_found(text, found):
    """The test above would pass for a search that finds nothing."""
    assert reached_in(text, {"_heart"}) == found


def test_private_names_are_found_in_the_source(ours):
    """Of functions, classes, constants, attributes; modules and public names are none."""
    text = "def _heart(): ...\nclass _Liver: _lung = 1\nb = 1\nself._spleen = 2"
    assert defined_in(text) == {"_heart", "_Liver", "_lung", "_spleen"}
    reached = reached_in((TESTS / "inside.py").read_text("utf-8"), set())
    assert len(reached) > 20
    assert reached <= ours


def test_parts_are_there_to_be_replaced():
    """A type checker does not know their names."""
    named = vars(inside).values()
    parts = [value for value in named if isinstance(value, Part)]
    limits = [value for value in named if isinstance(value, Limit)]
    assert len(parts) + len(limits) > 15
    for part in parts:
        assert part.get() is getattr(part.owner, part.name)
    for limit in limits:
        assert type(getattr(limit.owner.POLICY, limit.name)) is int


def test_inside_has_nothing_that_nobody_uses():
    """What the last user of left behind would keep a private name alive."""
    tree = ast.parse((TESTS / "inside.py").read_text("utf-8"))
    offered = set()
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                offered.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]):
                offered.add(name)
    texts = [path.read_text("utf-8") for path in READERS]
    imported = {
        alias.name
        for text in texts
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.module == "inside"
        for alias in node.names
    }
    assert offered == imported

"""The documents tell the truth: their examples run, and print what the pages say."""

import importlib
import inspect
import re
import runpy
import struct
from pathlib import Path

import numpy as np
import opt_einsum
import pytest

import eingrad

ROOT = Path(__file__).resolve().parent.parent
REFRESH = runpy.run_path(str(ROOT / "docs" / "refresh.py"))
MAKE_COSTS = runpy.run_path(str(ROOT / "docs" / "make_costs_table.py"))
MAKE_FUNCTIONS = runpy.run_path(str(ROOT / "docs" / "make_functions_table.py"))
MAKE_MODULES = runpy.run_path(str(ROOT / "docs" / "make_modules_table.py"))
MAKE_TABLE = runpy.run_path(str(ROOT / "docs" / "make_primitives_table.py"))


@pytest.mark.parametrize("path", REFRESH["documents"](), ids=lambda path: path.name)
def test_examples_print_what_the_page_says(path):
    """`python docs/refresh.py` writes what they print now; read what changed, then keep it."""
    text = path.read_text("utf-8")
    assert REFRESH["BLOCK"].search(text), "a page without examples: is a fence misspelt?"
    assert REFRESH["refreshed"](text, path.name) == text


@pytest.mark.parametrize("path", REFRESH["documents"](), ids=lambda path: path.name)
def test_no_example_escapes(path):
    """Every block that is code, or shows output, is one that the test above runs."""
    text = path.read_text("utf-8")
    rest = REFRESH["BLOCK"].sub("", text)
    assert set(re.findall(r"^```(.*)$", rest, re.MULTILINE)) <= {"", "sh"}
    assert ">>>" not in rest


def test_a_wrong_output_is_seen():
    """The tests above would pass if nothing ran."""
    script = "```python\nprint(1 + 1)\n```\n\n```text\n{}\n```\n"
    session = "```pycon\n>>> 1 + 1\n{}\n```\n"
    assert REFRESH["refreshed"](script.format(3), "a test") == script.format(2)
    assert REFRESH["refreshed"](session.format(3), "a test") == session.format(2)


@pytest.mark.parametrize("block", ["```python\n1 / 0\n```\n", "```pycon\n>>> 1 / 0\n0\n```\n"])
def test_an_example_that_fails_is_an_error(block):
    with pytest.raises(ZeroDivisionError):
        REFRESH["refreshed"](block, "a test")


def test_an_expected_error_is_an_output():
    """The last line of a traceback is compared."""
    block = "```pycon\n>>> 1 / 0\nTraceback (most recent call last):\nZeroDivisionError: {}\n```\n"
    right = block.format("division by zero")
    assert REFRESH["refreshed"](block.format("nothing"), "a test") == right
    assert REFRESH["refreshed"](right, "a test") == right


def test_every_module_is_on_the_way_through_the_modules():
    """The page is up to date, has each file, and says something of each."""
    text = (ROOT / "docs" / "design" / "modules.md").read_text("utf-8")
    assert text == MAKE_MODULES["page"]()
    listed = [line for line in text.splitlines() if line.lstrip().startswith("- ")]
    assert len(listed) == len([*(ROOT / "src" / "eingrad").rglob("*.py")])
    assert not [line for line in listed if line.endswith(": ")]


def table_rows(column):
    """Rows of the table in README.md that has this column, as dicts; only the cells of code."""
    text = (ROOT / "README.md").read_text("utf-8")
    (table,) = (t for t in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE) if f"| {column} |" in t)
    names, _, *rows = ([c.strip() for c in line[1:-1].split(" | ")] for line in table.splitlines())
    for row in rows:
        cells = zip(names, row, strict=True)
        yield {name: cell.strip("`") for name, cell in cells if re.fullmatch("`[^`]+`", cell)}


def same_derivatives(ours, theirs):
    """Compare arrays, nested alike; what is neither (a plan, a text) only has to be true."""
    if isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same_derivatives(a, b)
    elif hasattr(theirs, "dtype"):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    else:
        assert ours


def functions_of(np):
    """`f`, `h` and `F` of the table, with the functions of an array module."""
    b = np.asarray([[1.0, 2.0], [3.0, 4.0]])
    return {
        "f": lambda x: np.sum(np.sin(b @ x) ** 2),
        "h": lambda x, y: np.sum(x * np.exp(b @ y)),
        "F": lambda x: np.sin(b @ x) * x,
        "x": np.asarray([0.5, -0.3]),
        "v": np.asarray([0.2, 1.0]),
        "w": np.asarray([-1.0, 0.7]),
    }


def test_what_users_of_other_libraries_write_gives_the_same():
    """Every cell of the table runs; those of JAX and of this library agree."""
    rows = [*table_rows("JAX")]
    assert len(rows) > 10
    ours = {"np": np, "eg": eingrad, **functions_of(np)}
    values = [eval(row["eingrad"], dict(ours)) for row in rows]

    jax = pytest.importorskip("jax", reason="the oracle; install eingrad[jax]")
    jax.config.update("jax_enable_x64", True)
    check_grads = importlib.import_module("jax.test_util").check_grads
    theirs = {"jax": jax, "jnp": jax.numpy, "check_grads": check_grads, **functions_of(jax.numpy)}
    for row, value in zip(rows, values, strict=True):
        same_derivatives(value, eval(row["JAX"], dict(theirs)))


def test_what_users_of_opt_einsum_write_gives_the_same():
    rng = np.random.default_rng(0)
    shapes = {"p": (2, 30), "q": (30, 40), "r": (40, 1)}
    arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    symbols = {name.upper(): eingrad.variable(name.upper(), a.shape) for name, a in arrays.items()}
    names = {"np": np, "eg": eingrad, **arrays, **symbols}
    rows = [*table_rows("opt_einsum")]
    assert rows
    for row in rows:
        ours = eval(row["eingrad"], dict(names))
        if "opt_einsum" in row:
            theirs = eval(row["opt_einsum"], {**vars(opt_einsum), **names})
            same_derivatives(ours, theirs if hasattr(theirs, "dtype") else None)
        assert ours is not None


def test_table_of_primitives_is_up_to_date():
    """`python docs/refresh.py` writes it."""
    assert (ROOT / "docs" / "primitives.md").read_text("utf-8") == MAKE_TABLE["page"]()


def test_table_of_costs_is_up_to_date():
    """`python docs/refresh.py` writes it, of what `benchmarks/real_programs.py --write` counted."""
    assert (ROOT / "docs" / "costs.md").read_text("utf-8") == MAKE_COSTS["page"]()


def test_table_of_functions_is_up_to_date():
    """`python docs/refresh.py` writes it; another NumPy has other functions."""
    text = (ROOT / "docs" / "functions.md").read_text("utf-8")
    installed = np.__version__.rpartition(".")[0]
    if f"with NumPy {installed}." in text:
        assert text == MAKE_FUNCTIONS["page"]()
    else:
        assert re.search(r"with NumPy \d+\.\d+\.", text)


def test_relative_links_lead_somewhere():
    """A link in README.md or docs/ to a file of ours names one that exists, and its heading."""
    for path in [*REFRESH["documents"](), ROOT / "docs" / "primitives.md"]:
        text = re.sub(r"`[^`\n]*`", "", path.read_text("utf-8"))  # f[0](x) in code is no link
        for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            file, _, anchor = link.partition("#")
            target = path.parent / file if file else path
            assert target.exists(), f"{path.name}: {link}"
            headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert not anchor or anchor in slugs, f"{path.name}: {link}"


@pytest.mark.parametrize("name", [n for n in eingrad.__all__ if n != "__version__"])
def test_public_names_have_docstrings(name):
    """Also their public methods; a property may be described in the docstring of its class."""
    thing = getattr(eingrad, name)
    text = inspect.getdoc(thing)
    assert text
    if inspect.isclass(thing):
        described = set(re.findall(r"^(\w+) : ", text, re.MULTILINE))
        for attribute, member in vars(thing).items():
            if not attribute.startswith("_") and attribute not in described:
                assert inspect.getdoc(member), f"{name}.{attribute}"


def test_all_is_what_is_public():
    """Nothing public is left out of `__all__`, and nothing in it is missing."""
    public = {
        name
        for name, value in vars(eingrad).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert set(eingrad.__all__) == public | {"__version__"}
    assert len(eingrad.__all__) == len(set(eingrad.__all__))


def png_size(path):
    """Width and height in pixels, from the first chunk of a PNG file."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n", path.name
    assert head[12:16] == b"IHDR", path.name
    return struct.unpack(">II", head[16:])


def test_pictures_are_there_and_drawn_from_derivatives(tmp_path):
    """`docs/make_pictures.py` and `benchmarks/study.py` draw them; of the former, what is drawn."""
    named = set()
    for page in REFRESH["documents"]():
        text = page.read_text("utf-8")
        labels = set(re.findall(r"^!\[[^\]]+\]\[(\w+)\]$", text, re.MULTILINE))
        targets = dict(re.findall(r"^\[(\w+)\]: (\S+\.(?:png|svg))$", text, re.MULTILINE))
        assert labels == set(targets), page.name
        named |= {(page.parent / target).resolve() for target in targets.values()}
    assert named == set((ROOT / "docs" / "pictures").iterdir())
    for path in (path for path in named if path.suffix == ".png"):
        assert all(500 <= pixels <= 2000 for pixels in png_size(path)), path.name
        assert path.stat().st_size < 150_000, path.name
    for path in (path for path in named if path.suffix == ".svg"):
        assert path.stat().st_size < 50_000, path.name

    pytest.importorskip("matplotlib")
    pictures = runpy.run_path(str(ROOT / "docs" / "make_pictures.py"))
    pictures["main"]([str(tmp_path)])
    studied = {path for path in named if path.name.startswith("study-")}  # of measured times, too
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in named - studied}
    for path in named - studied:
        read = png_size if path.suffix == ".png" else Path.read_text
        assert read(tmp_path / path.name) == read(path), path.name

    drawn = pictures["remark"]()
    assert drawn["tensor"].shape == (3, 3, 2, 4)
    assert np.linalg.matrix_rank(drawn["tensor"]).tolist() == [[1] * 3] * 3  # outer products
    np.testing.assert_array_equal(drawn["transpose"], drawn["tensor"].swapaxes(0, 1))
    np.testing.assert_array_equal(drawn["trace"], sum(drawn["tensor"][i, i] for i in range(3)))
    delta = np.eye(3)
    drawn = pictures["structures"]()
    np.testing.assert_array_equal(drawn["X"], np.einsum("ik,jl->ijkl", delta, delta))
    np.testing.assert_array_equal(drawn["transpose"], np.einsum("il,jk->ijkl", delta, delta))
    x = drawn["square"].trace(axis1=0, axis2=1).T / 2  # d tr(X X) / dX = 2 X^T
    square = np.einsum("ik,lj->ijkl", delta, x) + np.einsum("ik,jl->ijkl", x, delta)
    np.testing.assert_array_equal(drawn["square"], square)
    inverse = np.linalg.inv(x)
    np.testing.assert_allclose(drawn["inverse"], -np.einsum("ik,lj->ijkl", inverse, inverse))

    mode = pictures["narrow"]().mode
    assert mode.name == "cross-country"
    assert 2 * mode.flops < min(mode.pure.values())

    drawn = pictures["phases"]()
    parts = {
        name: (len(before.parts), 1 if after == "A" else len(after.parts))
        for name, (before, after) in drawn.items()
    }
    assert parts == {
        "rename": (2, 1),
        "expand": (2, 2),  # a sum and a vector; two terms
        "regroup": (2, 3),
        "flatten": (2, 3),
        "symmetrise": (4, 2),
        "factor": (2, 2),  # two terms; a sum and a vector
    }

"""Formulas as text and LaTeX: what a person reads is what a plan computes."""

import re

import numpy as np
import pytest
from cases import CASES
from formula_reader import check_latex, read
from hypothesis import given, settings
from inside import node_of
from reference import assert_close, count_calls, evaluate
from strategies import structured_networks

import eingrad as eg
from eingrad import _formula, _ir
from eingrad._primitives import BY_NAME, apply

X = eg.variable("X", (4, 4))
A = eg.variable("A", (4, 4))
x = eg.variable("x", 4)
F = eg.function("F", eg.variable("Z", (2, 3)), shape=(4, 4))

FORMULAS = {
    "product": (A @ X @ x, "[i] = sum_j (sum_k A[i,k] X[k,j]) x[j]"),
    "inverse": (eg.differentiate(np.linalg.inv(X), X), "[i,j,k,l] = -inv(X)[i,k] inv(X)[l,j]"),
    "quadratic form": (eg.differentiate(x @ A @ x, x, 2), "[i,j] = A[i,j] + A[j,i]"),
    "identity": (eg.differentiate(X, X), "[i,j,k,l] = delta[i,k] delta[j,l]"),
    "slice": (x[1:], "[i] = x[i+1]"),
    "step": (x[::2], "[i] = x[2i]"),
    "reversed": (x[::-1], "[i] = x[3-i]"),
    "entry": (x[2], "x[2]"),
    "derivative of a slice": (eg.differentiate(x[1:], x), "[i,j] = delta[i+1,j]"),
    "merged": (X.reshape(16), "[i] = X[i//4,i%4]"),
    "split": (x.reshape(2, 2), "[i,j] = x[2i+j]"),
    "elementwise": (np.exp(-x) / np.sqrt(x), "[i] = exp(-x[i]) / sqrt(x[i])"),
    "power": (x**2.5 + x**2, "[i] = x[i]**2 + x[i]**2.5"),
    "signs": (1 - 2 * x, "[i] = 1 - 2 x[i]"),
    "fraction": (x / 2, "[i] = (1/2) x[i]"),
    "select": (np.where(x > 0, x, 0), "[i] = where(x[i] > 0, x[i], 0)"),
    "not a function of it": (eg.differentiate(np.trace(F), eg.variable("Q", (2, 3))), "[i,j] = 0"),
    "scalar": (x @ x, "sum_i x[i]**2"),
    "zero": (x - x, "[i] = 0"),
    "constant": (x @ np.array([1.0, 2.0, 3.0, 4.0]), "c0 = [1.0, 2.0, 3.0, 4.0]\nsum_i c0[i] x[i]"),
    "shared": (
        np.linalg.inv(A @ X),
        "t0[i,j] = sum_k A[i,k] X[k,j]\n[i,j] = inv(t0)[i,j]",
    ),
    "concatenation": (
        np.concatenate([x, 2 * x]),
        "t0[i] = 2 x[i]\n[i] = concatenate((x, t0), 0)[i]",
    ),
}


@pytest.mark.parametrize(("expression", "expected"), FORMULAS.values(), ids=FORMULAS.keys())
def test_formula(expression, expected):
    """Indices of the value on the left; every summed index is named."""
    assert str(expression) == expected


def test_derivatives_of_opaque_functions_are_named():
    """Functions stand without what they are functions of."""
    z = eg.variable("Z", (2, 3))
    f = eg.function("F", z, shape=(4, 4))
    dy = eg.differentiate(np.linalg.det(f), z)
    assert str(dy) == "[i,j] = det(F) (sum_kl dF_dZ[k,l,i,j] inv(F)[l,k])"


def test_latex_uses_the_symbols_of_a_paper():
    """Inverse, determinant, fraction, partial derivative."""
    z = eg.variable("Z", (2, 3))
    f = eg.function("F", z, shape=(4, 4))
    assert eg.differentiate(np.linalg.inv(X), X).latex() == (
        r"\left[\,\cdot\,\right]_{ijkl} = "
        r"-\left({X}^{-1}\right)_{ik} \left({X}^{-1}\right)_{lj}"
    )
    latex = eg.differentiate(np.linalg.det(f), z, 2).latex()
    assert r"\frac{\partial^{2} F}{\partial Z \partial Z}" in latex
    assert r"\det F" in latex
    assert latex.startswith(r"\begin{aligned}")
    assert (x / (1 + x))._repr_latex_().count(r"\frac{x_{i}}") == 1


@pytest.mark.parametrize("expression", [e for e, _ in FORMULAS.values()], ids=FORMULAS.keys())
def test_latex_has_matching_braces_and_no_double_superscripts(expression):
    """What TeX would refuse."""
    latex = expression.latex()
    check_latex(latex)
    assert not re.search(r"\^\{[^{}]*\}\^", latex)


def test_a_formula_is_linear_in_the_graph():
    """Shared subexpressions have a line of their own, and depth is no limit."""
    y = x
    for _ in range(40):
        y = np.sin(y) * y  # written out, 2**40 times x
    assert len(str(y)) < 10_000
    for _ in range(5000):
        y = np.cos(y + 1)
    assert len(str(y).splitlines()) < 6000
    assert len(y.latex().splitlines()) < 6000


def test_text_does_not_depend_on_history():
    """Two programs that build one function print it alike."""
    texts = set()
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        symbols = {}
        for n in order:
            symbols[n] = eg.variable("abc"[n], (3, 3))
        a, b, c = (symbols[n] for n in range(3))
        made = {}
        for n in order:
            made[n] = (lambda: a @ b @ c, lambda: b * c, lambda: np.exp(a) @ c)[n]()  # noqa: B023
        texts.add(str(made[0] + made[1] + made[2]))
    assert len(texts) == 1


def test_printing_keeps_numbers_exact():
    """A coefficient is written as it is computed with."""
    assert str(0.1 * x) == "[i] = 0.1 x[i]"
    assert str(x / 3) == "[i] = (1/3) x[i]"
    assert str(eg.variable("z", (), complex) * (1 + 2j)) == "(1+2j) z"


def test_structure_that_selects_nothing_is_zero():
    """A selection of no row is known to be zero (found by printing)."""
    select = _ir.selection((-1, -1), 4)
    assert _ir.is_zero(_ir.einsum("ij,j->i", select, _ir.new_input("v", (4,))))


# What is printed is right ------------------------------------------------------------------------


X3 = eg.variable("X", (3, 3))
B = eg.variable("B", (2, 3, 3))
Z = eg.variable("z", 3, complex)
x_other = eg.variable("x", 4)
flags = np.array([True, False, True, False])


def of(f, n=4, order=0):
    """Derivative of a function of n numbers, or of so many as a shape says, as an expression."""
    return eg.derivative(f, order).expression(np.linspace(0.5, 1.5, int(np.prod(n))).reshape(n))


PRINTED = {
    # operands of calls on whole arrays that are structure alone, fills, constants, entries
    "stack of an entry and zero": lambda: of(lambda x: np.stack([x[1], 0 * x[2]])),
    "solve a Hessian": lambda: of(lambda x: np.linalg.solve(eg.hessian(lambda x: x @ x)(x), x)),
    "inverse of a scaled identity": lambda: of(
        lambda x: np.linalg.inv(eg.hessian(lambda x: 3 * x @ x)(x)) @ x
    ),
    "determinant of a permutation": lambda: of(
        lambda x: np.linalg.det(eg.jacobian(lambda x: np.roll(x, 1))(x)) * x
    ),
    "concatenate with a fill": lambda: np.concatenate([x, np.ones(2), 0 * x]),
    "concatenate with a broadcast": lambda: np.concatenate(
        [X3, np.broadcast_to(x[:3], (2, 3))], axis=0
    ),
    "concatenate views": lambda: np.concatenate([X3.T, X3[::-1], X3[:1]]),
    "concatenate a constant": lambda: np.concatenate([x, np.arange(3.0)]),
    "concatenate nothing": lambda: np.concatenate([x, x[:0], np.ones(0)]),
    "stack of numbers": lambda: np.stack([x @ x, x[0], 2.0 + 0 * x[1]]),
    "solve with the identity": lambda: np.linalg.solve(X3 + 3 * np.eye(3), np.eye(3)),
    "cumulative sum of a fill": lambda: np.cumsum(x * 0 + 1) * x,
    "norm of a row": lambda: np.linalg.norm(X3[1]) + np.linalg.norm(X3, axis=0),
    "maximum of a diagonal": lambda: np.max(np.diagonal(X3)) * np.max(X3, axis=0),
    "any of flags": lambda: np.where(np.any(X3 > 0, axis=1), x[:3], 2),
    "inverses": lambda: eg.differentiate(np.linalg.inv(B), B),
    "logarithm of a determinant": lambda: np.linalg.slogdet(X3 @ X3.T + np.eye(3))[1],
    "sign of a determinant": lambda: np.linalg.slogdet(X3)[0] * x,
    # ranges that the axes do not give
    "sum of a part": lambda: np.sum(x[:2]),
    "product of parts": lambda: x[:2] @ x[1:3],
    "a part": lambda: x[:3],
    "sum of parts": lambda: x[:3] + x[1:],
    "sum of every second": lambda: np.sum(x[::2] * x[1::2]),
    "broadcast": lambda: np.exp(np.broadcast_to(x[1], (2, 3))) * 2,
    "broadcast, summed": lambda: np.sum(np.sin(np.broadcast_to(x[:, None], (4, 5))) ** 2, axis=0),
    # selections and merges that determine each other, or only through summed indices
    "overlapping slices": lambda: of(lambda x: np.sum(x[1:] * x[:-1]), order=2),
    "overlapping slices, thrice": lambda: of(lambda x: np.sum(x[2:] * x[1:-1] * x[:-2]), order=2),
    "stencil": lambda: of(lambda x: np.sum(np.diff(x, 2) ** 2), 6, order=2),
    "strides that meet": lambda: of(lambda x: np.sum(x[::2] * x[::-2]), order=2),
    "table twice": lambda: of(lambda x: np.sum(x[[0, 2, 1, 1]] * x[[1, 1, 3, 0]]), order=2),
    "table and its columns": lambda: of(lambda x: x[[0, 2, 1, 1]] * x, order=1),
    "Kronecker product": lambda: of(lambda x: np.kron(x, x), order=1),
    "Kronecker product of matrices": lambda: of(lambda x: np.kron(x, x[::-1]), (2, 2), order=2),
    "tiles": lambda: of(lambda x: np.tile(x, 3) * np.repeat(x, 3), order=1),
    "reshaped reversal": lambda: of(
        lambda x: x.reshape(2, 3)[::-1, 1:].reshape(4) * x[:4], 6, order=1
    ),
    "trace of blocks": lambda: of(lambda x: np.trace(x.reshape(2, 2, 2, 2)), (4, 4), order=1),
    "flattened outer product": lambda: of(
        lambda x: np.outer(x, x).ravel()[::3] @ x[[0, 0, 1, 1, 2, 3]], order=2
    ),
    "windows": lambda: of(
        lambda x: np.sum(np.stack([x[k : k + 3] for k in range(3)]).reshape(9)[::2] ** 2), 5, 2
    ),
    "convolution": lambda: of(
        lambda x: np.stack([x[: k + 1] @ x[k::-1] for k in range(4)]), order=2
    ),
    "axes of size one": lambda: of(lambda x: x[None, :, None].reshape(2, 1, 2)[:, 0], order=1),
    # a selection that selects nothing in some rows
    "padded": lambda: np.pad(x, 2),
    "exponential of padded": lambda: np.exp(np.pad(x, 1)) * np.pad(x + 1, 1),
    "padded exponential": lambda: np.pad(np.exp(x) + 1, (1, 2)) * np.pad(x, (2, 1)),
    "padded and reshaped": lambda: of(lambda x: np.pad(x, 1).reshape(2, 3) ** 2, order=1),
    # signs, powers, quotients
    "a negative sum in a call": lambda: np.exp(-(x - 1)) - (x - np.sin(x)) * 2,
    "a negative difference": lambda: np.roll(-(x - 2 * np.roll(x, 1)), 1) - (x - 3),
    "difference of padded ones": lambda: np.logaddexp(np.roll(x, -1), x),
    "power of a power": lambda: (x**2.5) ** 2 * x**2.5 * x**2.5 / x**-0.5,
    "power by an array": lambda: x ** (x + 1) * x,
    "quotients": lambda: x / (x / (1 + x)) / 2 * (1 / x) * (3 / x),
    "numbers beside numbers": lambda: 3 * (2.5 * x) ** 1.5 * (x @ x) * (0.1 + 0 * x),
    "tests": lambda: np.where((x > 1) == (x <= 2), x, -x) + (x != 1) * x * (x >= 0.9),
    "a sum in a sum": lambda: x - (np.sum(x) + x) - 2 * (np.sum(X3) - x),
    # numbers
    "not a number": lambda: x * np.nan + X3[0, 0] * np.inf,
    "minus zero": lambda: np.copysign(1, 1) * np.where(x > 1, -0.0, x) * np.array(-0.0),
    "large and small": lambda: 1e-300 * x + 1e300 * x**2 - 1e22 + x / 7,
    "complex": lambda: (1 - 2j) * Z + 2j * Z**2 + Z ** (1 + 0.5j) - 1j,
    "complex constants": lambda: Z @ np.array([1j, 2 - 1j, np.nan]),
    "flags": lambda: np.where(flags, x, 2) * flags,
    "a constant flag": lambda: np.where(np.array(True), x, 2 * x) + np.where(x > 0, 1, x),
    "other dtypes": lambda: x.astype(np.float32) * 2 + np.float32(0.1),
    "constants of many axes": lambda: np.einsum("abc,a->bc", np.ones((4, 1, 2)), x),
    # names
    "namesakes": lambda: x + 2 * x_other,
    "names of ours": lambda: (
        np.linalg.inv(eg.variable("t0", (3, 3)) @ eg.variable("c0", (3, 3)))
        * eg.variable("delta", (3, 3))
        @ np.ones((3, 3))
        * np.eye(3)
    ),
    "numbers as names": lambda: eg.variable("nan", 3) * eg.variable("inf", 3) * eg.variable("e"),
    "names of indices": lambda: eg.variable("i", ()) * eg.variable("j", 3) @ X3,
    "a tensor named as the delta": lambda: np.diag(eg.variable("delta", 3)) + np.eye(3),
    "Greek": lambda: eg.variable("\u03b1", 3) * eg.variable("x_y_z", 3) ** 2 / eg.variable("_", ()),
    "an index of many letters": lambda: np.sum(x) * np.ones((1,) * 30),
}  # fmt: skip


def arrays_of(node):
    """An array for each input below a node, and what the formula calls it."""
    rng = np.random.default_rng(0)
    inputs = _ir.inputs([node])
    values = {n: np.asarray(rng.uniform(0.5, 2, n.shape), n.dtype) for n in inputs}
    for n in inputs:
        values[n] = values[n] + 1j * rng.uniform(size=n.shape) if n.dtype.kind == "c" else values[n]
    names: dict[str, np.ndarray] = {}
    for n in sorted(inputs, key=lambda n: n.serial):
        free = n.name not in names and n.name not in ("nan", "inf")
        names[n.name if free else f"{n.name}_2"] = values[n]
    return values, names


def check_printed(expression):
    """LaTeX is well formed, and the text, read by index notation, has the value."""
    node = node_of(expression)
    check_latex(expression.latex())
    assert str(expression)
    values, names = arrays_of(node)
    with np.errstate(all="ignore"):
        expected = evaluate(node, values)
        actual = read(_formula.text(node, shown=10**6), names, node.shape)
    assert_close(actual, expected, rtol=1e-6 if node.dtype == np.float32 else 1e-9)


@pytest.mark.parametrize("make", PRINTED.values(), ids=PRINTED.keys())
def test_what_is_printed_has_the_value(make):
    """An independent reader of the text agrees with the evaluator of the graph."""
    check_printed(make())


@given(structured_networks())
@settings(max_examples=50)
def test_structure_of_any_kind_has_the_value(network):
    """Deltas, selections and merges in any order, also such as determine each other."""
    operands, terms, out, sizes = network
    node = _ir.contract(zip(operands, terms, strict=True), out, sizes, dtype=float)
    check_printed(eg.Expression(node))


def test_numbers_do_not_stand_beside_each_other():
    """A constant without axes is a factor like another."""
    v, three = _ir.new_input("v", (3,)), _ir.constant(np.array(3.0))
    product = _ir.einsum("i,->i", v, three)
    assert _formula.text(_ir.scale(product, 2)) == "[i] = 2 (3.0) v[i]"
    assert _formula.text(_ir.scale(three, 2)) == "2 (3.0)"
    assert _formula.text(_ir.add([product, v], [2, 1])) == "[i] = 2 (3.0 v[i]) + v[i]"


def test_latex_tells_the_results_of_a_call_apart():
    """The sign of a determinant was written as its logarithm."""
    sign, logarithm = np.linalg.slogdet(X3)
    assert sign.latex() == r"\operatorname{sign} \det X"
    assert logarithm.latex() == r"\log\left|\det X\right|"


def applied(name, *operands, **attributes):
    """A row of the table, as it is printed in both notations, without the name of the value."""
    node = apply(name, *operands, **attributes)
    latex = _formula.latex(node).rpartition(r"\right]_{ij} = ")[2]
    return _formula.text(node).removeprefix("[i,j] = "), latex


def test_attributes_are_written_in_the_order_of_the_call():
    """Of the source, which is that of NumPy's parameters; not of the alphabet."""
    a, b = _ir.new_input("A", (2, 3)), _ir.new_input("B", (2, 3))
    for n, m, k in ((2, 3, 0), (4, 2, 1), (3, 5, -1)):
        text, latex = applied("tri", n=n, m=m, k=k, dtype="<f8")
        assert text == f"tri({n}, {m}, {k})[i,j]"
        given = rf"\operatorname{{tri}}\left({n}, {m}, {k}\right)"
        assert latex == rf"\left({given}\right)_{{ij}}"
    text, latex = applied("concatenate", a, b, axis=0)
    assert text == "concatenate((A, B), 0)[i,j]"
    assert r"\left(A, B; 0\right)" in latex


def test_every_attribute_has_a_place_in_the_source_of_its_row():
    """Else a formula would not show it."""
    for row in BY_NAME.values():
        assert {f"{{{key}}}" for key in row.attributes} <= {*re.findall(r"\{\w+\}", row.source)}


def test_the_identity_is_written_as_its_operand():
    """No function of it is invented; its sign and its brackets are its own."""
    a, b = _ir.new_input("A", (2, 3)), _ir.new_input("B", (2, 3))
    total = _ir.add([a, b], [1, -1])
    assert applied("whole", a) == ("A[i,j]", "A_{ij}")
    assert applied("whole", total) == ("A[i,j] - B[i,j]", "A_{ij} - B_{ij}")
    assert applied("exp", apply("whole", total))[0] == "exp(A[i,j] - B[i,j])"
    doubled = _ir.scale(apply("whole", total), -2)
    assert _formula.text(doubled) == "[i,j] = -2 (A[i,j] - B[i,j])"
    assert "whole" not in _formula.latex(doubled)
    delta = eg.variable("delta", 3)
    assert str(np.diag(delta)) == "[i,j] = kronecker[i,j] delta[i]"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_formulas_of_the_cases_have_the_value(case):
    """Every function of the table, to the order it is there with."""
    f, x = case.build(case.small)
    for order in range(case.order + 1):
        expression = eg.derivative(f, order).expression(x)
        node = node_of(expression)
        names = {n.name: x for n in _ir.inputs([node])}
        actual = read(_formula.text(node, shown=10**6), names, node.shape)
        assert_close(actual, evaluate(node, dict.fromkeys(_ir.inputs([node]), x)))
        check_latex(expression.latex())


def test_a_range_that_no_axis_gives_is_printed():
    """A sum over a part of an axis was printed as that over all of it."""
    assert str(np.sum(x[:2])) == "sum_i<2 x[i]"
    assert str(x[:2]) == "[i<2] = x[i]"
    assert str(x[:3] @ x[1:]) == "sum_i<3 x[i+1] x[i]"
    assert str(np.stack([x[1], 0 * x[2]])).splitlines()[1] == "t1[i<1] = 0"
    assert np.sum(x[:2]).latex() == r"\sum_{i < 2} x_{i}"
    assert str(of(lambda x: np.sum(x[1:] * x[:-1]), order=2)) == (
        "[i,j] = sum_k<3 delta[k+1,i] delta[k,j] + sum_k<3 delta[k+1,j] delta[k,i]"
    )


def test_a_merge_ties_the_part_that_has_a_name():
    """The derivative of a Kronecker product was printed without its deltas."""
    assert str(of(lambda x: np.kron(x, x), order=1)) == (
        "[i,j] = delta[i%4,j] x[i//4] + delta[i//4,j] x[i%4]"
    )


def test_a_position_that_is_nowhere_is_none():
    """Not -1, which is the last one to NumPy; what is taken from has a line of its own."""
    padded = np.pad(np.exp(x), 1)
    assert str(padded) == ("p0 = [None, 0, 1, 2, 3, None]\nt0[i] = exp(x[i])\n[i] = t0[p0[i]]")
    assert r"p^{(0)} &= \left[\cdot, 0, 1, 2, 3, \cdot\right]" in padded.latex()


def test_names_do_not_collide():
    """Namesakes are numbered; lines of ours avoid the user's names."""
    assert str(x + 2 * x_other) in ("[i] = 2 x_2[i] + x[i]", "[i] = 2 x[i] + x_2[i]")
    f = eg.function("F", x, shape=4) + eg.function("F", 2 * x, shape=4)
    assert str(f) == "[i] = F_at_1[i] + F_at_x[i]"
    t0 = eg.variable("t0", (3, 3))
    assert str(np.linalg.inv(t0 @ t0)).splitlines()[0].startswith("t1[i,j] = ")


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("x_y_z", r"x_{\mathrm{y\_z}}"),
        ("x_12", "x_{12}"),
        ("_", r"\_"),
        ("_x", r"\mathrm{\_x}"),
        ("x_", r"\mathrm{x\_}"),
        ("rate_max", r"\mathrm{rate}_{\mathrm{max}}"),
        ("\u03b1", r"\alpha"),
        ("Ω_λ", r"\Omega_{\lambda}"),
        ("αβ", r"\mathrm{\alpha{}\beta{}}"),
    ],
)
def test_latex_escapes_names(name, latex):
    """Underscores are no second subscripts; Greek letters are commands."""
    assert eg.variable(name).latex() == latex
    check_latex((eg.variable(name, 3) ** 2).latex())


READ_BY_MATPLOTLIB = (  # a sample of all, for it is slow
    "solve a Hessian", "any of flags", "sign of a determinant", "sum of a part",
    "overlapping slices", "tiles", "padded exponential", "power of a power", "quotients", "tests",
    "large and small", "complex", "flags", "names of ours", "Greek",
)  # fmt: skip


@pytest.mark.parametrize("name", READ_BY_MATPLOTLIB)
def test_another_program_reads_the_latex(name):
    """Matplotlib's parser of formulas takes every line of some."""
    mathtext = pytest.importorskip("matplotlib.mathtext")
    parser = mathtext.MathTextParser("path")
    lines = re.sub(r"\\(begin|end)\{aligned\}\n?", "", PRINTED[name]().latex()).split(" \\\\\n")
    for line in lines:
        parser.parse(f"${line.lstrip('&').replace(' &= ', ' = ').strip()}$")


def test_latex_numbers():
    """No number looks like Python's."""
    z = eg.variable("z", (), complex)
    s = eg.variable("s")
    assert (1e-30 * s).latex() == r"1 \cdot 10^{-30} s"
    assert (s * np.inf).latex() == r"\infty s"
    assert (s * np.nan).latex() == r"\mathrm{nan} s"
    assert (z * (1 - 2j)).latex() == r"\left(1.0-2.0\mathrm{i}\right) z"
    assert r"\left[\mathrm{true}, \mathrm{false}" in np.where(flags, x, 2).latex()


def test_what_prints_expressions_prints_structure_too():
    """Terms, plans, structured values, opaque functions, lifted derivatives, nested results."""
    expression = of(lambda x: np.sum(x[1:] * x[:-1]), order=2)
    for term in eg.terms(expression):
        assert str(term.core)
        assert repr(term)
    value = eg.hessian(lambda x: np.sum(x[1:] * x[:-1]), structured=True)(np.ones(4))
    assert repr(value)
    assert repr(eg.hessian(lambda x: np.sum(x[1:] * x[:-1])).plan(np.ones(4)))
    assert expression._repr_latex_().startswith("$\\displaystyle ")
    nested = eg.jacobian(lambda p: np.sum(p["a"][0] * p["b"])).expression(
        {"a": [np.ones(2)], "b": np.ones(2)}
    )
    assert str(nested["b"]).startswith("[i] = p")
    z = eg.variable("Z", (2, 3))
    for order in (1, 2):
        d = eg.differentiate(np.linalg.slogdet(eg.function("F", z, shape=(4, 4)))[1], z, order)
        check_latex(d.latex())
        assert "dF_dZ" in str(d)


def test_printing_is_linear():
    """Of a deep graph, a wide sum, a wide product: ten times as long takes ten times the calls."""
    a = eg.variable("a", 4)

    def deep(n):
        y = a
        for _ in range(n):
            y = np.sin(y) * y + 1
        return y

    def summed(n):
        return sum(np.sin(a + k) for k in range(n))

    def product(n):
        return np.einsum(",".join(["i"] * n), *(eg.variable(f"v{k}", 4) for k in range(n)))

    for make, n in ((deep, 300), (summed, 100), (product, 50)):
        each = []
        for size in (n, 10 * n):
            expression = make(size)
            length = len(str(expression)) + len(expression.latex())
            calls = count_calls(lambda e=expression: (str(e), e.latex()))
            each.append(calls / length)
        assert each[1] < 1.5 * each[0]


@pytest.mark.parametrize(
    "table", [[1, 1, -1], [0, 1, 1, 0], [1]], ids=lambda table: f"{len(table)} columns"
)
def test_a_range_is_not_taken_from_a_position_that_is_not_written(table):
    """What a table picks from a repeated axis is the same everywhere: no table stands there."""

    def f(x):
        rows = np.where((x < 0.5).all(1, keepdims=True), x**2, x)
        return np.take(np.append(rows, rows, axis=0), np.array(table), axis=-1)

    x = np.array([[0.2, 0.9], [0.3, 0.1]])
    expression = eg.hessian(f).expression(x)
    value = read(str(expression), {"x": x}, expression.shape)
    np.testing.assert_allclose(value, eg.hessian(f)(x))

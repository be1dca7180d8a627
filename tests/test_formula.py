"""Formulas as text and LaTeX: what a person reads is what a plan computes."""

import re

import numpy as np
import pytest

import eingrad as eg
from eingrad import _ir

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
    "power": (x**2.5 + x**2, "[i] = x[i] ** 2.5 + x[i]**2"),
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
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\left") == latex.count(r"\right")
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

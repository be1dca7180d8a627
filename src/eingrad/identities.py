"""Identities (5.99)-(5.108) of *Mathematics for Machine Learning*: stated, derived and checked.

In: the number of an identity, sizes, an order. Out: the identity at these sizes: the derivative as
the engine derives it, its tensor form, its matrix form in plain NumPy; and a report on them.
Guaranteed: derivative and tensor form come from different expressions; the matrix form knows
nothing of this library; every figure of a report is computed when it is asked for.

The book writes the derivative of a number by a vector as a 1 x n row. Here it is an ``(n,)`` array:
the axes of the value (none), then those of the variable. The derivative of a D x D matrix by an
E x F matrix is D x D x E x F, and trace, transpose and product act on the first two axes (Remark
in section 5.5).

>>> report = check("5.102", size=(3, 2, 4), order=1)
>>> report.proved, report.shape
(True, (3, 3, 2, 4))
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad._remark import product, trace, transpose
from eingrad._run import Plan
from eingrad._symbols import are_equal, compile, differentiate, function, variable
from eingrad._tracer import Expression

Array = NDArray[Any]
Arrays = dict[str, Array]
Size = tuple[int, int, int]

TOLERANCE = 1e-10  # largest error that passes, relative to the largest entry; points are well posed
ORDER = 2  # the highest that is checked unless another is asked for
PATHS = ("left to right", "forward", "reverse", "planned")
_MOST_STEPS = 12  # directions of the complex step


# One identity, at given sizes --------------------------------------------------------------------


@dataclass(frozen=True)
class Stated:
    """Both sides of an identity as expressions, at given sizes.

    ``value`` is what is differentiated in ``variable``; ``tensor`` is the right side of the
    identity, written with trace, transpose and product.
    """

    value: Any
    variable: Any
    tensor: Any

    def derivative(self, order: int, mode: str = "cheapest") -> Expression:
        """Differentiate the left side ``order`` times."""
        return differentiate(self.value, self.variable, order, mode=mode)

    def tensor_form(self, order: int, mode: str = "cheapest") -> Expression:
        """Differentiate the right side, which is of order one, to that order."""
        return differentiate(self.tensor, self.variable, order - 1, mode=mode)

    def sides(self, order: int) -> dict[str, Expression]:
        """Give the tensor form and the derivatives, one expression for each name in `PATHS`."""
        return {
            "left to right": self.tensor_form(order),
            "forward": self.derivative(order, "forward"),
            "reverse": self.derivative(order, "reverse"),
            "planned": self.derivative(order),
        }


@dataclass(frozen=True)
class Point:
    """Where an identity is checked: the variable's value, and all arrays as it varies.

    ``arrays(x, order)`` holds derivatives of an unknown function up to that order.
    """

    x: Array
    arrays: Callable[[Array, int], Arrays]


@dataclass(frozen=True)
class Identity:
    """One identity of the book.

    ``state(size, dtype)`` gives its two sides as expressions, ``sample(rng, size)`` a point.
    ``matrix(arrays, order)`` is its matrix form in plain NumPy, ``plain(arrays)`` the value that is
    differentiated.
    """

    number: str
    statement: str
    latex: str
    shapes: str
    state: Callable[..., Stated]
    sample: Callable[[np.random.Generator, Size], Point]
    plain: Callable[[Arrays], Array]
    matrix: Callable[[Arrays, int], Array]


# An unknown f of a matrix: (5.99)-(5.102) --------------------------------------------------------


def _of_unknown_f(
    value: Callable[[Any], Any], tensor: Callable[[Any, Any], Any]
) -> Callable[..., Stated]:
    def state(size: Size, dtype: Any = np.float64) -> Stated:
        d, e, f = size
        x = variable("X", (e, f), dtype)
        y = function("F", x, shape=(d, d), dtype=dtype)
        return Stated(value(y), x, tensor(y, differentiate(y, x)))

    return state


def _sample_f(rng: np.random.Generator, size: Size) -> Point:
    """Sample ``F(X) = C + 0.3 sin(P X)``, with derivatives of every order in closed form."""
    d, e, f = size
    offset = _well_conditioned(rng, d)
    slope = rng.normal(size=(d, d, e, f)) / np.sqrt(e * f)
    cycle = (np.sin, np.cos, lambda u: -np.sin(u), lambda u: -np.cos(u))

    def arrays(x: Array, order: int) -> Arrays:
        u = np.tensordot(slope, x, axes=2)
        known = {"F": offset + 0.3 * np.sin(u)}
        outer = np.ones((d, d))
        for n in range(1, order + 1):
            outer = np.einsum("ij...,ijkl->ij...kl", outer, slope)
            inner = cycle[n % 4](u).reshape(d, d, *[1] * (2 * n))
            known[f"d{n if n > 1 else ''}F{'_dX' * n}"] = 0.3 * inner * outer
        return known

    return Point(rng.normal(size=(e, f)), arrays)


def _well_conditioned(rng: np.random.Generator, n: int) -> Array:
    return np.asarray(2 * np.eye(n) + 0.5 * rng.normal(size=(n, n)) / np.sqrt(n))


def _matrices(arrays: Arrays, order: int) -> Callable[[Sequence[int]], Array]:
    """Give the D x D matrices ``d F / d X[k,l]...`` for a block of differentiations.

    All axes of the variable come first, one pair per differentiation, of size one for those that
    are not in the block; so that ``@`` multiplies matrices and broadcasts the rest.
    """

    def block(of: Sequence[int]) -> Array:
        n = len(of)
        tensor = arrays[f"d{n if n > 1 else ''}F{'_dX' * n}"]
        e, f = tensor.shape[2:4]
        moved = np.moveaxis(tensor, (0, 1), (-2, -1))
        sizes = [size for k in range(order) for size in ((e, f) if k in of else (1, 1))]
        return np.asarray(moved.reshape(*sizes, *tensor.shape[:2]))

    return block


def _back(matrices: Array) -> Array:
    """Put the matrix axes first again: D x D x E x F."""
    return np.moveaxis(matrices, (-2, -1), (0, 1))


def _ordered_partitions(items: Sequence[int]) -> Iterator[list[list[int]]]:
    """Every way to split items into blocks, the order of the blocks counting."""
    for labels in itertools.product(range(len(items)), repeat=len(items)):
        count = max(labels) + 1
        if len(set(labels)) == count:
            yield [[i for i, k in zip(items, labels, strict=True) if k == n] for n in range(count)]


def _partitions(items: Sequence[int]) -> Iterator[list[list[int]]]:
    """Every way to split items into blocks."""
    for blocks in _ordered_partitions(items):
        if blocks == sorted(blocks):
            yield blocks


def _inverse_matrix(arrays: Arrays, order: int) -> Array:
    """``-F^-1 dF F^-1``; of order n, a product ``(-1)^m F^-1 dF F^-1 ... dF F^-1`` per split."""
    inverse, block = np.linalg.inv(arrays["F"]), _matrices(arrays, order)
    total: Any = 0
    for blocks in _ordered_partitions(range(order)):
        term = inverse
        for b in blocks:
            term = -term @ block(b) @ inverse
        total = total + term
    return _back(total)


def _det_matrix(arrays: Arrays, order: int) -> Array:
    """``det F tr(F^-1 dF)``; of order n, the sum over splits of products of log-derivatives."""
    inverse, block = np.linalg.inv(arrays["F"]), _matrices(arrays, order)

    def of_log(items: Sequence[int]) -> Array:
        total: Any = 0
        for blocks in _ordered_partitions(items):
            term: Any = np.eye(len(inverse))
            for b in blocks:
                term = term @ inverse @ block(b)
            sign = (-1) ** (len(blocks) - 1) / len(blocks)
            total = total + sign * np.trace(term, axis1=-2, axis2=-1)
        return np.asarray(total)

    total: Any = 0
    for blocks in _partitions(range(order)):
        term: Any = 1
        for b in blocks:
            term = term * of_log(b)
        total = total + term
    return np.asarray(np.linalg.det(arrays["F"]) * total)


def _all_of(order: int) -> list[int]:
    return list(range(order))


# A known function of a vector or a matrix: (5.103)-(5.108) ---------------------------------------


def _varying(name: str, x: Array, others: Arrays) -> Point:
    """Vary one array, keep the others."""
    return Point(x, lambda moved, _: {name: moved, **others})


def _state_bilinear_inverse(size: Size, dtype: Any = np.float64) -> Stated:
    d = size[0]
    x, a, b = variable("X", (d, d), dtype), variable("a", d, dtype), variable("b", d, dtype)
    inverse = np.linalg.inv(x)
    value = a @ inverse @ b
    flipped = transpose(inverse)
    return Stated(value, x, -product(flipped, a[:, None], b[None, :], flipped))


def _sample_bilinear_inverse(rng: np.random.Generator, size: Size) -> Point:
    d = size[0]
    a, b = rng.normal(size=(2, d))
    return _varying("X", _well_conditioned(rng, d), {"a": a, "b": b})


def _bilinear_inverse_matrix(arrays: Arrays, order: int) -> Array:
    """``-X^-T a b^T X^-T``; of order n, one chain of inverses for each order of differentiation."""
    inverse, a, b = np.linalg.inv(arrays["X"]), arrays["a"], arrays["b"]
    if order == 1:
        return np.asarray(-inverse.T @ np.outer(a, b) @ inverse.T)
    total: Any = 0
    for rows in itertools.permutations(range(order)):
        operands: list[Any] = [a @ inverse, [2 * rows[0]]]
        for first, second in itertools.pairwise(rows):
            operands += [inverse, [2 * first + 1, 2 * second]]
        operands += [inverse @ b, [2 * rows[-1] + 1]]
        total = total + (-1) ** order * np.einsum(*operands, list(range(2 * order)))
    return np.asarray(total)


def _state_inner(size: Size, dtype: Any = np.float64, *, swapped: bool = False) -> Stated:
    x, a = variable("x", size[0], dtype), variable("a", size[0], dtype)
    return Stated(a @ x if swapped else x @ a, x, a)


def _sample_inner(rng: np.random.Generator, size: Size) -> Point:
    x, a = rng.normal(size=(2, size[0]))
    return _varying("x", x, {"a": a})


def _state_bilinear(size: Size, dtype: Any = np.float64) -> Stated:
    _, e, f = size
    x, a, b = variable("X", (e, f), dtype), variable("a", e, dtype), variable("b", f, dtype)
    return Stated(a @ x @ b, x, product(a[:, None], b[None, :]))


def _sample_bilinear(rng: np.random.Generator, size: Size) -> Point:
    _, e, f = size
    a, b = rng.normal(size=e), rng.normal(size=f)
    return _varying("X", rng.normal(size=(e, f)), {"a": a, "b": b})


def _state_quadratic(size: Size, dtype: Any = np.float64) -> Stated:
    d = size[0]
    x, b = variable("x", d, dtype), variable("B", (d, d), dtype)
    return Stated(x @ b @ x, x, x @ (b + transpose(b)))


def _sample_quadratic(rng: np.random.Generator, size: Size) -> Point:
    d = size[0]
    return _varying("x", rng.normal(size=d), {"B": rng.normal(size=(d, d))})


def _state_least_squares(size: Size, dtype: Any = np.float64, *, symmetric: bool = True) -> Stated:
    """``W = (V + V^T) / 2`` is symmetric because it is built so; V is any matrix."""
    d, e, _ = size
    x, a = variable("x", d, dtype), variable("A", (d, e), dtype)
    s, v = variable("s", e, dtype), variable("V" if symmetric else "W", (d, d), dtype)
    w = (v + transpose(v)) / 2 if symmetric else v
    rest = x - a @ s
    tensor = -2 * rest @ w @ a if symmetric else -rest @ (w + transpose(w)) @ a
    return Stated(rest @ w @ rest, s, tensor)


def _sample_least_squares(rng: np.random.Generator, size: Size, *, symmetric: bool = True) -> Point:
    d, e, _ = size
    x, a, s = rng.normal(size=d), rng.normal(size=(d, e)), rng.normal(size=e)
    v = rng.normal(size=(d, d))
    return _varying("s", s, {"x": x, "A": a, "V" if symmetric else "W": v})


def _weight(arrays: Arrays) -> Array:
    return np.asarray((arrays["V"] + arrays["V"].T) / 2 if "V" in arrays else arrays["W"])


def _least_squares_value(arrays: Arrays) -> Array:
    rest = arrays["x"] - arrays["A"] @ arrays["s"]
    return np.asarray(rest @ _weight(arrays) @ rest)


def _least_squares_matrix(arrays: Arrays, order: int, *, symmetric: bool = True) -> Array:
    x, a, s, w = arrays["x"], arrays["A"], arrays["s"], _weight(arrays)
    if order == 1 and symmetric:
        return np.asarray(-2 * (x - a @ s) @ w @ a)
    if order == 1:
        return np.asarray(-(x - a @ s) @ (w + w.T) @ a)
    return np.asarray(a.T @ (w + w.T) @ a) if order == 2 else _zero(len(s), order)  # noqa: PLR2004


def _zero(n: int, order: int) -> Array:
    return np.zeros((n,) * order)


# The table ---------------------------------------------------------------------------------------

_F_SHAPES = "f(X) D x D, X E x F; derivative D x D x E x F"

IDENTITIES: Mapping[str, Identity] = {
    identity.number: identity
    for identity in (
        Identity(
            "5.99", "d f(X)^T / dX = (df/dX)^T",
            r"\frac{\partial}{\partial X} f(X)^\top"
            r" = \left(\frac{\partial f(X)}{\partial X}\right)^\top",
            _F_SHAPES, _of_unknown_f(transpose, lambda _, df: transpose(df)), _sample_f,
            lambda arrays: arrays["F"].T,
            lambda arrays, order: _back(
                np.swapaxes(_matrices(arrays, order)(_all_of(order)), -1, -2)
            ),
        ),
        Identity(
            "5.100", "d tr f(X) / dX = tr(df/dX)",
            r"\frac{\partial}{\partial X} \operatorname{tr} f(X)"
            r" = \operatorname{tr}\left(\frac{\partial f(X)}{\partial X}\right)",
            "f(X) D x D, X E x F; derivative E x F",
            _of_unknown_f(trace, lambda _, df: trace(df)), _sample_f,
            lambda arrays: np.trace(arrays["F"]),
            lambda arrays, order: np.trace(
                _matrices(arrays, order)(_all_of(order)), axis1=-2, axis2=-1
            ),
        ),
        Identity(
            "5.101", "d det f(X) / dX = det(f) tr(f^-1 df/dX)",
            r"\frac{\partial}{\partial X} \det f(X) = \det(f(X)) \operatorname{tr}"
            r"\left(f(X)^{-1} \frac{\partial f(X)}{\partial X}\right)",
            "f(X) D x D, X E x F; derivative E x F",
            _of_unknown_f(
                np.linalg.det,
                lambda f, df: np.linalg.det(f) * trace(product(np.linalg.inv(f), df)),
            ),
            _sample_f, lambda arrays: np.linalg.det(arrays["F"]), _det_matrix,
        ),
        Identity(
            "5.102", "d f(X)^-1 / dX = -f^-1 (df/dX) f^-1",
            r"\frac{\partial}{\partial X} f(X)^{-1}"
            r" = -f(X)^{-1} \frac{\partial f(X)}{\partial X} f(X)^{-1}",
            _F_SHAPES,
            _of_unknown_f(
                np.linalg.inv,
                lambda f, df: -product(np.linalg.inv(f), df, np.linalg.inv(f)),
            ),
            _sample_f, lambda arrays: np.linalg.inv(arrays["F"]), _inverse_matrix,
        ),
        Identity(
            "5.103", "d a^T X^-1 b / dX = -X^-T a b^T X^-T",
            r"\frac{\partial a^\top X^{-1} b}{\partial X} = -(X^{-1})^\top a b^\top (X^{-1})^\top",
            "X D x D; derivative D x D", _state_bilinear_inverse, _sample_bilinear_inverse,
            lambda arrays: arrays["a"] @ np.linalg.inv(arrays["X"]) @ arrays["b"],
            _bilinear_inverse_matrix,
        ),
        Identity(
            "5.104", "d x^T a / dx = a^T",
            r"\frac{\partial x^\top a}{\partial x} = a^\top",
            "x D; derivative D (the book's 1 x D row)", _state_inner, _sample_inner,
            lambda arrays: arrays["x"] @ arrays["a"],
            lambda arrays, order: arrays["a"] if order == 1 else _zero(len(arrays["a"]), order),
        ),
        Identity(
            "5.105", "d a^T x / dx = a^T",
            r"\frac{\partial a^\top x}{\partial x} = a^\top",
            "x D; derivative D (the book's 1 x D row)",
            lambda size, dtype=np.float64: _state_inner(size, dtype, swapped=True), _sample_inner,
            lambda arrays: arrays["a"] @ arrays["x"],
            lambda arrays, order: arrays["a"] if order == 1 else _zero(len(arrays["a"]), order),
        ),
        Identity(
            "5.106", "d a^T X b / dX = a b^T",
            r"\frac{\partial a^\top X b}{\partial X} = a b^\top",
            "X E x F; derivative E x F", _state_bilinear, _sample_bilinear,
            lambda arrays: arrays["a"] @ arrays["X"] @ arrays["b"],
            lambda arrays, order: (
                np.outer(arrays["a"], arrays["b"]) if order == 1
                else np.zeros(arrays["X"].shape * order)
            ),
        ),
        Identity(
            "5.107", "d x^T B x / dx = x^T (B + B^T)",
            r"\frac{\partial x^\top B x}{\partial x} = x^\top (B + B^\top)",
            "x D; derivative D (the book's 1 x D row)", _state_quadratic, _sample_quadratic,
            lambda arrays: arrays["x"] @ arrays["B"] @ arrays["x"],
            lambda arrays, order: (
                arrays["x"] @ (arrays["B"] + arrays["B"].T) if order == 1
                else arrays["B"] + arrays["B"].T if order == 2  # noqa: PLR2004
                else _zero(len(arrays["x"]), order)
            ),
        ),
        Identity(
            "5.108", "d (x-As)^T W (x-As) / ds = -2 (x-As)^T W A, W symmetric",
            r"\frac{\partial}{\partial s} (x - A s)^\top W (x - A s)"
            r" = -2 (x - A s)^\top W A, \quad W = W^\top",
            "x D, A D x E, s E; derivative E (the book's 1 x E row)",
            _state_least_squares, _sample_least_squares,
            _least_squares_value, _least_squares_matrix,
        ),
        Identity(
            "5.108 any W", "d (x-As)^T W (x-As) / ds = -(x-As)^T (W + W^T) A",
            r"\frac{\partial}{\partial s} (x - A s)^\top W (x - A s)"
            r" = -(x - A s)^\top (W + W^\top) A",
            "x D, A D x E, s E; derivative E",
            lambda size, dtype=np.float64: _state_least_squares(size, dtype, symmetric=False),
            lambda rng, size: _sample_least_squares(rng, size, symmetric=False),
            _least_squares_value,
            lambda arrays, order: _least_squares_matrix(arrays, order, symmetric=False),
        ),
    )
}  # fmt: skip


# Checks ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """What `check` found of one identity at one order, and ``below`` it.

    ``flops`` holds the count for each contraction path, ``steps`` the subscripts of the planned
    contractions in order. Errors are the largest differences, relative to the largest entry:
    ``matrix_error`` of the tensor form from the matrix form, ``step_error`` of the derivative from
    the complex step of the order below, ``path_error`` between the contraction paths, among them
    the derivative itself from left to right.
    """

    number: str
    statement: str
    size: Size
    order: int
    shape: tuple[int, ...]
    proved: bool
    flops: Mapping[str, int]
    steps: tuple[str, ...]
    matrix_error: float
    step_error: float
    path_error: float
    below: tuple["Report", ...] = ()  # of the lower orders, from 1

    @property
    def by_order(self) -> tuple["Report", ...]:
        """One report for each order from 1, each of its order alone."""
        return (*self.below, dataclasses.replace(self, below=()))

    @property
    def largest_error(self) -> float:
        """The largest of the three."""
        return max(self.matrix_error, self.step_error, self.path_error)

    @property
    def passed(self) -> bool:
        """Whether it was proved, all errors are within the tolerance, and those below passed."""
        own = self.proved and self.largest_error <= TOLERANCE
        return own and all(report.passed for report in self.below)


def check(number: str, *, size: Size = (4, 2, 3), order: int = ORDER, seed: int = 0) -> Report:
    """Check one identity, and its derivatives up to an order, in every way.

    Parameters
    ----------
    number : str
        A key of `IDENTITIES`: ``"5.99"`` to ``"5.108"``, ``"5.108 any W"``.
    size : (D, E, F)
        Sizes, at least 1.
    order : 1, 2 or 3
        The highest order of the derivative, as for the command ``eingrad identities``; every one
        from 1, the identity as it is stated, is checked. The right side is differentiated one time
        less.
    seed : int
        Of the point that the sides are compared at.

    Returns
    -------
    Report
        Proof, flops by contraction path, errors: of the highest order, and ``below`` of the others.

    Raises
    ------
    KeyError
        If the number is unknown.
    ValueError
        If the order is none of 1, 2, 3, or a size is not positive.
    """
    if number not in IDENTITIES:
        raise KeyError(f"no identity {number!r}; there are {', '.join(IDENTITIES)}")
    if order not in (1, 2, 3):
        raise ValueError(f"order must be 1, 2 or 3, not {order!r}")
    if [*map(type, size)] != [int] * 3 or min(size) < 1:
        raise ValueError(f"size must be three positive integers, D E F, not {size!r}")
    *below, highest = (_check_order(number, size, n, seed) for n in range(1, order + 1))
    return dataclasses.replace(highest, below=tuple(below))


def _check_order(number: str, size: Size, order: int, seed: int) -> Report:
    """Check one order by itself."""
    identity = IDENTITIES[number]
    stated = identity.state(size)
    point = identity.sample(np.random.default_rng(seed), size)
    arrays = point.arrays(point.x, order)
    sides = stated.sides(order)
    plans = _compiled(sides)
    values = {name: _call(plan, arrays) for name, plan in plans.items()}
    unplanned = _call(compile(sides["planned"], path="left to right"), arrays)
    planned = plans["planned"].program
    return Report(
        number,
        identity.statement,
        size,
        order,
        planned.results()[0][0],
        all(are_equal(side, sides["left to right"]) for side in sides.values()),
        {name: plan.flops for name, plan in plans.items()},
        tuple(s.subscripts for s in planned.statements if s.subscripts and not s.is_view),
        _error(values["left to right"], identity.matrix(arrays, order)),
        _step_error(identity, size, order, point, values["planned"]),
        max(_error(value, values["planned"]) for value in (*values.values(), unplanned)),
    )


def plans_by_path(stated: Stated, order: int) -> dict[str, Plan]:
    """Compile the tensor form left to right, and the derivative forward, reverse and planned.

    Parameters
    ----------
    stated : Stated
        An identity at given sizes.
    order : int
        Order of the derivative.

    Returns
    -------
    dict
        One plan for each name in `PATHS`; all compute one tensor.
    """
    return _compiled(stated.sides(order))


def _compiled(sides: Mapping[str, Expression]) -> dict[str, Plan]:
    return {
        name: compile(side, path="left to right" if name == "left to right" else "planned")
        for name, side in sides.items()
    }


def _call(plan: Plan, arrays: Arrays) -> Array:
    return np.asarray(plan(**{name: arrays[name] for name in plan.inputs}))


def _step_error(identity: Identity, size: Size, order: int, point: Point, actual: Array) -> float:
    """Compare with the complex step of the order below; of order one, of the plain function."""
    if order == 1:
        below = identity.plain
    else:
        plan = compile(identity.state(size, np.complex128).derivative(order - 1))

        def below(arrays: Arrays) -> Array:
            wide = {name: np.asarray(array, complex) for name, array in arrays.items()}
            return _call(plan, wide)

    step, x = 1e-30, point.x
    if x.size <= _MOST_STEPS:
        directions = list(np.eye(x.size).reshape(x.size, *x.shape))
    else:
        directions = list(np.random.default_rng(0).normal(size=(_MOST_STEPS, *x.shape)))
    errors = [
        _error(
            np.tensordot(actual, v, axes=x.ndim),
            np.imag(below(point.arrays(x + 1j * step * v, order - 1))) / step,
        )
        for v in directions
    ]
    return max(errors)


def _error(actual: Any, expected: Any) -> float:
    actual, expected = np.asarray(actual), np.asarray(expected)
    if actual.shape != expected.shape:
        return float("inf")
    difference = float(np.max(np.abs(actual - expected), initial=0))
    if difference == 0:
        return 0.0
    error = difference / max(float(np.max(np.abs(side))) for side in (actual, expected))
    return error if np.isfinite(error) else float("inf")

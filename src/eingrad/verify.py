"""Checks for users: of an identity they state, and of the derivatives of their own functions.

In: two expressions, or functions of symbols; or a NumPy function and a point. Out: a report that is
true or false, prints as a table, and holds its figures.
Guaranteed: a proof is symbolic; a check at points says at how many and how far off; a failure comes
with a counterexample as small as could be found.

>>> check = check_identity(lambda A, B: np.trace(A @ B), lambda A, B: np.trace(B @ A),
...                        shapes={"A": "DE", "B": "ED"})
>>> print(check)
proved for D=1, E=1; D=1, E=2; D=2, E=1; D=2, E=3
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad._api import derivative
from eingrad._run import Plan
from eingrad._symbols import are_equal, compile, variable
from eingrad.errors import DTypeError, ShapeError, TraceError

Array = NDArray[Any]
Sample = Callable[[np.random.Generator, str, tuple[int, ...]], Array]

_AGREES = 1e-8  # relative to the largest entry of either side, at least 1
_SIMPLE = (0.0, 1.0, -1.0, 2.0)  # what entries of a counterexample are tried with
_DIFFERS = 1e-3  # no rounding error is that
_MOST_TRIALS = 4000


# Identities --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class IdentityCheck:
    """What `check_identity` found; true if the identity holds.

    Attributes
    ----------
    proved : bool
        Whether both sides reach one normal form, for every size tried.
    sizes : tuple of mappings
        The sizes tried, by letter.
    points : int
        How many random points were compared, where no proof was found.
    largest_error : float
        The largest difference there, relative to the largest entry.
    counterexample : mapping, optional
        The symbols with the arrays for which the sides differ.
    values : tuple of two arrays, optional
        The two sides there.
    """

    proved: bool
    sizes: tuple[Mapping[str, int], ...] = ()
    points: int = 0
    largest_error: float = 0.0
    counterexample: Mapping[str, Array] | None = None
    values: tuple[Array, Array] | None = None

    @property
    def holds(self) -> bool:
        """Whether it was proved, or agrees at every point."""
        return self.counterexample is None

    def __bool__(self) -> bool:
        return self.holds

    def __str__(self) -> str:
        if self.counterexample is not None and self.values is not None:
            lines = [f"fails: the sides differ by {self.largest_error:.2g} (relative) at"]
            lines += [f"  {name} = {_short(value)}" for name, value in self.counterexample.items()]
            lines += [f"  left side  {_short(self.values[0])}"]
            lines += [f"  right side {_short(self.values[1])}"]
            return "\n".join(lines)
        sizes = "; ".join(", ".join(f"{k}={n}" for k, n in s.items()) for s in self.sizes)
        where = f" for {sizes}" if sizes else ""
        if self.proved:
            return f"proved{where}"
        return (
            f"agrees at {self.points} random points{where}; largest error {self.largest_error:.1e}"
        )


def _short(array: Array) -> str:
    return np.array2string(np.asarray(array), precision=6, threshold=30).replace("\n", "\n    ")


def check_identity(
    lhs: Any,
    rhs: Any,
    *,
    shapes: Mapping[str, str | Sequence[str | int]] | None = None,
    points: int = 20,
    seed: int = 0,
    sample: Sample | None = None,
) -> IdentityCheck:
    """Prove an identity, or compare its sides at random points, or find a counterexample.

    Parameters
    ----------
    lhs, rhs : Expression, or callable
        Two expressions of one shape; or two functions of symbols, called with a variable for every
        entry of `shapes`, at several sizes.
    shapes : dict from name to shape, for callables
        A size is an integer or a letter: ``{"X": "DE", "a": ("D",)}``.
    points : int
        Random points per size where no proof is found.
    seed : int
        Of the random points.
    sample : callable, optional
        ``sample(rng, name, shape)`` gives an array. The default gives standard normal numbers,
        and well-conditioned square matrices; positive numbers where those leave the domain.

    Returns
    -------
    IdentityCheck
        True if proved, or if the sides agree at every point.

    Raises
    ------
    ShapeError
        If the sides differ in shape.
    ValueError
        If the sides are finite at no point; or `shapes` is missing, or given needlessly.

    Notes
    -----
    A proof expands both sides to sums of products, with the laws of inverse, determinant and
    transpose, for the given sizes. A counterexample is looked for at the smallest sizes first; then
    its entries are made 0, 1, -1 or 2 one by one, while the sides still differ.

    Examples
    --------
    >>> square = {"A": "DD", "B": "DD"}
    >>> print(check_identity(lambda A, B: np.linalg.inv(A @ B),
    ...                      lambda A, B: np.linalg.inv(A) @ np.linalg.inv(B), shapes=square))
    ... # doctest: +ELLIPSIS
    fails: the sides differ by ... (relative) at
      A = [[...
    """
    rng = np.random.default_rng(seed)
    proved, tried, largest, count = True, [], 0.0, 0
    for sizes, left, right in _cases(lhs, rhs, shapes):
        _same_shape(left, right)
        tried.append(sizes)
        if are_equal(left, right):
            continue
        proved = False
        sides = compile((left, right))
        found = _compare(sides, points, rng, sample or _default_sample)
        largest = max(largest, found.largest_error)
        if found.counterexample is not None:
            return found
        count += found.points
    known = tuple(sizes for sizes in tried if sizes)
    return IdentityCheck(proved, known, count, largest)


Case = tuple[dict[str, int], Any, Any]


def _cases(
    lhs: Any, rhs: Any, shapes: Mapping[str, str | Sequence[str | int]] | None
) -> Iterator[Case]:
    """Give the two sides as expressions: as they are, or at several sizes, the smallest first."""
    if not (callable(lhs) and callable(rhs)):
        if shapes is not None:
            raise ValueError("shapes are for sides that are functions; these are expressions")
        yield {}, lhs, rhs
        return
    if shapes is None:
        raise ValueError(
            "sides that are functions need shapes, one per symbol: shapes={'X': 'DE', 'a': 'D'}"
        )
    letters = sorted({n for shape in shapes.values() for n in shape if isinstance(n, str)})
    for values in sorted(_some_sizes(len(letters)), key=lambda v: (sum(v), v)):
        sizes = dict(zip(letters, values, strict=True))
        symbols = [
            variable(name, [sizes[n] if isinstance(n, str) else n for n in shape])
            for name, shape in shapes.items()
        ]
        yield sizes, lhs(*symbols), rhs(*symbols)


def _some_sizes(count: int) -> Iterator[tuple[int, ...]]:
    """Sizes of 1, 2 and all distinct: few, but each kind of mistake with sizes shows in one."""
    yield (1,) * count
    if count:
        yield tuple(range(2, 2 + count))
    for n in range(count if count > 1 else 0):
        yield tuple(2 if k == n else 1 for k in range(count))


def _same_shape(left: Any, right: Any) -> None:
    shapes = [np.shape(side) for side in (left, right)]
    if shapes[0] != shapes[1]:
        raise ShapeError(
            f"the left side has shape {shapes[0]} but the right side {shapes[1]}; an identity "
            "needs one shape (axes of the value first, then those of the variable)"
        )


def _compare(sides: Plan, points: int, rng: np.random.Generator, sample: Sample) -> IdentityCheck:
    """Compare two sides at random points; the first that differs is made small."""
    shapes = {spec.name: spec.shape for spec in sides.program.inputs}
    largest, compared = 0.0, 0
    for n in range(2 * points):
        if compared == points:
            break
        arrays = {
            name: _symmetric(sample(rng, name, shapes[name]), sides.interchangeable[name])
            for name in sides.inputs
        }
        if n >= points and sample is _default_sample:
            arrays = {name: 0.5 + np.abs(array) for name, array in arrays.items()}
        error = _error(sides, arrays)
        if error is None:
            continue
        compared += 1
        largest = max(largest, error)
        if error > _AGREES:
            small = _shrunk(sides, arrays)
            return IdentityCheck(False, (), compared, _error(sides, small) or error, small,
                                 _values(sides, small))  # fmt: skip
    if not compared:
        raise ValueError(
            f"the two sides are finite at none of {2 * points} random points; give sample=, a "
            "function (rng, name, shape) that returns an array where they are"
        )
    return IdentityCheck(False, (), compared, largest)


def _default_sample(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> Array:
    del name
    array = rng.normal(size=shape)
    if len(shape) == 2 and shape[0] == shape[1] and shape[0] > 1:  # noqa: PLR2004 - a matrix
        array = array / np.sqrt(shape[0]) + 2 * np.eye(shape[0])
    return array


def _symmetric(array: Array, symmetry: Any) -> Array:
    """Average over the order of differentiation, as a derivative tensor must be."""
    for group in symmetry:
        total = np.zeros_like(array)
        orders = list(itertools.permutations(group))
        for order in orders:
            axes = list(range(array.ndim))
            for block, moved in zip(group, order, strict=True):
                for a, b in zip(block, moved, strict=True):
                    axes[a] = b
            total += array.transpose(axes)
        array = total / len(orders)
    return array


def _values(sides: Plan, arrays: Mapping[str, Array]) -> tuple[Array, Array]:
    with np.errstate(all="ignore"):
        left, right = sides(**arrays)
    return left, right


def _error(sides: Plan, arrays: Mapping[str, Array]) -> float | None:
    """Largest difference, relative to the largest entry; None where a side is not finite."""
    try:
        left, right = _values(sides, arrays)
    except np.linalg.LinAlgError:
        return None
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        return None
    scale = max(1.0, np.max(np.abs(left), initial=0), np.max(np.abs(right), initial=0))
    return float(np.max(np.abs(left - right), initial=0) / scale)


def _shrunk(sides: Plan, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Make entries simple one by one, while the two sides still differ clearly."""
    best = {name: array.copy() for name, array in arrays.items()}
    trials = 0
    places = [(name, p) for name, array in best.items() for p in np.ndindex(array.shape)]
    for (name, position), value in itertools.product(places, _SIMPLE):
        if trials == _MOST_TRIALS or best[name][position] in _SIMPLE:
            continue
        trials += 1
        moved = best[name].copy()
        moved[position] = value
        changed = best | {name: _symmetric(moved, sides.interchangeable[name])}
        error = _error(sides, changed)
        if error is not None and error > _DIFFERS:
            best = changed
    return best


# Derivatives of users' functions -----------------------------------------------------------------


@dataclass(frozen=True)
class DerivativeCheck:
    """What `check_derivatives` found; true if every order agrees.

    ``rows`` holds, for each order and argument: the order, the argument's number, the method, the
    largest error relative to the largest entry, and the tolerance.
    """

    rows: tuple[tuple[int, int, str, float, float], ...] = field(default=())

    def __bool__(self) -> bool:
        return all(error <= tolerance for *_, error, tolerance in self.rows)

    def __str__(self) -> str:
        lines = ["order  argument  against       largest error"]
        for order, number, method, error, tolerance in self.rows:
            verdict = "" if error <= tolerance else f"  WRONG (more than {tolerance:.0e})"
            lines.append(f"{order:5}  {number:8}  {method:12}  {error:13.1e}{verdict}")
        return "\n".join(lines)


def check_derivatives(
    f: Callable[..., Any],
    *args: Any,
    order: int = 2,
    argnums: int | tuple[int, ...] = 0,
    seed: int = 0,
) -> DerivativeCheck:
    """Check the derivatives of a function at a point, each against the order below.

    Parameters
    ----------
    f : callable
        A NumPy function that returns one array.
    *args
        The point: arrays and numbers.
    order : int
        The highest order; every one from 0 is checked.
    argnums : int or tuple of int
        The arguments to check, each by itself; arrays or floats.
    seed : int
        Of the random directions that are taken where an argument has many entries.

    Returns
    -------
    DerivativeCheck
        True if all agree; prints as a table.

    Raises
    ------
    DTypeError
        If an argument named by `argnums` is no array or number.

    Notes
    -----
    Order 0 is compared with the function itself. Order n is compared with the complex step of
    order n - 1, ``imag f(x + ih) / h``, exact to rounding, where the function is analytic; where it
    is not (``abs``, ``maximum``), with a central difference of eighth order.

    Examples
    --------
    >>> bool(check_derivatives(lambda x: np.sin(x) * x, np.array([0.5, 1.0]), order=3))
    True
    """
    rng = np.random.default_rng(seed)
    rows: list[tuple[int, int, str, float, float]] = []
    numbers = (argnums,) if isinstance(argnums, int) else argnums
    for number in numbers:
        x = np.asarray(args[number])
        if x.dtype.kind not in "fiu":
            raise DTypeError(
                f"argument {number} has dtype {x.dtype}; derivatives are checked in arrays of real "
                "numbers"
            )
        x = x if x.dtype.kind == "f" else x.astype(float)
        precision = float(np.finfo(x.dtype).eps)

        def at(n: int, x: Array, number: int = number) -> Array:
            moved = (*args[:number], x, *args[number + 1 :])
            return np.asarray(derivative(f, n, argnums=number)(*moved))

        value = np.asarray(f(*args[:number], x, *args[number + 1 :]))
        rows.append((0, number, "the function", _relative(at(0, x), value), 1e3 * precision))
        for n in range(1, order + 1):
            directions = _directions(x.shape, rng)
            if not directions:
                break  # nothing to differentiate in
            method, expected, tolerance = _stepped(partial(at, n - 1), x, directions)
            exact = np.stack([np.tensordot(at(n, x), v, axes=x.ndim) for v in directions])
            rows.append((n, number, method, _relative(exact, expected), tolerance))
    return DerivativeCheck(tuple(rows))


_MOST_DIRECTIONS = 32
_STENCIL = ((1, 4 / 5), (2, -1 / 5), (3, 4 / 105), (4, -1 / 280))  # of eighth order


def _directions(shape: tuple[int, ...], rng: np.random.Generator) -> list[Array]:
    """Every unit direction, or some random ones where there are many."""
    size = int(np.prod(shape, dtype=int))
    if size <= _MOST_DIRECTIONS:
        return list(np.eye(size).reshape(size, *shape))
    return list(rng.choice([-1.0, 1.0], size=(_MOST_DIRECTIONS, *shape)) / np.sqrt(size))


def _stepped(
    below: Callable[[Array], Array], x: Array, directions: Sequence[Array]
) -> tuple[str, Array, float]:
    """Differentiate along directions: by complex step where the function is analytic."""
    eps = float(np.finfo(x.dtype).eps)
    step = 1e-30
    try:
        moved = [np.imag(below(x + step * 1j * v)) / step for v in directions]
    except (TraceError, DTypeError):
        pass
    else:
        return "complex step", np.stack(moved), 1e5 * eps
    step = eps ** (1 / 9) * max(1.0, float(np.max(np.abs(x), initial=0)))
    central = [
        sum((c * (below(_at(x, k * step, v)) - below(_at(x, -k * step, v))) for k, c in _STENCIL))
        / step
        for v in directions
    ]
    return "difference", np.stack(central), eps**0.5


def _at(x: Array, step: float, direction: Array) -> Array:
    return (x + step * direction).astype(x.dtype)


def _relative(actual: Array, expected: Array) -> float:
    if actual.shape != expected.shape:
        return float("inf")
    scale = max(1.0, float(np.max(np.abs(expected), initial=0)))
    error = np.max(np.abs(actual - expected), initial=0) / scale
    return float(error) if np.isfinite(error) else float("inf")

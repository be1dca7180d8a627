"""Checks for users: of an identity they state, and of the derivatives of their own functions.

In: two expressions, or functions of symbols; or a NumPy function and a point. Out: a report that is
true or false, prints as a table, and holds its figures.
Guaranteed: a proof is symbolic; a check at points says at how many and how far off; a failure comes
with a counterexample as small as could be found.

>>> check = check_identity(lambda A, B: np.trace(A @ B), lambda A, B: np.trace(B @ A),
...                        shapes={"A": "DE", "B": "ED"})
>>> print(check)
proved for D=1, E=1; D=1, E=2; D=2, E=1; D=2, E=3; D=3, E=4
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from eingrad import _ir, _opaque
from eingrad._api import argument_numbers, check_argnums, check_order, derivative
from eingrad._ir import Add, Einsum, Node
from eingrad._run import Plan
from eingrad._symbols import are_equal, compile, differentiate, variable
from eingrad._tracer import Expression, node_of
from eingrad._tree import Tree, flatten
from eingrad.errors import DTypeError, EingradError, ShapeError, TraceError

Array = NDArray[Any]
Sample = Callable[[np.random.Generator, str, tuple[int, ...]], Array]

_ROUNDING = 64  # units in the last place of the largest term of a sum that may cancel
_NEARBY = 1024  # units in the last place that a counterexample is moved by
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
        How many points were compared, where no proof was found.
    one_sided : int
        How many were left out since one side alone is finite there: the domains differ.
    largest_error : float
        The largest difference there, relative to the largest entry; where that is a sum that
        cancels, to the largest of its terms.
    counterexample : mapping, optional
        The symbols with the arrays for which the sides differ.
    values : tuple of two arrays, optional
        The two sides there.
    proofs : tuple of bool
        For each of the sizes, whether it was proved.
    """

    proved: bool
    sizes: tuple[Mapping[str, int], ...] = ()
    points: int = 0
    one_sided: int = 0
    largest_error: float = 0.0
    counterexample: Mapping[str, Array] | None = None
    values: tuple[Array, Array] | None = None
    proofs: tuple[bool, ...] = ()

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
        verdicts = []
        if any(self.proofs) or self.proved:
            verdicts.append(f"proved{self._where(proved=True)}")
        if not self.proved:
            verdicts.append(
                f"agrees at {self.points} random points{self._where(proved=False)}; largest error "
                f"{self.largest_error:.1e}"
            )
        if self.one_sided:
            verdicts.append(f"left out {self.one_sided} points where one side alone is finite")
        return "; ".join(verdicts)

    def _where(self, *, proved: bool) -> str:
        known = zip(self.sizes, self.proofs, strict=True)
        sizes = [", ".join(f"{k}={n}" for k, n in s.items()) for s, p in known if p == proved]
        return f" for {'; '.join(sizes)}" if any(sizes) else ""


def _short(array: Array) -> str:
    return np.array2string(np.asarray(array), precision=6, threshold=30).replace("\n", "\n    ")


def check_identity(
    lhs: Any,
    rhs: Any,
    *,
    shapes: Mapping[str, int | str | Sequence[str | int]] | None = None,
    points: int = 20,
    seed: int = 0,
    sample: Sample | None = None,
) -> IdentityCheck:
    """Prove an identity, or compare its sides at random points, or find a counterexample.

    Parameters
    ----------
    lhs, rhs : Expression or array_like, or callable
        Two expressions of one shape; or two functions of symbols, called with a variable for every
        entry of `shapes`, at several sizes.
    shapes : dict from name to shape, for callables
        A size is an integer or a letter: ``{"X": "DE", "a": ("D",), "b": 3}``.
    points : int
        Random points per size where no proof is found; at least 1.
    seed : int
        Of the random points.
    sample : callable, optional
        ``sample(rng, name, shape)`` gives an array. The default gives, in turn, standard normal
        numbers, well-conditioned square matrices of either sign, and zeros and ones of either
        sign; positive numbers where those leave the domain.

    Returns
    -------
    IdentityCheck
        True if proved, or if the sides agree at every point.

    Raises
    ------
    ShapeError
        If the sides, or a sample and its symbol, differ in shape.
    DTypeError
        If a side has no floats.
    ValueError
        If the sides are finite at no point; or `shapes` is missing, or given needlessly; or only
        one side is a function.

    Notes
    -----
    A proof expands both sides to sums of products, with the laws of inverse, determinant and
    transpose, for the given sizes. A counterexample is looked for at the smallest sizes first; then
    its entries are made 0, 1, -1 or 2 one by one, while the sides still differ.

    Sides differ where they do by more than the square root of the machine epsilon, relative to the
    largest entry of either, and by more than the rounding error of the terms that cancel in their
    sums. Where inputs that differ by rounding give another difference, nothing is concluded.

    Examples
    --------
    >>> square = {"A": "DD", "B": "DD"}
    >>> print(check_identity(lambda A, B: np.linalg.inv(A @ B),
    ...                      lambda A, B: np.linalg.inv(A) @ np.linalg.inv(B), shapes=square))
    ... # doctest: +ELLIPSIS
    fails: the sides differ by ... (relative) at
      A = [[...
    """
    if type(points) is not int or points < 1:
        raise ValueError(f"points must be an integer of at least 1, not {points!r}")
    rng = np.random.default_rng(seed)
    tried, proofs, largest, count, one_sided = [], [], 0.0, 0, 0
    for sizes, left, right in _cases(lhs, rhs, shapes):
        _same_shape(left, right)
        tried.append(sizes)
        proofs.append(are_equal(left, right))
        if proofs[-1]:
            continue
        found = _compare(_Sides.of(left, right), points, rng, sample)
        largest = max(largest, found.largest_error)
        if found.counterexample is not None:
            return found
        count += found.points
        one_sided += found.one_sided
    verdicts = tuple(proofs)
    return IdentityCheck(all(proofs), tuple(tried), count, one_sided, largest, proofs=verdicts)


# The sides, at several sizes

Case = tuple[dict[str, int], Expression, Expression]


def _cases(
    lhs: Any, rhs: Any, shapes: Mapping[str, int | str | Sequence[str | int]] | None
) -> Iterator[Case]:
    """Give the two sides as expressions: as they are, or at several sizes, the smallest first."""
    if callable(lhs) != callable(rhs):
        odd, other = ("right", "left") if callable(lhs) else ("left", "right")
        raise ValueError(
            f"the {other} side is a function but the {odd} side is "
            f"{rhs if callable(lhs) else lhs!r}; give two functions of the symbols (lambda x: ...) "
            "and shapes, or two expressions"
        )
    if not callable(lhs):
        if shapes is not None:
            raise ValueError("shapes are for sides that are functions; these are expressions")
        yield {}, *_sides(lhs, rhs)
        return
    if shapes is None:
        raise ValueError(
            "sides that are functions need shapes, one per symbol: shapes={'X': 'DE', 'a': 'D'}"
        )
    symbolic = {name: _symbolic_shape(name, shape) for name, shape in shapes.items()}
    letters = sorted({n for shape in symbolic.values() for n in shape if isinstance(n, str)})
    for values in sorted(_some_sizes(len(letters)), key=lambda v: (sum(v), v)):
        sizes = dict(zip(letters, values, strict=True))
        symbols = [
            variable(name, [sizes[n] if isinstance(n, str) else n for n in shape])
            for name, shape in symbolic.items()
        ]
        yield sizes, *_sides(lhs(*symbols), rhs(*symbols))


def _symbolic_shape(name: str, shape: Any) -> tuple[str | int, ...]:
    if type(shape) is int:
        return (shape,)
    if not isinstance(shape, (str, tuple, list)) or any(type(n) not in (str, int) for n in shape):
        raise ValueError(
            f"the shape of {name} is {shape!r}; a shape is letters and integers: 'DE', ('D', 3), 3"
        )
    return tuple(shape)


def _some_sizes(count: int) -> Iterator[tuple[int, ...]]:
    """Sizes of 1, 2, and all distinct from 2 and from 3: each kind of mistake shows in one.

    What holds for 2 x 2 matrices may not for larger ones.
    """
    yield (1,) * count
    if count:
        yield tuple(range(2, 2 + count))
        yield tuple(range(3, 3 + count))
    for n in range(count if count > 1 else 0):
        yield tuple(2 if k == n else 1 for k in range(count))


def _sides(left: Any, right: Any) -> tuple[Expression, Expression]:
    return _side(left, "left"), _side(right, "right")


def _side(value: Any, which: str) -> Expression:
    """Make an expression of a side: also of an array and of a number."""
    if isinstance(value, (tuple, list, dict)) or value is None or isinstance(value, str):
        raise DTypeError(
            f"the {which} side is of type {type(value).__name__}; a side is one expression, array "
            "or number: check several one by one"
        )
    if not isinstance(value, Expression) and np.asarray(value).dtype.kind in "iu":
        value = np.asarray(value, np.float64)
    node = node_of(value, None, f"the {which} side")
    if node.dtype.kind not in "fc":
        raise DTypeError(
            f"the {which} side has dtype {node.dtype}; floats are compared (np.where turns a "
            "condition into numbers)"
        )
    return Expression(node)


def _same_shape(left: Expression, right: Expression) -> None:
    if left.shape != right.shape:
        raise ShapeError(
            f"the left side has shape {left.shape} but the right side {right.shape}; an identity "
            "needs one shape (axes of the value first, then those of the variable)"
        )


# Comparing them


@dataclass(frozen=True)
class _Sides:
    """Two sides, compiled: to their values, and to those of all terms that may cancel in them."""

    plan: Plan
    precision: float

    @staticmethod
    def of(left: Expression, right: Expression) -> "_Sides":
        roots, inputs = _opaque.open_inputs([left._node, right._node])
        dtypes = {node.dtype for node in (*roots, *inputs)}
        outputs = [*map(Expression, roots), *_terms_that_cancel(roots)]
        return _Sides(compile(outputs), max(float(np.finfo(dtype).eps) for dtype in dtypes))

    @property
    def tolerance(self) -> float:
        """What the largest error may be."""
        return float(np.sqrt(self.precision))

    def values(self, arrays: Mapping[str, Array]) -> list[Array] | None:
        """Give the two sides, then the terms; None where the sides are not finite."""
        values = self._computed(arrays)
        return values if values and all(np.isfinite(v).all() for v in values[:2]) else None

    def one_alone_is_finite(self, arrays: Mapping[str, Array]) -> bool:
        """Whether a point is in the domain of one side, and not of the other."""
        values = self._computed(arrays)
        return bool(values) and sum(bool(np.isfinite(v).all()) for v in values[:2]) == 1

    def _computed(self, arrays: Mapping[str, Array]) -> list[Array]:
        """Compute both sides and the terms; nothing where a matrix is singular."""
        try:
            with np.errstate(all="ignore"):
                return [*self.plan(**arrays)]
        except np.linalg.LinAlgError:
            return []

    def error(self, arrays: Mapping[str, Array]) -> float | None:
        """Give the largest difference, relative as `_relative_error`; None if not finite."""
        values = self.values(arrays)
        if values is None:
            return None
        left, right, *terms = values
        return _relative_error(left, right, _largest_finite(terms), self.precision)

    def near(self, arrays: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Array]:
        """Move every entry by about as much as it may be rounded by."""
        step = _NEARBY * self.precision
        return {
            name: self.symmetric(name, array * (1 + step * rng.normal(size=array.shape)))
            for name, array in arrays.items()
        }

    def differ_steadily(self, arrays: Mapping[str, Array]) -> bool:
        """Whether the difference is one of the sides, and not of how they are rounded.

        The inverse of a matrix that is singular but for rounding is any large number.
        """
        there = self.values(arrays)
        assert there is not None
        difference = there[0] - there[1]
        rng = np.random.default_rng(0)
        for _ in range(_TIMES):
            moved = self.values(self.near(arrays, rng))
            if moved is None:
                continue
            if _largest(moved[0] - moved[1] - difference) > _largest(difference) / 4:
                return False
        return True

    def symmetric(self, name: str, array: Array) -> Array:
        """Give an array of the symbol's dtype, averaged where axes may change places."""
        spec = next(spec for spec in self.plan.program.inputs if spec.name == name)
        return _symmetric(np.asarray(array, spec.dtype), self.plan.interchangeable[name])


_TIMES = 3
_MOST_PRODUCTS = 10**6  # entries
_TINY = float(np.finfo(np.float64).tiny)


def _largest(array: Array) -> float:
    return float(np.max(np.abs(array), initial=0))


def _largest_finite(arrays: Sequence[Array]) -> float:
    return max((_largest(array[np.isfinite(array)]) for array in arrays), default=0.0)


def _relative_error(a: Array, b: Array, cancelling: float, precision: float) -> float:
    """Give the largest difference, relative to the largest entry of either.

    One that may be rounding of terms that cancel is relative to the largest of these.
    """
    difference = _largest(a - b)
    scale = max(_largest(a), _largest(b), _TINY)
    if difference <= _ROUNDING * precision * cancelling:
        scale = max(scale, cancelling)
    return difference / scale


def _terms_that_cancel(roots: Sequence[Node]) -> list[Expression]:
    """Give the terms of every sum below, or their sum with every number made positive."""
    nodes = [node for node in _ir.topological(roots) if node.dtype.kind in "fc"]
    return [Expression(term) for node in nodes for term in _terms(node)]


def _terms(node: Node) -> list[Node]:
    is_real = node.dtype.kind == "f"
    match node:
        case Add(terms=terms, coefficients=coefficients) if is_real:
            sizes: list[Any] = [abs(c) for c in coefficients]
            return [_ir.add([_absolute(term) for term in terms], sizes)]
        case Add(terms=terms, coefficients=coefficients):  # |z| is no expression
            return [_ir.scale(term, c) for term, c in zip(terms, coefficients, strict=True)]
        case Einsum(operands=operands, terms=subscripts) if node.sums and is_real:
            size: Any = abs(node.coefficient)
            positive = [_absolute(operand) for operand in operands]
            return [
                _ir.contract(positive, subscripts, node.out, dict(node.sizes), size, node.dtype)
            ]
        case Einsum(operands=operands, terms=subscripts) if node.sums:
            every = sorted({*node.out, *itertools.chain(*subscripts)})
            products = _ir.contract(
                operands, subscripts, every, dict(node.sizes), node.coefficient, node.dtype
            )
            return [products] if products.size <= _MOST_PRODUCTS else []
        case _:
            return []


def _absolute(node: Node) -> Node:
    if isinstance(node, _ir.STRUCTURAL):
        return node
    absolute: Any = np.abs(Expression(node))
    return node_of(absolute, None)


def _compare(
    sides: _Sides, points: int, rng: np.random.Generator, sample: Sample | None
) -> IdentityCheck:
    """Compare two sides at random points; the first that differs is made small."""
    largest, compared, one_sided = 0.0, 0, 0
    for n in range(2 * points):
        if compared == points:
            break
        draw = (
            functools.partial(_default_sample, n, positive=n >= points) if sample is None else None
        )
        arrays = {
            spec.name: sides.symmetric(
                spec.name,
                draw(rng, spec.shape, spec.dtype) if draw else _own(sample, rng, spec),
            )
            for spec in sides.plan.program.inputs
            if spec.name in sides.plan.inputs
        }
        error = sides.error(arrays)
        if error is None:
            one_sided += sides.one_alone_is_finite(arrays)
            continue
        if error > sides.tolerance:
            if not sides.differ_steadily(arrays):
                continue
            small = _shrunk(sides, arrays)
            left, right, *_ = sides.values(small) or []
            error = sides.error(small) or error
            return IdentityCheck(False, (), compared + 1, one_sided, error, small, (left, right))
        compared += 1
        largest = max(largest, error)
    if not compared:
        raise ValueError(
            f"the two sides are finite at none of {2 * points} random points"
            + (f" (one alone is at {one_sided})" if one_sided else "")
            + "; give sample=, a "
            "function (rng, name, shape) that returns an array where they are"
        )
    return IdentityCheck(False, (), compared, one_sided, largest)


def _own(sample: Any, rng: np.random.Generator, spec: Any) -> Array:
    """Call the user's function, and check what it gives."""
    array = np.asarray(sample(rng, spec.name, spec.shape))
    if array.shape != spec.shape:
        raise ShapeError(
            f"sample(rng, {spec.name!r}, {spec.shape}) returned shape {array.shape}; it must "
            f"return an array of shape {spec.shape}"
        )
    if not np.can_cast(array.dtype, spec.dtype, "same_kind"):
        raise DTypeError(
            f"sample(rng, {spec.name!r}, {spec.shape}) returned dtype {array.dtype}; {spec.name} "
            f"is {spec.dtype}"
        )
    return array


def _default_sample(
    n: int, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any, *, positive: bool
) -> Array:
    """Draw the n-th point: of all signs, and sometimes of zeros and ones.

    Complex numbers reach beyond the principal branch of the logarithm.
    """
    is_complex = np.dtype(dtype).kind == "c"
    array: Any = rng.normal(size=shape)
    if is_complex:
        array = array + 1j * np.pi * rng.normal(size=shape)
    if positive:
        array = 0.5 + np.abs(array)
    is_square = len(shape) == 2 and shape[0] == shape[1] and shape[0] > 1  # noqa: PLR2004
    match n % 4:
        case 0 | 2 if is_square:
            sign = 1 if n % 4 == 0 or positive else -1
            array = sign * (array / np.sqrt(shape[0]) + 2 * np.eye(shape[0]))
        case 3 if not positive:
            array = rng.choice([0, 1, -1, 1j, -1j] if is_complex else [0.0, 1.0, -1.0], size=shape)
    return np.asarray(array, dtype)


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


def _shrunk(sides: _Sides, arrays: Mapping[str, Array]) -> dict[str, Array]:
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
        changed = best | {name: sides.symmetric(name, moved)}
        error = sides.error(changed)
        if error is not None and error > _DIFFERS and sides.differ_steadily(changed):
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
    tol: float | None = None,
    seed: int = 0,
) -> DerivativeCheck:
    """Check the derivatives of a function at a point, each against the order below.

    Parameters
    ----------
    f : callable
        A NumPy function that returns one array.
    *args
        The point: arrays and numbers, or nested tuples, lists and dicts of them.
    order : int
        The highest order; every one from 0 is checked.
    argnums : int or tuple of int
        The arguments to check, each by itself; a nested one as a whole, mixed derivatives included.
    tol : float, optional
        The largest error that passes, at every order, relative as below. By default, with the
        machine epsilon of the argument's dtype: ``1e3 * eps`` at order 0, ``1e5 * eps`` against a
        complex step, ``sqrt(eps)`` against a difference.
    seed : int
        Of the random directions that are taken where an argument has many entries.

    Returns
    -------
    DerivativeCheck
        True if all agree; prints as a table.

    Raises
    ------
    DTypeError
        If an argument named by `argnums` has something else than real arrays and numbers in it, or
        the function returns no one array of floats.
    ShapeError
        If the call has no argument of that number.
    ValueError
        If the order is no integer of at least 0, `tol` no positive number, or the function not
        finite at the point.

    Notes
    -----
    Order 0 is compared with the function itself. Order n is compared with the complex step of
    order n - 1, ``imag f(x + ih) / h``, exact to rounding, where the function is analytic; where it
    is not (``abs``, ``maximum``), with a central difference of eighth order, whose step is made
    smaller until they agree: near a kink only a small one does.

    Errors are relative to the largest entry, or to the largest term of the sums that the derivative
    is computed by, where the difference may be rounding of these. The arrays of a nested argument
    are taken in one dtype, that of their sum.

    Examples
    --------
    >>> bool(check_derivatives(lambda x: np.sin(x) * x, np.array([0.5, 1.0]), order=3))
    True
    >>> bool(check_derivatives(lambda p: p["a"] @ p["b"], {"a": np.ones(2), "b": np.ones(2)}))
    True
    """
    check_order(order)
    check_argnums(argnums)
    _check_tolerance(tol)
    rng = np.random.default_rng(seed)
    rows: list[tuple[int, int, str, float, float]] = []
    for number in argument_numbers(argnums, len(args)):
        point, x = _Function.of(f, args, number)
        rows += _orders(point, x, order, rng, tol)
    return DerivativeCheck(tuple(rows))


def _check_tolerance(tol: Any) -> None:
    if tol is not None and not (isinstance(tol, (int, float)) and 0 < tol < np.inf):
        raise ValueError(f"tol must be a positive number, a relative error, not {tol!r}")


@dataclass(frozen=True)
class _Function:
    """A user's function of all the entries of one of its arguments, the others as they were given.

    The entries are one vector, whatever arrays the argument is nested of.
    """

    f: Callable[..., Any]
    args: tuple[Any, ...]
    number: int
    tree: Tree
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, f: Callable[..., Any], args: tuple[Any, ...], number: int) -> "tuple[Self, Array]":
        """Check one argument; give the function of it, and its entries."""
        leaves, tree = flatten(args[number])
        arrays = [np.asarray(leaf) for leaf in leaves]
        for array in arrays:
            if array.dtype.kind not in "fiu":
                raise DTypeError(
                    f"argument {number} has dtype {array.dtype}; derivatives are checked in arrays "
                    "of real numbers"
                )
        dtype = np.result_type(*arrays) if arrays else np.dtype(np.float64)
        dtype = dtype if dtype.kind == "f" else np.dtype(np.float64)
        entries = np.concatenate([np.zeros(0, dtype), *(array.ravel() for array in arrays)])
        function = cls(f, args, number, tree, tuple(array.shape for array in arrays))
        return function, entries.astype(dtype)

    def arguments(self, parts: Sequence[Any]) -> tuple[Any, ...]:
        """Nest the arrays of the argument, and put it in its place."""
        return (*self.args[: self.number], self.tree.build(parts), *self.args[self.number + 1 :])

    @property
    def places(self) -> list[slice]:
        """Where the entries of each array are."""
        ends = list(itertools.accumulate((math.prod(s) for s in self.shapes), initial=0))
        return [slice(*pair) for pair in itertools.pairwise(ends)]

    def at(self, x: Array) -> tuple[Any, ...]:
        """Give the arguments of the user's function for these entries."""
        pairs = zip(self.places, self.shapes, strict=True)
        return self.arguments([x[place].reshape(shape) for place, shape in pairs])

    def value(self, x: Array) -> Array:
        """Call the function itself, which must give one finite array."""
        with np.errstate(all="ignore"):  # what is not finite is refused below
            value = self.f(*self.at(x))
        name = getattr(self.f, "__name__", "the function")
        if value is None or isinstance(value, (str, tuple, list, dict)):
            raise DTypeError(
                f"{name} returned a value of type {type(value).__name__}; it must return one array "
                "or number (check the entries of a tuple one by one)"
            )
        value = np.asarray(value)
        if not np.isfinite(value).all():
            raise ValueError(f"{name} is not finite at the point: {_short(value)}")
        return value

    def derivative(self, order: int) -> Callable[[Array], Array]:
        """Give the derivative of one order as a function of the entries, in the entries."""
        compiled = derivative(self.f, order, argnums=self.number)

        def at(x: Array) -> Array:
            blocks, _ = flatten(compiled(*self.at(x)))
            chosen = [*itertools.product(range(len(self.shapes)), repeat=order)]
            first = sum(len(self.shapes[k]) for k in chosen[0])
            out = blocks[0].shape[: blocks[0].ndim - first]
            result = np.empty(out + x.shape * order, blocks[0].dtype)
            for block, numbers in zip(blocks, chosen, strict=True):
                places: list[Any] = [self.places[k] for k in numbers]
                part = result[(..., *places)]
                part[...] = block.reshape(part.shape)
            return result

        return at

    def largest_term(self, x: Array, order: int) -> float:
        """Give the largest term of the sums in a derivative, which may cancel in it."""
        symbols = [variable(f"x{k}", shape, x.dtype) for k, shape in enumerate(self.shapes)]
        try:
            value = _side(self.f(*self.arguments(symbols)), "left")
            chosen = itertools.combinations_with_replacement(symbols, order)
            tensors = [functools.reduce(differentiate, variables, value) for variables in chosen]
        except EingradError:  # what a traced value can do and a symbol cannot
            return 0.0
        terms = compile(_terms_that_cancel([tensor._node for tensor in tensors]))
        parts, _ = flatten(self.at(x)[self.number])
        known = {f"x{k}": part for k, part in enumerate(parts)}
        with np.errstate(all="ignore"):
            values = terms(**{name: known[name] for name in terms.inputs if name in known})
        return _largest_finite(values)


Row = tuple[int, int, str, float, float]


def _orders(
    f: _Function, x: Array, order: int, rng: np.random.Generator, tol: float | None
) -> Iterator[Row]:
    """Compare every order at one point."""
    eps = float(np.finfo(x.dtype).eps)
    value, below = f.value(x), f.derivative(0)
    tolerance = tol or 1e3 * eps
    error = _relative(below(x), value, f.largest_term(x, 0))
    yield 0, f.number, "the function", error, tolerance
    directions = _directions(x.size, rng)
    for n in range(1, order + 1 if directions else 1):  # none: nothing to differentiate in
        at = f.derivative(n)
        exact = np.stack([at(x) @ v for v in directions])
        method, expected, tolerance = _stepped(below, x, directions, exact, tol)
        error = _relative(exact, expected, f.largest_term(x, n))
        yield n, f.number, method, error, tolerance
        below = at


_MOST_DIRECTIONS = 32
_STENCIL = ((1, 4 / 5), (2, -1 / 5), (3, 4 / 105), (4, -1 / 280))  # of eighth order
_SMALLER = 8.0  # how much smaller the next step of a difference is


def _directions(size: int, rng: np.random.Generator) -> list[Array]:
    """Every unit direction, or some random ones where there are many."""
    if size <= _MOST_DIRECTIONS:
        return list(np.eye(size))
    return list(rng.choice([-1.0, 1.0], size=(_MOST_DIRECTIONS, size)) / np.sqrt(size))


def _stepped(
    below: Callable[[Array], Array], x: Array, directions: Sequence[Array], exact: Array,
    tol: float | None,
) -> tuple[str, Array, float]:  # fmt: skip
    """Differentiate along directions: by complex step where the function is analytic."""
    eps = float(np.finfo(x.dtype).eps)
    step = 1e-30
    try:
        moved = [np.imag(below(x + step * 1j * v)) / step for v in directions]
    except (TraceError, DTypeError):
        pass
    else:
        return "complex step", np.stack(moved), tol or 1e5 * eps
    tolerance = tol or float(np.sqrt(eps))
    close = tolerance * _largest(exact) / 2
    central = [
        _difference(below, x, v, derivative, close)
        for v, derivative in zip(directions, exact, strict=True)
    ]
    return "difference", np.stack(central), tolerance


def _difference(
    below: Callable[[Array], Array], x: Array, direction: Array, exact: Array, close: float
) -> Array:
    """Take a central difference with the step, of ever smaller ones, that agrees best.

    A large step is the most exact, unless it reaches a kink; a small one loses digits.
    """
    eps = float(np.finfo(x.dtype).eps)
    step = eps ** (1 / 9) * max(1.0, _largest(x))
    best, least = np.full_like(exact, np.nan), np.inf
    while step > np.sqrt(eps):
        values = [
            c * (below(_at(x, k * step, direction)) - below(_at(x, -k * step, direction)))
            for k, c in _STENCIL
        ]
        found = np.asarray(sum(values)) / step
        error = _largest(found - exact)
        if error < least:
            best, least = found, error
        if error <= close:
            break
        step /= _SMALLER
    return best


def _at(x: Array, step: float, direction: Array) -> Array:
    return np.asarray(x + step * direction, x.dtype)


def _relative(actual: Array, expected: Array, cancelling: float) -> float:
    if actual.shape != expected.shape:
        return float("inf")
    error = _relative_error(actual, expected, cancelling, float(np.finfo(actual.dtype).eps))
    return error if np.isfinite(error) else float("inf")

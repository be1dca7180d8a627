"""Compare the two sides of an identity at random points; make a counterexample simple."""

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad import _opaque
from eingrad._locks import lazy
from eingrad._plan import InputSpec
from eingrad._run import Plan
from eingrad._symbols import compile
from eingrad._tracer import Expression
from eingrad.errors import DTypeError, ShapeError
from eingrad.verify.reports import IdentityCheck
from eingrad.verify.rounding import largest, largest_finite, relative_error, terms_that_cancel

Array = NDArray[Any]
Sample = Callable[[np.random.Generator, str, tuple[int, ...]], Array]

_MOVED_BY = 1024  # units in the last place that a counterexample is moved by
_SIMPLE = (0.0, 1.0, -1.0, 2.0)  # what entries of a counterexample are tried with
_DIFFERS = 1e-3  # no rounding error is that
_MOST_TRIALS = 4000
_MOST_WORK = 10**9  # flops
_TIMES = 3


@dataclass(frozen=True)
class Sides:
    """Two sides, compiled: to their values, and to those of all terms that may cancel in them."""

    plan: Plan
    precision: float

    @staticmethod
    def of(left: Expression, right: Expression) -> "Sides":
        """Compile the two sides, and their terms."""
        roots, inputs = _opaque.open_inputs([left._node, right._node])
        dtypes = {node.dtype for node in (*roots, *inputs)}
        outputs = [*map(Expression, roots), *terms_that_cancel(roots)]
        return Sides(compile(outputs), max(float(np.finfo(dtype).eps) for dtype in dtypes))

    @lazy
    def symbols(self) -> dict[str, InputSpec]:
        """The inputs that stand for symbols, in order; large constants are inputs after them.

        A constant is called ``c0``, as a symbol may be too.
        """
        specs = self.plan.program.inputs
        return {spec.name: spec for spec in specs[: len(specs) - len(self.plan.captured)]}

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
                return [*self.plan(*(arrays[name] for name in self.symbols))]
        except np.linalg.LinAlgError:
            return []

    def error(self, arrays: Mapping[str, Array]) -> float | None:
        """Give the largest difference, relative as `relative_error`; None if not finite."""
        values = self.values(arrays)
        if values is None:
            return None
        left, right, *terms = values
        return relative_error(left, right, largest_finite(terms), self.precision)

    def near(self, arrays: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Array]:
        """Move every entry by about as much as it may be rounded by."""
        step = _MOVED_BY * self.precision
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
            if largest(moved[0] - moved[1] - difference) > largest(difference) / 4:
                return False
        return True

    def symmetric(self, name: str, array: Array) -> Array:
        """Give an array of the symbol's dtype, averaged where axes may change places."""
        spec = self.symbols[name]
        return _symmetric(np.asarray(array, spec.dtype), self.plan.interchangeable[name])


def compare(
    sides: Sides, points: int, rng: np.random.Generator, sample: Sample | None
) -> IdentityCheck:
    """Compare two sides at random points; the first that differs is made small."""
    furthest, compared, one_sided = 0.0, 0, 0
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
            for spec in sides.symbols.values()
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
        furthest = max(furthest, error)
    if not compared:
        raise ValueError(
            f"the two sides are finite at none of {2 * points} random points"
            + (f" (one alone is at {one_sided})" if one_sided else "")
            + "; give sample=, a "
            "function (rng, name, shape) that returns an array where they are"
        )
    return IdentityCheck(False, (), compared, one_sided, furthest)


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


def _shrunk(sides: Sides, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Make entries simple, while the two sides still differ clearly: halves, quarters, ... zero.

    Then one by one. The larger the sides, the fewer trials.
    """
    best = {name: np.array(array) for name, array in arrays.items()}
    most = min(_MOST_TRIALS, _MOST_WORK // max(sides.plan.flops, 1))
    for name, block, value in itertools.islice(_simplifications(best), most):
        moved = best[name].copy()
        moved.ravel()[block] = value
        changed = best | {name: sides.symmetric(name, moved)}
        error = sides.error(changed)
        if error is not None and error > _DIFFERS and sides.differ_steadily(changed):
            best[name] = changed[name]
    return best


def _simplifications(arrays: Mapping[str, Array]) -> Iterator[tuple[str, slice, float]]:
    """Say which entries of the arrays, as they are by then, to try which number for."""
    for name in arrays:
        size = whole = arrays[name].size
        while size > 1:
            for start in range(0, whole, size):
                block = slice(start, start + size)
                if arrays[name].ravel()[block].any():
                    yield name, block, 0.0
            size = -(-size // 2)
    for name in arrays:
        for place, value in itertools.product(range(arrays[name].size), _SIMPLE):
            if arrays[name].ravel()[place] not in _SIMPLE:
                yield name, slice(place, place + 1), value

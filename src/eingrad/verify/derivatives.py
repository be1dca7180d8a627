"""Check the derivatives of a user's function at a point, each against the order below."""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad._bind import argument_numbers, check_argnums
from eingrad._locks import lazy
from eingrad._shown import shown
from eingrad._verbs import check_count, verb
from eingrad.verify.functions import Function
from eingrad.verify.reports import Comparison, DerivativeCheck
from eingrad.verify.rounding import ROUNDING, Array, largest
from eingrad.verify.steps import (
    Below,
    Scatter,
    complex_step,
    fine_quotient,
    first_quotient,
    is_differentiable,
    is_same_for_complex,
    is_singular,
    nearby,
    quietly,
    resolved_step,
    scatter,
    scatter_near,
    scatter_of,
    some_directions,
    uneven,
)
from eingrad.verify.steps import difference as difference_of


@verb("eg.check_derivatives(f, x)")
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
        complex step (``sqrt(eps)`` if that is less, for both), ``sqrt(eps)`` against a difference.
    seed : int
        Of the random directions that are taken where an argument has many entries.

    Returns
    -------
    DerivativeCheck
        True if none is wrong; prints as a table.

    Raises
    ------
    DTypeError
        If an argument named by `argnums` has something else than real arrays and numbers in it, or
        the function returns no one array of floats.
    ShapeError
        If the call has no argument of that number.
    ValueError
        If the order is no integer of at least 0, `tol` no positive number, or the function not
        finite at the point, or another one when it is called again.

    Notes
    -----
    Order 0 is compared with the function itself. Order n is compared with the complex step of
    order n - 1, ``imag f(x + ih) / h``, exact to rounding, where the function is analytic; where it
    is not (``abs``, ``maximum``), with a central difference of eighth order: of the longest step
    first; where that does not agree, of the step that is the most certain.

    Every entry is compared by itself. An error is relative to the largest entry along its
    direction, or of its place in the value, if that is less. It may also be what can be resolved at
    the point, which counts at an optimum, where the derivative is zero: rounding, as it is measured
    there, over the step, and what the differences of smaller steps disagree by. The table shows the
    derivative, the error, and what it may be.

    An entry is not compared, and the table says so, where the function has no derivative (it is not
    finite, or differences have no limit), and where it changes closer to the point than differences
    can see. Such an entry is neither right nor wrong. One that is not finite where the function is
    differentiable is wrong. A factor of a gradient that is zero cannot be seen: check at another
    point too. The arrays of a nested argument are taken in one dtype, that of their sum.

    References
    ----------
    Moré, Wild, *Estimating computational noise*, SIAM J. Sci. Comput. 33 (2011).

    Examples
    --------
    >>> bool(check_derivatives(lambda x: np.sin(x) * x, np.array([0.5, 1.0]), order=3))
    True
    >>> bool(check_derivatives(lambda p: p["a"] @ p["b"], {"a": np.ones(2), "b": np.ones(2)}))
    True
    """
    order = check_count(order, "order")
    check_argnums(argnums)
    _check_tolerance(tol)
    rng = np.random.default_rng(seed)
    found: list[Comparison] = []
    for number in argument_numbers(argnums, len(args)):
        point, x = Function.of(f, args, number)
        found += _orders(point, x, order, rng, tol)
    return DerivativeCheck(tuple(found))


def _check_tolerance(tol: Any) -> None:
    if tol is not None and not (isinstance(tol, (int, float)) and 0 < tol < np.inf):
        raise ValueError(f"tol must be a positive number, a relative error, not {shown(tol)}")


def _orders(
    f: Function, x: Array, order: int, rng: np.random.Generator, tol: float | None
) -> Iterator[Comparison]:
    """Compare every order at one point."""
    value = f.value(x)
    below = quietly(f.derivative(0), value.shape)
    if is_singular(f.derivative(0), x):
        yield _Row(0, f.number, "the function", _tolerance_of_values(x, tol)).singular(value.shape)
    else:
        yield _compare_values(f, x, below, value, tol)
    directions = some_directions(x, rng)
    for n in range(1, order + 1 if directions else 1):  # none: nothing to differentiate in
        at = quietly(f.derivative(n), value.shape + x.shape * n)
        if is_singular(f.derivative(n), x):
            row = _Row(n, f.number, "nothing", tol or float(np.finfo(x.dtype).eps) ** 0.5)
            yield row.singular(value.shape + x.shape * n)
            below = at
            continue
        yield _Order(f, x, n, below, at, directions, rng, tol).compare()
        below = at


def _tolerance_of_values(x: Array, tol: float | None) -> float:
    """Give what values may differ by: in half precision, a thousand units are all there is."""
    eps = float(np.finfo(x.dtype).eps)
    return tol or min(1e3 * eps, eps**0.5)


def _compare_values(
    f: Function, x: Array, at: Below, value: Array, tol: float | None
) -> Comparison:
    tolerance = _tolerance_of_values(x, tol)
    found = at(x)
    row = _Row(0, f.number, "the function", tolerance)
    if found.shape != value.shape:
        return row.wrong()
    scale = np.full(value.shape, max(largest(value), largest(found)))
    difference, allowed = _apart(found, value), tolerance * scale
    if np.any(difference > allowed):
        terms = f.largest_term_of_value() * float(np.finfo(x.dtype).eps)
        scattered = scatter_near(at, x, np.ones(x.shape))
        allowed = np.maximum(allowed, ROUNDING * np.maximum(scattered, terms))
    return row.report(scale, difference, allowed)


def _apart(a: Array, b: Array) -> Array:
    """Give the distance, infinite where one is not finite and they are not the same."""
    with np.errstate(all="ignore"):
        distance = np.abs(a - b)
    return np.where(a == b, 0.0, np.where(np.isfinite(distance), distance, np.inf))


@dataclass
class _Row:
    """What a row reports, before it is known how far off it is: entries, and which are left out."""

    order: int
    argument: int
    method: str
    tolerance: float

    def wrong(self) -> Comparison:
        """Report another shape."""
        return Comparison(self.order, self.argument, self.method, np.inf, self.tolerance)

    def singular(self, shape: tuple[int, ...]) -> Comparison:
        """Report that a derivative cannot be computed at the point."""
        row = (self.order, self.argument, self.method, np.nan, self.tolerance)
        return Comparison(*row, left_out=math.prod(shape), reason="a matrix is singular here")

    def report(
        self, scale: Array, difference: Array, allowed: Array, left_out: Any = False
    ) -> Comparison:
        """Report the entry that is the furthest off, of what it may be off."""
        row = (self.order, self.argument, self.method)
        unresolved = (difference > self.tolerance * scale) & (allowed >= scale)
        unresolved &= difference <= allowed
        compared = ~np.broadcast_to(left_out | unresolved, difference.shape)
        missing = int(np.count_nonzero(~compared))
        if not compared.any():
            error = np.nan if missing else 0.0
            return Comparison(*row, error, self.tolerance, left_out=missing)
        with np.errstate(all="ignore"):
            ratio = np.where(difference == 0, 0.0, difference / allowed)
        place = np.argmax(np.where(compared, ratio, -1.0))
        off, size, error, most = (float(a.flat[place]) for a in (ratio, scale, difference, allowed))
        return Comparison(*row, off * self.tolerance, self.tolerance, size, error, most, missing)


@dataclass
class _Order:
    """The comparison of one order with the one below, along directions, entry by entry.

    What is cheap comes first: what agrees as it is needs no bound on rounding.
    """

    f: Function
    x: Array
    n: int
    below: Below
    at: Below
    directions: Sequence[Array]
    rng: np.random.Generator
    tol: float | None

    @property
    def eps(self) -> float:
        """Machine epsilon of the argument."""
        return float(np.finfo(self.x.dtype).eps)

    def along(self, x: Array) -> Array:
        """Give the derivative that is checked, along every direction."""
        tensor = self.at(x)
        return np.stack([_along(tensor, d) for d in self.directions])

    def compare(self) -> Comparison:
        """Compare with a complex step, or with differences."""
        with np.errstate(all="ignore"):
            exact = self.along(self.x)
        analytic = complex_step(self.below, self.x, self.directions)
        if analytic is None:
            return self.with_differences(exact)
        return self.with_complex_step(exact, analytic)

    def with_complex_step(self, exact: Array, expected: Array) -> Comparison:
        """Compare with a complex step, exact to rounding; a second one shows a singularity."""
        tolerance = self.tol or min(1e5 * self.eps, self.eps**0.5)
        row = _Row(self.n, self.f.number, "complex step", tolerance)
        if exact.shape != expected.shape:
            return row.wrong()
        scale = _scale(exact, expected)
        difference, allowed = _apart(exact, expected), tolerance * scale
        left_out = ~np.isfinite(exact) & ~self._have_derivative(exact)
        if np.any((difference > allowed) & ~left_out):
            if not is_same_for_complex(self.below, self.x):
                return self.with_differences(exact)
            second = complex_step(self.below, self.x, self.directions, second=True)
            unsteady = 0.0 if second is None else 4 * _apart(expected, second)
            allowed = np.maximum(allowed, self._rounding() + self._rounding_of_step() + unsteady)
            allowed = self._with_terms(difference, allowed)
        return row.report(scale, difference, allowed, left_out)

    def with_differences(self, exact: Array) -> Comparison:
        """Compare with central differences: of the longest step, then of the best."""
        tolerance = self.tol or self.eps**0.5
        row = _Row(self.n, self.f.number, "difference", tolerance)
        expected = np.stack([first_quotient(self.below, self.x, d) for d in self.directions])
        if exact.shape != expected.shape:
            return row.wrong()
        off = _apart(exact, expected) > tolerance * _scale(exact, exact) / 2
        for k, direction in enumerate(self.directions):
            fine = fine_quotient(self.below, self.x, direction)
            if fine is not None:
                off[k] |= _apart(exact[k], fine) > tolerance * _scale(exact, exact)[k]
        left_out = ~np.isfinite(exact) & ~self._have_derivative(exact)
        left_out |= ~np.isfinite(self.below(self.x))
        resolution = np.zeros(exact.shape)
        if off.any():
            self._improve(expected, resolution, left_out, off)
        scale, difference = _scale(exact, expected), _apart(exact, expected)
        allowed = tolerance * scale
        if off.any():
            allowed = np.maximum(allowed, self._rounding() + resolution)
            allowed = self._with_terms(difference, allowed)
            left_out |= self._at_a_kink(difference, allowed)
        return row.report(scale, difference, allowed, left_out)

    def _improve(
        self, expected: Array, resolution: Array, left_out: NDArray[np.bool_], off: Array
    ) -> None:
        """Put in the most certain quotient where the first one does not agree."""
        for k, direction in enumerate(self.directions):
            if off[k].any():
                found = difference_of(self.below, self.x, direction, self.scattered)
                expected[k] = np.where(off[k], found.value, expected[k])
                resolution[k] = np.where(off[k], found.uncertainty, 0.0)
                left_out[k] |= off[k] & ~found.settled

    def _rounding(self) -> Array:
        """Bound the rounding of the derivative that is checked.

        It is how the derivative scatters, and how it changes where the argument is rounded: sums of
        round numbers do not scatter, yet another order of them is rounded in another way.
        """
        signs = self.rng.choice([-1.0, 1.0], size=self.x.shape)
        samples = [self.along(point) for point in nearby(self.x, signs)]
        with np.errstate(all="ignore"):
            change = np.max(np.abs(np.diff(samples, axis=0)), axis=0)
        return np.asarray(
            np.maximum(ROUNDING * scatter_of(samples), np.nan_to_num(change, posinf=0.0))
        )

    def _rounding_of_step(self) -> Array | float:
        """Bound the rounding of the complex step, where the derivative may be zero exactly."""
        points = nearby(self.x, np.ones(self.x.shape))
        found = [complex_step(self.below, point, self.directions) for point in points]
        steps = [step for step in found if step is not None]
        return ROUNDING * scatter_of(steps) if len(steps) == len(points) else 0.0

    def _with_terms(self, difference: Array, allowed: Array) -> Array:
        """Allow for rounding of terms that cancel, also where they do not scatter: constants."""
        if not np.any(difference > allowed):
            return allowed
        terms = ROUNDING * self.eps * self.f.largest_term(self.x, self.n)
        sizes = np.array([np.sum(np.abs(d)) / largest(d) for d in self.directions])
        return np.maximum(allowed, terms * sizes.reshape(-1, *(1,) * (allowed.ndim - 1)))

    @lazy
    def scattered(self) -> Scatter:
        """How the order below scatters by rounding."""
        return scatter(self.below, self.x, self.rng)

    def _have_derivative(self, exact: Array) -> NDArray[np.bool_]:
        """Whether the order below is differentiable, where the derivative is not finite."""
        found = np.zeros(exact.shape, bool)
        missing = ~np.isfinite(exact)
        bad = [d for d, m in zip(self.directions, missing, strict=True) if m.any()]
        together = np.any(bad, axis=0) if bad else np.zeros(self.x.shape, bool)
        for k, direction in enumerate(self.directions):
            if missing[k].any():
                found[k] = is_differentiable(
                    self.below, self.x, direction, self.scattered, together
                )
        return found

    def _at_a_kink(self, difference: Array, allowed: Array) -> NDArray[np.bool_]:
        """Whether the derivative itself changes by that much closer by than differences see."""
        wrong = difference > allowed
        for k, direction in enumerate(self.directions):
            if wrong[k].any():
                least = np.where(wrong[k], difference[k], np.inf)
                step = resolved_step(self.x, direction, self.scattered, least)
                along = functools.partial(self._along_one, direction=direction)
                wrong[k] &= difference[k] <= allowed[k] + uneven(along, self.x, direction, step)
        return wrong

    def _along_one(self, x: Array, direction: Array) -> Array:
        return _along(self.at(x), direction)


def _along(tensor: Array, direction: Array) -> Array:
    """Contract the last axis with a direction; infinite entries that it leaves out do no harm."""
    (moved,) = np.nonzero(direction)
    with np.errstate(all="ignore"):
        return np.asarray(tensor[..., moved] @ (direction[moved] / largest(direction)))


def _scale(exact: Array, expected: Array) -> Array:
    """Give for each entry the largest one along its direction, or of its place, if that is less.

    So neither arguments nor values of other magnitude hide an error.
    """
    sizes = np.nan_to_num(np.maximum(np.abs(exact), np.abs(expected)), nan=0.0, posinf=0.0)
    of_direction = sizes.reshape(len(sizes), -1).max(1, initial=0.0)
    of_direction = of_direction.reshape(-1, *(1,) * (sizes.ndim - 1))
    return np.asarray(np.minimum(of_direction, sizes.max(0, initial=0.0)))

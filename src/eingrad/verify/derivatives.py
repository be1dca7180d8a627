"""Check the derivatives of a user's function at a point, each against the order below."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad._api import argument_numbers, check_argnums, check_order
from eingrad.verify.functions import Function
from eingrad.verify.reports import DerivativeCheck
from eingrad.verify.rounding import relative_error
from eingrad.verify.steps import some_directions, stepped

Array = NDArray[Any]


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
        point, x = Function.of(f, args, number)
        rows += _orders(point, x, order, rng, tol)
    return DerivativeCheck(tuple(rows))


def _check_tolerance(tol: Any) -> None:
    if tol is not None and not (isinstance(tol, (int, float)) and 0 < tol < np.inf):
        raise ValueError(f"tol must be a positive number, a relative error, not {tol!r}")


Row = tuple[int, int, str, float, float]


def _orders(
    f: Function, x: Array, order: int, rng: np.random.Generator, tol: float | None
) -> Iterator[Row]:
    """Compare every order at one point."""
    eps = float(np.finfo(x.dtype).eps)
    value, below = f.value(x), f.derivative(0)
    tolerance = tol or 1e3 * eps
    error = _relative(below(x), value, f.largest_term(x, 0))
    yield 0, f.number, "the function", error, tolerance
    directions = some_directions(x.size, rng)
    for n in range(1, order + 1 if directions else 1):  # none: nothing to differentiate in
        at = f.derivative(n)
        exact = np.stack([at(x) @ v for v in directions])
        method, expected, tolerance = stepped(below, x, directions, exact, tol)
        error = _relative(exact, expected, f.largest_term(x, n))
        yield n, f.number, method, error, tolerance
        below = at


def _relative(actual: Array, expected: Array, cancelling: float) -> float:
    if actual.shape != expected.shape:
        return float("inf")
    error = relative_error(actual, expected, cancelling, float(np.finfo(actual.dtype).eps))
    return error if np.isfinite(error) else float("inf")

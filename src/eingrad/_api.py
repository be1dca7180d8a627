"""The public verbs. They check arguments and say which derivative is meant; all else is below.

In: the user's function. Out: a `Derivative`, called like it.
Guaranteed: nothing is traced or computed before that is called.
"""

from collections.abc import Callable
from typing import Any

from eingrad._bind import Argnums
from eingrad._derivative import Derivative
from eingrad._shown import shown


def derivative(
    f: Callable[..., Any],
    order: int = 1,
    argnums: Argnums = 0,
    *,
    structured: bool = False,
) -> Derivative:
    """Differentiate a NumPy function ``order`` times, as full tensors.

    Parameters
    ----------
    f : callable
        Of arrays and numbers, or nested tuples, lists and dicts of them. Floats and arrays are
        inputs; int, bool, str and None are static.
    order : int, at least 0
        0 is the function itself.
    argnums : int or tuple of int
        Positional arguments to differentiate in; a tuple gives a tuple per order, as in JAX.
    structured : bool
        Give a `StructuredTensor` in place of each array: deltas and cores, dense on request.
        Products with vectors, sums and traces use the deltas.

    Returns
    -------
    Derivative
        Called like ``f``. The result has the axes of ``f``'s result first, then the axes of the
        argument, once per order: shape ``out + order * in``.

    Raises
    ------
    ValueError
        If the order is negative.

    Notes
    -----
    No mode is chosen by the user: forward and reverse are contraction orders of one network, and
    the cheaper plan is taken. Along one direction derivatives are Taylor coefficients, times
    ``k!``: `taylor` gives all of them, for far less than the tensors.

    References
    ----------
    Deisenroth, Faisal, Ong, *Mathematics for Machine Learning* (2020), section 5.4.

    Examples
    --------
    >>> import numpy as np
    >>> derivative(lambda x: x**3, order=2)(2.0)
    array(12.)
    """
    check_order(order)
    return Derivative(f, (order,), argnums, structured=structured)


def check_order(order: Any) -> None:
    if type(order) is not int or order < 0:
        raise ValueError(f"order must be an integer of at least 0, not {shown(order)}")


def jacobian(
    f: Callable[..., Any], argnums: Argnums = 0, *, structured: bool = False
) -> Derivative:
    """Differentiate once: shape ``out + in``.

    Parameters
    ----------
    f : callable
        See `derivative`.
    argnums : int or tuple of int
        See `derivative`.
    structured : bool
        See `derivative`.

    Returns
    -------
    Derivative
        Called like ``f``.

    Examples
    --------
    >>> import numpy as np
    >>> jacobian(np.square)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    return derivative(f, 1, argnums, structured=structured)


def grad(f: Callable[..., Any], argnums: Argnums = 0, *, structured: bool = False) -> Derivative:
    """Differentiate a scalar function once: the shape of the argument.

    Parameters
    ----------
    f : callable
        Returns one number; see `derivative`.
    argnums : int or tuple of int
        See `derivative`.
    structured : bool
        See `derivative`.

    Returns
    -------
    Derivative
        Called like ``f``; raises `ShapeError` if the result of ``f`` has axes.

    References
    ----------
    MML (5.107) is the example.

    Examples
    --------
    >>> import numpy as np
    >>> B = np.array([[1.0, 3.0], [0.0, 1.0]])
    >>> grad(lambda x: x @ B @ x)(np.array([1.0, 2.0]))
    array([8., 7.])
    """
    return Derivative(f, (1,), argnums, scalar=True, structured=structured)


def hessian(f: Callable[..., Any], argnums: Argnums = 0, *, structured: bool = False) -> Derivative:
    """Differentiate twice: shape ``out + in + in``.

    Parameters
    ----------
    f : callable
        See `derivative`.
    argnums : int or tuple of int
        See `derivative`.
    structured : bool
        See `derivative`.

    Returns
    -------
    Derivative
        Called like ``f``.

    Examples
    --------
    >>> import numpy as np
    >>> hessian(lambda x: (x**3).sum())(np.array([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    return derivative(f, 2, argnums, structured=structured)


def value_and_derivatives(
    f: Callable[..., Any],
    order: int = 2,
    argnums: Argnums = 0,
    *,
    structured: bool = False,
) -> Derivative:
    """Compute a function and its derivatives of every order up to one, from one plan.

    Parameters
    ----------
    f : callable
        See `derivative`.
    order : int, at least 0
        The highest order.
    argnums : int or tuple of int
        See `derivative`.
    structured : bool
        See `derivative`.

    Returns
    -------
    Derivative
        Called like ``f``; returns the tuple ``(f, first, second, ...)`` of ``order + 1`` results,
        whose intermediates are shared.

    Raises
    ------
    ValueError
        If the order is negative.

    Examples
    --------
    >>> import numpy as np
    >>> value_and_derivatives(lambda x: x**3)(2.0)
    (array(8.), array(12.), array(12.))
    """
    check_order(order)
    return Derivative(f, tuple(range(order + 1)), argnums, structured=structured)


def value_and_grad(
    f: Callable[..., Any], argnums: Argnums = 0, *, structured: bool = False
) -> Derivative:
    """Compute a scalar function and its gradient from one plan, intermediates shared.

    Parameters
    ----------
    f : callable
        Returns one number; see `derivative`.
    argnums : int or tuple of int
        See `derivative`.
    structured : bool
        See `derivative`.

    Returns
    -------
    Derivative
        Called like ``f``; returns the pair ``(value, gradient)``.

    Examples
    --------
    >>> import numpy as np
    >>> value_and_grad(lambda x: x @ x)(np.array([3.0, 4.0]))
    (array(25.), array([6., 8.]))
    """
    return Derivative(f, (0, 1), argnums, scalar=True, structured=structured)

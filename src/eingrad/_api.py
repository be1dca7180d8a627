"""The public verbs. They check arguments and say which derivative is meant; all else is below.

In: the user's function. Out: a `Derivative`, called like it.
Guaranteed: nothing is traced or computed before that is called.
"""

from collections.abc import Callable
from typing import Any

from eingrad._bind import Argnums
from eingrad._derivative import Derivative
from eingrad._verbs import check_count, verb


@verb("eg.derivative(f, order)(x)")
def derivative(
    f: Callable[..., Any],
    order: int = 1,
    argnums: Argnums = 0,
    *,
    structured: bool = False,
    memory_limit: int | str | None = None,
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
    memory_limit : int or str, or None
        Most bytes that a plan may take at its peak, beside its arguments: a number, or text as
        ``"300MB"``. None: those of the machine. See `plan`.

    Returns
    -------
    Derivative
        Called like ``f``. The result has the axes of ``f``'s result first, then the axes of the
        argument, once per order: shape ``out + order * in``.

    Raises
    ------
    ValueError
        If the order is negative, or `memory_limit` no amount of memory.
    MemoryLimitError
        When it is planned: if it takes more memory than `memory_limit`; when it is called: if it
        takes more than the machine has.

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
    orders = (check_count(order, "order"),)
    return Derivative(f, orders, argnums, structured=structured, memory_limit=memory_limit)


@verb("eg.jacobian(f)(x)")
def jacobian(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    structured: bool = False,
    memory_limit: int | str | None = None,
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
    memory_limit : int or str, or None
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
    return derivative(f, 1, argnums, structured=structured, memory_limit=memory_limit)


@verb("eg.grad(f)(x)")
def grad(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    structured: bool = False,
    memory_limit: int | str | None = None,
) -> Derivative:
    """Differentiate a scalar function once: the shape of the argument.

    Parameters
    ----------
    f : callable
        Returns one number; see `derivative`.
    argnums : int or tuple of int
        See `derivative`.
    structured : bool
        See `derivative`.
    memory_limit : int or str, or None
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
    return Derivative(
        f, (1,), argnums, scalar=True, structured=structured, memory_limit=memory_limit
    )


@verb("eg.hessian(f)(x)")
def hessian(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    structured: bool = False,
    memory_limit: int | str | None = None,
) -> Derivative:
    """Differentiate twice: shape ``out + in + in``.

    Parameters
    ----------
    f : callable
        See `derivative`.
    argnums : int or tuple of int
        See `derivative`.
    structured : bool
        See `derivative`.
    memory_limit : int or str, or None
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
    return derivative(f, 2, argnums, structured=structured, memory_limit=memory_limit)


@verb("eg.value_and_derivatives(f, order)(x)")
def value_and_derivatives(
    f: Callable[..., Any],
    order: int = 2,
    argnums: Argnums = 0,
    *,
    structured: bool = False,
    memory_limit: int | str | None = None,
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
    memory_limit : int or str, or None
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
    orders = tuple(range(check_count(order, "order") + 1))
    return Derivative(f, orders, argnums, structured=structured, memory_limit=memory_limit)


@verb("eg.value_and_grad(f)(x)")
def value_and_grad(
    f: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    structured: bool = False,
    memory_limit: int | str | None = None,
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
    memory_limit : int or str, or None
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
    return Derivative(
        f, (0, 1), argnums, scalar=True, structured=structured, memory_limit=memory_limit
    )

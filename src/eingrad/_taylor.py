"""Taylor coefficients of a function along a line or a curve: all orders from one plan.

In: the user's function, a point, a direction. Out: the coefficients, of the shape of its result.
Guaranteed: it is traced, planned and cached like any derivative; the work grows as the square of
the order, where that of nested products with the Jacobian doubles each time.
"""

from collections.abc import Callable, Sequence
from typing import Any

from eingrad._bind import Argnums
from eingrad._cancelling import cancelling_extremes
from eingrad._derivative import Derivative
from eingrad._derive import contract_derivatives
from eingrad._directional import Sweep, product_of
from eingrad._ir import Node
from eingrad._series import Series
from eingrad._shown import shown
from eingrad._verbs import check_count, verb
from eingrad.errors import ShapeError


@verb("eg.taylor(f, order)(x, v)")
def taylor(
    f: Callable[..., Any],
    order: int,
    argnums: Argnums = 0,
    *,
    curve: bool = False,
    memory_limit: int | str | None = None,
) -> Derivative:
    """Expand ``f(x + t v) = c[0] + c[1] t + ... + c[order] t**order + ...`` at ``t = 0``.

    Parameters
    ----------
    f : callable
        See `derivative`.
    order : int, at least 0
        The highest order.
    argnums : int or tuple of int
        See `derivative`; a tuple takes a tuple of directions.
    curve : bool
        Take a tuple or list of coefficients in place of the direction: of ``(v, w, ...)`` the
        argument is ``x + v t + w t**2 + ...``. There are at most ``order`` of them.
    memory_limit : int or str, or None
        See `derivative`.

    Returns
    -------
    Derivative
        Called like ``f``, with the direction, of the shape of the argument, as one more positional
        argument at the end. Returns the tuple ``(c[0], ..., c[order])``, each shaped and nested as
        ``f``'s result is.

    Raises
    ------
    ValueError
        If the order is negative.
    ShapeError
        If the direction is not shaped and nested as the argument is, or there are more
        coefficients of a curve than the order says.

    Notes
    -----
    The coefficients are those of the power series, ``c[k] = d^k/dt^k f(x + t v) / k!``, as
    `mpmath.taylor` gives them; `jax.experimental.jet` gives ``k! c[k]``. Sums and linear functions
    act on each coefficient, products are Cauchy products, and all else is a recursion that
    follows from its derivative: if ``y' = g(y, x) x'``, then
    ``k y[k] = sum_j j x[j] g[k - j]`` for j from 1 to k. Where fewer products do, as of quotients,
    roots, angles, inverses, the recursion is that of an equation, ``b y = a``.

    References
    ----------
    Griewank, Walther, *Evaluating Derivatives* (2nd ed., 2008), chapter 13.

    Examples
    --------
    >>> import numpy as np
    >>> taylor(np.exp, 3)(0.0, 1.0)
    (array(1.), array(1.), array(0.5), array(0.16666667))
    """
    order = check_count(order, "order")

    def expansion(*args: Any, **kwargs: Any) -> Any:
        sweep = Sweep(f, argnums, args, kwargs)
        given = _coefficients(sweep.last, order) if curve else [sweep.last]
        seeds = [sweep.seed_variables(each, "direction") for each in given]

        def make_nodes() -> list[Node]:
            made = sweep.trace.made if sweep.trace else frozenset()
            outputs = contract_derivatives(sweep.outputs, made) if made else sweep.outputs
            given_curve = {x: [each[x] for each in seeds] for x in sweep.variables}
            series = Series(given_curve, order, fixed=cancelling_extremes(outputs))
            return [series.coefficient(y, k) for k in range(order + 1) for y in outputs]

        known = (*(coefficient for each in seeds for coefficient in each.values()),)
        nodes = sweep.find_or_make(
            ("taylor", order, known), {}, make_nodes, is_planned_freely=False
        )
        count = len(sweep.outputs)
        parts = [nodes[k * count : (k + 1) * count] for k in range(order + 1)]
        return tuple(sweep.nest(sweep.out_tree, part) for part in parts)

    return product_of(f, expansion, argnums, f"taylor(f, {order})", "direction", memory_limit)


def _coefficients(given: Any, order: int) -> Sequence[Any]:
    """Check that a curve has a number of coefficients that can be used."""
    if type(given) not in (tuple, list):
        raise ShapeError(
            "a curve is given as a tuple of its coefficients (v, w, ...), not as "
            + (f"an array of shape {given.shape}" if hasattr(given, "shape") else shown(given))
        )
    if len(given) > order:
        raise ShapeError(
            f"the curve has {len(given)} coefficients but the order is {order}; give at most "
            f"{order}, or expand to order {len(given)}"
        )
    return tuple(given)

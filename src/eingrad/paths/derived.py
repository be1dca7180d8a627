"""Problems from derivatives: of a function that the user names, or of an identity.

In: a function with shapes or arrays, or the number of an identity; an order of differentiation.
Out: a `Problem`: the derivative in normal form, or the plain sum of the product rule with its
deltas.
Guaranteed: with the operands' values, the outputs of the problem are the derivative at that point.

>>> import numpy as np
>>> problem = of_function(lambda x, B: x @ B @ x, (3,), (3, 3))
>>> [*problem.operands], len(problem.terms)
(['x', 'B'], 2)
>>> [*of_function(lambda x, B: x @ B @ x, (3,), (3, 3), explicit=True).operands]
['x', 'B', 'delta(3)']
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from eingrad import _ir, identities
from eingrad._bind import Argnums, check_argnums, parameter_names
from eingrad._call import trace_call
from eingrad._ir import Input, Node
from eingrad._shown import cut, shown
from eingrad._simplify import remembered
from eingrad._tracer import Expression, node_of
from eingrad.errors import EingradError, PlanError
from eingrad.paths.derivation import Traced, write_derivative
from eingrad.paths.leaves import Point
from eingrad.paths.load import load_function
from eingrad.paths.problem import Array, Problem

__all__ = ["load_function", "of_function", "of_identity"]


def of_function(
    f: Callable[..., Any],
    *args_or_shapes: Any,
    order: int = 1,
    argnums: Argnums = 0,
    explicit: bool = False,
    seed: int = 0,
    name: str = "",
) -> Problem:
    """Make the problem of a function's derivative.

    Parameters
    ----------
    f : callable
        Of arrays, written with NumPy; see `eingrad.derivative`.
    *args_or_shapes : tuple of int, array_like
        What it is called with. A tuple of integers is a shape: an array of it is drawn, of positive
        numbers, or near the identity where it is square. All else is passed as it is.
    order : int, at least 1
        Of differentiation.
    argnums : int or tuple of int
        In which arguments. Of several, there is an output for each choice in ascending order.
    explicit : bool
        Whether to take the plain sum of the product rule, its deltas among the operands, in place
        of the normal form: what a program that differentiates term by term hands on.
    seed : int
        Of the arrays that are drawn.
    name : str
        What tables call it; by default made of the function's.

    Returns
    -------
    Problem
        Its operands are the arguments, captured arrays, and values of what is no contraction, such
        as ``exp(x)`` or ``inv(X)``, at the point where the derivative was taken. ``pure`` holds
        what forward and reverse mode compute; of a normal form, ``best`` holds the schedule that
        eingrad computes it by, where sums need not be multiplied out.

    Raises
    ------
    PlanError
        If the function raises an error, the derivative is zero, or the plain sum too long.
    TraceError, ShapeError, DTypeError
        If the function has no derivative here, as for `eingrad.derivative`.

    Examples
    --------
    >>> problem = of_function(lambda W, x: np.tanh(W @ x), (2, 3), (3,))
    >>> problem.name, [*problem.operands]
    ('f, order 1', ['x', '1 - tanh(W x) tanh(W x)', 'delta(2)'])
    """
    _check_order(order)
    numbers = check_argnums(argnums)
    args = [_argument(value, seed + n) for n, value in enumerate(args_or_shapes)]
    label = getattr(f, "__name__", "f")
    label = "f" if label == "<lambda>" else label
    try:
        call = trace_call(f, numbers, args, {}, parameter_names(f), order=None)
    except EingradError:
        raise
    except (Exception, SystemExit) as error:
        said = cut(" ".join(str(error).split()))
        raise PlanError(
            f"{label} raised {type(error).__name__} when it was traced: {said}; call it with "
            "arrays of these shapes to see where"
        ) from error
    if call.is_nested:
        raise PlanError(f"{label} uses traced values of another function; give it arrays")
    arrays: dict[Node, Array] = dict(zip(call.inputs, map(np.asarray, call.values), strict=True))
    arguments = frozenset(n for n in call.inputs if n.key[0] == "argument")
    what = f"{label} at {', '.join(_described(value) for value in args)}, by {_by(call.variables)}"
    point = Point(arrays, variables=arguments)
    traced = Traced(
        name or f"{label}, order {order}{', explicit' if explicit else ''}",
        what, call.outputs, call.variables, frozenset(call.made), point,
    )  # fmt: skip
    return write_derivative(traced, order, explicit=explicit)


def of_identity(
    number: str,
    size: tuple[int, int, int] = (4, 2, 3),
    order: int = 1,
    *,
    explicit: bool = False,
    seed: int = 0,
    name: str = "",
) -> Problem:
    """Make the problem of the derivative that an identity of the book is about.

    Parameters
    ----------
    number : str
        ``"5.99"`` to ``"5.108"``, also ``"99"`` or ``"(5.99)"``.
    size : (D, E, F)
        f(X) is D x D, X is E x F.
    order : int, at least 1
        Of differentiation.
    explicit : bool
        As for `of_function`.
    seed : int
        Of the point.
    name : str
        What tables call it.

    Returns
    -------
    Problem
        An unknown function and its derivatives are operands, with the values of an example.

    Raises
    ------
    PlanError
        If there is no such identity, or its derivative of this order is zero.

    Examples
    --------
    >>> [*of_identity("5.101").operands]
    ['det(F)', 'inv(F)', 'dF_dX']
    """
    _check_order(order)
    found = _identity(number)
    if [*map(type, size)] != [int] * 3 or min(size) < 1:
        raise PlanError(f"a size is three positive integers D, E, F, not {shown(size)}")
    stated = found.state(size)
    drawn = found.sample(np.random.default_rng(seed), size)
    arrays = drawn.arrays(drawn.x, order)
    value, variable = (_node(e) for e in (stated.value, stated.variable))
    inputs = _ir.inputs([value, variable])
    known: dict[Node, Array] = {n: arrays.get(n.name, drawn.x) for n in inputs}
    point = Point(known, arrays, frozenset(inputs))
    text = f"{found.number}, order {order}{', explicit' if explicit else ''}"
    what = f"identity ({found.number}), {found.statement}, at D, E, F = {size}"
    made = frozenset(remembered([value]))
    traced = Traced(name or text, what, [value], [variable], made, point)
    return write_derivative(traced, order, explicit=explicit)


def _identity(number: str) -> identities.Identity:
    text = number.strip("() ")
    text = text if "." in text else f"5.{text}"
    if text not in identities.IDENTITIES:
        known = ", ".join(identities.IDENTITIES)
        raise PlanError(f"there is no identity {shown(number)}; there are {known}")
    return identities.IDENTITIES[text]


def _node(expression: Expression) -> Node:
    return node_of(expression, None)


# Arguments ---------------------------------------------------------------------------------------


def _check_order(order: Any) -> None:
    if type(order) is not int or order < 1:
        raise PlanError(f"order must be an integer of at least 1, not {shown(order)}")


def _argument(value: Any, seed: int) -> Any:
    """Draw an array where a shape was given."""
    if not isinstance(value, tuple) or not all(type(n) is int for n in value):
        return value
    if any(n < 0 for n in value):
        raise PlanError(f"{value} is no shape; a size is an integer of at least 0")
    drawn = np.random.default_rng(seed).uniform(0.5, 1.5, value)
    scaled = np.asarray(drawn / max(drawn.size, 1) ** 0.25)
    if len(value) == 2 and value[0] == value[1]:  # noqa: PLR2004 - a matrix
        return np.eye(value[0]) + (drawn - 1) / max(value[0], 1)
    return scaled


def _described(value: Any) -> str:
    return str(np.shape(value)) if isinstance(value, (np.ndarray, np.generic)) else shown(value)


def _by(variables: Sequence[Node]) -> str:
    return ", ".join(node.name if isinstance(node, Input) else "?" for node in variables)

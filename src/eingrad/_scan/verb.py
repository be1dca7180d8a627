"""The verb: one node in a traced function, a loop elsewhere.

In: the user's function and arguments. Out: the last carry, and stacked outputs.
Guaranteed: both give the same; nobody writes to what a step is given.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from eingrad._call import called_wrongly
from eingrad._recurrence import results_of_scan
from eingrad._scan.given import Body, Given, as_carried
from eingrad._scan.record import node_or_none, record
from eingrad._shown import shown
from eingrad._tracer import Expression, Trace, current_trace, within_trace
from eingrad._tree import LEAF, flatten
from eingrad._verbs import verb


@verb("eg.scan(f, init, xs, length, reverse=False)")
def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    *,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Repeat ``carry, y = f(carry, x)`` over the slices ``x`` of arrays: `jax.lax.scan`.

    In a function that is differentiated or planned, ``f`` is called once, and its derivative is
    derived and planned once, whatever the length; elsewhere it is called in a loop.

    Parameters
    ----------
    f : callable
        Takes a carry and a slice, returns a carry, nested, shaped and of dtypes as the one that it
        was given, and an output, any arrays, or None. It may use values from outside.
    init : array_like, or arrays nested in tuples, lists and dicts
        The first carry. Python's numbers are float64, or complex128.
    xs : (length, ...) array, or such arrays nested, or None
        Sliced along their first axes. None: ``f`` is given None, `length` times.
    length : int, at least 0, or None
        Number of steps; None: that of `xs`.
    reverse : bool
        Go from the last slice to the first; outputs stand where their slices do.

    Returns
    -------
    carry
        The last one, nested as `init`.
    ys : (length, ...) array, or such arrays nested
        The outputs, stacked along a first axis.

    Raises
    ------
    TypeError
        If ``f`` is no function.
    ValueError
        If `length` is no integer of at least 0.
    ShapeError
        If there is no length, or more than one; if ``f`` returns no pair, or a carry that is nested
        or shaped in another way.
    DTypeError
        If ``f`` returns a carry of another dtype.
    TraceError
        If ``f`` does with a carry or a slice what cannot be recorded, as ``if carry > 0``, or calls
        a function of `eingrad.function` with one.

    Notes
    -----
    Forward mode carries tangents with the carries. Reverse mode stores what the way back needs of
    each step; only the carries, from which steps are computed again, where that would be more than
    eight times as much. In a plan all that is counted: flops, and bytes at the peak; with a
    `memory_limit`, steps are stored a segment at a time, and computed again: see `plan`.

    Examples
    --------
    >>> import numpy as np
    >>> import eingrad as eg
    >>> def newton(A):
    ...     step = lambda X, _: (1.5 * X - 0.5 * X @ X @ X @ A, None)
    ...     return eg.scan(step, np.eye(2), length=8)[0]
    >>> eg.jvp(newton)(np.diag([1.0, 4.0]) / 4, np.eye(2))
    array([[-4. ,  0. ],
           [ 0. , -0.5]])
    """
    if not callable(f):
        raise TypeError(f"{shown(f)} is not a function; pass the function itself, not its value")
    trace = current_trace()
    leaves = [*flatten(init)[0], *flatten(xs)[0]]
    is_traced = trace is not None or any(isinstance(leaf, Expression) for leaf in leaves)
    given = Given.of(init, xs, length, trace)
    body = Body(f, getattr(f, "__name__", "f"), given)
    if is_traced:
        return _one_node(body, trace, reverse=reverse)
    if given.length == 0:
        return _nothing(body)
    return _loop(body, reverse=reverse)


def _loop(body: Body, *, reverse: bool) -> tuple[Any, Any]:
    """Call the function for each slice."""
    given = body.given
    carries, stacked = given.carries, []
    steps = range(given.length)
    tree = first_tree = LEAF
    for n in reversed(steps) if reverse else steps:
        x = given.slice_tree.build([None if a is None else _read_only(a[n]) for a in given.slices])
        carry = given.carry_tree.build(map(_read_only, carries))
        leaves, ys, tree = body.results(_called(body, carry, x))
        carries = [
            as_carried(leaf, None, f"the carry that {body.name} returned") for leaf in leaves
        ]
        body.check_carries(carries, given.carries)
        stacked.append(ys)
        first_tree = tree if len(stacked) == 1 else first_tree
        body.check_output(ys, tree, stacked[0], first_tree)
    columns = zip(*(stacked[::-1] if reverse else stacked), strict=True)
    outputs = [None if parts[0] is None else np.stack(parts) for parts in columns]
    return given.carry_tree.build(map(_copied, carries)), tree.build(outputs)


def _called(body: Body, carry: Any, x: Any) -> Any:
    """Call the function; say what Python refuses about the call, and what an index may be."""
    try:
        return body.f(carry, x)
    except TypeError as error:
        if called_wrongly(error):
            raise TypeError(str(error)) from None
        raise
    except IndexError as error:
        if any(body.given.counts) and "must be of integer" in str(error):
            error.add_note(
                "an integer in init is a float64 in a scan; count with xs=np.arange(length)"
            )
        raise


def _copied(array: Any) -> Any:
    """Copy an array that may be the user's."""
    return array if array is None or isinstance(array, Expression) else np.array(array)


def _read_only(array: Any) -> Any:
    """Look at an array so that it cannot be written, as a traced value cannot."""
    if array is None or isinstance(array, Expression):
        return array
    look = np.asarray(array).view()
    look.flags.writeable = False
    return look


def _one_node(body: Body, outer: Trace | None, *, reverse: bool) -> tuple[Any, Any]:
    """Record the function once, and repeat what it computes."""
    given = body.given
    firsts = [node_or_none(leaf, outer, "init") for leaf in given.carries]
    arrays = [node_or_none(leaf, outer, "xs") for leaf in given.slices]
    step = within_trace(record, body, firsts, arrays, lasting=outer is None)
    operands = [*step.constants, *(n for n in (*firsts, *arrays) if n is not None)]
    nodes = iter(results_of_scan(step.recurrence, operands, given.length, is_backward=reverse))

    def expression(is_there: bool) -> Expression | None:
        return Expression(next(nodes), outer, array=True) if is_there else None

    carry = given.carry_tree.build([expression(n is not None) for n in firsts])
    return carry, step.tree.build([expression(is_there) for is_there in step.has_output])


def _nothing(body: Body) -> tuple[Any, Any]:
    """Give the first carry, and no outputs, of the shapes that they would have."""
    given = body.given
    firsts, arrays = (
        [node_or_none(leaf, None, "a value") for leaf in part]
        for part in (given.carries, given.slices)
    )
    step = within_trace(record, body, firsts, arrays, lasting=True)
    empty = iter(np.zeros((0, *n.shape), n.dtype) for n in step.recurrence.outputs)
    ys = step.tree.build([next(empty) if is_there else None for is_there in step.has_output])
    return given.carry_tree.build(map(_copied, given.carries)), ys

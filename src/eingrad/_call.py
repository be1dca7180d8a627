"""One call of the user's function on expressions.

In: the function and its arguments. Out: the nodes of its results, the inputs that they depend on,
and the arrays for these.
Guaranteed: the trace is closed when the call ends, however it ends; a result that has no derivative
is refused by the name of the function.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eingrad import _ir, _numpy_functions, _reuse  # noqa: F401 - imported for what it registers
from eingrad._bind import Argnums, Bound, bind
from eingrad._conversions import cause
from eingrad._derive import Root, arrange
from eingrad._ir import Input, Node
from eingrad._numpy_functions.operands import keep_in_range
from eingrad._primitives import cast
from eingrad._progress import phase
from eingrad._recorded import rewritten, with_picks_last
from eingrad._shown import shown
from eingrad._tracer import (
    Array,
    Captured,
    Expression,
    Trace,
    is_supported,
    node_of,
    within_trace,
)
from eingrad._tree import Tree, flatten
from eingrad._unevaluated import Call, derivative_of
from eingrad.errors import DTypeError, TracerLeakError

_TRACED = frozenset({Expression})


@dataclass(slots=True)
class TracedCall:
    """One call of the user's function on expressions."""

    outputs: list[Node]
    out_tree: Tree
    variables: list[Node]
    argument_tree: Tree
    inputs: list[Input]  # arguments, then captured arrays
    values: list[Any]  # the arrays for them
    captured: list[Array]  # as they were found
    replaced: dict[Node, Node]  # what inputs stand for, outside
    is_nested: bool  # whether the value depends on what an outer call traces
    outer: Trace | None
    made: set[bytes]  # digests of derivatives that the outputs are made of
    is_independent: bool  # whether a result is no expression: its derivative is zero


def trace_call(
    f: Callable[..., Any], argnums: Argnums, args: Sequence[Any], kwargs: Mapping[str, Any],
    parameters: Sequence[str], *, symbolic: bool = False, order: int | None = 0,
) -> TracedCall:  # fmt: skip
    """Call the function on expressions; symbolic ones outlive the call, for the user keeps them.

    A loop that is long for the `order` of what is derived of it is a scan; None keeps it.
    """
    with phase("tracing"):
        return within_trace(_record, f, argnums, args, kwargs, parameters, order, lasting=symbolic)


def _record(
    trace: Trace, f: Callable[..., Any], argnums: Argnums, args: Sequence[Any],
    kwargs: Mapping[str, Any], parameters: Sequence[str], order: int | None,
) -> TracedCall:  # fmt: skip
    """Call the function, and note what its value depends on, and what stands for that outside."""
    bound = bind(trace, argnums, args, kwargs, parameters)
    result = call_recorded(f, trace, bound)
    trace.check_unwritten()
    leaves, out_tree = flatten(result)
    nodes = [output_node(leaf, trace, f) for leaf in leaves]
    is_outermost = trace.outer is None
    given = None if is_outermost else bound.inputs
    outputs = rewritten(trace, nodes, given, keeps_rates=not is_outermost, order=order)
    inputs, values, outer = bound.inputs, bound.values, trace.outer
    captured = _used(outputs, trace)
    is_nested = bound.is_traced or (
        outer is not None and _reaches_outside(outputs, inputs, captured)
    )
    outputs = with_picks_last(trace, outputs) if is_nested else outputs
    replaced = _stand_for(trace, bound, captured, is_nested=is_nested)
    if not is_nested:
        inputs += [k.node for k in captured]
        values += [k.values for k in captured]
    return TracedCall(
        outputs,
        out_tree,
        bound.variables,
        bound.argument_tree,
        inputs,
        values,
        [k.array for k in captured],
        replaced,
        is_nested,
        outer,
        trace.made,
        is_independent=not _TRACED.issuperset(map(type, leaves)),
    )


def _stand_for(
    trace: Trace, bound: Bound, captured: Sequence[Captured], *, is_nested: bool
) -> dict[Node, Node]:
    """Say what inputs stand for, outside of the call."""
    outer, replaced = trace.outer, dict[Node, Node]()
    if is_nested:
        if outer is not None:
            trace.lend_to(outer)  # an unevaluated derivative is in these inputs
        made = None if outer is None else outer.made
        outside = [keep_in_range(node_of(value, outer), made) for value in bound.values]
        replaced.update(zip(bound.inputs, outside, strict=True))
    if trace.lasting or (is_nested and outer is None):
        replaced.update((k.node, _ir.constant(k.values)) for k in captured)
    return replaced


def leave_unevaluated(
    call: TracedCall, values: Sequence[Node], orders: Sequence[int]
) -> list[Root]:
    """Give derivatives as nodes that are not evaluated, as `derive` lists them.

    `values` are those of the call, outside.
    """
    replaced = (*call.replaced.items(),)
    of = Call((*call.outputs,), (*call.variables,), replaced, frozenset(call.made))
    numbers = range(len(of.variables))
    found = []
    for order in orders:
        for n, y in enumerate(of.values):
            every = itertools.combinations_with_replacement(numbers, order)
            level = {wrt: derivative_of(of, n, wrt) if wrt else values[n] for wrt in every}
            found += arrange(y, level, of.variables, order)
    return found


def _used(outputs: Sequence[Node], trace: Trace) -> list[Captured]:
    """Give what was captured, but for what something else stands for now.

    That are selections whose table alone is computed with, and arrays that a loop has together.
    """
    captured = [*trace.root.captured.values()]
    replaced = {k.node for k in captured if k.selected is not None} | trace.root.stacked
    gone = replaced.difference(_ir.inputs(outputs)) if replaced else replaced
    return [known for known in captured if known.node not in gone]


def call_recorded(f: Callable[..., Any], trace: Trace, bound: Bound) -> Any:
    """Call the function; an error that does not name its cause is replaced by one that does."""
    try:
        return f(*bound.args, **bound.kwargs)
    except (TypeError, ValueError, AttributeError) as error:
        arguments = zip(bound.names, (*bound.args, *bound.kwargs.values()), strict=True)
        refusal = trace.refusal(error) or _refuse_out(error, bound)
        refusal = refusal or cause(error, arguments, Expression, is_supported)
        if refusal is None and called_wrongly(error):
            raise TypeError(str(error)) from None
        if refusal is None:
            raise
        raise refusal.with_traceback(error.__traceback__) from None


def called_wrongly(error: Exception) -> bool:
    """Whether Python refused a call that we made: an argument is missing, or there are too many."""
    traceback = error.__traceback__
    return type(error) is TypeError and traceback is not None and traceback.tb_next is None


def _refuse_out(error: Exception, bound: Bound) -> TypeError | None:
    """Say who fills arrays, where `out` was meant for him and reached the function."""
    if "out" not in bound.kwargs or "unexpected keyword argument 'out'" not in str(error):
        return None
    return TypeError(
        f"{error}; a derivative passes keywords on to the function: it is a plan that fills an "
        "array, plan = D.plan(x), then plan(x, out=array)"
    )


def _reaches_outside(
    outputs: Sequence[Node], inputs: Sequence[Input], captured: Sequence[Captured]
) -> bool:
    """Whether outputs use what an outer call traces: ``grad(lambda y: x * y)`` inside ``f(x)``."""
    own = {*inputs, *(known.node for known in captured)}
    return any(node not in own for node in _ir.inputs(outputs))


def output_node(leaf: Any, trace: Trace | None, f: Callable[..., Any]) -> Node:
    """Make the node of a result of the user's function; refuse what has no derivative.

    Integers become floats: one that is differentiated is a float already, so the others are held
    constant, and the derivative is zero. Flags are refused, for a comparison may depend on it.
    """
    if type(leaf) is Expression and leaf._node.dtype.kind in "fc":
        return node_of(leaf, trace)
    name = getattr(f, "__name__", "the function")
    if leaf is None or isinstance(leaf, str):
        raise DTypeError(f"{name} returned {shown(leaf)}; it must return arrays or numbers")
    node = node_of(leaf, trace, f"the result of {name}")
    if node.dtype.kind in "iu":
        return cast(node, np.float64)
    if node.dtype.kind == "b":
        if isinstance(leaf, Expression):
            raise DTypeError(
                f"{name} returned {node.dtype} values, which have no derivative; "
                "return floats (np.where turns a condition into numbers)"
            )
        return _ir.constant(np.asarray(leaf, np.float64))
    return node


def check_inputs(call: TracedCall, name: str) -> None:
    """Refuse symbols that the function got by closure: they have no values."""
    strangers = [n.name for n in _ir.inputs(call.outputs) if n not in {*call.inputs}]
    if strangers:
        raise TracerLeakError(
            f"{name} uses {', '.join(map(repr, strangers))}, a symbol that has no value in this "
            "call; pass it as an argument, or build the derivative with eingrad.differentiate"
        )

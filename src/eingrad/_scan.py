"""`scan`: a function that is repeated, in a traced function one node, else a loop.

In: the user's function, what it carries, arrays that are sliced. Out: the last carry, and stacked
outputs.
Guaranteed: in a traced function the body is called once, whatever the length; what it computes of
nothing but values from outside is computed outside, once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eingrad import _ir, _reuse
from eingrad._arguments import labels
from eingrad._bind import Bound
from eingrad._call import call_recorded, evaluated
from eingrad._derive import prepare
from eingrad._ir import Einsum, Input, Node, Placement
from eingrad._opaque import is_opaque, name_and_arguments
from eingrad._recurrence import Recurrence, results_of_scan, step_input
from eingrad._shown import shown
from eingrad._tracer import Expression, Trace, current_trace, node_of, within_trace
from eingrad._tree import LEAF, Tree, flatten, nesting
from eingrad.errors import DTypeError, ShapeError, TraceError


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
    eight times as much. In a plan all that is counted: flops, and bytes at the peak.

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
    given = _Given.of(init, xs, length, trace)
    body = _Body(f, getattr(f, "__name__", "f"), given)
    if is_traced:
        return _one_node(body, trace, reverse=reverse)
    if given.length == 0:
        return _nothing(body)
    return _loop(body, reverse=reverse)


# What is given -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Given:
    """The leaves of `init` and `xs`: arrays, or None where there is none."""

    carries: list[Any]
    carry_tree: Tree
    slices: list[Any]
    slice_tree: Tree
    length: int

    @classmethod
    def of(cls, init: Any, xs: Any, length: Any, trace: Trace | None) -> "_Given":
        """Flatten, and find the length."""
        carries, carry_tree = flatten(init)
        slices, slice_tree = flatten(xs)
        arrays = [_array(leaf, trace, "init") for leaf in carries]
        sliced = [_array(leaf, trace, "xs") for leaf in slices]
        count = _length(sliced, labels(["xs"], [slice_tree]), length)
        return cls(arrays, carry_tree, sliced, slice_tree, count)


def _array(leaf: Any, trace: Trace | None, what: str) -> Any:
    """Give what is no traced value as an array, of a dtype that is computed with."""
    if leaf is None or isinstance(leaf, (Expression, np.ndarray)):
        return leaf
    if not isinstance(leaf, np.number | float):
        node_of(leaf, trace, what)  # refuses what is no number
    return np.asarray(leaf, np.float64 if type(leaf) is int else None)


def _read_only(array: Any) -> Any:
    """Look at an array so that it cannot be written, as a traced value cannot."""
    if array is None:
        return None
    look = np.asarray(array).view()
    look.flags.writeable = False
    return look


def _length(slices: Sequence[Any], names: Sequence[str], length: Any) -> int:
    if length is not None and (type(length) is not int or length < 0):
        raise ValueError(f"length must be an integer of at least 0, not {shown(length)}")
    known = "length", length
    for name, array in zip(names, slices, strict=True):
        if array is None:
            continue
        if not array.shape:
            raise ShapeError(
                f"{name} has no axes, so it cannot be sliced; let the function of the scan use it "
                "from outside, or give an array with an axis for the steps"
            )
        if known[1] is None:
            known = name, array.shape[0]
        elif known[1] != array.shape[0]:
            raise ShapeError(
                f"{known[0]} says {known[1]} steps, but {name} has {array.shape[0]}, the size of "
                "its first axis; they must be equal"
            )
    if known[1] is None:
        raise ShapeError("how many steps a scan has is not known; give xs, or length")
    return int(known[1])


# What is returned --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Body:
    """The user's function."""

    f: Callable[[Any, Any], Any]
    name: str
    given: _Given

    def results(self, returned: Any) -> tuple[list[Any], list[Any], Tree]:
        """Take what was returned apart: leaves of the carry, those of the output, its nesting."""
        if type(returned) not in (tuple, list) or len(returned) != 2:  # noqa: PLR2004 - a pair
            raise ShapeError(
                f"{self.name} returned {nesting(flatten(returned)[1])}, but the function of a scan "
                "returns a pair, (carry, y); without an output return (carry, None)"
            )
        carry, y = returned
        wanted = self.given.carry_tree
        leaves, tree = flatten(carry, wanted)
        if tree != wanted:
            raise ShapeError(
                f"the carry that {self.name} returned must be nested as init is: "
                f"{nesting(wanted)}, not {nesting(tree)}"
            )
        return leaves, *flatten(y)

    def check_carries(self, carries: Sequence[Any], first: Sequence[Any]) -> None:
        """Refuse a carry that changes its shape or dtype; given are nodes or arrays, or None."""
        names = labels(["init"], [self.given.carry_tree])
        for name, new, old in zip(names, carries, first, strict=True):
            if (new is None) != (old is None):
                has, misses = ("a value", "None") if old is None else ("None", "an array")
                raise ShapeError(
                    f"{self.name} returned {has} where {name} is {misses}; a step must give what "
                    "it is given"
                )
            if new is not None and new.shape != old.shape:
                raise ShapeError(
                    f"{name} has shape {old.shape}, but {self.name} returned shape {new.shape} for "
                    "it; a step must keep the shape of what it carries: start with that shape"
                )
            if new is not None and new.dtype != old.dtype:
                raise DTypeError(
                    f"{name} is {old.dtype}, but {self.name} returned {new.dtype} for it; a step "
                    f"must keep the dtype of what it carries: start with {new.dtype}, or return it "
                    f'as x.astype("{old.dtype}")'
                )


def _loop(body: _Body, *, reverse: bool) -> tuple[Any, Any]:
    """Call the function for each slice."""
    given = body.given
    carries, stacked = given.carries, []
    steps = range(given.length)
    tree = LEAF
    for n in reversed(steps) if reverse else steps:
        x = given.slice_tree.build([None if a is None else _read_only(a[n]) for a in given.slices])
        carry = given.carry_tree.build(map(_read_only, carries))
        leaves, ys, tree = body.results(body.f(carry, x))
        carries = [_array(leaf, None, f"the carry that {body.name} returned") for leaf in leaves]
        body.check_carries(carries, given.carries)
        stacked.append(ys)
    columns = zip(*(stacked[::-1] if reverse else stacked), strict=True)
    outputs = [None if parts[0] is None else np.stack(parts) for parts in columns]
    last = [None if leaf is None else np.array(leaf) for leaf in carries]
    return given.carry_tree.build(last), tree.build(outputs)


# One node ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Step:
    """One step as it was recorded: the nesting of its output, and where it has an array."""

    recurrence: Recurrence
    constants: tuple[Node, ...]  # outside
    tree: Tree
    has_output: tuple[bool, ...]


def _one_node(body: _Body, outer: Trace | None, *, reverse: bool) -> tuple[Any, Any]:
    """Record the function once, and repeat what it computes."""
    given = body.given
    firsts = [_node(leaf, outer, "init") for leaf in given.carries]
    arrays = [_node(leaf, outer, "xs") for leaf in given.slices]
    step = within_trace(_record, body, firsts, arrays, lasting=outer is None)
    operands = [*step.constants, *(n for n in (*firsts, *arrays) if n is not None)]
    nodes = iter(results_of_scan(step.recurrence, operands, given.length, is_backward=reverse))

    def expression(is_there: bool) -> Expression | None:
        return Expression(next(nodes), outer, array=True) if is_there else None

    carry = given.carry_tree.build([expression(n is not None) for n in firsts])
    return carry, step.tree.build([expression(is_there) for is_there in step.has_output])


def _nothing(body: _Body) -> tuple[Any, Any]:
    """Give the first carry, and no outputs, of the shapes that they would have."""
    given = body.given
    firsts, arrays = (
        [_node(leaf, None, "a value") for leaf in part] for part in (given.carries, given.slices)
    )
    step = within_trace(_record, body, firsts, arrays, lasting=True)
    empty = iter(np.zeros((0, *n.shape), n.dtype) for n in step.recurrence.outputs)
    ys = step.tree.build([next(empty) if is_there else None for is_there in step.has_output])
    return given.carry_tree.build(given.carries), ys


def _node(leaf: Any, trace: Trace | None, what: str) -> Node | None:
    return None if leaf is None else node_of(leaf, trace, what)


def _record(
    trace: Trace, body: _Body, firsts: Sequence[Node | None], arrays: Sequence[Node | None]
) -> _Step:
    """Call the function on inputs of a step."""
    inputs: list[Input] = []

    def stand_in(node: Node | None, drop: int) -> Expression | None:
        if node is None:
            return None
        level = -1 - trace.depth  # a step within a step has other inputs while both are recorded
        inputs.append(step_input(level, len(inputs), node.shape[drop:], node.dtype))
        return Expression(inputs[-1], trace, array=True)

    given = body.given
    carry = given.carry_tree.build([stand_in(n, 0) for n in firsts])
    count = len(inputs)
    x = given.slice_tree.build([stand_in(n, 1) for n in arrays])
    bound = Bound([carry, x], {}, ["carry", "x"], [], [], [], LEAF, is_traced=True)
    leaves, outputs, tree = body.results(call_recorded(body.f, trace, bound))
    trace.check_unwritten()
    carries = [_node(n, trace, f"the carry that {body.name} returned") for n in leaves]
    body.check_carries(carries, firsts)
    ys = [_node(n, trace, f"the output that {body.name} returned") for n in outputs]
    nodes = evaluated(trace, [n for n in (*carries, *ys) if n is not None])
    if trace.outer is None:
        known = trace.captured.values()
        nodes = _ir.substitute(nodes, {k.node: _ir.constant(k.values) for k in known})
    made = frozenset(trace.made)
    key = ("record", (*nodes,), made, (*inputs,), count)
    recurrence, constants = _reuse.find_or_derive(
        key, lambda: _recurrence_of(nodes, made, inputs, count)
    )
    return _Step(recurrence, constants, tree, tuple(n is not None for n in ys))


def _recurrence_of(
    nodes: Sequence[Node], made: frozenset[bytes], inputs: Sequence[Input], count: int
) -> tuple[Recurrence, tuple[Node, ...]]:
    """Plan the step as the values of a function are, and take out what no step changes.

    It is then in inputs that do not tell where it was recorded: the same step is one recurrence.
    """
    values, written = prepare(nodes, made)
    outside = _outside(values, inputs)
    given = [*inputs, *outside]
    new = [step_input(0, n, node.shape, node.dtype) for n, node in enumerate(given)]
    moved = _ir.substitute([*values, *written], dict(zip(given, new, strict=True)))
    roots = moved[: len(values)]
    order = _ir.topological(roots)
    for node in order:
        if is_opaque(node):
            raise TraceError(
                f"a step of a scan calls {name_and_arguments(node)[0]}, of which nothing is known; "
                "each step would need values of its own: write the steps in a Python loop"
            )
    rest = {*moved[len(values) :]}.intersection(order)
    recurrence = Recurrence(
        (*new[len(inputs) :],), (*new[:count],), (*new[count : len(inputs)],), (*roots[:count],),
        (*roots[count:],), frozenset(rest),
    )  # fmt: skip
    return recurrence, (*outside,)


def _outside(roots: Sequence[Node], inputs: Sequence[Input]) -> list[Node]:
    """Find what is used in a step and depends on no input of it, but on values from outside.

    What only repeats entries is made in the step.
    """
    inside, fixed = {*inputs}, set[Node]()
    found: dict[Node, None] = {}
    order = _ir.topological(roots)
    for node in order:
        below = _ir.children(node)
        if not inside.isdisjoint(below):
            inside.add(node)  # type: ignore[arg-type]
        elif node not in inside and (isinstance(node, Input) or not fixed.isdisjoint(below)):
            fixed.add(node)
    pending = [n for node in order if node in inside for n in _ir.children(node)]
    pending = [*roots, *pending][::-1]
    while pending:
        node = pending.pop()
        if node not in fixed:
            continue
        if _only_repeats(node):
            pending += _ir.children(node)
        else:
            found[node] = None
    return [*found]


def _only_repeats(node: Node) -> bool:
    core = node.core if isinstance(node, Placement) else None
    return core is not None and isinstance(node, Einsum) and node.size > core.node.size

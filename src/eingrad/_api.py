"""The public verbs. They check arguments, trace, and hand on; no algorithm lives here.

In: the user's function and arrays. Out: arrays, plans, expressions.
Guaranteed: `D(x)` traces at every call, so it is the derivative of what the function is now; equal
graphs find their plan in a bounded cache.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from eingrad import _ir, _numpy_functions, _randomness, _reuse  # noqa: F401 - imported for what it registers
from eingrad._arguments import labels, roots
from eingrad._arguments import named as named_leaves
from eingrad._array_names import names_of
from eingrad._cache import cache, input_specs
from eingrad._conversions import cause
from eingrad._derive import Root, compared, compile_derivatives, derive, placed, split
from eingrad._described import described, remedy
from eingrad._exact import exact
from eingrad._forms import Forms
from eingrad._ir import Input, Node
from eingrad._locks import lazy
from eingrad._place import warn
from eingrad._primitives import cast
from eingrad._run import FunctionForm, Kernel, Layout, Plan, state_of, statics
from eingrad._shown import shown
from eingrad._simplify import remember, written_nodes
from eingrad._tracer import (
    STATIC,
    Array,
    Captured,
    Expression,
    Trace,
    check_array,
    is_supported,
    is_value,
    native,
    node_of,
    tracing,
)
from eingrad._tree import LEAF, Tree, flatten
from eingrad.errors import (
    DTypeError,
    IndependentWarning,
    RandomnessWarning,
    ShapeError,
    TracerLeakError,
)

_FLOATS = frozenset(map(np.dtype, "efdFD"))
_TRACED = frozenset({Expression})

# One call, traced --------------------------------------------------------------------------------


@dataclass(slots=True)
class _Traced:
    """One call of the user's function on expressions."""

    outputs: list[Node]
    out_tree: Tree
    variables: list[Node]
    argument_tree: Tree
    inputs: list[Input]  # arguments, then captured arrays
    values: list[Any]  # the arrays for them
    captured: list[Array]  # as they were found
    replaced: dict[Node, Node]  # what inputs stand for, outside
    nested: bool  # whether the value depends on what an outer call traces
    outer: Trace | None
    made: set[bytes]  # digests of derivatives that the outputs are made of
    independent: bool  # whether a result is no expression: its derivative is zero


def _leaf_input(value: Any, name: str, n: int, trace: Trace, *, wanted: bool) -> Input | None:
    """Make the input for one leaf of the arguments; None for a static one."""
    key = ("argument", trace.depth, n)
    if type(value) is np.ndarray and value.dtype in _FLOATS:  # nearly all
        return trace.new_input(name, value.shape, value.dtype, key)
    label = trace.labels[name]
    if isinstance(value, Expression):
        return trace.new_input(name, value.shape, value.dtype, key) if wanted else None
    if isinstance(value, (float, complex)) and not isinstance(value, (np.generic, Enum)):
        return trace.new_input(name, (), np.result_type(type(value)), key)
    if isinstance(value, STATIC) and not (wanted and type(value) is int):
        if wanted:
            raise DTypeError(
                f"argument {label!r} is {shown(value)}; a derivative needs an array or a float "
                "there"
            )
        return None
    if type(value) is int:
        if abs(value) > sys.float_info.max:
            raise DTypeError(
                f"argument {label!r} is an integer of {value.bit_length()} bits, which is no "
                "float64; scale it"
            )
        return trace.new_input(name, (), np.dtype(np.float64), key)
    if not isinstance(value, (np.ndarray, np.generic)):
        if wanted:
            hint = remedy(value, label)
            raise DTypeError(
                f"argument {label!r} is {described(value)}; a derivative needs an array or a float "
                "there, or tuples, lists and dicts of them" + (f": pass {hint}" if hint else "")
            )
        return None
    check_array(value, f"argument {label!r}")
    dtype = native(value.dtype)
    if wanted and dtype.kind == "b":
        raise DTypeError(
            f"argument {label!r} is boolean; a derivative needs numbers there: convert with "
            ".astype(float)"
        )
    if wanted and dtype.kind not in "fc":
        dtype = np.dtype(np.float64)
    return trace.new_input(name, value.shape, dtype, key)


def _positional(f: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the parameters that positional arguments go to, as far as they are known."""
    try:
        parameters = [*inspect.signature(f).parameters.values()]
    except Exception:  # it has none, or one of the user's that fails
        return ()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(exact(p.name) for p in parameters if p.kind in kinds)


def _trace(
    f: Callable[..., Any], argnums: int | tuple[int, ...], args: tuple[Any, ...],
    kwargs: dict[str, Any], positional: Sequence[str], *, symbolic: bool = False,
) -> _Traced:  # fmt: skip
    """Call the function on expressions."""
    trace = tracing(lasting=symbolic)
    try:
        with trace:
            return _traced(trace, f, argnums, args, kwargs, positional, symbolic=symbolic)
    finally:
        trace.close()  # again: an interrupt may have cut the first short


@dataclass(slots=True)
class _Passed:
    """The leaves of all arguments: what the function is called with, and what became an input."""

    leaves: list[Any]
    inputs: list[Input]
    values: list[Any]  # for the inputs
    variables: list[Node]  # inputs that are differentiated, in the order of argnums


def _pass(
    trace: Trace, numbers: Sequence[int], leaves: Sequence[Sequence[Any]], *, given: bool
) -> _Passed:
    """Put an expression in the place of every leaf that is an input; arrays are locked."""
    passed = _Passed([], [], [], [])
    names = [*trace.labels]
    variables: dict[int, list[Node]] = {number: [] for number in numbers}
    n = 0
    for argument, below in enumerate(leaves):
        wanted = argument in variables
        for leaf in below:
            made = None
            if wanted or not given:
                made = _leaf_input(leaf, names[n], n, trace, wanted=wanted)
            n += 1
            if made is None:
                passed.leaves.append(leaf)
                continue
            passed.leaves.append(_passed(leaf, made, trace))
            passed.inputs.append(made)
            passed.values.append(leaf)
            if wanted:
                variables[argument].append(made)
    for nodes in variables.values():
        passed.variables += nodes
    return passed


def _passed(leaf: Any, made: Input, trace: Trace) -> Expression:
    """Make the expression for a leaf that became an input; an array is locked."""
    if isinstance(leaf, np.ndarray):
        trace.lock(leaf)
        return Expression(made, trace, array=True)
    if isinstance(leaf, Expression):
        return Expression(made, trace, weak=leaf._weak, array=leaf._array)
    return Expression(made, trace, weak=not isinstance(leaf, np.generic))


def _traced(
    trace: Trace, f: Callable[..., Any], argnums: int | tuple[int, ...], args: tuple[Any, ...],
    kwargs: dict[str, Any], positional: Sequence[str], *, symbolic: bool,
) -> _Traced:  # fmt: skip
    """Call the function on expressions of this trace."""
    numbers = argument_numbers(argnums, len(args))
    leaves, trees = [], []
    given = False
    for value in (*args, *kwargs.values()) if kwargs else args:
        below, tree = flatten(value)
        leaves.append(below)
        trees.append(tree)
        given = given or Expression in map(type, below)
    names = roots(positional, len(args), [*kwargs])
    outer = trace.outer
    trace.labels = named_leaves(names, trees)
    passed = _pass(trace, numbers, leaves, given=given)
    rest = iter(passed.leaves)
    built = [next(rest) if tree is LEAF else tree.build(rest) for tree in trees]
    named = dict(zip(kwargs, built[len(args) :], strict=True)) if kwargs else kwargs
    result = _called(f, trace, built[: len(args)], named, names)
    trace.check_unwritten()
    result_leaves, out_tree = flatten(result)
    outputs = [output_node(leaf, trace, f) for leaf in result_leaves]
    independent = not _TRACED.issuperset(map(type, result_leaves))
    inputs, values = passed.inputs, passed.values
    captured = [*trace.root.captured.values()]
    nested = given or (outer is not None and _reaches_outside(outputs, inputs, captured))
    replaced: dict[Node, Node] = {}
    if nested:
        replaced.update((n, node_of(v, outer)) for n, v in zip(inputs, values, strict=True))
    if symbolic or (nested and outer is None):
        replaced.update((known.node, _ir.constant(known.values)) for known in captured)
    if not nested:
        inputs += [known.node for known in captured]
        values += [known.values for known in captured]
    if isinstance(argnums, int):
        argument_tree = trees[numbers[0]]
    else:
        argument_tree = Tree(tuple, (), tuple(trees[n] for n in numbers))
    return _Traced(
        outputs, out_tree, passed.variables, argument_tree, inputs, values,
        [known.array for known in captured], replaced, nested, outer, trace.made, independent,
    )  # fmt: skip


def _called(
    f: Callable[..., Any], trace: Trace, args: Sequence[Any], kwargs: Mapping[str, Any],
    names: Sequence[str],
) -> Any:  # fmt: skip
    """Call the function; an error that does not name its cause is replaced by one that does."""
    try:
        return f(*args, **kwargs)
    except (TypeError, ValueError, AttributeError) as error:
        arguments = zip(names, (*args, *kwargs.values()), strict=True)
        refusal = trace.refusal(error) or cause(error, arguments, Expression, is_supported)
        if refusal is None:
            raise
        raise refusal.with_traceback(error.__traceback__) from None


def _check_inputs(traced: _Traced, name: str) -> None:
    """Refuse symbols that the function got by closure: they have no values."""
    strangers = [n.name for n in _ir.inputs(traced.outputs) if n not in {*traced.inputs}]
    if strangers:
        raise TracerLeakError(
            f"{name} uses {', '.join(map(repr, strangers))}, a symbol that has no value in this "
            "call; pass it as an argument, or build the derivative with eingrad.differentiate"
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
    if type(leaf) is Expression and leaf.dtype.kind in "fc":
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


def check_argnums(argnums: Any) -> tuple[int, ...]:
    """Refuse what is no argument number; give them as a tuple."""
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    if not numbers or any(type(n) is not int for n in numbers):
        raise TypeError(
            f"argnums must be an integer or a tuple of integers, not {shown(argnums)}; the values "
            "are given when the derivative is called"
        )
    return numbers


def argument_numbers(argnums: int | tuple[int, ...], count: int, where: str = "") -> list[int]:
    """Count arguments from the front; refuse one that the call does not have."""
    if type(argnums) is int and 0 <= argnums < count:
        return [argnums]
    numbers = [argnums] if isinstance(argnums, int) else [*argnums]
    for n in numbers:
        if not -count <= n < count:
            raise ShapeError(
                f"argnums {argnums} names argument {n}, but the call has {count} positional "
                f"arguments{where}; argnums counts positional arguments from 0"
            )
    numbers = [n % count for n in numbers]
    if len(set(numbers)) < len(numbers):
        raise ShapeError(f"argnums {argnums} names an argument twice; name each once")
    return numbers


def _nesting(orders: tuple[int, ...], out: Tree, argument: Tree) -> Tree:
    """How results are nested: outputs outermost, then the arguments, once per order."""
    parts = []
    for order in orders:
        tree = out
        for _ in range(order):
            tree = tree.nest(argument)
        parts.append(tree)
    return parts[0] if len(parts) == 1 else Tree(tuple, (), tuple(parts))


def _nest(orders: tuple[int, ...], out: Tree, argument: Tree, results: Sequence[Any]) -> Any:
    """Nest the results."""
    return _nesting(orders, out, argument).build(results)


# The callables -----------------------------------------------------------------------------------


class Derivative:
    """A function's derivative: called like the function, returns full tensors.

    ``D(x)`` traces the function at every call. ``D.plan(x)`` compiles once, for hot loops;
    `eingrad.compiled` does so by itself, for each kind of arguments.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        orders: tuple[int, ...],
        argnums: int | tuple[int, ...],
        *,
        scalar: bool = False,
        structured: bool = False,
        check: Callable[[Sequence[Any], Mapping[str, Any]], None] | None = None,
    ) -> None:
        if not callable(f):
            raise TypeError(
                f"{shown(f)} is not a function; pass the function itself, not its value"
            )
        if type(argnums) is not tuple or argnums or orders != (0,):  # () is enough for a value
            check_argnums(argnums)
        self._f, self._orders, self._argnums, self._scalar = f, orders, argnums, scalar
        self._structured, self._check = structured, check
        self.__wrapped__ = f
        self.__name__ = getattr(f, "__name__", "f")

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Compute the derivative at these arguments."""
        traced = self._trace(args, kwargs)
        if traced.nested:
            results = self._placed(traced, traced.outer)
            return _nest(self._orders, traced.out_tree, traced.argument_tree, results)
        kernel = self._kernel(traced)
        arrays = [
            np.asarray(v, node.dtype) for v, node in zip(traced.values, traced.inputs, strict=True)
        ]
        return _nest(self._orders, traced.out_tree, traced.argument_tree, kernel.run(arrays))

    def plan(self, /, *args: Any, **kwargs: Any) -> Plan:
        """Compile for arguments like these; captured arrays are copied into the plan.

        Returns
        -------
        Plan
            Called like the function; checks shapes and dtypes, does not trace.
        """
        leaves, tree = flatten((args, kwargs))
        given = {n: leaf for n, leaf in enumerate(leaves) if not is_value(leaf)}
        before = {n: state_of(leaf) for n, leaf in given.items()}
        traced = self._trace_for_good(args, kwargs)
        if traced.nested:
            raise DTypeError(
                "a plan needs arrays; it was asked for with traced values; call the function, or "
                "eingrad.compiled(f), which is f where it is traced, or make the plan outside"
            )
        count = sum(node.key[0] == "argument" for node in traced.inputs)
        chosen = {node.key[2] for node in traced.inputs[:count]}
        called = roots(self._positional, len(args), [*kwargs])
        below = [flatten(value)[1] for value in (*args, *kwargs.values())]
        names = tuple(labels(called, below))
        static = {n: leaf for n, leaf in given.items() if n not in chosen}
        static = statics(static, before, names)
        result = _nesting(self._orders, traced.out_tree, traced.argument_tree)
        form = FunctionForm(tree, result, static, names, tuple(called))
        variables = names_of(self._f, traced.captured)
        kernel, what = self._kernel(traced), (traced.outputs, traced.variables, self._orders)
        directions = functools.partial(compared, *what, traced.made)
        return Plan(kernel, form, traced.values[count:], variables, directions)

    def expression(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return the symbolic derivative for arguments like these, in place of its value."""
        traced = self._trace_for_good(args, kwargs, symbolic=True)
        results = self._placed(traced, traced.outer if traced.nested else None)
        return _nest(self._orders, traced.out_tree, traced.argument_tree, results)

    @lazy
    def _positional(self) -> tuple[str, ...]:
        return _positional(self._f)

    def _trace(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, symbolic: bool = False
    ) -> _Traced:
        if self._check is not None:
            self._check(args, kwargs)
        traced = _trace(self._f, self._argnums, args, kwargs, self._positional, symbolic=symbolic)
        self._check_scalar(traced)
        if traced.independent and self._orders != (0,):
            warn(
                f"{self.__name__} returned a value that was not computed from its arguments by "
                "NumPy, so its derivative is zero; if it should depend on them, compute it from "
                "them (a test like isinstance(x, np.ndarray) is false of a traced value)",
                IndependentWarning,
            )
        return traced

    def _trace_for_good(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, symbolic: bool = False
    ) -> _Traced:
        """Trace for what is used again and again; a call traces anew, and so draws anew."""
        generators = _randomness.generators(self._f)
        before = _randomness.states(generators)
        traced = self._trace(args, kwargs, symbolic=symbolic)
        moved = _randomness.changed(before, _randomness.states(generators))
        if moved:
            warn(
                f"{self.__name__} drew from {' and '.join(moved)}, or seeded it: what is made here "
                "holds the numbers of this one draw; draw outside of the function, and give it "
                "the numbers as an argument",
                RandomnessWarning,
            )
        return traced

    def _check_scalar(self, traced: _Traced) -> None:
        if self._scalar and (traced.out_tree != LEAF or traced.outputs[0].shape != ()):
            shapes = [node.shape for node in traced.outputs]
            shown = shapes[0] if traced.out_tree == LEAF else shapes
            raise ShapeError(
                f"the gradient needs a scalar function, but {self.__name__} returned shape {shown};"
                " use eingrad.jacobian, or sum the result"
            )

    def _placed(self, traced: _Traced, trace: Trace | None) -> list[Expression]:
        """Differentiate symbolically, and note what may be opened if it is contracted."""
        key = (
            "placed", self._orders, (*traced.outputs,), (*traced.variables,),
            (*traced.replaced.items(),), frozenset(traced.made),
        )  # fmt: skip

        def make() -> tuple[list[Root], list[Node], Set[bytes]]:
            found, _ = derive(traced.outputs, traced.variables, self._orders, made=traced.made)
            written = written_nodes(traced.outputs, traced.made)
            return found, *placed([r.plain() for r in found], written, traced.replaced)

        outer = traced.outer if traced.nested else None
        is_again = outer is not None and not outer.lasting  # the same inputs at the next call
        found, nodes, made = _reuse.derived(key, make) if is_again else make()
        if outer is not None:
            outer.made |= made
        else:
            remember(nodes, made)
        return [
            Expression(node, trace, array=True, symmetry=root.symmetry if root.is_ordered else ())
            for node, root in zip(nodes, found, strict=True)
        ]

    def _kernel(self, traced: _Traced) -> Kernel:
        key = (
            self._orders,
            self._structured,
            (*[node.digest for node in traced.outputs],),
            (*[node.digest for node in traced.variables],),
            (*[(node.digest, node.name) for node in traced.inputs],),
            frozenset(traced.made),
        )

        def make() -> Kernel:
            _check_inputs(traced, self.__name__)
            forms = Forms()
            found, choice = derive(
                traced.outputs, traced.variables, self._orders, made=traced.made, forms=forms
            )
            specs = input_specs(traced.inputs)
            if not self._structured:
                return Kernel(compile_derivatives(found, traced.inputs, specs, choice, forms))
            nodes = [root.plain() for root in found]
            cores, patterns = split(nodes, forms)
            layouts = tuple(
                Layout(node.shape, node.dtype, tuple(pattern))
                for node, pattern in zip(nodes, patterns, strict=True)
            )
            return Kernel(forms.program(cores, traced.inputs, specs, choice), layouts)

        return cache.get(key, make)

    def __repr__(self) -> str:
        return f"<derivative of {self.__name__}, order {self._orders[-1]}, argnums {self._argnums}>"


def derivative(
    f: Callable[..., Any],
    order: int = 1,
    argnums: int | tuple[int, ...] = 0,
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
    the cheaper plan is taken.

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
    f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, structured: bool = False
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


def grad(
    f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, structured: bool = False
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


def hessian(
    f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, structured: bool = False
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
    argnums: int | tuple[int, ...] = 0,
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
    f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, structured: bool = False
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

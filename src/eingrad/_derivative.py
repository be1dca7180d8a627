"""`Derivative`: a function's derivative, called like the function.

In: the user's function, then arrays. Out: arrays, plans, expressions.
Guaranteed: `D(x)` traces at every call, so it is the derivative of what the function is now; equal
graphs find their plan in a bounded cache.
"""

import copy
import functools
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import numpy as np

from eingrad import _randomness, _reuse
from eingrad._arguments import labels, roots
from eingrad._array_names import names_of
from eingrad._bind import Argnums, check_argnums, parameter_names
from eingrad._cache import cache, input_specs
from eingrad._call import TracedCall, check_inputs, leave_unevaluated, trace_call
from eingrad._cores import split
from eingrad._derive import (
    Root,
    compare_directions,
    compile_derivatives,
    derive,
    substitute_outer,
)
from eingrad._forms import Forms
from eingrad._ir import Node
from eingrad._lines import held_together, outside, rates_below
from eingrad._locks import lazy
from eingrad._memory import Limit, checked_limit
from eingrad._mode import Question, find_mode
from eingrad._place import warn
from eingrad._progress import planning
from eingrad._recorded import expanded
from eingrad._run import (
    Executable,
    FunctionForm,
    Layout,
    Plan,
    check_limit,
    state_of,
    statics,
)
from eingrad._shown import shown
from eingrad._simplify import remember, written_nodes
from eingrad._tracebacks import shorten
from eingrad._tracer import Expression, Trace, is_value
from eingrad._tree import LEAF, Tree, flatten
from eingrad._unevaluated import row_of_unevaluated
from eingrad.errors import DTypeError, IndependentWarning, RandomnessWarning, ShapeError


class Derivative:
    """A function's derivative: called like the function, returns full tensors.

    ``D(x)`` traces the function at every call. ``D.plan(x)`` compiles once, for hot loops;
    `eingrad.compiled` does so by itself, for each kind of arguments.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        orders: tuple[int, ...],
        argnums: Argnums,
        *,
        scalar: bool = False,
        structured: bool = False,
        memory_limit: Any = None,
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
        self._limit = checked_limit(memory_limit)
        self.__wrapped__ = f
        self.__name__ = getattr(f, "__name__", "f")

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Compute the derivative at these arguments."""
        try:
            return self._computed(args, kwargs)
        except Exception as error:
            shorten(error)
            raise

    def _computed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with planning(self.__name__):
            call = self._trace(args, kwargs)
            if call.is_nested:
                return self._nesting(call).build(self._nested(call))
            executable = self._compile(call)
        pairs = zip(call.values, call.inputs, strict=True)
        results = executable.run([np.asarray(value, node.dtype) for value, node in pairs])
        return self._nesting(call).build(results)

    def plan(self, /, *args: Any, **kwargs: Any) -> Plan:
        """Compile for arguments like these; captured arrays are copied into the plan.

        Returns
        -------
        Plan
            Called like the function; checks shapes and dtypes, does not trace.
        """
        try:
            with planning(self.__name__):
                return self._planned(args, kwargs)
        except Exception as error:
            shorten(error)
            raise

    def _planned(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Plan:
        leaves, tree = flatten((args, kwargs))
        held = {n: leaf for n, leaf in enumerate(leaves) if not is_value(leaf)}
        before = {n: state_of(leaf) for n, leaf in held.items()}
        call = self._trace_to_keep(args, kwargs)
        if call.is_nested:
            raise DTypeError(
                "a plan needs arrays; it was asked for with traced values; call the function, or "
                "eingrad.compiled(f), which is f where it is traced, or make the plan outside"
            )
        count = sum(node.key[0] == "argument" for node in call.inputs)
        inputs = {node.key[2] for node in call.inputs[:count]}
        arguments = roots(self._parameters, len(args), [*kwargs])
        below = [flatten(value)[1] for value in (*args, *kwargs.values())]
        names = tuple(labels(arguments, below))
        static = {n: leaf for n, leaf in held.items() if n not in inputs}
        static = statics(static, before, names)
        form = FunctionForm(tree, self._nesting(call), static, names, tuple(arguments))
        variables = names_of(self._f, call.captured)
        directions = functools.partial(
            compare_directions, call.outputs, call.variables, self._orders, call.made
        )
        question = Question(
            (*call.outputs,), (*call.variables,), self._orders, frozenset(call.made),
            (*call.inputs,), self._structured,
        )  # fmt: skip
        mode = functools.partial(find_mode, question)
        return Plan(self._compile(call), form, call.values[count:], variables, directions, mode)

    def _within(self, memory_limit: Limit | None) -> "Derivative":
        """Give the same derivative with another limit of memory; None: with the one that it has."""
        if memory_limit is None:
            return self
        made = copy.copy(self)
        made._limit = memory_limit
        return made

    def expression(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return the symbolic derivative for arguments like these, in place of its value."""
        try:
            with planning(self.__name__):
                call = self._trace_to_keep(args, kwargs, symbolic=True)
                results = self._nested(call) if call.is_nested else self._express(call)
            return self._nesting(call).build(results)
        except Exception as error:
            shorten(error)
            raise

    # One call

    @lazy
    def _parameters(self) -> tuple[str, ...]:
        return parameter_names(self._f)

    def _trace(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, symbolic: bool = False
    ) -> TracedCall:
        if self._check is not None:
            self._check(args, kwargs)
        call = trace_call(
            self._f, self._argnums, args, kwargs, self._parameters,
            symbolic=symbolic, order=max(self._orders),
        )  # fmt: skip
        self._check_scalar(call)
        if call.is_independent and self._orders != (0,):
            warn(
                f"{self.__name__} returned a value that was not computed from its arguments by "
                "NumPy, so its derivative is zero; if it should depend on them, compute it from "
                "them (a test like isinstance(x, np.ndarray) is false of a traced value)",
                IndependentWarning,
            )
        return call

    def _trace_to_keep(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, symbolic: bool = False
    ) -> TracedCall:
        """Trace for what is used again and again; a call traces anew, and so draws anew."""
        generators = _randomness.generators(self._f)
        before = _randomness.states(generators)
        call = self._trace(args, kwargs, symbolic=symbolic)
        moved = _randomness.changed(before, _randomness.states(generators))
        if moved:
            warn(
                f"{self.__name__} drew from {' and '.join(moved)}, or seeded it: what is made here "
                "holds the numbers of this one draw; draw outside of the function, and give it "
                "the numbers as an argument",
                RandomnessWarning,
            )
        return call

    def _check_scalar(self, call: TracedCall) -> None:
        if self._scalar and (call.out_tree is not LEAF or call.outputs[0].shape != ()):
            shapes = [node.shape for node in call.outputs]
            said = shapes[0] if call.out_tree is LEAF else shapes
            raise ShapeError(
                f"the gradient needs a scalar function, but {self.__name__} returned shape {said};"
                " use eingrad.jacobian, or sum the result"
            )

    def _nesting(self, call: TracedCall) -> Tree:
        """How results are nested: outputs outermost, then the arguments, once per order."""
        parts = []
        for order in self._orders:
            tree = call.out_tree
            for _ in range(order):
                tree = tree.nest(call.argument_tree)
            parts.append(tree)
        return parts[0] if len(parts) == 1 else Tree(tuple, (), tuple(parts))

    # Its derivative

    def _nested(self, call: TracedCall) -> list[Expression]:
        """Differentiate what depends on traced values, or on symbols."""
        return (
            self._express(call) if call.outer is None else self._leave_unevaluated(call, call.outer)
        )

    def _leave_unevaluated(self, call: TracedCall, outer: Trace) -> list[Expression]:
        """Note what is differentiated; how, depends on what the outer call does with it."""
        if self._orders != (0,):
            call.outputs = expanded(outer, call.outputs, call.made)
        key = (
            "leave", self._orders, (*call.outputs,), (*call.variables,),
            (*call.replaced.items(),), frozenset(call.made),
        )  # fmt: skip

        def make() -> tuple[list[Root], Set[bytes]]:
            written = written_nodes(call.outputs, call.made)
            values, made = substitute_outer(call.outputs, written, call.replaced)
            roots = leave_unevaluated(call, values, self._orders)
            return roots, made | {
                root.node.digest for root in roots if row_of_unevaluated(root.node)
            }

        is_again = not outer.lasting  # the same inputs at the next call
        found, made = _reuse.find_or_derive(key, make) if is_again else make()
        outer.made |= made
        if outer.root.rates:
            rates = rates_below(call.outputs, outer.root.rates)
            outer.root.rates.update(outside(rates, call.replaced))
            found = [replace(r, node=held_together(r.node, outer.root.rates)) for r in found]
        outer.root.unevaluated |= any(row_of_unevaluated(root.node) is not None for root in found)
        return [_expression(root.plain(), root, outer) for root in found]

    def _express(self, call: TracedCall) -> list[Expression]:
        """Differentiate symbolically, and note what may be opened if it is contracted."""
        found, _ = derive(call.outputs, call.variables, self._orders, made=call.made)
        written = written_nodes(call.outputs, call.made)
        nodes, made = substitute_outer([r.plain() for r in found], written, call.replaced)
        remember(nodes, made)
        return [_expression(node, root) for node, root in zip(nodes, found, strict=True)]

    def _compile(self, call: TracedCall) -> Executable:
        """Find what computes the derivative, or make it."""
        key = (
            self._orders,
            self._structured,
            self._limit,
            (*[node.digest for node in call.outputs],),
            (*[node.digest for node in call.variables],),
            (*[(node.digest, node.name) for node in call.inputs],),
            frozenset(call.made),
        )
        return cache.get(key, functools.partial(self._compile_anew, call))

    def _compile_anew(self, call: TracedCall) -> Executable:
        check_inputs(call, self.__name__)
        forms = Forms(limit=self._limit)
        found, choice = derive(
            call.outputs, call.variables, self._orders, made=call.made, forms=forms, is_final=True
        )
        specs = input_specs(call.inputs)
        if not self._structured:
            program = compile_derivatives(found, call.inputs, specs, choice, forms)
            check_limit(program, self._limit)
            return Executable(program)
        nodes = [root.plain() for root in found]
        cores, patterns = split(nodes, forms)
        layouts = tuple(
            Layout(node.shape, node.dtype, terms)
            for node, terms in zip(nodes, patterns, strict=True)
        )
        program = forms.program(cores, call.inputs, specs, choice)
        check_limit(program, self._limit)
        return Executable(program, layouts)

    def __repr__(self) -> str:
        return f"<derivative of {self.__name__}, order {self._orders[-1]}, argnums {self._argnums}>"


def _expression(node: Node, root: Root, trace: Trace | None = None) -> Expression:
    symmetry = root.symmetry if root.is_ordered else ()
    return Expression(node, trace, array=True, symmetry=symmetry)

"""Bind the arguments of a call: which of their leaves are inputs, and which are differentiated.

In: the arguments, which of them are differentiated, an open trace. Out: the arguments that the
user's function is called with, expressions in the place of inputs.
Guaranteed: every array among them is read-only until the trace ends; a static value reaches the
function as it is, and one that has no derivative is refused where one is wanted.
"""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from eingrad._arguments import label_leaves, roots
from eingrad._described import described, remedy
from eingrad._exact import exact
from eingrad._ir import Input, Node
from eingrad._shown import shown
from eingrad._tracer import STATIC, Expression, Trace, check_array, native
from eingrad._tree import LEAF, Tree, flatten
from eingrad.errors import DTypeError, ShapeError

Argnums = int | tuple[int, ...]

_FLOATS = frozenset(map(np.dtype, "efdFD"))


# Which arguments ---------------------------------------------------------------------------------


def check_argnums(argnums: Any) -> tuple[int, ...]:
    """Refuse what is no argument number; give them as a tuple."""
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    if not numbers or any(type(n) is not int for n in numbers):
        is_list = type(argnums) is list and all(type(n) is int for n in argnums)
        hint = f"write {shown(tuple(argnums))}" if is_list else ""
        raise TypeError(
            f"argnums must be an integer or a tuple of integers, not {shown(argnums)}; "
            + (hint or "the values are given when the derivative is called")
        )
    return numbers


def argument_numbers(argnums: Argnums, count: int, where: str = "") -> list[int]:
    """Count arguments from the front; refuse one that the call does not have."""
    if type(argnums) is int and 0 <= argnums < count:
        return [argnums]
    numbers = [argnums] if isinstance(argnums, int) else [*argnums]
    for n in numbers:
        if not -count <= n < count:
            raise ShapeError(
                f"argnums {argnums} names argument {n}, but the call has {count} positional "
                f"arguments{where}; argnums counts positional arguments from 0, so pass what is "
                "differentiated by position"
            )
    numbers = [n % count for n in numbers]
    if len(set(numbers)) < len(numbers):
        raise ShapeError(f"argnums {argnums} names an argument twice; name each once")
    return numbers


def parameter_names(f: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the parameters that positional arguments go to, as far as they are known."""
    try:
        parameters = [*inspect.signature(f).parameters.values()]
    except Exception:  # it has none, or one of the user's that fails
        return ()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(exact(p.name) for p in parameters if p.kind in kinds)


# Binding -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Bound:
    """The arguments of one call on expressions, and the inputs that stand for their leaves."""

    args: list[Any]  # for the user's function
    kwargs: Mapping[str, Any]
    names: list[str]  # of all arguments
    inputs: list[Input]
    values: list[Any]  # for the inputs
    variables: list[Node]  # inputs that are differentiated, in the order of argnums
    argument_tree: Tree  # nesting of what is differentiated
    is_traced: bool  # whether an argument holds values of an outer call: others are then static


def bind(
    trace: Trace, argnums: Argnums, args: Sequence[Any], kwargs: Mapping[str, Any],
    parameters: Sequence[str],
) -> Bound:  # fmt: skip
    """Put an expression in the place of every leaf that is an input."""
    numbers = argument_numbers(argnums, len(args))
    leaves, trees = [], []
    is_traced = False
    for value in (*args, *kwargs.values()) if kwargs else args:
        below, tree = flatten(value)
        leaves.append(below)
        trees.append(tree)
        is_traced = is_traced or Expression in map(type, below)
    names = roots(parameters, len(args), [*kwargs])
    trace.labels = label_leaves(names, trees)
    one = isinstance(argnums, int)
    argument_tree = trees[numbers[0]] if one else Tree(tuple, (), tuple(trees[n] for n in numbers))
    bound = Bound([], kwargs, names, [], [], [], argument_tree, is_traced)
    rest = iter(_bind_leaves(trace, numbers, leaves, bound))
    built = [next(rest) if tree is LEAF else tree.build(rest) for tree in trees]
    bound.args = built[: len(args)]
    if kwargs:
        bound.kwargs = dict(zip(kwargs, built[len(args) :], strict=True))
    return bound


def _bind_leaves(
    trace: Trace, numbers: Sequence[int], leaves: Sequence[Sequence[Any]], bound: Bound
) -> list[Any]:
    """Make the inputs of all arguments, and note them; return the leaves to call with."""
    new: list[Any] = []
    names = iter(trace.labels)
    variables: dict[int, list[Node]] = {number: [] for number in numbers}
    for argument, below in enumerate(leaves):
        wanted = argument in variables
        for leaf in below:
            name = next(names)
            node = None
            if wanted or not bound.is_traced:
                node = _input_of(leaf, name, len(new), trace, wanted=wanted)
            if node is None:
                new.append(leaf)
                continue
            new.append(_stand_in(leaf, node, trace))
            bound.inputs.append(node)
            bound.values.append(leaf)
            if wanted:
                variables[argument].append(node)
    for nodes in variables.values():
        bound.variables += nodes
    return new


def _stand_in(leaf: Any, node: Input, trace: Trace) -> Expression:
    """Make the expression that stands for a leaf; an array is locked."""
    if isinstance(leaf, np.ndarray):
        trace.lock(leaf)
        return Expression(node, trace, array=True)
    if isinstance(leaf, Expression):
        return Expression(node, trace, weak=leaf._weak, array=leaf._array)
    return Expression(node, trace, weak=not isinstance(leaf, np.generic))


def _input_of(value: Any, name: str, n: int, trace: Trace, *, wanted: bool) -> Input | None:
    """Make the input for one leaf of the arguments; None for a static one."""
    key = ("argument", trace.depth, n)
    if type(value) is np.ndarray and value.dtype in _FLOATS:  # nearly all
        return trace.new_input(name, value.shape, value.dtype, key)
    if isinstance(value, Expression):
        return trace.new_input(name, value.shape, value.dtype, key) if wanted else None
    if isinstance(value, (float, complex)) and not isinstance(value, (np.generic, Enum)):
        return trace.new_input(name, (), np.result_type(type(value)), key)
    label = trace.labels[name]
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
    return trace.new_input(name, value.shape, _input_dtype(value.dtype, label, wanted=wanted), key)


def _input_dtype(dtype: np.dtype[Any], label: str, *, wanted: bool) -> np.dtype[Any]:
    """The dtype of the input for an array: a float one, where it is differentiated."""
    if wanted and dtype.kind == "b":
        raise DTypeError(
            f"argument {label!r} is boolean; a derivative needs numbers there: convert with "
            ".astype(float)"
        )
    return native(dtype) if dtype.kind in "fc" or not wanted else np.dtype(np.float64)

"""What a traced value is: a node, and the trace that it is part of.

In: a node. Out: a value; of several, the trace that a call with them belongs to.
Guaranteed: a value whose trace has ended, or is of another thread, is refused where it is used.
"""

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np

from eingrad._ir import Input, Node, Symmetry, inputs
from eingrad._tracebacks import shorten
from eingrad._tracer.trace import Trace, innermost

Given = ParamSpec("Given")
Result = TypeVar("Result")


class TracedValue:
    """The state of an expression, all that recording a call must know of one.

    Abstract: `Expression` alone is made of it. Who records calls knows only this class; a new value
    is of the class of one that is at hand.
    """

    __slots__ = ("_array", "_node", "_symmetry", "_trace", "_weak")

    def __init__(
        self,
        node: Node,
        trace: Trace | None = None,
        *,
        weak: bool = False,
        array: bool = False,
        symmetry: Symmetry = (),
    ) -> None:
        self._node = node
        self._trace = trace
        self._weak = weak  # whether it stands for a Python number: it does not decide the dtype
        self._array = array  # of no axes: whether it is one in NumPy, and no immutable scalar
        self._symmetry = symmetry  # of a derivative: which blocks of axes may be interchanged


def shorten_outside(error: Exception) -> None:
    """Let an error end at the user's line where no verb does it: of symbols.

    In a verb all frames are needed until it has found the cause.
    """
    if innermost.get() is None:
        shorten(error)


def outside_of_verbs(method: Callable[Given, Result]) -> Callable[Given, Result]:
    """Let errors of a method end so; of one that is called for each operation it would cost."""

    @functools.wraps(method)
    def called(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        try:
            return method(*args, **kwargs)
        except Exception as error:
            shorten_outside(error)
            raise

    return called


def trace_of(values: Iterable[Any]) -> Trace | None:
    """Return the trace that values belong to: the innermost one."""
    found: Trace | None = None
    current = innermost.get()  # closed, in a thread that goes on in the context of the call
    for value in values:
        if isinstance(value, TracedValue):
            trace = value._trace
            if trace is not None and trace is not found:
                if trace is not current or not trace.open:
                    trace.check_usable()
                if found is None or trace.depth > found.depth:
                    found = trace
    return found


def is_weak(value: Any) -> bool:
    """Whether a value is a Python number, or stands for one: it does not decide the dtype."""
    if isinstance(value, TracedValue):
        return value._weak
    return isinstance(value, (int, float, complex)) and not isinstance(value, (bool, np.generic))


def is_array(value: Any) -> bool:
    """Whether NumPy has an array there, and not a scalar."""
    if isinstance(value, TracedValue):
        return value._array or value._node.shape != ()
    return isinstance(value, np.ndarray)


def mark_array(result: Any, *, is_array: bool = False) -> Any:
    """Note of what has no axes whether it is an array in NumPy, or else a scalar."""
    if type(result) is tuple:
        return tuple([mark_array(part, is_array=is_array) for part in result])
    if not isinstance(result, TracedValue) or result._node.shape or result._array == is_array:
        return result
    return type(result)(result._node, result._trace, weak=result._weak, array=is_array)


def how_to_hold(value: TracedValue) -> str:
    """How to give a function integers or flags whose values it must know; "" for other values.

    They are arguments that are not differentiated, or come of such alone: ``labels``, ``k > 1``.
    """
    sources = inputs([value._node])
    if not sources or any(n.key[0] != "argument" or n.dtype.kind not in "biu" for n in sources):
        return ""
    names = [_label(n, value._trace) for n in sources]
    if all(n.shape == () for n in sources):
        kinds = ["bool" if n.dtype.kind == "b" else "int" for n in sources]
        lists = [re.sub(r"\[\d+\]$", "", name) for name in names]
        static = dict.fromkeys(
            f"{kind}({name})" if name == of else f"[{kind}(k) for k in {of}]"
            for kind, name, of in zip(kinds, names, lists, strict=True)
        )
        said = _said([*dict.fromkeys(lists)])
        return f"pass {', '.join(static)} for {said}: the function sees that as it is"
    said = _said(names)
    return (
        f"capture {said}, as in lambda x: f(x, {', '.join(names)}), or pass "
        f"{', '.join(f'{name}.tolist()' for name in names)}: the function sees that as it is"
    )


def how_to_count(value: TracedValue) -> str:
    """How to give a function a float that it counts with; "" for what is no argument itself."""
    node = value._node
    if not isinstance(node, Input) or node.key[0] != "argument" or node.shape:
        return ""
    name = _label(node, value._trace)
    return f"pass int({name}) for {_said([name])}: the function sees that as it is"


def _said(names: Sequence[str]) -> str:
    return f"argument{'s' * (len(names) > 1)} {', '.join(map(repr, names))}"


def _label(node: Input, trace: Trace | None) -> str:
    """What the user calls an argument of this trace or of one around it: ``p["labels"]``."""
    while trace is not None and trace.depth != node.key[1]:
        trace = trace.outer
    return node.name if trace is None else trace.labels.get(node.name, node.name)

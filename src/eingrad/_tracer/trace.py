"""Traces: one call of the user's function on expressions, from its beginning to its end.

In: where it is called. Out: inputs, for arguments and for the arrays that it uses.
Guaranteed: no array of the user's is written while he is being traced; a closed trace holds none
read-only, and what it lent may be lent again.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from eingrad import _ir, _read_only, _reuse
from eingrad._ir import Input, Node
from eingrad._place import called_from, failed_line, user_line
from eingrad._subscripts import Shape
from eingrad._tracer.arrays import Array, native
from eingrad._tracer.captured import Captured, capture, has_bits_of, is_finite, memory_of
from eingrad._tracer.filled import Filled
from eingrad.errors import InPlaceError, TraceError, TracerLeakError

Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class Trace:
    """One call of the user's function on expressions: open while it is entered, ``with trace:``.

    A trace inside a trace records the arrays it captures in the outermost one, whose call supplies
    their values. The inputs of a *lasting* trace outlive it, in expressions that the user keeps;
    to any other they are lent.
    """

    outer: "Trace | None" = None
    captured: dict[int, Captured] = field(default_factory=dict)
    by_memory: dict[Hashable, Captured] = field(default_factory=dict)  # the same
    filled: Filled = field(default_factory=Filled)  # of the outermost
    open: bool = True
    opened: tuple[str, int] = ("", 0)  # file and line of the call
    lasting: bool = False
    lent: list[Input] = field(default_factory=list)
    made: set[bytes] = field(default_factory=set)  # digests of derivatives computed within
    # Of the outermost: nodes that are the rate of others, along tangents of variables.
    rates: dict[Node, tuple[Node, tuple[tuple[Node, Node], ...]]] = field(default_factory=dict)
    unevaluated: bool = False  # of the outermost: whether there are unevaluated derivatives
    captures: int = 0  # how often an array was used
    closed: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)  # what messages call its inputs
    step: Mapping[Node, str] = field(default_factory=dict)  # of a step: what each of its inputs is
    stacked: set[Input] = field(default_factory=set)  # of the outermost: captured once more
    watched: tuple[tuple[Array, Array], ...] = ()  # arguments, and their values

    @property
    def root(self) -> "Trace":
        """The outermost trace."""
        return self if self.outer is None else self.outer.root

    @property
    def depth(self) -> int:
        """How many traces it is inside of."""
        return 0 if self.outer is None else 1 + self.outer.depth

    def encloses(self, other: "Trace | None") -> bool:
        """Whether it is the other one, or the other one is inside of it."""
        while other is not None and other is not self:
            other = other.outer
        return other is self

    def check_usable(self) -> None:
        """Refuse a value of a call that has ended, or that another thread is in the middle of.

        The second is no part of the call that is traced here: the derivative would be of another
        graph.
        """
        if not self.open:
            raise TracerLeakError(
                f"a traced value outlived the call it was made in at {self.opened[0]}:"
                f"{self.opened[1]} (used at {user_line()}); return it from the function instead of "
                "storing it"
            )
        current = innermost.get()
        if current is not None and self is not current and not self.encloses(current):
            raise TracerLeakError(
                f"a traced value of the call at {self.opened[0]}:{self.opened[1]} is used in a "
                f"call of another thread, at {user_line()}; start the thread in its context, with "
                "contextvars.copy_context().run, or give it arrays"
            )

    # Inputs and locks

    def new_input(
        self, name: str, shape: Shape, dtype: np.dtype[Any], key: tuple[Hashable, ...]
    ) -> Input:
        """Make an input that no other open trace has."""
        if self.lasting:
            return _ir.new_input(name, shape, dtype, key)
        node = _reuse.lend(name, shape, dtype, key)
        self.lent.append(node)
        return node

    def lend_to(self, outer: "Trace") -> None:
        """Let inputs of this call live as long as those of an outer one."""
        outer.lent += self.lent
        self.lent = []

    def capture(self, array: Array, *, is_factor: bool = False) -> Node:
        """Make an array of the user's an input of this call, locked while it is traced.

        As a factor of a product that sums, it may be a selection: that is part of the graph.

        Views of the same memory are one: ``W.T`` is another array each time that it is written.
        What NumPy made of one number during the call, and nobody wrote to, is a constant.
        """
        root = self if self.outer is None else self.root
        root.captures += 1
        known = root.captured.get(id(array)) or root._same_memory(array)
        if known is None:
            number = root.filled.number_of(array)
            if number is not None:
                return _ir.fill(number, array.shape, native(array.dtype))
            known = root._capture_first(array)
        elif not known.is_unchanged():
            raise InPlaceError(
                f"an array that the function uses, of shape {array.shape}, was changed while it "
                f"was traced (used again at {user_line()}); use a new array instead"
            )
        return known.as_factor() if is_factor else known.value

    def _capture_first(self, array: Array) -> Captured:
        count = len(self.captured)
        dtype = native(array.dtype)
        key = ("captured", count) if is_finite(array) else ("captured", count, _ir.NOT_FINITE)
        node = self.new_input(f"c{count}", array.shape, dtype, key)
        known = capture(node, array, is_held=_read_only.hold(array, self))
        self.captured[id(array)] = known
        self.by_memory[memory_of(array)] = known
        return known

    def capture_stacked(self, inputs: Sequence[Input]) -> Node | None:
        """Capture arrays that were captured one by one as one, stacked; None for other inputs."""
        known = {k.node: k for k in self.root.captured.values()}
        if any(n not in known for n in inputs):
            return None
        self.root.stacked.update(inputs)
        return self.capture(np.stack([known[n].array for n in inputs]))

    def _same_memory(self, array: Array) -> Captured | None:
        """Find what looks at the same entries, in the same order; lock this one, too."""
        known = self.by_memory.get(memory_of(array))
        if known is not None:
            _read_only.hold(array, self)
        return known

    def lock(self, array: Array) -> None:
        """Make an argument read-only until this trace ends; where that cannot be, watch it."""
        if not _read_only.hold(array, self):
            self.watched += ((array, array.copy("K")),)

    def check_unwritten(self) -> None:
        """Refuse what wrote to an array whose values are read when the trace has ended.

        That is an argument that could not be made read-only, or a large captured array.
        """
        for array, before in self.watched:
            if not has_bits_of(array, before):
                raise InPlaceError(
                    f"an argument of shape {array.shape} was changed while the function was "
                    "traced, so its derivative would be recorded with other values than its "
                    "value; write to a copy instead"
                )
        for known in self.root.captured.values():
            if not known.is_copied and not known.is_unchanged():
                raise InPlaceError(
                    f"an array that the function uses, of shape {known.array.shape}, was changed "
                    "by another view of its memory while the function was traced; use a new array "
                    "instead"
                )

    def refusal(self, error: BaseException) -> TraceError | None:
        """Map an exception of NumPy's to the TraceError that caused it, or None."""
        if isinstance(error.__cause__, TraceError):  # "setting an array element with a sequence"
            return error.__cause__
        if type(error) is ValueError and "read-only" in str(error) and self._reads():
            return InPlaceError(
                f"{error} at {failed_line(error)}: arrays that the function is given or has used "
                "are read-only until the call ends, since its derivative was recorded with their "
                "values; write to a copy instead"
            )
        return None

    def _reads(self) -> bool:
        """Whether an array is read-only for this trace, or for one that it is inside of."""
        return _read_only.is_held(lambda reader: reader.encloses(self))

    # Begin and end

    def __enter__(self) -> "Trace":
        innermost.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the trace: its expressions are dead, its arrays writable again.

        May be repeated, so that a second call finishes what an interrupt cut short.
        """
        if self.closed:
            return
        if self.encloses(innermost.get()):
            innermost.set(self.outer)
        self.open = False
        _read_only.release(self)
        lent, self.lent = self.lent, []
        _reuse.give_back(reversed(lent))  # what is lent first is given first, at the next call too
        self.closed = True


innermost: ContextVar[Trace | None] = ContextVar("innermost", default=None)


def tracing(*, lasting: bool = False) -> Trace:
    """Make a trace inside the one that is open, to be entered: ``with tracing() as trace:``."""
    return Trace(innermost.get(), opened=called_from(), lasting=lasting)


def within_trace(record: Callable[..., Result], *args: Any, lasting: bool = False) -> Result:
    """Call ``record(trace, *args)`` within a trace of its own, closed however that ends."""
    trace = tracing(lasting=lasting)
    try:
        with trace:
            return record(trace, *args)
    finally:
        trace.close()  # again: an interrupt may have cut the first short


def is_tracing() -> bool:
    """Whether a function is traced by this thread, or task, at the moment."""
    return innermost.get() is not None


def current_trace() -> Trace | None:
    """Give the innermost trace that is open in this thread, or task; None outside of all."""
    return innermost.get()

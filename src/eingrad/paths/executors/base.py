"""What executors have in common: each operation of a schedule becomes a call, prepared beforehand.

In: a schedule, and functions that make a call of an operation. Out: one call for all of it.
Guaranteed: values are let go after their last use; outputs share no memory with operands.

An executor computes a step in two: a contraction whose result has each index once, which every
library has, and what `Form` says is left: new axes, and the diagonal of a result that is zero
elsewhere.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import metadata, util
from typing import Any, NamedTuple, TypeAlias

from eingrad._subscripts import Subscripts, fits_einsum, text
from eingrad.errors import PlanError
from eingrad.paths.problem import Array
from eingrad.paths.schedule import Operation, Part, Schedule, Step, Total, is_view

Call: TypeAlias = Callable[..., Any]

MOST_AXES = 64  # of an array of NumPy or torch


class Prepared(NamedTuple):
    """An order that is ready to run.

    Attributes
    ----------
    call : callable
        Computes all outputs: what is timed. They may be arrays of another library.
    host : callable
        Makes NumPy arrays of what `call` returned.
    """

    call: Callable[[], Any]
    host: Callable[[Any], list[Array]]

    def values(self) -> list[Array]:
        """Compute all outputs, as NumPy arrays."""
        return self.host(self.call())


@dataclass(frozen=True, slots=True)
class Executor:
    """A library that computes schedules.

    Attributes
    ----------
    name : str
        What tables call it.
    package : str
        The package that must be installed.
    prepare : callable
        ``prepare(schedule, arrays)``, compiles; its time is not measured. Raises `PlanError` for a
        schedule that the library cannot compute.
    limit : callable
        ``limit(threads)``, a context in which the library uses so many threads; it gives a text
        that says how many it uses.
    on_numpy : bool
        Whether its arrays are NumPy's, so that their memory can be measured.
    """

    name: str
    package: str
    prepare: Callable[[Schedule, Sequence[Array]], Prepared]
    limit: Callable[[int | None], AbstractContextManager[str]]
    on_numpy: bool = True

    def version(self) -> str | None:
        """Version of the package; None where it is not installed."""
        try:
            return metadata.version(self.package) if util.find_spec(self.package) else None
        except (metadata.PackageNotFoundError, ImportError, ValueError):
            return None

    def available(self) -> bool:
        """Whether the package is installed."""
        return self.version() is not None


class Form(NamedTuple):
    """A step in two: a contraction to `core`, whose indices are those of `out` that a term has."""

    terms: tuple[Subscripts, ...]
    core: Subscripts
    out: Subscripts
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, step: Step) -> "Form":
        """Take a step apart."""
        carried = {index for term in step.terms for index in term}
        core = tuple(index for index in dict.fromkeys(step.out) if index in carried)
        return cls(step.terms, core, step.out, step.sizes)

    @property
    def letters(self) -> str:
        """Subscripts of the contraction."""
        return text(self.terms, self.core)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        return tuple([self.sizes[index] for index in self.out])

    @property
    def once(self) -> Subscripts:
        """Indices of the result, each once."""
        return tuple(dict.fromkeys(self.out))

    @property
    def lifted(self) -> tuple[int, ...]:
        """Shape of the contraction, with an axis of size one for each that only `out` has."""
        return tuple([self.sizes[i] if i in self.core else 1 for i in self.once])

    @property
    def is_whole(self) -> bool:
        """Whether the contraction is all."""
        return self.core == self.out

    @property
    def has_delta(self) -> bool:
        """Whether the result is zero off a diagonal."""
        return len(self.once) < len(self.out)


def check_letters(step: Step, library: str) -> None:
    """Refuse a step with more indices than an einsum of single letters has."""
    if not fits_einsum(step.terms):
        raise PlanError(
            f"a step has {len(step.sizes)} indices, but {library} has letters for 52; "
            "take another executor for this order"
        )


def check_axes(schedule: Schedule) -> None:
    """Refuse a schedule with a value that no array can hold."""
    shape = max(schedule.shapes, key=len, default=())
    if len(shape) > MOST_AXES:
        raise PlanError(
            f"a value of this order has {len(shape)} axes, but arrays have at most {MOST_AXES}; "
            "take an order whose intermediates have fewer"
        )


def line_up(
    schedule: Schedule,
    arrays: Sequence[Any],
    step: Callable[[Step], Call],
    total: Callable[[Total], Call],
    copy: Call,
) -> Callable[[], list[Any]]:
    """Make one call of a schedule.

    `step` and `total` make the call of an operation, `copy` copies an array: an output that would
    be an operand looked at in another way.
    """
    check_axes(schedule)
    first, last_use = schedule.first, schedule.last_use
    lines = []
    for n, operation in enumerate(schedule.operations):
        call = step(operation) if isinstance(operation, Step) else total(operation)
        dying = [v for v in {*operation.operands} if last_use[v] == n and v >= first]
        if first + n not in last_use:
            dying.append(first + n)
        lines.append((call, operation.operands, first + n, tuple(dying)))
    start = [*arrays, *([None] * len(lines))]
    borrowed = _borrowed(schedule)
    outputs = [(value, value in borrowed) for value in schedule.outputs]

    def run() -> list[Any]:
        values = start.copy()
        for call, operands, target, dying in lines:
            values[target] = call(*[values[v] for v in operands])
            for value in dying:
                values[value] = None
        return [copy(values[v]) if is_borrowed else values[v] for v, is_borrowed in outputs]

    return run


def _borrowed(schedule: Schedule) -> set[int]:
    """Values that may look at the memory of an operand, or have the same entry many times."""
    found = {*range(schedule.first)}
    for n, operation in enumerate(schedule.operations):
        if is_view(operation) and (operation.operands[0] in found or _repeats(operation)):
            found.add(schedule.first + n)
    return found


def _repeats(operation: Operation) -> bool:
    return isinstance(operation, Step) and Form.of(operation).core != operation.out


def add(parts: Sequence[Part], move: Callable[[Any, Sequence[int]], Any]) -> Call:
    """Add the parts of a total; `move` transposes an array. Nothing is written in place."""
    signs = [number(part.coefficient) for part in parts]
    orders = [None if part.axes == tuple(range(len(part.axes))) else part.axes for part in parts]

    def call(*values: Any) -> Any:
        result: Any = None
        for value, sign, axes in zip(values, signs, orders, strict=True):
            moved = value if axes is None else move(value, axes)
            if result is None:
                result = moved if sign == 1 else sign * moved
            elif sign == 1:
                result = result + moved
            elif sign == -1:
                result = result - moved
            else:
                result = result + sign * moved
        return result

    return call


def number(coefficient: float) -> float | int:
    """Give an integer where it is one, so that arrays of integers stay that."""
    whole = math.isfinite(coefficient) and coefficient == int(coefficient)
    return int(coefficient) if whole else coefficient

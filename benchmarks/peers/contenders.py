"""Ways to compute a task: this library's, other libraries, hand-written versions, a bare write.

In: a task. Out: `Prepared`, a call, with what makes NumPy arrays of what it returns.
Guaranteed: a call waits until its result is there; a library is imported when it is asked for.
"""

import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

import eingrad as eg
from eingrad.paths.executors import Prepared
from peers import languages, libraries
from peers.problem import Array, Task

OURS = "eingrad"
OUT = ", out="  # what ends the name of a contender that is given memory
HAND = "hand: "
WRITE = "write"


@dataclass(frozen=True)
class Contender:
    """A way to compute a task.

    Attributes
    ----------
    name : str
        What tables call it.
    prepare : callable
        Of a task; raises where the library has no way to compute it.
    package : str
        What must be installed.
    import_first : str
        What is imported before the first call is timed: libraries take seconds to start.
    """

    name: str
    prepare: Callable[[Task], Prepared]
    package: str = "numpy"
    import_first: str = "numpy"

    def missing(self) -> bool:
        """Whether what it needs is not installed."""
        return importlib.util.find_spec(self.import_first.partition(".")[0]) is None

    def version(self) -> str:
        """Version of the library."""
        return metadata.version(self.package)


def as_arrays(values: Any) -> list[Array]:
    """Give arrays of NumPy, of one result or several."""
    several = values if isinstance(values, tuple | list) else [values]
    return [np.asarray(value) for value in several]


def _call(function: Callable[..., Any], args: Iterable[Any], **options: Any) -> Callable[[], Any]:
    args = tuple(args)
    if options:
        return lambda: function(*args, **options)
    match args:  # unpacking takes longer
        case (x,):
            return lambda: function(x)
        case (x, y):
            return lambda: function(x, y)
    return lambda: function(*args)


# Ours and by hand --------------------------------------------------------------------------------


def _derivative(task: Task) -> eg.Derivative:
    library = libraries.eingrad()
    return library.derivatives[task.asked](task.function(library))


def planned(task: Task) -> Prepared:
    """Into new arrays."""
    return Prepared(_call(_derivative(task).plan(*task.args), task.args), as_arrays)


def planned_out(task: Task) -> Prepared:
    """Into an array that is there."""
    plan = _derivative(task).plan(*task.args)
    return Prepared(_call(plan, task.args, out=_memory(plan(*task.args))), as_arrays)


def traced(task: Task) -> Prepared:
    """Without a plan: the function is traced at each call."""
    return Prepared(_call(_derivative(task), task.args), as_arrays)


def by_hand(name: str) -> Callable[[Task], Prepared]:
    """Into new arrays."""
    return lambda task: Prepared(_call(task.hand[name], task.args), as_arrays)


def by_hand_out(name: str) -> Callable[[Task], Prepared]:
    """Into an array that is there."""

    def prepare(task: Task) -> Prepared:
        function = task.hand[name]
        return Prepared(_call(function, task.args, out=_memory(function(*task.args))), as_arrays)

    return prepare


def _memory(value: Any) -> Any:
    """Give arrays like these, in pages that are there."""
    if isinstance(value, tuple):
        return tuple([_memory(part) for part in value])
    return np.ones(value.shape, value.dtype)


# Others ------------------------------------------------------------------------------------------


def jitted(task: Task) -> Prepared:
    """By JAX, compiled."""
    import jax  # noqa: PLC0415 - optional

    library = libraries.jax()
    compiled = jax.jit(library.derivatives[task.asked](task.function(library)))
    given = [library.array(a) for a in task.args]
    return Prepared(lambda: jax.block_until_ready(compiled(*given)), as_arrays)


def eager(task: Task) -> Prepared:
    """By torch, operation by operation."""
    library = libraries.torch()
    derived = library.derivatives[task.asked](task.function(library))
    return Prepared(_call(derived, [library.array(a) for a in task.args]), _of_torch)


def inductor(task: Task) -> Prepared:
    """By torch, compiled into one graph; what breaks the graph is an error."""
    import torch  # noqa: PLC0415 - optional

    library = libraries.torch()
    derived = library.derivatives[task.asked](task.function(library))
    compiled = torch.compile(derived, fullgraph=True)
    return Prepared(_call(compiled, [library.array(a) for a in task.args]), _of_torch)


def _of_torch(values: Any) -> list[Array]:
    several = values if isinstance(values, tuple | list) else [values]
    return [value.detach().numpy() for value in several]


def taped(task: Task) -> Prepared:
    """By autograd."""
    library = libraries.autograd()
    derived = library.derivatives[task.asked](task.function(library))
    return Prepared(_call(derived, task.args), as_arrays)


def scalar_code(task: Task) -> Prepared:
    """By CasADi, of an expression in its own language."""
    return Prepared(languages.casadi(task.expression, task.asked, task.args), as_arrays)


# The limit ---------------------------------------------------------------------------------------


def write(task: Task) -> Prepared:
    """Write as much as the result, once, to new memory: no contender, a limit."""
    shapes = [a.shape for a in as_arrays(_any_result(task))]

    def call() -> list[Array]:
        found = [np.empty(shape) for shape in shapes]
        for array in found:
            array.fill(1.0)
        return found

    return Prepared(call, as_arrays)


def write_out(task: Task) -> Prepared:
    """Write as much, to memory that is there."""
    found = as_arrays(_memory(_any_result(task)))

    def call() -> list[Array]:
        for array in found:
            array.fill(1.0)
        return found

    return Prepared(call, as_arrays)


def _any_result(task: Task) -> Any:
    for function in task.hand.values():
        return function(*task.args)
    return _derivative(task)(*task.args)


LIBRARIES = (
    Contender(OURS, planned, "eingrad", "eingrad"),
    Contender(OURS + OUT, planned_out, "eingrad", "eingrad"),
    Contender("eingrad, no plan", traced, "eingrad", "eingrad"),
    Contender("JAX", jitted, "jax", "jax.numpy"),
    Contender("torch", eager, "torch", "torch"),
    Contender("torch.compile", inductor, "torch", "torch._dynamo"),
    Contender("autograd", taped, "autograd", "autograd.numpy"),
    Contender("CasADi", scalar_code, "casadi", "casadi"),
    Contender(WRITE, write),
    Contender(WRITE + OUT, write_out),
)


def contenders(task: Task) -> dict[str, Contender]:
    """All for a task, by name: those written by hand first, each also into given memory."""
    hand = [
        contender
        for name in task.hand
        for contender in (
            Contender(HAND + name, by_hand(name)),
            Contender(HAND + name + OUT, by_hand_out(name)),
        )
    ]
    return {contender.name: contender for contender in (*hand, *LIBRARIES)}

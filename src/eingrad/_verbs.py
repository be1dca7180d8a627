"""What the public verbs have in common: how they are called, and how their errors look.

In: a verb, the call that it is for. Out: the verb, which says what an argument that it has not is
called here.
Guaranteed: the verb's name, signature and docstring are its own; an error that is meant ends at the
user's line.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np

from eingrad._shown import shown
from eingrad._tracebacks import shorten

Given = ParamSpec("Given")
Result = TypeVar("Result")

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_STATIC = "leave it out: int, bool, str and None are static here, arrays and floats are inputs"
_AUXILIARY = (
    "there are no auxiliary outputs: differentiate what is scalar, lambda x: f(x)[0], and plan "
    "both together, eg.plan(lambda x: (eg.grad(lambda x: f(x)[0])(x), f(x)[1]), x)"
)
_MODE = "leave it out: the plan is the cheapest order that is found; plan.mode says which"
_BATCH = "there is no vmap: differentiate a function of the whole batch, see docs/recipes.md"

# What other libraries call an option -> what to do.
_ELSEWHERE = {
    "allow_int": "leave it out: integers in what is differentiated become floats",
    "argnames": "give argnums, numbers of positional arguments",
    "argnum": "it is called argnums",
    "backend": "leave it out: plans are NumPy's",
    "chunk_size": _BATCH,
    "create_graph": "leave it out: every derivative can be differentiated",
    "device": "leave it out: plans run on the CPU",
    "donate_argnums": "leave it out: plan(x, out=array) fills an array",
    "has_aux": _AUXILIARY,
    "holomorphic": "leave it out: complex arguments are taken for those of a holomorphic function",
    "in_axes": _BATCH,
    "in_dims": _BATCH,
    "mode": _MODE,
    "n": "the number of differentiations is called order",
    "out_axes": _BATCH,
    "reduce_axes": "leave it out",
    "retain_graph": "leave it out: a plan is called as often as you like",
    "static_argnames": _STATIC,
    "static_argnums": _STATIC,
    "strategy": _MODE,
    "strict": "leave it out: a result that does not depend on an argument is warned of",
    "unroll": "leave it out: the step is one function in the plan, and called in a loop",
    "vectorize": _MODE,
    "wrt": "give argnums, numbers of positional arguments",
}


def verb(call: str) -> Callable[[Callable[Given, Result]], Callable[Given, Result]]:
    """Make a function a public verb; `call` is how it, or what it gives, is called."""

    def of(function: Callable[Given, Result]) -> Callable[Given, Result]:
        name = function.__name__
        parameters = inspect.signature(function).parameters.values()
        kinds = {p.kind for p in parameters}
        names = {p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY}
        most = sum(p.kind in _POSITIONAL for p in parameters)
        needed = [p.name for p in parameters if p.kind in _POSITIONAL and p.default is p.empty]
        any_count = inspect.Parameter.VAR_POSITIONAL in kinds
        any_name = inspect.Parameter.VAR_KEYWORD in kinds

        def check(args: Sequence[Any], given: Iterable[str]) -> None:
            """Refuse a call that Python would refuse."""
            unknown = () if any_name else (k for k in given if k not in names)
            missing = (name for name in needed[len(args) :] if name not in given)
            for option in unknown:
                advice = _ELSEWHERE.get(option, f"it is called as {call}")
                raise TypeError(f"eg.{name} has no argument {shown(option)}; {advice}")
            if len(args) > most and not any_count:
                said = f"{most} positional argument{'s' * (most > 1)}, not {len(args)}"
                raise TypeError(f"eg.{name} takes at most {said}; it is called as {call}")
            for argument in missing:
                raise TypeError(f"eg.{name} is not given {argument!r}; it is called as {call}")

        @functools.wraps(function)
        def called(*args: Given.args, **kwargs: Given.kwargs) -> Result:
            try:
                check(args, kwargs)
                return function(*args, **kwargs)
            except Exception as error:
                shorten(error)
                raise

        return called

    return of


def check_count(value: Any, name: str, least: int = 0) -> int:
    """Give a count as Python's integer; refuse what is none, arrays as values given too early."""
    if isinstance(value, (int, np.integer)) and type(value) is not bool and value >= least:
        return int(value)
    early = isinstance(value, (np.ndarray, list, tuple))
    raise ValueError(
        f"{name} must be an integer of at least {least}, not {shown(value)}"
        + ("; the values are given when the derivative is called" if early else "")
    )

"""How a plan is called, as data: nesting and names of its arguments, what is static, its result.

In: a form, and the arguments of a call. Out: the values of the inputs, in order.
Guaranteed: every error is in the user's words. `_run.entry` writes the same checks out for one form
as code; what that code does not take, is interpreted here.

>>> from eingrad._tree import LEAF
>>> form = SymbolForm(("X", "Y"), ((), ()), LEAF)
>>> inputs_among(form, (1.0,), {"Y": 2.0})
[1.0, 2.0]
>>> inputs_among(form, (1.0,), {})
Traceback (most recent call last):
eingrad.errors.ShapeError: the plan needs an array for Y
"""

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad._arguments import calls_differ
from eingrad._ir import Symmetry, interchange
from eingrad._shown import cut, shown
from eingrad._snapshots import snapshot
from eingrad._tree import Tree, flatten
from eingrad.errors import PlanError, ShapeError, SymmetryError


@dataclass(frozen=True, slots=True)
class Static:
    """A static argument: what it was when the plan was made."""

    kind: str
    shown: str
    state: Hashable

    def holds(self, value: Any) -> bool:
        """Whether a value is what the argument was."""
        return state_of(value) == self.state


@dataclass(frozen=True, slots=True)
class FunctionForm:
    """How the plan of a function is called: as the function was."""

    arguments: Tree  # of ``(args, kwargs)``
    result: Tree
    static: dict[int, Static]  # by the number of the leaf
    names: tuple[str, ...]  # of the leaves, as messages call them
    called: tuple[str, ...]  # names of the arguments


@dataclass(frozen=True, slots=True)
class SymbolForm:
    """How the plan of symbols is called: by position or by name."""

    names: tuple[str, ...]
    symmetries: tuple[Symmetry, ...]  # of the inputs, then of captured arrays
    result: Tree

    @property
    def static(self) -> dict[int, Static]:
        """Nothing: every argument is an array."""
        return {}


Form = FunctionForm | SymbolForm


def inputs_among(form: Form, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """Find the values of the inputs; refuse another form, or other static arguments."""
    if isinstance(form, SymbolForm):
        return _by_name(form, args, kwargs)
    leaves, tree = flatten((args, kwargs), form.arguments)
    if tree != form.arguments:
        raise ShapeError(
            f"{calls_differ(form.called, form.arguments, tree)}; call the plan in the way it was "
            "made"
        )
    for n, known in form.static.items():
        _check_static(known, leaves[n], form.names[n])
    return [leaf for n, leaf in enumerate(leaves) if n not in form.static]


def _by_name(form: SymbolForm, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """Find a value for every symbol."""
    if len(args) > len(form.names):
        raise ShapeError(
            f"the plan takes {len(form.names)} arrays ({', '.join(form.names) or 'none'}) but "
            f"{len(args)} were given"
        )
    values = dict(zip(form.names, args, strict=False))
    for name, value in kwargs.items():
        if name not in form.names:
            raise ShapeError(
                f"the plan has no input {shown(name)}; its inputs are {', '.join(form.names)}"
            )
        if name in values:
            raise ShapeError(f"input {name!r} was given twice, by position and by name")
        values[name] = value
    missing = [name for name in form.names if name not in values]
    if missing:
        raise ShapeError(f"the plan needs an array for {', '.join(missing)}")
    return [values[name] for name in form.names]


def label(form: Form, n: int) -> str:
    """Name an input as the user does, in messages."""
    return [name for k, name in enumerate(form.names) if k not in form.static][n]


def symmetries(form: Form) -> dict[str, Symmetry]:
    """For inputs by name, the groups of blocks of axes that may change places."""
    if isinstance(form, FunctionForm):
        return {}
    return dict(zip(form.names, form.symmetries, strict=False))


def check_symmetry(array: NDArray[Any], symmetry: Symmetry, name: str) -> None:
    """Refuse a given derivative tensor that Schwarz's theorem excludes."""
    for group in symmetry:
        for first, second in itertools.pairwise(group):
            axes = interchange(array.ndim, first, second)
            with np.errstate(invalid="ignore"):
                difference = np.abs(array - array.transpose(axes))
            scale = np.max(np.abs(array), initial=0.0)
            worst = np.nanmax(difference, initial=0.0)
            if worst > scale * np.sqrt(np.finfo(array.dtype).eps):
                raise SymmetryError(
                    f"{name} of shape {array.shape} is not symmetric: interchanging axes {first} "
                    f"and {second} changes an entry by {worst:.3g}, but the order of "
                    "differentiation cannot matter; average it over both orders"
                )


# Static arguments --------------------------------------------------------------------------------


def state_of(value: Any) -> Hashable:
    """The state of an object; where it cannot be known, the exception, which equals nothing."""
    try:
        return snapshot(value)
    except Exception as error:  # the object is the user's, and may raise anything
        return error


def statics(
    leaves: Mapping[int, Any], before: Mapping[int, Hashable], names: Sequence[str]
) -> dict[int, Static]:
    """Note what static arguments are; refuse one whose changes could not be noticed later."""
    found = {}
    for n, leaf in leaves.items():
        state, name = state_of(leaf), names[n]
        for looked_at in (before[n], state):
            if isinstance(looked_at, Exception):
                raise PlanError(
                    f"static argument {name!r}, of type {type(leaf).__name__}, could change "
                    f"unnoticed by the plan ({cut(str(looked_at))}); pass what the function needs "
                    "of it, or capture it, as in lambda x: f(x, it)"
                )
        if state != before[n]:
            raise PlanError(
                f"static argument {name!r}, of type {type(leaf).__name__}, was changed by the "
                "function, so that its next call would compute something else; do not change it "
                "there, or capture it, as in lambda x: f(x, it)"
            )
        found[n] = Static(type(leaf).__name__, shown(leaf), state)
    return found


def _check_static(known: Static, new: Any, name: str) -> None:
    """Refuse another one, and one that has changed."""
    if known.holds(new):
        return
    same = isinstance(new, np.generic) and known.holds(new.item())
    hint = f"pass {known.kind}({name}), or " if same else ""
    text = shown(new)
    made = (
        "is not as it was when the plan was made"
        if text == known.shown
        else f"the plan was made for {known.shown}"
    )
    raise ShapeError(f"static argument {name!r} is {text} but {made}; {hint}make a new plan")

"""Names of modes, and of families of them.

In: an order of differentiation; the modes that make something. Out: names.
Guaranteed: what a name says is true of every mode that it stands for.

A mode gives each differentiation a direction, and is named as the field names it, the last
differentiation first: "forward over reverse" differentiates backward, and then what that computes
forward. The modes of an order are those that change direction once at most; of a Hessian, all four.
Where several make something, "either" stands in its name for a direction that does not matter.

>>> modes_of(2)
['forward over forward', 'forward over reverse', 'reverse over forward', 'reverse over reverse']
>>> name_of({"forward over reverse", "reverse over reverse"}, modes_of(2))
'either over reverse'
"""

import functools
import itertools
from collections.abc import Collection, Sequence

FORWARD, REVERSE = "forward", "reverse"
EITHER, CROSS, VALUE, UNKNOWN = "either", "cross-country", "value", "unknown"
NESTED = "forward over reverse"  # as a kind of step: of a mode that has both directions
_OVER = " over "

_Directions = tuple[str, ...]


def modes_of(order: int) -> list[str]:
    """Name the modes of an order of differentiation."""
    every = itertools.product((FORWARD, REVERSE), repeat=order)
    return [_OVER.join(each) for each in every if _turns(each) <= 1]


def directions_of(mode: str) -> _Directions:
    """Give the direction of each differentiation, the last one first."""
    return tuple(mode.split(_OVER))


def is_mode(name: str) -> bool:
    """Whether a text names a mode, of some order."""
    directions = directions_of(name)
    return {*directions} <= {FORWARD, REVERSE} and _turns(directions) <= 1


def name_of(makers: Collection[str], modes: Sequence[str]) -> str:
    """Name what these of some modes make.

    Parameters
    ----------
    makers : collection of str
        The modes that make it.
    modes : sequence of str
        All modes that are known, of one order.

    Returns
    -------
    str
        "either" where all make it, "cross-country" where none does; else the name of the largest
        family of modes that all make it, which is a mode where it is one alone.
    """
    return _name_of(frozenset(makers), tuple(modes))


@functools.lru_cache(maxsize=1024)
def _name_of(makers: frozenset[str], modes: tuple[str, ...]) -> str:
    if not makers:
        return CROSS
    if len(makers) == len(modes) > 1:
        return EITHER
    order = len(directions_of(modes[0]))
    families = itertools.product((FORWARD, REVERSE, EITHER), repeat=order)
    sized = [(len(held), family) for family in families if (held := _held(family, modes)) <= makers]
    return _OVER.join(max(sized, key=lambda pair: pair[0])[1])


def _held(family: _Directions, modes: Sequence[str]) -> set[str]:
    """Give the modes of a family."""
    return {
        mode
        for mode in modes
        if all(a in (EITHER, b) for a, b in zip(family, directions_of(mode), strict=True))
    }


def _turns(directions: _Directions) -> int:
    return sum(a != b for a, b in itertools.pairwise(directions))


def kind_of_name(name: str) -> str:
    """Say which of the colours of pictures a mode, or a family, has: one for all that have both."""
    directions = {*directions_of(name)} - {EITHER}
    if directions == {FORWARD, REVERSE}:
        return NESTED
    return directions.pop() if directions else EITHER

"""Whether a function drew random numbers: a plan would hold one draw for ever.

In: the function, before and after it is called. Out: names of the generators that it moved.
Guaranteed: nothing is drawn here. Looked at are `random`, `np.random`, and the generators that the
function can reach by a name; one that it makes itself is not seen.

>>> known = generators(np.sin)
>>> before = states(known)
>>> changed(before, states(known))
[]
"""

import random
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np

from eingrad._array_names import seen_by
from eingrad._snapshots import snapshot

_KINDS = (np.random.Generator, np.random.RandomState, np.random.BitGenerator, random.Random)


def generators(f: Callable[..., Any]) -> dict[str, Any]:
    """Find what a function can draw from, by name."""
    found: dict[str, Any] = {"np.random": np.random, "random": random}
    for name, generator in seen_by(f, _KINDS):
        if generator is not getattr(random, "_inst", None):  # that of the module's functions
            found.setdefault(name, generator)
    return found


def states(known: Mapping[str, Any]) -> dict[str, Hashable]:
    """Note the states of generators."""
    return {name: _state(generator) for name, generator in known.items()}


def changed(before: Mapping[str, Hashable], after: Mapping[str, Hashable]) -> list[str]:
    """Name the generators that were drawn from, or seeded."""
    return [name for name, state in before.items() if after[name] != state]


def _state(generator: Any) -> Hashable:
    if generator is random or type(generator) is random.Random:
        state: Hashable = generator.getstate()
        return state
    if isinstance(generator, np.random.Generator):
        return snapshot(generator.bit_generator.state)
    if isinstance(generator, np.random.BitGenerator):
        return snapshot(generator.state)
    if generator is np.random or isinstance(generator, np.random.RandomState):
        return snapshot(generator.get_state())
    return None  # of the system, say: it has no state

"""The canonical order of the factors of a product: by digest, equal ones by how they are wired.

In: a key of each factor, their indices, the output. Out: a permutation.
Guaranteed: products that differ in the order of their factors alone, or in the names of their
indices, come out alike, but for equal factors that no wiring tells apart within reason.
"""

import functools
from collections.abc import Sequence
from typing import Any

from eingrad._subscripts import Subscripts, renumber


def canonical_order(
    keys: Sequence[bytes], terms: Sequence[Subscripts], out: Subscripts
) -> Sequence[int]:
    """Order factors by their keys; equal ones by how they are wired, refined until it decides."""
    if len({*keys}) == len(keys):
        return sorted(range(len(keys)), key=keys.__getitem__)
    numbered = renumber(terms, out)  # so that products wired alike are looked up
    return _order_of_equals(tuple(ranks(keys)), *numbered)


@functools.lru_cache(maxsize=4096)
def _order_of_equals(
    given: tuple[int, ...], terms: tuple[Subscripts, ...], out: Subscripts
) -> tuple[int, ...]:
    """Order operands of given ranks, some equal, by how they are wired, each in itself first."""
    colours = ranks([(r, tuple(map(t.index, t))) for r, t in zip(given, terms, strict=True)])
    while True:
        colours = _refine(colours, terms, out)
        tied = [c for c in colours if colours.count(c) > 1]
        if not tied:
            break
        first = colours.index(min(tied))  # automorphic or nearly so: pick one, refine again
        colours = [2 * c - (n == first) for n, c in enumerate(colours)]
    return tuple(sorted(range(len(colours)), key=colours.__getitem__))


def ranks(colours: Sequence[Any]) -> list[int]:
    """Number colours in their order, equal ones alike, from zero.

    >>> ranks("cab")
    [2, 0, 1]
    """
    places = {colour: n for n, colour in enumerate(sorted(set(colours)))}
    return [places[colour] for colour in colours]


def _refine(colours: list[int], terms: Sequence[Subscripts], out: Subscripts) -> list[int]:
    """Colour operands by the colours of those they share indices with (Weisfeiler-Leman)."""
    place = {index: n for n, index in enumerate(out)}
    while True:
        seen: dict[int, list[tuple[int, int]]] = {}
        for colour, term in zip(colours, terms, strict=True):
            for axis, index in enumerate(term):
                seen.setdefault(index, []).append((colour, axis))
        wiring = {i: (place.get(i, -1), tuple(sorted(seen[i]))) for i in seen}
        finer = ranks(
            [(c, tuple(wiring[i] for i in t)) for c, t in zip(colours, terms, strict=True)]
        )
        if max(finer) == max(ranks(colours)):
            return finer
        colours = finer

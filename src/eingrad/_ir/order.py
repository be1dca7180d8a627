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
    return _order_of_equals(tuple(_ranks(keys)), *numbered)


@functools.lru_cache(maxsize=4096)
def _order_of_equals(
    given: tuple[int, ...], terms: tuple[Subscripts, ...], out: Subscripts
) -> tuple[int, ...]:
    """Order operands of given ranks, some equal, by how they are wired, each in itself first."""
    ranks = _ranks([(r, tuple(map(t.index, t))) for r, t in zip(given, terms, strict=True)])
    while True:
        ranks = _refine(ranks, terms, out)
        tied = [r for r in ranks if ranks.count(r) > 1]
        if not tied:
            break
        first = ranks.index(min(tied))  # automorphic or nearly so: pick one, refine again
        ranks = [2 * r - (n == first) for n, r in enumerate(ranks)]
    return tuple(sorted(range(len(ranks)), key=ranks.__getitem__))


def _ranks(colours: Sequence[Any]) -> list[int]:
    places = {colour: n for n, colour in enumerate(sorted(set(colours)))}
    return [places[colour] for colour in colours]


def _refine(ranks: list[int], terms: Sequence[Subscripts], out: Subscripts) -> list[int]:
    """Colour operands by the colours of those they share indices with (Weisfeiler-Lehman)."""
    while True:
        seen: dict[int, list[tuple[int, int]]] = {}
        for rank, term in zip(ranks, terms, strict=True):
            for axis, index in enumerate(term):
                seen.setdefault(index, []).append((rank, axis))
        place = {index: n for n, index in enumerate(out)}
        colours = {i: (place.get(i, -1), tuple(sorted(seen[i]))) for i in seen}
        finer = _ranks(
            [(r, tuple(colours[i] for i in t)) for r, t in zip(ranks, terms, strict=True)]
        )
        if max(finer) == max(_ranks(ranks)):
            return finer
        ranks = finer

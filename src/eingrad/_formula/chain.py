"""The order in which factors are read: along shared indices, as one writes a product of matrices.

In: the factors of a product, and its axes. Out: the same factors.
Guaranteed: linear in the factors and their axes.
"""

from collections import deque
from collections.abc import Mapping, Sequence

from eingrad._ir import Factor
from eingrad._subscripts import Subscripts


def chain(factors: Sequence[Factor], out: Subscripts) -> list[Factor]:
    """Order factors as one reads a product: along shared indices, from the first axis on."""
    place = {index: n for n, index in enumerate(out)}
    first = [min((place.get(i, len(out)) for i in term), default=-1) for _, term in factors]
    ranked = sorted(range(len(factors)), key=lambda n: (first[n], n))
    rank = {n: r for r, n in enumerate(ranked)}
    users: dict[int, deque[int]] = {}
    for n in ranked:
        for index in {*factors[n][1]}.difference(place):
            users.setdefault(index, deque()).append(n)
    waiting = deque(ranked)
    written: dict[int, None] = {}
    while len(written) < len(factors):
        last = factors[next(reversed(written))][1] if written else ()
        queues = [users[i] for i in last if i in users]
        heads = [_first_of(queue, written) for queue in (*queues, waiting)]
        met = [n for n in heads[:-1] if n is not None] or [n for n in heads if n is not None]
        written[min(met, key=rank.__getitem__)] = None
    return [factors[n] for n in written]


def _first_of(queue: deque[int], written: Mapping[int, None]) -> int | None:
    """Return the first number of a queue that is not written; drop those that are."""
    while queue and queue[0] in written:
        queue.popleft()
    return queue[0] if queue else None

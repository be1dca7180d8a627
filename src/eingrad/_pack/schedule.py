"""In which order operations are done, and which together: those of one kind that can be.

In: operations, and what each needs. Out: groups, each after all that it needs.
Guaranteed: each group is of one kind, or one node; deterministic.

An operation is *ready* when all that it needs is done. A kind of which all that is left is ready is
done at once: to wait would bring no more. Else the kind goes first that could be done earliest. Of
several the one that was ready first; it takes the logarithm of how many there are to find it.
"""

import heapq
import itertools
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence, Set


def schedule(
    needs: Mapping[int, Set[int]], kinds: Mapping[int, Hashable | None]
) -> list[list[int]]:
    """Group what is done together; what has no kind is done by itself, as soon as it is ready.

    >>> schedule({0: set(), 1: {0}, 2: set(), 3: {2}}, {0: "a", 1: "b", 2: "c", 3: "b"})
    [[0], [2], [1, 3]]
    """
    state = _State(needs, kinds)
    groups = []
    while group := state.next_group():
        groups.append(group)
        state.finish(group)
    return groups


class _State:
    """What is ready, by kind, and what waits for how many others."""

    def __init__(self, needs: Mapping[int, Set[int]], kinds: Mapping[int, Hashable | None]) -> None:
        self._kinds = kinds
        self._needs = needs
        self._users: dict[int, list[int]] = {n: [] for n in needs}
        self._waits = {n: len(below & needs.keys()) for n, below in needs.items()}
        for n, below in needs.items():
            for m in below & needs.keys():
                self._users[m].append(n)
        self._left = Counter(kinds[n] for n in needs)
        self._level: dict[int, int] = {}
        self._alone: list[int] = []
        self._ready: dict[Hashable, list[int]] = {}
        self._serials = itertools.count()
        self._serial: dict[Hashable, int] = {}  # of a kind that is ready, since when
        self._of_serial: dict[int, Hashable] = {}
        self._whole: list[int] = []  # heaps of serials, those of kinds that were taken too
        self._earliest: list[tuple[int, int]] = []
        for n, count in self._waits.items():
            if not count:
                self._enter(n)

    def next_group(self) -> list[int]:
        """Take what is done next; nothing where all is done."""
        if self._alone:
            return [self._alone.pop()]
        if not self._ready:
            return []
        kind = self._of_serial.pop(self._next_serial())
        del self._serial[kind]
        group = self._ready.pop(kind)
        self._left[kind] -= len(group)
        return group

    def _next_serial(self) -> int:
        while self._whole:
            serial = heapq.heappop(self._whole)
            if serial in self._of_serial:
                return serial
        while True:
            _, serial = heapq.heappop(self._earliest)
            if serial in self._of_serial:
                return serial

    def finish(self, group: Sequence[int]) -> None:
        """Make ready what waited for a group alone."""
        for n in group:
            for user in self._users[n]:
                self._waits[user] -= 1
                if not self._waits[user]:
                    self._enter(user)

    def _enter(self, n: int) -> None:
        below = (self._level[m] for m in self._needs[n] if m in self._level)
        self._level[n] = 1 + max(below, default=0)
        kind = self._kinds[n]
        if kind is None:
            self._alone.append(n)
            return
        if kind not in self._ready:
            self._ready[kind] = []
            self._serial[kind] = serial = next(self._serials)
            self._of_serial[serial] = kind
        self._ready[kind].append(n)
        heapq.heappush(self._earliest, (self._level[n], self._serial[kind]))
        if len(self._ready[kind]) == self._left[kind]:
            heapq.heappush(self._whole, self._serial[kind])

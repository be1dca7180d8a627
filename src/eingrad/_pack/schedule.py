"""In which order operations are done, and which together: those of one kind that can be.

In: operations, and what each needs. Out: groups, each after all that it needs.
Guaranteed: each group is of one kind, or one node; deterministic.

An operation is *ready* when all that it needs is done. A kind of which all that is left is ready is
done at once: to wait would bring no more. Else the kind goes first that could be done earliest.
"""

from collections.abc import Hashable, Mapping, Sequence, Set


def schedule(
    needs: Mapping[int, Set[int]], kinds: Mapping[int, Hashable | None]
) -> list[list[int]]:
    """Group what is done together; what has no kind is done by itself, as soon as it is ready.

    >>> schedule({0: {*()}, 1: {0}, 2: {*()}, 3: {2}}, {0: "a", 1: "b", 2: "c", 3: "b"})
    [[0], [2], [1, 3]]
    """
    users: dict[int, list[int]] = {n: [] for n in needs}
    waits = {}
    for n, below in needs.items():
        waits[n] = sum(m in users for m in below)
        for m in below:
            if m in users:
                users[m].append(n)
    left: dict[Hashable, int] = {}
    for n in needs:
        left[kinds[n]] = left.get(kinds[n], 0) + 1
    level: dict[int, int] = {}
    ready: dict[Hashable, list[int]] = {}
    alone: list[int] = []
    groups: list[list[int]] = []

    def enter(n: int) -> None:
        level[n] = 1 + max((level[m] for m in needs[n] if m in level), default=0)
        if kinds[n] is None:
            alone.append(n)
        else:
            ready.setdefault(kinds[n], []).append(n)

    def done(group: Sequence[int]) -> None:
        groups.append([*group])
        for n in group:
            for user in users[n]:
                waits[user] -= 1
                if not waits[user]:
                    enter(user)

    for n, count in waits.items():
        if not count:
            enter(n)
    while alone or ready:
        if alone:
            done([alone.pop()])
            continue
        kind = next((k for k, group in ready.items() if len(group) == left[k]), None)
        if kind is None:
            kind = min(ready, key=lambda k: min(level[n] for n in ready[k]))
        group = ready.pop(kind)
        left[kind] -= len(group)
        done(group)
    return groups

"""Order statements so that less memory is live at once.

In: a program. Out: an equal one, whose statements are in an order of lower peak; or the same.
Guaranteed: a statement comes after those that it needs; what is written in place keeps its order
with whatever looks at that memory.

The order of lowering makes what an expression is made of, from left to right. Two others are tried:
of those statements that could come next, that which adds least to what is live (list scheduling);
and each value as late as it can be, of the operands of a statement the one first that needs most
beside what it leaves (Sethi and Ullman). A peak that is not a twentieth lower is not worth another
order.

References
----------
R. Sethi and J. D. Ullman, *The generation of optimal code for arithmetic expressions*, Journal of
the ACM 17 (1970), 715-728.
"""

import heapq
from collections.abc import Sequence
from dataclasses import replace

from eingrad._limits import BUDGET, POLICY
from eingrad._plan.program import Program


def in_less_memory(program: Program) -> Program:
    """Take the order of the lowest peak, where memory is worth it."""
    peak = program.peak_bytes
    is_long = len(program.statements) > BUDGET.compared_nodes
    if peak < POLICY.ordered_bytes or is_long:
        return program
    needs = _needs(program)
    orders = (_least_added(program, needs), _late(program, needs))
    best = min((_reordered(program, order) for order in orders), key=lambda p: p.peak_bytes)
    return best if best.peak_bytes * 20 <= peak * 19 else program


def _needs(program: Program) -> list[list[int]]:
    """For each statement, those that have to come before it."""
    base = program.bases()
    made = {t: n for n, s in enumerate(program.statements) for t in s.targets}
    wrote: dict[int, int] = {}  # memory, and the statement that wrote to it last
    looked: dict[int, list[int]] = {}  # and those that looked at it since
    found = []
    for n, s in enumerate(program.statements):
        before = {made[v] for v in s.operands if v in made}
        written = {base[v] for v in s.written} | ({base[s.operands[0]]} if s.is_in_place else set())
        for memory in {base[v] for v in s.operands}:
            before.update([wrote[memory]] if memory in wrote else [])
            if memory in written:
                before.update(looked.pop(memory, ()))
                wrote[memory] = n
            looked.setdefault(memory, []).append(n)
        found.append(sorted(before - {n}))
    return found


def _least_added(program: Program, needs: Sequence[Sequence[int]]) -> list[int]:
    """Of the statements that could come next, take the one after which least is live."""
    statements, base, values = program.statements, program.bases(), program.values()
    users: dict[int, set[int]] = {}  # of memory, that are still to come
    for n, s in enumerate(statements):
        for v in (*s.operands, *s.targets):
            users.setdefault(base[v], set()).add(n)
    kept = {*range(program.first), *(base[v] for v in program.outputs)}
    waiting = [len(before) for before in needs]
    after: list[list[int]] = [[] for _ in statements]
    for n, before in enumerate(needs):
        for m in before:
            after[m].append(n)

    def added(n: int) -> int:
        s = statements[n]
        memory = {base[v] for v in (*s.operands, *s.targets)} - kept
        freed = sum(values[m].bytes for m in memory if users[m] == {n})
        return s.bytes - freed

    heap = [(added(n), n) for n, count in enumerate(waiting) if not count]
    heapq.heapify(heap)
    order: list[int] = []
    done: set[int] = set()
    while heap:
        _, n = heapq.heappop(heap)
        if n in done:
            continue
        done.add(n)
        order.append(n)
        changed: set[int] = set()
        for v in (*statements[n].operands, *statements[n].targets):
            left = users[base[v]]
            left.discard(n)
            changed.update(left if len(left) == 1 else ())
        for m in after[n]:
            waiting[m] -= 1
            changed.update(() if waiting[m] else (m,))
        for m in sorted(changed):
            if not waiting[m] and m not in done:
                heapq.heappush(heap, (added(m), m))
    return order


def _late(program: Program, needs: Sequence[Sequence[int]]) -> list[int]:
    """Go down from the end; what needs most beside what it leaves is made first."""
    statements = program.statements
    need: list[int] = []
    below: list[list[int]] = []
    for s, before in zip(statements, needs, strict=True):
        first = sorted(before, key=lambda m: (statements[m].bytes - need[m], m))
        most = held = 0
        for m in first:
            most = max(most, held + need[m])
            held += statements[m].bytes
        need.append(max(most, held + s.bytes + s.workspace_bytes))
        below.append(first)
    order: list[int] = []
    done: set[int] = set()
    pending = [(n, False) for n in range(len(statements))[::-1]]
    made = {t: n for n, s in enumerate(statements) for t in s.targets}
    pending += [(made[v], False) for v in program.outputs[::-1] if v in made]
    while pending:
        n, is_ready = pending.pop()
        if n in done:
            continue
        if is_ready:
            done.add(n)
            order.append(n)
        else:
            pending.append((n, True))
            pending += [(m, False) for m in below[n][::-1] if m not in done]
    return order


def _reordered(program: Program, order: Sequence[int]) -> Program:
    """Put statements in another order, and number their values by it."""
    number = {n: n for n in range(program.first)}
    for n in order:
        for target in program.statements[n].targets:
            number[target] = len(number)
    statements = tuple(
        replace(
            s,
            operands=tuple(number[v] for v in s.operands),
            targets=tuple(number[v] for v in s.targets),
        )
        for s in (program.statements[n] for n in order)
    )
    outputs = tuple(number[v] for v in program.outputs)
    return replace(program, statements=statements, outputs=outputs)

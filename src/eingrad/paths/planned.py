"""Schedules of planned nodes: what eingrad computes, as other executors can compute it too.

In: planned roots, one for each output of a problem. Out: a `Schedule`.
Guaranteed: a step for each product, an addition for each sum; what structure moves is a contraction
with a matrix of zeros and ones, or a delta in a result.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from eingrad import _ir
from eingrad._ir import Add, Einsum, Node, Placement, Product, Selection, Structural
from eingrad.errors import PlanError
from eingrad.paths.along import Writer, step_of, write_total
from eingrad.paths.problem import Array, Problem
from eingrad.paths.schedule import Part, Schedule, Step, Total

_Factor = tuple[int, tuple[int, ...]]  # a value, and the index of each of its axes


class _Seen(NamedTuple):
    """A node as ``coefficient * transpose(value, axes)``."""

    coefficient: Any
    value: int
    axes: tuple[int, ...]


def of_nodes(
    problem: Problem,
    roots: Sequence[Node],
    operands: Sequence[Node],
    long: Iterable[Product] = (),
) -> Schedule:
    """Write planned roots, one for each output, whose products are pairwise.

    `operands` are the nodes of the operands. What structure moves becomes a contraction with a
    matrix of zeros and ones, deltas in a result apart. `long` are products of some of the nodes,
    which are noted as steps, not computed.
    """
    nodes = [node for node in _below(roots, operands) if not isinstance(node, Structural)]
    tables = _tables(nodes, operands)
    writer = Writer(problem, [_array(node) for node in tables])
    places = {node: len(operands) + n for n, node in enumerate(tables)}
    seen = {node: _Seen(1, n, tuple(range(node.ndim))) for n, node in enumerate(operands)}
    for node in nodes:
        if node not in seen:
            seen[node] = _write_node(writer, node, seen, places)
    outputs = [
        write_total(writer, [Part(float(s.coefficient), s.value, s.axes)], root.shape)
        for root, s in ((root, seen[root]) for root in roots)
    ]
    steps = {_long_step(node, seen): None for node in long if seen.keys() >= {*node.operands}}
    done = writer.done(outputs)
    return replace(done, own=(tuple(roots), tuple(operands)), steps=tuple(steps))


def _long_step(node: Product, seen: Mapping[Node, _Seen]) -> Step:
    """Write a product of several nodes as one step; its coefficient says nothing of its mode."""
    factors = [
        (inner.value, tuple([term[inner.axes.index(axis)] for axis in range(len(term))]))
        for inner, term in ((seen[operand], term) for operand, term in node.factors)
    ]
    return step_of(factors, node.out, dict(enumerate(node.sizes)))


def _below(roots: Sequence[Node], operands: Sequence[Node]) -> list[Node]:
    """Nodes down to the operands, children first."""
    stop = {*operands}
    wanted: set[Node] = set()
    stack = [*roots]
    while stack:
        node = stack.pop()
        if node not in wanted:
            wanted.add(node)
            stack += () if node in stop else _ir.children(node)
    return [node for node in _ir.topological(roots) if node in wanted]


def _tables(nodes: Sequence[Node], operands: Sequence[Node]) -> list[Node]:
    """Structural tensors that are no deltas of a result, and constants."""
    found: dict[Node, None] = {}
    stop = {*operands}
    for node in nodes:
        if node in stop:
            continue
        if isinstance(node, _ir.Constant):
            found[node] = None
        if isinstance(node, Placement):
            found.update(dict.fromkeys(s for s, _ in node.structure if not _is_delta(s)))
            if node.core is None:
                found[_ir.constant(np.ones((), node.dtype))] = None
    return [*found]


def _array(node: Node) -> Array:
    """Values of a constant, or of a structural tensor as numbers: boolean sums are no counts."""
    return node.value if isinstance(node, _ir.Constant) else _ir.dense(node).astype(float)


def _is_delta(node: Node) -> bool:
    return isinstance(node, Selection) and node.is_delta


def _write_node(
    writer: Writer, node: Node, seen: dict[Node, _Seen], tables: Mapping[Node, int]
) -> _Seen:
    match node:
        case Add():
            parts = [
                Part(float(c * seen[term].coefficient), seen[term].value, seen[term].axes)
                for term, c in zip(node.terms, node.coefficients, strict=True)
            ]
            return _plain(writer.write(Total(tuple(parts), node.shape)), node)
        case Product() if _ir.canonical_twin(node)[0] is not node:
            return _write_twin(writer, node, seen, tables)
        case Einsum():
            return _write_einsum(writer, node, seen, tables)
        case _ if node in tables:
            return _plain(tables[node], node)
    raise PlanError(f"a step of the plan is no contraction of the operands: {node!r}")


def _plain(value: int, node: Node, coefficient: Any = 1) -> _Seen:
    return _Seen(coefficient, value, tuple(range(node.ndim)))


def _write_twin(
    writer: Writer, node: Product, seen: dict[Node, _Seen], tables: Mapping[Node, int]
) -> _Seen:
    """Look at what transposed and scaled twins of a product have in common; it is made once."""
    twin, axes = _ir.canonical_twin(node)
    if twin not in seen:
        seen[twin] = _write_einsum(writer, twin, seen, tables)
    made = seen[twin]
    moved = tuple([made.axes[axes.index(axis)] for axis in range(node.ndim)])
    return _Seen(made.coefficient * node.coefficient, made.value, moved)


def _write_einsum(
    writer: Writer, node: Einsum, seen: Mapping[Node, _Seen], tables: Mapping[Node, int]
) -> _Seen:
    coefficient: Any = node.coefficient
    factors: list[_Factor] = []
    tied: dict[int, int] = {}
    for operand, term in node.factors:
        if _is_delta(operand):
            a, b = (_find(tied, index) for index in term)
            tied[max(a, b)] = min(a, b)
        elif isinstance(operand, Structural):
            factors.append((tables[operand], term))
        else:
            inner = seen[operand]
            coefficient = coefficient * inner.coefficient
            places = sorted(range(len(term)), key=lambda k: inner.axes[k])
            factors.append((inner.value, tuple([term[k] for k in places])))
    sizes = dict(enumerate(node.sizes))
    factors = [(value, tuple([_find(tied, i) for i in term])) for value, term in factors]
    out = tuple([_find(tied, index) for index in node.out])
    if not factors:
        factors.append((tables[_ir.constant(np.ones((), node.dtype))], ()))
    if len(factors) == 1 and len({*out}) == len(out) and sorted(out) == sorted(factors[0][1]):
        ((value, term),) = factors
        return _Seen(coefficient, value, tuple([term.index(index) for index in out]))
    if isinstance(node, Placement) and abs(coefficient) != 1:  # the core is smaller, mostly
        factors[0] = _scaled(writer, factors[0], coefficient, sizes)
        coefficient = 1
    if len(factors) > 1:
        factors = _reduced(writer, factors, out, sizes)
    while len(factors) > 2:  # noqa: PLR2004 - a core, and several tables
        pair, rest = factors[:2], factors[2:]
        needed = {*out}.union(*(term for _, term in rest))
        kept = tuple(i for i in dict.fromkeys(pair[0][1] + pair[1][1]) if i in needed)
        factors = [(writer.contract(pair, kept, sizes), kept), *rest]
    return _plain(writer.contract(factors, out, sizes), node, coefficient)


def _scaled(writer: Writer, factor: _Factor, coefficient: Any, sizes: Mapping[int, int]) -> _Factor:
    value, term = factor
    part = Part(float(coefficient), value, tuple(range(len(term))))
    return writer.write(Total((part,), tuple([sizes[i] for i in term]))), term


def _reduced(
    writer: Writer, factors: Sequence[_Factor], out: Sequence[int], sizes: Mapping[int, int]
) -> list[_Factor]:
    """Sum what a factor has alone, and take diagonals, before factors meet."""
    uses = Counter(i for _, term in factors for i in {*term})
    uses.update({*out})
    reduced = []
    for value, term in factors:
        kept = tuple(i for i in dict.fromkeys(term) if uses[i] > 1)
        is_whole = kept == term
        reduced.append((value if is_whole else writer.contract([(value, term)], kept, sizes), kept))
    return reduced


def _find(tied: Mapping[int, int], index: int) -> int:
    while index in tied:
        index = tied[index]
    return index

r"""What an expression is, for people: its formula as text or LaTeX, and its terms.

In: a node. Out: lines of text, or the terms with their deltas and cores.
Guaranteed: a subexpression that occurs more than once, or that is deep, has a line of its own, so
the text is linear in the graph; nothing recurses on its depth; equal graphs print alike.

>>> from eingrad import _ir
>>> a, x = _ir.new_input("A", (2, 3)), _ir.new_input("x", (3,))
>>> text(_ir.einsum("ij,j->i", a, x))
'[i] = sum_j A[i,j] x[j]'
>>> latex(_ir.einsum("ij,j->i", a, x))
'\\left[\\,\\cdot\\,\\right]_{i} = \\sum_{j} A_{ij} x_{j}'
"""

import math
from collections import Counter, deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from eingrad import _ir, _opaque
from eingrad._ir import (
    Add,
    Apply,
    Constant,
    Einsum,
    Factor,
    Input,
    Merge,
    Node,
    Placement,
    Selection,
    Structural,
)
from eingrad._notation import Latex, Phrase, Text
from eingrad._opaque import is_opaque
from eingrad._precedence import ATOM, PLUS, PRODUCT, SUM
from eingrad._primitives import row_of
from eingrad._subscripts import Subscripts

_Ties = list[tuple[Phrase, Phrase]]

_DEEPEST = 6  # nodes inside each other on one line
_SHOWN = 16  # entries of a constant that are written out
_NUMBERS = ("True", "False", "nan", "inf")  # identifiers that are read as numbers
_SHORT = 3  # operands of a call that is written out again wherever it is used


def text(node: Node, shown: int = _SHOWN) -> str:
    """Write a formula, one line per shared subexpression, the last one for the value.

    Constants and tables of more than `shown` entries are told by their shape.
    """
    notation = Text()
    return notation.aligned(_Writer(notation, node, shown).lines())


def latex(node: Node) -> str:
    """Write the formula as LaTeX, the lines of a formula of several aligned."""
    notation = Latex()
    return notation.aligned(_Writer(notation, node, _SHOWN).lines())


# Writing -----------------------------------------------------------------------------------------


class _Writer:
    """Writes one formula: decides what gets a line of its own, then writes line by line."""

    def __init__(self, notation: Text, root: Node, shown: int) -> None:
        self.notation, self.root, self.shown = notation, root, shown
        self.order = _find_printed([root])
        self.symbols = _symbols(notation, self.order)
        taken = set(self.symbols.values())
        self.delta = next(name for name in notation.deltas if name not in taken)
        constants = (n for n in self.order if isinstance(n, Constant) and n.ndim)
        self.constants = dict(zip(constants, _free_names(notation, "c", taken), strict=False))
        self.bound = dict(zip(self._to_bind(), _free_names(notation, "t", taken), strict=False))
        self.tables: dict[Hashable, tuple[str, _ir.Table]] = {}
        self.table_names = _free_names(notation, "p", taken)
        self.letters = 0  # in use
        self.ranges: dict[str, int | None] = {}  # letter -> size of the least axis it stands at

    def _to_bind(self) -> Iterator[Node]:
        """What is used twice, must be named where it is used, or lies too deep."""
        uses = Counter(child for node in self.order for child in _below(node))
        named = {child for node in self.order for child in _named_below(node)}
        depth: dict[Node, int] = {}
        for node in self.order:
            below = _below(node)
            depth[node] = 1 + max((depth[n] for n in below), default=-1)
            short = isinstance(node, Apply) and depth[node] <= 1 and len(below) <= _SHORT
            repeated = uses[node] > 1 and below and not short
            wanted = repeated or depth[node] > _DEEPEST or node in named
            if wanted and node is not self.root and not _has_a_name(node):
                depth[node] = 0
                yield node

    def lines(self) -> list[str]:
        """Write the shared lines, then the value, with the constants and tables they use first."""
        notation = self.notation
        body = [self._line(name, node) for node, name in self.bound.items()]
        body.append(self._line("", self.root))
        shown = [
            f"{name} = {notation.entries(node.value.tolist())}"
            if 0 < node.size <= self.shown
            else f"{name} = {notation.unwritten(node.shape)}"
            for node, name in self.constants.items()
        ]
        for name, table in self.tables.values():
            short = len(table) <= self.shown
            written = (
                notation.table([*map(int, table)]) if short else notation.unwritten((len(table),))
            )
            shown.append(f"{name} = {written}")
        return [*shown, *body]

    def _line(self, name: str, node: Node) -> str:
        self.letters = 0
        indices = [self._new_index() for _ in node.shape]
        written = self._write(node, indices, opened=True).signed
        if not name and not indices:
            return written
        notation = self.notation
        for index in indices:
            if not notation.mentions(written, index.text):
                self.ranges[index.text] = None  # it was noted of a position that is not written
        heads = [self._head(i, n, told=not name) for i, n in zip(indices, node.shape, strict=True)]
        return f"{notation.head(name, heads) if name else notation.value(heads)} = {written}"

    def _new_index(self) -> Phrase:
        index = self.notation.letter(self.letters)
        self.letters += 1
        self.ranges[index] = None
        return Phrase(index)

    def _head(self, index: Phrase, size: int, *, told: bool = False) -> str:
        """Write an index with its range, where no axis that it stands at alone gives it.

        The shape of the value is `told` besides: there it is enough that nothing gives another.
        """
        least = self.ranges[index.text]
        known = least == size or (told and least is None)
        return index.text if known else self.notation.below(index.text, size)

    def _element(self, name: str, node: Node, positions: Sequence[Phrase]) -> Phrase:
        """Write an entry, and note the size of the axes at which a letter stands alone."""
        for position, size in zip(positions, node.shape, strict=True):
            self._note(position, size)
        return Phrase(self.notation.element(name, positions))

    def _note(self, position: Phrase, size: int) -> None:
        if position.text in self.ranges:
            least = self.ranges[position.text]
            self.ranges[position.text] = size if least is None else min(least, size)

    def _write(self, node: Node, indices: Sequence[Phrase], *, opened: bool = False) -> Phrase:
        if node in self.bound and not opened:
            return self._element(self.bound[node], node, indices)
        match node:
            case Constant() if not node.ndim:
                return _number(self.notation, node.value.item())
            case Einsum():
                return self._einsum(node, indices)
            case Add():
                return self._sum(node, indices)
            case Apply() if not is_opaque(node):
                return self._call(node, indices)
            case Input() | Constant() | Apply():
                return self._element(self._named(node), node, indices)
        raise AssertionError(f"a structural tensor outside a contraction: {node}")

    def _named(self, node: Node) -> str:
        """Name a whole array."""
        if isinstance(node, Constant):
            return self.constants[node] if node.ndim else self._write(node, ()).signed
        return self.bound[node] if node in self.bound else self.symbols[node]

    def _call(self, node: Apply, indices: Sequence[Phrase]) -> Phrase:
        if row_of(node).hidden:
            return self._write(node.operands[0], indices)
        if row_of(node).core == ():
            return self.notation.call(node, [self._write(n, indices) for n in node.operands])
        written = self.notation.call(node, [Phrase(self._named(n)) for n in node.operands])
        return self._element(written.text, node, indices) if indices else written

    def _sum(self, node: Add, indices: Sequence[Phrase]) -> Phrase:
        written = []
        first_free = most = self.letters
        for term, coefficient in zip(node.terms, node.coefficients, strict=True):
            self.letters = first_free  # summed indices are local to their term
            written.append(self._scaled(coefficient, self._write(term, indices)))
            most = max(most, self.letters)
        self.letters = most
        written.sort(key=lambda phrase: (phrase.negative, phrase.text))
        first, *rest = written
        parts = [first.signed]
        for phrase in rest:
            sign = "-" if phrase.negative else "+"
            parts.append(
                f"{sign} {self.notation.inside(Phrase(phrase.text, binds=phrase.binds), SUM)}"
            )
        return Phrase(" ".join(parts), binds=PLUS)

    def _scaled(self, coefficient: Any, phrase: Phrase) -> Phrase:
        number = _number(self.notation, coefficient)
        negative = number.negative != phrase.negative
        if phrase.text == "1":
            return Phrase(number.text, negative)
        phrase = Phrase(phrase.text, binds=phrase.binds)
        if number.text != "1":
            factors = f"{number.text} {self._factor(phrase, first=False)}"
            return Phrase(factors, negative, PRODUCT)
        return self._with_sign(phrase, negative)

    def _with_sign(self, phrase: Phrase, negative: bool) -> Phrase:
        """Give a phrase a sign of its own: ``-(a + b)``, not ``-a + b``."""
        if negative and phrase.binds < SUM:
            return Phrase(self.notation.group(phrase.text), negative)
        return Phrase(phrase.text, negative, phrase.binds)

    def _factor(self, phrase: Phrase, *, first: bool) -> str:
        """Write a factor; two numbers beside each other would be one."""
        digits = not first and phrase.text[0].isdigit()
        binds = ATOM + 1 if digits else PRODUCT
        return self.notation.inside(phrase, binds)

    # Products with structure

    def _einsum(self, node: Einsum, indices: Sequence[Phrase]) -> Phrase:
        names = dict(zip(node.out, indices, strict=True))
        structure = node.structure if isinstance(node, Placement) else ()
        cores = _chain(node.factors[: len(node.factors) - len(structure)], node.out)
        single = (index for index, size in enumerate(node.sizes) if size == 1)
        names.update({index: Phrase("0") for index in single if index not in names})
        summed, ties = self._name_indices(cores, structure, names)
        factors, negative = [], False
        for operand, term in cores:
            phrase = self._write(operand, [names[index] for index in term])
            negative ^= phrase.negative
            factors.append(Phrase(phrase.text, binds=phrase.binds))
        number = _number(self.notation, node.coefficient)
        if len(factors) == 1 and number.text == "1" and not (summed or ties):
            return self._with_sign(factors[0], negative ^ number.negative)
        words = [self.notation.element(self.delta, pair) for pair in ties]
        for factor, times in Counter(factors).items():
            first = not words and number.text == "1"
            word = self._factor(factor, first=first)
            words.append(word if times == 1 else self.notation.raised(factor, times))
        if number.text != "1" or not words:
            words.insert(0, number.text)
        joined = " ".join(words)
        if summed:
            heads = [self._head(names[index], node.sizes[index]) for index in summed]
            return Phrase(self.notation.sum(heads, joined), negative ^ number.negative, SUM)
        binds = PRODUCT if len(words) > 1 or factors else ATOM
        return Phrase(joined, negative ^ number.negative, binds)

    def _name_indices(
        self, cores: Sequence[Factor], structure: Sequence[Factor], names: dict[int, Phrase]
    ) -> tuple[list[int], _Ties]:
        """Name all indices: by those that determine them, else by a letter, over which to sum.

        Returns the indices that are summed, and pairs of names that must agree.
        """
        summed: list[int] = []
        ties: _Ties = []
        waiting = list(structure)
        every = dict.fromkeys(index for _, term in (*cores, *structure) for index in term)
        while True:
            waiting = self._name_determined(waiting, names, ties)
            unnamed = [index for index in every if index not in names]
            if not unnamed:
                return summed, ties
            determined = {i for operand, term in waiting for i in _determine(operand, term)[0]}
            free = [index for index in unnamed if index not in determined]
            index = (free or unnamed)[0]  # none is free where they determine each other in a ring
            names[index] = self._new_index()
            summed.append(index)

    def _name_determined(
        self, waiting: list[Factor], names: dict[int, Phrase], ties: _Ties
    ) -> list[Factor]:
        """Name what structure determines, ``x[i+2]`` for ``x[2:]``; return what must still wait."""
        while True:
            rest = [pair for pair in waiting if not self._name_by(*pair, names, ties)]
            if len(rest) == len(waiting):
                return rest
            waiting = rest

    def _name_by(
        self, operand: Node, term: Subscripts, names: dict[int, Phrase], ties: _Ties
    ) -> bool:
        """Name what one structural tensor determines, or tie names; whether it can be done yet."""
        (head,), parts = _determine(operand, term)
        if all(part in names for part in parts):
            found = [(head, self._position(operand, [names[part] for part in parts]))]
        elif isinstance(operand, Merge) and head in names:
            found = list(zip(parts, self._split(names[head], operand.shape[1:]), strict=True))
        else:
            return False
        for index, position in found:
            if names.setdefault(index, position) != position:
                ties.append((position, names[index]))
        return True

    def _position(self, operand: Node, parts: Sequence[Phrase]) -> Phrase:
        """Write where an index lies, as a function of those that determine it."""
        notation = self.notation
        if isinstance(operand, Merge):
            position = parts[0]
            for part, size in zip(parts[1:], operand.shape[2:], strict=True):
                position = notation.joined(position, size, part)
            return position
        assert isinstance(operand, Selection)
        (row,) = parts
        table = operand.table
        if not isinstance(table, range):
            key = _ir.key_of(table)
            if key not in self.tables:
                self.tables[key] = next(self.table_names), table
            self._note(row, len(table))
            return notation.entry(self.tables[key][0], row)
        if len(table) == 1:
            return Phrase(f"{table.start}")
        return notation.shifted(table.start, table.step, row)

    def _split(self, position: Phrase, sizes: Sequence[int]) -> list[Phrase]:
        """Write the axes that one axis splits into: quotients and remainders of its position."""
        parts = []
        stride = 1
        for n, size in reversed(list(enumerate(sizes))):
            part = position if stride == 1 else self.notation.quotient(position, stride)
            if size == 1:
                part = Phrase("0")
            elif any(m > 1 for m in sizes[:n]):
                part = self.notation.remainder(part, size)
            parts.append(part)
            stride *= size
        return parts[::-1]


def _symbols(notation: Text, order: Sequence[Node]) -> dict[Node, str]:
    """Name inputs and opaque functions, those of one name apart: ``x``, ``x_2``."""
    inputs = sorted((n for n in order if isinstance(n, Input)), key=lambda n: n.serial)
    opaque = [n for n in order if isinstance(n, Apply) and is_opaque(n)]
    labels: dict[Node, str] = {n: n.name for n in inputs}
    labels.update(_opaque.names(opaque))
    given = set(labels.values())
    taken = set(_NUMBERS)
    symbols: dict[Node, str] = {}
    for node, label in labels.items():
        others = (f"{label}_{n}" for n in count(2))
        name = label if label not in taken else next(n for n in others if n not in taken | given)
        taken.add(name)
        plain = is_opaque(node) and name == _opaque.label(node)
        symbols[node] = (
            notation.partial(name, *_opaque.name_and_arguments(node))
            if plain
            else notation.symbol(name)
        )
    return symbols


def _free_names(notation: Text, kind: str, taken: set[str]) -> Iterator[str]:
    """Names of our own that are none of the user's."""
    names = (notation.name(kind, n) for n in count())
    return (name for name in names if name not in taken)


def _has_a_name(node: Node) -> bool:
    return isinstance(node, (Input, Constant)) or is_opaque(node)


def _named_below(node: Node) -> Sequence[Node]:
    """Operands that must have a name, not a formula, where they are used.

    Those of calls on whole arrays; and what a selection that may select nothing takes from: an
    entry that is nowhere is zero, but ``exp`` of it is not.
    """
    if isinstance(node, Apply) and row_of(node).core != ():
        return _below(node)
    if isinstance(node, Einsum) and any(_is_partial(n) for n in node.operands):
        return _below(node)
    return ()


def _is_partial(node: Node) -> bool:
    """Whether a selection has rows that select nothing."""
    return isinstance(node, Selection) and _ir.selects(node.table) is not None


def _chain(factors: Sequence[Factor], out: Subscripts) -> list[Factor]:
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


def _determine(operand: Node, term: Subscripts) -> tuple[Subscripts, Subscripts]:
    """Which index structure determines, and by which."""
    assert isinstance(operand, Structural)
    return operand.determine(term)


def _number(notation: Text, value: Any) -> Phrase:
    """Write a number: its sign apart, as that of the term."""
    if isinstance(value, (complex, bool)):
        return Phrase(notation.number(value))
    negative = value < 0 or (isinstance(value, float) and math.copysign(1, value) < 0)
    return Phrase(notation.number(abs(value)), negative=negative)


def _below(node: Node) -> tuple[Node, ...]:
    """Nodes that a formula writes: not structure, nor what an opaque function is a function of."""
    if is_opaque(node):
        return ()
    return tuple(n for n in _ir.children(node) if not isinstance(n, Structural))


def _find_printed(roots: Sequence[Node]) -> list[Node]:
    """Nodes that a formula writes, children first."""
    wanted: set[Node] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node not in wanted:
            wanted.add(node)
            stack += _below(node)
    return [node for node in _ir.topological(roots) if node in wanted]


# Terms -------------------------------------------------------------------------------------------


def split_terms(node: Node) -> list[tuple[tuple[tuple[int, int], ...], Node, tuple[int, ...]]]:
    """Split a sum into terms: pairs of axes that a delta ties, the core, the axes it lies on."""
    return [] if _ir.is_zero(node) else [split_term(term) for term in terms_of(node)]


def terms_of(node: Node) -> list[Node]:
    """What a node is the sum of, each with its coefficient."""
    if not isinstance(node, Add):
        return [node]
    pairs = zip(node.terms, node.coefficients, strict=True)
    return [_ir.scale(n, c) for n, c in pairs]


def split_term(node: Node) -> tuple[tuple[tuple[int, int], ...], Node, tuple[int, ...]]:
    """Split ``product of delta[axis, axis'] * core[axes]``, constant along the axes it names not.

    Structure that is no delta (a selection, a reshape) stays in the core.
    """
    if not isinstance(node, Einsum):
        return (), node, tuple(range(node.ndim))
    place = {index: axis for axis, index in enumerate(node.out)}
    deltas, factors = [], []
    for operand, term in node.factors:
        if isinstance(operand, Selection) and operand.is_delta and set(term) <= set(place):
            deltas.append((place[term[0]], place[term[1]]))
        else:
            factors.append((operand, term))
    carried = {index for _, term in factors for index in term}
    axes = tuple(axis for axis, index in enumerate(node.out) if index in carried)
    out = [node.out[axis] for axis in axes]
    core = _ir.contract(factors, out, (), node.coefficient, node.dtype)
    return tuple(sorted(deltas)), core, axes

"""One formula, written line by line.

In: a node, and a notation. Out: its lines, the shared ones first.
Guaranteed: indices are named once; those that structure determines are written as positions,
``x[i+2]`` for ``x[2:]``.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from eingrad._formula.chain import chain
from eingrad._formula.names import (
    below,
    find_printed,
    free_names,
    has_a_name,
    named_below,
    symbols_of,
)
from eingrad._formula.positions import Positions
from eingrad._ir import (
    Add,
    Apply,
    Constant,
    Einsum,
    Input,
    Node,
    Placement,
)
from eingrad._notation import Phrase, Text
from eingrad._opaque import is_opaque
from eingrad._precedence import ATOM, PLUS, PRODUCT, SUM
from eingrad._primitives import row_of

_DEEPEST = 6  # nodes inside each other on one line
_SHORT = 3  # operands of a call that is written out again wherever it is used


class Writer:
    """Writes one formula: decides what gets a line of its own, then writes line by line."""

    def __init__(self, notation: Text, root: Node, shown: int) -> None:
        self.notation, self.root, self.shown = notation, root, shown
        self.order = find_printed([root])
        self.symbols = symbols_of(notation, self.order)
        taken = set(self.symbols.values())
        self.delta = next(name for name in notation.deltas if name not in taken)
        constants = (n for n in self.order if isinstance(n, Constant) and n.ndim)
        self.constants = dict(zip(constants, free_names(notation, "c", taken), strict=False))
        self.bound = dict(zip(self._to_bind(), free_names(notation, "t", taken), strict=False))
        table_names = free_names(notation, "p", taken)
        self.positions = Positions(notation, self._new_index, self._note, table_names)
        self.letters = 0  # in use
        self.ranges: dict[str, int | None] = {}  # letter -> size of the least axis it stands at

    def _to_bind(self) -> Iterator[Node]:
        """What is used twice, must be named where it is used, or lies too deep."""
        uses = Counter(child for node in self.order for child in below(node))
        named = {child for node in self.order for child in named_below(node)}
        depth: dict[Node, int] = {}
        for node in self.order:
            written = below(node)
            depth[node] = 1 + max((depth[n] for n in written), default=-1)
            short = isinstance(node, Apply) and depth[node] <= 1 and len(written) <= _SHORT
            repeated = uses[node] > 1 and written and not short
            wanted = repeated or depth[node] > _DEEPEST or node in named
            if wanted and node is not self.root and not has_a_name(node):
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
        for name, table in self.positions.tables.values():
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
        cores = chain(node.factors[: len(node.factors) - len(structure)], node.out)
        single = (index for index, size in enumerate(node.sizes) if size == 1)
        names.update({index: Phrase("0") for index in single if index not in names})
        summed, ties = self.positions.name_all(cores, structure, names)
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


def _number(notation: Text, value: Any) -> Phrase:
    """Write a number: its sign apart, as that of the term."""
    if isinstance(value, (complex, bool)):
        return Phrase(notation.number(value))
    negative = value < 0 or (isinstance(value, float) and math.copysign(1, value) < 0)
    return Phrase(notation.number(abs(value)), negative=negative)

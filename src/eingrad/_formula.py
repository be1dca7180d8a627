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

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from eingrad import _ir
from eingrad._ir import STRUCTURAL, Add, Apply, Constant, Einsum, Input, Merge, Node, Selection
from eingrad._opaque import is_opaque, label, name_and_arguments
from eingrad._primitives import row_of
from eingrad._subscripts import Subscripts, letter

_Factors = Sequence[tuple[Node, Subscripts]]

_DEEPEST = 6  # nodes inside each other on one line
_SHOWN = 16  # entries of a constant that are written out
_SUM, _PRODUCT, _ATOM = 1, 2, 3  # what binds tighter


def text(node: Node) -> str:
    """Write a formula, one line per shared subexpression, the last one for the value."""
    return "\n".join(_Writer(_Text(), node).lines())


def latex(node: Node) -> str:
    """Write the formula as LaTeX, the lines of a formula of several aligned."""
    lines = _Writer(_Latex(), node).lines()
    if len(lines) == 1:
        return lines[0]
    rows = " \\\\\n".join(line.replace(" = ", " &= ", 1) for line in lines)
    return f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}"


@dataclass(frozen=True, slots=True)
class _Phrase:
    """A piece of a formula: its text without a sign, the sign, and how tightly it binds."""

    text: str
    negative: bool = False
    binds: int = _ATOM


# Notations ---------------------------------------------------------------------------------------


class _Text:
    """Plain text, close to NumPy."""

    delta = "delta"
    sources: Mapping[str, str] = {"reciprocal": "1 / {0}"}  # else as the row is emitted

    def name(self, kind: str, number: int) -> str:
        return f"{kind}{number}"

    def symbol(self, name: str) -> str:
        return name

    def opaque(self, node: Node) -> str:
        return label(node)

    def element(self, name: str, indices: Sequence[str]) -> str:
        return f"{name}[{','.join(indices)}]" if indices else name

    def value(self, indices: Sequence[str]) -> str:
        return self.element("", indices)

    def group(self, inside: str) -> str:
        return f"({inside})"

    def sum(self, indices: Sequence[str], summand: str) -> str:
        return f"sum_{''.join(indices)} {summand}"

    def raised(self, factor: str, count: int) -> str:
        return f"{factor}**{count}"

    def number(self, value: Any) -> str:
        return f"({value})" if isinstance(value, Fraction) else f"{value}"

    def call(self, node: Apply, operands: Sequence[_Phrase]) -> _Phrase:
        """Write a call as its row is emitted, without the module's name."""
        row = row_of(node)
        attributes = {key: self.number(value) for key, value in node.attributes}
        source = self.sources.get(row.name, row.source)
        infix = not source.startswith("np.")
        inside = tuple(
            self.group(_signed(p)) if infix and (p.binds < _ATOM or p.negative) else _signed(p)
            for p in operands
        )
        written = source.format(*inside, **attributes, all=", ".join(inside))
        written = re.sub(r"^np\.(linalg\.)?", "", written).replace(",)", ")")
        if row.results > 1:
            written += f".{node.result}"
        return _Phrase(written, binds=_PRODUCT if infix else _ATOM)


class _Latex(_Text):
    """LaTeX, with the symbols of a paper."""

    delta = "\\delta"
    fences = (
        "exp",
        "log",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "arcsin",
        "arccos",
        "arctan",
    )
    shapes: Mapping[str, str] = {
        "inverse": "{{{0}}}^{{-1}}",
        "det": "\\det {0}",
        "slogdet": "\\log\\left|\\det {0}\\right|",
        "sqrt": "\\sqrt{{{0}}}",
        "cbrt": "\\sqrt[3]{{{0}}}",
        "reciprocal": "\\frac{{1}}{{{0}}}",
        "divide": "\\frac{{{0}}}{{{1}}}",
        "absolute": "\\left|{0}\\right|",
        "power": "{{{0}}}^{{{exponent}}}",
        "pow": "{{{0}}}^{{{1}}}",
        "cast": "{0}",
    }
    closed = frozenset({"sqrt", "cbrt", "reciprocal", "divide", "absolute"})  # need no brackets

    def name(self, kind: str, number: int) -> str:
        return f"{kind}^{{({number})}}"

    def symbol(self, name: str) -> str:
        head, _, tail = name.partition("_")
        head = head if len(head) == 1 else f"\\mathrm{{{head}}}"
        return f"{head}_{{{tail}}}".replace("_{}", "") if tail else head

    def opaque(self, node: Node) -> str:
        name, below = name_and_arguments(node)
        if not below:
            return self.symbol(name)
        power = f"^{{{len(below)}}}" if len(below) > 1 else ""
        variables = " ".join(f"\\partial {self.symbol(v)}" for v in below)
        return f"\\frac{{\\partial{power} {self.symbol(name)}}}{{{variables}}}"

    def element(self, name: str, indices: Sequence[str]) -> str:
        if not indices:
            return name
        plain = re.fullmatch(r"\w(\^\{\(\d+\)\})?|\\mathrm\{\w+\}|\\delta", name)
        comma = "," if any(len(i) > 1 for i in indices) else ""
        return f"{name if plain else self.group(name)}_{{{comma.join(indices)}}}"

    def value(self, indices: Sequence[str]) -> str:
        return f"\\left[\\,\\cdot\\,\\right]_{{{''.join(indices)}}}"

    def group(self, inside: str) -> str:
        return f"\\left({inside}\\right)"

    def sum(self, indices: Sequence[str], summand: str) -> str:
        return f"\\sum_{{{''.join(indices)}}} {summand}"

    def raised(self, factor: str, count: int) -> str:
        plain = re.fullmatch(r"\w(_\{\w+\})?", factor) or factor.endswith("\\right)")
        base = factor if plain else self.group(factor)
        return f"{base}^{{{count}}}"

    def number(self, value: Any) -> str:
        if isinstance(value, Fraction):
            return f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
        return f"{value}"

    def call(self, node: Apply, operands: Sequence[_Phrase]) -> _Phrase:
        name = row_of(node).name
        attributes = {key: self.number(value) for key, value in node.attributes}
        shape = self.shapes.get(name)
        if shape is None:
            known = f"\\{name}" if name in self.fences else f"\\operatorname{{{name}}}"
            inside = ", ".join(map(_signed, operands))
            return _Phrase(known + self.group(inside))
        simple = [
            _signed(p)
            if name in self.closed or (p.binds == _ATOM and not p.negative)
            else self.group(_signed(p))
            for p in operands
        ]
        return _Phrase(shape.format(*simple, **attributes))


def _signed(phrase: _Phrase) -> str:
    return f"-{phrase.text}" if phrase.negative else phrase.text


# Writing -----------------------------------------------------------------------------------------


class _Writer:
    """Writes one formula: decides what gets a line of its own, then writes line by line."""

    def __init__(self, notation: _Text, root: Node) -> None:
        self.notation, self.root = notation, root
        self.order = _printed([root])
        self.tables: dict[tuple[int, ...], str] = {}
        constants = (n for n in self.order if isinstance(n, Constant) and n.ndim)
        self.constants = {n: notation.name("c", k) for k, n in enumerate(constants)}
        self.bound = self._bind()
        self.letters = 0

    def _bind(self) -> dict[Node, str]:
        """Name what is used twice, is the operand of a call on whole arrays, or lies too deep."""
        uses = Counter(child for node in self.order for child in _below(node))
        whole = {
            child
            for node in self.order
            if isinstance(node, Apply) and row_of(node).core != ()
            for child in _below(node)
        }
        depth: dict[Node, int] = {}
        bound: dict[Node, str] = {}
        for node in self.order:
            below = [0 if n in bound else depth[n] for n in _below(node)]
            leaf = not below
            depth[node] = 0 if leaf else 1 + max(below)
            short = depth[node] <= 1 and isinstance(node, Apply)
            wanted = (
                (uses[node] > 1 and not short)
                or (node in whole and not isinstance(node, Constant))
                or depth[node] > _DEEPEST
            )
            if node is not self.root and not leaf and wanted:
                bound[node] = self.notation.name("t", len(bound))
        return bound

    def lines(self) -> list[str]:
        """Write the shared lines, then the value, with the constants and tables they use first."""
        body = [self._line(name, node) for node, name in self.bound.items()]
        body.append(self._line("", self.root))
        shown = [
            f"{name} = {_entries(node.value.tolist(), node.shape)}"
            for node, name in self.constants.items()
        ]
        shown += [
            f"{name} = {_entries(table, (len(table),))}" for table, name in self.tables.items()
        ]
        return [*shown, *body]

    def _line(self, name: str, node: Node) -> str:
        indices = [letter(k) for k in range(node.ndim)]
        self.letters = node.ndim
        written = _signed(self._write(node, indices, opened=True))
        if not name and not indices:
            return written
        left = self.notation.element(name, indices) if name else self.notation.value(indices)
        return f"{left} = {written}"

    def _write(self, node: Node, indices: Sequence[str], *, opened: bool = False) -> _Phrase:
        notation = self.notation
        if node in self.bound and not opened:
            return _Phrase(notation.element(self.bound[node], indices))
        match node:
            case Input():
                return _Phrase(notation.element(notation.symbol(node.name), indices))
            case Constant():
                if not node.ndim:
                    return _number(notation, node.value.item())
                return _Phrase(notation.element(self.constants[node], indices))
            case Einsum():
                return self._einsum(node, indices)
            case Add():
                return self._sum(node, indices)
            case Apply() if is_opaque(node):
                return _Phrase(notation.element(notation.opaque(node), indices))
            case Apply():
                return self._call(node, indices)
        raise AssertionError(f"a structural tensor outside a contraction: {node}")

    def _call(self, node: Apply, indices: Sequence[str]) -> _Phrase:
        if row_of(node).core == ():
            return self.notation.call(node, [self._write(n, indices) for n in node.operands])
        written = self.notation.call(node, [self._write(n, ()) for n in node.operands])
        return _Phrase(self.notation.element(written.text, indices))

    def _sum(self, node: Add, indices: Sequence[str]) -> _Phrase:
        written = []
        first_free = most = self.letters
        for term, coefficient in zip(node.terms, node.coefficients, strict=True):
            self.letters = first_free  # summed indices are local to their term
            written.append(self._scaled(coefficient, self._write(term, indices)))
            most = max(most, self.letters)
        self.letters = most
        written.sort(key=lambda phrase: (phrase.negative, phrase.text))
        first, *rest = written
        parts = [_signed(first)]
        parts += [f"{'-' if p.negative else '+'} {self._inside(p, _SUM + 1)}" for p in rest]
        return _Phrase(" ".join(parts), binds=_SUM)

    def _inside(self, phrase: _Phrase, binds: int) -> str:
        plain = phrase.binds >= binds or phrase.text.startswith(("sum_", "\\sum"))
        return phrase.text if plain else self.notation.group(phrase.text)

    def _scaled(self, coefficient: Any, phrase: _Phrase) -> _Phrase:
        number = _number(self.notation, coefficient)
        negative = number.negative != phrase.negative
        if phrase.text == "1":
            return _Phrase(number.text, negative)
        if number.text == "1":
            return _Phrase(phrase.text, negative, phrase.binds)
        inside = phrase.text if phrase.binds >= _PRODUCT else self.notation.group(phrase.text)
        return _Phrase(f"{number.text} {inside}", negative, _PRODUCT)

    def _einsum(self, node: Einsum, indices: Sequence[str]) -> _Phrase:
        names = dict(zip(node.out, indices, strict=True))
        pairs = list(zip(node.operands, node.terms, strict=True))
        loose, structure = _ir.split_structure(node)
        cores = _chained(loose, node.out)
        single = {t[0]: "0" for n, t in structure if n.shape[0] == 1 and t[0] not in names}
        names.update(single)
        self._name_determined(structure, names)
        summed = []
        sizes = {i: size for n, t in pairs for i, size in zip(t, n.shape, strict=True)}
        for index in dict.fromkeys(index for _, term in cores for index in term):
            if index not in names and sizes[index] == 1:
                names[index] = "0"
            elif index not in names:
                names[index] = letter(self.letters)
                self.letters += 1
                summed.append(names[index])
        factors = []
        negative = False
        for operand, term in cores:
            phrase = self._write(operand, [names[index] for index in term])
            negative ^= phrase.negative
            factors.append(self._factor(phrase))
        words = self._ties(structure, names)
        words += [self.notation.raised(f, n) if n > 1 else f for f, n in Counter(factors).items()]
        number = _number(self.notation, node.coefficient)
        if number.text != "1" or not words:
            words.insert(0, number.text)
        joined = " ".join(words)
        if summed:
            joined = self.notation.sum(summed, joined)
        binds = _SUM if summed else _ATOM if len(words) == 1 else _PRODUCT
        return _Phrase(joined, negative ^ number.negative, binds)

    def _factor(self, phrase: _Phrase) -> str:
        plain = phrase.binds >= _PRODUCT and " / " not in phrase.text
        return phrase.text if plain else self.notation.group(phrase.text)

    def _name_determined(self, structure: _Factors, names: dict[int, str]) -> None:
        """Name the indices that structure determines by others: ``x[i+2]`` for ``x[2:]``."""
        for operand, term in structure:
            head, parts = _head(operand, term)
            if head not in names and all(i in names for i in parts):
                names[head] = self._position(operand, [names[i] for i in parts])
            elif isinstance(operand, Merge) and head in names:
                _name_parts(names, head, parts, operand.shape[1:])

    def _ties(self, structure: _Factors, names: Mapping[int, str]) -> list[str]:
        """Write a delta where structure ties an index that has a name of its own."""
        ties = []
        for operand, term in structure:
            head, parts = _head(operand, term)
            position = self._position(operand, [names[i] for i in parts])
            quotient = isinstance(operand, Merge) and any(names[head] in names[i] for i in parts)
            if names[head] != position and not quotient:
                pair = [position, names[head]]
                ties.append(self.notation.element(self.notation.delta, pair))
        return ties

    def _position(self, operand: Node, parts: Sequence[str]) -> str:
        """Write where an index lies, as a function of those that determine it."""
        if isinstance(operand, Merge):
            written = parts[0]
            for part, size in zip(parts[1:], operand.shape[2:], strict=True):
                written = f"{size}{_bracket(written)}+{part}"
            return written
        assert isinstance(operand, Selection)
        (row,) = parts
        table = operand.table
        if not isinstance(table, range):
            name = self.tables.setdefault(table, self.notation.name("p", len(self.tables)))
            return f"{name}[{row}]"
        if len(table) == 1:
            return f"{table.start}"
        scaled = row if table.step == 1 else f"-{row}" if table.step == -1 else f"{table.step}{row}"
        if table.start == 0:
            return scaled
        return f"{table.start}{scaled}" if scaled.startswith("-") else f"{scaled}+{table.start}"


def _chained(factors: list[tuple[Node, Subscripts]], out: Subscripts) -> _Factors:
    """Order factors as one reads a product: along shared indices, from the first axis on."""
    place = {index: n for n, index in enumerate(out)}
    chain: list[tuple[Node, Subscripts]] = []
    while factors:
        met = {i for _, term in chain[-1:] for i in term if i not in place}

        def key(n: int, met: set[int] = met) -> tuple[bool, int, int]:
            term = factors[n][1]
            return met.isdisjoint(term), min((place.get(i, len(out)) for i in term), default=-1), n

        chain.append(factors.pop(min(range(len(factors)), key=key)))
    return chain


def _head(operand: Node, term: Subscripts) -> tuple[int, Subscripts]:
    """Which index structure determines, and by which."""
    return (term[1], term[:1]) if isinstance(operand, Selection) else (term[0], term[1:])


def _name_parts(
    names: dict[int, str], head: int, parts: Sequence[int], sizes: Sequence[int]
) -> None:
    """Write the axes that one axis splits into: quotients and remainders of its position."""
    stride = 1
    for n in reversed(range(len(parts))):
        written = names[head] if stride == 1 else f"{_bracket(names[head])}//{stride}"
        names.setdefault(parts[n], f"{_bracket(written)}%{sizes[n]}" if n else written)
        stride *= sizes[n]


def _bracket(written: str) -> str:
    return written if written.isalnum() else f"({written})"


def _number(notation: _Text, value: Any) -> _Phrase:
    if isinstance(value, (complex, bool)):
        return _Phrase(notation.number(value))
    return _Phrase(notation.number(abs(value)), negative=value < 0)


def _entries(values: Any, shape: Sequence[int]) -> str:
    size = 1
    for n in shape:
        size *= n
    return f"{list(values)}" if size <= _SHOWN else f"constant of shape {tuple(shape)}"


def _below(node: Node) -> tuple[Node, ...]:
    """Nodes that a formula writes: not structure, nor what an opaque function is a function of."""
    if is_opaque(node):
        return ()
    return tuple(n for n in _ir.children(node) if not isinstance(n, STRUCTURAL))


def _printed(roots: Sequence[Node]) -> list[Node]:
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


Pattern = tuple[tuple[tuple[int, int], ...], tuple[int, ...]]  # deltas, and the axes of a core


def split_terms(node: Node) -> list[tuple[tuple[tuple[int, int], ...], Node, tuple[int, ...]]]:
    """Split a sum into terms: pairs of axes that a delta ties, the core, the axes it lies on.

    A term is ``product of delta[axis, axis'] * core[axes]``, constant along the axes it does not
    name. Structure that is no delta (a selection, a reshape) stays in the core.
    """
    if isinstance(node, Add):
        pairs = zip(node.terms, node.coefficients, strict=True)
        return [_split_term(_ir.scale(n, c)) for n, c in pairs]
    return [] if _ir.is_zero(node) else [_split_term(node)]


def _split_term(node: Node) -> tuple[tuple[tuple[int, int], ...], Node, tuple[int, ...]]:
    if not isinstance(node, Einsum):
        return (), node, tuple(range(node.ndim))
    place = {index: axis for axis, index in enumerate(node.out)}
    deltas, operands, terms = [], [], []
    for operand, term in zip(node.operands, node.terms, strict=True):
        if isinstance(operand, Selection) and operand.is_delta and set(term) <= set(place):
            deltas.append((place[term[0]], place[term[1]]))
        else:
            operands.append(operand)
            terms.append(term)
    carried = {index for term in terms for index in term}
    axes = tuple(axis for axis, index in enumerate(node.out) if index in carried)
    out = [node.out[axis] for axis in axes]
    core = _ir.contract(operands, terms, out, {}, node.coefficient, node.dtype)
    return tuple(sorted(deltas)), core, axes

r"""The two notations that formulas are written in: plain text, close to NumPy, and LaTeX.

In: names, positions, numbers and phrases that are already written. Out: longer phrases.
Guaranteed: what binds less tightly than its place needs is put in brackets, so a phrase can be read
in one way only; nothing here knows the graph beyond the one call that it writes.

>>> Text().element("A", [Phrase("i"), Text().shifted(1, 2, Phrase("j"))])
'A[i,2j+1]'
>>> Latex().symbol("x_max")
'x_{\\mathrm{max}}'
"""

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._ir import Apply
from eingrad._precedence import ATOM, PLUS, PRODUCT, QUOTIENT, Written, closed
from eingrad._primitives import row_of
from eingrad._subscripts import Shape, letter

_LETTERS = 52  # that have a character of the alphabet
_MOD = "\\,\\mathrm{mod}\\,"  # not every reader of LaTeX knows \\bmod
_PLACES = re.compile(r"\{(\w+)\}")  # of operands and attributes, in the source of a row
_NOTHING = -1  # in a table: no position is selected


@dataclass(frozen=True, slots=True)
class Phrase:
    """A piece of a formula: its text without a sign, the sign, and how tightly it binds."""

    text: str
    negative: bool = False
    binds: int = ATOM

    @property
    def signed(self) -> str:
        """The text with its sign."""
        return f"-{self.text}" if self.negative else self.text


class Text:
    """Plain text, close to NumPy. A position that is `None` is nowhere: the term is zero there."""

    deltas: tuple[str, ...] = ("delta", "kronecker")  # the first that is no name of the user's

    # Names

    def letter(self, n: int) -> str:
        """Write index number n."""
        return letter(n)

    def name(self, kind: str, number: int) -> str:
        """Write the name of a line, a constant or a table."""
        return f"{kind}{number}"

    def symbol(self, name: str) -> str:
        """Write a name of the user's."""
        return name

    def partial(self, label: str, _name: str, _below: Sequence[str]) -> str:
        """Write a derivative of an opaque function, of which all names are given."""
        return label

    # Elements and positions

    def element(self, name: str, positions: Sequence[Phrase]) -> str:
        """Write an entry of an array."""
        return f"{name}[{','.join(p.text for p in positions)}]" if positions else name

    def value(self, heads: Sequence[str]) -> str:
        """Write what the formula is of: the value, which has no name."""
        return f"[{','.join(heads)}]"

    def head(self, name: str, heads: Sequence[str]) -> str:
        """Write what a line is of."""
        return f"{name}[{','.join(heads)}]" if heads else name

    def mentions(self, written: str, index: str) -> bool:
        """Whether an index stands somewhere."""
        return re.search(rf"\b{re.escape(index)}\b", written) is not None

    def below(self, index: str, size: int) -> str:
        """Write an index with its range."""
        return f"{index}<{size}"

    def entry(self, table: str, row: Phrase) -> Phrase:
        """Write the position that a table gives."""
        return Phrase(f"{table}[{row.text}]")

    def shifted(self, start: int, step: int, row: Phrase) -> Phrase:
        """Write ``start + step * row``."""
        scaled = row.text if step == 1 else f"{step}{self._inner(row)}"
        if step == -1:
            scaled = f"-{self._inner(row)}"
        if start == 0:
            return row if step == 1 else Phrase(scaled, binds=PRODUCT)
        return Phrase(f"{start}{scaled}" if step < 0 else f"{scaled}+{start}", binds=PLUS)

    def joined(self, first: Phrase, size: int, second: Phrase) -> Phrase:
        """Write ``size * first + second``, a position in two merged axes."""
        scaled = first if first.text == "0" else self.shifted(0, size, first)
        if "0" in (scaled.text, second.text):
            return second if scaled.text == "0" else scaled
        return Phrase(f"{scaled.text}+{second.text}", binds=PLUS)

    def quotient(self, position: Phrase, stride: int) -> Phrase:
        """Write a position divided, rounded down."""
        return Phrase(f"{self._inner(position)}//{stride}", binds=QUOTIENT)

    def remainder(self, position: Phrase, size: int) -> Phrase:
        """Write what is left of a position."""
        return Phrase(f"{self._inner(position)}%{size}", binds=QUOTIENT)

    def _inner(self, position: Phrase) -> str:
        plain = position.binds == ATOM and not position.text.isdigit()
        return position.text if plain else self.group(position.text)

    # Products and sums

    def group(self, inside: str) -> str:
        """Put brackets around."""
        return f"({inside})"

    def inside(self, phrase: Phrase, binds: int) -> str:
        """Write a phrase with its sign where only what binds so tightly needs no brackets."""
        plain = phrase.binds >= binds and not (phrase.negative and binds > PLUS)
        return phrase.signed if plain else self.group(phrase.signed)

    def sum(self, heads: Sequence[str], summand: str) -> str:
        """Write a sum over indices, of which some have their range."""
        comma = "," if any(len(head) > 1 for head in heads) else ""
        return f"sum_{comma.join(heads)} {summand}"

    def raised(self, factor: Phrase, count: int) -> str:
        """Write a factor that occurs several times."""
        return f"{self.inside(factor, ATOM)}**{count}"

    # Numbers

    def number(self, value: Any) -> str:
        """Write a number, so that it can be read as a factor."""
        value = _write(value)
        grouped = isinstance(value, Fraction) or (isinstance(value, complex) and value.real == 0)
        return f"({value})" if grouped and not f"{value}".startswith("(") else f"{value}"

    def entries(self, values: Any) -> str:
        """Write the entries of a small array."""
        return f"{values}"

    def table(self, rows: Sequence[int]) -> str:
        """Write a table of positions."""
        return f"{[None if row == _NOTHING else row for row in rows]}"

    def unwritten(self, shape: Shape) -> str:
        """Write what stands for an array of many entries."""
        return f"constant of shape {tuple(shape)}"

    # Calls

    def attributes(self, node: Apply) -> dict[str, str]:
        """Write what a call is given besides arrays."""
        return {
            key: np.dtype(value).name if key == "dtype" else self.number(value)  # type: ignore[call-overload]
            for key, value in node.attributes
        }

    def call(self, node: Apply, operands: Sequence[Phrase]) -> Phrase:
        """Write a call as its row says, or as it is emitted, without the module's name."""
        row = row_of(node)
        phrase = self._filled(row.plain or _as_emitted(row.source), node, operands)
        number = f".{node.result}" if row.results > 1 else ""
        return Phrase(phrase.text + number, binds=phrase.binds)

    def _filled(self, written: Written, node: Apply, operands: Sequence[Phrase]) -> Phrase:
        """Put operands and attributes in their places."""
        inside = [self.inside(p, written.needs) for p in operands]
        text = written.form.format(*inside, **self.attributes(node), all=", ".join(inside))
        return Phrase(text, binds=written.binds)

    def aligned(self, lines: Sequence[str]) -> str:
        """Write the lines of a formula below each other."""
        return "\n".join(lines)


class Latex(Text):
    """LaTeX, with the symbols of a paper."""

    deltas = ("\\delta", "\\operatorname{kronecker}")

    def letter(self, n: int) -> str:
        return letter(n) if n < _LETTERS else f"i_{{{n}}}"

    def name(self, kind: str, number: int) -> str:
        return f"{kind}^{{({number})}}"

    def symbol(self, name: str) -> str:
        head, _, tail = name.partition("_")
        if not (head and tail):
            return _word(name)
        return f"{_word(head)}_{{{tail if tail.isdigit() else _word(tail)}}}"

    def partial(self, label: str, name: str, below: Sequence[str]) -> str:
        if not below:
            return self.symbol(label)
        power = f"^{{{len(below)}}}" if len(below) > 1 else ""
        variables = " ".join(f"\\partial {self.symbol(v)}" for v in below)
        return f"\\frac{{\\partial{power} {self.symbol(name)}}}{{{variables}}}"

    def element(self, name: str, positions: Sequence[Phrase]) -> str:
        if not positions:
            return name
        plain = re.fullmatch(r"\w(\^\{\(\d+\)\})?|\\(mathrm|operatorname)\{[^{}]*\}|\\\w+", name)
        comma = "," if any(len(p.text) > 1 for p in positions) else ""
        base = name if plain else self.group(name)
        return f"{base}_{{{comma.join(p.text for p in positions)}}}"

    def value(self, heads: Sequence[str]) -> str:
        return self.head("\\left[\\,\\cdot\\,\\right]", heads)

    def head(self, name: str, heads: Sequence[str]) -> str:
        return f"{name}_{{{_list(heads)}}}" if heads else name

    def mentions(self, written: str, index: str) -> bool:
        return index in re.sub(r"\\[A-Za-z]+(\{\w*\})?", "", written)

    def below(self, index: str, size: int) -> str:
        return f"{index} < {size}"

    def entry(self, table: str, row: Phrase) -> Phrase:
        return Phrase(f"{table}_{{{row.text}}}")

    def quotient(self, position: Phrase, stride: int) -> Phrase:
        inside = self._inner(position) if position.binds < PRODUCT else position.text
        return Phrase(f"\\left\\lfloor {inside}/{stride} \\right\\rfloor")

    def remainder(self, position: Phrase, size: int) -> Phrase:
        return Phrase(f"{self._inner(position)}{_MOD}{size}", binds=QUOTIENT)

    def group(self, inside: str) -> str:
        return f"\\left({inside}\\right)"

    def shifted(self, start: int, step: int, row: Phrase) -> Phrase:
        return super().shifted(start, step, self._apart(row) if start else row)

    def joined(self, first: Phrase, size: int, second: Phrase) -> Phrase:
        return super().joined(first, size, self._apart(second))

    def _apart(self, position: Phrase) -> Phrase:
        """Put brackets around a remainder, which seems to bind as loosely as a sum."""
        loose = position.binds < ATOM and _MOD in position.text
        return Phrase(self.group(position.text)) if loose else position

    def sum(self, heads: Sequence[str], summand: str) -> str:
        return f"\\sum_{{{_list(heads)}}} {summand}"

    def raised(self, factor: Phrase, count: int) -> str:
        plain = re.fullmatch(r"\w(_\{\w+\})?", factor.text) or factor.text.endswith("\\right)")
        plain = plain and factor.binds == ATOM and not factor.negative
        return f"{factor.text if plain else self.group(factor.signed)}^{{{count}}}"

    def number(self, value: Any) -> str:
        value = _write(value)
        match value:
            case bool():
                return f"\\mathrm{{{str(value).lower()}}}"
            case Fraction():
                sign = "-" if value < 0 else ""
                return f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
            case complex():
                imaginary = self.number(value.imag)
                plus = "" if imaginary.startswith("-") else "+"
                return self.group(f"{self.number(value.real)}{plus}{imaginary}\\mathrm{{i}}")
            case float() if math.isinf(value):
                return "-\\infty" if value < 0 else "\\infty"
            case float() if math.isnan(value):
                return "\\mathrm{nan}"
        mantissa, e, exponent = f"{value}".partition("e")
        return f"{mantissa} \\cdot 10^{{{int(exponent)}}}" if e else mantissa

    def entries(self, values: Any) -> str:
        if not isinstance(values, list):
            return self.number(values)
        return f"\\left[{', '.join(map(self.entries, values))}\\right]"

    def table(self, rows: Sequence[int]) -> str:
        written = ", ".join("\\cdot" if row == _NOTHING else f"{row}" for row in rows)
        return f"\\left[{written}\\right]"

    def unwritten(self, shape: Shape) -> str:
        sizes = " \\times ".join(map(str, shape))
        return f"\\text{{constant of shape }}{sizes}"

    def call(self, node: Apply, operands: Sequence[Phrase]) -> Phrase:
        row = row_of(node)
        written = row.latex(node) if callable(row.latex) else row.latex
        return self._filled(written, node, operands) if written else self._named(node, operands)

    def _named(self, node: Apply, operands: Sequence[Phrase]) -> Phrase:
        """Write a call by the name of its row, with operands and attributes in brackets."""
        row, attributes = row_of(node), self.attributes(node)
        attributes.pop("dtype", None)
        placed = [attributes[key] for key in _PLACES.findall(row.source) if key in attributes]
        given = [", ".join(p.signed for p in operands), ", ".join(placed)]
        known = f"\\operatorname{{{_escape(row.name)}}}"
        return Phrase(known + self.group("; ".join(filter(None, given))))

    def aligned(self, lines: Sequence[str]) -> str:
        if len(lines) == 1:
            return lines[0]
        *named, last = lines
        rows = [line.replace(" = ", " &= ", 1) for line in named]
        rows.append(last.replace(" = ", " &= ", 1) if last.startswith("\\left[\\,") else f"&{last}")
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def _write(value: Any) -> Any:
    """A number as a program has it: a long rational is rounded."""
    is_long = isinstance(value, (int, Fraction)) and not _ir.is_short(value)
    return _ir.as_float(value) if is_long else value


def _list(heads: Sequence[str]) -> str:
    return ("," if any(len(head) > 1 for head in heads) else "").join(heads)


def _as_emitted(source: str) -> Written:
    """Write a call as in NumPy; an argument of a function needs no brackets."""
    form = re.sub(r"^np\.(linalg\.)?", "", source)
    return Written(form) if form == source else closed(form)


def _word(word: str) -> str:
    """Write a word in LaTeX: a letter in italics, more of them upright, Greek by its commands."""
    written = _escape(word)
    return written.removesuffix("{}") if len(word) == 1 else f"\\mathrm{{{written}}}"


def _escape(word: str) -> str:
    return "".join(_GREEK.get(c, f"\\{c}" if c in "_#$%&{}" else c) for c in word)


def _greek_commands() -> dict[str, str]:
    """Name the Greek letters that LaTeX has a command for; the others look like Latin ones."""
    odd = {"lamda": "lambda", "final sigma": "varsigma", "omicron": ""}
    capitals = {"gamma", "delta", "theta", "lamda", "xi", "pi", "sigma", "upsilon", "phi", "psi"}
    commands = {}
    for code in (*range(0x391, 0x3AA), *range(0x3B1, 0x3CA)):
        words = unicodedata.name(chr(code), "").lower().removeprefix("greek ")
        size, _, name = words.partition(" letter ")
        command = odd.get(name, name)
        if size == "capital":
            command = command.capitalize() if name in capitals | {"omega"} else ""
        if command:
            commands[chr(code)] = f"\\{command}{{}}"
    return commands


_GREEK = _greek_commands()

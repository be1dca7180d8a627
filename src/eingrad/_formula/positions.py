"""Names for the indices of a product: letters, and positions that structure determines.

In: the factors of a product, those that are structure apart. Out: a name for each index, which of
them are summed over, and pairs of names that must agree.
Guaranteed: each index has one name; a table has a name of its own, used for all that select by it.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence

from eingrad import _ir
from eingrad._ir import Factor, Merge, Node, Selection, Structural
from eingrad._notation import Phrase, Text
from eingrad._subscripts import Subscripts

_Ties = list[tuple[Phrase, Phrase]]


class Positions:
    """Names indices in one notation.

    Parameters
    ----------
    notation : Text
    new_index : callable
        Gives a letter that is not in use.
    note : callable
        Is told of a position at an axis of some size.
    table_names : iterator of str
        Names for tables.
    """

    def __init__(
        self,
        notation: Text,
        new_index: Callable[[], Phrase],
        note: Callable[[Phrase, int], None],
        table_names: Iterator[str],
    ) -> None:
        self.notation = notation
        self.tables: dict[Hashable, tuple[str, _ir.Table]] = {}
        self._new_index, self._note, self._table_names = new_index, note, table_names

    def name_all(
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
                self.tables[key] = next(self._table_names), table
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


def _determine(operand: Node, term: Subscripts) -> tuple[Subscripts, Subscripts]:
    """Which index structure determines, and by which."""
    assert isinstance(operand, Structural)
    return operand.determine(term)

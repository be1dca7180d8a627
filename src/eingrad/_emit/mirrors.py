"""Write what makes a tensor symmetric in place: entries at sorted indices, copied to the others.

In: flat axes of which groups may be interchanged, what the tensor is called. Out: lines of NumPy.
Guaranteed: entries at sorted indices are kept; each line copies to entries that it does not read.

The last two axes of a group are made symmetric first: rows to columns, in blocks whose columns a
cache holds. Then axes come before them one by one. Of axis a, with those after it symmetric, each
``row`` is complete when the rows before it are: what has a smaller index after a is theirs,

    T[row, :row] = T[:row, row],  T[row, row:, :row] = T[row, :row, row:], axes swapped, ...

so an entry is read and written once or twice, where a network of exchanges takes a pass of the
tensor for each of them. Before that, only rows are needed that come before what lies in them.
"""

import math
from collections.abc import Sequence

from eingrad._emit.literals import Lines, expanded, tuple_text
from eingrad._emit.triangles import mirror_matrix
from eingrad._plan import Statement
from eingrad._plan.kernels import Mirror

_BLOCK = 64  # columns that are written at once
_RUN = 32  # entries that lie together: from then on, rows are copied one by one


def mirrored(statement: Statement, mirror: Mirror, target: str, x: str, *triangles: str) -> Lines:
    """Take what lies above the diagonal of two axes for what lies below it."""
    x += "" if mirror.flat == statement.shape else f".reshape({tuple_text(mirror.flat)})"
    if mirror.in_place:
        is_matrix, size = mirror.is_matrix, mirror.flat[0]
        lines = mirror_matrix(size, target) if is_matrix else mirror_tensor(mirror, target)
        lines = [f"{target} = {x}", *lines]
    else:
        lines = _select(mirror, target, x, triangles)
    if mirror.flat != statement.shape:
        lines.append(f"{target} = {target}.reshape({tuple_text(statement.shape)})")
    return lines


def _select(mirror: Mirror, target: str, x: str, triangles: Sequence[str]) -> Lines:
    lines = []
    for axis, triangle in zip(mirror.axes, triangles, strict=True):
        if not x.isidentifier():
            lines.append(f"{target} = {x}")
            x = target
        twin = f"{x}.T" if len(mirror.flat) == 2 else f"{x}.swapaxes({axis}, {axis + 1})"  # noqa: PLR2004
        mask = triangle + expanded("", [axis, axis + 1], range(axis, len(mirror.flat)))
        lines.append(f"{target} = np.where({mask}, {twin}, {x})")
        x = target
    return lines


def mirror_tensor(mirror: Mirror, target: str) -> Lines:
    """Mirror each group of axes."""
    lines: Lines = []
    for first, count, done in mirror.groups:
        end = first + count
        if done == 1:
            lines += _pair(mirror, target, end - 2, is_last=count == 2)  # noqa: PLR2004 - a pair
        for axis in range(end - 1 - max(done, 2), first - 1, -1):
            lines += _merged(mirror.flat[axis], target, axis, first, end - 1 - axis)
    return lines


def _pair(mirror: Mirror, target: str, axis: int, *, is_last: bool) -> Lines:
    """Copy rows to columns: within a block one by one, beyond it a block at once."""
    size, lead = mirror.flat[axis], [":"] * axis

    def at(number: str, *places: str) -> str:
        before = (
            lead if is_last else [*lead[:-1], f": {number} + {1 if number == 'row' else _BLOCK}"]
        )
        return f"{target}[{', '.join([*before, *places])}]"

    is_wide = math.prod(mirror.flat[axis + 2 :]) >= _RUN
    in_blocks = size > _BLOCK and not is_wide
    here = "row + 1 :" + (f" (row // {_BLOCK} + 1) * {_BLOCK}" if in_blocks else "")
    lines = [
        f"for row in range({size - 1}):",
        f"    {at('row', here, 'row')} = {at('row', 'row', here)}",
    ]
    if in_blocks:
        swap = f".swapaxes({axis}, {axis + 1})"
        block, rest = f"block : block + {_BLOCK}", f"block + {_BLOCK} :"
        lines += [
            f"for block in range(0, {size - _BLOCK}, {_BLOCK}):",
            f"    {at('block', rest, block)} = {at('block', block, rest)}{swap}",
        ]
    return lines


def _merged(size: int, target: str, axis: int, first: int, after: int) -> Lines:
    """Put one more axis before as many as are symmetric."""
    lead = [":"] * axis
    if axis > first:
        lead[-1] = ": row + 1"

    def at(*places: str) -> str:
        return f"{target}[{', '.join([*lead, *places])}]"

    lines = [f"for row in range(1, {size}):", f"    {at('row', ': row')} = {at(': row', 'row')}"]
    for count in range(1, after):
        larger = ["row :"] * count
        from_axis, to_axis = axis, axis + count
        moved = f"{at('row', ': row', *larger)}"
        swapped = (
            f"{moved}.swapaxes({from_axis}, {to_axis})"
            if count == 1
            else f"np.moveaxis({moved}, {from_axis}, {to_axis})"
        )
        lines.append(f"    {at('row', *larger, ': row')} = {swapped}")
    return lines

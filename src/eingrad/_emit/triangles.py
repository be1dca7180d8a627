"""Write what makes a matrix symmetric: one triangle of a product, and its copy in the other.

In: a statement, what its operands are called. Out: lines of NumPy.
Guaranteed: rows are copied in blocks that a cache holds; entries above the diagonal are kept.
"""

import math
from collections.abc import Sequence

from eingrad._emit.literals import Lines, expanded, tuple_text
from eingrad._plan import Statement
from eingrad._plan.kernels import Half, MatMul, Mirror

_BLOCK = 64  # rows that are mirrored at once: 32 kB of a block lie in the first cache
_FEW = 16  # the same where there are other axes: what a mask says is a small part
_RUN = 32  # entries that lie together: from then on, rows are copied one by one


def half_of_product(half: Half, target: str, sides: Sequence[str]) -> Lines:
    """Fill a matrix by rows of blocks, from the diagonal on or up to it."""
    a, b, here = f"{target}_0", f"{target}_1", f"block : block + {half.step}"
    columns = "block:" if half.upper else f": block + {half.step}"
    first = f"{a}, {b} = {', '.join(sides)}"
    head = f"for block in range(0, {half.rows}, {half.step}):"
    if not half.mirrored:
        made = f"    {target}[{here}, {columns}] = {a}[{here}] @ {b}[:, {columns}]"
        return [first, head, made, f"del {a}, {b}"]
    into = f"{target}[{here}, {columns}]"
    mask = f"{_below(target)}[: {half.rows} - block, : {half.rows} - block]"
    return [
        first,
        f"{_below(target)} = {_mask(half.step)}",
        head,
        f"    np.matmul({a}[{here}], {b}[:, {columns}], out={into})",
        *_mirrored_rows(target, half.step, mask),
        f"del {a}, {b}, {_below(target)}, {_tile(target)}",
    ]


def split(statement: Statement, product: MatMul, target: str) -> Lines:
    """Part axes that were merged."""
    return [f"{target} = {target}.reshape({tuple_text(statement.shape)})"] if product.splits else []


def new_matrix(statement: Statement, half: Half, target: str) -> str:
    """Make the matrix: of one triangle, the other is zero."""
    dtype = statement.results[0].dtype.str
    make = "empty" if half.mirrored else "zeros"
    return f"{target} = np.{make}({(half.rows, half.rows)}, {dtype!r})"


def mirrored(statement: Statement, mirror: Mirror, target: str, x: str, *triangles: str) -> Lines:
    """Take what lies above the diagonal of two axes for what lies below it."""
    x += "" if mirror.flat == statement.shape else f".reshape({tuple_text(mirror.flat)})"
    if mirror.in_place:
        lines = [f"{target} = {x}", *_mirror_in_place(mirror, target)]
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


def _mirror_in_place(mirror: Mirror, target: str) -> Lines:
    """Mirror blocks of rows; of those on the diagonal what a mask says.

    The last block is as large as the others, and has rows in common with the one before. Where long
    runs lie together, rows are copied one by one, without a mask.
    """
    lines: Lines = []
    has_masks = False
    for axis in mirror.axes:
        size, before = mirror.flat[axis], ":, " * axis
        if math.prod(mirror.flat[axis + 2 :]) >= _RUN:
            below, right = (f"{target}[{before}{n}]" for n in ("row + 1 :, row", "row, row + 1 :"))
            lines += [f"for row in range({size - 1}):", f"    {below} = {right}"]
            continue
        has_masks, is_matrix = True, len(mirror.flat) == 2  # noqa: PLR2004
        step = min(_BLOCK if is_matrix else _FEW, size)
        twin = "T" if is_matrix else f"swapaxes({axis}, {axis + 1})"
        mask = _below(target) + expanded("", [axis, axis + 1], range(axis, len(mirror.flat)))
        lines += [
            f"{_below(target)} = {_mask(step)}",
            f"for block in (*range(0, {size - step}, {step}), {size - step}):",
            *_mirrored_rows(target, step, mask, before, twin),
        ]
    return [*lines, *([f"del {_below(target)}, {_tile(target)}"] if has_masks else ())]


def _mirrored_rows(target: str, step: int, mask: str, before: str = "", twin: str = "T") -> Lines:
    """Copy a block of rows to the columns; NumPy copies first what is copied to itself."""
    here, rest, tile = f"block : block + {step}", f"block + {step} :", _tile(target)
    return [
        f"    {target}[{before}{rest}, {here}] = {target}[{before}{here}, {rest}].{twin}",
        f"    {tile} = {target}[{before}{here}, {here}]",
        f"    np.copyto({tile}, {tile}.{twin}, where={mask})",
    ]


def _mask(step: int) -> str:
    return f"np.tri({step}, k=-1, dtype=bool)"


def _below(target: str) -> str:
    return f"{target}_below"


def _tile(target: str) -> str:
    return f"{target}_tile"

"""Write what makes a matrix symmetric: one triangle of a product, and its copy in the other.

In: a statement, what its operands are called. Out: lines of NumPy.
Guaranteed: rows are copied in blocks that a cache holds; entries above the diagonal are kept.
"""

from collections.abc import Sequence

from eingrad._emit.literals import Lines, tuple_text
from eingrad._plan import Statement
from eingrad._plan.kernels import Half, MatMul

_BLOCK = 64  # rows that are mirrored at once: 32 kB of a block lie in the first cache


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


def mirror_matrix(size: int, target: str) -> Lines:
    """Mirror blocks of rows; of those on the diagonal what a mask says.

    The last block is as large as the others, and has rows in common with the one before.
    """
    step = min(_BLOCK, size)
    return [
        f"{_below(target)} = {_mask(step)}",
        f"for block in (*range(0, {size - step}, {step}), {size - step}):",
        *_mirrored_rows(target, step, _below(target)),
        f"del {_below(target)}, {_tile(target)}",
    ]


def _mirrored_rows(target: str, step: int, mask: str) -> Lines:
    """Copy a block of rows to the columns; NumPy copies first what is copied to itself."""
    here, rest, tile = f"block : block + {step}", f"block + {step} :", _tile(target)
    return [
        f"    {target}[{rest}, {here}] = {target}[{here}, {rest}].T",
        f"    {tile} = {target}[{here}, {here}]",
        f"    np.copyto({tile}, {tile}.T, where={mask})",
    ]


def _mask(step: int) -> str:
    return f"np.tri({step}, k=-1, dtype=bool)"


def _below(target: str) -> str:
    return f"{target}_below"


def _tile(target: str) -> str:
    return f"{target}_tile"

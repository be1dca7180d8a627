"""Write a placement: a buffer of zeros or the base, onto which cores are scattered one by one."""

import math
from collections.abc import Sequence
from typing import assert_never

from eingrad import _subscripts
from eingrad._emit.literals import (
    Lines,
    expanded,
    for_einsum,
    number,
    permuted,
    sliced,
    tuple_text,
)
from eingrad._plan import Statement
from eingrad._plan.kernels import (
    Affine,
    At,
    Label,
    Look,
    LookUp,
    MergeAxes,
    Merged,
    Part,
    PickAxis,
    Piece,
    Place,
    Position,
    SliceAxis,
    SplitAxis,
    TableOperands,
)


def place(statement: Statement, kernel: Place, names: Sequence[str]) -> Lines:
    """Write zeros or a copy of the base, then each piece."""
    target = names[statement.targets[0]]
    operands = [names[n] for n in statement.operands]
    shape, dtype = statement.results[0]
    if kernel.has_base:
        lines = [f'{target} = np.array({operands[0]}, order="C")']
    else:
        lines = [f"{target} = np.zeros({shape}, {dtype.str!r})"]
    return lines + scatter(statement, kernel, target, operands)


def scatter(statement: Statement, kernel: Place, buffer: str, operands: Sequence[str]) -> Lines:
    """Write each piece onto the buffer."""
    return [
        _scatter(buffer, statement.shape, piece, operands, first=k == 0 and not kernel.has_base)
        for k, piece in enumerate(kernel.pieces)
    ]


def _scatter(
    buffer: str, shape: Sequence[int], piece: Piece, operands: Sequence[str], *, first: bool
) -> str:
    """Write one core onto the look at the buffer that its structure asks for."""
    if isinstance(piece.where, At):
        return _scattered_at(buffer, piece, piece.where, operands)
    look, sizes = _look(buffer, shape, piece.where)
    labels = tuple(dict.fromkeys(piece.labels))
    core = _core(piece, labels, operands)
    picks = {pick.axis: pick.table for pick in piece.where if isinstance(pick, PickAxis)}
    if picks:
        return _added_at(look, piece.labels, sizes, picks, core, operands)
    if len(labels) < len(piece.labels):
        terms, out = _subscripts.renumber([piece.labels], labels)
        look = f'np.einsum("{for_einsum(terms, out)}", {look})'
    return f"{look}[...] {'=' if first else '+='} {core}"


def _core(piece: Piece, labels: Sequence[int], operands: Sequence[str]) -> str:
    """Write a core so that it broadcasts against these labels."""
    if piece.core is None:
        return number(piece.number)
    order = [i for i in labels if i in piece.term]
    core = permuted(operands[piece.core], [piece.term.index(i) for i in order])
    return expanded(core, order, labels)


def _look(buffer: str, shape: Sequence[int], looks: Sequence[Look]) -> tuple[str, list[int]]:
    """Look at a buffer; give also the sizes of the axes that are seen."""
    sizes, text = [*shape], buffer
    for look in looks:
        match look:
            case SplitAxis(axis=axis, sizes=parts):
                sizes[axis : axis + 1] = parts
                text += f".reshape({tuple_text(sizes)})"
            case MergeAxes(axis=axis, count=count):
                sizes[axis : axis + count] = [math.prod(sizes[axis : axis + count])]
                text += f".reshape({tuple_text(sizes)})"
            case SliceAxis(axis=axis, positions=positions):
                sizes[axis] = len(positions)
                text += sliced(axis, positions)
            case PickAxis():
                pass  # the index of what is added at
            case _ as unknown:
                assert_never(unknown)
    return text, sizes


def _added_at(
    look: str, labels: Sequence[int], sizes: Sequence[int], picks: dict[int, TableOperands],
    core: str, operands: Sequence[str],
) -> str:  # fmt: skip
    """Add a core at positions that tables give; a position may be given twice."""
    unique = [*dict.fromkeys(labels)]
    index = []
    for axis, label in enumerate(labels):
        after = _trailing(unique, label)
        if axis in picks:
            positions = operands[picks[axis].positions]
            mask = picks[axis].mask
            if mask is not None:
                core = f"np.where({operands[mask]}{after}, {core}, 0)"
        else:
            positions = f"np.arange({sizes[axis]})"
        index.append(positions + after)
    return f"np.add.at({look}, ({', '.join(index)},), {core})"


def _trailing(labels: Sequence[int], label: int) -> str:
    """Broadcast what runs along one label against those after it."""
    after = ", None" * (len(labels) - 1 - [*labels].index(label))
    return f"[:{after}]" if after else ""


# Positions that are computed ---------------------------------------------------------------------


def _scattered_at(buffer: str, piece: Piece, at: At, operands: Sequence[str]) -> str:
    """Add a core at positions that are computed; a position may be given twice."""
    size = dict(zip(piece.labels, at.sizes, strict=True))
    masks: list[str] = []

    def text(position: Position) -> str:
        match position:
            case Label(index=label):
                return f"np.arange({size[label]}){_trailing(piece.labels, label)}"
            case Part(stride=stride, size=n, whole=whole):
                return f"({text(whole)} // {stride} % {n})"
            case Merged(sizes=sizes, parts=parts):
                strides = [math.prod(sizes[n + 1 :]) for n in range(len(sizes))]
                terms = [
                    text(part) if stride == 1 else f"{stride} * {text(part)}"
                    for part, stride in zip(parts, strides, strict=True)
                ]
                return f"({' + '.join(terms)})"
            case Affine(start=start, step=step, position=below):
                return f"({start} + {step} * {text(below)})"
            case LookUp(table=table, position=below):
                if table.mask is not None:
                    masks.append(f"{operands[table.mask]}[{text(below)}]")
                return f"{operands[table.positions]}[{text(below)}]"
            case _ as unknown:
                assert_never(unknown)

    index = ", ".join(map(text, at.positions))
    core = _core(piece, piece.labels, operands)
    for mask in masks:
        core = f"np.where({mask}, {core}, 0)"
    return f"np.add.at({buffer}, ({index},), {core})"

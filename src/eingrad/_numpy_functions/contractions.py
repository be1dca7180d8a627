"""Products of tensors: einsum, matmul, dot, outer products, diagonals and traces."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from eingrad import _ir, _subscripts
from eingrad._ir import Node
from eingrad._numpy_functions.operands import (
    Traced,
    implements,
    integer,
    normal_axes,
    operands,
    strong,
)
from eingrad._place import user_line
from eingrad._primitives import apply
from eingrad._shown import shown
from eingrad._subscripts import Subscripts
from eingrad._tracer import Expression, as_array
from eingrad.errors import ShapeError, SubscriptsError, TraceError


@implements(np.einsum)
def _einsum(*arguments: Any, optimize: Any = False) -> Traced:
    _check_path(optimize)  # and no more: every contraction is planned
    arrays: Sequence[Any]
    spec: Any
    if isinstance(arguments[0], str):
        spec, arrays = arguments[0], arguments[1:]
    else:
        pairs = arguments[: len(arguments) - len(arguments) % 2]
        out = _number(arguments[-1]) if len(arguments) % 2 else None
        arrays, spec = pairs[::2], ([_number(t) for t in pairs[1::2]], out)
    nodes, wrap = operands(*arrays)
    shapes = [n.shape for n in nodes]
    try:
        terms, out_term = _subscripts.parse(spec, shapes)
        terms, sizes = _subscripts.broadcast_sizes(terms, shapes)
    except (ShapeError, SubscriptsError) as error:
        raise type(error)(f"np.einsum at {user_line()}: {error}") from None
    factors = _multiply_in_order(zip(nodes, terms, strict=True), out_term)
    return wrap(_ir.contract(factors, out_term, dict(sizes)))


def _multiply_in_order(
    factors: Iterable[tuple[Node, Subscripts]], out: Subscripts
) -> list[tuple[Node, Subscripts]]:
    """Multiply operands over the same indices in the order in which they are written.

    Where nothing is summed that is all of them. One that is large and one that is tiny may be there
    to keep each other in range. The rest has no order: it is planned.
    """
    factors = [*factors]
    is_summed = not {i for _, term in factors for i in term} <= {*out}
    kept: list[tuple[Node, Subscripts]] = []
    for node, term in factors:
        alike = [n for n, (_, t) in enumerate(kept) if {*t} == {*term} or not is_summed]
        if not alike:
            kept.append((node, term))
            continue
        n = alike[0]
        both = tuple(dict.fromkeys((*kept[n][1], *term)))
        kept[n] = _ir.contract([kept[n], (node, term)], both), both
    return kept


def _check_path(optimize: Any) -> None:
    kind = optimize[0] if isinstance(optimize, (list, tuple)) and optimize else optimize
    if kind is None or isinstance(kind, bool):
        return
    if not (isinstance(kind, str) and kind in ("greedy", "optimal", "einsum_path")):
        raise TraceError(
            f"np.einsum at {user_line()}: optimize={shown(optimize)}; give True, False, 'greedy', "
            "'optimal' or a path of np.einsum_path"
        )


def _number(subscripts: Any) -> list[Any]:
    """Subscripts given as numbers from 0, any number of them, and an ellipsis."""
    items = list(subscripts) if isinstance(subscripts, (list, tuple)) else [subscripts]
    numbers = [k if k is Ellipsis else integer(k, "a subscript") for k in items]
    if items == [subscripts] or min((k for k in numbers if k is not Ellipsis), default=0) < 0:
        raise SubscriptsError(
            f"np.einsum at {user_line()}: subscripts {shown(subscripts)}; give a list of "
            "numbers from 0"
        )
    return numbers


@implements(np.matmul, np.linalg.matmul)
def _matmul(a: Any, b: Any) -> Traced:
    nodes, wrap = operands(a, b)
    left, right = nodes
    if not left.ndim or not right.ndim:
        raise ShapeError(f"matmul of a 0-d value at {user_line()}; use * instead")
    batch = max(left.ndim, right.ndim) - 2
    i, j, k = batch + 0, batch + 1, batch + 2
    terms = []
    for node, core in ((left, (i, k) if left.ndim > 1 else (k,)),
                       (right, (k, j) if right.ndim > 1 else (k,))):  # fmt: skip
        lead = node.ndim - len(core)
        terms.append((*range(batch - lead, batch), *core))
    out = (
        *range(max(batch, 0)),
        *((i,) if left.ndim > 1 else ()),
        *((j,) if right.ndim > 1 else ()),
    )
    if left.shape[-1] != right.shape[-2 if right.ndim > 1 else 0]:
        raise ShapeError(
            f"matmul of shapes {left.shape} and {right.shape} at {user_line()}: the last axis of "
            "the first must equal the second-to-last (or only) axis of the second"
        )
    new_terms, sizes = _subscripts.broadcast_sizes(terms, [n.shape for n in nodes])
    _subscripts.index_sizes(new_terms, [n.shape for n in nodes])
    return wrap(_ir.contract(zip(nodes, new_terms, strict=True), out, dict(sizes)))


@implements(np.dot)
def _dot(a: Any, b: Any) -> Traced:
    left, right = np.ndim(a), np.ndim(b)
    if not left or not right:
        return np.multiply(strong(a), strong(b))
    m, n = left - 1, max(right - 2, 0)
    if np.shape(a)[m] != np.shape(b)[n]:
        raise _sizes_differ("np.dot", (np.shape(a), m), (np.shape(b), n))
    return np.tensordot(a, b, ((m,), (n,)))


def _sizes_differ(name: str, first: tuple[Any, int], second: tuple[Any, int]) -> ShapeError:
    (left, m), (right, n) = first, second
    return ShapeError(
        f"{name} at {user_line()}: axis {m} of the first operand (shape {left}) and axis {n} of "
        f"the second (shape {right}) have different sizes, {left[m]} and {right[n]}; make them "
        "equal, or transpose an operand"
    )


@implements(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Traced:
    nodes, wrap = operands(strong(a), strong(b))
    left, right = nodes
    if isinstance(axes, (int, np.integer)):
        axes = (range(left.ndim - axes, left.ndim), range(axes))
    pair = [normal_axes(tuple(x) if np.iterable(x) else (x,), n.ndim)
            for x, n in zip(axes, nodes, strict=True)]  # fmt: skip
    term = list(range(left.ndim, left.ndim + right.ndim))
    for x, y in zip(*pair, strict=True):
        if left.shape[x] != right.shape[y]:
            raise _sizes_differ("np.tensordot", (left.shape, x), (right.shape, y))
        term[y] = x
    kept = [i for i in range(left.ndim) if i not in pair[0]]
    out = [*kept, *(i for y, i in enumerate(term) if y not in pair[1])]
    return wrap(_ir.contract([(left, range(left.ndim)), (right, term)], out))


@implements(np.inner)
def _inner(a: Any, b: Any) -> Traced:
    if not np.ndim(a) or not np.ndim(b):
        return np.multiply(strong(a), strong(b))
    return np.tensordot(a, b, ((np.ndim(a) - 1,), (np.ndim(b) - 1,)))


@implements(np.outer)
def _outer(a: Any, b: Any) -> Traced:
    return np.tensordot(np.ravel(a), np.ravel(b), 0)


@implements(np.linalg.outer)
def _linalg_outer(x1: Any, x2: Any, /) -> Traced:
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ShapeError(
            f"np.linalg.outer of shapes {np.shape(x1)} and {np.shape(x2)} at {user_line()}: both "
            "must be vectors; use np.outer"
        )
    return np.outer(x1, x2)


@implements(np.linalg.tensordot)
def _linalg_tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Traced:
    return np.tensordot(x1, x2, axes)


def _conjugate(x: Any) -> Any:
    """Conjugate an array; of a traced complex value that would not be holomorphic."""
    return np.conjugate(x if isinstance(x, Expression) else as_array(x, "an operand"))


@implements(np.vdot)
def _vdot(a: Any, b: Any) -> Traced:
    return np.dot(np.ravel(_conjugate(a)), np.ravel(b))


def _last_axis(a: Any, b: Any, name: str) -> None:
    if np.shape(a)[-1:] != np.shape(b)[-1:] or not np.ndim(a):
        raise ShapeError(
            f"np.{name} of shapes {np.shape(a)} and {np.shape(b)} at {user_line()}: the last axes "
            "must be equal"
        )


@implements(np.vecdot)
def _vecdot(a: Any, b: Any) -> Traced:
    _last_axis(a, b, "vecdot")
    return np.einsum("...i,...i->...", _conjugate(a), b)


@implements(np.linalg.vecdot)
def _linalg_vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Traced:
    return np.vecdot(np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1))


@implements(np.kron)
def _kron(a: Any, b: Any) -> Traced:
    count = max(np.ndim(a), np.ndim(b))
    left = (1,) * (count - np.ndim(a)) + np.shape(a)
    right = (1,) * (count - np.ndim(b)) + np.shape(b)
    product = np.multiply(
        np.reshape(a, [n for size in left for n in (size, 1)]),
        np.reshape(b, [n for size in right for n in (1, size)]),
    )
    return np.reshape(product, [m * n for m, n in zip(left, right, strict=True)])


@implements(np.cross)
def _cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Traced:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:  # noqa: PLR2004 - vectors of space
        raise ShapeError(
            f"np.cross of vectors of {a.shape[-1]} and {b.shape[-1]} entries at {user_line()}; "
            "both must have 3 (NumPy deprecates 2: append a zero, or write x[0]*y[1] - x[1]*y[0])"
        )
    a, b = np.broadcast_arrays(a, b)
    nodes, wrap = operands(a, b)
    product: Any = wrap(apply("cross", *nodes))
    return np.moveaxis(product, -1, axisc)


@implements(np.linalg.cross)
def _linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Traced:
    return np.cross(x1, x2, axis=axis)


@implements(np.linalg.multi_dot)
def _multi_dot(arrays: Any) -> Traced:
    """Multiply in the cheapest order, as NumPy does."""
    nodes, wrap = operands(*arrays)
    if len(nodes) < 2:  # noqa: PLR2004 - a product
        raise ShapeError(f"multi_dot of {len(nodes)} arrays at {user_line()}; give two or more")
    shapes = [n.shape for n in nodes]
    ends = nodes[0].ndim in (1, 2) and nodes[-1].ndim in (1, 2)
    if not ends or any(n.ndim != 2 for n in nodes[1:-1]):  # noqa: PLR2004 - matrices
        raise ShapeError(
            f"multi_dot of shapes {', '.join(map(str, shapes))} at {user_line()}: all must be "
            "matrices, but for the first and the last, which may be vectors"
        )
    for n, (left, right) in enumerate(itertools.pairwise(shapes)):
        if left[-1] != right[0]:
            raise ShapeError(
                f"multi_dot at {user_line()}: the last axis of array {n} (shape {left}) and the "
                f"first of array {n + 1} (shape {right}) have different sizes"
            )
    terms: list[Subscripts] = [(n, n + 1) for n in range(len(nodes))]
    terms[0], terms[-1] = terms[0][-nodes[0].ndim :], terms[-1][: nodes[-1].ndim]
    out = (*terms[0][:-1], *terms[-1][1:])
    return wrap(_ir.contract(zip(nodes, terms, strict=True), out))


@implements(np.diagonal)
def _diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Traced:
    (node,), wrap = operands(x)
    first, second = normal_axes((axis1, axis2), node.ndim)
    offset = integer(offset, "offset")
    length = min(node.shape[first] - max(-offset, 0), node.shape[second] - max(offset, 0))
    length = max(length, 0)
    for axis, start in ((first, max(-offset, 0)), (second, max(offset, 0))):
        picks = _ir.selection(range(start, start + length), node.shape[axis])
        node = _ir.take(node, axis, picks)
    term = [first if i == second else i for i in range(node.ndim)]
    out = [i for i in range(node.ndim) if i not in (first, second)] + [first]
    return wrap(_ir.contract([(node, term)], out))


@implements(np.linalg.diagonal)
def _linalg_diagonal(x: Any, /, *, offset: int = 0) -> Traced:
    return np.diagonal(x, offset, -2, -1)


@implements(np.trace)
def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Traced:
    return np.sum(np.diagonal(a, offset, axis1, axis2), -1, dtype)


@implements(np.linalg.trace)
def _linalg_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Traced:
    return np.trace(x, offset, -2, -1, dtype)


def _no_stretching(name: str, shapes: list[tuple[int, ...]], terms: list[str]) -> None:
    """Refuse to repeat an entry along a contracted axis, as einsum would."""
    pairs = zip(terms, shapes, strict=True)
    sizes = [dict(zip(term, shape[-len(term) :], strict=True)) for term, shape in pairs]
    for index in sizes[0].keys() & sizes[1].keys():
        if sizes[0][index] != sizes[1][index]:
            lines = "columns" if name == "matvec" else "rows"
            raise ShapeError(
                f"np.{name} of shapes {shapes[0]} and {shapes[1]} at {user_line()}: the vector "
                f"must have as many entries as the matrix has {lines}"
            )


def _matrix_vector(name: str, spec: str, *, conjugates: bool) -> Any:
    def handler(a: Any, b: Any) -> Traced:
        shapes = [np.shape(a), np.shape(b)]
        terms = [term.removeprefix("...") for term in spec.partition("->")[0].split(",")]
        if any(len(s) < len(t) for s, t in zip(shapes, terms, strict=True)):
            raise ShapeError(
                f"np.{name} of shapes {shapes[0]} and {shapes[1]} at {user_line()}: too few axes"
            )
        _no_stretching(name, shapes, terms)
        return np.einsum(spec, _conjugate(a) if conjugates else a, b)

    return handler


if hasattr(np, "matvec"):  # NumPy 2.2
    implements(np.matvec)(_matrix_vector("matvec", "...ij,...j->...i", conjugates=False))
    implements(np.vecmat)(_matrix_vector("vecmat", "...i,...ij->...j", conjugates=True))

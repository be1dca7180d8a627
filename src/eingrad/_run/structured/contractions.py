"""Products of structured tensors with arrays and with each other.

In: operands, and an index for each of their axes. Out: a tensor where only axes of structured
operands are left, two or more; else an array.
Guaranteed: terms are contracted with each other, one by one.
"""

import itertools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from eingrad import _subscripts
from eingrad._patterns import whole
from eingrad._run.structured.network import Network
from eingrad._run.structured.placed import Placed
from eingrad._run.structured.registry import METHODS, implements
from eingrad._run.structured.tensor import StructuredTensor, structured
from eingrad._shown import shown
from eingrad._tracebacks import ends_at_the_user
from eingrad._tracer import as_array
from eingrad.errors import ShapeError, SubscriptsError


def contracted(operands: Sequence[Any], terms: Sequence[Sequence[int]], out: Sequence[int]) -> Any:
    """Contract as ``np.einsum`` does with these subscripts; sizes of one index are equal."""
    sizes: dict[int, int] = {}
    for operand, term in zip(operands, terms, strict=True):
        sizes.update(zip(term, operand.shape, strict=True))
    pieces = []
    for chosen in itertools.product(*map(_terms, operands)):
        network = Network()
        for piece, term in zip(chosen, terms, strict=True):
            network.place(piece.core, piece.pattern, term)
        pieces.append(network.contracted(out, sizes))
    dtype = np.result_type(*(operand.dtype for operand in operands))
    shape = tuple(sizes[index] for index in out)
    known = {
        index
        for operand, term in zip(operands, terms, strict=True)
        if isinstance(operand, StructuredTensor)
        for index in term
    }
    made = structured(pieces, shape, dtype)
    return made if {*out} <= known else np.asarray(made)


def _terms(operand: Any) -> list[Placed]:
    if isinstance(operand, StructuredTensor):
        return operand.placed()
    return [Placed(operand, whole(operand.shape))]


@implements(np.einsum)
def _einsum(*arguments: Any, optimize: Any = False) -> Any:  # noqa: ARG001 - terms are planned
    if isinstance(arguments[0], str):
        spec: Any = arguments[0]
        given: Sequence[Any] = arguments[1:]
    else:
        pairs = arguments[: len(arguments) - len(arguments) % 2]
        out = _numbers(arguments[-1]) if len(arguments) % 2 else None
        given, spec = pairs[::2], ([_numbers(term) for term in pairs[1::2]], out)
    operands = _operands(*given)
    shapes = [operand.shape for operand in operands]
    try:
        terms, out_term = _subscripts.parse(spec, shapes)
    except (ShapeError, SubscriptsError) as error:
        raise type(error)(f"np.einsum of structured tensors: {error}") from None
    terms, _ = _subscripts.broadcast_sizes(terms, shapes)
    return contracted(operands, terms, out_term)


def _numbers(subscripts: Any) -> list[Any]:
    """Subscripts given as numbers, and an ellipsis."""
    items = [*subscripts] if isinstance(subscripts, list | tuple) else [None]
    if not all(n is Ellipsis or _is_number(n) for n in items):
        raise SubscriptsError(
            f"np.einsum of structured tensors: subscripts {shown(subscripts)}; give a list of "
            "numbers from 0"
        )
    return items


def _is_number(n: Any) -> bool:
    return isinstance(n, int | np.integer) and not isinstance(n, bool) and int(n) >= 0


def _operands(*given: Any) -> list[Any]:
    return [
        v if isinstance(v, StructuredTensor) else as_array(v, f"operand {n}")
        for n, v in enumerate(given)
    ]


def _factors(*given: Any) -> list[Any]:
    return [v if isinstance(v, StructuredTensor) else as_array(v, "a factor") for v in given]


@implements(np.tensordot, np.linalg.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    a, b = _factors(a, b)
    of_a, of_b = _contracted_axes(a, b, axes)
    labels = [*range(a.ndim)]
    others = [*range(a.ndim, a.ndim + b.ndim)]
    if len(of_a) != len(of_b) or [a.shape[n] for n in of_a] != [b.shape[n] for n in of_b]:
        raise ShapeError(
            f"axes {of_a} of shape {a.shape} and {of_b} of shape {b.shape} are contracted "
            "with each other; their sizes must be equal"
        )
    for m, n in zip(of_a, of_b, strict=True):
        others[n] = labels[m]
    out = [n for n in labels if n not in others] + [n for n in others if n not in labels]
    return _product(a, b, labels, others, out)


def _contracted_axes(a: Any, b: Any, axes: Any) -> list[list[int]]:
    """Count from the front which axes are contracted: the last ones of a, or a pair of lists."""
    try:
        count = range(axes) if isinstance(axes, (int, np.integer)) else None
        both = axes if count is None else ([n - len(count) for n in count], count)
        pair = [[operator.index(n) for n in np.atleast_1d(part).tolist()] for part in both]
    except TypeError:
        pair = []
    sound = len(pair) == 2 and all(  # noqa: PLR2004 - a pair
        -v.ndim <= n < v.ndim for part, v in zip(pair, (a, b), strict=True) for n in part
    )
    if not sound:
        raise ShapeError(
            f"np.tensordot over axes {shown(axes)} of shapes {a.shape} and {b.shape}; give how "
            "many, or two lists of axes that are there"
        )
    return [[n % v.ndim for n in part] for part, v in zip(pair, (a, b), strict=True)]


@implements(np.dot)
def _dot(a: Any, b: Any) -> Any:
    a, b = _factors(a, b)
    if not a.ndim or not b.ndim:
        return np.multiply(a, b)
    return _tensordot(a, b, ([-1], [max(0, b.ndim - 2)]))


@implements(np.inner)
def _inner(a: Any, b: Any) -> Any:
    a, b = _factors(a, b)
    return np.multiply(a, b) if not a.ndim or not b.ndim else _tensordot(a, b, ([-1], [-1]))


@ends_at_the_user
def _matvec(tensor: StructuredTensor, x: Any) -> Any:
    """Multiply a matrix with a vector, by the name that SciPy's iterative solvers ask for."""
    if tensor.ndim != 2:  # noqa: PLR2004 - a matrix
        raise ShapeError(
            f"matvec of a structured tensor of shape {tensor.shape}; it is a method of matrices: "
            "write np.tensordot(tensor, x, x.ndim)"
        )
    return tensor @ x


@ends_at_the_user
def _rmatvec(tensor: StructuredTensor, x: Any) -> Any:
    """Multiply the conjugate transpose of a matrix with a vector."""
    twin: Any = np.conjugate(tensor).T
    return _matvec(twin, x)


METHODS.update(dot=np.dot, matvec=_matvec, rmatvec=_rmatvec)


def _product(a: Any, b: Any, labels: Sequence[int], others: Sequence[int], out: list[int]) -> Any:
    """Of two tensors a tensor; with an array an array."""
    made = contracted([a, b], [labels, others], out)
    both = isinstance(a, StructuredTensor) and isinstance(b, StructuredTensor)
    return made if both else np.asarray(made)


@implements(np.matmul, np.linalg.matmul)
def _matmul(a: Any, b: Any) -> Any:
    a, b = _factors(a, b)
    arrays = [v.ndim for v in (a, b) if not isinstance(v, StructuredTensor)] or [
        min(a.ndim, b.ndim)
    ]
    if not a.ndim or not b.ndim or max(arrays) > 2:  # noqa: PLR2004 - a matrix
        raise ShapeError(
            f"@ of shapes {a.shape} and {b.shape}: a structured tensor is multiplied "
            "with a vector or a matrix; for more axes, use np.tensordot"
        )
    stack = max(a.ndim, b.ndim) - 2
    labels = [*range(stack - max(0, a.ndim - 2), stack), stack, stack + 1][-a.ndim :]
    others = [*range(stack - max(0, b.ndim - 2), stack), stack + 1, stack + 2]
    others = others if b.ndim > 1 else [stack + 1]
    if a.shape[-1] != b.shape[max(0, b.ndim - 2)]:
        of_b = max(0, b.ndim - 2) - b.ndim
        raise ShapeError(
            f"axes [-1] of shape {a.shape} and [{of_b if b.ndim > 1 else 0}] of shape {b.shape} "
            "are contracted with each other; their sizes must be equal"
        )
    out = [n for n in dict.fromkeys((*labels, *others)) if n != stack + 1]
    return _product(a, b, labels, others, sorted(out))

"""`StructuredTensor`: the terms of a derivative as arrays, Kronecker deltas kept apart.

In: the cores that a program computed, and the deltas known when it was compiled. Out: a tensor that
holds the cores alone, and is written out on request.

>>> layout = Layout((3, 3), np.dtype(float), ((((0, 1),), (0,)),))
>>> tensor = layout.fill(iter([np.array([1.0, 2.0, 3.0])]))
>>> tensor
StructuredTensor of shape (3, 3), float64: delta[0,1] core(3)[0]
>>> tensor.dense()
array([[1., 0., 0.],
       [0., 2., 0.],
       [0., 0., 3.]])
>>> tensor @ np.ones(3), np.sum(2 * tensor)
(array([1., 2., 3.]), array(12.))
"""

import inspect
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad._formula import Pattern
from eingrad._tracer import Expression, Term, as_array, qualified_name
from eingrad.errors import DTypeError, ShapeError

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StructuredTensor:
    """A tensor as a sum of terms, each a product of Kronecker deltas and a core array.

    What NumPy can do with the terms alone never writes the tensor out:

    - sums and differences of such tensors, and with arrays of its shape or numbers; products with
      numbers; ``np.transpose``, ``np.swapaxes``, ``np.trace``, ``np.sum`` (`eingrad.trace` and
      `eingrad.transpose` too) give such a tensor, or an array if it has less than two axes;
    - ``@`` with vectors and matrices, and ``np.tensordot`` with arrays, give arrays.

    ``np.asarray`` writes it out, as `dense` does; any other function of NumPy is refused.

    Attributes
    ----------
    shape : tuple of int
        Shape of the whole tensor.
    dtype : numpy.dtype
        Dtype of its entries.
    terms : tuple of Term
        Their sum is the tensor; none where it is zero. The cores are arrays.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    terms: tuple[Term, ...]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the cores take."""
        return sum(term.core.nbytes for term in self.terms)

    def dense(self) -> Array:
        """Write it out.

        Returns
        -------
        array
            A new one, of `shape`; most of a tensor with deltas is zeros.
        """
        result = np.zeros(self.shape, self.dtype)
        for term in self.terms:
            labels = self._labels(term)
            # The diagonals, a view; of a number, NumPy would give a copy.
            where = np.einsum(result, labels, sorted(set(labels))) if labels else result
            on = {labels[axis] for axis in term.axes}
            index = tuple(slice(None) if label in on else None for label in sorted(set(labels)))
            held = np.einsum(term.core, [labels[axis] for axis in term.axes], sorted(on))
            where += held[index]
        return result

    def _labels(self, term: Term) -> list[int]:
        """Number the axes so that those tied by deltas have one number."""
        labels = list(range(self.ndim))
        for a, b in term.deltas:
            low, high = sorted((labels[a], labels[b]))
            labels = [low if label == high else label for label in labels]
        return labels

    # What NumPy asks

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Compute with the terms (NEP 13)."""
        if any(isinstance(value, Expression) for value in inputs):
            return NotImplemented
        known = _UFUNCS.get(ufunc) if method == "__call__" and not kwargs else None
        return _or_refuse(known, ufunc, self)(*inputs)

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Compute with the terms (NEP 18)."""
        if any(issubclass(kind, Expression) for kind in types):
            return NotImplemented
        known = _FUNCTIONS.get(function)
        if known is not None:
            try:
                inspect.signature(known).bind(*args, **kwargs)
            except TypeError:  # an option that is not for terms
                known = None
        return _or_refuse(known, function, self)(*args, **kwargs)

    def __add__(self, other: Any) -> Any:
        return np.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return np.add(other, self)

    def __sub__(self, other: Any) -> Any:
        return np.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return np.subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return np.multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return np.multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return np.divide(self, other)

    def __neg__(self) -> Any:
        return np.negative(self)

    def __matmul__(self, other: Any) -> Any:
        return np.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return np.matmul(other, self)

    @property
    def T(self) -> Any:  # noqa: N802 - NumPy's name
        """Reverse the axes."""
        return np.transpose(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Write it out (what NumPy asks)."""
        if copy is False:
            raise ValueError("a structured tensor is written out to a new array; copy is needed")
        return self.dense() if dtype is None else self.dense().astype(dtype)

    def __repr__(self) -> str:
        terms = []
        for term in self.terms:
            deltas = [f"delta[{a},{b}]" for a, b in term.deltas]
            core = "x".join(map(str, term.core.shape))
            axes = ",".join(map(str, term.axes))
            terms.append(" ".join([*deltas, f"core({core})[{axes}]" if core else "number"]))
        return (
            f"StructuredTensor of shape {self.shape}, {self.dtype}: {' + '.join(terms) or 'zero'}"
        )


# Computing with the terms ------------------------------------------------------------------------


def _or_refuse(known: Any, function: Any, tensor: StructuredTensor) -> Callable[..., Any]:
    """Give the function of the terms; refuse one that needs the entries."""
    if known is None:
        size = math.prod(tensor.shape) * tensor.dtype.itemsize
        name = qualified_name(function)
        raise DTypeError(
            f"{name} of a structured tensor would write it out: shape {tensor.shape}, {size:,} "
            f"bytes; if that is meant, call {name} with tensor.dense()"
        )
    made: Callable[..., Any] = known
    return made


def _contracted(
    tensor: StructuredTensor, labels: Sequence[int], out: Sequence[int],
    array: Array | None = None, array_labels: Sequence[int] = (),
) -> StructuredTensor:  # fmt: skip
    """Contract as ``np.einsum(tensor, labels, array, array_labels, out)``, term by term.

    A delta makes two labels one. A label that nothing carries is a factor, its size, if it is
    summed; else the result is constant along it.
    """
    sizes = dict(zip(labels, tensor.shape, strict=True))
    sizes.update(zip(array_labels, () if array is None else array.shape, strict=True))
    dtype = tensor.dtype if array is None else np.result_type(tensor.dtype, array.dtype)
    terms = []
    for term in tensor.terms:
        one = {label: label for label in sizes}
        for a, b in term.deltas:
            old, new = one[labels[b]], one[labels[a]]
            one = {label: new if known == old else known for label, known in one.items()}
        core_labels = [one[labels[axis]] for axis in term.axes]
        operands = [term.core, core_labels]
        if array is not None:
            operands += [array, [one[label] for label in array_labels]]
        carried = {label for below in operands[1::2] for label in below}
        shown = [one[label] for label in out]
        kept = [label for label in dict.fromkeys(shown) if label in carried]
        free = {*one.values()} - carried - {*shown}
        core = np.einsum(*operands, kept, optimize=True) * math.prod(sizes[n] for n in free)
        core = np.asarray(core)  # not a scalar
        places = {label: [n for n, other in enumerate(shown) if other == label] for label in shown}
        deltas = tuple(pair for axes in places.values() for pair in itertools.pairwise(axes))
        terms.append(Term(deltas, core, tuple(places[label][0] for label in kept)))
    return StructuredTensor(tuple(sizes[label] for label in out), dtype, tuple(terms))


def _array_or_tensor(tensor: StructuredTensor) -> Any:
    """One of less than two axes has no structure: as an array."""
    return tensor if tensor.ndim > 1 else tensor.dense()


def _add(a: Any, b: Any) -> Any:
    shape = a.shape if isinstance(a, StructuredTensor) else b.shape
    found: dict[Pattern, Array] = {}
    dtypes = []
    for value in (a, b):
        tensor = _as_tensor(value, shape)
        dtypes.append(value if isinstance(value, (int, float, complex)) else tensor.dtype)
        for term in tensor.terms:
            pattern = term.deltas, term.axes
            found[pattern] = found[pattern] + term.core if pattern in found else term.core
    terms = tuple(Term(deltas, core, axes) for (deltas, axes), core in found.items())
    return StructuredTensor(shape, np.result_type(*dtypes), terms)


def _as_tensor(value: Any, shape: tuple[int, ...]) -> StructuredTensor:
    """One term without deltas, of an array of this shape or a number."""
    if isinstance(value, StructuredTensor):
        tensor = value
    else:
        array = np.array(value)
        axes = tuple(range(array.ndim))
        tensor = StructuredTensor(shape if not axes else array.shape, array.dtype,
                                  (Term((), array, axes),))  # fmt: skip
    if tensor.shape != shape:
        raise ShapeError(
            f"a structured tensor of shape {shape} and an array of shape {tensor.shape} are not "
            "added; give an array of the same shape, or a number"
        )
    return tensor


def _scaled(tensor: StructuredTensor, factor: Any) -> StructuredTensor:
    terms = tuple(Term(t.deltas, t.core * factor, t.axes) for t in tensor.terms)
    return StructuredTensor(tensor.shape, np.result_type(tensor.dtype, factor), terms)


def _multiply(a: Any, b: Any) -> Any:
    tensor, factor = (a, b) if isinstance(a, StructuredTensor) else (b, a)
    if isinstance(factor, StructuredTensor) or np.ndim(factor):
        raise DTypeError(
            f"a structured tensor of shape {tensor.shape} is multiplied with numbers only, not "
            f"elementwise with shape {np.shape(factor)}; write it out first, with dense(), or use "
            "@ or np.tensordot"
        )
    return _scaled(tensor, factor)


def _divide(a: Any, b: Any) -> Any:
    if isinstance(b, StructuredTensor) or np.ndim(b):
        raise DTypeError(
            "a structured tensor is divided by numbers only, and nothing by it; write it out "
            "first, with dense()"
        )
    return StructuredTensor(
        a.shape, np.result_type(a.dtype, b),
        tuple(Term(t.deltas, t.core / b, t.axes) for t in a.terms),
    )  # fmt: skip


def _tensordot(a: Any, b: Any, axes: Any = 2) -> Array:
    if isinstance(a, StructuredTensor) and isinstance(b, StructuredTensor):
        raise DTypeError(
            f"a product of two structured tensors, of shapes {a.shape} and {b.shape}, is not kept "
            "structured; write one out first, with dense()"
        )
    a, b = (v if isinstance(v, StructuredTensor) else as_array(v, "a factor") for v in (a, b))
    if isinstance(axes, (int, np.integer)):
        axes = range(a.ndim - axes, a.ndim), range(axes)
    of_a, of_b = (np.atleast_1d(n).tolist() for n in axes)
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
    if isinstance(a, StructuredTensor):
        return _contracted(a, labels, out, b, others).dense()
    return _contracted(b, others, out, a, labels).dense()


def _matmul(a: Any, b: Any) -> Array:
    other = b if isinstance(a, StructuredTensor) else a
    if np.ndim(a) == 0 or np.ndim(b) == 0 or np.ndim(other) > 2:  # noqa: PLR2004 - a matrix
        raise ShapeError(
            f"@ of shapes {np.shape(a)} and {np.shape(b)}: a structured tensor is multiplied "
            "with a vector or a matrix; for more axes, use np.tensordot"
        )
    if other is b:
        return _tensordot(a, b, (-1, 0))
    made = _tensordot(a, b, (-1, -2 if b.ndim > 1 else 0))
    return made if np.ndim(a) == 1 or b.ndim == 1 else np.moveaxis(made, 0, -2)


def _transpose(a: StructuredTensor, axes: Sequence[int] | None = None) -> StructuredTensor:
    order = range(a.ndim)[::-1] if axes is None else [n % a.ndim for n in axes]
    if sorted(order) != [*range(a.ndim)]:
        raise ShapeError(f"axes {axes} do not name each axis of shape {a.shape} once")
    return _contracted(a, range(a.ndim), order)


def _swapaxes(a: StructuredTensor, axis1: int, axis2: int) -> StructuredTensor:
    order = [*range(a.ndim)]
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return _transpose(a, order)


def _trace(a: StructuredTensor, *, axis1: int = 0, axis2: int = 1) -> Any:
    labels = [*range(a.ndim)]
    first, second = labels[axis1], labels[axis2]
    if first == second or a.shape[first] != a.shape[second]:
        raise ShapeError(
            f"the trace of shape {a.shape} over axes {axis1} and {axis2}, of sizes "
            f"{a.shape[first]} and {a.shape[second]}; they must be two, of one size"
        )
    out = [n for n in labels if n not in (first, second)]
    labels[second] = first
    return _array_or_tensor(_contracted(a, labels, out))


def _sum(a: StructuredTensor, axis: int | Sequence[int] | None = None) -> Any:
    axes = range(a.ndim) if axis is None else np.atleast_1d(axis)
    summed = {range(a.ndim)[n] for n in axes}
    return _array_or_tensor(
        _contracted(a, range(a.ndim), [n for n in range(a.ndim) if n not in summed])
    )


_UFUNCS: dict[Any, Callable[..., Any]] = {
    np.add: _add,
    np.subtract: lambda a, b: _add(a, np.negative(b)),
    np.multiply: _multiply,
    np.divide: _divide,
    np.negative: lambda a: _scaled(a, -1),
    np.positive: lambda a: a,
    np.matmul: _matmul,
}
_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.tensordot: _tensordot,
    np.transpose: _transpose,
    np.swapaxes: _swapaxes,
    np.trace: _trace,
    np.sum: _sum,
    np.shape: lambda a: a.shape,
    np.ndim: lambda a: a.ndim,
    np.size: lambda a: math.prod(a.shape),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """What is known of a structured tensor before its cores are."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    patterns: tuple[Pattern, ...]

    def fill(self, cores: Iterator[Array]) -> StructuredTensor:
        """Take as many cores as there are terms."""
        terms = tuple(Term(deltas, next(cores), axes) for deltas, axes in self.patterns)
        return StructuredTensor(self.shape, self.dtype, terms)

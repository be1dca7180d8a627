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
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad._formula import Pattern
from eingrad._tracer import Term

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StructuredTensor:
    """A tensor as a sum of terms, each a product of Kronecker deltas and a core array.

    ``np.asarray`` writes it out, as `dense` does.

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

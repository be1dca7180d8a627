"""`StructuredTensor`: terms as arrays, what ties their axes kept apart.

In: terms. Out: a tensor that holds their cores and positions alone, and is written out on request.
Guaranteed: NumPy's functions either compute with the terms or are refused, as `compute` and
`functions` say; none writes the tensor out unasked.
"""

import functools
import importlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from eingrad._patterns import Array
from eingrad._run.structured import placed
from eingrad._run.structured.index import indexed
from eingrad._run.structured.operators import Operators
from eingrad._run.structured.placed import Placed
from eingrad._run.structured.refusals import missing_attribute, refuse, unknown_option
from eingrad._run.structured.registry import ATTRIBUTES, HANDLERS, METHODS
from eingrad._run.structured.sparsity import Sparsity, count_rows, sparsity
from eingrad._tracebacks import ends_at_the_user
from eingrad._tracer import Expression, Term
from eingrad.errors import DTypeError, InPlaceError, ShapeError


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StructuredTensor(Operators):
    """A tensor as a sum of terms, each a product of Kronecker deltas and a core array, placed.

    What NumPy can do with the terms alone never writes the tensor out:

    - sums and differences of such tensors, and with arrays of its shape or numbers; products with
      numbers; ``np.transpose``, ``np.swapaxes``, ``np.moveaxis``, ``np.trace``, ``np.diagonal``,
      ``np.sum``, ``np.mean`` (`eingrad.trace` and `eingrad.transpose` too), ``np.astype``,
      ``np.real``, ``np.imag``, ``np.conj``, ``tensor[0]``, ``tensor[1:, ..., ::2]``, and products
      of two such tensors give such a tensor, or an array if it has less than two axes; so do the
      methods of these names;
    - ``@`` with vectors and matrices, ``np.dot``, ``np.inner`` and ``np.tensordot`` with arrays,
      give arrays; so SciPy's iterative solvers take a matrix of this kind, as in
      ``scipy.sparse.linalg.cg(tensor, b)``;
    - ``np.einsum`` gives such a tensor where the result has two axes or more, each one of a
      structured operand (``"ij,i->ij"``), else an array (``"ij,jk->ik"`` with an array k).

    ``np.asarray`` writes it out, as `dense` does, and `to_scipy_sparse` gives a sparse matrix; any
    other function of NumPy is refused. It holds no more numbers than the tensor has entries.

    Attributes
    ----------
    shape : tuple of int
        Shape of the whole tensor.
    dtype : numpy.dtype
        Dtype of its entries.
    terms : tuple of Term
        Their sum is the tensor; none where it is zero. The cores are arrays; terms may share one.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    terms: tuple[Term, ...]
    _sparsity: Callable[[int], Sparsity] | None = field(default=None, kw_only=True)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of entries, zeros included."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the cores and arrays of positions take, each counted once."""
        return placed.nbytes(self.placed())

    def placed(self) -> list[Placed]:
        """Read the terms as cores in patterns."""
        return [placed.placed(term, self.shape) for term in self.terms]

    def dense(self) -> Array:
        """Write it out.

        Returns
        -------
        array
            A new one, of `shape`; most of a tensor with deltas is zeros.
        """
        return placed.dense(self.placed(), self.shape, self.dtype)

    @ends_at_the_user
    def to_scipy_sparse(self, rows: int | None = None) -> Any:
        """Write its entries as a sparse matrix of SciPy, by rows (CSR).

        Parameters
        ----------
        rows : int, optional
            How many of the first axes are merged to rows; the others are merged to columns. Half of
            the axes if it is not given.

        Returns
        -------
        scipy.sparse.csr_array
            Of shape ``(prod(shape[:rows]), prod(shape[rows:]))``. Columns of a row are in order,
            each once; an entry that is zero for these values alone is stored. So all results of one
            plan have the same indices: they are worked out at the first call, and copied.

        Raises
        ------
        ShapeError
            If half of the axes is no whole number, or there are not so many.
        ImportError
            If SciPy is not installed: ``pip install eingrad[sparse]``.

        Examples
        --------
        >>> from eingrad import hessian
        >>> chain = hessian(lambda x: (x[1:] * x[:-1]).sum(), structured=True)
        >>> chain(np.ones(4)).to_scipy_sparse().indices
        array([1, 0, 2, 1, 3, 2], dtype=int32)
        """
        count = count_rows(self.shape, rows)
        made = self._sparsity(count) if self._sparsity else self.find_sparsity(count)
        try:
            sparse = importlib.import_module("scipy.sparse")
        except ImportError:
            raise ImportError(
                "to_scipy_sparse needs SciPy, which is not installed; install it with "
                "pip install eingrad[sparse], or write the tensor out with dense()"
            ) from None
        data = made.entries(self.placed(), self.dtype)
        parts = data, made.columns.copy(), made.pointers.copy()
        matrix = sparse.csr_array(parts, shape=made.shape)
        matrix.has_canonical_format = True
        return matrix

    def find_sparsity(self, rows: int) -> Sparsity:
        """Work out where entries are."""
        return sparsity([term.pattern for term in self.placed()], self.shape, rows)

    # What NumPy asks

    @ends_at_the_user
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Compute with the terms (NEP 13)."""
        if any(isinstance(value, Expression) for value in inputs):
            return NotImplemented
        known = HANDLERS.get(ufunc) if method == "__call__" and not kwargs else None
        if known is None:
            refuse(ufunc, self.shape, self.dtype, "" if method == "__call__" else method)
        return known(*inputs)

    @ends_at_the_user
    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Compute with the terms (NEP 18)."""
        if any(issubclass(kind, Expression) for kind in types):
            return NotImplemented
        known = HANDLERS.get(function)
        if known is None:
            refuse(function, self.shape, self.dtype)
        option = unknown_option(known, args, kwargs)
        if option:
            refuse(function, self.shape, self.dtype, option=option)
        return known(*args, **kwargs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Write it out (what NumPy asks)."""
        if copy is False:
            raise ValueError("a structured tensor is written out to a new array; copy is needed")
        return self.dense() if dtype is None else self.dense().astype(dtype)

    # What Python asks

    @ends_at_the_user
    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a structured tensor without axes has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[k] for k in range(len(self)))

    @ends_at_the_user
    def __bool__(self) -> bool:
        if self.size != 1:
            raise ShapeError(
                f"the truth of a structured tensor of shape {self.shape} is ambiguous; ask "
                "np.any(tensor.dense()) or np.all(tensor.dense())"
            )
        return bool(self.dense().item())

    @ends_at_the_user
    def _number(self) -> Any:
        """Give the one entry of a tensor without axes."""
        if self.shape:
            raise DTypeError(
                f"a structured tensor of shape {self.shape} is no number; pick one entry, as in "
                f"tensor[{', '.join('0' * self.ndim)}]"
            )
        return self.dense()[()]

    @ends_at_the_user
    def __float__(self) -> float:
        return float(self._number())

    @ends_at_the_user
    def __complex__(self) -> complex:
        return complex(self._number())

    @ends_at_the_user
    def __int__(self) -> int:
        return int(self._number())

    def __hash__(self) -> int:
        return object.__hash__(self)

    @ends_at_the_user
    def __getitem__(self, key: Any) -> Any:
        """Index with integers, slices and an ellipsis: a tensor, or an array of less than two axes.

        Raises
        ------
        IndexError
            If an index is out of bounds, or there are more than axes.
        DTypeError
            If an index is an array, ``None`` or a mask: those would need the entries.
        """
        return structured(*indexed(self.placed(), self.shape, key), self.dtype)

    @ends_at_the_user
    def sum(self, axis: int | Sequence[int] | None = None) -> Any:
        """Sum over axes, all if none is named: as ``np.sum``."""
        return np.sum(self, axis=axis)

    @ends_at_the_user
    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise InPlaceError(
            f"a structured tensor of shape {self.shape} cannot be assigned to; write it out first, "
            "array = tensor.dense(), and assign to array"
        )

    @ends_at_the_user
    def __getattr__(self, name: str) -> Any:
        """Give a method of NumPy's arrays that computes with the terms; refuse another by name."""
        if name in ATTRIBUTES:
            return ATTRIBUTES[name](self)
        if name in METHODS:
            return functools.partial(METHODS[name], self)
        raise missing_attribute(name)

    @property
    def T(self) -> Any:  # noqa: N802 - NumPy's name
        """Reverse the axes."""
        return np.transpose(self)

    def __repr__(self) -> str:
        terms = " + ".join(map(_term_text, self.terms)) or "zero"
        return f"StructuredTensor of shape {self.shape}, {self.dtype}: {terms}"


def _term_text(term: Term) -> str:
    words = [f"delta[{a},{b}]" for a, b in term.deltas]
    core = "x".join(map(str, term.core.shape))
    axes = ",".join(map(str, term.axes))
    words.append(f"core({core})[{axes}]" if core else "number")
    if term.positions:
        words.append(f"at [{', '.join(map(_positions_text, term.positions))}]")
    return " ".join(words)


def _positions_text(table: Any) -> str:
    """A range as a slice; of an array its shape."""
    if not isinstance(table, range):
        return f"positions({'x'.join(map(str, np.shape(table)))})"
    stop = table.stop if table.stop >= 0 else ""
    return f"{table.start}:{stop}{'' if table.step == 1 else f':{table.step}'}"


def structured(terms: Iterable[Placed], shape: Sequence[int], dtype: np.dtype[Any]) -> Any:
    """Add terms up; of less than two axes there is no structure, but an array."""
    tensor = tensor_of(terms, shape, dtype)
    return tensor if tensor.ndim > 1 else tensor.dense()


def tensor_of(
    terms: Iterable[Placed], shape: Sequence[int], dtype: np.dtype[Any]
) -> StructuredTensor:
    """Add terms up to a tensor."""
    shape = tuple(shape)
    added = placed.added_up(terms, shape, dtype)
    return StructuredTensor(shape, dtype, tuple(placed.term_of(*term, shape) for term in added))

"""The closed set of nodes: immutable, interned, compared by identity.

In: fields that a builder has already made canonical.
Out: the one node that has these fields.
Guaranteed: equal nodes are one object, so ``==`` is ``is`` and common subexpressions need no pass.

``Input``, ``Constant``   values from outside
``Selection``, ``Merge``  structural zero-one tensors; the Kronecker delta is the plain selection
``Product``               sum over indices of a product of arrays; of one array: its sums and views
``Placement``             one array, or none, where structural tensors put it: zero elsewhere
``Add``                   linear combinations
``Apply``                 everything else: one row of the primitives' table

A node is identified by integers (`uid` of its operands), never by nested tuples, and ordered by
its structural `digest`, never by creation, so that text and plans do not depend on history; nor on
the last digits of numbers (see `_ir.digests`), which are not those of another processor.
"""

import itertools
import threading
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from eingrad._ir.digests import Content, digest_of
from eingrad._ir.tables import Table
from eingrad._locks import fork_safe
from eingrad._progress import tick
from eingrad._subscripts import Shape, Subscripts

Coefficient = int | Fraction | float | complex
Block = tuple[int, ...]  # axes that go together, as E and F of a D x D x E x F tensor do
Symmetry = tuple[tuple[Block, ...], ...]


class Operation(Protocol):
    """What a node needs to know of a row of the primitives' table."""

    @property
    def name(self) -> str:
        """Name of the row, unique in the table."""

    @property
    def identity(self) -> Hashable:
        """What tells it from others: itself, or its name where the attributes say the rest."""

    @property
    def number(self) -> "Callable[..., Coefficient] | None":
        """The number that its operand is multiplied with, by its attributes; None if it is not."""

    @property
    def linear(self) -> bool:
        """Whether a multiple of its one operand gives that multiple of its result."""


@dataclass(frozen=True, slots=True, eq=False, repr=False, weakref_slot=True)
class Node:
    """A tensor: its shape and dtype are known, its values are not."""

    uid: int
    digest: bytes
    shape: Shape
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements, a Python integer."""
        size = 1
        for n in self.shape:
            size *= n
        return size

    def __repr__(self) -> str:  # of this node alone: a graph may be deeper than the stack
        return f"<{type(self).__name__} {self.uid}: shape {self.shape}, {self.dtype}>"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Input(Node):
    """A value that is given later. Its identity is the serial, its name only a label.

    ``key`` says what the input is for the digest: ``("argument", 0)``, ``("variable", "X")``.
    """

    serial: int
    name: str
    key: tuple[Hashable, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Constant(Node):
    """An array whose values are part of the expression; a private, read-only copy."""

    value: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Structural(Node):
    """A zero-one tensor that relates indices: one of them is determined by the others."""

    @staticmethod
    def determine(term: Subscripts) -> tuple[Subscripts, Subscripts]:
        """Part the indices of a term: what is determined, and by what."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Selection(Structural):
    """``S[i, j] = 1`` iff ``j == table[i]``; the Kronecker delta when table is ``range(n)``.

    A table entry of -1 selects nothing: that row is zero. The table is a range where it is one,
    else a read-only array.
    """

    table: Table
    is_delta: bool  # whether this is the identity, the Kronecker delta: every rewrite asks

    @staticmethod
    def determine(term: Subscripts) -> tuple[Subscripts, Subscripts]:
        """Part the indices of a term: the column, which is determined by the row."""
        return term[1:], term[:1]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Merge(Structural):
    """``M[m, i, j, ...] = 1`` iff ``m`` is the row-major position of ``(i, j, ...)``.

    Contracted over ``i, j, ...`` it merges axes; contracted over ``m`` it splits one: reshape.
    """

    @staticmethod
    def determine(term: Subscripts) -> tuple[Subscripts, Subscripts]:
        """Part the indices of a term: the position, which is determined by the parts."""
        return term[:1], term[1:]


class Factor(NamedTuple):
    """A node in a product, and the index of each of its axes."""

    node: Node
    term: Subscripts


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Einsum(Node):
    """``result[out] = coefficient * sum over all other indices of the product of the factors``.

    Either a `Product` or a `Placement`. Indices are local to this node, numbered by first use; an
    index may repeat in a term. ``sizes[index]`` is the size of one.
    """

    factors: tuple[Factor, ...]
    out: Subscripts
    sizes: Shape
    coefficient: Coefficient
    operands: tuple[Node, ...]  # the nodes of the factors: every walk asks
    sums: bool  # whether an index is summed; one of size one is only dropped

    @property
    def terms(self) -> tuple[Subscripts, ...]:
        """The indices of each factor."""
        return tuple([term for _, term in self.factors])

    @property
    def summed(self) -> list[int]:
        """The indices that the result has not."""
        out = self.out
        return [index for index in range(len(self.sizes)) if index not in out]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Product(Einsum):
    """A product of arrays: no factor is structural, and each output index is one of a factor.

    Of one factor it is a view (permuted, scaled, a diagonal) where nothing is summed, else a
    reduction.
    """

    @property
    def is_view(self) -> bool:
        """Whether this is one array, seen in another way or scaled."""
        return len(self.factors) == 1 and not self.sums


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Placement(Einsum):
    """An array placed: nothing is computed, entries are taken, moved, repeated, or zero.

    At most one factor, the core, has values. The others are structural and stand: the core has not
    the index that they determine. The result is constant along the output indices of no factor.

    One entry of the sum, at most, is not zero; but for rows of a selection that select the same.
    Where there are more of them than of what they select, it `accumulates`: that is a computation.
    """

    core: Factor | None
    structure: tuple[Factor, ...]
    repeated: Subscripts  # output indices of no factor
    ties: bool  # whether structure ties output axes: most entries are then known to be zero
    accumulates: bool

    @property
    def determined(self) -> list[tuple[Structural, Subscripts, Subscripts]]:
        """Each structural factor, what it determines, and by what."""
        return [
            (node, *node.determine(term))
            for node, term in self.structure
            if isinstance(node, Structural)
        ]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Add(Node):
    """``sum over n of coefficients[n] * terms[n]``; all terms have the shape of the result."""

    terms: tuple[Node, ...]
    coefficients: tuple[Coefficient, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Apply(Node):
    """Result number `result` of a row of the primitives' table.

    Results of one call (sign and logdet, say) are siblings that share operands and attributes.
    `symmetry` lists groups of blocks of axes; those of one group may be interchanged (Schwarz).
    """

    primitive: Operation
    operands: tuple[Node, ...]
    attributes: tuple[tuple[str, Hashable], ...]
    result: int
    symmetry: Symmetry


def sizes_of(factors: Iterable[Factor]) -> dict[int, int]:
    """Size of every index that factors carry."""
    sizes: dict[int, int] = {}
    for node, term in factors:
        sizes.update(zip(term, node.shape, strict=True))
    return sizes


def widened(node: Node, by: Iterable[np.dtype[Any]]) -> np.dtype[Any]:
    """The dtype of a node that values of other dtypes went into."""
    return np.result_type(node.dtype, *by)


def splice(node: Einsum, term: Subscripts, fresh: Iterator[int]) -> list[Factor]:
    """The factors of a node whose axes have the indices of a term: they may take its place.

    Indices that it sums get fresh ones. Those along which it is repeated are in no factor.
    """
    outer = [-1] * len(node.sizes)
    for index, of_axis in zip(node.out, term, strict=True):
        outer[index] = of_axis
    for index, found in enumerate(outer):
        if found < 0:
            outer[index] = next(fresh)
    return [Factor(n, tuple([outer[index] for index in inner])) for n, inner in node.factors]


N = TypeVar("N", bound=Node)

_lock = fork_safe(threading.RLock())
_uids = itertools.count()
_built = [0]  # nodes, since the process began
_table: weakref.WeakValueDictionary[tuple[Hashable, ...], Node] = weakref.WeakValueDictionary()


def intern_node(
    cls: type[N],
    key: tuple[Hashable, ...],
    shape: Shape,
    dtype: Any,
    content: Callable[[], Content],
    *fields: Any,
) -> N:
    """Return the node of this class and key, making it if it does not live yet.

    ``key`` identifies it within the process; what ``content`` gives, hashed, orders it across
    processes.
    """
    full_key = (cls, *key)
    with _lock:
        node = _table.get(full_key)
        if node is None:
            _built[0] += 1
            digest = digest_of(_kind_of(cls), content())
            node = cls(next(_uids), digest, shape, dtype, *fields)
            _table[full_key] = node
    tick()  # whatever phase of planning this is
    return node  # type: ignore[return-value]


def _kind_of(cls: type[Node]) -> bytes:
    """Name a kind for the digest; what an einsum is made of tells products from placements."""
    return b"Einsum" if issubclass(cls, Einsum) else cls.__name__.encode()


def find_node(cls: type[N], key: tuple[Hashable, ...]) -> N | None:
    """Look a node up: most that are asked for live, and making one takes more to be worked out."""
    full_key = (cls, *key)
    return _table.get(full_key)  # type: ignore[return-value]


def number_of_live_nodes() -> int:
    """How many nodes are alive: what a leak would show in."""
    return len(_table)


def number_of_nodes_built() -> int:
    """How many nodes were made so far: what planning costs, counted and not timed."""
    return _built[0]


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes a node is computed from."""
    kind = type(node)  # the set of nodes is closed; `match` takes twice as long, and all walks ask
    if kind is Product or kind is Apply or kind is Placement:
        return node.operands  # type: ignore[attr-defined, no-any-return]
    return node.terms if kind is Add else ()  # type: ignore[attr-defined]

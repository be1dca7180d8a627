"""A row: all that the library knows of one operation, and the questions that it answers.

In: nothing. Out: the class of rows, the registry that the table fills, look-ups by node.
"""

import functools
import math
import operator
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from fractions import Fraction
from pickle import PicklingError
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eingrad._ir import Apply, Coefficient, Node
from eingrad._precedence import Written
from eingrad._primitives.standard import name_of
from eingrad._subscripts import Shape
from eingrad.errors import UnsupportedFunctionError

Rule = Callable[..., Node]
Array = NDArray[Any]
_MOST_BROKEN = 2**10  # denominator of an exponent, sums of which are floats too
Sample = Callable[[np.random.Generator], tuple[Array, ...]]


class Kind(Enum):
    """How an operation differentiates."""

    BY_RULES = auto()  # the local Jacobian in each operand, or none
    CAST = auto()  # as its operand does, in another dtype: no Jacobian is written
    SELECT = auto()  # where its first operand holds, as the second; elsewhere as the third
    OPAQUE = auto()  # its derivative is as unknown as itself: one more opaque node
    UNEVALUATED = auto()  # a derivative, which is derived before it is differentiated again
    SCAN = auto()  # as the graph of a step does, which it repeats: no Jacobian is written
    RUNNING = auto()  # as a scan that multiplies, unless deltas meet its Jacobian
    COMPOSED = auto()  # as an expression of other rows, unless deltas meet its Jacobian


class Law(Enum):
    """What a proof may use of an operation besides its definition; numbers are scalars c."""

    RECIPROCAL = auto()  # 1/(c a b) = 1/c 1/a 1/b, 1/(1/a) = a and 1/a a = 1, entry by entry
    INVERSE = auto()  # (c A B)^-1 = 1/c B^-1 A^-1, (A^-1)^-1 = A and A^-1 A = delta
    DETERMINANT = auto()  # det(c A B) = c^n det A det B


def _one_per_entry(result: Shape, *_operands: Shape) -> int:
    return math.prod(result)


class Along(NamedTuple):
    """What an equation may be made of, besides operands and result."""

    rate: Callable[[Node], Node]  # how a node changes along the curve
    start: Callable[[Node], Node]  # its value at the start, which does not change
    order: int  # the highest that is asked for


@dataclass(frozen=True, slots=True, eq=False)
class Equation:
    """``residual = 0``: of a result, its operands and their rates of change, to all orders.

    ``solve(k, rest, *known)`` gives coefficient number k of the result, or number ``k - 1`` of its
    rate, from that of the residual in which it is left out, and from coefficients number zero of
    what is `known`: operands and result, if nothing else is said. Where that divides by zero at a
    kink, the first coefficient is by the rule, which knows better. `partners` are other nodes, and
    what they are solved from where this result is asked for.
    """

    residual: Node
    solve: Callable[..., Node]
    gives_rate: bool = False
    first_by_rule: bool = False
    known: tuple[Node, ...] = ()
    partners: tuple[tuple[Node, "Equation"], ...] = ()


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Primitive:
    """One operation, and all that is known of it: nothing else goes by its name."""

    name: str
    numpy: Callable[..., Any]
    sample: Sample
    rules: tuple[Rule | None, ...] | Callable[[int], Rule] = ()
    # core axes of the result (a tuple: of each), then of each operand; None: all axes
    core: tuple[()] | tuple[int | tuple[int, ...], *tuple[int, ...]] | None = ()
    source: str = ""  # how it is written; operands {0}, {1}; attributes by name
    into: str | Callable[..., str] = ""  # the same, filling {out}; empty: as a ufunc does, or not
    shapes: Callable[..., tuple[Shape, ...]] | None = None
    dtype: Any = None  # of the result (a tuple: of each); None: that of the last operand
    results: int = 1
    real: bool = False  # defined for real numbers only, or not holomorphic
    extreme: bool = False  # an entry of its operand
    number: Callable[..., Coefficient] | None = None  # that its operand is multiplied with
    linear: bool = False  # in its one operand, so that a number may leave it
    is_additive: bool = False  # linear in all its operands together
    is_product: bool = False  # linear in each of its two operands
    picoseconds: int = 700  # for an entry of eight bytes, see `_limits`
    is_factorisation: bool = False  # of matrices
    singular: bool = False  # the derivative can be infinite or nan at a finite point
    steep: bool = False  # the value is too large for a float at a point of moderate size
    kind: Kind = Kind.BY_RULES
    flops: Callable[..., int] = _one_per_entry  # by the shapes of the result and of the operands
    plain: Written | None = None  # in formulas as text; None: as its source
    latex: Written | Callable[[Apply], Written] | None = None  # None: by its name
    hidden: bool = False  # the identity, which a formula does not show
    law: Law | None = None
    definition: Callable[..., Node | None] | None = None  # by other rows, for proofs
    # of its operands, entry by entry, whose powers it is the product of; a guarded one is 0 where
    # a power is not finite
    exponents: tuple[Coefficient, ...] | Callable[..., tuple[Coefficient, ...]] = ()
    is_guarded: bool = False
    equation: Callable[..., Equation | None] | None = None  # for series; None: by the rules
    joins: bool = False  # its operands, one after the other along the axis of its attribute "axis"
    composed: Callable[..., Node] | None = None  # of other rows, with linear work
    attributes: dict[str, Hashable] = field(default_factory=dict)  # of the sample
    standard: str | Callable[..., Any] = ""  # in the array API: another name; f(xp, *operands, ...)

    @property
    def identity(self) -> Hashable:
        """The row itself: two of one name are two functions."""
        return self

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        """Pickle as a name: a row is code."""
        if BY_NAME.get(self.name) is not self:
            raise PicklingError(f"row {self.name!r} is not in the table: it cannot be pickled")
        return _row_named, (self.name,)

    def evaluate(self, *arrays: Array, **attributes: Any) -> Any:
        """Compute with NumPy: for the reference evaluator in the tests."""
        return self.numpy(*arrays, **attributes)

    def in_standard(self, xp: Any) -> Callable[..., Any]:
        """Find the function that computes it in a namespace of the array API standard."""
        if not isinstance(self.standard, str):
            return functools.partial(self.standard, xp)
        name = self.standard or self.name
        try:
            found: Callable[..., Any] = operator.attrgetter(name)(xp)
        except AttributeError:
            raise UnsupportedFunctionError(
                f"{self.name!r} cannot be computed in {name_of(xp)}: there is no {name!r} in it; "
                "run the plan with NumPy, or write the function with others"
            ) from None
        return found

    def text(self, operands: tuple[str, ...], attributes: dict[str, str]) -> str:
        """Write the call."""
        return self.source.format(*operands, **attributes, all=", ".join(operands))

    def source_into(self, attributes: Mapping[str, Any]) -> str:
        """Give the source that fills `{out}` with the bits of a new result; empty: there is none."""
        if not self.into and isinstance(self.numpy, np.ufunc):
            return f"np.{self.numpy.__name__}({{all}}, out={{out}})"
        return self.into if isinstance(self.into, str) else self.into(**attributes)


BY_NAME: dict[str, Primitive] = {}  # filled by the table


def of_result(declared: Any, result: int) -> Any:
    """What a row says of one of its results: one thing for all, or a tuple of one for each."""
    return declared[result] if isinstance(declared, tuple) else declared


def dtype_of(
    row: Primitive, result: int, operands: Sequence[Node], attributes: Mapping[str, Any]
) -> np.dtype[Any]:
    """Dtype of one result of a call; an attribute may give it."""
    declared = attributes.get("dtype", of_result(row.dtype, result))
    return operands[-1].dtype if declared is None else np.dtype(declared)


def _row_named(name: str) -> Primitive:
    return BY_NAME[name]


def results_of(node: Apply) -> list[tuple[Shape, np.dtype[Any]]]:
    """Shape and dtype of every result of a call."""
    row = row_of(node)
    if row.shapes is None:
        return [(node.shape, node.dtype)]
    shapes = row.shapes(*(n.shape for n in node.operands), **dict(node.attributes))
    attributes = dict(node.attributes)
    dtypes = (dtype_of(row, k, node.operands, attributes) for k in range(row.results))
    return list(zip(shapes, dtypes, strict=True))


def row_of(node: Apply) -> Primitive:
    """Return the row a node applies: one of the table, or one that a user made."""
    assert isinstance(node.primitive, Primitive)
    return node.primitive


def kind_of(node: Node) -> Kind | None:
    """How a call of a row differentiates; None for any other node."""
    row = node.primitive if isinstance(node, Apply) else None
    return row.kind if isinstance(row, Primitive) else None


def jacobian(node: Node, k: int) -> Node | None:
    """Local Jacobian of a node in its operand number k; None where it is zero everywhere."""
    assert isinstance(node, Apply)
    row = row_of(node)
    rules = row.rules
    rule = rules(k) if callable(rules) else rules[k] if k < len(rules) else None
    return rule(*node.operands, node, **dict(node.attributes)) if rule else None


def equation(node: Apply, leaves: Sequence[Node], along: Along) -> Equation | None:
    """Equation of a node whose operands, then itself, are `leaves`; None where rules serve."""
    make = row_of(node).equation
    return make(*leaves, along, **dict(node.attributes)) if make else None


def is_step(node: Apply) -> bool:
    """Whether a call is constant but for jumps: it has no derivative."""
    row = row_of(node)
    return row.kind is Kind.BY_RULES and not row.rules


def exponents_of(node: Node, *, guarded: bool = False) -> Sequence[Fraction]:
    """Exponents of the operands whose powers a call is the product of; none where it is not.

    Where each power is finite that is true of a `guarded` one, too.
    """
    if not isinstance(node, Apply) or row_of(node).is_guarded != guarded:
        return ()
    given = row_of(node).exponents
    exponents = given(**dict(node.attributes)) if callable(given) else given
    rational = [Fraction(e) for e in exponents if not isinstance(e, complex) and math.isfinite(e)]
    is_exact = all(e.denominator < _MOST_BROKEN for e in rational)  # of 0.1 it would be enormous
    return rational if is_exact and len(rational) == len(exponents) else ()


def is_identity(node: Node) -> bool:
    """Whether a node is its operand, which no phase is to see."""
    return isinstance(node, Apply) and getattr(node.primitive, "hidden", False)


def is_elementwise(node: Node) -> bool:
    """Whether an entry of the result depends on the operands' entries in the same place alone."""
    return isinstance(node, Apply) and getattr(node.primitive, "core", None) == ()


def core_ndims(node: Apply, k: int) -> tuple[int, int]:
    """Number of core axes of the result and of operand k."""
    row = row_of(node)
    if row.core is None:
        return node.ndim, node.operands[k].ndim
    if not row.core:
        return 0, 0
    ndim, ndims = of_result(row.core[0], node.result), row.core[1:]
    return ndim, ndims[k]

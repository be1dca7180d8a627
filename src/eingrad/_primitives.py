"""THE table: one row per operation, read by tracer, differentiator, emitter, interpreter and docs.

In: operands as nodes. Out: for each operand, the local Jacobian as an expression.
Guaranteed: a rule uses builders only; nothing here computes with arrays at import.

With ``y = f(x)``, leading *batch* axes are shared by operands and result; a rule gives
``dy/dx`` with the batch axes first, then the core axes of ``y``, then the core axes of ``x``. An
elementwise row has no core axes, so its rule is simply ``dy/dx`` in the shape of ``x``, and no
delta ever appears.

>>> from eingrad import _ir
>>> x = _ir.new_input("x", (3,))
>>> y = apply("sin", x)
>>> jacobian(y, 0) is apply("cos", x)
True
"""

import functools
import math
import operator
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from fractions import Fraction
from pickle import PicklingError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad import _ir
from eingrad._ir import Apply, Coefficient, Node
from eingrad._precedence import PRODUCT, QUOTIENT, TEST, Written, closed
from eingrad._subscripts import Shape
from eingrad.errors import DTypeError, UnsupportedFunctionError

Rule = Callable[..., Node]
Array = NDArray[Any]
Sample = Callable[[np.random.Generator], tuple[Array, ...]]


class Kind(Enum):
    """How an operation differentiates."""

    BY_RULES = auto()  # the local Jacobian in each operand, or none
    CAST = auto()  # as its operand does, in another dtype: no Jacobian is written
    SELECT = auto()  # where its first operand holds, as the second; elsewhere as the third
    OPAQUE = auto()  # its derivative is as unknown as itself: one more opaque node


class Law(Enum):
    """What a proof may use of an operation besides its definition; numbers are scalars c."""

    RECIPROCAL = auto()  # 1/(c a b) = 1/c 1/a 1/b, 1/(1/a) = a and 1/a a = 1, entry by entry
    INVERSE = auto()  # (c A B)^-1 = 1/c B^-1 A^-1, (A^-1)^-1 = A and A^-1 A = delta
    DETERMINANT = auto()  # det(c A B) = c^n det A det B


def _one_per_entry(result: Shape, *_operands: Shape) -> int:
    return math.prod(result)


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
    shapes: Callable[..., tuple[Shape, ...]] | None = None
    dtype: Any = None  # of the result (a tuple: of each); None: that of the last operand
    results: int = 1
    real: bool = False  # defined for real numbers only, or not holomorphic
    extreme: bool = False  # an entry of its operand
    number: Callable[..., Coefficient] | None = None  # that its operand is multiplied with
    linear: bool = False  # in its one operand, so that a number may leave it
    picoseconds: int = 700  # for an entry of eight bytes, see `_limits`
    is_factorisation: bool = False  # of matrices
    singular: bool = False  # the derivative can be infinite or nan at a finite point
    kind: Kind = Kind.BY_RULES
    flops: Callable[..., int] = _one_per_entry  # by the shapes of the result and of the operands
    plain: Written | None = None  # in formulas as text; None: as its source
    latex: Written | Callable[[Apply], Written] | None = None  # None: by its name
    hidden: bool = False  # the identity, which a formula does not show
    law: Law | None = None
    definition: Callable[..., Node | None] | None = None  # by other rows, for proofs
    attributes: dict[str, Hashable] = field(default_factory=dict)  # of the sample
    standard: str | Callable[..., Any] = ""  # in the array API: another name; f(xp, *operands, ...)

    @property
    def identity(self) -> "Primitive":
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
                f"{self.name!r} cannot be computed in {_name_of(xp)}: there is no {name!r} in it; "
                "run the plan with NumPy, or write the function with others"
            ) from None
        return found

    def text(self, operands: tuple[str, ...], attributes: dict[str, str]) -> str:
        """Write the call."""
        return self.source.format(*operands, **attributes, all=", ".join(operands))


# Small algebra, so that a rule reads like its formula ---------------------------------------------


def apply(name: str, *operands: Node, result: int = 0, **attributes: Hashable) -> Node:
    """Apply a row of the table; operands of an elementwise row have one shape."""
    row = BY_NAME[name]
    shapes = row.shapes(*(n.shape for n in operands), **attributes) if row.shapes else None
    shape = shapes[result] if shapes else operands[0].shape
    dtype = _dtype(row, result, operands, attributes)
    if 0 in shape:
        return _ir.zeros(shape, dtype)
    return _ir.apply_node(row, operands, attributes, result, shape, dtype)


def _of_result(declared: Any, result: int) -> Any:
    """What a row says of one of its results: one thing for all, or a tuple of one for each."""
    return declared[result] if isinstance(declared, tuple) else declared


def _dtype(
    row: Primitive, result: int, operands: Sequence[Node], attributes: Mapping[str, Any]
) -> np.dtype[Any]:
    """Dtype of one result of a call; an attribute may give it."""
    declared = attributes.get("dtype", _of_result(row.dtype, result))
    return operands[-1].dtype if declared is None else np.dtype(declared)


def times(*factors: Node | Coefficient) -> Node:
    """Multiply elementwise."""
    coefficient: Coefficient = 1
    nodes = []
    for factor in factors:
        if isinstance(factor, Node):
            nodes.append(factor)
        else:
            coefficient = _ir.multiply(coefficient, factor)
    out = tuple(range(nodes[0].ndim))
    return _ir.contract(nodes, [out] * len(nodes), out, coefficient=coefficient)


def plus(*terms: Node | Coefficient) -> Node:
    """Add elementwise; a number is added to every entry."""
    like = next(t for t in terms if isinstance(t, Node))
    return _ir.add(
        [t if isinstance(t, Node) else _ir.fill(t, like.shape, like.dtype) for t in terms]
    )


def reciprocal(x: Node) -> Node:
    """``1 / x``."""
    return apply("reciprocal", x)


def power(x: Node, exponent: Coefficient) -> Node:
    """``x ** exponent`` for a number, by the cheapest row."""
    exponent = _ir.canonical_coefficient(exponent)
    if exponent == 0:
        return _ir.fill(1, x.shape, x.dtype)
    if exponent == 1:
        return x
    if exponent == 2:  # noqa: PLR2004 - a square
        return times(x, x)
    if exponent == -1:
        return reciprocal(x)
    if exponent == Fraction(1, 2):
        return apply("sqrt", x)
    return apply("power", x, exponent=exponent)


def cast(node: Node, dtype: Any) -> Node:
    """Convert to another dtype; structure stays outside, so that deltas stay deltas."""
    dtype = np.dtype(dtype)
    if node.dtype == dtype:
        return node
    if _ir.is_fill(node) or _ir.is_structured(node):
        assert isinstance(node, _ir.Einsum)
        operands = [n if isinstance(n, _ir.STRUCTURAL) else cast(n, dtype) for n in node.operands]
        sizes = dict(node.sizes)
        return _ir.contract(operands, node.terms, node.out, sizes, node.coefficient, dtype)
    if isinstance(node, _ir.Add) and any(_ir.carries_delta(term) for term in node.terms):
        return _ir.add([cast(term, dtype) for term in node.terms], node.coefficients)
    return apply("cast", node, dtype=dtype.str)


def _zero_where(value: Node, *zero: Node) -> Node:
    """``value``, but 0 where all others are 0: a select, for the value may be nan there."""
    nothing = _ir.zeros(value.shape, value.dtype)
    flags = [apply("equal", node, nothing) for node in zero]
    return apply(
        "where", functools.reduce(functools.partial(apply, "logical_and"), flags), nothing, value
    )


def _tie(name: str) -> tuple[Rule, Rule]:
    """Derivatives of maximum and minimum: a tie is split in half."""

    def rule(wins: Callable[[Node, Node], tuple[Node, Node]]) -> Rule:
        def half_at_a_tie(a: Node, b: Node, y: Node) -> Node:
            left, right = wins(a, b)
            won = cast(apply(name, left, right), y.dtype)
            return plus(won, times(Fraction(1, 2), cast(apply("equal", a, b), y.dtype)))

        return half_at_a_tie

    return rule(lambda a, b: (a, b)), rule(lambda a, b: (b, a))


# Rules that are more than a line -----------------------------------------------------------------


def _inverse_rule(x: Node, y: Node) -> Node:
    """``dY[i,j]/dX[k,l] = -Y[i,k] Y[l,j]``; MML (5.102)."""
    return _ir.einsum("...ik,...lj->...ijkl", y, y, coefficient=-1)


def _det_rule(x: Node, y: Node) -> Node:
    """``d det(X)/dX[k,l] = det(X) X^-1[l,k]``; MML (5.101)."""
    return _ir.einsum("...,...lk->...kl", y, apply("inverse", x))


def _logdet_rule(x: Node, y: Node) -> Node:
    """``d log|det X|/dX[k,l] = X^-1[l,k]``; the sign is constant where it is defined."""
    assert isinstance(y, Apply)
    if y.result == 0:
        return _ir.zeros(x.shape, x.dtype)
    return _ir.einsum("...lk->...kl", apply("inverse", x))


def _solve_matrix_rule(a: Node, b: Node, y: Node) -> Node:
    """``dY[i,j]/dA[k,l] = -A^-1[i,k] Y[l,j]`` for ``A Y = B``."""
    return _ir.einsum("...ik,...lj->...ijkl", apply("inverse", a), y, coefficient=-1)


def _solve_right_rule(a: Node, b: Node, y: Node) -> Node:
    """``dY[i,j]/dB[k,l] = A^-1[i,k] delta[j,l]``."""
    return _ir.einsum("...ik,jl->...ijkl", apply("inverse", a), _ir.delta(b.shape[-1]))


def _logistic(x: Node) -> Node:
    """``1 / (1 + exp(-x))``, the derivative of ``log(1 + exp(x))``.

    Its own derivative is then ``logistic(x) logistic(-x)``, with no ``1 - y`` that cancels in a tail.
    """
    return apply("exp", times(-1, apply("logaddexp", _ir.zeros(x.shape, x.dtype), times(-1, x))))


def _one_minus_square(x: Node) -> Node:
    """``1 - x*x`` in factors: near 1 it cancels. A row, so that its derivative is one term."""
    return apply("one_minus_square", x)


def _one_plus_square(x: Node) -> Node:
    """``1 + x*x``; not ``(1 - ix)(1 + ix)``, which near i keeps its digits but loses complex steps."""
    return plus(1, times(x, x))


def _arcsinh_rule(x: Node) -> Node:
    """``1 / sqrt(1 + x*x)``, by the hypotenuse, since the square of a large number overflows."""
    if x.dtype.kind != "c":
        return reciprocal(apply("hypot", _ir.fill(1, x.shape, x.dtype), x))
    return power(_one_plus_square(x), Fraction(-1, 2))


def _over_square(x: Node, length: Node) -> Node:
    """``x / length**2``, dividing twice: a square overflows, or vanishes, before its root does."""
    return apply("divide", apply("divide", x, length), length)


def _arccosh_rule(x: Node) -> Node:
    """``(x - 1)**(-1/2) (x + 1)**(-1/2)``.

    The product ``x*x - 1`` cancels near 1 and overflows; its root has the other sign on the left.
    """
    return times(*(power(plus(x, one), Fraction(-1, 2)) for one in (-1, 1)))


def _spread(y: Node, x: Node) -> Node:
    """Repeat a reduction of the last axis of x along that axis."""
    return _ir.broadcast(_ir.reshape(y, (*y.shape, 1)), x.shape)


def _norm_rule(x: Node, y: Node) -> Node:
    """``d|x|/dx[k] = x[k] / |x|``, and 0 at the origin, the least of the subgradients."""
    return apply("quotient", x, _spread(y, x))


def _extreme_rule(x: Node, y: Node) -> Node:
    """``d max(x)/dx[k]``: one where x[k] is the maximum, shared equally among ties."""
    ties = cast(apply("equal", x, _spread(y, x)), x.dtype)
    return apply("divide", ties, _spread(_ir.einsum("...k->...", ties), x))


def _prod_rule(x: Node, y: Node) -> Node:
    """``d prod(x)/dx[k]``: the product of all others, in pairs of neighbours, with no division."""
    n = x.shape[-1]
    if n == 1:
        return _ir.fill(1, x.shape, x.dtype)
    last = x.ndim - 1
    if n % 2:
        one = _ir.fill(1, (*x.shape[:-1], 1), x.dtype)
        others = _prod_rule(apply("concatenate", x, one, axis=last), y)
        return _ir.take(others, last, _ir.selection(range(n), n + 1))
    pairs = _ir.reshape(x, (*x.shape[:-1], n // 2, 2))
    first, second = (_ir.take(pairs, last + 1, _ir.selection(range(k, k + 1), 2)) for k in (0, 1))
    product = _ir.reshape(times(first, second), (*x.shape[:-1], n // 2))
    others = _spread(_prod_rule(product, y), pairs)
    partner = _ir.take(pairs, last + 1, _ir.selection(range(1, -1, -1), 2))
    return _ir.reshape(times(others, partner), x.shape)


def _cumsum_rule(x: Node, y: Node) -> Node:
    """``dY[i]/dX[j] = 1 if j <= i``, for every batch index alike."""
    n = x.shape[-1]
    ones = apply("tri", n=n, m=n, k=0, dtype=x.dtype.str)
    return _ir.broadcast(ones, (*x.shape, n))


def _concatenate_rule(k: int) -> Rule:
    """``dy[.., i, ..]/dx[.., j, ..] = 1`` where i is the offset of x plus j."""

    def rule(*operands_and_result: Node, axis: int) -> Node:
        *operands, y = operands_and_result
        x = operands[k]
        offset = sum(n.shape[axis] for n in operands[:k])
        where = _ir.selection(range(offset, offset + x.shape[axis]), y.shape[axis])
        structure = [_ir.delta(n) for n in y.shape]
        structure[axis] = where
        y_axes = tuple(range(y.ndim))
        x_axes = tuple(range(y.ndim, 2 * y.ndim))
        terms = list(zip(y_axes, x_axes, strict=True))
        terms[axis] = (x_axes[axis], y_axes[axis])
        return _ir.contract(structure, terms, (*y_axes, *x_axes), dtype=y.dtype)

    return rule


def _concatenate_shape(*shapes: Shape, axis: int) -> tuple[Shape]:
    first = shapes[0]
    return ((*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :]),)


# In the array API standard ------------------------------------------------------------------------


def standard_dtype(xp: Any, dtype: Any) -> Any:
    """Find a dtype of NumPy in a namespace of the array API standard."""
    name = np.dtype(dtype).name
    if not hasattr(xp, name):
        raise DTypeError(f"{_name_of(xp)} has no dtype {name!r}; convert to one that it has")
    return getattr(xp, name)


def _name_of(xp: Any) -> str:
    return getattr(xp, "__name__", type(xp).__name__)


def _standard_quotient(xp: Any, a: Any, b: Any) -> Any:
    is_zero = b == xp.zeros_like(b)
    return xp.where(is_zero, xp.zeros_like(b), a / xp.where(is_zero, xp.ones_like(b), b))


def _standard_tri(xp: Any, n: int, m: int, k: int, dtype: str) -> Any:
    return xp.tril(xp.ones((n, m), dtype=standard_dtype(xp, dtype)), k=k)


# Where a row is tested ---------------------------------------------------------------------------


def _reals(rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.normal(size=(2, 3)),)


def _positive(rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.uniform(0.5, 2.0, size=(2, 3)),)


def _below_one(rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.uniform(-0.8, 0.8, size=(2, 3)),)


def _above_one(rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.uniform(1.2, 3.0, size=(2, 3)),)


def _two_reals(rng: np.random.Generator) -> tuple[Array, ...]:
    return _reals(rng) + _reals(rng)


def _two_positive(rng: np.random.Generator) -> tuple[Array, ...]:
    return _positive(rng) + _positive(rng)


def _two_flags(rng: np.random.Generator) -> tuple[Array, ...]:
    return tuple(rng.normal(size=(2, 2, 3)) > 0)


def _flag_and_two_reals(rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.normal(size=(2, 3)) > 0, *_two_reals(rng))


def _invertible(rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.normal(size=(2, 3, 3)) + 3 * np.eye(3),)


def _system(rng: np.random.Generator) -> tuple[Array, ...]:
    return (*_invertible(rng), rng.normal(size=(2, 3, 2)))


# How a row is written --------------------------------------------------------------------------


def _command(name: str) -> Written:
    """Write a function that LaTeX has a command for."""
    return closed(f"\\{name}\\left({{0}}\\right)")


def _latex_of_cast(y: Apply) -> Written:
    """Write the number of a test in Iverson's brackets, and no other conversion."""
    of_a_test = y.operands[0].dtype.kind == "b"
    return closed("\\left[{0}\\right]") if of_a_test else Written("{0}")


def _latex_of_slogdet(y: Apply) -> Written:
    sign = Written("\\operatorname{{sign}} \\det {0}", PRODUCT)
    return sign if y.result == 0 else Written("\\log\\left|\\det {0}\\right|")


# What a row costs --------------------------------------------------------------------------------


def _nothing(*_shapes: Shape) -> int:
    """No arithmetic: entries are copied."""
    return 0


def _elimination(a: Shape, columns: int = 0) -> int:
    """``2/3 n**3``, and ``2 n**2`` for every column on the right: leading terms."""
    *batch, n, _ = a
    return math.prod(batch) * (2 * n**3 + 6 * columns * n**2) // 3


# The table ---------------------------------------------------------------------------------------


def _unary(name: str, sample: Sample, rule: Rule | None, numpy: str = "", **more: Any) -> Primitive:
    numpy = numpy or name
    rules = (rule,) if rule else ()
    return Primitive(name, getattr(np, numpy), sample, rules, source=f"np.{numpy}({{0}})", **more)


def _binary(name: str, sample: Sample, *rules: Rule, source: str = "", **more: Any) -> Primitive:
    source = source or f"np.{name}({{0}}, {{1}})"
    return Primitive(name, getattr(np, name), sample, rules, source=source, **more)


def _last(name: str, sample: Sample, *rules: Rule, **more: Any) -> Primitive:
    """Write the row of a function that reduces the last axis."""
    numpy = getattr(np, name)
    return Primitive(
        name, lambda x: numpy(x, -1), lambda rng: sample(rng)[:1], rules, core=(0, 1),
        source=f"{{0}}.{name}(-1)", shapes=lambda a: (a[:-1],),
        standard=lambda xp, x: getattr(xp, name)(x, axis=-1), **more,
    )  # fmt: skip


def _quotient(a: Array, b: Array) -> Array:
    return np.divide(a, b, out=np.zeros_like(b), where=b != 0)


def _number(value: Coefficient) -> Any:
    return value if isinstance(value, complex) else _ir.as_float(value)


def _test(name: str, symbol: str, latex: str = "", **more: Any) -> Primitive:
    source, in_latex = (f"{{0}} {s} {{1}}" for s in (symbol, latex or symbol))
    return _binary(
        name, _two_reals, source=source, dtype=np.dtype(bool),
        plain=Written(source, TEST), latex=Written(in_latex, TEST), **more,
    )  # fmt: skip


_LOG2, _LOG10 = math.log(2), math.log(10)

PRIMITIVES = (
    #      name           test points   derivative(x, y) or derivative(a, b, y) for each operand
    _unary("exp",         _reals,       lambda x, y: y, latex=_command("exp")),
    _unary("expm1",       _reals,       lambda x, y: apply("exp", x)),  # y + 1 cancels on the left
    _unary("exp2",        _reals,       lambda x, y: times(_LOG2, y), standard=lambda xp, x: 2.0 ** x),
    _unary("log",         _positive,    lambda x, y: reciprocal(x), singular=True, latex=_command("log")),
    _unary("log2",        _positive,    lambda x, y: times(1 / _LOG2, reciprocal(x)), singular=True),
    _unary("log10",       _positive,    lambda x, y: times(1 / _LOG10, reciprocal(x)), singular=True),
    _unary("log1p",       _positive,    lambda x, y: reciprocal(plus(1, x)), singular=True),
    _unary("sqrt",        _positive,    lambda x, y: times(Fraction(1, 2), reciprocal(y)), singular=True, latex=closed(r"\sqrt{{{0}}}")),
    _unary("cbrt",        _positive,    lambda x, y: times(Fraction(1, 3), power(y, -2)), singular=True, real=True, standard=lambda xp, x: xp.sign(x) * xp.abs(x) ** (1 / 3), latex=closed(r"\sqrt[3]{{{0}}}")),
    _unary("reciprocal",  _positive,    lambda x, y: times(-1, y, y), singular=True, standard=lambda xp, x: 1 / x, law=Law.RECIPROCAL,
           plain=Written("1 / {0}", QUOTIENT), latex=closed(r"\frac{{1}}{{{0}}}")),
    _unary("sin",         _reals,       lambda x, y: apply("cos", x), picoseconds=8000, latex=_command("sin")),
    _unary("cos",         _reals,       lambda x, y: times(-1, apply("sin", x)), picoseconds=8000, latex=_command("cos")),
    _unary("tan",         _below_one,   lambda x, y: plus(1, times(y, y)), singular=True, latex=_command("tan")),
    _unary("arcsin",      _below_one,   lambda x, y: power(_one_minus_square(x), Fraction(-1, 2)), singular=True, standard="asin", latex=_command("arcsin")),
    _unary("arccos",      _below_one,   lambda x, y: times(-1, power(_one_minus_square(x), Fraction(-1, 2))), singular=True, standard="acos", latex=_command("arccos")),
    _unary("arctan",      _reals,       lambda x, y: reciprocal(_one_plus_square(x)), standard="atan", latex=_command("arctan")),
    _unary("sinh",        _reals,       lambda x, y: apply("cosh", x), latex=_command("sinh")),
    _unary("cosh",        _reals,       lambda x, y: apply("sinh", x), latex=_command("cosh")),
    _unary("tanh",        _reals,       lambda x, y: plus(1, times(-1, y, y)), latex=_command("tanh")),
    _unary("arcsinh",     _reals,       lambda x, y: _arcsinh_rule(x), standard="asinh"),
    _unary("arccosh",     _above_one,   lambda x, y: _arccosh_rule(x), singular=True, standard="acosh"),
    _unary("arctanh",     _below_one,   lambda x, y: reciprocal(_one_minus_square(x)), singular=True, standard="atanh"),
    _unary("absolute",    _reals,       lambda x, y: apply("sign", x), real=True, standard="abs", latex=closed(r"\left|{0}\right|")),
    _unary("sign",        _reals,       None, real=True),
    _unary("floor",       _reals,       None, real=True),
    _unary("ceil",        _reals,       None, real=True),
    _unary("trunc",       _reals,       None, real=True),
    _unary("rint",        _reals,       None, real=True, standard="round"),
    _binary("divide",     _two_positive,
            lambda a, b, y: reciprocal(b),
            lambda a, b, y: times(-1, y, reciprocal(b)), source="{0} / {1}", singular=True,
            plain=Written("{0} / {1}", QUOTIENT), latex=closed(r"\frac{{{0}}}{{{1}}}"),
            definition=lambda a, b: times(a, reciprocal(b))),
    _binary("arctan2",    _two_positive,
            lambda a, b, y: _over_square(b, apply("hypot", a, b)),
            lambda a, b, y: times(-1, _over_square(a, apply("hypot", a, b))), real=True, singular=True, standard="atan2"),
    _binary("hypot",      _two_positive,
            lambda a, b, y: apply("quotient", a, y),
            lambda a, b, y: apply("quotient", b, y), real=True, singular=True),
    _binary("logaddexp",  _two_reals,
            lambda a, b, y: _logistic(plus(a, times(-1, b))),
            lambda a, b, y: _logistic(plus(b, times(-1, a))), real=True),
    _binary("maximum",    _two_reals,   *_tie("greater"), real=True),
    _binary("minimum",    _two_reals,   *_tie("less"), real=True),
    Primitive("power",    lambda x, exponent: np.power(x, complex(exponent) if isinstance(exponent, complex) else float(exponent)), _positive,
              (lambda x, y, exponent: times(exponent, power(x, exponent - 1)),),
              source="{0} ** {exponent}", singular=True, picoseconds=1500, attributes={"exponent": Fraction(5, 2)}, standard=lambda xp, x, exponent: x ** _number(exponent),
              plain=Written("{0}**{exponent}", PRODUCT), latex=Written("{{{0}}}^{{{exponent}}}", PRODUCT),
              definition=lambda x, exponent: times(*[x] * int(exponent)) if exponent in (3, 4) else None),
    Primitive("pow",      np.power,     _two_positive,
              (lambda x, p, y: _zero_where(times(p, apply("pow", x, plus(p, -1))), x, p),
               lambda x, p, y: _zero_where(times(apply("log", x), y), y)), source="{0} ** {1}", singular=True, picoseconds=8000,
              plain=Written("{0}**{1}", PRODUCT), latex=Written("{{{0}}}^{{{1}}}", PRODUCT)),
    Primitive("where",    np.where,     _flag_and_two_reals, source="np.where({0}, {1}, {2})", kind=Kind.SELECT),
    Primitive("cast",     lambda x, dtype: np.asarray(x).astype(dtype), _reals, attributes={"dtype": "<f8"},
              kind=Kind.CAST, flops=_nothing, latex=_latex_of_cast,
              source="np.asarray({0}, {dtype})", linear=True, standard=lambda xp, x, dtype: xp.astype(x, standard_dtype(xp, dtype))),
    _test("greater", ">", real=True), _test("greater_equal", ">=", r"\geq", real=True),
    _test("less", "<", real=True), _test("less_equal", "<=", r"\leq", real=True),
    _test("equal", "==", "="), _test("not_equal", "!=", r"\neq"),
    _binary("logical_and", _two_flags, dtype=np.dtype(bool), real=True),
    _binary("logical_or",  _two_flags, dtype=np.dtype(bool), real=True),
    _unary("logical_not",  lambda rng: _two_flags(rng)[:1], None, dtype=np.dtype(bool), real=True),
    _unary("isfinite", _reals, None, dtype=np.dtype(bool)),
    _unary("isnan", _reals, None, dtype=np.dtype(bool)),
    _unary("isinf", _reals, None, dtype=np.dtype(bool), real=True),
    _last("any", _two_flags, dtype=np.dtype(bool)),
    _last("all", _two_flags, dtype=np.dtype(bool)),
    _last("max", _reals, _extreme_rule, real=True, extreme=True),
    _last("min", _reals, _extreme_rule, real=True, extreme=True),
    _last("prod", _reals, _prod_rule),
    Primitive("norm",     lambda x: np.linalg.norm(x, axis=-1), _reals, (_norm_rule,), core=(0, 1),
              source="np.linalg.norm({0}, axis=-1)", shapes=lambda a: (a[:-1],), real=True, singular=True, standard=lambda xp, x: xp.sqrt(xp.sum(x * x, axis=-1))),
    Primitive("scaled",   lambda x, factor: np.multiply(x, _number(factor)), _reals,  # what a sum or product does not see into
              (lambda x, y, factor: _ir.fill(factor, x.shape, x.dtype),), source="{factor} * {0}",
              number=lambda factor: factor, attributes={"factor": 0.3}, standard=lambda xp, x, factor: _number(factor) * x,
              plain=Written("{factor} {0}", PRODUCT), latex=Written("{factor} {0}", PRODUCT)),
    Primitive("divided",  lambda x, divisor: np.divide(x, _number(divisor)), _reals,
              (lambda x, y, divisor: _ir.fill(1 / Fraction(divisor), x.shape, x.dtype),), source="{0} / {divisor}",
              number=lambda divisor: 1 / Fraction(divisor), attributes={"divisor": 0.3}, standard=lambda xp, x, divisor: x / _number(divisor),
              plain=Written("{0} / {divisor}", QUOTIENT), latex=closed(r"\frac{{{0}}}{{{divisor}}}")),
    Primitive("whole",    lambda x: np.positive(x), _reals, (lambda x, y: _ir.fill(1, x.shape, x.dtype),),  # noqa: PLW0108 - np.positive has no row; no sum sees into this one
              source="np.positive({0})", linear=True, standard="positive", hidden=True),
    Primitive("quotient", _quotient, _two_positive,  # a / b, and 0 where b is 0
              (lambda a, b, y: reciprocal(b), lambda a, b, y: times(-1, y, reciprocal(b))),
              source="np.divide({0}, {1}, out=np.zeros_like({1}), where={1} != 0)", singular=True, standard=_standard_quotient,
              plain=closed("quotient({0}, {1})")),
    Primitive("one_minus_square", lambda x: (1 - x) * (1 + x), _reals, (lambda x, y: times(-2, x),),
              source="(1 - {0}) * (1 + {0})", standard=lambda xp, x: (1 - x) * (1 + x),
              plain=Written("(1 - {0}) (1 + {0})", PRODUCT), latex=Written(r"\left(1 - {0}\right) \left(1 + {0}\right)", PRODUCT)),
    Primitive("cumsum",   lambda x: np.cumsum(x, -1), _reals, (_cumsum_rule,), core=(1, 1),
              source="np.cumsum({0}, -1)", linear=True, standard=lambda xp, x: xp.cumulative_sum(x, axis=-1)),
    Primitive("tri",      lambda n, m, k, dtype: np.tri(n, m, k, dtype), lambda rng: (),  # noqa: PLW0108 - by name
              core=None, source="np.tri({n}, {m}, {k}, {dtype})", shapes=lambda n, m, k, dtype: ((n, m),),
              attributes={"n": 2, "m": 3, "k": 0, "dtype": "|b1"}, standard=_standard_tri, plain=closed("tri({n}, {m}, {k})")),
    Primitive("inverse",  np.linalg.inv,     _invertible, (_inverse_rule,), core=(2, 2),
              source="np.linalg.inv({0})", singular=True, is_factorisation=True, standard="linalg.inv",
              flops=lambda y, a: _elimination(a, a[-1]), law=Law.INVERSE, latex=Written("{{{0}}}^{{-1}}", PRODUCT)),
    Primitive("det",      np.linalg.det,     _invertible, (_det_rule,), core=(0, 2),
              source="np.linalg.det({0})", shapes=lambda a: (a[:-2],), singular=True, is_factorisation=True, standard="linalg.det",
              flops=lambda y, a: _elimination(a), law=Law.DETERMINANT, latex=Written(r"\det {0}", PRODUCT)),
    Primitive("slogdet",  np.linalg.slogdet, _invertible, (_logdet_rule,), core=(0, 2), results=2,
              source="np.linalg.slogdet({0})", shapes=lambda a: (a[:-2], a[:-2]), real=True, singular=True, is_factorisation=True, standard="linalg.slogdet",
              flops=lambda y, a: _elimination(a), latex=_latex_of_slogdet),
    Primitive("solve",    np.linalg.solve,   _system, (_solve_matrix_rule, _solve_right_rule), core=(2, 2, 2),
              source="np.linalg.solve({0}, {1})", shapes=lambda a, b: (b,), singular=True, is_factorisation=True, standard="linalg.solve",
              flops=lambda y, a, b: _elimination(a, b[-1]),
              definition=lambda a, b: _ir.einsum("...ij,...jk->...ik", apply("inverse", a), b)),
    Primitive("concatenate", lambda *arrays, axis: np.concatenate(arrays, axis), _two_reals, _concatenate_rule,
              core=None, source="np.concatenate(({all},), {axis})", shapes=_concatenate_shape,
              attributes={"axis": 1}, standard=lambda xp, *arrays, axis: xp.concat(arrays, axis=axis), flops=_nothing, plain=closed("concatenate(({all}), {axis})")),
)  # fmt: skip

BY_NAME = {row.name: row for row in PRIMITIVES}


def _row_named(name: str) -> Primitive:
    return BY_NAME[name]


def results_of(node: Apply) -> list[tuple[Shape, np.dtype[Any]]]:
    """Shape and dtype of every result of a call."""
    row = row_of(node)
    if row.shapes is None:
        return [(node.shape, node.dtype)]
    shapes = row.shapes(*(n.shape for n in node.operands), **dict(node.attributes))
    attributes = dict(node.attributes)
    dtypes = (_dtype(row, k, node.operands, attributes) for k in range(row.results))
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
    ndim, ndims = _of_result(row.core[0], node.result), row.core[1:]
    return ndim, ndims[k]

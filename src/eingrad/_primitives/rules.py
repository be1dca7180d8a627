"""Rules that are more than a line: local Jacobians, each with its formula."""

import itertools
import weakref
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from eingrad import _ir
from eingrad._ir import Apply, Node
from eingrad._primitives.algebra import apply, cast, plus, power, reciprocal, times
from eingrad._primitives.row import Rule
from eingrad._subscripts import Shape

# Of what arrays are joined to: where each begins.
_begins: weakref.WeakKeyDictionary[Node, Sequence[int]] = weakref.WeakKeyDictionary()


def inverse_rule(x: Node, y: Node) -> Node:
    """``dY[i,j]/dX[k,l] = -Y[i,k] Y[l,j]``; MML (5.102)."""
    return _ir.einsum("...ik,...lj->...ijkl", y, y, coefficient=-1)


def det_rule(x: Node, y: Node) -> Node:
    """``d det(X)/dX[k,l] = det(X) X^-1[l,k]``; MML (5.101)."""
    return _ir.einsum("...,...lk->...kl", y, apply("inverse", x))


def logdet_rule(x: Node, y: Node) -> Node:
    """``d log|det X|/dX[k,l] = X^-1[l,k]``; the sign is constant where it is defined."""
    assert isinstance(y, Apply)
    if y.result == 0:
        return _ir.zeros(x.shape, x.dtype)
    return _ir.einsum("...lk->...kl", apply("inverse", x))


def solve_matrix_rule(a: Node, b: Node, y: Node) -> Node:
    """``dY[i,j]/dA[k,l] = -A^-1[i,k] Y[l,j]`` for ``A Y = B``."""
    return _ir.einsum("...ik,...lj->...ijkl", apply("inverse", a), y, coefficient=-1)


def solve_right_rule(a: Node, b: Node, y: Node) -> Node:
    """``dY[i,j]/dB[k,l] = A^-1[i,k] delta[j,l]``."""
    return _ir.einsum("...ik,jl->...ijkl", apply("inverse", a), _ir.delta(b.shape[-1]))


def logistic(x: Node) -> Node:
    """``1 / (1 + exp(-x))``, the derivative of ``log(1 + exp(x))``.

    Its own derivative is then ``logistic(x) logistic(-x)``, with no ``1 - y`` that cancels in a tail.
    """
    return apply("exp", times(-1, apply("logaddexp", _ir.zeros(x.shape, x.dtype), times(-1, x))))


def one_minus_square(x: Node) -> Node:
    """``1 - x*x`` in factors: near 1 it cancels. A row, so that its derivative is one term."""
    return apply("one_minus_square", x)


def one_plus_square(x: Node) -> Node:
    """``1 + x*x``; not ``(1 - ix)(1 + ix)``, which near i keeps its digits but loses complex steps."""
    return plus(1, times(x, x))


def arcsinh_rule(x: Node) -> Node:
    """``1 / sqrt(1 + x*x)``, by the hypotenuse, since the square of a large number overflows."""
    if x.dtype.kind != "c":
        return reciprocal(apply("hypot", _ir.fill(1, x.shape, x.dtype), x))
    return power(one_plus_square(x), Fraction(-1, 2))


def over_square(x: Node, length: Node) -> Node:
    """``x / length**2``, dividing twice: a square overflows, or vanishes, before its root does."""
    return apply("divide", apply("divide", x, length), length)


def arccosh_rule(x: Node) -> Node:
    """``(x - 1)**(-1/2) (x + 1)**(-1/2)``.

    The product ``x*x - 1`` cancels near 1 and overflows; its root has the other sign on the left.
    """
    return times(*(power(plus(x, one), Fraction(-1, 2)) for one in (-1, 1)))


def _spread(y: Node, x: Node) -> Node:
    """Repeat a reduction of the last axis of x along that axis."""
    return _ir.broadcast(_ir.reshape(y, (*y.shape, 1)), x.shape)


def norm_rule(x: Node, y: Node) -> Node:
    """``d|x|/dx[k] = x[k] / |x|``, and 0 at the origin, the least of the subgradients."""
    return apply("quotient", x, _spread(y, x))


def extreme_ties(x: Node, y: Node) -> Node:
    """One where x[k] is the maximum."""
    return cast(apply("equal", x, _spread(y, x)), x.dtype)


def extreme_rule(x: Node, y: Node) -> Node:
    """``d max(x)/dx[k]``: one where x[k] is the maximum, shared equally among ties."""
    ties = extreme_ties(x, y)
    return apply("divide", ties, _spread(_ir.einsum("...k->...", ties), x))


def prod_rule(x: Node, y: Node) -> Node:
    """``d prod(x)/dx[k]``: the product of all others, with no division."""
    return apply("others", x)


def skew(v: Node, sign: int) -> Node:
    """``K[.., i, k] = sign * sum_j e[i,j,k] v[.., j]``, e of Levi-Civita: ``K w = sign * (v x w)``."""
    e = np.zeros((3, 3, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        e[i, j, k], e[k, j, i] = sign, -sign
    return _ir.einsum("ijk,...j->...ik", _ir.constant(e.astype(v.dtype)), v)


def cumsum_rule(x: Node, y: Node) -> Node:
    """``dY[i]/dX[j] = 1 if j <= i``, for every batch index alike."""
    n = x.shape[-1]
    ones = apply("tri", n=n, m=n, k=0, dtype=x.dtype.str)
    return _ir.broadcast(ones, (*x.shape, n))


def concatenate_rule(k: int) -> Rule:
    """``dy[.., i, ..]/dx[.., j, ..] = 1`` where i is the offset of x plus j."""

    def rule(*operands_and_result: Node, axis: int) -> Node:
        x, y = operands_and_result[k], operands_and_result[-1]
        offset = _offsets(y, operands_and_result[:-1], axis)[k]
        where = _ir.selection(range(offset, offset + x.shape[axis]), y.shape[axis])
        y_axes = tuple(range(y.ndim))
        x_axes = tuple(range(y.ndim, 2 * y.ndim))
        structure = [(_ir.delta(n), (a, y.ndim + a)) for a, n in enumerate(y.shape)]
        structure[axis] = where, (x_axes[axis], y_axes[axis])
        return _ir.contract(structure, (*y_axes, *x_axes), dtype=y.dtype)

    return rule


def _offsets(y: Node, operands: Sequence[Node], axis: int) -> Sequence[int]:
    """Where each operand begins in what they are joined to: once for all of them."""
    found = _begins.get(y)
    if found is None:
        lengths = (x.shape[axis] for x in operands)
        found = _begins[y] = [*itertools.accumulate(lengths, initial=0)]
    return found


def concatenate_shape(*shapes: Shape, axis: int) -> tuple[Shape]:
    first = shapes[0]
    return ((*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :]),)

"""Check an identity that a user states: prove it, or compare its sides, at several sizes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from eingrad._shown import shown
from eingrad._symbols import are_equal, variable
from eingrad._tracer import Expression, node_of
from eingrad._verbs import verb
from eingrad.errors import DTypeError, ShapeError
from eingrad.verify.points import Sample, Sides, compare
from eingrad.verify.reports import IdentityCheck


@verb("eg.check_identity(left, right)")
def check_identity(
    lhs: Any,
    rhs: Any,
    *,
    shapes: Mapping[str, int | str | Sequence[str | int]] | None = None,
    points: int = 20,
    seed: int = 0,
    sample: Sample | None = None,
) -> IdentityCheck:
    """Prove an identity, or compare its sides at random points, or find a counterexample.

    Parameters
    ----------
    lhs, rhs : Expression or array_like, or callable
        Two expressions of one shape; or two functions of symbols, called with a variable for every
        entry of `shapes`, at several sizes.
    shapes : dict from name to shape, for callables
        A size is an integer or a letter: ``{"X": "DE", "a": ("D",), "b": 3}``.
    points : int
        Random points per size where no proof is found; at least 1.
    seed : int
        Of the random points.
    sample : callable, optional
        ``sample(rng, name, shape)`` gives an array. The default gives, in turn, standard normal
        numbers, well-conditioned square matrices of either sign, and zeros and ones of either
        sign; positive numbers where those leave the domain.

    Returns
    -------
    IdentityCheck
        True if proved, or if the sides agree at every point.

    Raises
    ------
    ShapeError
        If the sides, or a sample and its symbol, differ in shape.
    DTypeError
        If a side has no floats.
    ValueError
        If the sides are finite at no point; or `shapes` is missing, or given needlessly; or only
        one side is a function.

    Notes
    -----
    A proof expands both sides to sums of products, with the laws of inverse, determinant and
    transpose, for the given sizes. A counterexample is looked for at the smallest sizes first; then
    its entries are made 0, 1, -1 or 2 one by one, while the sides still differ.

    Sides differ where they do by more than the square root of the machine epsilon, relative to the
    largest entry of either, and by more than the rounding error of the terms that cancel in their
    sums. Where inputs that differ by rounding give another difference, nothing is concluded.

    Examples
    --------
    >>> square = {"A": "DD", "B": "DD"}
    >>> print(check_identity(lambda A, B: np.linalg.inv(A @ B),
    ...                      lambda A, B: np.linalg.inv(A) @ np.linalg.inv(B), shapes=square))
    ... # doctest: +ELLIPSIS
    fails: the sides differ by ... (relative) at
      A = [[...
    """
    if type(points) is not int or points < 1:
        raise ValueError(f"points must be an integer of at least 1, not {shown(points)}")
    rng = np.random.default_rng(seed)
    tried, proofs, largest, count, one_sided = [], [], 0.0, 0, 0
    for sizes, left, right in _cases(lhs, rhs, shapes):
        _same_shape(left, right)
        tried.append(sizes)
        proofs.append(are_equal(left, right))
        if proofs[-1]:
            continue
        found = compare(Sides.of(left, right), points, rng, sample)
        largest = max(largest, found.largest_error)
        if found.counterexample is not None:
            return found
        count += found.points
        one_sided += found.one_sided
    verdicts = tuple(proofs)
    return IdentityCheck(all(proofs), tuple(tried), count, one_sided, largest, proofs=verdicts)


# The sides, at several sizes

Case = tuple[dict[str, int], Expression, Expression]


def _cases(
    lhs: Any, rhs: Any, shapes: Mapping[str, int | str | Sequence[str | int]] | None
) -> Iterator[Case]:
    """Give the two sides as expressions: as they are, or at several sizes, the smallest first."""
    if callable(lhs) != callable(rhs):
        odd, other = ("right", "left") if callable(lhs) else ("left", "right")
        raise ValueError(
            f"the {other} side is a function but the {odd} side is "
            f"{shown(rhs if callable(lhs) else lhs)}; give two functions of the symbols "
            "(lambda x: ...) and shapes, or two expressions"
        )
    if not callable(lhs):
        if shapes is not None:
            raise ValueError("shapes are for sides that are functions; these are expressions")
        yield {}, *_sides(lhs, rhs)
        return
    if shapes is None:
        raise ValueError(
            "sides that are functions need shapes, one per symbol: shapes={'X': 'DE', 'a': 'D'}"
        )
    symbolic = {name: _symbolic_shape(name, shape) for name, shape in shapes.items()}
    letters = sorted({n for shape in symbolic.values() for n in shape if isinstance(n, str)})
    for values in sorted(_some_sizes(len(letters)), key=lambda v: (sum(v), v)):
        sizes = dict(zip(letters, values, strict=True))
        symbols = [
            variable(name, [sizes[n] if isinstance(n, str) else n for n in shape])
            for name, shape in symbolic.items()
        ]
        yield sizes, *_sides(lhs(*symbols), rhs(*symbols))


def _symbolic_shape(name: str, shape: Any) -> tuple[str | int, ...]:
    if type(shape) is int:
        return (shape,)
    if not isinstance(shape, (str, tuple, list)) or any(type(n) not in (str, int) for n in shape):
        raise ValueError(
            f"the shape of {name} is {shown(shape)}; a shape is letters and integers: "
            "'DE', ('D', 3), 3"
        )
    return tuple(shape)


def _some_sizes(count: int) -> Iterator[tuple[int, ...]]:
    """Sizes of 1, 2, and all distinct from 2 and from 3: each kind of mistake shows in one.

    What holds for 2 x 2 matrices may not for larger ones.
    """
    yield (1,) * count
    if count:
        yield tuple(range(2, 2 + count))
        yield tuple(range(3, 3 + count))
    for n in range(count if count > 1 else 0):
        yield tuple(2 if k == n else 1 for k in range(count))


def _sides(left: Any, right: Any) -> tuple[Expression, Expression]:
    return side_of(left, "left"), side_of(right, "right")


def side_of(value: Any, which: str) -> Expression:
    """Make an expression of a side: also of an array and of a number."""
    if isinstance(value, (tuple, list, dict)) or value is None or isinstance(value, str):
        raise DTypeError(
            f"the {which} side is of type {type(value).__name__}; a side is one expression, array "
            "or number: check several one by one"
        )
    if not isinstance(value, Expression) and np.asarray(value).dtype.kind in "iu":
        value = np.asarray(value, np.float64)
    node = node_of(value, None, f"the {which} side")
    if node.dtype.kind not in "fc":
        raise DTypeError(
            f"the {which} side has dtype {node.dtype}; floats are compared (np.where turns a "
            "condition into numbers)"
        )
    return Expression(node)


def _same_shape(left: Expression, right: Expression) -> None:
    if left.shape != right.shape:
        raise ShapeError(
            f"the left side has shape {left.shape} but the right side {right.shape}; an identity "
            "needs one shape (axes of the value first, then those of the variable)"
        )

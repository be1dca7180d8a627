"""A contraction problem: outputs, each a sum of products of named operands.

In: subscripts and sizes, or what `derived` and `files` read. Out: a `Problem`, and values for it.
Guaranteed: every index has one size, every operand the shape that its indices say, every output
index stands at an operand of each term.

>>> problem = of_einsum("ij,jk,kl->il", {"i": 2, "j": 3, "k": 4, "l": 5})
>>> [operand.shape for operand in problem.operands.values()]
[(2, 3), (3, 4), (4, 5)]
"""

import cmath
import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eingrad._shown import cut, shown
from eingrad.errors import PlanError, ShapeError, SubscriptsError

Array: TypeAlias = NDArray[Any]
Labels: TypeAlias = tuple[str, ...]

_LAST_OF_ASCII = 127  # beyond it, any symbol is a letter: opt_einsum's go on through all of them
KINDS = ("input", "constant", "delta")


@dataclass(frozen=True, slots=True)
class Operand:
    """An array of a problem.

    Attributes
    ----------
    shape : tuple of int
        Sizes of its axes.
    dtype : str
        Data type of its elements.
    kind : "input", "constant" or "delta"
        A delta is an identity matrix; the others hold any numbers, a constant the same at each run.
    symmetric : tuple of tuples of int
        Groups of axes that may change places.
    """

    shape: tuple[int, ...]
    dtype: str = "float64"
    kind: str = "input"
    symmetric: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Term:
    """``coefficient * sum of the product of operands``, over all indices that the output has not.

    Attributes
    ----------
    operands : tuple of str
        Names, one for each factor; an operand may occur again.
    indices : tuple of tuples of str
        The index of each axis of each factor.
    coefficient : float
        What the product is multiplied with.
    """

    operands: tuple[str, ...]
    indices: tuple[Labels, ...]
    coefficient: float = 1.0


@dataclass(frozen=True, slots=True)
class Output:
    """A result: a sum of terms.

    Attributes
    ----------
    indices : tuple of str
        The index of each axis, each once.
    terms : tuple of Term
        What is added.
    result_axes : int
        How many of the axes, from the first, are those of a function that was differentiated; the
        others are those of the variables.
    """

    indices: Labels
    terms: tuple[Term, ...]
    result_axes: int


@dataclass(frozen=True)
class Problem:
    """What is to be computed: several outputs from the same operands.

    Attributes
    ----------
    name : str
        What tables call it.
    outputs : tuple of Output
        The results.
    operands : mapping from name to Operand
        The arrays, in the order in which they are handed over.
    sizes : mapping from index to int
        The size of every index, the same in all terms.
    provenance : str
        Where it comes from.
    best : mapping
        The best order known: `flops`, `size`, `path` for each term, `by` whom; may be empty.
    known : mapping from name to array
        Values of operands that must not be drawn at random, such as an inverse of another one.
    pure : mapping from the name of a mode, such as "forward", to what it computes
        Of a derivative; empty for a network of which that is not known. See `Schedule`.
    primal : tuple of Output
        Of a derivative, products of the operands that the function itself computes, and sums in
        its local Jacobians: every mode has them.
    own : Schedule or None
        What eingrad computes it by, of a derivative that was derived just now: sums in it are not
        multiplied out, as they are in terms. Files keep it as the best order known.
    """

    name: str
    outputs: tuple[Output, ...]
    operands: Mapping[str, Operand]
    sizes: Mapping[str, int]
    provenance: str = ""
    best: Mapping[str, Any] = field(default_factory=dict, compare=False)
    known: Mapping[str, Array] = field(default_factory=dict, compare=False)
    pure: Mapping[str, Any] = field(default_factory=dict, compare=False)
    primal: tuple[Output, ...] = field(default=(), compare=False)
    own: Any = field(default=None, compare=False)

    def __post_init__(self) -> None:
        _check(self)

    @functools.cached_property
    def number(self) -> dict[str, int]:
        """The place of each operand."""
        return {name: n for n, name in enumerate(self.operands)}

    def shape(self, output: Output) -> tuple[int, ...]:
        """Sizes of the axes of an output."""
        return tuple([self.sizes[index] for index in output.indices])

    @property
    def terms(self) -> list[tuple[Output, Term]]:
        """All terms, each with its output."""
        return [(output, term) for output in self.outputs for term in output.terms]

    def values(self, seed: int = 0) -> list[Array]:
        """Draw the operands: deltas are deltas, what is symmetric is, what is known stays.

        Normal, and divided by the fourth root of the number of elements: a product of many square
        matrices then neither grows nor shrinks.
        """
        source = np.random.default_rng(seed)
        return [self._value(source, name) for name in self.operands]

    def _value(self, source: np.random.Generator, name: str) -> Array:
        operand = self.operands[name]
        if operand.kind == "delta":
            return np.eye(operand.shape[0], dtype=operand.dtype)
        if name in self.known:
            return self.known[name]
        drawn = source.standard_normal(operand.shape)
        array: Array = drawn / max(drawn.size, 1) ** 0.25
        for group in operand.symmetric:
            orders = [*itertools.permutations(group)]
            moved = [_reorder(array, group, order) for order in orders]
            array = np.asarray(np.sum(moved, axis=0)) / math.sqrt(len(orders))
        return array.astype(operand.dtype)


def _reorder(array: Array, group: Sequence[int], order: Sequence[int]) -> Array:
    axes = [*range(array.ndim)]
    for axis, other in zip(group, order, strict=True):
        axes[axis] = other
    return array.transpose(axes)


def text_of(term: Term, output: Output) -> str:
    """Write a term as subscripts, with commas within those of an operand where labels are long."""
    short = all(len(i) == 1 for labels in (*term.indices, output.indices) for i in labels)
    join = "" if short else " "
    inputs = ("," if short else ", ").join(join.join(labels) for labels in term.indices)
    return f"{inputs}->{join.join(output.indices)}"


# Checks ------------------------------------------------------------------------------------------


def _check(problem: Problem) -> None:
    for index, size in problem.sizes.items():
        if type(size) is not int or size < 0:
            raise ShapeError(
                f"index {shown(index)} has size {shown(size)}; it must be an integer of at least 0"
            )
    for name, operand in problem.operands.items():
        _check_operand(name, operand)
    if not problem.outputs:
        raise SubscriptsError("a problem needs an output at least")
    for output in (*problem.outputs, *problem.primal):
        _check_labels(output.indices, problem.sizes, "an output")
        if len({*output.indices}) < len(output.indices):
            raise SubscriptsError(f"an output has an index twice: {cut(' '.join(output.indices))}")
        if not output.terms:
            raise SubscriptsError(f"the output {cut(' '.join(output.indices))} has no terms")
        for term in output.terms:
            _check_term(problem, output, term)


def _check_operand(name: str, operand: Operand) -> None:
    if operand.kind not in KINDS:
        raise ValueError(f"operand {name!r} is of kind {shown(operand.kind)}; there are {KINDS}")
    if operand.kind == "delta" and (len(operand.shape) != 2 or len({*operand.shape}) != 1):  # noqa: PLR2004 - a square
        raise ShapeError(f"operand {name!r} is a delta of shape {operand.shape}; it must be square")
    for group in operand.symmetric:
        sizes = {operand.shape[axis] for axis in group if 0 <= axis < len(operand.shape)}
        if len(sizes) != 1 or not {*group} <= {*range(len(operand.shape))}:
            raise ShapeError(
                f"operand {name!r} of shape {operand.shape} cannot be symmetric in axes {group}"
            )


def _check_labels(labels: Labels, sizes: Mapping[str, int], where: str) -> None:
    for index in labels:
        if index not in sizes:
            raise SubscriptsError(f"index {shown(index)} of {where} has no size; give it one")


def _check_term(problem: Problem, output: Output, term: Term) -> None:
    if not cmath.isfinite(term.coefficient):
        raise PlanError(
            f"the coefficient of {cut(text_of(term, output))} is {term.coefficient}; it must be "
            "finite"
        )
    if len(term.operands) != len(term.indices) or not term.operands:
        raise SubscriptsError(
            f"a term has {len(term.operands)} operands, and indices for {len(term.indices)}"
        )
    for name, labels in zip(term.operands, term.indices, strict=True):
        if name not in problem.operands:
            raise SubscriptsError(f"a term has an operand {shown(name)} that the problem has not")
        _check_labels(labels, problem.sizes, f"operand {name!r}")
        shape = problem.operands[name].shape
        said = tuple([problem.sizes[index] for index in labels])
        if said != shape:
            raise ShapeError(
                f"operand {name!r} has shape {shape}, but its indices {cut(' '.join(labels))} have "
                f"sizes {said}; make them agree"
            )
    missing = {*output.indices}.difference(*term.indices)
    if missing:
        raise SubscriptsError(
            f"the output has the index {min(missing)!r}, which no operand of the term "
            f"{cut(text_of(term, output))} has"
        )


# From subscripts ---------------------------------------------------------------------------------


def of_einsum(
    subscripts: str, sizes: Mapping[str, int], *, name: str = "", result_axes: int | None = None
) -> Problem:
    """Make a problem of one product.

    Parameters
    ----------
    subscripts : str
        As for NumPy, with any letters: ``"ij,jk->ik"``; without ``->``, the indices that occur
        once, in the order of the alphabet.
    sizes : mapping from letter to int
        The size of each.
    name : str
        What tables call it; by default the subscripts.
    result_axes : int, optional
        How many axes of the output, from the first, are those of a function, where the network is a
        derivative; by default the first half.

    Returns
    -------
    Problem
        Its operands are named ``A``, ``B``, ... in order.

    Raises
    ------
    SubscriptsError, ShapeError
        If the subscripts are none, or a size is missing.
    """
    terms, out = _parse(subscripts)
    sizes = {letter: _exact_size(n) for letter, n in sizes.items()}
    for letter in dict.fromkeys(itertools.chain(*terms, out)):
        if letter not in sizes:
            raise SubscriptsError(
                f"index {letter!r} of {cut(subscripts)!r} has no size; give one with {letter}=N"
            )
    unused = [letter for letter in sizes if letter not in {*itertools.chain(*terms)}]
    if unused:
        raise SubscriptsError(f"a size is given for {unused[0]!r}, which {cut(subscripts)!r} lacks")
    names = [_operand_name(n, len(terms)) for n in range(len(terms))]
    operands = {
        operand: Operand(tuple([sizes[i] for i in term]))
        for operand, term in zip(names, terms, strict=True)
    }
    axes = len(out) // 2 if result_axes is None else result_axes
    output = Output(out, (Term(tuple(names), terms),), axes)
    return Problem(name or subscripts, (output,), operands, dict(sizes), "subscripts")


def _exact_size(size: Any) -> Any:
    """Take NumPy's integers for Python's; what is none is refused with the problem."""
    return int(size) if isinstance(size, np.integer) else size


def _operand_name(n: int, count: int) -> str:
    return chr(ord("A") + n) if count <= 26 else f"A{n}"  # noqa: PLR2004 - letters


def _parse(subscripts: str) -> tuple[tuple[Labels, ...], Labels]:
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    if "->" in right or not (left or arrow) or "." in text:
        raise SubscriptsError(
            f"{cut(subscripts)!r} are no subscripts; write them as in 'ij,jk->ik', without ellipsis"
        )
    terms = tuple([tuple(term) for term in left.split(",")])
    letters = [*itertools.chain(*terms)]
    wrong = [c for c in (*letters, *right) if not (c.isalpha() or ord(c) > _LAST_OF_ASCII)]
    if wrong:
        raise SubscriptsError(f"{wrong[0]!r} in {cut(subscripts)!r} is no letter")
    out = tuple(right) if arrow else tuple(sorted(c for c in {*letters} if letters.count(c) == 1))
    unknown = [c for c in out if c not in letters]
    if unknown:
        raise SubscriptsError(f"the output of {cut(subscripts)!r} has {unknown[0]!r}; no term does")
    return terms, out

"""A user's function as one of a vector: of all entries of one of its arguments."""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from eingrad._api import derivative
from eingrad._symbols import compile, differentiate, variable
from eingrad._traced_once import compiled
from eingrad._tree import Tree, flatten
from eingrad.errors import DTypeError, EingradError, PlanError
from eingrad.verify.identities import side_of
from eingrad.verify.rounding import largest_finite, terms_that_cancel
from eingrad.verify.shown import short

Array = NDArray[Any]

_NO_SYMBOLS = (EingradError, TypeError, ValueError, IndexError)  # of the user's function


def traced_once(f: Callable[..., Any], order: int, argnums: int) -> Callable[..., Any]:
    """Give the derivative of one order, traced once for each kind of arguments if that can be.

    It is called at some hundred points. Where a static argument could change it is traced at each.
    """
    traced_anew = derivative(f, order, argnums)
    found: Callable[..., Any] = compiled(traced_anew)

    def call(*args: Any) -> Any:
        nonlocal found
        try:
            return found(*args)
        except PlanError:
            found = traced_anew
            return found(*args)

    return call


@dataclass(frozen=True)
class Function:
    """A user's function of all the entries of one of its arguments, the others as they were given.

    The entries are one vector, whatever arrays the argument is nested of.
    """

    f: Callable[..., Any]
    args: tuple[Any, ...]
    number: int
    tree: Tree
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, f: Callable[..., Any], args: tuple[Any, ...], number: int) -> "tuple[Self, Array]":
        """Check one argument; give the function of it, and its entries."""
        leaves, tree = flatten(args[number])
        arrays = [np.asarray(leaf) for leaf in leaves]
        for array in arrays:
            if array.dtype.kind not in "fiu":
                raise DTypeError(
                    f"argument {number} has dtype {array.dtype}; derivatives are checked in arrays "
                    "of real numbers"
                )
        dtype = np.result_type(*arrays) if arrays else np.dtype(np.float64)
        dtype = dtype if dtype.kind == "f" else np.dtype(np.float64)
        entries = np.concatenate([np.zeros(0, dtype), *(array.ravel() for array in arrays)])
        function = cls(f, args, number, tree, tuple(array.shape for array in arrays))
        return function, entries.astype(dtype)

    def arguments(self, parts: Sequence[Any]) -> tuple[Any, ...]:
        """Nest the arrays of the argument, and put it in its place."""
        return (*self.args[: self.number], self.tree.build(parts), *self.args[self.number + 1 :])

    @property
    def places(self) -> list[slice]:
        """Where the entries of each array are."""
        ends = list(itertools.accumulate((math.prod(s) for s in self.shapes), initial=0))
        return [slice(*pair) for pair in itertools.pairwise(ends)]

    def at(self, x: Array) -> tuple[Any, ...]:
        """Give the arguments of the user's function for these entries."""
        pairs = zip(self.places, self.shapes, strict=True)
        return self.arguments([x[place].reshape(shape) for place, shape in pairs])

    def value(self, x: Array) -> Array:
        """Call the function itself, which must give one finite array, and give it again."""
        with np.errstate(all="ignore"):  # what is not finite is refused below
            value, again = (self.f(*self.at(x)) for _ in range(2))
        name = getattr(self.f, "__name__", "the function")
        if value is None or isinstance(value, (str, tuple, list, dict)):
            raise DTypeError(
                f"{name} returned a value of type {type(value).__name__}; it must return one array "
                "or number (check the entries of a tuple one by one)"
            )
        value = np.asarray(value)
        if not np.isfinite(value).all():
            raise ValueError(f"{name} is not finite at the point: {short(value)}")
        if not np.array_equal(value, again):
            raise ValueError(
                f"{name} returned {short(value)}, and called again {short(np.asarray(again))}: it "
                "draws random numbers or remembers a call; give it what it draws as an argument"
            )
        return value

    def derivative(self, order: int) -> Callable[[Array], Array]:
        """Give the derivative of one order as a function of the entries, in the entries."""
        found = traced_once(self.f, order, self.number)

        def at(x: Array) -> Array:
            blocks, _ = flatten(found(*self.at(x)))
            chosen = [*itertools.product(range(len(self.shapes)), repeat=order)]
            first = sum(len(self.shapes[k]) for k in chosen[0])
            out = blocks[0].shape[: blocks[0].ndim - first]
            result = np.empty(out + x.shape * order, blocks[0].dtype)
            for block, numbers in zip(blocks, chosen, strict=True):
                places: list[Any] = [self.places[k] for k in numbers]
                part = result[(..., *places)]
                part[...] = block.reshape(part.shape)
            return result

        return at

    def largest_term(self, x: Array, order: int) -> float:
        """Give the largest term of the sums in a derivative, which may cancel in it."""
        symbols = [variable(f"x{k}", shape, x.dtype) for k, shape in enumerate(self.shapes)]
        try:
            value = side_of(self.f(*self.arguments(symbols)), "left")
            chosen = itertools.combinations_with_replacement(symbols, order)
            tensors = [functools.reduce(differentiate, variables, value) for variables in chosen]
        except _NO_SYMBOLS:  # what a traced value can do and a symbol cannot
            return 0.0
        terms = compile(terms_that_cancel([tensor._node for tensor in tensors]))
        parts, _ = flatten(self.at(x)[self.number])
        known = {f"x{k}": part for k, part in enumerate(parts)}
        with np.errstate(all="ignore"):
            values = terms(**{name: known[name] for name in terms.inputs if name in known})
        return largest_finite(values)

    def largest_term_of_value(self) -> float:
        """Give the largest term of the sums in the value, of whatever argument they are."""
        try:
            whole, x = Function.of(lambda args: self.f(*args), (self.args,), 0)
            return whole.largest_term(x, 0)
        except _NO_SYMBOLS:  # not a function of numbers alone
            return self.largest_term(self.of(self.f, self.args, self.number)[1], 0)

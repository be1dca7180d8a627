"""Derivatives within a trace, not evaluated: a node that tells what is differentiated, and in what.

In: the values of a function, its variables, what its inputs stand for outside. Out: a node of the
derivative's shape.
Guaranteed: derivatives in the same variables are one node, whatever the order they were taken in
(Schwarz); nothing is differentiated yet. How it is, depends on what the derivative is multiplied
with, which is known at the end of the function that calls it: `_evaluate` does it there.

An unevaluated derivative is a row of the primitives' table, made for one function.

>>> from eingrad import _ir
>>> x, X = (_ir.new_input(name, (3,)) for name in ("x", "X"))
>>> call = Call((_ir.einsum("i,i->", x, x),), (x,), ((x, X),))
>>> derivative_of(call, 0, (0, 0)).shape
(3, 3)
"""

import weakref
from collections.abc import Hashable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from eingrad import _ir
from eingrad._ir import Apply, Node
from eingrad._primitives import Kind, Primitive, row_of


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function within another: values, variables, and what inputs are outside."""

    values: tuple[Node, ...]
    variables: tuple[Node, ...]
    replaced: tuple[tuple[Node, Node], ...]  # inputs, and what stands for them outside
    made: frozenset[bytes] = frozenset()  # digests of derivatives that the values are made of

    def operands(self, y: Node) -> tuple[Node, ...]:
        """What a value is computed from, outside."""
        outside = dict(self.replaced)
        return tuple(dict.fromkeys(outside.get(n, n) for n in _ir.inputs([y])))


@dataclass(frozen=True, slots=True, eq=False)
class Unevaluated(Primitive):
    """The derivative of one value of a call, in the variables `wrt`, which ascend."""

    call: Call = field(default=Call((), (), ()))
    place: int = 0  # of the value
    wrt: tuple[int, ...] = ()

    @property
    def identity(self) -> Hashable:
        """Itself, but not to be numbered: two that have one name are the same derivative."""
        return (self,)

    @property
    def y(self) -> Node:
        """What is differentiated, in the inputs of the call."""
        return self.call.values[self.place]

    @property
    def blocks(self) -> tuple[Node, ...]:
        """The variable of each differentiation."""
        return tuple(self.call.variables[n] for n in self.wrt)


_rows: weakref.WeakValueDictionary[object, Unevaluated] = weakref.WeakValueDictionary()


def derivative_of(call: Call, place: int, wrt: tuple[int, ...]) -> Node:
    """Make the node of one derivative; the same call and variables give the same node."""
    y = call.values[place]
    variables = [call.variables[n] for n in wrt]
    shape = (*y.shape, *(n for x in variables for n in x.shape))
    if 0 in shape:
        return _ir.zeros(shape, y.dtype)
    key = (call, place, wrt)
    row = _rows.get(key)
    if row is None:
        outside = [n.digest for pair in call.replaced for n in pair]
        of = [*(n.digest for n in (y, *variables)), *outside, *sorted(call.made)]
        digest = blake2b(b"".join(of), digest_size=8).hexdigest()
        made = Unevaluated(
            f"derivative {digest}", _no_values, _no_values, core=None, source="derivative({all})",
            kind=Kind.UNEVALUATED, call=call, place=place, wrt=wrt,
        )  # fmt: skip
        row = _rows.setdefault(key, made)
    symmetry = _ir.schwarz(y.ndim, wrt, [x.ndim for x in call.variables])
    return _ir.apply_node(row, call.operands(y), {"wrt": wrt}, 0, shape, y.dtype, symmetry)


def row_of_unevaluated(node: Node) -> Unevaluated | None:
    """Say what is differentiated, if a node is a derivative that is not evaluated."""
    row = row_of(node) if isinstance(node, Apply) else None
    return row if isinstance(row, Unevaluated) else None


def _no_values(*_: Any) -> Any:
    raise AssertionError("an unevaluated derivative has no values; `_evaluate` puts them there")

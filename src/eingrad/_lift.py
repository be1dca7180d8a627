"""Lifts: derivatives of ``f(F(X))`` from given derivatives of F, by the chain rule to any order.

In: a function of arrays, and for each argument a list of the derivatives of F. Out: those of f(F).
Guaranteed: no point X and no function F is needed; every distinct composition is planned once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from eingrad import _distribute, _ir, _numpy_functions, _opaque  # noqa: F401 - what it registers is used
from eingrad._cache import cache, input_specs
from eingrad._derive import derive, plan_derivatives
from eingrad._forms import Forms, arguments_of
from eingrad._ir import Node
from eingrad._plan import compose
from eingrad._recorded import rewritten
from eingrad._run import Executable, check_symmetry
from eingrad._shown import shown
from eingrad._tracebacks import ends_at_the_user
from eingrad._tracer import (
    STATIC,
    Array,
    Expression,
    Trace,
    check_array,
    node_of,
    within_trace,
)
from eingrad._tree import Tree, flatten
from eingrad._verbs import verb
from eingrad.errors import DTypeError, ShapeError


class Lift:
    """A function lifted to derivative tensors: called with some, it returns some. See `lift`."""

    def __init__(self, f: Callable[..., Any]) -> None:
        if not callable(f):
            raise TypeError(
                f"{shown(f)} is not a function; pass the function itself, not its value"
            )
        self._f = f
        self.__wrapped__ = f
        self.__name__ = getattr(f, "__name__", "f")

    @ends_at_the_user
    def __call__(self, *arguments: Any) -> Any:
        """Compute the value and its derivatives from those of the arguments."""
        jets = {
            n: _Jet.of(value, f"argument {n}")
            for n, value in enumerate(arguments)
            if type(value) not in STATIC
        }
        order, below = _order_and_variable(jets)
        x = _ir.new_input("X", below, key=("lifted", "X"))
        symbols = {n: jet.symbol(f"F{n}", x) for n, jet in jets.items()}
        recorded = within_trace(self._record, arguments, symbols, order)
        values: dict[str, Array] = {}
        for n, jet in jets.items():
            values.update(jet.by_name(f"F{n}"))
        values.update(recorded.captured)
        outputs, made = recorded.outputs, recorded.made
        digests = (n.digest for n in (*outputs, *symbols.values()))
        key = "lift", order, below, made, len(outputs), *digests
        executable = cache.get(key, lambda: _compiled(outputs, x, order, made))
        specs = executable.program.inputs
        results = executable.run([np.asarray(values[spec.name], spec.dtype) for spec in specs])
        each = len(outputs)
        return recorded.tree.build(tuple(results[n::each]) for n in range(each))

    def _record(
        self, trace: Trace, arguments: Sequence[Any], symbols: Mapping[int, Node], order: int
    ) -> "_Recorded":
        """Call the function on symbols in the place of what has derivatives, or is an array."""
        known = {n: Expression(node, trace, array=True) for n, node in symbols.items()}
        result = self._f(*(known.get(n, value) for n, value in enumerate(arguments)))
        leaves, tree = flatten(result)
        results = [node_of(leaf, trace, "the result") for leaf in leaves]
        outputs = rewritten(trace, results, None, keeps_rates=True, order=order)
        trace.check_unwritten()
        captured = {c.node.name: c.values for c in trace.root.captured.values()}
        return _Recorded((*outputs,), tree, frozenset(trace.made), captured)

    def __repr__(self) -> str:
        return f"<lift of {self.__name__}>"


@verb("eg.lift(f)((F, dF))")
def lift(f: Callable[..., Any]) -> Lift:
    """Carry derivative tensors that you hold through a function: ``F, dF -> f(F), d f(F)``.

    Parameters
    ----------
    f : callable
        A NumPy function of one or several arrays.

    Returns
    -------
    Lift
        Called with one argument per argument of ``f``: a tuple ``(F, dF)`` or ``(F, dF, d2F)``, to
        any order, of shapes ``F.shape + n * X.shape`` for whatever ``X`` the functions are of; or a
        plain array, or a list of numbers, which is held constant; or int, bool, str and None, which
        reach ``f`` as they are. Returns the tuple of the same length for ``f``; where
        ``f`` returns several arrays, nested as they are.

    Raises
    ------
    ShapeError
        If the shapes of the derivatives do not fit each other, or the orders differ.
    SymmetryError
        If a second or higher derivative depends on the order of differentiation.

    Notes
    -----
    It is the chain rule for an opaque `function`, through one compiled plan: intermediates are
    shared between the orders. Plans are kept, by what ``f`` computes.

    References
    ----------
    Deisenroth, Faisal, Ong, *Mathematics for Machine Learning* (2020), eq. (5.99)-(5.102).

    Examples
    --------
    >>> F, dF = np.eye(2), np.ones((2, 2, 3))
    >>> value, derivative = lift(np.linalg.det)((F, dF))
    >>> value, derivative
    (array(1.), array([2., 2., 2.]))
    >>> A = np.ones((5, 2))
    >>> lift(lambda F, G: A @ F @ G)((F, dF), (F, dF))[1].shape
    (5, 2, 3)
    """
    return Lift(f)


class _Recorded(NamedTuple):
    """What a function returned for symbols, and the arrays that it took from outside, by name."""

    outputs: tuple[Node, ...]
    tree: Tree
    made: frozenset[bytes]
    captured: Mapping[str, Array]


def _compiled(outputs: Sequence[Node], x: Node, order: int, made: frozenset[bytes]) -> Executable:
    """Differentiate by the chain rule, and compile; what is opaque becomes an input."""
    forms = Forms()
    found, choice = derive(outputs, [x], tuple(range(order + 1)), made=made, forms=forms)
    planned = plan_derivatives(found, forms)
    written = [n for n in _ir.topological(planned) if n in forms.written]
    opened, inputs = _opaque.open_inputs([*planned, *written])
    roots, kept = opened[: len(planned)], frozenset(opened[len(planned) :])
    needed = {*_ir.inputs(roots)}
    inputs = [n for n in inputs if n in needed]
    arguments = arguments_of(inputs, input_specs(inputs))
    return Executable(compose(roots, arguments, choice.candidates, kept))


@dataclass(frozen=True, slots=True)
class _Jet:
    """An array and its derivatives, by order; of order 0, a constant."""

    arrays: tuple[Array, ...]

    @classmethod
    def of(cls, value: Any, what: str) -> "_Jet":
        """Check one argument of a lifted function."""
        if isinstance(value, list) and len({np.shape(item) for item in value}) > 1:
            raise DTypeError(
                f"{what} is a list of arrays; give an array, or the tuple (F, dF, ...): only a "
                "tuple means derivatives"
            )
        given = value if isinstance(value, tuple) else (value,)
        if not given:
            raise ShapeError(f"{what} is empty; give the array, or the tuple (F, dF, ...)")
        names = (what, *(f"derivative {n} of {what}" for n in range(1, len(given))))
        arrays = []
        for item, name in zip(given, names, strict=True):
            check_array(item, name)
            array = np.asarray(item)
            check_array(array, name)
            if array.dtype.kind == "b" and len(given) > 1:
                raise DTypeError(
                    f"{name} is boolean, which has no derivatives; convert it with .astype(float)"
                )
            arrays.append(array)
        dtype = np.result_type(*arrays)
        dtype = dtype if dtype.kind in "fc" else np.dtype(np.float64)
        jet = cls(tuple(array.astype(dtype, copy=False) for array in arrays))
        for n, (array, name) in enumerate(zip(jet.arrays, names, strict=True)):
            wanted = (*arrays[0].shape, *(jet.variable * n))
            if array.shape != wanted:
                raise ShapeError(
                    f"{name} has shape {array.shape}; {what} has shape {arrays[0].shape} and its "
                    f"first derivative {jet.arrays[1].shape}, so it must be {wanted}"
                )
            symmetry = _ir.schwarz(arrays[0].ndim, [0] * n, [len(jet.variable)])
            check_symmetry(array, symmetry, name)
        return jet

    @property
    def order(self) -> int:
        """Order of the highest derivative."""
        return len(self.arrays) - 1

    @property
    def variable(self) -> tuple[int, ...]:
        """Shape of what it is a function of."""
        return self.arrays[1].shape[self.arrays[0].ndim :] if self.order else ()

    def symbol(self, name: str, x: Node) -> Node:
        """Make the opaque function of x, or the input, that it gives the values of."""
        first = self.arrays[0]
        if self.order:
            return _opaque.function(name, first.shape, first.dtype, (x,))
        return _ir.new_input(name, first.shape, first.dtype, ("lifted", name))

    def by_name(self, name: str) -> dict[str, Array]:
        """Name the arrays as `_opaque.label` names their symbols."""
        power = ["", "d", *(f"d{n}" for n in range(2, self.order + 1))]
        return {f"{power[n]}{name}{'_dX' * n}": array for n, array in enumerate(self.arrays)}


def _order_and_variable(jets: Mapping[int, _Jet]) -> tuple[int, tuple[int, ...]]:
    """Find the order and the shape of the variable that all arguments agree on."""
    varying = {n: jet for n, jet in jets.items() if jet.order}
    if not varying:
        raise ShapeError("no argument has derivatives; give one as the tuple (F, dF, ...)")
    first, jet = next(iter(varying.items()))
    for n, other in varying.items():
        if (other.order, other.variable) != (jet.order, jet.variable):
            raise ShapeError(
                f"argument {n} has derivatives to order {other.order} in a variable of shape "
                f"{other.variable}, argument {first} to order {jet.order} in one of shape "
                f"{jet.variable}; they must be functions of one variable, to one order"
            )
    return jet.order, jet.variable

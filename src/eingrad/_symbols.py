"""The verbs on symbols: make variables and functions, differentiate expressions, compile them.

In: expressions, or arrays where a verb takes both. Out: expressions, arrays, plans.
Guaranteed: the same differentiator, normal form and planner as the verbs on Python functions; a
derivative tensor has the axes of the value first, then those of the variable, once per order.

>>> import numpy as np
>>> X = variable("X", (3, 3))
>>> print(differentiate(np.linalg.inv(X), X))
[i,j,k,l] = -inv(X)[i,k] inv(X)[l,j]
"""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eingrad import _expand, _ir, _numpy_functions, _opaque  # noqa: F401 - what it registers is used
from eingrad._compile import cache, input_specs
from eingrad._derive import contracted, derive, placed, planned
from eingrad._exact import exact
from eingrad._exact import sizes as sizes_of
from eingrad._forms import Forms, arguments_of, compile_program
from eingrad._ir import Constant, Input, Node
from eingrad._plan import compose, find_path, greedy_path, left_to_right_path, mirror
from eingrad._run import Kernel, Plan, StructuredTensor, SymbolForm, check_symmetry
from eingrad._shown import shown
from eingrad._simplify import narrowed, remember, remembered, written_nodes
from eingrad._tracer import (
    STATIC,
    Array,
    Expression,
    Term,
    check_array,
    node_of,
    trace_of,
    tracing,
)
from eingrad._tree import flatten
from eingrad.errors import DTypeError, ShapeError

MODES = ("cheapest", "forward", "reverse")
PATHS = {
    "planned": find_path,
    "greedy": greedy_path,
    "left to right": left_to_right_path,
}
_WRITTEN_OUT = 64  # entries; a larger constant is an input of the plan, not text


# Symbols -----------------------------------------------------------------------------------------


def variable(name: str, shape: int | Sequence[int] = (), dtype: Any = np.float64) -> Expression:
    """Make a symbol for an array, to write expressions of it with NumPy.

    Parameters
    ----------
    name : str
        What formulas and plans call it.
    shape : int or tuple of int
        Sizes of its axes.
    dtype : data type
        ``float32``, ``float64``, or complex: a derivative is then holomorphic.

    Returns
    -------
    Expression
        Another variable of the same name is another variable.

    Raises
    ------
    ValueError
        If the name is no identifier, or a size is negative.
    DTypeError
        If the dtype is no float or complex one.

    Examples
    --------
    >>> x = variable("x", 3)
    >>> print(x @ x)
    sum_i x[i]**2
    """
    return Expression(_ir.new_input(_name(name), _shape(shape), _dtype(dtype)), array=True)


def function(
    name: str, *arguments: Expression, shape: int | Sequence[int] = (), dtype: Any = np.float64
) -> Expression:
    """Make ``F(X)``, a function of which nothing is known.

    Its derivatives are symbols too: ``dF_dX``, ``d2F_dX_dX``, of shape ``shape + n * X.shape``. A
    plan takes them as inputs. An argument that has no name, or is given twice, goes by its number:
    ``dF_d1``; where names collide, they say the arguments or number the calls: ``F_at_X``,
    ``F_call1``. By Schwarz's theorem they do not depend on the order of
    differentiation.

    Parameters
    ----------
    name : str
        What formulas and plans call it.
    *arguments : Expression
        Variables, or any expressions: then the chain rule applies.
    shape : int or tuple of int
        Shape of the value.
    dtype : data type
        Dtype of the value and of its derivatives.

    Returns
    -------
    Expression
        The same name, shape and arguments give the same function.

    Raises
    ------
    ValueError
        If the name is no identifier, or there is no argument.

    References
    ----------
    Deisenroth, Faisal, Ong, *Mathematics for Machine Learning* (2020), eq. (5.99)-(5.102).

    Examples
    --------
    >>> X = variable("X", (2, 4))
    >>> F = function("F", X, shape=(3, 3))
    >>> print(differentiate(np.trace(F), X))
    [i,j] = sum_k dF_dX[k,k,i,j]
    """
    name = _name(name)
    if not arguments:
        raise ValueError(f"{name!r} is a function of nothing; use eingrad.variable")
    for n, argument in enumerate(arguments):
        _expression(argument, f"argument {n} of {name}")
    nodes = [x._node for x in arguments]
    made = _opaque.function(name, _shape(shape), _dtype(dtype), nodes)
    return Expression(made, trace_of(arguments))


def _name(name: Any) -> str:
    name = exact(name) if isinstance(name, str) else name
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(
            f"a symbol's name must be an identifier, such as X or x_1, not {shown(name)}"
        )
    return name


def _shape(shape: Any) -> tuple[int, ...]:
    sizes = tuple(shape) if np.iterable(shape) else (shape,)
    if any(not isinstance(n, (int, np.integer)) or n < 0 for n in sizes):
        raise ShapeError(f"a shape is a tuple of integers of at least 0, not {shown(shape)}")
    return sizes_of(sizes)


def _dtype(dtype: Any) -> np.dtype[Any]:
    new = np.dtype(dtype)
    if new.str[1:] not in {"f2", "f4", "f8", "c8", "c16"}:
        raise DTypeError(f"a symbol cannot have dtype {new}; use a float or complex one")
    native: np.dtype[Any] = new.newbyteorder("=")
    return native


def _expression(value: Any, what: str) -> Expression:
    if not isinstance(value, Expression):
        raise TypeError(
            f"{what} is of type {type(value).__name__}, not an expression; make one with "
            "eingrad.variable, or differentiate a function with eingrad.derivative"
        )
    trace_of((value,))  # refuses one that outlived its call
    return value


# Differentiation and compilation -----------------------------------------------------------------


def differentiate(
    y: Expression, x: Expression, order: int = 1, *, mode: str = "cheapest"
) -> Expression:
    """Differentiate an expression in a variable or an opaque function, ``order`` times.

    Parameters
    ----------
    y : Expression
        What to differentiate.
    x : Expression
        A `variable` or a `function`; everything else is held constant, and for a function also
        what it is a function of.
    order : int, at least 0
        How often.
    mode : "cheapest", "forward" or "reverse"
        All give the same tensor. "cheapest" plans them all and keeps the one of least cost.

    Returns
    -------
    Expression
        Shape ``y.shape + order * x.shape``: axes of ``y`` first, then of ``x``, once per order.

    Raises
    ------
    TypeError
        If ``y`` or ``x`` is no expression, or ``x`` neither a variable nor a function.
    ValueError
        If the order is negative, or the mode unknown; or if ``y`` does not depend on ``x``, but on
        another variable of the same name.

    Notes
    -----
    Of an expression that ``x`` does not occur in, the derivative is zero.

    References
    ----------
    Deisenroth, Faisal, Ong, *Mathematics for Machine Learning* (2020), section 5.4.

    Examples
    --------
    >>> x, B = variable("x", 2), variable("B", (2, 2))
    >>> print(differentiate(x @ B @ x, x, order=2))
    [i,j] = B[i,j] + B[j,i]
    """
    _expression(y, "what is differentiated")
    node = _expression(x, "the variable")._node
    if not isinstance(node, Input) and not _opaque.is_opaque(node):
        raise TypeError(
            "an expression is differentiated in a variable or a function, not in the expression\n"
            f"{x}\ngive that a name of its own with eingrad.variable first"
        )
    if type(order) is not int or order < 0:
        raise ValueError(f"order must be an integer of at least 0, not {shown(order)}")
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(map(repr, MODES))}, not {shown(mode)}")
    _check_namesakes(y._node, node)
    free = node if isinstance(node, Input) else _ir.new_input("free", node.shape, node.dtype)
    outputs = _ir.substitute([y._node], {node: free})
    forms = Forms()
    (root,), _ = derive(outputs, [free], (order,), mode, remembered(outputs), forms)
    (result,), made = placed(forms.normal([root.plain()]), outputs, {free: node})
    remember([result], made)
    return Expression(result, trace_of((y, x)), symmetry=root.symmetry)


def _check_namesakes(y: Node, x: Node) -> None:
    """Refuse a variable in the place of another one that has its name: all would be zero."""
    present = [node for node in _ir.inputs([y]) if node.key[0] == "variable"]
    shapes = {node.name: node.shape for node in present}
    for node in _ir.inputs([x]):
        if node.key[0] == "variable" and node not in present and node.name in shapes:
            raise ValueError(
                f"the expression does not depend on this variable {node.name!r}, of shape "
                f"{node.shape}, but on another one of that name, of shape {shapes[node.name]}; "
                "every call of eingrad.variable makes another variable: use the one that the "
                "expression was made with, or give them different names"
            )


def compile(outputs: Any, *, path: str = "planned") -> Plan:
    """Compile expressions to a plan, to be called with arrays.

    Parameters
    ----------
    outputs : Expression, or tuple, list or dict of them
        Several are computed together, and share what they have in common.
    path : "planned", "greedy" or "left to right"
        How products of three or more operands are ordered. "planned" is the cheapest that was
        found, "left to right" takes the operands as they stand: for comparison.

    Returns
    -------
    Plan
        Called with the arrays of ``plan.inputs``, in order or by name: only the symbols that the
        value depends on, variables in the order in which they were made, then functions and their
        derivatives. Names are safer: a symbol that cancels is not among them.

    Raises
    ------
    TypeError
        If something in ``outputs`` is no expression.
    ValueError
        If the path is unknown, or two symbols have one name.

    Examples
    --------
    >>> X = variable("X", (2, 2))
    >>> plan = compile(differentiate(np.linalg.det(X), X))
    >>> plan.inputs
    ('X',)
    >>> plan([[1.0, 2.0], [3.0, 4.0]])
    array([[ 4., -3.],
           [-2.,  1.]])
    """
    if path not in PATHS:
        raise ValueError(f"path must be one of {', '.join(map(repr, PATHS))}, not {shown(path)}")
    leaves, tree = flatten(outputs)
    nodes = [_expression(leaf, f"output {n}")._node for n, leaf in enumerate(leaves)]
    if any(leaf._trace is not None for leaf in leaves):
        raise DTypeError("a plan is compiled from symbols; this expression belongs to a trace")
    made = remembered(nodes)
    written = written_nodes(nodes, made)
    nodes = contracted(nodes, made, written)
    nodes, written = narrowed(nodes, written)
    constants = [n for n in _ir.topological(nodes) if isinstance(n, Constant)]
    large = [n for n in constants if n.size > _WRITTEN_OUT]
    captured: dict[Node, Input] = {
        n: _ir.new_input(f"c{k}", n.shape, n.dtype) for k, n in enumerate(large)
    }
    opened, inputs = _opaque.open_inputs(_ir.substitute([*nodes, *written], captured))
    roots, written = opened[: len(nodes)], opened[len(nodes) :]
    needed = {*_ir.inputs(roots)}
    inputs = [n for n in inputs if n in needed]
    values = {captured[n]: n.value for n in large}
    inputs = [n for n in inputs if n not in values] + [n for n in inputs if n in values]
    names = tuple(n.name for n in inputs if n not in values)
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two symbols are named {name!r}; give them different names")
    roots = [mirror(root, leaf._symmetry) for root, leaf in zip(roots, leaves, strict=True)]
    specs = input_specs(inputs)
    program = compile_program(roots, inputs, specs, PATHS[path], written)
    form = SymbolForm(names, tuple(map(_symmetry, inputs)), tree)
    return Plan(Kernel(program), form, [values[n] for n in inputs if n in values])


def _symmetry(node: Input) -> Any:
    """Which axes of the array for an input must be interchangeable."""
    return node.key[1] if node.key[0] == "opaque" else ()


def are_equal(a: Any, b: Any) -> bool:
    """Prove that two expressions are equal: both expand to one normal form.

    Parameters
    ----------
    a, b : Expression or array_like, of one shape and dtype

    Returns
    -------
    bool
        True is a proof, for these shapes. False means that no proof was found.
    """
    nodes = [node_of(value, None) for value in (a, b)]
    same = nodes[0].shape == nodes[1].shape and nodes[0].dtype == nodes[1].dtype
    return same and _expand.are_equal(*nodes)


# The Remark: trace and transpose of tensors ------------------------------------------------------


def trace(tensor: Any) -> Any:
    """Contract the first two axes: ``sum_i T[i, i, ...]``, of a D x D x E x F tensor E x F.

    Parameters
    ----------
    tensor : (n, n, ...) Expression, StructuredTensor or array_like

    Returns
    -------
    (...) Expression or ndarray
        What it was given: the trace of an expression is an expression.

    Raises
    ------
    ShapeError
        If the tensor has fewer than two axes, or the first two differ in size.

    Notes
    -----
    ``np.linalg.trace`` contracts the last two axes, which for a derivative are the variable's.

    References
    ----------
    Deisenroth, Faisal, Ong, *Mathematics for Machine Learning* (2020), section 5.5, Remark.

    Examples
    --------
    >>> trace(np.ones((2, 2, 3)))
    array([2., 2., 2.])
    """
    tensor = _tensor(tensor, "trace")
    if tensor.shape[0] != tensor.shape[1]:
        raise ShapeError(
            f"trace of shape {tensor.shape}: the first two axes have sizes {tensor.shape[0]} and "
            f"{tensor.shape[1]}, but are contracted with each other; they must be equal"
        )
    return np.trace(tensor, axis1=0, axis2=1)


def transpose(tensor: Any) -> Any:
    """Swap the first two axes: ``T[j, i, ...]``.

    Parameters
    ----------
    tensor : (n, m, ...) Expression, StructuredTensor or array_like

    Returns
    -------
    (m, n, ...) Expression or ndarray
        Of an array, a view, as ``np.transpose`` gives.

    Raises
    ------
    ShapeError
        If the tensor has fewer than two axes.

    Notes
    -----
    ``np.transpose`` reverses all axes, ``np.matrix_transpose`` swaps the last two; both mix up the
    axes of a derivative.

    References
    ----------
    Deisenroth, Faisal, Ong, *Mathematics for Machine Learning* (2020), section 5.5, Remark.

    Examples
    --------
    >>> transpose(np.ones((2, 3, 4))).shape
    (3, 2, 4)
    """
    return np.swapaxes(_tensor(tensor, "transpose"), 0, 1)


def product(*factors: Any) -> Any:
    """Multiply as matrices on the first two axes: ``A[i,a] T[a,b,...] B[b,j]``.

    Parameters
    ----------
    *factors : (n, m, ...), (m, k, ...), ... Expression or array_like
        Neighbours share a size.

    Returns
    -------
    (n, k, ...) Expression or ndarray
        The two matrix axes, then the further axes of every factor, in order of the factors. An
        expression if a factor is one.

    Raises
    ------
    ShapeError
        If a factor has fewer than two axes, or neighbours do not fit.

    Notes
    -----
    ``A @ T @ B`` multiplies the *last* two axes, which for a derivative are the variable's; where
    the sizes agree it is silently wrong.

    Examples
    --------
    >>> A, T = np.ones((2, 3)), np.ones((3, 3, 5))
    >>> product(A, T, T).shape
    (2, 3, 5, 5)
    """
    if not factors:
        raise TypeError("a product of no factors; give at least one")
    tensors = [_tensor(factor, f"product: factor {n}") for n, factor in enumerate(factors)]
    for n, (left, right) in enumerate(itertools.pairwise(tensors)):
        if left.shape[1] != right.shape[0]:
            raise ShapeError(
                f"product: factor {n} has shape {left.shape} and factor {n + 1} {right.shape}; the "
                f"second axis of the one ({left.shape[1]}) must equal the first of the other "
                f"({right.shape[0]})"
            )
    if not any(isinstance(tensor, Expression) for tensor in tensors):
        return functools.reduce(_product_of_two, tensors)  # einsum has letters for 52 axes only
    fresh = len(tensors) + 1  # index n is shared by factors n - 1 and n
    operands: list[Any] = []
    trailing: list[int] = []
    for n, tensor in enumerate(tensors):
        rest = range(fresh, fresh + tensor.ndim - 2)
        fresh += len(rest)
        trailing += rest
        operands += [tensor, [n, n + 1, *rest]]
    return np.einsum(*operands, [0, len(tensors), *trailing], optimize=True)


def _product_of_two(left: Array, right: Array) -> Array:
    """``A[i,a,..] B[a,j,..]``: the matrix axes in front, then those of the left, of the right."""
    made = np.tensordot(left, right, ((1,), (0,)))  # i, those of the left, j, those of the right
    return np.moveaxis(made, left.ndim - 1, 1)


def terms(tensor: Any) -> tuple[Term, ...]:
    """Split into terms: for each, its deltas (pairs of axes) and its core.

    Parameters
    ----------
    tensor : Expression, StructuredTensor or array_like
        Nothing is known of the structure of an array: it is one term without deltas.

    Returns
    -------
    tuple of Term
        Their sum is the tensor; none for an expression that is known to be zero.

    Examples
    --------
    >>> x = variable("x", 3)
    >>> (term,) = terms(differentiate(np.sin(x), x))
    >>> term.deltas, term.axes, str(term.core)
    (((0, 1),), (0,), '[i] = cos(x[i])')
    """
    if isinstance(tensor, Expression):
        return tensor.terms()
    if isinstance(tensor, StructuredTensor):
        return tensor.terms
    array = np.array(tensor)
    check_array(array, "the tensor")
    return (Term((), array, tuple(range(array.ndim))),)


def _tensor(value: Any, what: str) -> Any:
    if not isinstance(value, (Expression, StructuredTensor)):
        check_array(value, what)
        value = np.asarray(value)
        check_array(value, what)
    if value.ndim < 2:  # noqa: PLR2004 - a matrix, and what hangs on it
        raise ShapeError(
            f"{what} of shape {value.shape}: it acts on the first two axes, so there must be two; "
            "add one with x[:, None]"
        )
    return value


# Lifts: derivatives of f(F(X)) from given derivatives of F ---------------------------------------


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

    def __call__(self, *arguments: Any) -> Any:
        """Compute the value and its derivatives from those of the arguments."""
        jets = {
            n: _Jet.of(value, f"argument {n}")
            for n, value in enumerate(arguments)
            if type(value) not in STATIC
        }
        order, below = _order_and_variable(jets)
        x = _ir.new_input("X", below, key=("lifted", "X"))
        values: dict[str, Array] = {}
        trace = tracing()
        try:
            with trace:
                symbols = {n: jet.symbol(f"F{n}", x) for n, jet in jets.items()}
                for n, jet in jets.items():
                    values.update(jet.named(f"F{n}"))
                passed = {n: Expression(node, trace, array=True) for n, node in symbols.items()}
                result = self._f(*(passed.get(n, value) for n, value in enumerate(arguments)))
                leaves, tree = flatten(result)
                outputs = [node_of(leaf, trace, "the result") for leaf in leaves]
                trace.check_unwritten()
                for known in trace.root.captured.values():
                    values[known.node.name] = known.values
        finally:
            trace.close()  # again: an interrupt may have cut the first short
        key = (
            "lift",
            order,
            below,
            frozenset(trace.made),
            *(n.digest for n in outputs),
            *(n.digest for n in symbols.values()),
        )

        def make() -> Kernel:
            forms = Forms()
            orders = tuple(range(order + 1))
            found, choice = derive(outputs, [x], orders, made=trace.made, forms=forms)
            opened, inputs = _opaque.open_inputs(planned(found, forms))
            arguments = arguments_of(inputs, input_specs(inputs))
            return Kernel(compose(opened, arguments, choice.candidates))

        kernel = cache.get(key, make)
        specs = kernel.program.inputs
        results = kernel.run([np.asarray(values[spec.name], spec.dtype) for spec in specs])
        each = len(outputs)
        return tree.build(tuple(results[n::each]) for n in range(each))

    def __repr__(self) -> str:
        return f"<lift of {self.__name__}>"


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
            blocks = [len(arrays[0].shape) + k * len(jet.variable) for k in range(n)]
            group = tuple(tuple(range(b, b + len(jet.variable))) for b in blocks)
            check_symmetry(array, (group,) if jet.variable else (), name)
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

    def named(self, name: str) -> dict[str, Array]:
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

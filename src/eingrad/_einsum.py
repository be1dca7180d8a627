"""`einsum` of arrays, along our path or any other, found again at the next call; and its plan.

In: subscripts as `np.einsum` takes them, arrays or expressions. Out: the array, or a plan for it.
Guaranteed: NumPy's value, shape and dtype, flags and integers included; nothing of an array is
kept, but of constants of a plan, which are copied.

>>> import numpy as np
>>> einsum("ij,jk,k->i", np.eye(2), np.eye(2), np.array([1.0, 2.0]))
array([1., 2.])
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad import _ir, _numpy_functions, _subscripts  # noqa: F401 - what it registers is used
from eingrad._cache import cache, input_specs
from eingrad._ir import Factor, Node
from eingrad._place import user_line
from eingrad._plan import Contraction, compose, search_of
from eingrad._run import Executable, Plan, SymbolForm, check_buffers
from eingrad._shown import cut, shown
from eingrad._subscripts import Shape
from eingrad._tracebacks import ends_at_the_user, shorten
from eingrad._tracer import Expression, as_array, native
from eingrad._tree import LEAF
from eingrad.errors import (
    DTypeError,
    InPlaceError,
    MemoryLimitError,
    PathError,
    ShapeError,
    SubscriptsError,
)

Array = NDArray[Any]
_Terms = tuple[tuple[Any, ...], ...]
_Spec = str | tuple[_Terms, tuple[Any, ...] | None]  # as `_subscripts.parse` takes it

_KINDS = "biufc"
_FIRST_AND_LAST = 2  # operand and subscripts: a pair of NumPy's sublist form


def einsum(
    subscripts: Any,
    /,
    *operands: Any,
    out: Array | None = None,
    path: Any = "planned",
    **others: Any,
) -> Any:
    """Contract arrays as `np.einsum` does, in pairs, along a path that is planned once.

    A later call with the same subscripts, shapes, dtypes and path finds what was planned.

    Parameters
    ----------
    subscripts : str
        ``"ij,jk->ik"``, with any letters; without ``->`` the result has the indices that occur
        once, in alphabetical order; ``...`` stands for axes that broadcast. Or NumPy's other form,
        ``einsum(a, [0, 1], b, [1, 2], [0, 2])``, with any numbers.
    *operands : array_like or Expression
        If one is an expression, so is the result, as that of `np.einsum`.
    out : (...) ndarray
        Filled with the result and returned. It may be an operand too.
    path : str, callable, or list of pairs of int
        As in `compile`; a list has positions of the operands. What a callable found is kept.

    Returns
    -------
    (...) ndarray, NumPy scalar, or Expression
        A new array, never a view; a scalar where the result has no axes and `out` is not given.

    Raises
    ------
    SubscriptsError
        If the subscripts are not valid, or not those of so many operands.
    ShapeError
        If sizes disagree, or `out` has another shape.
    DTypeError
        If an operand is no array of numbers, or `out` has another dtype.
    PathError
        If the path is unknown, none of the operands, or given for expressions; or if its function
        fails.
    PlanError
        If `out` cannot be written to.
    MemoryLimitError
        If intermediates do not fit. The message says how many bytes the plan takes.

    Notes
    -----
    Steps are matrix products and broadcast multiplications on reshaped views. Of flags, products
    are ``and`` and sums are ``or``, as in NumPy; integers wrap around.

    Examples
    --------
    >>> a, b = np.arange(6.0).reshape(2, 3), np.arange(3.0)
    >>> einsum("ij,j", a, b)
    array([ 5., 14.])
    >>> einsum(a, [0, 1], b, [1], [0])
    array([ 5., 14.])
    """
    try:
        return _einsum(subscripts, operands, out, path, others)
    except Exception as error:
        shorten(error)
        raise


def _einsum(
    subscripts: Any,
    operands: tuple[Any, ...],
    out: Array | None,
    path: Any,
    others: Mapping[str, Any],
) -> Any:
    """Find what was planned, and run it."""
    if others:
        raise TypeError(
            f"eingrad.einsum takes no {', '.join(others)}: the order is given as path, the dtype "
            "is that of the operands"
        )
    spec: _Spec = subscripts
    arrays: Sequence[Any] = operands
    if type(subscripts) is not str:
        spec, arrays = _read((subscripts, *operands))
    key: list[Any] = [einsum, spec, path if type(path) is str else _key_of(path)]
    is_plain, first = True, None
    for array in arrays:
        if type(array) is not np.ndarray:
            return _of_others(spec, arrays, out, path)
        dtype = array.dtype
        first = first or dtype
        is_plain = is_plain and dtype is first
        key += (array.shape, dtype)
    executable = cache.get(
        tuple(key), lambda: _compile(spec, [(a.shape, a.dtype) for a in arrays], path)
    )
    if not is_plain or (first is not None and not first.isnative):
        wanted = executable.program.inputs[0].dtype
        arrays = [array.astype(wanted, copy=False) for array in arrays]
    try:
        if first is not None and first.kind in "iu":
            with np.errstate(over="ignore"):  # integers wrap, those without axes too
                return _run(executable, arrays, out)
        return _run(executable, arrays, out)
    except MemoryError as error:
        cause, peak = str(error).partition(";")[0], executable.program.peak_bytes
        raise MemoryLimitError(
            f"{cause}; the plan of einsum {_said(spec)} takes {peak:,} bytes at its peak; sum over "
            "fewer combinations, or give a path that takes less"
        ) from None


def _run(executable: Executable, arrays: Sequence[Array], out: Array | None) -> Any:
    if out is None:
        (result,) = executable.run(arrays)
        return result if result.ndim else result[()]
    check_buffers([out], executable.program)
    executable.fill(arrays, [out])
    return out


@ends_at_the_user
def einsum_plan(
    subscripts: Any,
    /,
    *operands: Any,
    constants: Iterable[int] = (),
    path: Any = "planned",
    dtype: Any = np.float64,
) -> Plan:
    """Plan a contraction of arrays, of which some are constants, as a function of the others.

    Parts of constants alone are contracted now, once, in the order that leaves the least to be done
    at a call. The constants are copied.

    Parameters
    ----------
    subscripts : str
        As in `einsum`, or its other form.
    *operands : tuple of int, or array_like
        The shape of each operand, or an array like it; of a constant, the array.
    constants : int, or iterable of int
        Positions of operands whose entries are known.
    path : str, callable, or list of pairs of int
        As in `einsum`. Only our own search knows that steps of constants are free.
    dtype : data type
        That of operands of which a shape was given.

    Returns
    -------
    Plan
        Called with the arrays that are no constants, in order; or by name, ``operand0`` and so on,
        by position. ``print(plan)`` shows what a call does, ``plan.captured`` what was contracted.

    Raises
    ------
    SubscriptsError, ShapeError, DTypeError, PathError
        As `einsum`; or if a position in `constants` is none, or of a shape.

    Examples
    --------
    >>> rotation, scale = np.array([[0.0, -1.0], [1.0, 0.0]]), np.array([2.0, 3.0])
    >>> turn = einsum_plan("ij,j,j->i", rotation, scale, (2,), constants=[0, 1])
    >>> turn.inputs
    ('operand2',)
    >>> turn(np.array([1.0, 1.0]))
    array([-3.,  2.])
    """
    spec: _Spec = subscripts
    given: Sequence[Any] = operands
    if type(subscripts) is not str:
        spec, given = _read((subscripts, *operands))
    kinds: list[tuple[Shape, np.dtype[Any]]] = []
    arrays: dict[int, Array] = {}
    for n, operand in enumerate(given):
        if type(operand) is tuple:
            kinds.append((_shape(operand, n), np.dtype(dtype)))
        else:
            arrays[n] = _array(operand, n)
            kinds.append((arrays[n].shape, arrays[n].dtype))
    known = _positions(constants, len(given), arrays)
    return _plan_with(spec, kinds, path, {n: arrays[n] for n in known})


# What the user gave ------------------------------------------------------------------------------


def _read(arguments: Sequence[Any]) -> tuple[_Spec, Sequence[Any]]:
    """Part NumPy's sublist form into subscripts and operands; a text of a subclass is a text."""
    if isinstance(arguments[0], str):
        return str.__str__(arguments[0]), arguments[1:]
    if len(arguments) < _FIRST_AND_LAST:
        raise SubscriptsError(
            "einsum was given an operand but no subscripts; write einsum('ij->ji', a), or a list "
            "of numbers after each operand"
        )
    count = len(arguments) - len(arguments) % 2
    terms = tuple(_sublist(term) for term in arguments[1:count:2])
    out = _sublist(arguments[-1]) if len(arguments) % 2 else None
    return (terms, out), arguments[:count:2]


def _sublist(items: Any) -> tuple[Any, ...]:
    """Read subscripts given as numbers from 0, any number of them, and an ellipsis."""
    is_list = isinstance(items, (list, tuple))
    if not is_list or not all(
        k is Ellipsis or (isinstance(k, (int, np.integer)) and k >= 0) for k in items
    ):
        raise SubscriptsError(
            f"einsum was given the subscripts {shown(items)}; give a text first, or a list of "
            "numbers from 0 after each operand"
        )
    return tuple(k if k is Ellipsis else int(k) for k in items)


def _said(spec: _Spec) -> str:
    """Write subscripts as the user did."""
    if isinstance(spec, str):
        return cut(repr(spec))
    terms, out = spec
    written = ", ".join(str([*term]) for term in terms)
    return cut(written if out is None else f"{written} -> {[*out]}")


def _key_of(path: Any) -> Any:
    """What a path is found by: a function by itself, a list by what is in it."""
    key = _frozen(path)
    try:
        hash(key)
    except TypeError:
        return object()  # never found again
    return key


def _frozen(path: Any) -> Any:
    return tuple(map(_frozen, path)) if isinstance(path, (list, tuple)) else path


def _of_others(spec: _Spec, operands: Sequence[Any], out: Any, path: Any) -> Any:
    """Record a contraction of expressions; or make arrays of what is none."""
    if not any(isinstance(operand, Expression) for operand in operands):
        arrays = [_array(operand, n) for n, operand in enumerate(operands)]
        return einsum(*_written(spec, arrays), out=out, path=path)
    if out is not None:
        raise InPlaceError(
            f"einsum of an expression at {user_line()} cannot be written to out; use what it gives"
        )
    if not (isinstance(path, str) and path == "planned"):
        raise PathError(
            f"einsum of an expression at {user_line()} has path={shown(path)}, but it is "
            "contracted where it is compiled; give the path to eingrad.compile"
        )
    return np.einsum(*_written(spec, operands))


def _written(spec: _Spec, operands: Sequence[Any]) -> list[Any]:
    """Write subscripts and operands as `np.einsum` takes them."""
    if isinstance(spec, str):
        return [spec, *operands]
    terms, out = spec
    lists = [[*term] for term in terms]
    pairs = zip(operands, lists, strict=True)
    return [*itertools.chain(*pairs), *([] if out is None else [[*out]])]


def _array(value: Any, n: int) -> Array:
    """Make an array of an operand; any dtype of numbers will do."""
    if isinstance(value, Expression):
        raise DTypeError(
            f"operand {n} is an expression, but a plan of einsum is made for arrays; give its "
            "shape, or compile eingrad.einsum of expressions"
        )
    if type(value) is np.ndarray:
        return value
    return np.asarray(value) if isinstance(value, np.number) else as_array(value, f"operand {n}")


def _shape(shape: tuple[Any, ...], n: int) -> Shape:
    if not all(isinstance(size, (int, np.integer)) and size >= 0 for size in shape):
        raise ShapeError(
            f"operand {n} is {shown(shape)}, which is no shape; a tuple is read as one: give "
            "integers of at least 0, or an array"
        )
    return tuple(map(int, shape))


def _positions(constants: Any, count: int, arrays: Mapping[int, Array]) -> list[int]:
    """Check which operands are constants."""
    given = [constants] if isinstance(constants, (int, np.integer)) else [*constants]
    for n in given:
        if not isinstance(n, (int, np.integer)) or not 0 <= n < count:
            raise ShapeError(
                f"constants has {shown(n)}, but the {count} operands are numbered from 0; give "
                "positions of operands"
            )
        if n not in arrays:
            raise ShapeError(f"operand {n} is a constant, but only its shape is given; give the "
                             "array, or leave it out of constants")  # fmt: skip
    return sorted({*map(int, given)})


# Planning ----------------------------------------------------------------------------------------


def _contraction(
    spec: _Spec, kinds: Sequence[tuple[Shape, np.dtype[Any]]], path: Any, known: Iterable[int] = ()
) -> tuple[Contraction, np.dtype[Any]]:
    """Find the path; say which dtype the operands have in common."""
    terms, out = _subscripts.parse(spec, [shape for shape, _ in kinds])
    terms, sizes = _subscripts.broadcast_sizes(terms, [shape for shape, _ in kinds])
    ones = {i: 1 for term in terms for i in term if i not in sizes}  # that broadcast
    for n, (_, dtype) in enumerate(kinds):
        if dtype.kind not in _KINDS:
            raise DTypeError(
                f"operand {n} has dtype {dtype}, which einsum does not take; convert it to numbers"
            )
    dtype = native(np.result_type(*(dtype for _, dtype in kinds)))
    return Contraction(terms, out, {**sizes, **ones}, [*known], search_of(path, _said(spec))), dtype


def _inputs(shapes: Mapping[int, Shape], dtype: np.dtype[Any]) -> dict[int, Any]:
    return {n: _ir.new_input(f"operand{n}", shape, dtype) for n, shape in shapes.items()}


def _compile(spec: _Spec, kinds: Sequence[tuple[Shape, np.dtype[Any]]], path: Any) -> Executable:
    product, dtype = _contraction(spec, kinds, path)
    inputs = _inputs({n: shape for n, (shape, _) in enumerate(kinds)}, dtype)
    return _executable([product.build([*inputs.values()])], [*inputs.values()])


def _executable(roots: Sequence[Node], inputs: Sequence[Any]) -> Executable:
    specs = input_specs(inputs)
    return Executable(compose(roots, list(zip(inputs, specs, strict=True))))


def _plan_with(
    spec: _Spec,
    kinds: Sequence[tuple[Shape, np.dtype[Any]]],
    path: Any,
    constants: Mapping[int, Array],
) -> Plan:
    """Contract what is made of constants; plan what is left."""
    product, dtype = _contraction(spec, kinds, path, constants)
    inputs = _inputs({n: shape for n, (shape, _) in enumerate(kinds)}, dtype)
    nodes = [*inputs.values()]
    folds = product.build_folds(nodes)
    arrays, captured, names = [], [], []
    if folds:
        known = [inputs[n] for n in constants]
        given = [array.astype(dtype) for array in constants.values()]
        arrays = _executable([fold.node for fold in folds], known).run(given)
    for part, fold in zip(product.folds, folds, strict=True):
        positions = product.positions(part)
        name = "_".join(map(str, positions))
        node = _ir.new_input(f"constant{name}", fold.node.shape, dtype)
        captured.append(Factor(node, fold.term))
        names.append(_described(positions))
    free = [node for n, node in inputs.items() if n not in constants]
    root = product.build(nodes, captured)
    executable = _executable([root], [*free, *(factor.node for factor in captured)])
    form = SymbolForm(tuple(n.name for n in free), ((),) * len(free), LEAF)
    return Plan(executable, form, arrays, names)


def _described(positions: Sequence[int]) -> str:
    if len(positions) == 1:
        return f"operand {positions[0]}"
    first = ", ".join(map(str, positions[:-1]))
    return f"operands {first} and {positions[-1]} contracted"

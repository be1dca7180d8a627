"""Expressions: stand-ins for arrays that record what NumPy is asked to do with them.

In: NumPy calls on an `Expression` (NEP 13, NEP 18, operators). Out: the node they build.
Guaranteed: what cannot be recorded raises an error that names it and the user's line; nothing
untraced passes as a constant; no array of the user's is written while he is being traced.

Which functions are known is in `_numpy_functions`, which fills `FUNCTIONS` and `UFUNCS`.
"""

import functools
import inspect
import math
import sys
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from eingrad import _formula, _ir, _read_only, _reuse, _subscripts
from eingrad._conversions import ARRAY, FORMAT, branch, conversion, unsupported
from eingrad._described import described, remedy
from eingrad._executing import called, name_in, public_name
from eingrad._ir import Input, Node, Symmetry
from eingrad._place import (
    called_from,
    failed_line,
    is_called_by_masked_array,
    place,
    user_line,
)
from eingrad._primitives import apply
from eingrad._shown import is_plain, shown
from eingrad._subscripts import Shape
from eingrad._tree import LEAF, flatten
from eingrad.errors import (
    BranchError,
    DTypeError,
    InPlaceError,
    ShapeError,
    TraceError,
    TracerLeakError,
    UnsupportedFunctionError,
)

Array = NDArray[Any]

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
UFUNCS: dict[Any, Callable[..., Any]] = {}
METHODS: dict[str, Any] = {}  # name of an array method -> the NumPy function it stands for
REDUCE: dict[Any, Any] = {}  # ufunc -> the NumPy function that its method `reduce` is
ACCUMULATE: dict[Any, Any] = {}
ARRAYS: set[Any] = set()  # functions that give an array also where it has no axes, not a scalar
OPERANDS: set[Any] = set()  # functions that compute with all arrays they get, but for positions
VIEWS: set[Any] = set()  # functions that do so of an array, and of a scalar give a scalar

IN_PLACE = frozenset({
    np.copyto, np.fill_diagonal, np.place, np.put, np.put_along_axis, np.putmask,
})  # fmt: skip
_IN_PLACE_METHODS = frozenset(
    {"fill", "partition", "put", "resize", "setfield", "setflags", "sort"}
)
_READING_METHODS = frozenset({"dump", "dumps", "item", "tobytes", "tofile", "tolist"})


# Traces ------------------------------------------------------------------------------------------


_SMALL = 1 << 16  # bytes of a captured array that are copied, rather than sampled
_SAMPLED = 1 << 10  # entries of a larger one


@dataclass(slots=True, eq=False)
class Captured:
    """An array of the user's that the function uses, and what tells whether it was written.

    The array is read-only while it is traced, but another view of its memory may not be. A small
    array is copied when it is first used, and the copy computed with; so is one that cannot be made
    read-only. Of a larger one a sample is noted, and the array itself computed with.
    """

    node: Input
    value: Node  # what the function computes with: the input, or a power of two times a part of it
    array: Array
    before: Array  # the copy, or the sample
    is_copied: bool

    @property
    def values(self) -> Array:
        """What the input is computed with, in the dtype of the input."""
        values = self.before if self.is_copied else self.array
        return np.asarray(values, self.node.dtype)

    def is_unchanged(self) -> bool:
        """Whether the array is as it was; of a large one, the sample of it."""
        now = self.array if self.is_copied else _sample(self.array)
        return _has_bits_of(now, self.before)


def _sample(array: Array) -> Array:
    """Copy some entries, evenly spread, of an array of any memory layout; columns take turns."""
    step = array.size // _SAMPLED + 1
    while math.gcd(step, array.shape[-1]) > 1:
        step += 1
    return array.flat[::step]


def _has_bits_of(first: Array, second: Array) -> bool:
    """Whether arrays of one shape and dtype hold the same bits: -0.0 is not 0.0, nan is nan."""
    kind = _BITS.get(first.itemsize)
    if kind is None:  # complex128
        return bool((first.view("V16") == second.view("V16")).all())
    return first.view(kind).data == second.view(kind).data


_BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}  # what buffers compare fast


@dataclass(slots=True, eq=False)
class Trace:
    """One call of the user's function on expressions: open while it is entered, ``with trace:``.

    A trace inside a trace records the arrays it captures in the outermost one, whose call supplies
    their values. The inputs of a *lasting* trace outlive it, in expressions that the user keeps;
    to any other they are lent.
    """

    outer: "Trace | None" = None
    captured: dict[int, Captured] = field(default_factory=dict)
    open: bool = True
    opened: tuple[str, int] = ("", 0)  # file and line of the call
    lasting: bool = False
    lent: list[Input] = field(default_factory=list)
    made: set[bytes] = field(default_factory=set)  # digests of derivatives computed within
    captures: int = 0  # how often an array was used
    closed: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)  # what messages call its inputs
    watched: tuple[tuple[Array, Array], ...] = ()  # arguments, and their values

    @property
    def root(self) -> "Trace":
        """The outermost trace."""
        return self if self.outer is None else self.outer.root

    @property
    def depth(self) -> int:
        """How many traces it is inside of."""
        return 0 if self.outer is None else 1 + self.outer.depth

    def new_input(
        self, name: str, shape: Shape, dtype: np.dtype[Any], key: tuple[Hashable, ...]
    ) -> Input:
        """Make an input that no other open trace has."""
        if self.lasting:
            return _ir.new_input(name, shape, dtype, key)
        node = _reuse.lend(name, shape, dtype, key)
        self.lent.append(node)
        return node

    def encloses(self, other: "Trace | None") -> bool:
        """Whether it is the other one, or the other one is inside of it."""
        while other is not None and other is not self:
            other = other.outer
        return other is self

    def capture(self, array: Array) -> Node:
        """Make an array of the user's an input of this call, locked while it is traced."""
        root = self if self.outer is None else self.root
        root.captures += 1
        known = root.captured.get(id(array))
        if known is None:
            known = root._captured_first(array)
        elif not known.is_unchanged():
            raise InPlaceError(
                f"an array that the function uses, of shape {array.shape}, was changed while it "
                f"was traced (used again at {user_line()}); use a new array instead"
            )
        return known.value

    def _captured_first(self, array: Array) -> Captured:
        count = len(self.captured)
        dtype = native(array.dtype)
        node = self.new_input(f"c{count}", array.shape, dtype, ("captured", count))
        is_copied = not _read_only.hold(array, self) or array.nbytes <= _SMALL
        before = array.copy("K") if is_copied else _sample(array)
        value = _with_scale_apart(node, array)
        known = Captured(node, value, array, before, is_copied)
        self.captured[id(array)] = known
        return known

    def lock(self, array: Array) -> None:
        """Make an argument read-only until this trace ends; where that cannot be, watch it."""
        if not _read_only.hold(array, self):
            self.watched += ((array, array.copy("K")),)

    def check_unwritten(self) -> None:
        """Refuse what wrote to an array whose values are read when the trace has ended.

        That is an argument that could not be made read-only, or a large captured array.
        """
        for array, before in self.watched:
            if not _has_bits_of(array, before):
                raise InPlaceError(
                    f"an argument of shape {array.shape} was changed while the function was "
                    "traced, so its derivative would be recorded with other values than its "
                    "value; write to a copy instead"
                )
        for known in self.root.captured.values():
            if not known.is_copied and not known.is_unchanged():
                raise InPlaceError(
                    f"an array that the function uses, of shape {known.array.shape}, was changed "
                    "by another view of its memory while the function was traced; use a new array "
                    "instead"
                )

    def close(self) -> None:
        """End the trace: its expressions are dead, its arrays writable again.

        May be repeated, so that a second call finishes what an interrupt cut short.
        """
        if self.closed:
            return
        if self.encloses(_innermost.get()):
            _innermost.set(self.outer)
        self.open = False
        _read_only.release(self)
        lent, self.lent = self.lent, []
        _reuse.give_back(lent)
        self.closed = True

    def refusal(self, error: BaseException) -> TraceError | None:
        """Map an exception of NumPy's to the TraceError that caused it, or None."""
        if isinstance(error.__cause__, TraceError):  # "setting an array element with a sequence"
            return error.__cause__
        if type(error) is ValueError and "read-only" in str(error) and self._reads():
            return InPlaceError(
                f"{error} at {failed_line(error)}: arrays that the function is given or has used "
                "are read-only until the call ends, since its derivative was recorded with their "
                "values; write to a copy instead"
            )
        return None

    def _reads(self) -> bool:
        """Whether an array is read-only for this trace, or for one that it is inside of."""
        return _read_only.is_held(lambda reader: reader.encloses(self))

    def __enter__(self) -> "Trace":
        _innermost.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_innermost: ContextVar[Trace | None] = ContextVar("innermost", default=None)


def tracing(*, lasting: bool = False) -> Trace:
    """Make a trace inside the one that is open, to be entered: ``with tracing() as trace:``."""
    return Trace(_innermost.get(), opened=called_from(), lasting=lasting)


# Values ------------------------------------------------------------------------------------------


_DTYPES = frozenset(map(np.dtype, "?bhilqBHILQefdFD"))  # no longdouble, none that a user made


def native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in the byte order of this machine."""
    return dtype if dtype.isnative else dtype.newbyteorder("=")


def check_array(value: Any, what: str) -> None:
    """Refuse arrays that mean something else than their numbers."""
    if type(value) is np.ndarray and value.dtype in _DTYPES:
        return  # nearly all
    if isinstance(value, np.matrix):
        raise DTypeError(
            f"{what} is an np.matrix, whose * is a matrix product; convert it with np.asarray"
        )
    if isinstance(value, np.ma.MaskedArray):
        raise DTypeError(f"{what} is a masked array, whose mask would be lost; fill it first")
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind not in "biufc":
        raise DTypeError(
            f"{what} has dtype {value.dtype}, which has no derivative; "
            "convert it to a float or complex array"
        )
    if isinstance(value, (np.ndarray, np.generic)):
        dtype = native(value.dtype)
        if dtype not in _DTYPES:
            wide = "complex128" if dtype.kind == "c" else "float64"
            raise DTypeError(
                f"{what} has dtype {dtype}, which has no derivative; convert it to {wide}"
            )
    if isinstance(value, np.ndarray) and type(value) is not np.ndarray:
        raise DTypeError(
            f"{what} is a {type(value).__name__}, a subclass of ndarray whose meaning would be "
            "lost; convert it with np.asarray"
        )


def as_array(value: Any, what: str) -> Array:
    """Make an array of numbers, arrays, and lists of them; refuse what means more than that."""
    check_array(value, what)
    if not isinstance(value, (bool, int, float, complex, np.generic, np.ndarray, list, tuple)):
        hint = remedy(value, "x")
        raise DTypeError(
            f"{what} is {described(value)}; give an array or a number"
            + (f", as {hint} of such an x" if hint else "")
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ShapeError(f"{what} is ragged, {shown(value)}; make its rows equally long") from None
    check_array(array, what)
    return array


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a tensor: ``product of delta[a, b] * core``, zero where a delta is.

    It is constant along an axis that neither the deltas nor the core name. A selection or a reshape
    stays in the core.

    Attributes
    ----------
    deltas : tuple of pairs of int
        The axes of the tensor that are equal where the term is not zero.
    core : Expression
        What is left without them.
    axes : tuple of int
        The axes of the tensor that the core lies on, in order.
    """

    deltas: tuple[tuple[int, int], ...]
    core: Any
    axes: tuple[int, ...]


class Expression(np.lib.mixins.NDArrayOperatorsMixin):
    """A tensor known by its formula: shape and dtype now, values when a plan runs.

    NumPy functions and operators of expressions give expressions. A function that is
    differentiated is called with some.
    """

    __slots__ = ("_array", "_node", "_symmetry", "_trace", "_weak")
    __array_priority__ = 1000

    def __init__(
        self,
        node: Node,
        trace: Trace | None = None,
        *,
        weak: bool = False,
        array: bool = False,
        symmetry: Symmetry = (),
    ) -> None:
        self._node = node
        self._trace = trace
        self._weak = weak
        self._array = array  # of no axes: whether it is one in NumPy, and no immutable scalar
        self._symmetry = symmetry  # of a derivative: which blocks of axes may be interchanged

    # What is known

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes."""
        return self._node.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._node.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._node.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the elements."""
        return self._node.dtype

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(f"len() of a traced value without axes, at {user_line()}")
        return self.shape[0]

    def __iter__(self) -> Iterator["Expression"]:
        positions = range(len(self))
        if len(positions) > _AT_ONCE:  # perhaps only the first are asked for
            return (self[k] for k in positions)
        return iter(
            _recorded_call("iter", (self,), {}, lambda: tuple([self[k] for k in positions]))
        )

    def __repr__(self) -> str:
        return f"<Expression of shape {self.shape}, {self.dtype}>"

    def __str__(self) -> str:
        return _formula.text(self._node)

    def latex(self) -> str:
        """Write the formula as LaTeX."""
        return _formula.latex(self._node)

    def _repr_latex_(self) -> str:  # what a notebook shows
        return f"$\\displaystyle {self.latex()}$"

    def terms(self) -> tuple["Term", ...]:
        """Split into terms: for each, its deltas (pairs of axes) and its core.

        Returns
        -------
        tuple of Term
            Their sum is the expression; none where it is known to be zero.
        """
        return tuple(
            Term(deltas, Expression(core, self._trace), axes)
            for deltas, core, axes in _formula.split_terms(self._node)
        )

    # What NumPy asks

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Record a ufunc (NEP 13)."""
        if method == "__call__" and not kwargs and ufunc in UFUNCS:
            return _ufunc_call(ufunc, inputs)
        name = qualified_name(ufunc)
        if kwargs.get("out") is not None:
            raise InPlaceError(
                f"{name} writes into an existing array at {user_line()}; a traced value cannot be "
                f"written in place: write y = {name}(...) (z = z + x instead of z += x)"
            )
        given = {
            k: v for k, v in kwargs.items() if not _says_nothing(v, _UFUNC_DEFAULTS.get(k, ...))
        }
        if method == "at":
            raise InPlaceError(_written(f"{name}.at"))
        methods = {"reduce": REDUCE, "accumulate": ACCUMULATE}.get(method, {})
        if ufunc in methods:
            return _recorded_call(
                (ufunc, method), inputs, given,
                lambda: methods[ufunc](*inputs, **{"axis": 0, **given}),
            )  # fmt: skip
        if ufunc not in UFUNCS or method not in ("__call__", "outer"):
            name = name if method == "__call__" else f"{name}.{method}"
            raise UnsupportedFunctionError(_unsupported(name))
        for keyword in given:
            raise UnsupportedFunctionError(
                f"{name}: keyword {keyword!r} is not supported on traced values (at {user_line()});"
                " leave it out"
            )
        if method == "outer":
            left, right = inputs
            new = tuple(range(-np.ndim(right), 0))
            right = right if isinstance(right, Expression) else np.asarray(right)
            inputs = (np.expand_dims(left, new), right)
        return _recorded_call((ufunc, method), inputs, {}, lambda: UFUNCS[ufunc](*inputs))

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Record any other NumPy function (NEP 18)."""
        if function is np.copyto:
            raise InPlaceError(_written(called(place())[0] or "np.copyto"))
        if function in IN_PLACE:
            raise InPlaceError(_written(qualified_name(function)))
        handler = FUNCTIONS.get(function)
        if handler is None:
            raise UnsupportedFunctionError(_unsupported(qualified_name(function)))
        return _call(qualified_name(function), function, handler, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        function = METHODS.get(name)
        if function is None:
            if name.startswith("__") or not hasattr(np.ndarray, name):
                raise AttributeError(f"an expression has no attribute {shown(name)}")
            if name in _IN_PLACE_METHODS:
                raise InPlaceError(_written(f"ndarray.{name}"))
            if name in _READING_METHODS:
                self._leak(f"ndarray.{name}")
            raise UnsupportedFunctionError(_unsupported(f"ndarray.{name}"))
        handler = FUNCTIONS.get(function, function)
        return lambda *args, **kwargs: _call(
            f"ndarray.{name}", function, handler, (self, *args), kwargs
        )

    @property
    def T(self) -> Any:  # noqa: N802 - NumPy's name
        """Reverse the axes."""
        return np.transpose(self)

    @property
    def mT(self) -> Any:  # noqa: N802 - NumPy's name
        """Swap the last two axes."""
        return np.matrix_transpose(self)

    @property
    def real(self) -> Any:
        """The value itself; refused for a complex one, for it is not holomorphic."""
        return np.real(self)

    @property
    def imag(self) -> Any:
        """Zeros; refused for a complex value."""
        return np.imag(self)

    def __copy__(self) -> "Expression":
        return self  # immutable

    def __deepcopy__(self, memo: Any) -> "Expression":
        return self

    def __getitem__(self, index: Any) -> Any:
        parts = index if isinstance(index, tuple) else (index,)
        is_array = any(part is Ellipsis for part in parts)  # without one, NumPy gives a scalar
        getitem = FUNCTIONS["getitem"]
        return _recorded_call(
            "getitem", (self, index), {}, lambda: _scalar(getitem(self, index), is_array=is_array)
        )

    # What must not pass silently

    def __bool__(self) -> NoReturn:
        raise BranchError(branch(how_to_hold(self), place()))

    def __hash__(self) -> int:
        if self._trace is not None:  # a dict of the user's would not find its value: silently
            self._leak("hash() (a dict key, a set, functools.cache)")
        return object.__hash__(self)

    def _leak(self, how: str) -> NoReturn:
        raise conversion(how, how_to_hold(self), place(), is_supported, Expression)

    def __float__(self) -> NoReturn:
        self._leak("float()")

    def __int__(self) -> NoReturn:
        self._leak("int()")

    def __complex__(self) -> NoReturn:
        self._leak("complex()")

    def __index__(self) -> NoReturn:  # noqa: PLE0305 - it never returns
        self._leak("an integer index")

    def __trunc__(self) -> NoReturn:
        self._leak("math.trunc()")

    def __round__(self, ndigits: int | None = None) -> NoReturn:
        self._leak("round()")

    def __format__(self, spec: str) -> str:
        if spec:
            self._leak(FORMAT)
        return str(self)

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        if is_called_by_masked_array():
            raise DTypeError(
                f"a masked array, or a function of np.ma, meets a traced value at {user_line()}; "
                "the mask would be lost: fill it first, with its method filled"
            )
        self._leak(ARRAY)

    def __dlpack__(self, **_: Any) -> NoReturn:
        self._leak("export by DLPack")

    def __dlpack_device__(self) -> NoReturn:
        self._leak("export by DLPack")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        self._leak("pickling")

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise InPlaceError(
            f"a traced value was assigned to at {user_line()}; build the array with np.stack, "
            "np.concatenate or np.where instead"
        )


def how_to_hold(value: Expression) -> str:
    """How to give a function integers or flags whose values it must know; "" for other values.

    They are arguments that are not differentiated, or come of such alone: ``labels``, ``k > 1``.
    """
    inputs = _ir.inputs([value._node])
    if not inputs or any(n.key[0] != "argument" or n.dtype.kind not in "biu" for n in inputs):
        return ""
    names = [_label(n, value._trace) for n in inputs]
    said = f"{'argument' if len(names) == 1 else 'arguments'} {', '.join(map(repr, names))}"
    if all(n.shape == () for n in inputs):
        kinds = ("bool" if n.dtype.kind == "b" else "int" for n in inputs)
        static = (f"{kind}({name})" for kind, name in zip(kinds, names, strict=True))
        return f"pass {', '.join(static)} for {said}: the function sees that as it is"
    return (
        f"capture {said}, as in lambda x: f(x, {', '.join(names)}), or pass "
        f"{', '.join(f'{name}.tolist()' for name in names)}: the function sees that as it is"
    )


def _label(node: Input, trace: Trace | None) -> str:
    """What the user calls an argument of this trace or of one around it: ``p["labels"]``."""
    while trace is not None and trace.depth != node.key[1]:
        trace = trace.outer
    return node.name if trace is None else trace.labels.get(node.name, node.name)


# Calls -------------------------------------------------------------------------------------------

_UFUNC_DEFAULTS = {
    "where": True, "casting": "same_kind", "order": "K", "subok": True, "dtype": None,
    "out": None, "signature": None,
}  # fmt: skip


@functools.lru_cache(maxsize=1024)
def qualified_name(function: Any) -> str:
    """Name a function as the user writes it."""
    name = str(function.__name__)
    if not isinstance(function, np.ufunc):
        return f"{(function.__module__ or 'numpy').replace('numpy', 'np', 1)}.{name}"
    return public_name(function) or name


def _unsupported(name: str) -> str:
    return unsupported(name, place())


def is_supported(function: Any) -> bool:
    """Whether a function of NumPy's can be traced."""
    return function in UFUNCS or function in FUNCTIONS


def _written(name: str) -> str:
    return (
        f"{name} writes in place at {user_line()}; a traced value cannot be written, nor put into "
        "an array: build the array with np.stack, np.concatenate or np.where"
    )


def _says_nothing(value: Any, default: Any) -> bool:
    """Whether an argument is NumPy's own default, so that it need not be known."""
    return value is default or (
        type(value) is type(default) and isinstance(value, (bool, int, float, str))
        and value == default
    )  # fmt: skip


@functools.cache
def _parameters(function: Any) -> tuple[inspect.Parameter, ...] | None:
    try:
        return tuple(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # older NumPy: a C function without one
        return None


def _given(
    function: Any, handler: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Required arguments by position, others by NumPy's name for them, its defaults left out."""
    parameters = _parameters(function) or _parameters(handler) or ()
    default = {p.name: p.default for p in parameters}
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        values = dict(kwargs)
    else:
        positional = [p.name for p in parameters if p.kind in (0, 1)]
        if len(args) > len(positional):
            raise TypeError(
                f"at most {len(positional)} positional arguments are possible, not {len(args)} "
                f"(at {user_line()})"
            )
        values = {**dict(zip(positional, args, strict=False)), **kwargs}
        required = [n for n in positional if n in values and default[n] is inspect.Parameter.empty]
        args = tuple(values.pop(n) for n in required)
    empty = inspect.Parameter.empty
    return args, {k: v for k, v in values.items() if not _says_nothing(v, default.get(k, empty))}


def _call(
    name: str,
    function: Any,
    handler: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    """Call a handler, where it was not called like this before."""
    if function in OPERANDS and _has_operands(args):
        args = _with_operands_captured(args, trace_of(flatten(args)[0]))
    return _recorded_call(
        function, args, kwargs, lambda: _handle(name, function, handler, args, kwargs)
    )


def _handle(
    name: str,
    function: Any,
    handler: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    """Call a handler; an option that it does not have is one that is not supported."""
    required, options = _given(function, handler, args, kwargs)
    if options.get("out") is not None:
        raise InPlaceError(f"{name}(out=...) writes in place at {user_line()}; use its result")
    parameters = _parameters(handler) or ()
    known = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}
    for keyword in options:
        if keyword not in known and len(known) == len(parameters):
            honoured = ", ".join(p.name for p in parameters if p.default is not p.empty)
            raise UnsupportedFunctionError(
                f"{name}: keyword argument {keyword!r} is not supported on traced values "
                f"(at {user_line()}); leave it out (supported: {honoured or 'none'})"
            )
    of_array = function in VIEWS and _is_array(args[0])
    return _scalar(handler(*required, **options), is_array=of_array or function in ARRAYS)


def _is_array(value: Any) -> bool:
    """Whether NumPy has an array there, and not a scalar."""
    if isinstance(value, Expression):
        return value._array or value.shape != ()
    return isinstance(value, np.ndarray)


def _scalar(result: Any, *, is_array: bool = False) -> Any:
    """Note of what has no axes whether it is an array in NumPy, or else a scalar."""
    if type(result) is tuple:
        return tuple([_scalar(part, is_array=is_array) for part in result])
    if type(result) is not Expression or result._node.shape or result._array == is_array:
        return result
    return Expression(result._node, result._trace, weak=result._weak, array=is_array)


STATIC = (bool, int, str, bytes, type(None))  # what reaches the user's function as it is


def is_value(value: Any) -> bool:
    """Whether an argument is an input of plans, of whatever value: an array, or a number.

    Not NumPy's strings, nor members of an enum, which the function tells by what they are.
    """
    return isinstance(value, (float, complex, np.ndarray, np.generic)) and not isinstance(
        value, (str, bytes, Enum)
    )


def is_tracing() -> bool:
    """Whether a function is traced by this thread, or task, at the moment."""
    return _innermost.get() is not None


_PLAIN = frozenset({int, bool, str, type(None), type(...)})  # what `==` tells apart, in one class
_AT_ONCE = 64  # items of what is iterated over that are looked up together
_DIGESTED = 64  # bytes of an array in a key above which a digest stands for it
_MOST_INDEXED = 1 << 23  # bytes of an index that is looked up, an eighth of what `_reuse` keeps


def _token(value: Any, found: list[Expression]) -> Hashable:
    """What a value is to a handler, to look it up by; None for what only the handler can judge."""
    kind = type(value)
    if kind is Expression:
        found.append(value)
        return value._node.uid, value._weak, value._array
    if kind in _PLAIN:  # 1, 1.0 and True are three things
        return kind, value
    if kind is float and value and not math.isnan(value):
        return kind, value
    if kind is float or kind is complex:  # 0.0 and -0.0 are two things, nan and nan are one
        return kind, repr(value)
    if kind is tuple or kind is list or kind is slice:
        items = (value.start, value.stop, value.step) if kind is slice else value
        tokens = [_token(item, found) for item in items]
        return None if None in tokens else (kind, *tokens)
    if kind is np.ndarray and value.dtype.kind in "biu" and value.nbytes <= _MOST_INDEXED:
        return _positions_token(value)
    if isinstance(value, np.generic) and value.dtype in _DTYPES:
        return kind, value.tobytes()
    return None


def _positions_token(value: Array) -> Hashable:
    """Tell integers and flags by their values: they say where, and are read while traced."""
    if value.nbytes <= _DIGESTED:
        content = value.tobytes()
    else:
        content = blake2b(np.ascontiguousarray(value).data, digest_size=16).digest()
    return np.ndarray, value.dtype.str, value.shape, content


def _recorded_call(
    function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], perform: Callable[[], Any]
) -> Any:
    """Find what a function gave for the same nodes and options, else have it performed.

    What used an array meanwhile is not kept: the array belongs to this trace.
    """
    found: list[Expression] = []
    tokens: list[Hashable] = []
    for value in args:
        if type(value) is Expression:  # as `_token` does, which most calls need not ask then
            found.append(value)
            tokens.append((value._node.uid, value._weak, value._array))
        else:
            tokens.append(_token(value, found))
    options = [_token(item, found) for item in kwargs.items()] if kwargs else ()
    trace = trace_of(found)
    if trace is None or trace.lasting or None in tokens or None in options:
        return perform()
    call = function, (*tokens,), (*options,)
    known = _reuse.find(call)
    if known is not None:
        tree, leaves = known
        if tree is LEAF:
            ((node, weak, array),) = leaves
            return Expression(node, trace, weak=weak, array=array)
        return tree.build(
            [Expression(node, trace, weak=weak, array=array) for node, weak, array in leaves]
        )
    before = trace.root.captures
    result = perform()
    results, tree = flatten(result)
    if trace.root.captures == before and all(type(leaf) is Expression for leaf in results):
        _reuse.keep(call, (tree, [(leaf._node, leaf._weak, leaf._array) for leaf in results]))
    return result


def _ufunc_call(ufunc: Any, inputs: Sequence[Any]) -> Any:
    """Record a call of a ufunc without options."""
    operands = inputs
    for value in inputs:
        if type(value) is np.ndarray:
            trace = trace_of(inputs)
            operands = [_captured(each, trace) for each in inputs]
            break
    return _recorded_call(ufunc, operands, {}, lambda: _scalar(UFUNCS[ufunc](*operands)))


def _captured(value: Any, trace: Trace | None) -> Any:
    """An array of numbers as the expression that stands for it; anything else as it is."""
    if trace is None or type(value) is not np.ndarray or not value.ndim:
        return value
    known = native(value.dtype) in _DTYPES
    return Expression(trace.capture(value), trace) if known else value


def _has_operands(values: Sequence[Any]) -> bool:
    """Whether there are arrays of floats or flags, which are no positions, also within lists."""
    return any(
        value.dtype.kind in "fcb" if type(value) is np.ndarray else _has_operands(value)
        for value in values
        if type(value) in _WITHIN
    )


_WITHIN = frozenset({np.ndarray, list, tuple})


def _with_operands_captured(value: Any, trace: Trace | None) -> Any:
    """Put the expressions that stand for such arrays in their place."""
    kind = type(value)
    if kind is list or kind is tuple:
        return kind([_with_operands_captured(item, trace) for item in value])
    if kind is np.ndarray and value.dtype.kind in "fcb":
        return _captured(value, trace)
    return value


def is_weak(value: Any) -> bool:
    """Whether a value is a Python number, or stands for one: it does not decide the dtype."""
    if isinstance(value, Expression):
        return value._weak
    return isinstance(value, (int, float, complex)) and not isinstance(value, (bool, np.generic))


def _as_python(result: Any, *operands: Any) -> Any:
    """What operators of Python numbers give is one too; NumPy's functions of them are not."""
    if isinstance(result, Expression) and all(map(is_weak, operands)):
        return Expression(result._node, result._trace, weak=True)
    return result


_ASKED = frozenset({Expression, np.ndarray, int, float})  # of these NumPy asks an expression first


def _binary(ufunc: Any) -> tuple[Callable[..., Any], ...]:
    def forward(self: Expression, other: Any) -> Any:
        is_asked = type(other) in _ASKED and ufunc in UFUNCS
        result = _ufunc_call(ufunc, (self, other)) if is_asked else ufunc(self, other)
        return _as_python(result, self, other) if self._weak else result

    def reflected(self: Expression, other: Any) -> Any:
        is_asked = type(other) in _ASKED and ufunc in UFUNCS
        result = _ufunc_call(ufunc, (other, self)) if is_asked else ufunc(other, self)
        return _as_python(result, self, other) if self._weak else result

    def in_place(self: Expression, other: Any) -> Any:
        if self.shape == () and not self._array:
            return forward(self, other)  # NumPy's scalars are immutable too: the name is rebound
        raise InPlaceError(
            f"a traced value was changed in place at {user_line()}; write x = x + y, not x += y"
        )

    return forward, reflected, in_place


for _name, _ufunc in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide,
    "floordiv": np.floor_divide, "mod": np.remainder, "pow": np.power, "matmul": np.matmul,
    "and": np.bitwise_and, "or": np.bitwise_or,
}.items():  # fmt: skip
    for _prefix, _method in zip(("", "r", "i"), _binary(_ufunc), strict=True):
        setattr(Expression, f"__{_prefix}{_name}__", _method)
for _name, _ufunc in {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "eq": np.equal, "ne": np.not_equal,
}.items():  # fmt: skip
    setattr(Expression, f"__{_name}__", _binary(_ufunc)[0])
for _name, _ufunc in {
    "neg": np.negative,
    "pos": np.positive,
    "abs": np.absolute,
    "invert": np.invert,
}.items():
    setattr(Expression, f"__{_name}__", lambda x, ufunc=_ufunc: _as_python(ufunc(x), x))


def trace_of(values: Any) -> Trace | None:
    """Return the trace that values belong to: the innermost one."""
    found: Trace | None = None
    innermost = _innermost.get()  # closed, in a thread that goes on in the context of the call
    for value in values:
        if isinstance(value, Expression) and value._trace is not found:
            trace = value._trace
            if trace is not innermost or (trace is not None and not trace.open):
                _check_open(trace)
            if found is None or (trace is not None and trace.depth > found.depth):
                found = trace
    return found


def _check_open(trace: Trace | None) -> None:
    """Refuse a value of a call that has ended, or that another thread is in the middle of.

    The second is no part of the call that is traced here: the derivative would be of another graph.
    """
    if trace is None:
        return
    if not trace.open:
        raise TracerLeakError(
            f"a traced value outlived the call it was made in at {trace.opened[0]}:"
            f"{trace.opened[1]} (used at {user_line()}); return it from the function instead of "
            "storing it"
        )
    innermost = _innermost.get()
    if innermost is not None and trace is not innermost and not trace.encloses(innermost):
        raise TracerLeakError(
            f"a traced value of the call at {trace.opened[0]}:{trace.opened[1]} is used in a call "
            f"of another thread, at {user_line()}; start the thread in its context, with "
            "contextvars.copy_context().run, or give it arrays"
        )


def node_of(value: Any, trace: Trace | None, what: str = "an operand") -> Node:
    """Make a node of a value: an expression's own; an array captured by the trace, or constant."""
    if isinstance(value, Expression):
        _check_open(value._trace)
        return value._node
    check_array(value, what)
    if isinstance(value, (list, tuple)):
        if any(isinstance(leaf, Expression) for leaf in flatten(value)[0]):
            raise TracerLeakError(
                f"a {type(value).__name__} with traced values stands for an array at "
                f"{user_line()}; build it with np.stack"
            )
        value = as_array(value, what)
    if isinstance(value, np.ndarray):
        if trace is not None and value.ndim:
            return trace.capture(value)
        return _ir.constant(value) if value.ndim else number_node(value[()])
    if isinstance(value, (bool, int, float, complex, np.generic)):
        return number_node(value)
    raise DTypeError(_refused(value, what))


def _with_scale_apart(node: Input, values: Array) -> Node:
    """Write a captured array of extreme values as a power of two times moderate ones: both exact.

    Of ``(s * x) * (a / s)`` NumPy has divided a before we see it. So its scale is a number again,
    which meets the other one in derivatives.
    """
    exponent = _ir.common_exponent(values)
    if not exponent:
        return node
    moderate = apply("scaled", node, factor=math.ldexp(1.0, -exponent))
    return apply("scaled", moderate, factor=math.ldexp(1.0, exponent))


def _refused(value: Any, what: str) -> str:
    """Say that a value is no operand, what it is, and how an array is got of it."""
    where = place()
    name = name_in(where, value)
    hint = remedy(value, name or "x")
    hint = f": write {hint}" if hint else ""
    own = f"{shown(value)} " if is_plain(value) else ""
    return (
        f"{what}{f', {name},' if name else ''} is {own}{described(value)}, at {where}; only "
        f"arrays, numbers and traced values can be computed with{hint}"
    )


def number_node(value: Any) -> Node:
    """Make a 0-d node of a number."""
    dtype = np.dtype(np.float64) if type(value) is int else np.asarray(value).dtype
    plain = value.item() if isinstance(value, np.generic) else value
    if type(plain) is int and abs(plain) > sys.float_info.max:
        raise DTypeError(f"an integer of {plain.bit_length()} bits at {user_line()} is no float64")
    if dtype.kind == "b" or _has_negative_zero(plain):
        return _ir.constant(np.asarray(value, dtype))
    return _ir.fill(plain, (), dtype)


def _has_negative_zero(value: Any) -> bool:
    """Whether a number has a sign that a coefficient, an exact rational, would lose."""
    parts = (value.real, value.imag) if isinstance(value, complex) else (value,)
    return any(part == 0 and math.copysign(1.0, part) < 0 for part in parts)


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Broadcast shapes, or say which do not fit."""
    shape = _subscripts.broadcast(shapes)
    if shape is None:
        raise ShapeError(
            f"shapes {', '.join(map(str, shapes))} do not broadcast, at {user_line()}; "
            "sizes must be equal or one"
        )
    return shape

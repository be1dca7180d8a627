"""Expressions: stand-ins for arrays that record what NumPy is asked to do with them.

In: NumPy calls on an `Expression` (NEP 13, NEP 18, operators). Out: the node they build.
Guaranteed: what cannot be recorded raises an error that names it and the user's line; nothing
untraced passes as a constant; no array of the user's is written while he is being traced.

Which functions are known is in `_numpy_functions`, which fills `FUNCTIONS` and `UFUNCS`.
"""

import inspect
import linecache
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from eingrad import _ir
from eingrad._ir import Input, Node
from eingrad.errors import (
    BranchError,
    DTypeError,
    InPlaceError,
    ShapeError,
    TracerLeakError,
    UnsupportedFunctionError,
)

Array = NDArray[Any]

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
UFUNCS: dict[Any, Callable[..., Any]] = {}
METHODS: dict[str, Any] = {}  # name of an array method -> the NumPy function it stands for

_HERE = str(Path(__file__).parent)
_NUMPY = str(Path(np.__file__).parent)
_LONGEST_LINE = 100


def user_line() -> str:
    """Where in the user's code we are: ``file:line: the line``."""
    frame = sys._getframe()
    while frame.f_back and frame.f_code.co_filename.startswith((_HERE, _NUMPY, "<eingrad")):
        frame = frame.f_back
    name, number = frame.f_code.co_filename, frame.f_lineno
    line = linecache.getline(name, number, frame.f_globals).strip()
    line = line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + "..."
    return f"{name}:{number}" + (f": `{line}`" if line else "")


# Traces ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Captured:
    """An array of the user's that the function uses, and its values when it was first used.

    The array is locked against writing, and its values are copied all the same: another view of
    its memory may still be written.
    """

    node: Input
    array: Array
    copy: Array


@dataclass(slots=True)
class Trace:
    """One call of the user's function on expressions.

    A trace inside a trace records the arrays it captures in the outermost one, whose call supplies
    their values.
    """

    outer: "Trace | None" = None
    captured: dict[int, Captured] = field(default_factory=dict)
    open: bool = True

    @property
    def root(self) -> "Trace":
        """The outermost trace."""
        return self if self.outer is None else self.outer.root

    @property
    def depth(self) -> int:
        """How many traces it is inside of."""
        return 0 if self.outer is None else 1 + self.outer.depth

    def capture(self, array: Array) -> Node:
        """Make an array of the user's an input of this call, locked while it is traced."""
        captured = self.root.captured
        if id(array) not in captured:
            count = len(captured)
            node = _ir.new_input(f"c{count}", array.shape, array.dtype, ("captured", count))
            captured[id(array)] = Captured(node, array, array.copy())
            _lock(array)
        known = captured[id(array)]
        if known.copy.tobytes() != array.tobytes():
            raise InPlaceError(
                f"an array that the function uses, of shape {array.shape}, was changed while it "
                f"was traced (used again at {user_line()}); use a new array instead"
            )
        return known.node

    def close(self) -> None:
        """End the trace: its expressions are dead, the captured arrays writable again."""
        self.open = False
        if self.outer is None:
            _unlock([known.array for known in self.captured.values()])


_locks: dict[int, tuple[int, Array]] = {}  # id -> number of traces that read it, the array
_locks_guard = threading.Lock()


def _owners(array: Array) -> Iterator[Array]:
    """The array and every array whose memory it looks at."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        yield owner
        owner = owner.base


def _lock(array: Array) -> None:
    with _locks_guard:
        for owner in _owners(array):
            if id(owner) in _locks or owner.flags.writeable:
                count, _ = _locks.get(id(owner), (0, owner))
                _locks[id(owner)] = (count + 1, owner)
                owner.flags.writeable = False


def _unlock(arrays: Sequence[Array]) -> None:
    """Make arrays writable that no trace reads any more; a view waits for its base."""
    with _locks_guard:
        for array in arrays:
            for owner in _owners(array):
                if id(owner) in _locks:
                    _locks[id(owner)] = (_locks[id(owner)][0] - 1, owner)
        free = [owner for count, owner in _locks.values() if count == 0]
        for owner in sorted(free, key=lambda owner: len([*_owners(owner)])):
            if id(owner.base) not in _locks:
                del _locks[id(owner)]
                if not isinstance(owner.base, np.ndarray) or owner.base.flags.writeable:
                    owner.flags.writeable = True


_innermost: ContextVar[Trace | None] = ContextVar("innermost", default=None)


@contextmanager
def tracing() -> Iterator[Trace]:
    """Open a trace inside the one that is open, and close it whatever happens."""
    trace = Trace(_innermost.get())
    token = _innermost.set(trace)
    try:
        yield trace
    finally:
        _innermost.reset(token)
        trace.close()


# Values ------------------------------------------------------------------------------------------


def check_array(value: Any, what: str) -> None:
    """Refuse arrays that mean something else than their numbers."""
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


class Expression:
    """A tensor known by its formula: shape and dtype now, values when a plan runs.

    NumPy functions and operators of expressions give expressions. A function that is
    differentiated is called with some.
    """

    __slots__ = ("_node", "_trace", "_weak")
    __array_priority__ = 1000

    def __init__(self, node: Node, trace: Trace | None = None, *, weak: bool = False) -> None:
        self._node = node
        self._trace = trace
        self._weak = weak

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
            raise TypeError("len() of an expression without axes")
        return self.shape[0]

    def __iter__(self) -> Iterator["Expression"]:
        return (self[k] for k in range(len(self)))

    def __repr__(self) -> str:
        return f"<Expression of shape {self.shape}, {self.dtype}>"

    __hash__ = object.__hash__

    # What NumPy asks

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Record a ufunc (NEP 13)."""
        name = f"np.{ufunc.__name__}"
        if kwargs.get("out") is not None:
            raise InPlaceError(
                f"{name} writes into an existing array at {user_line()}; a traced value cannot be "
                f"written in place: write y = {name}(...) (z = z + x instead of z += x)"
            )
        if method == "reduce" and ufunc in (np.add,):
            axis = kwargs.pop("axis", 0)
            return FUNCTIONS[np.sum](*inputs, axis=axis, **kwargs)
        if method == "outer" and ufunc is np.multiply and not kwargs:
            return FUNCTIONS[np.multiply.outer](*inputs)
        if method != "__call__":
            raise UnsupportedFunctionError(
                f"{name}.{method} has no derivative here (at {user_line()}); supported are calls, "
                "np.add.reduce and np.multiply.outer"
            )
        handler = UFUNCS.get(ufunc)
        if handler is None:
            raise UnsupportedFunctionError(
                f"{name} has no derivative here (at {user_line()}); write it with supported "
                "functions, or add a row to the primitives' table"
            )
        for keyword in kwargs:
            raise UnsupportedFunctionError(
                f"{name}: keyword {keyword!r} is not supported on traced values (at {user_line()});"
                " leave it out"
            )
        return handler(*inputs)

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Record any other NumPy function (NEP 18)."""
        module = function.__module__ or "numpy"
        name = f"{module.replace('numpy', 'np', 1)}.{function.__name__}"
        handler = FUNCTIONS.get(function)
        if handler is None:
            raise UnsupportedFunctionError(
                f"{name} has no derivative here (at {user_line()}); write it with supported "
                "functions (np.einsum, np.sum, np.where, np.linalg.inv, ...)"
            )
        for keyword, value in kwargs.items():
            if keyword == "out" and value is not None:
                raise InPlaceError(
                    f"{name}(out=...) writes in place at {user_line()}; use its result"
                )
        return _call(name, handler, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        function = METHODS.get(name)
        if function is None:
            if name.startswith("__") or not hasattr(np.ndarray, name):
                raise AttributeError(f"an expression has no attribute {name!r}")
            raise UnsupportedFunctionError(
                f"ndarray.{name} has no derivative here (at {user_line()}); supported methods are "
                f"{', '.join(sorted(METHODS))}"
            )
        return lambda *args, **kwargs: _call(f"ndarray.{name}", function, (self, *args), kwargs)

    @property
    def T(self) -> Any:  # noqa: N802 - NumPy's name
        """Reverse the axes."""
        return np.transpose(self)

    def __getitem__(self, index: Any) -> Any:
        return FUNCTIONS["getitem"](self, index)

    # What must not pass silently

    def __bool__(self) -> NoReturn:
        raise BranchError(
            f"the truth of a traced value was asked for at {user_line()}; it has no numbers yet: "
            "use np.where(condition, a, b), np.maximum or np.minimum"
        )

    def _leak(self, how: str) -> NoReturn:
        raise TracerLeakError(
            f"{how} of a traced value at {user_line()}; it has no numbers yet: keep to NumPy "
            "functions of the value itself, and build arrays with np.stack or np.concatenate"
        )

    def __float__(self) -> NoReturn:
        self._leak("float()")

    def __int__(self) -> NoReturn:
        self._leak("int()")

    def __complex__(self) -> NoReturn:
        self._leak("complex()")

    def __index__(self) -> NoReturn:  # noqa: PLE0305 - it never returns
        self._leak("an integer index")

    def __round__(self, ndigits: int | None = None) -> NoReturn:
        self._leak("round()")

    def __format__(self, spec: str) -> str:
        if spec:
            self._leak("formatting")
        return str(self)

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        self._leak("conversion to an array (np.asarray, np.array, or a function outside NumPy)")

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise InPlaceError(
            f"a traced value was assigned to at {user_line()}; build the array with np.stack, "
            "np.concatenate or np.where instead"
        )


def _call(
    name: str, handler: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call a handler; an argument that it does not have is one that is not supported."""
    try:
        inspect.signature(handler).bind(*args, **kwargs)
    except TypeError as error:
        raise UnsupportedFunctionError(
            f"{name}: {str(error).removeprefix('got an ')} is not supported on traced values "
            f"(at {user_line()}); leave it out"
        ) from None
    return handler(*args, **kwargs)


def _binary(ufunc: Any) -> tuple[Callable[..., Any], ...]:
    def forward(self: Expression, other: Any) -> Any:
        return ufunc(self, other)

    def reflected(self: Expression, other: Any) -> Any:
        return ufunc(other, self)

    def in_place(self: Expression, other: Any) -> Any:
        if self.shape == () and not isinstance(self._node, Input):
            return ufunc(self, other)  # NumPy's scalars are immutable too: the name is rebound
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
    setattr(Expression, f"__{_name}__", lambda self, ufunc=_ufunc: ufunc(self))


def trace_of(values: Any) -> Trace | None:
    """Return the trace that values belong to: the innermost one."""
    traces = [v._trace for v in values if isinstance(v, Expression) and v._trace is not None]
    if not traces:
        return None
    for trace in traces:
        _check_open(trace)
    return max(traces, key=lambda trace: trace.depth)


def _check_open(trace: Trace | None) -> None:
    if trace is not None and not trace.open:
        raise TracerLeakError(
            f"a traced value outlived the call it was made in (used at {user_line()}); return "
            "it from the function instead of storing it"
        )


def node_of(value: Any, trace: Trace | None, what: str = "an operand") -> Node:
    """Make a node of a value: an expression's own; an array captured by the trace, or constant."""
    if isinstance(value, Expression):
        _check_open(value._trace)
        return value._node
    check_array(value, what)
    if isinstance(value, (list, tuple)):
        if any(isinstance(leaf, Expression) for leaf in value):
            raise TracerLeakError(
                f"a list with traced values stands for an array at {user_line()}; "
                "build it with np.stack"
            )
        value = np.asarray(value)
        check_array(value, what)
    if isinstance(value, np.ndarray) and type(value) is not np.ndarray:
        raise DTypeError(
            f"{what} is a {type(value).__name__}, a subclass of ndarray whose meaning would be "
            "lost; convert it with np.asarray"
        )
    if isinstance(value, np.ndarray):
        if trace is not None and value.ndim:
            return trace.capture(value)
        return _ir.constant(value) if value.ndim else number_node(value[()])
    if isinstance(value, (bool, int, float, complex, np.generic)):
        return number_node(value)
    raise DTypeError(
        f"{what} is {value!r} of type {type(value).__name__}, at {user_line()}; "
        "only arrays, numbers and traced values can be computed with"
    )


def number_node(value: Any) -> Node:
    """Make a 0-d node of a number."""
    dtype = np.dtype(np.float64) if type(value) is int else np.asarray(value).dtype
    plain = value.item() if isinstance(value, np.generic) else value
    if type(plain) is int and abs(plain) > sys.float_info.max:
        raise DTypeError(f"an integer of {plain.bit_length()} bits at {user_line()} is no float64")
    if dtype.kind == "b":
        return _ir.constant(value)
    if dtype.kind == "f" and dtype.itemsize > 8:  # noqa: PLR2004 - longdouble has no literal
        raise DTypeError(f"{dtype} is not supported; convert to float64")
    return _ir.fill(plain, (), dtype)


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Broadcast shapes, or say which do not fit."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(
            f"shapes {', '.join(map(str, shapes))} do not broadcast, at {user_line()}; "
            "sizes must be equal or one"
        ) from None

"""`Expression`: a stand-in for an array, that records what NumPy and Python ask it to do.

In: NumPy calls on it (NEP 13, NEP 18), operators, methods. Out: the expression of the result.
Guaranteed: what cannot be recorded raises an error that names it and the user's line.
"""

from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from eingrad import _formula, _terms
from eingrad._conversions import ARRAY, FORMAT, INTEGER, branch, conversion, unsupported
from eingrad._place import is_called_by_masked_array, place, user_line
from eingrad._shown import shown
from eingrad._tracer.advice import advice_for
from eingrad._tracer.functions import record_function, refuse_function, writes_in_place
from eingrad._tracer.lookup import find_or_perform
from eingrad._tracer.operators import Operators
from eingrad._tracer.registry import (
    FUNCTIONS,
    IN_PLACE_METHODS,
    METHODS,
    READING_METHODS,
    UFUNCS,
    is_supported,
    qualified_name,
)
from eingrad._tracer.terms import Term
from eingrad._tracer.ufuncs import record_method, record_ufunc
from eingrad._tracer.value import mark_array, outside_of_verbs, shorten_outside
from eingrad.errors import (
    BranchError,
    DTypeError,
    InPlaceError,
    UnsupportedFunctionError,
)

_AT_ONCE = 64  # items of what is iterated over that are looked up together


class Expression(Operators):
    """A tensor known by its formula: shape and dtype now, values when a plan runs.

    NumPy functions and operators of expressions give expressions. A function that is
    differentiated is called with some.
    """

    __slots__ = ()
    __array_priority__ = 1000

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

    @outside_of_verbs
    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(
                f"len() of a traced value without axes, at {user_line()}; it is one number, so "
                "compute with it as it is"
            )
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<Expression of shape {self.shape}, {self.dtype}>"

    def __str__(self) -> str:
        return _formula.text(self._node)

    def latex(self) -> str:
        """Write the formula as LaTeX."""
        return _formula.latex(self._node)

    def _repr_latex_(self) -> str:  # what a notebook shows
        return f"$\\displaystyle {self.latex()}$"

    def terms(self) -> tuple[Term, ...]:
        """Split into terms: for each, its deltas (pairs of axes) and its core.

        Returns
        -------
        tuple of Term
            Their sum is the expression; none where it is known to be zero.
        """
        return tuple(
            Term(deltas, Expression(core, self._trace), axes)
            for deltas, core, axes in _terms.split_terms(self._node)
        )

    # What NumPy asks

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Record a ufunc (NEP 13)."""
        try:
            if method == "__call__" and not kwargs and ufunc in UFUNCS:
                return record_ufunc(ufunc, inputs)
            return record_method(ufunc, method, inputs, kwargs)
        except Exception as error:
            shorten_outside(error)
            raise

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Record any other NumPy function (NEP 18)."""
        try:
            handler = FUNCTIONS.get(function)
            if handler is None:
                refuse_function(function)
            return record_function(qualified_name(function), function, handler, args, kwargs)
        except Exception as error:
            shorten_outside(error)
            raise

    def __getattr__(self, name: str) -> Any:
        function = METHODS.get(name)
        if function is None:
            try:
                self._refuse_attribute(name)
            except Exception as error:
                shorten_outside(error)
                raise
        handler = FUNCTIONS.get(function, function)
        return lambda *args, **kwargs: record_function(
            f"ndarray.{name}", function, handler, (self, *args), kwargs
        )

    def _refuse_attribute(self, name: str) -> NoReturn:
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"an expression has no attribute {shown(name)}")
        if name in IN_PLACE_METHODS:
            raise InPlaceError(writes_in_place(f"ndarray.{name}"))
        if name in READING_METHODS:
            self._leak(f"ndarray.{name}")
        raise UnsupportedFunctionError(unsupported(f"ndarray.{name}", place()))

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
        try:
            return find_or_perform(
                "getitem",
                (self, index),
                {},
                lambda: mark_array(getitem(self, index), is_array=is_array),
            )
        except Exception as error:
            shorten_outside(error)
            raise

    def __iter__(self) -> Iterator["Expression"]:
        if not self.shape:
            raise TypeError(
                f"iteration over a traced value without axes, at {user_line()}; it is one number, "
                "so compute with it as it is"
            )
        positions = range(len(self))
        if len(positions) > _AT_ONCE:  # perhaps only the first are asked for
            return (self[k] for k in positions)
        return iter(
            find_or_perform("iter", (self,), {}, lambda: tuple([self[k] for k in positions]))
        )

    # What must not pass silently

    def _leak(self, how: str) -> NoReturn:
        raise conversion(how, advice_for(self), place(), is_supported, Expression, self.ndim)

    @outside_of_verbs
    def __bool__(self) -> NoReturn:
        raise BranchError(branch(advice_for(self), place()))

    def __hash__(self) -> int:
        if self._trace is not None:  # a dict of the user's would not find its value: silently
            self._leak("hash() (a dict key, a set, functools.cache)")
        return object.__hash__(self)

    @outside_of_verbs
    def __float__(self) -> NoReturn:
        self._leak("float()")

    @outside_of_verbs
    def __int__(self) -> NoReturn:
        self._leak("int()")

    @outside_of_verbs
    def __complex__(self) -> NoReturn:
        self._leak("complex()")

    @outside_of_verbs
    def __index__(self) -> NoReturn:  # noqa: PLE0305 - it never returns
        self._leak(INTEGER)

    @outside_of_verbs
    def __trunc__(self) -> NoReturn:
        self._leak("math.trunc()")

    @outside_of_verbs
    def __round__(self, ndigits: int | None = None) -> NoReturn:
        self._leak("round()")

    @outside_of_verbs
    def __format__(self, spec: str) -> str:
        if spec:
            self._leak(FORMAT)
        return str(self)

    @outside_of_verbs
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

    @outside_of_verbs
    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise InPlaceError(
            f"a traced value was assigned to at {user_line()}; build the array with np.stack, "
            "np.concatenate or np.where instead"
        )

"""What of the user's may enter: arrays and numbers that mean no more than their values.

In: a value that is not traced. Out: an array, a shape; or an error that says what the value is.
Guaranteed: no mask, unit or matrix product of another class is lost silently.
"""

from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad import _subscripts
from eingrad._described import described, remedy
from eingrad._place import user_line
from eingrad._shown import shown
from eingrad.errors import DTypeError, ShapeError

Array = NDArray[Any]

STATIC = (bool, int, str, bytes, type(None))  # what reaches the user's function as it is
DTYPES = frozenset(map(np.dtype, "?bhilqBHILQefdFD"))  # no longdouble, none that a user made


def is_value(value: Any) -> bool:
    """Whether an argument is an input of plans, of whatever value: an array, or a number.

    Not NumPy's strings, nor members of an enum, which the function tells by what they are.
    """
    return isinstance(value, (float, complex, np.ndarray, np.generic)) and not isinstance(
        value, (str, bytes, Enum)
    )


def native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in the byte order of this machine."""
    return dtype if dtype.isnative else dtype.newbyteorder("=")


def check_array(value: Any, what: str) -> None:
    """Refuse arrays that mean something else than their numbers."""
    if type(value) is np.ndarray and value.dtype in DTYPES:
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
        if dtype not in DTYPES:
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


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Broadcast shapes, or say which do not fit."""
    shape = _subscripts.broadcast(shapes)
    if shape is None:
        raise ShapeError(
            f"shapes {', '.join(map(str, shapes))} do not broadcast, at {user_line()}; "
            "sizes must be equal or one"
        )
    return shape

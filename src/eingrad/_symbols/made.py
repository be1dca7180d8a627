"""Symbols: variables, functions of which nothing is known, and what is made of them.

In: a name, a shape, a dtype. Out: an expression.
Guaranteed: a name is an identifier, sizes are not negative, and a dtype is one to differentiate in.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from eingrad import _ir, _opaque
from eingrad._exact import exact
from eingrad._exact import sizes as sizes_of
from eingrad._shown import shown
from eingrad._tracer import Expression, trace_of
from eingrad._verbs import verb
from eingrad.errors import DTypeError, ShapeError


@verb('eg.variable("X", (2, 2))')
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


@verb('eg.function("F", X, shape=(2, 2))')
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
    >>> from eingrad import differentiate
    >>> X = variable("X", (2, 4))
    >>> F = function("F", X, shape=(3, 3))
    >>> print(differentiate(np.trace(F), X))
    [i,j] = sum_k dF_dX[k,k,i,j]
    """
    name = _name(name)
    if not arguments:
        raise ValueError(f"{name!r} is a function of nothing; use eingrad.variable")
    for n, argument in enumerate(arguments):
        expression_of(argument, f"argument {n} of {name}")
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


def expression_of(value: Any, what: str) -> Expression:
    """Check that a value is an expression of a trace that is open, or of symbols; give it."""
    if callable(value):
        raise TypeError(
            f"{what} is a function, not an expression; eingrad.compiled(f) and eingrad.plan(f, x) "
            "compile a function, and eingrad.derivative(f)(x) differentiates it"
        )
    if not isinstance(value, Expression):
        raise TypeError(
            f"{what} is of type {type(value).__name__}, not an expression; make one with "
            "eingrad.variable, or differentiate a function with eingrad.derivative"
        )
    trace_of((value,))  # refuses one that outlived its call
    return value

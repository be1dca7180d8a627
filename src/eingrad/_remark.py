"""The Remark: trace and transpose of tensors of matrices, and their products.

In: expressions, structured tensors or arrays. Out: the same kind.
Guaranteed: the first two axes are those of the matrix; the others come along (MML, the Remark in
section 5.5).

>>> import numpy as np
>>> trace(np.arange(8.0).reshape(2, 2, 2))
array([6., 8.])
"""

import functools
import itertools
from typing import Any

import numpy as np

from eingrad import _distribute, _ir, _numpy_functions, _opaque  # noqa: F401 - what it registers is used
from eingrad._run import StructuredTensor
from eingrad._tracebacks import ends_at_the_user
from eingrad._tracer import (
    Array,
    Expression,
    Term,
    check_array,
)
from eingrad.errors import ShapeError


@ends_at_the_user
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


@ends_at_the_user
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


@ends_at_the_user
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


@ends_at_the_user
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
    >>> from eingrad import differentiate, variable
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

"""Expressions for libraries that have a language of their own, by the name of the expression.

In: arrays. Out: a call that computes the derivative asked for, as an array of NumPy.
Guaranteed: what is called has been compiled to the library's own code, and writes to one array.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from peers.problem import GRADIENT, HESSIAN, JACOBIAN, Array

_MOST = 10**8  # entries of arguments times those of the result: each of these has its code

_CASADI: dict[str, Callable[..., Any]] = {
    "x B x": lambda _ca, x, B: x.T @ B @ x,
    "a X^-1 b": lambda ca, X, a, b: a.T @ ca.inv(X) @ b,
    "inv(X)": lambda ca, X: ca.inv(X),
    "logdet(X)": lambda ca, X: ca.log(ca.det(X)),
    "distances": lambda ca, x: sum(
        ca.norm_2(x[i, :] - x[j, :]) for i in range(x.shape[0]) for j in range(i)
    ),
}


def casadi(expression: str, asked: str, args: Sequence[Array]) -> Callable[[], Array]:
    """Scalar code, evaluated between buffers; columns first, as the library has them."""
    import casadi as ca  # noqa: PLC0415 - optional

    order = {GRADIENT: 1, JACOBIAN: 1, HESSIAN: 2}.get(asked)
    if expression not in _CASADI or order is None:
        raise NotImplementedError(f"no expression of CasADi for the {asked} of {expression}")
    shape = args[0].shape * order if asked != JACOBIAN else args[0].shape * 2
    if sum(a.size for a in args) * math.prod(shape) > _MOST:
        raise NotImplementedError("scalar code of this length is not compiled in a minute")
    symbols = [ca.SX.sym(f"x{n}", *a.shape) for n, a in enumerate(args)]
    value = _CASADI[expression](ca, *symbols)
    derived = {
        GRADIENT: lambda: ca.gradient(value, symbols[0]),
        JACOBIAN: lambda: ca.jacobian(value, symbols[0]),
        HESSIAN: lambda: ca.hessian(value, symbols[0])[0],
    }[asked]()
    function = ca.Function("derivative", symbols, [ca.densify(derived)])
    buffer, evaluate = function.buffer()
    result = np.zeros(math.prod(shape))
    given = [np.array(a, order="F").ravel(order="K") for a in args]
    for n, a in enumerate(given):
        buffer.set_arg(n, memoryview(a))
    buffer.set_res(0, memoryview(result))
    found = result.reshape(shape, order="F")

    def call(_kept: Any = (buffer, given)) -> Array:
        evaluate()
        return found

    return call

"""How each library writes functions like NumPy's, and how it differentiates them.

In: nothing. Out: a `Library` for each, imported when it is asked for.
Guaranteed: each in its recommended way: gradients go back, derivatives of gradients forward.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

import eingrad as eg
from peers.problem import (
    GRADIENT, HESSIAN, JACOBIAN, PRODUCT, THIRD, VALUE, VALUE_AND_GRADIENT, Library,
)  # fmt: skip

Function = Callable[..., Any]


def eingrad() -> Library:
    """Give this library: plain NumPy, differentiated as a `Derivative`."""

    def batched(f: Function, order: int) -> Function:
        """Of the sum over points, of which no two are in one term."""

        def at_each(x: Any) -> Any:
            whole = eg.derivative(lambda x: np.sum(f(x), axis=0), order)(x)
            inner, added = "abcdefgh"[: whole.ndim - 2 * order], "uvw"[:order]
            return np.einsum(f"{inner}{''.join('n' + k for k in added)}->n{inner}{added}", whole)

        return at_each

    return Library(
        np,
        np.asarray,
        {
            VALUE: lambda f: eg.derivative(f, 0),
            GRADIENT: eg.grad,
            VALUE_AND_GRADIENT: eg.value_and_grad,
            JACOBIAN: eg.jacobian,
            PRODUCT: eg.hvp,
            HESSIAN: eg.hessian,
            THIRD: lambda f: eg.derivative(f, 3),
        },
        batched,
    )


def jax() -> Library:
    """Give JAX in double precision; what calls it compiles."""
    import jax  # noqa: PLC0415 - optional

    jax.config.update("jax_enable_x64", True)

    def batched(f: Function, order: int) -> Function:
        one = lambda x: f(x[None])[0]  # noqa: E731
        for _ in range(order):
            one = jax.jacfwd(one)
        return jax.vmap(one)

    return Library(
        jax.numpy,
        jax.numpy.asarray,
        {
            VALUE: lambda f: f,
            GRADIENT: jax.grad,
            VALUE_AND_GRADIENT: jax.value_and_grad,
            JACOBIAN: jax.jacfwd,
            PRODUCT: lambda f: lambda x, v: jax.jvp(jax.grad(f), (x,), (v,))[1],
            HESSIAN: jax.hessian,
            THIRD: lambda f: jax.jacfwd(jax.hessian(f)),
        },
        batched,
    )


def torch() -> Library:
    """Give torch in double precision, by its functional transformations."""
    import torch  # noqa: PLC0415 - optional

    torch.set_default_dtype(torch.float64)
    func = torch.func

    def batched(f: Function, order: int) -> Function:
        one = lambda x: f(x[None])[0]  # noqa: E731
        for _ in range(order):
            one = func.jacfwd(one)
        return func.vmap(one)

    def value_and_gradient(f: Function) -> Function:
        both = func.grad_and_value(f)
        return lambda *args: both(*args)[::-1]

    return Library(
        _NumpyNames(torch),
        torch.from_numpy,
        {
            VALUE: lambda f: f,
            GRADIENT: func.grad,
            VALUE_AND_GRADIENT: value_and_gradient,
            JACOBIAN: func.jacrev,
            PRODUCT: lambda f: lambda x, v: func.jvp(func.grad(f), (x,), (v,))[1],
            HESSIAN: func.hessian,
            THIRD: lambda f: func.jacfwd(func.hessian(f)),
        },
        batched,
    )


class _NumpyNames:
    """torch's functions by NumPy's names, where the same name does something else."""

    def __init__(self, module: Any) -> None:
        self.torch = module
        self.max = self._max

    def __getattr__(self, name: str) -> Any:
        return getattr(self.torch, name)

    def _max(self, x: Any, axis: Any = (), keepdims: bool = False) -> Any:
        return self.torch.amax(x, dim=axis, keepdim=keepdims)


def autograd() -> Library:
    """Give HIPS autograd; of points it has no derivatives at each."""
    import autograd  # noqa: PLC0415 - optional
    import autograd.numpy as xp  # noqa: PLC0415

    def batched(_f: Function, _order: int) -> Function:
        raise NotImplementedError("autograd has no derivatives at many points at once")

    def third(f: Function) -> Function:
        return autograd.jacobian(autograd.hessian(f))

    return Library(
        xp,
        np.asarray,
        {
            VALUE: lambda f: f,
            GRADIENT: autograd.grad,
            VALUE_AND_GRADIENT: autograd.value_and_grad,
            JACOBIAN: autograd.jacobian,
            PRODUCT: autograd.hessian_vector_product,
            HESSIAN: autograd.hessian,
            THIRD: third,
        },
        batched,
    )

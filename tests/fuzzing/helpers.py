"""What lines may use besides NumPy: constants, loops, and derivatives within a program.

In: the module whose functions the lines call, NumPy or JAX's. Out: the names of a program's scope.
Guaranteed: where nothing is traced, a scan is a loop in Python, so that its value is independent.
"""

import sys

import numpy as np
from loops import unrolled

import eingrad as eg
from eingrad._tracer import Expression, current_trace
from eingrad._tree import flatten


class Helpers:
    """Constants that programs capture, in one precision."""

    def __init__(self, dtype):
        self.dtype = dtype

    def K(self, *shape, seed=0):
        """Give fixed numbers between 0.5 and 1.5, alternating in sign with odd seeds."""
        count = int(np.prod(shape, dtype=int))
        values = 1 + 0.5 * np.sin(np.arange(count) + seed)
        return (values * (-1.0) ** (np.arange(count) * seed)).reshape(shape).astype(self.dtype)

    def F(self, *shape):
        """Give fixed flags."""
        return self.K(*shape, seed=3) > 0

    def E(self, n):
        """Give an identity matrix."""
        return np.eye(n, dtype=self.dtype)

    def H(self, n, *labels):
        """Give rows of an identity matrix: one-hot labels."""
        return self.E(n)[[*labels]]

    def R(self, n):
        """Give 0, 1, ..., n - 1."""
        return np.arange(n).astype(self.dtype)

    def Z(self, *values):
        """Give a number whose square leaves the range of the narrowest of some values."""
        dtypes = [x.dtype if x.dtype.kind in "fc" else np.dtype(float) for x in values]
        return 2.0 ** int(0.6 * min(np.finfo(dtype).maxexp for dtype in dtypes))

    def scope(self, xp):
        """Return the names that a line can use."""
        names = {"K": self.K, "F": self.F, "E": self.E, "H": self.H, "R": self.R, "Z": self.Z}
        is_jax = getattr(xp, "__name__", "") == "jax.numpy"
        return {"xp": xp, "np": np, **names, **LOOPS, **(_of_jax() if is_jax else OWN)}


class Unwritable(Helpers):
    """The same in arrays whose flag NumPy sets once: locked, they could not be unlocked."""

    def K(self, *shape, seed=0):
        """Give fixed numbers, in memory that NumPy does not know."""
        return foreign(super().K(*shape, seed=seed))


def foreign(array):
    """Give the array in memory that NumPy looks at, but does not own."""
    return np.lib.stride_tricks.as_strided(array.copy(), array.shape)


# Loops -------------------------------------------------------------------------------------------


def states(f, state, count):
    """Give a state and those after it, by ``f(state, number)``, in a loop of Python."""
    found = [state]
    for k in range(count):
        found.append(f(found[-1], k))
    return found


def repeated(f, state, count):
    """Give the last of some states."""
    return states(f, state, count)[-1]


def scan(f, init, xs=None, length=None, *, reverse=False):
    """Scan where something is traced, else a loop."""
    leaves = [*flatten(init)[0], *flatten(xs)[0]]
    traced = current_trace() is not None or any(isinstance(leaf, Expression) for leaf in leaves)
    loop = eg.scan if traced else unrolled
    return loop(f, init, xs, length, reverse=reverse)


LOOPS = {"states": states, "repeated": repeated}

# Derivatives within a program: in an argument, of functions of one argument ------------------------

OWN = {
    "scan": scan, "grad": eg.grad, "jacobian": eg.jacobian, "hessian": eg.hessian, "jvp": eg.jvp,
    "vjp": eg.vjp, "hvp": eg.hvp, "taylor": eg.taylor,
}  # fmt: skip


def _of_jax():
    """The same of JAX."""
    jax = sys.modules["jax"]

    def jvp(f):
        return lambda x, v: jax.jvp(f, (x,), (v,))[1]

    def vjp(f):
        return lambda x, u: jax.vjp(f, x)[1](u)[0]

    return {
        "scan": jax.lax.scan, "grad": jax.grad, "jacobian": jax.jacobian, "hessian": jax.hessian,
        "jvp": jvp, "vjp": vjp, "hvp": lambda f: jvp(jax.grad(f)),
    }  # fmt: skip

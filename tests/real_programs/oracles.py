"""Values of derivatives by evaluations of the function alone.

In: a NumPy function, a point, directions. Out: the derivative as an array.
Guaranteed: nothing of the library is used.
"""

import math
from typing import Any

import numpy as np

from real_programs.measure import Compute


def differences(f: Compute, x: Any, *directions: Any, step: float = 0.02) -> Any:
    """Derivative of a smooth NumPy function by nested sixth-order differences.

    One order for each direction; None stands for all entries of `x`, an axis of the shape of `x`
    after those of the value. About nine digits at order 2, eight at order 3.
    """
    if not directions:
        return np.asarray(f(x))
    *others, last = directions
    if last is None:
        units = np.eye(x.size).reshape(x.size, *x.shape)
        columns = [differences(f, x, *others, unit, step=step) for unit in units]
        return np.stack(columns, -1).reshape(*columns[0].shape, *x.shape)

    def below(y: Any) -> Any:
        return differences(f, y, *others, step=step)

    stencil = ((1, 45 / 60), (2, -9 / 60), (3, 1 / 60))
    ahead = [c * (below(x + k * step * last) - below(x - k * step * last)) for k, c in stencil]
    return np.sum(ahead, axis=0) / step


def on_circle(f: Compute, x: Any, direction: Any, order: int, radius: float = 0.25) -> Any:
    """Derivative of an analytic function along one direction, by Cauchy's integral over a circle.

    No digits are lost by the order where the function is analytic in twice the radius.
    """
    turns = np.exp(2j * np.pi * np.arange(64) / 64)
    values = [f(x + radius * turn * direction) * turn**-order for turn in turns]
    return math.factorial(order) / radius**order * np.mean(values, axis=0).real


def complex_jacobian(f: Compute, x: Any) -> Any:
    """Jacobian of an analytic function of a vector by the complex step, exact to rounding."""
    return np.stack([np.imag(f(x + 1e-30j * unit)) / 1e-30 for unit in np.eye(x.size)], -1)

"""A network of ten layers, in its first weights and in its input.

In: batch, width and count of layers. Out: `PROBLEMS`.
Guaranteed: hand versions take the Hessian in what enters the first layer's function, a matrix for
each sample, and multiply by the inputs once.

With ``z`` what enters layer k, ``J`` its Jacobian in ``z`` of the first layer and ``e`` the second
derivative of the layer's function times the gradient that arrives, the Hessian is the sum over
layers of ``J.T diag(e) J``: forward once, one product for all layers.
"""

import math
from functools import partial
from typing import Any

import numpy as np

from peers.problem import GRADIENT, HESSIAN, Array, Library, Problem, Task, place

# Hand versions -----------------------------------------------------------------------------------


def _forward(W: Array, weights: tuple[Array, ...], x: Array) -> list[Array]:
    """Values of the layers, a column for each sample."""
    values = [np.tanh(W @ x)]
    for V in weights:
        values.append(np.tanh(V @ values[-1]))
    return values


def _slopes(weights: tuple[Array, ...], values: list[Array]) -> tuple[list[Array], list[Array]]:
    """First derivatives of the layers' function, and gradients in what enters it."""
    slopes = [1 - h * h for h in values]
    gradients = [slopes[-1]]
    for V, slope in zip(weights[::-1], slopes[-2::-1], strict=True):
        gradients.append((V.T @ gradients[-1]) * slope)
    return slopes, gradients[::-1]


def weights_gradient(W: Array, x: Array, *weights: Array, out: Array | None = None) -> Array:
    """One sweep forward, one back."""
    columns = x.T
    _, gradients = _slopes(weights, _forward(W, weights, columns))
    return np.matmul(gradients[0], x, out=out)


def _inner(W: Array, weights: tuple[Array, ...], columns: Array) -> Array:
    """Hessians in what enters the first layer: ``(samples, width, width)``."""
    values = _forward(W, weights, columns)
    slopes, gradients = _slopes(weights, values)
    width, samples = values[0].shape
    stack = np.zeros((samples, len(values), width, width))
    J = np.zeros((width, samples, width))  # of each layer in the first, axes: out, sample, in
    J[np.arange(width), :, np.arange(width)] = 1
    for k in range(len(values)):
        stack[:, k] = J.transpose(1, 0, 2)
        if k < len(weights):
            J *= slopes[k][:, :, None]
            J = (weights[k] @ J.reshape(width, -1)).reshape(J.shape)
    # e = tanh'' * arriving gradient = -2 h (gradient in z)
    e = np.stack(
        [-2 * h * g for h, g in zip(values, gradients, strict=True)]
    )  # layer, width, sample
    flat = stack.reshape(samples, -1, width)
    scaled = flat * e.transpose(2, 0, 1).reshape(samples, -1, 1)
    return flat.transpose(0, 2, 1) @ scaled


def weights_hessian(W: Array, x: Array, *weights: Array, out: Array | None = None) -> Array:
    """``sum over samples of H[i,k] x[j] x[l]``, from the Hessians in what enters the layer."""
    inner = _inner(W, weights, x.T)
    samples, width, _ = inner.shape
    found = place(out, W.shape * 2)
    if samples == 1:
        np.multiply(inner[0][:, None, :, None], np.multiply.outer(x[0], x[0])[:, None], out=found)
        return found
    pairs = (x[:, :, None] * x[:, None]).reshape(samples, -1)
    whole = inner.reshape(samples, -1).T @ pairs
    found[...] = whole.reshape(width, width, width, width).transpose(0, 2, 1, 3)
    return found


def input_hessian(x: Array, W: Array, *weights: Array, out: Array | None = None) -> Array:
    """The same in the input: the Jacobian goes on through the first weights."""
    inner = _inner(W, weights, x[:, None])[0]
    return np.matmul(W.T @ inner, W, out=out)


# What is differentiated --------------------------------------------------------------------------


def _loss(xp: Any, h: Any, weights: Any) -> Any:
    for V in weights:
        h = xp.tanh(h @ V.T)
    return xp.sum(h)


def in_weights(
    asked: str, hand: Any, rng: np.random.Generator, samples: int, width: int, count: int
) -> Task:
    """A derivative in the first weights."""

    def function(lib: Library) -> Any:
        return lambda W, x, *weights: _loss(lib.xp, x, (W, *weights))

    W, *weights = rng.normal(size=(count, width, width)) / math.sqrt(width)
    return Task(asked, function, (W, rng.normal(size=(samples, width)), *weights), hand)


def in_input(rng: np.random.Generator, width: int, count: int) -> Task:
    """The Hessian in one input."""

    def function(lib: Library) -> Any:
        return lambda x, *weights: _loss(lib.xp, x, weights)

    weights = rng.normal(size=(count, width, width)) / math.sqrt(width)
    return Task(
        HESSIAN, function, (rng.normal(size=width), *weights), {"layers stacked": input_hessian}
    )


PROBLEMS = (
    *(
        Problem(f"{name} of ten layers in first weights, batch {samples}",
                partial(in_weights, asked, hand), (samples, 20, 10), (samples, 2, 3))
        for name, asked, hand in (("gradient", GRADIENT, {"two sweeps": weights_gradient}),
                                  ("Hessian", HESSIAN, {"layers stacked": weights_hessian}))
        for samples in (1, 64)
    ),
    Problem("Hessian of ten layers in the input, batch 1", in_input, (20, 10), (2, 3)),
)  # fmt: skip

"""Logistic regression by Newton's method, from nothing but its loss as plain NumPy code.

With one row ``a`` of ``A`` and one label ``s`` (-1 or +1) per sample, minimise over ``w``::

    loss(w) = sum of log(1 + exp(-s a.w)) + |w without the intercept|^2 / (2 C)

Gradient and Hessian are eingrad's. The minimum is compared with scikit-learn's; the script exits
with status 1 if they differ by more than `TOLERANCE`.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

import eingrad as eg

try:
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
except ModuleNotFoundError:
    print("this example needs scikit-learn: pip install 'eingrad[demo]'", file=sys.stderr)
    sys.exit(2)

Array = npt.NDArray[np.float64]

C = 1.0  # inverse strength of the penalty, as in scikit-learn
TOLERANCE = 1e-6
MAX_ITERATIONS = 50


def newton(
    value_and_grad: Callable[[Array], tuple[float, Array]],
    hessian: Callable[[Array], Array],
    w: Array,
) -> tuple[Array, int]:
    """Minimise a convex function until its gradient is 1e-10 of what it was at ``w``.

    Returns the minimiser and the number of iterations, one Hessian each.
    """
    value, gradient = value_and_grad(w)
    target = 1e-10 * np.linalg.norm(gradient)
    for iteration in range(MAX_ITERATIONS):
        if np.linalg.norm(gradient) <= target:
            return w, iteration
        direction = np.linalg.solve(hessian(w), -gradient)
        w, value, gradient = line_search(value_and_grad, w, value, gradient, direction)
    raise RuntimeError(
        f"no convergence in {MAX_ITERATIONS} iterations: "
        f"the gradient norm is {np.linalg.norm(gradient):.1e}, the target {target:.1e}"
    )


def line_search(
    value_and_grad: Callable[[Array], tuple[float, Array]],
    w: Array,
    value: float,
    gradient: Array,
    direction: Array,
) -> tuple[Array, float, Array]:
    """Halve the step until the decrease is a fair part of what the slope promises (Armijo)."""
    slope = gradient @ direction
    rounding = 1e-14 * abs(value)  # close to the minimum, the decrease drowns in it
    step = 1.0
    while step > 1e-10:
        candidate = w + step * direction
        new_value, new_gradient = value_and_grad(candidate)
        if new_value <= value + 1e-4 * step * slope + rounding:
            return candidate, new_value, new_gradient
        step /= 2
    raise RuntimeError(f"no decrease along the Newton direction; its slope is {slope:.1e}")


def main() -> int:
    """Fit, compare, report; the exit status."""
    features, labels = load_breast_cancer(return_X_y=True)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    A = np.column_stack([features, np.ones(len(features))])  # the last weight is the intercept
    s = np.where(labels == 1, 1.0, -1.0)

    def loss(w: Array) -> float:
        return np.sum(np.logaddexp(0, -s * (A @ w))) + 0.5 / C * np.sum(w[:-1] ** 2)

    # A plan is the derivative compiled for such arguments: no tracing in the loop.
    start = np.zeros(A.shape[1])
    value_and_grad = eg.value_and_grad(loss).plan(start)
    hessian = eg.hessian(loss).plan(start)

    began = time.perf_counter()
    w, iterations = newton(value_and_grad, hessian, start)
    newton_seconds = time.perf_counter() - began
    hessian_seconds = best_seconds(lambda: hessian(w))

    print("plan of the Hessian\n")
    print(hessian)
    print("\nas NumPy code\n")
    print(hessian.source)

    n, d = A.shape
    print(f"samples                    {n}")
    print(f"weights                    {d}")
    print(f"Newton iterations          {iterations}")
    print(f"Newton time                {newton_seconds * 1e3:.2f} ms")
    print(f"gradient norm              {np.linalg.norm(value_and_grad(start)[1]):.1e} at the start")
    print(f"                           {np.linalg.norm(value_and_grad(w)[1]):.1e} at the end")
    print(f"Hessian                    {hessian_seconds * 1e6:.0f} us")
    print(f"                           {hessian.flops:.3g} flops; A.T @ A has {2 * n * d * d:.3g}")
    print(f"                           {hessian.peak_bytes / 1e3:.0f} kB at the peak")

    model = LogisticRegression(C=C, tol=1e-12, max_iter=10_000, solver="newton-cholesky")
    model.fit(features, labels)
    w_sklearn = np.append(model.coef_[0], model.intercept_)
    weights_differ = float(np.max(np.abs(w - w_sklearn)))
    losses_differ = float(abs(loss(w) - loss(w_sklearn)))
    print(f"difference to scikit-learn {weights_differ:.1e} in the weights (largest)")
    print(f"                           {losses_differ:.1e} in the loss, {loss(w):.12g}")
    agree = weights_differ <= TOLERANCE and losses_differ <= TOLERANCE  # nan does not agree
    print(f"agreement within {TOLERANCE:.0e}    {'yes' if agree else 'NO'}")
    return 0 if agree else 1


def best_seconds(call: Callable[[], object], repeats: int = 50) -> float:
    """Time of the fastest of several calls: the one that the machine disturbed least."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


if __name__ == "__main__":
    sys.exit(main())

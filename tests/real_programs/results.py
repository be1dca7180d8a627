"""Large results: dense Hessians of a diagonal and outer products, structured ones, temporaries.

In: sizes. Out: `PROGRAMS`.
Guaranteed: a dense result is written once, at most 1.5 times its bytes in all and 1.3 at the peak;
a structured one of n numbers holds a few times n; an elementwise chain holds three arrays.
"""

import functools

import numpy as np

import eingrad as eg
from real_programs.measure import Bound, Program, Task
from real_programs.oracles import complex_jacobian, differences

# A diagonal and outer products --------------------------------------------------------------------


def quartic(rng, n):
    """Quartic with a coupling of all."""
    return lambda x: (x @ x) ** 2 + (x**4).sum(), rng.normal(size=n)


def logsumexp(rng, n):
    """Log of a sum of exponentials."""
    return lambda x: np.log(np.exp(x).sum()), rng.normal(size=n)


def softplus_of_norm(rng, n):
    """A smoothed norm, with a penalty of each number."""
    return lambda x: np.sqrt(1 + x @ x) + np.logaddexp(0, x).sum(), rng.normal(size=n)


def ridge_logistic(rng, n):
    """Logistic regression with few samples and a ridge: a product, and a diagonal."""
    a = rng.normal(size=(20, n)) / np.sqrt(n)
    return lambda w: np.log1p(np.exp(a @ w)).sum() + 0.1 * (w @ w), rng.normal(size=n)


def entropy(rng, n):
    """Entropy of unnormalised weights."""

    def f(w):
        p = w / w.sum()
        return -(p * np.log(p)).sum()

    return f, rng.uniform(1, 2, size=n)


def softmax_entropy(rng, n):
    """Entropy of a softmax."""

    def f(z):
        p = np.exp(z) / np.exp(z).sum()
        return -(p * np.log(p)).sum()

    return f, rng.normal(size=n)


def normalised_score(rng, n):
    """A score of a normalised vector."""
    b = rng.normal(size=n)
    return lambda x: x @ b / np.linalg.norm(x), rng.normal(size=n)


def three_norms(rng, n):
    """Three functions of all numbers."""
    b = rng.normal(size=n)

    def f(x):
        return np.sqrt(1 + x @ x) + np.log(np.exp(x).sum()) + np.sin(x @ b)

    return f, rng.normal(size=n)


def cauchy(rng, n):
    """Cauchy likelihood about the mean."""
    return lambda x: np.log1p((x - x.mean()) ** 2).sum(), rng.normal(size=n)


def dense(function, rng, n):
    """The Hessian as an array."""
    f, x = function(rng, n)
    should = {
        "peak_bytes": Bound(8 * n * n, times=1.3),
        "written_bytes": Bound(8 * n * n, times=1.5),
    }
    return Task(eg.hessian(f), (x,), should, lambda: differences(f, x, None, None))


# Structure ---------------------------------------------------------------------------------------


def rosenbrock(rng, n):
    """Rosenbrock's function."""
    f = lambda x: (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
    return f, rng.normal(size=n) / 3


def springs(rng, n):
    """A chain of springs that are not linear."""
    return lambda x: np.cosh(x[1:] - x[:-1]).sum(), rng.normal(size=n) / 3


def ring(rng, n):
    """A closed chain, by a roll."""
    return lambda x: (np.sin(x) * np.roll(x, 1)).sum(), rng.normal(size=n)


def curvature(rng, n):
    """Squared second differences of a curve, and a fit to data."""
    y = rng.normal(size=n)
    f = lambda x: ((x - y) ** 4).sum() + np.sqrt(1 + (x[2:] - 2 * x[1:-1] + x[:-2]) ** 2).sum()
    return f, rng.normal(size=n)


def separable(rng, n):
    """A sum over the numbers, each by itself."""
    return lambda x: (x * np.exp(np.sin(x))).sum(), rng.normal(size=n)


def structured(function, rng, n):
    """The Hessian as a structured tensor: three bands of n numbers and as many to make them."""
    f, x = function(rng, n)
    bound = Bound(8 * n, times=16)
    run = eg.hessian(f, structured=True)
    return Task(
        run,
        (x,),
        {"peak_bytes": bound, "flops": Bound(n, times=60)},
        lambda: differences(f, x, None, None),
    )


def banded_product(function, rng, n):
    """The Hessian with a vector, the whole in brackets: as many bytes as for the structure."""
    f, x = function(rng, n)
    v = rng.normal(size=n)
    return Task(
        lambda x, v: eg.hessian(f)(x) @ v,
        (x, v),
        {"peak_bytes": Bound(8 * n, times=16), "flops": Bound(n, times=60)},
        lambda: differences(f, x, None, v),
    )


# Temporaries -------------------------------------------------------------------------------------


def elementwise_chain(rng, n):
    """Gradient of a chain of elementwise functions: the result, and two operands that die."""
    f = lambda x: np.sum(np.exp(-(np.sin(2 * x + 1) ** 2)) * np.tanh(x))
    return _held(f, rng.normal(size=n), 3)


def gelu(rng, n):
    """Jacobian of GELU times a cotangent, by its tanh formula."""

    def f(x):
        return (0.5 * x * (1 + np.tanh(0.79788 * (x + 0.044715 * x**3)))).sum()

    return _held(f, rng.normal(size=n), 3)


def black_scholes(rng, n):
    """Sensitivity of many options to their price, the normal distribution by a logistic."""
    strike = rng.uniform(0.8, 1.2, size=n)

    def f(s):
        d = np.log(s / strike) / 0.2 + 0.1
        return (s / (1 + np.exp(-1.7 * d)) - strike / (1 + np.exp(-1.7 * (d - 0.2)))).sum()

    return _held(f, rng.uniform(0.8, 1.2, size=n), 4)


def _held(f, x, arrays):
    """Gradient that holds so many arrays of the size of its argument."""
    should = {"peak_bytes": Bound(8 * x.size, times=arrays)}
    return Task(eg.grad(f), (x,), should, lambda: complex_jacobian(f, x))


PROGRAMS = (
    *(Program("9", f"{name}, n = {n}, Hessian", functools.partial(dense, function), (n,), (4,))
      for name, function in (("quartic", quartic), ("logsumexp", logsumexp), ("smoothed norm", softplus_of_norm),
                             ("logistic with ridge", ridge_logistic), ("entropy", entropy))
      for n in (500, 2000)),
    *(Program("9", f"{name}, n = 500, Hessian", functools.partial(dense, function), (500,), (4,))
      for name, function in (("entropy of a softmax", softmax_entropy), ("normalised score", normalised_score),
                             ("three norms", three_norms), ("Cauchy likelihood", cauchy))),
    *(Program("10", f"{name}, structured Hessian", functools.partial(structured, function), (500,), (5,))
      for name, function in (("Rosenbrock", rosenbrock), ("springs", springs), ("ring", ring),
                             ("curvature", curvature), ("separable", separable))),
    *(Program("10", f"{name}, Hessian with a vector", functools.partial(banded_product, function), (500,), (5,))
      for name, function in (("Rosenbrock", rosenbrock), ("ring", ring), ("curvature", curvature))),
    Program("15", "chain of elementwise functions, gradient", elementwise_chain, (100_000,), (4,)),
    Program("15", "GELU of 100,000, gradient", gelu, (100_000,), (4,)),
    Program("15", "options, sensitivity", black_scholes, (100_000,), (4,)),
)  # fmt: skip

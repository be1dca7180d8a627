"""Operators of differential equations: Laplacian, biharmonic, divergence, curl, determinant.

In: sizes. Out: `PROGRAMS`.
Guaranteed: Laplacians are bounded by the forward Laplacian, written out: value, Jacobian and
Laplacian of each layer go forward together. What is read off a Jacobian is bounded by the Jacobian.
"""

import functools

import numpy as np

import eingrad as eg
from real_programs.measure import Bound, Program, Task, evaluations
from real_programs.oracles import differences, on_circle

ACTIVATIONS = {  # the function, then value and two derivatives
    "tanh": (np.tanh, lambda z: (np.tanh(z), 1 - np.tanh(z) ** 2, -2 * np.tanh(z) * (1 - np.tanh(z) ** 2))),
    "sine": (np.sin, lambda z: (np.sin(z), np.cos(z), -np.sin(z))),
}  # fmt: skip


# Networks ----------------------------------------------------------------------------------------


def weights_of(rng, layers, width, n):
    """Matrices and biases of the layers, and a last vector."""
    shapes = [(width, n), *[(width, width)] * (layers - 1)]
    pairs = [(rng.normal(size=s) / np.sqrt(s[1]), rng.normal(size=width) / 3) for s in shapes]
    return pairs, rng.normal(size=width) / np.sqrt(width)


def network(activation, layers, last):
    """The network: of one point, or of a batch of points."""
    function, _ = ACTIVATIONS[activation]

    def u(x):
        h = x
        for w, b in layers:
            h = function(h @ w.T + b)
        return h @ last

    return u


def forward_laplacian(activation):
    """Laplacian of the network, carried forward with the Jacobian; of one point or a batch."""
    return forward_sum(activation, lambda J: (J**2).sum(-1), lambda w: w)


def forward_sum(activation, squares, first):
    """The same, where `squares` sums products of the Jacobian, and `first` makes the first one."""
    _, local = ACTIVATIONS[activation]

    def laplacian(x, layers, last):
        (w, b), *others = layers
        h, slope, bend = local(x @ w.T + b)
        pushed = first(w)
        jacobian = slope[..., None] * pushed
        second = bend * squares(pushed)
        for w, b in others:
            h, slope, bend = local(h @ w.T + b)
            pushed = w @ jacobian
            second = slope * (second @ w.T) + bend * squares(pushed)
            jacobian = slope[..., None] * pushed
        return second @ last

    return laplacian


# Laplacians --------------------------------------------------------------------------------------

WAYS = {
    "trace": np.trace,
    "einsum": lambda H: np.einsum("ii", H),
    "sum of the diagonal": lambda H: np.diag(H).sum(),
    "entries added up": lambda H: sum(H[i, i] for i in range(len(H))),
}


def laplacian(way, activation, rng, layers, width, n):
    """The trace of the Hessian."""
    parts = weights_of(rng, layers, width, n)
    u, x = network(activation, *parts), rng.normal(size=n)
    good = Bound(forward_laplacian(activation), (x, *parts), 1.05)
    return Task(
        lambda x: WAYS[way](eg.hessian(u)(x)),
        (x,),
        {"flops": good},
        lambda: np.trace(differences(u, x, None, None)),
    )


def laplacian_of_batch(rng, points, layers, width, n):
    """The Laplacian at many points, from the Hessian of the sum."""
    parts = weights_of(rng, layers, width, n)
    u, x = network("tanh", *parts), rng.normal(size=(points, n))
    good = Bound(forward_laplacian("tanh"), (x, *parts), 1.05)
    return Task(
        lambda x: np.einsum("bibi->b", eg.hessian(lambda x: u(x).sum())(x)),
        (x,),
        {"flops": good, "peak_bytes": good},
        lambda: np.array([np.trace(differences(u, p, None, None)) for p in x]),
    )


def laplacians_of_two(rng, layers, width, n):
    """Laplacians of two functions that have their layers in common, one after the other."""
    parts, _ = weights_of(rng, layers, width, n)
    last = rng.normal(size=(width, 2)) / np.sqrt(width)
    both, x = network("tanh", parts, last), rng.normal(size=n)

    def laplacian(k, x):
        return np.trace(eg.hessian(lambda x: both(x)[k])(x))

    return Task(
        lambda x: np.stack([laplacian(k, x) for k in (0, 1)]),
        (x,),
        {"flops": Bound(forward_laplacian("tanh"), (x, parts, last), 1.05)},
        lambda: np.einsum("kii->k", differences(both, x, None, None)),
    )


def laplacians_of_fields(rng, points, layers, width, n):
    """The Laplacian of each entry of a field, at many points."""
    parts, _ = weights_of(rng, layers, width, n)
    last = rng.normal(size=(width, n)) / np.sqrt(width)
    f, x = network("tanh", parts, last), rng.normal(size=(points, n))
    return Task(
        lambda x: np.einsum("kbibi->bk", eg.hessian(lambda x: f(x).sum(0))(x)),
        (x,),
        {"flops": Bound(forward_laplacian("tanh"), (x, parts, last), 1.05)},
        lambda: np.array([np.einsum("kii->k", differences(f, p, None, None)) for p in x]),
    )


METRICS = {  # how it is written: of the whole metric, or of the factors of one of low rank
    "a metric by einsum": lambda H, g: np.einsum("ij,ij->", g, H),
    "a metric by trace": lambda H, g: np.trace(g @ H),
    "factors of a metric by einsum": lambda H, B: np.einsum("ia,ja,ij->", B, B, H),
    "factors of a metric by trace": lambda H, B: np.trace(B @ (B.T @ H)),
    "factors of a metric by projection": lambda H, B: np.trace(B.T @ H @ B),
}


def second_derivatives_in_a_metric(what, rng, layers, width, n):
    """``sum_ij g_ij d2u/dx_i dx_j``, with g or its factors an argument."""
    parts = weights_of(rng, layers, width, n)
    u, x, B = network("tanh", *parts), rng.normal(size=n), rng.normal(size=(n, 2))
    g = B @ B.T

    def of_metric(x, g, layers, last):
        squares = lambda J: ((J @ g) * J).sum(-1)
        return forward_sum("tanh", squares, lambda w: w)(x, layers, last)

    def of_factors(x, B, layers, last):
        return forward_sum("tanh", lambda J: (J**2).sum(-1), lambda w: w @ B)(x, layers, last)

    given, good = (B, of_factors) if "factors" in what else (g, of_metric)
    return Task(
        lambda x, given: METRICS[what](eg.hessian(u)(x), given),
        (x, given),
        {"flops": Bound(good, (x, given, *parts), 1.05)},
        lambda: np.sum(g * differences(u, x, None, None)),
    )


def residual_of_heat(rng, layers, width, n):
    """``u_t - lap u`` of a network in time and space, by slices of gradient and Hessian."""
    parts = weights_of(rng, layers, width, n + 1)
    u, x = network("tanh", *parts), rng.normal(size=n + 1)

    def value():
        second = differences(u, x, None, None)
        return differences(u, x, None)[0] - np.trace(second[1:, 1:])

    return Task(
        lambda x: eg.grad(u)(x)[0] - np.trace(eg.hessian(u)(x)[1:, 1:]),
        (x,),
        {"flops": Bound(forward_laplacian("tanh"), (x, *parts), 1.2, same_value=False)},
        value,
    )


def biharmonic(rng, layers, width, n):
    """The Laplacian of the Laplacian: series of order four along ``n**2`` directions."""
    u, x = network("tanh", *weights_of(rng, layers, width, n)), rng.normal(size=n)

    def applied(f):
        return lambda x: np.trace(eg.hessian(f)(x))

    def value():
        along = functools.partial(on_circle, u, x, order=4)
        e = np.eye(n)
        mixed = sum(along(a + b) + along(a - b) - 2 * along(a) - 2 * along(b) for a in e for b in e)
        return mixed / 12

    return Task(applied(applied(u)), (x,), {"flops": evaluations(u, x, 7.5 * n**2)}, value)


# What is read off a Jacobian ---------------------------------------------------------------------

READINGS = {
    "divergence": np.trace,
    "curl": lambda J: np.stack([J[2, 1] - J[1, 2], J[0, 2] - J[2, 0], J[1, 0] - J[0, 1]]),
    "determinant": np.linalg.det,
    "divergence by entries": lambda J: J[0, 0] + J[1, 1] + J[2, 2],
}


def field(what, rng, layers, width, n):
    """A vector field: two networks deep, from n numbers to n."""
    parts, _ = weights_of(rng, layers, width, n)
    last = rng.normal(size=(width, n)) / np.sqrt(width)
    f, x = network("tanh", parts, last), rng.normal(size=n)
    return Task(
        lambda x: READINGS[what](eg.jacobian(f)(x)),
        (x,),
        {"flops": Bound(eg.jacobian(f), (x,), 1.05, same_value=False)},
        lambda: READINGS[what](differences(f, x, None)),
    )


def laplacian_of_field(rng, layers, width, n):
    """The Laplacian of each entry of a field."""
    parts, _ = weights_of(rng, layers, width, n)
    last = rng.normal(size=(width, n)) / np.sqrt(width)
    f, x = network("tanh", parts, last), rng.normal(size=n)
    return Task(
        lambda x: np.einsum("kii->k", eg.hessian(f)(x)),
        (x,),
        {"flops": Bound(forward_laplacian("tanh"), (x, parts, last), 1.05)},
        lambda: np.einsum("kii->k", differences(f, x, None, None)),
    )


def _laplacian(way, activation, layers, width, n, *, slow=False):
    make = functools.partial(laplacian, way, activation)
    name = f"Laplacian of {layers} {activation} layers by {way}, {n} numbers"
    return Program("4", name, make, (layers, width, n), (2, 4, 3), slow)


def _field(what, *sizes):
    return Program("4", what, functools.partial(field, what), sizes, (2, 4, 3))


def _metric(what):
    make = functools.partial(second_derivatives_in_a_metric, what)
    return Program("4", what, make, (3, 32, 10), (2, 4, 3))


PROGRAMS = (
    *(_laplacian("trace", "tanh", layers, 32, 10) for layers in (1, 2, 3, 4, 6)),
    *(_laplacian(way, "tanh", 2, 32, 10) for way in WAYS if way != "trace"),
    *(_laplacian("trace", "sine", layers, 32, 10) for layers in (2, 3)),
    _laplacian("trace", "tanh", 3, 64, 3),
    Program("4", "Laplacian at 50 points", laplacian_of_batch, (50, 2, 16, 3), (2, 2, 4, 2)),
    Program("4", "Laplacian of two functions", laplacians_of_two, (2, 32, 6), (2, 4, 3)),
    Program("4", "Laplacian of fields", laplacians_of_fields, (20, 2, 16, 3), (2, 2, 4, 2)),
    *(_metric(what) for what in METRICS),
    Program("4", "residual of the heat equation", residual_of_heat, (3, 32, 3), (2, 4, 2)),
    Program("4", "biharmonic of 1 layer", biharmonic, (1, 32, 3), (1, 4, 2)),
    Program("4", "biharmonic of 2 layers", biharmonic, (2, 32, 3), (2, 4, 2)),
    Program("4", "Laplacian of a field", laplacian_of_field, (2, 32, 3), (2, 4, 2)),
    *(_field(what, 3, 32, 3) for what in READINGS),
)  # fmt: skip

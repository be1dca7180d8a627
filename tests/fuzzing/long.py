"""Long programs: steps on one vector that is shifted, sliced, gathered, selected, again and again.

In: a seed and a number. Out: a program of 100 to 1,000 calls of NumPy, and its check.
Guaranteed: values stay below ten, so that rounding and conditions stay small.

The vector is one of all weights, as optimisers have it, and each step takes it apart: slices that
are reshaped, rows picked with repeats, neighbours by `roll`, `pad` and slices, branches. The value
is compared with NumPy's, the gradient with the complex step along a direction, the product of the
Hessian with that direction, as `hvp` and contracted, with the step of the gradient, and one entry
of a nested product.
"""

from dataclasses import dataclass

import numpy as np

import eingrad as eg
from fuzzing.quotients import AGREEMENT, EPS, SAFETY, close, differences

LENGTHS = (100, 200, 350, 600, 1000)  # calls of NumPy, about
SHARES = (0.4, 0.3, 0.2, 0.07, 0.03)
ALLOWED = SAFETY * EPS * 1e3  # of sums of hundreds of steps

# A step maps a vector of n entries, of at most ten, to another; in parentheses, its calls.
STEPS = {
    "roll": ("0.5 * np.tanh({x}) + 0.3 * np.roll({x}, {k}) * np.cos({x})", 4),
    "reverse": ("0.4 * {x}[::-1] * np.sin({x}) + 0.4 * np.roll({x}, 1)", 5),
    "pad": ("(lambda p: 0.6 * {x} + 0.2 * np.tanh(p[2:] * {x} - p[:-2]))(np.pad({x}, 1))", 8),
    "slices": ("np.concatenate([np.sin({x}[{k}:]), 0.7 * {x}[:{k}] * np.cos({x}[:{k}])])", 7),
    "edges": ("np.concatenate([{x}[:1], 0.5 * {x}[1:-1] + 0.2 * {x}[2:] * {x}[:-2], {x}[-1:]])", 9),
    "picked": ("np.tanh({x}[P(n, {k})]) + 0.2 * {x}[P(n, {k} + 1)] * {x}", 5),
    "groups": ("0.5 * {x} + 0.1 * np.sin(M(n, {k}) @ np.tanh({x})[P(n + 3, {k}) % n])", 6),
    "where": ("np.where({x} > S({k}), 0.8 * np.log1p({x} * {x}), 0.7 * np.tanh({x}))", 7),
    "matrix": ("0.4 * {x} + 0.5 * np.tanh(M(n, {k})[:, :n] @ {x})", 5),
    "reshape": ("0.5 * ({x}.reshape(2, -1).T @ W2).ravel() + 0.3 * np.tanh({x})", 6),
    "outer": ("0.6 * np.tanh({x}) + 0.1 * (np.outer({x}, np.cos({x})) * 0.3).sum({a})", 7),
    "norm": ("{x} / np.sqrt(1 + 0.3 * np.sum({x} ** 2)) + 0.2 * np.sin({x})", 8),
    "scalars": ("0.7 * {x} + 0.2 * np.stack([{x}[0] * {x}[1], *({x}[k] for k in range(1, n))])", 9),
    "product": ("0.6 * {x} + 0.1 * np.prod(1 + 0.1 * {x}) * np.cos({x})", 8),
}


@dataclass(frozen=True)
class Long:
    """Steps by name, each with its text."""

    seed: tuple[int, int]
    size: int
    steps: tuple[tuple[str, str], ...]

    def __str__(self):
        lines = [f"x = {text}" for _, text in self.steps]
        head = f"# seed {self.seed[0]}, long program {self.seed[1]}: x of {self.size}"
        return "\n".join([head, *lines, "return np.sum(np.sin(x) + x * x)"])

    def function(self):
        """Make the function; a step is a line."""
        n = self.size
        rng = np.random.default_rng(n)
        matrices = rng.uniform(-1, 1, (3, n, n + 3)) / n
        picks = rng.integers(0, n, (4, n + 3))
        scope = {
            "np": np, "n": n, "W2": rng.uniform(-1, 1, (2, 2)),
            "M": lambda n, k: matrices[k % 3], "P": lambda n, k: picks[k % 4][:n],
            "S": lambda k: np.sin(k) / 7,
        }  # fmt: skip
        lines = "\n".join(f"    x = {text}" for _, text in self.steps)
        exec(f"def f(x):\n{lines}\n    return np.sum(np.sin(x) + x * x)\n", scope)  # our own text
        return scope["f"]

    def point(self):
        """Where it is checked, and the direction."""
        return np.random.default_rng([*self.seed, 1]).uniform(-1, 1, (2, self.size))


def random_long(seed, number):
    """Make long program number `number`: a body of one to four steps, repeated, or all drawn."""
    rng = np.random.default_rng([seed, number, 9])
    calls, size = int(rng.choice(LENGTHS, p=SHARES)), int(rng.choice([4, 6, 8]))
    body = [_step(rng, size) for _ in range(int(rng.integers(1, 5)))]
    is_loop = rng.random() < 0.6
    steps = []
    while sum(STEPS[name][1] for name, _ in steps) < calls:
        steps += body if is_loop else [_step(rng, size)]
    return Long((seed, number), size, tuple(steps))


def _step(rng, size):
    name = str(rng.choice([*STEPS]))
    text = STEPS[name][0].format(x="x", k=int(rng.integers(1, size)), a=int(rng.integers(2)))
    return name, text


def check_long(program):
    """Raise `Mismatch` where a derivative is wrong, `Excluded` at a kink."""
    f, (x, v) = program.function(), program.point()
    close(np.asarray(eg.derivative(f, 0)(x)), np.asarray(f(x)), ALLOWED, "value")
    gradient = eg.grad(f).plan(x)
    slope = np.imag(f(x + 1e-30j * v)) / 1e-30
    close(np.asarray(gradient(x) @ v), np.asarray(slope), ALLOWED, "gradient along a direction")
    if any(name == "where" for name, _ in program.steps):  # no order of complex numbers
        (bend,) = differences(lambda h: [gradient(x + h * v)], 1.0)
        allowed = AGREEMENT
    else:
        shifted = eg.grad(f).plan(x + 0j)
        bend, allowed = np.imag(shifted(x + 1e-30j * v)) / 1e-30, ALLOWED
    close(eg.hvp(f)(x, v), bend, allowed, "Hessian times a vector")
    product = eg.derivative(lambda x, v: np.einsum("ij,j->i", eg.hessian(f)(x), v), 0)
    close(product(x, v), bend, allowed, "Hessian contracted with a vector")
    nested = eg.derivative(lambda x, v: v @ eg.hessian(f)(x) @ v, 0)
    close(np.asarray(nested(x, v)), np.asarray(v @ bend), allowed, "Hessian along a direction")
    return len(gradient.program.statements)

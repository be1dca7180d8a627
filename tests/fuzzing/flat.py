"""Models whose weights are one vector, sliced and reshaped: as `scipy.optimize` wants them.

In: a seed and a number. Out: a loss of that vector, of a few layers on three rows of data.
Guaranteed: each layer takes as many weights as its text says, in the order of the vector.

``{h}`` are the rows so far, (3, p); ``{w}`` the weights of a layer. A layer that is drawn again may
take the weights of one before it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fuzzing.helpers import Helpers

ROWS, WIDTHS = 3, (2, 3)
MOST_LAYERS = 3
SHARED = 0.25  # of the layers whose weights are those of an earlier one of the kind


@dataclass(frozen=True)
class Layer:
    """A step on the rows: its weights, as a function of their width, and its text."""

    weight: float
    count: Callable[[int], int]
    text: str
    analytic: bool = True


def _dense(p):
    return p * p + p


LAYERS = {
    "tanh": Layer(2, _dense, "np.tanh({h} @ {w}[:p * p].reshape(p, p) + {w}[p * p:])"),
    "sine": Layer(1, _dense, "np.sin(np.einsum('bi,ij->bj', {h}, {w}[p:].reshape(p, p)) + {w}[:p])"),
    "residual": Layer(1, lambda p: p * p, "{h} + 0.5 * np.tanh({h} @ {w}.reshape(p, p).T)"),
    "swish": Layer(1, lambda p: p, "(lambda z: z / (1 + np.exp(-z)))({h} * {w})"),
    "relu": Layer(1, lambda p: p, "(lambda z: np.where(z > 0, z, 0.1 * z))({h} + {w})", False),
    "softplus": Layer(1, lambda p: p, "np.logaddexp(0, {h} * {w})", False),
    "log": Layer(1, lambda p: p, "(lambda z: np.where(z > 0.1, np.log(z), z))({h} + {w})", False),
    "centred": Layer(
        1, lambda p: p,
        "(lambda z: {w} * z / np.sqrt(0.5 + (z * z).mean(1, keepdims=True)))"
        "({h} - {h}.mean(1, keepdims=True))",
    ),
    "attention": Layer(
        1, lambda p: 3 * p * p,
        "(lambda q, k, v: (lambda s: np.exp(s) / np.exp(s).sum(1, keepdims=True))"
        "({h} @ q @ k.T @ {h}.T) @ {h} @ v)(*{w}.reshape(3, p, p))",
    ),
    "embedding": Layer(
        1, lambda p: 2 * p, "{h} + {w}.reshape(2, p)[np.array([0, 1, 1])]"
    ),
    "onehot": Layer(1, lambda p: 2 * p, "{h} * (H(2, 1, 1, 0) @ {w}.reshape(2, p))"),
    "dropout": Layer(1, lambda p: p, "np.where(F(3, p), {h} * {w}, 0)"),
    "gate": Layer(1, lambda p: p, "{h} * np.where(F(p), np.cos({w}), np.log(0 * {w}))"),
    "stencil": Layer(
        1, lambda p: 2, "{w}[0] * np.roll({h}, 1, 0) + {w}[1] * np.tanh({h}) * {h}[::-1]"
    ),
    "padded": Layer(
        1, lambda p: 3, "sum(a * np.pad(np.sin({h}), ((1, 1), (0, 0)))[n:n + 3] for n, a in enumerate({w}))"
    ),
    "running": Layer(1, lambda p: p, "np.cumprod(1 + 0.3 * {h} * {w}, axis=0)"),
    "scan": Layer(
        2, lambda p: 2 * p * p,
        "scan(lambda c, s: (np.tanh(c @ s) + 0.1 * c, None), {h} + 0 * {w}[0], {w}.reshape(2, p, p))[0]",
    ),
    "recurrent": Layer(
        2, lambda p: p * p,
        "scan(lambda c, s: (np.tanh({w}.reshape(p, p) @ c + s), c * s), {h}[0] * (0 * {w}[0]), {h} + 0 * {w}[0])[1]",
    ),
    "shared": Layer(
        1, lambda p: p * p, "repeated(lambda c, k: 0.5 * c + np.sin(c @ {w}.reshape(p, p)), {h}, 9)"
    ),
    "turned": Layer(
        1, lambda p: 2,
        "(lambda a, b: np.stack([np.stack([np.cos(a) * r[0] - b * r[1], np.sin(a) * r[0] + b * r[1],"
        " *r[2:]]) for r in {h}]))(*{w})",
    ),
}  # fmt: skip

LOSSES = {  # of rows, and whether it is analytic
    "squares": ("np.sum(({h} - K(3, p)) ** 2)", True),
    "mean": ("np.mean(np.cos({h}) * {h})", True),
    "entropy": ("-np.sum(H(p, 0, 1, 1) * ({h} - np.log(np.exp({h}).sum(1, keepdims=True))))", True),
    "picked": (
        "-(lambda z: z - np.log(np.exp(z).sum(1))[:, None])({h})[np.arange(3), [1, 0, 1]].sum()",
        True,
    ),
    "shifted": (
        "(lambda z: np.log(np.exp(z).sum()) - z[1])(np.ravel({h}) - np.max({h}))", False,
    ),
    "pairs": ("(lambda i, j: 1 / (2 + np.sum(({h}[i] - {h}[j]) ** 2, 1)))(*np.triu_indices(3, 1)).sum()", True),
    "entries": (
        "sum(1 / (2 + sum((a - b) ** 2 for a, b in zip({h}[i], {h}[j]))) for i in range(3) for j in range(i))",
        True,
    ),
    "determinant": ("np.linalg.slogdet(3 * E(3) + 0.2 * {h} @ {h}.T)[1]", False),
    "hinge": ("np.sum(np.maximum(0.2 - {h} * K(3, p, seed=1), 0) ** 2)", False),
}  # fmt: skip


@dataclass(frozen=True)
class Flat:
    """Layers by name, where the weights of each begin, and a loss."""

    seed: tuple[int, int]
    width: int
    layers: tuple[tuple[str, int], ...]
    loss: str

    def __str__(self):
        head = f"# seed {self.seed[0]}, model {self.seed[1]}: w of {self.size}, p = {self.width}"
        return "\n".join([head, *self.lines()])

    @property
    def kinds(self):
        """Names of the layers and of the loss."""
        return [*(name for name, _ in self.layers), self.loss]

    @property
    def analytic(self):
        return LOSSES[self.loss][1] and all(LAYERS[name].analytic for name, _ in self.layers)

    @property
    def size(self):
        return max(start + LAYERS[name].count(self.width) for name, start in self.layers)

    def lines(self):
        """Give the body of the function."""
        lines = ["h = K(3, p, seed=1)"]
        for name, start in self.layers:
            layer = LAYERS[name]
            weights = f"w[{start}:{start + layer.count(self.width)}]"
            lines.append(f"h = {layer.text.format(h='h', w=weights)}")
        return [*lines, f"return {LOSSES[self.loss][0].format(h='h')}"]

    def function(self, xp=np, dtype=np.float64):
        """Make the function; a layer is a line."""
        scope = {**Helpers(dtype).scope(xp), "np": xp, "p": self.width}
        body = "\n".join(f"    {line}" for line in self.lines())
        exec(f"def f(w):\n{body}\n", scope)  # text of our own making
        return scope["f"]

    def point(self):
        """Where it is checked, and two directions."""
        return np.random.default_rng([*self.seed, 1]).uniform(-1, 1, (3, self.size))

    def smaller(self):
        """Give models with a layer taken away, or the simplest loss."""
        for k in range(len(self.layers)):
            if len(self.layers) > 1:
                yield replace(self, layers=self.layers[:k] + self.layers[k + 1 :])
        if self.loss != "squares":
            yield replace(self, loss="squares")


def random_flat(seed, number):
    """Make model number `number`."""
    rng = np.random.default_rng([seed, number, 12])
    width = int(rng.choice(WIDTHS))
    weights = np.array([layer.weight for layer in LAYERS.values()])
    layers: list[tuple[str, int]] = []
    size = 0
    for _ in range(int(rng.integers(1, MOST_LAYERS + 1))):
        name = str(rng.choice([*LAYERS], p=weights / weights.sum()))
        if layers and rng.random() < SHARED:
            layers.append(layers[int(rng.integers(len(layers)))])
            continue
        layers.append((name, size))
        size += LAYERS[name].count(width)
    return Flat((seed, number), width, tuple(layers), str(rng.choice([*LOSSES])))

"""What stands in the braces of a template besides operands: axes, shapes, indices, ways."""

import itertools

import numpy as np


def pick(rng, items):
    """Draw one of some items."""
    return items[int(rng.integers(len(items)))]


class Unfit(Exception):
    """An operand without the axis or entries that an option needs."""


class Options(dict):
    """What stands in a template's braces besides operands, drawn when it is asked for."""

    def __init__(self, rng, x):
        super().__init__()
        self.rng, self.shape, self.ndim = rng, np.shape(x), np.ndim(x)

    def __missing__(self, name):
        self[name] = value = getattr(self, f"_{name}")()
        return value

    def _integer(self, low, high):
        return int(self.rng.integers(low, high))

    def _axis(self):
        if not self.ndim:
            raise Unfit
        return self._integer(-self.ndim, self.ndim)

    def _size(self):
        return self.shape[self["axis"]]

    def _pair(self):
        if self.ndim < 2:
            raise Unfit
        pair = self.rng.choice(self.ndim, 2, replace=False)
        return (int(pair[0]), int(pair[1]) - self.ndim)

    def _axes(self):
        choices = ["None", *range(-self.ndim, self.ndim)]
        return pick(self.rng, choices + ([str(self["pair"])] if self.ndim > 1 else []))

    def _flag(self):
        return self.rng.random() < 0.5

    def _shift(self):
        return self._integer(-4, 5)

    def _offset(self):
        return self._integer(-2, 3)

    def _few(self):
        return self._integer(0, 3)

    def _number(self):
        return pick(self.rng, [0.5, 1.5])

    def _order(self):
        return pick(self.rng, ["'C'", "'F'"])

    def _mode(self):
        return repr(pick(self.rng, ["constant", "edge", "reflect", "symmetric", "wrap"]))

    def _clipping(self):
        if not self["size"]:
            raise Unfit  # NumPy hangs
        return repr(pick(self.rng, ["wrap", "clip"]))

    def _norm(self):
        return pick(self.rng, ["None", 2, 1, 0, "np.inf", "-np.inf", 3, -1, 2.5])

    def _matrix_norm(self):
        return pick(self.rng, ["None", "'fro'", 1, -1, "np.inf", "-np.inf"])

    def _ddof(self):
        return pick(self.rng, ["ddof=1", "ddof=0.5", "correction=1", "ddof=0"])

    def _place(self):
        if not self["size"]:
            raise Unfit
        return self._integer(-self["size"], self["size"])

    def _places(self):
        if not self["size"]:
            raise Unfit
        return self.rng.integers(-self["size"], self["size"], 3).tolist()

    def _counts(self):
        return self.rng.integers(0, 3, self["size"]).tolist()

    def _flags(self):
        return (self.rng.random(self["size"]) > 0.4).tolist()

    def _where(self):
        return pick(self.rng, ["", ", where=F(*{0}.shape)"])

    def _initial(self):
        return pick(self.rng, ["", f", initial={self['number']}"])

    def _extreme(self):
        return pick(self.rng, ["", ", initial=1.0", ", initial=1.0, where=F(*{0}.shape)"])

    def _permutation(self):
        return tuple(self.rng.permutation(self.ndim).tolist())

    def _new_shape(self):
        count = int(np.prod(self.shape, dtype=int))
        shapes = [
            s for s in itertools.product(range(1, 7), repeat=self._integer(1, 4))
            if np.prod(s) == count
        ]  # fmt: skip
        if not shapes:
            raise Unfit
        return pick(self.rng, shapes)

    def _square(self):
        """Nothing; NumPy lets the sizes of a repeated index differ where one is zero, we do not."""
        if self.ndim != 2 or self.shape[0] != self.shape[1]:
            raise Unfit
        return ""

    def _index(self):
        if not self.ndim:
            raise Unfit
        parts = [self._part(n) for n in self.shape[: self._integer(1, self.ndim + 1)]]
        if self.rng.random() < 0.2 and 0 not in self.shape:
            parts.insert(self._integer(0, len(parts) + 1), "...")
        return ", ".join(parts)

    def _part(self, n):
        kind = self.rng.random()
        if kind < 0.2 and n:
            return str(self._integer(-n, n))
        if kind < 0.6:
            ends = [pick(self.rng, ["", str(self._integer(-4, 5))]) for _ in range(2)]
            return f"{ends[0]}:{ends[1]}:{pick(self.rng, [-2, -1, 1, 1, 2])}"
        if kind < 0.85 and n:
            return f"np.array({self.rng.integers(-n, n, self._integer(1, 4)).tolist()})"
        if kind < 0.95:
            return f"np.array({(self.rng.random(n) > 0.4).tolist()}, bool)"
        return "None, :"

    def _mask(self):
        if not self.ndim:
            raise Unfit
        return f"F(*{{0}}.shape[:{self._integer(1, self.ndim + 1)}])"

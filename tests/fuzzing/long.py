"""Long programs: steps on one vector that is shifted, sliced, gathered, selected, again and again.

In: a seed and a number. Out: a program of 100 to 1,000 calls of NumPy.
Guaranteed: a number is computed, in lines that are those of a loop in Python, or all different.

The vector is one of all weights, as optimisers have it, and each step takes it apart: slices that
are reshaped, rows picked with repeats, neighbours by `roll`, `pad` and slices, branches, scans.
"""

from dataclasses import dataclass, replace

import numpy as np

from fuzzing.steps import STEPS, drawn_step, names

LENGTHS = (100, 200, 350, 600, 1000)  # calls of NumPy, about
SHARES = (0.4, 0.3, 0.2, 0.07, 0.03)


@dataclass(frozen=True)
class Long:
    """Steps by name, each with its text."""

    seed: tuple[int, int]
    size: int
    steps: tuple[tuple[tuple[str, ...], str], ...]
    has_losses: bool = False  # of each step, which are added

    def __str__(self):
        head = f"# seed {self.seed[0]}, long program {self.seed[1]}: x of {self.size}"
        return "\n".join([head, *self.lines()])

    @property
    def kinds(self):
        """Names of the steps, and of those within them."""
        return [name for within, _ in self.steps for name in within]

    @property
    def analytic(self):
        return all(STEPS[name].analytic for name in self.kinds)

    def lines(self):
        """Give the body of the function."""
        lines = ["y, total = x, 0.0"]
        for t, (_, text) in enumerate(self.steps):
            lines.append(f"x, y = {text.format(x='x', y='y', t=t)}, x")
            if self.has_losses:
                lines.append(f"total = total + np.sum(x * D[{t}, 1] * x) / {len(self.steps)}")
        return [*lines, "return total + np.sum(np.sin(x) + x * x)"]

    def function(self, xp=np, dtype=np.float64):
        """Make the function; a step is a line."""
        scope = names(self.size, xp, dtype)
        body = "\n".join(f"    {line}" for line in self.lines())
        exec(f"def f(x):\n{body}\n", scope)  # text of our own making
        return scope["f"]

    def point(self):
        """Where it is checked, and two directions."""
        return np.random.default_rng([*self.seed, 1]).uniform(-1, 1, (3, self.size))

    def smaller(self):
        """Give programs with fewer steps: a half, a quarter, ... and at last one taken away."""
        count = len(self.steps)
        part = (count + 1) // 2
        while part and count > 1:
            for start in range(0, count, part):
                yield replace(self, steps=self.steps[:start] + self.steps[start + part :])
            part = part // 2
        if self.has_losses:
            yield replace(self, has_losses=False)


def random_long(seed, number):
    """Make long program number `number`: a body of one to four steps, repeated, or all drawn."""
    rng = np.random.default_rng([seed, number, 9])
    calls, size = int(rng.choice(LENGTHS, p=SHARES)), int(rng.choice([4, 6, 8]))
    body = [drawn_step(rng, size) for _ in range(int(rng.integers(1, 5)))]
    is_loop, has_losses = bool(rng.random() < 0.6), bool(rng.random() < 0.25)
    steps = []
    while sum(STEPS[name].calls for within, _ in steps for name in within) < calls:
        steps += body if is_loop else [drawn_step(rng, size)]
    return Long((seed, number), size, tuple(steps), has_losses)

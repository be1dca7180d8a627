"""Programs: arguments, lines, the function that they make, and the blocks of its derivatives."""

from dataclasses import dataclass

import numpy as np

import eingrad as eg
from fuzzing.helpers import Helpers


@dataclass(frozen=True)
class Step:
    """One line: ``v3 = xp.sin(v1)``."""

    text: str  # operands as {0}, {1}
    operands: tuple[int, ...]
    analytic: bool = True


@dataclass(frozen=True)
class Program:
    """Inputs, lines, and what to check."""

    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    argnums: int | tuple[int, ...]
    steps: tuple[Step, ...]
    order: int
    seed: tuple[int, int]

    @property
    def analytic(self):
        return all(s.analytic for s in self.steps)

    @property
    def complex(self):
        return any(np.dtype(d).kind == "c" for d in self.dtypes)

    @property
    def every(self):
        """The arguments that are differentiated, as a tuple."""
        return self.argnums if isinstance(self.argnums, tuple) else (self.argnums,)

    def inputs(self):
        rng = np.random.default_rng([*self.seed, 1])
        arrays = []
        for shape, dtype in zip(self.shapes, self.dtypes, strict=True):
            x = rng.uniform(-1, 1, shape)
            if np.dtype(dtype).kind == "c":
                x = x + 1j * rng.uniform(-1, 1, shape)
            if np.dtype(dtype).kind == "i":
                x = rng.integers(-2, 3, shape) if self.seed[1] % 2 else rng.integers(1, 4, shape)
            x = np.asarray(x, dtype)
            x.flags.writeable = False
            arrays.append(x)
        return arrays

    def wide(self):
        """The inputs in double precision."""
        return [np.asarray(x, complex if x.dtype.kind == "c" else float) for x in self.inputs()]

    def lines(self):
        n = len(self.shapes)
        return [
            f"v{n + k} = " + s.text.format(*(f"v{i}" for i in s.operands))
            for k, s in enumerate(self.steps)
        ]

    def function(self, xp=np, precision=np.float64, helpers=Helpers, extra=()):
        """Make the function; `extra` are lines to be put after others, by their number."""
        names = ", ".join(f"v{k}" for k in range(len(self.shapes)))
        last = len(self.shapes) + len(self.steps) - 1
        lines = [*self.lines(), f"return v{last}"]
        for after, line in extra:
            lines.insert(after, line)
        body = "\n".join(f"    {line}" for line in lines)
        if precision != np.float64:
            body = body.replace("np.float64", "np.float32").replace("float_power", "power")
        scope = helpers(precision).scope(xp)
        exec(f"def f({names}):\n{body}\n", scope)  # text of our own making
        return scope["f"]

    def __str__(self):
        head = (
            f"# seed {self.seed[0]}, program {self.seed[1]}: order {self.order} in {self.argnums}"
        )
        inputs = [
            f"v{k}: {dtype}, shape {shape}"
            for k, (shape, dtype) in enumerate(zip(self.shapes, self.dtypes, strict=True))
        ]
        return "\n".join([head, *inputs, *self.lines()])


def value_of(step, values, xp=np):
    """Value of one line."""
    text = step.text.format(*(f"v[{i}]" for i in step.operands))
    return eval(text, {**Helpers(np.float64).scope(xp), "v": values})


def plan_of(program, f, order, args):
    """Plan a derivative; called, it gives its blocks by the arguments they are for."""
    plan = eg.derivative(f, order, program.argnums).plan(*args)
    return lambda *moved: blocks(program, plan(*moved), order)


def blocks(program, nested, order):
    """Blocks of a derivative by the arguments they are for, however the result is nested."""
    if order == 0 or isinstance(program.argnums, int):
        return {program.every * order: nested}
    return {
        (k, *rest): block
        for k, part in zip(program.every, nested, strict=True)
        for rest, block in blocks(program, part, order - 1).items()
    }

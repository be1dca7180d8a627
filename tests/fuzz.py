"""Differential fuzzer: random NumPy programs, their derivatives against independent oracles.

    python tests/fuzz.py --programs 100000 --seed 0 --jobs 2

A program is a few lines of NumPy, and prints as such. Each is a pure function of its number and
the seed. It is checked, to order three:

- *value*: order zero against NumPy itself;
- *step*: order n against the complex step of the program of order n - 1 (analytic programs), or
  against eighth-order differences of it (all others, and complex arguments);
- *reference*: the planned code against the plain evaluator of the same expression;
- *dtype*: float32 stays float32, integers are float64;
- *jax*: against JAX, where it is installed and has the functions; a sample, for it is slow.

Tolerance: the error may be a multiple of the loss that the same program shows in single precision,
scaled to double: cancellation and condition are measured, not guessed. A case whose loss is above
`LARGEST_LOSS`, or whose difference quotients disagree at two steps (a kink in between), is excluded
and counted. A failure prints the seed and a minimised program; the exit status is 1.
"""

import argparse
import itertools
import sys
import traceback
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))  # run as a script, it finds the reference evaluator
from reference import evaluate

import eingrad as eg
from eingrad import _ir

EPS = 2.0**-52
EPS32 = 2.0**-23
SAFETY = 200  # times the loss that single precision shows
LARGEST_LOSS = 1e6  # digits lost beyond which an error means nothing
MOST_ENTRIES = 1500  # of a derivative; the order is lowered until it fits
MOST_STEPS = 6


def K(*shape, seed=0):
    """Give an array of fixed numbers between 0.5 and 1.5, alternating in sign with odd seeds."""
    count = int(np.prod(shape, dtype=int))
    values = 1 + 0.5 * np.sin(np.arange(count) + seed)
    return (values * (-1.0) ** (np.arange(count) * seed)).reshape(shape)


def F(*shape):
    """Give fixed flags."""
    return K(*shape, seed=3) > 0


# Programs ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One line: ``v3 = xp.sin(v1)``."""

    text: str  # operands as {0}, {1}
    operands: tuple[int, ...]
    analytic: bool = True
    in_jax: bool = True


@dataclass(frozen=True)
class Program:
    """Inputs, lines, and what to check."""

    shapes: tuple[tuple[int, ...], ...]
    kind: str  # of the inputs: float, complex, single, integer
    steps: tuple[Step, ...]
    order: int
    seed: tuple[int, int]

    @property
    def analytic(self):
        return all(s.analytic for s in self.steps)

    def inputs(self):
        rng = np.random.default_rng([*self.seed, 1])
        arrays = []
        for shape in self.shapes:
            x = rng.uniform(-1, 1, shape)
            if self.kind == "complex":
                x = x + 1j * rng.uniform(-1, 1, shape)
            if self.kind == "single":
                x = x.astype(np.float32)
            if self.kind == "integer":
                x = rng.integers(-2, 3, shape)
            x = np.asarray(x)
            x.flags.writeable = False
            arrays.append(x)
        return arrays

    def lines(self):
        n = len(self.shapes)
        return [
            f"v{n + k} = " + s.text.format(*(f"v{i}" for i in s.operands))
            for k, s in enumerate(self.steps)
        ]

    def function(self, xp=np):
        names = ", ".join(f"v{k}" for k in range(len(self.shapes)))
        last = len(self.shapes) + len(self.steps) - 1
        body = "\n".join(f"    {line}" for line in [*self.lines(), f"return v{last}"])
        scope = {"xp": xp, "K": K, "F": F, "np": np}
        exec(f"def f({names}):\n{body}\n", scope)  # text of our own making
        return scope["f"]

    def __str__(self):
        head = f"# seed {self.seed[0]}, program {self.seed[1]}: order {self.order}, {self.kind}"
        inputs = [f"v{k}: shape {shape}" for k, shape in enumerate(self.shapes)]
        return "\n".join([head, *inputs, *self.lines()])


def random_shape(rng, ndim):
    return tuple(
        int(rng.choice([0, 1, 2, 3, 4], p=[0.05, 0.1, 0.35, 0.35, 0.15])) for _ in range(ndim)
    )


def random_program(seed, number):
    """Make program number `number`: lines are drawn until enough fit their operands' shapes."""
    rng = np.random.default_rng([seed, number])
    shapes = tuple(random_shape(rng, int(rng.integers(0, 4))) for _ in range(rng.integers(1, 4)))
    if rng.random() < 0.4:
        shapes = (shapes[0],) * len(shapes)
    kind = str(rng.choice(["float", "complex", "single", "integer"], p=[0.6, 0.15, 0.15, 0.1]))
    wanted = int(rng.integers(1, MOST_STEPS + 1))
    program = Program(shapes, kind, (), int(rng.integers(1, 4)), (seed, number))
    with np.errstate(all="ignore"):
        values = [np.asarray(x, complex if kind == "complex" else float) for x in program.inputs()]
        for _ in range(60):
            if len(program.steps) == wanted:
                break
            step = random_step(rng, values, kind)
            if step is None:
                continue
            longer = replace(program, steps=(*program.steps, step))
            value = run_line(step, values)
            if value is None or value.size > 60 or value.ndim > 4:
                continue
            if not np.all(np.isfinite(value)) or np.max(np.abs(value), initial=0) > 1e3:
                continue
            program, values = longer, [*values, value]
    return program


def run_line(step, values):
    """Value of one line, None where NumPy refuses it."""
    text = step.text.format(*(f"v[{i}]" for i in step.operands))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(eval(text, {"xp": np, "K": K, "F": F, "np": np, "v": values}))
    except (ValueError, TypeError, IndexError, np.linalg.LinAlgError, ZeroDivisionError):
        return None


def random_step(rng, values, kind):
    n = len(values)
    recent = lambda: n - 1 - min(int(rng.geometric(0.6)) - 1, n - 1)  # noqa: E731
    first, second = recent(), int(rng.integers(0, n))
    if rng.random() < 0.3:
        first, second = second, first
    analytic_only = kind == "complex"
    maker = MAKERS[int(rng.integers(len(MAKERS)))]
    return maker(rng, values, first, second, analytic_only)


# Lines -------------------------------------------------------------------------------------------

# Functions are kept where they are tame, so that three derivatives are of moderate size.
UNARY = [
    "xp.sin({0})", "xp.cos({0})", "xp.tanh(0.7 * {0})", "xp.exp(0.3 * {0})", "xp.expm1(0.3 * {0})",
    "xp.exp2(0.3 * {0})", "xp.log1p(0.2 * {0} * {0})", "xp.log(3 + xp.sin({0}))",
    "xp.log2(3 + xp.cos({0}))", "xp.log10(3 + xp.cos({0}))", "xp.sqrt(1.5 + xp.sin({0}))",
    "xp.reciprocal(2 + xp.sin({0}))", "xp.square({0})", "1 / (2.5 + xp.cos({0}))",
    "(2 + xp.sin({0})) ** 1.5", "0.2 * {0} ** 3", "0.5 * {0} - 1", "-{0}", "{0} / 3",
    "xp.power(2 + xp.sin({0}), -0.5)", "2 ** (0.3 * {0})", "xp.tan(0.3 * xp.sin({0}))",
    "xp.arcsin(0.5 * xp.sin({0}))", "xp.arccos(0.5 * xp.sin({0}))", "xp.arctan({0})",
    "xp.sinh(0.5 * {0})", "xp.cosh(0.5 * {0})", "xp.arcsinh(0.5 * {0})",
    "xp.arccosh(2.5 + xp.sin({0}))", "xp.arctanh(0.5 * xp.sin({0}))", "xp.float_power(2 + xp.cos({0}), 1.7)",
    "xp.positive({0})", "{0} ** 0", "{0} - {0}", "xp.where(F(*{0}.shape), {0}, xp.sin({0}))",
    "xp.where(F(*{0}.shape), 2.0, {0} * {0})", "K(*{0}.shape) * {0}", "K(*{0}.shape, seed=1) + {0}",
]  # fmt: skip
UNARY_REAL = [
    "xp.deg2rad(30 * {0})", "xp.rad2deg(0.02 * {0})",
    "xp.abs({0})", "xp.sign({0}) * {0}", "xp.maximum({0}, 0.1)", "xp.minimum({0}, -0.1)",
    "xp.clip({0}, -0.4, 0.6)", "xp.cbrt(1.5 + xp.sin({0}))", "xp.where({0} > 0, {0}, xp.sin({0}))",
    "xp.where({0} > 0.2, xp.log({0}), {0})", "xp.where({0} == 0, 1.0, xp.sin({0}) / {0})",
    "xp.logaddexp({0}, 0.5)", "xp.floor({0}) + {0}", "xp.rint(3 * {0}) * {0}", "xp.fabs({0})",
    "xp.logaddexp2({0}, -{0})", "xp.hypot({0}, 1.0)", "xp.arctan2({0}, 2.0)", "xp.ceil({0}) * {0}",
    "xp.trunc(2 * {0}) + {0}", "xp.real({0}) * {0}", "xp.select([{0} > 0.5, {0} > 0], [{0} ** 3, {0} ** 2], {0})",
    "xp.where(xp.logical_and({0} > -0.5, ~({0} > 0.5)), {0} ** 2, 1)",
]  # fmt: skip
BINARY = [
    "{0} + {1}", "{0} - 2 * {1}", "{0} * {1}", "{0} / (2.5 + xp.sin({1}))", "{0} @ {1}",
    "xp.matmul({0}, {1})", "xp.dot({0}, {1})", "xp.inner({0}, {1})", "xp.outer({0}, {1})",
    "xp.kron({0}, {1})", "xp.tensordot({0}, {1}, 1)", "xp.tensordot({0}, {1}, 0)",
    "(2 + xp.sin({0})) ** {1}", "xp.concatenate([{0}, {1}])", "xp.stack([{0}, {1}], -1)",
    "xp.vstack([{0}, {1}])", "xp.hstack([{0}, {1}, {0}])", "xp.dstack([{0}, {1}])",
    "xp.column_stack([{0}, {1}])", "xp.append({0}, {1})", "xp.where(F(*{0}.shape), {0}, {1})",
    "xp.cross({0}, {1})", "xp.linalg.multi_dot([{0}, {1}, {0}.T])",
    "xp.linalg.solve(0.2 * {0} + 3 * np.eye({0}.shape[-1]), {1})",
    "xp.einsum('ij,jk->ik', {0}, {1})", "xp.einsum('ij,ij->j', {0}, {1})", "xp.einsum('i,ij', {0}, {1})",
    "xp.einsum('...i,...i', {0}, {1})", "xp.einsum('ii,j->ij', {0}, {1})", "xp.einsum('ij,kj->kji', {0}, {1})",
    "xp.einsum('ijk,k->ji', {0}, {1})", "xp.block([{0}, {1}])",
    "xp.multiply(*xp.broadcast_arrays({0}, {1}))", "xp.multiply(*xp.meshgrid({0}, {1}))",
    "xp.trapezoid({0}, 3 * np.arange({0}.shape[-1]) + xp.sin({1}))", "xp.linalg.tensordot({0}, {1}, axes=1)",
    "xp.multiply.outer({0}, {1})", "xp.add.outer({0}, {1})",
]  # fmt: skip
BINARY_REAL = [
    "xp.maximum({0}, {1})", "xp.minimum({0}, {1})", "xp.hypot({0}, {1} + 2)", "xp.vdot({0}, {1})",
    "xp.arctan2({0}, 2 + xp.sin({1}))", "xp.logaddexp({0}, {1})", "xp.where({0} > {1}, {0} * {1}, {1})",
    "xp.clip({0}, {1} - 0.3, {1} + 0.3)", "xp.where({0} != 0, {1} / {0}, {1})", "xp.vecdot({0}, {1})",
    "xp.average({0}, weights=2 + xp.sin({1}))",
]  # fmt: skip
REDUCTIONS = ["sum", "mean", "prod"]
REDUCTIONS_REAL = ["var", "std", "max", "min", "ptp"]
MATRIX = [
    "xp.linalg.inv(0.2 * {0} + 3 * np.eye({0}.shape[-1]))",
    "0.1 * xp.linalg.det(0.2 * {0} + 2 * np.eye({0}.shape[-1]))", "xp.trace({0})", "xp.diagonal({0})",
    "xp.einsum('ii->i', {0})", "xp.einsum('ii', {0})", "xp.linalg.matrix_power({0}, 2)",
    "xp.linalg.matrix_power({0}, 3)", "xp.linalg.matrix_power({0}, 0)",
    "xp.linalg.matrix_power(0.2 * {0} + 3 * np.eye({0}.shape[-1]), -2)", "{0}.T @ {0}",
    "xp.tril({0})", "xp.triu({0}, 1)", "xp.linalg.slogdet(0.2 * {0} + 2 * np.eye({0}.shape[-1]))[1]",
    "xp.rot90({0})", "xp.fliplr({0})", "xp.linalg.trace({0})", "xp.linalg.diagonal({0})",
]  # fmt: skip
LAYOUT = [
    "xp.ravel({0})", "{0}.T", "xp.transpose({0})", "xp.flip({0})", "xp.roll({0}, 1)", "xp.tile({0}, 2)",
    "xp.repeat({0}, 2)", "xp.diag({0})", "xp.diagflat({0}, 1)", "xp.atleast_2d({0})", "xp.squeeze({0})",
    "{0}[None]", "{0}[..., None]", "xp.ravel({0}, order='F')", "xp.ediff1d({0})", "xp.reshape({0}, {0}.shape[::-1])",
    "xp.atleast_3d({0})", "xp.matrix_transpose({0})", "xp.flipud({0})", "xp.rot90({0}, 2)", "xp.copy({0})",
    "xp.cumsum({0})", "xp.cumprod(0.5 * {0})", "xp.broadcast_to({0}, (2, *{0}.shape))",
]  # fmt: skip
NOT_IN_JAX = (
    "float_power", "diagflat", "outer(", "ediff1d", "cbrt", "select", "F')", "trapezoid",
    "order='F'", "real(",
)  # fmt: skip


def _step(text, *operands, analytic=True):
    in_jax = not any(name in text for name in NOT_IN_JAX)
    return Step(text, operands, analytic, in_jax)


def _pick(rng, items):
    return items[int(rng.integers(len(items)))]


def unary(rng, values, a, b, analytic_only):
    real = not analytic_only and rng.random() < 0.35
    return _step(_pick(rng, UNARY_REAL if real else UNARY), a, analytic=not real)


def binary(rng, values, a, b, analytic_only):
    real = not analytic_only and rng.random() < 0.25
    return _step(_pick(rng, BINARY_REAL if real else BINARY), a, b, analytic=not real)


def reduction(rng, values, a, b, analytic_only):
    ndim = values[a].ndim
    real = not analytic_only and rng.random() < 0.5
    name = _pick(rng, REDUCTIONS_REAL if real else REDUCTIONS)
    axis = _pick(rng, ["None", *map(str, range(-ndim, ndim)), *(["(0, -1)"] if ndim > 1 else [])])
    keepdims = rng.random() < 0.3
    more = ""
    if rng.random() < 0.15 and name in ("sum", "prod", "max", "min"):
        more = f", initial={_pick(rng, ['0.5', '1.5'])}"
    if rng.random() < 0.15 and name not in ("ptp",) and not (name in ("max", "min") and not more):
        more += ", where=F(*{0}.shape)"
    return _step(f"xp.{name}({{0}}, axis={axis}, keepdims={keepdims}{more})", a, analytic=not real)


def norm(rng, values, a, b, analytic_only):
    if analytic_only:
        return None
    ndim = values[a].ndim
    order = _pick(rng, ["None", "2", "1", "np.inf", "-np.inf", "3", "'fro'", "-1", "2.5"])
    axis = _pick(rng, ["None", *map(str, range(-ndim, ndim)), *(["(0, 1)"] if ndim > 1 else [])])
    return _step(f"xp.linalg.norm({{0}}, {order}, {axis})", a, analytic=False)


def matrix(rng, values, a, b, analytic_only):
    if values[a].ndim < 2:
        return None
    text = _pick(rng, MATRIX)
    real = "slogdet" in text
    return None if real and analytic_only else _step(text, a, analytic=not real)


def layout(rng, values, a, b, analytic_only):
    return _step(_pick(rng, LAYOUT), a)


def along_an_axis(rng, values, a, b, analytic_only):
    ndim, shape = values[a].ndim, values[a].shape
    if not ndim:
        return None
    axis = int(rng.integers(-ndim, ndim))
    n = shape[axis]
    name = _pick(rng, ["cumsum", "cumprod", "diff", "roll", "flip", "repeat", "take", "swapaxes",
                       "moveaxis", "expand_dims", "split", "pad", "delete", "compress"])  # fmt: skip
    texts = {
        "cumsum": f"xp.cumsum({{0}}, {axis})",
        "cumprod": f"xp.cumprod({{0}}, axis={axis})",
        "diff": f"xp.diff({{0}}, {int(rng.integers(0, 3))}, axis={axis})",
        "roll": f"xp.roll({{0}}, {int(rng.integers(-4, 5))}, axis={axis})",
        "flip": f"xp.flip({{0}}, {axis})",
        "repeat": f"xp.repeat({{0}}, {int(rng.integers(0, 3))}, axis={axis})",
        "take": f"xp.take({{0}}, np.array({rng.integers(0, max(n, 1), 3).tolist()}), axis={axis})",
        "swapaxes": f"xp.swapaxes({{0}}, {axis}, 0)",
        "moveaxis": f"xp.moveaxis({{0}}, {axis}, -1)",
        "expand_dims": f"xp.expand_dims({{0}}, {axis})",
        "split": f"xp.split({{0}}, [1], axis={axis})[{int(rng.integers(0, 2))}]",
        "pad": f"xp.pad({{0}}, {int(rng.integers(0, 3))}, "
        f"mode={_pick(rng, ['constant', 'edge', 'reflect', 'symmetric', 'wrap'])!r})",
        "delete": f"xp.delete({{0}}, {int(rng.integers(0, max(n, 1)))}, axis={axis})",
        "compress": f"xp.compress({(rng.random(n) > 0.4).tolist()}, {{0}}, axis={axis})",
    }
    return _step(texts[name], a)


def indexing(rng, values, a, b, analytic_only):
    shape = values[a].shape
    if not shape:
        return None
    parts = []
    for n in shape[: int(rng.integers(1, len(shape) + 1))]:
        kind = rng.random()
        if kind < 0.2 and n:
            parts.append(str(int(rng.integers(-n, n))))
        elif kind < 0.6:
            step = int(rng.choice([-2, -1, 1, 1, 2]))
            ends = [_pick(rng, ["", str(int(rng.integers(-4, 5)))]) for _ in range(2)]
            parts.append(f"{ends[0]}:{ends[1]}:{step}")
        elif kind < 0.85 and n:
            parts.append(f"np.array({rng.integers(-n, n, int(rng.integers(1, 4))).tolist()})")
        elif kind < 0.95:
            parts.append(f"np.array({(rng.random(n) > 0.4).tolist()}, bool)")
        else:
            parts.append("None, :")
    if rng.random() < 0.2:
        parts.insert(int(rng.integers(0, len(parts) + 1)), "...")
    return _step(f"{{0}}[{', '.join(parts)}]", a)


def reshaping(rng, values, a, b, analytic_only):
    size = values[a].size
    shapes = [
        s for s in itertools.product(range(1, 7), repeat=int(rng.integers(1, 4)))
        if np.prod(s) == size
    ]  # fmt: skip
    if not shapes:
        return None
    order = _pick(rng, ["", "", ", order='F'"])
    return _step(f"xp.reshape({{0}}, {_pick(rng, shapes)}{order})", a)


MAKERS = [
    unary, unary, unary, binary, binary, binary, reduction, norm, matrix, layout, along_an_axis,
    indexing, reshaping,
]  # fmt: skip


# Oracles -----------------------------------------------------------------------------------------


class Mismatch(Exception):
    """A derivative that is wrong."""


class Excluded(Exception):
    """A case in which no oracle can tell."""


def blocks(nested, depth):
    """Entries of tuples nested so deep, with their positions."""
    if depth == 0:
        return [((), np.asarray(nested))]
    return [
        ((k, *rest), block)
        for k, part in enumerate(nested)
        for rest, block in blocks(part, depth - 1)
    ]


def derivatives_to(program):
    """Plans of every order up to the one wanted that is small enough."""
    f, args = program.function(), program.inputs()
    every = tuple(range(len(args)))
    entries = sum(a.size for a in args)
    value = np.asarray(f(*[np.asarray(a, float) if program.kind == "integer" else a for a in args]))
    order = program.order
    while order > 1 and max(value.size, 1) * max(entries, 1) ** order > MOST_ENTRIES:
        order -= 1
    return f, args, every, value, order


def close(actual, expected, loss, what):
    if actual.shape != expected.shape:
        raise Mismatch(f"{what}: shape {actual.shape}, not {expected.shape}")
    finite = np.isfinite(expected)
    if not np.array_equal(finite, np.isfinite(actual)):
        raise Mismatch(f"{what}: {np.sum(~np.isfinite(actual))} entries are not finite, "
                       f"{np.sum(~finite)} expected")  # fmt: skip
    error = np.max(np.abs(actual - expected)[finite], initial=0.0)
    scale = 1 + np.max(np.abs(expected)[finite], initial=0.0)
    if error > loss * scale:
        raise Mismatch(f"{what}: error {error:.2e} at scale {scale:.2e}, allowed {loss:.2e}")


def check(program, *, with_jax=False):
    """Raise `Mismatch` where a derivative is wrong, `Excluded` where nothing can tell."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _check(program, with_jax=with_jax)


def _check(program, *, with_jax):
    f, args, every, value, order = derivatives_to(program)
    at = [np.asarray(a, float) if program.kind in ("single", "integer") else a for a in args]
    plans = [eg.derivative(f, n, every).plan(*at) for n in range(order + 1)]
    results = [blocks(plan(*at), n) for n, plan in enumerate(plans)]
    losses = _losses(program, f, at, every, order, results)
    exact = np.asarray(f(*at))
    close(results[0][0][1], exact, SAFETY * EPS * losses[0], "value")
    for n in range(1, order + 1):
        for where, block in results[n]:
            if not np.all(np.isfinite(block)):
                raise Excluded("a derivative that is not finite")
            *below, k = where
            expected = _stepped(program, f, plans, n, tuple(below), at, k)
            rough = 1e-13 if program.analytic and program.kind != "complex" else 1e-8
            loss = SAFETY * EPS * losses[n] + rough * max(1.0, losses[n - 1] ** 0.5)
            close(block, expected, loss, f"order {n}, block {where}")
    _check_reference(f, every, order, at, results, losses)
    if program.kind in ("single", "integer"):
        _check_dtype(program, f, args, every, order, value, results, losses)
    if with_jax and program.kind == "float" and all(s.in_jax for s in program.steps):
        _check_jax(program, at, order, results, losses)


def _losses(program, f, at, every, order, results):
    """How many units of the last place each order loses, seen in single precision."""
    narrow = np.complex64 if program.kind == "complex" else np.float32
    small = [np.asarray(a, narrow) for a in at]
    rounded = [a.astype(b.dtype) for a, b in zip(small, at, strict=True)]
    losses = []
    for n in range(order + 1):
        single = blocks(eg.derivative(f, n, every)(*small), n)
        same_points = blocks(eg.derivative(f, n, every)(*rounded), n)
        loss = 1.0
        for (_, a), (_, b) in zip(single, same_points, strict=True):
            scale = 1 + np.max(np.abs(b), initial=0.0)
            apart = np.max(np.abs(a - b), initial=0.0)
            moved = 0.0
            if a.dtype.itemsize < b.dtype.itemsize:
                moved = apart / scale / EPS32
            if not np.isfinite(moved) or moved > LARGEST_LOSS:
                raise Excluded("too many digits are lost to tell")
            loss = max(loss, moved)
        losses.append(loss)
    return losses


def _stepped(program, f, plans, n, below, at, k):
    """Differentiate the order below in argument k, entry after entry."""

    def lower(x):
        moved = [*at[:k], x, *at[k + 1 :]]
        if n == 1:
            return np.asarray(f(*moved))
        plan = plans[n - 1] if x.dtype == at[k].dtype else complex_plan(moved)
        return dict(blocks(plan(*moved), n - 1))[below]

    made = []

    def complex_plan(moved):
        if not made:
            made.append(eg.derivative(f, n - 1, tuple(range(len(at)))).plan(*moved))
        return made[0]

    x = at[k]
    complex_step = program.analytic and program.kind != "complex"
    columns = []
    for position in np.ndindex(x.shape):
        direction = np.zeros(x.shape)
        direction[position] = 1
        if complex_step:
            columns.append(np.imag(lower(np.asarray(x + 1e-30j * direction))) / 1e-30)
        else:
            columns.append(_difference(lower, x, direction))
    if not columns:
        return np.zeros((*lower(x).shape, *x.shape))
    return np.stack(columns, -1).reshape((*columns[0].shape, *x.shape))


_STENCIL = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}  # eighth order


def _difference(lower, x, direction):
    """Eighth-order difference quotients at two steps, which must agree."""
    quotients = []
    for h in (2e-3, 1e-3):
        terms = [
            c
            * (lower(np.asarray(x + m * h * direction)) - lower(np.asarray(x - m * h * direction)))
            for m, c in _STENCIL.items()
        ]
        quotients.append(sum(terms) / h)
    scale = 1 + np.max(np.abs(quotients[1]), initial=0.0)
    if not np.max(np.abs(quotients[0] - quotients[1]), initial=0.0) <= 1e-8 * scale:
        raise Excluded("a kink, or too rough for differences")
    return quotients[1]


def _check_reference(f, every, order, at, results, losses):
    """The planned code against the plain evaluator of the expression it was planned from."""
    derived = eg.derivative(f, order, every)
    for (where, block), (_, expression) in zip(
        results[order], _expressions(derived.expression(*at), order), strict=True
    ):
        node = expression._node
        values = {n: at[n.key[2]] for n in _ir.inputs([node])}
        _ir.verify([node])
        close(block, evaluate(node, values), SAFETY * EPS * losses[order], f"reference {where}")


def _expressions(nested, depth):
    if depth == 0:
        return [((), nested)]
    return [
        ((k, *rest), leaf)
        for k, part in enumerate(nested)
        for rest, leaf in _expressions(part, depth - 1)
    ]


def _check_dtype(program, f, args, every, order, value, results, losses):
    """The dtype is NumPy's for the value; the numbers are those of double precision."""
    wide = program.kind == "integer"
    for n in range(order + 1):
        for (where, block), (_, same) in zip(
            blocks(eg.derivative(f, n, every)(*args), n), results[n], strict=True
        ):
            if block.dtype != (np.float64 if wide else value.dtype):
                raise Mismatch(f"order {n}, block {where}: dtype {block.dtype}, not {value.dtype}")
            unit = EPS if block.dtype == np.float64 and wide else EPS32
            close(block, same, SAFETY * unit * losses[n], f"{program.kind}, order {n}, {where}")


def _check_jax(program, at, order, results, losses):
    import jax  # noqa: PLC0415 - an optional oracle

    jax.config.update("jax_enable_x64", True)
    g = program.function(jax.numpy)
    for n in range(1, order + 1):
        g = jax.jacfwd(g, tuple(range(len(at)))) if n > 1 else jax.jacrev(g, tuple(range(len(at))))
        try:
            expected = blocks(g(*at), n)
        except (TypeError, ValueError, NotImplementedError, AttributeError, IndexError):
            return  # not a function of JAX's, or not with these arguments
        for (where, block), (_, other) in zip(results[n], expected, strict=True):
            if np.all(np.isfinite(other)):
                close(block, other, SAFETY * EPS * losses[n] + 1e-12, f"jax, order {n}, {where}")


# Runs --------------------------------------------------------------------------------------------


def failure_of(program, *, with_jax=False):
    """Return what is wrong with a program; None if nothing, `Excluded` if it cannot be told."""
    try:
        check(program, with_jax=with_jax)
    except Excluded as reason:
        return reason
    except Exception as error:
        return error
    return None


def minimised(program, *, with_jax=False):
    """Drop lines and orders while the program still fails in the same way."""
    kind = type(failure_of(program, with_jax=with_jax))
    changed = True
    while changed:
        changed = False
        for smaller in _smaller(program):
            if type(failure_of(smaller, with_jax=with_jax)) is kind:
                program, changed = smaller, True
                break
    return program


def _smaller(program):
    steps, n = program.steps, len(program.shapes)
    if program.order > 1:
        yield replace(program, order=program.order - 1)
    if program.kind != "float":
        yield replace(program, kind="float")
    for k in range(len(steps) - 1, -1, -1):
        if k == len(steps) - 1:
            if k:
                yield replace(program, steps=steps[:-1])
            continue
        for stand_in in steps[k].operands:
            moved = lambda i, k=k, s=stand_in: s if i == n + k else i - (i > n + k)  # noqa: E731
            rest = [replace(s, operands=tuple(map(moved, s.operands))) for s in steps[k + 1 :]]
            yield replace(program, steps=(*steps[:k], *rest))


def run_range(seed, numbers, jax_share):
    """Check programs; return counts and the failures, minimised."""
    counts: Counter[str] = Counter()
    failures = []
    for number in numbers:
        program = random_program(seed, number)
        with_jax = jax_share > 0 and number % round(1 / jax_share) == 0
        found = failure_of(program, with_jax=with_jax)
        counts["programs"] += 1
        counts[f"lines {len(program.steps)}"] += 1
        counts[program.kind] += 1
        if isinstance(found, Excluded):
            counts["excluded"] += 1
            counts[f"excluded: {found}"] += 1
        elif found is not None:
            counts["failed"] += 1
            small = minimised(program, with_jax=with_jax)
            error = failure_of(small, with_jax=with_jax)
            text = "".join(traceback.format_exception_only(error)).strip()
            where = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else ""
            failures.append(f"{small}\n{text}\n  {where}\n")
    return counts, failures


def main(arguments=None):
    """Run many programs; the exit status is 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first program")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--jax", type=float, default=0.02, help="share that JAX checks too")
    options = parser.parse_args(arguments)
    chunk = 100
    starts = range(options.first, options.first + options.programs, chunk)
    end = options.first + options.programs
    shards = [range(start, min(start + chunk, end)) for start in starts]
    total: Counter[str] = Counter()
    failed = 0
    with ProcessPoolExecutor(options.jobs) as pool:
        jobs = [pool.submit(run_range, options.seed, shard, options.jax) for shard in shards]
        for job in jobs:
            counts, failures = job.result()
            total.update(counts)
            failed += len(failures)
            for text in failures:
                print(text, flush=True)
    for name, count in sorted(total.items()):
        print(f"{name}: {count}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

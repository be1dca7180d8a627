"""Differential fuzzer: random NumPy programs, their derivatives against independent oracles.

    python tests/fuzz.py --programs 100000 --seed 0 --jobs 2

A program is a few lines of NumPy, and prints as such. Each is a pure function of its number and
the seed. Program k holds a line made from template k modulo their number, so that every template,
and so every supported function, is met again and again. A program is checked, to order three and
in all its arguments or some:

- *value*: order zero against NumPy itself, dtype included;
- *step*: order one against the complex step of NumPy's own result (analytic programs) or
  eighth-order differences of it (all others, and complex arguments); order n against the same of
  the plan of order n - 1, which was checked before;
- *reference*: the planned code against the plain evaluator of the same expression;
- *print*: every order is written in text and in LaTeX, and the text, read by the independent reader
  of `formula_reader`, has the value of the plan; texts of more than `LONGEST_READ` characters are
  not read;
- *range*: inputs and constants near the ends of the range of float64 and float32, where all that
  the program computes is what it was; lines with such constants are among the templates;
- *written*: a line that changes a value in place is refused, or gives what NumPy gives;
- *memory*: arrays whose memory NumPy does not own, which can be locked but not unlocked;
- *standard*: the steps of a plan, interpreted on arrays of the array API standard, against its
  source;
- *filled*: arrays that are given for the results, in either order, and what is traced once;
- *dtype*: each dtype keeps itself as in NumPy, integers become float64, mixtures promote;
- *jax*: against JAX, where it is installed and has the functions; a sample, for it is slow.

Tolerance: the error may be a multiple of the loss that the same program shows in single precision,
scaled to double: cancellation and condition are measured, not guessed. Where matrices are inverted
it may be `n` times their condition at the least, for the single-precision routines of some LAPACKs
carry more digits than that: at a condition of 12,523 NumPy's own `solve` was 160 units of the last
place from mpmath in double precision, and 0.01 units in single. A difference quotient may
be wrong by 1e-8 more, to which two step sizes must agree, and by the rounding that its step
amplifies. A case whose loss is above `LARGEST_LOSS`, or whose difference quotients disagree (a kink
in between), is excluded and counted. A derivative that is not finite is a failure where the
oracle is. A failure prints the seed and a minimised program; the exit status is 1.
"""

import argparse
import itertools
import re
import string
import sys
import traceback
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import array_api_strict
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))  # run as a script, it finds the reference evaluator
from formula_reader import check_latex, read
from inside import kernel_of, node_of
from reference import evaluate

import eingrad as eg
from eingrad import _formula, _ir
from eingrad._run import Kernel
from eingrad._run.interpret import interpret
from eingrad._tree import flatten

EPS = 2.0**-52
UNITS = {2: 2.0**-10, 4: 2.0**-23, 8: EPS}  # bytes of a real number -> unit of its last place
SOLVERS = {"solve", "inv", "det", "slogdet", "tensorsolve", "tensorinv", "matrix_power"}
SAFETY = 200  # times the loss that single precision shows
LARGEST_LOSS = 1e6  # digits lost beyond which an error means nothing
AGREEMENT = 1e-8  # of difference quotients at two steps
LARGEST_KINK = 1e-5  # difference of the slopes on both sides; a smooth one leaves h**3
LARGEST_SLOPE = 1e6  # a complex step beyond it may stand for an infinite derivative
MOST_ENTRIES = 1500  # of a derivative; orders above it are not checked
MOST_LINES = 150  # of a plan; nor are the orders above it
MOST_STEPS = 6
LONGEST_READ = 600  # characters of a formula that is also evaluated


class Helpers:
    """Constants that programs capture, in one precision."""

    def __init__(self, dtype):
        self.dtype = dtype

    def K(self, *shape, seed=0):
        """Give fixed numbers between 0.5 and 1.5, alternating in sign with odd seeds."""
        count = int(np.prod(shape, dtype=int))
        values = 1 + 0.5 * np.sin(np.arange(count) + seed)
        return (values * (-1.0) ** (np.arange(count) * seed)).reshape(shape).astype(self.dtype)

    def F(self, *shape):
        """Give fixed flags."""
        return self.K(*shape, seed=3) > 0

    def E(self, n):
        """Give an identity matrix."""
        return np.eye(n, dtype=self.dtype)

    def R(self, n):
        """Give 0, 1, ..., n - 1."""
        return np.arange(n).astype(self.dtype)

    def Z(self, *values):
        """Give a number whose square leaves the range of the narrowest of some values."""
        dtypes = [x.dtype if x.dtype.kind in "fc" else np.dtype(float) for x in values]
        return 2.0 ** int(0.6 * min(np.finfo(dtype).maxexp for dtype in dtypes))

    def scope(self, xp):
        """Return the names that a line can use."""
        names = {"K": self.K, "F": self.F, "E": self.E, "R": self.R, "Z": self.Z}
        return {"xp": xp, "np": np, **names}


class Unwritable(Helpers):
    """The same in arrays whose flag NumPy sets once: locked, they could not be unlocked."""

    def K(self, *shape, seed=0):
        """Give fixed numbers, in memory that NumPy does not know."""
        return foreign(super().K(*shape, seed=seed))


def foreign(array):
    """Give the array in memory that NumPy looks at, but does not own."""
    return np.lib.stride_tricks.as_strided(array.copy(), array.shape)


# Programs ----------------------------------------------------------------------------------------


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


KINDS = {
    "float64": 0.5, "complex128": 0.12, "float32": 0.1, "complex64": 0.04, "int64": 0.1,
    "float16": 0.02, "mixed": 0.12,
}  # fmt: skip
SIZES = {0: 0.05, 1: 0.1, 2: 0.35, 3: 0.35, 4: 0.15}


def _drawn(rng, chances):
    return list(chances)[int(rng.choice(len(chances), p=list(chances.values())))]


def _pick(rng, items):
    return items[int(rng.integers(len(items)))]


def random_program(seed, number):
    """Make program number `number`: lines are drawn until enough fit their operands' shapes."""
    rng = np.random.default_rng([seed, number])
    template = TEMPLATES[number % len(TEMPLATES)]
    for _ in range(200):
        program = random_inputs(rng, (seed, number), real=not template.holomorphic)
        program = grown(rng, program, template)
        if program is not None:
            return program
    raise AssertionError(f"no operands fit {template.text}")


def random_inputs(rng, seed, *, real):
    """Draw arguments: shapes, dtypes, and which are differentiated."""
    count = int(rng.integers(1, 4))
    shapes = tuple(
        tuple(_drawn(rng, SIZES) for _ in range(rng.integers(0, 4))) for _ in range(count)
    )
    if rng.random() < 0.4:
        shapes = (shapes[0],) * count
    kind = _drawn(rng, KINDS)
    while real and kind.startswith("complex"):
        kind = _drawn(rng, KINDS)
    mixture = ["float64", "float32", "int64"]
    dtypes = tuple(_pick(rng, mixture) if kind == "mixed" else kind for _ in range(count))
    argnums: int | tuple[int, ...] = tuple(range(count))
    if rng.random() < 0.25:
        argnums = int(rng.integers(count))
    elif rng.random() < 0.15:
        argnums = tuple(
            sorted(rng.choice(count, int(rng.integers(1, count + 1)), replace=False).tolist())
        )
    return Program(shapes, dtypes, argnums, (), int(rng.integers(1, 4)), seed)


def grown(rng, program, template):
    """Add lines, one of them of the template; None if it does not fit these arguments."""
    wanted = int(rng.integers(1, MOST_STEPS + 1))
    place = int(rng.integers(wanted))
    values, narrow = program.wide(), program.inputs()
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", DeprecationWarning)
        for _ in range(60):
            done = len(program.steps)
            if done == wanted:
                break
            chosen = template if done == place else _pick(rng, TEMPLATES)
            step = random_step(rng, values, chosen, program.complex)
            if step is None or not is_tame(step, values):
                continue
            if "float16" in program.dtypes:  # NumPy has fewer functions of it
                if not is_tame(step, narrow, smooth=False):
                    continue
                narrow.append(value_of(step, narrow))
            program = replace(program, steps=(*program.steps, step))
            values.append(value_of(step, values))
    return used(program, place) if len(program.steps) > place else None


def used(program, place):
    """Drop the lines that do not reach the result, and the last ones if that line does not."""
    count, steps = len(program.shapes), list(program.steps)
    for end in (len(steps), place + 1):
        live = {count + end - 1}
        for k in reversed(range(end)):
            live |= set(steps[k].operands) if count + k in live else set()
        if count + place in live:
            break
    kept = [k for k in range(end) if count + k in live]
    number = {**{k: k for k in range(count)}, **{count + k: count + n for n, k in enumerate(kept)}}
    moved = [replace(steps[k], operands=tuple(number[i] for i in steps[k].operands)) for k in kept]
    return replace(program, steps=tuple(moved))


def random_step(rng, values, template, complex_values):
    """Fill a template with operands and options; None if it does not fit."""
    if complex_values and not template.holomorphic:
        return None
    n = len(values)
    recent = n - 1 - min(int(rng.geometric(0.6)) - 1, n - 1)
    first, second = recent, int(rng.integers(0, n))
    if rng.random() < 0.3:
        first, second = second, first
    try:
        text = template.filled(Options(rng, values[first]))
    except Unfit:
        return None
    operands = (first, second) if "{1}" in text else (first,)
    return Step(text, operands, template.analytic)


def value_of(step, values, xp=np):
    """Value of one line."""
    text = step.text.format(*(f"v[{i}]" for i in step.operands))
    return eval(text, {**Helpers(np.float64).scope(xp), "v": values})


def is_tame(step, values, *, smooth=True):
    """Whether NumPy accepts a line (and not for the last time), small, finite and smooth here."""
    try:
        value = value_of(step, values)
        if smooth and not step.analytic:
            check_smooth(step, values)
    except (ValueError, TypeError, IndexError, np.linalg.LinAlgError, ZeroDivisionError,
            AttributeError, DeprecationWarning, Excluded):  # fmt: skip
        return False  # AttributeError: a NumPy scalar, not an array, has fewer of them
    if np.size(value) > 60 or np.ndim(value) > 4 or np.asarray(value).dtype.kind not in "fc":
        return False
    return bool(np.all(np.isfinite(value)) and np.max(np.abs(value), initial=0) <= 1e3)


# Options of lines --------------------------------------------------------------------------------


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
        return _pick(self.rng, choices + ([str(self["pair"])] if self.ndim > 1 else []))

    def _flag(self):
        return self.rng.random() < 0.5

    def _shift(self):
        return self._integer(-4, 5)

    def _offset(self):
        return self._integer(-2, 3)

    def _few(self):
        return self._integer(0, 3)

    def _number(self):
        return _pick(self.rng, [0.5, 1.5])

    def _order(self):
        return _pick(self.rng, ["'C'", "'F'"])

    def _mode(self):
        return repr(_pick(self.rng, ["constant", "edge", "reflect", "symmetric", "wrap"]))

    def _clipping(self):
        if not self["size"]:
            raise Unfit  # NumPy hangs
        return repr(_pick(self.rng, ["wrap", "clip"]))

    def _norm(self):
        return _pick(self.rng, ["None", 2, 1, 0, "np.inf", "-np.inf", 3, -1, 2.5])

    def _matrix_norm(self):
        return _pick(self.rng, ["None", "'fro'", 1, -1, "np.inf", "-np.inf"])

    def _ddof(self):
        return _pick(self.rng, ["ddof=1", "ddof=0.5", "correction=1", "ddof=0"])

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
        return _pick(self.rng, ["", ", where=F(*{0}.shape)"])

    def _initial(self):
        return _pick(self.rng, ["", f", initial={self['number']}"])

    def _extreme(self):
        return _pick(self.rng, ["", ", initial=1.0", ", initial=1.0, where=F(*{0}.shape)"])

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
        return _pick(self.rng, shapes)

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
            ends = [_pick(self.rng, ["", str(self._integer(-4, 5))]) for _ in range(2)]
            return f"{ends[0]}:{ends[1]}:{_pick(self.rng, [-2, -1, 1, 1, 2])}"
        if kind < 0.85 and n:
            return f"np.array({self.rng.integers(-n, n, self._integer(1, 4)).tolist()})"
        if kind < 0.95:
            return f"np.array({(self.rng.random(n) > 0.4).tolist()}, bool)"
        return "None, :"

    def _mask(self):
        if not self.ndim:
            raise Unfit
        return f"F(*{{0}}.shape[:{self._integer(1, self.ndim + 1)}])"


# Lines -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Template:
    """A line with operands ``{0}``, ``{1}`` and options ``{axis}``, ... in braces."""

    text: str
    analytic: bool  # the complex step can be taken through it
    holomorphic: bool  # it can be differentiated at complex values

    def filled(self, options):
        """Draw the options; the operands stay open."""
        return string.Formatter().vformat(self.text, ("{0}", "{1}"), options)


# Functions are kept where they are tame, so that three derivatives are of moderate size.
ELEMENTWISE = """
xp.sin({0})
xp.cos({0})
xp.tanh(0.7 * {0})
xp.exp(0.3 * {0})
xp.expm1(0.3 * {0})
xp.exp2(0.3 * {0})
xp.log1p(0.2 * {0} * {0})
xp.log(3 + xp.sin({0}))
xp.log2(3 + xp.cos({0}))
xp.log10(3 + xp.cos({0}))
xp.sqrt(1.5 + xp.sin({0}))
xp.reciprocal(2 + xp.sin({0}))
xp.square({0})
1 / (2.5 + xp.cos({0}))
(2 + xp.sin({0})) ** 1.5
0.2 * {0} ** 3
0.5 * {0} - 1
xp.negative({0})
-{0}
xp.positive({0})
{0} / 3
{0} ** 0
{0} - {0}
xp.power(2 + xp.sin({0}), -0.5)
xp.float_power(2 + xp.cos({0}), 1.7)
2 ** (0.3 * {0})
xp.tan(0.3 * xp.sin({0}))
xp.arcsin(0.5 * xp.sin({0}))
xp.arccos(0.5 * xp.sin({0}))
xp.arctan({0})
xp.sinh(0.5 * {0})
xp.cosh(0.5 * {0})
xp.arcsinh(0.5 * {0})
xp.arccosh(2.5 + xp.sin({0}))
xp.arctanh(0.5 * xp.sin({0}))
xp.where(F(*{0}.shape), {0}, xp.sin({0}))
xp.where(F(*{0}.shape), 2.0, {0} * {0})
K(*{0}.shape) * {0}
K(*{0}.shape, seed=1) + {0}
xp.select([F(*{0}.shape), ~F(*{0}.shape)], [{0} ** 2, xp.cos({0})], 1.0)
xp.copy({0})
{0}.copy() * {0}
xp.astype({0}, {0}.dtype)
{0}.astype(xp.result_type({0}, np.float64))
{0} * xp.ones_like({0}) + xp.zeros_like({0})
{0} + len(xp.shape(xp.empty_like({0})))
xp.full_like({0}, 2) * {0}
{0} * (1 + xp.ndim({0}) + xp.size({0}) + len(xp.shape({0})))
(Z({0}) * {0}) * (xp.cos({0}) / Z({0}))
Z({0}) * ((xp.sin({0}) / Z({0})) * xp.cos({0}))
xp.sqrt(((Z({0}) * {0}) / Z({0})) ** 2 + 1)
(Z({0}) * xp.sin({0}) + Z({0})) / Z({0})
xp.sin({0} / (3 * Z({0}))) * (3 * Z({0}))
"""
BINARY = """
{0} + {1}
{0} - 2 * {1}
{0} * {1}
(Z({0}, {1}) * {0}) * ({1} / Z({0}, {1}))
xp.einsum('...,...->...', Z({0}, {1}) * {0}, {1} / Z({0}, {1}))
{0} / (2.5 + xp.sin({1}))
xp.add({0}, {1})
xp.subtract({0}, {1})
xp.multiply({0}, {1})
xp.divide({0}, 2.5 + xp.sin({1}))
(2 + xp.sin({0})) ** {1}
xp.pow(2 + xp.cos({0}), xp.sin({1}))
xp.where(F(*{0}.shape), {0}, {1})
{0} @ {1}
xp.matmul({0}, {1})
xp.linalg.matmul({0}, {1})
xp.matvec({0}, {1})
xp.dot({0}, {1})
{0}.dot({1})
xp.inner({0}, {1})
xp.outer({0}, {1})
xp.linalg.outer({0}, {1})
xp.multiply.outer({0}, {1})
xp.add.outer({0}, {1})
xp.kron({0}, {1})
xp.tensordot({0}, {1}, 1)
xp.tensordot({0}, {1}, 0)
xp.tensordot({0}, {1}, ([-1], [-1]))
xp.linalg.tensordot({0}, {1}, axes=1)
xp.linalg.multi_dot([{0}, {1}, {0}.T])
xp.cross({0}, {1})
xp.cross(xp.stack([{0}, {1}, {0}]), xp.stack([{1}, xp.sin({0}), {0}]), axis=0)
xp.linalg.cross(xp.stack([{0}, {1}, {1}]), xp.stack([{1}, {0}, {0}]), axis=0)
xp.linalg.solve(0.2 * {0} + 3 * E({0}.shape[-1]), {1})
xp.linalg.tensorsolve(3 * E(4).reshape(2, 2, 4) + 0.2 * xp.sin(xp.sum({0})), K(2, 2) + xp.mean({1}))
xp.einsum('ij,jk->ik', {0}, {1})
xp.einsum('ij,ij->j', {0}, {1})
xp.einsum('i,ij', {0}, {1})
xp.einsum('...i,...i', {0}, {1})
xp.einsum('ii,j->ij{square}', {0}, {1})
xp.einsum('ij,kj->kji', {0}, {1})
xp.einsum('ijk,k->ji', {0}, {1})
xp.einsum({0}, [0, 1], {1}, [1], [0])
xp.multiply(*xp.broadcast_arrays({0}, {1}))
xp.multiply(*xp.meshgrid({0}, {1}))
xp.subtract(*xp.meshgrid({0}, {1}, indexing='ij', sparse={flag}))
xp.trapezoid({0}, 3 * R({0}.shape[-1]) + xp.sin({1}))
xp.trapezoid({0} * {1}, dx=0.5, axis={axis})
xp.concatenate([{0}, {1}])
xp.concatenate([{0}, {1}, {0}], axis={axis})
xp.concatenate([{0}, {1}], axis=None)
xp.stack([{0}, {1}], -1)
xp.stack([{0}, {1}, {0}], {axis})
xp.vstack([{0}, {1}])
xp.hstack([{0}, {1}, {0}])
xp.dstack([{0}, {1}])
xp.column_stack([{0}, {1}])
xp.block([{0}, {1}])
xp.block([[{0}, {0}], [{0}, xp.sin({0})]])
xp.append({0}, {1})
xp.append({0}, {1}, axis={axis})
"""
MATRIX = """
xp.linalg.inv(0.2 * {0} + 3 * E({0}.shape[-1]))
0.1 * xp.linalg.det(0.2 * {0} + 2 * E({0}.shape[-1]))
xp.linalg.det(xp.sin({0}) + 2 * E({0}.shape[-1]))
xp.linalg.tensorinv(3 * E(4).reshape(2, 2, 4) + 0.2 * xp.sin(xp.sum({0})))
xp.linalg.matrix_power({0}, 0)
xp.linalg.matrix_power({0}, 2)
xp.linalg.matrix_power({0}, 3)
xp.linalg.matrix_power(0.2 * {0} + 3 * E({0}.shape[-1]), -2)
xp.trace({0})
xp.trace({0}, {offset}, *{pair})
{0}.trace({offset})
xp.linalg.trace({0}, offset={offset})
xp.diagonal({0})
xp.diagonal({0}, {offset}, *{pair})
{0}.diagonal()
xp.linalg.diagonal({0}, offset={offset})
xp.einsum('ii->i{square}', {0})
xp.einsum('ii{square}', {0})
xp.einsum('...ij->...', {0})
{0}.T @ {0}
xp.matrix_transpose({0}) @ {0}
xp.linalg.matrix_transpose({0})
{0}.mT
xp.tril({0}, {offset})
xp.triu({0}, {offset})
{0}[xp.tril_indices_from({0}, {offset})]
{0}[xp.triu_indices_from({0}, {offset})]
{0}[xp.diag_indices_from({0})]
xp.rot90({0}, {shift}, {pair})
xp.fliplr({0})
"""
LAYOUT = """
xp.ravel({0}, order={order})
{0}.ravel()
{0}.flatten({order})
{0}.T
xp.transpose({0}, {permutation})
{0}.transpose()
xp.permute_dims({0}, {permutation})
xp.swapaxes({0}, {axis}, 0)
{0}.swapaxes({axis}, -1)
xp.moveaxis({0}, {axis}, -1)
xp.moveaxis({0}, {pair}, (0, 1))
xp.rollaxis({0}, {axis})
xp.expand_dims({0}, {axis})
xp.squeeze({0})
{0}.squeeze()
xp.reshape({0}, {new_shape}, order={order})
{0}.reshape({new_shape})
xp.reshape({0}, {0}.shape[::-1])
xp.resize({0}, (2, 3))
xp.atleast_1d({0})
xp.atleast_2d({0})
xp.atleast_3d({0})
xp.broadcast_to({0}, (2, *{0}.shape))
xp.flip({0})
xp.flip({0}, {axis})
xp.flipud({0})
xp.roll({0}, {shift})
xp.roll({0}, {shift}, axis={axis})
xp.roll({0}, ({shift}, 1), axis={pair})
xp.tile({0}, 2)
xp.tile({0}, (2, {few}))
xp.repeat({0}, {few})
xp.repeat({0}, {few}, axis={axis})
xp.repeat({0}, {counts}, axis={axis})
{0}.repeat(2, axis={axis})
xp.diag({0}, {offset})
xp.diagflat({0}, {offset})
xp.pad({0}, {few}, mode={mode})
xp.pad({0}, {few}, constant_values=0.7)
xp.split({0}, [1], axis={axis})[{few} // 2]
xp.array_split({0}, 2, axis={axis})[{few} // 2]
xp.add(*xp.hsplit(xp.concatenate([xp.atleast_2d({0}), xp.atleast_2d(xp.sin({0}))], 1), 2))
xp.add(*xp.vsplit(xp.vstack([{0}, xp.sin({0})]), 2))
xp.multiply(*xp.dsplit(xp.dstack([{0}, xp.sin({0})]), 2))
sum(xp.unstack(xp.stack([{0}, {0} ** 2])))
sum(xp.unstack({0}, axis={axis}))
sum(row * k for k, row in enumerate({0}, 1))
{0}[{index}]
{0}[{index}] ** 2
{0}[{mask}]
{0}[None]
{0}[..., None]
xp.take({0}, np.array({places}), axis={axis})
xp.take({0}, [5, -7, 1], axis={axis}, mode={clipping})
{0}.take({places}, axis={axis})
xp.take_along_axis({0}, np.argsort(K(*{0}.shape), {axis}), {axis})
xp.compress({flags}, {0}, axis={axis})
{0}.compress({flags}, axis={axis})
xp.extract(F(*{0}.shape), {0})
xp.delete({0}, {place}, axis={axis})
xp.delete({0}, {places}, axis={axis})
"""
REDUCTIONS = """
xp.sum({0}, axis={axes}, keepdims={flag}{initial}{where})
{0}.sum({axes})
xp.add.reduce({0}, axis={axes}, keepdims={flag})
xp.mean({0}, axis={axes}, keepdims={flag}{where})
{0}.mean({axes})
xp.average({0}, {axis}, weights=2 + xp.sin({0}))
xp.average({0}, axis={axes}, keepdims={flag})
xp.average({0}, {axis}, K({0}.shape[{axis}]), returned=True)[0]
xp.prod({0}, axis={axes}, keepdims={flag}{initial}{where})
{0}.prod({axes})
xp.prod(xp.where(F(*{0}.shape), {0}, 0 * {0}), axis={axes})
xp.multiply.reduce({0}, axis={axis})
xp.cumsum({0}, {axis})
xp.cumsum({0})
{0}.cumsum({axis})
xp.add.accumulate({0}, {axis})
xp.cumprod(0.5 * {0}, axis={axis})
xp.cumprod(0.5 * {0})
{0}.cumprod({axis})
xp.multiply.accumulate({0}, {axis})
xp.cumulative_sum({0}, axis={axis}, include_initial={flag})
xp.cumulative_prod({0}, axis={axis}, include_initial={flag})
xp.diff({0}, {few}, axis={axis})
xp.diff({0}, axis={axis}, prepend=0.3, append=0.1)
xp.ediff1d({0})
xp.ediff1d({0}, to_end=0.5)
"""
# Holomorphic, but NumPy or the complex step stops at them.
NOT_STEPPED = """
xp.sum({0}, axis={axes}, dtype=np.result_type({0}.dtype, np.float64))
xp.where({0} != 0, {0}, 1 + xp.sin({0}))
xp.where(xp.equal({0}, 0), 2.0, xp.sin({0}) / {0})
xp.where(xp.not_equal({0}, 0), {0} ** 2, 1)
xp.where(xp.isfinite({0}), {0} * {0}, 0)
xp.where(xp.isnan({0}), 0, {0} * {0})
{0} * (1 + xp.isrealobj({0}) + 2 * xp.iscomplexobj({0}))
"""
REAL = """
xp.abs({0})
xp.absolute({0})
xp.fabs({0})
abs({0}) * {0}
xp.sign({0}) * {0}
xp.floor({0}) + {0}
xp.ceil({0}) * {0}
xp.trunc(2 * {0}) + {0}
xp.rint(3 * {0}) * {0}
xp.fix(2 * {0}) * {0}
xp.round({0}, 1) * {0}
xp.around(2 * {0}) * {0}
{0}.round(1) + {0} ** 2
xp.cbrt(1.5 + xp.sin({0}))
xp.deg2rad(30 * {0})
xp.radians(30 * {0})
xp.rad2deg(0.02 * {0})
xp.degrees(0.02 * {0})
xp.real({0}) * {0}
xp.imag({0}) + {0}.real * {0}
xp.conj({0}) * {0}
{0}.conj() * {0}.conjugate()
xp.maximum({0}, 0.1)
xp.minimum({0}, -0.1)
xp.clip({0}, -0.4, 0.6)
xp.clip({0}, None, 0.3)
xp.clip({0}, min=-0.3)
{0}.clip(-0.5, 0.7)
xp.logaddexp({0}, 0.5)
xp.logaddexp2({0}, -{0})
xp.hypot({0}, 1.0)
xp.arctan2({0}, 2.0)
xp.where({0} > 0, {0}, xp.sin({0}))
xp.where({0} > 0.2, xp.log({0}), {0})
xp.where(xp.greater({0}, 0.1), {0} ** 2, xp.exp({0}))
xp.where(xp.greater_equal({0}, 0.1), {0} ** 2, 0.3)
xp.where(xp.less({0}, 0.1), xp.sqrt(1 - {0}), 0.3)
xp.where(xp.less_equal({0}, 0.1), {0}, 0.3)
xp.where(xp.isinf({0}), 0, {0} * {0})
xp.where(xp.logical_and({0} > -0.5, xp.logical_not({0} > 0.5)), {0} ** 2, 1)
xp.where(xp.logical_or({0} > 0.5, F(*{0}.shape)), {0} ** 2, xp.sin({0}))
xp.where(xp.logical_xor({0} > 0.1, F(*{0}.shape)), {0} ** 2, xp.sin({0}))
xp.where(xp.bitwise_and({0} > -0.5, {0} < 0.5), {0} ** 2, 1)
xp.where(xp.bitwise_or({0} < -0.5, {0} > 0.5), {0} ** 2, 1)
xp.where(xp.invert({0} < -0.5), {0} ** 2, 1)
xp.where(xp.any({0} > 0.3, axis={axes}, keepdims=True), {0} ** 2, {0})
xp.where(xp.all({0} > -0.7, axis={axes}, keepdims=True{where}), {0} ** 2, {0})
xp.where(({0} > 0.5).any({axis}, keepdims=True), {0} ** 2, {0})
xp.where(({0} < 0.5).all({axis}, keepdims=True), {0} ** 2, {0})
xp.where(xp.logical_and.reduce({0} > -0.5, axis={axis}, keepdims=True), {0}, {0} ** 2)
xp.where(xp.logical_or.reduce({0} > 0.5, axis={axis}, keepdims=True), {0}, {0} ** 2)
xp.select([{0} > 0.5, {0} > 0], [{0} ** 3, {0} ** 2], {0})
xp.max({0}, axis={axes}, keepdims={flag}{extreme})
xp.amax({0}, axis={axes}) ** 2
xp.exp({0} - xp.max({0})) / xp.sum(xp.exp({0} - xp.max({0})))
xp.exp(xp.min({0}, axis={axis}, keepdims=True) - {0}) * xp.sin({0})
xp.min({0}, axis={axes}, keepdims={flag}{extreme})
xp.amin({0}, axis={axes}) ** 2
{0}.max({axes})
{0}.min({axes})
xp.maximum.reduce({0}, axis={axis})
xp.minimum.reduce({0}, axis={axis})
xp.ptp({0}, axis={axes}, keepdims={flag})
xp.var({0}, axis={axes}, keepdims={flag}{where}, {ddof})
{0}.var({axes})
xp.std({0}, axis={axes}, keepdims={flag}{where}, {ddof})
{0}.std({axes})
xp.linalg.norm({0})
xp.linalg.norm({0}, {norm}, {axis}, {flag})
xp.linalg.norm({0}, {matrix_norm}, {pair}, keepdims={flag})
xp.linalg.vector_norm({0}, axis={axes}, keepdims={flag}, ord=3)
xp.linalg.matrix_norm({0}, keepdims={flag}, ord=1)
xp.linalg.slogdet(0.2 * {0} + 2 * E({0}.shape[-1]))[1]
xp.linalg.slogdet(0.2 * {0} - 2 * E({0}.shape[-1])).sign * {0}
xp.maximum({0}, {1})
xp.minimum({0}, {1})
xp.hypot({0}, {1} + 2)
xp.arctan2({0}, 2 + xp.sin({1}))
xp.logaddexp({0}, {1})
xp.where({0} > {1}, {0} * {1}, {1})
xp.where({0} != 0, {1} / {0}, {1})
xp.clip({0}, {1} - 0.3, {1} + 0.3)
xp.vdot({0}, {1})
xp.vecdot({0}, {1})
xp.linalg.vecdot({0}, {1}, axis={axis})
xp.vecmat({0}, {1})
xp.average({0}, weights=2 + xp.sin({1}))
"""


def _templates(lines, *, analytic, holomorphic):
    return [
        Template(line, analytic, holomorphic)
        for line in lines.strip().split("\n")
        if all(hasattr(np, name) for name in re.findall(r"xp\.(\w+)", line))  # newer NumPy's
    ]


TEMPLATES = tuple(
    _templates(ELEMENTWISE + BINARY.lstrip() + MATRIX.lstrip() + LAYOUT.lstrip()
               + REDUCTIONS.lstrip(), analytic=True, holomorphic=True)
    + _templates(NOT_STEPPED, analytic=False, holomorphic=True)
    + _templates(REAL, analytic=False, holomorphic=False)
)  # fmt: skip


def functions_of(text):
    """Name the NumPy functions, ufunc methods and array methods that a line calls."""
    functions = re.findall(r"xp\.((?:linalg\.)?\w+(?:\.(?:outer|reduce|accumulate))?)", text)
    return {*functions, *(f"ndarray.{name}" for name in re.findall(r"[\})]\.(\w+)\(", text))}


# Oracles -----------------------------------------------------------------------------------------


class Mismatch(Exception):
    """A derivative that is wrong."""


class Excluded(Exception):
    """A case in which no oracle can tell."""


def plan_of(program, f, order, args):
    """Plan a derivative; called, it gives its blocks by the arguments they are for."""
    plan = eg.derivative(f, order, program.argnums).plan(*args)
    return lambda *moved: blocks(program, plan(*moved), order)


def _plans(program, f, at, size):
    """Plan order after order, as long as they are small enough to check in a moment."""
    entries = sum(at[k].size for k in program.every)
    for order in itertools.count():
        yield plan_of(program, f, order, at)
        length = eg.derivative(f, order, program.argnums).plan(*at).source.count("\n")
        if order and (
            length > MOST_LINES or max(size, 1) * max(entries, 1) ** (order + 1) > MOST_ENTRIES
        ):
            return


def blocks(program, nested, order):
    """Blocks of a derivative by the arguments they are for, however the result is nested."""
    if order == 0 or isinstance(program.argnums, int):
        return {program.every * order: nested}
    return {
        (k, *rest): block
        for k, part in zip(program.every, nested, strict=True)
        for rest, block in blocks(program, part, order - 1).items()
    }


def scale_of(array):
    return 1 + np.max(np.abs(array), initial=0.0)


def close(actual, expected, allowed, what):
    """Raise where two results differ in shape, or in an entry, relative to the largest."""
    if actual.shape != expected.shape:
        raise Mismatch(f"{what}: shape {actual.shape}, not {expected.shape}")
    finite = np.isfinite(expected)
    if not np.array_equal(finite, np.isfinite(actual)):
        raise Mismatch(f"{what}: {np.sum(~np.isfinite(actual))} entries are not finite, "
                       f"{np.sum(~finite)} expected")  # fmt: skip
    error = np.max(np.abs(actual - expected)[finite], initial=0.0)
    scale = scale_of(expected[finite])
    if error > allowed * scale:
        raise Mismatch(f"{what}: error {error:.2e} at scale {scale:.2e}, allowed {allowed:.2e}")


def check(program, *, with_jax=False):
    """Raise `Mismatch` where a derivative is wrong, `Excluded` where nothing can tell.

    Returns counts of what was compared.
    """
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _check(program, with_jax=with_jax)


def _check(program, *, with_jax):
    f, at = program.function(), program.wide()
    values, least_loss = list(at), 1.0
    for step in program.steps:
        if not step.analytic:
            check_smooth(step, values)
        least_loss = max(least_loss, loss_of_solving(step, values))
        values.append(value_of(step, values))
    exact = np.asarray(f(*at))
    plans = list(itertools.islice(_plans(program, f, at, exact.size), program.order + 1))
    order = len(plans) - 1
    results = [plan(*at) for plan in plans]
    losses = _losses(program, f, order, least_loss)
    counts = Counter({f"order {order}": 1})
    if results[0][()].dtype != exact.dtype:
        raise Mismatch(f"value: dtype {results[0][()].dtype}, not {exact.dtype}")
    close(results[0][()], exact, SAFETY * EPS * losses[0], "value")
    for n in range(1, order + 1):
        _check_order(program, f, plans, n, results, at, losses)
        counts["blocks"] += len(results[n])
    derived = eg.value_and_derivatives(f, order, program.argnums).expression(*at)
    counts += _check_reference(program, derived, order, at, results, losses)
    for n in range(order + 1):
        counts += _check_print(program, derived[n], n, at, results, losses)
    _check_dtype(program, f, order, results, losses)
    counts += _check_range(program, f, order, at, results, losses)
    counts += _check_writing(program, at)
    counts += _check_memory(program, f, at, results, losses)
    counts += _check_standard(program, f, order, at, losses)
    counts += _check_filled(program, f, order, at, losses)
    if with_jax and not program.complex:
        counts += _check_jax(program, at, order, results, losses)
    return counts


def loss_of_solving(step, values):
    """How many units of the last place a line may lose by its linear algebra: n times condition."""
    losses = [1.0]

    class Linalg:
        def __getattr__(self, name):
            function = getattr(np.linalg, name)

            def noted(a, *others, **options):
                inverts = name != "matrix_power" or others[0] < 0
                if a.size and inverts:
                    n = a.shape[-1]
                    matrices = a.reshape(n, n) if name.startswith("tensor") else a
                    losses.append(n * np.max(np.linalg.cond(matrices)) / SAFETY)
                return function(a, *others, **options)

            return noted if name in SOLVERS else function

    class Noting:
        linalg = Linalg()

        def __getattr__(self, name):
            return getattr(np, name)

    value_of(step, values, Noting())
    return max(losses)


def _losses(program, f, order, least):
    """How many units of the last place each order loses, seen in single precision."""
    at = program.wide()
    small = [a.astype(np.complex64 if a.dtype.kind == "c" else np.float32) for a in at]
    rounded = [a.astype(b.dtype) for a, b in zip(small, at, strict=True)]
    g = program.function(precision=np.float32)
    losses = []
    for n in range(order + 1):
        single = blocks(program, eg.derivative(g, n, program.argnums)(*small), n)
        double = blocks(program, eg.derivative(f, n, program.argnums)(*rounded), n)
        loss = least
        for where, a in single.items():
            apart = np.max(np.abs(a - double[where]), initial=0.0)
            loss = max(loss, apart / scale_of(double[where]) / UNITS[4])
        losses.append(loss)
        if not loss <= LARGEST_LOSS and np.all([np.isfinite(b).all() for b in double.values()]):
            raise Excluded("too many digits are lost to tell")
    return losses


def _check_order(program, f, plans, n, results, at, losses):
    """The blocks of one order against the step of the order below, in each argument."""
    allowed = SAFETY * EPS * losses[n] + 1e-13
    if not program.analytic or program.complex:
        allowed += AGREEMENT + SAFETY * EPS * losses[n - 1] / STEPS[1]
    for k in program.every:
        for below, expected in _stepped(program, f, plans, n, k, at).items():
            block, what = results[n][*below, k], f"order {n}, block {(*below, k)}"
            if not np.all(np.isfinite(block)):
                largest = np.max(np.abs(expected), initial=0.0)
                if largest < LARGEST_SLOPE:
                    raise Mismatch(f"{what}: not finite, where it is at most {largest:.2e}")
                raise Excluded("a derivative that is not finite")
            close(block, expected, allowed, what)


def check_smooth(step, values):
    """Exclude a line that has a kink here, be it smoothed by the lines after.

    What is differentiated is the formula: ``abs(x)**2`` is smooth at 0, but not by the chain rule.
    """
    rng = np.random.default_rng(len(values))
    directions = {k: rng.uniform(0.5, 1, np.shape(values[k])) for k in sorted({*step.operands})}

    def moved(h):
        return [x + h * directions[k] if k in directions else x for k, x in enumerate(values)]

    differences(lambda h: [np.asarray(value_of(step, moved(h)))], 1.0)
    if re.search(r"norm|std|hypot", step.text) and np.any(value_of(step, values) == 0):
        raise Excluded("the tip of a norm")


def _stepped(program, f, plans, n, k, at):
    """Differentiate the blocks of the order below in one argument, entry after entry."""
    complex_step = program.analytic and not program.complex
    x = at[k]

    def moved(step):
        return [*at[:k], np.asarray(x + step), *at[k + 1 :]]

    if n == 1:
        lower = lambda step: [np.asarray(f(*moved(step)))]  # noqa: E731
    else:
        plan = plan_of(program, f, n - 1, moved(0j)) if complex_step else plans[n - 1]
        lower = lambda step: list(plan(*moved(step)).values())  # noqa: E731
    columns = []
    for position in np.ndindex(x.shape):
        direction = np.zeros(x.shape)
        direction[position] = 1
        if complex_step:
            columns.append([np.imag(y) / 1e-30 for y in lower(1e-30j * direction)])
        else:
            columns.append(differences(lower, direction))
    keys = itertools.product(program.every, repeat=n - 1)
    if not columns:
        shapes = [y.shape for y in lower(0.0)]
        return {key: np.zeros((*s, *x.shape)) for key, s in zip(keys, shapes, strict=True)}
    stacked = [np.stack(rows, -1) for rows in zip(*columns, strict=True)]
    return {key: y.reshape((*y.shape[:-1], *x.shape)) for key, y in zip(keys, stacked, strict=True)}


STEPS = (2e-3, 1e-3)
_STENCIL = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}  # eighth order


def differences(lower, direction):
    """Eighth-order difference quotients of some arrays, after `_agreed`."""
    points = [0.0, *(sign * m * h for h in STEPS for m in _STENCIL for sign in (1, -1))]
    moved = {h: lower(h * direction) for h in points}
    return [_agreed({h: moved[h][n] for h in points}) for n in range(len(moved[0.0]))]


def _agreed(moved):
    """Difference quotients at two steps, which must agree, as must the slopes on both sides."""
    quotients = [
        sum(c * (moved[m * h] - moved[-m * h]) for m, c in _STENCIL.items()) / h for h in STEPS
    ]
    bends = [(moved[h] - 2 * moved[0.0] + moved[-h]) / h for h in STEPS]  # h f'', or a jump
    scale = scale_of(quotients[1])
    apart = np.max(np.abs(quotients[0] - quotients[1]), initial=0.0)
    kink = np.max(np.abs(2 * bends[1] - bends[0]), initial=0.0)
    if not (apart <= AGREEMENT * scale and kink <= LARGEST_KINK * scale):
        raise Excluded("a kink, or too rough for differences")
    return quotients[1]


def _check_reference(program, derived, order, at, results, losses):
    """The planned code against the plain evaluator of the expression of the highest order."""
    counts = Counter()
    for where, expression in blocks(program, derived[order], order).items():
        node = node_of(expression)
        values = {n: at[n.key[2]] for n in _ir.inputs([node])}
        _ir.verify([node])
        plain = evaluate(node, values)
        if not np.all(np.isfinite(plain)):
            counts["not finite without planning"] += 1  # the step agreed with the planned code
            continue
        allowed = SAFETY * EPS * losses[order]
        close(results[order][where], plain, allowed, f"reference {where}")
    return counts


def _check_print(program, derived, order, at, results, losses):
    """Text and LaTeX of each block; a text that is short is read and evaluated."""
    counts = Counter()
    for where, expression in blocks(program, derived, order).items():
        what = f"print, order {order}, {where}"
        try:
            text = _formula.text(node_of(expression), MOST_ENTRIES)
            check_latex(expression.latex())
            counts["blocks printed"] += 1
            if len(text) > LONGEST_READ:
                continue
            names = {n.name: at[n.key[2]] for n in _ir.inputs([node_of(expression)])}
            value = read(text, names, expression.shape)
        except Exception as error:
            raise Mismatch(f"{what}: {type(error).__name__}: {error}") from error
        counts["blocks read"] += 1
        allowed = SAFETY * EPS * losses[order]
        if np.all(np.isfinite(value)):  # else planned code and formula may differ, as the reference
            close(results[order][where], value, allowed, what)
    return counts


def _check_dtype(program, f, order, results, losses):
    """The dtype is that of NumPy's value; the numbers are those of double precision."""
    args = program.inputs()
    if all(a.dtype in (np.float64, np.complex128) for a in args):
        return
    try:
        f(*args)
    except (TypeError, ValueError):  # NumPy has a function of floats alone
        return
    floats = [np.asarray(a, float) if a.dtype.kind == "i" else a for a in args]
    expected = np.asarray(f(*floats)).dtype
    for n in range(order + 1):
        made = blocks(program, eg.derivative(f, n, program.argnums)(*args), n)
        for where, block in made.items():
            what = f"{', '.join(program.dtypes)}: order {n}, {where}"
            if block.dtype != expected:
                raise Mismatch(f"{what}: dtype {block.dtype}, not {expected}")
            narrow = "float16" in program.dtypes  # its range is short: squares of 300 are infinite
            if not narrow or (np.all(np.isfinite(block)) and scale_of(results[n][where]) < 1e3):
                unit = max(UNITS[np.finfo(a.dtype).bits // 8] for a in floats)
                close(block, results[n][where], SAFETY * unit * losses[n], what)


def _check_range(program, f, order, at, results, losses):
    """The derivatives of ``T f(x / S)`` at S x are those of f, times ``T / S**n``: powers of two.

    All values of the program stay what they were; x, S and T are near the ends of the range. Not
    with constants in the lines that are, too: products of numbers of both kinds need not be floats.
    """
    counts = Counter()
    if program.seed[1] % 3 or any("Z(" in step.text for step in program.steps):
        return counts
    rng = np.random.default_rng([*program.seed, 2])
    single = bool(rng.random() < 0.5)
    most, unit = (127, UNITS[4]) if single else (1023, EPS)
    scale = int(rng.choice([-1, 1]) * rng.uniform(0.3, 0.9) * most)
    back = int(rng.choice([0, scale]))
    g, points = f, at
    if single:
        g = program.function(precision=np.float32)
        points = [a.astype(np.complex64 if a.dtype.kind == "c" else np.float32) for a in at]

    def scaled(*xs):
        return 2.0**back * g(*(x / 2.0**scale for x in xs))

    moved = [np.ldexp(1.0, scale).astype(a.real.dtype) * a for a in points]
    for n in range(min(order, 2) + 1):
        power = back - n * scale
        if abs(power) > 0.9 * most:
            continue
        made = blocks(program, eg.derivative(scaled, n, program.argnums)(*moved), n)
        for where, block in made.items():
            what = f"range: order {n}, {where}, x / 2**{scale}, times 2**{back}"
            wide = block.astype(complex if block.dtype.kind == "c" else float)
            close(wide * 2.0**-power, results[n][where], SAFETY * unit * losses[n], what)
            counts["blocks near the ends of the range"] += 1
    return counts


def _check_writing(program, at):
    """What is written in place is refused, or is what NumPy makes of it: views share memory."""
    counts = Counter()
    if program.seed[1] % 4:
        return counts
    last = len(program.steps) - 1
    for k in range(last):
        line = f"v{len(program.shapes) + k} += 0.25"
        g = program.function(extra=[(k + 1, line)])
        try:
            expected = np.asarray(g(*(a.copy() for a in at)))
        except (ValueError, TypeError):
            continue  # a view of a broadcast array, say
        try:
            value = eg.derivative(g, 0)(*at)
        except eg.errors.InPlaceError:
            counts["writes refused"] += 1
            continue
        if np.all(np.isfinite(expected)):
            close(value, expected, 1e-9, f"written: {line} after line {k + 1}")
        counts["writes allowed"] += 1
    return counts


def _check_memory(program, f, at, results, losses):
    """Arrays in memory that NumPy does not own give the same, and stay as writable as they were."""
    if program.seed[1] % 4 != 1:
        return Counter()
    g = program.function(helpers=Unwritable)
    for points in ([foreign(a) for a in at], [np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape)
                                              for a in at if a.size]):  # fmt: skip
        if len(points) < len(at):
            continue
        flags = [a.flags.writeable for a in points]
        for h in (g, f):
            value = eg.derivative(h, 0)(*points)
            close(value, results[0][()], SAFETY * EPS * losses[0], "memory of others")
        if flags != [a.flags.writeable for a in points]:
            raise Mismatch("memory of others: an array is not as writable as it was")
    return Counter({"programs on memory of others": 1})


def _check_standard(program, f, order, at, losses):
    """The steps of a plan, interpreted on arrays of the array API standard, against its source."""
    if program.seed[1] % 4 != 2:
        return Counter()
    plan = eg.derivative(f, order, program.argnums).plan(*at)
    arrays = [*at, *(known.array for known in plan.captured)]
    with array_api_strict.ArrayAPIStrictFlags(api_version="2024.12"):
        given = [array_api_strict.asarray(a) for a in arrays]
        found = [np.asarray(a) for a in interpret(plan.program, given, array_api_strict)]
    for n, (value, expected) in enumerate(
        zip(found, Kernel(plan.program).run(arrays), strict=True)
    ):
        if value.dtype != expected.dtype:
            raise Mismatch(f"interpreted, result {n}: dtype {value.dtype}, not {expected.dtype}")
        close(value, expected, SAFETY * EPS * losses[order], f"interpreted, result {n}")
    return Counter({"programs interpreted": 1})


def _check_filled(program, f, order, at, losses):
    """A plan and what is traced once, called as they are and with arrays to fill in any order."""
    if program.seed[1] % 4 != 3:
        return Counter()
    derivative = eg.derivative(f, order, program.argnums)
    plan = derivative.plan(*at)
    expected = leaves(plan(*at))
    bound = SAFETY * EPS * losses[order]
    for how in ("C", "F"):
        filled = [np.full(a.shape, 7, a.dtype, order=how) for a in expected]
        arrays = [*at, *(known.array for known in plan.captured)]
        kernel_of(plan).fill(arrays, filled)
        for n, (value, a) in enumerate(zip(filled, expected, strict=True)):
            close(value, a, bound, f"filled in order {how}, result {n}")
    once = eg.compiled(derivative)
    for value, a in zip(leaves(once(*at)), expected, strict=True):
        close(value, a, bound, "traced once")
    return Counter({"programs filled": 1})


def leaves(results):
    """List the arrays of a nesting."""
    return [np.asarray(a) for a in flatten(results)[0]]


def _check_jax(program, at, order, results, losses):
    import jax  # noqa: PLC0415 - an optional oracle

    jax.config.update("jax_enable_x64", True)
    g = program.function(jax.numpy)
    counts = Counter()
    for n in range(1, order + 1):
        g = jax.jacrev(g, program.argnums) if n == 1 else jax.jacfwd(g, program.argnums)
        try:
            expected = blocks(program, g(*at), n)
        except (TypeError, ValueError, NotImplementedError, AttributeError, IndexError):
            counts["not in jax"] += 1
            return counts
        for where, other in expected.items():
            if np.all(np.isfinite(other)):
                allowed = SAFETY * EPS * losses[n] + 1e-12
                close(results[n][where], np.asarray(other), allowed, f"jax, order {n}, {where}")
                counts["blocks checked by jax"] += 1
    return counts


# Runs --------------------------------------------------------------------------------------------


def failure_of(program, *, with_jax=False):
    """Return what is wrong with a program: an error, `Excluded`, or counts of what was right."""
    try:
        return check(program, with_jax=with_jax)
    except Exception as error:
        return error


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
    if set(program.dtypes) != {"float64"}:
        yield replace(program, dtypes=("float64",) * n)
    if program.argnums != 0:
        yield replace(program, argnums=0)
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
        counts.update({f"argument {dtype}" for dtype in program.dtypes})
        counts.update({f"calls {name}" for s in program.steps for name in functions_of(s.text)})
        if isinstance(found, Counter):
            counts += found
        elif isinstance(found, Excluded):
            counts["excluded"] += 1
            counts[f"excluded: {found}"] += 1
        else:
            counts["failed"] += 1
            failures.append(report(minimised(program, with_jax=with_jax), with_jax=with_jax))
    return counts, failures


def report(program, *, with_jax=False):
    """Print a program that fails, and what is wrong with it."""
    error = failure_of(program, with_jax=with_jax)
    text = "".join(traceback.format_exception_only(error)).strip()
    where = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else ""
    return f"{program}\n{text}\n  {where}\n"


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

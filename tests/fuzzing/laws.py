"""What else must be so of a program whose derivatives are right, and other ways to compute them.

Each takes what `oracles` has computed, and gives counts of what was compared.
"""

import string
from collections import Counter

import array_api_strict
import numpy as np
from formula_reader import check_latex, read
from inside import kernel_of, node_of
from reference import evaluate

import eingrad as eg
from eingrad import _formula, _ir
from eingrad._run import Executable
from eingrad._run.interpret import interpret
from eingrad._tree import flatten
from fuzzing.programs import Unwritable, blocks, foreign
from fuzzing.quotients import EPS, SAFETY, UNITS, Mismatch, close, scale_of

LONGEST_READ = 600  # characters of a formula that is also evaluated
MOST_SHOWN = 1500  # entries of a constant that a formula writes out


def check_reference(program, derived, order, at, results, losses):
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


def check_print(program, derived, order, at, results, losses):
    """Text and LaTeX of each block; a text that is short is read and evaluated."""
    counts = Counter()
    for where, expression in blocks(program, derived, order).items():
        what = f"print, order {order}, {where}"
        try:
            text = _formula.text(node_of(expression), MOST_SHOWN)
            check_latex(expression.latex())
            counts["blocks printed"] += 1
            if len(text) > LONGEST_READ or "scan(" in text:  # of which a formula has the name alone
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


def check_dtype(program, f, order, results, losses):
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


def check_range(program, f, order, at, results, losses):
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


def check_writing(program, at):
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


def check_memory(program, f, at, results, losses):
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


def check_standard(program, f, order, at, losses):
    """The steps of a plan, interpreted on arrays of the array API standard, against its source."""
    if program.seed[1] % 4 != 2:
        return Counter()
    plan = eg.derivative(f, order, program.argnums).plan(*at)
    arrays = [*at, *(known.array for known in plan.captured)]
    with array_api_strict.ArrayAPIStrictFlags(api_version="2024.12"):
        given = [array_api_strict.asarray(a) for a in arrays]
        found = [np.asarray(a) for a in interpret(plan.program, given, array_api_strict)]
    for n, (value, expected) in enumerate(
        zip(found, Executable(plan.program).run(arrays), strict=True)
    ):
        if value.dtype != expected.dtype:
            raise Mismatch(f"interpreted, result {n}: dtype {value.dtype}, not {expected.dtype}")
        close(value, expected, SAFETY * EPS * losses[order], f"interpreted, result {n}")
    return Counter({"programs interpreted": 1})


def check_filled(program, f, order, at, losses):
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


def check_jax(program, at, order, results, losses):
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


def check_contracted(program, f, order, at, results, losses):
    """A block contracted where it is called, inside a function, is that block contracted after.

    Axes meet vectors, matrices of two columns, slices, sums; two may be tied.
    """
    counts = Counter()
    if not order or program.seed[1] % 2:
        return counts
    rng = np.random.default_rng([*program.seed, 5])
    n = int(rng.integers(1, order + 1))
    where = (*map(int, rng.choice(program.every, n)),)
    block = results[n][where]
    if not block.ndim or not block.size:
        return counts
    subscripts, arrays = _contraction(rng, block.shape)
    derivative = eg.derivative(f, n, program.argnums)

    def contracted(*args):
        tensor = _block(program, derivative(*args), where)
        return np.einsum(subscripts, tensor, *arrays)

    found = eg.derivative(contracted, 0)(*at)
    expected = np.einsum(subscripts, block, *arrays)
    if np.all(np.isfinite(expected)):
        within = np.einsum(subscripts, np.abs(block) + scale_of(block), *map(np.abs, arrays))
        allowed = SAFETY * EPS * losses[n] * np.max(np.abs(within), initial=1.0)
        what = f"contracted, order {n}, {where}, {subscripts}"
        close(np.asarray(found), expected, allowed / scale_of(expected), what)
        counts["contracted"] += 1
    return counts


def _contraction(rng, shape):
    """Draw subscripts that contract an array of this shape, and what it is contracted with."""
    letters = list(string.ascii_lowercase[: len(shape)])
    for n, size in enumerate(shape):
        same = [letters[m] for m in range(n) if shape[m] == size]
        if same and rng.random() < 0.1:
            letters[n] = str(rng.choice(same))
    sizes = dict(zip(letters, shape, strict=True))
    operands, out = [], []
    for letter in dict.fromkeys(letters):
        kind = rng.choice(["vector", "matrix", "sum", "kept"], p=[0.45, 0.15, 0.1, 0.3])
        if kind == "vector":
            operands.append(letter)
        elif kind == "matrix":
            operands.append(letter + letter.upper())
            sizes[letter.upper()] = 2
            out.append(letter.upper())
        elif kind == "kept":
            out.append(letter)
    arrays = [rng.uniform(-1, 1, [sizes[i] for i in operand]) for operand in operands]
    return f"{','.join([''.join(letters), *operands])}->{''.join(out)}", arrays


def _block(program, nested, where):
    """Find one block of a derivative, however the result is nested."""
    if isinstance(program.argnums, int):
        return nested
    for k in where:
        nested = nested[program.every.index(k)]
    return nested

"""What else must be so of a program whose derivatives are right: its dtypes, range, text, memory.

Each takes a case, what `oracles` has computed, and gives counts of what was compared.
"""

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
from fuzzing.case import leaves
from fuzzing.helpers import Unwritable, foreign
from fuzzing.quotients import EPS, UNITS, Mismatch, close, scale_of

LONGEST_READ = 600  # characters of a formula that is also evaluated
MOST_SHOWN = 1500  # entries of a constant that a formula writes out


def check_reference(case):
    """The planned code against the plain evaluator of the expression of the highest order."""
    counts = Counter()
    for where, expression in case.blocks(case.expressions[case.order], case.order).items():
        node = node_of(expression)
        values = {n: case.at[n.key[2]] for n in _ir.inputs([node])}
        _ir.verify([node])
        plain = evaluate(node, values)
        if not np.all(np.isfinite(plain)):
            counts["not finite without planning"] += 1  # the step agreed with the planned code
            continue
        found = case.results[case.order][where]
        close(found, plain, case.allowed(case.order), f"reference {where}")
    return counts


def check_print(case):
    """Text and LaTeX of each block; a text that is short is read and evaluated."""
    counts = Counter()
    for order, derived in enumerate(case.expressions):
        counts += _check_print(case, order, case.blocks(derived, order))
    return counts


def _check_print(case, order, derived):
    counts = Counter()
    for where, expression in derived.items():
        what = f"print, order {order}, {where}"
        try:
            text = _formula.text(node_of(expression), MOST_SHOWN)
            check_latex(expression.latex())
            counts["blocks printed"] += 1
            if len(text) > LONGEST_READ or "scan(" in text:  # of which a formula has the name alone
                continue
            names = {n.name: case.at[n.key[2]] for n in _ir.inputs([node_of(expression)])}
            value = read(text, names, expression.shape)
        except Exception as error:
            raise Mismatch(f"{what}: {type(error).__name__}: {error}") from error
        counts["blocks read"] += 1
        if np.all(np.isfinite(value)):  # else planned code and formula may differ, as the reference
            close(case.results[order][where], value, case.allowed(order), what)
    return counts


def check_dtype(case):
    """The dtype is that of NumPy's value; the numbers are those of double precision."""
    args, dtypes = case.program.inputs(), case.program.dtypes
    if all(a.dtype in (np.float64, np.complex128) for a in args):
        return Counter()
    try:
        case.f(*args)
    except (TypeError, ValueError):  # NumPy has a function of floats alone
        return Counter()
    floats = [np.asarray(a, float) if a.dtype.kind == "i" else a for a in args]
    expected = np.asarray(case.f(*floats)).dtype
    for n in range(case.order + 1):
        for where, block in case.blocks(case.derivative(n=n)(*args), n).items():
            what = f"{', '.join(dtypes)}: order {n}, {where}"
            if block.dtype != expected:
                raise Mismatch(f"{what}: dtype {block.dtype}, not {expected}")
            right = case.results[n][where]
            narrow = "float16" in dtypes  # its range is short: squares of 300 are infinite
            if not narrow or (np.all(np.isfinite(block)) and scale_of(right) < 1e3):
                unit = max(UNITS[np.finfo(a.dtype).bits // 8] for a in floats)
                close(block, right, case.allowed(n) * unit / EPS, what)
    return Counter({f"argument {dtype}, checked": 1 for dtype in dtypes})


def check_range(case):
    """The derivatives of ``T f(x / S)`` at S x are those of f, times ``T / S**n``: powers of two.

    All values of the program stay what they were; x, S and T are near the ends of the range. Not
    with constants in the lines that are, too: products of numbers of both kinds need not be floats.
    """
    counts = Counter()
    if any("Z(" in step.text for step in case.program.steps):
        return counts
    rng = case.rng(2)
    single = bool(rng.random() < 0.5)
    most, unit = (127, UNITS[4]) if single else (1023, EPS)
    scale = int(rng.choice([-1, 1]) * rng.uniform(0.3, 0.9) * most)
    back = int(rng.choice([0, scale]))
    g, points = case.f, case.at
    if single:
        g = case.program.function(precision=np.float32)
        points = [a.astype(np.complex64 if a.dtype.kind == "c" else np.float32) for a in points]

    def scaled(*xs):
        return 2.0**back * g(*(x / 2.0**scale for x in xs))

    moved = [np.ldexp(1.0, scale).astype(a.real.dtype) * a for a in points]
    for n in range(min(case.order, 2) + 1):
        power = back - n * scale
        if abs(power) > 0.9 * most:
            continue
        for where, block in case.blocks(case.derivative(scaled, n)(*moved), n).items():
            what = f"range: order {n}, {where}, x / 2**{scale}, times 2**{back}"
            wide = block.astype(complex if block.dtype.kind == "c" else float)
            allowed = case.allowed(n) * unit / EPS
            close(wide * 2.0**-power, case.results[n][where], allowed, what)
            counts["blocks near the ends of the range"] += 1
    return counts


def check_writing(case):
    """What is written in place is refused, or is what NumPy makes of it: views share memory."""
    counts = Counter()
    program, at = case.program, case.at
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


def check_memory(case):
    """Arrays in memory that NumPy does not own give the same, and stay as writable as they were."""
    at, g = case.at, case.program.function(helpers=Unwritable)
    for points in ([foreign(a) for a in at], [np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape)
                                              for a in at if a.size]):  # fmt: skip
        if len(points) < len(at):
            continue
        flags = [a.flags.writeable for a in points]
        for h in (g, case.f):
            value = eg.derivative(h, 0)(*points)
            close(value, case.results[0][()], case.allowed(0), "memory of others")
        if flags != [a.flags.writeable for a in points]:
            raise Mismatch("memory of others: an array is not as writable as it was")
    return Counter()


def check_standard(case):
    """The steps of a plan, interpreted on arrays of the array API standard, against its source."""
    plan = case.plan
    arrays = case.arrays_of(plan)
    with array_api_strict.ArrayAPIStrictFlags(api_version="2024.12"):
        given = [array_api_strict.asarray(a) for a in arrays]
        found = [np.asarray(a) for a in interpret(plan.program, given, array_api_strict)]
    for n, (value, expected) in enumerate(
        zip(found, Executable(plan.program).run(arrays), strict=True)
    ):
        if value.dtype != expected.dtype:
            raise Mismatch(f"interpreted, result {n}: dtype {value.dtype}, not {expected.dtype}")
        close(value, expected, case.allowed(case.order), f"interpreted, result {n}")
    return Counter()


def check_filled(case):
    """A plan and what is traced once, called as they are and with arrays to fill in any order."""
    expected = leaves(case.plan(*case.at))
    for how in ("C", "F"):
        filled = [np.full(a.shape, 7, a.dtype, order=how) for a in expected]
        kernel_of(case.plan).fill(case.arrays_of(case.plan), filled)
        for n, (value, a) in enumerate(zip(filled, expected, strict=True)):
            close(value, a, case.allowed(case.order), f"filled in order {how}, result {n}")
    once = eg.compiled(case.derivative())
    for value, a in zip(leaves(once(*case.at)), expected, strict=True):
        close(value, a, case.allowed(case.order), "traced once")
    return Counter()


def check_jax(case):
    """JAX's derivatives of the same text, where JAX has all of its functions; of real arguments."""
    if case.program.complex:
        return Counter()
    import jax  # noqa: PLC0415 - an optional oracle

    jax.config.update("jax_enable_x64", True)
    program, counts = case.program, Counter()
    g = program.function(jax.numpy)
    for n in range(1, case.order + 1):
        g = jax.jacrev(g, program.argnums) if n == 1 else jax.jacfwd(g, program.argnums)
        try:
            expected = case.blocks(g(*case.at), n)
        except (TypeError, ValueError, NotImplementedError, AttributeError, IndexError):
            counts["not in jax"] += 1
            return counts
        for where, other in expected.items():
            if np.all(np.isfinite(other)):
                found, allowed = case.results[n][where], case.allowed(n) + 1e-12
                close(found, np.asarray(other), allowed, f"jax, order {n}, {where}")
                counts["blocks checked by jax"] += 1
    return counts

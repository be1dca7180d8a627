"""The derivatives of a program against oracles, and how exact they can be.

Order zero against NumPy, each order against the step of the order below: the complex step where
the program is analytic and real, else eighth-order differences.
"""

import itertools
import warnings
from collections import Counter
from dataclasses import replace

import numpy as np

import eingrad as eg
from fuzzing import laws, products, ways
from fuzzing.case import Case
from fuzzing.programs import blocks, plan_of, value_of
from fuzzing.quotients import (
    AGREEMENT,
    EPS,
    SAFETY,
    STEPS,
    UNITS,
    Excluded,
    Mismatch,
    check_smooth,
    close,
    differences,
    scale_of,
)

SOLVERS = {"solve", "inv", "det", "slogdet", "tensorsolve", "tensorinv", "matrix_power"}
LARGEST_LOSS = 1e6  # digits lost beyond which an error means nothing
LARGEST_SLOPE = 1e6  # a complex step beyond it may stand for an infinite derivative
MOST_ENTRIES = 1500  # of a derivative; orders above it are not checked
MOST_LINES = 150  # of a plan; nor are the orders above it

LAWS = {  # share of the programs, and what is checked of them
    "reference": (1.0, laws.check_reference),
    "print": (1.0, laws.check_print),
    "dtype": (1.0, laws.check_dtype),
    "range": (0.35, laws.check_range),
    "written": (0.25, laws.check_writing),
    "memory": (0.25, laws.check_memory),
    "standard": (0.25, laws.check_standard),
    "filled": (0.25, laws.check_filled),
    "contracted": (0.5, products.check_contracted),
    "series": (0.5, products.check_series),
    "directions": (0.35, products.check_directions),
    "again": (0.35, ways.check_again),
    "structured": (0.35, ways.check_structured),
    "limit": (0.25, ways.check_limit),
    "rolled": (1.0, ways.check_rolled),
    "batched": (0.35, ways.check_batched),
    "jax": (0.0, laws.check_jax),  # a share that the command is told
}


def check(program, *, with_jax=False, laws_share=1.0):
    """Raise `Mismatch` where a derivative is wrong, `Excluded` where nothing can tell.

    Returns counts of what was compared; of the shares in the table of laws a part may be checked.
    """
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case = _case(program)
        try:  # as if nothing were lost; how much is, is dear to measure
            return _check(case, laws_share, with_jax=with_jax)
        except Mismatch:
            losses = _losses(program, case.plans, case.losses[0])
            return _check(replace(case, losses=losses), laws_share, with_jax=with_jax)


def _case(program):
    """Plan and compute all orders that are small enough."""
    f, at = program.function(), program.wide()
    values, least_loss = list(at), 1.0
    for step in program.steps:
        if not step.analytic:
            check_smooth(step, values)
        least_loss = max(least_loss, loss_of_solving(step, values))
        values.append(value_of(step, values))
    size = np.size(values[-1])
    plans = list(itertools.islice(_plans(program, f, at, size), program.order + 1))
    results = [plan(*at) for plan in plans]
    return Case(program, f, at, plans, results, [least_loss] * len(plans))


def _check(case, laws_share, *, with_jax):
    """The value, the derivatives, order after order, and what follows from these."""
    exact, value, program = np.asarray(case.f(*case.at)), case.results[0][()], case.program
    counts = Counter({f"order {case.order}": 1})
    if value.dtype != exact.dtype:
        raise Mismatch(f"value: dtype {value.dtype}, not {exact.dtype}")
    close(value, exact, case.allowed(0), "value")
    for n in range(1, case.order + 1):
        _check_order(program, case.f, case.plans, n, case.results, case.at, case.losses)
        counts["blocks"] += len(case.results[n])
    return counts + _check_laws(case, laws_share, with_jax=with_jax)


def _check_laws(case, part, *, with_jax):
    """What follows from right derivatives, by the table: each of a share of all programs."""
    counts, rng = Counter(), case.rng(7)
    for name, (share, law) in LAWS.items():
        if rng.random() < part * share or (name == "jax" and with_jax):
            counts[f"law {name}"] += 1
            counts += law(case)
    return counts


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


def _losses(program, plans, least):
    """How many units of the last place each order loses, seen in single precision."""
    at = program.wide()
    small = [a.astype(np.complex64 if a.dtype.kind == "c" else np.float32) for a in at]
    rounded = [a.astype(b.dtype) for a, b in zip(small, at, strict=True)]
    g = program.function(precision=np.float32)
    all_single = eg.value_and_derivatives(g, len(plans) - 1, program.argnums)(*small)
    losses = []
    for n, plan in enumerate(plans):
        single, double, loss = blocks(program, all_single[n], n), plan(*rounded), least
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

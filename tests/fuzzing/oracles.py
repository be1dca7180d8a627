"""The derivatives of a program against oracles, and how exact they can be.

Order zero against NumPy, each order against the step of the order below: the complex step where
the program is analytic and real, else eighth-order differences.
"""

import itertools
import warnings
from collections import Counter

import numpy as np

import eingrad as eg
from fuzzing import laws
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
from fuzzing.series import check_series

SOLVERS = {"solve", "inv", "det", "slogdet", "tensorsolve", "tensorinv", "matrix_power"}
LARGEST_LOSS = 1e6  # digits lost beyond which an error means nothing
LARGEST_SLOPE = 1e6  # a complex step beyond it may stand for an infinite derivative
MOST_ENTRIES = 1500  # of a derivative; orders above it are not checked
MOST_LINES = 150  # of a plan; nor are the orders above it


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
    counts += laws.check_reference(program, derived, order, at, results, losses)
    for n in range(order + 1):
        counts += laws.check_print(program, derived[n], n, at, results, losses)
    laws.check_dtype(program, f, order, results, losses)
    counts += laws.check_range(program, f, order, at, results, losses)
    counts += laws.check_writing(program, at)
    counts += laws.check_memory(program, f, at, results, losses)
    counts += laws.check_standard(program, f, order, at, losses)
    counts += laws.check_filled(program, f, order, at, losses)
    counts += laws.check_contracted(program, f, order, at, results, losses)
    counts += check_series(program, f, order, at, results, losses)
    if with_jax and not program.complex:
        counts += laws.check_jax(program, at, order, results, losses)
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

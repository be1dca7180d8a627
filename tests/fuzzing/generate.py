"""Program number k of a seed: lines are drawn until enough of them fit their operands."""

import warnings
from dataclasses import replace

import numpy as np

from fuzzing.lines import COMPOSITE, SINGLE, TEMPLATES
from fuzzing.options import Options, Unfit, pick
from fuzzing.programs import Program, Step, value_of
from fuzzing.quotients import Excluded, check_smooth

MOST_STEPS = 6
COMPOSITES = 0.25  # share of them among the lines beside that of the template
KINDS = {
    "float64": 0.5, "complex128": 0.12, "float32": 0.1, "complex64": 0.04, "int64": 0.1,
    "float16": 0.02, "mixed": 0.12,
}  # fmt: skip
ORDERS = {1: 0.5, 2: 0.3, 3: 0.2}
SIZES = {0: 0.05, 1: 0.1, 2: 0.35, 3: 0.35, 4: 0.15}


def _drawn(rng, chances):
    return list(chances)[int(rng.choice(len(chances), p=list(chances.values())))]


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
    dtypes = tuple(pick(rng, mixture) if kind == "mixed" else kind for _ in range(count))
    argnums: int | tuple[int, ...] = tuple(range(count))
    if rng.random() < 0.25:
        argnums = int(rng.integers(count))
    elif rng.random() < 0.15:
        argnums = tuple(
            sorted(rng.choice(count, int(rng.integers(1, count + 1)), replace=False).tolist())
        )
    return Program(shapes, dtypes, argnums, (), _drawn(rng, ORDERS), seed)


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
            others = COMPOSITE if rng.random() < COMPOSITES else SINGLE
            chosen = template if done == place else pick(rng, others)
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

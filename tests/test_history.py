"""A plan is a function of its input: not of what was planned before, nor of who computed a number.

What is compared is the source, exactly. Each order of programs is planned in a process of its own.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from inside import traced

import eingrad as eg
from eingrad import _ir
from eingrad._ir.digests import HALF, rounded, rounded_values
from eingrad._primitives import apply, times

TESTS = Path(__file__).resolve().parent
PLAN = """
import json, sys
sys.path.insert(0, sys.argv[1])
import eingrad as eg
from real_programs import PROGRAMS
from real_programs.measure import plan_of

programs = [p for p in PROGRAMS if not p.slow and p.small is not None]
first, step = map(int, sys.argv[2:])
chosen = [(n, p) for n, p in enumerate(programs) if n % 9 == 0][first::step]
if step < 0:  # after others, whose plans are kept
    kept = [plan_of(task.run, *task.args) for p in programs[1::9] for task in [p.build(p.small)]]
sources = {}
for n, program in chosen:
    task = program.build(program.small)
    sources[n] = plan_of(task.run, *task.args).source
print(json.dumps(sources))
"""


def sources(first, step, seed):
    """Plan some dozen programs in an order, and give their sources."""
    done = subprocess.run(
        [sys.executable, "-c", PLAN, str(TESTS), str(first), str(step)],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_a_plan_does_not_depend_on_what_was_planned_before_nor_on_hashes():
    """Forward; backward, after others; every third, which leaves out what came between."""
    whole = sources(0, 1, seed=0)
    assert len(whole) >= 24
    assert sources(-1, -1, seed=1) == whole
    some = sources(1, 3, seed=2)
    assert some.items() <= whole.items()
    assert len(some) >= 8


# Last digits -------------------------------------------------------------------------------------


def without_digits(source):
    """Leave out the numbers with many digits, however they are written."""
    number = r"\d{9,} / \d{9,}|\d+\.\d{9,}(?:e-?\d+)?|\d{12,}"
    return re.sub(rf"\((-?)(?:{number})\)|(-?)(?:{number})", r"\1\2#", source)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("base", [6.506922196723934, 0.3141592653589793, 0.0123456789012345])
def test_a_plan_does_not_depend_on_the_last_digits_of_a_number(order, base):
    """A norm that BLAS computes has others on another processor."""
    b = np.linspace(-1, 1, 7)

    def plan(c):
        return eg.derivative(
            lambda a: a @ b / (np.linalg.norm(a) * c) + c * (a**3).sum(), order
        ).plan(b)

    first, *others = (plan(base + ulps * np.spacing(base)) for ulps in range(-3, 4))
    assert {without_digits(other.source) for other in others} == {without_digits(first.source)}
    assert {other.program.peak_bytes for other in others} == {first.program.peak_bytes}
    assert len({other.source for other in others}) == len(others)


def test_numbers_that_differ_are_told_apart_and_ordered_alike():
    x = _ir.new_input("x", (3,))
    numbers = [0.7071067811865476 + n * np.spacing(0.5) for n in range(4)]
    made = [
        [_ir.scale(times(x, x), c) for c in numbers],
        [apply("scaled", x, factor=c) for c in numbers],
        [_ir.add([x, times(x, x)], [1, c]) for c in numbers],
        [_ir.constant(np.array([c, 1.0])) for c in numbers],
        [times(x, apply("power", x, exponent=c)) for c in numbers],
    ]
    for nodes in made:
        assert len({n.digest for n in nodes}) == len(nodes)
        assert len({n.digest[:HALF] for n in nodes}) == 1


def test_what_is_made_of_a_number_of_few_digits_has_a_short_digest():
    """So that the order of nearly all nodes is that of all they are."""
    node = traced(
        lambda x: 0.1 * np.exp(x * 2.5e-3) / 3 + x**3 + np.array([0.5, 3.0, 1e9]),
        _ir.new_input("x", (3,)),
    )
    assert {len(n.digest) for n in _ir.topological([node])} == {HALF}


def test_numbers_are_rounded_to_twelve_digits_and_others_are_not():
    assert rounded((1, "a", 2.5, (0.1 + 0.2, b"0" * 40))) == (1, "a", 2.5, (0.3, b"0" * HALF))
    assert rounded(1 / 3 + 2j / 3) == complex(0.333333333333, 0.666666666667)
    few = 1, 0.25, 7 / 8, (1e300, -0.0), float("inf")
    assert rounded(few) is few
    assert np.isnan(rounded(float("nan")))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_entries_of_an_array_are_rounded(dtype):
    values = np.array(
        [1 / 3, 2.0, -5e-300 if dtype in (np.float64, np.complex128) else -0.1], dtype
    )
    real = values.real.dtype.type
    near = values * (1 + np.finfo(real).eps)
    far = values * (1 + real(1e-4))
    assert (rounded_values(near) == rounded_values(values)).all()
    assert (rounded_values(far) != rounded_values(values)).any()
    assert rounded_values(np.arange(3)) is not None

"""The differential fuzzer: some programs of each kind, what it covers, and that it finds bugs."""

import dataclasses
import functools
import importlib.util
import re
from collections import Counter

import fuzz
import numpy as np
import pytest
from fuzzing import vectors
from fuzzing.case import Case
from fuzzing.flat import LAYERS, LOSSES, random_flat
from fuzzing.generate import KINDS, random_program
from fuzzing.lines import TEMPLATES, functions_of
from fuzzing.long import random_long
from fuzzing.oracles import LAWS, check
from fuzzing.programs import Program, Step, plan_of
from fuzzing.quotients import Mismatch
from fuzzing.steps import STEPS
from inside import HEAD, NAMED, WITH_SIGN, node_of

import eingrad as eg
from eingrad import _ir, _notation, _primitives
from eingrad._tracer import ACCUMULATE, FUNCTIONS, METHODS, REDUCE, UFUNCS, Expression

SEED = 0
SHARDS = [range(start, start + 50) for start in range(0, 450, 50)]  # every template is met


@functools.cache
def programs():
    """Make the programs of the shards, and as many again for those who choose among them."""
    return [random_program(SEED, number) for number in range(1000)]


@pytest.mark.parametrize("numbers", SHARDS, ids=lambda numbers: f"{numbers[0]}-{numbers[-1]}")
def test_derivatives_of_random_programs_are_right(numbers):
    """To order three, against NumPy, complex steps and differences; few cannot be told."""
    counts, failures = fuzz.run_range(SEED, numbers, 0)
    assert not failures, "\n".join(failures)
    assert counts["programs"] == len(numbers)
    assert counts["excluded"] <= 0.04 * len(numbers)
    assert counts["not finite without planning"] <= 0.02 * len(numbers)
    assert counts["blocks printed"] >= counts["blocks"]
    assert counts["blocks read"] >= 0.7 * counts["blocks printed"]  # of a scan there is the name


@pytest.mark.parametrize(("family", "numbers"), [("long", [0, 6, 7]), ("flat", range(8))])
def test_derivatives_of_functions_of_one_vector_are_right(family, numbers):
    """Long programs, and models of flat weights: gradients, products, series, scans, batches."""
    counts, failures = fuzz.run_vectors(family, SEED, numbers, laws_share=0.3)
    assert not failures, "\n".join(failures)
    assert counts[f"{family}: programs"] == len(numbers)
    assert counts[f"{family}: excluded"] <= 1


def test_functions_of_one_vector_have_every_kind_of_step_layer_and_loss():
    """So that what is added to a table is met."""
    long = {kind for number in range(60) for kind in random_long(SEED, number).kinds}
    flat = {kind for number in range(200) for kind in random_flat(SEED, number).kinds}
    assert long == set(STEPS)
    assert flat == {*LAYERS, *LOSSES}


def test_a_long_program_that_fails_is_made_smaller():
    """To the step that is at fault alone."""
    program = next(p for n in range(60) if "cumprod" in (p := random_long(SEED, n)).kinds)

    def fails(smaller):
        return "cumprod" in smaller.kinds

    while any(fails(smaller) for smaller in program.smaller()):
        program = next(smaller for smaller in program.smaller() if fails(smaller))
    assert len(program.steps) == 1


def test_what_takes_too_long_has_failed(monkeypatch):
    """In seconds of the processor, so that planning that never ends is found."""
    monkeypatch.setattr(fuzz, "MOST_SECONDS", 0.1)

    def never(*_, **__):
        while True:
            pass

    monkeypatch.setattr(fuzz, "check", never)
    _, failures = fuzz.run_range(SEED, [0], 0)
    assert "TooLongError: not done in 0.1 seconds" in failures[0]


def test_the_plain_evaluator_counts_where_structure_stands_alone():
    """It added zeros and ones by "or", and called a right derivative wrong (seed 8006)."""
    steps = (
        Step("xp.resize({0}, (2, 3))", (0,)),
        Step("xp.linalg.tensorinv(3 * E(4).reshape(2, 2, 4) + 0.2 * xp.sin(xp.sum({0})))", (1,)),
        Step("xp.dot({0}, {1})", (2, 1)),
        Step("xp.take_along_axis({0}, np.argsort(K(*{0}.shape), -1), -1)", (3,), analytic=True),
    )
    program = Program(((2,),), ("float64",), 0, steps, 2, (8006, 1103))
    assert check(program)["order 2"] == 1


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_random_programs_agree_with_jax():
    """A sample, for JAX compiles slowly."""
    counts = Counter()
    for program in [p for p in programs() if not p.complex][::250]:
        counts += check(program, with_jax=True)
    assert counts["blocks checked by jax"] > counts["blocks"] / 2


def test_programs_call_every_supported_function():
    """And every array method, and every method of a ufunc, that docs/functions.md lists."""
    called = {name for p in programs() for s in p.steps for name in functions_of(s.text)}
    called_on_ufuncs = {
        name for name in called if re.fullmatch(r"[a-z_]+\.(outer|reduce|accumulate)", name)
    }
    called_on_ufuncs -= {"linalg.outer"}
    objects = {
        functools.reduce(getattr, name.split("."), np)
        for name in called - called_on_ufuncs
        if not name.startswith("ndarray.")
    }
    assert {f for f in (*FUNCTIONS, *UFUNCS) if callable(f)} - objects == set()
    assert {f"ndarray.{name}" for name in METHODS} - called == set()
    for method, table in (("reduce", REDUCE), ("accumulate", ACCUMULATE)):
        assert {f"{ufunc.__name__}.{method}" for ufunc in table} - called_on_ufuncs == set()
    assert "multiply.outer" in called_on_ufuncs


def test_program_k_holds_a_line_of_template_k():
    """So every template is met again and again, and reaches the result; in the shards, too."""
    assert len(TEMPLATES) <= SHARDS[-1].stop
    for number, program in enumerate(programs()[: len(TEMPLATES)]):
        template = TEMPLATES[number]
        wanted = functions_of(template.text)
        assert any(wanted <= functions_of(step.text) for step in program.steps)
        live = {len(program.shapes) + len(program.steps) - 1}
        for k in reversed(range(len(program.steps))):
            assert len(program.shapes) + k in live
            live |= set(program.steps[k].operands)


def test_programs_have_every_dtype_order_and_depth():
    """Also one argument of several, some of them, and dtypes mixed."""
    made = programs()
    assert {d for p in made for d in p.dtypes} == set(KINDS) - {"mixed"}
    assert {len(p.steps) for p in made} == {1, 2, 3, 4, 5, 6}
    assert {p.order for p in made} == {1, 2, 3}
    assert {len(p.shapes) for p in made} == {1, 2, 3}
    assert any(isinstance(p.argnums, int) and len(p.shapes) > 1 for p in made)
    assert any(0 < len(p.every) < len(p.shapes) for p in made if isinstance(p.argnums, tuple))
    assert any(len(set(p.dtypes)) > 1 for p in made)
    assert any(0 in shape for p in made for shape in p.shapes)


# Planted bugs ------------------------------------------------------------------------------------


@functools.cache
def _users():
    """First programs that differentiate through each operand of each row of the table."""
    users: dict[tuple[str, int], list[int]] = {}
    for number, program in enumerate(programs()):
        x = [_ir.new_input(f"v{k}", shape) for k, shape in enumerate(program.shapes)]
        with np.errstate(all="ignore"):
            result = program.function()(*map(Expression, x))
        if not isinstance(result, Expression):
            continue
        moving = {n for n in x if x.index(n) in program.every}
        for node in _ir.topological([node_of(result)] if result.size else []):
            moved = [k for k, below in enumerate(_ir.children(node)) if below in moving]
            moving |= {node} if moved else set()
            if isinstance(node, _ir.Apply):
                for k in moved:
                    users.setdefault((node.primitive.name, k), []).append(number)
    return users


RULES = [
    (row.name, k)
    for row in _primitives.PRIMITIVES
    if not callable(row.rules)
    for k, rule in enumerate(row.rules)
    if rule is not None and row.name != "whole"  # only reverse of reverse meets that one
]


IN_DERIVATIVES_ALONE = {  # of which row
    "quotient": "norm",
    "one_minus_square": "arcsin",
    "others": "prod",
}


@pytest.mark.parametrize(("name", "k"), RULES)
def test_a_wrong_rule_is_found(monkeypatch, name, k):
    """Each rule of the primitives' table, with a slope too large by a thousandth of a percent."""
    row = _primitives.BY_NAME[name]
    rule = row.rules[k]

    def wrong(*operands, **attributes):
        return _ir.scale(rule(*operands, **attributes), 1.00001)

    rules = (*row.rules[:k], wrong, *row.rules[k + 1 :])
    monkeypatch.setitem(_primitives.BY_NAME, name, dataclasses.replace(row, rules=rules))
    eg.cache_clear()
    found, order = [], 1
    users = _users().get((name, k))
    if name in IN_DERIVATIVES_ALONE:
        users, order = _users()[IN_DERIVATIVES_ALONE[name], 0], 2
    for number in users[:40]:
        program = dataclasses.replace(programs()[number], order=order)
        found.append(fuzz.failure_of(program))
        if isinstance(found[-1], Mismatch):
            break
    eg.cache_clear()
    assert isinstance(found[-1], Mismatch), found


def test_a_wrong_rule_of_a_whole_derivative_is_found(monkeypatch):
    """Where a softmax is differentiated in reverse, twice: forward, what it says cancels."""

    def second():
        eg.cache_clear()
        x = eg.variable("x", 4)
        e = np.exp(x - np.max(x))
        plan = eg.compile(eg.differentiate(e / e.sum(), x, 2, mode="reverse"))
        eg.cache_clear()
        return plan(np.array([0.1, 0.7, 0.3, -0.2]))

    right, row = second(), _primitives.BY_NAME["whole"]
    (rule,) = row.rules
    wrong = dataclasses.replace(row, rules=(lambda *args: _ir.scale(rule(*args), 1.1),))
    monkeypatch.setitem(_primitives.BY_NAME, "whole", wrong)
    assert not np.allclose(second(), right, rtol=1e-3)


LOOP = (
    Step("repeated(lambda c, k: 0.5 * c + 0.2 * xp.sin(c), {0}, 9)", (0,)),
    Step("xp.sum({0} * xp.cos({0}))", (1,)),
)
STORING = (Step("xp.sum(scan(lambda c, s: (xp.sin(c) * s, None), K() * {0}, K(40))[0])", (0,)),)


def _case(wrong, *, steps=LOOP, size=2, order=2, number=0):
    """A case whose derivatives are wrong by so much, relatively."""
    program = Program(((size,),), ("float32",), 0, steps, order, (0, number))
    f, at = program.function(), program.wide()
    plans = [plan_of(program, f, n, at) for n in range(order + 1)]
    results = [plan(*at) for plan in plans]
    results = [{k: v * (1 + wrong) for k, v in blocks.items()} for blocks in results]
    return Case(program, f, at, plans, results, [1.0] * len(plans))


OF_RESULTS = [  # laws that compare with the derivatives that were checked
    "reference", "print", "dtype", "range", "memory", "contracted", "series", "directions",
    "structured", "rolled", "batched",
]  # fmt: skip


@pytest.mark.parametrize("law", OF_RESULTS)
def test_a_law_finds_what_is_wrong(law):
    """By a part in a hundred, of a loop in single precision."""
    _, check_law = LAWS[law]
    assert check_law(_case(0)) is not None
    with pytest.raises(Mismatch):
        check_law(_case(0.01))


@pytest.mark.parametrize("law", ["again", "filled", "limit"])
def test_a_law_of_plans_finds_one_that_is_wrong(law):
    """A plan that others do not agree with; some limits of memory are too small for any."""
    _, check_law = LAWS[law]

    def check_wrong(number):
        case = _case(0, steps=STORING, size=8, order=1, number=number)
        vars(case)["plan"] = case.derivative(lambda x: 1.01 * case.f(x)).plan(*case.at)
        check_law(case)

    with pytest.raises(Mismatch):
        [*map(check_wrong, range(5))]


@pytest.mark.parametrize("law", sorted({*vectors.LAWS} - {"jax", "limit"}))
def test_a_law_of_functions_of_one_vector_finds_what_is_wrong(law):
    """A function that is not the one whose slopes are known."""
    _, check_law = vectors.LAWS[law]
    program = next(p for n in range(60) if (p := random_flat(SEED, n)).analytic)
    f, (x, v, w) = program.function(), program.point()
    right, wrong = (
        vectors.Vector(program, g, x, v, w, vectors.ALLOWED) for g in (f, lambda x: 1.01 * f(x))
    )
    check_law(right)
    known = {name: getattr(right, name) for name in ("gradient", "slope", "bend", "third")}
    vars(wrong).update(known)
    with pytest.raises(Mismatch):
        check_law(wrong)


WRONG_FORMULAS = {  # in place of what a formula is written with, and programs that meet it
    "a position is not shifted": (_notation.Text, "shifted", lambda _, _start, _step, row: row),
    "a sign is lost": (*WITH_SIGN, lambda _, phrase, _negative: phrase),
    "a range is not told": (*HEAD, lambda _, i, _size, **_told: i.text),
    "a name is missing": (*NAMED, lambda self, node: self.symbols[node]),
    "a brace is missing": (
        _notation.Latex,
        "sum",
        lambda _, heads, body: f"\\sum_{{{heads} {body}",
    ),
}


@pytest.mark.parametrize(
    ("where", "name", "wrong"), WRONG_FORMULAS.values(), ids=WRONG_FORMULAS.keys()
)
def test_a_wrong_formula_is_found(monkeypatch, where, name, wrong):
    """Of one that cannot be printed, and one that is printed wrong: a mismatch of kind print."""
    monkeypatch.setattr(where, name, wrong)
    found = None
    for program in programs()[:200]:
        found = fuzz.failure_of(program)
        if isinstance(found, Mismatch):
            break
    assert isinstance(found, Mismatch)
    assert str(found).startswith("print")

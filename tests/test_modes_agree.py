"""The mode of a plan, and of the same order in the bench of orders: there is one definition."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import RandomFunction, extend, point

import eingrad as eg
from eingrad import paths
from eingrad._mode import modes_of, name_of
from eingrad.errors import PathError, PlanError
from eingrad.paths.modes import kinds_of
from eingrad.paths.orders import default_orders
from eingrad.paths.pictures import tree
from eingrad.paths.schedule import Step

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
from make_networks import CASES, problem_of  # found beside the tests

UNARY = (
    "sin", "exp", "transpose", "sum", "outer", "gram", "trace", "inverse", "det", "diagonal",
)  # fmt: skip
BINARY = ("add", "subtract", "multiply", "matmul")


def modes(f, *args, order, argnums=0):
    """Name the mode of a plan, and of eingrad's order of the problem that is made of the same."""
    problem = paths.of_function(f, *args, order=order, argnums=argnums)
    schedule = paths.find_order("eingrad").find(problem)
    plan = eg.derivative(f, order, argnums).plan(*args)
    return plan.mode.name, paths.mode_of(problem, schedule)


def hides_a_sum(problem):
    """Whether an operand is a sum: how that is made, a problem leaves to nobody."""
    return any(" + " in name or " - " in name or name == "sum" for name in problem.operands)


@st.composite
def programs(draw):
    """A random program whose arrays have no axis of one element, and the shape of its argument."""
    shape = tuple(draw(st.lists(st.integers(2, 3), min_size=1, max_size=2)))
    pool, steps = [np.full(shape, 0.5)], []
    for _ in range(draw(st.integers(2, 6))):
        first, second = (draw(st.integers(0, len(pool) - 1)) for _ in range(2))
        unary = st.tuples(st.sampled_from(UNARY), st.just(first))
        binary = st.tuples(st.sampled_from(BINARY), st.just(first), st.just(second))
        extend(steps, pool, draw(unary | binary), 30)
    assume(steps)
    return RandomFunction(steps), shape


@settings(max_examples=10)  # some take a minute
@given(program=programs(), order=st.integers(1, 3))
def test_a_plan_and_the_bench_name_one_order_alike(program, order):
    f, shape = program
    x = point(shape, 0)
    try:
        problem = paths.of_function(f, x, order=order)
    except PlanError as error:  # zero, or too long
        assume("zero everywhere" not in str(error))
        raise
    assume(not hides_a_sum(problem))
    of_plan, of_problem = modes(f, x, order=order)
    assume("unknown" not in (of_plan, of_problem))
    assert of_plan == of_problem


def test_the_diagonal_of_a_product_is_a_value_of_the_function():
    """It is a product without a sum of its own: ``sin(diagonal(x * x))``."""
    of_plan, of_problem = modes(lambda x: np.sin(np.diagonal(x * x)), point((2, 2), 0), order=3)
    assert of_plan == of_problem == "either"


def test_ones_that_are_added_are_no_factor():
    """What multiplies them is a product of less: ``e * (e + 2)`` is of squares and values."""
    x = point((3, 3), 0)
    of_plan, of_problem = modes(lambda x: np.exp(np.diagonal(np.exp(x))), x, order=3)
    assert of_plan == of_problem == "reverse over either over either"


def sample(shape):
    if isinstance(shape, tuple) and all(type(n) is int for n in shape):
        return np.random.default_rng(0).uniform(0.5, 1.5, shape)
    return shape


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if not isinstance(c.of, str) and c.name in {*paths.instances()}],
    ids=lambda case: case.name,
)
def test_a_plan_and_a_committed_file_name_one_order_alike(case):
    """The file has what each mode makes, so that nobody need derive it again."""
    fresh, committed = problem_of(case, explicit=False), paths.instance(case.name)
    schedule = paths.find_order("eingrad").find(fresh)
    plan = eg.derivative(case.of, case.order, case.argnums).plan(*map(sample, case.shapes))
    assert paths.mode_of(fresh, schedule) == plan.mode.name
    if committed.pure.keys() == fresh.pure.keys():  # else operands are related, see the file's text
        assert paths.mode_of(committed, replace(schedule, problem=committed)) == plan.mode.name


# What was named in two ways ----------------------------------------------------------------------

X = np.random.default_rng(0).uniform(0.5, 1.5, 4)
MATRIX = np.eye(3) + np.random.default_rng(1).uniform(size=(3, 3)) / 9
DISAGREED = {
    "a step may begin with any of its factors": (
        lambda x, y: np.sin(x * y).sum(), (X, X), 2, "either"
    ),
    "so in a third derivative": (
        lambda x, y: np.sin(x * y).sum(), (X, X), 3, "reverse over either over either"
    ),
    "a local Jacobian of two factors": (
        np.linalg.solve, (MATRIX, np.ones((3, 2))), 3, "either"
    ),
    "the function's own product": (lambda x: np.sin(x) * np.exp(-x * x), (X,), 1, "either"),
    "a nested mode that neither pure one is": (
        lambda x, a: a @ np.linalg.inv(x) @ a, (MATRIX, np.ones(3)), 2, "reverse over forward"
    ),
    "equal operands in another order": (
        lambda x: (x * x) @ (x * x) - 2 * (x * x), (MATRIX,), 1, "either"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DISAGREED)
def test_what_was_named_in_two_ways_has_one_name(name):
    f, args, order, expected = DISAGREED[name]
    assert modes(f, *args, order=order) == (expected, expected)


# Names -------------------------------------------------------------------------------------------


def test_the_modes_of_an_order_change_direction_once_at_most():
    assert modes_of(1) == ["forward", "reverse"]
    assert len(modes_of(2)) == 4
    assert "forward over reverse over forward" not in modes_of(3)
    assert [len(modes_of(n)) for n in range(1, 6)] == [2, 4, 6, 8, 10]


@pytest.mark.parametrize(
    ("makers", "name"),
    [
        ((), "cross-country"),
        (("forward over reverse",), "forward over reverse"),
        (("forward over reverse", "reverse over reverse"), "either over reverse"),
        (("reverse over forward", "reverse over reverse"), "reverse over either"),
        (("forward over forward", "reverse over reverse"), "forward over forward"),
        (modes_of(2), "either"),
    ],
)
def test_a_family_is_named_by_the_directions_that_matter(makers, name):
    assert name_of(makers, modes_of(2)) == name


@given(makers=st.sets(st.sampled_from(modes_of(3)), min_size=1))
def test_a_name_is_true_of_every_mode_that_it_stands_for(makers):
    family = name_of(makers, modes_of(3)).split(" over ")
    family = ["either"] * 3 if family == ["either"] else family
    held = [
        mode
        for mode in modes_of(3)
        if all(a in ("either", b) for a, b in zip(family, mode.split(" over "), strict=True))
    ]
    assert held
    assert makers.issuperset(held)


# Orders ------------------------------------------------------------------------------------------


def hessian():
    return paths.of_function(lambda x: np.log(1 + np.exp(np.ones((5, 3)) @ x)).sum(), (3,), order=2)


def test_each_mode_of_a_hessian_is_an_order_whose_mode_it_is():
    problem = hessian()
    assert [*problem.pure] == modes_of(2)
    for mode in modes_of(2):
        schedule = paths.find_order(mode).find(problem)
        makers = paths.mode_of(problem, schedule)
        assert makers in (mode, "either") or "either" in makers.split(" over ")
    assert paths.find_order("forward").find(problem) == problem.pure["forward over forward"]
    assert [*default_orders(problem)][1:5] == [
        "forward", "reverse", "forward over reverse", "reverse over forward",
    ]  # fmt: skip


def test_a_mode_of_another_order_of_differentiation_is_refused():
    problem = paths.of_function(lambda x: np.sin(x).sum(), (3,))
    message = (
        "of f, order 1 it is not known what forward over reverse mode computes; it is of "
        "forward, reverse"
    )
    with pytest.raises(PathError, match=message):
        paths.find_order("forward over reverse").find(problem)


def test_a_network_has_no_nested_modes():
    problem = paths.of_einsum("ij,jk->ik", {"i": 2, "j": 3, "k": 4})
    message = "is a network, not the derivative of a function; it has the modes forward and reverse"
    with pytest.raises(PathError, match=message):
        paths.find_order("reverse over forward").find(problem)


def test_the_colours_of_a_tree_are_those_of_the_steps():
    problem = hessian()
    schedule = paths.find_order("eingrad").find(problem)
    kinds = kinds_of(problem, schedule)
    assert len(kinds) == len(schedule.operations)
    products = [isinstance(o, Step) and len(o.operands) > 1 for o in schedule.operations]
    assert [kind != "" for kind in kinds] == products
    tree(problem, schedule)  # a kind without a colour is refused


def test_what_is_too_much_to_compare_is_unknown():
    def f(x):
        for _ in range(4):
            x = x + np.sin(x[::-1]) * x
        return x.sum()

    problem = paths.of_function(f, (3,), order=2)
    schedule = paths.find_order("eingrad").find(problem)
    assert paths.mode_of(problem, schedule) == "unknown"
    assert {*kinds_of(problem, schedule)} == {""}

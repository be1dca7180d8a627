"""Where calls are counted instead of planning: of small arrays, and of nothing else."""

import pytest
from inside import traced
from real_programs import PROGRAMS
from real_programs.measure import plan_of

import eingrad as eg
from eingrad import _ir
from eingrad._choose import FEWER_CALLS
from eingrad._derive import derive
from eingrad._estimated import of_fewest_calls
from eingrad._primitives import apply


def chains(size, *lengths):
    """Chains of sines of these lengths."""
    found = []
    for length in lengths:
        node = _ir.new_input("x", (size,))
        for _ in range(length):
            node = apply("sin", node)
        found.append([node])
    return found


@pytest.mark.parametrize(
    ("size", "lengths", "expected"),
    [
        (3, (100, 150), 0),
        (3, (150, 100), 1),
        (3, (100, 110), None),  # about as many calls
        (3, (20, 40), None),  # few nodes: planned as fast
        (3_000, (100, 150), None),  # what they become decides
        (3, (100,), 0),  # nothing to compare it with
        (3, (150, 100, 180), 1),
    ],
)
def test_far_fewer_calls_decide_of_many_nodes_on_few_entries(size, lengths, expected):
    assert of_fewest_calls(chains(size, *lengths)) == expected


def program_of(name):
    return next(p for p in PROGRAMS if p.name == name)


@pytest.mark.parametrize(
    ("name", "nodes"),
    [
        ("Coriolis matrix of two joints", 2_400),  # 3,355 when both directions were planned
        ("dihedral by np.cross, along a vector thrice", 930),  # 977, of forms of its values
        ("masked attention of two layers, entries of the Hessian", 11_500),  # 15,164, of forms
    ],
)
def test_what_is_left_out_is_not_normalised(name, nodes):
    """Nodes that planning builds, of which those of the other candidate are the less."""
    program = program_of(name)
    task = program.build(program.sizes)
    eg.cache_clear()
    before = _ir.number_of_nodes_built()
    plan_of(task.run, *task.args)
    assert _ir.number_of_nodes_built() - before <= nodes


def test_print_tells_why_one_direction_was_planned():
    program = program_of("kinetics by components, second derivative")
    task = program.build(program.sizes)
    assert FEWER_CALLS in str(plan_of(task.run, *task.args))


@pytest.mark.parametrize(
    "name", ["kinetics by components, second derivative", "dihedral by np.cross, third derivative"]
)
def test_the_direction_of_fewer_calls_is_that_of_the_lower_price(name):
    program = program_of(name)
    task = program.build(program.sizes)
    assert task.of is not None
    f, order = task.of
    x = _ir.new_input("x", task.args[0].shape)
    taken, priced = (derive([traced(f, x)], [x], (order,), m)[1] for m in ("cheapest", "either"))
    assert taken.rule == FEWER_CALLS
    assert taken.candidates[0][0] == priced.candidates[0][0]


def test_whoever_wants_both_priced_gets_both():
    x = _ir.new_input("x", (3,))
    y = x
    for _ in range(80):
        y = apply("sin", y)
    y = _ir.add([y, _ir.einsum("i,j->i", y, x)])
    _, choice = derive([y], [x], (1,), "either")
    assert {name for name, _ in choice.candidates} == {"forward", "reverse"}
    assert all(flops for _, flops in choice.candidates)

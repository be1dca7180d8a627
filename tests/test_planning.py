"""What planning builds: nodes are counted, not timed; bounds that no machine changes."""

import gc
import itertools
import runpy
from pathlib import Path

import numpy as np
import pytest
from cases import CASES, find
from inside import traced

import eingrad as eg
from eingrad import _derive, _ir
from eingrad._choose import RULES, Differentiation, directions
from eingrad._cost import roughly
from eingrad._limits import MACHINE
from eingrad._plan import InputSpec, Prices, compose, lower, pairwise, picoseconds
from eingrad._sweeps import sweeps

PATH = Path(__file__).resolve().parent.parent / "benchmarks" / "planning.py"
BENCHMARK = runpy.run_path(str(PATH))


def nodes_and_statements(case):
    eg.cache_clear()
    gc.collect()
    before = _ir.number_of_nodes_built()
    plan = getattr(eg, case.verb)(case.f).plan(case.x)
    return _ir.number_of_nodes_built() - before, len(plan.program.statements)


@pytest.mark.parametrize(
    ("case", "nodes"),
    list(zip(BENCHMARK["CASES"][:4], (2_500, 800, 70, 4_900), strict=True)),
    ids=lambda value: getattr(value, "name", value),
)
def test_a_derivative_is_planned_with_few_nodes(case, nodes):
    """They took 5,586, 780, 138 and 39,520 when both directions were built to be compared."""
    assert nodes_and_statements(case)[0] <= nodes


def test_a_gradient_in_few_numbers_takes_no_more_nodes_than_in_many():
    """In 5 it took more than twice as many as in 9: of few columns, both directions were built."""
    runge_kutta = BENCHMARK["runge_kutta"]
    few, many = (nodes_and_statements(runge_kutta(n, steps=5)) for n in (5, 9))
    assert few[0] <= many[0]
    assert few[1] == many[1]


def test_every_node_that_is_new_is_counted_and_only_those():
    x = _ir.new_input("x", (3,))
    before = _ir.number_of_nodes_built()
    node = _ir.einsum("i,i->i", x, x)
    assert _ir.number_of_nodes_built() == before + 1
    assert _ir.einsum("i,i->i", x, x) is node
    assert _ir.number_of_nodes_built() == before + 1


def test_a_derivative_is_lowered_once(monkeypatch):
    """Candidates are priced by their nodes: no program is written for one that is not taken."""
    calls = []

    def counted(*args):
        calls.append(args)
        return lower(*args)

    monkeypatch.setitem(compose.__globals__, "lower", counted)
    f, x = find("layernorm", 3).build((4, 5))
    eg.cache_clear()
    eg.derivative(f, 3).plan(x)
    assert len(calls) == 1


# Bounds ------------------------------------------------------------------------------------------


def chain(rows, columns):
    """``A tanh(B (tanh ... x))``, from so many numbers to so many."""
    x = _ir.new_input("x", (columns,))
    node = _ir.einsum("ij,j->i", _ir.new_input("first", (40, columns)), x)
    for n in range(4):
        w = _ir.new_input(f"w{n}", (40, 40))
        node = _ir.einsum("ij,j->i", w, _ir.einsum("i,i->i", node, node))
    return _ir.einsum("ij,j->i", _ir.new_input("last", (rows, 40)), node), x


@pytest.mark.parametrize(("rows", "columns"), [(2, 30), (30, 2), (1, 9), (9, 1)])
def test_the_direction_with_fewer_sweeps_has_the_smaller_bound(rows, columns):
    """And the bounds are as far apart as the numbers of sweeps, nearly."""
    y, x = chain(rows, columns)
    forward, reverse = (sweeps(y, [x], name) for name in ("forward", "reverse"))
    assert 0.7 * columns / rows <= forward / reverse <= 1.4 * columns / rows
    assert directions(Differentiation(y, (x,)))[0] == ("forward" if columns < rows else "reverse",)


def test_deltas_are_divided_out():
    """A chain of elementwise functions has a diagonal: neither direction takes n sweeps of n."""
    x = _ir.new_input("x", (100,))
    y = x
    for _ in range(3):
        y = _ir.einsum("i,i->i", y, y)
        y = _ir.add([y, x])
    assert sweeps(y, [x], "forward") <= roughly(2_000, 2_000)
    assert sweeps(y, [x], "reverse") <= roughly(2_000, 2_000)


def test_a_node_that_depends_on_one_entry_has_one_column():
    p = _ir.new_input("p", (50,))
    entry = _ir.contract([(_ir.take(p, 0, _ir.selection((7,), 50)), (0,))], ())
    y = _ir.einsum("ij,->ij", _ir.new_input("a", (9, 9)), entry)
    y = _ir.einsum("ij,jk->ik", y, y)
    assert sweeps(y, [p], "forward") <= roughly(2 * 2 * 9**3, 5 * 81)


def test_bounds_build_nothing():
    """They are looked up on the undifferentiated graph."""
    y, x = chain(3, 4)
    before = _ir.number_of_nodes_built()
    sweeps(y, [x], "forward")
    sweeps(y, [x], "reverse")
    assert _ir.number_of_nodes_built() == before


def test_derivatives_of_one_number_have_few_terms():
    """Each order of ``x / sqrt(1 + x**2)`` had 2.3 times the flops of the one before."""
    flops = [eg.derivative(lambda x: x / np.sqrt(1 + x**2), k).plan(0.3).flops for k in range(1, 8)]
    ratios = [after / before for before, after in itertools.pairwise(flops)]
    assert max(ratios[1:]) < 1.5  # as of a power of the order


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says)
def test_every_rule_decides_for_some_derivative_and_print_tells_it(rule):
    a, b, c = np.ones((2, 40)), np.ones((40, 30)), np.ones((40, 40))
    plans = [eg.jacobian(lambda x: a @ np.tanh(c @ np.tanh(c @ np.tanh(b @ x)))).plan(np.ones(30))]
    plans += [eg.grad(BENCHMARK["runge_kutta"](5, steps=2).f).plan(np.ones(5))]
    plans += [eg.derivative(lambda x: np.sin(x) * x, 2).plan(1.0)]
    for name, order in (("tanh network, first weight", 2), ("X^8", 1), ("softmax", 2)):
        f, x = find(name, order).build(find(name, order).sizes)
        plans.append(eg.derivative(f, order).plan(x))
    decided = {plan.program.rule: str(plan) for plan in plans}
    assert f"chosen: {rule.says}" in decided[rule.says]


# Prices ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [c for c in CASES if c.order <= 2], ids=str)
def test_a_price_is_about_the_time_of_the_program(case):
    """Within a fifth: what may differ is where a number is multiplied in."""
    f, x = case.build(case.sizes)
    variable = _ir.new_input("x", x.shape)
    found, _ = _derive.derive([traced(f, variable)], [variable], (case.order,))
    roots = pairwise([root.node for root in found])
    spec = InputSpec("x", "x", x.shape, variable.dtype)
    price, program = Prices().of(roots), lower(roots, [(variable, spec)])
    time = picoseconds(program) - MACHINE.entry
    assert 0.8 * time <= price.picoseconds <= 1.2 * time
    assert 0.8 * program.flops <= price.flops <= 1.2 * program.flops

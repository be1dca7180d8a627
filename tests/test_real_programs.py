"""Real programs: their values, and what they cost beside what they should."""

import dataclasses

import numpy as np
import pytest
from real_programs import PROGRAMS, table
from real_programs.measure import (
    Bound,
    Cost,
    Measured,
    Program,
    Task,
    evaluations,
    measured,
    plan_of,
)
from real_programs.oracles import differences, on_circle
from reference import assert_close

QUICK = [program for program in PROGRAMS if not program.slow]


@pytest.fixture(scope="module")
def recorded():
    return table.read(table.PATH.read_text("utf-8"))


@pytest.mark.parametrize("program", [p for p in PROGRAMS if p.small is not None], ids=str)
def test_its_value_and_that_of_its_bounds_are_that_of_an_oracle(program):
    """At a small size, by evaluations of the function alone or by a formula of its own.

    Of a bound, else it would be a bound of something else.
    """
    task = program.build(program.small)
    expected = task.value()
    assert_close(plan_of(task.run, *task.args)(*task.args), expected, rtol=1e-5)
    for bound in set(task.should.values()):
        if bound.same_value and not isinstance(bound.of, int):
            assert_close(plan_of(bound.of, *bound.args)(*bound.args), expected, rtol=1e-5)


@pytest.mark.parametrize("program", QUICK, ids=str)
def test_it_costs_what_is_recorded(program, recorded):
    """No more; and what fell is recorded, so that it cannot grow back."""
    name = str(program)
    before, now = {name: recorded[name]}, {name: measured(program)}
    lines = table.grown(before, now) or table.changed(before, now)
    assert not lines, "\n".join([*lines, f"to record this: {table.REFRESH}"])


def test_all_that_is_quickly_planned_is_recorded_and_no_more(recorded):
    assert list(recorded) == [str(program) for program in QUICK]


def test_names_are_told_apart_and_each_point_has_three_programs():
    assert len(set(map(str, PROGRAMS))) == len(PROGRAMS)
    points = {program.point for program in PROGRAMS}
    assert points >= {
        "1",
        "2",
        "3",
        "3b",
        "4",
        "5",
        "6",
        "7",
        "8",
        "9",
        "10",
        "11",
        "12",
        "13",
        "15",
    }
    assert all(sum(p.point == point for p in PROGRAMS) >= 3 for point in points)


# The measurement itself --------------------------------------------------------------------------


def cube(times):
    def make(rng, n):
        f, x = (lambda x: (x**3).sum()), rng.normal(size=n)
        bound = {"flops": evaluations(f, x, times), "lines": Bound(7)}
        return Task(f, (x,), bound, lambda: None)

    return Program("0", "cube", make, (10,), (2,))


def test_a_ratio_is_a_count_in_units_of_its_bound():
    found = measured(cube(0.5))
    assert found.should == {"flops": round(found.cost.flops / 2), "lines": 7}
    assert found.ratios == pytest.approx({"flops": 2.0, "lines": found.cost.lines / 7})


BEFORE = {
    "1, f": Measured(Cost(10, 80, 64, 5, 3), {"flops": 8}),
    "2, g, of h": Measured(Cost(3, 8, 8, 4, 1), {"flops": 3, "lines": 9}),
}


def test_a_table_is_read_as_it_was_written():
    assert table.read(table.written(BEFORE)) == BEFORE


def test_what_grew_and_what_changed_is_told_with_both_figures():
    cost = dataclasses.replace(BEFORE["1, f"].cost, flops=1_010, lines=4)
    after = {"1, f": Measured(cost, {"flops": 9}), "3, new": BEFORE["1, f"]}
    end = f"; if that is meant: {table.REFRESH}"
    assert table.grown(BEFORE, after) == [f"1, f: flops grew from 10 to 1,010{end}"]
    assert table.changed(BEFORE, after) == [
        "1, f: (flops) 8 -> 9",
        "1, f: flops 10 -> 1,010",
        "1, f: lines 5 -> 4",
        "2, g, of h: only in the table",
        "3, new: not in the table",
    ]
    assert not table.changed(BEFORE, BEFORE)


def test_the_oracles_differentiate():
    """A polynomial of degree four, whose derivatives are known."""
    f, x = lambda x: (x**4).sum(), np.array([0.5, 1.5])
    v = np.array([1.0, 2.0])
    assert_close(differences(f, x, None, None), np.diag(12 * x**2), rtol=1e-10)
    assert_close(differences(f, x, v, None), 12 * x**2 * v, rtol=1e-10)
    assert_close(on_circle(f, x, v, 3), (24 * x * v**3).sum(), rtol=1e-12)


def test_a_program_is_made_with_the_same_numbers_each_time():
    program = cube(1)
    assert np.array_equal(program.build((4,)).args[0], program.build((4,)).args[0])

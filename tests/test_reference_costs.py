"""The table of reference costs: no derivative in it may cost more than it says."""

import pytest
import reference_costs
from reference_costs import REFERENCE, Cost, changed, grown, read, written


@pytest.fixture(scope="module")
def now():
    return reference_costs.measured()


@pytest.fixture(scope="module")
def table():
    return read(reference_costs.PATH.read_text("utf-8"))


def test_no_reference_derivative_grows(table, now):
    """Neither in statements nor in flops."""
    assert not grown(table, now), "\n".join(grown(table, now))


def test_the_table_is_up_to_date(table, now):
    """No row is missing or left over; a cost that fell is recorded, so that it cannot grow back."""
    lines = [*changed(table, now), f"to record this: {reference_costs.REFRESH}"]
    assert not changed(table, now), "\n".join(lines)


def test_the_references_are_derivatives_of_orders_1_to_5():
    """And one part of a derivative, written as a function: order 0."""
    assert len({(case.name, case.order) for case in REFERENCE}) == len(REFERENCE) >= 25
    assert {case.order for case in REFERENCE} == {0, 1, 2, 3, 4, 5}


# The comparison itself ---------------------------------------------------------------------------

BEFORE = {("f", 2): Cost(10, 1_000, 64), ("g, of h", 1): Cost(3, 50, 8)}


def test_a_table_is_read_as_it_was_written():
    assert read(written(BEFORE)) == BEFORE


@pytest.mark.parametrize(
    ("cost", "lines"),
    [
        (Cost(10, 1_000, 64), []),
        (Cost(9, 999, 64), []),
        (Cost(10, 1_000, 65), []),
        (Cost(11, 1_000, 64), ["f, order 2: nodes grew from 10 to 11"]),
        (Cost(9, 1_001, 64), ["f, order 2: flops grew from 1,000 to 1,001"]),
    ],
)
def test_growth_is_named_with_both_figures_and_the_command(cost, lines):
    end = "; if that is meant: python tests/reference_costs.py --write"
    assert grown(BEFORE, {**BEFORE, ("f", 2): cost}) == [line + end for line in lines]


def test_what_is_missing_left_over_or_fallen_is_told():
    after = {("f", 2): Cost(9, 1_000, 32), ("new", 3): Cost(1, 1, 1)}
    assert changed(BEFORE, after) == [
        "f, order 2: nodes 10 -> 9",
        "f, order 2: peak_bytes 64 -> 32",
        "g, of h, order 1: only in the table",
        "new, order 3: not in the table",
    ]
    assert not changed(BEFORE, BEFORE)


def test_the_command_compares_and_writes(tmp_path, monkeypatch, capsys):
    """Exit status 1 where something grew, 0 where it fell; after writing, nothing is printed."""
    path = tmp_path / "table.txt"
    monkeypatch.setattr(reference_costs, "PATH", path)
    monkeypatch.setattr(reference_costs, "measured", lambda: BEFORE)
    path.write_text(written({**BEFORE, ("f", 2): Cost(10, 999, 64)}), "utf-8")
    assert reference_costs.main([]) == 1
    assert "flops grew from 999 to 1,000" in capsys.readouterr().out
    path.write_text(written({**BEFORE, ("f", 2): Cost(10, 1_001, 64)}), "utf-8")
    assert reference_costs.main([]) == 0
    assert capsys.readouterr().out == "f, order 2: flops 1,001 -> 1,000\n"
    assert reference_costs.main(["--write"]) == 0
    capsys.readouterr()
    assert reference_costs.main([]) == 0
    assert not capsys.readouterr().out
    assert read(path.read_text("utf-8")) == BEFORE

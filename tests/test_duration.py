"""Laws of predicted time: deterministic, of every kernel, more for more work.

That it is right is shown by `benchmarks/cost_model.py`: a test does not look at a clock.
"""

import dataclasses

import numpy as np
import pytest
from cases import CASES
from inside import body_picoseconds

import eingrad as eg
from eingrad._limits import MACHINE, Machine
from eingrad._plan import duration, kernels, picoseconds


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_program_has_a_time_in_whole_picoseconds(case):
    f, x = case.build(case.small)
    program = eg.derivative(f, case.order).plan(x).program
    time = picoseconds(program)
    assert type(time) is int
    assert time >= MACHINE.entry
    assert time == picoseconds(program)


def test_what_a_machine_costs_are_integers():
    assert all(type(value) is int for value in dataclasses.asdict(MACHINE).values())


def seconds(f, *arguments, order=0):
    return eg.derivative(f, order).plan(*arguments).seconds


def test_calls_count_where_arrays_are_small():
    """A chain of small calls takes longer than one product of more flops."""
    x, a = np.ones(3), np.ones((30, 30))
    chain = eg.derivative(lambda x: np.tanh(np.tanh(np.tanh(np.tanh(x)))) + x * x - x, 0).plan(x)
    product = eg.derivative(lambda a: a @ a, 0).plan(a)
    assert chain.flops < product.flops / 100
    assert chain.seconds > product.seconds / 2


LARGE, LONG = np.ones((400, 400)), np.ones(10**6)
MORE = {  # the second takes longer, at as many flops or fewer
    "a far array": (lambda: seconds(lambda x: x * x, LONG[:10**5]) * 10,
                    lambda: seconds(lambda x: x * x, LONG)),
    "double precision": (lambda: seconds(lambda x: x @ x, LARGE.astype("f")),
                         lambda: seconds(lambda x: x @ x, LARGE)),
    "complex": (lambda: seconds(lambda x: x @ x, LARGE),
                lambda: seconds(lambda x: x @ x, LARGE.astype(complex))),
    "a slow function": (lambda: seconds(np.sqrt, LONG), lambda: seconds(np.sin, LONG)),
    "short runs": (lambda: seconds(lambda x: np.sum(x, 1), np.ones((2, 10**5))),
                   lambda: seconds(lambda x: np.sum(x, 1), np.ones((10**5, 2)))),
    "an inverse": (lambda: seconds(lambda x: x @ x, LARGE), lambda: seconds(np.linalg.inv, LARGE)),
}  # fmt: skip


@pytest.mark.parametrize(("less", "more"), MORE.values(), ids=MORE.keys())
def test_what_takes_longer_is_predicted_to(less, more):
    assert less() < more()


def of_product(subscripts, *shapes):
    """Predict one multiplication as the user wrote it."""
    arrays = [np.ones(shape) for shape in shapes]
    return seconds(lambda a, b: np.einsum(subscripts, a, b), *arrays)


@pytest.mark.parametrize(
    ("fewer", "more"),
    [
        (("i,j->ij", (100,), (3000,)), ("i,j->ij", (3000,), (100,))),  # no copy of long runs
        (("i,jk->ijk", (900,), (30, 10)), ("ij,k->ijk", (900, 30), (10,))),  # 900 runs, or 27,000
        (("i,ij->ij", (600,), (600, 50)), ("i,j->ij", (600,), (50,))),  # one factor is repeated
        (("ij,ij->ij", (300, 100), (300, 100)), ("i,ij->ij", (300,), (300, 100))),
    ],
)
def test_a_multiplication_takes_the_time_of_its_runs_and_copies(fewer, more):
    assert of_product(*fewer) < of_product(*more)


def test_an_axis_of_size_one_makes_no_run():
    assert of_product("i,jk->ijk", (30,), (40, 1)) == of_product("i,jk->ijk", (30,), (1, 40))


def test_a_loop_takes_the_time_of_its_passes():
    def energy(x):
        d = x[:, None, :] - x[None, :, :]
        return np.sum(np.exp(-np.sum(d * d, -1)))

    program = eg.grad(energy).plan(np.ones((800, 3))).program
    (loop, *_) = (s.kernel for s in program.statements if isinstance(s.kernel, kernels.Loop))
    inside = len(loop.passes) * body_picoseconds(loop.body)
    assert inside < picoseconds(program) < 2 * inside


def test_another_machine_gives_other_times(monkeypatch):
    """All numbers are those of the one record."""
    plan = eg.grad(lambda x: np.sum(np.sin(x @ x.T))).plan(np.ones((30, 20)))
    before = plan.seconds
    doubled = {key: 2 * value for key, value in dataclasses.asdict(MACHINE).items()}
    doubled.update(near_bytes=MACHINE.near_bytes, buffer=MACHINE.buffer)  # no times
    monkeypatch.setattr(duration, "MACHINE", Machine(**doubled))
    assert before < plan.seconds <= 2 * before


def test_adding_at_positions_of_several_axes_is_dear():
    """NumPy does it entry by entry; as a vector, which is for fewer positions, it is quick."""

    def seconds(rows):
        index = np.arange(rows) % 7
        weights = np.ones((rows, 8))
        plan = eg.grad(lambda x: np.sum(np.sin(x[index] * weights))).plan(np.ones((7, 8)))
        return plan.seconds / rows

    assert seconds(2**18) > 8 * MACHINE.added / 1e12
    assert seconds(2**18) > 1.5 * seconds(2**10)

"""Laws of `plan.mode` of plans with scans: that of the loop, where the loop has one."""

import numpy as np
import pytest
from inside import ROLLED_NODES
from loops import POINT as X
from loops import WEIGHTS as W
from loops import energy, unrolled

import eingrad as eg
from eingrad._plan.kernels import Scan


def last(loop, first=lambda x: x, w=W):
    """The last carry of four steps of a network."""
    return lambda x: loop(lambda c, _: (np.tanh(w @ c), None), first(x), length=4)[0]


def of_scalar(loop):
    return last(loop, lambda s: s * X)


def of_weights(loop):
    return lambda w: loop(lambda c, _: (np.tanh(w @ c), None), X, length=4)[0].sum()


def stepping(loop):
    """A scan within a step."""

    def outer(c, _):
        return loop(lambda d, _: (np.tanh(W @ d), None), c, length=2)[0], None

    return lambda s: loop(outer, s * X, length=3)[0]


CASES = {
    "a gradient": (lambda f: eg.grad(energy(f)), X, "reverse"),
    "with the value": (lambda f: eg.value_and_grad(energy(f)), X, "reverse"),
    "in constants": (lambda f: eg.grad(of_weights(f)), W, "reverse"),
    "of a number": (lambda f: eg.jacobian(of_scalar(f)), 1.0, "forward"),
    "structured": (lambda f: eg.jacobian(of_scalar(f), structured=True), 1.0, "forward"),
    "a second derivative in a number": (
        lambda f: eg.hessian(lambda s: of_scalar(f)(s).sum()), 1.0, "forward over forward",
    ),
    "a Hessian": (lambda f: eg.hessian(energy(f)), X, "forward over reverse"),
    "scans within steps": (lambda f: eg.jacobian(stepping(f)), 1.0, "forward"),
}  # fmt: skip


@pytest.mark.parametrize(("derivative", "x", "name"), CASES.values(), ids=CASES)
def test_a_plan_with_scans_has_a_mode(derivative, x, name):
    """And that mode, computed as such, takes as many flops."""
    mode = derivative(eg.scan).plan(x).mode
    assert mode.name == name, mode
    assert mode.pure[name] == mode.flops
    assert mode.flops == min(mode.pure.values())


@pytest.mark.parametrize("case", ["a gradient", "in constants", "of a number"])
def test_it_is_that_of_the_loop(case):
    derivative, x, name = CASES[case]
    assert derivative(unrolled).plan(x).mode.name == name


def test_a_tangent_in_the_place_of_a_cotangent_is_another_product():
    """Of numbers both are multiplied by the same slope: the direction of the loop tells them."""
    scaled = eg.jacobian(lambda s: eg.scan(lambda c, a: (a * c, None), np.sin(s), X)[0])
    assert scaled.plan(1.0).mode.name == "forward"


def test_statements_of_scans_have_a_kind():
    """The loop back is the mode's; the one there has what all modes need of the step's slopes."""
    plan = eg.value_and_grad(energy(eg.scan)).plan(X)
    kinds = plan.mode.kinds
    scans = [s.targets for s in plan.program.statements if isinstance(s.kernel, Scan)]
    assert [{kinds[n] for n in targets if n in kinds} for targets in scans] == [
        {"either"},
        {"reverse"},
    ]
    value = eg.jacobian(lambda s: s * last(eg.scan)(X)).plan(1.0)
    (scan,) = (s for s in value.program.statements if isinstance(s.kernel, Scan))
    assert value.mode.kinds[scan.targets[0]] == "value"


def test_long_steps_are_not_compared(monkeypatch):
    ROLLED_NODES.replace(monkeypatch, 10**6)

    def step(c, _):
        for _ in range(201):
            c = np.sin(c)
        return c, None

    mode = eg.grad(lambda x: eg.scan(step, x, length=2)[0].sum()).plan(X).mode
    assert str(mode) == "unknown: the function has more than 200 operations"

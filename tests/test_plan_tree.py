"""The tree of a plan, and its picture."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from cases import CASES
from inside import ROLLED_NODES

import eingrad as eg

LOW = [case for case in CASES[::3] if case.order < 3]  # whose mode is soon named


@pytest.fixture(params=CASES[::3], ids=str, scope="module")
def plan(request):
    f, x = request.param.build(request.param.small)
    return eg.derivative(f, order=request.param.order).plan(x)


def test_flops_are_those_of_the_plan(plan):
    assert plan.tree.flops == sum(step.flops for step in plan.tree.steps) == plan.flops


def test_times_are_those_of_the_plan(plan):
    entry = 6e-7
    total = sum(step.seconds for step in plan.tree.steps)
    assert total + entry == pytest.approx(plan.seconds, rel=0.2)


def test_steps_come_after_what_they_are_made_of(plan):
    tree = plan.tree
    assert all(k < n for n, step in enumerate(tree.steps) for k in step.below)
    assert all(0 <= n < len(tree.steps) for n in tree.results)


def test_what_is_read_twice_is_named_once(plan):
    assert all(len({*step.below}) == len(step.below) for step in plan.tree.steps)


def test_operands_are_what_the_plan_reads(plan):
    names = {step.name for step in plan.tree.steps if not step.label}
    assert {*plan.reads} <= names


def test_the_text_names_every_step(plan):
    text = str(plan.tree)
    assert all(step.name in text for step in plan.tree.steps)


@pytest.mark.parametrize("plan", LOW, ids=str, indirect=True)
def test_the_picture_shows_every_step(plan):
    root = ET.fromstring(plan.picture().svg)
    tips = root.findall(".//{http://www.w3.org/2000/svg}circle/{http://www.w3.org/2000/svg}title")
    assert len(tips) == len(plan.tree.steps)


def test_the_text_of_a_shared_step():
    a = np.ones((3, 3))
    plan = eg.grad(lambda x: np.sin(a @ x) @ np.sin(a @ x)).plan(np.ones(3))
    text = str(plan.tree)
    assert text.count("t0 = matmul") == 1
    assert "t0, as above" in text


def test_the_text_of_a_chain():
    wide, tall = np.ones((2, 50)), np.ones((50, 2))
    plan = eg.jacobian(lambda x: tall @ (wide @ x)).plan(np.ones(50))
    assert str(plan.tree) == (
        "t0 = matmul ki,ij->kj (50, 50): 10,000 flops\n  c1 (50, 2)\n  c0 (2, 50)"
    )


def test_what_is_only_looked_at_is_no_step():
    tree = eg.plan(lambda x: x.T[::2], np.ones((4, 3))).tree
    assert [step.name for step in tree.steps if not step.label] == ["x"]


def test_a_constant_result():
    tree = eg.grad(lambda x: 3 * x).plan(1.0).tree
    assert str(tree) == "t0 = fill (): 0 flops"


def test_a_deep_tree_is_written(monkeypatch):
    ROLLED_NODES.replace(monkeypatch, 10**6)

    def f(x):
        for k in range(2000):  # in an order that repeats no steps, for else it is a scan
            x = np.sin(x) if k.bit_count() % 2 else np.cos(x)
        return x

    lines = str(eg.plan(f, np.ones(2)).tree).splitlines()
    assert len(lines) == 2001
    assert lines[-1].strip() == "(2000) x (2,)"


def test_a_loop_is_one_step():
    def energy(x):
        d = x[:, None] - x[None]
        return (1 / ((d * d).sum(2) + 1)).sum()

    plan = eg.grad(energy).plan(np.random.default_rng(0).normal(size=(1000, 3)))
    loops = [step for step in plan.tree.steps if step.label.startswith("loop of")]
    assert loops
    assert plan.tree.flops == plan.flops
    assert all(step.below and step.elements > 0 for step in loops)
    assert "loop of" in plan.picture().svg


def test_a_notebook_shows_the_picture(tmp_path):
    picture = eg.grad(np.sum).plan(np.ones(3)).picture()
    assert picture._repr_svg_() == picture.svg
    picture.save(tmp_path / "plan.svg")
    assert (tmp_path / "plan.svg").read_text("utf-8") == picture.svg

"""The benchmark of peers: its hand versions are right, and what goes wrong in a worker is said."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

from peers import PROBLEMS, report
from peers.contenders import HAND, OURS, OUT, as_arrays, contenders
from peers.process import Process, hold_threads
from peers.rows import NO_PLAN, Row
from peers.runner import CLOCK, PROCESSOR, Result, Run, Settings, measure

from eingrad.paths.threads import VARIABLES

SMALL = Settings(("hand", OURS), 2, 0.1, 60.0, 1, 1 << 40, small=True)


def by_hand():
    """Tasks with hand versions, one of each kind: others have the same at another size."""
    found = {}
    for name, problem in PROBLEMS.items():
        task = problem.task(small=True)
        if task.hand:
            shapes = tuple(arg.shape for arg in task.args)
            found.setdefault((name.partition(",")[0], shapes, *task.hand), task)
    return found


TASKS = by_hand()


@pytest.mark.parametrize(
    "task", TASKS.values(), ids=["-".join(map(str, key[::2])) for key in TASKS]
)
def test_hand_versions_compute_the_derivative(task):
    """New, and into memory that is given; this library's plan is the measure."""
    every = contenders(task)
    expected = as_arrays(every[OURS].prepare(task).call())
    scale = max(np.abs(array).max() for array in expected)
    for name, contender in every.items():
        if name.startswith(HAND) or name == OURS + OUT:
            found = as_arrays(contender.prepare(task).call())
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10 * scale, err_msg=name)


@pytest.mark.parametrize(
    "task", TASKS.values(), ids=["-".join(map(str, key[::2])) for key in TASKS]
)
def test_hand_versions_write_into_what_they_are_given(task):
    """Every entry of it: whatever it held is gone."""
    for name, function in task.hand.items():
        fresh = function(*task.args)
        given = tuple(np.full_like(a, np.nan) for a in as_arrays(fresh))
        out = given if isinstance(fresh, tuple) else given[0]
        assert function(*task.args, out=out) is out, name
        for one, other in zip(given, as_arrays(fresh), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)


def test_each_problem_has_its_own_name_and_a_family():
    assert len(PROBLEMS) == len({problem.name for problem in PROBLEMS.values()}) > 60


# Workers -----------------------------------------------------------------------------------------


@pytest.fixture
def environment(monkeypatch):
    """What workers are told stays among them."""
    for name in (*VARIABLES, "NPROC", "PYTHONPATH"):
        monkeypatch.setenv(name, os.environ.get(name, ""))


@pytest.fixture
def worker(environment):
    hold_threads(1)
    process = Process(1 << 40)
    yield process
    process.end()


PROBLEM = "Hessian of logdet(X), D = 3"


def start(process, contender=OURS):
    known = {"problem": PROBLEM, "small": True, "threads": 1}
    return process.ask("start", 60.0, contender=contender, **known)


def test_an_error_in_a_worker_is_an_answer(worker):
    answer = worker.ask("start", 60.0, problem="none such", contender=OURS, small=True, threads=1)
    assert answer == {"status": "failed", "reason": "KeyError: 'none such'"}
    assert "version" in start(worker)  # it goes on


def test_a_worker_that_died_is_said_with_its_signal(worker):
    start(worker)
    os.kill(worker.process.pid, signal.SIGSEGV)
    assert worker.ask("first", 60.0) == {"status": "died", "reason": "signal SIGSEGV"}


def test_a_worker_that_does_not_answer_is_ended(worker):
    os.kill(worker.process.pid, signal.SIGSTOP)
    reason = "no answer in 100 ms"
    assert worker.ask("first", 0.1) == {"status": "too slow", "reason": reason}
    assert not worker.process.is_alive()


def test_a_worker_with_too_much_memory_is_ended(worker):
    start(worker)
    os.kill(worker.process.pid, signal.SIGSTOP)
    worker.memory = 1
    answer = worker.ask("first", 60.0)
    assert answer["status"] == "out of memory"
    assert answer["reason"].endswith(", 1 B are given")
    assert not worker.process.is_alive()


# The run -----------------------------------------------------------------------------------------


class Scripted:
    """A worker that says what it is told to, by the name of its contender."""

    script: ClassVar = {}
    sampled: ClassVar = []

    def __init__(self, _memory):
        self.name = ""

    def ask(self, do, _seconds, **what):
        self.name = what.get("contender", self.name)
        if do == "sample":
            self.sampled.append(self.name)
        answer = self.script.get((self.name, do), {})
        if isinstance(answer, BaseException):
            raise answer
        usual = {"sample": {"clock": 2.0, "processor": 1.0, "calls": 1}, "compare": {"error": 0.0}}
        return answer or usual.get(do, {})

    def end(self):
        pass


@pytest.fixture
def scripted(monkeypatch, environment):
    monkeypatch.setattr("peers.runner.Process", Scripted)
    monkeypatch.setattr(Scripted, "sampled", [])
    return lambda **script: monkeypatch.setattr(Scripted, "script", script.pop("by"))


FIRST, SECOND = HAND + "tiled", HAND + "any layout"


def measured(**changes):
    settings = replace(SMALL, seconds=100.0, **changes)
    return measure([PROBLEMS[PROBLEM]], settings, lambda _text: None)


def test_what_disagrees_or_fails_is_said_and_not_timed(scripted):
    scripted(by={
        (SECOND, "compare"): {"error": 1e-3},
        (OURS, "first"): {"status": "failed", "reason": "ValueError: no"},
    })  # fmt: skip
    (result,) = measured()
    assert result.runs[SECOND].status == "disagrees"
    assert result.runs[SECOND].reason == "its values are off by 1.0e-03"
    assert result.runs[OURS].reason == "ValueError: no"
    assert {SECOND, OURS}.isdisjoint(Scripted.sampled)
    assert result.runs[FIRST].samples == [(2.0, 1.0)] * 2
    assert [*report.untimed([result])] == [
        f"{PROBLEM}: {SECOND}: disagrees: its values are off by 1.0e-03",
        f"{PROBLEM}: {OURS}: failed: ValueError: no",
    ]


def test_contenders_take_turns(scripted):
    """In each round every one has a sample before any has another."""
    scripted(by={})
    (result,) = measured(rounds=3)
    count = len(result.runs)
    rounds = [Scripted.sampled[n : n + count] for n in range(0, 3 * count, count)]
    assert [sorted(names) for names in rounds] == [sorted(result.runs)] * 3
    assert len({tuple(names) for names in rounds}) > 1


@pytest.mark.parametrize(("clock", "samples"), [(400.0, 1), (60.0, 3), (30.0, 4), (2.0, 9)])
def test_a_contender_that_had_its_seconds_leaves(scripted, clock, samples):
    """A hundred seconds here; with three samples, or one that takes as long as three may."""
    scripted(by={(FIRST, "sample"): {"clock": clock, "processor": 1.0, "calls": 1}})
    (result,) = measured(rounds=9)
    assert len(result.runs[FIRST].samples) == samples
    assert len(result.runs[OURS].samples) == 9


def test_an_interruption_keeps_what_was_timed(scripted):
    scripted(by={(SECOND, "sample"): KeyboardInterrupt()})
    results = measured(names=(HAND.strip(" :"),))
    result = next(results)
    with pytest.raises(KeyboardInterrupt):
        next(results)
    timed = [name for name, run in result.runs.items() if run.samples]
    assert timed == [name for name in result.runs if name in Scripted.sampled and name != SECOND]


# What is said ------------------------------------------------------------------------------------


def row(clock=CLOCK, order=2, **seconds):
    """A row of a fictitious problem; the processor takes half the time."""
    names = {"hand": HAND + "a", "hand_out": HAND + "a" + OUT, "plan": OURS, "plan_out": OURS + OUT}
    runs = [Run(names.get(k, k), "timed", samples=[(s, s / 2)]) for k, s in seconds.items()]
    return Row.of(Result("p", "f", order, {run.name: run for run in runs}), clock)


def test_ratios_are_of_the_same_kind():
    found = row(hand=1.0, hand_out=4.0, plan=3.0, plan_out=6.0, JAX=30.0)
    assert (found.over(OURS), found.over(OURS + OUT), found.times("JAX")) == (3.0, 1.5, 10.0)
    assert row(PROCESSOR, hand=1.0).seconds == {HAND + "a": 0.5}
    assert row(plan=1.0).over(OURS) is None
    assert row(hand=1.0).times("JAX") is None


def test_where_this_library_is_behind_is_said_worst_first():
    rows = [row(hand=1.0, plan=1.05), row(hand=1.0, plan=1.2, JAX=0.6), row(plan=2.0, torch=3.0)]
    assert [*report.behind(rows)] == [
        "p: eingrad 2.00 times JAX",
        "p: eingrad 1.20 times hand: a",
    ]


def test_means_are_geometric():
    rows = [row(plan=1.0, JAX=2.0), row(plan=1.0, JAX=8.0), row(order=1, plan=2.0, JAX=1.0)]
    assert [*report.means(rows)] == [
        "order 1: JAX takes 0.5 times as long (1)",
        "orders 2 and 3: JAX takes 4 times as long (2)",
    ]


def test_a_line_has_a_cell_under_each_head():
    found = row(hand=1e-3, plan=2e-3, **{NO_PLAN: 5e-3})
    assert len(report.line(found)) == len(report.heading())
    assert "1 ms" in report.line(found)
    assert "2x" in report.line(found)
    assert len(report.line(row(plan=1e-3))) == len(report.heading())


def test_what_was_written_is_read_again():
    result = row(hand=1.0, plan=2.0).result
    assert Result.of_dict(result.as_dict()) == result

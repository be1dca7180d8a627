"""Laws of what is said while planning: on a terminal, after two seconds, and it may be stopped."""

import inspect
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from inside import SECONDS_BETWEEN, SILENT_SECONDS, forget_paths, open_planning
from test_sharing import assert_usable, interrupted_at

import eingrad as eg


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _forget():
    eg.cache_clear()
    yield
    eg.cache_clear()
    assert open_planning() is None


@pytest.fixture
def at_once(monkeypatch):
    """Say everything, without waiting."""
    SILENT_SECONDS.replace(monkeypatch, 0.0)
    SECONDS_BETWEEN.replace(monkeypatch, 0.0)


def network(x):
    a = np.random.default_rng(0).normal(size=(4, 4))
    return np.sum(np.tanh(a @ np.tanh(a @ x)) ** 2)


X = np.linspace(-1, 1, 4)
EXPECTED = eg.hessian(network)(X)


def said(stream):
    """Give the lines, each of which was written over the one before."""
    return [line.rstrip() for line in stream.getvalue().split("\r")]


def test_every_phase_is_named(at_once, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    np.testing.assert_array_equal(eg.hessian(network)(X), EXPECTED)
    lines = said(sys.stderr)
    phases = (
        "tracing|looking for loops|differentiating|bringing to normal form|ordering products|"
        "lowering"
    )
    line = rf"eingrad plans network(?:: ({phases}))? \(\d+ s, Ctrl-C stops it\)"
    named = [re.fullmatch(line, text) for text in lines if text]
    assert all(named)
    assert {match[1] for match in named} >= {*phases.split("|")}


def test_the_line_is_taken_away(at_once, monkeypatch):
    """It is written over with spaces, as long as it was, and nothing of it is left."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    eg.plan(network, X)
    shown = ""
    for text in sys.stderr.getvalue().split("\r"):
        shown = text + shown[len(text) :]
        assert len(shown) < 80
        assert "\n" not in text
    assert shown.strip() == ""


@pytest.mark.parametrize(
    "make",
    [
        lambda: eg.grad(network)(X),
        lambda: eg.plan(network, X),
        lambda: eg.jacobian(network).expression(X),
        lambda: eg.compile(eg.differentiate(network(eg.variable("x", 4)), eg.variable("y", 4))),
    ],
)
def test_all_that_plans_says_so(make, at_once, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    make()
    assert "eingrad plans" in sys.stderr.getvalue()


def test_a_plan_that_is_ready_says_nothing(at_once, monkeypatch):
    plan = eg.plan(network, X)
    monkeypatch.setattr(sys, "stderr", Terminal())
    plan(X)
    assert sys.stderr.getvalue() == ""


def test_a_long_name_is_cut(at_once, monkeypatch):
    def f(x):
        return np.sum(np.sin(x))

    f.__name__ = "f" * 200
    monkeypatch.setattr(sys, "stderr", Terminal())
    eg.grad(f)(X)
    assert max(map(len, said(sys.stderr))) < 80


def test_nothing_is_said_of_what_is_short(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    eg.hessian(network)(X)
    assert sys.stderr.getvalue() == ""


class Broken:
    def isatty(self):
        return True

    def write(self, text):
        raise OSError("the terminal is gone")


class NoTerminal(io.StringIO):
    pass


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("make", [lambda: None, closed, Broken, object, NoTerminal])
def test_no_stream_stops_planning(make, at_once, monkeypatch):
    """None, closed, broken, something else, or a pipe, which nothing is written to."""
    stream = make()
    monkeypatch.setattr(sys, "stderr", stream)
    np.testing.assert_array_equal(eg.hessian(network)(X), EXPECTED)
    if isinstance(stream, NoTerminal):
        assert stream.getvalue() == ""


SCRIPT = """
import sys; sys.path.insert(0, {tests!r})
import numpy as np
from inside import SILENT_SECONDS
setattr(*SILENT_SECONDS, 0.0)
import eingrad as eg
eg.grad(lambda x: np.sum(np.sin(x)))(np.ones(3))
"""


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="the platform has no such terminals")
@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_process_says_it_to_its_terminal(is_terminal):
    script = SCRIPT.format(tests=str(Path(__file__).parent))
    here, there = os.openpty() if is_terminal else os.pipe()
    ours, theirs = (here, there)
    with os.fdopen(theirs, "wb") as stream:
        subprocess.run([sys.executable, "-c", script], stderr=stream, check=True, timeout=100)
        os.set_blocking(ours, False)
        try:
            text = os.read(ours, 10_000)
        except BlockingIOError:
            text = b""
    os.close(ours)
    assert (b"eingrad plans <lambda>: tracing (0 s, Ctrl-C stops it)" in text) == is_terminal


# Interrupts --------------------------------------------------------------------------------------


def planned_anew():
    """Plan and run from nothing, through every phase."""
    eg.cache_clear()
    forget_paths()
    return eg.hessian(network)(X)


def events(job):
    """Count the calls and lines of the library that a job goes through."""
    count = 0

    def look(_):
        nonlocal count
        count += 1
        return False

    interrupted_at(look, job)
    return count


POINTS = 45  # of planning that is interrupted, evenly over all that it does


@pytest.mark.parametrize("part", range(3))
def test_planning_that_is_interrupted_is_done_again_right(part, at_once, monkeypatch):
    """With whatever the interrupted one left in caches, and with a line of its own."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    planned_anew()
    total = events(planned_anew)
    assert total > 10_000
    for point in range(part, POINTS, 3):
        events_left = iter(range(total * point // POINTS))

        def chosen(frame, n=events_left):  # Python drops errors of a generator that it closes
            is_generator = frame.f_code.co_flags & inspect.CO_GENERATOR
            return next(n, None) is None and not is_generator

        with pytest.raises(KeyboardInterrupt):
            interrupted_at(chosen, planned_anew)
        sys.stderr.seek(sys.stderr.truncate(0))
        np.testing.assert_array_equal(eg.hessian(network)(X), EXPECTED)
        assert_usable()
        assert eg.grad(lambda x, p=point: np.sum(np.sin(x) * p))(X).shape == (4,)
        assert "eingrad plans <lambda>: tracing (0 s" in sys.stderr.getvalue()
        assert open_planning() is None
        before = eg.cache_info()
        np.testing.assert_array_equal(eg.hessian(network)(X), EXPECTED)
        assert eg.cache_info() == (before.hits + 1, *before[1:])


def test_an_interrupt_while_planning_closes_takes_nothing_from_the_next(at_once, monkeypatch):
    """Even where the planning that was told of could not be closed."""
    monkeypatch.setattr(sys, "stderr", Terminal())

    def closing(frame):
        return frame.f_code.co_name == "__exit__" and frame.f_code.co_filename.endswith(
            "_progress.py"
        )

    skipped, tried = 0, 0
    while True:
        visits = -1

        def chosen(frame, skipped=skipped):
            nonlocal visits
            visits += closing(frame)
            return closing(frame) and visits == skipped

        try:
            interrupted_at(chosen, planned_anew)
        except KeyboardInterrupt:
            skipped, tried = skipped + 1 + skipped // 4, tried + 1
        else:
            break
        sys.stderr.seek(sys.stderr.truncate(0))
        np.testing.assert_array_equal(planned_anew(), EXPECTED)
        assert "eingrad plans network: tracing (0 s" in sys.stderr.getvalue()
        assert open_planning() is None
    assert tried > 10

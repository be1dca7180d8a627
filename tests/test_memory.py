"""Memory limits: how they are written, what the machine's is, and what is refused by them."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from inside import CONTROL_GROUPS, GROUPS_OF_PROCESS, replace_emitted_function
from reference import allocated

import eingrad as eg
from eingrad import _ir
from eingrad._memory import checked_limit, machine_limit
from eingrad._plan.kernels import Loop
from eingrad.errors import EingradError, MemoryLimitError

# How a limit is written --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (1000, 1000), (np.int64(5), 5), ("4GB", 4 * 10**9), ("300 MB", 3 * 10**8),
        ("1.5GiB", 3 * 2**29), ("64k", 64_000), ("2TB", 2 * 10**12), ("1PiB", 2**50), ("7", 7),
    ],
)  # fmt: skip
def test_amounts(given, expected):
    assert checked_limit(given).bytes == expected


REFUSED = [
    ("4 apples", ValueError, "'4 apples' is no amount of memory; write it as in 2GB or 512MiB"),
    ("0GB", ValueError, "an amount of memory must be a byte at least, not '0GB'"),
    (0, ValueError, "memory_limit must be a byte at least, not 0"),
    (-5, ValueError, "memory_limit must be a byte at least, not -5"),
    (
        1e9, TypeError,
        (
            "memory_limit must be a number of bytes, or text as '300MB' or '4GiB', not "
            "1000000000.0"
        ),
    ),
    (
        True, TypeError,
        "memory_limit must be a number of bytes, or text as '300MB' or '4GiB', not True",
    ),
]  # fmt: skip
VERBS = {
    "plan": lambda limit: eg.plan(np.sin, 1.0, memory_limit=limit),
    "grad": lambda limit: eg.grad(np.sin, memory_limit=limit),
    "hvp": lambda limit: eg.hvp(np.sin, memory_limit=limit),
    "taylor": lambda limit: eg.taylor(np.sin, 2, memory_limit=limit),
    "compiled": lambda limit: eg.compiled(np.sin, memory_limit=limit),
    "compile": lambda limit: eg.compile(eg.variable("x", ()), memory_limit=limit),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(("given", "error", "message"), REFUSED)
def test_what_is_no_limit_is_refused(verb, given, error, message):
    with pytest.raises(error) as caught:
        VERBS[verb](given)
    assert str(caught.value) in (message, f"memory_limit: {message}")


# The machine -------------------------------------------------------------------------------------


def groups(tmp_path, monkeypatch, of_process, files):
    """A system whose control groups are these."""
    (tmp_path / "cgroup").write_text(of_process)
    for name, text in files.items():
        path = tmp_path / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    GROUPS_OF_PROCESS.replace(monkeypatch, tmp_path / "cgroup")
    CONTROL_GROUPS.replace(monkeypatch, tmp_path / "fs")


@pytest.mark.parametrize(
    ("of_process", "files"),
    [
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "12345\n"}),
        ("0::/a\n", {"a/memory.max": "12345\n", "memory.max": "23456\n"}),
        ("0::/\n", {"memory.max": "12345\n"}),
        ("4:memory:/job\n0::/\n", {"memory/job/memory.limit_in_bytes": "12345\n"}),
        (
            "3:cpu:/\n4:memory:/outside\n",
            {"memory/memory.limit_in_bytes": "12345\n", "memory.max": "max"},
        ),
    ],
)
def test_limits_of_control_groups_of_both_versions(tmp_path, monkeypatch, of_process, files):
    groups(tmp_path, monkeypatch, of_process, files)
    assert machine_limit() == (12345, "the control group of this process")


@pytest.mark.parametrize("files", [{}, {"memory.max": "max"}, {"memory.max": "no number"}])
def test_without_a_limit_it_is_the_memory_of_the_machine(tmp_path, monkeypatch, files):
    unlimited = machine_limit()
    groups(tmp_path, monkeypatch, "0::/\n", files)
    found = machine_limit()
    assert found.bytes >= unlimited.bytes
    assert found.of != "the control group of this process"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no ulimit")
def test_the_limit_of_the_process_counts():
    """In a process of its own: the plan is refused, and not the array by NumPy."""
    code = """
import resource
import numpy as np
import eingrad as eg
D = eg.hessian(lambda x: np.exp(x @ x))
resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, resource.RLIM_INFINITY))
try:
    D(np.zeros(30_000))
except eg.errors.MemoryLimitError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "3,221,225,472 of the address space of this process (ulimit -v)" in done.stdout


# What is refused ---------------------------------------------------------------------------------

LARGE = {
    "dense": lambda x: np.exp(x @ x),
    "diagonal": lambda x: np.sum(np.sin(x) ** 2),
    "band": lambda x: np.sum(np.exp(x[1:] * x[:-1])),
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("n", [10**6, 31_700_000])
def test_a_hessian_that_no_machine_holds_is_refused_before_anything_is_allocated(name, n):
    """Of 10**12 and 10**15 entries, by as many nodes as a small one takes."""
    x = np.broadcast_to(0.0, n)
    D = eg.hessian(LARGE[name])
    before = _ir.number_of_nodes_built()
    refused = []

    def call():
        with pytest.raises(MemoryLimitError) as caught:
            D(x)
        refused.append(str(caught.value))

    assert allocated(call) < 10**7 + 40 * n * (name == "band")  # positions are checked
    assert _ir.number_of_nodes_built() - before < 500
    assert f"has shape ({n}, {n}), {8 * n * n:,} bytes, and the plan " in refused[-1]
    assert " at its peak, more than the " in refused[-1]
    assert refused[-1].endswith(
        "; multiply the derivative with what it is for, as eingrad.hvp does, take a block of it, "
        "as in eingrad.plan(lambda x: D(x)[:10], x), pass structured=True if it is mostly zeros, "
        "or lower the order"
    )


def test_what_the_message_says_to_do_works():
    n = 400_000
    x = np.full(n, 0.5)
    D = eg.hessian(LARGE["band"])
    with pytest.raises(MemoryLimitError):
        D(x)
    block = eg.plan(lambda x: D(x)[:10, :10], x)
    np.testing.assert_allclose(block(x), D(x[:11])[:10, :10])
    assert eg.hvp(LARGE["band"])(x, x).shape == (n,)
    assert eg.hessian(LARGE["band"], structured=True)(x).shape == (n, n)


def test_a_limit_of_the_users_refuses_the_plan():
    x = np.ones(100)
    D = eg.hessian(LARGE["dense"], memory_limit="40kB")
    message = (
        r"a step of the plan \(.*\) has shape \(100, 100\), 80,000 bytes, and the plan [\d,]* at "
        r"its peak, more than the 40,000 of memory_limit; "
    )
    for call in (D.plan, D, lambda x: eg.plan(D, x, memory_limit=40_000), eg.compiled(D)):
        with pytest.raises(MemoryLimitError, match=message):
            call(x)
    assert issubclass(MemoryLimitError, EingradError)
    assert issubclass(MemoryLimitError, MemoryError)
    plan = eg.plan(D, x, memory_limit="400kB")  # which wins over that of the derivative
    assert plan(x).shape == (100, 100)


def through_steps(x):
    """A long scan, whose gradient is as small as x."""
    last, _ = eg.scan(lambda c, _: (np.tanh(c), None), x, None, length=1000)
    return last.sum()


def through_a_matrix(x):
    """A large matrix on the way, which no loop makes in pieces."""
    return np.linalg.slogdet(np.exp(np.outer(x, x)) + np.eye(len(x)))[1]


@pytest.mark.parametrize(
    ("f", "remedy"),
    [
        (
            through_steps,
            r"that is what the steps give; what their way back .* carry less .* or allow more$",
        ),
        (
            through_a_matrix,
            r"that is no result, but made on the way: .* \(eingrad.scan\), or allow more$",
        ),
    ],
)
def test_a_gradient_is_not_what_takes_too_much(f, remedy):
    """What to do depends on whether the largest array is the result, a scan's, or another."""
    with pytest.raises(MemoryLimitError, match=remedy):
        eg.plan(eg.grad(f), np.ones(100), memory_limit=2000)


def test_a_plan_that_is_too_large_may_be_looked_at_and_pickled():
    x = np.broadcast_to(0.0, 10**6)
    plan = eg.hessian(LARGE["dense"]).plan(x)
    assert plan.peak_bytes > 10**12
    for each in (plan, pickle.loads(pickle.dumps(plan))):
        with pytest.raises(MemoryLimitError):
            each(x)


def test_a_limit_is_no_part_of_what_is_computed():
    """Within its limit a plan is the one that it would be without; and another limit another."""
    x = np.ones(50)
    f = LARGE["dense"]
    assert eg.hessian(f, memory_limit="1GB").plan(x).source == eg.hessian(f).plan(x).source
    with pytest.raises(MemoryLimitError):
        eg.hessian(f, memory_limit=100)(x)
    assert eg.hessian(f)(x).shape == (50, 50)


def passes(plan):
    return sum(len(s.kernel.passes) for s in plan.program.steps() if isinstance(s.kernel, Loop))


def test_what_is_soon_contracted_is_made_in_smaller_pieces():
    """Smaller than those that a cache holds."""
    A = np.random.default_rng(0).normal(size=(400, 3))

    def f(x):
        return np.sum(np.exp(-np.sum((A[:, None] - A - x) ** 2, 2)))

    x = np.ones(3)
    whole = eg.plan(f, x)
    plan = eg.plan(f, x, memory_limit=whole.peak_bytes // 4)
    assert passes(plan) > passes(whole)
    assert allocated(lambda: plan(x)) <= whole.peak_bytes // 4 + 10**5
    np.testing.assert_allclose(plan(x), whole(x), rtol=1e-12)


def test_memory_that_the_system_does_not_give_is_told_in_our_words():
    """Limits of what is free are not known: NumPy's error never comes alone."""
    plan = eg.plan(np.sin, np.ones(3))

    def fails(*_):
        raise MemoryError("Unable to allocate 1. GiB for an array")

    replace_emitted_function(plan, fails)
    with pytest.raises(MemoryLimitError, match=r"1\. GiB for an array; the plan takes 24 bytes at"):
        plan(np.ones(3))

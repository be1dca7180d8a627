"""Other ways to the same derivative: its source, structured values, little memory, scans, batches.

In: a case. Out: counts of what was compared.
"""

import pickle
from collections import Counter

import numpy as np
import pytest
from inside import ROLLED_NODES

import eingrad as eg
from eingrad.errors import MemoryLimitError
from fuzzing.case import contracted, leaves
from fuzzing.helpers import scan
from fuzzing.quotients import Mismatch, close

FEW_NODES = 20  # of steps that become a scan, in place of the number of the library
SHRUNK = 0.9  # the second point of a batch, in units of the first
MOST_BATCHED = 3000  # entries of the derivative of a batch


def bits(results):
    """Give what results are made of, to be compared as it is."""
    return [(a.dtype, a.shape, a.tobytes()) for a in leaves(results)]


def check_again(case):
    """A plan called once more, from a pickle, as its source, and into arrays: the same bits."""
    plan, at = case.plan, case.at
    expected = bits(plan(*at))
    scope = {}
    exec(plan.source, scope)  # what a user pastes
    given = [*case.arrays_of(plan), *plan.constants.values()]
    filled = plan(*at)  # of the nesting, to be written over
    for a in leaves(filled):
        a[...] = 7
    ways = {
        "called once more": lambda: plan(*at),
        "its source": lambda: scope["derivative"](*given),
        "from a pickle": lambda: pickle.loads(pickle.dumps(plan))(*at),
        "traced once more": lambda: case.derivative()(*at),
        "of another plan": lambda: case.derivative().plan(*at)(*at),
    }
    for what, way in ways.items():
        if bits(way()) != expected:
            raise Mismatch(f"{what}: not the same bits")
    for a, b in zip(leaves(plan(*at, out=filled)), leaves(plan(*at)), strict=True):
        close(a, b, case.allowed(case.order), "written to arrays")
    return Counter()


def check_structured(case):
    """A structured value is the dense one, and holds no more numbers."""
    counts = Counter()
    for n in range(1, case.order + 1):
        found = case.blocks(case.derivative(n=n, structured=True)(*case.at), n)
        for where, tensor in found.items():
            right, what = case.results[n][where], f"structured, order {n}, {where}"
            close(tensor.dense(), right, case.allowed(n), what)
            close(
                np.asarray(tensor.sum()), right.sum(), case.allowed(n) * right.size, f"{what}, sum"
            )
            if tensor.nbytes > right.nbytes:
                raise Mismatch(f"{what}: {tensor.nbytes} bytes, of the dense one {right.nbytes}")
            counts["structured blocks"] += 1
    return counts


def check_limit(case):
    """In less memory it is the same, or refused; what is planned stays within the limit."""
    rng, plan = case.rng(9), case.plan
    limit = max(1, int(plan.peak_bytes * rng.uniform(0.2, 1)))
    try:
        less = eg.plan(case.derivative(), *case.at, memory_limit=limit)
    except MemoryLimitError:
        return Counter({"refused for memory": 1})
    if less.peak_bytes > limit:
        raise Mismatch(f"memory: {less.peak_bytes} bytes, of {limit} allowed")
    for a, b in zip(leaves(less(*case.at)), leaves(plan(*case.at)), strict=True):
        close(a, b, case.allowed(case.order), f"in {limit} bytes")
    return Counter({"planned in less memory": 1})


def check_rolled(case):
    """Loops of Python that are short become scans, and their derivatives stay what they are."""
    if not any("repeated(" in step.text or "states(" in step.text for step in case.program.steps):
        return Counter()
    with pytest.MonkeyPatch.context() as patch:
        ROLLED_NODES.replace(patch, FEW_NODES)
        eg.cache_clear()
        try:
            plans = [case.derivative(n=n).plan(*case.at) for n in range(case.order + 1)]
        finally:
            eg.cache_clear()
    for n, plan in enumerate(plans):
        for where, block in case.blocks(plan(*case.at), n).items():
            close(
                block, case.results[n][where], case.allowed(n) * 10, f"rolled, order {n}, {where}"
            )
    has_scan = any("for row in range(" in plan.source for plan in plans)
    return Counter({"loops that became scans" if has_scan else "loops that stayed": 1})


def check_batched(case):
    """Of a batch of points, by a scan or a loop: each its own derivative, and of the others none."""
    program, rng = case.program, case.rng(10)
    entries = sum(case.at[k].size for k in program.every)
    if not case.order or 9 * max(entries, 1) * max(case.results[0][()].size, 1) > MOST_BATCHED:
        return Counter()
    batch = [np.stack([x, SHRUNK * x, x]) for x in case.at]
    is_scan = bool(rng.random() < 0.7)

    def of_all(*xs):
        if is_scan:
            return scan(lambda _, x: (None, case.f(*x)), None, xs)[1]
        return np.stack([case.f(*(x[n] for x in xs)) for n in range(3)])

    what = "scan over a batch" if is_scan else "loop over a batch"
    found = case.blocks(case.derivative(of_all, 1)(*batch), 1)
    second = case.blocks(case.derivative(n=1)(*(SHRUNK * x for x in case.at)), 1)
    for where, block in found.items():
        axis = 1 + case.results[0][()].ndim
        right = case.results[1][where]
        whole = np.zeros(block.shape, block.dtype)
        for n, each in enumerate([right, second[where], right]):
            whole[(n, *[slice(None)] * (axis - 1), n)] = each
        if np.all(np.isfinite(second[where])):
            close(block, whole, case.allowed(1) * 100, f"{what}, {where}")
    if case.order > 1:
        _check_second(case, of_all, batch, what)
    return Counter({what: 1})


def _check_second(case, of_all, batch, what):
    """Along two directions, the same for each point."""
    rng, argnums = case.rng(11), case.program.argnums
    v, w = case.direction(rng), case.direction(rng)
    along = contracted(case.results[2], [v, w])
    tiled = [case.packed({k: np.stack([a] * 3) for k, a in d.items()}) for d in (v, w)]
    inner = lambda *xs: eg.jvp(of_all, argnums)(*xs, tiled[0])  # noqa: E731
    found = eg.jvp(inner, argnums)(*batch, tiled[1])
    if np.all(np.isfinite(along)):
        for n in (0, 2):
            close(np.asarray(found[n]), along, case.allowed(2) * 100, f"{what}, order 2, point {n}")

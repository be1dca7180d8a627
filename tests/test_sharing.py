"""Laws of sharing: threads, processes, pickles, random states, interrupts."""

import copy
import gc
import multiprocessing
import os
import pickle
import random
import signal
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from inside import (
    CLOSING,
    FINALIZER,
    is_inside_of_handler,
    locked_arrays,
    locks,
    open_trace,
    text_lock,
)

import eingrad as eg
from eingrad import _cache, identities
from eingrad._run import executable
from eingrad.errors import PlanError

SOURCE = str(Path(eg.__file__).parent)
A = np.array([[2.0, 1.0, 0.5], [0.5, 3.0, 1.0], [0.25, 1.0, 4.0]])
X = np.array([0.5, 1.0, 1.5])


def energy(x):
    """Capture an array, branch on nothing, use an inverse and a sine."""
    w = A[: len(x), : len(x)] if len(x) <= len(A) else np.eye(len(x))
    return np.sin(x) @ np.linalg.solve(w, x)


def quadratic(x):
    """Hessian ``A + A.T``."""
    return x @ A @ x


# Threads -----------------------------------------------------------------------------------------


@pytest.fixture
def impatient_threads():
    """Threads change places a thousand times as often as they do by default."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def at_once(jobs):
    """Start all jobs at one barrier, each in a thread; return their results."""
    barrier = threading.Barrier(len(jobs))

    def run(job):
        barrier.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result() for future in [pool.submit(run, job) for job in jobs]]


@pytest.mark.usefixtures("impatient_threads")
def test_threads_that_compile_one_function_at_once_get_one_result_and_one_entry():
    """All sixteen miss or hit; one executable is kept, and nobody gets a torn one."""
    expected = eg.hessian(energy)(X)
    for _ in range(3):
        eg.cache_clear()
        results = at_once([lambda: eg.hessian(energy)(X)] * 16)
        for result in results:
            np.testing.assert_array_equal(result, expected)
        info = eg.cache_info()
        assert info.currsize == 1
        assert info.hits + info.misses == 16
    assert A.flags.writeable
    assert X.flags.writeable


@pytest.mark.usefixtures("impatient_threads")
def test_threads_that_compile_different_shapes_at_once_lose_and_mix_nothing():
    """Four shapes and two orders, each four times: eight entries, each result right."""
    wanted = [(order, n) for order in (1, 2) for n in (1, 2, 3, 5)] * 4
    expected = {
        (order, n): eg.derivative(energy, order)(np.linspace(0.5, 1, n)) for order, n in wanted
    }
    eg.cache_clear()
    results = at_once(
        [
            lambda order=order, n=n: eg.derivative(energy, order)(np.linspace(0.5, 1, n))
            for order, n in wanted
        ]
    )
    for key, result in zip(wanted, results, strict=True):
        np.testing.assert_array_equal(result, expected[key])
    info = eg.cache_info()
    assert info.currsize == 8
    assert info.hits + info.misses == len(wanted)


@pytest.mark.usefixtures("impatient_threads")
def test_threads_share_a_plan_each_with_its_own_arguments_and_buffer():
    """A plan holds no buffers."""
    plan = eg.hessian(energy).plan(X)
    points = [np.linspace(0.1, 1, 3) * k for k in range(1, 9)]

    def job(point):
        out = np.empty((3, 3))
        for _ in range(50):
            out[...] = 0
            assert plan(point, out=out) is out
        return out

    results = at_once([lambda p=p: job(p) for p in points])
    for point, result in zip(points, results, strict=True):
        np.testing.assert_array_equal(result, eg.hessian(energy)(point))


@pytest.mark.usefixtures("impatient_threads")
def test_threads_lock_one_captured_array_and_the_last_one_frees_it():
    """A trace that ends while another one reads the array leaves it locked."""
    shared = np.ones(3)
    inside, go_on = threading.Event(), threading.Event()

    def slow(x):
        y = x * shared
        inside.set()
        assert go_on.wait(60)
        return y.sum()

    thread = threading.Thread(target=lambda: eg.grad(slow)(X))
    thread.start()
    assert inside.wait(60)
    at_once([lambda: eg.grad(lambda x: (x * shared).sum())(X)] * 4)
    locked = not shared.flags.writeable, not X.flags.writeable  # an argument is locked too
    go_on.set()
    thread.join()
    assert locked == (True, True)
    assert shared.flags.writeable
    assert X.flags.writeable
    assert not locked_arrays()


def test_the_cache_stays_bounded_when_threads_fill_it(monkeypatch):
    """More functions than it holds, from many threads."""
    monkeypatch.setattr(_cache.cache, "maxsize", 5)
    eg.cache_clear()
    at_once([lambda k=k: eg.grad(lambda x: (x**k).sum())(X) for k in range(2, 18)])
    assert eg.cache_info().currsize == 5
    eg.cache_clear()
    assert eg.cache_info() == (0, 0, 5, 0)


def test_the_cache_keeps_no_function_and_no_array_alive():
    """Only programs."""

    def make():
        captured = np.ones(1000)
        return (lambda x: (x * captured[:3]).sum()), captured

    f, captured = make()
    gone = weakref.ref(f), weakref.ref(captured)
    eg.hessian(f)(X)
    del f, captured
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


def test_a_kernel_that_was_not_finished_is_not_kept():
    """An error while compiling leaves no entry; the next call compiles."""
    eg.cache_clear()
    broken = eg.grad(lambda x: (x * eg.variable("v", (3,))).sum())
    for _ in range(2):
        with pytest.raises(TypeError, match="'v', a symbol that has no value in this call"):
            broken(X)
    assert eg.cache_info().currsize == 0


# Pickles and copies ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "duplicate",
    [lambda plan: pickle.loads(pickle.dumps(plan)), copy.copy, copy.deepcopy],
    ids=["pickle", "copy", "deepcopy"],
)
def test_a_copied_plan_is_the_same_plan(duplicate):
    """Same source, same bits; also one with captured arrays."""
    plan = eg.hessian(energy).plan(X)
    again = duplicate(plan)
    assert again.source == plan.source
    np.testing.assert_array_equal(again(X), plan(X))


def test_a_pickle_holds_no_code():
    """It emits again; the text of the source does not travel."""
    data = pickle.dumps(eg.grad(quadratic).plan(X))
    assert b"def derivative" not in data
    assert b"import" not in data


def test_a_derivative_pickles_with_its_function():
    """By reference, as functions do."""
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(eg.hessian(quadratic)))(X), eg.hessian(quadratic)(X)
    )


def test_plans_of_long_chains_pickle_and_copy():
    """Nothing recurses on the depth of the graph."""

    def chain(x):
        for _ in range(800):
            x = np.sin(x)
        return x.sum()

    plan = eg.grad(chain).plan(X)
    for again in (pickle.loads(pickle.dumps(plan)), copy.deepcopy(plan)):
        np.testing.assert_array_equal(again(X), plan(X))


def test_a_plan_pickled_by_a_version_that_emitted_other_source_is_refused(monkeypatch):
    """The program may mean something else here."""
    data = pickle.dumps(eg.grad(quadratic).plan(X))
    emit = executable.emit
    monkeypatch.setattr(executable, "emit", lambda program: emit(program) + "# changed\n")
    with pytest.raises(PlanError, match=r"pickled by another version .*; make the plan again"):
        pickle.loads(data)


# Processes ---------------------------------------------------------------------------------------

METHODS = multiprocessing.get_all_start_methods()
FORK = pytest.mark.skipif("fork" not in METHODS, reason="the platform has no fork")
# Python warns of the threads of a BLAS; JAX, where an earlier test imported it, of its own. The
# children of these tests use neither.
FORKS_WITH_THREADS = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded", r"ignore:os\.fork\(\) was called:RuntimeWarning"
)


def work(plan):
    """Run, trace and compile in a process."""
    return plan(X), eg.hessian(energy)(X), eg.grad(np.prod)(X), eg.cache_info().currsize


@pytest.mark.parametrize("method", [m for m in METHODS if m != "forkserver"])
@FORKS_WITH_THREADS
def test_plans_and_the_cache_survive_a_new_process(method):
    """A plan travels as a pickle; forked, the cache comes along."""
    eg.cache_clear()
    plan = eg.hessian(energy).plan(X)
    with multiprocessing.get_context(method).Pool(1) as pool:
        ran, traced, other, kept = pool.apply(work, (plan,))
    np.testing.assert_array_equal(ran, plan(X))
    np.testing.assert_array_equal(traced, plan(X))
    np.testing.assert_allclose(other, np.prod(X) / X, rtol=1e-15)
    assert kept == 2
    assert eg.cache_info().currsize == 1


def in_fork(job):
    """Run a job in a forked process and say whether it ended well, within a minute."""
    child = os.fork()
    if not child:
        status = 1
        try:
            status = 0 if job() else 1
        finally:
            os._exit(status)
    for _ in range(600):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


@pytest.mark.parametrize("lock", locks().values(), ids=locks())
@FORK
@FORKS_WITH_THREADS
def test_a_fork_while_another_thread_holds_a_lock_leaves_the_child_free(lock):
    """The fork waits for the lock, so the child does not inherit it taken."""
    expected = eg.hessian(quadratic)(X)
    held = threading.Event()

    def hold():
        with lock:
            held.set()
            time.sleep(0.2)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)

    def job():
        return lock.acquire(timeout=10) and (
            lock.release() or (eg.hessian(quadratic)(X) == expected).all()
        )

    assert in_fork(job)
    thread.join()
    np.testing.assert_array_equal(eg.hessian(quadratic)(X), expected)


@FORK
@FORKS_WITH_THREADS
def test_a_fork_while_another_thread_loads_a_text_leaves_the_child_free():
    """The child has a lock of its own; found as a child that hung, once in many runs."""
    held, stop = threading.Event(), threading.Event()

    def hold():
        with text_lock():
            held.set()
            stop.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        held.wait(60)
        assert in_fork(lambda: np.allclose(eg.grad(lambda x: (x**9).sum())(X), 9 * X**8))
    finally:
        stop.set()
        thread.join()


@FORK
@FORKS_WITH_THREADS
def test_a_fork_while_a_thread_compiles_gives_a_child_that_compiles():
    """Whatever the thread was in the middle of."""
    stop = threading.Event()

    def compile_on():
        while not stop.is_set():
            eg.cache_clear()
            eg.hessian(energy)(X)

    thread = threading.Thread(target=compile_on)
    thread.start()
    try:
        for k in range(2, 7):
            assert in_fork(
                lambda k=k: np.allclose(eg.grad(lambda x: (x**k).sum())(X), k * X ** (k - 1))
            )
    finally:
        stop.set()
        thread.join()


# Random states -----------------------------------------------------------------------------------


def states():
    """Python's and NumPy's global random states."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 - what it is about
    return random.getstate(), (kind, keys.tobytes(), *rest)


def chain_of_matrices(*matrices):
    """Too many operands for an exhaustive search of paths."""
    return np.einsum("ab,bc,cd,de,ef,fg,gh,ha->", *matrices)


USES = {
    "trace and compile": lambda: eg.hessian(energy)(X),
    "path search": lambda: eg.grad(chain_of_matrices)(*np.ones((8, 3, 3))),
    "plan": lambda: eg.hessian(energy).plan(X)(X),
    "check_derivatives": lambda: eg.check_derivatives(energy, X, order=2),
    "check_identity": lambda: eg.check_identity(
        np.trace, lambda S: np.trace(S.T), shapes={"S": "DD"}
    ),
    "identities.check": lambda: identities.check("5.107", size=(3, 3, 3), order=1),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_the_users_random_states_are_untouched(use):
    """Also by the searches and checks that draw numbers."""
    eg.cache_clear()
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002 - what it is about
    before = states()
    use()
    assert states() == before


# Interrupts --------------------------------------------------------------------------------------


def assert_usable():
    """No trace is open, no array locked, and the next calls are right."""
    assert open_trace() is None
    assert not locked_arrays()
    assert not is_inside_of_handler()
    assert A.flags.writeable
    assert X.flags.writeable
    assert all(lock.acquire(blocking=False) and not lock.release() for lock in locks().values())
    np.testing.assert_array_equal(eg.hessian(quadratic)(X), A + A.T)


def interrupted_at(chosen, job, source=SOURCE):
    """Run a job; at the first event in a source for which `chosen` is true, raise as Ctrl-C does.

    Events are entries of functions and lines of the library: Python itself looks for an interrupt
    at entries, calls and jumps back.
    """
    done = False

    def watch(frame, event, _):
        nonlocal done
        if done or not frame.f_code.co_filename.startswith(source):
            return None
        if event in ("call", "line") and chosen(frame):
            done = True
            raise KeyboardInterrupt
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        job()
    finally:
        sys.settrace(before)


def compile_anew():
    """Trace, compile and run, from nothing."""
    eg.cache_clear()
    eg.hessian(energy)(X)
    eg.hessian(energy).plan(X)(X, out=np.empty((3, 3)))


def places(job):
    """Every line of the library that a job reaches, in the order it does, and how often."""
    seen = {}

    def look(frame):
        if frame.f_code.co_name == FINALIZER:
            return False
        key = frame.f_code.co_filename, frame.f_lineno
        seen[key] = seen.get(key, 0) + 1
        return False

    interrupted_at(look, job)
    return list(seen)


STATEFUL = (
    "_tracer/trace.py",
    "_tracer/captured.py",
    "_tracer/lookup.py",
    "_tracer/value.py",
    "_read_only.py",
    "_bind.py",
    "_call.py",
    "_derivative.py",
    "_cache.py",
    "_progress.py",
    "refusals.py",
    "nodes.py",
    "plan.py",
    "dense.py",
)


def test_an_interrupt_at_any_line_leaves_everything_usable():
    """At each line of the modules that hold state, closing a trace included; a sample elsewhere."""
    compile_anew()  # what is done once in a process is done
    reached = places(compile_anew)
    stateful = [key for key in reached if key[0].endswith(STATEFUL)]
    others = [key for key in reached if key not in set(stateful)]
    tried = 0
    for key in [*stateful, *others[::60]]:
        file, line = key
        with pytest.raises(KeyboardInterrupt):
            interrupted_at(lambda frame, line=line: frame.f_lineno == line, compile_anew, file)
        assert_usable()
        tried += 1
    assert tried > len(stateful) + 20


@pytest.mark.parametrize("skipped", range(0, 60, 7))
def test_an_interrupt_at_any_visit_of_a_closing_trace_leaves_everything_usable(skipped):
    """Not only the first: the second closing, and that of a trace inside a trace."""
    visits = 0

    def chosen(frame):
        nonlocal visits
        visits += frame.f_code.co_name in CLOSING
        return visits > skipped and frame.f_code.co_name in CLOSING

    with pytest.raises(KeyboardInterrupt):
        interrupted_at(chosen, lambda: eg.jacobian(lambda x: x * eg.grad(quadratic)(x))(X))
    assert_usable()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # in a callback
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the platform has no such timer")
def test_a_signal_at_any_time_leaves_everything_usable():
    """As Ctrl-C comes: at times nobody chose."""

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    hits = 0
    try:
        for k in range(80):
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-4 * (k + 1))
                for _ in range(100):
                    compile_anew()
            except KeyboardInterrupt:
                hits += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert_usable()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert hits > 60


def test_an_interrupt_in_the_users_function_leaves_everything_usable():
    """It passes through, whatever depth it came from."""

    def f(x):
        y = x @ A
        eg.grad(lambda z: (_ for _ in ()).throw(KeyboardInterrupt))(x)
        return y

    with pytest.raises(KeyboardInterrupt):
        eg.jacobian(f)(X)
    assert_usable()

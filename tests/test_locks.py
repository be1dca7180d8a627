"""Laws of arrays that are read-only while they are traced: none stays so, and none is lost."""

import array
import ctypes
import mmap

import numpy as np
import pytest
from inside import locked_arrays
from reference import allocated

import eingrad as eg
from eingrad import _tracer
from eingrad._run import Executable
from eingrad.errors import InPlaceError

N = 4


class Interface:
    """Memory that NumPy is told the address of, as by a tensor of another library."""

    def __init__(self):
        self.held = np.arange(float(N))

    @property
    def __array_interface__(self):
        """What NumPy asks."""
        return self.held.__array_interface__


def with_read_only_base():
    """A view that may be written, of an array that may not any more."""
    base = np.arange(float(N))
    view = base[:]
    base.flags.writeable = False
    return view


MEMORY = {
    "its own": lambda: np.arange(float(N)),
    "a view": lambda: np.arange(2.0 * N)[::2],
    "as_strided": lambda: np.lib.stride_tricks.as_strided(np.arange(float(N)), (N,), (8,)),
    "a view of as_strided": lambda: np.lib.stride_tricks.as_strided(
        np.arange(2.0 * N), (2 * N,), (8,)
    )[1::2],
    "an __array_interface__": lambda: np.asarray(Interface()),
    "a view of an __array_interface__": lambda: np.asarray(Interface())[::-1],
    "bytes": lambda: np.frombuffer(np.arange(float(N)).tobytes()),
    "a bytearray": lambda: np.frombuffer(bytearray(np.arange(float(N)).tobytes())),
    "an array.array": lambda: np.frombuffer(array.array("d", range(N))),
    "mmap": lambda: np.frombuffer(mmap.mmap(-1, 8 * N)),
    "ctypes": lambda: np.ctypeslib.as_array((ctypes.c_double * N)(*range(N))),
    "every second item of a buffer": lambda: np.asarray(memoryview(np.arange(2.0 * N))[::2]),
    "a read-only base": with_read_only_base,
    "np.broadcast_arrays": lambda: np.broadcast_arrays(1.0, np.ones(N))[0],
    "DLPack": lambda: np.from_dlpack(np.arange(float(N))),
}


def is_writeable(x):
    """Read the flag without NumPy's warning for what np.broadcast_arrays gives."""
    return bool(x.flags.num & 0x400)


@pytest.mark.parametrize("make", MEMORY.values(), ids=MEMORY)
def test_any_memory_is_captured_and_differentiated_and_stays_as_it_was(make):
    """Twice, in one call and in nested ones, and other functions work afterwards."""
    c = make()
    flags, values = c.flags.num, c.copy()
    for _ in range(2):
        np.testing.assert_array_equal(eg.grad(lambda x: (x * c).sum())(np.ones(N)), values)
        np.testing.assert_array_equal(eg.grad(lambda x: (x * x).sum())(c), 2 * values)
        nested = eg.grad(lambda x: eg.grad(lambda y: (y * y * c).sum())(c) @ x)(c)
        np.testing.assert_array_equal(nested, 2 * values**2)
        assert c.flags.num == flags
    assert not locked_arrays()
    np.testing.assert_array_equal(eg.grad(lambda x: x @ x)(np.ones(2)), [2.0, 2.0])


WRITEABLE = {
    name: make for name, make in MEMORY.items()
    if name not in ("bytes", "DLPack", "np.broadcast_arrays")  # NumPy warns of writing the last
}  # fmt: skip


@pytest.mark.parametrize("make", WRITEABLE.values(), ids=WRITEABLE)
def test_a_write_between_two_uses_is_noticed(make):
    """In an argument, and in what the function captures; both can be used afterwards."""
    c = make()

    def f(x):
        y = x * c
        c[0] += 1.0
        return (y * x * c).sum()

    for at in (c, np.ones(N)):
        with pytest.raises(InPlaceError):
            eg.grad(f)(at)
        assert is_writeable(c)
        assert not locked_arrays()


@pytest.mark.parametrize("make", WRITEABLE.values(), ids=WRITEABLE)
def test_a_write_to_an_argument_is_noticed_where_it_is_used_no_more(make):
    """Its derivative is computed with the values after the call, its value was before."""
    c = make()

    def f(x):
        y = (x * x).sum()
        c[0] += 1.0
        return y

    with pytest.raises(InPlaceError):
        eg.grad(f)(c)
    assert is_writeable(c)


def test_an_array_that_its_owner_makes_read_only_meanwhile_is_released():
    """Its view cannot be set back then: that is no error of this call, nor of the next."""
    base = np.arange(3.0)
    view = base[:]
    kept = []

    def f(x):
        kept.append(locked_arrays().pop(id(base)))  # as if base were somebody else's
        return (x * x).sum()

    np.testing.assert_array_equal(eg.grad(f)(view), 2 * view)
    assert not locked_arrays()
    base.flags.writeable = view.flags.writeable = True
    np.testing.assert_array_equal(eg.grad(lambda x: (x * x).sum())(view), 2 * view)


def test_an_object_that_fails_when_asked_for_its_buffer_harms_nothing():
    """A base may be any object, and may raise anything."""

    class Failing(Interface):
        def __buffer__(self, flags):
            raise RuntimeError("no")

    c = np.asarray(Failing())
    np.testing.assert_array_equal(eg.grad(lambda x: (x * c).sum())(np.ones(N)), c)
    assert is_writeable(c)


# Captured arrays that are not copied -------------------------------------------------------------

M = 1448  # M x M floats are 16 MB, and far more than is copied

USES = {
    "a quadratic form": lambda A: lambda x: x @ A @ x,
    "a transpose": lambda A: lambda x: (x @ A.T).sum(),
    "two uses": lambda A: lambda x: ((A @ x) * (A @ x)).sum(),
    "a view of part": lambda A: lambda x: (A[1:] @ x).sum(),
    "every second column": lambda A: lambda x: x[::2] @ (A[:, ::2].T @ x),
    "within an inner derivative": lambda A: lambda x: eg.grad(lambda y: (A @ y) @ y)(x) @ x,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_call_copies_no_large_captured_array(use):
    """It takes memory for vectors alone, as a plan does."""
    derivative, x = eg.grad(use(np.ones((M, M)))), np.ones(M)
    results = []
    assert allocated(lambda: results.append(derivative(x))) < 1_000_000
    np.testing.assert_array_equal(*results)


VERBS = {
    "derivative": lambda A: eg.derivative(lambda x: A @ x, 0),
    "value_and_grad": lambda A: eg.value_and_grad(lambda x: x @ A @ x),
    "jvp": lambda A: lambda x: eg.jvp(lambda x: A @ x)(x, x),
    "vjp": lambda A: lambda x: eg.vjp(lambda x: A @ x)(x, x),
    "hvp": lambda A: lambda x: eg.hvp(lambda x: x @ A @ x)(x, x),
    "an argument": lambda A: lambda x: eg.grad(lambda x, A: x @ A @ x)(x, A),
    "of compiled": lambda A: eg.compiled(eg.grad(lambda x: x @ A @ x)),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_no_verb_copies_a_large_array(verb):
    """Captured or given; `compiled` does once, which is not counted."""
    A = np.ones((M, M))
    call, x = verb(A), np.ones(M)
    assert allocated(lambda: call(x)) < 1_000_000


def test_a_plan_copies_a_large_captured_array():
    """It is made for good."""
    A = np.ones((200, 200))
    plan = eg.grad(lambda x: x @ A @ x).plan(np.ones(200))
    A[...] = 0.0
    np.testing.assert_array_equal(plan(np.ones(200)), np.full(200, 400.0))
    (known,) = plan.captured
    assert not np.shares_memory(known.array, A)


def test_a_large_captured_array_of_another_byte_order():
    """It is converted for the computation, and by a plan."""
    A = np.arange(40_000.0).reshape(200, 200).astype(">f8")
    x = np.ones(200)
    gradient = eg.grad(lambda x: (A @ x).sum())
    for result in (gradient(x), gradient.plan(x)(x)):
        np.testing.assert_array_equal(result, A.sum(0))


def test_an_array_is_compared_with_what_it_was_at_a_second_use_only(monkeypatch):
    """At the first there is nothing to compare; a large one is compared at the end, too."""
    compared = []
    unchanged = _tracer.Captured.is_unchanged
    monkeypatch.setattr(
        _tracer.Captured, "is_unchanged", lambda self: compared.append(self) or unchanged(self)
    )
    small, large = np.ones(4), np.ones(10_000)
    eg.grad(lambda x: (x * small).sum())(np.ones(4))
    assert len(compared) == 0
    eg.grad(lambda x: (x * small * small).sum())(np.ones(4))
    assert len(compared) == 1
    eg.grad(lambda x: (x * large).sum())(np.ones(10_000))
    assert len(compared) == 2
    eg.grad(lambda x: (x * large * large).sum())(np.ones(10_000))
    assert len(compared) == 4


WRITTEN_BY_A_VIEW = {
    "all": np.s_[...],
    "half": np.s_[:100],
    "a column": np.s_[:, 7],
    "another column": np.s_[:, -1],
}


@pytest.mark.parametrize("used", ["once", "twice"])
@pytest.mark.parametrize("part", WRITTEN_BY_A_VIEW.values(), ids=WRITTEN_BY_A_VIEW)
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_a_large_array_written_by_another_view_is_noticed(layout, part, used):
    """Of a large array no copy is left to compute with; its own lock does not reach the view."""
    owner = np.ones((200, 400), order="F" if layout == "F" else "C")
    view = owner[:, ::2] if layout == "strided" else owner[:, :200]
    other = owner[...]
    captured = view[...]

    def f(x):
        y = captured @ x
        other[:, ::2][part] = -1.0
        other[:, :200][part] = -1.0
        return (y + captured @ x).sum() if used == "twice" else y.sum()

    words = "again at" if used == "twice" else "by another view of its memory"
    with pytest.raises(InPlaceError, match=rf"shape \(200, 200\), was changed .*{words}"):
        eg.grad(f)(np.ones(200))
    assert not locked_arrays()


def test_a_small_array_written_by_one_bit_is_noticed():
    """A zero that changes its sign is equal to what it was, and divides to another infinity."""
    for dtype in (float, np.float32, np.float16, complex, np.complex64):
        owner = np.zeros((3, 4), dtype)
        captured, other = owner[:, ::2], owner[...]

        def f(x, captured=captured, other=other):
            y = captured @ x
            other[1, 2] = -0.0
            return np.real((y + captured @ x).sum())

        with pytest.raises(InPlaceError, match="used again at"):
            eg.jacobian(f)(np.ones(2))


def test_nan_is_unchanged():
    """It differs from itself, but its bits do not."""
    for size in (3, 10_000):
        c = np.full(size, np.nan)
        assert np.isnan(eg.grad(lambda x, c=c: (x * c * c).sum())(np.ones(size))).all()


@pytest.mark.parametrize("size", [N, 10_000])
def test_what_cannot_be_made_read_only_is_computed_with_as_it_was(size):
    """Of any size: a write to it, of one entry even, is harmless or noticed."""
    c = np.lib.stride_tricks.as_strided(np.ones(size), (size,), (8,))

    def once(x):
        y = x * c
        c[1] = 0.0
        return y.sum()

    np.testing.assert_array_equal(eg.grad(once)(np.ones(size)), np.ones(size))
    c[1] = 1.0

    def twice(x):
        y = x * c
        c[1] = 0.0
        return (y + x * c).sum()

    with pytest.raises(InPlaceError, match="used again at"):
        eg.grad(twice)(np.ones(size))


def test_no_array_is_locked_while_its_derivative_is_computed(monkeypatch):
    """The function has returned, so that only another thread could write, and it may."""
    A, x = np.ones((200, 200)), np.ones(200)
    writable = []
    run = Executable.run

    def watched(executable, arrays):
        writable.append((A.flags.writeable, x.flags.writeable))
        return run(executable, arrays)

    monkeypatch.setattr(Executable, "run", watched)
    eg.grad(lambda x: x @ A @ x)(x)
    assert writable == [(True, True)]


def test_what_a_lifted_function_captures_is_guarded_as_well():
    """It copies nothing large, either; a write by another view is noticed."""
    owner = np.ones((M, M))
    captured, other = owner[...], owner[...]
    lifted = eg.lift(lambda x: captured @ x)
    x = (np.ones(M), np.ones((M, 1)))
    assert allocated(lambda: lifted(x)) < 1_000_000

    def writing(x):
        y = captured @ x
        other[...] = 2.0
        return y

    with pytest.raises(InPlaceError, match="by another view of its memory"):
        eg.lift(writing)(x)
    assert captured.flags.writeable

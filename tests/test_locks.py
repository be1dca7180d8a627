"""Laws of arrays that are read-only while they are traced: none stays so, and none is lost."""

import array
import ctypes
import mmap

import numpy as np
import pytest

import eingrad as eg
from eingrad import _read_only
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
    assert not _read_only._held
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
        assert not _read_only._held


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
        kept.append(_read_only._held.pop(id(base)))  # as if base were somebody else's
        return (x * x).sum()

    np.testing.assert_array_equal(eg.grad(f)(view), 2 * view)
    assert not _read_only._held
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

"""What the tests of faults have in common: awkward arrays, and a check of whole messages."""

import dataclasses
import re
from collections import namedtuple

import numpy as np
import pytest


def fixed(values, dtype=None):
    """Make a read-only array, as every input of a test is; of Python's numbers, one of floats."""
    array = np.array(values, getattr(values, "dtype", float) if dtype is None else dtype)
    array.flags.writeable = False
    return array


X = fixed([1.0, 2.0, 3.0])
A = fixed([[2.0, 1.0, 0.0], [0.5, 3.0, 1.0], [0.0, 1.0, 4.0]])
W = fixed([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
SINGULAR = fixed([[1.0, 2.0], [2.0, 4.0]])
MASKED = np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False])


class Subclass(np.ndarray):
    """An array whose meaning nobody knows."""


class Quantity:
    """A number with a unit, which conversion to an array drops."""

    def __array__(self, dtype=None, copy=None):
        return np.ones(3)


Pair = namedtuple("Pair", "a b")


class NoPair(tuple):
    """A tuple that is not made as tuples are."""

    def __new__(cls, a, b):
        return super().__new__(cls, (a, b))


@dataclasses.dataclass
class Box:
    """No array, no number, no container."""

    value: object


def matrix(values):
    """Make an `np.matrix`, whose constructor warns."""
    return np.asarray(values).view(np.matrix)


def raises(call, error, message):
    with pytest.raises(error, match=re.compile(message, re.DOTALL)) as caught:
        call()
    return caught.value


def parametrize(names, table):
    """One id per row, in words."""
    return pytest.mark.parametrize(names, table.values(), ids=table.keys())

"""Which functions of NumPy's are known, and what a function gives or takes.

In: what `_numpy_functions` registers. Out: tables from a function to its handler.
Guaranteed: nothing is registered here; a function that is in no table is refused by name.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from eingrad._executing import public_name

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
UFUNCS: dict[Any, Callable[..., Any]] = {}
METHODS: dict[str, Any] = {}  # name of an array method -> the NumPy function it stands for
REDUCE: dict[Any, Any] = {}  # ufunc -> the NumPy function that its method `reduce` is
ACCUMULATE: dict[Any, Any] = {}
ARRAYS: set[Any] = set()  # functions that give an array also where it has no axes, not a scalar
OPERANDS: set[Any] = set()  # functions that compute with all arrays they get, but for positions
CONTRACTIONS = frozenset({  # products that sum, but for some of einsum's
    np.dot, np.einsum, np.linalg.matmul, np.linalg.tensordot, np.matmul, np.tensordot,
})  # fmt: skip
VIEWS: set[Any] = set()  # functions that do so of an array, and of a scalar give a scalar

IN_PLACE = frozenset({
    np.copyto, np.fill_diagonal, np.place, np.put, np.put_along_axis, np.putmask,
})  # fmt: skip
IN_PLACE_METHODS = frozenset({"fill", "partition", "put", "resize", "setfield", "setflags", "sort"})
READING_METHODS = frozenset({"dump", "dumps", "item", "tobytes", "tofile", "tolist"})


def is_supported(function: Any) -> bool:
    """Whether a function of NumPy's can be traced."""
    return function in UFUNCS or function in FUNCTIONS


@functools.lru_cache(maxsize=1024)
def qualified_name(function: Any) -> str:
    """Name a function as the user writes it."""
    name = str(function.__name__)
    if not isinstance(function, np.ufunc):
        return f"{(function.__module__ or 'numpy').replace('numpy', 'np', 1)}.{name}"
    return public_name(function) or name

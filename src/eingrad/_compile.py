"""From a program to a kernel: names for its inputs, checks on given tensors, the cache.

In: inputs and a way to make a kernel. Out: the kernel, made or found.
Guaranteed: the cache is bounded; a kernel is in it only when it is complete; threads may share it.

>>> from eingrad import _ir
>>> [spec.variable for spec in input_specs([_ir.new_input(name, ()) for name in ("x", "lambda")])]
['x', 'a1']
"""

import builtins
import itertools
import keyword
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eingrad import _recorded
from eingrad._emit import RESERVED
from eingrad._ir import Input, Symmetry
from eingrad._locks import fork_safe
from eingrad._plan import InputSpec
from eingrad._run import Kernel
from eingrad.errors import SymmetryError


class CacheInfo(NamedTuple):
    """What the cache of compiled plans holds, as `functools.lru_cache` tells it."""

    hits: int
    misses: int
    maxsize: int
    currsize: int


class Cache:
    """Kernels by what they compute, the least recently used dropped.

    Bounded in number, and in the bytes of source and constants; the last one is always kept.
    """

    def __init__(self, maxsize: int, maxbytes: int) -> None:
        self.maxsize = maxsize
        self.maxbytes = maxbytes
        self._bytes = 0
        self._kernels: OrderedDict[Any, Kernel] = OrderedDict()
        self._lock = fork_safe(threading.Lock())
        self._hits = self._misses = 0

    def get(self, key: Any, make: Callable[[], Kernel]) -> Kernel:
        """Find or make; two threads that miss at once both make, and one of the two is kept."""
        with self._lock:
            kernel = self._kernels.get(key)
            if kernel is not None:
                self._hits += 1
                self._kernels.move_to_end(key)
                return kernel
            self._misses += 1
        kernel = make()
        with self._lock:
            if key in self._kernels:
                return self._kernels[key]
            self._kernels[key] = kernel
            self._bytes += kernel.nbytes
            while len(self._kernels) > self.maxsize or (
                self._bytes > self.maxbytes and len(self._kernels) > 1
            ):
                self._bytes -= self._kernels.popitem(last=False)[1].nbytes
        return kernel

    def info(self) -> CacheInfo:
        """Count hits, misses and kernels."""
        with self._lock:
            return CacheInfo(self._hits, self._misses, self.maxsize, len(self._kernels))

    def clear(self) -> None:
        """Drop everything; the counts start again."""
        with self._lock:
            self._kernels.clear()
            self._bytes = 0
            self._hits = self._misses = 0


cache = Cache(maxsize=512, maxbytes=2**25)


def cache_info() -> CacheInfo:
    """Tell how many compiled plans are kept, and how often one was found.

    Returns
    -------
    CacheInfo
        ``hits``, ``misses``, ``maxsize``, ``currsize``. The least recently used plan is dropped
        when there are more than ``maxsize``.
    """
    return cache.info()


def cache_clear() -> None:
    """Forget every compiled plan that calls keep; plans that you hold stay."""
    cache.clear()
    _recorded.clear()


def input_specs(inputs: Sequence[Input]) -> list[InputSpec]:
    """Give every input a variable of the emitted source: its own name where that is harmless."""
    taken = {*RESERVED}
    specs = []
    for n, node in enumerate(inputs):
        name = node.name
        plain = name.isidentifier() and name.isascii() and not keyword.iskeyword(name)
        temporary = name[:1] == "t" and name[1:].replace("_", "").isdigit()
        if not plain or temporary or name in taken or hasattr(builtins, name) or name[:2] == "__":
            name = f"a{n}"
            while name in taken:
                name += "_"
        taken.add(name)
        specs.append(InputSpec(node.name, name, node.shape, node.dtype))
    return specs


def check_symmetry(array: NDArray[Any], symmetry: Symmetry, name: str) -> None:
    """Refuse a given derivative tensor that Schwarz's theorem excludes."""
    for group in symmetry:
        for first, second in itertools.pairwise(group):
            axes = list(range(array.ndim))
            for a, b in zip(first, second, strict=True):
                axes[a], axes[b] = b, a
            with np.errstate(invalid="ignore"):
                difference = np.abs(array - array.transpose(axes))
            scale = np.max(np.abs(array), initial=0.0)
            worst = np.nanmax(difference, initial=0.0)
            if worst > scale * np.sqrt(np.finfo(array.dtype).eps):
                raise SymmetryError(
                    f"{name} of shape {array.shape} is not symmetric: interchanging axes {first} "
                    f"and {second} changes an entry by {worst:.3g}, but the order of "
                    "differentiation cannot matter; average it over both orders"
                )

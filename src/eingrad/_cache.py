"""From a program to an executable: names for its inputs, the cache.

In: inputs and a way to make an executable. Out: the executable, made or found.
Guaranteed: the cache is bounded; an executable is in it only when it is complete; threads may
share it.

>>> from eingrad import _ir
>>> [spec.variable for spec in input_specs([_ir.new_input(name, ()) for name in ("x", "lambda")])]
['x', 'a1']
"""

import builtins
import keyword
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from eingrad import _reuse
from eingrad._emit import OWN, RESERVED
from eingrad._ir import Input
from eingrad._locks import fork_safe
from eingrad._plan import InputSpec
from eingrad._run import Executable


class CacheInfo(NamedTuple):
    """What the cache of compiled plans holds, as `functools.lru_cache` tells it."""

    hits: int
    misses: int
    maxsize: int
    currsize: int


Held = TypeVar("Held")


class Cache(Generic[Held]):
    """Executables or plans by what they compute, the least recently used dropped.

    Bounded in number, and where `weigh` gives the bytes of a value, in bytes too; the last one is
    always kept.
    """

    def __init__(
        self,
        maxsize: int,
        lock: threading.Lock,
        maxbytes: int = 0,
        weigh: Callable[[Held], int] = lambda _: 0,
    ) -> None:
        self.maxsize = maxsize
        self.maxbytes = maxbytes
        self._weigh = weigh
        self._held: OrderedDict[Any, tuple[Held, int]] = OrderedDict()  # with its weight
        self._lock = lock
        self._hits = self._misses = 0

    def get(self, key: Any, make: Callable[[], Held]) -> Held:
        """Find or make; two threads that miss at once both make, and one of the two is kept."""
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._hits += 1
                self._held.move_to_end(key)
                return found[0]
            self._misses += 1
        return self.hold(key, make())

    def hold(self, key: Any, value: Held) -> Held:
        """Keep a value, or the one that is there already; return what is kept."""
        with self._lock:
            if key in self._held:
                return self._held[key][0]
            self._held[key] = value, self._weigh(value)
            # Added up each time: an interrupt would leave a running sum wrong.
            held = sum(weight for _, weight in self._held.values())
            while len(self._held) > self.maxsize or (held > self.maxbytes and len(self._held) > 1):
                held -= self._held.popitem(last=False)[1][1]
        return value

    def items(self) -> list[tuple[Any, Held]]:
        """List what is held, the least recently used first."""
        with self._lock:
            return [(key, value) for key, (value, _) in self._held.items()]

    def info(self) -> CacheInfo:
        """Count hits, misses and what is held."""
        with self._lock:
            return CacheInfo(self._hits, self._misses, self.maxsize, len(self._held))

    def clear(self) -> None:
        """Drop everything; the counts start again."""
        with self._lock:
            self._held.clear()
            self._hits = self._misses = 0


cache: Cache[Executable] = Cache(
    512, fork_safe(threading.Lock()), maxbytes=2**25, weigh=lambda held: held.nbytes
)


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
    _reuse.clear()


def input_specs(inputs: Sequence[Input]) -> list[InputSpec]:
    """Give every input a variable of the emitted source: its own name where that is harmless."""
    taken = {*RESERVED}
    specs = []
    for n, node in enumerate(inputs):
        name = node.name
        plain = name.isidentifier() and name.isascii() and not keyword.iskeyword(name)
        if (
            not plain
            or OWN.fullmatch(name)
            or name in taken
            or hasattr(builtins, name)
            or name[:2] == "__"
        ):
            name = f"a{n}"
            while name in taken:
                name += "_"
        taken.add(name)
        specs.append(InputSpec(node.name, name, node.shape, node.dtype))
    return specs

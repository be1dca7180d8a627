"""The verbs that trace once: `plan` for one kind of arguments, `compiled` for each kind.

In: a function or a derivative. Out: a plan, or a callable that finds plans by its arguments.
Guaranteed: a call of what is planned never looks at the function again, nor at what it captured.

>>> plan(np.sin, 0.0).source.splitlines()[-2:]
['    t0 = np.sin(x)', '    return t0']
"""

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import numpy as np

from eingrad._cache import Cache, CacheInfo
from eingrad._derivative import Derivative
from eingrad._locks import fork_safe
from eingrad._memory import checked_limit
from eingrad._run import Plan, state_of
from eingrad._tracebacks import shorten
from eingrad._tracer import Expression, is_tracing, is_value
from eingrad._tree import DEEPEST, typed
from eingrad._verbs import check_count, verb

_lock = fork_safe(threading.Lock())  # one for all: what is done at a fork cannot be taken back


@verb("eg.plan(f, x)")
def plan(
    f: Callable[..., Any], /, *args: Any, memory_limit: int | str | None = None, **kwargs: Any
) -> Plan:
    """Compile a function for arguments like these, or a derivative, as its method `plan` does.

    Parameters
    ----------
    f : callable
        A NumPy function, of which the value is computed; or a `Derivative`. Arrays and floats are
        its inputs; int, bool, str, None and other objects are static, see `derivative`.
    *args, **kwargs
        Arguments as ``f`` is called with; of arrays, only shape and dtype count.
    memory_limit : int or str, or None
        Most bytes that the plan may take at its peak, beside its arguments: a number, or text as
        ``"300MB"``. None: that of ``f``, or else what the machine has.

    Returns
    -------
    Plan
        Called like ``f``. Arrays that ``f`` captured are copied into it.

    Raises
    ------
    TypeError
        If ``f`` is not callable, or `memory_limit` no number of bytes.
    ValueError
        If `memory_limit` is no amount of memory.
    PlanError
        If a static argument could change unnoticed, or ``f`` changes it.
    MemoryLimitError
        If it takes more memory than `memory_limit`, whichever way it is planned.

    Notes
    -----
    What takes more memory than it may is planned again: in smaller pieces, and scans store less,
    and compute it again on their way back, each pass a few times at most. Without a `memory_limit`,
    a plan that takes more than the machine has can be looked at, and is refused when it is called.
    A parameter of ``f`` that is named `memory_limit` is given by position.

    Examples
    --------
    >>> square = plan(lambda x, n: x @ x + n, np.ones(3), 2)
    >>> square(np.array([1.0, 2.0, 3.0]), 2)
    array(16.)
    """
    return _derivative(f, memory_limit).plan(*args, **kwargs)


def _derivative(f: Callable[..., Any], memory_limit: int | str | None = None) -> Derivative:
    """Make a function its own derivative of order zero, in no argument."""
    made = f if isinstance(f, Derivative) else Derivative(f, (0,), ())
    return made._within(checked_limit(memory_limit))


class Compiled:
    """A function or derivative that is traced once for each kind of arguments.

    See `eingrad.compiled`. Threads may share it. It pickles with its plans, if its function does.
    """

    def __init__(self, derivative: Derivative, maxsize: int) -> None:
        self._derivative = derivative
        self._plans: Cache[Plan] = Cache(maxsize, _lock)
        argnums = derivative._argnums
        self._argnums = argnums if isinstance(argnums, tuple) else (argnums,)
        self._wanted: dict[int, list[bool]] = {}  # by how many arguments are positional
        self.__wrapped__ = derivative.__wrapped__
        self.__name__ = derivative.__name__

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Compute by the plan for arguments like these; make one if there is none.

        While another function is traced it is the function itself: what it captures may be traced.
        """
        try:
            key = None if is_tracing() else self._key(args, kwargs)
            if key is None:
                return self._derivative(*args, **kwargs)
            make = functools.partial(self._derivative.plan, *args, **kwargs)
            found = self._plans.get(key, make)
            return found._entry(found, args, kwargs)  # past `out`, which may be a parameter of `f`
        except Exception as error:
            shorten(error)
            raise

    def _key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable:
        """What a plan for these arguments is found by; None where one of them is traced."""
        count = len(args)
        wanted = self._wanted.get(count)
        if wanted is None:  # a number that no argument has is refused when it is traced
            wanted = [n in self._argnums or n - count in self._argnums for n in range(count)]
            self._wanted[count] = wanted
        key: list[Any] = [count, *kwargs]
        traced = False
        for value, chosen in zip(args, wanted, strict=True):
            traced |= _describe(value, key, chosen)
        for value in kwargs.values():
            traced |= _describe(value, key, wanted=False)
        return None if traced else tuple(key)

    def cache_info(self) -> CacheInfo:
        """Count the plans that are kept, and how often one was found.

        Returns
        -------
        CacheInfo
            ``hits``, ``misses``, ``maxsize``, ``currsize``.
        """
        return self._plans.info()

    def cache_clear(self) -> None:
        """Forget all plans: the next call traces anew, and reads anew what is captured."""
        self._plans.clear()

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._derivative, self._plans.maxsize, self._plans.items())

    def __repr__(self) -> str:
        return f"<compiled {self._derivative!r}>"


@verb("eg.compiled(f)(x)")
def compiled(
    f: Callable[..., Any], *, maxsize: int = 128, memory_limit: int | str | None = None
) -> Compiled:
    """Trace a function or a derivative once for each kind of arguments, as ``jax.jit`` does.

    A later call with arguments of the same kind runs the plan of the first. It does not call ``f``,
    so it does not see what has changed since: captured arrays, globals, attributes and closures are
    as they were at the first call of that kind. A `Derivative` itself always sees them.

    Parameters
    ----------
    f : callable
        A `Derivative`; or a NumPy function, of which the value is computed. See `derivative` for
        what is an input and what is static.
    maxsize : int, at least 1
        How many plans are kept. The least recently used is dropped, and traced again when needed.
    memory_limit : int or str, or None
        Of each of them; see `plan`.

    Returns
    -------
    Compiled
        Called like ``f``. ``cache_info()`` counts its plans, ``cache_clear()`` forgets them.

    Raises
    ------
    TypeError
        If ``f`` is not callable.
    ValueError
        If ``maxsize`` is not an integer of at least 1.
    PlanError
        At a call: if a static argument could change unnoticed, or ``f`` changes it.

    Notes
    -----
    Of one kind are arguments of equal nesting, with keys in one order, and names of keyword
    arguments; with arrays of equal shapes and dtypes; with numbers of one type, which are inputs;
    and with static arguments of equal state. In a function that is differentiated, called with its
    traced values, it is ``f``.

    Examples
    --------
    >>> import numpy as np
    >>> import eingrad as eg
    >>> B = np.eye(2)
    >>> D = eg.derivative(lambda x: x @ B @ x)
    >>> fast = compiled(D)
    >>> fast(np.ones(2))
    array([2., 2.])
    >>> B *= 10
    >>> fast(np.ones(2)), D(np.ones(2))
    (array([2., 2.]), array([20., 20.]))
    >>> fast.cache_clear()
    >>> fast(np.ones(2))
    array([20., 20.])
    """
    return Compiled(_derivative(f, memory_limit), check_count(maxsize, "maxsize", 1))


def _restore(derivative: Derivative, maxsize: int, plans: list[tuple[Hashable, Plan]]) -> Compiled:
    """Make it again with its plans: what they hold stays as it was."""
    made = Compiled(derivative, maxsize)
    for key, known in plans:
        made._plans.hold(key, known)
    return made


def _describe(value: Any, key: list[Any], wanted: bool, depth: int = 0) -> bool:
    """Add to a key what a plan holds for; return whether there is a traced value.

    Each value begins with its class, or is one state, which tells how many items follow: keys of
    different arguments differ. A number is an input, of whatever value; so is an integer that is
    differentiated.
    """
    kind = type(value)
    if kind is np.ndarray or issubclass(kind, np.ndarray):
        key += (kind, value.shape, value.dtype)
    elif is_value(value) or (wanted and kind is int):
        key.append(kind)
    elif kind in (dict, OrderedDict):
        key += (kind, typed(value))
        return _describe_each(value.values(), key, wanted, depth)
    elif kind in (tuple, list) or (issubclass(kind, tuple) and hasattr(kind, "_fields")):
        key += (kind, len(value))
        return _describe_each(value, key, wanted, depth)
    elif isinstance(value, Expression):
        return True
    else:
        key.append(state_of(value))
    return False


def _describe_each(values: Iterable[Any], key: list[Any], wanted: bool, depth: int) -> bool:
    """Describe items; those of a list that contains itself are never planned."""
    if depth > DEEPEST:
        return False
    traced = False
    for value in values:
        traced |= _describe(value, key, wanted, depth + 1)
    return traced

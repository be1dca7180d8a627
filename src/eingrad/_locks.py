"""Locks that a fork waits for.

In: nothing. Out: a lock. Guaranteed: the child of a fork finds it free, and what it guards whole.

>>> with fork_safe(threading.Lock()) as held:
...     held
True
"""

import os
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")
Lock = TypeVar("Lock", threading.Lock, threading.RLock)


def fork_safe(lock: Lock) -> Lock:
    """Hold a lock while the process forks.

    The child has only the thread that forked: a lock that another thread held would stay locked.
    Forking takes the locks in the reverse of the order they were made in, so whoever needs two at
    once must take the one that was made later first.
    """
    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(
            before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
        )
    return lock


class lazy(Generic[Value]):  # noqa: N801 - a decorator
    """`functools.cached_property` without the lock that Python 3.11 holds while it computes.

    That lock is one for all instances, and no fork can wait for it. Two threads may compute twice.
    """

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __get__(self, instance: Any, owner: type) -> Value:
        value = self._compute(instance)
        instance.__dict__[self._compute.__name__] = value  # found before this is asked again
        return value

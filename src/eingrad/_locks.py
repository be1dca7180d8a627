"""Locks that a fork waits for.

In: nothing. Out: a lock. Guaranteed: the child of a fork finds it free, and what it guards whole.

>>> with fork_safe(threading.Lock()) as held:
...     held
True
"""

import os
import threading
from typing import TypeVar

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

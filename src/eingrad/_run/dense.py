"""Run emitted source as it stands, in one thread, on whole arrays. `exec` is called here, once."""

import hashlib
import linecache
import os
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

_loaded: Counter[str] = Counter()  # by filename, how many functions of a text are alive
_guard = threading.RLock()  # a function may be collected while another is loaded


def _renew_guard() -> None:
    """Make a lock for the child of a fork, which would find one that another thread held taken.

    It is not held while forking: a finalizer may wait for it under any other lock.
    """
    global _guard  # noqa: PLW0603 - a lock cannot be taken back from a thread that is no more
    _guard = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_renew_guard)


def load(source: str, name: str = "derivative") -> Callable[..., Any]:
    """Compile the text of a module and return its function.

    The text is registered in `linecache`, so that a traceback shows the generated line, as long as
    the function lives.
    """
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    filename = f"<eingrad {digest}>"
    code = compile(source, filename, "exec")
    namespace: dict[str, Any] = {"__name__": f"eingrad.generated_{digest}"}
    exec(code, namespace)
    function: Callable[..., Any] = namespace[name]
    with _guard:
        _loaded[filename] += 1
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    weakref.finalize(function, _forget, filename).atexit = False
    return function


def _forget(filename: str) -> None:
    with _guard:
        _loaded[filename] -= 1
        if not _loaded[filename]:
            del _loaded[filename]
            linecache.cache.pop(filename, None)

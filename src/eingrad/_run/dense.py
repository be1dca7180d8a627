"""Run emitted source as it stands, in one thread, on whole arrays. `exec` is called here, once."""

import hashlib
import linecache
from collections.abc import Callable
from typing import Any


def load(source: str, name: str = "derivative") -> Callable[..., Any]:
    """Compile the text of a module and return its function.

    The text is registered in `linecache`, so that a traceback shows the generated line.
    """
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    filename = f"<eingrad {digest}>"
    code = compile(source, filename, "exec")
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {"__name__": f"eingrad.generated_{digest}"}
    exec(code, namespace)
    function: Callable[..., Any] = namespace[name]
    return function

"""What structured tensors refuse: a function, an option, an attribute, by name.

In: what NumPy or Python asked for. Out: an error that says what it is, and what to write.
Guaranteed: only what would need entries, or is not known, is refused; the text says which.
"""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from eingrad._shown import shown
from eingrad._subscripts import Shape
from eingrad._tracer import qualified_name
from eingrad.errors import DTypeError


def refuse(
    function: Any, shape: Shape, dtype: np.dtype[Any], method: str = "", *, option: str = ""
) -> NoReturn:
    """Say that a function, or an option of it, would need the entries."""
    name = qualified_name(function) + (f".{method}" if method else "")
    asked = f"{name} with {option}" if option else name
    raise DTypeError(
        f"{asked} of a structured tensor would write it out: shape {shape}, "
        f"{math.prod(shape) * dtype.itemsize:,} bytes; if that is meant, call {name} with "
        "tensor.dense()"
    )


def unknown_option(
    handler: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> str:
    """Name the option of a call that its handler has not; "" where it has them all."""
    parameters = inspect.signature(handler).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return next((f"{k}=" for k in kwargs if k not in {p.name for p in parameters}), "")
    unknown = [f"{k}=" for k in kwargs if k not in {p.name for p in parameters}]
    extra = len(args) - sum(p.kind is not p.KEYWORD_ONLY for p in parameters)
    if extra > 0:
        unknown.append(f"{extra} more argument{'s' * (extra > 1)}")
    return unknown[0] if unknown else ""


def missing_attribute(name: str) -> AttributeError:
    """Say that a structured tensor has no such attribute, and where it is, if an array has it."""
    text = f"a structured tensor has no attribute {shown(name)}"
    if not name.startswith("_") and hasattr(np.ndarray, name):
        text += f", for it would need the entries; write tensor.dense().{name}"
    return AttributeError(text, name=name)

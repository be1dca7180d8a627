"""Calls of ufuncs and of their methods (NEP 13).

In: a ufunc, its operands, its options. Out: what the handler gives, or gave before.
Guaranteed: an option that changes the result, and that no handler knows, is refused by name.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eingrad._conversions import unsupported
from eingrad._place import place, user_line
from eingrad._tracer.enter import capture_arrays
from eingrad._tracer.functions import is_default, writes_in_place
from eingrad._tracer.lookup import find_or_perform
from eingrad._tracer.registry import ACCUMULATE, CONTRACTIONS, REDUCE, UFUNCS, qualified_name
from eingrad._tracer.value import TracedValue, mark_array
from eingrad.errors import InPlaceError, UnsupportedFunctionError

_DEFAULTS = {
    "where": True, "casting": "same_kind", "order": "K", "subok": True, "dtype": None,
    "out": None, "signature": None,
}  # fmt: skip


def record_ufunc(ufunc: Any, inputs: Sequence[Any]) -> Any:
    """Record a call of a ufunc that is known, without options."""
    operands = inputs
    for value in inputs:
        if type(value) is np.ndarray:
            operands = capture_arrays(inputs, are_factors=ufunc in CONTRACTIONS)
            break
    return find_or_perform(ufunc, operands, {}, lambda: mark_array(UFUNCS[ufunc](*operands)))


def record_method(
    ufunc: np.ufunc, method: str, inputs: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """Record a call with options, or of a method of a ufunc: ``np.add.reduce``."""
    name = qualified_name(ufunc)
    if kwargs.get("out") is not None:
        raise InPlaceError(
            f"{name} writes into an existing array at {user_line()}; a traced value cannot be "
            f"written in place: write y = {name}(...) (z = z + x instead of z += x)"
        )
    options = {k: v for k, v in kwargs.items() if not is_default(v, _DEFAULTS.get(k, ...))}
    if method == "at":
        raise InPlaceError(writes_in_place(f"{name}.at"))
    methods = {"reduce": REDUCE, "accumulate": ACCUMULATE}.get(method, {})
    if ufunc in methods:
        return find_or_perform(
            (ufunc, method), inputs, options,
            lambda: methods[ufunc](*inputs, **{"axis": 0, **options}),
        )  # fmt: skip
    if ufunc not in UFUNCS or method not in ("__call__", "outer"):
        name = name if method == "__call__" else f"{name}.{method}"
        raise UnsupportedFunctionError(unsupported(name, place()))
    for keyword in options:
        raise UnsupportedFunctionError(
            f"{name}: keyword {keyword!r} is not supported on traced values (at {user_line()});"
            " leave it out"
        )
    if method == "outer":
        left, right = inputs
        new = tuple(range(-np.ndim(right), 0))
        right = right if isinstance(right, TracedValue) else np.asarray(right)
        inputs = (np.expand_dims(left, new), right)
    return find_or_perform((ufunc, method), inputs, {}, lambda: UFUNCS[ufunc](*inputs))

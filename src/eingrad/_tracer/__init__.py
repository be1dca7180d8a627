"""Expressions: stand-ins for arrays that record what NumPy is asked to do with them.

In: NumPy calls on an `Expression` (NEP 13, NEP 18, operators). Out: the node they build.
Guaranteed: what cannot be recorded raises an error that names it and the user's line; nothing
untraced passes as a constant; no array of the user's is written while he is being traced.

Which functions are known is in `_numpy_functions`, which fills `FUNCTIONS` and `UFUNCS`. How the
files here know each other is in docs/design/tracing.md.
"""

from eingrad._tracer.advice import CARRY, COUNT, SLICE, advice_for
from eingrad._tracer.arrays import (
    STATIC,
    Array,
    as_array,
    broadcast_shapes,
    check_array,
    is_value,
    native,
)
from eingrad._tracer.captured import Captured
from eingrad._tracer.enter import node_of
from eingrad._tracer.expression import Expression
from eingrad._tracer.registry import (
    ACCUMULATE,
    ARRAYS,
    FUNCTIONS,
    IN_PLACE,
    METHODS,
    OPERANDS,
    REDUCE,
    UFUNCS,
    VIEWS,
    is_supported,
    qualified_name,
)
from eingrad._tracer.terms import Term
from eingrad._tracer.trace import Trace, current_trace, is_tracing, tracing, within_trace
from eingrad._tracer.value import how_to_hold, is_weak, trace_of

__all__ = [
    "ACCUMULATE",
    "ARRAYS",
    "CARRY",
    "COUNT",
    "FUNCTIONS",
    "IN_PLACE",
    "METHODS",
    "OPERANDS",
    "REDUCE",
    "SLICE",
    "STATIC",
    "UFUNCS",
    "VIEWS",
    "Array",
    "Captured",
    "Expression",
    "Term",
    "Trace",
    "advice_for",
    "as_array",
    "broadcast_shapes",
    "check_array",
    "current_trace",
    "how_to_hold",
    "is_supported",
    "is_tracing",
    "is_value",
    "is_weak",
    "native",
    "node_of",
    "qualified_name",
    "trace_of",
    "tracing",
    "within_trace",
]

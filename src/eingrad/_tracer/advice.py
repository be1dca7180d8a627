"""What to do where Python must know a traced value: by what it depends on, and what it is for.

In: a traced value. Out: an `Advice`; a text is "" where there is nothing better than what is said
of any value.
Guaranteed: called only where an error is raised.
"""

from eingrad._conversions import Advice
from eingrad._ir import Node, inputs
from eingrad._tracer.trace import Trace
from eingrad._tracer.value import TracedValue, how_to_count, how_to_hold

SLICE, COUNT, CARRY = "slice", "count", "carry"  # what an input of a step is

_ONCE = "a step is recorded once, for all steps"
_ROWS = f"{_ONCE}: give it the rows as slices, xs=A, or xs=A[indices] with the indices of all steps"
_PLACES = f"{_ONCE}: give it one-hot rows as slices, xs=np.eye(n), and multiply by them, row @ c"
_CONDITION = f"{_ONCE}: give it the condition as a slice, xs=np.arange(n) == 0 say, and write "
_CONDITION += "np.where(condition, a, b)"
_CHOICE = f"{_ONCE}: write np.where(condition, a, b)"
_COUNTED = "; what counts the steps is a slice too, xs=np.arange(n), not a carry"
_STORED = f"{_ONCE}: return the element as the output of the step, (carry, y), for outputs are "
_STORED += "stacked"
_MASK = f"{_ONCE}, so that its arrays have one shape: select, np.where(np.arange(n) < t, A, 0)"
_ALIKE = f"{_ONCE}: what is repeated must be the same in each; or write the steps in a Python loop"


def advice_for(value: TracedValue, owner: TracedValue | None = None) -> Advice:
    """Say what to do where a value must be known; `owner` is what it is an index of, if traced."""
    kinds = _kinds_in_step(value)
    if not kinds:
        held = how_to_hold(value)
        count = held or how_to_count(value)
        return Advice(index=held, truth=held, bound=held, count=count, number=held)
    if CARRY in kinds:
        return Advice(stored=_STORED, truth=_CHOICE, bound=_MASK, count=_ALIKE)
    counted = _COUNTED if COUNT in kinds else ""
    is_carried = owner is not None and not {CARRY, COUNT}.isdisjoint(_kinds_in_step(owner))
    return Advice(
        index=(_PLACES if is_carried else _ROWS) + counted,
        stored=_STORED,
        truth=_CONDITION + counted,
        bound=_MASK,
        count=_ALIKE,
    )


def _kinds_in_step(value: TracedValue) -> set[str]:
    """Say which kinds of inputs of a step a value depends on: none outside of a scan."""
    steps: dict[Node, str] = {}
    trace: Trace | None = value._trace
    while trace is not None:
        steps |= trace.step
        trace = trace.outer
    return {steps[node] for node in inputs([value._node]) if node in steps}

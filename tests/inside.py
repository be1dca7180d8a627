"""The inside of eingrad as tests and benchmarks reach it: all private names they use stand here.

In: objects that the public interface gave. Out: what they hold inside, in the words of the project.
Guaranteed: no other file of `tests/` or `benchmarks/` names anything of the library that begins
with an underscore, modules apart; `test_inside.py` fails where one does.

A room of the library may be split, or keep its state in another way: then this file changes, and
no test. It is type-checked with the library, so that a name that is gone is noticed at once. Users
do not get it. A `Part` is what tests replace: they say which, not where it stands.
"""

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

import eingrad as eg
from eingrad import (
    _cache,
    _collected,
    _evaluate,
    _formula,
    _memory,
    _place,
    _progress,
    _read_only,
    _reuse,
    _rolled,
    _supports,
    _tracer,
)
from eingrad._diff import cotangents, products, tangents
from eingrad._diff import regions as entrywise
from eingrad._ir import Input, Node, Placement, nodes
from eingrad._numpy_functions import reductions, refusals
from eingrad._plan import (
    Program,
    buffers,
    duration,
    halves,
    liveness,
    path,
    price,
    regions,
    tiles,
)
from eingrad._plan.lower import calls
from eingrad._run import Executable, dense, interpret
from eingrad._simplify import contractions
from eingrad._tracer import Expression
from eingrad.identities import checks

compose = sys.modules["eingrad._plan.compose"]  # the function of that room has its name


# Expressions and nodes ---------------------------------------------------------------------------


def node_of(expression: Any) -> Node:
    """Give the node of the graph that an expression stands for."""
    node: Node = expression._node
    return node


def traced(f: Callable[..., Any], *inputs: Input) -> Node:
    """Trace a function of inputs of the graph; give the node of what it returns."""
    return node_of(f(*map(Expression, inputs)))


def delta_pattern(piece: Placement) -> object:
    """Say which axes the deltas of a term of a derivative tie: terms of one pattern are added."""
    return _collected.pattern_of(piece)


# Plans -------------------------------------------------------------------------------------------


def kernel_of(plan: eg.Plan) -> Executable:
    """Give what a plan runs: a program with its source and function."""
    return plan._executable


def emitted_function(plan: eg.Plan) -> Callable[..., Any]:
    """Give the function that the source of a plan defines."""
    return plan._executable.function


def replace_emitted_function(plan: eg.Plan, function: Callable[..., Any]) -> None:
    """Let a plan call another function; its entry is written anew, for it holds the function."""
    plan._executable.function = function
    plan.__setstate__(plan.__getstate__())


def captured_arrays(plan: eg.Plan) -> tuple[NDArray[Any], ...]:
    """Give the arrays that a plan holds, where `Plan.captured` gives views of them."""
    return plan._captured


def entry_of(plan: eg.Plan) -> Callable[..., Any]:
    """Give the emitted function that takes the arguments of a call as they are nested."""
    return plan._entry


def interpreted(plan: eg.Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Call a plan as it is called where its entry does not take the arguments."""
    return plan._interpret(args, dict(kwargs))


def derivative_of(compiled: Any) -> Any:
    """Give the derivative that `eingrad.compiled` traces."""
    return compiled._derivative


# Planner and interpreter -------------------------------------------------------------------------


def forget_paths() -> None:
    """Forget the contraction paths that were found, so that they are searched for again."""
    path._search.cache_clear()


def with_halves(program: Program, wanted: Sequence[tuple[int, bool]]) -> Program:
    """Compute one triangle only of these values of a program: the upper one where True."""
    return halves._with_halves(program, wanted)


def statements_before(program: Program) -> list[list[int]]:
    """Say of each statement which others have to come before it."""
    return liveness._needs(program)


def tile_step(size: int, most: int) -> int:
    """Choose how many rows of `size` a pass of a loop takes, `most` at the most."""
    return regions._step(size, most)


def body_picoseconds(body: Program) -> int:
    """Predict the time of one pass of a loop."""
    return duration._of_body(body)


def gathered(core: Any, steps: Any, xp: Any) -> Any:
    """Add entries up where gathers say, on arrays of a namespace of the array API standard."""
    return interpret._gather(core, steps, interpret._Space(xp, None))


# State, and who guards it ------------------------------------------------------------------------


def locked_arrays() -> dict[int, Any]:
    """Give the arrays that are read-only while they are traced, by their id; the record itself."""
    return _read_only._held


def open_trace() -> Any:
    """Give the innermost trace that is open, or None."""
    return _tracer.trace.innermost.get()


def open_planning() -> Any:
    """Give the planning that a line on the terminal would tell of, or None."""
    return _progress._open.get()


def is_inside_of_handler() -> bool:
    """Whether NumPy is not asked about a call, for it is made within a handler."""
    return refusals._inside.get()


def sweeps_kept() -> int:
    """Count the derivatives of inner traces that are kept for the next call."""
    return len(_reuse._derived)


def most_table_bytes_kept() -> int:
    """Give the bytes of index tables that may be kept between calls."""
    return _reuse._MOST_BYTES


def locks() -> dict[str, Any]:
    """Name the locks that a fork waits for."""
    return {
        "nodes": nodes._lock,
        "contractions": contractions._lock,
        "captured arrays": _read_only._guard,
        "cache": _cache.cache._lock,
    }


def text_lock() -> Any:
    """Give the lock of emitted texts, which a fork replaces."""
    return dense._guard


# Names that are looked for -----------------------------------------------------------------------


def verbs() -> tuple[str, ...]:
    """List the files of the public verbs, which messages do not name as the user's line."""
    return _place._VERBS


def names_of_other_libraries() -> dict[str, str]:
    """Give the advice for names that other libraries have, and eingrad has not."""
    return eg._ELSEWHERE


# Functions that run while a trace closes: where an interrupt could leave an array locked.
CLOSING = frozenset(
    f.__name__
    for f in (
        _tracer.Trace.close,
        _tracer.Trace.__exit__,
        _tracer.Trace.encloses,
        _read_only.release,
        _read_only._set_back,
        _read_only._owners,
    )
)
FINALIZER = dense._forget.__name__  # Python prints its errors and goes on
# Calls that build a node of the row whose name they are given.
ROW_BUILDERS = frozenset({"apply", reductions._extreme.__name__, reductions._flags.__name__})


def relative_error(actual: Any, expected: Any) -> float:
    """Compare as the checks of identities do."""
    return checks._error(actual, expected)


# Parts that tests replace ------------------------------------------------------------------------


class Part(NamedTuple):
    """A function, method or limit of the library, by who has it and its name there."""

    owner: Any
    name: str

    @classmethod
    def everywhere(cls, function: Callable[..., Any]) -> list["Part"]:
        """List the rooms that have a function under its own name: it is replaced in all."""
        name = function.__name__
        rooms = [room for key, room in sys.modules.items() if key.startswith("eingrad.")]
        return [cls(room, name) for room in rooms if getattr(room, name, None) is function]

    def get(self) -> Any:
        """Give it as it is now."""
        return getattr(self.owner, self.name)

    def replace(self, monkeypatch: Any, value: Any) -> None:
        """Put another in its place until the test ends."""
        monkeypatch.setattr(self.owner, self.name, value)


class Limit(NamedTuple):
    """A number of `eingrad._limits.POLICY`, as one room of the library reads it."""

    owner: Any
    name: str

    def replace(self, monkeypatch: Any, value: int) -> None:
        """Put another in its place until the test ends, for this room alone."""
        changed = dataclasses.replace(self.owner.POLICY, **{self.name: value})
        monkeypatch.setattr(self.owner, "POLICY", changed)


INTERPRET = Part(eg.Plan, "_interpret")  # computes a call that the entry does not take
COMPILE = Part(eg.Derivative, "_compile")  # finds what computes a derivative, or makes it
NUMPYS_ANSWER = Part(refusals, "_answer")  # asks NumPy whether a call is right
PIECES = Part.everywhere(_collected.pieces_of)  # the parts of a derivative that products meet
COLLECT = [  # adds the terms of a derivative by delta pattern, in each kind of sweep
    Part(sweep, "collect") for sweep in (tangents, cotangents, entrywise)
]
CANCELLED = Part(products, "cancelled")  # a product of a derivative, without what cancels in it
CHEAPEST_VALUES = Part(_evaluate, "cheapest_values")  # which form of a product is computed
IDENTITY_ERROR = Part(checks, "_error")  # compares the sides of an identity

MOST_SWEEPS = Part(_reuse, "_MOST_DERIVED")  # derivatives of inner traces that are kept
SILENT_SECONDS = Part(_progress, "SILENT_SECONDS")  # before planning says what it does
SECONDS_BETWEEN = Part(_progress, "SECONDS_BETWEEN")  # lines of that
CONTROL_GROUPS = Part(_memory, "_CGROUPS")  # where the system tells of their limits
GROUPS_OF_PROCESS = Part(_memory, "_OF_PROCESS")  # and which those of the process are
IN_LESS_MEMORY = Part(compose, "in_less_memory")  # orders statements by what is live
ORDERED_BYTES = Limit(liveness, "ordered_bytes")  # a peak for which that is tried
REUSE = Part(compose, "reuse")  # writes results over dead values
REUSED_BYTES = Limit(buffers, "reused_bytes")  # of a result that is
MIRRORED_AT_ONCE = Limit(calls, "mirrored_at_once")  # elements; more are mirrored in place
ROLLED_NODES = Limit(_rolled, "rolled_nodes")  # of steps that become a scan
HALF_ROWS = Limit(halves, "half_rows")  # of a product that is made by halves
TILE_BYTES = Limit(tiles, "tile_bytes")  # of what a pass of a loop makes
LEAST_TILE_BYTES = Limit(compose, "tile_bytes")  # of what is cut into tiles
SEED_BYTES = Limit(regions, "seed_bytes")  # of an intermediate that is worth a loop
SLICED_BYTES = Limit(regions, "sliced_bytes")  # least of what is sliced with a large intermediate
PERCENT_FOR_MEMORY = Limit(compose, "percent_for_memory")  # time of a program with loops
MAY_BE_CUT = Part(compose, "_may_be_cut")  # whether loops are tried
FEW_PASSES = Limit(price, "few_passes")  # over a result that is little but written

LOOKED_FOR = Part(_supports, "_FEW")  # terms from which on those that are met are looked for
FORMULA = Part(_formula, "text")  # writes a formula of some lines
WITH_SIGN = Part(_formula.Writer, "_with_sign")  # writes a term and its sign
HEAD = Part(_formula.Writer, "_head")  # writes what a sum runs over
NAMED = Part(_formula.Writer, "_named")  # names an operand

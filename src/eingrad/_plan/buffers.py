"""Write results into the memory of values that are dead.

In: a program. Out: an equal one, whose statements say what memory they write `into`.
Guaranteed: nothing is written that is used later, an input, a constant or a result of the program;
the peak of memory is not higher; of arguments in the order of their axes a result lies in memory as
a new one would, so that what reads it computes the same bits.

New memory of some hundred kilobytes comes from the system page by page, and goes back to it when it
is deleted: that takes several times as long as to write it. So a large result takes the memory of
an operand that dies, where its kernel may write over it, else of the value that died last among
those that are as large.

>>> import numpy as np
>>> import eingrad as eg
>>> program = eg.plan(lambda x: np.exp(np.sin(x) + 1), np.ones(10_000)).program
>>> [(s.kernel.label, s.targets, s.into) for s in program.statements if s.result_bytes > 8]
[('sin', (1,), None), ('add', (3,), 1), ('exp', (4,), 3)]
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from eingrad._limits import POLICY
from eingrad._plan.filling import (
    fills,
    is_entry_by_entry,
    is_one_to_one,
    makes_in_order,
    may_share,
    places,
    read_at_once,
)
from eingrad._plan.kernels import Loop, Multiply, Number, Outer, Place, Reshape, Triangle
from eingrad._plan.lower.memory import Array, in_order, strides_after
from eingrad._plan.program import Program, Statement


def reuse(program: Program) -> Program:
    """Give large results, in bodies of loops too, the memory of dead values."""
    statements = tuple(map(_with_body, program.statements))
    if any(a is not b for a, b in zip(statements, program.statements, strict=True)):
        program = replace(program, statements=statements)
    return _Walk(_in_order(program)).rewritten() if any(map(_is_large, statements)) else program


def _in_order(program: Program) -> Program:
    """Make in order what others are placed onto, so that it need not be copied before.

    Of arguments in order, a product that lies so is the same.
    """
    uses = Counter(value for s in program.statements for value in s.operands)
    bases = {
        s.operands[0]
        for s in program.statements
        if isinstance(s.kernel, Place) and s.kernel.has_base and uses[s.operands[0]] == 1
    }
    arrays = _lying(program) if bases else {}
    made = tuple(
        replace(s, kernel=replace(s.kernel, in_order=True))
        if isinstance(s.kernel, Multiply)
        and _is_large(s)
        and s.targets[0] in bases
        and arrays[s.targets[0]].lies_in_order
        else s
        for s in program.statements
    )
    return replace(program, statements=made) if bases else program


def _lying(program: Program) -> dict[int, Array]:
    """How values lie, of arguments in the order of their axes."""
    arrays = {n: Array(r.shape, in_order(r.shape)) for n, r in enumerate(program.values())}
    for s in program.statements:
        if len(s.targets) == 1:
            found = strides_after(s.kernel, [arrays[n] for n in s.operands], s.shape)
            if found is not None:
                arrays[s.targets[0]] = Array(s.shape, found)
    return arrays


def _with_body(statement: Statement) -> Statement:
    """Do the same in the body of a loop."""
    kernel = statement.kernel
    if not isinstance(kernel, Loop):
        return statement
    body = reuse(kernel.body)
    if body is kernel.body:
        return statement
    return replace(statement, kernel=replace(kernel, body=body), workspace_bytes=body.peak_bytes)


def _is_large(statement: Statement) -> bool:
    """Whether a statement makes one array of that size; what has no axes is a scalar of NumPy's."""
    is_array = len(statement.results) == 1 and statement.shape != ()
    return is_array and statement.bytes >= POLICY.reused_bytes


class _Walk:
    """What is known of values while statements are gone through.

    `arrays` say how they lie; `in_order` are those that lie in the order of their axes whatever the
    inputs do; `whole` look at each entry of their memory once; `free` are dead, with the statement
    that used them last; `live` is the memory at each statement.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.values = program.values()
        self.base = program.bases()
        self.owned = _owned(program, self.base)
        self.live = program.live_bytes()
        self.peak = max(self.live)
        self.arrays = {n: Array(r.shape, in_order(r.shape)) for n, r in enumerate(self.values)}
        self.in_order: set[int] = set()
        self.whole: set[int] = set()
        self.free: list[tuple[int, int]] = []
        self.constants = dict(enumerate(program.constants, len(program.inputs)))

    def rewritten(self) -> Program:
        """Say of each statement what memory it takes."""
        pairs = zip(self.program.statements, self.program.dead_after(), strict=True)
        made = tuple(self._step(n, s, {*dead} & self.owned) for n, (s, dead) in enumerate(pairs))
        return replace(self.program, statements=made)

    def _step(self, n: int, s: Statement, dying: set[int]) -> Statement:
        """Choose memory for one statement; `dying` are used by it last."""
        if len(s.targets) == 1:
            self._note(s)
        into = None
        if _is_large(s):
            into = next((x for x in places(s) if self._may_be_over(s, x, dying)), None)
            if into is not None:
                dying = dying - {self.base[into]}
                self.live[n] -= s.bytes
            elif (found := next(self._among_free(n, s), None)) is not None:
                self.free.remove(found)
                into, since = found
                self.live[since + 1 : n] = (m + s.bytes for m in self.live[since + 1 : n])
            if into is not None and into not in self.in_order:
                self.in_order.discard(s.targets[0])
        large = (v for v in sorted(dying) if self.values[v].bytes >= POLICY.reused_bytes)
        self.free += [(value, n) for value in large]
        return s if into is None else replace(s, into=into)

    def _note(self, s: Statement) -> None:
        """Keep how a result lies."""
        (target,) = s.targets
        found = strides_after(s.kernel, [self.arrays[n] for n in s.operands], s.shape)
        if found is not None:
            self.arrays[target] = Array(s.shape, found)
        is_in_order = makes_in_order(s) or self._is_certain(s)
        if is_in_order or any(map(partial(self._lies_as, s), range(len(read_at_once(s))))):
            self.in_order.add(target)
        if not s.is_alias or (is_one_to_one(s) and s.operands[0] in self.whole):
            self.whole.add(target)

    def _is_certain(self, s: Statement) -> bool:
        """Whether a product lies in order for sure, as its factors do: vectors have no order."""
        if not isinstance(s.kernel, Multiply) or not self.arrays[s.targets[0]].lies_in_order:
            return False
        return all(n in self.in_order or len(self.values[n].shape) <= 1 for n in s.operands)

    def _lies_as(self, s: Statement, k: int) -> bool:
        """Whether a result lies in order because operand k does."""
        x = s.operands[k]
        return x in self.in_order and (
            isinstance(s.kernel, Reshape) or (is_entry_by_entry(s, k) and self._is_like(s, x))
        )

    def _is_like(self, s: Statement, x: int) -> bool:
        """Whether a value has the shape of the result, and lies as that does."""
        return self.arrays[x] == self.arrays[s.targets[0]]

    # Over an operand -----------------------------------------------------------------------------

    def _may_be_over(self, s: Statement, x: int, dying: set[int]) -> bool:
        """Whether a result may be written over an operand while it is computed."""
        return (
            self.base[x] in dying
            and x in self.whole
            and self.values[x] == s.results[0]
            and self._is_like(s, x)
            and all(self.base[n] != self.base[x] for n in s.operands if n != x)
            and (x in self.in_order or not isinstance(s.kernel, Place))
        )

    # Over what died before -----------------------------------------------------------------------

    def _among_free(self, n: int, s: Statement) -> Iterator[tuple[int, int]]:
        """Find dead values whose memory a result may take, what died last first."""
        if not fills(s, self.constants):
            return
        for value, since in reversed(self.free):
            between = self.live[since + 1 : n]
            if self._fits(s, value) and max(between, default=0) + s.bytes <= self.peak:
                yield value, since

    def _fits(self, s: Statement, value: int) -> bool:
        """Whether a result fits in the memory of a value, as it would lie in new memory."""
        array, target = self.arrays[value], self.arrays[s.targets[0]]
        certain = isinstance(s.kernel, Outer | Place)  # NumPy refuses others, or they were copied
        return (
            self.values[value].dtype == s.results[0].dtype
            and self.values[value].bytes == s.bytes
            and (array == target or (array.lies_in_order and target.lies_in_order))
            and (value in self.in_order or not certain)
        )


def _owned(program: Program, base: Mapping[int, int]) -> set[int]:
    """Values with memory of their own that nobody has but their views."""
    owned: set[int] = set()
    for s in program.statements:
        if may_share(s):
            owned.difference_update(base[n] for n in s.operands)
        elif not (s.is_alias or isinstance(s.kernel, Number | Triangle)):  # which outlive a call
            owned.update(s.targets if len(s.targets) == 1 and s.shape != () else ())
    taken = {base[s.into] for s in program.statements if s.into is not None}
    return owned - taken - {base[n] for n in program.outputs}

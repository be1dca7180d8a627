"""What a plan computes from what, as data: the statements of a program without what moves nothing.

In: a program. Out: a `PlanTree`, whose steps name the steps they are computed from.
Guaranteed: the flops of the steps are those of the program, their times that of a call but for its
entry. Views are looked through; a loop is one step; what writes to an array makes a new step of it.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eingrad._plan import Program, Statement
from eingrad._plan.duration import of_statement, out_of_order
from eingrad._plan.kernels import Loop, Number, Rescan, Scan
from eingrad._subscripts import Shape

_DEEPEST = 30  # that is indented: below, the depth is written


@dataclass(frozen=True, slots=True)
class PlanStep:
    """A step of a plan, or an operand: an input or a constant.

    Attributes
    ----------
    name : str
        As in ``print(plan)``: ``t0``; the name of an input; ``k0`` for a constant.
    label : str
        The kernel: ``matmul``, ``sin``; nothing for an operand.
    subscripts : str
        Of a contraction.
    shape : tuple of int
        Of the result; of the first, if there are several.
    below : tuple of int
        The numbers in `PlanTree.steps` of what it is computed from.
    flops : int
        Of all passes, if it is a loop.
    elements : int
        How many it writes.
    seconds : float
        Predicted time.
    values : tuple of int
        The numbers in `Plan.program` of what it makes.
    """

    name: str
    label: str
    subscripts: str
    shape: Shape
    below: tuple[int, ...]
    flops: int
    elements: int
    seconds: float
    values: tuple[int, ...]

    def __str__(self) -> str:
        if not self.label:
            return f"{self.name} {self.shape}"
        what = f"{self.label} {self.subscripts}".rstrip()
        return f"{self.name} = {what} {self.shape}: {self.flops:,} flops"


@dataclass(frozen=True, slots=True)
class PlanTree:
    """Steps, each after those that it is computed from, and which of them are the results.

    A tree where each intermediate is used once. ``print(tree)`` writes it from the results down;
    what is used again is named, and not written again.
    """

    steps: tuple[PlanStep, ...]
    results: tuple[int, ...]

    @property
    def flops(self) -> int:
        """Flops of all steps."""
        return sum(step.flops for step in self.steps)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        written: set[int] = set()
        pending = [(n, 0) for n in reversed(self.results)]
        while pending:
            n, depth = pending.pop()
            step = self.steps[n]
            deep = f"({depth}) " if depth > _DEEPEST else ""
            again = n in written and step.label
            yield (
                "  " * min(depth, _DEEPEST)
                + deep
                + (f"{step.name}, as above" if again else str(step))
            )
            if n not in written:
                written.add(n)
                pending += [(k, depth + 1) for k in reversed(step.below)]


def tree_of(program: Program) -> PlanTree:
    """Read the statements of a program."""
    values = program.values()
    disordered = out_of_order(program.statements)
    steps: list[PlanStep] = []
    number: dict[int, int] = {}  # of the step that a value is made by
    known = _Operands(program, steps, number)
    for s in program.statements:
        if s.is_view:
            known.read(s.operands[0])
            number[s.targets[0]] = number[s.operands[0]]
        elif not isinstance(s.kernel, Number):
            below = [known.read(n) for n in s.operands if n not in known.numbers]
            made = s.targets or s.written
            seconds = of_statement(s, values, disordered) / 1e12
            name = ", ".join(f"t{n - program.first}" for n in made)
            below = [*dict.fromkeys(below)]
            steps.append(
                PlanStep(name, _label(s), s.subscripts, values[made[0]].shape, (*below,), s.flops,
                         _elements(s), seconds, made)
            )  # fmt: skip
            number.update(dict.fromkeys(made, len(steps) - 1))
    results = tuple(known.read(n) for n in program.outputs)
    return PlanTree(tuple(steps), results)


class _Operands:
    """Inputs, constants and results that are numbers: steps once something reads them."""

    def __init__(self, program: Program, steps: list[PlanStep], number: dict[int, int]) -> None:
        self._program, self._steps, self._number = program, steps, number
        self._values = program.values()
        self.numbers: Mapping[int, str] = {
            s.targets[0]: str(s.kernel.value)
            for s in program.statements
            if isinstance(s.kernel, Number)
        }

    def read(self, value: int) -> int:
        """Give the step that makes a value."""
        if value not in self._number:
            shape = self._values[value].shape
            step = PlanStep(self._name(value), "", "", shape, (), 0, 0, 0.0, (value,))
            self._number[value] = len(self._steps)
            self._steps.append(step)
        return self._number[value]

    def _name(self, value: int) -> str:
        inputs = self._program.inputs
        if value < len(inputs):
            return inputs[value].name
        return self.numbers.get(value) or f"k{value - len(inputs)}"


def _label(statement: Statement) -> str:
    kernel = statement.kernel
    if isinstance(kernel, Scan | Rescan):
        return f"{kernel.label} of {kernel.shown}"
    return f"loop of {len(kernel.passes)} passes" if isinstance(kernel, Loop) else kernel.label


def _elements(statement: Statement) -> int:
    """Count what a statement writes; a loop in all passes, with what it keeps of each."""
    kernel = statement.kernel
    if isinstance(kernel, Loop):
        each = sum(math.prod(result.shape) for result in kernel.body.results())
        steps = (s for s in kernel.body.statements if not s.is_view)
        return len(kernel.passes) * (each + sum(map(_elements, steps)))
    if isinstance(kernel, Scan | Rescan):
        each = sum(
            count * _elements(s)
            for body, count in kernel.passes_of
            for s in body.statements
            if not s.is_view
        )
        return each + sum(math.prod(r.shape) for r in statement.results)
    return sum(math.prod(result.shape) for result in statement.results)

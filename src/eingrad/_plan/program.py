"""`Program`: what is computed, as data. Cost, printing and emission read the same statements.

A program is a tuple of frozen statements. Values are numbered: the inputs first, then one number
per result of a statement.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eingrad import _subscripts
from eingrad._cost import weighted
from eingrad._subscripts import Shape, Subscripts

VIEWS = frozenset({"view", "slice"})  # kernels whose result looks at an operand's memory
IN_PLACE = frozenset({"mirror in place"})  # kernels that write to their operand
PASS = 16  # cost of an element, in a pass: three or four are read and one is written
ALIASES = VIEWS | IN_PLACE | {"reshape"}  # kernels whose result may be an operand's memory


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What an input must be: its name in messages, its variable in the source, shape and dtype."""

    name: str
    variable: str
    shape: Shape
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class Piece:
    """One core placed onto a buffer.

    `actions` look at the buffer (split, merge, slice, pick an axis) until its axes carry `labels`,
    a label that stands twice being a diagonal; the core has the indices `term`, None for no core:
    then the number `coefficient` itself is written.
    """

    actions: tuple[tuple[Any, ...], ...]
    labels: Subscripts
    term: Subscripts | None
    coefficient: Any


@dataclass(frozen=True, slots=True)
class Statement:
    """One step: ``values[targets] = kernel(values[operands])``. A loop writes to operands instead.

    `terms` and `out` are the subscripts of a contraction; `details` is what the kernel needs
    besides, by name. `shape` and `dtype` are those of the (first) result.
    """

    targets: tuple[int, ...]
    kernel: str
    operands: tuple[int, ...]
    shape: Shape
    dtype: np.dtype[Any]
    flops: int = 0
    terms: tuple[Subscripts, ...] = ()
    out: Subscripts = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    workspace_bytes: int = 0

    @property
    def bytes(self) -> int:
        """Memory of the results."""
        if self.kernel in VIEWS | IN_PLACE or self.kernel == "number":
            return 0
        return len(self.targets) * math.prod(self.shape) * self.dtype.itemsize

    @property
    def written(self) -> tuple[int, ...]:
        """Operands that a loop writes its results to."""
        count = len(self.details["writes"]) if self.kernel == "loop" else 0
        return self.operands[len(self.operands) - count :]

    @property
    def traffic_bytes(self) -> int:
        """Memory written, each time: a sum accumulates its terms, a mirror copies halves."""
        if self.kernel == "loop":
            body: Program = self.details["body"]
            results = sum(math.prod(shape) * dtype.itemsize for shape, dtype in body.results())
            each = results + sum(s.traffic_bytes for s in body.statements)
            passes: range = self.details["passes"]
            return len(passes) * each
        if self.kernel in IN_PLACE:
            size = math.prod(self.shape) * self.dtype.itemsize
            return len(self.details["axes"]) * size // 2
        return self.bytes * max(1, len(self.operands) - 1 if self.kernel == "add" else 1)

    @property
    def cost(self) -> int:
        """Arithmetic, and every element written, each time."""
        return weighted(self.flops, self.traffic_bytes // 8)

    @property
    def subscripts(self) -> str:
        """Subscripts as text, where the step has any."""
        return _subscripts.text(self.terms, self.out) if self.terms else ""


@dataclass(frozen=True, slots=True)
class Program:
    """Inputs, statements, and the numbers of the values that are the result.

    `candidates` are the direction that was taken and then those it was compared with, with their
    flops, symmetric products whole. One alone was not compared. `rule` says why.
    """

    inputs: tuple[InputSpec, ...]
    statements: tuple[Statement, ...]
    outputs: tuple[int, ...]
    candidates: tuple[tuple[str, int], ...] = ()
    rule: str = ""  # that decided

    def steps(self) -> Iterator[Statement]:
        """Go through all statements, those in loops too."""
        for statement in self.statements:
            yield statement
            if statement.kernel == "loop":
                yield from statement.details["body"].steps()

    @property
    def flops(self) -> int:
        """Flops of all statements: contractions, additions, elementwise."""
        return sum(s.flops for s in self.statements)

    @property
    def written_bytes(self) -> int:
        """Memory of all results."""
        return sum(s.bytes for s in self.statements)

    @property
    def cost(self) -> int:
        """One number to compare programs by: arithmetic, and every element written, each time."""
        return sum(s.cost for s in self.statements)

    @property
    def passes(self) -> tuple[int, int]:
        """Count passes over what is as large as the largest result; add up what all else costs.

        A pass takes a few flops for each element; a contraction takes more.
        """
        largest = max((math.prod(shape) for shape, _ in self.results()), default=0)
        other = [
            s.cost
            for s in self.statements
            if math.prod(s.shape) < largest or s.cost > PASS * math.prod(s.shape)
        ]
        return len(self.statements) - len(other), sum(other)

    @property
    def peak_bytes(self) -> int:
        """Most memory live at once, results included, inputs not."""
        live = dict.fromkeys(range(len(self.inputs)), 0)
        size: dict[int, int] = {}
        peak = now = 0
        for statement, dead in zip(self.statements, self.dead_after(), strict=True):
            each = statement.bytes // max(1, len(statement.targets))
            for target in statement.targets:
                size[target] = each
                live[target] = each
                now += each
            peak = max(peak, now + statement.workspace_bytes)
            now -= sum(size.get(n, 0) for n in dead)
        return peak

    def results(self) -> list[tuple[Shape, np.dtype[Any]]]:
        """Shape and dtype of every output."""
        known = {n: (spec.shape, spec.dtype) for n, spec in enumerate(self.inputs)}
        for statement in self.statements:
            known.update(dict.fromkeys(statement.targets, (statement.shape, statement.dtype)))
        return [known[n] for n in self.outputs]

    def bases(self) -> dict[int, int]:
        """For each value, the value whose memory it is."""
        base = {n: n for n in range(len(self.inputs))}
        for statement in self.statements:
            for target in statement.targets:
                alias = statement.kernel in ALIASES
                base[target] = base[statement.operands[0]] if alias else target
        return base

    def dead_after(self) -> list[tuple[int, ...]]:
        """For each statement, the values that nothing uses after it: they can be deleted.

        A view keeps the memory it looks at alive, so a value dies with its last view.
        """
        base = self.bases()
        last: dict[int, int] = {}
        for n, statement in enumerate(self.statements):
            for value in (*statement.operands, *statement.targets):
                last[value] = n
                last[base[value]] = n
        kept = {*self.outputs, *(base[n] for n in self.outputs), *range(len(self.inputs))}
        dead: list[list[int]] = [[] for _ in self.statements]
        for value, n in sorted(last.items()):
            if value not in kept:
                dead[n].append(value)
        return [tuple(values) for values in dead]

    def _rows(self, prefix: str, shift: int, indent: str = "") -> list[tuple[str, ...]]:
        """Describe the steps that compute something; below a loop, one of its first passes.

        The flops of a loop are those of all its passes, those below it of one.
        """
        rows: list[tuple[str, ...]] = []
        for s in self.statements:
            if s.kernel in VIEWS or s.kernel == "number":
                continue
            label = s.details.get("name", s.kernel)
            subscripts, shape = s.subscripts, "x".join(map(str, s.shape)) or "scalar"
            names = [f"{prefix}{n + shift}" for n in s.targets or s.written]
            if s.kernel == "loop":
                passes: range = s.details["passes"]
                label, subscripts, shape = "loop", f"{len(passes)} passes of {passes.step}", ""
            step, flops, memory = ", ".join(names), f"{s.flops:,}", f"{s.bytes:,}"
            rows.append((indent + step, indent + label, subscripts, shape, flops, memory))
            if s.kernel == "loop" and s.details["passes"].start == 0:
                rows += s.details["body"]._rows(f"{names[0]}_", 0, f"{indent}  ")
        return rows

    def table(self) -> str:
        """Print the steps: subscripts, sizes, flops, bytes."""
        rows: list[tuple[str, ...]] = [("step", "kernel", "subscripts", "shape", "flops", "bytes")]
        rows += self._rows("t", -len(self.inputs))
        widths = [max(len(row[k]) for row in rows) for k in range(6)]
        lines = [
            "  ".join(
                cell.rjust(w) if k >= 4 else cell.ljust(w)  # noqa: PLR2004 - numbers to the right
                for k, (cell, w) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        lines.insert(1, "-" * len(lines[0]))
        inputs = ", ".join(f"{i.name} {i.shape} {i.dtype}" for i in self.inputs) or "none"
        total = f"flops {self.flops:,}; peak {self.peak_bytes:,} bytes"
        words = ["taken: ", *[""] * len(self.candidates)]
        compared = zip(words, self.candidates, strict=False)
        chosen = "".join(
            f"; {word}{name}" + (f": {flops:,} flops" if len(self.candidates) > 1 else "")
            for word, (name, flops) in compared
        )
        if chosen and any("half" in s.details for s in self.steps()):
            chosen += " (symmetric products whole)"
        why = [f"chosen: {self.rule}"] if self.rule else []
        return "\n".join([f"inputs: {inputs}", *lines, total + chosen, *why])

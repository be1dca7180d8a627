"""`Program`: what is computed, as data. Cost, printing and emission read the same statements.

A program is a tuple of frozen statements. Values are numbered: the inputs first, then the
constants, then one number per result of a statement.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eingrad import _subscripts
from eingrad._plan import kernels
from eingrad._plan.kernels import (
    Kernel,
    Loop,
    MatMul,
    Mirror,
    Number,
    Rescan,
    Reshape,
    Scan,
    Slice,
    View,
)
from eingrad._subscripts import Shape


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What an input must be: its name in messages, its variable in the source, shape and dtype."""

    name: str
    variable: str
    shape: Shape
    dtype: np.dtype[Any]


class Result(NamedTuple):
    """Shape and dtype of one result of a statement."""

    shape: Shape
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        """Memory."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Statement:
    """One step: ``values[targets] = kernel(values[operands])``.

    A loop has no targets: it writes to operands. `results` says what each target is. A result is
    written `into` the memory of a value that nothing else uses from then on; None: into new memory.
    """

    kernel: Kernel
    operands: tuple[int, ...]
    targets: tuple[int, ...]
    results: tuple[Result, ...]
    flops: int = 0
    workspace_bytes: int = 0
    into: int | None = None

    @property
    def shape(self) -> Shape:
        """Shape of the first result."""
        return self.results[0].shape if self.results else ()

    @property
    def is_view(self) -> bool:
        """Whether the result looks at the memory of the first operand."""
        return isinstance(self.kernel, View | Slice)

    @property
    def is_alias(self) -> bool:
        """Whether the result may be the memory of the first operand."""
        return self.is_view or isinstance(self.kernel, Reshape) or self.is_in_place

    @property
    def is_in_place(self) -> bool:
        """Whether it writes to the first operand, which is the result."""
        return isinstance(self.kernel, Mirror) and self.kernel.in_place

    @property
    def bytes(self) -> int:
        """New memory, of the results."""
        is_old = self.is_view or self.is_in_place or self.into is not None
        return 0 if is_old or isinstance(self.kernel, Number) else self.result_bytes

    @property
    def result_bytes(self) -> int:
        """Memory of the results, new or not."""
        return sum(result.bytes for result in self.results)

    @property
    def bodies(self) -> "tuple[Program, ...]":
        """Programs that it runs again and again."""
        match self.kernel:
            case Loop(body=body):
                return (body,)
            case Scan() | Rescan() as scan:
                return tuple(body for body, _ in scan.passes_of)
        return ()

    @property
    def written(self) -> tuple[int, ...]:
        """Operands that a loop writes its results to."""
        if not isinstance(self.kernel, Loop):
            return ()
        return self.operands[len(self.operands) - len(self.kernel.writes) :]

    @property
    def traffic_bytes(self) -> int:
        """Memory written, each time: a sum accumulates its terms, a mirror copies halves."""
        match self.kernel:
            case Loop(body=body, passes=passes):
                each = sum(result.bytes for result in body.results())
                return len(passes) * (each + sum(s.traffic_bytes for s in body.statements))
            case Scan(carries=carries) as scan:
                stacked = sum(result.bytes for result in self.results[carries:])
                return stacked + _traffic(scan)
            case Rescan(back=back, there=there) as scan:
                stored = sum(r.bytes for r in scan.storing.results()[there.carries :])
                stacked = sum(result.bytes for result in self.results[back.carries :])
                return stacked + stored * scan.segments.last.start + _traffic(scan)
            case Mirror(in_place=True, groups=groups):
                return sum(count - done for _, count, done in groups) * self.results[0].bytes // 2
            case kernels.Add():
                return self.result_bytes * max(1, len(self.operands) - 1)
        return self.bytes if self.into is None else self.result_bytes

    @property
    def subscripts(self) -> str:
        """Subscripts as text, where the step has any."""
        kernel = self.kernel
        return (
            _subscripts.text(kernel.terms, kernel.out)
            if isinstance(kernel, kernels.Contraction)
            else ""
        )


def _traffic(scan: Scan | Rescan) -> int:
    """Memory that the passes of a scan write."""
    return sum(n * s.traffic_bytes for body, n in scan.passes_of for s in body.statements)


@dataclass(frozen=True, slots=True)
class Program:
    """Inputs, constants, statements, and the numbers of the values that are the result.

    Constants are read-only arrays: tables of positions, masks, arrays of the expression.
    `candidates` are the direction that was taken and then those it was compared with, with their
    flops, symmetric products whole. One alone was not compared. `rule` says why.
    """

    inputs: tuple[InputSpec, ...]
    constants: tuple[NDArray[Any], ...]
    statements: tuple[Statement, ...]
    outputs: tuple[int, ...]
    candidates: tuple[tuple[str, int], ...] = ()
    rule: str = ""  # that decided

    @property
    def first(self) -> int:
        """The number of the first result of a statement."""
        return len(self.inputs) + len(self.constants)

    def steps(self) -> Iterator[Statement]:
        """Go through all statements, those in loops too."""
        for statement in self.statements:
            yield statement
            for body in statement.bodies:
                yield from body.steps()

    @property
    def flops(self) -> int:
        """Flops of all statements: contractions, additions, elementwise."""
        return sum(s.flops for s in self.statements)

    @property
    def written_bytes(self) -> int:
        """Memory of all results."""
        return sum(s.bytes for s in self.statements)

    @property
    def peak_bytes(self) -> int:
        """Most memory live at once, results included, inputs not."""
        return max(self.live_bytes(), default=0)

    def live_bytes(self) -> list[int]:
        """Memory that is live during each statement, results included, inputs not."""
        size: dict[int, int] = {}
        base = self.bases()
        found, now = [], 0
        for statement, dead in zip(self.statements, self.dead_after(), strict=True):
            now += statement.bytes
            if statement.into is not None:
                size[statement.targets[0]] = size.pop(base[statement.into])
            elif statement.bytes:
                pairs = zip(statement.targets, statement.results, strict=True)
                size.update((target, result.bytes) for target, result in pairs)
            found.append(now + statement.workspace_bytes)
            now -= sum(size.get(n, 0) for n in dead)
        return found

    def values(self) -> list[Result]:
        """Shape and dtype of every value, by its number."""
        known = [Result(spec.shape, spec.dtype) for spec in self.inputs]
        known += [Result(array.shape, array.dtype) for array in self.constants]
        for statement in self.statements:
            known += statement.results
        return known

    def results(self) -> list[Result]:
        """Shape and dtype of every output."""
        known = self.values()
        return [known[n] for n in self.outputs]

    def bases(self) -> dict[int, int]:
        """For each value, the value whose memory it is."""
        base = {n: n for n in range(self.first)}
        for statement in self.statements:
            for target in statement.targets:
                base[target] = base[statement.operands[0]] if statement.is_alias else target
        return base

    def dead_after(self) -> list[tuple[int, ...]]:
        """For each statement, the values that nothing uses after it: they can be deleted.

        A view keeps the memory it looks at alive, so a value dies with its last view.
        """
        base = self.bases()
        last: dict[int, int] = {}
        for n, statement in enumerate(self.statements):
            into = () if statement.into is None else (statement.into,)
            for value in (*statement.operands, *statement.targets, *into):
                last[value] = n
                last[base[value]] = n
        kept = {*self.outputs, *(base[n] for n in self.outputs), *range(self.first)}
        dead: list[list[int]] = [[] for _ in self.statements]
        for value, n in sorted(last.items()):
            if value not in kept:
                dead[n].append(value)
        return [tuple(values) for values in dead]

    def _rows(self, prefix: str, shift: int, indent: str = "") -> list[tuple[str, ...]]:
        """Describe the steps that compute something; below a loop or scan, one of its first passes.

        The flops of it are those of all its passes, those below it of one.
        """
        rows: list[tuple[str, ...]] = []
        for s in self.statements:
            kernel = s.kernel
            if s.is_view or isinstance(kernel, Number):
                continue
            subscripts, shape = s.subscripts, "x".join(map(str, s.shape)) or "scalar"
            names = [f"{prefix}{n + shift}" for n in s.targets or s.written]
            if isinstance(kernel, Loop):
                subscripts, shape = f"{len(kernel.passes)} passes of {kernel.passes.step}", ""
            if isinstance(kernel, Scan | Rescan):
                subscripts, shape = kernel.shown, ""
            step, flops, memory = ", ".join(names), f"{s.flops:,}", f"{s.bytes:,}"
            rows.append((indent + step, indent + kernel.label, subscripts, shape, flops, memory))
            if isinstance(kernel, Scan) or (isinstance(kernel, Loop) and kernel.passes.start == 0):
                rows += kernel.body._rows(f"{names[0]}_", 0, f"{indent}  ")
            if isinstance(kernel, Rescan):
                rows += kernel.back.body._rows(f"{names[0]}_", 0, f"{indent}  ")
        return rows

    def table(self) -> str:
        """Print the steps: subscripts, sizes, flops, bytes."""
        rows: list[tuple[str, ...]] = [("step", "kernel", "subscripts", "shape", "flops", "bytes")]
        rows += self._rows("t", -self.first)
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
        if chosen and any(isinstance(s.kernel, MatMul) and s.kernel.half for s in self.steps()):
            chosen += " (symmetric products whole)"
        why = [f"chosen: {self.rule}"] if self.rule else []
        return "\n".join([f"inputs: {inputs}", *lines, total + chosen, *why])

"""Emit a `Program` as NumPy source that runs without eingrad: straight-line, but for loops.

In: a program. Out: the text of a module with one function, and one more for the body of each loop.
Guaranteed: deterministic; only names of our own (`t0`, `t1`, `k0`, in loops `t1_0`, and `RESERVED`)
and checked input names become identifiers; the user's other words stay out of the text.

A constant of a few entries is written into the module. Others are parameters of the function, the
last ones: their arrays are in the program. `literals` writes numbers and looks at arrays,
`statements` a statement, `filled` one that fills an array, `into` one that fills a result that the
caller gives, `placements` the scattering of one.
"""

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from numpy.typing import NDArray

from eingrad._emit.filled import reusing
from eingrad._emit.into import buffers, memories, write_into
from eingrad._emit.literals import Lines, array_text, number
from eingrad._emit.scans import BINOMIAL, Define, write_rescan, write_scan
from eingrad._emit.statements import write
from eingrad._exact import is_exact
from eingrad._limits import POLICY
from eingrad._plan import Program, Statement
from eingrad._plan.kernels import Loop, Number, Rescan, Scan, Triangle
from eingrad._primitives import Primitive

OWN = re.compile(r"[tk]\d[\d_]*(_\w*)?")  # names of steps, constants and loops
RESERVED = frozenset({"np", "row", "block", "binomial"})  # what the source itself calls something
_LARGEST_KEPT = 2**16  # bytes of a triangle that outlives a call

Line = tuple[str, Statement | None]  # with the statement that begins on it


def emit(program: Program, name: str = "derivative") -> str:
    """Write the module: imports, constants, loop bodies, the function.

    Refuses whatever does not write itself as the builtin types do: it would be run as code.
    """
    for statement in program.steps():
        _check(statement)
    return "".join(f"{line}\n" for line, _ in _module(program, name))


def emit_into(program: Program, name: str = "derivative_into", *, in_order: bool = True) -> str:
    """Write the module with a function that takes an array for each output, last, and fills it.

    It is filled by the step that computes it, unless one that may raise an error of linear algebra
    comes later: then it is copied at the end. With `in_order` the arrays lie in memory in the order
    of their axes.
    """
    variables = {spec.variable for spec in program.inputs}
    prefix = "out"
    while any(variable.startswith(prefix) for variable in variables):
        prefix += "_"
    outputs = [f"{prefix}{n}" for n in range(len(program.outputs))]
    return "".join(f"{line}\n" for line, _ in _module(program, name, outputs, in_order=in_order))


def parameters(program: Program) -> list[tuple[str, NDArray[Any]]]:
    """Name the constants that the function takes, after the inputs, with their values."""
    return [(f"k{n}", a) for n, a in enumerate(program.constants) if not _is_written(a)]


def steps(program: Program) -> list[tuple[int, Statement]]:
    """Find the line of the source, counted from 1, that each statement begins on."""
    return [(n, s) for n, (_, s) in enumerate(_module(program, "derivative"), 1) if s is not None]


def line_of(program: Program, number: int) -> str:
    """Return a line of the source, without what is said beside it."""
    return _module(program, "derivative")[number - 1][0].partition("  #")[0].strip()


def _is_written(array: NDArray[Any]) -> bool:
    return array.size <= POLICY.written_out


class _Module(NamedTuple):
    """What stands before the function: constants, then bodies of loops."""

    constants: Lines
    functions: list[Line]
    defined: dict[int, str]  # functions of programs, by their identity

    def define(self, name: str, variables: Sequence[str], body: Sequence[Line], end: str) -> None:
        """Write a function for the body of a loop."""
        head = f"def {name}({', '.join(variables)}):"
        lines = [("", None), (head, None), *((f"    {line}", s) for line, s in body)]
        self.functions.extend([*lines, (f"    return {end}", None), ("", None)])


def _module(
    program: Program, name: str, outputs: Sequence[str] = (), *, in_order: bool = True
) -> list[Line]:
    """Write lines, each with the statement that begins on it; fill `outputs`, where there are."""
    module = _Module([], [], {})
    variables = [spec.variable for spec in program.inputs]
    given = [*(variable for variable, _ in parameters(program)), *outputs]
    filled = buffers(program, outputs, in_order=in_order) if outputs else {}
    writers = {
        value: functools.partial(write_into, in_order=in_order and ".transpose" not in look)
        for value, look in filled.items()
    }
    body, names = _body(program, variables, "t", module, writers)
    lines = ["import numpy as np", ""]
    if any(isinstance(s.kernel, Rescan) for s in program.steps()):
        lines += ["", *BINOMIAL, ""]
    if module.constants:
        lines += [*module.constants, ""]
    text: list[Line] = [*((line, None) for line in lines), *module.functions]
    lines = ["", f"def {name}({', '.join(variables + given)}):"]
    for spec in program.inputs:
        lines.append(f"    # {spec.variable}: shape {spec.shape}, {spec.dtype}")
    for variable, array in parameters(program):
        lines.append(f"    # {variable}: shape {array.shape}, {array.dtype}; a constant")
    lines += [f"    {names[value]} = {look}" for value, look in filled.items()]
    text += [(line, None) for line in lines]
    text += [(f"    {line}", statement) for line, statement in body]
    return [*text, *((f"    {line}", None) for line in _end(program, names, outputs, filled))]


def _end(
    program: Program, names: Sequence[str], outputs: Sequence[str], filled: Mapping[int, str]
) -> Lines:
    """Return the results; or copy those that were not written to the arrays for them."""
    if not outputs:
        return [f"return {', '.join(names[n] for n in program.outputs) or '()'}"]
    base = memories(program)
    pairs = zip(program.outputs, outputs, strict=True)
    return [f"{name}[...] = {names[n]}" for n, name in pairs if base[n] not in filled] or ["return"]


def _body(
    program: Program,
    variables: Sequence[str],
    prefix: str,
    module: _Module,
    writers: Mapping[int, Callable[[Statement, Sequence[str]], Lines]] = MappingProxyType({}),
) -> tuple[list[Line], list[str]]:
    """Write the steps of a program on given variables; the names of others are numbered.

    What is needed once goes to the module. Values that have `writers` are written by them. Returns
    also the names of all values.
    """
    own = "k" if prefix == "t" else f"{prefix}k"
    names = [*variables, *(f"{own}{n}" for n in range(len(program.constants)))]
    for variable, array in zip(names[len(variables) :], program.constants, strict=True):
        if prefix != "t" or _is_written(array):
            module.constants.append(f"{variable} = {array_text(array)}")
    body: list[Line] = []
    values, base = program.values(), program.bases()
    also: dict[int, list[str]] = {}  # other names of a value's memory, which are deleted with it
    lasting = set(range(len(names)))  # values that are no local variable of the function
    for statement, dead in zip(program.statements, program.dead_after(), strict=True):
        names += [f"{prefix}{n - program.first}" for n in statement.targets]
        if _is_lasting(statement):
            lasting.update(statement.targets)
        writer = writers.get(statement.targets[0]) if statement.targets else None
        passed_on = None
        if writer is None and statement.into is not None:
            writer = functools.partial(reusing, memory=values[statement.into])
            passed_on = base[statement.into]
        if writer is not None:
            first, *more = writer(statement, names)
            body += [(first, statement), *((line, None) for line in more)]
        else:
            body += _step(statement, names, module)
        temporary = []
        for n in dead:
            if n not in lasting:
                found = [*also.pop(n, ()), names[n]]
                if base[n] == passed_on:
                    also.setdefault(statement.targets[0], []).extend(found)
                else:
                    temporary += found
        if temporary:
            body.append((f"del {', '.join(temporary)}", None))
    return body, names


def _step(statement: Statement, names: list[str], module: _Module) -> list[Line]:
    """Write one statement, here or in the module."""
    match statement.kernel:
        case Number(value=value):
            names[statement.targets[0]] = number(value)
            return []
        case Triangle() if _is_lasting(statement):
            module.constants.extend(write(statement, names))
            return []
        case Loop() as loop:
            first, *more = _loop(statement, loop, names, module)
        case Scan() as scan:
            first, *more = write_scan(statement, scan, names, _defining(module))
        case Rescan() as rescan:
            first, *more = write_rescan(statement, rescan, names, _defining(module))
        case _:
            first, *more = write(statement, names)
    return [(first, statement), *((line, None) for line in more)]


def _is_lasting(statement: Statement) -> bool:
    """Whether a statement needs to run only once, and what it makes is small enough to be kept."""
    kernel = statement.kernel
    return isinstance(kernel, Number) or (
        isinstance(kernel, Triangle) and statement.bytes <= _LARGEST_KEPT
    )


# Loops -------------------------------------------------------------------------------------------


def _loop(statement: Statement, loop: Loop, names: Sequence[str], module: _Module) -> Lines:
    """Call a function of the module for each tile; it is called after the first result."""
    buffers = [names[n] for n in statement.written]
    prefix, rows = f"{buffers[0]}_", f"row : row + {loop.passes.step}"
    name = f"{prefix}pass" if loop.passes.start == 0 else f"{prefix}rest"
    variables, given = [], []
    for k, (n, axis) in enumerate(zip(statement.operands, loop.axes, strict=False)):
        variables.append(names[n] if axis is None else f"{prefix}x{k}")
        given.append(names[n] if axis is None else f"{names[n]}[{':, ' * axis}{rows}]")
    inner, local = _body(loop.body, variables, prefix, module)
    returned = ", ".join(local[n] for n in loop.body.outputs)
    module.define(name, variables, inner, returned)
    call = f"{name}({', '.join(given)})"
    places = [
        (f"{buffer}[...] +=" if axis is None else f"{buffer}[{':, ' * axis}{rows}] =")
        for buffer, axis in zip(buffers, loop.writes, strict=True)
    ]
    head = f"for row in range({loop.passes.start}, {loop.passes.stop}, {loop.passes.step}):"
    lines = [f"{head}  # {statement.flops:,} flops"]
    if len(places) == 1:
        lines.append(f"    {places[0]} {call}")
    else:
        parts = [f"{buffer}_part" for buffer in buffers]
        lines.append(f"    {', '.join(parts)} = {call}")
        lines += [f"    {place} {part}" for place, part in zip(places, parts, strict=True)]
        lines.append(f"    del {', '.join(parts)}")  # or they live on
    return lines


def _defining(module: _Module) -> Define:
    """Write functions of the module for the bodies of scans, each once."""

    def define(program: Program, name: str, variables: Sequence[str]) -> str:
        known = module.defined.get(id(program))
        if known is not None:
            return known
        own = name.removesuffix("step")
        own += "_" if own == name else ""
        body, local = _body(program, variables, own, module)
        module.define(name, variables, body, ", ".join(local[n] for n in program.outputs))
        module.defined[id(program)] = name
        return name

    return define


# Checks ------------------------------------------------------------------------------------------


def _check(statement: Statement) -> None:
    kernel = statement.kernel
    written = (
        _fields(kernel),
        statement.operands,
        statement.targets,
        *map(tuple, statement.results),
    )
    if not is_exact(written):
        raise TypeError(f"a step ({kernel.label}) holds what is of no builtin type: {written}")


def _fields(value: Any) -> Any:
    """Open kernels and what they are made of; a row is its name, a body is checked by itself."""
    if isinstance(value, Primitive):
        return value.name
    if isinstance(value, Program):
        return ()
    if dataclasses.is_dataclass(value):
        return tuple(_fields(getattr(value, f.name)) for f in dataclasses.fields(value))
    return tuple(map(_fields, value)) if type(value) is tuple else value

"""Executors on NumPy's arrays: eingrad's own programs, and a call of NumPy for each step."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._ir import Input, Node
from eingrad._plan import InputSpec, Program, compose
from eingrad._run import Executable
from eingrad.paths.executors.base import Call, Form, Prepared, add, check_letters, line_up
from eingrad.paths.problem import Array
from eingrad.paths.schedule import Schedule, Step, Total


@contextlib.contextmanager
def unlimited(threads: int | None) -> Iterator[str]:  # noqa: ARG001 - the signature of all
    """Leave to BLAS how many threads a library uses that has none of its own."""
    yield ""


# eingrad -----------------------------------------------------------------------------------------


def program_of(schedule: Schedule) -> Program:
    """Lower a schedule to eingrad's kernels; where eingrad gave the order, lower what it planned.

    The inputs are the operands of the problem that are no structure to it, in order; where it did
    not, all operands, of one data type, as sums of nodes are.
    """
    operands = schedule.problem.operands
    if schedule.own is None:
        dtype = np.result_type(*[operand.dtype for operand in operands.values()])
        nodes = [_ir.new_input(name, o.shape, dtype) for name, o in operands.items()]
        values = schedule.nodes(nodes)
        return _composed([values[value] for value in schedule.outputs], [*operands], nodes)
    roots, planned = schedule.own
    names = [*itertools.compress(operands, map(_varies, planned))]
    varying = [*filter(_varies, planned)]
    given = [
        node if isinstance(node, Input) else _ir.new_input(name, node.shape, node.dtype)
        for name, node in zip(names, varying, strict=True)
    ]
    replaced = {a: b for a, b in zip(varying, given, strict=True) if a is not b}
    return _composed(_ir.substitute(roots, replaced) if replaced else roots, names, given)


def _composed(roots: Sequence[Node], names: Sequence[str], nodes: Sequence[Input]) -> Program:
    specs = [
        InputSpec(name, f"x{n}", node.shape, node.dtype)
        for n, (name, node) in enumerate(zip(names, nodes, strict=True))
    ]
    return compose(roots, [*zip(nodes, specs, strict=True)])


def _varies(node: Node) -> bool:
    """Whether an operand is data: a delta, or ones, are known to the algebra."""
    return any(isinstance(below, Input) for below in _ir.topological([node]))


def prepare_own(schedule: Schedule, arrays: Sequence[Array]) -> Prepared:
    """Compile a schedule to source, as eingrad compiles a derivative."""
    program = program_of(schedule)
    executable = Executable(program)
    if schedule.own is not None:
        arrays = [*itertools.compress(arrays, map(_varies, schedule.own[1]))]
    pairs = zip(arrays, program.inputs, strict=True)
    given = [array.astype(spec.dtype, copy=False) for array, spec in pairs]
    return Prepared(lambda: executable.run(given), list)


# NumPy -------------------------------------------------------------------------------------------


def prepare_numpy(schedule: Schedule, arrays: Sequence[Array]) -> Prepared:
    """Call `np.einsum` for each step, which calls BLAS where it can."""
    given = [*arrays, *schedule.constants]
    return Prepared(line_up(schedule, given, _einsum, add_arrays, np.array), as_arrays)


def _einsum(step: Step) -> Call:
    check_letters(step, "np.einsum")
    form = Form.of(step)
    subscripts, is_pair = form.letters, len(step.operands) > 1

    def call(*operands: Any) -> Any:
        return np.einsum(subscripts, *operands, optimize=is_pair)

    return spreading(form, call)


def spreading(form: Form, contract: Call) -> Call:
    """Follow a contraction on NumPy's arrays by what is left of the step."""
    if form.is_whole:
        return contract
    if not form.has_delta:
        return lambda *x: np.broadcast_to(np.reshape(contract(*x), form.lifted), form.shape)

    def call(*operands: Any) -> Any:
        core = np.reshape(contract(*operands), form.lifted)
        result = np.zeros(form.shape, core.dtype)
        np.einsum(result, [*form.out], [*form.once])[...] = core
        return result

    return call


def add_arrays(total: Total) -> Call:
    """Add arrays of NumPy."""
    return add(total.parts, np.transpose)


def as_arrays(values: Any) -> list[Array]:
    """Make arrays of scalars too."""
    return [np.asarray(value) for value in values]

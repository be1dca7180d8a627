"""`Executable`: a program that can be run.

In: a program. Out: an object that computes its outputs.
Guaranteed: it holds nothing of a call, so that threads may share it; it pickles as the program.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad._emit import emit, emit_into, parameters
from eingrad._plan import Program
from eingrad._run.dense import load
from eingrad._run.explain import check_axes, explained, too_large
from eingrad._run.structured import Layout
from eingrad.errors import MemoryLimitError, PlanError

Array = NDArray[Any]


class Executable:
    """A program, its source text, and the function that the text defines.

    With layouts, the outputs are the cores of structured tensors. Holds nothing of a call, so
    threads may share it. Pickles as the program, and emits again.
    """

    __slots__ = ("_filling", "constants", "function", "layouts", "program", "source", "too_large")

    def __init__(self, program: Program, layouts: tuple[Layout, ...] | None = None) -> None:
        self.too_large = too_large(program)  # to be looked at, but not to be run
        if not self.too_large:
            check_axes(program)
        self.program = program
        self.layouts = layouts
        self.source = emit(program)
        self.function = load(self.source)
        self.constants = [array for _, array in parameters(program)]  # that the function takes
        self._filling: dict[bool, Callable[..., None]] = {}  # emitted when it is asked for

    @property
    def nbytes(self) -> int:
        """Memory of source and constants, about what keeping it costs."""
        constants = sum(array.nbytes for array in self.program.constants)
        return len(self.source) + constants

    def __reduce__(self) -> tuple[Any, tuple[Program, tuple[Layout, ...] | None, str]]:
        return _unpickle, (self.program, self.layouts, _fingerprint(self.source))

    def run(self, arrays: Sequence[Array]) -> list[Any]:
        """Compute all outputs; inputs are not written, outputs share no memory with them.

        What has no axes is passed as a scalar, whatever it came as: NumPy computes with scalars and
        with arrays in two ways, whose last bits differ.
        """
        if self.too_large:
            raise MemoryLimitError(self.too_large)
        try:
            given = [array if array.ndim else array[()] for array in arrays]
            result = self.function(*given, *self.constants)
        except (np.linalg.LinAlgError, MemoryError) as error:
            raise explained(error, self.program) from None
        outputs = (result,) if len(self.program.outputs) == 1 else result
        values = [np.asarray(value) for value in outputs]
        if self.layouts is None:
            return values
        return [layout.fill(values) for layout in self.layouts]

    def filling(self, *, in_order: bool) -> Callable[..., None]:
        """Give the function that takes inputs, constants, and an array for each output.

        With `in_order` those lie in memory in the order of their axes.
        """
        if in_order not in self._filling:
            source = emit_into(self.program, in_order=in_order)
            self._filling[in_order] = load(source, "derivative_into")
        return self._filling[in_order]

    def fill(self, arrays: Sequence[Array], buffers: Sequence[Array]) -> None:
        """Write all outputs to arrays of their shapes and dtypes, by the steps that compute them.

        Where an array shares memory with an input, results are computed first, and copied.
        """
        reads = [*arrays, *self.constants]
        is_apart = not any(np.may_share_memory(b, a) for b in buffers for a in reads)
        if self.too_large or not is_apart:
            for buffer, result in zip(buffers, self.run(arrays), strict=True):
                np.copyto(buffer, result)
            return
        in_order = all(buffer.flags.c_contiguous for buffer in buffers)
        given = [array if array.ndim else array[()] for array in arrays]
        try:
            self.filling(in_order=in_order)(*given, *self.constants, *buffers)
        except (np.linalg.LinAlgError, MemoryError) as error:
            raise explained(error, self.program) from None


def _fingerprint(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


def _unpickle(program: Program, layouts: tuple[Layout, ...] | None, fingerprint: str) -> Executable:
    """Emit again; refuse a program to which this version of eingrad gives another meaning."""
    executable = Executable(program, layouts)
    if _fingerprint(executable.source) != fingerprint:
        raise PlanError(
            "the plan was pickled by another version of eingrad, which emitted other source for "
            "it; make the plan again with this version"
        )
    return executable

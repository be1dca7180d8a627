"""Executors of torch and JAX, both optional: imported when they are asked for.

Operands are handed to the library before, and results taken from it after what is timed.
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from eingrad.paths.executors.base import Call, Form, Prepared, add, check_letters, line_up
from eingrad.paths.problem import Array
from eingrad.paths.schedule import Schedule, Step, Total


def _common(schedule: Schedule, arrays: Sequence[Array]) -> list[Array]:
    """Give operands one data type: these libraries do not mix them as NumPy does."""
    dtype = np.result_type(*[array.dtype for array in arrays])
    return [np.array(array, dtype) for array in (*arrays, *schedule.constants)]


# torch -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def limit_torch(threads: int | None) -> Iterator[str]:
    """Set the threads of torch, and set them back."""
    torch: Any = importlib.import_module("torch")
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield _counted(torch.get_num_threads())
    finally:
        torch.set_num_threads(before)


def prepare_torch(schedule: Schedule, arrays: Sequence[Array]) -> Prepared:
    """Call `torch.einsum` for each step, on the processor."""
    torch: Any = importlib.import_module("torch")

    def einsum(step: Step) -> Call:
        check_letters(step, "torch.einsum")
        form = Form.of(step)
        subscripts = form.letters

        def call(*operands: Any) -> Any:
            core = torch.einsum(subscripts, *operands)
            return core if form.is_whole else _spread_torch(torch, form, core)

        return call

    def total(operation: Total) -> Call:
        return add(operation.parts, lambda x, axes: x.permute(*axes))

    given = [torch.from_numpy(array) for array in _common(schedule, arrays)]
    run = line_up(schedule, given, einsum, total, lambda x: x.clone())
    return Prepared(run, lambda values: [value.numpy() for value in values])


def _spread_torch(torch: Any, form: Form, core: Any) -> Any:
    lifted = core.reshape(form.lifted)
    if not form.has_delta:
        return lifted.expand(form.shape)
    result = torch.zeros(form.shape, dtype=core.dtype)
    strides = dict.fromkeys(form.once, 0)
    for index, stride in zip(form.out, result.stride(), strict=True):
        strides[index] += stride
    shape = [form.sizes[index] for index in form.once]
    result.as_strided(shape, [*strides.values()]).copy_(lifted.expand(shape))
    return result


# JAX ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def limit_jax(threads: int | None) -> Iterator[str]:
    """Start JAX with so many threads; it has them for good, so one that runs stays as it is."""
    if "jax" in sys.modules or threads is None:
        yield "its own threads; NPROC=N in the environment sets them, before it starts"
        return
    before = os.environ.get("NPROC")
    os.environ["NPROC"] = str(threads)
    try:
        importlib.import_module("jax").devices()
    finally:
        os.environ.pop("NPROC")
        os.environ |= {} if before is None else {"NPROC": before}
    yield _counted(threads)


def prepare_jax(schedule: Schedule, arrays: Sequence[Array]) -> Prepared:
    """Compile all steps together, each a `jnp.einsum`; the user's settings of JAX stay."""
    jax: Any = importlib.import_module("jax")

    def einsum(step: Step) -> Call:
        check_letters(step, "jnp.einsum")
        form = Form.of(step)

        def call(*operands: Any) -> Any:
            core = jax.numpy.einsum(form.letters, *operands, precision="highest")
            return core if form.is_whole else _spread_jax(jax.numpy, form, core)

        return call

    def total(operation: Total) -> Call:
        return add(operation.parts, lambda x, axes: x.transpose(axes))

    def computed(*values: Any) -> list[Any]:
        return line_up(schedule, values, einsum, total, lambda x: x)()

    with _double(jax):
        given = [jax.numpy.asarray(array) for array in _common(schedule, arrays)]
        compiled = jax.jit(computed).lower(*given).compile()
    return Prepared(
        lambda: jax.block_until_ready(compiled(*given)),
        lambda values: [np.asarray(value) for value in values],
    )


def _double(jax: Any) -> Any:
    """Give the context of double precision, wherever this version of JAX has it."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    return importlib.import_module("jax.experimental").enable_x64()


def _spread_jax(jnp: Any, form: Form, core: Any) -> Any:
    axes = [[k for k, i in enumerate(form.out) if i == index] for index in form.once]
    shape = [1] * len(form.out)
    for index, places in zip(form.once, axes, strict=True):
        shape[places[0]] = form.sizes[index] if index in form.core else 1
    result = jnp.broadcast_to(core.reshape(shape), form.shape)
    for places in axes:
        for place in places[1:]:
            across = jnp.arange(form.shape[place])
            rows = across.reshape([-1 if k == places[0] else 1 for k in range(len(shape))])
            columns = across.reshape([-1 if k == place else 1 for k in range(len(shape))])
            result = jnp.where(rows == columns, result, 0)
    return result


def _counted(threads: int) -> str:
    return f"{threads} thread{'s' * (threads != 1)}"

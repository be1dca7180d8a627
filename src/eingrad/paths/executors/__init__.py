"""Executors: libraries that compute schedules, all along the same path.

In: a schedule, and arrays for its operands. Out: a call that computes the outputs.
Guaranteed: what is compiled is compiled before; a library that is not installed is no error until
it is asked to compute.

>>> [executor.name for executor in EXECUTORS.values() if executor.available()][:3]
['eingrad', 'numpy', 'opt_einsum']
"""

from collections.abc import Sequence

from eingrad._shown import shown
from eingrad.paths.executors.base import Executor, Prepared
from eingrad.paths.executors.contractors import prepare_cotengra, prepare_opt_einsum
from eingrad.paths.executors.host import prepare_numpy, prepare_own, program_of, unlimited
from eingrad.paths.executors.tensors import limit_jax, limit_torch, prepare_jax, prepare_torch

__all__ = ["EXECUTORS", "Executor", "Prepared", "find_executors", "program_of"]

EXECUTORS = {
    executor.name: executor
    for executor in (
        Executor("eingrad", "eingrad", prepare_own, unlimited),
        Executor("numpy", "numpy", prepare_numpy, unlimited),
        Executor("opt_einsum", "opt_einsum", prepare_opt_einsum, unlimited),
        Executor("cotengra", "cotengra", prepare_cotengra, unlimited),
        Executor("torch", "torch", prepare_torch, limit_torch, on_numpy=False),
        Executor("jax", "jax", prepare_jax, limit_jax, on_numpy=False),
    )
}
"""By name, in the order in which tables show them."""


def find_executors(executors: Sequence[str | Executor] | None = None) -> list[Executor]:
    """Give executors by name, each once; by default all that are installed.

    Parameters
    ----------
    executors : sequence of str or Executor, optional
        Names of `EXECUTORS`, or executors of one's own.

    Returns
    -------
    list of Executor
        Those that are not installed too, where they are named.

    Raises
    ------
    ValueError
        If there is none of a name.
    """
    if executors is None:
        return [executor for executor in EXECUTORS.values() if executor.available()]
    found: dict[str, Executor] = {}
    for wanted in executors:
        if isinstance(wanted, Executor):
            found[wanted.name] = wanted
        elif wanted in EXECUTORS:
            found[wanted] = EXECUTORS[wanted]
        else:
            raise ValueError(
                f"there is no executor {shown(wanted)}; there are {', '.join(EXECUTORS)}"
            )
    return [*found.values()]

"""`compare`: the public way to compare contraction orders.

In: a problem, or subscripts; names of orders, or functions that find them. Out: a `Comparison`.
Guaranteed: what the user gave is checked before anything is planned.
"""

import inspect
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eingrad._shown import cut, shown, type_name
from eingrad.errors import DTypeError, ShapeError
from eingrad.paths.arrays import of_arrays
from eingrad.paths.comparison import Comparison
from eingrad.paths.executors import Executor, find_executors
from eingrad.paths.measure import Find, Settings, Tell, measure_orders
from eingrad.paths.modes import mode_of
from eingrad.paths.orders import Order, default_orders, find_order, given_order
from eingrad.paths.problem import Array, Problem, of_einsum
from eingrad.paths.units import bytes_of

_ENOUGH_THREADS = 8  # on any machine; a library makes as many as it is told to


def compare(  # noqa: PLR0913 - options of one verb, by name
    problem: Problem | str,
    *arrays: Any,
    sizes: Mapping[str, int] | None = None,
    orders: Sequence[Any] | Mapping[str, Find] | None = None,
    executors: Sequence[str | Executor] | None = None,
    seed: int = 0,
    seconds: float = 10.0,
    memory: int | str | None = None,
    threads: int | None = 1,
    progress: Tell | None = None,
) -> Comparison:
    """Compare contraction orders: what each costs, and what it takes on each executor.

    Every order is searched, and counted by one counter. Then each runs on each executor, along the
    same path: once to compare values and memory, then in interleaved rounds for the time.

    Parameters
    ----------
    problem : Problem or str
        What is computed; or subscripts, as for `np.einsum`.
    *arrays : array_like
        The operands, in order; by default they are drawn at random.
    sizes : mapping from letter to int, optional
        The size of each index of subscripts, where no arrays are given.
    orders : sequence of str, functions and pairs, or mapping from str to function, optional
        Names of orders; functions; or pairs of a name and a function. By default eingrad's, the
        pure modes, and two searches of opt_einsum. A function that takes a problem
        gives a `Schedule`; one with the signature of opt_einsum's, such as an optimizer of it or of
        cotengra, is asked about each term: ``(inputs, output, sizes)`` and a memory limit, if any.
    executors : sequence of str or Executor, optional
        By default all that are installed.
    seed : int
        Of the random operands.
    seconds : float
        For the timing in all. The first runs, which check values, come before it, and may take as
        long again, or ten seconds. A run that is predicted to take longer is left out. With 0
        nothing is run.
    memory : int or str, optional
        Bytes that a run may take, operands included, as a number or as in ``"2GB"``; by default
        what is free. A run that is predicted to need more is left out.
    threads : int, optional
        Threads of BLAS and of executors that have their own; None leaves them as they are. What
        could be set is in the result.
    progress : callable, optional
        Told in a line what is done next.

    Returns
    -------
    Comparison
        Printed as a table. Where the user interrupts, it has what is finished.

    Raises
    ------
    SubscriptsError, ShapeError
        If subscripts are none, or do not fit the arrays or sizes.
    ValueError
        If there is no order or executor of a name, or an option is out of range.
    TypeError
        If the problem, or an order, is something else.

    Notes
    -----
    What fails, does not fit, or is missing is in the result, with the reason.

    Examples
    --------
    >>> found = compare(
    ...     "ij,jk,kl->il",
    ...     sizes={"i": 2, "j": 3, "k": 4, "l": 5},
    ...     orders=["left to right"],
    ...     executors=["numpy"],
    ...     seconds=1.0,
    ... )
    >>> found.orders[0].flops, found.run("left to right", "numpy").status, found.agrees
    (128, 'measured', True)
    """
    chosen = find_executors(executors)
    if not chosen:
        raise ValueError("there is no executor to compare on; name one at least")
    given = [np.asarray(array) for array in arrays] if arrays else None
    seed = _integer(seed, 0, "seed")
    subject = _problem(problem, given, sizes)
    found = orders_of(default_orders(subject) if orders is None else orders, seed)
    settings = Settings(
        seed=seed,
        seconds=_seconds(seconds),
        memory=_bytes(memory),
        threads=None if threads is None else _threads(threads),
        arrays=given,
        mode=lambda schedule: mode_of(schedule.problem, schedule),
        progress=progress or (lambda _text: None),
        notes={order.name: order.note for order in found},
    )
    finders = {order.name: order.find for order in found}
    return measure_orders(subject, finders, chosen, settings)


def orders_of(orders: Sequence[Any] | Mapping[str, Find], seed: int = 0) -> list[Order]:
    """Give orders that each have a name of their own.

    Parameters
    ----------
    orders : sequence of str, functions and pairs, or mapping from str to function
        As for `compare`.
    seed : int
        Of the searches that draw random numbers.

    Returns
    -------
    list of Order

    Raises
    ------
    ValueError
        If there is none of a name, two have the same, or there are none at all.
    TypeError
        If one is no name and no function.
    """
    if isinstance(orders, str):
        orders = [orders]
    given = [*orders.items()] if isinstance(orders, Mapping) else [*orders]
    found: dict[str, Order] = {}
    for order in (_order(each, seed) for each in given):
        if order.name in found:
            raise ValueError(f"two orders have the name {shown(order.name)}; give each another")
        found[order.name] = order
    if not found:
        raise ValueError("there is no order to compare; name one at least")
    return [*found.values()]


def _order(order: Any, seed: int) -> Order:
    match order:
        case str():
            return find_order(order, seed=seed)
        case Order():
            return order
        case (str(name), find) if callable(find):
            return _of_function(find, name)
    if not callable(order):
        raise TypeError(f"an order is a name, or a function, not {shown(order)}")
    called: object = getattr(order, "__name__", None)
    return _of_function(order, called if isinstance(called, str) else type_name(order))


def _of_function(find: Any, name: str) -> Order:
    """Make an order of a function of a problem, or of one with the signature of opt_einsum's."""
    return given_order(find, name) if _takes_network(find) else Order(name, find)


def _takes_network(find: Any) -> bool:
    """Whether a function can be called with inputs, output and sizes, and not with a problem."""
    try:
        signature = inspect.signature(find)
    except (TypeError, ValueError):  # some of C have none
        return False
    return not _binds(signature, 1) and (_binds(signature, 3) or _binds(signature, 4))


def _binds(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _problem(
    problem: Problem | str, arrays: Sequence[Array] | None, sizes: Mapping[str, int] | None
) -> Problem:
    if isinstance(problem, str):
        return _of_subscripts(problem, arrays, sizes)
    if not isinstance(problem, Problem):
        raise TypeError(f"a problem is a Problem, or subscripts, not {shown(problem)}")
    if sizes is not None:
        raise ValueError("a problem has its sizes; give none beside it")
    if arrays is not None:
        _check_count(len(arrays), len(problem.operands), problem.name)
        for n, (array, operand) in enumerate(zip(arrays, problem.operands.values(), strict=True)):
            if array.shape != operand.shape:
                raise ShapeError(
                    f"array {n} has shape {array.shape}, but operand {n} of {cut(problem.name)} "
                    f"has {operand.shape}; give an array of that shape"
                )
            if not np.can_cast(array.dtype, operand.dtype, "same_kind"):
                raise DTypeError(
                    f"array {n} is of {array.dtype}, but operand {n} of {cut(problem.name)} of "
                    f"{operand.dtype}; give an array of that dtype"
                )
    return problem


def _of_subscripts(
    subscripts: str, arrays: Sequence[Array] | None, sizes: Mapping[str, int] | None
) -> Problem:
    if arrays is None:
        return of_einsum(subscripts, sizes or {})
    if sizes is not None:
        raise ValueError("arrays have their sizes; give either arrays or sizes")
    return of_arrays(subscripts, arrays)


def _check_count(given: int, wanted: int, name: str) -> None:
    if given != wanted:
        raise ShapeError(f"{cut(name)} has {wanted} operands, but {given} arrays are given")


def _threads(value: Any) -> int:
    found, most = _integer(value, 1, "threads"), max(os.cpu_count() or 1, _ENOUGH_THREADS)
    if found > most:
        raise ValueError(
            f"threads is {found}, but this machine has {os.cpu_count()} processors; give at most "
            f"{most}"
        )
    return found


def _integer(value: Any, least: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} is {shown(value)}; it must be an integer of at least {least}")
    return int(value)


def _seconds(value: Any) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value < math.inf:
        raise ValueError(f"seconds is {shown(value)}; it must be a number of at least 0")
    return float(value)


def _bytes(value: Any) -> int | None:
    if value is None:
        return None
    return bytes_of(value) if isinstance(value, str) else _integer(value, 1, "memory")

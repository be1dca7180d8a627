"""An identity checked in every way: proved, and compared with matrices, steps and other paths."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from eingrad._run import Plan
from eingrad._symbols import are_equal, compile
from eingrad._tracer import Expression
from eingrad.identities.stated import Array, Arrays, Identity, Point, Size, Stated
from eingrad.identities.table import IDENTITIES

TOLERANCE = 1e-10  # largest error that passes, relative to the largest entry; points are well posed
ORDER = 2  # the highest that is checked unless another is asked for
_MOST_STEPS = 12  # directions of the complex step


@dataclass(frozen=True)
class Report:
    """What `check` found of one identity at one order, and ``below`` it.

    ``flops`` holds the count for each contraction path, ``steps`` the subscripts of the planned
    contractions in order. Errors are the largest differences, relative to the largest entry:
    ``matrix_error`` of the tensor form from the matrix form, ``step_error`` of the derivative from
    the complex step of the order below, ``path_error`` between the contraction paths, among them
    the derivative itself from left to right.
    """

    number: str
    statement: str
    size: Size
    order: int
    shape: tuple[int, ...]
    proved: bool
    flops: Mapping[str, int]
    steps: tuple[str, ...]
    matrix_error: float
    step_error: float
    path_error: float
    below: tuple["Report", ...] = ()  # of the lower orders, from 1

    @property
    def by_order(self) -> tuple["Report", ...]:
        """One report for each order from 1, each of its order alone."""
        return (*self.below, dataclasses.replace(self, below=()))

    @property
    def largest_error(self) -> float:
        """The largest of the three."""
        return max(self.matrix_error, self.step_error, self.path_error)

    @property
    def passed(self) -> bool:
        """Whether it was proved, all errors are within the tolerance, and those below passed."""
        own = self.proved and self.largest_error <= TOLERANCE
        return own and all(report.passed for report in self.below)


def check(number: str, *, size: Size = (4, 2, 3), order: int = ORDER, seed: int = 0) -> Report:
    """Check one identity, and its derivatives up to an order, in every way.

    Parameters
    ----------
    number : str
        A key of `IDENTITIES`: ``"5.99"`` to ``"5.108"``, ``"5.108 any W"``.
    size : (D, E, F)
        Sizes, at least 1.
    order : 1, 2 or 3
        The highest order of the derivative, as for the command ``eingrad identities``; every one
        from 1, the identity as it is stated, is checked. The right side is differentiated one time
        less.
    seed : int
        Of the point that the sides are compared at.

    Returns
    -------
    Report
        Proof, flops by contraction path, errors: of the highest order, and ``below`` of the others.

    Raises
    ------
    KeyError
        If the number is unknown.
    ValueError
        If the order is none of 1, 2, 3, or a size is not positive.
    """
    if number not in IDENTITIES:
        raise KeyError(f"no identity {number!r}; there are {', '.join(IDENTITIES)}")
    if order not in (1, 2, 3):
        raise ValueError(f"order must be 1, 2 or 3, not {order!r}")
    if [*map(type, size)] != [int] * 3 or min(size) < 1:
        raise ValueError(f"size must be three positive integers, D E F, not {size!r}")
    *below, highest = (_check_order(number, size, n, seed) for n in range(1, order + 1))
    return dataclasses.replace(highest, below=tuple(below))


def _check_order(number: str, size: Size, order: int, seed: int) -> Report:
    """Check one order by itself."""
    identity = IDENTITIES[number]
    stated = identity.state(size)
    point = identity.sample(np.random.default_rng(seed), size)
    arrays = point.arrays(point.x, order)
    sides = stated.sides(order)
    plans = _compiled(sides)
    values = {name: _call(plan, arrays) for name, plan in plans.items()}
    unplanned = _call(compile(sides["planned"], path="left to right"), arrays)
    planned = plans["planned"].program
    return Report(
        number,
        identity.statement,
        size,
        order,
        planned.results()[0][0],
        all(are_equal(side, sides["left to right"]) for side in sides.values()),
        {name: plan.flops for name, plan in plans.items()},
        tuple(s.subscripts for s in planned.statements if s.subscripts and not s.is_view),
        _error(values["left to right"], identity.matrix(arrays, order)),
        _step_error(identity, size, order, point, values["planned"]),
        max(_error(value, values["planned"]) for value in (*values.values(), unplanned)),
    )


def plans_by_path(stated: Stated, order: int) -> dict[str, Plan]:
    """Compile the tensor form left to right, and the derivative forward, reverse and planned.

    Parameters
    ----------
    stated : Stated
        An identity at given sizes.
    order : int
        Order of the derivative.

    Returns
    -------
    dict
        One plan for each name in `PATHS`; all compute one tensor.
    """
    return _compiled(stated.sides(order))


def _compiled(sides: Mapping[str, Expression]) -> dict[str, Plan]:
    return {
        name: compile(side, path="left to right" if name == "left to right" else "planned")
        for name, side in sides.items()
    }


def _call(plan: Plan, arrays: Arrays) -> Array:
    return np.asarray(plan(**{name: arrays[name] for name in plan.inputs}))


def _step_error(identity: Identity, size: Size, order: int, point: Point, actual: Array) -> float:
    """Compare with the complex step of the order below; of order one, of the plain function."""
    if order == 1:
        below = identity.plain
    else:
        plan = compile(identity.state(size, np.complex128).derivative(order - 1))

        def below(arrays: Arrays) -> Array:
            wide = {name: np.asarray(array, complex) for name, array in arrays.items()}
            return _call(plan, wide)

    step, x = 1e-30, point.x
    if x.size <= _MOST_STEPS:
        directions = list(np.eye(x.size).reshape(x.size, *x.shape))
    else:
        directions = list(np.random.default_rng(0).normal(size=(_MOST_STEPS, *x.shape)))
    errors = [
        _error(
            np.tensordot(actual, v, axes=x.ndim),
            np.imag(below(point.arrays(x + 1j * step * v, order - 1))) / step,
        )
        for v in directions
    ]
    return max(errors)


def _error(actual: Any, expected: Any) -> float:
    actual, expected = np.asarray(actual), np.asarray(expected)
    if actual.shape != expected.shape:
        return float("inf")
    difference = float(np.max(np.abs(actual - expected), initial=0))
    if difference == 0:
        return 0.0
    error = difference / max(float(np.max(np.abs(side))) for side in (actual, expected))
    return error if np.isfinite(error) else float("inf")

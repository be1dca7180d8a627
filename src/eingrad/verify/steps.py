"""Differentiate numerically along directions, and tell how exact that can be at the point.

In: a function of a vector, as one of one array; a point; a direction. Out: the derivative along it,
relative to the longest step of an entry, and a bound on its error.
Guaranteed: the bound is measured at the point, on the function itself: how its values scatter when
nothing but rounding changes, and how the quotients of smaller and smaller steps disagree.

>>> x, (direction,) = np.array([0.5]), some_directions(np.array([0.5]), np.random.default_rng(0))
>>> found = difference(np.sin, x, direction, scatter(np.sin, x, np.random.default_rng(0)))
>>> bool(abs(found.value[0] - np.cos(0.5)) < found.uncertainty[0] < 1e-10)
True
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eingrad.errors import DTypeError, TraceError
from eingrad.verify.rounding import Array, largest

Below = Callable[[Array], Array]  # the derivative of the order below

_MOST_DIRECTIONS = 32
_STENCIL = ((1, 4 / 5), (2, -1 / 5), (3, 4 / 105), (4, -1 / 280))  # of eighth order
_SMALLER = 3  # powers of two by which the next step of a difference is smaller
_SMALLEST = 0.7  # power of the machine epsilon that the smallest step is, of an entry about one
_STEP = 2.0**-66  # of the complex step; its square is nothing
_SECOND = 2.0**-20  # what a second one is multiplied with
SAMPLES = 9  # values that show how they scatter
_NEARBY = 64  # units in the last place between these
_SCATTER = 16  # times what was measured is what may happen
_SLOWEST = 4  # an error of h**0.14 is at most so many times what changes from h to h / 8
_CLOSER = 0.5  # times as far apart are the quotients of both sides at a step of an eighth
_APART = 4  # ratio of the places where the derivative is looked at, next to the point
_NO_LIMIT = 0.1  # quotients that differ by more of their size have none


def some_directions(x: Array, rng: np.random.Generator) -> list[Array]:
    """Every entry by itself, or some random directions where there are many.

    Entries are moved by powers of two, so that steps are exact: one, or about the entry if larger.
    """
    lengths = np.exp2(np.floor(np.log2(_sizes(x))))
    if x.size <= _MOST_DIRECTIONS:
        return list(np.diag(lengths))
    return list(rng.choice([-1.0, 1.0], size=(_MOST_DIRECTIONS, x.size)) * lengths)


def _sizes(x: Array) -> Array:
    return np.asarray(np.maximum(np.abs(x.astype(np.float64)), 1))


def quietly(function: Below, shape: tuple[int, ...]) -> Below:
    """Give nan where a matrix is singular, and warn of nothing: steps may leave the domain."""

    def value(x: Array) -> Array:
        with np.errstate(all="ignore"):
            try:
                return function(x)
            except np.linalg.LinAlgError:
                return np.full(shape, np.nan)

    return value


def is_singular(function: Below, x: Array) -> bool:
    """Whether a derivative cannot be computed at a point: its formula inverts a matrix."""
    try:
        with np.errstate(all="ignore"):
            function(x)
    except np.linalg.LinAlgError:
        return True
    return False


def complex_step(
    below: Below, x: Array, directions: Sequence[Array], *, second: bool = False
) -> Array | None:
    """Differentiate by ``imag f(x + ih) / h``; None of what is not analytic."""
    try:
        moved = []
        for d in directions:
            step = _complex_length(x, d) * (_SECOND if second else 1.0)
            moved.append(np.imag(below(x + step * 1j * d)) / (step * largest(d)))
    except (TraceError, DTypeError):
        return None
    found = np.stack(moved)
    return found if np.isfinite(found).all() else None


def _complex_length(x: Array, direction: Array) -> float:
    """Give a step that is nothing to the smallest entry that moves, but a normal number."""
    least = float(np.finfo(x.dtype).tiny) / _SECOND**2
    return max(_STEP * _smallest(x[direction != 0]), least)


def is_same_for_complex(below: Below, x: Array) -> bool:
    """Whether a function has the values of real numbers also for complex ones, but for rounding.

    It may ask what it is given, and compute something else.
    """
    there, complex_there = below(x), below(x + 0j)
    apart = largest(np.nan_to_num(there - np.real(complex_there)))
    return bool(apart <= _eps(x) ** 0.5 * largest(np.nan_to_num(there)))


# Rounding ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scatter:
    """How the values of a function scatter by rounding: next to a point, and some steps away."""

    near: Array
    away: tuple[tuple[float, Array], ...]

    def at(self, step: float) -> Array:
        """Give how they scatter at a distance, in which they grow at most as it does."""
        further = [values * (step / h) for h, values in self.away if h >= step]
        return np.asarray(self.near + functools.reduce(np.minimum, further))


def scatter(function: Below, x: Array, rng: np.random.Generator) -> Scatter:
    """Measure how the values of a function scatter by rounding, each entry of them.

    They are taken at points next to each other on a line, off to one side of x, for there may be a
    kink in it. Fourth differences leave nothing of what is smooth. Also at the end of the longest
    step, where what cancels at an optimum is not small, and of one for a small entry.

    References
    ----------
    Moré, Wild, *Estimating computational noise*, SIAM J. Sci. Comput. 33 (2011).
    """
    signs = rng.choice([-1.0, 1.0], size=x.shape)
    steps = {_longest(x), _longest(x) * _smallest(x)}
    away = [(h, _moved(x, 4 * h, signs * _sizes(x))) for h in steps]
    measured = tuple((h, scatter_near(function, point, signs)) for h, point in away)
    return Scatter(scatter_near(function, x, signs), measured)


def _smallest(x: Array) -> float:
    """Give the smallest entry that is not zero, at most one, as a power of two."""
    smallest = float(np.min(np.abs(x[x != 0]), initial=1.0))
    return float(np.exp2(np.floor(np.log2(max(smallest, float(np.finfo(x.dtype).tiny))))))


def scatter_near(function: Below, x: Array, signs: Array) -> Array:
    """Measure it next to one point, on the side that the signs say."""
    return scatter_of([function(moved) for moved in nearby(x, signs)])


def nearby(x: Array, signs: Array) -> list[Array]:
    """Give points next to each other, whose values differ by rounding and by what is smooth."""
    step = _NEARBY * _eps(x) * signs * np.where(x == 0, 1, np.abs(x))
    return [_moved(x, n, step) for n in range(1, SAMPLES + 1)]


def scatter_of(samples: Sequence[Array]) -> Array:
    """Measure how values at such points scatter."""
    values = np.stack(samples)
    with np.errstate(all="ignore"):
        fourth = np.diff(values, n=4, axis=0)
        measured = np.sqrt(np.mean(fourth**2, axis=0) / 70)  # (8 choose 4) times their variance
        least = np.finfo(values.dtype).eps / 2 * np.max(np.abs(values), axis=0)
    return np.asarray(np.nan_to_num(np.maximum(measured, least), nan=0.0, posinf=0.0))


# Differences -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Quotient:
    """A derivative along a direction, what it may be wrong by, and whether the quotients settle."""

    value: Array
    uncertainty: Array
    settled: NDArray[np.bool_]


def first_quotient(below: Below, x: Array, direction: Array) -> Array:
    """Take the difference of the longest step, exact to rounding of a function that is smooth."""
    return _quotient(below, x, direction, _longest(x))


def fine_quotient(below: Below, x: Array, direction: Array) -> Array | None:
    """Take that of a step for a small entry, which the longest leads away from what there is.

    None where no entry that moves is small.
    """
    smallest = _smallest(x[direction != 0])
    if smallest > _longest(x):
        return None
    return _quotient(below, x, direction, smallest * _longest(x))


def difference(below: Below, x: Array, direction: Array, scattered: Scatter) -> Quotient:
    """Take the step whose quotient is the most certain, for each entry of the result.

    A quotient may be wrong by rounding, ``scatter / h``, and by truncation, of any power of h. The
    latter shows in what it differs by from the quotients of all smaller steps (Lepski's method),
    up to the rounding of the next one.
    """
    steps = _steps(x, direction)
    found = np.stack([_quotient(below, x, direction, h) for h in steps])
    rounding = np.stack([_rounding(h, direction, scattered, found.shape[1:]) for h in steps])
    truncation = np.full(found.shape, np.inf)
    with np.errstate(all="ignore"):
        for n in range(len(steps) - 1):
            apart = np.abs(found[n] - found[n + 1 :]) - rounding[n + 1 :]
            known = np.isfinite(apart).any(0) & np.isfinite(found[n])
            worst = np.max(np.nan_to_num(apart, nan=0.0, posinf=0.0), axis=0, initial=0.0)
            truncation[n] = np.where(known, _SLOWEST * worst, np.inf)
        unseen = rounding + _SLOWEST * np.roll(rounding, -1, axis=0)
        best = np.argmin(truncation + unseen, axis=0)[None]
        value, seen, unseen = (
            np.take_along_axis(a, best, 0)[0] for a in (found, truncation, unseen)
        )
        sizes = np.max(np.nan_to_num(np.abs(found), nan=0.0, posinf=0.0), axis=0)
    settled = np.isfinite(seen) & (seen <= np.maximum(_NO_LIMIT * sizes, unseen))
    return Quotient(value, seen + unseen, settled)


def _rounding(step: float, direction: Array, scattered: Scatter, shape: tuple[int, ...]) -> Array:
    """Bound the rounding of a quotient: the further the step, the larger what may cancel."""
    sums = 2 * sum(c * c for _, c in _STENCIL)
    bound = _SCATTER * np.sqrt(sums) * scattered.at(step) / (step * largest(direction))
    return np.broadcast_to(bound, shape)


def is_differentiable(
    below: Below, x: Array, direction: Array, scattered: Scatter, together: Array
) -> Array:
    """Whether quotients settle, and those of both sides come closer, entry by entry.

    Also along a direction of all entries in question together: partial derivatives alone are none;
    but a kink in another entry is none of these.
    """
    every = np.where(np.arange(x.size) % 2, 1.0, -1.0) * np.exp2(np.floor(np.log2(_sizes(x))))
    every = np.where(together, every, 0.0)
    return functools.reduce(
        np.logical_and,
        [
            test
            for d in (direction, every)
            for test in (
                difference(below, x, d, scattered).settled,
                _sides_meet(below, x, d, scattered),
            )
        ],
    )


def _sides_meet(below: Below, x: Array, direction: Array, scattered: Scatter) -> Array:
    """Whether the quotients of both sides come closer with the smallest steps that show it."""
    there, before = below(x), None
    meet = np.ones(there.shape, bool)
    with np.errstate(all="ignore"):
        for h in _steps(x, direction):
            sides = below(_moved(x, h, direction)), below(_moved(x, -h, direction))
            gap = np.abs(sides[0] - 2 * there + sides[1]) / (h * largest(direction))
            shown = gap > 2 * _rounding(h, direction, scattered, there.shape)
            if before is not None:
                meet = np.where(shown & np.isfinite(before), gap <= _CLOSER * before, meet)
            before = gap
    return meet & np.isfinite(there)


def _quotient(below: Below, x: Array, direction: Array, step: float) -> Array:
    values = [
        c * (below(_moved(x, k * step, direction)) - below(_moved(x, -k * step, direction)))
        for k, c in _STENCIL
    ]
    return np.asarray(sum(values)) / (step * largest(direction))


def _moved(x: Array, step: float, direction: Array) -> Array:
    return np.asarray(x + step * direction, x.dtype)


def _eps(x: Array) -> float:
    return float(np.finfo(x.dtype).eps)


def _longest(x: Array) -> float:
    """The ninth root of the machine epsilon: truncation of eighth order is about rounding then."""
    return float(np.exp2(np.round(np.log2(_eps(x)) / 9)))


def _steps(x: Array, direction: Array) -> list[float]:
    """Powers of two, smaller and smaller, until the smallest entry moves by little of its size."""
    moved = direction != 0
    sizes, lengths = np.abs(x[moved]).astype(np.float64), np.abs(direction[moved])
    small = np.where(sizes > 0, np.minimum(sizes, 1), 1)
    least = max(
        _NEARBY * _eps(x) * float(np.max(sizes / lengths)),
        _eps(x) ** _SMALLEST * float(np.min(small / lengths)),
        float(np.finfo(x.dtype).tiny),
    )
    count = int((np.log2(_longest(x)) - np.log2(least)) / _SMALLER)
    return [_longest(x) * 2.0 ** (-_SMALLER * n) for n in range(max(count, 2) + 1)]


def uneven(along: Below, x: Array, direction: Array, step: float) -> Array:
    """Tell by how much a derivative differs from its mean on both sides, up to a distance.

    A difference is a mean of such means, of weights up to 2.7, and tells the derivative no better.
    At a kink they differ by half the jump; of what is smooth, by the square of the distance.
    """
    there = along(x)
    most = np.zeros(there.shape)
    with np.errstate(all="ignore"):
        for n in range(SAMPLES):
            h = 4 * step / _APART**n
            both = along(_moved(x, h, direction)) + along(_moved(x, -h, direction))
            change = np.abs(both / 2 - there)
            most = np.maximum(most, np.nan_to_num(change, nan=0.0, posinf=0.0))
    return 2.7 * most


def resolved_step(x: Array, direction: Array, scattered: Scatter, error: Array) -> float:
    """Give the smallest step that shows such errors of a derivative."""
    steps = _steps(x, direction)
    for step in reversed(steps):
        if np.all(_rounding(step, direction, scattered, error.shape) < error):
            return step
    return steps[0]

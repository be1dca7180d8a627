"""Contenders timed in turn, round after round, each in its share of the time.

In: calls, and seconds for all of them. Out: a `Timing` of each.
Guaranteed: in a round each call has a turn, so that a machine that slows down slows all, and each
round has another order, so that none always finds the cache that one and the same left behind; a
sample takes a millisecond at least, of several calls if need be. Results are let go within the
time: that belongs to a call.

>>> timed = summary([3.0, 1.0, 2.0], calls=5)
>>> timed.seconds, timed.lower, timed.upper, timed.rounds, timed.calls
(2.0, 1.5, 2.5, 3, 5)
"""

import gc
import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

LEAST = 1e-3  # seconds of a sample
MOST_ROUNDS = 50  # more do not move a median


@dataclass(frozen=True, slots=True)
class Timing:
    """Time of a call, in seconds.

    Attributes
    ----------
    seconds : float
        The median over the rounds.
    lower, upper : float
        The quartiles.
    rounds : int
        How many samples there are.
    calls : int
        Calls in a sample, which is their mean.
    """

    seconds: float
    lower: float
    upper: float
    rounds: int
    calls: int


def summary(samples: Sequence[float], calls: int) -> Timing:
    """Give median and quartiles of samples, at least one."""
    if len(samples) == 1:
        (only,) = samples
        return Timing(only, only, only, 1, calls)
    lower, median, upper = statistics.quantiles(samples, n=4, method="inclusive")
    return Timing(median, lower, upper, len(samples), calls)


@dataclass
class Contender:
    """A call that is timed, and its samples so far: seconds of a call."""

    call: Callable[[], Any]
    samples: list[float] = field(default_factory=list)
    calls: int = 1
    spent: float = 0.0  # seconds, warming up included
    known: float = 0.0  # seconds of a call, where that was seen before

    @property
    def timing(self) -> Timing | None:
        """What is known so far; None before the first sample."""
        return summary(self.samples, self.calls) if self.samples else None


def take_turns(
    contenders: Sequence[Contender],
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
    tell: Callable[[int, int], None] = lambda _done, _most: None,
) -> None:
    """Time contenders for so many seconds in all, in interleaved rounds.

    Each is warmed up, and has an equal share; one that has used its share leaves. So what is slow
    is measured a few times, and what is fast often, and all of it in turns while all are there.
    One whose single call takes more than its share has a sample if there is time left. An
    interruption keeps the samples that were taken.

    Parameters
    ----------
    contenders : sequence of Contender
        Their samples are written.
    seconds : float
        For all together; over by a sample or two at most.
    clock : callable
        Seconds from somewhere on.
    tell : callable
        ``tell(round, most)`` before each round.
    """
    share, until = seconds / max(len(contenders), 1), clock() + seconds
    was_enabled = gc.isenabled()
    gc.disable()  # as `timeit` does
    try:
        for contender in contenders:
            _warm_up(contender, share, clock)
        for n in range(MOST_ROUNDS):
            here = [c for c in contenders if not c.samples or c.spent < share]
            tell(n, MOST_ROUNDS)
            for contender in random.Random(n).sample(here, len(here)):
                if contender.known <= share or clock() < until:
                    _sample(contender, clock)
    finally:
        if was_enabled:
            gc.enable()


def _warm_up(contender: Contender, share: float, clock: Callable[[], float]) -> None:
    """Run it up to three times, and see how many calls make a sample; not what is known as slow."""
    least = math.inf
    for _ in range(3):
        if contender.spent + contender.known > share / 4:
            break
        taken = _run(contender.call, 1, clock)
        contender.spent += taken
        contender.known = least = min(least, taken)
    contender.calls = max(1, math.ceil(LEAST / contender.known)) if contender.known else 1


def _sample(contender: Contender, clock: Callable[[], float]) -> None:
    taken = _run(contender.call, contender.calls, clock)
    contender.spent += taken
    contender.samples.append(taken / contender.calls)


def _run(call: Callable[[], Any], calls: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(calls):
        call()
    return clock() - start

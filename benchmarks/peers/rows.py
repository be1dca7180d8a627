"""Medians of a problem, by contender, and ratios of them.

In: a `Result`, and which clock counts. Out: a `Row`.
Guaranteed: a ratio compares fresh results with fresh ones, and those with ``out=`` with their like.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from peers.contenders import HAND, OURS, OUT
from peers.runner import Result

NO_PLAN = "eingrad, no plan"
PEERS = ("JAX", "torch", "torch.compile", "autograd", "CasADi")


class Best(NamedTuple):
    """A hand version, and its seconds."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Row:
    """A problem's medians.

    Attributes
    ----------
    result : Result
        What was measured.
    clock : int
        `CLOCK` or `PROCESSOR`.
    seconds : mapping
        Of a call, by contender; of those that were timed.
    """

    result: Result
    clock: int
    seconds: Mapping[str, float]

    @classmethod
    def of(cls, result: Result, clock: int) -> "Row":
        """Take the medians."""
        timings = {name: run.timing(clock) for name, run in result.runs.items()}
        return cls(result, clock, {name: t.seconds for name, t in timings.items() if t})

    def by_hand(self, *, out: bool = False) -> Best | None:
        """Give the fastest hand version, into new memory or into memory that is given."""
        found = [
            Best(name, seconds)
            for name, seconds in self.seconds.items()
            if name.startswith(HAND) and name.endswith(OUT) == out
        ]
        return min(found, key=lambda best: best.seconds, default=None)

    def over(self, name: str) -> float | None:
        """Give the time of a contender over that of the best hand version of its kind."""
        base = self.by_hand(out=name.endswith(OUT))
        return self.seconds[name] / base.seconds if base and name in self.seconds else None

    def times(self, name: str) -> float | None:
        """Give the time of a contender over that of this library's plan."""
        has_both = name in self.seconds and OURS in self.seconds
        return self.seconds[name] / self.seconds[OURS] if has_both else None

    def first(self, name: str) -> float | None:
        """Give the seconds until the first result."""
        run = self.result.runs.get(name)
        return run.first[self.clock] if run and run.first else None

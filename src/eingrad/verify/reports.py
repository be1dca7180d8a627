"""What the checks report: true or false, printed as a table, with its figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad.verify.shown import short, two_sides

Array = NDArray[Any]


@dataclass(frozen=True)
class IdentityCheck:
    """What `check_identity` found; true if the identity holds.

    Attributes
    ----------
    proved : bool
        Whether both sides reach one normal form, for every size tried.
    sizes : tuple of mappings
        The sizes tried, by letter.
    points : int
        How many points were compared, where no proof was found.
    one_sided : int
        How many were left out since one side alone is finite there: the domains differ.
    largest_error : float
        The largest difference there, relative to the largest entry; where that is a sum that
        cancels, to the largest of its terms.
    counterexample : mapping, optional
        The symbols with the arrays for which the sides differ. Printed, large ones are shortened.
    values : tuple of two arrays, optional
        The two sides there. Printed, the entries that differ most stand for large ones.
    proofs : tuple of bool
        For each of the sizes, whether it was proved.
    """

    proved: bool
    sizes: tuple[Mapping[str, int], ...] = ()
    points: int = 0
    one_sided: int = 0
    largest_error: float = 0.0
    counterexample: Mapping[str, Array] | None = None
    values: tuple[Array, Array] | None = None
    proofs: tuple[bool, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether it was proved, or agrees at every point."""
        return self.counterexample is None

    def __bool__(self) -> bool:
        return self.holds

    def __str__(self) -> str:
        if self.counterexample is not None and self.values is not None:
            lines = [f"fails: the sides differ by {self.largest_error:.2g} (relative) at"]
            lines += _symbols(self.counterexample)
            return "\n".join([*lines, *two_sides(*self.values)])
        verdicts = []
        if any(self.proofs) or self.proved:
            verdicts.append(f"proved{self._where(proved=True)}")
        if not self.proved:
            verdicts.append(
                f"agrees at {self.points} random points{self._where(proved=False)}; largest error "
                f"{self.largest_error:.1e}"
            )
        if self.one_sided:
            verdicts.append(f"left out {self.one_sided} points where one side alone is finite")
        return "; ".join(verdicts)

    def _where(self, *, proved: bool) -> str:
        known = zip(self.sizes, self.proofs, strict=True)
        sizes = [", ".join(f"{k}={n}" for k, n in s.items()) for s, p in known if p == proved]
        return f" for {'; '.join(sizes)}" if any(sizes) else ""


_MOST_SYMBOLS = 6  # of a counterexample, that are printed


def _symbols(arrays: Mapping[str, Array]) -> list[str]:
    """Print the arrays of the symbols; of many symbols, some that are not zero."""
    if len(arrays) <= _MOST_SYMBOLS:
        return [f"  {name} = {short(value)}" for name, value in arrays.items()]
    chosen = sorted(arrays, key=lambda name: not np.any(arrays[name]))[:_MOST_SYMBOLS]
    lines = [f"  {name} = {short(value)}" for name, value in arrays.items() if name in chosen]
    return [*lines, f"  and {len(arrays) - len(lines)} more symbols, in .counterexample"]


_WHY = "are not finite or have no limit here, or are less than what can be told"


@dataclass(frozen=True)
class Comparison:
    """One order of derivatives in one argument, at the entry that is the furthest off.

    Attributes
    ----------
    order, argument : int
    method : str
        What it was compared with: "the function", "complex step" or "difference".
    error : float
        Relative to the largest entry along its direction, or of its place in the value if that is
        less; where all of these are too small to be resolved, to what could be. nan where no entry
        could be compared.
    tolerance : float
        The largest error that passes.
    size : float
        What the error is relative to.
    difference : float
        The error itself.
    allowed : float
        What it may be: the tolerance times the size, or what can be resolved at the point.
    left_out : int
        How many entries were not compared, for they are not finite, have no limit there, or are
        smaller than what can be told there.
    reason : str
        Why the derivative could not be computed at all, if so.
    """

    order: int
    argument: int
    method: str
    error: float
    tolerance: float
    size: float = 0.0
    difference: float = 0.0
    allowed: float = 0.0
    left_out: int = 0
    reason: str = ""

    @property
    def is_wrong(self) -> bool:
        """Whether the error is larger than it may be; of what was not compared, nothing is said."""
        return self.error > self.tolerance

    def __str__(self) -> str:
        row = f"{self.order:5}  {self.argument:8}  {self.method:12}"
        figures = (self.size, self.difference, self.allowed)
        shown = "  ".join(f"{figure:10.1e}" for figure in figures)
        shown = "  ".join(["         -"] * 3) if np.isnan(self.error) else shown
        notes = []
        if self.is_wrong and np.isinf(self.error):
            notes.append("WRONG: not finite, or of another shape, where it should not be")
        elif self.is_wrong:
            times = self.difference / self.allowed if self.allowed else np.inf
            notes.append(f"WRONG: {times:.2g} times what is allowed")
        if self.left_out:
            notes.append(f"not compared: {self.reason or f'{self.left_out} entries that {_WHY}'}")
        return "  ".join([row, shown, "; ".join(notes)]).rstrip()


@dataclass(frozen=True)
class DerivativeCheck:
    """What `check_derivatives` found; true if no order is wrong.

    ``comparisons`` holds, for each order and argument, the entry that is the furthest off: what it
    was compared with, how far off it is, how far it may be. ``rows`` holds of these the order, the
    argument's number, the method, the relative error, and the tolerance.
    """

    comparisons: tuple[Comparison, ...] = field(default=())

    @property
    def rows(self) -> tuple[tuple[int, int, str, float, float], ...]:
        """Order, argument, method, relative error and tolerance of every comparison."""
        return tuple(
            (c.order, c.argument, c.method, c.error, c.tolerance) for c in self.comparisons
        )

    def __bool__(self) -> bool:
        return not any(comparison.is_wrong for comparison in self.comparisons)

    def __str__(self) -> str:
        header = "order  argument  against       derivative       error     allowed"
        return "\n".join([header, *map(str, self.comparisons)])

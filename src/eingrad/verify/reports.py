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


@dataclass(frozen=True)
class DerivativeCheck:
    """What `check_derivatives` found; true if every order agrees.

    ``rows`` holds, for each order and argument: the order, the argument's number, the method, the
    largest error relative to the largest entry, and the tolerance.
    """

    rows: tuple[tuple[int, int, str, float, float], ...] = field(default=())

    def __bool__(self) -> bool:
        return all(error <= tolerance for *_, error, tolerance in self.rows)

    def __str__(self) -> str:
        lines = ["order  argument  against       largest error"]
        for order, number, method, error, tolerance in self.rows:
            verdict = "" if error <= tolerance else f"  WRONG (more than {tolerance:.0e})"
            lines.append(f"{order:5}  {number:8}  {method:12}  {error:13.1e}{verdict}")
        return "\n".join(lines)

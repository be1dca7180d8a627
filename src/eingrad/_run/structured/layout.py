"""`Layout`: what is known of a structured tensor before its cores are.

In: patterns, and the number of the output that is each one's core. Out: a tensor for each call.
Guaranteed: where entries are is worked out once for all calls, when it is first asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eingrad._patterns import Array, Pattern
from eingrad._run.structured.placed import term_of
from eingrad._run.structured.sparsity import Sparsity, sparsity
from eingrad._run.structured.tensor import StructuredTensor
from eingrad._tracer import Term


@dataclass(frozen=True, slots=True)
class Layout:
    """Shape and dtype of a tensor, its patterns, and the numbers of their cores."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    terms: tuple[tuple[Pattern, int], ...]
    _written: list[Term] = field(init=False, repr=False, compare=False, default_factory=list)
    _known: dict[int, Sparsity] = field(init=False, repr=False, compare=False, default_factory=dict)

    def fill(self, cores: Sequence[Array]) -> StructuredTensor:
        """Put the cores in; nobody may write to them, for terms have them in common."""
        if not self._written:
            none = np.empty(())
            self._written[:] = [term_of(none, pattern, self.shape) for pattern, _ in self.terms]
        terms = []
        for (_, number), known in zip(self.terms, self._written, strict=True):
            core = cores[number]
            core.flags.writeable = False
            terms.append(Term(known.deltas, core, known.axes, known.positions))
        return StructuredTensor(self.shape, self.dtype, tuple(terms), _sparsity=self.sparsity)

    def sparsity(self, rows: int) -> Sparsity:
        """Where entries are, as a matrix whose rows are the first axes."""
        if rows not in self._known:
            patterns = [pattern for pattern, _ in self.terms]
            self._known[rows] = sparsity(patterns, self.shape, rows)
        return self._known[rows]

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return Layout, (self.shape, self.dtype, self.terms)

"""Arrays that NumPy made of one number, like a traced value: ``np.ones_like(x)``.

In: such an array, and its number. Out: the number, as long as the array holds nothing else.
Guaranteed: an array that was written since, or is a view or a copy, is an array like any other.

The user gets an array, for he may write to it. What he does not write to is known where it is used:
one times what it meets is that, and terms that differ in such factors alone are equal.
"""

import math
import weakref
from dataclasses import dataclass, field

from eingrad._tracer.arrays import Array

Number = complex  # float and int, too


@dataclass(slots=True, eq=False)
class Filled:
    """The arrays of one trace that are known; they are not kept alive."""

    _known: dict[int, tuple[weakref.ref[Array], Number]] = field(default_factory=dict)

    def note(self, array: Array, number: Number) -> None:
        """Note what an array was made of, if a coefficient can be that number."""
        parts = (number.real, number.imag)
        is_kept = all(math.isfinite(p) and (p or math.copysign(1.0, p) > 0) for p in parts)
        if is_kept and array.dtype.kind in "fc":
            key = id(array)
            self._known[key] = weakref.ref(array, lambda _: self._known.pop(key, None)), number

    def number_of(self, array: Array) -> Number | None:
        """Recall the number, if that is still what all entries are."""
        noted, number = self._known.get(id(array), (None, 0))
        if noted is None or noted() is not array or not (array == number).all():
            return None
        return number

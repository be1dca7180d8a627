"""How a scan is gone through again: which carries are kept, and what is stored at once.

In: how many passes a scan has, and the memory there is. Out: `Segments`.
Guaranteed: of all ways to keep carries, that which computes the fewest passes again; counted
without going through them.

What the way back needs is stored of one segment at a time. The carries at the beginning of some
segments are kept, *snapshots*; from the nearest one before it, a segment is reached again. Let at
most ``s`` snapshots be kept beside the first carries, and no segment be gone through more than
``r`` times to reach others. Then so many segments can be gone back over::

    R(s, r) = R(s, r - 1) + R(s - 1, r) = (s + r + 1)! / ((s + 1)! r!)

for the first ones, up to the next snapshot, have one time less, and those after it one snapshot.

>>> [binomial(10, free) for free in (0, 1, 2, 8)]
[9, 6, 4, 1]
>>> whole = Segments.within(1000, carry_bytes=64, stored_bytes=64, most_bytes=64_000)
>>> whole.count, whole.again
(1, 0)
>>> few = Segments.within(1000, carry_bytes=64, stored_bytes=64, most_bytes=6_400)
>>> few.size, few.count, few.most, few.again
(91, 11, 9, 909)

References
----------
A. Griewank and A. Walther, *Algorithm 799: revolve*, ACM Transactions on Mathematical Software 26
(2000), 19-45.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eingrad._limits import POLICY


def binomial(count: int, free: int) -> int:
    """Say how many of `count` segments come before the next snapshot, of which `free` are left."""
    passes, whole, part = 1, 1, 1
    while whole + part * (free + passes) // passes < count:
        part = part * (free + passes) // passes
        whole += part
        passes += 1
    return min(whole, count - part)


@dataclass(frozen=True, slots=True)
class Segments:
    """Passes of a scan, in segments of `size`, the first perhaps shorter; `most` snapshots.

    What the last one stores is not computed again, so it is as long as any.
    """

    length: int
    size: int
    most: int

    @classmethod
    def within(
        cls, length: int, carry_bytes: int, stored_bytes: int, most_bytes: int
    ) -> "Segments":
        """Choose segments that take so much memory, or else about the least that there is.

        Of those that compute the fewest passes again, the least memory. `POLICY.again` times the
        length is the most.
        """
        found = []
        for count in _counts(length):
            least = math.ceil(length / count)
            left = most_bytes - least * stored_bytes
            if left < 0:
                continue
            longest = math.ceil(length / (count - 1)) - 1 if count > 1 else length
            kept = min(count - 2, left // carry_bytes) if carry_bytes else count - 2
            fewer = {kept - 1, kept // 2, 0} if carry_bytes > stored_bytes else set()
            for most in {max(n, 0) for n in (kept, *fewer)}:  # or longer segments
                size = min(longest, (most_bytes - most * carry_bytes) // stored_bytes)
                found.append(cls(length, size, most))
        best = min(found, key=lambda s: (s.again, s.bytes(carry_bytes, stored_bytes)), default=None)
        return best if best is not None and best.is_worth_it else cls._least(length)

    @classmethod
    def _least(cls, length: int) -> "Segments":
        """One pass at a time, and as few snapshots as there may be."""
        found = (cls(length, 1, most) for most in range(length))
        return next(segments for segments in found if segments.is_worth_it)

    @property
    def is_worth_it(self) -> bool:
        """Whether it does not take very long for little memory."""
        return self.again <= POLICY.again * self.length

    def __str__(self) -> str:
        return f"stored in segments of {self.size}, {self.most} snapshots"

    @property
    def count(self) -> int:
        """Number of segments."""
        return math.ceil(self.length / self.size)

    @property
    def missing(self) -> int:
        """Passes that the first segment is shorter than others."""
        return self.count * self.size - self.length

    @property
    def last(self) -> range:
        """Passes of the last segment, whose values are stored at once."""
        return range(self.length - self.size, self.length)

    @property
    def again(self) -> int:
        """Passes that the way back computes once more: those of all segments but the last."""
        return self.reached + self.last.start

    @property
    def reached(self) -> int:
        """Passes of the way back that only lead to another segment, and store nothing."""
        count = self.count
        if not self.most:  # what follows would go through them
            times = max(0, count - 2)
            return self.size * ((count - 1) * times // 2) - self.missing * times
        times, whole = 0, 1  # R(most, times)
        less = 0  # the sum of R(most, k) for k below `times`
        while whole < count:
            less += whole
            times += 1
            whole = whole * (self.most + 1 + times) // times
        first = -1  # times that the first one is gone over, but for the way there
        while count > 1:
            count = binomial(count, self.most)
            first += 1
        over = times * self.count - less - (self.count - 1)
        return self.size * over - self.missing * max(first, 0)

    def bytes(self, carry_bytes: int, stored_bytes: int) -> int:
        """Memory of snapshots, and of what is stored of a segment."""
        return self.most * carry_bytes + self.size * stored_bytes

    def passes(self, segment: int) -> range:
        """Passes of one segment."""
        first = segment * self.size - self.missing
        return range(max(first, 0), first + self.size)

    def way(self, kept: Mapping[int, object], segment: int) -> Iterator[tuple[int, int]]:
        """Go from the last of the segments that are `kept` to another one, in parts.

        Each is from one segment to another. Where a part ends before the last, its end is to be
        kept, too, before the next is asked for.
        """
        at = max(kept)
        while at < segment:
            stop = at + binomial(segment + 1 - at, self.most + 1 - len(kept))
            yield at, stop
            at = stop


def _counts(length: int) -> list[int]:
    """Numbers of segments of equal sizes: few large ones, many small ones."""
    root = math.isqrt(length) + 1
    return sorted(
        {math.ceil(length / n) for n in range(1, root + 1)} | {*range(1, min(root, length) + 1)}
    )

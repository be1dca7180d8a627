"""The schedule of checkpoints: the fewest passes again, counted as they are done."""

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eingrad._emit.scans import BINOMIAL
from eingrad._plan.segments import Segments, binomial


@functools.cache
def fewest(count, most):
    """Fewest segments gone over to reach each of so many, last to first: all ways to keep one."""
    if count == 1:
        return 0
    if most == 0:
        return count * (count - 1) // 2
    return min(n + fewest(n, most) + fewest(count - n, most - 1) for n in range(1, count))


def gone_over(segments):
    """Passes gone over to reach segments, there and back, as a plan does it."""
    kept, total = {0: None}, 0
    for segment in reversed(range(segments.count)):
        kept = {n: None for n in kept if n <= segment}
        for at, stop in segments.way(kept, segment):
            total += segments.passes(stop).start - segments.passes(at).start
            if stop < segment:
                kept[stop] = None
            assert len(kept) <= segments.most + 1
    return total


@pytest.mark.parametrize("most", [0, 1, 2, 3, 5, 20])
def test_no_way_to_keep_snapshots_goes_over_fewer_segments(most):
    for count in range(1, 60):
        segments = Segments(count, 1, most)
        assert segments.reached + count - 1 == fewest(count, most) == gone_over(segments)


@pytest.mark.parametrize("most", [0, 1, 2, 4, 9, 100])
def test_what_is_counted_is_what_is_done_where_the_first_segment_is_shorter(most):
    for length, size in ((1003, 10), (1000, 10), (97, 9), (12, 5), (7, 7), (2, 1)):
        segments = Segments(length, size, most)
        assert segments.reached + segments.last.start == gone_over(segments)
        passes = [n for k in range(segments.count) for n in segments.passes(k)]
        assert passes == [*range(length)]
        assert segments.passes(segments.count - 1) == segments.last


@given(st.integers(2, 60), st.integers(0, 9), st.integers(1, 9), st.integers(0, 400))
def test_the_fewest_passes_again_that_memory_allows(length, carry_bytes, stored_bytes, most_bytes):
    """To a fiftieth: not all ways to have fewer snapshots and longer segments are tried."""
    found = Segments.within(length, carry_bytes, stored_bytes, most_bytes)
    every = [
        Segments(length, size, most) for size in range(1, length + 1) for most in range(length)
    ]
    fit = [s for s in every if s.bytes(carry_bytes, stored_bytes) <= most_bytes and s.is_worth_it]
    if fit:
        assert 50 * found.again <= 51 * min(s.again for s in fit) + 50
        assert found.bytes(carry_bytes, stored_bytes) <= most_bytes
    assert found.is_worth_it


def test_segments_of_the_root_of_the_length_take_one_pass_more():
    """Each pass is computed at most twice on the way there, in twice the root of the memory."""
    for length in (100, 1_000, 100_000):
        root = int(length**0.5)
        found = Segments.within(length, 1, 1, 2 * root + 2)
        assert found.again < length
    assert Segments.within(100_000, 1, 1, 2_000).again < 100_000


def test_the_source_has_the_same_schedule():
    names = {}
    exec("\n".join(BINOMIAL), names)
    for count in range(1, 200):
        for free in range(12):
            assert names["binomial"](count, free) == binomial(count, free)

"""What arrives at the results of scans, on the way back.

In: cotangents of results, one after the other. Out: those of all results of a scan, together.
Guaranteed: a scan goes back once.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from eingrad import _ir
from eingrad._ir import Apply, Node
from eingrad._recurrence.row import is_scan


class Arriving(NamedTuple):
    """The cotangent of a result; and, if it is not needed everywhere, flags of where it is."""

    bar: Node
    flags: Node | None


class Arrived:
    """Cotangents that have arrived at results of scans.

    `nodes` are those that are swept, operands first. The sweep meets the first result of a scan
    last: then those of all are known, and go back together.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._first: dict[object, Node] = {}
        self._known: dict[object, dict[int, Arriving]] = {}
        for node in filter(is_scan, nodes):
            self._first.setdefault((node.primitive, node.operands), node)

    def with_one_more(self, node: Apply, arriving: Arriving) -> Mapping[int, Arriving]:
        """Note one; give all of that scan, by the number of the result, when they are known."""
        scan = node.primitive, node.operands
        known = self._known.setdefault(scan, {})
        if not _ir.is_zero(arriving.bar):
            known[node.result] = arriving
        return known if self._first[scan] is node else {}

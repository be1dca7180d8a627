"""Which candidate is planned where an estimate tells them apart: of small arrays, calls decide.

In: candidates as they were derived, not normalised yet. Out: the one that is far the fastest, or
None.
Guaranteed: one pass over the graph of each; nothing is built. None wherever the arithmetic and the
memory that normalising may save could make up for the calls.

Normalising saves arithmetic. Of many nodes on few entries it leaves about as many calls as it
found: of the catalogue's programs where calls decide, the one of fewer calls always had the lower
price, and the ratio of their calls was within a third of that of their prices.

>>> from eingrad import _ir
>>> from eingrad._primitives import apply
>>> x = _ir.new_input("x", (3,))
>>> short = long = x
>>> for n in range(150):
...     long = apply("sin", long)
...     short = apply("sin", short) if n < 99 else short
>>> of_fewest_calls([[long], [short]])
1
"""

from collections.abc import Sequence

from eingrad import _ir
from eingrad._ir import Add, Apply, Node, Placement, Product
from eingrad._limits import BUDGET, MACHINE, POLICY
from eingrad._simplify import whole_work


def of_fewest_calls(options: Sequence[Sequence[Node]]) -> int | None:
    """Number the candidate that takes far less time in all than the calls of any other alone.

    Of few nodes none: to plan them all is short. Where there is one, that is it.
    """
    if len(options) == 1:
        return 0
    calls = [*map(_calls, options)]
    best, *others = sorted(range(len(options)), key=calls.__getitem__)
    most = max(len(_ir.topological(nodes)) for nodes in options)
    if most <= BUDGET.counted_nodes:
        return None
    time = calls[best] + whole_work(options[best])
    is_far = 100 * calls[others[0]] >= POLICY.percent_more_calls * time
    return best if is_far else None


def _calls(roots: Sequence[Node]) -> int:
    """Picoseconds that calls take, each about as long."""
    total = 0
    for node in _ir.topological(roots):
        match node:
            case Add():
                total += (len(node.terms) - 1) * MACHINE.call
            case Product(is_view=True):
                total += MACHINE.view
            case Product():
                total += max(1, len(node.factors) - 1) * MACHINE.call
            case Apply() | Placement():
                total += MACHINE.call
    return total

"""Which candidate is planned where an estimate tells them apart: of small arrays, calls decide.

In: candidates as they were differentiated, not normalised yet. Out: the one that is far the
fastest, or None.
Guaranteed: one pass over the graph of each; nothing is built. None wherever arithmetic and memory
are more than a little of what any of them takes: what they become, the normal form decides.

Normalising saves arithmetic. Of many nodes on few entries it leaves about as many calls as it
found: of the catalogue's derivatives with two directions, the ratio of their calls before was
within a fifth of that of their prices after.

>>> from eingrad import _ir
>>> from eingrad._primitives import apply
>>> x = _ir.new_input("x", (3,))
>>> short = long = x
>>> for n in range(150):
...     long = apply("sin", long)
...     short = apply("sin", short) if n < 99 else short
>>> of_fewest_calls({"forward": [long], "reverse": [short]})
'reverse'
"""

from collections.abc import Mapping, Sequence

from eingrad import _ir
from eingrad._ir import Add, Apply, Node, Placement, Product
from eingrad._limits import BUDGET, MACHINE, POLICY
from eingrad._simplify import whole_work


def of_fewest_calls(options: Mapping[str, Sequence[Node]]) -> str | None:
    """Name the candidate that makes far fewer calls than any other, where these are what it takes.

    Of few nodes none: to plan them all is short.
    """
    calls = {name: _calls(nodes) for name, nodes in options.items()}
    best, *others = sorted(options, key=calls.__getitem__)
    if any(100 * calls[name] < POLICY.percent_more_calls * calls[best] for name in others):
        return None
    if len(_ir.topological(options[others[-1]])) <= BUDGET.counted_nodes:
        return None
    is_small = all(
        POLICY.little * whole_work(nodes) <= calls[name] for name, nodes in options.items()
    )
    return best if is_small else None


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

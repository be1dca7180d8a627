"""Which candidates are built: bounds from the undifferentiated graph, and one table of rules.

In: a node that is to be differentiated, and in what. Out: the directions that are worth building,
and the rule that says so.
Guaranteed: nothing is differentiated.

`_sweeps` estimates what each direction takes. That is not counted to the last flop, for what a
product is made of decides `_plan`; so what is nearly as cheap is built too, and priced.

>>> from eingrad import _ir
>>> x, w = _ir.new_input("x", (9,)), _ir.new_input("w", (9, 9))
>>> y = x
>>> for _ in range(3):
...     y = _ir.einsum("ij,j->i", w, _ir.einsum("i,i->i", y, y))
>>> loss = _ir.einsum("i,i->", y, y)
>>> directions(Differentiation(loss, (x,)))
(('reverse',), 'the other direction has the larger bound')
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from eingrad import _ir
from eingrad._cost import roughly
from eingrad._ir import Node
from eingrad._limits import BUDGET, POLICY
from eingrad._locks import lazy
from eingrad._recurrence import is_scan, scan_of
from eingrad._sweeps import sweeps

Candidates = tuple[tuple[str, int], ...]


# Rules -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Differentiation:
    """One differentiation: of `y` in `variables`. Of a gradient, it may make a `hessian`."""

    y: Node
    variables: tuple[Node, ...]
    last: bool = True
    hessian: bool = False
    of_value: bool = False  # of the user's value, whose factors have his order

    @lazy
    def nodes(self) -> int:
        """How many nodes are differentiated."""
        return len(_ir.topological([self.y]))

    @lazy
    def has_many(self) -> bool:
        """Whether many nodes are computed; those of the step of a scan, as often as it runs."""
        return _count([self.y]) > POLICY.nodes_one_way

    @lazy
    def bounds(self) -> dict[str, int]:
        """Least time of each direction, with that of writing the result, which is the same."""
        size = POLICY.passes * self.y.size * sum(x.size for x in self.variables)
        result = roughly(size, size)
        return {name: result + sweeps(self.y, self.variables, name) for name in DIRECTIONS}

    @property
    def smaller(self) -> str:
        """The direction of the smaller bound."""
        return min(DIRECTIONS, key=self.bounds.__getitem__)

    @property
    def is_decided(self) -> bool:
        """Whether one bound is far above the other."""
        least, most = sorted(self.bounds.values())
        return most > POLICY.within * least


class Rule(NamedTuple):
    """A rule of choice: when it applies, the directions that are built then, what it says."""

    applies: Callable[[Differentiation], bool]
    directions: Callable[[Differentiation], tuple[str, ...]]
    says: str


class Choice(NamedTuple):
    """What was compared, with flops, the one that was taken first; and the rule that decided."""

    candidates: Candidates = ()
    rule: str = ""


ONLY_WRITES = "little is done but to write the result: no direction is much cheaper"
FEWER_CALLS = "the arrays are small, and the other direction makes far more calls"
IN_SERIES = "in one number, derivatives are coefficients of a series"
DIRECTIONS = ("reverse", "forward")

# The first that applies decides. A scalar in many numbers is never much cheaper forward. A gradient
# is one network that is read from either end: its derivative costs the same both ways, but for a
# hundredth, and forward leaves fewer terms. So it does where more orders follow.
RULES = (
    Rule(
        lambda s: s.y.size == sum(x.size for x in s.variables) == 1 and not (s.last and s.of_value),
        lambda _: ("forward",),
        "one number in one number is taken forward, and made of what its value is made of",
    ),
    Rule(
        lambda s: s.y.size == 1 and (not s.last or s.has_many),
        lambda _: ("reverse",),
        "a scalar of many nodes, or to be differentiated again, is taken in reverse",
    ),
    Rule(
        lambda s: (s.hessian and s.has_many) or (not s.last and s.y.size > 1 and not s.is_decided),
        lambda _: ("forward",),
        "a gradient of many nodes is differentiated forward: both ends are alike",
    ),
    Rule(
        lambda s: s.is_decided or s.nodes > BUDGET.compared_nodes,
        lambda s: (s.smaller,),
        "the other direction has the larger bound",
    ),
    Rule(
        lambda _: True,
        lambda _: DIRECTIONS,
        "the bounds are near each other: the lower price",
    ),
)


def directions(step: Differentiation) -> tuple[tuple[str, ...], str]:
    """Say which directions are built, first the one that may settle it, and by what rule.

    >>> x = _ir.new_input("x", (2,))
    >>> directions(Differentiation(x, (x,), last=False))[0]
    ('forward',)
    """
    rule = next(rule for rule in RULES if rule.applies(step))
    found = rule.directions(step)
    if len(found) > 1:
        first = "forward" if step.hessian else step.smaller
        found = tuple(sorted(found, key=lambda name: name != first))
    return found, rule.says


def _count(roots: Sequence[Node]) -> int:
    order = _ir.topological(roots)
    scans = {(scan_of(n), n.operands) for n in order if is_scan(n)}
    return len(order) + sum(row.length * _count(row.recurrence.results) for row, _ in scans)


def may_plan_between(values: Sequence[Node], order: int) -> bool:
    """Whether derivatives may be planned before their own are taken: where that is little work."""
    return order > 1 and len(_ir.topological(values)) <= BUDGET.nodes_between


def may_be_a_series(variables: Sequence[Node], order: int) -> bool:
    """Whether derivatives may be taken from a series: in one number, where that may be less work.

    Two orders are products of what the value is made of anyway.
    """
    return order > 2 and len(variables) == 1 and variables[0].size == 1  # noqa: PLR2004


def is_compared_in_print(outputs: Sequence[Node]) -> bool:
    """Whether the directions that were not built are priced for `print(plan)`."""
    return len(_ir.topological(outputs)) <= BUDGET.nodes_in_print

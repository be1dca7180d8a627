"""Products with the Jacobian, nested along one direction: coefficients of one series.

In: roots, and which nodes below them are rates of change of others, along which tangents. Out:
equal roots, in which such rates are made of series where that is computed faster.
Guaranteed: k products nested along one direction are ``k!`` times coefficient number k, whatever is
done with the inner ones; nothing is changed where products are nested once, or along tangents that
depend on the variables.

>>> from eingrad._diff import pushforward
>>> from eingrad._primitives import apply
>>> x, v = (_ir.new_input(name, (3,)) for name in "xv")
>>> y = apply("arctan", apply("reciprocal", x))
>>> nested, rates = [y], {}
>>> for _ in range(4):
...     nested += pushforward(nested[-1:], {x: v})
...     rates[nested[-1]] = nested[-2], ((x, v),)
>>> in_series(nested[-1:], rates, frozenset())[0] == nested[-1:]
False
"""

from collections.abc import Mapping, Sequence

from eingrad import _ir
from eingrad._derive import cheapest_values
from eingrad._diff import dependents
from eingrad._ir import Node
from eingrad._primitives import apply, is_identity
from eingrad._series import Series
from eingrad._simplify import Made

_FAR = 3  # times the nodes
Tangents = tuple[tuple[Node, Node], ...]  # variables, and the tangent of each
Rates = Mapping[Node, tuple[Node, Tangents]]  # what each is the rate of, and along what


def is_line(tangents: Tangents) -> bool:
    """Whether tangents do not depend on the variables: so they are the same at each product."""
    return not dependents([v for _, v in tangents], [x for x, _ in tangents])


def rates_below(roots: Sequence[Node], rates: Rates) -> dict[Node, tuple[Node, Tangents]]:
    """Pick the rates below some roots, and those below what they are rates of."""
    found: dict[Node, tuple[Node, Tangents]] = {}
    wanted = [*roots]
    while wanted:
        new = [n for n in _ir.topological(wanted) if n in rates and n not in found]
        found.update((n, rates[n]) for n in new)
        wanted = [rates[n][0] for n in new]
    return found


def outside(rates: Rates, replaced: Mapping[Node, Node]) -> dict[Node, tuple[Node, Tangents]]:
    """Put what is outside of a call in the place of its inputs.

    Where something else depends there on what a variable is, it does not move along with it: of
    ``c x`` along x, with ``c = cos(x)`` outside, c is constant. Such rates are not known any more.
    """
    found = {}
    for node, (of, along) in rates.items():
        variables, tangents = zip(*along, strict=True)
        others = [n for n in _ir.inputs([node, of, *tangents]) if n not in variables]
        nodes = _ir.substitute([node, of, *variables, *tangents, *others], replaced)
        new, new_of, *more = nodes
        xs, vs = more[: len(along)], more[len(along) : 2 * len(along)]
        is_known = len({*xs}) == len(xs) and not dependents(more[len(along) :], xs)
        if is_known and not _ir.is_zero(new):
            found[new] = new_of, (*zip(xs, vs, strict=True),)
    return found


def nested(rates: Rates) -> list[Tangents]:
    """Tangents along which a rate is made of another one."""
    found = []
    for along in dict.fromkeys(tangents for _, tangents in rates.values()):
        of = _rates_along(along, rates)
        if any(node in of for node in _ir.topological([*of.values()])):
            found.append(along)
    return found


def in_series(roots: Sequence[Node], rates: Rates, made: Made) -> tuple[list[Node], Made]:
    """Make nested rates of series, if that takes less time; else of what they were nested in.

    Gives also `made` with the digests of what differentiation made.
    """
    nested_ones: dict[Node, Node] = {}
    in_one: dict[Node, Node] = {}
    for along in nested(rates):
        of = _rates_along(along, rates)
        series = Series({x: [v] for x, v in along}, len(of), rates=of)
        in_one.update((node, series.coefficient(node, 0)) for node in of)
        whole = [node for node in of if is_identity(node)]
        nested_ones.update((node, _ir.children(node)[0]) for node in whole)
    derived = [n for n in _ir.topological(roots) if n.digest in made]
    plain = _ir.substitute([*roots, *derived], nested_ones)
    made = made | {n.digest for n in plain[len(roots) :]}
    options = [plain[: len(roots)], _ir.substitute(roots, in_one)]
    fewest, most = (len(_ir.topological(nodes)) for nodes in options[::-1])
    is_decided = most > _FAR * fewest  # so many terms take long to plan, and are no less work
    return options[1 if is_decided else cheapest_values(options, made)], made


def held_together(node: Node, rates: dict[Node, tuple[Node, Tangents]]) -> Node:
    """Give a rate that is made of another one as a node that no builder sees into.

    A product of it would be one product with its factors, and what it is would not be known.
    """
    of, along = rates.get(node, (node, ()))
    if of not in rates or rates[of][1] != along:
        return node
    held = apply("whole", node)
    rates[held] = of, along
    return held


def _rates_along(along: Tangents, rates: Rates) -> dict[Node, Node]:
    return {node: of for node, (of, tangents) in rates.items() if tangents == along}

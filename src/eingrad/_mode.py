"""Which mode an order of contraction is: forward, reverse, or cross-country.

In: a function's nodes, what they are differentiated in, and the program that was chosen. Out: the
name of its mode, its flops beside those of the pure modes, and who else makes each intermediate.
Guaranteed: the algebra decides, see `_monomials`; it is worked out when it is asked for, and not of
many nodes.

Forward mode makes tangents: products of local Jacobians from the variable up to a node. Reverse
mode makes cotangents: products of them from the result down. An order is *forward* where every
product that it makes is one that forward mode makes, or one of the function's own values; *reverse*
likewise. Where it is both, either mode makes it; where neither, it is *cross-country*: it
multiplies Jacobians from somewhere in the middle, or tangents with cotangents.

The products that a mode makes are those of its derivative as it is derived: what arrives at a node
is multiplied with the local Jacobian there, whose factors may come first, or some of them. Of
higher orders, each is derived of the one before, as that is made; forward over reverse is the
usual way to a Hessian. The flops of a pure mode are those of the program that makes its products
in this order, and each of the same value once. Of this much it is as clever as any other: equal
values are found, deltas are no products, symmetric results are made by halves.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from eingrad import _ir
from eingrad._choose import Choice, is_compared_in_print
from eingrad._derive import (
    Level,
    Root,
    derive,
    derive_orders,
    plan_derivatives,
    prepare,
    split,
    take_direction,
)
from eingrad._forms import Forms, arguments_of
from eingrad._ir import Apply, Factor, Input, Node, Product
from eingrad._limits import BUDGET
from eingrad._monomials import Monomials, TooManyError
from eingrad._plan import Program, find_path, halved, lower, numbered, pairwise
from eingrad._plan.kernels import Copy, Mirror, Reshape, Scale
from eingrad._primitives import Kind, jacobian, kind_of
from eingrad._simplify import Made
from eingrad._subscripts import Subscripts

FORWARD, REVERSE = "forward", "reverse"
EITHER, CROSS, VALUE, UNKNOWN = "either", "cross-country", "value", "unknown"
_MOST_FACTORS = 6  # of a step of a mode, all of whose parts are looked at


@dataclass(frozen=True, slots=True)
class Mode:
    """The mode of a plan: ``name``, and what pure modes would take.

    Attributes
    ----------
    name : str
        "forward", "reverse", "either" (no product is made that one of them does not make),
        "cross-country", of a Hessian also "forward over reverse"; "value" where nothing is
        differentiated, "unknown" where it was not worked out.
    flops : int
        Flops of the plan.
    pure : mapping
        Flops of each pure mode, by its name.
    reason : str
        Why it is unknown.
    kinds : mapping
        For values of `Plan.program` by number: "value" of the function, or made by "forward",
        "reverse", "either" mode; "cross-country" for what none of them makes.
    """

    name: str
    flops: int = 0
    pure: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""
    kinds: Mapping[int, str] = field(default_factory=dict, repr=False, compare=False)

    def __str__(self) -> str:
        if self.name == UNKNOWN:
            return f"{self.name}: {self.reason}"
        text = f"{self.name}: {self.flops:,} flops"
        others = [
            f"{name} {flops:,}" + (f" ({flops / self.flops:.1f}x)" if self.flops else "")
            for name, flops in self.pure.items()
        ]
        return "; ".join([text, ", ".join(others)] if others else [text])


NO_MODE = Mode(UNKNOWN, reason="the plan does not hold the function that it was made of")


@dataclass(frozen=True, slots=True)
class Question:
    """What was differentiated: outputs, in which variables, to which orders; all inputs."""

    outputs: tuple[Node, ...]
    variables: tuple[Node, ...]
    orders: tuple[int, ...]
    made: Made
    inputs: tuple[Input, ...]
    structured: bool = False


class _TooLargeError(Exception):
    """More nodes than are looked at."""


def find_mode(question: Question, program: Program) -> Mode:
    """Name the mode of a program that answers a question."""
    if max(question.orders) == 0:
        return Mode(VALUE, program.flops)
    if not is_compared_in_print(question.outputs):
        return _unknown(f"the function has more than {BUDGET.nodes_in_print} operations")
    values, _ = prepare(question.outputs, question.made)
    try:
        pure = {
            name: _PureMode(question, values, directions)
            for name, directions in _pure_modes(max(question.orders)).items()
        }
    except _TooLargeError:
        return _unknown(f"a pure mode makes more than {BUDGET.compared_nodes} intermediates")
    try:
        return _classified(question, program, values, pure)
    except TooManyError:
        return _unknown(f"more than {BUDGET.monomials} products would have to be compared")


def _unknown(reason: str) -> Mode:
    return Mode(UNKNOWN, reason=reason)


def _pure_modes(order: int) -> dict[str, tuple[str, ...]]:
    """Name the pure modes, with the direction of each differentiation."""
    modes = {FORWARD: (FORWARD,) * order, REVERSE: (REVERSE,) * order}
    if order > 1:
        modes["forward over reverse"] = (REVERSE, *(FORWARD,) * (order - 1))
    return modes


# Pure modes --------------------------------------------------------------------------------------


class _PureMode:
    """A derivative that is taken in given directions, and planned as it is derived."""

    def __init__(
        self, question: Question, values: Sequence[Node], directions: Sequence[str]
    ) -> None:
        self._first = {*values}
        self._directions = directions
        self.locals: dict[Node, None] = {}  # local Jacobians
        self.steps: dict[Node, None] = {}  # what is made, its products not pairwise yet
        self.roots, _ = derive_orders(
            values, question.variables, question.orders, self._differentiate, self._between
        )

    def _differentiate(
        self, y: Node, variables: tuple[Node, ...], /, *, last: bool, hessian: bool
    ) -> tuple[list[Node], Choice]:
        del last, hessian  # the direction is given
        level = _ir.topological([y])
        if len(level) > BUDGET.compared_nodes:
            raise _TooLargeError
        self.locals.update(dict.fromkeys(_local_jacobians(level, variables)))
        direction = self._directions[0 if y in self._first else -1]
        found = take_direction(y, variables, direction)
        steps = _ir.topological([*found, y])
        if len(steps) > BUDGET.compared_nodes:
            raise _TooLargeError
        found = self._opened(found, keep=level)
        self.steps.update(dict.fromkeys(_ir.topological(found)))
        return found, Choice()

    def _opened(self, roots: Sequence[Node], keep: Sequence[Node]) -> list[Node]:
        """Put the factors of local Jacobians in their place in products."""
        kept = {*keep}
        local = {_twin(node) for node in self.locals if isinstance(node, Product)} - kept

        def rule(node: Node) -> Node:
            if not isinstance(node, Product) or not any(n in local for n in node.operands):
                return node
            fresh = itertools.count(len(node.sizes))
            factors = [f for factor in node.factors for f in _factors(factor, local, fresh)]
            return _ir.contract(factors, node.out, node.sizes, node.coefficient, node.dtype)

        return _ir.rewrite(roots, rule, {node: node for node in keep})

    def _between(self, level: Level) -> Level:
        return dict(zip(level, pairwise([*level.values()], _alone), strict=True))

    def flops(self, question: Question) -> int:
        """Count the flops of the program that makes the products in the order of this mode."""
        nodes = [*dict.fromkeys(root.node for root in self.roots)]
        planned = dict(zip(nodes, pairwise(nodes, _alone), strict=True))
        roots = [_with_node(root, planned[root.node]).mirrored() for root in self.roots]
        return halved(lower(roots, arguments_of(question.inputs))).flops


def _with_node(root: Root, node: Node) -> Root:
    return Root(node, root.axes, root.symmetry)


def _alone(
    terms: Sequence[Subscripts], out: Subscripts, sizes: Mapping[int, int]
) -> tuple[tuple[int, ...], ...]:
    """Search a path for one product, as if there were no other."""
    return find_path(terms, out, sizes)


def _twin(node: Product) -> Product:
    return _ir.canonical_twin(node)[0]


def _factors(factor: Factor, local: set[Product], fresh: Iterator[int]) -> list[Factor]:
    if isinstance(factor.node, Product) and factor.node in local:
        return _ir.splice(factor.node, factor.term, fresh)
    return [factor]


def _local_jacobians(nodes: Iterable[Node], variables: Iterable[Node]) -> Iterator[Node]:
    """Give the Jacobians of calls in the operands that depend on a variable."""
    active = {*variables}
    for node in nodes:
        if any(child in active for child in _ir.children(node)):
            active.add(node)
            if isinstance(node, Apply) and kind_of(node) not in (Kind.CAST, Kind.SELECT):
                for k, operand in enumerate(node.operands):
                    found = jacobian(node, k) if operand in active else None
                    if found is not None:
                        yield found


# Which intermediates a mode makes ----------------------------------------------------------------


def _classified(
    question: Question,
    program: Program,
    values: Sequence[Node],
    pure: Mapping[str, _PureMode],
) -> Mode:
    """Compare the intermediates of a plan with those of pure modes."""
    forms = Forms()
    found, _ = derive(
        question.outputs, question.variables, question.orders, made=question.made, forms=forms
    )
    if question.structured:
        cores, _ = split([root.plain() for root in found], forms)
        planned = lowered = forms.form(cores)
    else:
        planned = forms.form([*dict.fromkeys(root.node for root in found)])
        lowered = plan_derivatives(found, forms)
    monomials = Monomials()
    passive = [*values, *(node for mode in pure.values() for node in mode.locals)]
    monomials.keep_sums(passive)
    own = _made_by(monomials, _ir.topological(values))
    made = {name: own | _made_by(monomials, mode.steps) for name, mode in pure.items()}
    nodes = _ir.topological(planned)
    if not all(map(monomials.is_complete, (n for n in nodes if isinstance(n, Product)))):
        return _unknown(f"a sum of products has more than {BUDGET.opened_terms} terms")
    kinds = {node: _kind(monomials.of(node), own, made) for node in nodes}
    products = [n for n in nodes if isinstance(n, Product) and len(n.factors) > 1]
    name = _name({frozenset(_makers(monomials.of(n), made)) for n in products}, [*made])
    again, numbers = numbered(lowered, arguments_of(question.inputs, program.inputs), forms.written)
    is_same = [s.targets for s in again.statements] == [s.targets for s in program.statements]
    of_values = {}
    if is_same:  # no loop was made, so values have the same numbers
        of_values = {numbers[n]: kind for n, kind in kinds.items() if n in numbers}
        _spread(of_values, program)
    flops = {name: mode.flops(question) for name, mode in pure.items()}
    return Mode(name, program.flops, flops, kinds=of_values)


def _spread(kinds: dict[int, str], program: Program) -> None:
    """Say of what is only scaled, moved or mirrored what is said of the result of that."""
    pairs = [
        (s.operands[0], s.targets[0])
        for s in program.statements
        if s.is_view or isinstance(s.kernel, Scale | Reshape | Mirror | Copy)
    ]
    for below, above in pairs[::-1]:
        if above in kinds:
            kinds.setdefault(below, kinds[above])
    for below, above in pairs:
        if below in kinds:
            kinds.setdefault(above, kinds[below])


def _made_by(monomials: Monomials, nodes: Iterable[Node]) -> frozenset[Node]:
    """Collect the monomials of nodes, and of the parts of their products."""
    found: set[Node] = set()
    for node in nodes:
        found |= monomials.of(node)
        if isinstance(node, Product) and 2 < len(node.factors) <= _MOST_FACTORS:  # noqa: PLR2004
            for part in _parts(node):
                found |= monomials.of(part)
    return frozenset(found)


def _parts(node: Product) -> Iterator[Node]:
    """Give the products of some factors: with what the others, and the result, have of them."""
    for count in range(2, len(node.factors)):
        for chosen in itertools.combinations(range(len(node.factors)), count):
            inside = [node.factors[k] for k in chosen]
            rest = [f for k, f in enumerate(node.factors) if k not in chosen]
            wanted = {*node.out}.union(*(term for _, term in rest))
            out = [i for i in dict.fromkeys(i for _, term in inside for i in term) if i in wanted]
            yield _ir.contract(inside, out, node.sizes, 1, node.dtype)


def _makers(wanted: frozenset[Node], made: Mapping[str, frozenset[Node]]) -> list[str]:
    return [name for name, known in made.items() if wanted <= known]


def _kind(
    wanted: frozenset[Node], own: frozenset[Node], made: Mapping[str, frozenset[Node]]
) -> str:
    if wanted <= own:
        return VALUE
    makers = {*_makers(wanted, made)}
    if {FORWARD, REVERSE} <= makers:
        return EITHER
    if FORWARD in makers:
        return FORWARD
    return REVERSE if makers else CROSS


def _name(makers: set[frozenset[str]], modes: Sequence[str]) -> str:
    """Name the mode whose makers make every product."""
    common = frozenset(modes).intersection(*makers)
    if {FORWARD, REVERSE} <= common:
        return EITHER
    return next((name for name in modes if name in common), CROSS)

"""The mode of a plan, what modes would take, and what makes each of its intermediates.

In: what was differentiated, and the program that was chosen. Out: a `Mode`.
Guaranteed: the definition is that of `makers`; it is worked out when it is asked for, and not of
many nodes.

The flops of a mode are those of the program that makes its products in this order, and each of the
same value once. Of this much it is as clever as any other: equal values are found, deltas are no
products, symmetric results are made by halves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from eingrad import _ir
from eingrad._choose import is_compared_in_print
from eingrad._cores import split
from eingrad._derive import Root, derive, plan_derivatives, prepare
from eingrad._forms import Forms, arguments_of
from eingrad._ir import Input, Node, Product
from eingrad._limits import BUDGET
from eingrad._mode.makers import Makers, UnknownError
from eingrad._mode.names import UNKNOWN, VALUE, modes_of, name_of
from eingrad._mode.of_scans import count_in_steps, has_scans, modes_of_scans
from eingrad._mode.pure import PureMode, Sweeps, TooLargeError
from eingrad._plan import Program, halved, lower, numbered
from eingrad._plan.kernels import Copy, Mirror, Reshape, Scale
from eingrad._simplify import Made


@dataclass(frozen=True, slots=True)
class Mode:
    """The mode of a plan: ``name``, and what pure modes would take.

    Attributes
    ----------
    name : str
        "forward", "reverse"; of higher orders the direction of each differentiation, the last one
        first: "forward over reverse". "either" where every mode makes all products of the plan, or
        for a direction that does not matter, as in "either over reverse"; "cross-country" where no
        mode makes all of them; "value" where nothing is differentiated, "unknown" where it was not
        worked out.
    flops : int
        Flops of the plan.
    pure : mapping
        Flops of each pure mode, by its name.
    reason : str
        Why it is unknown.
    kinds : mapping
        For values of `Plan.program` by number: "value" of the function, or the name of the modes
        that make it; "cross-country" for what none of them makes.
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


def find_mode(question: Question, program: Program) -> Mode:
    """Name the mode of a program that answers a question."""
    order = max(question.orders)
    if order == 0:
        return Mode(VALUE, program.flops)
    is_long = count_in_steps(_ir.topological(question.outputs)) > BUDGET.nodes_in_print
    if is_long or not is_compared_in_print(question.outputs):
        return _unknown(f"the function has more than {BUDGET.nodes_in_print} operations")
    values, _ = prepare(question.outputs, question.made)
    sweeps = Sweeps(BUDGET.compared_nodes)
    try:
        pure = {
            mode: PureMode(values, question.variables, question.orders, mode, sweeps)
            for mode in modes_of(order)
        }
    except TooLargeError:
        return _unknown(f"a pure mode makes more than {BUDGET.compared_nodes} intermediates")
    try:
        return _classified(question, program, values, pure)
    except UnknownError as error:
        return _unknown(str(error))


def _unknown(reason: str) -> Mode:
    return Mode(UNKNOWN, reason=reason)


def _classified(
    question: Question, program: Program, values: Sequence[Node], pure: Mapping[str, PureMode]
) -> Mode:
    """Compare the intermediates of a plan with those of pure modes."""
    forms = Forms()
    planned, lowered = _planned(question, forms)
    joined = {mode: _joined(each, forms) for mode, each in pure.items()}
    steps = {
        mode: [*each.steps, *_ir.topological([root.node for root in joined[mode]])]
        for mode, each in pure.items()
    }
    local = [node for mode in pure.values() for node in mode.local]
    makers = Makers(steps, planned, _ir.topological(values), local)
    nodes = _ir.topological(planned)
    scans = modes_of_scans(steps, _ir.topological(values), nodes) if has_scans(nodes) else {}
    known = {
        scan: VALUE if made.is_value else name_of(made.modes, makers.modes)
        for scan, made in scans.items()
    }
    kinds = {node: known.get(node) or makers.kind(node) for node in nodes}
    by_number = _numbered(kinds, lowered, question, program, forms)
    products = [n for n in nodes if isinstance(n, Product) and len(n.factors) > 1]
    common = makers.common(products).intersection(*(made.modes for made in scans.values()))
    flops = {mode: _flops(roots, question) for mode, roots in joined.items()}
    if scans and not common:
        raise UnknownError("no mode makes all products, as far as those of scans are compared")
    return Mode(name_of(common, makers.modes), program.flops, flops, kinds=by_number)


def _planned(question: Question, forms: Forms) -> tuple[list[Node], list[Node]]:
    """Derive and plan again what was asked for; give it as planned, and as it is lowered."""
    found, _ = derive(
        question.outputs,
        question.variables,
        question.orders,
        made=question.made,
        forms=forms,
        is_final=True,
    )
    if question.structured:
        cores, _ = split([root.plain() for root in found], forms)
        planned = forms.form(cores)
        return planned, planned
    planned = forms.form([*dict.fromkeys(root.node for root in found)])
    return planned, plan_derivatives(found, forms)


def _numbered(
    kinds: Mapping[Node, str],
    lowered: Sequence[Node],
    question: Question,
    program: Program,
    forms: Forms,
) -> dict[int, str]:
    """Say of values by number what is said of nodes; of none where a loop was made."""
    arguments = arguments_of(question.inputs, program.inputs)
    again, numbers = numbered(lowered, arguments, forms.written)
    if [s.targets for s in again.statements] != [s.targets for s in program.statements]:
        return {}
    by_number = {numbers[n]: kind for n, kind in kinds.items() if n in numbers}
    _spread(by_number, program)
    return by_number


def _joined(mode: PureMode, forms: Forms) -> list[Root]:
    """Join the scans of a mode, as those of a plan are; without scans nothing changes."""
    nodes = [*dict.fromkeys(root.node for root in mode.roots)]
    joined = dict(zip(nodes, forms.join_scans(nodes), strict=True))
    return [replace(root, node=joined[root.node]) for root in mode.roots]


def _flops(roots: Sequence[Root], question: Question) -> int:
    """Count the flops of the program that makes the products in the order of a mode."""
    mirrored = [root.mirrored() for root in roots]
    return halved(lower(mirrored, arguments_of(question.inputs))).flops


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

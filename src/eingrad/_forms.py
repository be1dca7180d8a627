"""Forms of derivatives: each is normalised, planned and priced, and the cheapest is computed.

In: roots as they were derived. Out: equal roots whose products are pairwise, and their price.
Guaranteed: the form as it was derived is kept where its normal form would take longer; it is
planned only below `BUDGET.compared_nodes`, and where an estimate of its work is not above. What two
candidates have in common is normalised and priced once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from eingrad import _ir, _reuse
from eingrad._choose import Choice
from eingrad._ir import Input, Node
from eingrad._limits import BUDGET, POLICY
from eingrad._memory import Limit
from eingrad._plan import (
    InputSpec,
    Price,
    Prices,
    Program,
    Search,
    compose,
    find_path,
    pairwise,
    solved,
)
from eingrad._recurrence import Recurrence, join
from eingrad._simplify import Memo, simplify, work

_Roots = tuple[Node, ...]


class Forms:
    """Forms of derivatives, each normalised, planned and priced once.

    Nodes that the user has `written` are computed as they are, and never made of the factors of
    their operands.
    """

    def __init__(
        self,
        search: Search = find_path,
        written: Iterable[Node] = (),
        limit: Limit | None = None,
    ) -> None:
        self._search = search
        self.limit = limit  # of memory
        self.written = frozenset(written)
        self._memo = Memo()
        self._forms: dict[_Roots, _Roots] = {}
        self._planned: dict[_Roots, _Roots] = {}
        self._nodes = Prices()
        self._prices: dict[_Roots, Price] = {}

    def normal(self, roots: Sequence[Node]) -> list[Node]:
        """Bring roots to normal form."""
        return simplify(roots, self._memo, self.written)

    def pairwise(self, roots: Sequence[Node]) -> list[Node]:
        """Rewrite the products of these roots as pairwise ones."""
        return pairwise(roots, self._search, self.written)

    def join_scans(self, roots: Sequence[Node]) -> list[Node]:
        """Join scans among these roots, and plan their steps; leave other products as they are."""
        return join(roots, self._plan_step)

    def price(self, roots: Sequence[Node]) -> Price:
        """Price what these roots are computed by."""
        return self._price(self._cheapest(tuple(roots)))

    def least(self, candidates: Sequence[Sequence[Node]]) -> int:
        """Number the cheapest of some candidates; of those alike, that with the lowest peak."""
        return self._least([self._cheapest(tuple(roots)) for roots in candidates])

    def form(self, roots: Sequence[Node]) -> list[Node]:
        """Give equal roots whose products are pairwise.

        They come from the normal form; from the form as it is where that would cost less.
        """
        return [*self._cheapest(tuple(roots))]

    def program(
        self,
        roots: Sequence[Node],
        inputs: Sequence[Input],
        specs: Sequence[InputSpec] | None = None,
        choice: Choice = Choice(),  # noqa: B008 - a tuple
    ) -> Program:
        """Lower what these roots are computed by."""
        program = compose(
            self.form(roots),
            arguments_of(inputs, specs),
            choice.candidates,
            self.written,
            self.limit,
        )
        return replace(program, rule=choice.rule)

    def _cheapest(self, roots: _Roots) -> _Roots:
        if roots not in self._forms:
            normal = (*self.normal(roots),)
            forms = [self._plan(normal)]
            if roots != normal and _may_be_cheaper(roots, normal):
                forms.append(self._plan(roots))
            self._forms[roots] = forms[self._least(forms)]
        return self._forms[roots]

    def _plan(self, roots: _Roots) -> _Roots:
        """Make products pairwise; candidates may have their normal form in common."""
        if roots not in self._planned:
            self._planned[roots] = (*join(self.pairwise(roots), self._plan_step),)
        return self._planned[roots]

    def _plan_step(self, step: Recurrence) -> Recurrence:
        """Plan the step of a scan like a program of its own; the same step once."""

        def plan() -> Recurrence:
            forms = Forms(self._search, step.written)
            planned = solved(forms.form(step.results), step.written)
            count = len(step.roots)
            return replace(step, roots=(*planned[:count],), outputs=(*planned[count:],))

        return _reuse.find_or_derive(("plan", self._search, step), plan)

    def _least(self, forms: Sequence[_Roots]) -> int:
        if len(forms) == 1:
            return 0
        times = [self._price(form).picoseconds for form in forms]
        most = min(times) + min(times) // POLICY.part_alike
        best = [n for n, time in enumerate(times) if time <= most]
        return min(best, key=lambda n: self._nodes.peak_bytes(forms[n])) if best[1:] else best[0]

    def _price(self, form: _Roots) -> Price:
        if form not in self._prices:
            self._prices[form] = self._nodes.of(form)
        return self._prices[form]


def _may_be_cheaper(raw: Sequence[Node], normal: Sequence[Node]) -> bool:
    """Whether a form is worth planning beside the normal one: by an estimate of both."""
    if len(_ir.topological(raw)) > BUDGET.compared_nodes:
        return False
    before, after = (sum(work(root, ()) for root in roots) for roots in (raw, normal))
    return before < after


def arguments_of(
    inputs: Sequence[Input], specs: Sequence[InputSpec] | None = None
) -> list[tuple[Input, InputSpec]]:
    specs = specs or [InputSpec(n.name, n.name, n.shape, n.dtype) for n in inputs]
    return list(zip(inputs, specs, strict=True))


def compile_program(
    roots: Sequence[Node],
    inputs: Sequence[Input],
    specs: Sequence[InputSpec] | None = None,
    search: Search = find_path,
    written: Iterable[Node] = (),
    limit: Limit | None = None,
) -> Program:
    """Normalise, plan and lower."""
    return Forms(search, written, limit).program(roots, inputs, specs)

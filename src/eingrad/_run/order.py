"""In which order a plan contracts: the path of each product, read off its statements.

In: a program. Out: a `ProductPath` for each product of it.
Guaranteed: what is read is what runs, so a path is the one that was planned also where the plan was
pickled, or is made in pieces; each pairwise step of the program is in one path, once.

A product begins at values that no contraction makes, and at those that several steps use: these are
its operands. It ends where something else than one contraction uses its result.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from eingrad import _subscripts
from eingrad._plan import Program, Statement, kernels
from eingrad._subscripts import Shape, Subscripts
from eingrad.errors import PathError

_Name = tuple[int, ...]  # of a value; of one in a loop, the loop's statement stands before it


@dataclass(frozen=True, slots=True)
class ProductPath:
    """The path along which a plan contracts one product.

    Attributes
    ----------
    subscripts : str
        Of the product: a term for each operand, and the one of the result.
    operands : tuple of str
        Names of the operands: inputs first, in the order of the plan, then constants, then values
        that other steps make, as `Plan.source` calls them.
    result : str
        What `Plan.source` calls the result.
    ssa : tuple of tuple of int
        For each step, which two it contracts: operands are numbered from 0, results of steps on
        from them. OMEinsum and cotengra write it so.
    """

    subscripts: str
    operands: tuple[str, ...]
    result: str
    ssa: tuple[tuple[int, ...], ...]

    @property
    def linear(self) -> list[tuple[int, ...]]:
        """For each step, the positions that it contracts, as opt_einsum and NumPy write it.

        What was contracted is removed, and the result appended.
        """
        live, path = [*range(len(self.operands))], []
        for n, step in enumerate(self.ssa, len(self.operands)):
            path.append(tuple(sorted(map(live.index, step))))
            live = [k for k in live if k not in step] + [n]
        return path


def paths_of(program: Program) -> tuple[ProductPath, ...]:
    """Read the path of every product of two or more operands, in the order of their results."""
    reading = _Reading(program)
    return tuple(p for p in map(reading.path, reading.roots) if len(p.operands) > 1)


def path_of(program: Program) -> list[tuple[int, ...]]:
    """Read the path of a program that is one product of inputs; refuse any other."""
    reading = _Reading(program)
    if len(program.outputs) == 1 and reading.roots == [program.outputs]:
        operands = reading.operands(program.outputs)
        if all(len(name) == 1 and name[0] < program.first for name in operands):
            return reading.path(program.outputs).linear or [(0,)]
    products = sum(len(reading.operands(root)) > 1 for root in reading.roots)
    others = ", ".join(dict.fromkeys(reading.others)) or "none"
    raise PathError(
        f"the plan is no single product of its inputs (results: {len(program.outputs)}; products: "
        f"{products}; other steps: {others}); plan.paths has the path of each product, plan.tree "
        "says how they hang together"
    )


class _Step(NamedTuple):
    """A contraction of a program: indices of its operands, and of its result."""

    operands: tuple[_Name, ...]
    terms: tuple[Subscripts, ...]
    out: Subscripts

    def below(self, term: Subscripts, fresh: Iterator[int]) -> list[tuple[_Name, Subscripts]]:
        """Name the indices of operands, where the result has those of a term; the rest are new."""
        label = dict(zip(self.out, term, strict=True))
        for index in dict.fromkeys(i for known in self.terms for i in known):
            if index not in label:
                label[index] = next(fresh)
        terms = [tuple(label[index] for index in known) for known in self.terms]
        return list(zip(self.operands, terms, strict=True))


class _Tree(NamedTuple):
    """What a product is made from: operands with their indices, and steps, last ones first.

    A step refers to an operand by its number, and to another step by what that makes.
    """

    operands: list[tuple[_Name, Subscripts]]
    steps: dict[_Name, list[int | _Name]]
    out: Subscripts


class _Reading:
    """The contractions of a program, those in loops too, by the value that they make."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._steps: dict[_Name, _Step] = {}  # in the order of the program
        self._uses: Counter[_Name] = Counter()
        self.others: list[str] = []  # labels of what is no contraction
        self._read(program, (), {})
        self._uses.update((n,) for n in program.outputs)
        self._inner = {
            name
            for step in self._steps.values()
            for name in step.operands
            if name in self._steps and self._uses[name] == 1
        }
        self.roots = [name for name in self._steps if name not in self._inner]

    def _read(self, program: Program, place: _Name, known: Mapping[int, _Name]) -> None:
        """Note what each statement does; `known` are values of a loop's body that go by others."""

        def name(value: int) -> _Name:
            return known.get(value, (*place, value))

        shapes = [result.shape for result in program.values()]
        filled = {n for s in program.statements for n in s.written}
        for statement in program.statements:
            kernel, operands = statement.kernel, tuple(map(name, statement.operands))
            if isinstance(kernel, kernels.Loop):
                if kernel.passes.start == 0:  # what is left over after whole tiles is alike
                    inside = (*place, statement.written[0])
                    self._read(kernel.body, inside, _outside(statement, operands))
                continue
            read = _subscripts_of(statement, shapes)
            if read is not None:
                operands = operands[: len(read[0])]
                self._steps[name(statement.targets[0])] = _Step(operands, *read)
            elif not (isinstance(kernel, kernels.Number) or filled.issuperset(statement.targets)):
                self.others.append(kernel.label)
            self._uses.update(operands)

    def operands(self, root: _Name) -> list[_Name]:
        """Name what a product is made from, each as often as it occurs."""
        return [name for name, _ in self._tree(root).operands]

    def path(self, root: _Name) -> ProductPath:
        """Write the path of a product."""
        tree = self._tree(root)
        order = sorted(range(len(tree.operands)), key=lambda n: tree.operands[n][0])
        number: dict[int | _Name, int] = {n: k for k, n in enumerate(order)}
        ssa = []
        for made in sorted(tree.steps, key=[*self._steps].index):
            ssa.append(tuple(sorted(number[operand] for operand in tree.steps[made])))
            number[made] = len(number)
        operands = [tree.operands[n] for n in order]
        terms, out = _subscripts.renumber([term for _, term in operands], tree.out)
        names = tuple(self._shown(name) for name, _ in operands)
        return ProductPath(_subscripts.text(terms, out), names, self._shown(root), tuple(ssa))

    def _tree(self, root: _Name) -> _Tree:
        """Go down from a result to what several steps use, or no contraction makes."""
        fresh = itertools.count()
        out = tuple(next(fresh) for _ in self._steps[root].out)
        tree = _Tree([], {}, out)
        pending: list[tuple[_Name, Subscripts]] = []

        def enter(name: _Name, term: Subscripts) -> int | _Name:
            while name in self._inner or name == root:
                below = self._steps[name].below(term, fresh)
                if len(below) > 1:
                    pending.append((name, term))
                    return name
                ((name, term),) = below
            tree.operands.append((name, term))
            return len(tree.operands) - 1

        enter(root, out)
        while pending:
            name, term = pending.pop()
            tree.steps[name] = [enter(*pair) for pair in self._steps[name].below(term, fresh)]
        return tree

    def _shown(self, name: _Name) -> str:
        """Name a value as the table of steps does."""
        program = self._program
        if name[0] >= program.first:
            return "_".join([f"t{name[0] - program.first}", *map(str, name[1:])])
        inputs = len(program.inputs)
        return program.inputs[name[0]].name if name[0] < inputs else f"constant {name[0] - inputs}"


def _outside(loop: Statement, operands: Sequence[_Name]) -> dict[int, _Name]:
    """Say which values of a loop's body are slices of values outside of it, as these go by there.

    Its inputs are: whole, or along one axis. Its results are, of what it writes or adds to.
    """
    assert isinstance(loop.kernel, kernels.Loop)
    body = loop.kernel.body
    written = operands[len(operands) - len(loop.written) :]
    inputs = dict(enumerate(operands[: len(body.inputs)]))
    return {**dict(zip(body.outputs, written, strict=True)), **inputs}


def _subscripts_of(
    statement: Statement, shapes: Sequence[Shape]
) -> tuple[tuple[Subscripts, ...], Subscripts] | None:
    """Give the subscripts of a step that contracts or only moves; None of any other.

    What repeats entries along a new axis is none: no operand has the index of that.
    """
    kernel = statement.kernel
    match kernel:
        case (
            kernels.View(terms=terms, out=out)
            | kernels.Sum(terms=terms, out=out)
            | kernels.Multiply(terms=terms, out=out)
            | kernels.MatMul(terms=terms, out=out)
            | kernels.Outer(terms=terms, out=out)
            | kernels.EinsumLoop(terms=terms, out=out)
        ):
            return (terms, out) if {*out} <= {i for term in terms for i in term} else None
        case kernels.Scale() | kernels.Copy() | kernels.Mirror():
            term = tuple(range(len(statement.shape)))
            return (term,), term
        case kernels.Reshape():
            return _without_single_axes(shapes[statement.operands[0]], statement.shape)
    return None


def _without_single_axes(
    before: Shape, after: Shape
) -> tuple[tuple[Subscripts, ...], Subscripts] | None:
    """Read a change of shape that drops axes of size one; None where it is another.

    Which of several such axes in a row are dropped is not known, nor does it change a value.
    """
    axes: list[int] = []
    for axis, size in enumerate(before):
        if len(axes) < len(after) and size == after[len(axes)]:
            axes.append(axis)
        elif size != 1:
            return None
    return ((tuple(range(len(before))),), tuple(axes)) if len(axes) == len(after) else None

"""Sums of products of nodes as a problem: operands by name, indices by letter, values at a point.

In: for each output its `Monomial`s; arrays for the inputs. Out: a `Problem`, and the node of each
of its operands.
Guaranteed: operands are named as formulas print them, those of one name apart; inputs come first,
deltas and ones last; the operands' values are those of one point.
"""

import re
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from eingrad import _formula, _ir, _opaque
from eingrad._cache import input_specs
from eingrad._forms import compile_program
from eingrad._ir import Add, Apply, Constant, Einsum, Input, Node, Placement, Selection, Structural
from eingrad._run import Executable
from eingrad.errors import DTypeError, PlanError
from eingrad.paths.problem import Array, Operand, Output, Problem, Term
from eingrad.paths.sums import Monomial

_LONGEST = 40  # letters of a name
_MOST_ENTRIES = 1 << 22  # of a structural tensor that is written out
_LETTERS = string.ascii_letters


@dataclass(frozen=True)
class Point:
    """Arrays for the inputs below the operands, by node, and for unknown functions, by name."""

    arrays: Mapping[Node, Array]
    unknown: Mapping[str, Array] = field(default_factory=dict)
    variables: frozenset[Node] = frozenset()  # inputs that vary; what is made of others is constant


def write_problem_of(
    name: str,
    results: Sequence[tuple[Sequence[Monomial], int]],
    point: Point,
    provenance: str,
    more: Iterable[Node] = (),
    primal: Iterable[Sequence[Monomial]] = (),
) -> tuple[Problem, list[Node]]:
    """Make the problem of some sums, each with the number of its axes that are the function's.

    `more` are operands that no term has. `primal` are sums that the function computes: those of
    operands alone are noted.
    """
    used = [n for terms, _ in results for term in terms for n, _ in term.factors]
    used += [_ones(term, index) for terms, _ in results for term in terms for index in _bare(term)]
    used += [
        _ir.fill(1, (), float) for terms, _ in results for t in terms if not (t.factors or t.out)
    ]
    nodes = sorted(dict.fromkeys([*used, *more]), key=_rank)
    names = _names(nodes)
    values = _evaluate(nodes, point)
    operands = {names[node]: _operand(node, values[node], point) for node in nodes}
    letters = _Letters()
    outputs = tuple([_output(terms, axes, names, letters) for terms, axes in results])
    noted = [sum_ for sum_ in primal if sum_ and all(_is_of(term, names) for term in sum_)]
    own = tuple([_output(terms, len(terms[0].out), names, letters) for terms in noted])
    known = {names[n]: values[n] for n in nodes if not _is_delta(n)}
    problem = Problem(name, outputs, operands, letters.sizes, provenance, known=known, primal=own)
    return problem, nodes


def _is_of(term: Monomial, names: Mapping[Node, str]) -> bool:
    """Whether a term is a product of operands that have names, which carry all its indices."""
    needed = [*(n for n, _ in term.factors), *(_ones(term, index) for index in _bare(term))]
    return bool(needed) and all(node in names for node in needed)


def _bare(term: Monomial) -> list[int]:
    """Indices of the output that no factor has."""
    return [i for i in term.out if not any(i in inner for _, inner in term.factors)]


def _ones(term: Monomial, index: int) -> Node:
    return _ir.fill(1, (term.sizes[index],), float)


def _is_delta(node: Node) -> bool:
    return isinstance(node, Selection) and node.is_delta


# Terms -------------------------------------------------------------------------------------------


class _Letters:
    """Letters for indices: within a term each has its own, in all terms a letter has one size."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self._of_size: dict[int, list[str]] = {}

    def of_term(self, term: Monomial) -> dict[int, str]:
        """Name the indices of a term, those of the output first."""
        order = dict.fromkeys([*term.out, *(i for _, inner in term.factors for i in inner)])
        used: dict[int, int] = {}
        found = {}
        for index in order:
            size = term.sizes[index]
            place = used[size] = used.get(size, -1) + 1
            found[index] = self._get(size, place)
        return found

    def _get(self, size: int, place: int) -> str:
        letters = self._of_size.setdefault(size, [])
        while len(letters) <= place:
            n = len(self.sizes)
            letter = _LETTERS[n] if n < len(_LETTERS) else f"i{n}"
            letters.append(letter)
            self.sizes[letter] = size
        return letters[place]


def _output(
    terms: Sequence[Monomial], axes: int, names: Mapping[Node, str], letters: _Letters
) -> Output:
    written = []
    for term in terms:
        letter = letters.of_term(term)
        factors = [(names[n], tuple([letter[i] for i in inner])) for n, inner in term.factors]
        factors += [(names[_ones(term, i)], (letter[i],)) for i in _bare(term)]
        if not factors:
            factors.append((names[_ir.fill(1, (), float)], ()))
        operands, indices = zip(*factors, strict=True)
        if isinstance(term.coefficient, complex):
            raise DTypeError(
                f"a term has the coefficient {term.coefficient}; contraction orders are compared "
                "for real arrays: take the real and the imaginary part apart"
            )
        written.append(Term(operands, indices, float(term.coefficient)))
        out = tuple([letter[index] for index in term.out])
    return Output(out, tuple(written), axes)


# Operands ----------------------------------------------------------------------------------------


def _rank(node: Node) -> tuple[int, int, bytes]:
    """Inputs as they were made, then what is computed, then structure."""
    match node:
        case Input():
            return 0, node.serial, b""
        case Placement() if _ir.is_fill(node):
            return 4, node.size, b""
        case Structural():
            return (3 if _is_delta(node) else 2), node.size, node.digest
    return 1, 0, node.digest


def _operand(node: Node, value: Array, point: Point) -> Operand:
    if _is_delta(node):
        return Operand(node.shape, "float64", "delta")
    varies = not point.variables.isdisjoint(_ir.inputs([node]))
    symmetric: tuple[tuple[int, ...], ...] = ()
    if isinstance(node, Apply):
        blocks = [group for group in node.symmetry if all(len(block) == 1 for block in group)]
        symmetric = tuple([tuple([axis for (axis,) in group]) for group in blocks])
    return Operand(node.shape, value.dtype.name, "input" if varies else "constant", symmetric)


def _names(nodes: Sequence[Node]) -> dict[Node, str]:
    """Name operands as formulas do; those of one name are numbered."""
    names: dict[Node, str] = {}
    taken: set[str] = set()
    known: dict[Node, str] = {}
    for node in nodes:
        name = _name(node, known)
        free = _free(name)
        names[node] = next(each for each in free if each not in taken)
        taken.add(names[node])
    return names


def _free(name: str) -> Iterator[str]:
    yield name
    n = 2
    while True:
        yield f"{name}_{n}"
        n += 1


def _name(node: Node, known: dict[Node, str]) -> str:
    """Name an operand; `known` gains its name, and those of what it is named by."""
    if node not in known:
        known[node] = _made_up(node, known)
    return known[node]


def _made_up(node: Node, known: dict[Node, str]) -> str:
    match node:
        case Input(name=name):
            return name
        case Constant():
            return "constant"
        case Placement() if _ir.is_fill(node):
            return f"ones({node.size})"
        case Structural():
            what = "picks" if isinstance(node, Selection) else "merge"
            what = "delta" if _is_delta(node) else what
            return f"{what}({','.join(map(str, dict.fromkeys(node.shape)))})"
    written = "" if _is_long(node) else _printed(node)
    if 0 < len(written) <= _LONGEST:
        return written
    if isinstance(node, Placement):
        assert node.core is not None
        return f"part of {_name(node.core.node, known)}"
    if isinstance(node, Apply):
        return node.primitive.name
    short = _sum(node, known) if isinstance(node, Add) else ""
    return short if 0 < len(short) <= _LONGEST else "sum"


def _is_long(node: Node) -> bool:
    """Whether more inputs are written in its formula than a name has letters.

    Each time they are: a value used twice is twice in a formula of one line.
    """
    found, stack = 0, [node]
    while stack and found <= _LONGEST:
        node = stack.pop()
        below = _formula.below(node)
        stack += below
        found += not below and not _ir.is_fill(node)
    return found > _LONGEST


def _sum(node: Add, known: dict[Node, str]) -> str:
    """Write ``1 - tanh(W x) tanh(W x)``."""
    text = ""
    pairs = zip(node.terms, node.coefficients, strict=True)
    for term, factor in sorted(pairs, key=lambda pair: not _ir.is_fill(pair[0])):
        number, factors = factor, [term]
        if isinstance(term, Einsum):
            number = _ir.multiply(factor, term.coefficient)
            factors = [*term.operands]
        value = _ir.as_float(number) if not isinstance(number, complex) else number
        words = [_name(factor, known) for factor in factors]
        size = abs(value)
        if size != 1 or not words:
            words.insert(0, f"{size:g}")
        sign = "-" if isinstance(value, float) and value < 0 else "+"
        text += f" {sign} {' '.join(words)}"
    return text.removeprefix(" + ").lstrip()


def _printed(node: Node) -> str:
    """Write ``inv(A)`` for ``[i,j] = inv(A)[i,j]`` and ``exp(B x)`` for its entries' formula.

    Nothing, where it takes several lines.
    """
    lines = _formula.text(node).splitlines()
    if len(lines) > 1:
        return ""
    text = lines[0].partition(" = ")[2] if node.ndim else lines[0]
    if isinstance(node, Placement):
        return text
    return re.sub(r"sum_\S+ |\[[^\]]*\]", "", text)


def _evaluate(nodes: Sequence[Node], point: Point) -> dict[Node, Array]:
    """Compute all operands at the point."""
    found: dict[Node, Array] = {}
    computed = []
    for node in nodes:
        if node in point.arrays:
            found[node] = np.asarray(point.arrays[node], node.dtype)
        elif isinstance(node, Structural):
            if node.size > _MOST_ENTRIES:
                raise PlanError(
                    f"a selection or reshape of shape {node.shape} would be an operand of "
                    f"{node.size:,} entries; contract smaller arrays, or without it"
                )
            found[node] = _ir.dense(node).astype(float)
        elif _ir.is_fill(node):
            found[node] = np.ones(node.shape)
        else:
            computed.append(node)
    found.update(zip(computed, _compute(computed, point), strict=True))
    _check(found)
    return found


def _compute(nodes: Sequence[Node], point: Point) -> list[Array]:
    if not nodes:
        return []
    roots, inputs = _opaque.open_inputs(nodes)
    program = compile_program(roots, inputs, input_specs(inputs))
    arrays = [
        np.asarray(point.arrays[n] if n in point.arrays else point.unknown[n.name], n.dtype)
        for n in inputs
    ]
    with np.errstate(all="ignore"):
        return [np.asarray(value) for value in Executable(program).run(arrays)]


def _check(values: Mapping[Node, Array]) -> None:
    for node, value in values.items():
        if value.dtype.kind == "c":
            raise DTypeError(
                f"the operand {_name(node, {})} is {value.dtype}; contraction orders are compared "
                "for real arrays"
            )
        if not np.isfinite(value).all():
            raise PlanError(
                f"the operand {_name(node, {})} is not finite where the derivative was taken; give "
                "arrays where it is, in the place of shapes"
            )

"""Lower linear combinations: plain terms are added, structured ones placed onto the sum."""

from collections.abc import Sequence

from eingrad import _ir
from eingrad._ir import Add, Coefficient, Node, Product
from eingrad._plan import kernels
from eingrad._plan.lower.placements import place
from eingrad._plan.lower.products import twin_key
from eingrad._plan.lower.writer import Writer
from eingrad._plan.mirror import is_power_of_two
from eingrad._plan.outer import unsigned
from eingrad._plan.program import Result

_Term = tuple[Node, Coefficient]


def find_folded(roots: Sequence[Node], order: Sequence[Node]) -> dict[Node, Coefficient]:
    """Find products that sums alone use, scaled alike: a small operand is scaled in their place.

    Transposed twins are one value, so all are scaled alike, but for signs, or none. A product of a
    tensor with itself that sums nothing is exactly symmetric: it is scaled so only where that
    rounds nothing. A sum has signs, unless others are placed onto its one plain term.
    """
    uses = _ir.occurrences(roots)
    scales: dict[Node, list[Coefficient]] = {}
    alone: set[Node] = set()
    for node in order:
        if isinstance(node, Add):
            for n, c in zip(node.terms, node.coefficients, strict=True):
                scales.setdefault(n, []).append(c)
            alone.update(_alone(node))
    alike: dict[object, list[Product]] = {}
    for node in order:
        if isinstance(node, Product) and len(node.factors) > 1:
            alike.setdefault(twin_key(node), []).append(node)
    folded: dict[Node, Coefficient] = {}
    for nodes in alike.values():
        found = [c for n in nodes for c in scales.get(n, ())]
        if len(found) < sum(uses[n] for n in nodes) or len({n.coefficient for n in nodes}) > 1:
            continue
        common = _common(found)
        lone = alone.issuperset(nodes)
        if common is not None and _takes_scale(nodes[0], common, sign=lone):
            folded.update(dict.fromkeys(nodes, common))
    return folded


def scales_taken(node: Add) -> dict[Node, Coefficient]:
    """Scales of a sum's terms that products among them take if nothing else uses these."""
    return {
        n: c
        for n, c in zip(node.terms, node.coefficients, strict=True)
        if isinstance(n, Product)
        and len(n.factors) > 1
        and _takes_scale(n, c, sign=n in _alone(node))
    }


def _alone(node: Add) -> list[Node]:
    """The plain term of a sum that others are placed onto, if there is one."""
    plain = [n for n in node.terms if not _ir.carries_delta(n)]
    return plain if len(plain) == 1 else []


def _common(coefficients: Sequence[Coefficient]) -> Coefficient | None:
    """The coefficient that all are, but for signs; None where they differ."""
    c = coefficients[0] if len({*coefficients}) == 1 else _size(coefficients[0])
    return c if all(_size(x) == _size(c) for x in coefficients) else None


def _takes_scale(node: Product, c: Coefficient, *, sign: bool) -> bool:
    """Whether an operand of a product, smaller than it, may take a scale, or a mere sign."""
    is_smaller = min(n.size for n in node.operands) < node.size
    is_movable = (abs(c) != 1 or (sign and c == -1)) and _ir.is_harmless(c, node.dtype)
    is_symmetric = not node.sums and len({*map(unsigned, node.operands)}) == 1
    return is_smaller and is_movable and (not is_symmetric or is_power_of_two(c))


def _size(coefficient: Coefficient) -> Coefficient:
    """Drop the sign, which a sum can have; a complex number has none."""
    return coefficient if isinstance(coefficient, complex) else max(coefficient, -coefficient)


def lower_sum(writer: Writer, node: Add) -> int:
    """Add plain terms, then place the structured ones onto the sum."""
    pairs = [
        (n, (1 if c == writer.folded[n] else -1) if n in writer.folded else c)
        for n, c in zip(node.terms, node.coefficients, strict=True)
    ]
    placed = [(n, c) for n, c in pairs if _ir.carries_delta(n)]
    plain = [(n, c) for n, c in pairs if not _ir.carries_delta(n)]
    base = _add(writer, node, plain) if plain else None
    if placed:
        return place(writer, node, placed, base)
    assert base is not None
    return base


def _add(writer: Writer, node: Add, terms: Sequence[_Term]) -> int:
    """Add terms, positive ones first; tensors of equal entries last, as numbers."""
    terms = sorted(terms, key=lambda term: (_ir.is_fill(term[0]), term[1] == -1))
    shaped = any(not _ir.is_fill(n) for n, _ in terms)
    signed = [_sign(writer, *term, shaped=shaped) for term in terms]
    operands, signs = [value for value, _ in signed], tuple(sign for _, sign in signed)
    if signs == (1,):
        return operands[0]
    is_negated = signs[0] < 0 and 1 not in signs[1:2]  # else it is subtracted
    flops = (len(terms) - 1 + is_negated) * node.size
    result = Result(node.shape, node.dtype)
    return writer.emit(kernels.Add(signs), operands, result, flops=flops)


def _sign(writer: Writer, node: Node, c: Coefficient, *, shaped: bool) -> tuple[int, int]:
    """Give the value of a term, and the sign it is added with."""
    if shaped and _ir.is_fill(node):
        return writer.literal(c, node.dtype), 1
    if abs(c) == 1 and not isinstance(c, complex):
        return writer.number[node], 1 if c == 1 else -1
    return writer.scale(writer.number[node], c), 1

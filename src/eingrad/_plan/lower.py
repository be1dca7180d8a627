"""Lower an expression to a `Program`: every pairwise step to the best kernel.

In: roots whose products are pairwise. Out: statements.
Guaranteed: a summed step is a matrix product on reshaped views, an unsummed one a broadcasting
multiply; a placement writes zeros once and then each core onto its view; nothing is an einsum loop.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._cost import call_flops, contraction_flops
from eingrad._ir import (
    Add,
    Apply,
    Coefficient,
    Constant,
    Einsum,
    Input,
    Merge,
    Node,
    Selection,
)
from eingrad._plan.mirror import (
    comparators,
    is_exactly_symmetric,
    is_mirror,
    is_power_of_two,
)
from eingrad._plan.placement import look_at, positions
from eingrad._plan.program import ALIASES, InputSpec, Piece, Program, Statement
from eingrad._plan.tiles import Loop
from eingrad._primitives import is_elementwise
from eingrad._subscripts import Shape, Subscripts

_MIRRORED_AT_ONCE = 4096  # elements; more of them row by row, in place
_IN_ORDER = frozenset({"place", "matmul", "fill"})  # kernels whose result lies in order of its axes


def lower(
    roots: Sequence[Node],
    arguments: Sequence[tuple[Input, InputSpec]],
    candidates: tuple[tuple[str, int], ...] = (),
) -> Program:
    """Lower roots to statements over these inputs."""
    lowering = _Lowering([spec for _, spec in arguments])
    lowering.number = {node: n for n, (node, _) in enumerate(arguments)}
    order = _ir.topological(roots)
    lowering.folded = _folded(roots, order)
    for node in order:
        lowering.add_node(node)
    outputs = lowering.finish([lowering.number[root] for root in roots])
    inputs = tuple(spec for _, spec in arguments)
    program = Program(inputs, tuple(lowering.statements), outputs, candidates)
    return _without_unused(program)


def _folded(roots: Sequence[Node], order: Sequence[Node]) -> dict[Node, Coefficient]:
    """Find products that sums alone use, scaled alike: a small operand is scaled in their place.

    Transposed twins are one value, so all are scaled alike, but for signs, or none. A product of a
    tensor with itself that sums nothing is exactly symmetric: it is scaled so only where that
    rounds nothing.
    """
    uses = _ir.occurrences(roots)
    scales: dict[Node, list[Coefficient]] = {}
    for node in order:
        if isinstance(node, Add):
            for n, c in zip(node.terms, node.coefficients, strict=True):
                scales.setdefault(n, []).append(c)
    alike: dict[object, list[Einsum]] = {}
    for node in order:
        if isinstance(node, Einsum) and _ir.is_product(node) and len(node.operands) > 1:
            alike.setdefault(_twin_key(node), []).append(node)
    folded: dict[Node, Coefficient] = {}
    for nodes in alike.values():
        found = [c for n in nodes for c in scales.get(n, ())]
        if len(found) < sum(uses[n] for n in nodes) or len({n.coefficient for n in nodes}) > 1:
            continue
        c = found[0] if len({*found}) == 1 else _size(found[0])
        same = all(_size(x) == _size(c) for x in found)
        smaller = min(n.size for n in nodes[0].operands) < nodes[0].size
        alone = nodes[0].sums or len({*nodes[0].operands}) > 1
        movable = abs(c) != 1 and _ir.is_harmless(c, nodes[0].dtype)
        if same and smaller and movable and (alone or is_power_of_two(c)):
            folded.update(dict.fromkeys(nodes, c))
    return folded


def _size(coefficient: Coefficient) -> Coefficient:
    """Drop the sign, which a sum can have; a complex number has none."""
    return coefficient if isinstance(coefficient, complex) else max(coefficient, -coefficient)


def _sign(coefficient: Coefficient, folded: Coefficient) -> int:
    """Give what is left of a coefficient of which the size, or all, was folded."""
    return 1 if coefficient == folded else -1


def _twin_key(node: Einsum) -> object:
    """What a product shares with its transposed and scaled twins."""
    return node.operands, node.terms, frozenset(node.out)


def _without_unused(program: Program) -> Program:
    """Drop statements that no output needs: cores that were fused into a placement, say."""
    needed = set(program.outputs)
    kept = []
    for statement in reversed(program.statements):
        if needed.intersection(statement.targets or statement.written):
            needed.update(statement.operands)
            kept.append(statement)
    return _renumbered(program, kept[::-1])


def _renumbered(program: Program, statements: Sequence[Statement]) -> Program:
    """Number values in the order they are made."""
    number = {n: n for n in range(len(program.inputs))}
    renamed = []
    for s in statements:
        operands = tuple(number[n] for n in s.operands)
        for target in s.targets:
            number[target] = len(number)
        renamed.append(
            Statement(
                tuple(number[n] for n in s.targets),
                s.kernel,
                operands,
                s.shape,
                s.dtype,
                s.flops,
                s.terms,
                s.out,
                s.details,
                s.workspace_bytes,
            )
        )
    outputs = tuple(number[n] for n in program.outputs)
    return Program(program.inputs, tuple(renamed), outputs, program.candidates)


class _Lowering:
    """Statements so far; `number` maps a node to its value."""

    def __init__(self, inputs: Sequence[InputSpec]) -> None:
        self.statements: list[Statement] = []
        self.shapes: list[Shape] = [spec.shape for spec in inputs]
        self.dtypes: list[np.dtype[Any]] = [spec.dtype for spec in inputs]
        self.number: dict[Node, int] = {}
        self.scaled: dict[tuple[int, str], int] = {}
        self.twins: dict[object, tuple[Einsum, Coefficient]] = {}
        self.folded: dict[Node, Coefficient] = {}
        self.triangles: dict[int, int] = {}
        self.loops: dict[object, list[int]] = {}
        self.inputs = len(inputs)

    def emit(
        self,
        kernel: str,
        operands: Sequence[int],
        shape: Shape,
        dtype: np.dtype[Any],
        *,
        results: int = 1,
        **fields: Any,
    ) -> int:
        """Append a statement; return the number of its first result."""
        first = len(self.shapes)
        targets = tuple(range(first, first + results))
        self.shapes += [shape] * results
        self.dtypes += [dtype] * results
        self.statements.append(Statement(targets, kernel, tuple(operands), shape, dtype, **fields))
        return first

    def add_node(self, node: Node) -> None:
        """Lower one node whose operands are lowered."""
        if node in self.number or isinstance(node, _ir.STRUCTURAL):
            return
        match node:
            case Constant(value=value):
                made = self.emit("constant", (), node.shape, node.dtype, details={"value": value})
            case Einsum():
                made = self.einsum(node)
            case Add():
                made = self.sum_of_terms(node)
            case Apply() if is_mirror(node):
                made = self.mirror(node)
            case Apply(primitive=Loop() as loop):
                made = self.loop(loop, node)[node.result]
            case Apply():
                made = self.call(node)
            case _:
                raise AssertionError(f"an input that is not an argument: {node}")
        self.number[node] = made

    def finish(self, outputs: Sequence[int]) -> tuple[int, ...]:
        """Copy an output whose memory is an input's or another output's, or repeats entries."""
        base = {n: n for n in range(self.inputs)}
        taken = set(base)
        repeating: set[int] = set()  # broadcast views: read-only, one entry in many places
        for s in self.statements:
            for target in s.targets:
                base[target] = base[s.operands[0]] if s.kernel in ALIASES else target
                if s.kernel in ALIASES and (
                    s.operands[0] in repeating or not set(s.out).issubset(*s.terms or ((),))
                ):
                    repeating.add(target)
            if s.kernel == "constant":
                taken.update(s.targets)
        final = []
        for n in outputs:
            if base[n] in taken or n in repeating:
                final.append(self.emit("copy", (n,), self.shapes[n], self.dtypes[n]))
            else:
                final.append(n)
                taken.add(base[n])
        return tuple(final)

    # Calls and sums ------------------------------------------------------------------------------

    def call(self, node: Apply) -> int:
        """Call a row of the table, once for all its results."""
        results = getattr(node.primitive, "results", 1)
        if results > 1:
            for other, number in self.number.items():
                if (
                    isinstance(other, Apply)
                    and other.primitive is node.primitive
                    and other.operands == node.operands
                    and other.attributes == node.attributes
                ):
                    return number - other.result + node.result
        one_by_one = is_elementwise(node)
        operands = (
            self.with_numbers(node) if one_by_one else [self.number[n] for n in node.operands]
        )
        flops = call_flops(node.primitive.name, [n.shape for n in node.operands], node.shape)
        details = {"name": node.primitive.name, "attributes": node.attributes}
        first = self.emit(
            "call", operands, node.shape, node.dtype, results=results, flops=flops, details=details
        )
        return first + node.result

    def with_numbers(self, node: Apply) -> list[int]:
        """Write a tensor of equal entries as one number, where another operand gives the shape."""
        below = _ir.children(node)
        shaped = any(not _ir.is_fill(n) and n.dtype == below[-1].dtype for n in below)
        return [
            self.literal(n.coefficient, n.dtype)
            if shaped and isinstance(n, Einsum) and _ir.is_fill(n)
            else self.number[n]
            for n in below
        ]

    def literal(self, coefficient: Coefficient, dtype: np.dtype[Any]) -> int:
        """Write a number into the text."""
        return self.emit("number", (), (), dtype, details={"coefficient": coefficient})

    def sum_of_terms(self, node: Add) -> int:
        """Add plain terms, then place the structured ones onto the sum."""
        pairs = [
            (n, _sign(c, self.folded[n]) if n in self.folded else c)
            for n, c in zip(node.terms, node.coefficients, strict=True)
        ]
        placed = [(n, c) for n, c in pairs if _ir.carries_delta(n)]
        plain = [(n, c) for n, c in pairs if not _ir.carries_delta(n)]
        plain.sort(key=lambda pair: (_ir.is_fill(pair[0]), pair[1] == -1))
        base = None
        if plain:
            operands, signs = [], []
            shaped = any(not _ir.is_fill(n) for n, _ in plain)
            for n, c in plain:
                if shaped and _ir.is_fill(n):
                    operands.append(self.literal(c, n.dtype))
                    signs.append(1)
                elif abs(c) == 1 and not isinstance(c, complex):
                    operands.append(self.number[n])
                    signs.append(1 if c == 1 else -1)
                else:
                    operands.append(self.scale(self.number[n], c))
                    signs.append(1)
            flops = (len(plain) - 1) * node.size + (node.size if signs[0] < 0 else 0)
            if len(plain) == 1 and signs == [1]:
                base = operands[0]
            else:
                base = self.emit(
                    "add", operands, node.shape, node.dtype, flops=flops,
                    details={"signs": tuple(signs)},
                )  # fmt: skip
        if not placed:
            assert base is not None
            return base
        return self.place(node, placed, base)

    def scale(self, value: int, coefficient: Coefficient) -> int:
        """Multiply by a number, once per value and number."""
        if coefficient == 1:
            return value
        key = (value, repr(coefficient))
        if key not in self.scaled:
            shape, dtype = self.shapes[value], self.dtypes[value]
            if not _ir.is_in_range(coefficient, dtype) and not isinstance(coefficient, complex):
                first, coefficient = _ir.in_two(coefficient)
                value = self.scale(value, first)
            self.scaled[key] = self.emit(
                "scale", (value,), shape, dtype, flops=math.prod(shape),
                details={"coefficient": coefficient},
            )  # fmt: skip
        return self.scaled[key]

    # Loops ---------------------------------------------------------------------------------------

    def loop(self, loop: Loop, node: Apply) -> list[int]:
        """Make all results of a loop, each a buffer that every pass writes to."""
        key = node.operands, node.attributes
        if key not in self.loops:
            none = {"coefficient": 0}
            buffers = [self.emit("fill", (), n.shape, n.dtype, details=none) for n in loop.roots]
            operands = (*(self.number[n] for n in node.operands), *buffers)
            pairs = zip(loop.roots, loop.writes, strict=True)
            added = sum(n.size for n, axis in pairs if axis is None)
            for passes in loop.tiles():
                inputs, roots = loop.body(passes.step)
                specs = [InputSpec(n.name, "", n.shape, n.dtype) for n in inputs]
                body = lower(roots, [*zip(inputs, specs, strict=True)])
                details = {
                    "body": body, "passes": passes, "axes": loop.axes, "writes": loop.writes
                }  # fmt: skip
                statement = Statement(
                    (), "loop", operands, (), np.dtype(float), details=details,
                    flops=len(passes) * (body.flops + added), workspace_bytes=body.peak_bytes,
                )  # fmt: skip
                self.statements.append(statement)
            self.loops[key] = buffers
        return self.loops[key]

    # Symmetry ------------------------------------------------------------------------------------

    def mirror(self, node: Apply) -> int:
        """Copy one entry to all that must equal it, unless all are computed alike."""
        (below,) = node.operands
        value = self.number[below]
        if is_exactly_symmetric(below, node.symmetry):
            return value
        flat, pairs = comparators(node.shape, node.symmetry)
        if not pairs:
            return value
        details: dict[str, Any] = {"flat": flat, "axes": tuple(axis for axis, _ in pairs)}
        if node.size <= _MIRRORED_AT_ONCE:
            triangles = [self.triangle(n) for _, n in pairs]
            return self.emit("mirror", (value, *triangles), node.shape, node.dtype, details=details)
        made = next((s for s in self.statements if value in s.targets), None)
        if made is None or made.kernel in ALIASES or made.kernel == "constant":
            value = self.emit("copy", (value,), node.shape, node.dtype)  # not ours to write to
        # what lies in another order than its axes is copied when it is reshaped
        in_order = flat == node.shape or (made is not None and made.kernel in _IN_ORDER)
        workspace = 0 if in_order else node.size * node.dtype.itemsize
        return self.emit(
            "mirror in place", (value,), node.shape, node.dtype, details=details,
            workspace_bytes=workspace,
        )  # fmt: skip

    def triangle(self, n: int) -> int:
        """Make a mask of the lower triangle of a matrix, once."""
        if n not in self.triangles:
            self.triangles[n] = self.emit("triangle", (), (n, n), np.dtype(bool))
        return self.triangles[n]

    # Einsums -------------------------------------------------------------------------------------

    def einsum(self, node: Einsum) -> int:
        """Lower one of the kinds of einsum."""
        if not node.operands:
            details = {"coefficient": node.coefficient}
            return self.emit("fill", (), node.shape, node.dtype, details=details)
        if _ir.carries_delta(node):
            return self.place(node, [(node, 1)], None)
        if _ir.is_structured(node):
            return self.restructure(node)
        if len(node.operands) == 1:
            return self.unary(node)
        return self.pair(node)

    def unary(self, node: Einsum) -> int:
        """Diagonal, sum, permutation, broadcast, scale."""
        value, term = self.number[node.operands[0]], node.terms[0]
        value, term = self.reduce(value, term, set(node.out))
        sizes = dict(node.sizes)
        if math.prod(self.shapes[value]) < node.size:
            value = self.scale(value, node.coefficient)
            return self.view(value, term, node.out, sizes)
        return self.scale(self.view(value, term, node.out, sizes), node.coefficient)

    def reduce(self, value: int, term: Subscripts, wanted: set[int]) -> tuple[int, Subscripts]:
        """Take the diagonal of repeated indices, then sum those that are not wanted."""
        distinct = tuple(dict.fromkeys(term))
        value = self.view(value, term, distinct, {})
        axes = tuple(a for a, index in enumerate(distinct) if index not in wanted)
        if not axes:
            return value, distinct
        out = tuple(i for i in distinct if i in wanted)
        shape = self.shapes[value]
        kept = tuple(n for a, n in enumerate(shape) if a not in axes)
        if all(shape[a] == 1 for a in axes):
            return self.reshape(value, kept), out
        flops = contraction_flops(dict(zip(distinct, shape, strict=True)), summed=True)
        value = self.emit(
            "sum", (value,), kept, self.dtypes[value], flops=flops, terms=(distinct,), out=out,
            details={"axes": axes},
        )  # fmt: skip
        return value, out

    def view(self, value: int, term: Subscripts, out: Subscripts, sizes: Mapping[int, int]) -> int:
        """Permute, take diagonals, repeat along new axes: no copy."""
        if term == out:
            return value
        known = dict(zip(term, self.shapes[value], strict=True)) | dict(sizes)
        shape = tuple(known[index] for index in out)
        return self.emit(
            "view", (value,), shape, self.dtypes[value], terms=(term,), out=out,
        )  # fmt: skip

    def reshape(self, value: int, shape: Shape) -> int:
        """Reshape; counts as a copy where memory may have to move."""
        if shape == self.shapes[value]:
            return value
        return self.emit("reshape", (value,), shape, self.dtypes[value])

    def pair(self, node: Einsum) -> int:
        """Contract two operands; a transposed twin is a view of the first one."""
        key = _twin_key(node)
        if key in self.twins:
            twin, coefficient = self.twins[key]
            ratio = node.coefficient if coefficient == 1 else 1
            if _ir.multiply(ratio, coefficient) == node.coefficient:
                value = self.view(self.number[twin], twin.out, node.out, {})
                return self.scale(value, ratio)
        self.twins.setdefault(key, (node, node.coefficient))
        return self.contract(node)

    def contract(self, node: Einsum) -> int:
        """Contract two operands."""
        wanted = set(node.out)
        left, right = (self.number[n] for n in node.operands)
        a, b = node.terms
        left, a = self.reduce(left, a, wanted | set(b))
        right, b = self.reduce(right, b, wanted | set(a))
        smallest = min((left, right), key=lambda v: math.prod(self.shapes[v]))
        last = _ir.multiply(node.coefficient, self.folded.get(node, 1))
        is_movable = last != 1 and _ir.is_harmless(last, node.dtype)
        if is_movable and math.prod(self.shapes[smallest]) < node.size:
            scaled = self.scale(smallest, last)
            left, right, last = (scaled, right, 1) if smallest == left else (left, scaled, 1)
        sizes = dict(zip(a, self.shapes[left], strict=True))
        sizes.update(zip(b, self.shapes[right], strict=True))
        summed = [i for i in a if i in b and i not in wanted]
        kernel = self.matmul if summed else self.multiply
        value, term = kernel(left, right, a, b, node.out, sizes)
        return self.scale(self.view(value, term, node.out, {}), last)

    def multiply(
        self, left: int, right: int, a: Subscripts, b: Subscripts, out: Subscripts,
        sizes: Mapping[int, int],
    ) -> tuple[int, Subscripts]:  # fmt: skip
        """Multiply with broadcasting, straight into the order of the output."""
        shape = tuple(sizes[i] for i in out)
        value = self.emit(
            "multiply", (left, right), shape, self.dtypes[left], terms=(a, b), out=out,
            flops=contraction_flops(sizes, summed=False),
        )  # fmt: skip
        return value, out

    def matmul(
        self, left: int, right: int, a: Subscripts, b: Subscripts, out: Subscripts,
        sizes: Mapping[int, int],
    ) -> tuple[int, Subscripts]:  # fmt: skip
        """Multiply matrices: batch, kept and summed indices each in one axis."""
        batch = tuple(i for i in out if i in a and i in b)
        con = tuple(i for i in a if i in b and i not in batch)
        kept_a = tuple(i for i in out if i in a and i not in batch)
        kept_b = tuple(i for i in out if i in b and i not in batch)
        if kept_a and kept_b and out.index(kept_a[0]) > out.index(kept_b[0]):
            left, right, a, b, kept_a, kept_b = right, left, b, a, kept_b, kept_a
        natural = (*batch, *kept_a, *kept_b)
        shape = tuple(sizes[i] for i in natural)
        sides = []
        workspace = 0
        for value, term, order, groups in (
            (left, a, (*batch, *kept_a, *con), (kept_a, con)),
            (right, b, (*batch, *con, *kept_b), (con, kept_b)),
        ):
            flat = tuple(math.prod(sizes[i] for i in g) for g in groups if g)
            flat = (*(sizes[i] for i in batch), *flat)
            permutation = tuple(term.index(i) for i in order)
            merges = any(len(g) > 1 for g in groups)
            if merges and permutation != tuple(range(len(term))):
                workspace += math.prod(flat) * self.dtypes[value].itemsize
            sides.append((permutation, flat if merges else None, groups))
        details = {
            "left": sides[0][:2],
            "right": sides[1][:2],
            "vectors": (not kept_a, not kept_b),
            "batch": len(batch),
            "reshape": len(kept_a) > 1 or len(kept_b) > 1,
        }
        value = self.emit(
            "matmul", (left, right), shape, self.dtypes[left], terms=(a, b), out=natural,
            flops=contraction_flops(sizes, summed=True), details=details,
            workspace_bytes=workspace,
        )  # fmt: skip
        return value, natural

    # Structure -----------------------------------------------------------------------------------

    def restructure(self, node: Einsum) -> int:
        """Take, split or merge; several at once, or a broadcast too, are a placement."""
        cores = [n for n in node.operands if not isinstance(n, _ir.STRUCTURAL)]
        if len(node.operands) == 2 and len(cores) == 1 and not node.sizes:  # noqa: PLR2004
            core, structural = node.operands
            term, links = node.terms
            carried = links[0] in term or set(links[1:]).issubset(term)
            if isinstance(structural, Merge) and not carried:
                return self.place(node, [(node, 1)], None)  # repeated along a part, then merged
            value = self.number[core]
            if isinstance(structural, Selection):
                row, column = links
                out = tuple(row if i == column else i for i in term)
                picked = self.take(value, term.index(column), structural)
                return self.scale(self.view(picked, out, node.out, {}), node.coefficient)
            position, parts = links[0], links[1:]
            if position in term:
                order = term
                out = tuple(j for i in term for j in (parts if i == position else (i,)))
            else:
                rest = tuple(i for i in term if i not in parts or i == parts[0])
                order = tuple(j for i in rest for j in (parts if i == parts[0] else (i,)))
                out = tuple(position if i == parts[0] else i for i in rest)
            value = self.view(value, term, order, {})
            sizes = dict(zip(term, core.shape, strict=True))
            sizes.update(zip(links, structural.shape, strict=True))
            value = self.reshape(value, tuple(sizes[i] for i in out))
            return self.scale(self.view(value, out, node.out, {}), node.coefficient)
        return self.place(node, [(node, 1)], None)

    def take(self, value: int, axis: int, picks: Selection) -> int:
        """Slice where the table is a range, else gather; a row that selects nothing is zero."""
        shape = self.shapes[value]
        new = (*shape[:axis], picks.shape[0], *shape[axis + 1 :])
        kernel = "slice" if isinstance(picks.table, range) else "take"
        details = {"axis": axis, "table": picks.table}
        return self.emit(kernel, (value,), new, self.dtypes[value], details=details)

    def place(self, node: Node, terms: Sequence[tuple[Node, Coefficient]], base: int | None) -> int:
        """Write cores onto views of one buffer: zeros, or a sum of plain terms."""
        operands = [] if base is None else [base]
        pieces = []
        flops = 0
        for piece, factor in terms:
            assert isinstance(piece, Einsum)
            coefficient = _ir.multiply(piece.coefficient, factor)
            cores, structure = _ir.split_structure(piece)
            term: Subscripts = cores[0][1] if cores else ()
            steps = look_at(piece.out, structure, term)
            if cores:
                core = cores[0][0]
                operands.append(self.scale(self.number[core], coefficient))
                coefficient = 1
            at = None if steps else positions(piece, structure, term)
            if at:
                pieces.append(Piece((at,), at[1], term if cores else None, coefficient))
                flops += math.prod(at[2])
                continue
            if steps is None:
                dense = self.dense(piece, term, operands.pop() if cores else None, coefficient)
                operands.append(dense)
                pieces.append(Piece((), piece.out, piece.out, 1))
                flops += piece.size
                continue
            labels, actions = steps
            pieces.append(Piece(actions, labels, term if cores else None, coefficient))
            flops += math.prod(
                {i: s for n, t in (*cores, *structure) for i, s in zip(t, n.shape, strict=True)
                 if i in labels}.values()
            )  # fmt: skip
        details = {"pieces": tuple(pieces), "base": base is not None}
        return self.emit("place", operands, node.shape, node.dtype, flops=flops, details=details)

    def dense(
        self, piece: Einsum, term: Subscripts, core: int | None, coefficient: Coefficient
    ) -> int:
        """Multiply structural tensors out: the last resort, for ties that no view expresses."""
        values = [] if core is None else [(core, term)]
        for n, t in _ir.split_structure(piece)[1]:
            details: dict[str, Any] = {"value": _ir.dense(n).astype(piece.dtype)}
            values.append((self.emit("constant", (), n.shape, piece.dtype, details=details), t))
        for index, size in piece.sizes:
            details = {"coefficient": 1}
            values.append((self.emit("fill", (), (size,), piece.dtype, details=details), (index,)))
        operands, terms = zip(*values, strict=True)
        sizes = {i: s for v, t in values for i, s in zip(t, self.shapes[v], strict=True)}
        summed = len(sizes) > piece.ndim
        made = self.emit(
            "einsum", operands, piece.shape, piece.dtype, terms=tuple(terms), out=piece.out,
            flops=contraction_flops(sizes, summed=summed),
        )  # fmt: skip
        return self.scale(made, coefficient)

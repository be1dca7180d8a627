"""Lower an expression to a `Program`: every pairwise step to the best kernel.

In: roots whose products are pairwise. Out: statements.
Guaranteed: a summed step is a matrix product on reshaped views, an unsummed one a broadcasting
multiply, or an outer product of BLAS where that is faster; a placement writes zeros once and then
each core onto its view; nothing is an einsum loop.

`writer` appends statements, `sums`, `products`, `placements` and `calls` each lower a kind of node;
`memory` says how values lie, `needs` how later products need them, `layout` how one is to lie;
`factors` says in which order two are multiplied entry by entry.
"""

from collections.abc import Iterator, Mapping, Sequence, Set

from eingrad import _ir
from eingrad._ir import Add, Apply, Constant, Einsum, Input, Node, Placement, Product, Structural
from eingrad._plan import kernels
from eingrad._plan.lower.calls import lower_call, lower_mirror
from eingrad._plan.lower.memory import Strides
from eingrad._plan.lower.needs import Users
from eingrad._plan.lower.placements import lower_structured
from eingrad._plan.lower.products import lower_pair, lower_unary
from eingrad._plan.lower.scans import lower_scan
from eingrad._plan.lower.sums import find_folded, lower_sum, scales_taken
from eingrad._plan.lower.writer import Writer
from eingrad._plan.mirror import is_mirror
from eingrad._plan.program import InputSpec, Program
from eingrad._plan.tiling import Tiling
from eingrad._primitives import is_identity
from eingrad._recurrence import is_scan

_MOST_POSITIONS = 2**20  # eight MiB


def lower(
    roots: Sequence[Node],
    arguments: Sequence[tuple[Input, InputSpec]],
    candidates: tuple[tuple[str, int], ...] = (),
    written: Set[Node] | None = frozenset(),
    *,
    most_positions: int = _MOST_POSITIONS,
    strides: Mapping[Node, Strides] | None = None,
) -> Program:
    """Lower roots to statements over these inputs, which lie in order but for known `strides`.

    `written` are nodes that the user wrote; None: all. Zeros in them have the sign that he gave
    them, so no outer product of his is one of BLAS.
    """
    writer = _lowered(roots, arguments, most_positions, written, strides)
    return writer.program([writer.number[root] for root in roots], candidates)


def numbered(
    roots: Sequence[Node],
    arguments: Sequence[tuple[Input, InputSpec]],
    written: Set[Node] | None = frozenset(),
) -> tuple[Program, dict[Node, int]]:
    """Lower roots, and say which value of the program each node is that is needed."""
    writer = _lowered(roots, arguments, _MOST_POSITIONS, written)
    program = writer.program([writer.number[root] for root in roots])
    final = writer.final
    return program, {node: final[n] for node, n in writer.number.items() if n in final}


def _lowered(
    roots: Sequence[Node],
    arguments: Sequence[tuple[Input, InputSpec]],
    most_positions: int,
    written: Set[Node] | None,
    strides: Mapping[Node, Strides] | None = None,
) -> Writer:
    order = _ir.topological(roots)
    folded, users = find_folded(roots, order), Users.of(roots, order)
    writer = Writer(dict(arguments), folded, most_positions, written, users, strides)
    for node in order:
        if node not in writer.number and not isinstance(node, Structural):
            writer.number[node] = _lower_node(writer, node)
    return writer


def lower_alone(node: Node, strides: Mapping[Node, Strides]) -> tuple[Writer, dict[int, Node]]:
    """Lower one node, as if what it is made of were inputs; return their numbers too.

    Those lie in the order of their axes but for known `strides`. Nothing is known of what uses the
    node. A sum's products take its scales where they may: as they do where nothing else uses them.
    """
    below = dict.fromkeys(n for n in _below(node) if not isinstance(n, Structural))
    inputs = {n: InputSpec("", "", n.shape, n.dtype) for n in below}
    scales = scales_taken(node) if isinstance(node, Add) else {}
    known = {n: strides[n] for n in below if n in strides}
    writer = Writer(inputs, scales, _MOST_POSITIONS, strides=known)
    writer.number[node] = _lower_node(writer, node)
    return writer, dict(enumerate(below))


def _below(node: Node) -> Iterator[Node]:
    """Go through operands, and the cores of those that a sum places."""
    for below in _ir.children(node):
        yield below
        if isinstance(node, Add) and _ir.carries_delta(below) and below.core is not None:
            yield below.core.node


def _lower_node(writer: Writer, node: Node) -> int:
    """Lower one node whose operands are lowered."""
    match node:
        case Constant(value=value):
            return writer.constant(value)
        case Einsum():
            return _lower_einsum(writer, node)
        case Add():
            return lower_sum(writer, node)
        case Apply() if is_mirror(node):
            return lower_mirror(writer, node)
        case Apply() if is_identity(node):
            return writer.number[node.operands[0]]
        case Apply(primitive=Tiling() as loop):
            return _lower_loop(writer, loop, node)
        case Apply() if is_scan(node):
            return lower_scan(writer, node, lower)
        case Apply():
            return lower_call(writer, node)
    raise AssertionError(f"an input that is not an argument: {node}")


def _lower_einsum(writer: Writer, node: Einsum) -> int:
    match node:
        case Product(factors=(_, _)):
            return lower_pair(writer, node)
        case Placement(factors=()):
            return writer.fill(node.coefficient, node.shape, node.dtype)
        case Placement(structure=(_, *_)):
            return lower_structured(writer, node)
    return lower_unary(writer, node)


def _lower_loop(writer: Writer, loop: Tiling, node: Apply) -> int:
    """Make all results of a loop, each a buffer that every pass writes or adds to."""
    key = ("loop", node.operands, node.attributes)
    found = writer.find(key)
    if found is not None:
        return found + node.result
    buffers = [writer.fill(0, n.shape, n.dtype) for n in loop.roots]
    operands = (*(writer.number[n] for n in node.operands), *buffers)
    pairs = zip(loop.roots, loop.writes, strict=True)
    added = sum(n.size for n, axis in pairs if axis is None)
    for passes in loop.tiles():
        inputs, roots = loop.body(passes.step)
        specs = [InputSpec(n.name, "", n.shape, n.dtype) for n in inputs]
        values = [writer.number[n] for n in node.operands]
        strides: dict[Node, Strides] = {
            n: writer.array(v).strides for n, v in zip(inputs, values, strict=True)
        }
        arguments = [*zip(inputs, specs, strict=True)]
        body = lower(
            roots, arguments, written=None, most_positions=0, strides=strides
        )  # text, in a body
        writer.emit(
            kernels.Loop(body, passes, loop.axes, loop.writes), operands,
            flops=len(passes) * (body.flops + added), workspace_bytes=body.peak_bytes,
        )  # fmt: skip
    writer.keep(key, buffers[0])
    return buffers[node.result]

"""Laws of nodes and builders."""

import gc
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import assert_close, evaluate
from strategies import structured_networks

from eingrad import _ir


@given(network=structured_networks(), seed=st.integers(0, 2**32 - 1))
def test_eliminating_structure_keeps_value_and_shape(network, seed):
    """A contraction means the same with its deltas, selections and merges multiplied out."""
    operands, terms, out, sizes = network
    rng = np.random.default_rng(seed)
    values = {n: rng.normal(size=n.shape) for n in operands if isinstance(n, _ir.Input)}
    dense = [values[n] if n in values else _ir.dense(n).astype(float) for n in operands]
    used = {i for term in terms for i in term}
    ones = [(np.ones(sizes[i]), (i,)) for i in out if i not in used]
    pairs = [*zip(dense, terms, strict=True), *ones]
    expected = np.einsum(*(x for pair in pairs for x in pair), out)
    node = _ir.contract(zip(operands, terms, strict=True), out, sizes, dtype=np.float64)
    _ir.verify([node])
    assert_close(evaluate(node, values), expected, rtol=1e-12)


@pytest.mark.parametrize(("before", "after"), [("ij,jk->ik", "ik->ik"), ("ij,ik->jk", "jk->jk")])
def test_contracted_delta_disappears(before, after):
    """The property above would accept a builder that does nothing; this one does not."""
    a = _ir.new_input("a", (3, 4))
    assert _ir.einsum(before, _ir.delta(3), a) is _ir.einsum(after, a)


def test_delta_between_outputs_stands_alone():
    """Where both indices are outputs, everything else uses the first."""
    a = _ir.new_input("a", (3,))
    node = _ir.einsum("ij,j->ij", _ir.delta(3), a)
    assert node is _ir.einsum("ij,i->ij", _ir.delta(3), a)
    assert _ir.carries_delta(node)


def test_traced_delta_is_the_size():
    """``sum_i delta[i,i] = n``: the size is not lost with the index."""
    assert _ir.einsum("ii->", _as_float(_ir.delta(5))) is _ir.fill(5, (), np.float64)


def _as_float(delta):
    return _ir.contract([(delta, (0, 1))], (0, 1), dtype=np.float64)


@pytest.mark.parametrize("shape", [(24,), (2, 12), (8, 3), (3, 2, 4), (1, 6, 1, 4), (2, 3, 2, 2)])
def test_reshaping_back_is_the_identity(shape):
    """Splits and merges cancel symbolically, also through a flat index."""
    x = _ir.new_input("x", (6, 4))
    y = _ir.reshape(x, shape)
    _ir.verify([y])
    value = np.arange(24.0).reshape(6, 4)
    assert_close(evaluate(y, {x: value}), value.reshape(shape), rtol=0)
    assert _ir.reshape(y, (6, 4)) is x


def test_selections_compose():
    """A slice of a slice is one slice."""
    x = _ir.new_input("x", (9,))
    twice = _ir.take(
        _ir.take(x, 0, _ir.selection(range(1, 9), 9)), 0, _ir.selection(range(0, 8, 2), 8)
    )
    assert twice is _ir.take(x, 0, _ir.selection(range(1, 9, 2), 9))


def test_equal_nodes_are_one_object():
    """Operand order and index names do not matter, equal operands included."""
    x, y = _ir.new_input("x", (3, 3)), _ir.new_input("y", (3, 3))
    assert _ir.einsum("ij,jk->ik", x, y) is _ir.einsum("bc,ab->ac", y, x)
    assert _ir.einsum("ij,jk->ik", x, x) is _ir.einsum("jk,ij->ik", x, x)
    assert _ir.einsum("ij,jk->ik", x, x) is not _ir.einsum("ij,jk->ki", x, x)
    assert _ir.add([x, y]) is _ir.add([y, x])


def test_inputs_of_one_name_stay_apart():
    """Identity is the serial; the name is a label."""
    assert _ir.new_input("x", (2,)) is not _ir.new_input("x", (2,))


def test_terms_are_collected():
    """Equal terms add exactly; what cancels is known to be zero."""
    x = _ir.new_input("x", (3,))
    third = _ir.scale(x, 1 / 3)
    assert _ir.add([x, x, x]) is _ir.scale(x, 3)
    assert _ir.is_zero(_ir.add([x, x], (1, -1)))
    assert _ir.is_zero(_ir.add([third, third], (1, -1)))


def test_dead_nodes_are_forgotten():
    """The table holds weak references."""
    gc.collect()
    before = _ir.number_of_live_nodes()
    x = _ir.new_input("x", (3,))
    for _ in range(100):
        x = _ir.einsum("i,i->i", x, _ir.new_input("y", (3,)))
    assert _ir.number_of_live_nodes() > before + 100
    del x
    gc.collect()
    assert _ir.number_of_live_nodes() <= before + 1


def test_verifier_finds_a_wrong_sum():
    """The oracle itself is tested: a node made around the builders is refused."""
    x, y = _ir.new_input("x", (3,)), _ir.new_input("y", (4,))
    wrong = _ir.Add(-1, b"", (3,), x.dtype, (x, y), (1, 1))
    with pytest.raises(AssertionError, match="another shape"):
        _ir.verify([wrong])


def test_a_trace_beside_the_same_matrix_is_one_node_in_any_order():
    """What an operand's axes have in common with each other tells it from its equals."""
    a = _ir.new_input("a", (3, 3))
    wiring = [(0, 1), (1, 0), (2, 2)]
    assert (
        len({_ir.contract([(a, t) for t in terms], ()) for terms in itertools.permutations(wiring)})
        == 1
    )


def test_a_mask_is_made_once():
    """Two sums over one selection that leaves rows out: their masks are one."""
    picks = _ir.selection((0, -1, 2), 3)
    x = _ir.new_input("x", (3,))
    node = _ir.contract([(picks, (0, 1)), (picks, (0, 2)), (x, (0,))], (0,))
    assert len(node.operands) == 2
    again = _ir.contract([(picks, (0, 1)), (node, (0,))], (0,))
    assert again is node


def test_a_selection_of_the_part_of_a_merge_is_a_mask():
    """``S[m,c] M[m,i,c] A[m]``: each used to be rewritten by the other, without end."""
    a = _ir.new_input("a", (6,))
    picks = _ir.selection((0, 0, 0, 1, 1, 1), 2)
    node = _ir.contract([(a, (0,)), (_ir.merge((3, 2)), (0, 1, 2)), (picks, (0, 2))], (1, 2))
    values = np.arange(1.0, 7.0)
    expected = (values * (np.arange(6) % 2 == [0, 0, 0, 1, 1, 1])).reshape(3, 2)
    assert_close(evaluate(node, {a: values}), expected)


CIRCLES = {
    "two merges, two selections": (
        [(2, 3), (2, 3), (1, 0, 1, 1, 1, 1), (1, 0, 0, 1, 1, 1)],
        [(0, 2, 3), (4, 1, 5), (0, 1), (4, 2), (1,), (5, 1)],
        (4, 2, 0, 3),
    ),
    "a merge that determines a part of itself": ([(2, 1)], [(0, 0, 1), (0,)], (0, 1)),
    "two selections": ([(1, 0, 2), (2, 0, 1)], [(0, 1), (1, 0), (0,)], (0, 1)),
    "a merge and a selection": ([(2, 3), (0, 1, 1, 0, 1, 0)], [(0, 1, 2), (0, 1), (1, 2)], (2,)),
    "a delta that makes a position its own part": ([(4, 1)], [(1, 1, 2), ()], ()),
    "three selections": ([(1, 2, 0), (0, 2, 1), (1, 1, 2)], [(0, 1), (1, 2), (2, 0), (2,)], (0,)),
}


@pytest.mark.parametrize(("structure", "terms", "out"), CIRCLES.values(), ids=CIRCLES)
def test_structure_that_determines_itself_in_a_circle_comes_to_an_end(structure, terms, out):
    """An array's index was expressed in those that determine it, round and round."""
    sizes = {}
    nodes = []
    for spec, term in zip(structure, terms, strict=False):
        is_merge = len(term) > 2
        nodes.append(_ir.merge(spec) if is_merge else _ir.selection(spec, max(spec) + 1))
        sizes.update(zip(term, nodes[-1].shape, strict=True))
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=[sizes[i] for i in t]) for t in terms[len(nodes) :]]
    inputs = [_ir.new_input("a", x.shape) for x in arrays]
    node = _ir.contract(zip([*nodes, *inputs], terms, strict=True), out)
    _ir.verify([node])
    values = [*(_ir.dense(n).astype(float) for n in nodes), *arrays]
    expected = np.einsum(*(x for pair in zip(values, terms, strict=True) for x in pair), out)
    assert_close(evaluate(node, dict(zip(inputs, arrays, strict=True))), expected)

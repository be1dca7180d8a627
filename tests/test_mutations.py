"""Every phase of the normal form is needed, sound, idempotent and effective.

Needed: without it, a reference derivative costs more than the table says. A phase that no figure
misses fails here. Sound: run alone, it keeps every value, by the reference evaluator.
"""

import itertools

import numpy as np
import pytest
import reference_costs
from cases import CASES, find, gated_residual
from hypothesis import given
from hypothesis import strategies as st
from inside import CANCELLED, COLLECT, PIECES, delta_pattern
from reference import assert_close, evaluate, raw_derivatives
from strategies import functions, point

import eingrad as eg
from eingrad import _ir, _simplify
from eingrad._primitives import apply
from eingrad._simplify import PASSES, walk
from eingrad._simplify.diagonals import diagonals
from eingrad._simplify.expand import expand
from eingrad._simplify.products import regroup
from eingrad._simplify.sums import factor, flatten
from eingrad._simplify.twins import symmetrise

BY_NAME = {a_pass.__name__: a_pass for a_pass in PASSES}


@pytest.fixture
def mutate(monkeypatch):
    """Replace a part of the library; plans made with it are forgotten, before and after."""
    eg.cache_clear()
    yield monkeypatch.setattr
    monkeypatch.undo()
    eg.cache_clear()


def growth(name, order, count="flops"):
    """How many times a count of the table a reference derivative takes."""
    recorded = reference_costs.read(reference_costs.PATH.read_text("utf-8"))[name, order]
    now = reference_costs.measured((find(name, order),))[name, order]
    return getattr(now, count) / getattr(recorded, count)


# Needed ------------------------------------------------------------------------------------------

NEEDED = {
    "diagonals": ("diagonal blocks, N = 400", 0, 1.8, "nodes"),
    "expand": ("trace of inverses", 2, 5),
    "select": ("row of an inverse", 1, 5),
    "regroup": ("tanh network, first weight", 2, 9),
    "scatter": ("weighted rows of a Jacobian", 0, 60),
    "flatten": ("inverse", 3, 1.2),
    "merge": ("Gaussian process, n = 50", 3, 1.09),
    "symmetrise": ("inverse form", 4, 1.4),
    "factor": ("tanh network, first weight", 2, 2),
}


@pytest.mark.parametrize("name", BY_NAME)
def test_without_a_phase_a_reference_derivative_grows(name, mutate):
    """The phases are those that `PASSES` holds; each has a figure that it alone gives."""
    case, order, factor, *count = NEEDED[name]
    assert growth(case, order, *count) <= 1
    mutate(_simplify, "PASSES", tuple(p for p in PASSES if p is not BY_NAME[name]))
    eg.cache_clear()
    assert growth(case, order, *count) >= factor


def add_up(terms, shape, dtype):
    """Add terms of a derivative without collecting those with one pattern of deltas."""
    return _ir.add([_ir.zeros(shape, dtype), *(n for n, _ in terms)], [1, *(c for _, c in terms)])


def test_without_collection_by_delta_pattern_a_derivative_grows(mutate):
    """``delta A + delta B`` is placed twice where it could be added first."""
    for part in COLLECT:
        mutate(*part, add_up)
    assert growth("tanh network, last weight", 2) >= 1.9


def whole(derivative):
    """Distribute a product over no part of a derivative."""
    return [(derivative, 1)]


def test_without_distribution_over_deltas_a_derivative_grows(mutate):
    """``W (delta + M)`` multiplies zeros where ``W + W M`` does not."""
    for part in PIECES:
        mutate(*part, whole)
    assert growth("pairwise distances, N = 100", 2) >= 50
    eg.cache_clear()
    assert growth("slices", 2) >= 500


def each_term(derivative):
    """Distribute a product over every term of a derivative, the remainder's too."""
    if isinstance(derivative, _ir.Add):
        return list(zip(derivative.terms, derivative.coefficients, strict=True))
    return [(derivative, 1)]


def nodes_of_gated_network():
    f, x = gated_residual(np.random.default_rng(0), 7, 3)
    return len(_ir.topological(raw(f, x, 2)[0]))


def test_with_an_opened_remainder_a_derivative_grows(mutate):
    """What carries no delta is one node; opened, each block adds more than the one before."""
    collected = nodes_of_gated_network()
    for part in PIECES:
        mutate(*part, each_term)
    assert nodes_of_gated_network() >= 1.5 * collected


def test_without_cancelling_a_derivative_grows(mutate):
    """``e (1/s)`` is made where ``e / s`` is there."""
    mutate(*CANCELLED, lambda node, *_: node)
    assert growth("softmax", 2, "nodes") >= 1.8


def test_without_deltas_a_derivative_grows(mutate):
    """A delta written out as a matrix of zeros and ones is contracted by multiplying with it."""
    mutate(_ir, "delta", lambda n: _ir.constant(np.eye(n)))
    assert growth("pairwise distances, N = 100", 2) >= 20
    eg.cache_clear()
    assert growth("slices", 2) >= 1000


# Sound -------------------------------------------------------------------------------------------


def raw(f, x, order):
    roots, variable = raw_derivatives(f, x.shape, order)
    return roots, {variable: x}


def check_soundness(f, x, order):
    roots, values = raw(f, x, order)
    expected = [evaluate(root, values) for root in roots]
    for a_pass in PASSES:
        normal = walk(roots, (a_pass,))
        _ir.verify(normal)
        for root, node, value in zip(roots, normal, expected, strict=True):
            assert (node.shape, node.dtype) == (root.shape, root.dtype), a_pass
            assert_close(evaluate(node, values), value)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_phase_alone_keeps_value_shape_and_dtype(case):
    f, x = case.build(case.small)
    check_soundness(f, x, case.order)


@given(functions(most_steps=5, largest=9), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_each_phase_alone_is_sound_for_random_functions(f_and_shape, order, seed):
    f, shape = f_and_shape
    check_soundness(lambda x: f(x, np), point(shape, seed), order)


# Idempotent --------------------------------------------------------------------------------------


def not_idempotent(roots):
    """Names of the phases that, within the normal form, change a node of their own making."""
    found = set()

    def checked(a_pass):
        def twice(node, once):
            made = a_pass(node, once)
            if a_pass(made, once) is not made:
                found.add(a_pass.__name__)
            return made

        return twice

    walk(roots, [checked(a_pass) for a_pass in PASSES])
    return found


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_phase_leaves_its_own_result_alone(case):
    """At every node, in the order in which the phases run."""
    f, x = case.build(case.small)
    assert not not_idempotent(raw(f, x, case.order)[0])


# Effective ---------------------------------------------------------------------------------------


def inputs(**shapes):
    return [_ir.new_input(name, shape) for name, shape in shapes.items()]


def normal(a_pass, node):
    (made,) = walk([node], (a_pass,))
    return made


def longest(node):
    return max(len(n.operands) for n in _ir.topological([node]) if isinstance(n, _ir.Product))


def test_diagonals_of_differences_are_known():
    """``sum_i d_ii x_i`` of ``d_ij = x_i - x_j`` is zero, and ``cos(d)_ii`` needs no d."""
    (x,) = inputs(x=(3,))
    d = _ir.add([_ir.contract([(x, (k,))], (0, 1), {1 - k: 3}) for k in (0, 1)], [1, -1])
    assert _ir.is_zero(normal(diagonals, _ir.einsum("ii,i->", d, x)))
    cosine = apply("cos", d)
    made = normal(diagonals, _ir.einsum("ii->i", cosine))
    assert not _ir.inputs([made])
    assert_close(evaluate(made, {}), np.ones(3))


def test_diagonals_of_three_axes_are_told_apart():
    """``iij`` of a sum with its transpose is two diagonals of one tensor."""
    (x,) = inputs(x=(4,))
    pair = _ir.add([_ir.contract([(x, (k,))], (0, 1), {1 - k: 4}) for k in (0, 1)], [1, -1])
    wide = apply("exp", _ir.contract([(pair, (0, 1))], (0, 1, 2), {2: 4}))
    total = _ir.add([wide, _ir.transpose(wide, (0, 2, 1))])
    made = normal(diagonals, _ir.einsum("iij->ij", total))
    values = {x: np.arange(4.0)}
    assert_close(evaluate(made, values), evaluate(_ir.einsum("iij->ij", total), values))


def test_diagonals_that_depend_on_an_input_are_left_alone():
    (a,) = inputs(a=(3, 3))
    for node in (
        apply("cos", a),
        _ir.add([a, _ir.transpose(a, (1, 0))]),
        _ir.einsum("ij,jk->ik", a, a),
    ):
        taken = _ir.einsum("ii->i", node)
        assert normal(diagonals, taken) is taken


def test_the_diagonal_of_a_mask_is_not_taken_before_the_mask_is_made():
    """Its size is not that of an operand, so that a smaller one would be another mask."""
    (x,) = inputs(x=(3,))
    mask = apply("cast", apply("tri", n=3, m=3, k=-1, dtype="|b1"), dtype="<f8")
    node = _ir.einsum("ii,i->", mask, x)
    made = normal(diagonals, node)
    assert_close(evaluate(made, {x: np.ones(3)}), 0.0)
    _ir.verify([made])


def test_diagonals_are_sought_without_recursion_on_the_depth():
    (x,) = inputs(x=(3,))
    d = _ir.add([_ir.contract([(x, (k,))], (0, 1), {1 - k: 3}) for k in (0, 1)], [1, -1])
    for _ in range(3000):
        d = apply("sin", d)
    taken = _ir.einsum("ii->i", d)
    assert normal(diagonals, taken) is taken


@given(st.integers(6, 12), st.integers(2, 4))
def test_expand_opens_sums_of_outer_products(n, count):
    """``(sum_k a_k b_k^T) v``: afterwards no operand of a product is a sum."""
    pairs = [inputs(a=(n,), b=(n,)) for _ in range(count)]
    (v,) = inputs(v=(n,))
    total = _ir.add([_ir.einsum("i,j->ij", a, b) for a, b in pairs])
    node = _ir.einsum("ij,j->i", total, v)
    assert isinstance(node.operands[0], _ir.Add) or isinstance(node.operands[1], _ir.Add)
    made = normal(expand, node)
    products = [n for n in _ir.topological([made]) if isinstance(n, _ir.Product)]
    assert not any(isinstance(below, _ir.Add) for p in products for below in p.operands)


def connected(node):
    """Whether the operands of a product that sums hang together by the summed indices."""
    terms = [{*term}.difference(node.out) for term in node.terms]
    reached, rest = terms[0], terms[1:]
    while rest:
        joined = [t for t in rest if t & reached]
        if not joined:
            return False
        rest = [t for t in rest if not t & reached]
        reached = reached.union(*joined)
    return True


@pytest.mark.parametrize("case", CASES, ids=str)
def test_regroup_leaves_no_product_of_separate_sums(case):
    """What sums is one component; and no tangent larger than its operands is contracted whole."""
    f, x = case.build(case.small)
    for node in _ir.topological(walk(raw(f, x, case.order)[0], (regroup,))):
        if isinstance(node, _ir.Product) and node.sums and len(node.operands) > 1:
            assert connected(node)
            outer = [
                n for n in node.operands
                if isinstance(n, _ir.Product) and not n.sums
                and n.size > sum(m.size for m in n.operands)
            ]  # fmt: skip
            room = _simplify.MOST_OPERANDS - len(node.operands)
            assert all(len(n.operands) - 1 > room for n in outer)


def test_regroup_opens_a_chain():
    a, b, v = inputs(a=(3, 4), b=(4, 5), v=(5,))
    chain = _ir.einsum("ij,j->i", _ir.einsum("ij,jk->ik", a, b), v)
    assert longest(chain) == 2
    assert longest(normal(regroup, chain)) == 3


@given(st.integers(1, 6))
def test_flatten_leaves_no_sum_in_a_sum(depth):
    terms = inputs(**{f"a{k}": (3,) for k in range(depth + 2)})
    total = terms[0]
    for term in terms[1:]:
        total = _ir.add([total, term], [2, 1])
    assert any(isinstance(below, _ir.Add) for below in total.terms)
    made = normal(flatten, total)
    assert set(made.terms) == set(terms)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_symmetrise_adds_a_core_and_its_transposes_by_stages(n):
    """24 orders of four axes take five additions: no sum of the result has all 24 terms."""
    vectors = inputs(**{f"v{k}": (3,) for k in range(n)})
    orders = list(itertools.permutations(range(n)))
    indices = [(k,) for k in range(n)]
    total = _ir.add([_ir.contract(zip(vectors, indices, strict=True), order) for order in orders])
    made = normal(symmetrise, total)
    sums = [node for node in _ir.topological([made]) if isinstance(node, _ir.Add)]
    assert sum(len(node.terms) - 1 for node in sums) == {2: 1, 3: 3, 4: 5}[n]


@given(st.integers(2, 6))
def test_factor_leaves_no_operand_that_terms_share(count):
    """``a_1 x + a_2 x + ... -> (a_1 + a_2 + ...) x``: x is an operand of one product."""
    x, *others = inputs(x=(3,), **{f"a{k}": (3,) for k in range(count)})
    total = _ir.add([_ir.einsum("i,i->i", a, x) for a in others])
    made = normal(factor, total)
    users = [node for node in _ir.topological([made]) if x in _ir.children(node)]
    assert len(users) == 1
    assert isinstance(made, _ir.Product)


# Deltas and collection, in the differentiator -----------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_raw_derivative_has_one_term_per_delta_pattern_and_no_delta_below_a_product(case):
    """Deltas stand at the top, each pattern once, and what carries none is one term."""
    f, x = case.build(case.small)
    for root in raw(f, x, case.order)[0]:
        if isinstance(root, _ir.Add):
            tied = [n for n in root.terms if _ir.carries_delta(n)]
            patterns = [delta_pattern(n) for n in tied]
            assert len(set(patterns)) == len(patterns)
    for node in _ir.topological(raw(f, x, case.order)[0]):
        if isinstance(node, _ir.Product):
            assert not any(_ir.carries_delta(below) for below in node.operands)


def test_what_a_broadcast_repeats_is_opened_if_nothing_else_uses_it():
    """``x y + A x`` with rows repeated: ``(y + A) x``; but a product with another user stays."""
    x, y, a = (
        _ir.new_input(name, shape) for name, shape in (("x", (5,)), ("y", (5,)), ("A", (9, 5)))
    )
    product = _ir.einsum("i,i->i", x, y)
    total = _ir.add([_ir.broadcast(product, (9, 5)), _ir.einsum("ki,i->ki", a, x)])
    (opened,) = walk([total], (factor,))
    assert isinstance(opened, _ir.Einsum)
    assert x in opened.operands
    kept, _ = walk([total, product], (factor,))
    assert kept is total

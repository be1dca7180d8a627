"""Structured values: deltas and cores, dense on request."""

import pickle
import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from reference import allocated, assert_close
from strategies import functions, point

import eingrad as eg
from eingrad._tracer import Term
from eingrad.errors import DTypeError, ShapeError, SubscriptsError

RNG = np.random.default_rng(0)
T, V, MASK = RNG.normal(size=(20, 30)), RNG.normal(size=(30, 4)), RNG.random((20, 30))


def factorisation(u):
    return np.sum((T - u @ V.T) ** 2 * MASK)


def test_a_diagonal_is_kept_as_its_core():
    tensor = eg.derivative(np.sin, structured=True)(np.array([1.0, 2.0, 3.0]))
    (term,) = tensor.terms
    assert term.deltas == ((0, 1),)
    assert term.axes == (0,)
    assert_close(term.core, np.cos([1.0, 2.0, 3.0]))
    assert repr(tensor) == "StructuredTensor of shape (3, 3), float64: delta[0,1] core(3)[0]"
    assert_close(np.asarray(tensor), np.diag(np.cos([1.0, 2.0, 3.0])))


def test_the_hessian_of_a_masked_factorisation_is_never_written_out():
    """One delta and a (m, k, k) core: nothing of size (m k)^2 in the plan either."""
    u = RNG.normal(size=(20, 4))
    plan = eg.derivative(factorisation, 2, structured=True).plan(u)
    tensor = plan(u)
    assert [(t.deltas, t.core.shape) for t in tensor.terms] == [(((0, 2),), (20, 4, 4))]
    assert tensor.nbytes == 20 * 4 * 4 * 8
    assert max(s.bytes for s in plan.program.statements) < 8 * (20 * 4) ** 2
    assert_close(tensor.dense(), eg.hessian(factorisation)(u))


@given(case=functions(), order=st.integers(0, 3), seed=st.integers(0, 2**32 - 1))
def test_dense_is_the_derivative(case, order, seed):
    f, shape = case
    x = point(shape, seed)
    dense = eg.derivative(f, order)(x)
    assume(dense.size < 5000)
    tensor = eg.derivative(f, order, structured=True)(x)
    assert (tensor.shape, tensor.dtype) == (dense.shape, dense.dtype)
    assert_close(tensor.dense(), dense)


def test_zero_has_no_terms():
    tensor = eg.derivative(lambda x: 2 * x, 2, structured=True)(np.ones(3))
    assert tensor.terms == ()
    assert tensor.nbytes == 0
    assert not tensor.dense().any()
    assert tensor.dense().shape == (3, 3, 3)
    assert repr(tensor).endswith(": zero")


def test_several_outputs_and_arguments_are_nested():
    (by_a, by_b), (again, _) = eg.derivative(
        lambda a, b: (a * b, a + b), 1, (0, 1), structured=True
    )(np.ones(2), np.full(2, 3.0))
    for tensor, diagonal in ((by_a, 3.0), (by_b, 1.0), (again, 1.0)):
        assert_close(tensor.dense(), diagonal * np.eye(2))


def test_a_structured_plan_pickles_and_takes_no_out():
    x = np.array([0.5, 2.0])
    plan = eg.derivative(np.exp, 2, structured=True).plan(x)
    again = pickle.loads(pickle.dumps(plan))
    assert_close(again(x).dense(), eg.hessian(np.exp)(x))
    with pytest.raises(DTypeError, match="no array of its own"):
        plan(x, out=np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="copy"):
        plan(x).__array__(copy=False)


def test_within_another_derivative_it_is_an_expression():
    """Whose terms are known as well."""
    x = np.array([0.5, 2.0])
    outer = eg.grad(lambda x: np.sum(eg.derivative(np.sin, structured=True)(x)))
    assert_close(outer(x), -np.sin(x))


# Computing with the terms ------------------------------------------------------------------------

SEEDS = st.integers(0, 2**32 - 1)


def random_tensor(seed, shape=None):
    """Up to three terms, each with random positions and deltas, its core on some axes left."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(2, 3 + rng.integers(2), size=rng.integers(2, 5))  # of one size or two
    shape = shape or tuple(drawn.tolist())
    terms = []
    for _ in range(rng.integers(0, 4)):
        tables = [random_positions(rng, size) for size in shape] if rng.random() < 0.7 else []
        sizes = [n for table in tables or map(range, shape) for n in np.shape(table)]
        free, deltas = list(range(len(sizes))), []
        for b in rng.permutation(len(sizes))[: rng.integers(0, len(sizes))].tolist():
            like = [a for a, size in enumerate(sizes) if a != b and size == sizes[b]]
            if like:  # a may be tied in its turn, and b may have been tied to
                deltas.append((like[rng.integers(len(like))], b))
                free.remove(b)
        axes = tuple(rng.permutation([n for n in free if rng.random() < 0.8]).tolist())
        core = rng.normal(size=[sizes[n] for n in axes])
        terms.append(Term(tuple(deltas), core, axes, tuple(tables)))
    return eg.StructuredTensor(shape, np.dtype(float), tuple(terms)), rng


def random_positions(rng, size):
    """A range, an array with repeats, or one of two axes."""
    kind = rng.integers(4)
    if kind == 0:
        return range(size)
    if kind == 1:
        return range(size)[:: rng.choice([-1, 1])][rng.integers(2) :]
    return rng.integers(0, size, size=rng.integers(1, 4, size=kind - 1))


def written_out(tensor):
    """By the definition of a term, entry by entry."""
    whole = np.zeros(tensor.shape)
    for term in tensor.terms:
        tables = [np.asarray(t) for t in term.positions or map(range, tensor.shape)]
        starts = np.cumsum([0, *(t.ndim for t in tables)])
        for at in np.ndindex(*(n for t in tables for n in t.shape)):
            if all(at[a] == at[b] for a, b in term.deltas):
                place = tuple(t[at[n : n + t.ndim]] for n, t in zip(starts, tables, strict=False))
                whole[place] += term.core[tuple(at[a] for a in term.axes)]
    return whole


@given(seed=SEEDS)
def test_a_term_is_its_core_where_deltas_and_positions_put_it(seed):
    tensor, _ = random_tensor(seed)
    assert_close(tensor.dense(), written_out(tensor))
    again = tensor + 0 * tensor  # read as patterns, and written as terms
    assert_close(written_out(again), written_out(tensor))


@given(seed=SEEDS)
def test_no_operation_holds_more_than_the_whole(seed):
    """Terms of one pattern are one; where all together hold more, there is one core."""
    tensor, rng = random_tensor(seed)
    for made in (tensor + tensor, tensor + rng.normal(size=tensor.shape), np.transpose(tensor)):
        cores = sum(term.core.size for term in made.terms)
        tables = sum(np.size(t) for m in made.terms for t in m.positions if type(t) is not range)
        assert cores + tables <= made.size
        assert len({(m.deltas, m.axes, repr(m.positions)) for m in made.terms}) == len(made.terms)


@given(seed=SEEDS)
def test_indexing_is_that_of_the_whole(seed):
    """Integers, slices and an ellipsis; nothing is written out of what has two axes or more."""
    tensor, rng = random_tensor(seed)
    key = []
    for size in tensor.shape:
        bounds = [None if rng.random() < 0.3 else int(n) for n in rng.integers(-4, 5, size=2)]
        part = slice(*bounds, int(rng.choice([-2, -1, 1, 2])))
        key.append(int(rng.integers(-size, size)) if rng.random() < 0.5 else part)
    first, last = sorted(rng.integers(0, tensor.ndim + 1, size=2).tolist())
    key = [*key[:first], ..., *key[last:]] if rng.random() < 0.5 else key[:last]
    agree(tensor[tuple(key)], np.asarray(tensor.dense()[tuple(key)]))
    agree(tensor[0], tensor.dense()[0])
    assert len(tensor) == len([*tensor]) == tensor.shape[0]


@given(seed=SEEDS)
def test_einsum_is_that_of_the_whole(seed):
    """One, two, or with arrays; a tensor where all axes of the result are of structured ones."""
    (tensor, rng), n = random_tensor(seed, (3, 3)), 3
    other, third = random_tensor(seed + 1, (3, 3))[0], random_tensor(seed + 2, (3, 1, 3))[0]
    v, A = rng.normal(size=n), rng.normal(size=(n, 4))
    whole = {id(t): t.dense() for t in (tensor, other, third)}
    for subscripts, *operands in (
        ("ij->ji", tensor), ("ii", tensor), ("ii->i", tensor), ("ij->i", tensor),
        ("ij,jk->ik", tensor, other), ("ij,ij->ij", tensor, other), ("ij,kl->kijl", tensor, other),
        ("ij,ji->", tensor, tensor), ("ij,jk,kl->il", tensor, other, tensor),
        ("ij,i->ij", tensor, v), ("i,ij,j->", v, tensor, v), ("...j,j->...", tensor, v),
        ("ijk,jk->ijk", third, tensor), ("ijk,il->lj", third, tensor),
    ):  # fmt: skip
        expected = np.einsum(subscripts, *(whole.get(id(x), x) for x in operands))
        agree(np.einsum(subscripts, *operands), np.asarray(expected))
    for made, expected in (
        (np.einsum("ij,jk->ik", tensor, A), whole[id(tensor)] @ A),
        (np.einsum(A, [2, 1], tensor, [0, 2], [1, 0], optimize=True), A.T @ whole[id(tensor)].T),
    ):
        assert type(made) is np.ndarray
        assert_close(made, expected)
    agree(tensor @ other, whole[id(tensor)] @ whole[id(other)])
    agree(np.tensordot(third, tensor, 1), np.tensordot(whole[id(third)], whole[id(tensor)], 1))


@given(seed=SEEDS)
def test_a_sparse_matrix_is_the_whole(seed):
    """Of rows and columns as they are asked for; in canonical form, as it says."""
    tensor, rng = random_tensor(seed)
    rows = int(rng.integers(0, tensor.ndim + 1))
    matrix = tensor.to_scipy_sparse(rows)
    shape = np.prod(tensor.shape[:rows], dtype=int), np.prod(tensor.shape[rows:], dtype=int)
    assert_close(matrix.toarray(), tensor.dense().reshape(shape))
    assert matrix.shape == shape
    parts = matrix.data, matrix.indices, matrix.indptr
    assert matrix.has_canonical_format
    assert type(matrix)(parts, shape=shape).has_canonical_format  # as SciPy finds it
    if tensor.ndim % 2 == 0:
        half = tensor.to_scipy_sparse()
        assert_close(half.toarray(), tensor.dense().reshape(half.shape))


def agree(value, expected):
    """Of less than two axes an array, else a tensor that holds no more than it must."""
    assert isinstance(value, np.ndarray if expected.ndim < 2 else eg.StructuredTensor)
    assert value.shape == expected.shape
    assert value.dtype == expected.dtype
    assert_close(np.asarray(value), expected)


@given(seed=SEEDS)
def test_linear_operations_are_those_of_the_whole(seed):
    """Sums, differences, multiples, transposes, sums over axes, traces."""
    tensor, rng = random_tensor(seed)
    whole, ndim = tensor.dense(), tensor.ndim
    other, _ = random_tensor(seed + 1, tensor.shape)
    array = rng.normal(size=tensor.shape)
    agree(tensor + other, whole + other.dense())
    agree(tensor - other, whole - other.dense())
    agree(tensor - tensor, 0 * whole)
    agree(array - tensor, array - whole)
    agree(2 - tensor, 2 - whole)
    agree(tensor + array, whole + array)
    agree(-3 * tensor / 2.0, -1.5 * whole)
    order = rng.permutation(ndim).tolist()
    agree(np.transpose(tensor, order), whole.transpose(order))
    agree(tensor.T, whole.T)
    agree(eg.transpose(tensor), eg.transpose(whole))
    axes = tuple(rng.choice(ndim, rng.integers(0, ndim + 1), replace=False).tolist())
    agree(np.sum(tensor, axis=axes), np.asarray(whole.sum(axis=axes)))
    agree(np.sum(tensor), np.asarray(whole.sum()))
    square, _ = random_tensor(seed, (3, 2, 3, 3))
    agree(np.trace(square, axis1=3, axis2=0), np.trace(square.dense(), axis1=3, axis2=0))
    agree(
        eg.trace(random_tensor(seed, (3, 3, 2, 3))[0]),
        eg.trace(random_tensor(seed, (3, 3, 2, 3))[0].dense()),
    )


@given(seed=SEEDS)
def test_products_with_arrays_are_those_of_the_whole(seed):
    """Arrays, also of the structured tensor on the right."""
    tensor, rng = random_tensor(seed)
    whole, ndim = tensor.dense(), tensor.ndim

    def same(value, expected):
        assert type(value) is np.ndarray
        assert_close(value, np.asarray(expected))

    v, A = rng.normal(size=tensor.shape[-1]), rng.normal(size=(tensor.shape[-1], 4))
    w, B = rng.normal(size=tensor.shape[-2]), rng.normal(size=(4, tensor.shape[-2]))
    same(tensor @ v, whole @ v)
    same(tensor @ A, whole @ A)
    same(w @ tensor, w @ whole)
    same(B @ tensor, B @ whole)
    for n in range(ndim + 1):
        last = rng.normal(size=(*tensor.shape[ndim - n :], 2))
        same(np.tensordot(tensor, last, n), np.tensordot(whole, last, n))
    first = rng.normal(size=(tensor.shape[1], 3, tensor.shape[0]))
    same(
        np.tensordot(first, tensor, ((2, 0), (0, 1))), np.tensordot(first, whole, ((2, 0), (0, 1)))
    )
    C, D = rng.normal(size=(4, tensor.shape[0])), rng.normal(size=(tensor.shape[1], 5))
    same(eg.product(C, tensor, D), eg.product(C, whole, D))


def test_a_product_with_a_hessian_never_writes_it_out():
    """The cores only: of (mk)^2 entries, 400 MB, there is a diagonal of blocks."""
    m, k = 1000, 7
    u = RNG.normal(size=(m, k))
    hessian = eg.hessian(lambda u: np.sum((u @ np.ones((k, 3))) ** 4), structured=True)(u)
    v = RNG.normal(size=(m, k))
    peak = allocated(lambda: (np.tensordot(hessian, v), np.sum(hessian)))
    product, total = np.tensordot(hessian, v), np.sum(hessian)
    assert peak < 10 * hessian.nbytes < 8 * (m * k) ** 2 / 50
    sums = u.sum(1)
    assert_close(product, (36 * sums**2 * v.sum(1))[:, None] * np.ones(k))
    assert_close(total, np.asarray((36 * sums**2).sum() * k * k))


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def ring(x):
    return (np.sin(x) * np.roll(x, 1)).sum()


@pytest.mark.parametrize(("f", "numbers"), [(rosenbrock, 2), (ring, 5)])
def test_the_hessian_of_a_chain_holds_a_few_numbers_for_each(f, numbers):
    """Bands and shifts: cores that terms have in common count once, tables of a shift too."""
    n = 300
    x = np.random.default_rng(0).normal(size=n) / 3
    plan = eg.hessian(f, structured=True).plan(x)
    tensor = plan(x)
    assert tensor.nbytes <= 8 * n * numbers
    assert max(s.bytes for s in plan.program.statements) <= 8 * n
    assert_close(tensor.dense(), eg.hessian(f)(x))
    assert tensor[7:9].nbytes < 8 * 2 * 3 * numbers * 2
    peak = allocated(lambda: (tensor @ x, tensor[0], tensor.sum(), np.einsum("ii->i", tensor)))
    assert peak < 8 * n * 60 < 8 * n * n / 4


def test_blocks_of_a_flat_vector_stay_blocks():
    """Layers cut out of one vector: each core has the entries of its blocks, placed by position."""
    a = np.random.default_rng(0).normal(size=(5, 4))

    def loss(w):
        return np.cosh(a @ w[:12].reshape(4, 3)).sum() + (w[12:] ** 4).sum()

    w = np.random.default_rng(1).normal(size=15)
    tensor = eg.hessian(loss, structured=True)(w)
    assert sum(term.core.size for term in tensor.terms) <= 4 * 4 * 3 + 3
    assert_close(tensor.dense(), eg.hessian(loss)(w))
    assert_close(tensor.to_scipy_sparse().toarray(), eg.hessian(loss)(w))
    assert tensor.to_scipy_sparse().nnz == 4 * 4 * 3 + 3


def test_a_small_chain_holds_no_more_than_its_matrix():
    tensor = eg.hessian(rosenbrock, structured=True)(np.array([0.5, 1.5]))
    assert tensor.nbytes <= 2 * 2 * 8


def test_sparse_matrices_of_a_plan_have_the_same_indices():
    """Worked out once, a few integers for each number of the chain, and each result has its own."""
    n = 20_000
    plan = eg.hessian(rosenbrock, structured=True).plan(np.ones(n))
    peak = allocated(lambda: eg.hessian(rosenbrock, structured=True)(np.ones(n)).to_scipy_sparse())
    assert peak < 200 * n
    first, second = plan(np.ones(n)).to_scipy_sparse(), plan(np.zeros(n)).to_scipy_sparse()
    assert first.nnz == second.nnz == 3 * n - 2
    assert np.array_equal(first.indices, second.indices)
    assert np.array_equal(first.indptr, second.indptr)
    first.indices[0] = 1
    assert plan(np.ones(n)).to_scipy_sparse().indices[0] == 0
    again = pickle.loads(pickle.dumps(plan))
    assert_close(again(np.ones(n)).to_scipy_sparse().data, plan(np.ones(n)).to_scipy_sparse().data)


def test_without_scipy_a_sparse_matrix_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    with pytest.raises(ImportError, match=r"needs SciPy, which is not installed; .* dense\(\)$"):
        DIAGONAL.to_scipy_sparse()


def test_cores_of_a_plan_are_not_written_to():
    """Terms may have one in common."""
    tensor = eg.hessian(rosenbrock, structured=True)(np.ones(9))
    assert len({id(term.core) for term in tensor.terms}) < len(tensor.terms)
    for term in tensor.terms:
        with pytest.raises(ValueError, match="read-only"):
            term.core[...] = 0


def test_every_verb_has_the_keyword():
    """As `derivative` has it; values too are tensors then."""
    x = np.array([0.5, 2.0])
    f = lambda x: np.sum(np.sin(x))  # noqa: E731
    for made, dense in (
        (eg.jacobian(np.sin, structured=True), eg.jacobian(np.sin)),
        (eg.grad(f, structured=True), eg.grad(f)),
        (eg.hessian(f, structured=True), eg.hessian(f)),
    ):
        tensor = made(x)
        assert isinstance(tensor, eg.StructuredTensor)
        assert_close(tensor.dense(), dense(x))
    for made, dense in (
        (eg.value_and_grad(f, structured=True), eg.value_and_grad(f)),
        (eg.value_and_derivatives(f, structured=True), eg.value_and_derivatives(f)),
    ):
        for tensor, array in zip(made(x), dense(x), strict=True):
            assert isinstance(tensor, eg.StructuredTensor)
            assert_close(tensor.dense(), array)
    with pytest.raises(ShapeError, match="the gradient needs a scalar function"):
        eg.grad(np.sin, structured=True)(x)


DIAGONAL = eg.jacobian(np.sin, structured=True)(np.ones(3))
REFUSED = {
    "a function": (
        lambda: np.linalg.inv(DIAGONAL),
        DTypeError,
        (
            r"np.linalg.inv of a structured tensor would write it out: shape \(3, 3\), 72 bytes; "
            r"if that is meant, call np.linalg.inv with tensor.dense\(\)"
        ),
    ),
    "a ufunc": (lambda: np.exp(DIAGONAL), DTypeError, "np.exp of a structured tensor would write"),
    "an option": (
        lambda: np.sum(DIAGONAL, keepdims=True),
        DTypeError,
        "np.sum with keepdims= of a structured tensor would write it out",
    ),
    "an option of a ufunc": (
        lambda: np.add(DIAGONAL, 1, where=True),
        DTypeError,
        "np.add of a str",
    ),
    "an elementwise product": (
        lambda: DIAGONAL * np.ones(3),
        DTypeError,
        r"multiplied with numbers only, not elementwise with shape \(3,\); write it out",
    ),
    "a quotient": (
        lambda: 1 / np.float64(2) / DIAGONAL,
        DTypeError,
        "divided by numbers only, and",
    ),
    "a product of two, of other sizes": (
        lambda: DIAGONAL @ random_tensor(0, (2, 3))[0],
        ShapeError,
        r"axes \[-1\] of shape \(3, 3\) and \[-2\] of shape \(2, 3\) are contracted with each",
    ),
    "an index out of bounds": (
        lambda: DIAGONAL[0, 3],
        IndexError,
        r"index 3 is out of bounds for axis 1 of a structured tensor of shape \(3, 3\); give -3",
    ),
    "too many indices": (
        lambda: DIAGONAL[0, ..., 1, 2],
        IndexError,
        r"3 indices for a structured tensor of shape \(3, 3\); give at most 2",
    ),
    "two ellipses": (
        lambda: DIAGONAL[..., ...],
        IndexError,
        "an index has more than one ellipsis; write one, for all other axes",
    ),
    "an index that is a list": (
        lambda: DIAGONAL[[0, 1]],
        DTypeError,
        r"indexed by integers, slices and '...', not by \[0, 1\]; write it out first, with dense",
    ),
    "a mask": (lambda: DIAGONAL[True], DTypeError, r"and '...', not by True; write it out first"),
    "a new axis": (lambda: DIAGONAL[None], DTypeError, r"and '...', not by None; write it out"),
    "einsum of other sizes": (
        lambda: np.einsum("ij,jk", DIAGONAL, np.ones((2, 2))),
        ShapeError,
        "np.einsum of structured tensors: index 'j' has size 3 in operand 0",
    ),
    "einsum with too few letters": (
        lambda: np.einsum("i", DIAGONAL),
        SubscriptsError,
        "np.einsum of structured tensors: einsum subscripts 'i': operand 0 has 2 axes",
    ),
    "einsum with other numbers": (
        lambda: np.einsum(DIAGONAL, [0, -1]),
        SubscriptsError,
        r"np.einsum of structured tensors: subscripts \[0, -1\]; give a list of numbers from 0",
    ),
    "rows of three axes": (
        lambda: random_tensor(0, (2, 3, 4))[0].to_scipy_sparse(rows=None),
        ShapeError,
        r"has 3 axes, of which no half are rows; say how many are: to_scipy_sparse\(rows=1\)",
    ),
    "more rows than axes": (
        lambda: DIAGONAL.to_scipy_sparse(rows=3),
        ShapeError,
        r"rows=3 of a structured tensor of shape \(3, 3\), which has 2 axes; give 0 to 2",
    ),
    "rows that are no number": (
        lambda: DIAGONAL.to_scipy_sparse(True),
        ShapeError,
        "rows=True is no number of axes; give an integer",
    ),
    "the length of a number": (
        lambda: len(eg.derivative(np.sum, 0, structured=True)(np.ones(2))),
        TypeError,
        "a structured tensor without axes has no length",
    ),
    "a sum of other shapes": (
        lambda: DIAGONAL + np.ones(3),
        ShapeError,
        r"of shape \(3, 3\) and an array of shape \(3,\) are not added; give an array of the same",
    ),
    "a vector of another size": (
        lambda: DIAGONAL @ np.ones(2),
        ShapeError,
        r"axes \[-1\] of shape \(3, 3\) and \[0\] of shape \(2,\) are contracted with each other; ",
    ),
    "a stack of matrices": (
        lambda: DIAGONAL @ np.ones((2, 3, 3)),
        ShapeError,
        r"@ of shapes \(3, 3\) and \(2, 3, 3\): a structured tensor is multiplied with a vector or",
    ),
    "a trace of unequal axes": (
        lambda: eg.trace(random_tensor(0, (2, 3))[0]),
        ShapeError,
        "the first two axes have sizes 2 and 3",
    ),
    "a trace of one axis": (
        lambda: np.trace(DIAGONAL, axis1=1, axis2=1),
        ShapeError,
        r"the diagonal of axes 1 and 1 of shape \(3, 3\); give two axes",
    ),
    "a transpose of some axes": (
        lambda: np.transpose(DIAGONAL, (0, 0)),
        ShapeError,
        r"axes \(0, 0\) name an axis of shape \(3, 3\) twice; name it once",
    ),
    "a traced value": (
        lambda: eg.jacobian(lambda x: DIAGONAL @ x)(np.ones(3)),
        DTypeError,
        r"operand \d, DIAGONAL, is .*StructuredTensor.*: write np.asarray\(DIAGONAL\)",
    ),
    "a traced value, on the left": (
        lambda: eg.jacobian(lambda x: x @ DIAGONAL)(np.ones(3)),
        DTypeError,
        r"operand 1, DIAGONAL, is .*StructuredTensor.*: write np.asarray",
    ),
    "a traced value, to a function": (
        lambda: eg.jacobian(lambda x: np.tensordot(DIAGONAL, x, 1))(np.ones(3)),
        DTypeError,
        r"operand \d, DIAGONAL, is .*StructuredTensor.*: write np.asarray\(DIAGONAL\)",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_would_write_it_out_is_refused(call, error, message):
    """Or says what there is in its place."""
    with pytest.raises(error, match=message):
        call()


def test_adding_in_place_binds_the_name_anew():
    """Tensors are immutable, as numbers are."""
    tensor = before = DIAGONAL
    tensor += 1
    assert tensor is not before
    assert_close(tensor.dense(), before.dense() + 1)


def test_terms_of_a_structured_tensor_are_its_own():
    tensor = eg.jacobian(np.sin, structured=True)(np.ones(4))
    assert eg.terms(tensor) == tensor.terms

"""Order of axes in memory: what a matrix product copies, and what it is known to copy."""

import itertools
import math
import random
import re

import numpy as np
import pytest
from reference import allocated

import eingrad as eg
from eingrad import _ir
from eingrad._plan import kernels
from eingrad._plan.lower.memory import Array, as_matrices, in_order, reshaped, strides_after
from eingrad._plan.lower.needs import Users

WINOGRAD = "mn,nr,fcr,nh,octh->oftm"
CHAINS = [
    ("ijkl,ia,jb,kc,ld->abcd", 6),
    ("ea,fb,abcd,gc,hd->efgh", 12),
    ("pi,qj,ijab,ra,sb->pqrs", dict.fromkeys("ijpq", 12) | dict.fromkeys("abrs", 20)),
    ("ijklm,ia,jb,kc,ld,me->abcde", 6),
    ("abc,ax,by,cz->xyz", 20),
    (WINOGRAD, {"m": 4, "n": 6, "r": 3, "f": 20, "c": 30, "h": 6, "o": 20, "t": 16}),
]


def shapes_of(subscripts, sizes):
    """Shapes of the operands; one size may be that of all indices."""
    terms = subscripts.partition("->")[0].split(",")
    return [tuple(sizes if isinstance(sizes, int) else sizes[i] for i in term) for term in terms]


def network(seed):
    """Tensors of many axes, as in chemistry and physics, on few indices."""
    rng = random.Random(seed)
    letters = "abcdefghijk"[: rng.randint(4, 11)]
    terms = ["".join(rng.sample(letters, rng.randint(1, min(5, len(letters))))) for _ in range(6)]
    terms = terms[: rng.randint(2, 6)]
    used = sorted(set("".join(terms)))
    out = "".join(rng.sample(used, rng.randint(0, min(4, len(used)))))
    return f"{','.join(terms)}->{out}", {i: rng.choice([1, 2, 3, 4, 5]) for i in used}


def planned(seed):
    """Plan a random network; give it with arrays for it and their subscripts."""
    subscripts, sizes = network(seed)
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape) for shape in shapes_of(subscripts, sizes)]
    return eg.einsum_plan(subscripts, *[a.shape for a in arrays]), arrays, subscripts


def workspace_bytes(plan):
    """Bytes that all steps copy."""
    return sum(s.workspace_bytes for s in plan.program.statements)


def intermediates(plan, arrays):
    """Run a plan's source without deleting anything; give the arrays by their numbers."""
    text = re.sub(r"\n +del .*", "", plan.source)
    text = re.sub(r"\n    return .*", "\n    return locals()", text)
    space = {}
    exec(text, space)
    names = space["derivative"](*arrays)
    first = plan.program.first
    known = dict(enumerate(arrays))
    for name, value in names.items():
        if re.fullmatch(r"t\d+", name) and isinstance(value, np.ndarray):
            known[first + int(name[1:])] = value
    return known


def array_of(x):
    """How an array lies, in elements."""
    return Array(x.shape, tuple(stride // x.itemsize for stride in x.strides))


def assert_lies(x, strides):
    """Strides along axes of size one say nothing."""
    lying = [s for s, size in zip(array_of(x).strides, x.shape, strict=True) if size != 1]
    assert lying == [s for s, size in zip(strides, x.shape, strict=True) if size != 1]


# What is copied ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("subscripts", "sizes"), CHAINS, ids=[c[0] for c in CHAINS])
def test_chains_of_contractions_copy_no_tensor(subscripts, sizes):
    """A change of basis, of integrals, a Winograd convolution: each step takes what lies there."""
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in shapes_of(subscripts, sizes)]
    plan = eg.einsum_plan(subscripts, *[a.shape for a in arrays])
    assert workspace_bytes(plan) == 0
    found = plan(*arrays)
    np.testing.assert_allclose(found, np.einsum(subscripts, *arrays, optimize="greedy"), rtol=1e-9)
    assert found.flags.c_contiguous
    assert allocated(lambda: plan(*arrays)) <= 1.02 * plan.peak_bytes + 2**12


@pytest.mark.parametrize(
    "subscripts",
    ["ibk,bkj->bij", "bik,kbj->bij", "ibk,kbj->bij", "iabk,akbj->abij", "ibckd,bkcj->bijcd"],
)
def test_batches_are_taken_wherever_they_lie(subscripts):
    shapes = shapes_of(subscripts, dict(zip("abcdijk", range(3, 10), strict=True)))
    assert workspace_bytes(eg.einsum_plan(subscripts, *shapes)) == 0


def test_a_middle_axis_is_summed_in_its_place():
    """Kept axes around it are not merged: those before it count as a batch, for a new result."""
    shapes = shapes_of("ijkl,jb->ibkl", 12)
    plan = eg.einsum_plan("ijkl,jb->ibkl", *shapes)
    (step,) = (s for s in plan.program.statements if isinstance(s.kernel, kernels.MatMul))
    assert (step.workspace_bytes, step.kernel.batch) == (0, 1)
    arrays = [np.random.default_rng(0).normal(size=shape) for shape in shapes]
    found = plan(*arrays)
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, np.einsum("ijkl,jb->ibkl", *arrays), rtol=1e-10)


def test_what_is_copied_by_random_networks_has_not_grown():
    """It was 105,032 bytes before products looked at what lies where; now it is 85,448."""
    assert sum(workspace_bytes(planned(seed)[0]) for seed in range(200)) <= 85_528


# What is known -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_strides_and_copies_are_those_of_numpy(seed):
    """Of every step: where its result lies, and which operands of a product are copied."""
    plan, arrays, _ = planned(seed)
    known, lying = intermediates(plan, arrays), [array_of(a) for a in arrays]
    for s in plan.program.statements:
        shape = s.results[0].shape
        operands = [lying[n] for n in s.operands]
        lying.append(Array(shape, strides_after(s.kernel, operands, shape) or in_order(shape)))
        if s.targets[0] in known:
            assert_lies(known[s.targets[0]], lying[-1].strides)
        if isinstance(s.kernel, kernels.MatMul):
            copied = 0
            for n, side in zip(s.operands, s.kernel.sides, strict=True):
                x = known[n].transpose(side.axes)
                merged = x if side.flat is None else x.reshape(side.flat)
                copied += 0 if np.shares_memory(merged, x) else x.nbytes
                assert (as_matrices(lying[n], side) is None) != np.shares_memory(merged, x)
            assert s.workspace_bytes == copied


def test_reshaping_copies_where_numpy_does():
    rng = random.Random(0)
    for _ in range(2000):
        shape = [rng.choice([1, 2, 3, 4]) for _ in range(rng.randint(1, 4))]
        x = np.zeros(shape).transpose(rng.sample(range(len(shape)), len(shape)))
        wanted, rest = [], x.size
        while rest > 1:
            wanted.append(rng.choice([n for n in range(2, rest + 1) if rest % n == 0]))
            rest //= wanted[-1]
        wanted.insert(rng.randint(0, len(wanted)), 1)
        found, y = reshaped(array_of(x), tuple(wanted)), x.reshape(wanted)
        assert (found is not None) == np.shares_memory(x, y)
        if found is not None:
            assert_lies(y, found)


# Values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60, 160))
def test_values_do_not_depend_on_the_layout_of_arrays(seed):
    """Inputs in another order than that of their axes, and results in arrays of any order."""
    plan, arrays, subscripts = planned(seed)
    expected = np.einsum(subscripts, *arrays, optimize="greedy")
    scale = np.abs(expected).max()
    turned = [np.asfortranarray(a) for a in arrays]
    order = random.Random(seed).sample(range(expected.ndim), expected.ndim)
    buffers = [np.full(expected.shape, np.nan)]
    buffers.append(np.full([expected.shape[k] for k in order], np.nan).transpose(np.argsort(order)))
    for given in (arrays, turned):
        np.testing.assert_allclose(plan(*given), expected, rtol=1e-9, atol=1e-9 * scale)
        for buffer in buffers if expected.ndim else ():
            plan(*given, out=buffer)
            np.testing.assert_allclose(buffer, expected, rtol=1e-9, atol=1e-9 * scale)


def test_results_that_are_used_too_lie_in_the_order_of_their_axes():
    """A step that wants another order of what is a result gets the result's."""
    rng = np.random.default_rng(0)
    x, a, b = rng.normal(size=(4, 5, 6)), rng.normal(size=(6, 7)), rng.normal(size=(5, 3))
    X, A, B = (eg.variable(n, v.shape) for n, v in (("X", x), ("A", a), ("B", b)))
    first = np.einsum("ijk,kc->ijc", X, A)
    plan = eg.compile([first, np.einsum("ijc,jb->ibc", first, B)])
    one, two = plan(X=x, A=a, B=b)
    assert one.flags.c_contiguous
    np.testing.assert_allclose(two, np.einsum("ijk,kc,jb->ibc", x, a, b), rtol=1e-10)


@pytest.mark.parametrize(("size", "is_needed"), [(40, True), (4, False)])
def test_what_is_multiplied_entry_by_entry_is_to_lie_as_the_product_does(size, is_needed):
    """It lay in the order of its own axes, so that each run of the other operand was one entry."""
    a, b, c = (_ir.new_input(name, (size, size)) for name in "abc")
    product = _ir.einsum("ij,jk->ik", a, b)
    for subscripts in ("ik,ki->ik", "ik,ki->ki", "ki,ik->ik"):
        result = _ir.einsum(subscripts, product, c)
        term = next(term for node, term in result.factors if node is product)
        wanted = tuple(term.index(index) for index in result.out)
        need = Users.of([result], [product, result]).need(product)
        assert need.stages[0].order == (wanted if is_needed else (0, 1))


def test_what_is_multiplied_entry_by_entry_is_to_lie_as_the_other_factor_does():
    """It lay as the axes of an intermediate, whose order nobody chose, so one was read across."""
    shapes = {"a": (40, 5), "b": (5, 50), "c": (50, 40), "d": (40, 6)}
    a, b, c, d = itertools.starmap(_ir.new_input, shapes.items())
    met = _ir.einsum("ij,ji->ij", _ir.einsum("ik,kj->ij", a, b), c)
    result = _ir.einsum("ij,il->jl", met, d)
    order = _ir.topological([result])
    (product,) = (n for n in order if isinstance(n, _ir.Product) and n.sums and n is not result)
    users = Users.of([result], order)
    for strides, wanted in (((40, 1), [50, 40]), ((1, 50), [40, 50])):
        lying = {c: Array(c.shape, strides)}
        axes = users.need(product, lying.get).stages[0].order
        assert [product.shape[axis] for axis in axes] == wanted


MET = [
    *("ja,jb,ba,al->bl", "ja,jb,ab,al->bl", "ja,jb,ba,bl->al", "aj,bj,ba,bl->al"),
    *("aj,bcj,abc,bl->acl", "aj,bcj,acb,bl->acl", "aj,bcj,bca,bl->acl", "aj,bcj,cba,bl->acl"),
    *("abj,cj,cab,al->bcl", "abj,cj,abc,al->bcl", "abj,cj,cba,al->bcl", "bja,jcb,bca,bal->cl"),
    *("abc,ba,alc->abl", "ba,abc,alc->abl", "abc,ba,alb->alc", "ba,cab,cl->abl", "cb,acb,al->bcl"),
]


@pytest.mark.parametrize("subscripts", MET)
def test_no_large_factor_is_read_in_another_order_than_it_lies(subscripts):
    """Entry by entry: NumPy is told the order in which it lies, and makes the result in that."""
    sizes = {"a": 24, "b": 28, "c": 20, "j": 3, "k": 2, "l": 5}
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s) for s in shapes_of(subscripts, sizes)]
    plan = eg.einsum_plan(subscripts, *[a.shape for a in arrays])
    known, seen = intermediates(plan, arrays), 0
    for s in plan.program.statements:
        if isinstance(s.kernel, kernels.Multiply):
            for n, term in zip(s.operands, s.kernel.terms, strict=True):
                if known[n].size == math.prod(s.shape):
                    lying = sorted(term, key=lambda i: -known[n].strides[term.index(i)])
                    assert (*lying,) == s.kernel.out
                    seen += 1
    assert seen
    np.testing.assert_allclose(plan(*arrays), np.einsum(subscripts, *arrays), rtol=1e-9)

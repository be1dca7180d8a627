"""The verbs on symbols: variables, opaque functions, differentiation, plans, lifts, the Remark."""

import functools
import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inside import node_of
from reference import assert_close, complex_step

import eingrad as eg
from eingrad.errors import DTypeError, PlanError, ShapeError, SymmetryError, TracerLeakError

SEEDS = st.integers(0, 2**32 - 1)
X = eg.variable("X", (2, 4))
F = eg.function("F", X, shape=(3, 3))


def _schwarz(rng, shape, blocks):
    """A random tensor whose last `blocks` pairs of axes are interchangeable."""
    array = rng.normal(size=shape)
    lead = len(shape) - 2 * blocks
    pairs = [(lead + 2 * k, lead + 2 * k + 1) for k in range(blocks)]
    orders = [[*range(lead), *itertools.chain(*p)] for p in itertools.permutations(pairs)]
    return sum(array.transpose(order) for order in orders) / len(orders)


# Opaque functions --------------------------------------------------------------------------------


def test_derivatives_of_an_opaque_function_are_inputs():
    """Named by function and variable, of shape value, then variable, once per order."""
    for order, name in enumerate(("F", "dF_dX", "d2F_dX_dX", "d3F_dX_dX_dX")):
        plan = eg.compile(eg.differentiate(F, X, order))
        assert plan.inputs == (name,)
        assert plan.program.inputs[0].shape == (3, 3) + (2, 4) * order


def test_the_same_function_of_the_same_argument_is_one():
    """Another argument or shape gives another function."""
    again = eg.function("F", X, shape=(3, 3))
    assert node_of(again) is node_of(F)
    assert node_of(eg.function("F", X, shape=(2, 2))) is not node_of(F)
    assert node_of(eg.function("F", 2 * X, shape=(3, 3))) is not node_of(F)


def test_mixed_derivatives_do_not_depend_on_the_order():
    """Schwarz: one input, d2G_dX_dY, transposed where Y comes first."""
    y = eg.variable("y", 5)
    G = eg.function("G", X, y, shape=(3,))
    first, second = (eg.differentiate(eg.differentiate(G, a), b) for a, b in ((X, y), (y, X)))
    assert eg.compile((first, second)).inputs == ("d2G_dX_dy",)
    value = np.random.default_rng(0).normal(size=(3, 2, 4, 5))
    left, right = eg.compile((first, second))(value)
    assert_close(left, value, rtol=0)
    assert_close(right, np.moveaxis(value, 3, 1), rtol=0)


def test_interchangeable_axes_are_written_in_one_way():
    """``d2F v`` and ``v d2F`` are one node, for any way to wire the two blocks."""
    d2 = eg.differentiate(F, X, 2)
    v, w = eg.variable("V", (2, 4)), eg.variable("W", (2, 4))
    left = np.einsum("ijklmn,kl,mn->ij", d2, v, w)
    right = np.einsum("ijklmn,kl,mn->ij", d2, w, v)
    assert node_of(left) is node_of(right)
    assert node_of(np.einsum("ijklmn->ijmnkl", d2)) is node_of(d2)
    twice = np.einsum("ijklmn,pqklmn->ijpq", d2, d2)
    assert node_of(np.einsum("ijklmn,pqmnkl->ijpq", d2, d2)) is node_of(twice)
    assert node_of(np.einsum("ijklmn->jiklmn", d2)) is not node_of(d2)


def test_chain_rule_of_an_opaque_function_of_an_expression():
    """``F(A u)``, with the values of a function that is known."""
    rng = np.random.default_rng(1)
    A, u = rng.normal(size=(3, 2)), rng.normal(size=2)
    symbol = eg.variable("u", 2)
    G = eg.function("G", A @ symbol, shape=())
    gradient, hessian = (eg.compile(eg.differentiate(G, symbol, n)) for n in (1, 2))
    g = lambda y: np.sum(np.sin(y)) * y[0]  # noqa: E731
    first, second = eg.grad(g)(A @ u), eg.hessian(g)(A @ u)
    assert gradient.inputs == ("dG_d1",)
    assert_close(gradient(first), eg.grad(lambda u: g(A @ u))(u))
    assert_close(hessian(d2G_d1_d1=second), eg.hessian(lambda u: g(A @ u))(u))


def test_a_function_of_two_arguments_is_told_apart_by_them():
    """F(X) and F(Y) are two inputs of one plan."""
    Y = eg.variable("Y", (2, 4))
    plan = eg.compile(F @ eg.function("F", Y, shape=(3, 3)))
    assert plan.inputs == ("F_at_X", "F_at_Y")
    a, b = np.random.default_rng(0).normal(size=(2, 3, 3))
    assert_close(plan(a, b), a @ b)
    assert_close(plan(F_at_Y=b, F_at_X=a), a @ b)


def test_a_repeated_argument_is_named_by_its_number():
    """``d F(X, X) / dX`` is the sum of two derivatives, which are two inputs."""
    Z = eg.variable("Z", (2, 2))
    twice = eg.differentiate(eg.function("F", Z, Z, shape=()), Z)
    assert str(twice) == "[i,j] = dF_d1[i,j] + dF_d2[i,j]"
    plan = eg.compile(twice)
    assert plan.inputs == ("dF_d1", "dF_d2")
    a, b = np.random.default_rng(0).normal(size=(2, 2, 2))
    assert_close(plan(a, b), a + b)


def test_calls_of_unnamed_arguments_are_numbered():
    """``F(Z + Z^T) + F(Z Z)``, and their derivatives by the same numbers."""
    Z = eg.variable("Z", (2, 2))
    F = [eg.function("F", argument, shape=(2,)) for argument in (Z + Z.T, Z * Z)]
    plan = eg.compile((F[0] - F[1], eg.differentiate(F[0] - F[1], Z)))
    assert {*plan.inputs} == {"Z", "F_call1", "F_call2", "dF_d1_call1", "dF_d1_call2"}
    point = np.array([[0.3, -1.0], [2.0, 0.7]])
    f = lambda x: np.sin(x) @ np.ones(2)  # noqa: E731
    values = {}
    for argument in (point + point.T, point * point):
        values[len(values)] = f(argument), eg.jacobian(f)(argument)
    numbers = [1, 2] if _first_call_is(plan, values) else [2, 1]
    named = {}
    for n, (value, first) in zip(numbers, values.values(), strict=True):
        named |= {f"F_call{n}": value, f"dF_d1_call{n}": first}
    difference = lambda z: f(z + z.T) - f(z * z)  # noqa: E731
    left, right = plan(Z=point, **named)
    assert_close(left, difference(point))
    assert_close(right, eg.jacobian(difference)(point))


def _first_call_is(plan, values):
    """Whether call 1 is the first argument: the value tells, for it is a plain difference."""
    zero = {name: np.zeros(spec.shape) for name, spec in zip(
        plan.inputs, plan.program.inputs, strict=True)}  # fmt: skip
    return plan(**zero | {"F_call1": values[0][0]})[0] @ values[0][0] > 0


def test_differentiating_in_a_function_holds_its_arguments():
    """``d det F / dF``: the axes of F, not of X."""
    dy = eg.differentiate(np.linalg.det(F) * np.sum(X), F)
    assert dy.shape == (3, 3)
    value = np.eye(3) + 0.1
    x = np.ones((2, 4))
    assert_close(eg.compile(dy)(x, value), 8 * np.linalg.det(value) * np.linalg.inv(value).T)


# Differentiation and plans -----------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["cheapest", "forward", "reverse"])
@pytest.mark.parametrize("path", ["planned", "greedy", "left to right"])
def test_every_mode_and_path_gives_one_tensor(mode, path):
    """They differ in cost alone."""
    x, A = eg.variable("x", 3), np.arange(9.0).reshape(3, 3) / 9
    y = np.tanh(A @ x) @ A @ A @ A @ np.exp(x) * x
    point = np.array([0.1, -0.4, 0.7])
    plan = eg.compile(eg.differentiate(y, x, 2, mode=mode), path=path)
    f = lambda x: np.tanh(A @ x) @ A @ A @ A @ np.exp(x) * x  # noqa: E731
    assert_close(plan(point), eg.derivative(f, 2)(point), rtol=1e-12)


def test_a_plan_reads_only_what_the_value_depends_on():
    """The input set is a theorem: the Hessian of a quadratic form does not depend on x."""
    x, B = eg.variable("x", 3), eg.variable("B", (3, 3))
    assert eg.compile(eg.differentiate(x @ B @ x, x, 2)).inputs == ("B",)
    assert eg.compile(eg.differentiate(x @ B @ x, x, 3)).inputs == ()


def test_several_outputs_share_what_they_have_in_common():
    """One inverse for value, gradient and Hessian; outputs nested as they were given."""
    Z = eg.variable("Z", (3, 3))
    y = np.linalg.slogdet(Z)[1]
    outputs = {"value": y, "rest": (eg.differentiate(y, Z), eg.differentiate(y, Z, 2))}
    plan = eg.compile(outputs)
    inverses = [s for s in plan.program.statements if s.kernel.label == "inverse"]
    assert len(inverses) == 1
    result = plan(2 * np.eye(3))
    assert_close(result["rest"][0], np.eye(3) / 2)
    assert result["rest"][1].shape == (3, 3, 3, 3)


def test_a_large_constant_is_data_not_text():
    """An array of the user's goes into the plan, not into its source; it is copied."""
    A = np.random.default_rng(0).normal(size=(20, 20))
    x = eg.variable("x", 20)
    plan = eg.compile(A @ x)
    before = plan(np.ones(20))
    assert len(plan.source) < 500
    assert plan.inputs == ("x",)
    assert not plan.captured
    assert [c.shape for c in plan.program.constants] == [(20, 20)]
    again = pickle.loads(pickle.dumps(plan))
    assert_close(again(np.ones(20)), before, rtol=0)
    A *= 2
    assert_close(plan(np.ones(20)), before, rtol=0)


def test_plans_of_symbols_pickle():
    """They carry their arrays, and emit again."""
    plan = eg.compile(eg.differentiate(np.linalg.inv(F), X))
    again = pickle.loads(pickle.dumps(plan))
    arrays = np.eye(3) * 2, np.ones((3, 3, 2, 4))
    assert_close(again(*arrays), plan(*arrays), rtol=0)
    assert again.source == plan.source


def test_out_is_filled_and_returned():
    """Also where it is an argument of the plan."""
    Z = eg.variable("Z", (2, 2))
    plan = eg.compile(Z @ Z.T)
    z = np.arange(4.0).reshape(2, 2)
    buffer = np.empty((2, 2))
    assert plan(z, out=buffer) is buffer
    assert_close(buffer, z @ z.T, rtol=0)
    expected = z @ z.T
    assert plan(z, out=z) is z
    assert_close(z, expected, rtol=0)


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.zeros(3), ShapeError, r"out has shape \(3,\) but the result has shape \(2, 2\)"),
        (np.zeros((2, 2), np.float32), DTypeError, "out has dtype float32 but the result has"),
        ([[0.0, 0.0], [0.0, 0.0]], ShapeError, "out holds 4 arrays but the plan gives 1; nest"),
        (np.broadcast_to(0.0, (2, 2)), PlanError, "out is read-only; give an array that can"),
        (0.0, DTypeError, "out is a float; it must be a NumPy array"),
    ],
)
def test_a_wrong_out_is_refused(out, error, message):
    """Before anything is computed."""
    Z = eg.variable("Z", (2, 2))
    plan = eg.compile(np.linalg.inv(Z))
    with pytest.raises(error, match=message):
        plan(np.zeros((2, 2)), out=out)  # singular: computing would raise LinAlgError


def test_buffers_that_share_memory_are_refused():
    """The second result would overwrite the first."""
    Z = eg.variable("Z", (2, 2))
    buffer = np.zeros((2, 2))
    with pytest.raises(PlanError, match="out, array 1, shares memory with another array of out"):
        eg.compile((Z + 1, Z + 2))(np.ones((2, 2)), out=(buffer, buffer))


def test_inputs_are_given_by_position_or_name():
    """And every mistake is named."""
    a, b = eg.variable("a"), eg.variable("b")
    plan = eg.compile(a - b)
    assert plan(1.0, 3.0) == plan(1.0, b=3.0) == plan(b=3.0, a=1.0) == -2
    with pytest.raises(ShapeError, match=r"the plan takes 2 arrays \(a, b\) but 3 were given"):
        plan(1.0, 2.0, 3.0)
    with pytest.raises(ShapeError, match="the plan has no input 'c'; its inputs are a, b"):
        plan(1.0, c=2.0)
    with pytest.raises(ShapeError, match="input 'a' was given twice, by position and by name"):
        plan(1.0, a=2.0)
    with pytest.raises(ShapeError, match="the plan needs an array for b"):
        plan(1.0)


def test_a_given_second_derivative_must_be_symmetric():
    """The plan may read either half."""
    plan = eg.compile(eg.differentiate(np.trace(F), X, 2))
    rng = np.random.default_rng(0)
    good = _schwarz(rng, (3, 3, 2, 4, 2, 4), 2)
    assert_close(plan(good), np.trace(good))
    with pytest.raises(SymmetryError, match=r"d2F_dX_dX .* interchanging axes \(2, 3\) and \(4,"):
        plan(rng.normal(size=good.shape))


def test_wrong_symbols_are_refused():
    """Each by a message that says what to do."""
    with pytest.raises(ValueError, match="a symbol's name must be an identifier, such as X or x_1"):
        eg.variable("x; import os")
    with pytest.raises(ShapeError, match="a shape is a tuple of integers of at least 0"):
        eg.variable("x", (2, -1))
    with pytest.raises(DTypeError, match="a symbol cannot have dtype int64; use a float or"):
        eg.variable("x", 2, dtype=int)
    with pytest.raises(ValueError, match="'F' is a function of nothing"):
        eg.function("F", shape=(2, 2))
    with pytest.raises(TypeError, match="argument 0 of F is of type ndarray, not an expression"):
        eg.function("F", np.ones(3))
    with pytest.raises(TypeError, match="what is differentiated is of type float"):
        eg.differentiate(3.0, X)
    with pytest.raises(TypeError, match="in a variable or a function, not in the expression"):
        eg.differentiate(np.sum(2 * X), 2 * X)
    with pytest.raises(ValueError, match="order must be an integer of at least 0, not -1"):
        eg.differentiate(X, X, -1)
    with pytest.raises(ValueError, match="mode must be one of 'cheapest', 'forward', 'reverse'"):
        eg.differentiate(X, X, mode="backward")
    with pytest.raises(ValueError, match="path must be one of 'planned', 'fewest flops', 'greedy'"):
        eg.compile(X, path="optimal")
    with pytest.raises(ValueError, match="two symbols are named 'X'; give them different names"):
        eg.compile(X + eg.variable("X", (2, 4)))
    with pytest.raises(TypeError, match="output 1 is of type float, not an expression"):
        eg.compile((X, 1.0))
    with pytest.raises(DTypeError, match="this expression belongs to a trace"):
        eg.jacobian(lambda x: eg.compile(x) and x)(1.0)


def test_another_variable_of_the_same_name_is_refused():
    """A symbol made again is another one: the derivative in it was zero, silently."""
    message = (
        r"does not depend on this variable 'X', of shape \(2, 4\), but on another one of that "
        r"name, of shape \(2, 4\).*use the one that the expression was made with, or give them"
    )
    again = eg.variable("X", (2, 4))
    for y in (X**2, np.sum(np.sin(X)), np.linalg.inv(F), eg.differentiate(X**3, X)):
        with pytest.raises(ValueError, match=message):
            eg.differentiate(y, again)
    with pytest.raises(ValueError, match=message):
        eg.differentiate(np.linalg.inv(F), eg.function("F", again, shape=(3, 3)))
    with pytest.raises(ValueError, match=r"of shape \(3,\), but on another .* of shape \(2, 4\)"):
        eg.differentiate(X, eg.variable("X", 3))


def test_the_derivative_in_a_symbol_that_does_not_occur_is_zero():
    """Where another one of its name is gone, or stands beside it, no mistake is seen."""
    Y, again = eg.variable("Y", (2, 4)), eg.variable("X", (2, 4))
    for y, x in ((X, Y), (eg.differentiate(X, X), again)):
        assert str(eg.differentiate(y, x)).endswith("= 0")
    both = eg.compile(eg.differentiate(X + 2 * again, again))()
    assert_close(both.reshape(8, 8), 2 * np.eye(8))


def test_complex_symbols_are_holomorphic():
    """The derivative of z**2 is 2 z."""
    z = eg.variable("z", 2, complex)
    plan = eg.compile(eg.differentiate(z * z, z))
    assert_close(plan(np.array([1j, 2.0])), np.diag([2j, 4.0]))


def test_the_cache_is_bounded_counted_and_cleared():
    """As functools.lru_cache tells it."""
    eg.cache_clear()
    eg.grad(lambda x: x * x)(1.0)
    eg.grad(lambda x: x * x)(2.0)
    info = eg.cache_info()
    assert (info.hits, info.misses, info.currsize) == (1, 1, 1)
    for n in range(info.maxsize + 5):
        eg.grad(lambda x, n=n: x * (n + 0.5))(1.0)
    assert eg.cache_info().currsize == info.maxsize
    eg.cache_clear()
    assert eg.cache_info() == (0, 0, info.maxsize, 0)


# The Remark --------------------------------------------------------------------------------------


@given(
    sizes=st.lists(st.integers(1, 3), min_size=5, max_size=5),
    trailing=st.integers(0, 2),
    seed=SEEDS,
)
def test_trace_transpose_and_product_act_on_the_first_two_axes(sizes, trailing, seed):
    """Of arrays and of expressions alike, and of any tensor with at least two axes."""
    rng = np.random.default_rng(seed)
    d, e, f = sizes[:3]
    rest = tuple(sizes[3 : 3 + trailing])
    t = rng.normal(size=(d, e, *rest))
    square = rng.normal(size=(d, d, *rest))
    a, b = rng.normal(size=(f, d)), rng.normal(size=(e, 2))
    cases = [
        (eg.trace, (square,), np.einsum("ii...->...", square)),
        (eg.transpose, (t,), np.swapaxes(t, 0, 1)),
        (eg.product, (a, t, b), np.einsum("ia,ab...,bj->ij...", a, t, b)),
        (eg.product, (square, square), np.tensordot(square, square, ((1,), (0,))).swapaxes(
            1, 1 + trailing) if not trailing else None),
    ]  # fmt: skip
    for verb, arrays, expected in cases:
        symbols = [eg.variable(f"x{n}", x.shape) for n, x in enumerate(arrays)]
        symbolic = eg.compile(verb(*symbols))(*arrays)
        assert_close(verb(*arrays), symbolic, rtol=1e-12)
        if expected is not None:
            assert_close(symbolic, expected, rtol=1e-12)


def test_product_of_two_derivatives_keeps_the_axes_of_both():
    """In order of the factors."""
    a, b = np.random.default_rng(0).normal(size=(2, 3, 3, 2))
    assert_close(eg.product(a, b), np.einsum("iak,ajl->ijkl", a, b))


@pytest.mark.parametrize("count", [2, 30])
def test_a_product_of_many_factors(count):
    """More axes than einsum has letters; each factor keeps its own."""
    rng = np.random.default_rng(0)
    factors = [rng.normal(size=(2, 2, 1 + (n == 1))) for n in range(count)]
    tensor = eg.product(*factors)
    assert tensor.shape == (2, 2, *(factor.shape[2] for factor in factors))
    for k in (0, 1):
        matrices = [factor[..., k * (n == 1)] for n, factor in enumerate(factors)]
        expected = functools.reduce(np.matmul, matrices)
        assert_close(tensor[:, :, 0, k].reshape(2, 2), expected, rtol=1e-12)


def test_the_remark_refuses_what_it_cannot_mean():
    """With the shapes."""
    with pytest.raises(ShapeError, match=r"trace of shape \(3,\): it acts on the first two axes"):
        eg.trace(np.ones(3))
    with pytest.raises(ShapeError, match="the first two axes have sizes 2 and 3"):
        eg.trace(np.ones((2, 3, 3)))
    with pytest.raises(ShapeError, match=r"product: factor 0 has shape \(2, 3\) and factor 1 \(2"):
        eg.product(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(TypeError, match="a product of no factors"):
        eg.product()
    with pytest.raises(DTypeError, match="transpose is a masked array"):
        eg.transpose(np.ma.ones((2, 2)))
    with pytest.raises(DTypeError, match=r"trace is an np\.matrix"):
        eg.trace(np.ones((1, 1)).view(np.matrix))


def test_terms_rebuild_the_tensor():
    """Sum over terms of deltas times core, on the axes that they name."""
    x = eg.variable("x", (3, 2))
    expressions = [
        eg.differentiate(np.sin(x) * np.sum(x), x),
        eg.differentiate(x @ x.T, x),
        eg.differentiate(x[1:], x),
        eg.differentiate(x, x),
        eg.differentiate(np.exp(x).sum(), x, 3),
        eg.differentiate(np.sum(x), x, 2),
    ]
    point = np.random.default_rng(0).normal(size=(3, 2))
    for tensor in expressions:
        total = np.zeros(tensor.shape)
        for term in eg.terms(tensor):
            plan = eg.compile(term.core)
            value = plan(*([point] * len(plan.inputs)))
            letters = list(range(tensor.ndim))
            operands = [value, [letters[a] for a in term.axes]]
            for a, b in term.deltas:
                operands += [np.eye(tensor.shape[a]), [a, b]]
            named = {*term.axes, *itertools.chain(*term.deltas)}
            for a in set(letters) - named:
                operands += [np.ones(tensor.shape[a]), [a]]
            total += np.einsum(*operands, letters)
        plan = eg.compile(tensor)
        assert_close(total, plan(*([point] * len(plan.inputs))))
    assert eg.terms(expressions[-1]) == ()
    (term,) = eg.terms(np.ones((2, 3)))
    assert (term.deltas, term.axes, term.core.shape) == ((), (0, 1), (2, 3))


# Lifts -------------------------------------------------------------------------------------------


def _family(x):
    """A 3 x 3 matrix function of a vector or matrix."""
    u = np.sin(np.outer(np.arange(1.0, 4.0), np.arange(3.0) + 1) * np.sum(x * x) / 9)
    return 2 * np.eye(3) + 0.4 * u + np.outer(np.ravel(x)[:3], np.ravel(x)[1:4]) * 0.1


A, B = np.random.default_rng(5).normal(size=(2, 3, 3))
LIFTS = {
    "transpose": lambda F: F.T,
    "trace": np.trace,
    "det": np.linalg.det,
    "logdet": lambda F: np.linalg.slogdet(F)[1],
    "inverse": np.linalg.inv,
    "A F B": lambda F: A @ F @ B,
}


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 2, 2)])
@pytest.mark.parametrize("f", LIFTS.values(), ids=LIFTS.keys())
def test_lifts_agree_with_direct_differentiation(f, shape):
    """Orders 0 to 2, for any trailing shape in the place of E x F."""
    x = np.random.default_rng(0).uniform(0.2, 0.9, size=shape)
    jet = tuple(eg.derivative(_family, n)(x) for n in range(3))
    lifted = eg.lift(f)(jet)
    assert len(lifted) == 3
    for n, actual in enumerate(lifted):
        assert_close(actual, eg.derivative(lambda x: f(_family(x)), n)(x))


@settings(max_examples=max(10, settings.default.max_examples // 5))  # two plans of order 2 each
@given(
    names=st.lists(
        st.sampled_from(["transpose", "inverse", "A F B", "square", "shift"]), max_size=4
    ),
    last=st.sampled_from(["trace", "det", "logdet", "inverse"]),
    seed=SEEDS,
)
def test_compositions_of_lifts_agree_with_direct_differentiation(names, last, seed):
    """A lift of a lift is the lift of the composition; the product rule included."""
    steps = LIFTS | {"square": lambda F: F @ F * 0.3, "shift": lambda F: F + 3 * np.eye(3)}
    chain = [steps[name] for name in (*names, "shift", last)]
    x = np.random.default_rng(seed).uniform(0.2, 0.9, size=(2, 2))
    jet = tuple(eg.derivative(_family, n)(x) for n in range(3))

    def direct(x):
        value = _family(x)
        for f in chain:
            value = f(value)
        return value

    for f in chain:
        jet = eg.lift(f)(jet)
    for n, actual in enumerate(jet):
        assert_close(actual, eg.derivative(direct, n)(x), rtol=1e-8)


def test_product_rule_and_constants():
    """``F G`` of two jets; a plain array is held constant."""
    x = np.random.default_rng(0).uniform(0.2, 0.9, size=(2, 2))
    jet = tuple(eg.derivative(_family, n)(x) for n in range(3))
    other = tuple(eg.derivative(lambda x: np.cos(_family(x)), n)(x) for n in range(3))
    lifted = eg.lift(lambda F, G, C: F @ C @ G)(jet, other, A)
    direct = lambda x: _family(x) @ A @ np.cos(_family(x))  # noqa: E731
    for n, actual in enumerate(lifted):
        assert_close(actual, eg.derivative(direct, n)(x))


def test_lift_of_several_results_is_nested_like_them():
    """One jet for the sign, one for log|det|."""
    F, dF = 2 * np.eye(2), np.ones((2, 2, 3))
    (sign, dsign), (logdet, dlogdet) = eg.lift(np.linalg.slogdet)((F, dF))
    assert_close(sign, 1.0)
    assert not dsign.any()
    assert_close(logdet, np.log(4))
    assert_close(dlogdet, np.ones(3))


def test_lifts_keep_their_plans_but_not_captured_values():
    """A second call finds the plan, and reads the array anew."""
    C = np.eye(2)
    lifted = eg.lift(lambda F: C @ F)
    jet = np.ones((2, 2)), np.ones((2, 2, 3))
    eg.cache_clear()
    assert_close(lifted(jet)[1], np.ones((2, 2, 3)))
    C *= 5
    assert_close(lifted(jet)[1], 5 * np.ones((2, 2, 3)))
    assert eg.cache_info()[:2] == (1, 1)


def test_wrong_jets_are_refused():
    """With the shapes that were given and the shape that is needed."""
    F, dF = np.eye(2), np.ones((2, 2, 3))
    with pytest.raises(ShapeError, match="no argument has derivatives; give one as the tuple"):
        eg.lift(np.linalg.inv)(F)
    with pytest.raises(ShapeError, match=r"derivative 1 of argument 0 has shape \(3, 2, 2\)"):
        eg.lift(np.linalg.inv)((F, dF.T))
    with pytest.raises(ShapeError, match=r"so it must be \(2, 2, 3, 3\)"):
        eg.lift(np.linalg.inv)((F, dF, np.ones((2, 2, 3))))
    with pytest.raises(ShapeError, match="to order 1 in one of shape"):
        eg.lift(np.matmul)((F, dF), (F, dF, np.zeros((2, 2, 3, 3))))
    with pytest.raises(ShapeError, match="argument 0 is empty"):
        eg.lift(np.linalg.inv)(())
    with pytest.raises(SymmetryError, match=r"derivative 2 of argument 0 .* is not symmetric"):
        eg.lift(np.linalg.inv)((F, dF, np.arange(36.0).reshape(2, 2, 3, 3)))
    with pytest.raises(TypeError, match="is not a function; pass the function itself"):
        eg.lift(F)
    with pytest.raises(TracerLeakError, match="conversion to an array"):
        eg.jacobian(lambda x: eg.lift(np.linalg.inv)((x, dF))[0])(F)


def test_only_a_tuple_is_read_as_derivatives():
    """A list of numbers is an array, held constant; beside it a tuple is what varies."""
    F, dF = np.array([1.0, 2.0]), np.ones((2, 3))
    with pytest.raises(ShapeError, match="no argument has derivatives; give one as the tuple"):
        eg.lift(np.sin)([1.0, 2.0])
    value, first = eg.lift(lambda F, c: F * c)((F, dF), [3.0, 4.0])
    assert_close(value, [3.0, 8.0])
    assert_close(first, [[3.0] * 3, [4.0] * 3])


def test_static_arguments_of_a_lift_reach_the_function():
    """As int, bool, str and None do in a derivative."""
    F, dF = np.array([1.0, 2.0]), np.arange(6.0).reshape(2, 3)
    picked = eg.lift(lambda F, k: F[k])
    for k in (0, 1):
        assert_close(picked((F, dF), k)[1], dF[k])
    with pytest.raises(DTypeError, match=r"argument 0 is boolean, .*\.astype\(float\)"):
        eg.lift(np.sum)((F > 1, dF))


# Closed forms at order 4 -------------------------------------------------------------------------


def _cycles(inverse, order):
    """``(-1)^(k-1)`` times the (k-1)! cyclic products of log det."""
    total = 0
    for rest in itertools.permutations(range(1, order)):
        ring = (0, *rest)
        operands = []
        for a, b in zip(ring, (*ring[1:], 0), strict=True):
            operands += [inverse, [2 * a + 1, 2 * b]]
        total = total + np.einsum(*operands, list(range(2 * order)))
    return (-1) ** (order - 1) * total


def _inverse_chains(inverse, order):
    """``(-1)^k`` times the k! chains of the inverse."""
    total = 0
    first, last = 2 * order, 2 * order + 1
    for chain in itertools.permutations(range(order)):
        operands = [inverse, [first, 2 * chain[0]]]
        for a, b in itertools.pairwise(chain):
            operands += [inverse, [2 * a + 1, 2 * b]]
        operands += [inverse, [2 * chain[-1] + 1, last]]
        total = total + np.einsum(*operands, [first, last, *range(2 * order)])
    return (-1) ** order * total


def _det_pairings(x, order):
    """det times the signed sum over pairings of rows and columns of the inverse."""
    inverse = np.linalg.inv(x)
    total = 0
    for pairing in itertools.permutations(range(order)):
        sign = np.linalg.det(np.eye(order)[list(pairing)])
        operands = []
        for k, m in enumerate(pairing):
            operands += [inverse, [2 * m + 1, 2 * k]]
        total = total + sign * np.einsum(*operands, list(range(2 * order)))
    return np.linalg.det(x) * total


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_closed_forms_of_inverse_det_and_logdet(order):
    """Every order against a formula that shares no code with the engine."""
    x = 2 * np.eye(3) + np.random.default_rng(0).normal(size=(3, 3)) / 3
    Z = eg.variable("Z", (3, 3))
    inverse = np.linalg.inv(x)
    cases = [
        (np.linalg.slogdet(Z)[1], _cycles(inverse, order)),
        (np.linalg.inv(Z), _inverse_chains(inverse, order)),
        (np.linalg.det(Z), _det_pairings(x, order)),
    ]
    for value, expected in cases:
        plan = eg.compile(eg.differentiate(value, Z, order))
        assert_close(plan(x), expected, rtol=1e-12)


def test_derivatives_of_symbols_agree_with_the_complex_step():
    """And with those of the traced function."""
    x = eg.variable("x", 3)
    M = np.arange(9.0).reshape(3, 3) / 5
    f = lambda x: np.log(1 + np.exp(M @ x)) @ x  # noqa: E731
    point = np.array([0.2, -0.3, 0.5])
    plan = eg.compile(eg.differentiate(f(x), x))
    assert_close(plan(point), complex_step(f, point))
    assert_close(plan(point), eg.grad(f)(point), rtol=1e-14)


def test_a_list_of_derivatives_is_no_tuple_of_them():
    with pytest.raises(DTypeError, match=r"is a list of arrays; .* only a tuple means derivatives"):
        eg.lift(np.linalg.inv)([np.eye(2), np.ones((2, 2, 3))])

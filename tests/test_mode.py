"""The mode of a plan: forward, reverse, cross-country; and what pure modes would take."""

import itertools
import pickle

import numpy as np
from inside import ROLLED_NODES

import eingrad as eg
from eingrad import _ir
from eingrad._monomials import Monomials


def chain(*sizes):
    """Multiply by matrices of these sizes, the last one first."""
    rng = np.random.default_rng(0)
    matrices = [rng.normal(size=pair) for pair in itertools.pairwise(sizes)]

    def f(x):
        for matrix in matrices[::-1]:
            x = matrix @ x
        return x

    return eg.jacobian(f).plan(np.ones(sizes[-1]))


def matmul_flops(a, b, c):
    return 2 * a * b * c


def test_few_results_of_many_numbers_are_taken_in_reverse():
    mode = chain(2, 100, 100, 100).mode
    assert mode.name == "reverse"
    assert mode.flops == mode.pure["reverse"] == 2 * matmul_flops(2, 100, 100)
    assert mode.pure["forward"] == matmul_flops(100, 100, 100) + matmul_flops(2, 100, 100)


def test_many_results_of_few_numbers_are_taken_forward():
    mode = chain(100, 100, 100, 2).mode
    assert mode.name == "forward"
    assert mode.flops == mode.pure["forward"] == 2 * matmul_flops(100, 100, 2)
    assert mode.pure["reverse"] == matmul_flops(100, 100, 100) + matmul_flops(100, 100, 2)


def test_narrow_places_are_met_across_country():
    """Of A B C D, B C is small: neither mode makes it."""
    plan = chain(100, 2, 100, 2, 100)
    assert plan.mode.name == "cross-country"
    assert plan.mode.flops == 2 * matmul_flops(2, 100, 2) // 2 * 2 + matmul_flops(100, 2, 100)
    each = matmul_flops(2, 100, 100)
    assert plan.mode.pure == {"forward": 3 * each, "reverse": 3 * each}
    assert {"cross-country", "either"} <= {*plan.mode.kinds.values()}


def test_tangents_times_cotangents_are_cross_country():
    """(A B) (C D): one is a cotangent, one a tangent, and no pure mode makes both."""
    plan = chain(2, 100, 2, 100, 2)
    assert plan.mode.name == "cross-country"
    assert {*plan.mode.kinds.values()} == {"value", "forward", "reverse", "either"}


def test_the_line_that_is_printed():
    assert str(chain(100, 2, 100, 2, 100).mode) == (
        "cross-country: 41,600 flops; forward 120,000 (2.9x), reverse 120,000 (2.9x)"
    )


def network(weights, samples):
    for weight in weights:
        samples = np.tanh(samples @ weight)
    return (samples**2).sum()


def test_the_gradient_of_a_network_is_taken_in_reverse():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(9, 9)) for _ in range(8)]
    plan = eg.grad(network).plan(weights, rng.normal(size=(20, 9)))
    mode = plan.mode
    assert mode.name == "reverse"
    assert mode.flops == mode.pure["reverse"]
    assert mode.pure["forward"] > 10 * mode.flops
    made = [step for step in plan.tree.steps if step.label]
    assert all(step.values[0] in mode.kinds for step in made), "each step has a colour"


def test_factors_of_a_local_jacobian_may_come_first():
    """Of inv(F) dF inv(F), either mode makes any pair; neither an array of four axes."""
    n = 6
    a, b = np.eye(n), np.ones((n, n))
    mode = eg.jacobian(lambda t: np.linalg.inv(a + t * b)).plan(0.5).mode
    assert mode.name == "either"
    assert mode.flops == mode.pure["forward"] < 8 * n**3 + 8 * n**2


def test_a_middle_matrix():
    """Of u A X B w, reverse has two vectors and their outer product."""
    rng = np.random.default_rng(0)
    u, a, b, w = (rng.normal(size=s) for s in [(5,), (5, 6), (6, 7), (7,)])
    mode = eg.grad(lambda x: u @ a @ x @ b @ w).plan(np.ones((6, 6))).mode
    assert mode.name == "reverse"
    assert mode.flops < mode.pure["forward"]


def test_one_elementwise_step_is_the_same_in_both_modes():
    a = np.ones((4, 3))
    mode = eg.jacobian(lambda x: np.sin(a @ x)).plan(np.ones(3)).mode
    assert mode.name == "either"
    assert mode.pure == {"forward": mode.flops, "reverse": mode.flops}


def test_what_is_known_takes_no_flops():
    mode = eg.jacobian(lambda x: np.ones((4, 3)) @ x).plan(np.ones(3)).mode
    assert str(mode) == "either: 0 flops; forward 0, reverse 0"


def test_a_hessian_has_four_modes():
    a = np.random.default_rng(0).normal(size=(30, 6))
    plan = eg.hessian(lambda x: np.log(1 + np.exp(a @ x)).sum()).plan(np.ones(6))
    assert [*plan.mode.pure] == [
        "forward over forward", "forward over reverse",
        "reverse over forward", "reverse over reverse",
    ]  # fmt: skip
    assert plan.mode.flops <= min(plan.mode.pure.values())


def test_the_hessian_of_an_inverse_is_reverse_over_forward():
    """Its tangents hold the vector at one end; what comes down to them holds the other.

    No mode alone has both; and this one, whose steps come in its own order, takes more.
    """
    a, b = np.ones(4), np.arange(4.0)
    mode = eg.hessian(lambda x: a @ np.linalg.inv(x) @ b).plan(np.eye(4)).mode
    assert mode.name == "reverse over forward"
    assert mode.flops * 1.5 < mode.pure[mode.name] == min(mode.pure.values())
    assert len({*mode.pure.values()}) == 4


def test_structured_plans_have_a_mode():
    f = eg.derivative(lambda x: np.sin(np.cos(x) * x), 1, structured=True)
    assert f.plan(np.ones(5)).mode.name == "forward"  # the sum is made before it is multiplied


def test_a_value_has_no_mode():
    assert eg.plan(np.sin, np.ones(3)).mode.name == "value"


def test_it_is_not_worked_out_of_many_operations(monkeypatch):
    ROLLED_NODES.replace(monkeypatch, 10**6)

    def f(x):
        for _ in range(201):
            x = np.sin(x)
        return x

    mode = eg.jacobian(f).plan(np.ones(2)).mode
    assert str(mode) == "unknown: the function has more than 200 operations"


def test_it_is_not_worked_out_where_sums_are_long(monkeypatch):
    ROLLED_NODES.replace(monkeypatch, 10**6)

    def f(x):
        for _ in range(12):
            x = x + np.sin(x[::-1]) * x
        return x.sum()

    mode = eg.derivative(f, 3).plan(np.ones(3)).mode
    assert mode.name == "unknown"
    assert mode.reason in {
        "a sum of products has more than 32 terms",
        "a pure mode makes more than 2000 intermediates",
        "more than 2500 products would have to be compared",
    }


def test_plans_of_symbols_and_unpickled_ones_do_not_know():
    x = eg.variable("x", (3,))
    reason = "the plan does not hold the function that it was made of"
    assert str(eg.compile(np.sin(x)).mode) == f"unknown: {reason}"
    plan = chain(2, 3, 2)
    assert pickle.loads(pickle.dumps(plan)).mode.reason == reason


def test_what_was_found_is_pickled():
    plan = chain(2, 3, 2)
    mode = plan.mode
    again = pickle.loads(pickle.dumps(plan)).mode
    assert again == mode
    assert again.kinds == mode.kinds


def matrices(names):
    return [_ir.new_input(name, (3, 3)) for name in names]


def dot(a, b):
    return _ir.einsum("ij,jk->ik", a, b)


def test_monomials_do_not_depend_on_association():
    a, b, c, d = matrices("abcd")
    found = Monomials()
    orders = [dot(dot(dot(a, b), c), d), dot(dot(a, b), dot(c, d)), dot(a, dot(dot(b, c), d))]
    assert len({found.of(_ir.transpose(_ir.scale(n, 3), (1, 0))) for n in orders}) == 1
    assert found.of(orders[0]) != found.of(dot(dot(dot(a, c), b), d))


def test_monomials_do_not_depend_on_factoring():
    a, b, c, x = matrices("abcx")
    found = Monomials()
    left = dot(_ir.add([dot(a, b), c]), x)
    right = _ir.add([dot(a, dot(b, x)), dot(c, x)])
    assert found.of(left) == found.of(right)
    assert len(found.of(left)) == 2


def test_sums_that_are_whole_are_one_operand():
    a, b, x = matrices("abx")
    found = Monomials()
    found.keep_sums([_ir.add([a, b])])
    assert len(found.of(dot(_ir.add([a, b]), x))) == 1
    assert len(found.of(dot(_ir.add([a, b], [1, 2]), x))) == 2


def test_long_sums_are_not_opened():
    found = Monomials()
    factors = [_ir.add(matrices(["p", "q"])) for _ in range(6)]
    node = factors[0]
    for factor in factors[1:]:
        node = dot(node, factor)
    assert not found.is_complete(node)
    assert found.is_complete(factors[0])

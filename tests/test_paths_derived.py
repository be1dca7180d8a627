"""Problems of derivatives: the values are the derivative, however it is written and ordered."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from inside import FORMULA, ROLLED_NODES
from reference import assert_close

import eingrad as eg
from eingrad import identities
from eingrad.errors import PlanError
from eingrad.paths.along import along
from eingrad.paths.derived import load_function, of_function, of_identity
from eingrad.paths.instances import instance, instances
from eingrad.paths.normal import eingrad_schedule
from eingrad.paths.problem import of_einsum
from eingrad.paths.schedule import Step

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from common.steps import compute  # noqa: E402 - beside the generator

RNG = np.random.default_rng(0)


def array(*shape):
    return RNG.normal(size=shape) / max(np.prod(shape), 1) ** 0.25


def square(n):
    return np.eye(n) + 0.3 * RNG.normal(size=(n, n)) / n


def left_to_right(problem):
    paths = []
    for _, term in problem.terms:
        count = len(term.operands)
        paths.append([(0, 1), *((0, n) for n in range(count - 2, 0, -1))] if count > 1 else [(0,)])
    return along(problem, paths)


def mlp_loss(W1, W2, x, y):
    rest = W2 @ np.tanh(W1 @ x) - y
    return np.sum(rest**2) / 2


def softmax_attention(Q, K, V):
    scores = Q @ K.T / np.sqrt(Q.shape[1])
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True) @ V


ROWS = np.array([0, 2, 2])

FUNCTIONS = {
    "quadratic": (lambda x, B: x @ B @ x, (array(4), array(4, 4)), 2),
    "mlp": (mlp_loss, (array(4, 3), array(2, 4), array(3), array(2)), 2),
    "attention": (softmax_attention, (array(3, 2), array(4, 2), array(4, 3)), 1),
    "log determinant": (lambda X: np.linalg.slogdet(X)[1], (square(3),), 3),
    "logarithm of a determinant": (lambda X: np.log(np.linalg.det(X)), (square(3),), 2),
    "inverse": (lambda X, a: a @ np.linalg.inv(X) @ a, (square(3), array(3)), 2),
    "solve": (np.linalg.solve, (square(3), array(3, 2)), 1),
    "gather": (lambda x: x[ROWS] ** 2 * x[1], (array(4),), 2),
    "shift": (lambda x: np.sum(x[1:] * x[:-1] ** 2), (array(5),), 2),
    "sum along an axis": (lambda x: 3.0 * x.sum(axis=0) * 2, (array(3, 2),), 1),
    "entry by entry": (lambda x: np.sin(x) * np.exp(-x * x), (array(4),), 2),
    "scalar times": (lambda s, X: np.exp(s) * X.sum(0) * s, (0.3, array(3, 2)), 2),
    "reshape": (lambda x: x.reshape(6)[::2] * 2, (array(2, 3),), 1),
    "where": (lambda x: np.where(x > 0.1, np.sin(x), x**3), (array(5),), 2),
    "concatenate": (lambda x: np.concatenate([x, 2 * x]), (array(3),), 1),
    "mean": (lambda x: x.mean() * np.exp(x), (array(3),), 2),
    "softplus": (lambda w, X: np.log1p(np.exp(X @ w)).sum(), (array(3), array(5, 3)), 3),
    "captured": (lambda x: ROWS.astype(float) @ np.outer(x, x), (array(3),), 1),
}


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_schedule_of_a_problem_has_the_values_of_the_derivative(name, explicit):
    f, args, highest = FUNCTIONS[name]
    for order in range(1, highest + 1):
        expected = eg.derivative(f, order)(*args)
        problem = of_function(f, *args, order=order, explicit=explicit)
        (output,) = problem.outputs
        assert output.result_axes == np.ndim(f(*args))
        for schedule in (left_to_right(problem), eingrad_schedule(problem), *problem.pure.values()):
            (value,) = compute(schedule)
            assert_close(value, expected)


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("number", identities.IDENTITIES)
def test_an_identity_has_one_value_in_every_order(number, explicit):
    problem = of_identity(number, (3, 2, 2), explicit=explicit)
    stated = identities.IDENTITIES[number].state((3, 2, 2))
    (expected,) = compute(eingrad_schedule(of_identity(number, (3, 2, 2))))
    assert expected.shape == stated.value.shape + stated.variable.shape
    for schedule in (left_to_right(problem), *problem.pure.values()):
        assert_close(compute(schedule)[0], expected)


def test_several_variables_have_an_output_for_each_choice_in_ascending_order():
    args = (array(2, 3), array(3, 4), array(4, 2))
    blocks = eg.derivative(lambda A, B, C: np.trace(A @ B @ C), 2, (0, 1, 2))(*args)
    problem = of_function(lambda A, B, C: np.trace(A @ B @ C), *args, order=2, argnums=(0, 1, 2))
    assert "3 outputs that are zero left out" in problem.provenance
    for value, (a, b) in zip(
        compute(left_to_right(problem)), [(0, 1), (0, 2), (1, 2)], strict=True
    ):
        assert_close(value, blocks[a][b])


def test_the_plain_sum_keeps_a_delta_for_each_axis_that_the_variable_is_reached_along():
    problem = of_function(lambda x, B: x @ B @ x, (3,), (3, 3), order=2, explicit=True)
    assert [term.operands.count("delta(3)") for _, term in problem.terms] == [2, 2]
    assert problem.operands["delta(3)"].kind == "delta"
    normal = of_function(lambda x, B: x @ B @ x, (3,), (3, 3), order=2)
    assert [*normal.operands] == ["B"]


def test_operands_are_named_as_formulas_are_and_apart():
    problem = of_function(lambda W, X: np.linalg.inv(W) @ np.exp(X), (2, 2), (2, 3))
    assert [*problem.operands] == ["exp(X)", "inv(W)"] or [*problem.operands] == [
        "inv(W)",
        "exp(X)",
    ]
    names = [*of_identity("5.103", order=2).operands]
    assert sorted(names) == ["a", "b", "inv(X)"]


def test_a_pure_mode_makes_what_that_mode_makes():
    """Of ``A B C D`` by B, forward mode carries tangents of all later products."""
    sizes = ((8, 3), (3, 7), (7, 2), (2, 5))
    problem = of_function(lambda A, B, C, D: A @ B @ C @ D, *sizes, argnums=1)
    shapes = {
        mode: [o.shape for o in schedule.operations if isinstance(o, Step)]
        for mode, schedule in problem.pure.items()
    }
    assert any(sorted(shape) == [2, 3, 7, 8] or len(shape) == 4 for shape in shapes["forward"])
    assert problem.pure["reverse"].flops < problem.pure["forward"].flops
    assert eingrad_schedule(problem).flops <= problem.pure["reverse"].flops


def test_a_given_array_is_the_value_of_its_operand():
    x, B = array(3), array(3, 3)
    problem = of_function(lambda x, B: x @ B @ x, x, B)
    assert np.array_equal(problem.known["x"], x)
    assert np.array_equal(problem.known["B"], B)
    again = of_function(lambda x, B: x @ B @ x, (3,), (3, 3), seed=1)
    other = of_function(lambda x, B: x @ B @ x, (3,), (3, 3), seed=2)
    assert not np.array_equal(again.known["x"], other.known["x"])


def test_what_an_operand_has_alone_is_summed_before_it_meets_another():
    problem = of_einsum("ab,bc,cd->d", dict.fromkeys("abcd", 100))
    assert eingrad_schedule(problem).flops == 100**2 + 2 * 2 * 100**2


def test_a_product_and_its_transpose_are_made_once():
    problem = of_function(lambda x, A, B: x @ A.T @ B @ A @ x, (12,), (10, 12), (10, 10), order=2)
    schedule = eingrad_schedule(problem)
    product = 2 * 10 * 10 * 12 + 2 * 10 * 12 * 12
    assert schedule.flops == product + 12 * 12
    (value,) = compute(schedule)
    assert_close(value, value.T)


def test_a_coefficient_meets_what_a_delta_places_not_what_it_fills():
    """Of ``2 delta C``, C is doubled, not the whole result."""
    problem = of_function(lambda A, C: np.einsum("ia,ab,ib->", A, C, A), (9, 3), (3, 3), order=2)
    assert eingrad_schedule(problem).flops <= 2 * 3 * 3
    doubled = of_function(lambda x, c: np.sum(x * x) * c, (9,), 3.0, order=2)
    assert eingrad_schedule(doubled).flops == 1


# Refusals ----------------------------------------------------------------------------------------


def raises(*_):
    raise RuntimeError("no\nway")


def tenth_power(A):
    B = A @ A @ A @ A @ A
    return B @ B


def sines(x):
    for _ in range(500):
        x = np.sin(x)
    return x


REFUSED = {
    "zero": (
        lambda: of_function(lambda x, a: a @ x, (3,), (3,), order=2),
        "the derivative of order 2 is zero everywhere; there is nothing to contract",
    ),
    "order": (
        lambda: of_function(lambda x: x, (3,), order=0),
        "order must be an integer of at least 1, not 0",
    ),
    "negative size": (
        lambda: of_function(lambda x: x, (-3,)),
        r"\(-3,\) is no shape; a size is an integer of at least 0",
    ),
    "raises": (
        lambda: of_function(raises, (3,)),
        "raises raised RuntimeError when it was traced: no way; call it with arrays of these",
    ),
    "not finite": (
        lambda: of_function(lambda x: np.log(x - x) * x, (3,)),
        "is not finite where the derivative was taken; give arrays where it is",
    ),
    "too long": (
        lambda: of_function(tenth_power, (2, 2), order=3, explicit=True),
        "the plain sum of the product rule has more than",
    ),
    "too deep": (
        lambda: of_function(sines, (3,)),
        "the function has 501 operations; networks are made of at most 400: take fewer layers",
    ),
    "identity": (
        lambda: of_identity("5.98"),
        "there is no identity '5.98'; there are 5.99, ",
    ),
    "size of an identity": (
        lambda: of_identity("5.99", (0, 1, 1)),
        r"a size is three positive integers D, E, F, not \(0, 1, 1\)",
    ),
    "instance": (
        lambda: instance("mps-6-gradeint"),
        "there is no instance 'mps-6-gradeint'; did you mean mps-6-gradient",
    ),
}  # fmt: skip


def test_a_long_loop_in_python_is_a_network_of_its_steps():
    """It is no scan, which is no sum of products, and which the user did not write."""

    def f(x):
        for _ in range(120):
            x = x + np.sin(x) / 100
        return x.sum()

    assert of_function(f, (3,)).name == "f, order 1"


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_in_one_line(name, monkeypatch):
    ROLLED_NODES.replace(monkeypatch, 10**6)
    call, message = REFUSED[name]
    with pytest.raises(PlanError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_shapes_that_do_not_fit_are_an_error_of_shape():
    with pytest.raises(ValueError, match="2"):
        of_function(lambda A, B: A @ B, (2, 3), (2, 3))


# Functions by name -------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "number = 3\ndef f(x):\n    return x\nclass Of:\n    def g(x):\n        return 2 * x\n"
    )
    (tmp_path / "broken_one.py").write_text("1 / 0\n")
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("mine", None)


def test_a_function_is_found_in_a_module_or_file(folder):
    assert load_function("mine:f")(1) == 1
    assert load_function("mine:Of.g")(1) == 2
    assert load_function(f"{folder}/mine.py:f")(1) == 1
    assert load_function("numpy.linalg:inv") is np.linalg.inv


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mine", "'mine' names no function; write module:function or file.py:function"),
        ("mine:", "'mine:' names no function; write module:function or file.py:function"),
        ("absent_one:f", "absent_one cannot be imported: ModuleNotFoundError: No module named"),
        ("broken_one:f", "broken_one cannot be imported: ZeroDivisionError: division by zero"),
        ("leaves:f", "leaves cannot be imported: SystemExit: 3"),
        ("absent.py:f", "there is no file absent.py"),
        ("a b:f", "'a b' is no module's name, and no file that ends with .py; write"),
        ("mine:h", "mine has no 'h'; it has f, Of"),
        ("mine:number", "mine:number is of type int, not a function"),
    ],
)
def test_a_function_that_cannot_be_had_is_one_line(folder, text, message):
    with pytest.raises(PlanError) as caught:
        load_function(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


# Instances ---------------------------------------------------------------------------------------


def test_naming_operands_takes_no_longer_where_values_are_shared(monkeypatch):
    """Each slope of a Runge-Kutta step has those before it in it: written out, formulas explode."""
    printed = []
    write = FORMULA.get()
    FORMULA.replace(monkeypatch, lambda node: printed.append(node) or write(node))

    def f(x, W):
        for _ in range(2):
            first = np.tanh(W @ x)
            second = np.tanh(W @ (x + first / 2))
            third = np.tanh(W @ (x + second / 2))
            x = x + (first + 2 * second + 2 * third + np.tanh(W @ (x + third))) / 6
        return x @ x

    operands = of_function(f, (3,), (3, 3)).operands
    assert len(operands) == 13
    assert 0 < len(printed) <= 5 * len(operands)


def test_there_are_enough_instances_with_names_of_their_own():
    names = instances()
    assert len({*names}) == len(names)
    derivatives = [name for name in names if not name.startswith("opt_einsum-")]
    assert len([name for name in derivatives if not name.endswith("-explicit")]) >= 80
    assert len(names) - len(derivatives) >= 80


@pytest.mark.parametrize("name", instances())
def test_an_instance_has_a_best_order_that_is_what_it_says(name):
    problem = instance(name)
    assert problem.name == name
    assert problem.provenance
    schedule = problem.best["schedule"]
    assert schedule.flops == problem.best["flops"] == min(problem.best["flops of orders"].values())
    assert schedule.largest == problem.best["size"]
    assert problem.best["by"] in problem.best["flops of orders"]
    if name.startswith("identity") or "order-1" in name:
        expected = compute(left_to_right(problem)) if cheap(problem) else None
        for found in (schedule, *problem.pure.values()) if expected else ():
            for a, b in zip(compute(found), expected, strict=True):
                assert_close(a, b)


def cheap(problem):
    return left_to_right(problem).flops < 10**7


def test_a_derivative_may_be_had_in_both_ways():
    names = {*instances()}
    alone = [
        n for n in names if n.endswith("-explicit") and n.removesuffix("-explicit") not in names
    ]
    assert not alone
    assert len([n for n in names if f"{n}-explicit" in names]) >= 80


def test_eingrad_finds_its_own_best_again():
    problem = instance("sandwich-by-matrix")
    fresh = replace(problem, best={}, pure={})
    assert eingrad_schedule(fresh).flops <= problem.best["flops of orders"]["eingrad"]


def test_the_generator_makes_a_committed_file_again():
    from make_networks import CASES, is_as_committed  # noqa: PLC0415 - found beside the tests

    for name in ("sandwich-by-matrix", "identity-5.103-order-2"):
        assert is_as_committed(next(case for case in CASES if case.name == name))

"""Paths that a user gives, and what a plan says of its own."""

import ast
import contextlib
import functools
import pickle
import random
import re

import numpy as np
import opt_einsum
import pytest
from networks import random_network, regular
from opt_einsum import paths

import eingrad as eg
from eingrad._plan import kernels
from eingrad.errors import EingradError, PathError
from eingrad.paths import given_order, of_einsum

A, B, C, D = (
    eg.variable(name, shape)
    for name, shape in (("A", (2, 3)), ("B", (3, 4)), ("C", (4, 5)), ("D", (5, 6)))
)
CHAIN = "ij,jk,kl,lm->im"
Y = np.einsum(CHAIN, A, B, C, D)
RNG = np.random.default_rng(0)
ARRAYS = [RNG.normal(size=x.shape) for x in (A, B, C, D)]
VALUE = np.linalg.multi_dot(ARRAYS)


class Optimizer:
    """An object that is called, as cotengra's optimizers are; it counts its calls."""

    def __init__(self, path):
        self.path, self.problems = path, []

    def __call__(self, inputs, output, size_dict, memory_limit=None):
        self.problems.append((inputs, output, size_dict, memory_limit))
        return self.path


GIVEN = {
    "greedy of opt_einsum": paths.greedy,
    "optimal": paths.optimal,
    "branch": paths.branch_all,
    "dynamic programming": opt_einsum.DynamicProgramming(minimize="write"),
    "random greedy": opt_einsum.RandomGreedy(max_repeats=4, parallel=False),
    "partial": functools.partial(lambda n, *problem: [(0, 1)] * n, 3),
    "function without a limit": lambda inputs, output, sizes: [(0, 1)] * (len(inputs) - 1),
    "object": Optimizer([(0, 1), (0, 1), (0, 1)]),
    "name auto": "opt_einsum:auto",
    "name auto-hq": "opt_einsum:auto-hq",
    "name dp": "opt_einsum:dp",
    "name random-greedy": "opt_einsum:random-greedy",
    "name branch-2": "opt_einsum:branch-2",
    "list": [(0, 1), (0, 2), (0, 1)],
    "lists": [[0, 1], [0, 2], [0, 1]],
    "tuple": ((2, 3), (1, 2), (0, 1)),
    "integers of NumPy": np.array([(0, 1), (0, 1), (0, 1)]),
    "generator": (pair for pair in [(0, 1), (0, 1), (0, 1)]),
    "of NumPy": np.einsum_path(CHAIN, *ARRAYS, optimize="optimal")[0],
    "three at once": [(0, 1, 2), (0, 1)],
    "all at once": [(0, 1, 2, 3)],
    "steps of one": [(3,), (0, 1), (0,), (0, 1), (0, 1), (0,)],
}


@pytest.mark.parametrize("path", GIVEN.values(), ids=GIVEN)
def test_a_path_of_any_kind_is_computed_along(path):
    np.testing.assert_allclose(eg.compile(Y, path=path)(*ARRAYS), VALUE)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_given_is_what_runs(seed):
    """The tree of a random path is that of the plan: read back, and given to opt_einsum."""
    source = random.Random(seed)
    path = [tuple(source.sample(range(n), 2)) for n in (4, 3, 2)]
    plan = eg.compile(Y, path=path)
    assert trees_of(plan.path) == trees_of(path)
    np.testing.assert_allclose(opt_einsum.contract(CHAIN, *ARRAYS, optimize=plan.path), VALUE)
    np.testing.assert_allclose(
        np.einsum(CHAIN, *ARRAYS, optimize=["einsum_path", *plan.path]), VALUE
    )
    assert eg.compile(Y, path=plan.path).path == plan.path
    (told,) = plan.paths
    assert told.operands == ("A", "B", "C", "D")
    assert told.subscripts == CHAIN
    assert [tuple(sorted(step)) for step in paths.ssa_to_linear(told.ssa)] == told.linear
    assert told.linear == plan.path
    assert pickle.loads(pickle.dumps(plan)).paths == plan.paths


def trees_of(path, count=4):
    """The sets of operands that a path makes."""
    live, made = [frozenset({k}) for k in range(count)], set()
    for step in path:
        chosen = [live[k] for k in step]
        live = [part for k, part in enumerate(live) if k not in step]
        live.append(frozenset().union(*chosen))
        made.add(live[-1])
    return made


def test_more_than_two_at_once_are_split_in_the_cheapest_order():
    x, y, z = eg.variable("x", (2, 50)), eg.variable("y", (50, 50)), eg.variable("z", (50, 1))
    product = np.einsum("ij,jk,kl->il", x, y, z)
    assert eg.compile(product, path=[(0, 1, 2)]).flops == eg.compile(product).flops


def test_a_function_sees_the_product_as_that_of_opt_einsum_would():
    """Operands as the inputs of the plan, sets of letters, sizes, and no limit; once."""
    optimizer = Optimizer([(0, 1), (0, 1), (0, 1)])
    eg.compile((Y, 2 * Y), path=optimizer)
    ((inputs, output, sizes, limit),) = optimizer.problems
    assert [[sizes[i] for i in sorted(t, key=sizes.get)] for t in inputs] == [
        sorted(x.shape) for x in (A, B, C, D)
    ]
    assert isinstance(inputs, list)
    assert all(type(term) is frozenset for term in (*inputs, output))
    assert sorted(sizes[i] for i in output) == [2, 6]
    assert all(type(letter) is str for letter in sizes)
    assert limit is None


def test_each_of_several_products_is_asked_about():
    """Together, products are planned by our own search alone."""
    optimizer = Optimizer([(0, 1), (0, 1)])
    eg.compile(
        [np.einsum("ij,jk,kl->il", A, B, C), np.einsum("ij,jk,kl->il", B, C, D)], path=optimizer
    )
    assert len(optimizer.problems) == 2


def test_a_search_by_name_leaves_the_users_random_numbers_alone():
    """opt_einsum seeds Python's generator; and two plans are one."""
    network = regular(3, 60, 1)
    arguments = [x for t in network.terms for x in ((2, 2, 2), t)]
    found = []
    for seed in range(4):
        random.seed(seed)
        before = random.getstate()
        plan = eg.einsum_plan(*arguments, network.out, path="opt_einsum:random-greedy")
        assert random.getstate() == before
        found.append(plan.path)
    assert all(path == found[0] for path in found)


def test_cotengra_plans_as_it_is():
    cotengra = pytest.importorskip("cotengra")
    network = random_network(3, 12, 14)
    arguments = []
    for term in network.terms:
        arguments += [np.ones([network.sizes[i] for i in term]), term]
    expected = eg.einsum(*arguments, network.out)
    search = cotengra.HyperOptimizer(
        methods=["greedy"], max_repeats=4, parallel=False, optlib="random"
    )
    for path in (search, cotengra.GreedyOptimizer()):
        np.testing.assert_allclose(eg.einsum(*arguments, network.out, path=path), expected)


# Refusals ----------------------------------------------------------------------------------------


def fails(*problem):
    raise ZeroDivisionError("no cost")


def told(what, product="'ij,jk,kl,lm->im' of 4 operands"):
    return (
        f"for the product {product}: {what}; a path is a list of steps, each with the positions of "
        "two operands, which are removed, and their product appended"
    )


def returns(value):
    return lambda *problem: value


BAD = {
    "None": (returns(None), "returned None " + told("it is no list of steps")),
    "a text": (returns("ab"), "returned 'ab' " + told("it is no list of steps")),
    "numbers": (returns([1]), "returned [1] " + told("step 0, 1, is no tuple of positions")),
    "too short": (returns([(0, 1)]), "returned [(0, 1)] " + told("it leaves 3 operands")),
    "nothing": (returns([]), "returned [] " + told("it leaves 4 operands")),
    "an empty step": (returns([()]), "returned [()] " + told("step 0 is empty")),
    "twice": (
        returns([(0, 0)]),
        "returned [(0, 0)] " + told("step 0, (0, 0), names a position twice"),
    ),
    "too far": (
        returns([(0, 1), (0, 3)]),
        "returned [(0, 1), (0, 3)] "
        + told("step 1, (0, 3), has position 3, but 3 operands are left then, numbered from 0"),
    ),
    "negative": (
        returns([(0, -1)]),
        "returned [(0, -1)] "
        + told("step 0, (0, -1), has position -1, but 4 operands are left then, numbered from 0"),
    ),
    "too long": (
        returns([(0, 1, 2, 3), (0, 1)]),
        "returned [(0, 1, 2, 3), (0, 1)] "
        + told("step 1, (0, 1), has position 1, but 1 operands are left then, numbered from 0"),
    ),
}


@pytest.mark.parametrize(("path", "said"), BAD.values(), ids=BAD)
def test_what_a_function_returns_must_be_a_path(path, said):
    with pytest.raises(PathError, match=f"^{re.escape(f'path {path.__qualname__} {said}')}$"):
        eg.compile(Y, path=path)


def test_a_function_that_fails_is_named_with_its_error():
    message = (
        "path fails failed on the product 'ij,jk,kl,lm->im' of 4 operands, with ZeroDivisionError: "
        "no cost; give another function, or leave path away"
    )
    with pytest.raises(PathError, match=f"^{re.escape(message)}$") as caught:
        eg.compile(Y, path=fails)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(PathError, match=r"^path test_paths\.Optimizer returned 3 for the product"):
        eg.compile(Y, path=Optimizer(3))
    with pytest.raises(PathError, match=r"^path fails failed on the product 'ab,bc,cd' of 3 oper"):
        eg.einsum("ab,bc,cd", *ARRAYS[:3], path=functools.partial(fails, 1))
    with pytest.raises(KeyboardInterrupt):
        eg.compile(Y, path=interrupts)


def interrupts(*problem):
    raise KeyboardInterrupt


X = eg.variable("X", (3, 3))
NAMES = (
    "'planned', 'fewest flops', 'greedy', 'left to right', "
    "'opt_einsum:auto' (or another optimizer of opt_einsum)"
)
REFUSED = {
    "another name": (Y, "optimal", f"path must be one of {NAMES}, not 'optimal'"),
    "no name of opt_einsum": (
        Y,
        "opt_einsum:best",
        (
            "path 'opt_einsum:best': opt_einsum has no optimizer of that name; it has 'auto', "
            "'auto-hq', 'optimal', 'dp', 'branch-all', 'branch-2', 'greedy', 'random-greedy'"
        ),
    ),
    "a number": (
        Y,
        2,
        (
            f"path must be one of {NAMES}, a function such as those of opt_einsum, or a list of "
            "pairs of positions, not 2"
        ),
    ),
    "two products": (
        [Y, A @ B],
        [(0, 1)],
        (
            "path [(0, 1)] is for one product, but 2 products, of 4 and 2 operands "
            "would be compiled; "
            "give the name of a path, or a function, which is asked for each product"
        ),
    ),
    "products in turn": (
        [A @ B, B @ C],
        [(0, 1), (0, 1)],
        (
            "path [(0, 1), (0, 1)] is for one product, but 2 products, of 2 and 2 "
            "operands would be "
            "compiled; give the name of a path, or a function, which is asked for each product"
        ),
    ),
    "no product": (
        np.exp(A),
        [(0, 1)],
        (
            "path [(0, 1)] is for one product, but no product would be compiled; give "
            "the name of a "
            "path, or a function, which is asked for each product"
        ),
    ),
    "another number of operands": (
        Y,
        [(0, 1), (0, 1)],
        (
            "path [(0, 1), (0, 1)] is none of the product 'ij,jk,kl,lm->im' of 4 "
            "operands: it leaves 2 "
            "operands; each step removes two operands by their positions and appends their product"
        ),
    ),
    "operands that no position tells apart": (
        np.einsum("ij,jk,kl->il", X, X, X),
        [(0, 1), (0, 1)],
        (
            "path [(0, 1), (0, 1)] is for operands that their positions tell apart, as "
            "inputs are that "
            "occur once, not for those of the product X X X; use eingrad.einsum_plan, "
            "whose operands "
            "are numbered as they are given, or give a function"
        ),
    ),
}


@pytest.mark.parametrize(("y", "path", "message"), REFUSED.values(), ids=REFUSED)
def test_a_path_that_is_none_is_refused(y, path, message):
    with pytest.raises(PathError, match=f"^{re.escape(message)}$") as caught:
        eg.compile(y, path=path)
    assert isinstance(caught.value, EingradError)


def test_a_list_is_a_path_of_two_operands_too():
    np.testing.assert_allclose(eg.compile(A @ B, path=[(0, 1)])(*ARRAYS[:2]), ARRAYS[0] @ ARRAYS[1])


# What a plan says --------------------------------------------------------------------------------


def contracted(told, values):
    """Contract values by name as `told`, along its path, with opt_einsum."""
    arrays = [values[name] for name in told.operands]
    return opt_einsum.contract(told.subscripts, *arrays, optimize=told.linear)


@pytest.mark.parametrize("seed", range(30))
def test_the_path_of_a_network_computes_it(seed):
    """Subscripts and operands that are told are those of the value; sizes of one among them."""
    network = random_network(seed, 2, 9)
    rng = np.random.default_rng(seed)
    sizes = {i: max(1, min(size, 4)) for i, size in network.sizes.items()}
    arrays = [rng.normal(size=[sizes[i] for i in term]) for term in network.terms]
    arguments = [x for a, t in zip(arrays, network.terms, strict=True) for x in (a, t)]
    plan = eg.einsum_plan(*arguments, network.out)
    (told,) = plan.paths
    assert plan.path == told.linear
    assert told.operands == plan.inputs
    assert told.result.startswith("t")
    values = dict(zip(plan.inputs, arrays, strict=True))
    np.testing.assert_allclose(contracted(told, values), plan(*arrays), rtol=1e-9, atol=1e-9)


def test_each_product_of_a_derivative_is_told():
    """Operands are inputs, or what other steps make."""
    b = eg.variable("b", 3)
    plan = eg.compile(eg.differentiate(b @ np.linalg.inv(X) @ b, X))
    (told,) = plan.paths
    assert sorted(told.operands) == ["b", "b", "t0", "t0"]
    x, v = RNG.normal(size=(3, 3)) + 3 * np.eye(3), RNG.normal(size=3)
    values = {"b": v, "t0": np.linalg.inv(x)}
    np.testing.assert_allclose(-contracted(told, values), plan(X=x, b=v))
    assert len(told.ssa) == 3


def test_what_several_steps_use_is_a_product_of_its_own():
    """Each step of the program is in one path."""
    plan = eg.compile((np.einsum("ij,jk,kl->il", A, B, C), A @ B))
    first, second = plan.paths
    assert (first.operands, first.subscripts) == (("A", "B"), "ij,jk->ik")
    assert second.operands == ("C", first.result)
    steps = [s for s in plan.program.statements if isinstance(s.kernel, kernels.MatMul)]
    assert len(steps) == sum(len(told.ssa) for told in plan.paths)


def test_a_product_in_a_loop_has_a_path_too():
    """It is made in pieces: the path is that of one pass."""
    p, q = eg.variable("p", 2483), eg.variable("q", 2483)
    kernel = np.exp(-((p[:, None] - q) ** 2))
    plan = eg.compile(np.einsum("ij,j,i->i", kernel, q, p))
    assert any(isinstance(s.kernel, kernels.Loop) for s in plan.program.statements)
    *_, told = plan.paths
    assert told.operands[:2] == ("p", "q")
    assert told.subscripts == "i,j,ij->i"


UNARY = {
    "a trace": lambda: np.einsum("ii->", X),
    "a transpose": lambda: X.T,
    "sums": lambda: np.einsum("ij->j", X),
}


@pytest.mark.parametrize("make", UNARY.values(), ids=UNARY)
def test_one_operand_has_the_path_that_opt_einsum_gives_it(make):
    plan = eg.compile(make())
    assert plan.path == [(0,)] == opt_einsum.contract_path("ii->", np.eye(2))[0]
    assert plan.paths == ()


NONE = {
    "a sum": (lambda: X + 1, "results: 1; products: 0; other steps: add"),
    "a function": (lambda: np.linalg.inv(X) @ X, "results: 1; products: 1; other steps: inverse"),
    "two results": (lambda: (X @ X, X.T), "results: 2; products: 1; other steps: none"),
}


@pytest.mark.parametrize(("make", "said"), NONE.values(), ids=NONE)
def test_what_is_no_product_has_no_path(make, said):
    message = (
        f"the plan is no single product of its inputs ({said}); plan.paths has the path of each "
        "product, plan.tree says how they hang together"
    )
    with pytest.raises(PathError, match=f"^{re.escape(message)}$"):
        _ = eg.compile(make()).path


def test_fewest_flops_are_no_more_than_those_of_the_planned_order():
    """What is written costs nothing there; that loops add up what they make is not counted."""
    for seed in range(30):
        case = random_network(seed, 3, 8)
        if 0 in case.sizes.values():
            continue
        shapes = [tuple(case.sizes[i] for i in term) for term in case.terms]
        subscripts, _, sizes = case.text.partition(" ")
        problem = of_einsum(subscripts, ast.literal_eval(sizes))
        flops = [
            given_order(eg.einsum_plan(subscripts, *shapes, path=path).path).find(problem).flops
            for path in ("fewest flops", "planned")
        ]
        assert flops[0] <= flops[1]


def test_an_optimizer_that_keeps_its_path_is_asked_about_each_product():
    """opt_einsum's refuses the second product, cotengra's gave it the path of the first."""
    optimizers = [opt_einsum.RandomGreedy(max_repeats=4)]
    with contextlib.suppress(ImportError):
        import cotengra  # noqa: PLC0415 - optional

        optimizers.append(
            cotengra.HyperOptimizer(
                methods=["greedy"], max_repeats=8, parallel=False, optlib="random", progbar=False
            )
        )
    for optimizer in optimizers:
        flops = [
            eg.einsum_plan("ij,jk,kl->il", (i, j), (j, k), (k, m), path=optimizer).flops
            for i, j, k, m in ((3, 4, 5, 6), (30, 2, 50, 3))
        ]
        assert flops == [300, 960]


def test_einsum_says_what_optimize_is_called():
    with pytest.raises(TypeError, match="takes no optimize: the order is given as path"):
        eg.einsum("ij,jk->ik", np.ones((2, 3)), np.ones((3, 4)), optimize=True)


@pytest.mark.parametrize("path", [None, "left to right", "greedy", paths.greedy, [(0,)]])
def test_a_product_of_one_operand_has_a_path(path):
    a = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(eg.einsum("ij->i", a, path=path), a.sum(1))


def test_an_optimizer_that_ends_the_program_is_told_like_any_that_fails():
    def leaves(*problem):
        raise SystemExit(0)

    with pytest.raises(PathError, match="leaves failed on the product 'ij,jk,kl->il'"):
        eg.einsum("ij,jk,kl->il", *np.ones((3, 2, 2)), path=leaves)


def test_the_path_of_a_plan_is_one_for_compile():
    """``A @ B @ C`` was two products to a path, and one to `plan.path`."""
    shapes = {"A": (30, 2), "B": (2, 50), "C": (50, 3), "D": (3, 4)}
    symbols = [eg.variable(name, shape) for name, shape in shapes.items()]
    arrays = [
        np.random.default_rng(n).normal(size=shape) for n, shape in enumerate(shapes.values())
    ]
    for expression in (
        symbols[0] @ symbols[1] @ symbols[2] @ symbols[3],
        symbols[0] @ (symbols[1] @ (symbols[2] @ symbols[3])),
    ):
        planned = eg.compile(expression)
        again = eg.compile(expression, path=planned.path)
        assert sorted(again.path) == sorted(planned.path)
        np.testing.assert_allclose(again(*arrays), planned(*arrays))
    right = eg.compile(expression, path=[(2, 3), (1, 2), (0, 1)])
    np.testing.assert_allclose(right(*arrays), planned(*arrays))

"""Executors, measuring, reports and baselines of the bench of contraction orders."""

import csv
import dataclasses
import io
import itertools
import json
import random
import re

import numpy as np
import opt_einsum
import pytest

from eingrad import paths
from eingrad._ir import delta, new_input
from eingrad.errors import DTypeError, PlanError, ShapeError, SubscriptsError
from eingrad.paths import baseline, measure, pictures, threads
from eingrad.paths.along import along
from eingrad.paths.clock import Contender, Timing, summary, take_turns
from eingrad.paths.comparison import STATUSES, digest_of, of_document, to_document
from eingrad.paths.executors import EXECUTORS, Executor, Prepared, find_executors, program_of
from eingrad.paths.problem import Operand, Output, Problem, Term, of_einsum
from eingrad.paths.report import DEFINITIONS, definitions, table, to_csv
from eingrad.paths.schedule import Part, Schedule, Step, Total
from eingrad.paths.typed import read_json
from eingrad.paths.units import bytes_of, bytes_text, count_text, ratio_text, seconds_text
from eingrad.paths.values import largest_error, tolerance_of

HERE = [executor for executor in EXECUTORS.values() if executor.available()]
QUICK = [executor for executor in HERE if executor.name not in ("jax", "torch")]
CHAIN = of_einsum("ij,jk,kl->il", {"i": 2, "j": 3, "k": 4, "l": 5})


def each(executors=HERE):
    return pytest.mark.parametrize("executor", executors, ids=lambda executor: executor.name)


def in_order(problem):
    return along(problem, [linear(term) for _, term in problem.terms])


def backwards(problem):
    paths = []
    for _, term in problem.terms:
        count = len(term.operands)
        paths.append([(n - 2, n - 1) for n in range(count, 1, -1)] or [(0,)])
    return along(problem, paths)


def linear(term):
    return [(0, 1)] * (len(term.operands) - 1) or [(0,)]


def direct(problem, arrays):
    """The definition: an einsum of all operands for each term."""
    number = {index: n for n, index in enumerate(problem.sizes)}
    results = []
    for output in problem.outputs:
        total = 0
        for term in output.terms:
            factors = []
            for name, labels in zip(term.operands, term.indices, strict=True):
                factors += [arrays[problem.number[name]], [number[i] for i in labels]]
            out = [number[i] for i in output.indices]
            total = total + term.coefficient * np.einsum(*factors, out)
        results.append(np.asarray(total))
    return results


def drawn(seed):
    """Several outputs of several terms: diagonals, deltas, sizes 0 and 1, complex operands."""
    source = random.Random(seed)
    letters = "abcdefgh"
    choice = [0, 1, 2, 3, 4] if seed % 7 == 0 else [1, 2, 3, 4]
    sizes = {index: source.choice(choice) for index in letters}
    operands, indices = {}, {}
    for n in range(source.randint(1, 4)):
        name = f"X{n}"
        if source.random() < 1 / 3:
            operands[name] = Operand((sizes[source.choice(letters)],) * 2, kind="delta")
            continue
        indices[name] = tuple(source.choices(letters, k=source.randint(0, 3)))
        dtype = source.choice(["float64", "complex128"]) if seed % 3 == 0 else "float64"
        operands[name] = Operand(tuple(sizes[i] for i in indices[name]), dtype)

    def labels_of(name):
        if name in indices:
            return indices[name]
        fitting = [i for i in letters if sizes[i] == operands[name].shape[0]]
        return (source.choice(fitting), source.choice(fitting))

    outputs = []
    for _ in range(source.randint(1, 3)):
        terms = []
        for _ in range(source.randint(1, 3)):
            chosen = tuple(source.choices([*operands], k=source.randint(1, 4)))
            coefficient = source.choice([1.0, -1.0, 2.0, 0.5])
            terms.append(Term(chosen, tuple(map(labels_of, chosen)), coefficient))
        common = set.intersection(*[{*itertools.chain(*term.indices)} for term in terms])
        count = min(len(common), source.randint(0, 3))
        outputs.append(Output(tuple(source.sample(sorted(common), count)), tuple(terms), 0))
    return Problem(f"drawn {seed}", tuple(outputs), operands, sizes)


# Executors ---------------------------------------------------------------------------------------


@each(QUICK)
@pytest.mark.parametrize("find", [in_order, backwards])
def test_an_executor_agrees_with_the_definition(executor, find):
    """On many problems, along two paths."""
    for seed in range(120):
        problem = drawn(seed)
        arrays = problem.values(seed)
        results = executor.prepare(find(problem), arrays).values()
        for result, expected in zip(results, direct(problem, arrays), strict=True):
            np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-12, err_msg=str(seed))
            assert type(result) is np.ndarray


@each([executor for executor in HERE if executor not in QUICK])
def test_an_executor_that_compiles_agrees_with_the_definition(executor):
    """The same on fewer."""
    for seed in range(8):
        problem = drawn(seed)
        arrays = problem.values(seed)
        results = executor.prepare(in_order(problem), arrays).values()
        for result, expected in zip(results, direct(problem, arrays), strict=True):
            np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-12, err_msg=str(seed))


A = np.arange(1.0, 7.0).reshape(2, 3)
V = np.arange(1.0, 4.0)
SPREAD = {
    "a diagonal": ((0, 0), lambda a: np.diag(a.sum(0)), (1, 0)),
    "a new axis": ((0, 2), lambda a: np.repeat(a.sum(0)[:, None], 4, 1), (1, 0)),
    "both": (
        (0, 2, 0),
        lambda a: np.einsum("i,j,ik->ijk", a.sum(0), np.ones(4), np.eye(3)),
        (1, 0),
    ),
    "a diagonal of three": (
        (0, 0, 0),
        lambda a: np.einsum("i,ij,ik->ijk", a.sum(0), np.eye(3), np.eye(3)),
        (1, 0),
    ),
    "a diagonal that is new": ((2, 2), lambda a: a.sum() * np.eye(4), (1, 0)),
    "axes in another order, and one new": (
        (2, 0, 1),
        lambda a: np.repeat(a.T[None], 4, 0),
        (1, 0),
    ),
}


@each()
@pytest.mark.parametrize(("out", "expected", "term"), SPREAD.values(), ids=SPREAD)
def test_an_executor_spreads_a_result(executor, out, expected, term):
    """What no einsum writes: an index twice in the result, or one that no operand has."""
    problem = of_einsum("ij->ij", {"i": 2, "j": 3})
    step = Step((0,), (term,), out, (3, 2, 4))
    schedule = Schedule(problem, (step,), (1,))
    np.testing.assert_allclose(executor.prepare(schedule, [A]).values()[0], expected(A))


@each()
def test_an_executor_spreads_a_product_that_is_read_again(executor):
    """A diagonal that a later step, and a sum, take as an operand."""
    problem = of_einsum("ij,j->ij", {"i": 2, "j": 3})
    steps = (
        Step((0, 1), ((0, 1), (1,)), (1, 1), (2, 3)),
        Step((2, 1), ((0, 1), (1,)), (0,), (3, 3)),
        Step((1,), ((0,),), (0, 1), (3, 3)),
        Total((Part(2.0, 2, (1, 0)), Part(-1.0, 4, (1, 0))), (3, 3)),
    )
    diagonal = np.diag(A.sum(0) * V)
    results = executor.prepare(Schedule(problem, steps, (3, 5)), [A, V]).values()
    np.testing.assert_allclose(results[0], diagonal @ V)
    np.testing.assert_allclose(results[1], 2 * diagonal - V[None, :])


@each(QUICK)
def test_results_share_no_memory_with_operands(executor):
    """An output that is an operand, transposed or not, is an array of its own."""
    terms = [Output(("i", "j"), (Term(("A",), (("i", "j"),)),), 0)]
    terms.append(Output(("j", "i"), (Term(("A",), (("i", "j"),)),), 0))
    problem = Problem("views", tuple(terms), {"A": Operand((2, 3))}, {"i": 2, "j": 3})
    array = A.copy()
    for result in executor.prepare(in_order(problem), [array]).values():
        assert not np.shares_memory(result, array)
        assert result.flags.writeable


@each()
def test_an_executor_computes_single_precision_in_it(executor):
    operands = {"A": Operand((2, 3), "float32"), "B": Operand((3,), "float32")}
    term = Term(("A", "B"), (("i", "j"), ("j",)), 0.5)
    problem = Problem("single", (Output(("i",), (term,), 0),), operands, {"i": 2, "j": 3})
    (result,) = executor.prepare(in_order(problem), problem.values()).values()
    assert result.dtype == np.float32


def test_the_settings_of_jax_stay():
    """Double precision is asked for in a context."""
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    (result,) = EXECUTORS["jax"].prepare(in_order(CHAIN), CHAIN.values()).values()
    assert result.dtype == np.float64
    assert jax.config.jax_enable_x64 == before


def test_the_threads_of_torch_are_set_back():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    with EXECUTORS["torch"].limit(1) as said:
        assert said == "1 thread"
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def wide(axes):
    """Two operands whose product has so many axes, of size 1."""
    labels = [chr(0x4E00 + n) for n in range(axes)]
    half = axes // 2
    terms = (tuple(labels[:half]), tuple(labels[half:]))
    operands = {"A": Operand((1,) * half), "B": Operand((1,) * (axes - half))}
    sizes = dict.fromkeys(labels, 1)
    return Problem("wide", (Output(tuple(labels), (Term(("A", "B"), terms),), 0),), operands, sizes)


@each([executor for executor in HERE if executor.name in ("numpy", "torch", "jax")])
def test_more_indices_than_letters_are_refused(executor):
    problem = wide(56)
    message = (
        r"a step has 56 indices, but (np|torch|jnp)\.einsum has letters for 52; take another "
        "executor for this order"
    )
    with pytest.raises(PlanError, match=message):
        executor.prepare(in_order(problem), problem.values())


@each()
def test_more_axes_than_arrays_have_are_refused(executor):
    """In the user's words, not NumPy's."""
    problem = wide(66)
    with pytest.raises((PlanError, ShapeError), match=r"66 axes.* at most 64"):
        executor.prepare(in_order(problem), problem.values())


def test_executors_are_found_by_name_each_once():
    names = [executor.name for executor in find_executors(["numpy", "eingrad", "numpy"])]
    assert names == ["numpy", "eingrad"]
    assert find_executors() == HERE
    message = (
        "there is no executor 'nonsense'; there are eingrad, numpy, opt_einsum, cotengra, torch, "
        "jax"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        find_executors(["nonsense"])


def test_an_executor_that_is_not_installed_is_not_available():
    absent = dataclasses.replace(EXECUTORS["numpy"], package="no_such_package_here")
    assert not absent.available()
    assert EXECUTORS["numpy"].version() == np.__version__


def test_an_order_of_eingrad_runs_what_was_planned():
    """The nodes are lowered as they are, so structure stays structure."""
    schedule = in_order(CHAIN)
    nodes = program_of(schedule)
    assert [spec.name for spec in nodes.inputs] == ["A", "B", "C"]


# The clock ---------------------------------------------------------------------------------------


class FakeClock:
    """Time passes where contenders run."""

    def __init__(self):
        self.now = 0.0
        self.ran = []

    def __call__(self):
        return self.now

    def contender(self, name, seconds):
        def call():
            self.now += seconds
            self.ran.append(name)

        return Contender(call)


def test_contenders_take_turns_and_each_follows_each():
    clock = FakeClock()
    contenders = [clock.contender(name, 0.01) for name in "abc"]
    take_turns(contenders, 100.0, clock)
    assert clock.ran[:9] == [*"aaabbbccc"]
    rounds = ["".join(clock.ran[n : n + 3]) for n in range(9, len(clock.ran), 3)]
    assert {"".join(sorted(turn)) for turn in rounds} == {"abc"}
    assert set(zip(clock.ran[9:], clock.ran[10:], strict=False)) >= {
        (first, then) for first in "abc" for then in "abc" if first != then
    }
    assert {len(contender.samples) for contender in contenders} == {50}


def test_what_is_slow_leaves_and_what_is_fast_goes_on():
    """Each has a share, and is done when that is used."""
    clock = FakeClock()
    slow, fast = clock.contender("slow", 1.25), clock.contender("fast", 0.01)
    take_turns([slow, fast], 4.0, clock)
    assert (len(slow.samples), len(fast.samples)) == (1, 50)
    assert slow.timing.seconds == pytest.approx(1.25)


def test_what_takes_more_than_its_share_is_measured_while_there_is_time():
    """It is known to be slow from the first run, and is not warmed up."""
    clock = FakeClock()
    contenders = [clock.contender(name, 3.0) for name in "abc"]
    for contender in contenders:
        contender.known = 3.0
    fast = clock.contender("fast", 0.01)
    take_turns([*contenders, fast], 4.0, clock)
    assert [len(contender.samples) for contender in contenders] == [1, 1, 0]
    assert contenders[2].timing is None
    assert len(fast.samples) == 50


def test_what_is_fast_is_called_often_for_a_sample():
    clock = FakeClock()
    fast = clock.contender("fast", 1e-5)
    take_turns([fast], 1.0, clock)
    assert fast.calls >= 100
    np.testing.assert_allclose(fast.samples, 1e-5)


def test_an_interruption_keeps_samples():
    clock = FakeClock()
    first, second = clock.contender("a", 0.01), clock.contender("b", 0.01)

    def interrupt():
        clock.now += 0.01
        clock.ran.append("b")
        if clock.ran.count("b") > 5:
            raise KeyboardInterrupt

    second.call = interrupt
    with pytest.raises(KeyboardInterrupt):
        take_turns([first, second], 100.0, clock)
    assert len(first.samples) >= 2
    assert second.timing is not None


def test_a_summary_is_median_and_quartiles():
    assert summary([4.0, 1.0, 2.0, 3.0, 5.0], 7) == Timing(3.0, 2.0, 4.0, 5, 7)


# Measuring ---------------------------------------------------------------------------------------


def quick(problem=CHAIN, orders=None, executors=("eingrad", "numpy"), **options):
    orders = orders or {"in order": in_order, "backwards": backwards}
    return paths.compare(problem, orders=orders, executors=executors, **{"seconds": 0.5, **options})


def statuses(found):
    return {(o.name, r.executor): (r.status, r.reason) for o in found.orders for r in o.runs}


def test_a_comparison_has_costs_values_memory_and_times():
    """Of each order on each executor."""
    found = quick()
    first, second = found.orders
    assert (first.flops, first.multiplications, first.written, first.largest) == (128, 64, 18, 10)
    assert (first.peak_bytes, first.steps, second.flops) == (144, 2, 180)
    assert first.kernels == {"matmul": 2}
    assert first.planning_seconds >= 0 <= first.planning_cpu_seconds
    assert first.predicted_seconds > 0
    for order in found.orders:
        for run in order.runs:
            assert (run.status, run.reason) == ("measured", "")
            assert run.error < 1e-12
            assert run.measured_peak_bytes >= 80  # the result
            assert 0 < run.timing.lower <= run.timing.seconds <= run.timing.upper
    assert found.agrees
    assert found.reference == "in order on eingrad"
    assert not found.interrupted
    assert [*found.schedules] == ["in order", "backwards"]


def test_what_is_made_of_deltas_alone_has_a_mode_and_a_time():
    """Steps of structure, and sums of them, are numbers to others."""
    operands = {name: Operand((3, 3), kind="delta") for name in "DE"} | {"A": Operand((3, 3))}
    pair = Term(("D", "E", "A"), (("i", "j"), ("j", "k"), ("i", "k")), 2.0)
    sizes = dict.fromkeys("ijk", 3)
    for term in (pair, Term(("D",), (("k", "i"),)), Term(("D", "E"), (("i", "j"), ("j", "k")))):
        terms = (dataclasses.replace(term, coefficient=3.0), Term(("A",), (("i", "k"),)))
        problem = Problem("deltas", (Output(("i", "k"), terms, 1),), operands, sizes)
        found = quick(problem)
        assert {status for status, _ in statuses(found).values()} == {"measured"}
        schedule = in_order(problem)
        nodes = schedule.nodes([delta(3), delta(3), new_input("A", (3, 3))])
        assert nodes[schedule.outputs[0]].shape == (3, 3)


def test_what_is_predicted_to_be_slow_is_run_last():
    """It may take longer still, and leave no time for the others."""
    found = quick(
        of_einsum("ij,jk,kl->il", {"i": 60, "j": 50, "k": 40, "l": 2}),
        executors=[made("mine")],
        seconds=0.2,
    )
    assert found.orders[0].predicted_seconds > found.orders[1].predicted_seconds
    assert found.reference == "backwards on mine"


def test_all_but_times_is_the_same_again():
    one, two = (quick(seed=3) for _ in range(2))
    for a, b in zip(one.orders, two.orders, strict=True):
        assert (a.flops, a.peak_bytes, a.kernels) == (b.flops, b.peak_bytes, b.kernels)
        assert [run.error for run in a.runs] == [run.error for run in b.runs]


def test_without_time_nothing_is_run():
    found = quick(seconds=0)
    assert {status for status, _ in statuses(found).values()} == {"planned"}
    assert found.orders[0].flops == 128


NO_PATH = (
    "a path of 3 operands has the step (0, 7) where 3 are left; a step names different positions, "
    "each less than that"
)


def test_a_search_that_fails_is_said_and_the_comparison_goes_on():
    """Whatever it raises or returns."""

    def raises(problem):
        raise KeyError("no such tree\nat all")

    def refuses(problem):
        raise PlanError("too many operands")

    other = in_order(of_einsum("i->i", {"i": 2}))
    orders = {
        "raises": raises,
        "refuses": refuses,
        "a path": lambda problem: [(0, 1)],
        "another": lambda problem: other,
        "bad path": lambda problem: along(problem, [[(0, 7)]]),
        "in order": in_order,
    }
    found = quick(orders=orders)
    assert [(order.status, order.reason) for order in found.orders] == [
        ("failed", "KeyError: 'no such tree\\nat all'"),
        ("refused", "too many operands"),
        ("failed", "it gave list, not a schedule of this problem"),
        ("failed", "it gave a schedule of another problem, not a schedule of this problem"),
        (
            "refused",
            NO_PATH,
        ),
        ("planned", ""),
    ]
    assert found.run("in order", "numpy").status == "measured"


def test_what_does_not_fit_is_said_before_it_is_computed():
    """And operands are not drawn where nothing fits."""
    large = of_einsum("ij,jk->ik", {"i": 10**7, "j": 10**7, "k": 10**7})
    found = quick(large, memory="2GiB")
    reason = "it needs 2.84 PiB, 2 GiB are given"
    assert statuses(found)["in order", "numpy"] == ("too large", reason)
    sizes = {"i": 2, "j": 1000, "k": 1000, "l": 2}
    found = quick(of_einsum("ij,jk,kl->il", sizes), memory=10**7 - 10**6, seconds=1)
    assert {status for status, _ in statuses(found).values()} == {"measured"}


def test_what_is_too_slow_is_said_before_it_is_computed():
    sizes = {"i": 3000, "j": 3000, "k": 3000}
    found = quick(of_einsum("ij,jk->ik", sizes), {"in order": in_order}, seconds=0.01)
    status, reason = statuses(found)["in order", "numpy"]
    assert status == "too slow"
    assert re.fullmatch(r"a run is predicted to take \S+ ms of 10 ms", reason)


def made(name="mine", values=None, **changes):
    """An executor of one's own."""

    def prepare(schedule, arrays):
        right = EXECUTORS["numpy"].prepare(schedule, arrays)
        return right if values is None else Prepared(lambda: values(right), list)

    return dataclasses.replace(EXECUTORS["numpy"], name=name, prepare=prepare, **changes)


def test_values_that_differ_are_said_and_not_timed():
    wrong = {
        "wrong": lambda right: [right.values()[0] * (1 + 1e-6)],
        "nan": lambda right: [right.values()[0] * np.nan],
        "shape": lambda right: [right.values()[0].T],
        "count": lambda right: [],
    }
    executors = ["numpy", *[made(name, values) for name, values in wrong.items()]]
    found = quick(orders={"in order": in_order}, executors=executors)
    said = {executor: reason for (_, executor), (_, reason) in statuses(found).items()}
    assert re.fullmatch(
        r"its values differ from those of in order on numpy by 1\.0e-06", said["wrong"]
    )
    assert said["nan"] == "its values differ from those of in order on numpy by inf"
    assert said["shape"] == "output 0 has shape (5, 2), not (2, 5)"
    assert said["count"] == "it gave 0 outputs of 1"
    assert not found.agrees
    assert all(found.run("in order", name).timing is None for name in wrong)
    assert of_document(json.loads(json.dumps(to_document(found), allow_nan=False))) == found


def test_a_missing_or_broken_library_is_said():
    def broken(_threads):
        raise ImportError("libfast.so: cannot open shared object file")

    def fails(schedule, arrays):
        raise RuntimeError("out of registers")

    executors = [
        made("absent", package="no_such_package_here"),
        made("broken", limit=broken),
        dataclasses.replace(made("fails"), prepare=fails),
        "numpy",
    ]
    found = quick(orders={"in order": in_order}, executors=executors)
    assert statuses(found) == {
        ("in order", "absent"): ("missing", "it is not installed"),
        ("in order", "broken"): (
            "missing",
            "it cannot be used: ImportError: libfast.so: cannot open shared object file",
        ),
        ("in order", "fails"): ("failed", "RuntimeError: out of registers"),
        ("in order", "numpy"): ("measured", ""),
    }
    assert found.executors["absent"] == ""
    assert "absent: missing: it is not installed" in str(found)


@pytest.mark.parametrize("where", ["plan", "prepare", "time"])
def test_an_interruption_keeps_what_is_finished(where):
    """Wherever it comes."""
    said = []

    def interrupts(right):
        if where == "prepare" or any("round 2" in text for text in said):
            raise KeyboardInterrupt
        return right.values()

    def search(problem):
        if where == "plan":
            raise KeyboardInterrupt
        return backwards(problem)

    orders = {"in order": in_order, "second": search}
    executors = ["numpy", made("mine", interrupts)]
    found = quick(orders=orders, executors=executors, seconds=1, progress=said.append)
    assert found.interrupted
    assert found.orders[0].flops == 128
    expected = {"plan": "not reached", "prepare": "checked", "time": "measured"}[where]
    assert found.run("in order", "numpy").status == expected
    assert found.orders[1].status == ("not reached" if where == "plan" else "planned")
    assert "INTERRUPTED" in str(found)


def test_progress_is_told():
    said = []
    quick(progress=said.append)
    assert said[:2] == ["planning in order (1 of 2)", "planning backwards (2 of 2)"]
    assert "checking in order on numpy (2 of 4)" in said
    assert "timing 4 runs, round 1 of at most 50" in said


def test_given_arrays_are_what_is_computed():
    """Their values, and their data types."""
    a, b = np.ones((2, 3), np.float32), np.ones((3, 4), np.float32)
    found = paths.compare("ij,jk->ik", a, b, orders=[in_order], executors=["numpy"], seconds=0.5)
    assert found.tolerance == pytest.approx(np.sqrt(np.finfo(np.float32).eps))
    assert found.orders[0].name == "in_order"
    assert found.orders[0].peak_bytes == 32


WRONG = {
    "sizes missing": (
        lambda: paths.compare("ij->i"),
        SubscriptsError,
        "index 'i' of 'ij->i' has no size; give one with i=N",
    ),
    "arrays and sizes": (
        lambda: paths.compare("i->i", [1.0], sizes={"i": 1}),
        ValueError,
        "arrays have their sizes; give either arrays or sizes",
    ),
    "too few arrays": (
        lambda: paths.compare("i,i->i", [1.0]),
        SubscriptsError,
        "'i,i->i' has 2 operands, but 1 arrays are given; give one for each",
    ),
    "axes": (
        lambda: paths.compare("ij->i", [1.0]),
        ShapeError,
        (
            "array 0 has shape (1,), 1 axes, but its subscripts are 'ij'; write one index for each "
            "axis"
        ),
    ),
    "two sizes": (
        lambda: paths.compare("ij,j->i", np.ones((2, 3)), np.ones(4)),
        ShapeError,
        (
            "array 1: index 'j' of 'j' has size 4, but 3 before; make the two axes equal or give "
            "them different letters"
        ),
    ),
    "text in an array": (
        lambda: paths.compare("i->i", ["a"]),
        DTypeError,
        "array 0 is of <U1; give an array of numbers",
    ),
    "shape": (
        lambda: paths.compare(CHAIN, np.ones((2, 2)), np.ones((3, 4)), np.ones((4, 5))),
        ShapeError,
        (
            "array 0 has shape (2, 2), but operand 0 of ij,jk,kl->il has (2, 3); give an array of "
            "that shape"
        ),
    ),
    "sizes of a problem": (
        lambda: paths.compare(CHAIN, sizes={"i": 2}),
        ValueError,
        "a problem has its sizes; give none beside it",
    ),
    "no problem": (
        lambda: paths.compare(7),
        TypeError,
        "a problem is a Problem, or subscripts, not 7",
    ),
    "no order": (
        lambda: paths.compare(CHAIN, orders=[]),
        ValueError,
        "there is no order to compare; name one at least",
    ),
    "an order that is none": (
        lambda: paths.compare(CHAIN, orders=[7]),
        TypeError,
        "an order is a name, or a function, not 7",
    ),
    "one name twice": (
        lambda: paths.compare(CHAIN, orders=[in_order, ("in_order", backwards)]),
        ValueError,
        "two orders have the name 'in_order'; give each another",
    ),
    "no executor": (
        lambda: paths.compare(CHAIN, executors=[]),
        ValueError,
        "there is no executor to compare on; name one at least",
    ),
    "seed": (
        lambda: paths.compare(CHAIN, seed=-1),
        ValueError,
        "seed is -1; it must be an integer of at least 0",
    ),
    "threads": (
        lambda: paths.compare(CHAIN, threads=0),
        ValueError,
        "threads is 0; it must be an integer of at least 1",
    ),
    "seconds": (
        lambda: paths.compare(CHAIN, seconds=float("nan")),
        ValueError,
        "seconds is nan; it must be a number of at least 0",
    ),
    "memory": (
        lambda: paths.compare(CHAIN, memory="much"),
        ValueError,
        "'much' is no amount of memory; write it as in 2GB or 512MiB",
    ),
}


@pytest.mark.parametrize(("call", "kind", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_refused_before_anything_is_planned(call, kind, message):
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        call()


def test_threads_are_said_as_they_are_found(monkeypatch):
    pytest.importorskip("threadpoolctl")
    with threads.limited(1) as said:
        assert ": 1 thread" in said
    monkeypatch.setitem(__import__("sys").modules, "threadpoolctl", None)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with threads.limited(1) as said:
        assert "OMP_NUM_THREADS=3" in said
    for name in threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with threads.limited(2) as said:
        assert said == (
            "unknown: threadpoolctl is not installed; it, or OMP_NUM_THREADS=2 in the environment "
            "before the start, fixes them"
        )


def test_errors_are_relative_to_the_largest_entry():
    assert largest_error([np.array([100.0, 1.0])], [np.array([100.0, 2.0])]) == 0.01
    assert largest_error([np.array([np.nan, 1.0])], [np.array([np.nan, 1.0])]) == 0
    assert largest_error([np.array([np.inf])], [np.array([-np.inf])]) == np.inf
    assert largest_error([np.zeros((0, 3))], [np.zeros((0, 3))]) == 0
    assert largest_error([np.zeros(2)], [np.zeros(2)]) == 0
    assert tolerance_of(CHAIN) == pytest.approx(1.5e-8, rel=0.01)


# Reports -----------------------------------------------------------------------------------------


def test_the_table_names_everything():
    """Orders, executors, definitions, threads, versions."""
    text = table(quick())
    for word in ("in order", "backwards", "eingrad", "numpy", "flops: ", "threads: ", "2 matmul"):
        assert word in text
    assert np.__version__ in text
    assert max(map(len, text.splitlines())) < 130


def test_the_table_shows_pieces_where_there_are_any():
    """Their number, and the flops of all, beside those of the whole."""
    problem = of_einsum("ij,jk,kl->il", {"i": 64, "j": 64, "k": 256, "l": 64})
    found = quick(problem, memory=420_000)
    first, second = found.orders
    assert first.slices > 1
    assert second.slices is None
    head, _, *rows = table(found).split("\n\n")[1].splitlines()
    assert head.endswith("predicted  pieces  their flops")
    assert re.search(rf"  {first.flops:,} .* {first.slices}  +{first.sliced_flops:,}$", rows[0])
    assert re.search(rf"  {second.flops:,} .* -  +-$", rows[1])
    assert "pieces" not in table(quick()).split("\n\n")[1]
    row = next(csv.DictReader(io.StringIO(to_csv(found))))
    assert row["sliced_flops"] == str(first.sliced_flops)


def test_each_column_is_defined():
    text = definitions()
    assert all(name in text for name in DEFINITIONS)


def test_a_csv_has_a_line_for_each_run():
    found = quick()
    rows = [*csv.DictReader(io.StringIO(to_csv(found)))]
    assert [(row["order"], row["executor"]) for row in rows] == [*statuses(found)]
    assert rows[0]["flops"] == "128"
    assert float(rows[0]["seconds"]) == found.orders[0].runs[0].timing.seconds
    assert {row["status"] for row in rows} == {"measured"}


def test_json_there_and_back_is_the_same():
    found = quick()
    text = json.dumps(to_document(found), allow_nan=False)
    assert of_document(json.loads(text)) == found


def changed(document, *where, to):
    """Change a place of a document, or take it out."""
    copy = json.loads(json.dumps(document))
    place = copy
    for key in where[:-1]:
        place = place[key]
    if to is None:
        del place[where[-1]]
    else:
        place[where[-1]] = to
    return copy


TAMPERED = {
    "format": (("eingrad comparison",), 1, "it has format 1; this version reads format 2"),
    "no comparison": (("eingrad comparison",), None, "it is no comparison that eingrad saved"),
    "field": (("more",), 1, "it has a field 'more' that is unknown here"),
    "missing": (("seed",), None, "it has no field 'seed'"),
    "type": (("seed",), "0", "it.seed is '0'; it must be an integer"),
    "true is no integer": (("seed",), True, "it.seed is True; it must be an integer"),
    "float": (("orders", 0, "flops"), 1.5, "it.orders[0].flops is 1.5; it must be an integer"),
    "negative": (
        ("orders", 0, "flops"),
        -1,
        "it.orders[0].flops is -1; it must be a number of at least 0",
    ),
    "list": (("orders",), {}, "it.orders is {}; it must be a list"),
    "object": (("threads",), [], "it.threads is []; it must be an object"),
    "deep": (
        ("orders", 1, "runs", 0, "timing", "calls"),
        "many",
        "it.orders[1].runs[0].timing.calls is 'many'; it must be an integer",
    ),
    "status": (
        ("orders", 0, "status"),
        "fine",
        "it has a status 'fine'; there is none of that name",
    ),
}


@pytest.mark.parametrize(("where", "to", "message"), TAMPERED.values(), ids=TAMPERED)
def test_json_that_was_tampered_with_is_refused_with_the_place(where, to, message):
    document = to_document(quick())
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        of_document(changed(document, *where, to=to), "it")


FILES = {
    "no JSON": (b"{", "is no JSON: Expecting property name"),
    "twice": (b'{"a": 1, "a": 2}', "the key 'a' occurs twice in one object"),
    "NaN": (b'{"a": NaN}', "it has NaN, which JSON has not"),
    "bytes": (b"\xff\xfe", "is no text in UTF-8"),
    "deep": (b"[" * 100_000, "is nested too deeply"),
    "digits": (b"1" * 10_000, "Exceeds the limit"),
    "other": (b"[]", "is no file of comparisons that eingrad saved"),
}


@pytest.mark.parametrize(("content", "message"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_baseline_is_refused_and_left_alone(content, message, tmp_path):
    file = tmp_path / "base.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=f"{re.escape(str(file))}.*{re.escape(message)}"):
        baseline.load(file)
    with pytest.raises(ValueError, match=re.escape(message)):
        baseline.save(quick(), file)
    assert file.read_bytes() == content
    assert [*tmp_path.iterdir()] == [file]


# Pictures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1.01, 1.5, 3.0, 8.0, 30.0, 90.0, 1e4])
def test_a_plot_has_headings_and_numbers_that_do_not_collide(factor, tmp_path, monkeypatch):
    """Whatever its axes span: of library and order, on axes of which two numbers are readable."""
    figures = pytest.importorskip("matplotlib.figure")
    drawn = []
    monkeypatch.setattr(figures.Figure, "savefig", lambda self, *_, **__: drawn.append(self))
    found = quick()
    first, second = timed(found, factor).orders[0], found.orders[1]
    first = dataclasses.replace(first, flops=int(first.flops * factor))
    pictures.plot(dataclasses.replace(found, orders=(first, second)), tmp_path / "it.svg")
    (figure,) = drawn
    figure.draw_without_rendering()
    left = figure.axes[0]
    assert "side by side" in left.get_xlabel()
    said = [text.get_text() for text in left.get_legend().get_texts()]
    assert said == [
        "library (colour)",
        "eingrad",
        "numpy",
        "order (shape)",
        "in order",
        "backwards",
    ]
    for axes in figure.axes:
        for axis, side in ((axes.xaxis, "x"), (axes.yaxis, "y")):
            low, high = sorted(axis.get_view_interval())
            labels = [
                label.get_window_extent()
                for value, label in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
                if low <= value <= high and label.get_text()
            ]
            assert len(labels) >= 2
            ends = sorted((getattr(b, f"{side}0"), getattr(b, f"{side}1")) for b in labels)
            assert all(a[1] < b[0] for a, b in itertools.pairwise(ends))
            assert not any(label.get_text() for label in axis.get_ticklabels(minor=True))


# Orders of the user's ----------------------------------------------------------------------------


def from_the_right(inputs, output, sizes, memory_limit):
    return [(n - 2, n - 1) for n in range(len(inputs), 1, -1)]


def without_limit(inputs, output, sizes):
    return [(0, 1)] * (len(inputs) - 1)


class Optimizer:
    """As those of opt_einsum and cotengra are: objects that are called."""

    def __call__(self, inputs, output, size_dict, memory_limit=None):
        return from_the_right(inputs, output, size_dict, memory_limit)


@pytest.mark.parametrize(
    ("order", "name", "flops"),
    [
        (from_the_right, "from_the_right", 180),
        (without_limit, "without_limit", 128),
        (("mine", from_the_right), "mine", 180),
        (in_order, "in_order", 128),
        (lambda problem, seed=0, more=1: in_order(problem), "<lambda>", 128),
        (lambda *problems: in_order(problems[0]), "<lambda>", 128),
        (("object", Optimizer()), "object", 180),
        (opt_einsum.paths.optimal, "optimal", 128),
        (opt_einsum.RandomGreedy(max_repeats=2), "opt_einsum.path_random.RandomGreedy", 128),
    ],
)
def test_optimizers_of_others_are_orders(order, name, flops):
    """Told from functions of a problem by what they can be called with."""
    for given in ([order], [order, "eingrad"]):
        found = paths.compare(CHAIN, orders=given, executors=["numpy"], seconds=0).orders[0]
        assert (found.name, found.status, found.flops) == (name, "planned", flops)


def test_optimizers_in_a_mapping_are_orders():
    found = paths.compare(CHAIN, orders={"a": from_the_right, "b": in_order}, seconds=0)
    assert [order.flops for order in found.orders] == [180, 128]


def test_an_optimizer_of_cotengra_is_an_order():
    cotengra = pytest.importorskip("cotengra")
    finder = cotengra.HyperOptimizer(
        max_repeats=2, parallel=False, methods=["greedy"], optlib="random", seed=0
    )
    found = paths.compare(CHAIN, orders=[("hyper", finder)], executors=["numpy"], seconds=0)
    assert [order.flops for order in found.orders] == [128]


# Baselines ---------------------------------------------------------------------------------------


def test_a_baseline_keeps_other_problems(tmp_path):
    file = tmp_path / "base.json"
    other = of_einsum("ij->i", {"i": 2, "j": 3})
    first, second, again = quick(), quick(other), quick(seed=1)
    for found in (first, second, again):
        baseline.save(found, file)
    assert baseline.load(file) == [second, again]
    assert baseline.find(baseline.load(file), CHAIN.name, digest_of(CHAIN)) == again
    assert baseline.find([], CHAIN.name, digest_of(CHAIN)) is None
    assert read_json(file)["eingrad baseline"] == 2
    assert [*tmp_path.iterdir()] == [file]


def test_a_digest_tells_problems_of_one_name_apart():
    """By terms, sizes, data types and kinds of operands; not by the names of indices."""
    sizes = {"i": 3, "j": 3}
    first = of_einsum("ij,j->i", sizes, name="it")
    operands = first.operands
    double = dataclasses.replace(first.outputs[0].terms[0], coefficient=2.0)
    others = [
        of_einsum("ij,j->i", {"i": 3, "j": 4}, name="it"),
        of_einsum("ij,i->j", sizes, name="it"),
        dataclasses.replace(
            first, operands=operands | {"B": dataclasses.replace(operands["B"], dtype="float32")}
        ),
        dataclasses.replace(
            first, operands=operands | {"A": dataclasses.replace(operands["A"], kind="delta")}
        ),
        dataclasses.replace(
            first,
            operands=operands | {"A": dataclasses.replace(operands["A"], symmetric=((0, 1),))},
        ),
        dataclasses.replace(
            first, outputs=(dataclasses.replace(first.outputs[0], terms=(double,)),)
        ),
    ]
    digests = {digest_of(problem) for problem in (first, *others)}
    assert len(digests) == 7
    assert digest_of(of_einsum("xy,y->x", {"y": 3, "x": 3})) == digest_of(first)
    assert quick(first).digest == digest_of(first)


def test_what_is_lost_exceeds_a_limit():
    """An order, and a run; runs not, where no time was given."""
    whole = quick()
    part = quick(orders={"in order": in_order}, executors=["numpy"])
    change = baseline.ratios(part, whole, limit=1e6)
    lost = {("in order", "eingrad"), *[("backwards", on) for on in ("", "eingrad", "numpy")]}
    assert {(ratio.order, ratio.executor) for ratio in change.exceeded} == lost
    assert "only in the baseline: backwards; COUNTS AS ABOVE THE LIMIT" in str(change)
    assert sorted(map(tuple, baseline.change_document(change)["exceeded"])) == sorted(lost)
    assert baseline.ratios(part, whole).exceeded == ()
    assert baseline.ratios(quick(seconds=0), whole, limit=1.0).exceeded == ()


def timed(found, factor, executor=None):
    """Change the times of an executor."""
    orders = []
    for order in found.orders:
        runs = []
        for run in order.runs:
            old = run.timing
            new = dataclasses.replace(old, seconds=old.seconds * factor)
            runs.append(
                dataclasses.replace(run, timing=new) if executor in (None, run.executor) else run
            )
        orders.append(dataclasses.replace(order, runs=tuple(runs)))
    return dataclasses.replace(found, orders=tuple(orders))


def test_ratios_are_those_of_flops_and_times():
    found = quick()
    change = baseline.ratios(timed(found, 1.5, "numpy"), found, limit=1.2)
    known = {(ratio.order, ratio.executor): (ratio.flops, ratio.time) for ratio in change.ratios}
    assert known["in order", ""] == (1.0, None)
    assert known["in order", "eingrad"] == (None, 1.0)
    assert known["in order", "numpy"] == (None, pytest.approx(1.5))
    assert {ratio.executor for ratio in change.exceeded} == {"numpy"}
    assert str(change).count("ABOVE THE LIMIT") == 2
    assert baseline.ratios(found, found, limit=1.0).exceeded == ()
    assert baseline.ratios(timed(found, 9), found).exceeded == ()


def test_relative_ratios_do_not_see_the_speed_of_the_machine():
    """But what became slower beside the other executor."""
    found = quick()
    slower_machine = timed(found, 3.0)
    change = baseline.ratios(slower_machine, found, limit=1.2, relative_to="numpy")
    assert change.exceeded == ()
    assert {ratio.executor for ratio in change.ratios} == {"", "eingrad"}
    slower = timed(slower_machine, 2.0, "eingrad")
    change = baseline.ratios(slower, found, limit=1.2, relative_to="numpy")
    assert [ratio.time for ratio in change.exceeded] == [pytest.approx(2.0)] * 2


def test_more_flops_exceed_a_limit():
    found = quick()
    first, second = found.orders
    more = dataclasses.replace(first, flops=2 * first.flops)
    change = baseline.ratios(dataclasses.replace(found, orders=(more, second)), found, limit=1.5)
    assert [(ratio.order, ratio.flops) for ratio in change.exceeded] == [("in order", 2.0)]


def test_what_one_side_lacks_is_listed():
    whole = quick()
    part = quick(orders={"in order": in_order}, executors=["numpy", made("mine")])
    change = baseline.ratios(part, whole)
    assert change.new == ("in order on mine",)
    assert set(change.gone) == {
        "in order on eingrad",
        "backwards",
        "backwards on eingrad",
        "backwards on numpy",
    }
    assert "not in the baseline: in order on mine" in str(change)
    assert "only in the baseline: backwards" in str(change)


# Units -------------------------------------------------------------------------------------------


def test_units_are_written_with_three_digits():
    assert [seconds_text(x) for x in (0.0, 1.234e-5, 0.9996, 65.0, 7e5, None)] == [
        *("0 us", "12.3 us", "1 s", "65 s", "194 h", "-"),
    ]
    assert [bytes_text(x) for x in (0, 999, 1000, 10**6, 10**12, 10**30)] == [
        *("0 B", "999 B", "0.977 KiB", "977 KiB", "931 GiB", "1.00e+30 B"),
    ]
    assert [count_text(x) for x in (12345, 10**10, 10**400)] == ["12,345", "1.00e+10", "1e400"]
    assert [ratio_text(*x) for x in ((3, 2), (1234, 1), (10**400, 1), (0, 0), (1, 0))] == [
        *("1.50", "1234", "1e400", "1.00", "-"),
    ]


@pytest.mark.parametrize(
    ("text", "count"), [("2GB", 2 * 10**9), ("512MiB", 2**29), ("1000", 1000), ("1.5k", 1500)]
)
def test_memory_is_read_as_people_write_it(text, count):
    assert bytes_of(text) == count


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1XB", "1iB", "1e9", "0"])
def test_what_is_no_memory_is_refused(text):
    with pytest.raises(ValueError, match="amount of memory"):
        bytes_of(text)


def test_statuses_are_all_described():
    assert all(STATUSES.values())
    assert measure.Settings().seconds == 10.0
    assert isinstance(EXECUTORS["numpy"], Executor)


def test_more_threads_than_the_machine_has_use_for_are_refused():
    """A library makes as many as it is told to: 99,999 take the machine down."""
    with pytest.raises(ValueError, match=r"threads is 99999, but this machine has \d+ processors"):
        paths.compare("ij,jk->ik", sizes={"i": 2, "j": 3, "k": 4}, threads=99999, seconds=0)


def test_an_order_of_the_users_is_not_the_reference():
    """It was, for it was cheap: eingrad was said to disagree."""
    problem = of_einsum("ij,jk->ik", {"i": 3, "j": 3, "k": 3})
    wrong = of_einsum("ij,kj->ik", {"i": 3, "j": 3, "k": 3})

    def mine(asked):
        return dataclasses.replace(along(wrong, [((0, 1),)]), problem=asked)

    found = paths.compare(
        problem, orders=[("mine", mine), "eingrad"], executors=["numpy"], seconds=0.01
    )
    assert [order.runs[0].status for order in found.orders] == ["disagrees", "measured"]


@pytest.mark.parametrize("name", ["forward", "reverse", "best known"])
def test_an_order_of_the_whole_is_not_cut_into_pieces_of_another(name):
    problem = paths.instance("mps-6-gradient")
    found = paths.compare(problem, orders=[name], executors=["numpy"], seconds=0.01, memory="60KB")
    (order,) = found.orders
    assert order.slices is None
    assert order.runs[0].status == "too large"


def test_pieces_that_do_not_fit_either_are_not_run():
    """`left to right` of this one was started with 57 GiB predicted, where 22 were given."""
    subscripts, sizes = "ia,ja,ka,la,ib,jb,kb,lb->", dict.fromkeys("ijkl", 12) | {"a": 30, "b": 31}
    for memory in ("30KB", "60KB", "200KB"):
        found = paths.compare(
            subscripts, sizes=sizes, orders=["left to right"], executors=["numpy"], seconds=0.1,
            memory=memory,
        )  # fmt: skip
        run = found.orders[0].runs[0]
        fits = run.predicted_peak_bytes + 8 * 12 * 122 <= found.memory_bytes
        assert (run.status == "too large") != fits


def test_a_coefficient_that_is_no_number_is_refused():
    with pytest.raises(PlanError, match="is nan; it must be finite"):
        paths.of_function(lambda x: (x * x).sum() * float("nan"), (3,))


def test_sizes_may_be_numpys():
    assert of_einsum("ij->i", {"i": np.int64(2), "j": np.int8(3)}).sizes == {"i": 2, "j": 3}


@pytest.mark.parametrize("dtype", [complex, str, object])
def test_arrays_of_another_kind_are_refused(dtype):
    """The imaginary part of an array was dropped by the one executor that was the reference."""
    problem = of_einsum("ij,jk->ik", {"i": 2, "j": 3, "k": 4})
    with pytest.raises(DTypeError, match=r"array 0 is of .* of float64; give an array of that"):
        paths.compare(problem, np.ones((2, 3)).astype(dtype), np.ones((3, 4)), seconds=0)


def test_arrays_may_have_any_letters():
    found = paths.compare(
        "a\u00d7,\u00d7b->ab", np.ones((2, 3)), np.ones((3, 4)), orders=["eingrad"],
        executors=["numpy"], seconds=0.01,
    )  # fmt: skip
    assert found.orders[0].runs[0].status == "measured"

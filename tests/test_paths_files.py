"""Networks, paths and schedules in files: read back as written, and nothing but data."""

import contextlib
import copy
import dataclasses
import json
import pickle

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eingrad.errors import FileError, PlanError, ShapeError, SubscriptsError
from eingrad.paths.along import along
from eingrad.paths.derived import of_function
from eingrad.paths.files import (
    linear_of_ssa,
    problem_from_json,
    problem_of_arrays,
    problem_to_json,
    read_paths,
    read_problem,
    read_problems,
    schedule_from_json,
    schedule_to_json,
    ssa_of_linear,
    write_paths,
    write_problem,
    write_problems,
)
from eingrad.paths.files.schedules import DTYPES
from eingrad.paths.modes import sweep
from eingrad.paths.problem import Operand, Output, Problem, Term, of_einsum
from eingrad.paths.schedule import Part, Schedule, Step, Total

CHAIN = of_einsum("ij,jk,kl->il", {"i": 2, "j": 3, "k": 4, "l": 5})


def two_outputs():
    """A Hessian of two terms with a delta, and a scalar; an operand that no term has."""
    first = Term(("A", "A"), (("i", "j"), ("k", "j")), 2.0)
    second = Term(("D", "s"), (("i", "k"), ()), -0.5)
    operands = {
        "s": Operand((), "float32"),
        "A": Operand((2, 3), symmetric=((0,), (1,))),
        "D": Operand((2, 2), kind="delta"),
        "unused": Operand((7, 7), "complex128", "constant", ((0, 1),)),
    }
    scalar = Output((), (Term(("s", "s"), ((), ())),), 0)
    sizes = {"i": 2, "j": 3, "k": 2}
    problem = Problem(
        "two", (Output(("i", "k"), (first, second), 0), scalar), operands, sizes, "written by hand"
    )
    paths = (((0, 1),),) * 3
    best = {
        "flops": 2**70, "size": 4, "path": paths, "by": "hand", "seconds": 1e-6,
        "versions": {"numpy": "2"}, "is_least": True, "nothing": None,
        "schedule": along(problem, paths),
    }  # fmt: skip
    return dataclasses.replace(problem, best=best, pure={"forward": with_constants(problem)})


def with_constants(problem):
    """A schedule of the problem above, with matrices that planning might have made."""
    mask = np.zeros((2, 2), "float32")
    mask[0, 1] = 1
    operations = (
        Step((1, 4), ((0, 1), (2, 0)), (2, 1), (2, 3, 2)),
        Step((6, 1), ((0, 1), (2, 1)), (0, 2), (2, 3, 2)),
        Step((0,), ((),), (0, 0), (2,)),
        Total((Part(2.0, 7, (1, 0)), Part(-0.5, 8, (0, 1)), Part(1.0, 5, (0, 1))), (2, 2)),
        Step((0, 0), ((), ()), (), ()),
    )
    constants = (mask, np.array([[1, -2], [0.1, 1e-300]]))
    return Schedule(problem, operations, (9, 10), constants)


def assert_same_schedules(a, b):
    assert (a.operations, a.outputs) == (b.operations, b.outputs)
    assert a.paths is None or [*map(tuple, a.paths)] == [*map(tuple, b.paths)]
    assert len(a.constants) == len(b.constants)
    for x, y in zip(a.constants, b.constants, strict=True):
        assert (x.dtype, x.shape, x.tobytes()) == (y.dtype, y.shape, y.tobytes())


def assert_same(a, b):
    """Equal, in the order of operands and sizes too, with schedules."""
    best, other = dict(a.best), dict(b.best)
    if "schedule" in best:
        assert_same_schedules(best.pop("schedule"), other.pop("schedule"))
    assert dataclasses.replace(a, best=best) == dataclasses.replace(b, best=other)
    assert [*a.operands] == [*b.operands]
    assert [*a.sizes] == [*b.sizes]
    assert a.pure.keys() == b.pure.keys()
    for mode in a.pure:
        assert_same_schedules(a.pure[mode], b.pure[mode])


def written(tmp_path, text, name="net.json"):
    path = tmp_path / name
    text = text if isinstance(text, str) else json.dumps(text)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One for all examples of a property."""
    return tmp_path_factory.mktemp("files")


@contextlib.contextmanager
def nothing_but_file_errors():
    text = ""
    try:
        yield
    except FileError as error:
        text = str(error)
    assert text.isprintable()


# Problems ----------------------------------------------------------------------------------------


names = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=4)


@st.composite
def problems(draw):
    """Problems with several outputs, of a few operands that terms share."""
    sizes = draw(st.dictionaries(names, st.integers(0, 3) | st.just(2**40), min_size=1, max_size=5))
    labels = st.lists(st.sampled_from([*sizes]), max_size=3)
    kinds, dtypes = (
        st.sampled_from(["input", "constant"]),
        st.sampled_from(["float64", "complex64"]),
    )
    axes = draw(st.dictionaries(names, labels, min_size=1, max_size=4))
    operands = {
        name: Operand(tuple([sizes[i] for i in term]), draw(dtypes), draw(kinds))
        for name, term in axes.items()
    }
    outputs = []
    for _ in range(draw(st.integers(1, 3))):
        terms = []
        for _ in range(draw(st.integers(1, 3))):
            chosen = draw(st.lists(st.sampled_from([*axes]), min_size=1, max_size=4))
            coefficient = draw(st.floats(allow_nan=False, allow_infinity=False))
            terms.append(Term(tuple(chosen), tuple([tuple(axes[n]) for n in chosen]), coefficient))
        common = set.intersection(*({i for x in term.indices for i in x} for term in terms))
        out = tuple(sorted(common))
        outputs.append(Output(out, tuple(terms), draw(st.integers(0, len(out)))))
    return Problem(draw(names), tuple(outputs), operands, sizes, draw(st.just("") | names))


@given(problem=problems())
def test_what_is_written_is_read_back(problem):
    document = json.loads(json.dumps(problem_to_json(problem)))
    assert_same(problem_from_json(document), problem)


def test_all_fields_of_a_problem_are_kept(tmp_path):
    problem = two_outputs()
    write_problem(problem, tmp_path / "two.json")
    assert_same(read_problem(tmp_path / "two.json"), problem)
    assert max(map(len, (tmp_path / "two.json").read_text("utf-8").splitlines())) <= 100


def test_a_schedule_that_is_read_computes_the_same():
    problem = two_outputs()
    document = json.loads(json.dumps(schedule_to_json(problem.pure["forward"])))
    schedule = schedule_from_json(document, problem)
    assert_same_schedules(schedule, problem.pure["forward"])
    assert schedule.flops == problem.pure["forward"].flops


@given(data=st.data(), dtype=st.sampled_from(DTYPES))
def test_constants_of_all_dtypes_are_kept(data, dtype):
    bits = st.integers(0, 255) if dtype != "bool" else st.integers(0, 1)
    content = data.draw(st.lists(bits, min_size=32, max_size=32))
    with np.errstate(all="ignore"):
        array = np.array(content, "uint8").view(dtype).reshape(2, -1)
        array = np.where(np.isfinite(array), array, np.zeros((), dtype))
    problem = of_einsum("i->i", {"i": 2})
    schedule = Schedule(problem, (), (0,), (array,))
    document = json.loads(json.dumps(schedule_to_json(schedule)))
    assert_same_schedules(schedule_from_json(document, problem), schedule)


def test_known_values_are_not_written():
    values = {name: np.ones(x.shape) for name, x in CHAIN.operands.items()}
    problem = dataclasses.replace(CHAIN, known=values)
    assert not problem_from_json(problem_to_json(problem)).known


def test_several_problems_are_a_list_or_a_folder(tmp_path):
    write_problems([CHAIN, two_outputs()], tmp_path / "b.json")
    write_problem(CHAIN, tmp_path / "a.json")
    assert [p.name for p in read_problems(tmp_path / "b.json")] == [CHAIN.name, "two"]
    assert [p.name for p in read_problems(tmp_path)] == [CHAIN.name, CHAIN.name, "two"]
    with pytest.raises(FileError, match=r"b\.json: has 2 problems, where one is asked for"):
        read_problem(tmp_path / "b.json")


def changed(problem, **fields):
    return dataclasses.replace(problem, **fields)


def test_a_problem_that_could_not_be_read_is_not_written(tmp_path):
    cases = {
        r"name: 'a\\nb' has letters that cannot be printed": changed(CHAIN, name="a\nb"),
        r"best\.flops: -1 is out of range": changed(CHAIN, best={"flops": -1}),
        r"best\.x: an array of shape \(2,\) is no number": changed(CHAIN, best={"x": np.ones(2)}),
        r"best\.x: an integer has at most 399 digits": changed(CHAIN, best={"x": 10**5000}),
        r"the key 1 is no text": changed(CHAIN, best={"x": {1: 2}}),
        r"operands\.A\.dtype: 'f8' is none of 'float64'": changed(
            CHAIN, operands={**CHAIN.operands, "A": Operand((2, 3), "f8")}
        ),
        r"pure\.sideways: 'sideways' is no mode; a mode is 'forward' or 'reverse', or such "
        r"directions of each differentiation, the last one first, as 'forward over "
        r"reverse'": changed(CHAIN, pure={"sideways": {}}),
        r"pure\.reverse over forward: modes are of one order": changed(
            CHAIN, pure={"forward": sweep(CHAIN, "forward"), "reverse over forward": {}}
        ),
        r"a constant has dtype object; give it one of float64": changed(
            CHAIN, pure={"forward": Schedule(CHAIN, (), (), (np.array([1], object),))}
        ),
        r"constants\[0\]\.values\[1\]: nan is not finite": changed(
            CHAIN, pure={"forward": Schedule(CHAIN, (), (), (np.array([2, np.nan]),))}
        ),
    }
    for message, problem in cases.items():
        with pytest.raises(FileError, match=message):
            write_problem(problem, tmp_path / "never.json")
    assert not [*tmp_path.iterdir()]
    with pytest.raises(FileError, match=r"cannot be written: No such file or directory"):
        write_problem(CHAIN, tmp_path / "no folder" / "a.json")


def edited(*edits, source=None):
    """A valid document with something else at some places; `...` removes it."""
    document = copy.deepcopy(problem_to_json(source or two_outputs()))
    for *way, last, value in edits:
        inner = document
        for key in way:
            inner = inner[key]
        if value is ...:
            del inner[last]
        else:
            inner[last] = value
    return document


FIRST = ("outputs", 0, "terms", 0)
FORWARD = ("pure", "forward")
WRONG = {
    "d: the field 'sizes' is missing": [("sizes", ...)],
    "d: there is no field 'size'; there are format, version": [("size", {})],
    "d: format: 'x' is none of 'eingrad-problem'": [("format", "x")],
    "d: version: this is version 2 of the format; this eingrad reads version 1": [("version", 2)],
    "d: version: this is version True": [("version", True)],
    "d: sizes: [] is no object": [("sizes", [])],
    "d: sizes.i: True is no integer; write one from 0 to 2**40": [("sizes", "i", True)],
    "d: sizes.i: 2.0 is no integer": [("sizes", "i", 2.0)],
    "d: sizes.i: 1099511627777 is out of range": [("sizes", "i", 2**40 + 1)],
    "d: sizes.a b: 'a b' cannot name an index": [("sizes", "a b", 2)],
    "d: name: 5 is no text; write it in quotes": [("name", 5)],
    "d: operands.'': an operand needs a name": [("operands", "", {})],
    "d: operands.D.kind: 'other' is none of 'input'": [("operands", "D", "kind", "other")],
    "d: operands.A.kind: a delta is square, but this has shape (2, 3)": [
        ("operands", "A", "kind", "delta")
    ],
    "d: operands.s.dtype: 'O' is none of 'float64'": [("operands", "s", "dtype", "O")],
    "d: operands.A.shape: (3, 2) is said, but its indices have sizes (2, 3)": [
        ("operands", "A", "shape", [3, 2])
    ],
    "d: operands.unused: no term has this operand, so its shape is not known; add 'shape'": [
        ("operands", "unused", "shape", ...)
    ],
    "d: operands.A.symmetric[0]: axes (0, 1) of shape (2, 3) cannot change places": [
        ("operands", "A", "symmetric", [[0, 1]])
    ],
    "d: operands.A.symmetric[0]: axes (0, 0)": [("operands", "A", "symmetric", [[0, 0]])],
    "d: operands.A.symmetric[0]: there are 9 axes, more than 8": [
        ("operands", "A", "symmetric", [[0] * 9])
    ],
    "d: outputs: a problem needs an output at least": [("outputs", [])],
    "d: outputs[0].terms: an output needs a term at least": [("outputs", 0, "terms", [])],
    "d: outputs[0].indices[0]: the index 'z' has no size; give it one in 'sizes'": [
        ("outputs", 0, "indices", ["z"])
    ],
    "d: outputs[0].indices: the index 'i' stands twice": [("outputs", 0, "indices", ["i", "i"])],
    "d: outputs[1].indices[0]: no operand of the term of s, s has the index 'i'": [
        ("outputs", 1, "indices", ["i"])
    ],
    "d: outputs[0].result_axes: 3 is out of range; write an integer from 0 to 2": [
        ("outputs", 0, "result_axes", 3)
    ],
    "d: outputs[0].terms[0].operands[1]: there is no operand 'B'": [
        (*FIRST, "operands", ["A", "B"])
    ],
    "d: outputs[0].terms[0]: there are 1 operands, and indices for 2": [
        (*FIRST, "operands", ["A"])
    ],
    "d: outputs[0].terms[0].indices[1][0]: 5 is no text": [(*FIRST, "indices", 1, 0, 5)],
    "d: outputs[0].terms[0].indices[1]: these indices of operand 'A' have sizes (3, 3), others": [
        (*FIRST, "indices", 1, 0, "j")
    ],
    "d: outputs[0].terms[0].coefficient: '2' is no number": [(*FIRST, "coefficient", "2")],
    "d: outputs[0].terms[0].coefficient: 1000000000": [(*FIRST, "coefficient", 10**399)],
    "d: best.path: there are 1 paths for 3 terms; give one for each": [
        ("best", "path", [[[0, 1]]])
    ],
    "d: best.path[0]: step 0 of the linear path has position 2 where 2 are left": [
        ("best", "path", 0, 0, 1, 2)
    ],
    "d: best.flops: None is no integer; write one of at least 0": [("best", "flops", None)],
    "d: pure.forward.operations[0]: an operation is a list that begins with": [
        (*FORWARD, "operations", 0, [])
    ],
    "d: pure.forward.operations[0][0]: 'x' is none of 'contract', 'add'": [
        (*FORWARD, "operations", 0, 0, "x")
    ],
    "d: pure.forward.operations[0]: an operation 'contract' is a list of 5, not 1": [
        (*FORWARD, "operations", 0, ["contract"])
    ],
    "d: pure.forward.operations[0][1][0]: 6 is out of range": [
        (*FORWARD, "operations", 0, 1, 0, 6)
    ],
    "d: pure.forward.operations[0][1]: there are 3 values, and indices of 2": [
        (*FORWARD, "operations", 0, 1, [0, 0, 0])
    ],
    "d: pure.forward.operations[0][2][1]: value 4 has shape (2, 2); these": [
        (*FORWARD, "operations", 0, 2, 1, [2, 9])
    ],
    "d: pure.forward.operations[0][4]: there is a size of the index 3, which": [
        (*FORWARD, "operations", 0, 4, [2, 3, 2, 2])
    ],
    "d: pure.forward.operations[3][1][0]: a summand is a list of three": [
        (*FORWARD, "operations", 3, 1, 0, [])
    ],
    "d: pure.forward.operations[3][1][0][2]: value 7 has 2 axes; name each of them once": [
        (*FORWARD, "operations", 3, 1, 0, 2, [0, 0])
    ],
    "d: pure.forward.operations[3][1][0]: value 1 of shape (2, 3), axes in the order (1, 0)": [
        (*FORWARD, "operations", 3, 1, 0, 1, 1)
    ],
    "d: pure.forward.operations[3][1]: a sum needs a summand": [(*FORWARD, "operations", 3, 1, [])],
    "d: pure.forward.outputs: there are 1 values, but the problem has 2": [
        (*FORWARD, "outputs", [9])
    ],
    "d: pure.forward.outputs[1]: value 9 has shape (2, 2), but the output of the problem": [
        (*FORWARD, "outputs", [9, 9])
    ],
    "d: pure.forward.constants[0].shape: constants have at most 16,777,216 elements": [
        (*FORWARD, "constants", 0, "shape", [2**30, 2])
    ],
    "d: pure.forward.constants[0]: a constant has either 'ones' or 'values'": [
        (*FORWARD, "constants", 0, "ones", ...)
    ],
    "d: pure.forward.constants[1].values: there are 1 values; the shape and dtype have 4": [
        (*FORWARD, "constants", 1, "values", [1])
    ],
    "d: pure.forward.constants[1].values[1]: -2.0 is no integer": [
        (*FORWARD, "constants", 1, "dtype", "int8"), (*FORWARD, "constants", 1, "values", 0, 1)
    ],
    "d: pure.forward.constants[1].values[0]: 1e+300 is too large for float32": [
        (*FORWARD, "constants", 1, "dtype", "float32"),
        (*FORWARD, "constants", 1, "values", 0, 1e300),
    ],
    "d: pure.forward.constants[1].values[1]: -2.0 is no integer; write one from 0 to 1": [
        (*FORWARD, "constants", 1, "dtype", "bool"), (*FORWARD, "constants", 1, "values", 0, 1)
    ],
    "d: pure.forward.constants[1].values: there are 4 values; the shape and dtype have 8": [
        (*FORWARD, "constants", 1, "dtype", "complex64")
    ],
}  # fmt: skip


@pytest.mark.parametrize("message", WRONG)
def test_an_error_names_the_place(message):
    with pytest.raises(FileError) as caught:
        problem_from_json(edited(*WRONG[message]), "d")
    assert str(caught.value).startswith(message)


def nested(depth):
    return [nested(depth - 1)] if depth else 0


LARGE = {
    "d: outputs: there are 1,000,001 outputs, more than 1,000,000": [("outputs", [0] * 1_000_001)],
    "d: name: a text has 1,048,577 letters, more than 1,048,576": [("name", "a" * (2**20 + 1))],
    f"d: best.x{'[0]' * 21}: brackets are nested more than 20 deep": [("best", "x", nested(22))],
    f"d: sizes.{'a' * 101}: 'aaa": [("sizes", "a" * 101, 2)],
    "d: operands.'\\n': '\\n' has letters that cannot be printed": [("operands", "\n", {})],
}


@pytest.mark.parametrize("message", LARGE, ids=range(len(LARGE)))
def test_what_is_too_large_is_refused(message):
    with pytest.raises(FileError) as caught:
        problem_from_json(edited(*LARGE[message]), "d")
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 1000


def test_indices_of_all_terms_are_counted(monkeypatch):
    monkeypatch.setattr("eingrad.paths.files.problems.MOST_INDICES", 8)
    with pytest.raises(FileError, match=r"terms\[1\]: the terms up to here have over 8 operands"):
        problem_from_json(edited(), "d")


# Files -------------------------------------------------------------------------------------------


def test_what_is_no_document_is_refused(tmp_path):
    deep = "[" * 501 + "]" * 501
    cases = {
        "": "is no text of a network|are no subscripts",
        '{"a": 1, "b": {"c": 1, "c": 2}}': "the key 'c' stands twice in one object; remove one",
        '{"a": NaN}': "NaN is no number that JSON has; write a finite one",
        '{"a": -Infinity}': "-Infinity is no number that JSON has",
        '{"a": 1': r"is not JSON: Expecting ',' delimiter in line 1, column 8",
        f'{{"a": {"9" * 401}}}': "the integer 99999999999999999999... has 401 digits, at most 400",
        deep: "brackets are nested more than 500 deep in line 1",
        "[]": "the list is empty; there is no network in it",
        "[[0, 1]]": "this is a list of lists: a path perhaps, no network",
        "5": "5 is no object",
        '{"a": 1}': "this is no network that is known by its fields: .* it has 'a'",
    }
    for text, message in cases.items():
        with pytest.raises(FileError, match=message) as caught:
            read_problem(written(tmp_path, text, "x.json" if text else "x.txt"))
        assert "x.json: " in str(caught.value) or not text


def test_what_is_no_text_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(FileError, match=r"x\.json: is a pickle, which runs code when it is read"):
        read_problem(path)
    path.write_bytes(b'{"a\xff": 1}')
    with pytest.raises(FileError, match=r"is no text in UTF-8: byte 3 is 0xff"):
        read_problem(path)
    np.save(tmp_path / "x.npy", np.ones(2))
    with pytest.raises(FileError, match=r"is an array, no network; give subscripts with it"):
        read_problem(tmp_path / "x.npy")
    with pytest.raises(FileError, match=r"none\.json: cannot be read: No such file or directory"):
        read_problem(tmp_path / "none.json")
    with pytest.raises(FileError, match="cannot be read: embedded null"):
        read_problem("a\0b.json")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match=r"is a folder without \.json files"):
        read_problems(tmp_path / "empty")
    monkeypatch.setattr("eingrad.paths.files.document.MOST_BYTES", 100)
    with pytest.raises(FileError, match="has more than 100 bytes; no network here is so large"):
        read_problem(written(tmp_path, " " * 101))


@pytest.mark.parametrize("text", ['"' + '\\"' * 10**6, '["\\\\"]' * 10**5, "{" * 10**6])
def test_brackets_are_counted_in_linear_time(tmp_path, text):
    with pytest.raises(FileError):
        read_problem(written(tmp_path, text))


texts = st.text(max_size=3)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts
    | st.sampled_from([2**41, 10**300, -1, "A", "i", "delta", "forward", 0.5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner),
    max_leaves=5,
)  # fmt: skip


def places_of(document):
    """Every place in a document, as a container and a key."""
    pairs = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in [*pairs]:
        yield document, key
        if isinstance(value, (dict, list)):
            yield from places_of(value)


def tree_of_three():
    def leaf(n):
        return {"isleaf": True, "tensorindex": n}

    def node(args, ixs, iy):
        return {"isleaf": False, "args": args, "eins": {"ixs": ixs, "iy": iy}}

    inner = node([leaf(3), leaf(1)], [["k", "l"], ["i", "j"]], ["k", "l", "i", "j"])
    root = node([leaf(2), inner], [["j", "k"], ["k", "l", "i", "j"]], ["i", "l"])
    terms = [["i", "j"], ["j", "k"], ["k", "l"]]
    return {"label-type": "Char", "inputs": terms, "output": ["i", "l"], "tree": root}


def documents():
    """One valid document of each format."""
    terms = [["i", "j"], ["j", "k"], ["k", "l"]]
    sizes = {"i": 2, "j": 3, "k": 4, "l": 5}
    path = [[1, 2], [0, 1]]
    return {
        "ours": problem_to_json(two_outputs()),
        "cotengra": {
            "inputs": terms, "output": ["i", "l"], "size_dict": sizes, "ssa_path": [[1, 2], [0, 3]]
        },
        "OMEinsum": {
            "einsum": {"ixs": [[1, 2], [2, 3], [3, 4]], "iy": [1, 4]},
            "size": {"1": 2, "2": 3, "3": 4, "4": 5},
        },
        "flat": {"ixs": terms, "iy": ["i", "l"], "size": sizes},
        "tree": {**tree_of_three(), "size": sizes, "slices": ["j"]},
        "string": {
            "format_string": "ij,jk,kl->il", "shapes": [[2, 3], [3, 4], [4, 5]], "path": path
        },
    }  # fmt: skip


@pytest.mark.parametrize("kind", documents())
@given(data=st.data())
def test_a_document_with_an_error_is_a_file_error_at_most(folder, kind, data):
    document = copy.deepcopy(documents()[kind])
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from([*places_of(document)]))
        match data.draw(st.sampled_from(["replace", "remove", "insert"])):
            case "replace":
                container[key] = data.draw(values)
            case "remove":
                del container[key]
            case "insert" if isinstance(container, dict):
                container[data.draw(texts)] = data.draw(values)
            case "insert":
                container.insert(key, data.draw(values))
        if not document:
            return
    with nothing_but_file_errors():
        read_problems(written(folder, document))


@given(text=st.text(max_size=30) | st.text('ab,->[](){}:"012 \n', max_size=40))
@example("ab,bc->ac\n((2, 3), (3, 4),)")
@example("ab,bc\n[(2,), 5]")
def test_a_text_is_a_network_or_a_file_error(folder, text):
    for name in ("net.json", "net.txt"):
        with nothing_but_file_errors():
            read_problems(written(folder, text, name))


# Others' formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in documents() if kind != "ours"])
def test_others_formats_are_recognised(tmp_path, kind):
    """All of these say the same product."""
    problem = read_problem(written(tmp_path, documents()[kind], "chain.json"))
    ((output, term),) = problem.terms
    assert problem.name == "chain"
    assert term.operands == ("A", "B", "C")
    assert problem.shape(output) == (2, 5)
    assert [x.shape for x in problem.operands.values()] == [(2, 3), (3, 4), (4, 5)]
    expected = np.linalg.multi_dot(problem.values())
    schedule = along(problem, problem.best.get("path", [[(0, 1), (0, 1)]]))
    flops = {"string": 120 + 60, "cotengra": 120 + 60, "tree": 120 + 240}  # a tree is the worst
    assert schedule.flops == flops.get(kind, 48 + 80)
    np.testing.assert_allclose(np.einsum(*sublists(term, output, problem.values())), expected)


def sublists(term, output, arrays):
    number = {label: n for n, label in enumerate(dict.fromkeys(sum(term.indices, ())))}
    for array, labels in zip(arrays, term.indices, strict=True):
        yield array
        yield [number[label] for label in labels]
    yield [number[label] for label in output.indices]


def test_a_tree_has_no_sizes_of_its_own(tmp_path):
    path = written(tmp_path, tree_of_three())
    with pytest.raises(FileError, match="the index 'i' has no size; the file has to give it one"):
        read_problem(path)
    assert read_problem(path, sizes=2).sizes == {"i": 2, "j": 2, "k": 2, "l": 2}
    sizes = {"i": 2, "j": 3, "k": 4, "l": 5}
    assert read_problem(written(tmp_path, tree_of_three()["tree"]), sizes=sizes).sizes == sizes
    assert read_problem(path, sizes=3).best == {"path": (((2, 0), (0, 1)),), "by": "OMEinsum"}
    for wrong in (True, -1, {"i": 2.0}):
        with pytest.raises(ShapeError, match=r"the size of .* is .*; give an integer from 0 to 2"):
            read_problem(path, sizes=wrong)


def test_lines_of_text_are_subscripts_and_shapes(tmp_path):
    for shapes in ("[[2, 3], [3]]", "[(2, 3),\n (3,)]", "((2,3),(3,),)"):
        problem = read_problem(written(tmp_path, f"ij, j\n\n{shapes}\n", "net.txt"))
        assert [x.shape for x in problem.operands.values()] == [(2, 3), (3,)]
        assert problem.outputs[0].indices == ("i",)
    for rest, message in {
        "[[2, 3], [4]]": r"shapes\[1\]: the index 'j' has size 4 here and 3 before",
        "[[2, 3]]": "shapes: there are 1 shapes for 2 operands",
        "[[2, 3], [3, 4]]": r"shapes\[1\]: \(3, 4\) has 2 axes, its indices are 1",
        "import os": "below the subscripts there is a list of shapes",
        "[[2, 3], [3]": "is not JSON: Expecting ',' delimiter",
        "": "the index 'i' has no size",
    }.items():
        with pytest.raises(FileError, match=message):
            read_problem(written(tmp_path, f"ij,j\n{rest}", "net.txt"))


def test_indices_that_cannot_be_printed_get_other_names(tmp_path):
    """Libraries number letters through all of Unicode."""
    letters = "\u0378\u2028\x1b"
    document = {"inputs": [["a", *letters], ["u0378"]], "output": [letters[0]], "size_dict": {}}
    problem = read_problem(written(tmp_path, document), sizes=2)
    assert problem.outputs[0].terms[0].indices == (("a", "u0378'", "u2028", "u001b"), ("u0378",))
    assert problem.outputs[0].indices == ("u0378'",)


WRONG_OF_OTHERS = {
    "einsum: the field 'iy' is missing": ("OMEinsum", ("einsum", "iy", ...)),
    "the field 'output' is missing": ("cotengra", ("output", ...)),
    "inputs[1]: 5 is no list of indices": ("cotengra", ("inputs", 1, 5)),
    "inputs[1][0]: None cannot name an index; a name is": ("cotengra", ("inputs", 1, 0, None)),
    "inputs[1][0]: 'aaa": ("cotengra", ("inputs", 1, 0, "a" * 101)),
    "format_string: there are 1,000,002 operands, more than 1,000,000": (
        "string", ("format_string", "," * 1_000_001)
    ),
    "inputs[2]: the index 'l' has no size": ("cotengra", ("size_dict", "l", ...)),
    "size_dict.l: -1 is out of range": ("cotengra", ("size_dict", "l", -1)),
    "output: no operand has the index 'z'": ("cotengra", ("output", "z")),
    "format_string: no operand has the index 'z'": ("string", ("format_string", "ij,jk,kl->z")),
    "einsum.iy: the output '1 1' has an index twice": ("OMEinsum", ("einsum", "iy", [1, 1])),
    "there are no operands; a network has one": ("flat", ("ixs", [])),
    "ssa_path: step 1 of the SSA path has value 0, which was contracted before": (
        "cotengra", ("ssa_path", 0, [0, 2])
    ),
    "ssa_path: step 1 of the SSA path has value 4, which does not exist yet": (
        "cotengra", ("ssa_path", 1, [0, 4])
    ),
    "path: step 0 of the path is (1, 1), and names one": ("string", ("path", 0, [1, 1])),
    "path: step 0 of the path is (1,); a step contracts two": ("string", ("path", 0, [1])),
    "path: the path of 3 operands leaves 2; it must": ("string", ("path", [[0, 1]])),
    "format_string: 'ij..' are no subscripts": ("string", ("format_string", "ij..")),
    "format_string: 5 is no text; write subscripts": ("string", ("format_string", 5)),
    "tree.isleaf: None says nothing": ("tree", ("tree", "isleaf", None)),
    "tree: a tree of one leaf does not say its indices": ("tree", ("tree", "isleaf", True)),
    "tree.args[1].args[1].tensorindex: operand 3 is a leaf twice": (
        "tree", ("tree", "args", 1, "args", 1, "tensorindex", 3)
    ),
    "tree: the operands of 3 leaves are not numbered from 1": (
        "tree", ("tree", "args", 1, "args", 1, "tensorindex", 4)
    ),
    "tree.args: there are 1 nodes, and indices for 2": ("tree", ("tree", "args", 1, ...)),
    "tree.args[1]: the indices of this result are not those": (
        "tree", ("tree", "args", 1, "eins", "iy", ["k"])
    ),
    "inputs: these are not the indices that the tree has": ("tree", ("inputs", 0, ["j", "i"])),
}  # fmt: skip


@pytest.mark.parametrize("message", WRONG_OF_OTHERS)
def test_an_error_in_others_formats_names_the_place(tmp_path, message):
    kind, (*way, last, value) = WRONG_OF_OTHERS[message]
    document = copy.deepcopy(documents()[kind])
    inner = document
    for key in way:
        inner = inner[key]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    with pytest.raises(FileError) as caught:
        read_problem(written(tmp_path, document))
    assert str(caught.value).startswith(f"{tmp_path / 'net.json'}: {message}")


# Paths -------------------------------------------------------------------------------------------


@st.composite
def linear_paths(draw):
    """A path and its number of operands; several may meet at once."""
    count = left = draw(st.integers(1, 8))
    path = []
    while left > 1:
        step = draw(st.permutations(range(left)))[: draw(st.integers(2, left))]
        path.append(tuple(step))
        left -= len(step) - 1
    return tuple(path), count


@given(case=linear_paths())
def test_conversions_of_paths_are_inverse(case):
    path, count = case
    ssa = ssa_of_linear(path, count)
    assert linear_of_ssa(ssa, count) == path
    assert sorted(value for step in ssa for value in step) == [*range(count + len(path) - 1)]


@given(case=linear_paths())
def test_a_path_of_two_steps_is_of_one_form_only(case):
    path, count = case
    ssa = ssa_of_linear(path, count)
    if len(path) < 2:
        assert ssa == path
        return
    with pytest.raises(PlanError, match=r"step .* of the linear path has position"):
        ssa_of_linear(ssa, count)
    with pytest.raises(PlanError, match=r"step .* of the SSA path has value .* was contracted"):
        linear_of_ssa(path, count)


@given(path=st.lists(st.lists(st.integers(-1, 8), max_size=3), max_size=5), count=st.integers(0, 6))
def test_a_path_is_converted_or_refused(path, count):
    for convert, back in ((ssa_of_linear, linear_of_ssa), (linear_of_ssa, ssa_of_linear)):
        try:
            found = convert(path, count)
        except PlanError:
            continue
        assert [*map(list, back(found, count))] == path


def test_conversions_agree_with_cotengra():
    """Its own example."""
    assert linear_of_ssa([(0, 3), (2, 4), (1, 5)], 4) == ((0, 3), (1, 2), (0, 1))


def test_steps_of_paths_are_lists_of_integers():
    for path, message in [
        ((0, 1), "step 0 of the path is 0; write a pair of integers"),
        (((0, 1.0),), r"step 0 of the path has 1\.0, which is no integer"),
        (((0, True),), "step 0 of the path has True, which is no integer"),
    ]:
        for convert in (ssa_of_linear, linear_of_ssa):
            with pytest.raises(PlanError, match=message):
                convert(path, 2)
    assert ssa_of_linear([(0,)], 1) == linear_of_ssa([(0,)], 1) == ((0,),)


LINEAR = (((1, 2), (0, 1)),)


def test_paths_are_read_in_either_form(tmp_path):
    for document, form, is_stated in [
        ([[1, 2], [0, 1]], "linear", False),
        ([[1, 2], [0, 3]], "ssa", False),
        ([[[1, 2], [0, 3]]], "ssa", False),
        ({"path": [[1, 2], [0, 1]], "format": "linear"}, "linear", True),
        ({"path": [[1, 2], [0, 3]], "format": "ssa"}, "ssa", True),
        ({"path": [[[1, 2], [0, 3]]]}, "ssa", False),
    ]:
        found = read_paths(written(tmp_path, document), CHAIN)
        assert found == (LINEAR, form, is_stated)
    found = read_paths(written(tmp_path, tree_of_three()), CHAIN)
    assert found == ((((2, 0), (0, 1)),), "tree", True)


@pytest.mark.parametrize("form", ["linear", "ssa"])
def test_paths_are_written_and_read_back(tmp_path, form):
    path = tmp_path / "path.json"
    for is_bare in (False, True):
        write_paths(LINEAR, path, form=form, bare=is_bare)
        assert read_paths(path, CHAIN) == (LINEAR, form, not is_bare)
    several = two_outputs()
    paths = (((1, 0),), ((0, 1),), ((0, 1),))
    write_paths(paths, path, form=form)
    assert read_paths(path, several) == (paths, form, True)
    with pytest.raises(FileError, match="3 paths cannot be written as a bare one"):
        write_paths(paths, path, bare=True)
    with pytest.raises(PlanError, match="there is no form 'x' of a path"):
        write_paths(paths, path, form="x")
    with pytest.raises(PlanError, match="step 1 of the linear path has position 5"):
        write_paths([[(0, 1), (0, 5)]], path)


def test_a_path_of_one_operand_has_no_steps(tmp_path):
    problem = of_einsum("ij->ji", {"i": 2, "j": 3})
    for document, path in [([], ()), ([[0]], ((0,),)), ([[]], ()), ({"path": []}, ())]:
        assert read_paths(written(tmp_path, document), problem).paths == (path,)


def test_a_path_of_another_problem_is_refused(tmp_path):
    for document, message in {
        "[[0, 1]]": "this is no path, linear or SSA: the path of 3 operands leaves 2",
        "[[0, 1], [0, 5]]": r"this is no path, linear or SSA: step 1 of the linear path has "
        r"position 5 where 2 are left; positions count from 0; step 1 of the SSA path has value",
        '{"path": [[0, 1], [2, 3]], "format": "linear"}': "path: step 1 of the linear path has",
        '{"path": [[0, 1], [0, 1]], "format": "x"}': "format: 'x' is none of 'linear', 'ssa'",
        '{"paths": []}': "the field 'path' is missing",
        '[[0, "1"], [0, 1]]': r"\[0\]\[1\]: '1' is no integer",
        "[[[0, 1], [0, 1]], [[0, 1]]]": "there are 2 paths for 1 terms; give one for each",
        "5": "5 is no list of steps",
    }.items():
        with pytest.raises(FileError, match=message):
            read_paths(written(tmp_path, document), CHAIN)
    with pytest.raises(FileError, match="the tree contracts 3 operands of one term; the problem"):
        read_paths(written(tmp_path, tree_of_three()), two_outputs())
    mixed = Output(("i", "l"), CHAIN.outputs[0].terms * 2, 1)
    with pytest.raises(FileError, match=r"\[1\]: this path is not linear, as one before it is"):
        read_paths(
            written(tmp_path, [[[1, 2], [0, 1]], [[1, 2], [0, 3]]]),
            dataclasses.replace(CHAIN, outputs=(mixed,)),
        )


@given(document=values | st.lists(st.lists(st.integers(0, 4) | values, max_size=3), max_size=3))
def test_a_file_of_paths_is_read_or_a_file_error(folder, document):
    with nothing_but_file_errors():
        along(CHAIN, read_paths(written(folder, document, "path.json"), CHAIN).paths)


# Arrays ------------------------------------------------------------------------------------------


def test_arrays_are_read_with_their_values(tmp_path):
    a = np.arange(6.0).reshape(2, 3)
    b = np.asfortranarray(np.arange(12, dtype=">i4").reshape(3, 4))
    np.save(tmp_path / "a.npy", a)
    np.save(tmp_path / "b.npy", b)
    problem = problem_of_arrays("ij,jk->ik", [tmp_path / "a.npy", tmp_path / "b.npy"], name="ab")
    assert problem.sizes == {"i": 2, "j": 3, "k": 4}
    assert [x.dtype for x in problem.operands.values()] == ["float64", "int32"]
    for value, array in zip(problem.values(), (a, b), strict=True):
        np.testing.assert_array_equal(value, array)
        assert value.dtype.isnative
        assert not value.flags.writeable


@pytest.mark.parametrize(("shape", "term"), [((), ""), ((0,), "i"), ((2, 0), "ij")])
def test_arrays_may_be_scalars_or_empty(tmp_path, shape, term):
    np.save(tmp_path / "a.npy", np.ones(shape))
    problem = problem_of_arrays(f"{term},{term}->", [tmp_path / "a.npy"] * 2)
    assert [value.shape for value in problem.values()] == [shape, shape]


def test_what_is_no_array_of_numbers_is_refused(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.ones((2, 3)))
    whole = path.read_bytes()

    def refused(error, message, subscripts="ij->ij", **options):
        with pytest.raises(error, match=message):
            problem_of_arrays(subscripts, [path], **options)

    refused(ShapeError, r"a\.npy has shape \(2, 3\), 2 axes, but its subscripts", "i->i")
    refused(ShapeError, r"a\.npy: index 'i' of 'ii' has size 3, but 2 before", "ii->i")
    refused(SubscriptsError, "has 2 operands, but 1 arrays are given; give one for each", "i,i")
    refused(SubscriptsError, "are no subscripts", "i...->i")
    refused(FileError, r"take 48 bytes together, more than 47; give smaller", most_bytes=47)
    path.write_bytes(whole[:-8])
    refused(FileError, r"a\.npy: is damaged or cut short: ")
    path.write_bytes(b"")
    refused(FileError, r"a\.npy: is no \.npy file; write one with np\.save")
    path.write_bytes(pickle.dumps(3))
    refused(FileError, r"is no \.npy file")
    np.save(path, np.array([[None]]), allow_pickle=True)
    refused(FileError, r"a\.npy: .*ython objects")
    np.save(path, np.array([["a"]]))
    refused(FileError, r"has dtype <U1; a network is of numbers, so convert it")
    path.unlink()
    refused(FileError, r"a\.npy: cannot be read: ")


@given(data=st.data())
def test_a_damaged_array_is_a_file_error_at_most(folder, data):
    path = folder / "a.npy"
    np.save(path, np.ones((2, 3)))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255) | st.sampled_from(b"0123456789(),'<>{}:"))
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), 100, 128, 150]))])
    with nothing_but_file_errors(), contextlib.suppress(ShapeError):
        problem_of_arrays("ij->ij", [path])


def with_steps(*steps):
    """Write forward mode of a Hessian, with other steps."""
    problem = of_function(lambda x, a: a @ np.linalg.inv(x) @ a, (3, 3), (3,), order=2)
    document = schedule_to_json(problem.pure["forward over forward"])
    assert document["steps"], "else nothing is tested"
    return problem, {**document, "steps": [*document["steps"], *steps]}


def test_the_steps_of_a_mode_are_read_back():
    problem, document = with_steps()
    again = schedule_from_json(json.loads(json.dumps(document)), problem)
    assert again == problem.pure["forward over forward"]
    assert again != dataclasses.replace(again, steps=())
    whole = json.loads(json.dumps(problem_to_json(problem)))
    assert problem_from_json(whole).primal == problem.primal != ()


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (["add", [[1.0, 0, [0, 1]]], [3, 3]], r"a step of a mode is a contraction"),
        (
            ["contract", [0, 1], [[0, 1], [1]], [0], [3, 3]],
            r"there are 2 values, and indices of 2; a step is of 3 to 6",
        ),
        (
            ["contract", [1] * 7, [[0]] * 7, [0], [3]],
            r"there are 7 values, and indices of 7; a step is of 3 to 6",
        ),
        (["contract", [0, 1, 999], [[0, 1], [1], [0]], [0], [3, 3]], r"999 is out of range"),
    ],
)
def test_a_step_of_a_mode_that_is_none_is_refused(step, message):
    problem, document = with_steps(step)
    with pytest.raises(FileError, match=message):
        schedule_from_json(document, problem)

"""What NumPy refuses is refused, and NumPy's value is given: a share of `numpy_calls`, and laws."""

import json
import warnings

import numpy as np
import numpy_calls
import pytest
from inside import NUMPYS_ANSWER

import eingrad as eg
from eingrad._tracer import FUNCTIONS, METHODS, UFUNCS

pytestmark = pytest.mark.filterwarnings("ignore::eingrad.errors.IndependentWarning")

NAMES = [*numpy_calls.subjects()]
SHARE = 5  # of so many calls one is made here; `python tests/numpy_calls.py` makes all
X = np.arange(1.0, 7.0).reshape(2, 3)
X.flags.writeable = False
V = np.ones(4)
MASK = np.ones((4, 2, 3), bool)


@pytest.mark.parametrize("shard", range(8))
def test_numpy_and_eingrad_agree_on_every_call(shard):
    """On its value, or that there is none; and the error says what and where."""
    tally = numpy_calls.run(NAMES[shard::8], seed=shard, share=SHARE)
    assert not tally.faults, "\n".join(map(str, tally.faults))
    assert tally.total["same value"] > 100
    assert tally.total["both refuse"] > 100
    assert tally.total["not supported"] < 0.3 * tally.total.total()


def test_every_function_is_called_with_each_of_its_parameters():
    """A function that is added to the tracer is called without new test code."""
    counted = len([f for f in FUNCTIONS if callable(f)]) + len(UFUNCS) + len(METHODS)
    assert len(NAMES) >= counted - 4  # two have other names, two have no numbers to compare
    for name in ("np.sum", "ndarray.round", "np.add.reduce", "np.linalg.norm"):
        function = numpy_calls.subjects()[name]
        tried = {k for c in numpy_calls.calls(name, function, 0) for k in c.options}
        wanted = {k for k, v in numpy_calls.parameters(name, function).items()
                  if v is not numpy_calls.EMPTY}  # fmt: skip
        assert wanted <= tried


REFUSED = {
    "a vector of one entry is not repeated": lambda x: np.matvec(x[:, :1], V),
    "nor is a matrix of one column": lambda x: np.matvec(np.ones((2, 4)), x[0, :1]),
    "nor a matrix of one row": lambda x: np.vecmat(x[0, :1], np.ones((4, 2))),
    "nor a vector for it": lambda x: np.vecmat(np.ones(4), x[:1]),
    "a batch hides nothing": lambda x: np.matvec(np.ones((5, 2, 1)), x[:, None, :]),
    "a mask that is larger": lambda x: np.sum(x, where=MASK),
    "a mask that is larger in a method": lambda x: x.mean(where=MASK),
    "a mask that is larger, of a product": lambda x: np.prod(x, axis=0, where=MASK),
    "a mask that does not fit": lambda x: np.max(x, where=np.ones(2, bool), initial=0.0),
    "a mask of a ufunc's method": lambda x: np.add.reduce(x, where=MASK),
    "half a width": lambda x: np.pad(x, 1.5),
    "half a width of many": lambda x: np.pad(x, ((0, 1), (0.5, 1))),
    "half a decimal": lambda x: np.round(x, 1.5),
    "half a decimal in a method": lambda x: x.round(0.5),
    "half a tile": lambda x: np.tile(x, (1, 1.5)),
    "half an axis": lambda x: np.sum(x, axis=0.5),
    "a word for a flag": lambda x: np.sum(x, keepdims="x"),
    "a word for a flag in a method": lambda x: x.max(keepdims="x"),
    "a list of axes": lambda x: np.sum(x, axis=[0]),
    "a list of axes of a norm": lambda x: np.linalg.norm(x, axis=[0]),
    "a list of axes of a mean": lambda x: x.mean(axis=[0, 1]),
    "an axis that is a flag": lambda x: np.cumsum(x, axis=True),
    "an array for an axis": lambda x: np.expand_dims(x, np.array([1])),
    "a mode that is none": lambda x: np.take(x, [0], mode="nearest"),
    "an order that is none": lambda x: x.astype(np.float32, order="Z"),
    "all axes of an accumulation": lambda x: np.add.accumulate(x, axis=None),
    "flags as indices": lambda x: np.take_along_axis(x, x > 1, 0),
    "no mask that is a mask": lambda x: np.sum(x, where=None),
    "nothing appended": lambda x: np.diff(x, append=None),
    "a path that is none": lambda x: np.einsum("ij,kj->ik", x, x, optimize=3),
    "letters in a list of numbers": lambda x: np.einsum(x, "ij", [0]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_numpy_refuses_is_refused(name):
    """By an error with the user's line; and a second time too."""
    if name != "no mask that is a mask":  # to NumPy that is a mask that is false
        with pytest.raises((TypeError, ValueError, IndexError)):
            REFUSED[name](X)
    for _ in range(2):
        with pytest.raises((eg.errors.EingradError, IndexError), match=r"test_numpy_calls\.py"):
            eg.jacobian(REFUSED[name])(X)


LARGE = {
    "axis": lambda x: np.sum(x, axis=[0]),
    "keepdims": lambda x: np.mean(x, keepdims="x"),
    "where": lambda x: np.sum(x, where=np.ones((4, 200, 300), bool)),
    "mode": lambda x: np.take(x, [150], 0, mode="nearest"),
    "clip": lambda x: np.repeat(x, 2, axis=True),
    "pad": lambda x: np.pad(x, 0.5),
}


@pytest.mark.parametrize("name", LARGE)
def test_what_numpy_refuses_is_refused_of_large_arrays(name):
    """NumPy is asked with smaller ones; their sizes are equal where the large ones' are."""
    with pytest.raises(eg.errors.EingradError, match=r"test_numpy_calls\.py"):
        eg.derivative(LARGE[name], order=0)(np.ones((200, 300)))


def test_large_arrays_that_numpy_accepts_are_accepted():
    """A smaller array would have no entry 150, and its axes no common divisor."""
    x = np.arange(60000.0).reshape(200, 300)
    accepted = {
        "take": lambda x: np.take(x, [150], 0),
        "split": lambda x: np.split(x, 100)[3],
        "reshape": lambda x: np.reshape(x, (300, -1)),
        "where": lambda x: np.sum(x, axis=1, where=np.arange(300) > 150, keepdims=True),
        "average": lambda x: np.average(x, axis=1, weights=np.arange(1.0, 301.0)),
        "tensordot": lambda x: np.tensordot(x, np.ones((300, 200)), axes=([0, 1], [1, 0])),
        "delete": lambda x: np.delete(x, [199], axis=0),
    }
    for f in accepted.values():
        np.testing.assert_allclose(eg.derivative(f, order=0)(x), f(x), rtol=1e-12)


WIDE = np.linspace(0.5, 1.5, 3000)
ACCEPTED = {
    "cross products of rows": lambda x: np.cross(x, x[::-1], axis=-1),
    "of columns": lambda x: np.cross(x.T, x[::-1].T, axis=0),
    "of linalg": lambda x: np.linalg.cross(x, x * 2, axis=-1),
    "unstacked": lambda x: np.unstack(x, axis=1)[2],
    "unstacked rows": lambda x: np.unstack(x, axis=0)[999],
    "blocks": lambda x: np.block([[x[:400], x[:400]], [np.ones((9, 6))]]),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_numpy_accepts_by_the_sizes_of_large_arrays_is_accepted(name):
    x = WIDE.reshape(1000, 3)
    np.testing.assert_allclose(eg.derivative(ACCEPTED[name], order=0)(x), ACCEPTED[name](x))


@pytest.mark.parametrize("action", ["error", "always"])
@pytest.mark.parametrize("function", [np.std, np.var])
def test_nothing_is_said_of_the_arrays_that_numpy_is_asked_with(function, action, recwarn):
    x = WIDE.reshape(300, 10)
    warnings.simplefilter(action)
    for ddof in (3, 5, 9):
        got = eg.derivative(lambda x, d=ddof: function(x, axis=1, ddof=d), order=0)(x)
        np.testing.assert_allclose(got, function(x, axis=1, ddof=ddof), rtol=1e-9)
    assert not recwarn.list


@pytest.mark.parametrize("constant", [-0.0, 0.0, 2.0, (-0.0, 1.0), ((0.0, -0.0),)])
def test_zeros_keep_their_signs_when_they_are_padded(constant):
    x = np.array([-0.0, 0.0, 3.0])
    with np.errstate(divide="ignore"):
        got = eg.derivative(lambda x: 1 / np.pad(x, 1, constant_values=constant), order=0)(x)
        np.testing.assert_array_equal(got, 1 / np.pad(x, 1, constant_values=constant))


@pytest.mark.parametrize("dtype", [float, complex, np.float32])
def test_an_array_of_no_floats_is_no_array_of_positions(dtype):
    with pytest.raises(eg.errors.EingradError):
        eg.derivative(lambda x: np.take(x, np.zeros(0, dtype)), order=0)(V)
    assert eg.derivative(lambda x: np.take(x, []), order=0)(V).shape == (0,)


LONG = "m" * 10**5
LENGTHY = {
    "mode of take": lambda x: np.take(x, [0], mode=LONG),
    "mode of pad": lambda x: np.pad(x, 1, LONG),
    "order": lambda x: np.reshape(x, (6,), order=LONG),
    "norm": lambda x: np.linalg.norm(x, LONG),
    "casting": lambda x: x.astype("f4", casting=LONG),
    "path": lambda x: np.einsum("ij->i", x, optimize=LONG),
    "repeats": lambda x: np.repeat(x, LONG),
    "power": lambda x: np.linalg.matrix_power(x[:, :2], LONG),
}


@pytest.mark.parametrize("name", LENGTHY)
def test_a_message_shows_no_more_than_the_beginning_of_a_value(name):
    with pytest.raises((eg.errors.EingradError, TypeError, ValueError)) as caught:
        eg.derivative(LENGTHY[name], order=0)(X)
    assert len(str(caught.value)) < 1000


def test_an_index_is_found_in_the_record(monkeypatch):
    """Integers, slices, None, an ellipsis, and tuples of them; what differs is told apart."""
    for index in (0, -1, slice(1), (0, slice(None, None, -1)), (None, ..., 1), np.int64(1)):
        got = [eg.jacobian(lambda x, i=index: x[i])(X) for _ in range(2)]
        np.testing.assert_array_equal(*got)
    called = []
    getitem = FUNCTIONS["getitem"]
    monkeypatch.setitem(FUNCTIONS, "getitem", lambda *a: called.append(a) or getitem(*a))
    eg.jacobian(lambda x: x[0, ::-1])(X)
    assert not called


def test_a_refused_call_leaves_nothing_in_the_record():
    """What it is made of was recorded, unasked: `ptp` calls `max` with the options it is given."""
    for f in (np.ptp, np.max, np.min):
        for _ in range(2):
            with pytest.raises(eg.errors.TraceError, match="list"):
                eg.jacobian(lambda x, f=f: f(x, [0], keepdims=False))(X)
    assert eg.jacobian(lambda x: np.max(x, 0, keepdims=False))(X).shape == (3, 2, 3)


def test_numpy_is_asked_once_for_each_call(monkeypatch):
    """A call that is found in the record was asked about when it was put there."""
    asked = []
    answer = NUMPYS_ANSWER.get()

    def counted(*args):
        asked.append(args)
        return answer(*args)

    NUMPYS_ANSWER.replace(monkeypatch, counted)
    eg.cache_clear()
    derivative = eg.jacobian(lambda x: np.mean(x, axis=0) + np.var(x, axis=0))
    for _ in range(3):
        derivative(X)
    assert len(asked) == 2


def test_einsum_may_have_more_than_numpys_indices_and_is_not_asked():
    """NumPy would compute the 31 nested loops of this one."""
    chain = [y for k in range(30) for y in (np.eye(2), [k + 40, k + 41])]
    product = eg.derivative(lambda x: np.einsum(x, [40], *chain, x, [70], []), order=0)
    np.testing.assert_allclose(product(np.array([1.0, 2.0])), 5.0)


# The command -------------------------------------------------------------------------------------


def test_the_command_prints_a_table_and_succeeds(capsys):
    assert numpy_calls.main(["--function", "np.round", "--seed", "3"]) == 0
    assert "0 faults" in capsys.readouterr().out
    assert numpy_calls.main(["--function", "np.tril", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["faults"] == []


BROKEN = {
    "another value": lambda a, decimals=0: a,
    "accepted": lambda a, decimals=0: np.rint(a),
    "from inside": lambda a, decimals=0: {}["decimals"],
}


@pytest.mark.parametrize("kind", BROKEN)
def test_the_command_finds_a_fault_of_each_kind(kind, monkeypatch, capsys):
    """And its exit status says so."""
    eg.cache_clear()
    monkeypatch.setitem(FUNCTIONS, np.round, BROKEN[kind])
    assert numpy_calls.main(["--function", "np.round"]) == 1
    assert kind + ": np.round" in capsys.readouterr().out
    eg.cache_clear()


def test_an_unknown_function_is_an_error_of_the_command(capsys):
    with pytest.raises(SystemExit):
        numpy_calls.main(["--function", "np.no_such"])
    assert "np.no_such" in capsys.readouterr().err

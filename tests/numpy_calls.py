"""Every supported NumPy function with legal and illegal arguments: NumPy and eingrad side by side.

Each function, array method and ufunc (with its methods ``reduce``, ``accumulate`` and ``outer``) is
called with each parameter of its signature set to each of some values, right ones and wrong ones,
on arrays of ranks 0 to 3, of sizes 0 and 1 too. NumPy computes with the arrays, eingrad with what
stands for them: ``eg.derivative(call, order=0)``. One of these is then true:

=================  =============================================================================
same value         both compute; value, shape and dtype agree (integers become float64)
both refuse        NumPy raises, and eingrad an error that says where
not supported      NumPy computes, eingrad refuses by name
another value      FAULT: both compute, and differ
accepted           FAULT: NumPy raises, eingrad computes
from inside        FAULT: eingrad's error is none of its own, and says neither what nor where
=================  =============================================================================

Run as ``python tests/numpy_calls.py``; the exit status is 1 if there is a fault.
"""

import argparse
import inspect
import json
import sys
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import eingrad as eg
from eingrad._tracer import ACCUMULATE, FUNCTIONS, METHODS, REDUCE, UFUNCS

SHAPES = ((), (3,), (1,), (0,), (2, 3), (3, 3), (1, 3), (3, 1), (0, 3), (2, 3, 3), (2, 1, 4),
          (35, 40))  # fmt: skip
DTYPES = ("f8", "f8", "f8", "f8", "f4", "c16")
FAULTS = ("another value", "accepted", "from inside")
VERDICTS = ("same value", "both refuse", "not supported", *FAULTS)
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
EMPTY = inspect.Parameter.empty
OF_FLAGS = ("np.any", "np.all", "ndarray.any", "ndarray.all", "np.logical_and", "np.logical_or",
            "np.bitwise_and", "np.bitwise_or", "np.invert")  # fmt: skip
TRIES = 12  # to draw required arguments that NumPy accepts
FILE = __file__.rpartition("/")[2]

# Values that parameters are set to ---------------------------------------------------------------

AXES = (
    None, 0, 1, -1, 2, 3, -4, True, 1.0, "0", [0], [0, 1], (), (0,), (-1,), (0, 1), (0, 0),
    (0, -1), (1, 0), (0, 1, 2), (0.0,), ("x",), np.int64(0), np.array(0), np.array([0]), 10**20,
)  # fmt: skip
INTEGERS = (
    0, 1, 2, -1, 3, -7, True, 1.5, 2.0, "1", None, [1], (1,), (0, 1), (1, 2), [2, 1], (0, 0), -2,
    np.int64(1), np.float64(1.0), np.array(1), np.array([1, 0]), np.array([1.5]), (), [], "x", 1j,
    (2, -1), (3, 3), ((1, 2),), [[0, 1], [1, 0]], {}, np.uint8(1), (1, 1.5),
)  # fmt: skip
FLAGS = (True, False, 0, 1, 2, None, "x", "", 1.5, [], (1,), np.True_, np.int64(0), np.array(True))
PARTNER = "an array that may fit the first"
NUMBERS = (
    0, 1, 2.5, -1.0, True, None, "x", [1.0], (), np.float64(0.5), np.float32(0.5), 1j, np.nan,
    np.array(1.5), np.array([1.0, 2.0, 4.0]), np.arange(6.0).reshape(2, 3), {}, 3,
    np.arange(1.0, 73.0).reshape(4, 2, 3, 3), np.array([True, False, True]), np.int64(3),
    [[1.0, 2.0, 4.0]], np.array(["x"]), np.zeros(0), np.arange(9.0).reshape(3, 3) + 1,
    np.array([[1.0], [2.0], [4.0]]), [1, [2, 3]], [1.0, 2.0], np.array([1.0, 3.0]), PARTNER,
    PARTNER, PARTNER, PARTNER,
)  # fmt: skip
MASKS = (
    True, False, None, 0, 1, 1.5, "x", [], [True, False, True], np.array(True), np.ones(3, bool),
    np.array([True, False, True]), np.ones((2, 3), bool), np.ones((4, 2, 3, 3), bool),
    np.ones((2, 1), bool), np.ones(3), np.zeros(3, int), np.ones(2, bool), np.zeros((3, 3), bool),
    (True,), np.array([[True], [False], [True]]),
)  # fmt: skip
KINDS = (
    None, float, int, bool, complex, "f4", "f8", np.float32, np.dtype("f2"), "c16", "x", 1, "U3",
    object, "i8", [("a", "f8")], ">f8", "M8[s]", np.longdouble, (), "float64",
)  # fmt: skip
WORDS = (
    "C", "F", "A", "K", "c", "constant", "edge", "reflect", "symmetric", "wrap", "raise", "clip",
    "linear_ramp", "xy", "ij", "x", "", 0, None, True, 1.5, [], "same_kind", "unsafe", "no",
)  # fmt: skip
ORDERS = (None, 1, 2, 3, 0, -1, -2, 0.5, -1.5, 2.5, np.inf, -np.inf, "fro", "nuc", "f", "x", True,
          1j, (1,), np.nan, np.float64(2), np.int64(1), np.array(2), [2])  # fmt: skip

COUNTS = (
    *INTEGERS, slice(0, 2), 10**20, np.array([True, False, True]), [True, False, False],
    np.zeros((1, 3), int), np.zeros((2, 3), int), np.zeros((3, 3), np.uint8), ((1, 0), (0, 2)),
    {0: 1}, {-1: (1, 2)}, {5: 1}, [[1]], np.array([0, 2, 1]), (1, 2, 0),
)  # fmt: skip

VALUES = {
    **dict.fromkeys(("axis", "axis1", "axis2", "axisa", "axisb", "axisc", "start"), AXES),
    **dict.fromkeys(("source", "destination", "axes", "ind"), (*AXES, ((0,), (1,)), ([1], [0]))),
    **dict.fromkeys(("keepdims", "copy", "sparse", "returned", "subok", "optimize"), FLAGS),
    **dict.fromkeys(("include_initial",), FLAGS),
    **dict.fromkeys(("where", "condition"), MASKS),
    **dict.fromkeys(("dtype",), KINDS),
    **dict.fromkeys(("order", "mode", "casting", "indexing", "device"), WORDS),
    **dict.fromkeys(("ord",), ORDERS),
    "*shape": (((-1,),), (-1,), ((3, 2),), (2, 3), ((1.5,),), ("x",), (), (None,)),
    "*axes": ((), ((1, 0),), (1, 0), (0, 1, 2), ([0, 1],), (0, 0), (1.0, 0), (None,)),
    **dict.fromkeys(("out", "signature"), (None, 0, "x", np.zeros(3))),
    "n": INTEGERS,  # how often: NumPy itself would count to 10**20
    **dict.fromkeys(("shape", "new_shape"), (*INTEGERS, (3, 2), (6,), (-1,), (1, 3), (2, 3, 3),
                                             (-1, 3), (3, -1), (-1, -1), (2, 2, 3))),
    **dict.fromkeys(
        ("indices", "obj", "indices_or_sections", "repeats", "reps", "pad_width", "k", "offset",
         "decimals", "shift"), COUNTS,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A call of a function with arrays among its arguments."""

    name: str
    function: Callable
    args: tuple
    options: dict

    def __str__(self):
        shown = [*map(_shown, self.args)]
        shown += [f"{name}={_shown(value)}" for name, value in self.options.items()]
        return f"{self.name}({', '.join(shown)})"


def _shown(value):
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, (list, tuple)):
        left, right = ("[", "]") if isinstance(value, list) else ("(", ",)")
        return left + ", ".join(map(_shown, value)) + right
    return repr(value)[:60]


# What is called ----------------------------------------------------------------------------------


def subjects():
    """Name every function, ufunc, method of a ufunc, and array method; and say how it is called."""
    found = {}
    for function in (*FUNCTIONS, *UFUNCS):
        if callable(function) and function not in (np.result_type, np.empty_like):
            found[_name(function)] = function
    for ufunc in REDUCE:
        found[f"{_name(ufunc)}.reduce"] = ufunc.reduce
    for ufunc in ACCUMULATE:
        found[f"{_name(ufunc)}.accumulate"] = ufunc.accumulate
    for ufunc in (np.add, np.multiply, np.arctan2, np.greater):
        found[f"{_name(ufunc)}.outer"] = ufunc.outer
    for name in METHODS:
        found[f"ndarray.{name}"] = name
    found["ndarray.__getitem__"] = "__getitem__"
    return found


def _name(function):
    module = "np.linalg" if getattr(np.linalg, function.__name__, None) is function else "np"
    return f"{module}.{function.__name__}"


P = inspect.Parameter
_MORE = {
    "reduce": {"array": EMPTY, "axis": 0, "dtype": None, "out": None, "keepdims": False,
               "initial": None, "where": True},
    "accumulate": {"array": EMPTY, "axis": 0, "dtype": None, "out": None},
    "outer": {"a": EMPTY, "b": EMPTY},
    "__getitem__": {"x": EMPTY, "indices": EMPTY},
}  # fmt: skip


def parameters(name, function):
    """Parameters of a call by name, with their defaults; what ``**kwargs`` stands for is named."""
    last = name.rpartition(".")[2]
    if last in _MORE:
        return dict(_MORE[last])
    if isinstance(function, np.ufunc):
        required = {f"x{n + 1}": EMPTY for n in range(function.nin)}
        return required | {"where": True, "dtype": None, "casting": "same_kind", "out": None}
    method = isinstance(function, str)
    signature = inspect.signature(getattr(np.ndarray, function) if method else function)
    given = {}
    for p in signature.parameters.values():
        if p.kind is P.VAR_KEYWORD and method and last != "clip":
            given |= {"keepdims": False, "initial": None, "where": True}
        elif p.kind is P.VAR_KEYWORD and last == "pad":
            given["constant_values"] = 0
        elif p.kind is not P.VAR_KEYWORD:
            given[f"*{p.name}" if p.kind is P.VAR_POSITIONAL else p.name] = p.default
    return given


def _positional(name, function):
    """Parameters that can be given by position alone."""
    if isinstance(function, np.ufunc) or name.rpartition(".")[2] in _MORE:
        return {k for k, v in parameters(name, function).items() if v is EMPTY}
    method = isinstance(function, str)
    signature = inspect.signature(getattr(np.ndarray, function) if method else function)
    return {p.name for p in signature.parameters.values() if p.kind is P.POSITIONAL_ONLY}


# Drawing of arguments ----------------------------------------------------------------------------


def array(rng, shape=None, dtype=None):
    """Draw numbers between 0.3 and 1.7, in a random order, with ties and zeros now and then."""
    shape = SHAPES[rng.integers(len(SHAPES))] if shape is None else shape
    dtype = np.dtype(dtype or DTYPES[rng.integers(len(DTYPES))])
    values = rng.uniform(0.3, 1.7, shape)
    if rng.random() < 0.2:
        values = np.round(values)
    if dtype.kind == "c":
        values = values + 0.1j
    return np.asarray(values, dtype)


def _pick(rng, values):
    return values[rng.integers(len(values))]


def _partner(rng, first):
    """Draw an array that may fit another: of the same axes, or some of them, or reversed."""
    shape = np.shape(first)
    choices = (shape, shape, shape[::-1], shape[-1:], shape[-2:], (1, *shape), (), None,
               tuple(1 if rng.random() < 0.5 else n for n in shape), shape[1:])  # fmt: skip
    return array(rng, _pick(rng, choices), np.asarray(first).dtype)


def argument(rng, name, first):
    """Draw a value for a parameter that must be given."""
    if name in ("*arys", "*args", "*xi"):
        small = SHAPES[:-1]  # a grid has the product of all sizes
        return tuple(array(rng, _pick(rng, small)) for _ in range(rng.integers(1, 4)))
    if name in ("arrays", "tup"):
        same = array(rng)
        rest = [_partner(rng, same) if rng.random() < 0.3 else array(rng, same.shape, same.dtype)
                for _ in range(rng.integers(0, 3))]  # fmt: skip
        return [same, *rest]
    if name == "condlist":
        return [np.asarray(rng.random(3) < 0.5) for _ in range(2)]
    if name == "choicelist":
        return [array(rng, (3,), "f8") for _ in range(2)]
    if name == "condition":
        return np.asarray(rng.random(np.shape(first) if first is not None else (3,)) < 0.5)
    if name in VALUES:
        return _pick(rng, VALUES[name])
    return array(rng) if first is None else _partner(rng, first)


def required(rng, name, given):
    """Draw what must be given; the first array among it decides on the others."""
    drawn, first = {}, None
    for parameter, default in given.items():
        starred = parameter.startswith("*")
        if default is EMPTY and (starred or parameter != "order"):
            value = argument(rng, parameter, first)
            drawn[parameter] = value
            first = value if first is None and isinstance(value, np.ndarray) else first
    return drawn


def _first_array(drawn):
    return next((x for x in drawn.values() if isinstance(x, np.ndarray)), np.ones((2, 3)))


def perform(call, args=None, options=None):
    """Call a function, or a method of the first argument; of flags, where it is about flags."""
    args = list(call.args if args is None else args)
    options = call.options if options is None else options
    if call.name.rpartition(".")[0] in OF_FLAGS or call.name in OF_FLAGS:
        args[:1] = [x > 1 if hasattr(x, "dtype") and x.dtype.kind == "f" else x for x in args[:1]]
    if isinstance(call.function, str):
        return getattr(args[0], call.function)(*args[1:], **options)
    return call.function(*args, **options)


def built(name, function, given, drawn, extra):
    """Make a call of arguments by name."""
    named = drawn | extra
    positional = _positional(name, function)
    args, options, by_position = [], {}, True
    for parameter, default in given.items():
        if parameter not in named:
            by_position = by_position and default is EMPTY
        elif parameter.startswith("*"):
            args += named[parameter]
        elif by_position and (default is EMPTY or parameter in positional):
            args.append(named[parameter])
        else:
            options[parameter] = named[parameter]
    if isinstance(function, str) and "self" in named:
        args[0] = named["self"]
    return Call(name, function, tuple(args), options)


def _accepted(call):
    try:
        perform(call)
    except Exception:
        return False
    return True


def calls(name, function, seed, rounds=1):
    """Each parameter set to each of its values; others are required, or now and then options."""
    if name == "np.einsum":
        yield from _einsums(name, function)
        return
    rng = np.random.default_rng((seed, zlib.crc32(name.encode())))
    given = parameters(name, function)
    for parameter in given:
        values = VALUES.get(parameter, NUMBERS)
        for item in values * rounds:
            drawn = _legal(rng, name, function, given)
            value = _partner(rng, _first_array(drawn)) if item is PARTNER else item
            extra = {parameter: value}
            if parameter.startswith("*") and parameter not in VALUES:
                extra = {parameter: (value,)}
            others = [k for k, v in given.items() if v is not EMPTY and not k.startswith("*")]
            if others and rng.random() < 0.25:
                other = _pick(rng, others)
                extra = {other: _pick(rng, VALUES.get(other, NUMBERS))} | extra
            yield built(name, function, given, drawn, extra)
    for _ in range(8 * rounds):  # what is required alone, accepted or not
        yield built(name, function, given, required(rng, name, given), {})


def _legal(rng, name, function, given):
    for _ in range(TRIES):
        drawn = required(rng, name, given)
        if _accepted(built(name, function, given, drawn, {})):
            break
    return drawn


def _einsums(name, function):
    a, b, c = np.ones((2, 3)), np.arange(9.0).reshape(3, 3), np.arange(3.0)
    specs = ("ij,jk->ik", "ij,jk", "ii", "ij->i", "i,i->", "ij,kj->ik", "...j,j->...", "i->ij",
             "ij,jk->iz", "", "ij", "ij,jk,kl->il", "ii->i", "i j,jk -> ik", "ij->ii", "iI", "..",
             "i.j", "ij,->ij", "ij,jk->ik->", 5, None, ("ij",), b"ij", "i$", "->", "i...->...",
             "...,...", "i...j", "ij,j...", "...->i")  # fmt: skip
    for spec in specs:
        for arrays in ((a, b), (b,), (a,), (c, c), (a, c), (), (np.ones((2, 1)), b)):
            yield Call(name, function, (spec, *arrays), {})
    for value in (*FLAGS, "greedy", "optimal", ["einsum_path", (0, 1)], ("greedy", 10)):
        yield Call(name, function, ("ij,jk->ik", a, b), {"optimize": value})
    for tail in ([0, 1], (0, 1), [0, 0], [0], [0.5, 1], "ij", [0, -1], [Ellipsis, 0], [0, 50], 1):
        for out in ((), ([0],), ([],), ([1, 0],), ([0, 0],), ("i",), (0,), ([3],)):
            yield Call(name, function, (b, tail, *out), {})


# Comparison --------------------------------------------------------------------------------------


def leaves(result):
    """The arrays of a result, flags as numbers."""
    if isinstance(result, (tuple, list)):
        return [leaf for item in result for leaf in leaves(item)]
    if result.dtype.kind == "b" if hasattr(result, "dtype") else isinstance(result, bool):
        return [np.where(result, 1.0, 0.0)]
    return [result]


def _operands(call):
    """The arrays that are traced: those of floats, among the arguments and in lists of them."""
    found = []
    options = [value for name, value in call.options.items() if name != "out"]
    for value in (*call.args, *options):
        items = value if isinstance(value, list) else [value]
        found += [x for x in items if isinstance(x, np.ndarray) and x.dtype.kind in "fc"]
    return list({id(x): x for x in found}.values())


def _replaced(value, by):
    if isinstance(value, list):
        return [_replaced(item, by) for item in value]
    return by.get(id(value), value) if isinstance(value, np.ndarray) else value


def traced(call):
    """What eingrad gives for the call: a list of arrays, or an exception."""
    arrays = _operands(call)

    def f(*xs):
        by = {id(a): x for a, x in zip(arrays, xs, strict=True)}
        args = [_replaced(value, by) for value in call.args]
        options = {k: _replaced(v, by) for k, v in call.options.items()}
        return leaves(perform(call, args, options))

    return eg.derivative(f, argnums=tuple(range(len(arrays))), order=0)(*arrays)


def _same(ours, numpys, operands):
    """Compare to the digits that the narrowest operand has: NumPy computes in its dtype first."""
    eps = max(np.finfo(x.dtype).eps for x in operands)
    if len(ours) != len(numpys):
        return False
    for x, y in zip(ours, map(np.asarray, numpys), strict=True):
        dtype = y.dtype if y.dtype.kind in "fc" else np.dtype(float)
        rtol = max(1e-11, 30 * eps, 30 * np.finfo(dtype).eps)
        if x.shape != y.shape or x.dtype != dtype.newbyteorder("="):
            return False
        if dtype.kind == "c" and not np.isfinite(y).all():
            continue  # how infinity multiplies a complex number is not told apart
        if not np.allclose(x, y, rtol=rtol, atol=rtol, equal_nan=True):
            return False
    return True


def verdict(call):
    """Say what NumPy and eingrad make of a call; and what was seen, where that is a fault."""
    try:
        numpys = leaves(perform(call))
    except Exception as error:
        numpys, refusal = None, error
    try:
        ours = traced(call)
    except Exception as error:
        if not _is_told(error, call, None if numpys is not None else refusal):
            return "from inside", f"{type(error).__name__}: {error}"
        return ("both refuse" if numpys is None else "not supported"), str(error)
    if numpys is None and isinstance(refusal, ZeroDivisionError):
        numpys = [np.full(np.shape(x), np.nan, x.dtype) for x in ours]  # seen in the values alone
        ours = [np.where(np.isfinite(x), x, x.dtype.type(np.nan)) for x in ours]
    if numpys is None:
        return "accepted", f"NumPy: {type(refusal).__name__}: {refusal}"
    if _same(ours, numpys, _operands(call)):
        return "same value", ""
    return "another value", f"{_brief(ours)}; NumPy: {_brief(numpys)}"


def _is_told(error, call, refusal):
    """Whether an error is one of ours, or NumPy's very own of the Python signature."""
    text = str(error)
    where = FILE in text or call.name.rpartition(".")[2] in text
    if isinstance(error, eg.errors.EingradError):
        return bool(text)
    return where or (type(error) is type(refusal) and text.startswith(str(refusal)))


def _brief(arrays):
    return ", ".join(f"{np.asarray(x).dtype}{np.shape(x)} {np.asarray(x).ravel()[:4]}"
                     for x in arrays)  # fmt: skip


# The command -------------------------------------------------------------------------------------


@dataclass
class Tally:
    """Counts of verdicts by function, and the faults."""

    counts: dict[str, Counter] = field(default_factory=dict)
    faults: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, call: Call) -> None:
        kind, seen = verdict(call)
        self.counts.setdefault(call.name, Counter())[kind] += 1
        if kind in FAULTS:
            self.faults.append((kind, str(call), seen))

    @property
    def total(self) -> Counter:
        return sum(self.counts.values(), Counter())


def run(names, seed, rounds=1, say: Callable[[str], Any] = str, share=1):
    """Make the calls of some functions; of each `share` calls one."""
    tally = Tally()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        table = subjects()
        for n, name in enumerate(names):
            say(f"{n + 1}/{len(names)} {name}")
            for call in [*calls(name, table[name], seed, rounds)][::share]:
                if _operands(call):
                    tally.add(call)
    return tally


def _table(tally):
    wide = max(map(len, tally.counts))
    yield " ".join([" " * wide, *VERDICTS])
    rows = [*sorted(tally.counts.items()), ("total", tally.total)]
    for name, counts in rows:
        yield " ".join([name.ljust(wide), *(str(counts[v] or "").rjust(len(v)) for v in VERDICTS)])


def main(arguments=None):
    """Print a table of verdicts; the exit status is 1 if there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=1, help="how often each value is tried")
    parser.add_argument("--function", action="append", help="one function, as np.sum; repeatable")
    parser.add_argument("--json", action="store_true", help="counts and faults as JSON")
    options = parser.parse_args(arguments)
    unknown = set(options.function or ()) - set(subjects())
    if unknown:
        parser.error(f"not supported, or no function: {', '.join(sorted(unknown))}")
    show = (lambda text: print(f"\r{text:60}", end="", file=sys.stderr)) \
        if sys.stderr.isatty() else str  # fmt: skip
    start = time.perf_counter()
    tally = run(options.function or [*subjects()], options.seed, options.rounds, show)
    seconds = time.perf_counter() - start
    if options.json:
        print(json.dumps({"counts": tally.counts, "faults": tally.faults, "seconds": seconds}))
    else:
        print("\n".join(_table(tally)))
        for kind, call, seen in tally.faults:
            print(f"{kind}: {call}\n    {seen}")
        print(f"{tally.total.total()} calls, {len(tally.faults)} faults, {seconds:.0f} s")
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())

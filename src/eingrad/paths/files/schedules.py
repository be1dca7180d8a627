"""Schedules as JSON: operations as short lists, zero-one matrices as the positions of their ones.

In: a `Schedule`, or a document that is not trusted. Out: the other.
Guaranteed: what is read fits the problem: every operation reads values of lower numbers, its
indices have the sizes of their axes, and the outputs have the shapes of the problem's.

>>> from eingrad.paths.along import along
>>> from eingrad.paths.problem import of_einsum
>>> problem = of_einsum("ij,jk->ik", {"i": 2, "j": 3, "k": 4})
>>> schedule_to_json(along(problem, [[(0, 1)]]))["operations"]
[['contract', [0, 1], [[0, 1], [1, 2]], [0, 2], [2, 3, 4]]]
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eingrad._mode import MOST_FACTORS
from eingrad._shown import shown
from eingrad.errors import FileError
from eingrad.paths.files.document import Found
from eingrad.paths.files.layout import plain
from eingrad.paths.files.linear import linear_paths
from eingrad.paths.problem import Array, Problem
from eingrad.paths.schedule import Operation, Part, Schedule, Step, Total

DTYPES = (
    "float64", "float32", "float16", "complex128", "complex64", "bool",
    "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8",
)  # fmt: skip
MOST_ELEMENTS = 1 << 24  # of all constants


# Writing -----------------------------------------------------------------------------------------


def schedule_to_json(schedule: Schedule, file: str = "the schedule") -> dict[str, Any]:
    """Write a schedule, without its problem, as what `json.dumps` takes.

    Parameters
    ----------
    schedule : Schedule
        What is done.
    file : str
        What an error calls it.

    Returns
    -------
    dict
        Of lists, texts and numbers.

    Raises
    ------
    FileError
        If it cannot be written: a constant is not finite, say.
    """
    document: dict[str, Any] = {}
    if schedule.constants:
        document["constants"] = [_constant_to_json(array, file) for array in schedule.constants]
    document["operations"] = [_operation_to_json(operation) for operation in schedule.operations]
    document["outputs"] = schedule.outputs
    if schedule.paths is not None:
        document["paths"] = [[tuple(step) for step in path] for path in schedule.paths]
    if schedule.steps:
        document["steps"] = [_operation_to_json(step) for step in schedule.steps]
    document = plain(document)
    read_schedule(Found(document, file), schedule.problem)
    return document


def _operation_to_json(operation: Operation) -> list[Any]:
    match operation:
        case Step(operands, terms, out, sizes):
            return ["contract", operands, terms, out, sizes]
        case Total(parts, shape):
            return ["add", [tuple(part) for part in parts], shape]


def _constant_to_json(array: Array, file: str) -> dict[str, Any]:
    if array.dtype.name not in DTYPES:
        raise FileError(
            f"{file}: a constant has dtype {array.dtype}; give it one of {', '.join(DTYPES)}"
        )
    entries = array.ravel()
    found: dict[str, Any] = {"shape": array.shape, "dtype": array.dtype.name}
    ones = np.flatnonzero(entries)
    if entries.tobytes() == _zero_one(entries.size, ones, array.dtype.name).tobytes():
        return found | {"ones": ones.tolist()}
    return found | {"values": entries.view(entries.real.dtype).tolist()}


def _zero_one(count: int, ones: Sequence[int] | Array, dtype: str) -> Array:
    entries = np.zeros(count, dtype)
    entries[[*ones]] = 1
    return entries


# Reading -----------------------------------------------------------------------------------------


def schedule_from_json(document: Any, problem: Problem, file: str = "the document") -> Schedule:
    """Read a schedule of a problem from what `json.loads` gives.

    Parameters
    ----------
    document : dict
        As `schedule_to_json` gives it.
    problem : Problem
        What it computes.
    file : str
        What an error calls it.

    Returns
    -------
    Schedule

    Raises
    ------
    FileError
        If it is no schedule, or none of this problem; says where.
    """
    return read_schedule(Found(document, file), problem)


def read_schedule(found: Found, problem: Problem) -> Schedule:
    """Read a schedule of a problem."""
    fields = found.fields("operations", "outputs", optional=("constants", "paths", "steps"))
    constants = _read_constants(fields["constants"]) if "constants" in fields else ()
    shapes = [operand.shape for operand in problem.operands.values()]
    shapes += [array.shape for array in constants]
    operations = []
    for place in fields["operations"].items("operations"):
        operation = _read_operation(place, shapes)
        operations.append(operation)
        shapes.append(operation.shape)
    places = fields["outputs"].items("values")
    if len(places) != len(problem.outputs):
        fields["outputs"].fail(
            f"there are {len(places)} values, but the problem has {len(problem.outputs)} outputs"
        )
    outputs = tuple([place.integer(0, len(shapes) - 1) for place in places])
    for place, value, output in zip(places, outputs, problem.outputs, strict=True):
        if shapes[value] != problem.shape(output):
            place.fail(
                f"value {value} has shape {shown(shapes[value])}, but the output of the problem "
                f"has shape {shown(problem.shape(output))}"
            )
    paths = linear_paths(fields["paths"], problem) if "paths" in fields else None
    long = [_read_long_step(place, shapes) for place in _steps(fields)]
    return Schedule(problem, tuple(operations), outputs, constants, paths, steps=tuple(long))


def _steps(fields: Mapping[str, Found]) -> Sequence[Found]:
    return fields["steps"].items("steps") if "steps" in fields else ()


def _read_long_step(found: Found, shapes: Sequence[tuple[int, ...]]) -> Step:
    """Read a step of three values or more, of all values that are computed."""
    items = _parts(found)
    if items[0].choice("contract", "add") == "add":
        items[0].fail("a step of a mode is a contraction")
    return _read_step(items, shapes, 3, MOST_FACTORS)


def _read_operation(found: Found, shapes: Sequence[tuple[int, ...]]) -> Operation:
    items = _parts(found)
    if items[0].choice("contract", "add") == "contract":
        return _read_step(items, shapes, 1, 2)
    return _read_total(items, shapes)


def _parts(found: Found) -> Sequence[Found]:
    """Read an operation as a list that begins with what it does."""
    items = found.items("parts of an operation")
    if not items:
        found.fail("an operation is a list that begins with 'contract' or 'add'")
    kind = items[0].choice("contract", "add")
    wanted = 5 if kind == "contract" else 3
    if len(items) != wanted:
        found.fail(f"an operation {kind!r} is a list of {wanted}, not {len(items)}")
    return items


def _read_step(
    items: Sequence[Found], shapes: Sequence[tuple[int, ...]], least: int, most: int
) -> Step:
    _, first, second, third, fourth = items
    operands = first.integers("values", len(shapes) - 1)
    places = second.items("lists of indices")
    terms = tuple([place.integers("indices") for place in places])
    if not least <= len(operands) <= most or len(terms) != len(operands):
        count = f"there are {len(operands)} values, and indices of {len(terms)}"
        wanted = "contraction is of one or two" if least == 1 else f"step is of {least} to {most}"
        first.fail(f"{count}; a {wanted}")
    sizes = fourth.integers("sizes")
    out = third.integers("indices", len(sizes) - 1)
    for value, term, place in zip(operands, terms, places, strict=True):
        said = tuple([sizes[index] if index < len(sizes) else -1 for index in term])
        if said != shapes[value]:
            place.fail(
                f"value {value} has shape {shown(shapes[value])}; these indices do not have its "
                "sizes"
            )
    missing = {*range(len(sizes))}.difference(out, *terms)
    if missing:
        fourth.fail(f"there is a size of the index {min(missing)}, which stands nowhere")
    return Step(operands, terms, out, sizes)


def _read_total(items: Sequence[Found], shapes: Sequence[tuple[int, ...]]) -> Total:
    _, places, last = items
    shape, parts = last.integers("sizes"), []
    for place in places.items("parts"):
        fields = place.items("parts of a summand")
        if len(fields) != 3:  # noqa: PLR2004 - of a part
            place.fail("a summand is a list of three: a coefficient, a value, its axes in order")
        coefficient, value = fields[0].number(), fields[1].integer(0, len(shapes) - 1)
        axes = fields[2].integers("axes")
        if sorted(axes) != [*range(len(shapes[value]))]:
            fields[2].fail(f"value {value} has {len(shapes[value])} axes; name each of them once")
        if tuple([shapes[value][axis] for axis in axes]) != shape:
            place.fail(
                f"value {value} of shape {shown(shapes[value])}, axes in the order {shown(axes)}, "
                f"has not the shape {shown(shape)} of the sum"
            )
        parts.append(Part(coefficient, value, axes))
    if not parts:
        places.fail("a sum needs a summand at least")
    return Total(tuple(parts), shape)


def _read_constants(found: Found) -> tuple[Array, ...]:
    arrays: list[Array] = []
    left = MOST_ELEMENTS
    for place in found.items("constants"):
        fields = place.fields("shape", "dtype", optional=("ones", "values"))
        shape = fields["shape"].integers("sizes")
        count = math.prod(shape)
        if count > left or len(shape) > 32:  # noqa: PLR2004 - axes, as NumPy of old
            fields["shape"].fail(
                f"constants have at most {MOST_ELEMENTS:,} elements together, and 32 axes"
            )
        left -= count
        dtype = fields["dtype"].choice(*DTYPES)
        if ("ones" in fields) == ("values" in fields):
            place.fail("a constant has either 'ones' or 'values'")
        if "ones" in fields:
            entries = _zero_one(count, fields["ones"].integers("positions", count - 1), dtype)
        else:
            entries = _read_values(fields["values"], count, dtype)
        array = entries.reshape(shape)
        array.flags.writeable = False
        arrays.append(array)
    return tuple(arrays)


def _read_values(found: Found, count: int, dtype: str) -> Array:
    """Read all entries; of complex ones, real and imaginary parts in turn."""
    real = np.zeros(0, dtype).real.dtype
    wanted = count * np.dtype(dtype).itemsize // real.itemsize
    places = found.items("values", 2 * MOST_ELEMENTS)
    if len(places) != wanted:
        found.fail(f"there are {len(places)} values; the shape and dtype have {wanted}")
    if real.kind == "f":
        most = float(np.finfo(real).max)
        numbers: list[float] = [place.number() for place in places]
        for place, number in zip(places, numbers, strict=True):
            if abs(number) > most:
                place.fail(f"{shown(number)} is too large for {dtype}")
        return np.array(numbers, real).view(dtype)
    least, largest = (0, 1) if real.kind == "b" else (np.iinfo(real).min, np.iinfo(real).max)
    return np.array([p.integer(int(least), int(largest)) for p in places], dtype)

"""Emit a `Program` as NumPy source that runs without eingrad: straight-line, but for loops.

In: a program. Out: the text of a module with one function.
Guaranteed: deterministic; only names of our own (`t0`, `t1`, in loops `t1_0`, and `RESERVED`) and
checked input names become identifiers; the user's other words stay out of the text.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from eingrad import _ir, _subscripts
from eingrad._exact import is_exact
from eingrad._plan import Piece, Program, Statement
from eingrad._primitives import BY_NAME
from eingrad._subscripts import Subscripts
from eingrad.errors import ShapeError

Lines = list[str]

MODULE_LEVEL = frozenset({"constant", "number"})  # kernels that are no step of the function
RESERVED = frozenset({"np", "row", "block"})  # what the source itself calls something
_LARGEST_KEPT = 2**16  # bytes of a triangle that outlives a call


def emit(program: Program, name: str = "derivative") -> str:
    """Write the module: imports, constants, one function.

    Refuses whatever does not write itself as the builtin types do: it would be run as code.
    """
    for statement in program.steps():
        _check(statement)
    return "".join(f"{line}\n" for line, _ in _module(program, name))


def steps(program: Program) -> list[tuple[int, Statement]]:
    """Find the line of the source, counted from 1, that each statement begins on."""
    return [(n, s) for n, (_, s) in enumerate(_module(program, "derivative"), 1) if s is not None]


def line_of(program: Program, number: int) -> str:
    """Return a line of the source, without what is said beside it."""
    return _module(program, "derivative")[number - 1][0].partition("  #")[0].strip()


def _module(program: Program, name: str) -> list[tuple[str, Statement | None]]:
    """Write lines, each with the statement that begins on it."""
    variables = [spec.variable for spec in program.inputs]
    constants: Lines = []
    body, names = _body(program, variables, "t", -len(variables), constants)
    results = [names[n] for n in program.outputs]
    lines = ["import numpy as np", ""]
    if constants:
        lines += [*constants, ""]
    lines += ["", f"def {name}({', '.join(variables)}):"]
    for spec in program.inputs:
        lines.append(f"    # {spec.variable}: shape {spec.shape}, {spec.dtype}")
    module: list[tuple[str, Statement | None]] = [(line, None) for line in lines]
    module += [(f"    {line}", statement) for line, statement in body]
    return [*module, (f"    return {', '.join(results) or '()'}", None)]


def _body(
    program: Program, variables: Sequence[str], prefix: str, shift: int, constants: Lines
) -> tuple[list[tuple[str, Statement | None]], Lines]:
    """Write the steps of a program on given variables; the names of others are numbered.

    What is made once goes to `constants`. Returns also the names of all values.
    """
    names = [*variables]
    body: list[tuple[str, Statement | None]] = []
    lasting = set(range(len(names)))  # values that are no local variable of the function
    for statement, dead in zip(program.statements, program.dead_after(), strict=True):
        names += [f"{prefix}{n + shift}" for n in statement.targets]
        if _is_module_level(statement):
            (target,) = statement.targets
            lasting.add(target)
            if statement.kernel == "number":
                names[target] = number(statement.details["coefficient"])
            elif statement.kernel == "triangle":
                constants += _triangle(statement, names)
            else:
                constants.append(f"{names[target]} = {_array(statement.details['value'])}")
            continue
        first, *more = KERNELS[statement.kernel](statement, names)
        body += [(first, statement), *((line, None) for line in more)]
        temporary = [names[n] for n in dead if n not in lasting]
        if temporary:
            body.append((f"del {', '.join(temporary)}", None))
    return body, names


def _is_module_level(statement: Statement) -> bool:
    """Whether a statement needs to run only once, and what it makes is small enough to be kept."""
    small = statement.kernel == "triangle" and statement.bytes <= _LARGEST_KEPT
    return small or statement.kernel in MODULE_LEVEL


def _check(statement: Statement) -> None:
    details = dict(statement.details)
    pieces = details.pop("pieces", ())
    details.pop("body", None)  # its statements are checked by themselves
    placed = tuple((p.actions, p.labels, p.term, p.coefficient) for p in pieces)
    written = (
        statement.shape, statement.terms, statement.out, statement.targets, statement.operands,
        tuple(details.values()), placed,
    )  # fmt: skip
    if not is_exact(written):
        raise TypeError(f"a step ({statement.kernel}) holds what is of no builtin type: {written}")


# Literals ----------------------------------------------------------------------------------------


def number(value: Any) -> str:
    """Write a number so that reading it gives the same bits."""
    if isinstance(value, (int, Fraction)) and not _ir.is_short(value):
        value = _ir.as_float(value)
    if isinstance(value, Fraction):
        return f"({value.numerator} / {value.denominator})"
    if isinstance(value, complex):
        return f"complex({number(value.real)}, {number(value.imag)})"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    text = repr(value)
    return f"({text})" if text.startswith("-") else text


def _array(values: "np.typing.NDArray[Any]") -> str:
    def nested(item: Any) -> str:
        if isinstance(item, list):
            return "[" + ", ".join(map(nested, item)) + "]"
        return number(item)

    return (
        f"np.array({nested(values.tolist())}, dtype={values.dtype.str!r}).reshape({values.shape})"
    )


def _tuple(items: Sequence[int]) -> str:
    return "(" + ", ".join(map(str, items)) + ("," if len(items) == 1 else "") + ")"


# Kernels: one row per kernel of a statement ------------------------------------------------------


def _assign(statement: Statement, names: Sequence[str], expression: str) -> Lines:
    line = f"{names[statement.targets[0]]} = {expression}"
    if not statement.terms or statement.kernel == "view":
        return [line]
    return [f"{line}  # {statement.subscripts} {statement.shape}, {statement.flops:,} flops"]


def _view(statement: Statement, names: Sequence[str]) -> Lines:
    (term,), out = statement.terms, statement.out
    x = names[statement.operands[0]]
    if len(set(term)) < len(term):
        letters, _ = _subscripts.renumber([term], out)
        if not _subscripts.fits_einsum(letters):
            return _assign(statement, names, _diagonals(x, list(term), out))
        text = _for_einsum(*_subscripts.renumber([term], out))
        return _assign(statement, names, f'np.einsum("{text}", {x})')
    kept = [i for i in out if i in term]
    x = _permuted(x, [term.index(i) for i in kept])
    if len(kept) < len(out):
        x = f"np.broadcast_to({_expanded(x, kept, out)}, {statement.shape})"
    return _assign(statement, names, x)


def _for_einsum(terms: Sequence[Subscripts], out: Subscripts) -> str:
    if not _subscripts.fits_einsum([*terms, out]):
        raise ShapeError(
            f"a step of the plan has the indices {_subscripts.text(terms, out)}, more than the 52 "
            "that np.einsum has letters for; flatten arguments with np.reshape, or lower the order"
        )
    return _subscripts.text(terms, out)


def _diagonals(x: str, term: list[int], out: Sequence[int]) -> str:
    """Take diagonals pair by pair: of more axes than einsum has letters."""
    for index in dict.fromkeys(term):
        while term.count(index) > 1:
            a, b = [axis for axis, other in enumerate(term) if other == index][:2]
            x = f"{x}.diagonal(0, {a}, {b})"
            term = [other for axis, other in enumerate(term) if axis not in (a, b)] + [index]
    return _permuted(x, [term.index(index) for index in out])


def _permuted(x: str, axes: Sequence[int]) -> str:
    if list(axes) == list(range(len(axes))):
        return x
    if list(axes) == list(range(len(axes)))[::-1]:
        return f"{x}.T"
    return f"{x}.transpose({', '.join(map(str, axes))})"


def _expanded(x: str, term: Sequence[int], out: Sequence[int]) -> str:
    """Insert axes of size one so that a term, in the order of out, broadcasts against it."""
    index = [":" if i in term else "None" for i in out]
    while index and index[0] == "None":
        index.pop(0)  # leading axes broadcast by themselves
    return x if "None" not in index else f"{x}[{', '.join(index)}]"


def _sum(statement: Statement, names: Sequence[str]) -> Lines:
    axes = statement.details["axes"]
    x = names[statement.operands[0]]
    axis = "" if not statement.shape else str(axes[0]) if len(axes) == 1 else _tuple(axes)
    return _assign(statement, names, f"{x}.sum({axis})")


def _scale(statement: Statement, names: Sequence[str]) -> Lines:
    x, c = names[statement.operands[0]], statement.details["coefficient"]
    if c == -1:
        return _assign(statement, names, f"-{x}")
    divisor = _ir.divisor(c)
    if divisor is not None:
        return _assign(statement, names, f"{x} / {number(divisor)}")
    return _assign(statement, names, f"{number(c)} * {x}")


def _multiply(statement: Statement, names: Sequence[str]) -> Lines:
    factors = []
    for n, term in zip(statement.operands, statement.terms, strict=True):
        order = [i for i in statement.out if i in term]
        x = _permuted(names[n], [term.index(i) for i in order])
        factors.append(_expanded(x, order, statement.out))
    return _assign(statement, names, " * ".join(factors))


def _matmul(statement: Statement, names: Sequence[str]) -> Lines:
    details = statement.details
    sides = []
    for n, (axes, flat) in zip(
        statement.operands, (details["left"], details["right"]), strict=True
    ):
        x = _permuted(names[n], axes)
        sides.append(x if flat is None else f"{x}.reshape({_tuple(flat)})")
    left, right = sides
    if "half" in details:
        return _half_of_matmul(statement, names, left, right)
    index = ""
    if details["batch"]:
        no_left, no_right = details["vectors"]
        left += "[..., None, :]" if no_left else ""
        right += "[..., None]" if no_right else ""
        index = {(True, True): "[..., 0, 0]", (True, False): "[..., 0, :]",
                 (False, True): "[..., 0]"}.get((no_left, no_right), "")  # fmt: skip
    product = f"{left} @ {right}"
    if index or details["reshape"]:
        product = f"({product}){index}"
    if details["reshape"]:
        product += f".reshape({_tuple(statement.shape)})"
    return _assign(statement, names, product)


def _half_of_matmul(statement: Statement, names: Sequence[str], left: str, right: str) -> Lines:
    """Write rows of blocks, from the diagonal on or up to it."""
    rows, step, upper = statement.details["half"]
    target = names[statement.targets[0]]
    a, b, here = f"{target}_0", f"{target}_1", f"block : block + {step}"
    columns = "block:" if upper else f": block + {step}"
    zeros = f"np.zeros({(rows, rows)}, {statement.dtype.str!r})"
    lines = [
        *_assign(statement, names, zeros),
        f"{a}, {b} = {left}, {right}",
        f"for block in range(0, {rows}, {step}):",
        f"    {target}[{here}, {columns}] = {a}[{here}] @ {b}[:, {columns}]",
        f"del {a}, {b}",
    ]
    if statement.details["reshape"]:
        lines.append(f"{target} = {target}.reshape({_tuple(statement.shape)})")
    return lines


def _add(statement: Statement, names: Sequence[str]) -> Lines:
    target = names[statement.targets[0]]
    first, *rest = zip(statement.details["signs"], statement.operands, strict=True)
    text = ("-" if first[0] < 0 else "") + names[first[1]]
    lines = []
    for k, (sign, n) in enumerate(rest):
        symbol = "-" if sign < 0 else "+"
        lines.append(
            f"{target} = {text} {symbol} {names[n]}" if k == 0 else f"{target} {symbol}= {names[n]}"
        )
    return lines or [f"{target} = {text}"]


def _call(statement: Statement, names: Sequence[str]) -> Lines:
    row = BY_NAME[statement.details["name"]]
    attributes = {
        key: number(value) if not isinstance(value, str) else repr(value)
        for key, value in statement.details["attributes"]
    }
    text = row.text(tuple(names[n] for n in statement.operands), attributes)
    return [f"{', '.join(names[n] for n in statement.targets)} = {text}"]


def _triangle(statement: Statement, names: Sequence[str]) -> Lines:
    """Make the mask of a matrix's lower triangle, diagonal included."""
    return _assign(statement, names, f"np.tri({statement.shape[0]}, dtype=bool)")


def _mirror(statement: Statement, names: Sequence[str]) -> Lines:
    """Take what lies above the diagonal of two axes for what lies below it."""
    flat = statement.details["flat"]
    text, *triangles = (names[n] for n in statement.operands)
    target = names[statement.targets[0]]
    text += "" if flat == statement.shape else f".reshape({_tuple(flat)})"
    lines = []
    for axis, triangle in zip(statement.details["axes"], triangles, strict=True):
        if not text.isidentifier():
            lines.append(f"{target} = {text}")
            text = target
        twin = f"{text}.T" if len(flat) == 2 else f"{text}.swapaxes({axis}, {axis + 1})"  # noqa: PLR2004
        mask = triangle + _expanded("", [axis, axis + 1], range(axis, len(flat)))
        lines.append(f"{target} = np.where({mask}, {twin}, {text})")
        text = target
    return _reshaped_back(lines, statement, target)


def _mirror_in_place(statement: Statement, names: Sequence[str]) -> Lines:
    flat = statement.details["flat"]
    text, target = names[statement.operands[0]], names[statement.targets[0]]
    lines = [
        f"{target} = {text}" + ("" if flat == statement.shape else f".reshape({_tuple(flat)})")
    ]
    for axis in statement.details["axes"]:
        before = ":, " * axis
        lines.append(f"for row in range(1, {flat[axis]}):")
        lines.append(f"    {target}[{before}row, :row] = {target}[{before}:row, row]")
    return _reshaped_back(lines, statement, target)


def _reshaped_back(lines: Lines, statement: Statement, target: str) -> Lines:
    if statement.details["flat"] == statement.shape:
        return lines
    return [*lines, f"{target} = {target}.reshape({_tuple(statement.shape)})"]


def _fill(statement: Statement, names: Sequence[str]) -> Lines:
    c, dtype = statement.details["coefficient"], repr(statement.dtype.str)
    if c == 0:
        return _assign(statement, names, f"np.zeros({statement.shape}, {dtype})")
    return _assign(statement, names, f"np.full({statement.shape}, {number(c)}, {dtype})")


def _slice_text(axis: int, table: range) -> str:
    stop: int | str = table.stop if table.stop >= 0 else ""
    step = "" if table.step == 1 else f":{table.step}"
    return f"[{':, ' * axis}{table.start}:{stop}{step}]"


def _slice(statement: Statement, names: Sequence[str]) -> Lines:
    x = names[statement.operands[0]]
    text = _slice_text(statement.details["axis"], statement.details["table"])
    return _assign(statement, names, x + text)


def _take(statement: Statement, names: Sequence[str]) -> Lines:
    axis, table = statement.details["axis"], statement.details["table"]
    x = names[statement.operands[0]]
    text = f"{x}.take({[max(j, 0) for j in table]}, {axis})"
    if -1 in table:
        shape = [-1 if a == axis else 1 for a in range(len(statement.shape))]
        valid = f"np.array({[j >= 0 for j in table]}).reshape({_tuple(shape)})"
        text = f"np.where({valid}, {text}, 0)"
    return _assign(statement, names, text)


def _reshape(statement: Statement, names: Sequence[str]) -> Lines:
    return _assign(statement, names, f"{names[statement.operands[0]]}.reshape({statement.shape})")


def _copy(statement: Statement, names: Sequence[str]) -> Lines:
    return _assign(statement, names, f"np.array({names[statement.operands[0]]})")


def _einsum(statement: Statement, names: Sequence[str]) -> Lines:
    terms, out = _subscripts.renumber(statement.terms, statement.out)
    operands = ", ".join(names[n] for n in statement.operands)
    text = f'np.einsum("{_for_einsum(terms, out)}", {operands}, optimize=True)'
    return _assign(statement, names, text)


# Placements --------------------------------------------------------------------------------------


def _place(statement: Statement, names: Sequence[str]) -> Lines:
    target = names[statement.targets[0]]
    operands = [names[n] for n in statement.operands]
    if statement.details["base"]:
        lines = [f'{target} = np.array({operands.pop(0)}, order="C")']
    else:
        lines = [f"{target} = np.zeros({statement.shape}, {statement.dtype.str!r})"]
    for k, piece in enumerate(statement.details["pieces"]):
        core = operands.pop(0) if piece.term is not None else number(piece.coefficient)
        first = k == 0 and not statement.details["base"]
        lines.append(_place_piece(target, statement.shape, piece, core, first=first))
    return lines


def _place_piece(buffer: str, shape: Sequence[int], piece: Piece, core: str, *, first: bool) -> str:
    """Write one core onto the look at the buffer that its structure asks for."""
    sizes = list(shape)
    picks: dict[int, tuple[int, ...]] = {}
    look = buffer
    if piece.actions and piece.actions[0][0] == "at":
        return _place_at(look, piece, core)
    for kind, axis, what in piece.actions:
        if kind == "pick":
            picks[axis] = what
            sizes[axis] = len(what)
        elif kind == "slice":
            look += _slice_text(axis, what)
            sizes[axis] = len(what)
        else:
            width, new = (1, what) if kind == "split" else (what, None)
            sizes[axis : axis + width] = new or [math.prod(sizes[axis : axis + width])]
            look += f".reshape({_tuple(sizes)})"
    unique = tuple(dict.fromkeys(piece.labels))
    if piece.term is not None:
        order = [i for i in unique if i in piece.term]
        core = _expanded(_permuted(core, [piece.term.index(i) for i in order]), order, unique)
    if picks:
        return _scatter(look, piece.labels, unique, sizes, picks, core)
    if len(unique) < len(piece.labels):
        terms, out = _subscripts.renumber([piece.labels], unique)
        look = f'np.einsum("{_for_einsum(terms, out)}", {look})'
    return f"{look}[...] {'=' if first else '+='} {core}"


def _scatter(
    look: str,
    labels: Subscripts,
    unique: Subscripts,
    sizes: Sequence[int],
    picks: Mapping[int, tuple[int, ...]],
    core: str,
) -> str:
    """Add a core at positions that a table gives; a position may be given twice."""
    index = []
    for axis, label in enumerate(labels):
        trailing = ", None" * (len(unique) - 1 - unique.index(label))
        if axis in picks:
            positions = f"np.array({[max(j, 0) for j in picks[axis]]})"
            if -1 in picks[axis]:
                valid = f"np.array({[j >= 0 for j in picks[axis]]})[:{trailing}]"
                core = f"np.where({valid}, {core}, 0)"
        else:
            positions = f"np.arange({sizes[axis]})"
        index.append(positions + (f"[:{trailing}]" if trailing else ""))
    return f"np.add.at({look}, ({', '.join(index)},), {core})"


def _place_at(buffer: str, piece: Piece, core: str) -> str:
    """Add a core at positions that are computed; a position may be given twice."""
    _, labels, sizes, expressions = piece.actions[0]
    size = dict(zip(labels, sizes, strict=True))

    def index_of(label: int) -> str:
        trailing = ", None" * (len(labels) - 1 - labels.index(label))
        return f"np.arange({size[label]})" + (f"[:{trailing}]" if trailing else "")

    valid: list[str] = []

    def text(expression: Any) -> str:
        kind, what, *below = expression
        if kind == "label":
            return index_of(what)
        if kind == "part":
            size_of_part, whole = below
            return f"({text(whole)} // {what} % {size_of_part})"
        parts = [text(e) for e in below]
        if kind == "merge":
            strides = [math.prod(what[n + 1 :]) for n in range(len(what))]
            terms = [p if s == 1 else f"{s} * {p}" for p, s in zip(parts, strides, strict=True)]
            return f"({' + '.join(terms)})"
        if isinstance(what, range):
            return f"({what.start} + {what.step} * {parts[0]})"
        if -1 in what:
            valid.append(f"np.array({[j >= 0 for j in what]})[{parts[0]}]")
        return f"np.array({[max(j, 0) for j in what]})[{parts[0]}]"

    index = ", ".join(text(e) for e in expressions)
    if piece.term is not None:
        order = [i for i in labels if i in piece.term]
        core = _expanded(_permuted(core, [piece.term.index(i) for i in order]), order, labels)
    for mask in valid:
        core = f"np.where({mask}, {core}, 0)"
    return f"np.add.at({buffer}, ({index},), {core})"


# Loops -------------------------------------------------------------------------------------------


def _loop(statement: Statement, names: Sequence[str]) -> Lines:
    """Write a loop over the tiles of an index; its variables are called after its first result."""
    body, passes = statement.details["body"], statement.details["passes"]
    buffers = [names[n] for n in statement.written]
    prefix, rows = f"{buffers[0]}_", f"row : row + {passes.step}"
    lines, variables, slices = [], [], []
    for k, (n, axis) in enumerate(zip(statement.operands, statement.details["axes"], strict=False)):
        variables.append(names[n] if axis is None else f"{prefix}{k}")
        if axis is not None:
            slices.append(variables[-1])
            lines.append(f"{slices[-1]} = {names[n]}[{':, ' * axis}{rows}]")
    inner, local = _body(body, variables, prefix, 0, lines)
    lines += [line for line, _ in inner]
    for buffer, n, axis in zip(buffers, body.outputs, statement.details["writes"], strict=True):
        at = "..." if axis is None else ":, " * axis + rows
        lines.append(f"{buffer}[{at}] {'+=' if axis is None else '='} {local[n]}")
    base = body.bases()
    ended = [local[n] for output in body.outputs for n in (output, base[output])]
    lines.append(f"del {', '.join(dict.fromkeys((*slices, *ended)))}")  # or they live on
    head = f"for row in range({passes.start}, {passes.stop}, {passes.step}):"
    return [f"{head}  # {statement.flops:,} flops", *(f"    {line}" for line in lines)]


KERNELS: Mapping[str, Callable[[Statement, Sequence[str]], Lines]] = {
    "view": _view,
    "sum": _sum,
    "scale": _scale,
    "multiply": _multiply,
    "matmul": _matmul,
    "triangle": _triangle,
    "mirror": _mirror,
    "mirror in place": _mirror_in_place,
    "add": _add,
    "call": _call,
    "fill": _fill,
    "slice": _slice,
    "take": _take,
    "reshape": _reshape,
    "copy": _copy,
    "einsum": _einsum,
    "loop": _loop,
    "place": _place,
}

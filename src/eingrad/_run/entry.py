"""The entry of a plan: how it is called, written out as code for the one form that it has.

In: an executable, a form, captured arrays. Out: a function of the plan and the arguments of a call.
Guaranteed: it takes only calls that need no conversion, and gives what interpreting the form would;
every other call, each error among them, it hands to `Plan._interpret`. It holds no plan, so that a
plan is freed with its last reference.

For ``f({"w": w}, 2)``, with an array ``w`` of shape ``(3,)``, the text is, but for the refusals
``return plan._interpret(args, kwargs, out)``::

    def bind(function, ndarray, asarray, k3, s4, kind5, d6, errors7, explained8, program9):
        def entry(plan, args, kwargs, out=None):
            if len(args) != 2 or kwargs: ...
            [v0, v1] = args
            if type(v0) is not dict or len(v0) != 1: ...
            try:
                v2 = v0[k3]
            except KeyError: ...
            if v1 is not s4 and (type(v1) is not kind5 or v1 != s4): ...
            if not (type(v2) is ndarray and v2.shape == (3,) and ...): ...
            try:
                r0 = function(v2)
            except errors7 as error:
                raise explained8(error, program9) from None
            return {k3: r0}
        return entry
"""

import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad._plan import InputSpec, Program
from eingrad._run.dense import load
from eingrad._run.executable import Executable
from eingrad._run.explain import explained
from eingrad._run.form import Form, Static, SymbolForm, check_symmetry, symmetries
from eingrad._run.structured import Layout
from eingrad._snapshots import held, is_by_identity, is_by_value
from eingrad._tree import Tree

Array = NDArray[Any]

_DEEPEST = 20  # levels of a result that are written out; Python's parser takes some hundred
_INTERPRET = "return plan._interpret(args, kwargs, out)"
_NUMBERS: dict[type, type] = {np.float64: float, np.complex128: complex}  # NumPy's, and Python's


@dataclass(slots=True)
class _Text:
    """Lines of an entry, and the objects that they name."""

    bound: dict[str, Any]
    lines: list[str] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)  # by the id of what is bound
    variables: int = 0

    def bind(self, prefix: str, value: Any) -> str:
        """Name an object."""
        name = self.names.setdefault(id(value), f"{prefix}{len(self.bound)}")
        self.bound[name] = value
        return name

    def fresh(self, count: int) -> list[str]:
        """Name variables."""
        first, self.variables = self.variables, self.variables + count
        return [f"v{n}" for n in range(first, self.variables)]

    def refuse(self, condition: str) -> None:
        """Hand over a call of which something is true."""
        self.lines += [f"if {condition}:", f"    {_INTERPRET}"]


def entry(executable: Executable, form: Form, captured: Sequence[Array]) -> Callable[..., Any]:
    """Write the entry of a plan, and load it."""
    if executable.too_large:
        return _refuse
    program = executable.program
    text = _Text({"function": executable.function, "ndarray": np.ndarray, "asarray": np.asarray})
    arguments = _inputs(text, executable, form, captured)
    results = _call(text, program, arguments)
    if executable.layouts is not None:
        results = _fill(text, executable.layouts, results)
    text.lines.append(f"return {_nest(text, form.result, results)}")
    return _load(text)


def filling_entry(
    executable: Executable, form: Form, captured: Sequence[Array]
) -> Callable[..., Any]:
    """Write the entry of a plan that fills an array of the user's; not of several."""
    if executable.too_large or executable.layouts is not None or form.result.kind is not None:
        return _refuse
    text = _Text({"function": executable.filling(in_order=True), "ndarray": np.ndarray})
    arguments = _inputs(text, executable, form, captured)
    ((shape, dtype),) = executable.program.results()
    text.refuse(
        f"not (type(out) is ndarray and out.shape == {shape} and out.dtype == "
        f"{text.bind('d', dtype)} and out.flags.carray)"
    )
    overlaps = text.bind("overlaps", np.may_share_memory)
    shaped = [*executable.program.values()][: len(arguments)]
    for argument, known in zip(arguments, shaped, strict=True):
        if known.shape:
            text.refuse(f"{overlaps}(out, {argument})")
    _guard(text, executable.program, f"function({', '.join([*arguments, 'out'])})")
    text.lines.append("return out")
    return _load(text)


def _inputs(
    text: _Text, executable: Executable, form: Form, captured: Sequence[Array]
) -> list[str]:
    """Check the arguments; name what the function of the executable takes."""
    inputs, specs = _arguments(text, form), executable.program.inputs
    for variable, spec in zip(inputs, specs, strict=False):
        _check(text, variable, spec)
    known = symmetries(form)
    for variable, spec in zip(inputs, specs, strict=False):
        if known.get(spec.name):
            _check_symmetry(text, variable, known[spec.name], spec.name)
    held = [array if array.ndim else array[()] for array in captured]
    return [*inputs, *(text.bind("c", array) for array in (*held, *executable.constants))]


def _refuse(plan: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any = None) -> Any:
    """The entry of a plan that cannot be run: it hands every call over."""
    return plan._interpret(args, kwargs, out)


def _load(text: _Text) -> Callable[..., Any]:
    """Give the objects to the text as variables around the entry, not as its globals.

    A function and its globals hold each other: captured arrays would outlive the plan.
    """
    body = "".join(f"        {line}\n" for line in text.lines)
    source = (
        f"def bind({', '.join(text.bound)}):\n"
        f"    def entry(plan, args, kwargs, out=None):\n{body}"
        "    return entry\n"
    )
    made: Callable[..., Any] = load(source, "bind")(*text.bound.values())
    return made


# Arguments ---------------------------------------------------------------------------------------


def _arguments(text: _Text, form: Form) -> list[str]:
    """Take the arguments apart, check static ones; give the variables of the inputs."""
    if isinstance(form, SymbolForm):
        return _symbols(text, form)
    args, kwargs = form.arguments.branches
    keywords = f"len(kwargs) != {len(kwargs.keys)}" if kwargs.keys else "kwargs"
    text.refuse(f"len(args) != {len(args.branches)} or {keywords}")
    leaves: list[str] = []
    below = _items(text, "args", args) + _items(text, "kwargs", kwargs)
    for variable, tree in zip(below, args.branches + kwargs.branches, strict=True):
        _unpack(text, variable, tree, leaves)
    for n, known in form.static.items():
        text.refuse(_is_other(text, leaves[n], known))
    return [leaf for n, leaf in enumerate(leaves) if n not in form.static]


def _symbols(text: _Text, form: SymbolForm) -> list[str]:
    """Take the arrays of symbols, by position or by name."""
    names = text.fresh(len(form.names))
    if not names:
        text.refuse("args or kwargs")
        return []
    reads = _reads(text, names, "kwargs", form.names)
    text.lines += [
        f"if len(args) == {len(names)} and not kwargs:",
        f"    [{', '.join(names)}] = args",
        f"elif not args and len(kwargs) == {len(names)}:",
        *[f"    {line}" for line in reads],
        "else:",
        f"    {_INTERPRET}",
    ]
    return names


def _unpack(text: _Text, variable: str, tree: Tree, leaves: list[str]) -> None:
    """Take a nesting apart, in the order of `flatten`."""
    if tree.kind is None:
        leaves.append(variable)
        return
    kind = _class(text, tree.kind)
    text.refuse(f"type({variable}) is not {kind} or len({variable}) != {len(tree.branches)}")
    for item, branch in zip(_items(text, variable, tree), tree.branches, strict=True):
        _unpack(text, item, branch, leaves)


def _items(text: _Text, variable: str, tree: Tree) -> list[str]:
    """Give names to the items of a nesting; a dict of as many keys must have the same."""
    names = text.fresh(len(tree.branches))
    if not names:
        return []
    if not issubclass(tree.kind, dict):
        text.lines.append(f"[{', '.join(names)}] = {variable}")
    else:
        text.lines += _reads(text, names, variable, tree.keys)
    return names


def _reads(text: _Text, names: Sequence[str], variable: str, keys: Sequence[Any]) -> list[str]:
    """Read the items of a dict."""
    bound = [text.bind("k", key) for key in keys]
    reads = [f"    {name} = {variable}[{key}]" for name, key in zip(names, bound, strict=True)]
    return ["try:", *reads, "except KeyError:", f"    {_INTERPRET}"]


def _class(text: _Text, kind: type) -> str:
    """Name a class of nestings: a builtin one by its own name."""
    return kind.__name__ if kind in (dict, list, tuple) else text.bind("kind", kind)


def _is_other(text: _Text, variable: str, known: Static) -> str:
    """Write the condition that a static argument is another, as its state is compared.

    Numbers and strings are compared by type and value, functions and classes by identity: what
    such a state says, without making one. All else is looked into at every call.
    """
    if is_by_value(known.state):
        value = held(known.state)
        same, kind = text.bind("s", value), text.bind("kind", type(value))
        return (
            f"{variable} is not {same} and (type({variable}) is not {kind} or {variable} != {same})"
        )
    if is_by_identity(known.state):
        value = held(known.state)
        attributes = f" or {variable}.__dict__" if isinstance(value, types.FunctionType) else ""
        return f"{variable} is not {text.bind('s', value)}{attributes}"
    return f"not {text.bind('holds', known.holds)}({variable})"


def _check(text: _Text, variable: str, spec: InputSpec) -> None:
    """Check an array; equal dtypes are mostly one object, for which `is` is faster than `==`.

    That object is the one that NumPy gives for a type; `newbyteorder` makes others.
    """
    canonical = np.dtype(spec.dtype.type)
    dtype = text.bind("d", canonical if canonical == spec.dtype else spec.dtype)
    same = f"({variable}.dtype is {dtype} or {variable}.dtype == {dtype})"
    array = f"type({variable}) is ndarray and {variable}.shape == {spec.shape} and {same}"
    if spec.shape:
        text.refuse(f"not ({array})")
        return
    scalar, number = text.bind("scalar", spec.dtype.type), _NUMBERS.get(spec.dtype.type)
    text.lines.append(f"if type({variable}) is not {scalar}:")
    if number is not None:
        text.lines += [
            f"    if type({variable}) is {number.__name__}:",
            f"        {variable} = {scalar}({variable})",
        ]
    text.lines += [
        f"    {'if' if number is None else 'elif'} {array}:",
        f"        {variable} = {variable}[()]",
        "    else:",
        f"        {_INTERPRET}",
    ]


def _check_symmetry(text: _Text, variable: str, symmetry: Any, name: str) -> None:
    call, groups = text.bind("check", check_symmetry), text.bind("groups", symmetry)
    text.lines.append(f"{call}({variable}, {groups}, {text.bind('name', name)})")


# Results -----------------------------------------------------------------------------------------


def _call(text: _Text, program: Program, arguments: Sequence[str]) -> list[str]:
    """Call the function of the executable; what it gives without axes may be a scalar."""
    shapes = [shape for shape, _ in program.results()]
    names = [f"r{n}" for n in range(len(shapes))]
    target = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
    _guard(text, program, f"{target} = function({', '.join(arguments)})")
    return [n if shape else f"asarray({n})" for n, shape in zip(names, shapes, strict=True)]


def _guard(text: _Text, program: Program, line: str) -> None:
    """Call, and say which operand is singular."""
    errors = text.bind("errors", (np.linalg.LinAlgError, MemoryError))
    explain = text.bind("explained", explained)
    text.lines += [
        "try:",
        f"    {line}",
        f"except {errors} as error:",
        f"    raise {explain}(error, {text.bind('program', program)}) from None",
    ]


def _fill(text: _Text, layouts: Sequence[Layout], cores: Sequence[str]) -> list[str]:
    """Make structured tensors of the cores."""
    text.lines.append(f"cores = [{', '.join(cores)}]")
    names = [f"t{n}" for n in range(len(layouts))]
    for name, layout in zip(names, layouts, strict=True):
        text.lines.append(f"{name} = {text.bind('fill', layout.fill)}(cores)")
    return names


def _nest(text: _Text, tree: Tree, results: Sequence[str]) -> str:
    """Write the results as they are nested."""
    if _depth(tree) > _DEEPEST:
        return f"{text.bind('build', tree.build)}([{', '.join(results)}])"
    return _write(text, tree, iter(results))


def _write(text: _Text, tree: Tree, results: Any) -> str:
    if tree.kind is None:
        return str(next(results))
    items = [_write(text, branch, results) for branch in tree.branches]
    if issubclass(tree.kind, dict):
        keys = [text.bind("k", key) for key in tree.keys]
        made = f"{{{', '.join(f'{k}: {v}' for k, v in zip(keys, items, strict=True))}}}"
        return made if tree.kind is dict else f"{_class(text, tree.kind)}({made})"
    if tree.kind is list:
        return f"[{', '.join(items)}]"
    if tree.kind is tuple:
        return f"({''.join(f'{item}, ' for item in items)})"
    return f"{_class(text, tree.kind)}({', '.join(items)})"


def _depth(tree: Tree) -> int:
    return 1 + max(map(_depth, tree.branches), default=0)

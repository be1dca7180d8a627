"""What the user's code is doing at a place: the expression, what its names are, what it calls.

In: a `Place`. Out: its syntax tree, values of names, public names of functions.
Guaranteed: nothing of the user's is run: no property, no ``__getattr__``, no ``repr``. Where the
source is not there, nothing is found, and a message says less.
"""

import ast
import dis
import functools
import inspect
import sys
from types import FrameType, ModuleType
from typing import Any

import numpy as np

from eingrad._place import Place

UNKNOWN = object()  # a value that cannot be found without running code
_LONGEST_NAME = 60  # letters of a name
_BUILT_IN = frozenset({"builtins", "_operator"})


def expression(place: Place) -> ast.AST | None:
    """Parse the expression that is evaluated in the traced function, or ``z += x``."""
    return _parse(place.text) if place.is_inside else None


@functools.lru_cache(maxsize=1)
def _parse(text: str) -> ast.AST | None:
    for source in (f"({text}\n)", text):
        try:
            (statement,) = ast.parse(source).body
        except (SyntaxError, ValueError):  # also: no statement, or many
            continue
        return statement.value if isinstance(statement, ast.Expr) else statement
    return None


def is_storing(place: Place) -> bool:
    """Whether an item is assigned: ``y[0] = ...``."""
    name = dis.opname[place.frame.f_code.co_code[place.instruction]]
    return name in ("STORE_SUBSCR", "STORE_SLICE")


def value_of(node: ast.AST | None, frame: FrameType) -> Any:
    """Find the value of a name, or of an attribute or item that a name leads to."""
    match node:
        case ast.Name(name):
            for scope in (frame.f_locals, frame.f_globals, frame.f_builtins):
                if name in scope:
                    return scope[name]
        case ast.Attribute(base, name):
            return _attribute(value_of(base, frame), name)
        case ast.Subscript(base, ast.Constant(key)):
            owner = value_of(base, frame)
            if type(owner) in (list, tuple, dict) and type(key) in (int, str):
                try:
                    return owner[key]
                except (LookupError, TypeError):
                    return UNKNOWN
        case ast.Constant(value):
            return value
    return UNKNOWN


def _attribute(owner: Any, name: str) -> Any:
    if owner is UNKNOWN:
        return UNKNOWN
    if isinstance(owner, ModuleType):
        return vars(owner).get(name, UNKNOWN)
    try:
        found = inspect.getattr_static(owner, name)
    except AttributeError:
        return UNKNOWN
    if isinstance(found, (staticmethod, classmethod)):
        return found.__func__
    return UNKNOWN if inspect.isdatadescriptor(found) else found


def operands(node: ast.AST | None) -> list[ast.expr]:
    """What an expression acts upon, first to last: both sides, an owner, the arguments."""
    match node:
        case ast.BinOp(left, _, right):
            return [left, right]
        case ast.AugAssign(target, _, value):
            return [target, value]
        case ast.UnaryOp(_, operand):
            return [operand]
        case ast.Compare(left, _, comparators):
            return [left, *comparators]
        case ast.Attribute(owner) | ast.Subscript(owner):
            return [owner]
        case ast.Call(function, args, keywords):
            owner = function.value if isinstance(function, ast.Attribute) else function
            return [owner, *args, *(k.value for k in keywords)]
    return []


def base(node: ast.expr) -> ast.expr:
    """Strip attributes, slices and calls off: ``S`` of ``S.T``, ``x`` of ``x[1:]``."""
    while True:
        match node:
            case ast.Attribute(inner) | ast.Subscript(inner, ast.Slice()) | ast.Call(inner, []):
                node = inner
            case _:
                return node


def name_in(place: Place, value: Any) -> str:
    """What the user calls a value that his line acts upon; "" where that is not known."""
    for operand in operands(expression(place)):
        if value_of(operand, place.frame) is value and not isinstance(operand, ast.Constant):
            return ast.unparse(operand)
    return ""


# What is called ----------------------------------------------------------------------------------


def called(place: Place) -> tuple[str, Any]:
    """Name what the user's line calls, and find it; "" and `UNKNOWN` where that is not known.

    A function handed to one of Python's own, as in ``map(math.sin, x)``, is what counts.
    """
    node = _parse(place.text)
    passed = [] if node is None else _passed_on(node, place)
    if isinstance(node, ast.Call) and place.is_inside:
        name, function = _callee(node.func, place)
        module = getattr(function, "__module__", "")
        handed_on = module in ("builtins", "functools", "itertools", "_functools") or not name
        if name and not (handed_on and passed):
            return name, function
    if passed and not place.libraries:
        return passed[0]
    names = filter(None, map(_name_of_frame, place.libraries))
    return next(names, _method_of_unknown(node)), UNKNOWN


def _method_of_unknown(node: ast.AST | None) -> str:
    """Write a method of what a call returned as the user does: ``default_rng(0).normal``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        text = ast.unparse(node.func)
        return text if len(text) <= _LONGEST_NAME else ""
    return ""


def method_of_library(name: str, place: Place) -> str:
    """Name the method that one of an object without a name hands on to; "" if it hands on to none.

    ``norm(0, 1).logpdf`` calls the `logpdf` of an object of a class of which there is one that is
    public: ``scipy.stats.norm.logpdf``.
    """
    last = name.rpartition(".")[2]
    for frame in place.libraries:
        owner = frame.f_locals.get("self")
        if frame.f_code.co_name == last and owner is not None:
            for module in _public_modules(type(owner).__module__):
                for known, value in vars(sys.modules[module]).items():
                    if type(value) is type(owner) and not known.startswith("_"):
                        return f"{module}.{known}.{last}"
    return ""


def _callee(node: ast.expr, place: Place) -> tuple[str, Any]:
    """Name what is called: a function, a method, an object of a library that can be called."""
    if isinstance(node, ast.Call):  # np.vectorize(f)(x)
        name, made = _callee(node.func, place)
        return (name, made) if isinstance(made, type) else ("", UNKNOWN)
    found = _unwrap(value_of(node, place.frame))
    if found is UNKNOWN:
        return "", UNKNOWN
    if not is_function(found):
        return public_name(type(found)), found
    return public_name(found) or _method(node, place) or ast.unparse(node), found


def _passed_on(node: ast.AST, place: Place) -> list[tuple[str, Any]]:
    """Functions of plain numbers that an expression names."""
    names = [n for n in ast.walk(node) if isinstance(n, (ast.Name, ast.Attribute))]
    values = [_unwrap(value_of(n, place.frame)) for n in names]
    return [(public_name(v), v) for v in values if is_of_numbers(v)]


def is_of_numbers(function: Any) -> bool:
    """Whether it is a function of Python's own for plain numbers."""
    return is_function(function) and getattr(function, "__module__", "") in _OF_NUMBERS


_OF_NUMBERS = frozenset({"math", "cmath", "statistics", "decimal", "fractions"})


def is_function(value: Any) -> bool:
    return value is not UNKNOWN and (
        inspect.isroutine(value) or isinstance(value, (type, np.ufunc))
    )


def _unwrap(value: Any) -> Any:
    while isinstance(value, functools.partial):
        value = value.func
    return value


def public_name(function: Any) -> str:
    """Name a function as its library does, private modules left out: ``scipy.linalg.expm``."""
    if isinstance(function, np.ufunc):
        return _ufunc_name(function)
    name = str(getattr(function, "__name__", ""))
    module = str(getattr(function, "__module__", None) or "")
    if module in _BUILT_IN:
        return name
    for public in _public_modules(module):
        if vars(sys.modules[public]).get(name) is function:
            return f"{'np' + public[5:] if public.split('.')[0] == 'numpy' else public}.{name}"
    return ""


def _ufunc_name(ufunc: np.ufunc) -> str:
    name = str(ufunc.__name__)
    if getattr(np, name, None) is ufunc:
        return f"np.{name}"
    special = sys.modules.get("scipy.special")
    return f"scipy.special.{name}" if getattr(special, name, None) is ufunc else name


def _public_modules(module: str) -> list[str]:
    """Modules that a function may be public in, that it is defined in: the innermost first."""
    parts = module.split(".")
    private = [n for n, part in enumerate(parts) if part.startswith("_")]
    parts = parts[: private[0]] if private else parts
    names = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    return [name for name in names if name in sys.modules]


def _method(node: ast.AST, place: Place) -> str:
    """Name a method of an object that a module holds: ``scipy.stats.norm.logpdf``."""
    if not isinstance(node, ast.Attribute):
        return ""
    owner = value_of(node.value, place.frame)
    if owner is UNKNOWN or isinstance(owner, ModuleType):
        return ""
    kind = owner if isinstance(owner, type) else type(owner)
    for module in _public_modules(kind.__module__):
        for name, value in vars(sys.modules[module]).items():
            if value is owner and not name.startswith("_"):
                return f"{module}.{name}.{node.attr}"
    named = public_name(kind)
    return f"{named}.{node.attr}" if named else ""


def _name_of_frame(frame: FrameType) -> str:
    """Name the function of a library that a frame runs, if it is public."""
    name = frame.f_code.co_name
    if name in ("__init__", "__call__", "__new__"):
        owner = frame.f_locals.get("self", frame.f_locals.get("cls"))
        return public_name(owner if isinstance(owner, type) else type(owner))
    for module in _public_modules(str(frame.f_globals.get("__name__", ""))):
        if name in vars(sys.modules[module]):
            return f"{module}.{name}"
    return ""

"""What a value is called in a message: short, and without its numbers.

In: any object. Out: what it is, and how an array is got of it.
Guaranteed: no code of the object's class runs, but for the `repr` of Python's own types.

>>> from fractions import Fraction
>>> described(Fraction(1, 2)), remedy(Fraction(1, 2), "h")
('of type Fraction', 'float(h)')
>>> len(shown("a" * 1000))
180
"""

import inspect
import reprlib
from typing import Any

import numpy as np

from eingrad._place import is_library

_LONGEST = 200  # letters of a value of the user's in a message
_LIBRARIES = {
    "dask": "Dask",
    "jax": "JAX",
    "jaxlib": "JAX",
    "scipy": "SciPy",
    "tensorflow": "TensorFlow",
    "torch": "PyTorch",
}
_ARRAYS = {"ArrayImpl": "array"}

# What a class has -> how an array of numbers is got of an object of it; the first that applies.
_REMEDIES = (
    ("toarray", "{}.toarray()"),  # SciPy's sparse arrays
    ("to_numpy", "{}.to_numpy()"),  # pandas, polars, xarray
    ("magnitude", "{}.magnitude, which has no unit"),  # pint
    ("detach", "{}.detach().numpy()"),  # PyTorch
    ("numpy", "{}.numpy()"),  # TensorFlow
    ("__array__", "np.asarray({})"),
    ("__array_interface__", "np.asarray({})"),
    ("__buffer__", "np.asarray({})"),  # since Python 3.12
    ("__float__", "float({})"),
)


def shown(value: Any) -> str:
    """Print a value of Python's own or NumPy's types, cut short; name the type of any other."""
    known = (bool, int, float, complex, str, bytes, type(None), np.generic)
    if type(value) in known or isinstance(value, np.generic):
        text = _short.repr(value) if isinstance(value, (str, bytes, int)) else repr(value)
        return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
    if type(value).__module__ == "builtins":
        text = _short.repr(value)
        return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
    return f"an object of type {_type_name(value)}"


class _Short(reprlib.Repr):
    """Prints containers with a few of their items, which are objects of whatever class."""

    def repr_instance(self, x: Any, level: int) -> str:  # noqa: ARG002 - its signature
        """Name the class of what is not Python's own."""
        if isinstance(x, np.generic) or type(x).__module__ == "builtins":
            return repr(x)
        return f"<{_type_name(x)}>"


_short = _Short()
_short.maxstring = _short.maxother = _short.maxlong = 180


def _type_name(value: Any) -> str:
    kind = type(value)
    if kind.__module__ in ("builtins", "__main__"):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def is_foreign(value: Any) -> bool:
    """Whether a value is of a library's own class of arrays, which must be converted."""
    if isinstance(value, (type, np.ndarray, np.generic)) or type(value).__module__ == "builtins":
        return False
    return any(_has(value, name) for name, _ in _REMEDIES[:-1])


def _has(value: Any, name: str) -> bool:
    return inspect.getattr_static(type(value), name, None) is not None


def described(value: Any) -> str:
    """Say what a value is: ``a pandas Series (pandas.core.series.Series)``, ``of type Box``."""
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    if not is_foreign(value) or not is_library(library):
        return f"of type {kind.__qualname__}"
    name = _ARRAYS.get(kind.__name__, kind.__name__)
    article = "an" if library[0] in "aeioux" else "a"
    named = f"{_LIBRARIES.get(library, library)} {name}"
    return f"{article} {named} ({_type_name(value)})"


def remedy(value: Any, name: str) -> str:
    """Say how an array or a number is got of a value that has a name; "" where none is known."""
    if type(value).__module__ == "builtins" and not isinstance(value, (bytearray, memoryview)):
        return ""
    for attribute, text in _REMEDIES:
        if _has(value, attribute):
            return text.format(name)
    return ""

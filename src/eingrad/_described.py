"""What a value is called in a message: short, and without its numbers.

In: any object. Out: what it is, and how an array is got of it.
Guaranteed: no code of the object's class runs.

>>> from fractions import Fraction
>>> described(Fraction(1, 2)), remedy(Fraction(1, 2), "h")
('of type Fraction', 'float(h)')
"""

import inspect
from typing import Any

import numpy as np

from eingrad._place import is_library
from eingrad._shown import type_name

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
    ("toarray", "{0}.toarray()"),  # SciPy's sparse arrays
    ("to_numpy", "{0}.to_numpy()"),  # pandas, polars, xarray
    ("matvec", "{0} @ np.eye({0}.shape[1])"),  # SciPy's linear operators
    ("magnitude", "{0}.magnitude, which has no unit"),  # pint
    ("detach", "{0}.detach().numpy()"),  # PyTorch
    ("numpy", "{0}.numpy()"),  # TensorFlow
    ("__array__", "np.asarray({0})"),
    ("__array_interface__", "np.asarray({0})"),
    ("__buffer__", "np.asarray({0})"),  # since Python 3.12
    ("__float__", "float({0})"),
)


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
    return f"{article} {named} ({type_name(value)})"


def remedy(value: Any, name: str) -> str:
    """Say how an array or a number is got of a value that has a name; "" where none is known."""
    if type(value) is range:
        return f"np.array({name})"
    if type(value).__module__ == "builtins" and not isinstance(value, (bytearray, memoryview)):
        return ""
    for attribute, text in _REMEDIES:
        if _has(value, attribute):
            return text.format(name)
    return ""

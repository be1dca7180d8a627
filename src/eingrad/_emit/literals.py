"""Write numbers, shapes, and looks at arrays as NumPy text."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from numpy.typing import NDArray

from eingrad import _ir, _subscripts
from eingrad._subscripts import Subscripts
from eingrad.errors import ShapeError

Lines = list[str]


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


def array_text(values: NDArray[Any]) -> str:
    """Write an array of a few entries."""

    def nested(item: Any) -> str:
        if isinstance(item, list):
            return "[" + ", ".join(map(nested, item)) + "]"
        return number(item)

    text = f"np.array({nested(values.tolist())}, dtype={values.dtype.str!r})"
    return text if values.ndim == 1 and values.size else f"{text}.reshape({values.shape})"


def tuple_text(items: Sequence[int]) -> str:
    """Write a tuple."""
    return "(" + ", ".join(map(str, items)) + ("," if len(items) == 1 else "") + ")"


def for_einsum(terms: Sequence[Subscripts], out: Subscripts) -> str:
    """Write subscripts as letters, or say that there are not enough."""
    if not _subscripts.fits_einsum([*terms, out]):
        raise ShapeError(
            f"a step of the plan has the indices {_subscripts.text(terms, out)}, more than the 52 "
            "that np.einsum has letters for; flatten arguments with np.reshape, or lower the order"
        )
    return _subscripts.text(terms, out)


def permuted(x: str, axes: Sequence[int]) -> str:
    """Permute axes."""
    if list(axes) == list(range(len(axes))):
        return x
    if list(axes) == list(range(len(axes)))[::-1]:
        return f"{x}.T"
    return f"{x}.transpose({', '.join(map(str, axes))})"


def expanded(x: str, term: Sequence[int], out: Sequence[int]) -> str:
    """Insert axes of size one so that a term, in the order of out, broadcasts against it."""
    index = [":" if i in term else "None" for i in out]
    while index and index[0] == "None":
        index.pop(0)  # leading axes broadcast by themselves
    return x if "None" not in index else f"{x}[{', '.join(index)}]"


def sliced(axis: int, positions: range) -> str:
    """Write the index of a range of positions along an axis."""
    stop: int | str = positions.stop if positions.stop >= 0 else ""
    step = "" if positions.step == 1 else f":{positions.step}"
    return f"[{':, ' * axis}{positions.start}:{stop}{step}]"

"""Problems of arrays: sizes and dtypes are those that the arrays have.

In: subscripts, and an array for each operand. Out: a `Problem`.
Guaranteed: what does not fit is refused, and the array is named as the caller names it.

>>> import numpy as np
>>> of_arrays("ij,jk->ik", [np.ones((2, 3)), np.ones((3, 4))]).sizes
{'i': 2, 'j': 3, 'k': 4}
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from eingrad._shown import cut
from eingrad.errors import DTypeError, ShapeError, SubscriptsError
from eingrad.paths.problem import Array, Problem, of_einsum


def of_arrays(
    subscripts: str,
    arrays: Sequence[Array],
    *,
    name: str = "",
    said: Callable[[int], str] = "array {}".format,
) -> Problem:
    """Make a problem of one product of arrays.

    Parameters
    ----------
    subscripts : str
        As for `of_einsum`.
    arrays : sequence of arrays
        One for each operand; only their shapes and dtypes are looked at.
    name : str
        What tables call it; by default the subscripts.
    said : callable
        Gives what a message calls array n.

    Raises
    ------
    SubscriptsError
        If the subscripts are none, or not for so many arrays.
    ShapeError
        If an index has two sizes, or an array another number of axes than its subscripts.
    DTypeError
        If an array holds no numbers.
    """
    letters = dict.fromkeys(subscripts.translate(_NO_LETTERS), 1)
    ((_, term),) = of_einsum(subscripts, letters).terms  # what is wrong with them is said first
    if len(arrays) != len(term.operands):
        raise SubscriptsError(
            f"{cut(subscripts)!r} has {len(term.operands)} operands, but {len(arrays)} arrays are "
            "given; give one for each"
        )
    sizes: dict[str, int] = {}
    for n, (labels, array) in enumerate(zip(term.indices, arrays, strict=True)):
        _check(said(n), labels, array, sizes)
    problem = of_einsum(subscripts, sizes, name=name)
    operands = {
        operand: replace(described, dtype=array.dtype.name)
        for (operand, described), array in zip(problem.operands.items(), arrays, strict=True)
    }
    return replace(problem, operands=operands)


_NO_LETTERS = str.maketrans("", "", " ,->")


def _check(said: str, labels: Sequence[str], array: Array, sizes: dict[str, int]) -> None:
    """Note the sizes of an array's indices."""
    if array.dtype.kind not in "iufcb":
        raise DTypeError(f"{said} is of {array.dtype}; give an array of numbers")
    text = "".join(labels)
    if array.ndim != len(labels):
        raise ShapeError(
            f"{said} has shape {array.shape}, {array.ndim} axes, but its subscripts are {text!r}; "
            "write one index for each axis"
        )
    for label, size in zip(labels, array.shape, strict=True):
        if sizes.setdefault(label, size) != size:
            raise ShapeError(
                f"{said}: index {label!r} of {text!r} has size {size}, but {sizes[label]} before; "
                "make the two axes equal or give them different letters"
            )

"""Problems of `.npy` files: shapes, dtypes and values are those of the arrays.

In: subscripts, and a file for each operand. Out: a `Problem` whose operands are known.
Guaranteed: nothing is unpickled, and no file is read whose size is not known to fit.
"""

import dataclasses
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eingrad._shown import cut
from eingrad.errors import FileError
from eingrad.paths.arrays import of_arrays
from eingrad.paths.files.document import shown_file
from eingrad.paths.problem import Array, Problem

MOST_BYTES = 1 << 32  # of all arrays


def problem_of_arrays(
    subscripts: str,
    files: Sequence[str | os.PathLike[str]],
    *,
    name: str = "",
    most_bytes: int = MOST_BYTES,
) -> Problem:
    """Make a problem of one product of arrays that are in files.

    Parameters
    ----------
    subscripts : str
        As for NumPy, with any letters, without ellipsis.
    files : sequence of paths
        ``.npy`` files, one for each operand.
    name : str
        What tables call it; by default the subscripts.
    most_bytes : int
        How much memory the arrays may take together.

    Returns
    -------
    Problem
        Its operands are named ``A``, ``B``, ... in order, and their values are known; they are
        read-only.

    Raises
    ------
    SubscriptsError
        If the subscripts are none, or not for so many files.
    ShapeError
        If an index has two sizes, or an array another number of axes than its subscripts.
    FileError
        If a file is no ``.npy`` file of numbers, or too large.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> np.save(folder / "x.npy", np.ones((2, 3)))
    >>> problem_of_arrays("ij,kj->ik", [folder / "x.npy", folder / "x.npy"]).sizes
    {'i': 2, 'j': 3, 'k': 2}
    """
    headers = [_mapped(file) for file in files]
    problem = of_arrays(subscripts, headers, name=name, said=lambda n: shown_file(files[n]))
    needed = sum(header.nbytes for header in headers)
    if needed > most_bytes:
        raise FileError(
            f"{shown_file(files[0])} and the others take {needed:,} bytes together, more than "
            f"{most_bytes:,}; give smaller arrays, or allow more"
        )
    known = dict(zip(problem.operands, map(_read, headers), strict=True))
    return dataclasses.replace(problem, known=known, provenance="npy files")


def _mapped(path: str | os.PathLike[str]) -> Array:
    """Map a file into memory, so that its header is known, and its length checked."""
    file = shown_file(path)
    try:
        with Path(path).open("rb") as stream:
            start = stream.read(6)
    except (OSError, ValueError) as error:
        raise FileError(f"{file}: cannot be read: {cut(str(error))}") from None
    if start != b"\x93NUMPY":
        raise FileError(f"{file}: is no .npy file; write one with np.save")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that old versions wrote
            array = _open(path)
    except Exception as error:  # the header is an expression, wrong in as many ways as one can be
        what = "is damaged or cut short" if "pickle" not in str(error) else "holds Python objects"
        raise FileError(f"{file}: {what}: {cut(str(error))}") from None
    if array.dtype.kind not in "biufc":
        raise FileError(
            f"{file}: has dtype {cut(str(array.dtype))}; a network is of numbers, so convert it"
        )
    return array


def _open(path: str | os.PathLike[str]) -> Array:
    """Open a file; what has no entries cannot be mapped, and takes no memory."""
    array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def _read(mapped: Array) -> Array:
    """Read an array into memory, in the order of bytes of this machine."""
    array = np.array(mapped, mapped.dtype.newbyteorder("="))
    array.flags.writeable = False
    return array

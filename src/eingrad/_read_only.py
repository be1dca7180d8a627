"""Arrays that are read-only as long as somebody reads them.

In: an array, and its reader. Out: whether nothing can be written through the array meanwhile.
Guaranteed: an array gets its flag back when its last reader is gone, and only an array whose flag
NumPy will set back has it taken; releasing never raises, and may be repeated.

>>> x = np.zeros(3)
>>> hold(x, "me"), x.flags.writeable
(True, False)
>>> release("me")
>>> x.flags.writeable
True
"""

import threading
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad._locks import fork_safe

Array = NDArray[Any]

_WRITEABLE = 0x0400  # of `flags.num`, which is read without NumPy's warning
_WARNS = 1 << 31  # a result of np.broadcast_arrays: NumPy warns of whoever reads or sets the flag

_held: dict[int, tuple[Array, set[Hashable]]] = {}  # id -> the array, and its readers
_guard = fork_safe(threading.Lock())


def hold(array: Array, reader: Hashable) -> bool:
    """Make an array, and all whose memory it looks at, read-only until the reader is gone.

    False if one of them stays as it is, for NumPy would not set its flag back.
    """
    safe = True
    owners = (array,) if array.base is None else [*_owners(array)][::-1]
    with _guard:
        for owner in owners:  # a view can be set back if its base can
            flags = owner.flags
            if id(owner) in _held or (flags.num & _WRITEABLE and _can_be_set_back(owner)):
                _, readers = _held.setdefault(id(owner), (owner, set()))
                readers.add(reader)  # before the flag: what is noted here, releasing undoes
                flags.writeable = False
            elif flags.num & _WRITEABLE:
                safe = False
    return safe


def release(reader: Hashable) -> None:
    """Make arrays writeable that nobody reads any more; a view waits for its base."""
    if not _held:
        return
    with _guard:
        free = []
        has_views = False
        for owner, readers in _held.values():
            readers.discard(reader)
            if not readers:
                free.append(owner)
                has_views = has_views or owner.base is not None
        if has_views:
            free.sort(key=lambda owner: len([*_owners(owner)]))
        for owner in free:
            if id(owner.base) not in _held:
                _set_back(owner)
                del _held[id(owner)]


def is_held(by: Callable[[Any], bool]) -> bool:
    """Whether an array is read-only for a reader of whom this is true."""
    with _guard:
        return any(by(reader) for _, readers in _held.values() for reader in readers)


def _owners(array: Array) -> Iterator[Array]:
    """The array and every array whose memory it looks at."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        yield owner
        owner = owner.base


def _is_writeable(array: Array) -> bool:
    return bool(array.flags.num & _WRITEABLE)


def _can_be_set_back(array: Array) -> bool:
    """Whether NumPy will set the flag of a writeable array again, as its `_IsWriteable` decides.

    The memory must be that of the array, of a base that is writeable then, or of an object that
    exports it as a writeable buffer: not that of a tensor of another library, say.
    """
    if array.flags.num & _WARNS:
        return False
    base: Any = array.base
    if base is None or array.flags.owndata:
        return array.flags.owndata
    if isinstance(base, np.ndarray):
        return _is_writeable(base) or id(base) in _held
    try:
        with memoryview(base) as buffer:
            return not buffer.readonly and buffer.c_contiguous
    except Exception:  # it is an object of the user's, and may do anything
        return False


def _set_back(array: Array) -> None:
    try:  # noqa: SIM105 - contextlib.suppress takes longer than all of this module
        array.flags.writeable = True
    except ValueError:  # its base was made read-only meanwhile, by its owner
        pass

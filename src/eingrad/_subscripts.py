"""Subscripts: parse, size-check and print.

In: what the user wrote, ``"ij,jk->ik"`` or NumPy's sublist form, and the shapes of the operands.
Out: one tuple of integers per operand and one for the result.
Guaranteed: integers are numbered by first use; letters exist only in user text and in messages.

>>> parse("ij,jk", ((2, 3), (3, 4)))
(((0, 1), (1, 2)), (0, 2))
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from itertools import chain

from eingrad._shown import cut
from eingrad.errors import ShapeError, SubscriptsError

Shape = tuple[int, ...]
Subscripts = tuple[int, ...]

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FOR_INDICES = "ijklmnopqrstuvwxyzabcdefghIJKLMNOPQRSTUVWXYZABCDEFGH"


def letter(index: int) -> str:
    """Return the letter an index is printed with: ``i, j, k, ...``, later Unicode letters."""
    return _FOR_INDICES[index] if index < len(_FOR_INDICES) else chr(index - 52 + 0x4E00)


def term_text(term: Subscripts) -> str:
    """Print one term.

    >>> term_text((0, 1))
    'ij'
    """
    return "".join(map(letter, term))


def text(terms: Sequence[Subscripts], out: Subscripts) -> str:
    """Print subscripts.

    >>> text([(0, 1), (1, 2)], (0, 2))
    'ij,jk->ik'
    """
    return ",".join(map(term_text, terms)) + "->" + term_text(out)


def fits_einsum(terms: Sequence[Subscripts]) -> bool:
    """Whether NumPy's einsum has enough letters for these terms."""
    return all(index < len(_LETTERS) for term in terms for index in term)


def number(
    terms: Sequence[Sequence[Hashable]], out: Sequence[Hashable]
) -> tuple[tuple[Subscripts, ...], Subscripts, int]:
    """Replace indices by integers in order of first use; say how many the terms have.

    >>> number(["ab", "bc"], "acd")
    (((0, 1), (1, 2)), (0, 2, 3), 3)
    """
    numbers = {index: n for n, index in enumerate(dict.fromkeys(chain.from_iterable(terms)))}
    carried = len(numbers)
    for index in out:
        if index not in numbers:
            numbers[index] = len(numbers)
    new = numbers.__getitem__
    return tuple([tuple(map(new, term)) for term in terms]), tuple(map(new, out)), carried


def renumber(
    terms: Sequence[Sequence[Hashable]], out: Sequence[Hashable]
) -> tuple[tuple[Subscripts, ...], Subscripts]:
    """Replace indices by integers in order of first use."""
    new_terms, new_out, _ = number(terms, out)
    return new_terms, new_out


def index_sizes(
    terms: Sequence[Sequence[Hashable]], shapes: Sequence[Shape], *, broadcast: bool = False
) -> dict[Hashable, int]:
    """Size of every index; the terms may hold the user's letters or our integers.

    With `broadcast`, an axis of size one fits any size.
    """
    first_seen: dict[Hashable, tuple[int, int]] = {}  # index -> (size, operand)
    for n, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        for index, size in zip(term, shape, strict=True):
            if broadcast and size == 1 and list(term).count(index) == 1:
                continue
            expected, m = first_seen.setdefault(index, (size, n))
            if size != expected:
                raise ShapeError(
                    f"index {index!r} has size {expected} in operand {m} "
                    f"(subscripts {_show(terms[m])}, shape {shapes[m]}) but size {size} in operand "
                    f"{n} (subscripts {_show(term)}, shape {shape}); "
                    "make the two axes equal or give them different letters"
                )
    return {index: size for index, (size, _) in first_seen.items()}


def _show(term: Sequence[Hashable]) -> str:
    """Show a term as the user wrote it: letters as a string, a sublist as a list."""
    return repr("".join(map(str, term))) if all(isinstance(i, str) for i in term) else repr([*term])


def parse(
    subscripts: str | tuple[Sequence[Sequence[Hashable]], Sequence[Hashable] | None],
    shapes: Sequence[Shape],
) -> tuple[tuple[Subscripts, ...], Subscripts]:
    """Parse subscripts against the shapes they are for.

    Parameters
    ----------
    subscripts : str or (terms, out)
        ``"ij,jk->ik"``; or NumPy's sublist form, split into the terms and the output (or None).
        An ellipsis stands for the leading axes that broadcast.
    shapes : one shape per operand

    Returns
    -------
    terms, out : integer subscripts; axes of size one that broadcast against a larger size have
        no number in common with it, so the caller sees plain sizes only.

    Raises
    ------
    SubscriptsError
        If the text is not a valid einsum.
    ShapeError
        If the shapes do not fit it.
    """
    plain = str.__str__(subscripts) if isinstance(subscripts, str) else ""  # of no subclass
    terms, out = _split(plain) if isinstance(subscripts, str) else subscripts
    shown = cut(repr(plain) if isinstance(subscripts, str) else f"{[*terms]} -> {out}")
    if len(terms) != len(shapes):
        raise SubscriptsError(
            f"einsum subscripts {shown} have {len(terms)} terms but {len(shapes)} operands were "
            "given; write one comma-separated term per operand"
        )
    letters, ellipsis = _expand_ellipsis(terms, shapes, shown)
    index_sizes(letters, shapes, broadcast=True)
    if out is not None and ellipsis and Ellipsis not in out:
        raise SubscriptsError(
            f"einsum subscripts {shown}: the ellipsis stands for {len(ellipsis)} axes that the "
            "output does not name; write '...' in the output, or sum them with np.sum"
        )
    if out is None:
        count = Counter(i for term in letters for i in term)
        free = [i for i in count if count[i] == 1 and i not in ellipsis]
        full_out = [*ellipsis, *sorted(free)]  # type: ignore[type-var]
    else:
        full_out = [j for i in out for j in (ellipsis if i is Ellipsis else [i])]
    known = {i for term in letters for i in term}
    for index, times in Counter(full_out).items():
        if index not in known:
            raise SubscriptsError(
                f"einsum subscripts {shown}: output index {index!r} is in no operand; remove it, "
                "or broadcast with np.broadcast_to"
            )
        if times > 1:
            raise SubscriptsError(
                f"einsum subscripts {shown}: output index {index!r} is repeated; "
                "use np.diag or multiply by np.eye to put values on a diagonal"
            )
    return renumber(letters, full_out)


def _split(subscripts: str) -> tuple[list[list[Hashable]], list[Hashable] | None]:
    """Split the text form into terms and output; every ``...`` becomes one ``Ellipsis``."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = [_characters(term, subscripts) for term in left.split(",")]
    return terms, _characters(right, subscripts) if arrow else None


def _characters(term: str, subscripts: str) -> list[Hashable]:
    before, dots, after = term.partition("...")
    for character in before + after:
        if character not in _LETTERS and character.isascii():
            raise SubscriptsError(
                f"einsum subscripts {cut(repr(subscripts))}: {character!r} is not a letter; use "
                "a-z and A-Z, ',' between operands, '->' before the result, '...' for leading axes"
            )
    return [*before, *([Ellipsis] if dots else []), *after]


def _expand_ellipsis(
    terms: Sequence[Sequence[Hashable]], shapes: Sequence[Shape], shown: str
) -> tuple[list[list[Hashable]], list[Hashable]]:
    """Replace each ellipsis by named indices, aligned at the right as broadcasting does."""
    expanded = []
    widest: list[Hashable] = []
    for n, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        spare = len(shape) - len([i for i in term if i is not Ellipsis])
        if spare < 0 or (spare > 0 and Ellipsis not in term):
            raise SubscriptsError(
                f"einsum subscripts {shown}: operand {n} has {len(shape)} axes (shape {shape}) but "
                f"its term names {len(shape) - spare}; write one index per axis"
            )
        named: list[Hashable] = [f"...{spare - k}" for k in range(spare)]
        widest = max(widest, named, key=len)
        expanded.append([j for i in term for j in (named if i is Ellipsis else [i])])
    return expanded, widest


def broadcast(shapes: Sequence[Shape]) -> Shape | None:
    """Broadcast shapes as NumPy does, of any number of axes and any size; None: they do not fit.

    >>> broadcast([(3, 1), (4,)])
    (3, 4)
    """
    longest = max(shapes, key=len, default=())
    if all(shape == longest for shape in shapes):
        return longest
    result = list(longest)
    for shape in shapes:
        for axis, size in enumerate(shape, len(longest) - len(shape)):
            if size != result[axis] and size != 1:
                if result[axis] != 1:
                    return None
                result[axis] = size
    return tuple(result)


def broadcast_sizes(
    terms: Sequence[Subscripts], shapes: Sequence[Shape]
) -> tuple[tuple[Subscripts, ...], Mapping[int, int]]:
    """Give axes of size one that meet a larger size an index of their own.

    einsum broadcasts size one against any size; path searches do not all know that, so it is
    resolved once, here. Returns the new terms and the size of every old index.
    """
    sizes: dict[int, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for index, size in zip(term, shape, strict=True):
            if sizes.get(index, 1) == 1:
                sizes[index] = size
    fresh = 1 + max(sizes, default=-1)
    new_terms = []
    for term, shape in zip(terms, shapes, strict=True):
        new = list(term)
        for axis, (index, size) in enumerate(zip(term, shape, strict=True)):
            if size == 1 and sizes[index] != 1:
                new[axis], fresh = fresh, fresh + 1
        new_terms.append(tuple(new))
    return tuple(new_terms), sizes

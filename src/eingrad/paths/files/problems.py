"""Problems of JSON: our own format, of which `docs/networks.md` describes every field.

In: a document that is not trusted. Out: a `Problem`.
Guaranteed: its parts have been checked one by one, so an error names the place.

>>> term = {"operands": ["A", "A"], "indices": [["i", "j"], ["k", "j"]]}
>>> document = {"format": "eingrad-problem", "version": 1, "sizes": {"i": 2, "j": 3, "k": 2}}
>>> document |= {"operands": {"A": {}}, "outputs": [{"indices": ["i", "k"], "terms": [term]}]}
>>> problem_from_json(document).operands["A"].shape
(2, 3)
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from eingrad._mode import directions_of, is_mode
from eingrad._shown import cut, shown
from eingrad.errors import EingradError
from eingrad.paths.files.document import Found, check_name
from eingrad.paths.files.linear import linear_paths
from eingrad.paths.files.schedules import DTYPES, read_schedule
from eingrad.paths.problem import KINDS, Operand, Output, Problem, Term

FORMAT = "eingrad-problem"
VERSION = 1
MOST_INDICES = 1_000_000  # of all operands of all terms
MOST_SYMMETRIC = 8  # axes that may change places: a random array is averaged over all their orders
MOST_LETTERS = 100  # of the name of an index
_OPTIONAL = ("name", "provenance", "best", "pure", "primal")


def problem_from_json(document: Any, file: str = "the document") -> Problem:
    """Read a problem from what `json.loads` gives.

    Parameters
    ----------
    document : dict
        As `problem_to_json` gives it.
    file : str
        What an error calls it.

    Returns
    -------
    Problem
        With no `known` values: those are drawn at random.

    Raises
    ------
    FileError
        If it is no problem; says where.
    """
    return read_problem_document(Found(document, file))


def read_problem_document(found: Found) -> Problem:
    """Read a problem."""
    fields = found.fields("format", "version", "sizes", "operands", "outputs", optional=_OPTIONAL)
    fields["format"].choice(FORMAT)
    if fields["version"].value != VERSION or type(fields["version"].value) is not int:
        fields["version"].fail(
            f"this is version {shown(fields['version'].value)} of the format; this eingrad reads "
            f"version {VERSION}"
        )
    sizes = read_sizes(fields["sizes"])
    shapes: dict[str, tuple[int, ...]] = {}
    outputs = _read_outputs(fields["outputs"], sizes, fields["operands"], shapes)
    if not outputs:
        fields["outputs"].fail("a problem needs an output at least")
    primal: tuple[Output, ...] = ()
    if "primal" in fields:
        primal = _read_outputs(fields["primal"], sizes, fields["operands"], shapes)
    operands = {
        name: _read_operand(_named(entry, name), shapes.get(name))
        for name, entry in fields["operands"].entries()
    }
    texts = {k: fields[k].text() if k in fields else "" for k in ("name", "provenance")}
    told = texts["provenance"]
    problem = made(found, texts["name"], outputs, operands, sizes, provenance=told, primal=primal)
    best = _read_best(fields["best"], problem) if "best" in fields else {}
    pure = _read_pure(fields["pure"], problem) if "pure" in fields else {}
    return dataclasses.replace(problem, best=best, pure=pure)


def made(
    found: Found,
    name: str,
    outputs: tuple[Output, ...],
    operands: Mapping[str, Operand],
    sizes: Mapping[str, int],
    **more: Any,
) -> Problem:
    """Make a problem; what it finds wrong itself is an error of the document."""
    try:
        return Problem(name, outputs, operands, sizes, **more)
    except (EingradError, ValueError) as error:
        found.fail(str(error))


def read_sizes(found: Found) -> dict[str, int]:
    """Read the size of each index."""
    sizes = {}
    for label, size in found.entries():
        _check_label(size, label)
        sizes[label] = size.integer()
    return sizes


def _check_label(place: Found, label: str) -> None:
    check_name(place, label)
    if not label or any(c.isspace() for c in label) or len(label) > MOST_LETTERS:
        place.fail(
            f"{shown(label)} cannot name an index; a name has 1 to {MOST_LETTERS} letters, no space"
        )


def read_labels(found: Found, sizes: Mapping[str, int]) -> tuple[str, ...]:
    """Read indices, each of which has a size."""
    labels = []
    for item in found.items("indices"):
        label = item.text()
        if label not in sizes:
            item.fail(f"the index {shown(label)} has no size; give it one in 'sizes'")
        labels.append(label)
    return tuple(labels)


def read_output_labels(found: Found, sizes: Mapping[str, int]) -> tuple[str, ...]:
    """Read the indices of an output, each once."""
    labels = read_labels(found, sizes)
    if len({*labels}) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        found.fail(f"the index {shown(twice)} stands twice; an output has each once")
    return labels


def _named(entry: Found, name: str) -> Found:
    check_name(entry, name)
    if not name:
        entry.fail("an operand needs a name")
    return entry


def _read_outputs(
    found: Found, sizes: Mapping[str, int], operands: Found, shapes: dict[str, tuple[int, ...]]
) -> tuple[Output, ...]:
    """Read outputs; note the shapes that the indices say."""
    names = {name for name, _ in operands.entries()}
    outputs, count = [], 0
    for item in found.items("outputs"):
        fields = item.fields("indices", "terms", optional=("result_axes",))
        labels = read_output_labels(fields["indices"], sizes)
        axes = len(labels) // 2
        if "result_axes" in fields:
            axes = fields["result_axes"].integer(0, len(labels))
        terms = []
        for place in fields["terms"].items("terms"):
            term = _read_term(place, sizes, names, shapes)
            count += sum(map(len, term.indices)) + len(term.operands)
            if count > MOST_INDICES:
                place.fail(f"the terms up to here have over {MOST_INDICES:,} operands and indices")
            check_carried(fields["indices"], labels, term)
            terms.append(term)
        if not terms:
            fields["terms"].fail("an output needs a term at least")
        outputs.append(Output(labels, tuple(terms), axes))
    return tuple(outputs)


def check_carried(found: Found, labels: tuple[str, ...], term: Term) -> None:
    """Refuse an index of the output that no operand of a term has."""
    carried = {label for term_labels in term.indices for label in term_labels}
    for n, label in enumerate(labels):
        if label not in carried:
            Found(label, found.file, found, n).fail(
                f"no operand of the term of {cut(', '.join(term.operands))} has the index "
                f"{shown(label)}; let an operand of each term have it"
            )


def _read_term(
    found: Found,
    sizes: Mapping[str, int],
    names: set[str],
    shapes: dict[str, tuple[int, ...]],
) -> Term:
    fields = found.fields("operands", "indices", optional=("coefficient",))
    operands = []
    for item in fields["operands"].items("operands"):
        name = item.text()
        if name not in names:
            item.fail(f"there is no operand {shown(name)}; describe it in 'operands'")
        operands.append(name)
    places = fields["indices"].items("lists of indices")
    if not operands or len(places) != len(operands):
        found.fail(
            f"there are {len(operands)} operands, and indices for {len(places)}; give one list of "
            "indices for each of one operand or more"
        )
    indices = []
    for name, place in zip(operands, places, strict=True):
        labels = read_labels(place, sizes)
        shape = tuple([sizes[label] for label in labels])
        known = shapes.setdefault(name, shape)
        if shape != known:
            place.fail(
                f"these indices of operand {shown(name)} have sizes {shown(shape)}, others before "
                f"have {shown(known)}; make them agree"
            )
        indices.append(labels)
    coefficient = fields["coefficient"].number() if "coefficient" in fields else 1.0
    return Term(tuple(operands), tuple(indices), coefficient)


def _read_operand(found: Found, shape: tuple[int, ...] | None) -> Operand:
    fields = found.fields(optional=("shape", "dtype", "kind", "symmetric"))
    if "shape" in fields:
        said = fields["shape"].integers("sizes")
        if shape is not None and said != shape:
            fields["shape"].fail(
                f"{shown(said)} is said, but its indices have sizes {shown(shape)}"
            )
        shape = said
    if shape is None:
        found.fail("no term has this operand, so its shape is not known; add 'shape'")
    kind = fields["kind"].choice(*KINDS) if "kind" in fields else KINDS[0]
    if kind == "delta" and (len(shape) != 2 or shape[0] != shape[1]):  # noqa: PLR2004 - a square
        fields["kind"].fail(f"a delta is square, but this has shape {shown(shape)}")
    dtype = fields["dtype"].choice(*DTYPES) if "dtype" in fields else "float64"
    groups = fields["symmetric"].items("groups of axes") if "symmetric" in fields else []
    return Operand(shape, dtype, kind, tuple([_read_group(group, shape) for group in groups]))


def _read_group(found: Found, shape: tuple[int, ...]) -> tuple[int, ...]:
    axes = tuple([item.integer(0, len(shape) - 1) for item in found.items("axes", MOST_SYMMETRIC)])
    if not axes or len({*axes}) < len(axes) or len({shape[axis] for axis in axes}) > 1:
        found.fail(
            f"axes {shown(axes)} of shape {shown(shape)} cannot change places; name different axes "
            "of one size"
        )
    return axes


def _read_best(found: Found, problem: Problem) -> dict[str, Any]:
    best: dict[str, Any] = {}
    for key, item in found.entries():
        check_name(item, key)
        match key:
            case "flops" | "size":
                best[key] = item.integer(0, None)
            case "path":
                best[key] = linear_paths(item, problem)
            case "schedule":
                best[key] = read_schedule(item, problem)
            case _:
                best[key] = item.kept()
    return best


def _read_pure(found: Found, problem: Problem) -> dict[str, Any]:
    """Read a schedule for each mode, all of one order of differentiation."""
    schedules, orders = {}, set()
    for mode, item in found.entries():
        if not is_mode(mode):
            item.fail(
                f"{shown(mode)} is no mode; a mode is 'forward' or 'reverse', or such directions "
                "of each differentiation, the last one first, as 'forward over reverse'"
            )
        orders.add(len(directions_of(mode)))
        if len(orders) > 1:
            item.fail("modes are of one order of differentiation; this one has another")
        schedules[mode] = read_schedule(item, problem)
    return schedules

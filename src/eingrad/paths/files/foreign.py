"""Networks as others write them: cotengra, OMEinsum, and strings with shapes.

In: a document that is not trusted, recognised by its fields. Out: a `Problem` of one product.
Guaranteed: the operands keep their order, and are named ``A``, ``B``, ...; what a terminal cannot
print among the names of indices has another name. A path that the file holds is in `Problem.best`.

| who | fields |
|---|---|
| cotengra | `inputs`, `output`, `size_dict`; `path` or `ssa_path` |
| OMEinsum | `einsum`: (`ixs`, `iy`), `size`; or the three at the top |
| OMEinsum, a tree | `inputs`, `output`, `tree`: nested `args`, `eins`, `tensorindex`; `slices` |
| a string | `format_string`, `shapes`; `path` or `ssa_path` |
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from eingrad._shown import cut, shown
from eingrad.paths.files.document import MOST_ITEMS, Found, parse
from eingrad.paths.files.linear import linear_path
from eingrad.paths.files.problems import MOST_LETTERS, made
from eingrad.paths.files.trees import Tree, read_tree
from eingrad.paths.problem import Labels, Operand, Output, Problem, Term

_STRINGS = ("format_string", "subscripts", "equation")  # names of the field that holds the string
_LETTERS = 26


class Network(NamedTuple):
    """One product, as a file gives it."""

    found: Found
    places: Sequence[Found]  # of the terms
    terms: tuple[Labels, ...]
    out: Labels
    output: Found  # the place of these
    sizes: Mapping[str, int]
    by: str
    best: Mapping[str, Any] = {}


def read_foreign(found: Found, sizes: Mapping[str, int] | int, name: str) -> Problem:
    """Read what others write; `sizes` are those that the document does not give."""
    fields = found.fields(optional=None)
    if "tree" in fields or "isleaf" in fields:
        network = _tree(found, fields)
    elif "ixs" in fields or "einsum" in fields:
        network = _omeinsum(found, fields)
    elif "size_dict" in fields or "inputs" in fields:
        found.fields("inputs", "output", optional=None)
        network = _product(found, fields["inputs"], fields["output"], "cotengra", fields)
    elif any(name in fields for name in _STRINGS):
        network = _string(found, fields)
    else:
        found.fail(
            "this is no network that is known by its fields: there is no 'format' (eingrad), "
            "'inputs' (cotengra), 'einsum' or 'ixs' (OMEinsum), or 'format_string'; it has "
            f"{cut(', '.join(map(shown, fields))) or 'none'}"
        )
    return _problem(network, sizes, name)


def _product(
    found: Found, inputs: Found, output: Found, by: str, fields: Mapping[str, Found]
) -> Network:
    places = inputs.items("operands")
    terms, out = (
        tuple([read_labels(place) for place in places]),
        read_labels(output),
    )
    sizes = _read_sizes(next((fields[k] for k in ("size_dict", "size") if k in fields), None))
    return Network(found, places, terms, out, output, sizes, by, _read_path(fields, len(terms)))


def _omeinsum(found: Found, fields: Mapping[str, Found]) -> Network:
    inner = fields["einsum"].fields("ixs", "iy", optional=None) if "einsum" in fields else fields
    found.fields(*(() if "einsum" in fields else ("ixs", "iy")), optional=None)
    return _product(found, inner["ixs"], inner["iy"], "OMEinsum", fields)


def _tree(found: Found, fields: Mapping[str, Found]) -> Network:
    tree: Tree = read_tree(fields.get("tree", found), read_labels)
    sizes = _read_sizes(fields.get("size"))
    best: dict[str, Any] = {"path": (tree.path,), "by": "OMEinsum"}
    if "slices" in fields:
        best["slices"] = tuple([_label(item) for item in fields["slices"].items("indices")])
    for name, said in (("inputs", tree.terms), ("output", tree.out)):
        if name not in fields:
            continue
        given: Any = (
            tuple([read_labels(place) for place in fields[name].items("operands")])
            if name == "inputs"
            else read_labels(fields[name])
        )
        if given != said:
            fields[name].fail("these are not the indices that the tree has for them")
    return Network(found, tree.places, tree.terms, tree.out, found, sizes, "OMEinsum", best)


def _string(found: Found, fields: Mapping[str, Found]) -> Network:
    place = next(fields[name] for name in _STRINGS if name in fields)
    text = place.value
    if type(text) is not str:
        place.fail(f"{shown(text)} is no text; write subscripts")
    terms, out = split(place, text)
    sizes = _read_sizes(fields.get("size_dict"))
    places: Sequence[Found] = [place] * len(terms)
    if "shapes" in fields:
        places = fields["shapes"].items("shapes")
        sizes = {**sizes, **_sizes_of(places, terms, fields["shapes"])}
    return Network(
        found, places, terms, out, place, sizes, "string", _read_path(fields, len(terms))
    )


def split(place: Found, text: str) -> tuple[tuple[Labels, ...], Labels]:
    """Split subscripts, of any letters, and with an arrow or without."""
    left, arrow, right = "".join(text.split()).partition("->")
    if ">" in left + right or "." in text or "," in right or not left + arrow:
        place.fail(f"{shown(text)} are no subscripts; write them as in 'ij,jk->ik'")
    terms = tuple([tuple(term) for term in left.split(",")])
    if len(terms) > MOST_ITEMS:
        place.fail(f"there are {len(terms):,} operands, more than {MOST_ITEMS:,}")
    letters = [*itertools.chain(*terms)]
    once = [letter for letter, times in Counter(letters).items() if times == 1]
    out = tuple(right) if arrow else tuple(sorted(once))
    return terms, out


def _sizes_of(places: Sequence[Found], terms: Sequence[Labels], found: Found) -> dict[str, int]:
    """Read the size of each index off the shapes."""
    if len(places) != len(terms):
        found.fail(f"there are {len(places)} shapes for {len(terms)} operands; give one for each")
    sizes: dict[str, int] = {}
    for place, term in zip(places, terms, strict=True):
        shape = place.integers("sizes")
        if len(shape) != len(term):
            place.fail(f"{shown(shape)} has {len(shape)} axes, its indices are {len(term)}")
        for label, size in zip(term, shape, strict=True):
            if sizes.setdefault(label, size) != size:
                place.fail(
                    f"the index {shown(label)} has size {size} here and {sizes[label]} before; "
                    "make them agree"
                )
    return sizes


def read_lines(text: str, file: str) -> Found:
    """Read subscripts in the first line, and shapes in those below, as a document.

    The shapes are a list as JSON or Python writes it: ``[[2, 3], [3, 4]]``, ``[(2, 3), (3,)]``.
    """
    first, _, rest = text.strip().partition("\n")
    whole = Found({"format_string": first.strip()}, file)
    if not rest.strip():
        return whole
    if re.sub(r"[\s\d\[\](),]", "", rest):
        Found(rest, file, whole, "line 2").fail(
            "below the subscripts there is a list of shapes, such as [[2, 3], [3, 4]], or nothing"
        )
    listed = re.sub(r",(\s*\])", r"\1", rest.translate(str.maketrans("()", "[]")))
    return Found({**whole.value, "shapes": parse(listed, f"{file}, shapes").value}, file)


# Parts -------------------------------------------------------------------------------------------


def read_labels(found: Found) -> Labels:
    """Read indices: a list of texts and integers, or a text of letters."""
    if type(found.value) is str:
        return tuple(found.value)
    return tuple([_label(item) for item in found.items("indices")])


def _label(found: Found) -> str:
    value = found.value
    if type(value) is int:
        return str(found.integer(-(1 << 62), 1 << 62))
    if type(value) is not str:
        found.fail(f"{shown(value)} cannot name an index; a name is a text, or an integer")
    if len(value) > MOST_LETTERS:
        found.fail(f"{shown(value)} cannot name an index: it has over {MOST_LETTERS} letters")
    return str(value)


def _read_sizes(found: Found | None) -> dict[str, int]:
    return {} if found is None else {label: size.integer() for label, size in found.entries()}


def _read_path(fields: Mapping[str, Found], count: int) -> dict[str, Any]:
    if "path" in fields:
        form = fields["format"].choice("linear", "ssa") if "format" in fields else "linear"
        return {"path": (linear_path(fields["path"], count, form),)}
    if "ssa_path" in fields:
        return {"path": (linear_path(fields["ssa_path"], count, "ssa"),)}
    return {}


def _problem(network: Network, more: Mapping[str, int] | int, name: str) -> Problem:
    found, terms, out = network.found, network.terms, network.out
    if not terms:
        found.fail("there are no operands; a network has one at least")
    sizes: dict[str, int] = {}
    for place, term in zip(network.places, terms, strict=True):
        for label in term:
            if label in sizes:
                continue
            size = network.sizes.get(label, more if isinstance(more, int) else more.get(label))
            if size is None:
                place.fail(f"the index {shown(label)} has no size; the file has to give it one")
            sizes[label] = size
    if len({*out}) < len(out):
        network.output.fail(
            f"the output {shown(' '.join(out))} has an index twice; write each once"
        )
    missing = [label for label in out if label not in sizes]
    if missing:
        network.output.fail(f"no operand has the index {shown(missing[0])}; let one have it")
    names = _printable(itertools.chain(*terms, out))
    product = Term(
        tuple([operand_name(n, len(terms)) for n in range(len(terms))]),
        tuple([tuple([names[label] for label in labels]) for labels in terms]),
    )
    wanted = tuple([names[label] for label in out])
    output = Output(wanted, (product,), len(wanted) // 2)
    operands = {
        operand: Operand(tuple([sizes[label] for label in old]))
        for operand, old in zip(product.operands, terms, strict=True)
    }
    known = {names[label]: size for label, size in sizes.items()}
    where = f"{network.by} file"
    return made(found, name, (output,), operands, known, provenance=where, best=network.best)


def operand_name(n: int, count: int) -> str:
    """Name an operand of one product, as `of_einsum` does."""
    return chr(ord("A") + n) if count <= _LETTERS else f"A{n}"


def _printable(labels: Iterable[str]) -> dict[str, str]:
    """Give each index a name that can be printed: its own, or one made of the codes of its letters.

    Libraries take letters in the order of Unicode, some of which nobody has assigned.
    """
    old = [*dict.fromkeys(labels)]
    names = {label: label for label in old if _is_printable(label)}
    taken = {*names}
    for label in old:
        if label not in names:
            name = "u" + "_".join(f"{ord(c):04x}" for c in label)
            while name in taken:
                name += "'"
            taken.add(name)
            names[label] = name
    return names


def _is_printable(label: str) -> bool:
    return bool(label) and label.isprintable() and not any(c.isspace() for c in label)

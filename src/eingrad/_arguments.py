"""What arguments and the items in them are called, and how two nestings differ.

In: names of parameters, nestings. Out: labels for messages, identifiers for inputs.
Guaranteed: a label is cut short; an identifier is ASCII, of letters, digits and underscores, and no
other leaf has it.

>>> from eingrad._tree import flatten
>>> trees = [flatten(value)[1] for value in (1.0, {"gamma": 1.0, "a b": (2.0, 3.0)})]
>>> labels(["x", "p"], trees)
['x', 'p["gamma"]', 'p["a b"][0]', 'p["a b"][1]']
>>> identifiers(["x", "p"], trees)
['x', 'p_gamma', 'p_a_b_0', 'p_a_b_1']
"""

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from eingrad._exact import exact
from eingrad._shown import cut, shown
from eingrad._tree import LEAF, Tree, flatten

_LONGEST = 40  # letters of a key in a label or an identifier
_MOST = 3  # names that a message lists
_KINDS: dict[Any, str] = {list: "list", tuple: "tuple"}


def roots(positional: Sequence[str], count: int, keywords: Sequence[str]) -> list[str]:
    """Name all arguments by their parameters: positional ones, then keywords; else by place."""
    known = len(positional)
    if count <= known and not keywords:
        return [*positional[:count]]
    names = [positional[n] if n < known else f"x{n}" for n in range(count)]
    names += [exact(keyword) or f"x{n}" for n, keyword in enumerate(keywords, count)]
    if len({*names}) < len(names):  # def f(x, /, **more), called with another x
        names = [f"{name}{'_' * names[:n].count(name)}" for n, name in enumerate(names)]
    return names


def label_leaves(names: Sequence[str], trees: Sequence[Tree]) -> dict[str, str]:
    """Give the identifier of every leaf, in order, and its label; not to be changed."""
    if trees.count(LEAF) == len(trees):
        return dict(zip(names, names, strict=True))
    return _label_leaves((*names,), (*trees,))


@functools.lru_cache(maxsize=256)
def _label_leaves(names: tuple[str, ...], trees: tuple[Tree, ...]) -> dict[str, str]:
    return dict(zip(identifiers(names, trees), labels(names, trees), strict=True))


def labels(names: Sequence[str], trees: Sequence[Tree]) -> list[str]:
    """Name every leaf as the user would reach it: ``p["a"][1]``."""
    found = []
    for name, tree in zip(names, trees, strict=True):
        if tree is LEAF:
            found.append(name)
        else:
            found += [name + "".join(steps) for steps, _ in _leaves(tree)]
    return found


def identifiers(names: Sequence[str], trees: Sequence[Tree]) -> list[str]:
    """Name every leaf by an identifier, that of the parameter and of the keys: ``p_a_1``."""
    if all(tree is LEAF for tree in trees):
        return [*names]
    taken = {name for name, tree in zip(names, trees, strict=True) if tree is LEAF}
    found = []
    for name, tree in zip(names, trees, strict=True):
        if tree is LEAF:
            found.append(name)
            continue
        for _, keys in _leaves(tree):
            made = "_".join([name, *filter(None, map(_word, keys))])
            while made in taken:
                made += "_"
            taken.add(made)
            found.append(made)
    return found


def _leaves(
    tree: Tree, steps: tuple[str, ...] = (), keys: tuple[Any, ...] = ()
) -> Iterator[tuple[tuple[str, ...], tuple[Any, ...]]]:
    """Give for every leaf the steps that lead to it, as written and as keys."""
    if tree.kind is None:
        yield steps, keys
        return
    for key, branch in zip(_keys(tree), tree.branches, strict=True):
        yield from _leaves(branch, (*steps, _step(tree, key)), (*keys, key))


def _keys(tree: Tree) -> Sequence[Any]:
    if issubclass(tree.kind, dict):
        return tree.keys
    return getattr(tree.kind, "_fields", range(len(tree.branches)))


def _step(tree: Tree, key: Any) -> str:
    """Write how an item is reached: ``[0]``, ``["a"]``, ``.a``."""
    if hasattr(tree.kind, "_fields"):
        return f".{key}"
    return f"[{_key(key)}]"


def _key(key: Any) -> str:
    text = f'"{key}"' if type(key) is str and key.isprintable() and '"' not in key else shown(key)
    return cut(text, _LONGEST)


def _word(key: Any) -> str:
    """Make a part of an identifier of a key; "" of what has no letters."""
    text = str(key) if type(key) in (str, int) else ""
    return re.sub(r"[^A-Za-z0-9]+", "_", text[:_LONGEST]).strip("_")


# Lists that should be arrays ---------------------------------------------------------------------


def lists_in(name: str, value: Any) -> Iterator[tuple[str, Any, list[int]]]:
    """Give lists and tuples that NumPy would take for arrays: name, value, ids of all in them."""
    leaves, tree = flatten(value)
    if tree.kind is None:
        return
    if tree.is_sequence and _is_regular(tree) and len({np.shape(leaf) for leaf in leaves}) == 1:
        yield name, value, [*_ids(value, tree)]
        return
    for key, item in zip(_keys(tree), _items(value, tree), strict=True):
        yield from lists_in(name + _step(tree, key), item)


def _items(value: Any, tree: Tree) -> list[Any]:
    return [value[key] for key in tree.keys] if issubclass(tree.kind, dict) else [*value]


def _is_regular(tree: Tree) -> bool:
    return all(b == tree.branches[0] and (b.kind is None or _is_regular(b)) for b in tree.branches)


def _ids(value: Any, tree: Tree) -> Iterator[int]:
    yield id(value)
    for item, branch in zip(value, tree.branches, strict=True):
        if branch.kind is not None:
            yield from _ids(item, branch)


# How two nestings differ -------------------------------------------------------------------------


def difference(name: str, made: Tree, given: Tree) -> str:
    """Say where an argument is nested in another way than it was when a plan was made."""
    if made == given:
        return ""
    argument = f"argument {name!r}"
    if made.kind is None:
        remedy = f": pass np.array({name})" if given.is_sequence else ""
        return f"{argument} is {_kind(given)}, but the plan was made for an array there{remedy}"
    if given.kind is None:
        return f"{argument} is one value, but the plan was made for {_kind(made)} there"
    if made.kind is not given.kind:
        return f"{argument} is {_kind(given)}, but the plan was made for {_kind(made)} there"
    if issubclass(made.kind, dict):
        missing = [key for key in made.keys if key not in given.keys]
        extra = [key for key in given.keys if key not in made.keys]
        if missing:
            return f"{argument} has no key {_list(missing)}"
        if extra:
            return f"{argument} has an unexpected key {_list(extra)}"
    elif len(made.branches) != len(given.branches):
        count = len(given.branches)
        return (
            f"{argument} has {count} item{'s' * (count != 1)}, but the plan was made for "
            f"{len(made.branches)}"
        )
    below = zip(_keys(made), made.branches, given.branches, strict=True)
    return next(filter(None, (difference(name + _step(made, k), m, g) for k, m, g in below)), "")


def calls_differ(names: Sequence[str], made: Tree, given: Tree) -> str:
    """Say how the arguments of a call, ``(args, kwargs)``, are not those of a plan."""
    (args, kwargs), (new_args, new_kwargs) = made.branches, given.branches
    if len(args.branches) != len(new_args.branches):
        count = len(new_args.branches)
        said = f"{count} positional argument{' was' if count == 1 else 's were'} given"
        return f"{said}, but the plan was made for {len(args.branches)}"
    missing = [key for key in kwargs.keys if key not in new_kwargs.keys]
    extra = [key for key in new_kwargs.keys if key not in kwargs.keys]
    if missing:
        return f"the keyword argument {_list(missing)} is missing"
    if extra:
        return f"the plan was made without a keyword argument {_list(extra)}"
    pairs = zip(
        names,
        (*args.branches, *kwargs.branches),
        (*new_args.branches, *new_kwargs.branches),
        strict=True,
    )
    return next(filter(None, (difference(name, m, g) for name, m, g in pairs)), "")


def _kind(tree: Tree) -> str:
    if tree.kind is None:
        return "an array"
    if issubclass(tree.kind, dict):
        keys = f" with keys {_list(tree.keys)}" if tree.keys else ""
        return f"a dict{keys}"
    return f"a {_KINDS.get(tree.kind, tree.kind.__name__)}"


def _list(keys: Sequence[Any]) -> str:
    more = f" and {len(keys) - _MOST} more" if len(keys) > _MOST else ""
    return ", ".join(cut(shown(key), _LONGEST) for key in keys[:_MOST]) + more

"""An independent reader of formulas: parse the text, evaluate it by its index notation with NumPy.

It knows nothing of the graph that was printed, only the text, the arrays of the names in it, and
the shape of the value, as a person would.

    sum_i<3,j A[i,j] x[2j+1]   sums over both; the range of j is the least axis it stands at alone
    delta[i+1,j]               one where the two positions agree, else zero
    p0 = [1, None, 0]          a table of positions; a term with a position that is None is zero
    a b / c**2 - d             a product by juxtaposition, which binds tighter than the division
"""

import operator
import re
from dataclasses import dataclass
from functools import reduce

import numpy as np

NUMBER = re.compile(r"(\d+\.?\d*(?:[eE][+-]?\d+)?j?)|(?:nan|inf)j?\b")
NAME = re.compile(r"[^\W\d]\w*")
SUM = re.compile(r"sum_([^\s()\[\]]+) ")
LINE = re.compile(r"(\w+)?(?:\[([^\]]*)\])? = ")
TESTS = {
    "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le,
    ">": operator.gt, "<": operator.lt,
}  # fmt: skip


def read(text, arrays, shape):
    """Value of a formula, given the arrays that its names stand for and the shape of the value."""
    reader = Reader(dict(arrays))
    *lines, last = text.split("\n")
    for line in lines:
        match = LINE.match(line)
        reader.arrays[match[1]] = reader.line(match, line[match.end() :])
    match = LINE.match(last)
    rest = last[match.end() :] if match and not match[1] else last
    return reader.line(match if rest != last else None, rest, shape)


def check_latex(text):
    """Raise where braces, brackets or environments do not match, or Python shows through."""
    depth = 0
    for token in re.findall(r"\\\\|\\[{}]|[{}]", text):
        depth += {"{": 1, "}": -1}.get(token, 0)
        if depth < 0:
            break
    if depth:
        raise ValueError(f"braces do not match: {text}")
    for left, right in ((r"\\left\b", r"\\right\b"), (r"\\begin\b", r"\\end\b")):
        if len(re.findall(left, text)) != len(re.findall(right, text)):
            raise ValueError(f"{left} without {right}: {text}")
    raw = re.search(r"[%#]|\b(None|True|False)\b|\d[eE][+-]?\d|\*\*|//|<[bcfi]\d", text)
    if raw:
        raise ValueError(f"{raw[0]!r} is not LaTeX: {text}")


# Parsing -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Tree:
    """What was parsed: a kind, and what belongs to it."""

    kind: str
    parts: tuple


class Parser:
    """One formula, read from left to right."""

    def __init__(self, text, delta):
        self.text, self.at, self.delta = text, 0, delta

    def sees(self, word):
        return self.text.startswith(word, self.at)

    def takes(self, word):
        found = self.sees(word)
        self.at += len(word) if found else 0
        return found

    def must(self, word):
        if not self.takes(word):
            raise ValueError(f"expected {word!r} at {self.text[self.at : self.at + 40]!r}")

    def match(self, pattern):
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return found

    def whole(self):
        tree = self.test()
        if self.at < len(self.text):
            raise ValueError(f"left over: {self.text[self.at : self.at + 40]!r}")
        return tree

    def test(self):
        left = self.total()
        for word in TESTS:
            if self.takes(f" {word} "):
                return Tree("test", (word, left, self.total()))
        return left

    def total(self):
        terms = [self.term()]
        while True:
            if self.takes(" + ") or self.takes("+"):
                terms.append(self.term())
            elif self.takes(" - ") or self.takes("-"):
                terms.append(Tree("minus", (self.term(),)))
            else:
                return Tree("plus", tuple(terms)) if len(terms) > 1 else terms[0]

    def term(self):
        if self.takes("-"):
            return Tree("minus", (self.term(),))
        found = self.match(SUM)
        if found:
            heads = re.split(",", found[1]) if re.search("[,<]", found[1]) else list(found[1])
            return Tree("sum", (tuple(map(head, heads)), self.product()))
        left = self.product()
        if self.takes(" / ") or (not self.sees("//") and self.takes("/")):
            return Tree("divide", (left, self.product()))
        return left

    def product(self):
        factors = [self.power()]
        while re.match(r" [\w(]", self.text[self.at : self.at + 2]):
            self.must(" ")
            factors.append(self.power())
        return Tree("product", tuple(factors)) if len(factors) > 1 else factors[0]

    def power(self):
        base = self.atom()
        if self.takes("**"):
            sign = self.takes("-")
            exponent = self.atom()
            return Tree("power", (base, Tree("minus", (exponent,)) if sign else exponent))
        return base

    def atom(self):
        if self.takes("("):
            tree = self.test()
            if self.sees(","):
                trees = [tree]
                while self.takes(", "):
                    trees.append(self.test())
                tree = Tree("tuple", tuple(trees))
            self.must(")")
            return tree
        number = self.match(NUMBER)
        if number:
            return Tree("number", (complex(number[0]) if "j" in number[0] else float(number[0]),))
        flag = self.match(re.compile(r"(True|False)\b"))
        if flag:
            return Tree("number", (flag[0] == "True",))
        name = self.match(NAME)
        if not name:
            raise ValueError(f"no factor at {self.text[self.at : self.at + 40]!r}")
        return self.indexed(self.called(name[0]))

    def called(self, name):
        tree = Tree("name", (name,))
        if self.takes("("):
            tree = Tree("call", (name, *self.arguments()))
        while self.takes("."):
            word = self.match(re.compile(r"\d+|\w+"))[0]
            if word.isdigit():
                tree = Tree("result", (tree, int(word)))
            else:
                self.must("(")
                given, options = self.arguments()
                tree = Tree("call", (word, (tree, *given), options))
        return tree

    def arguments(self):
        given, options = [], {}
        while not self.takes(")"):
            keyword = self.match(re.compile(r"([a-z]+)=(?!=)"))
            if keyword:
                options[keyword[1]] = self.test()
            else:
                given.append(self.test())
            self.takes(", ")
        return tuple(given), options

    def indexed(self, base):
        if not self.takes("["):
            return base
        positions = [self.position()]
        while self.takes(","):
            positions.append(self.position())
        self.must("]")
        if base.kind == "name" and base.parts[0] == self.delta:
            return Tree("delta", tuple(positions))
        return Tree("entry", (base, tuple(positions)))

    # Positions: 2i+1, 4(i//2)+j%3, p0[i]

    def position(self):
        parts = [self.part()]
        while self.sees("+") or self.sees("-"):
            self.takes("+")
            parts.append(self.part())
        return Tree("plus", tuple(parts)) if len(parts) > 1 else parts[0]

    def part(self):
        if self.takes("-"):
            return Tree("minus", (self.part(),))
        tree = self.scaled()
        while True:
            if self.takes("//"):
                tree = Tree("quotient", (tree, self.scaled()))
            elif self.takes("%"):
                tree = Tree("remainder", (tree, self.scaled()))
            else:
                return tree

    def scaled(self):
        number = self.match(re.compile(r"\d+"))
        if number:
            tree = Tree("integer", (int(number[0]),))
            more = re.match(r"[^\W\d]|\(", self.text[self.at : self.at + 1])
            return Tree("scaled", (tree, self.scaled())) if more else tree
        if self.takes("("):
            tree = self.position()
            self.must(")")
            return tree
        table = self.match(re.compile(r"([^\W\d]\w+)\["))
        if table:
            row = self.position()
            self.must("]")
            return Tree("table", (table[1], row))
        return Tree("letter", (self.match(re.compile(r"[^\W\d]"))[0],))


def head(text):
    """An index and its range, None where it is not told: ``i<3``."""
    index, _, size = text.partition("<")
    return index, int(size) if size else None


# Evaluation --------------------------------------------------------------------------------------


class Reader:
    """Evaluates lines. A value is an array with the letters of its first axes."""

    def __init__(self, arrays):
        self.arrays = arrays
        self.calls = {}

    def line(self, match, text, shape=None):
        if text.startswith(("[", "constant")):
            return self.listed(text)
        delta = "kronecker" if "delta" in self.arrays else "delta"
        tree = Parser(text, delta).whole()
        heads = [head(h) for h in match[2].split(",")] if match and match[2] else []
        sizes = {}
        for n, (index, told) in enumerate(heads):
            size = told if told is not None else self.least(tree, index)
            if shape is not None and size not in (None, shape[n]):
                raise ValueError(f"{index} seems to be below {size}, the value has {shape}: {text}")
            if shape is None and size is None:
                raise ValueError(f"the range of {index} is not to be seen: {text}")
            sizes[index] = size if shape is None else shape[n]
        value, letters = self.value(tree, sizes)
        return np.broadcast_to(
            aligned(value, letters, tuple(sizes)), tuple(sizes.values()), subok=False
        )

    @staticmethod
    def listed(text):
        """Entries of a constant or a table, as Python would read them; nowhere is -1."""
        shape = re.match(r"constant of shape (.*)", text)
        if shape and 0 not in eval(shape[1]):
            raise ValueError(f"{text!r} does not tell its entries")
        words = {
            "nan": np.nan,
            "inf": np.inf,
            "nanj": complex(0, np.nan),
            "infj": complex(0, np.inf),
        }
        if shape:
            return np.zeros(eval(shape[1]))
        entries = eval(text, words)
        return np.array([-1 if entry is None else entry for entry in entries])

    def least(self, tree, index):
        """Size of the least axis at which an index stands alone."""
        found = []
        stack = [tree]
        while stack:
            tree = stack.pop()
            match tree.kind, tree.parts:
                case "sum", (heads, body):
                    stack += [] if any(index == i for i, _ in heads) else [body]
                case "entry", (base, positions):
                    shape = self.value(base, {})[0].shape
                    assert len(shape) == len(positions), "one position per axis"
                    pairs = zip(positions, shape, strict=True)
                    found += [n for p, n in pairs if p.kind == "letter" and p.parts[0] == index]
                    stack += positions
                case "table", (name, row):
                    alone = row.kind == "letter" and row.parts[0] == index
                    found += [len(self.arrays[name])] if alone else []
                    stack.append(row)
                case "call", (_, given, options):
                    stack += [*given, *options.values()]
                case _, parts:
                    stack += [p for p in parts if isinstance(p, Tree)]
        return min(found, default=None)

    def value(self, tree, sizes):
        """Value of a tree, and the letters of its first axes."""
        return getattr(self, f"value_of_{tree.kind}")(tree, sizes)

    def value_of_number(self, tree, _sizes):
        return np.asarray(tree.parts[0]), ()

    def value_of_name(self, tree, _sizes):
        return self.arrays[tree.parts[0]], ()

    def value_of_plus(self, tree, sizes):
        return self.each(lambda *terms: reduce(np.add, map(counted, terms)), tree.parts, sizes)

    def value_of_minus(self, tree, sizes):
        return self.each(lambda a: -counted(a), tree.parts, sizes)

    def value_of_divide(self, tree, sizes):
        return self.each(np.true_divide, tree.parts, sizes)

    def value_of_power(self, tree, sizes):
        return self.each(np.power, tree.parts, sizes)

    def value_of_test(self, tree, sizes):
        return self.each(TESTS[tree.parts[0]], tree.parts[1:], sizes)

    def value_of_product(self, tree, sizes):
        return self.contracted(tree.parts, (), sizes)

    def value_of_sum(self, tree, sizes):
        heads, body = tree.parts
        told = {i: n if n is not None else self.least(body, i) for i, n in heads}
        if None in told.values():
            raise ValueError(f"the range of a sum is not to be seen: {heads}")
        factors = body.parts if body.kind == "product" else (body,)
        return self.contracted(factors, tuple(told), {**sizes, **told})

    def value_of_delta(self, tree, sizes):
        (a, b), (valid, other), letters = self.placed(tree.parts, sizes)
        return counted((a == b) & valid & other), letters

    def value_of_entry(self, tree, sizes):
        base, positions = tree.parts
        return self.entry(self.value(base, {})[0], positions, sizes)

    def value_of_call(self, tree, sizes):
        if tree not in self.calls:
            self.calls[tree] = self.called(tree, sizes)
        return self.calls[tree]

    def value_of_result(self, tree, sizes):
        inner, n = tree.parts
        value, letters = self.value(inner, sizes)
        return value[n], letters

    def each(self, function, trees, sizes):
        """Apply a function to entries that stand at the same place."""
        values = [self.value(tree, sizes) for tree in trees]
        letters = tuple(dict.fromkeys(i for _, used in values for i in used))
        arrays = [aligned(a, used, letters) for a, used in values]
        with np.errstate(all="ignore"):
            return np.asarray(function(*arrays)), letters

    def contracted(self, factors, summed, sizes):
        values = [self.value(tree, sizes) for tree in factors]
        every = tuple(dict.fromkeys(i for _, used in values for i in used))
        kept = tuple(i for i in every if i not in summed)
        number = {i: n for n, i in enumerate(every)}
        pairs = []
        for a, used in values:
            pairs += [counted(a), [number[i] for i in used]]
        with np.errstate(all="ignore"):
            value = np.einsum(*pairs, [number[i] for i in kept], optimize=len(values) > 2)
        for index in summed:
            value = value if index in every else value * sizes[index]
        return np.asarray(value), kept

    def entry(self, array, positions, sizes):
        places, valid, letters = self.placed(positions, sizes)
        assert array.ndim == len(positions), "one position per axis"
        inside = np.ones((), bool)
        for place, ok, size in zip(places, valid, array.shape, strict=True):
            assert np.all(~ok | ((place >= 0) & (place < size))), "a position is out of range"
            inside = inside & ok
        if array.size == 0:
            return np.zeros(tuple(sizes[i] for i in letters)), letters
        taken = array[tuple(np.where(inside, place, 0) for place in places)]
        return np.where(inside, taken, np.zeros((), array.dtype)), letters

    def placed(self, positions, sizes):
        """Positions as integers over the letters of all, and whether they are anywhere."""
        found = [self.position(p, sizes) for p in positions]
        letters = tuple(dict.fromkeys(i for _, _, used in found for i in used))
        shape = tuple(sizes[i] for i in letters)
        full = [
            [np.broadcast_to(aligned(a, used, letters), shape) for a in (place, ok)]
            for place, ok, used in found
        ]
        return [place for place, _ in full], [ok for _, ok in full], letters

    def position(self, tree, sizes):
        match tree.kind, tree.parts:
            case "integer", (n,):
                return np.asarray(n), np.asarray(True), ()
            case "letter", (index,):
                return np.arange(sizes[index]), np.ones(sizes[index], bool), (index,)
            case "table", (name, row):
                (row,), (ok,), letters = self.placed((row,), sizes)
                place = self.arrays[name][row]
                return place, ok & (place >= 0), letters
            case "minus", (a,):
                place, ok, letters = self.position(a, sizes)
                return -place, ok, letters
        places, valid, letters = self.placed(tree.parts, sizes)
        functions = {
            "plus": np.add, "scaled": np.multiply, "quotient": np.floor_divide, "remainder": np.mod,
        }  # fmt: skip
        return reduce(functions[tree.kind], places), reduce(np.logical_and, valid), letters

    def called(self, tree, sizes):
        name, given, options = tree.parts
        if name == "asarray":
            value, letters = self.value(given[0], sizes)
            return value.astype(given[1].parts[0]), letters
        if name in WHOLE:
            arrays = [self.argument(tree, sizes) for tree in given]
            options = {key: self.argument(tree, sizes) for key, tree in options.items()}
            with np.errstate(all="ignore"):
                return WHOLE[name](*arrays, **options), ()
        return self.each(quotient if name == "quotient" else getattr(np, name), given, sizes)

    def argument(self, tree, sizes):
        if tree.kind == "tuple":
            return tuple(self.argument(part, sizes) for part in tree.parts)
        value, _ = self.value(tree, sizes)
        number = tree.kind == "number" or (tree.kind == "minus" and tree.parts[0].kind == "number")
        return int(value) if number else value


def aligned(array, letters, every):
    """Axes in the order of letters, size one where it has none."""
    present = [i for i in every if i in letters]
    array = array.transpose([letters.index(i) for i in present])
    sizes = iter(array.shape)
    return array.reshape([next(sizes) if i in letters else 1 for i in every])


def counted(array):
    """Flags as numbers: NumPy adds them by "or"."""
    return array.astype(int) if array.dtype == bool else array


def quotient(a, b):
    """Divide; zero where the divisor is zero."""
    return np.where(b == 0, 0, a / np.where(b == 0, 1, b))


def others(a):
    """Multiply all entries along the last axis but one, for each."""
    each = [np.prod(np.delete(a, k, -1), -1) for k in range(a.shape[-1])]
    return np.stack(each, -1)


WHOLE = {
    "inv": np.linalg.inv, "det": np.linalg.det, "solve": np.linalg.solve, "cross": np.cross,
    "slogdet": lambda a: np.asarray(tuple(np.linalg.slogdet(a))), "norm": np.linalg.norm,
    "cumsum": np.cumsum, "tri": np.tri, "concatenate": np.concatenate, "max": np.max,
    "prod": np.prod, "cumprod": np.cumprod, "others": others,
    "min": np.min, "any": np.any, "all": np.all,
}  # fmt: skip

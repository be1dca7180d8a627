"""Arrays of lists that hold traced values: refused with the drop-in, which runs."""

import ast
import re

import numpy as np
import pytest
from reference import assert_close

import eingrad as eg
from eingrad.errors import TracerLeakError

X = np.array([0.5, 1.5, 2.5])
A = np.array([[2.0, 1.0], [1.0, 3.0]])


def of_a_name(x):
    rows = [[x[0], 1], [x[1], x[2]]]
    return np.array(rows)


def of_tuples(x):
    rows = ((x[0], 1.0), (x[1], x[2]))
    return np.array(rows)


def of_rows(x):
    rows = [[x, x], [2 * x, x]]
    return np.array(rows)


ROWS = {
    of_a_name: lambda x: [[x[0], 1], [x[1], x[2]]],
    of_tuples: lambda x: ((x[0], 1.0), (x[1], x[2])),
    of_rows: lambda x: [[x, x], [2 * x, x]],
}
LISTS = {
    "flat": lambda x: np.array([x[0], 1.0]),
    "nested": lambda x: np.array([[x[0], 1], [0, x[1]]]),
    "in tuples": lambda x: np.asarray(([x[0], 1], (0, x[1]))),
    "three deep": lambda x: np.array([[[x[0]], [x[1]]], [[1.0], [2.0]]]),
    "of vectors": lambda x: np.array([x, 2 * x]),
    "nested, of vectors": lambda x: np.array([[x, x], [2 * x, x]]),
    "of indexed matrices": lambda x: np.array([[x[0:2], x[1:3]], [x[[0, 1]], x[:2]]]),
    "a comprehension": lambda x: np.array([x[k] ** 2 for k in range(3)]),
    "a comprehension within one": lambda x: np.array([[a * b for a in x] for b in x]),
    "unpacked": lambda x: np.array([*map(np.sin, x)]),
    "list()": lambda x: np.array(list(x)),
    "with a dtype": lambda x: np.array([x[0], x[1]], dtype=float),
    "a name": of_a_name,
    "a name, of tuples": of_tuples,
    "a name, of vectors": of_rows,
    "an argument": lambda x: np.mean([x[0], x[1]]),
    "an argument, nested": lambda x: np.linalg.det([[x[0], 1], [0, x[1]]]),
    "one of two arguments": lambda x: np.dot([x[0], x[1]], [1.0, 2.0]),
    "an operand": lambda x: A @ [x[0], x[1]],
    "an operand on the left": lambda x: [[x[0], 1.0]] @ A,
}


def as_plain(f, x):
    """What NumPy gives for numbers."""
    return f(x.copy())


@pytest.mark.parametrize("f", LISTS.values(), ids=LISTS)
def test_the_message_names_a_drop_in_that_gives_the_same(f):
    """In the user's own expression: it is evaluated in his function, in the place of his line."""
    with pytest.raises(TracerLeakError) as caught:
        eg.jacobian(f)(X)
    text = re.search(r"; it has no numbers yet: write (np\..*|A @ .*)$", str(caught.value))[1]
    ast.parse(text)

    def rewritten(x):
        rows = ROWS[f](x) if f in ROWS else None
        return eval(text, {"np": np, "A": A, "x": x, "rows": rows})

    assert_close(rewritten(X), as_plain(f, X))
    found = eg.jacobian(rewritten)(X)
    steps = [(as_plain(f, X + h) - as_plain(f, X - h)) / 2e-6 for h in 1e-6 * np.eye(3)]
    assert_close(found, np.stack(steps, axis=-1), 1e-7)


UNSEEN = "write np.stack in its place, or np.block of nested lists of numbers"


def test_a_list_that_is_too_long_is_not_written_out():
    with pytest.raises(TracerLeakError, match=f"no numbers yet: {UNSEEN}$"):
        # fmt: off
        eg.grad(lambda x: np.array([x[0] + x[1] + x[2], x[0] * x[1] * x[2], x[0] - x[1] - x[2], x[0] + 2 * x[1], x[0] * x[2], x[2]]).sum())(X)  # noqa: E501
        # fmt: on


def test_a_list_beside_a_traced_value_is_told_the_same():
    """There our function meets it, not NumPy's conversion."""
    with pytest.raises(TracerLeakError, match=r"stands for an array at .*; build it with np.stack"):
        eg.grad(lambda x: (x[:2] - [x[0], x[1]]).sum())(X)
    with pytest.raises(TracerLeakError, match=r"stands for an array at .*; build it with np.block"):
        eg.grad(lambda x: (x[:2] @ [[x[0], 1.0], [2.0, x[1]]]).sum())(X)

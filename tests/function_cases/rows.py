"""A row of the table: a function of arrays, and where to test it; shapes that fit each other."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from faults import fixed


@dataclass(frozen=True)
class Case:
    """A function of arrays, and where to test it."""

    name: str
    f: Callable
    shapes: tuple
    low: float = -1.5
    high: float = 1.5
    analytic: bool = True

    def sample(self, dtype=np.float64):
        rng = np.random.default_rng(5)
        return [fixed(rng.uniform(self.low, self.high, s).astype(dtype)) for s in self.shapes]


def case(name, f, *shapes, **more):
    return Case(name, f, shapes, **more)


def real(name, f, *shapes, **more):
    return Case(name, f, shapes, analytic=False, **more)


def positive(name, f, *shapes, **more):
    return Case(name, f, shapes, low=0.4, high=2.0, **more)


def per_shape(name, f, *shape_lists, make=case, **more):
    return [
        make(f"{name} {' '.join(map(str, shapes))}", f, *shapes, **more) for shapes in shape_lists
    ]


C23 = fixed(np.array([[1.0, -2.0, 0.5], [3.0, 0.25, -1.0]]))
FLAGS = fixed(np.array([[True, False, True], [False, False, True]]))
ROWS = fixed(np.array([[True], [False], [True]]))
EYE = fixed(4 * np.eye(3))
E4 = fixed(4 * np.eye(4).reshape(2, 2, 4))
PAIRS = [
    ((2, 3), (2, 3)),
    ((3, 1), (1, 4)),
    ((3,), (4, 3)),
    ((), (2, 2)),
    ((2,), ()),
    ((), ()),
    ((1,), (1,)),
    ((2, 1, 3), (4, 1)),
    ((0, 3), (1, 3)),
    ((1,), (0,)),
]
MATMULS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (2, 3, 4)),
    ((2, 2, 3), (3, 2)),
    ((2, 3), (2, 3, 2)),
    ((2, 2, 3), (2, 3, 2)),
    ((2, 1, 2, 3), (3, 3, 1)),
    ((1, 2, 3), (2, 3, 2)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((1, 1), (1, 3)),
]
DOTS = [
    ((), (2, 3)),
    ((2,), ()),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 2)),
    ((2, 2, 3), (3,)),
    ((2, 3), (2, 3, 2)),
    ((2, 0), (0, 2)),
]
INNERS = [((), (2, 3)), ((3,), (3,)), ((2, 3), (3,)), ((2, 3), (4, 3)), ((2, 2, 3), (2, 3))]

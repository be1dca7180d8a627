"""Draw a contraction as a network: operands as circles, indices as lines between them.

In: a `Network`. Out: a `Picture`.
Guaranteed: every operand and index is drawn; the same network is drawn alike in every run.

An index of two operands is a line; of more, or of two that the result has, a dot with a line to
each. One of the result that a single operand has is a line that ends free. Their distances on the
page are those in the network as nearly as can be (stress majorization, which starts from the two
widest directions of these distances).
"""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eingrad._picture.labels import Labels
from eingrad._picture.page import KINDS, page
from eingrad._picture.shapes import (
    INK,
    Circle,
    Line,
    Picture,
    Point,
    Text,
    compact,
    fitted,
    width_of,
)

Floats = NDArray[np.float64]

_ROOM = 46.0
_POWERS, _STEPS = 60, 120  # iterations: to find the widest directions, to fit distances
_FREE = 0.6  # length of a line that ends free, in lines
_APART = 0.5  # of operands around a dot, in lines
_RADIUS = 12.0
_LEAST = 7.0  # size of a name within a circle


@dataclass(frozen=True, slots=True)
class Network:
    """A contraction: the indices of each operand, by name, and those of the result.

    Attributes
    ----------
    title : str
    operands : tuple of pairs
        The label of each operand, and its indices: letters, or whatever can be compared.
    out : tuple
        Indices of the result.
    sizes : mapping
        The size of each index.
    captions : tuple of str
        Lines below.
    """

    title: str
    operands: tuple[tuple[str, tuple[Hashable, ...]], ...]
    out: tuple[Hashable, ...]
    sizes: Mapping[Hashable, int]
    captions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Wire:
    """An index: the operands that have it, and the number of its dot or free end, if any."""

    index: Hashable
    users: tuple[int, ...]
    is_free: bool
    point: int | None


class _Drawn(NamedTuple):
    """What stands on the page, before anything is named."""

    circles: Sequence[Circle]
    dots: Sequence[Circle]
    lines: Sequence[Line]
    ends: Sequence[Point]
    size: Point


def draw_network(network: Network) -> Picture:
    """Draw a network."""
    count = len(network.operands)
    if not count:
        return page(network.title, (), (0.0, 0.0), network.captions)
    wires = [*_wires(network)]
    places = _places(count, wires)
    gap = min(120.0, max(58.0, 900.0 / math.sqrt(8 * count)))
    gap = max(gap, min(3 * gap, (2 * _RADIUS + 6) / _least_distance(places[:count])))
    points = gap * (places - places.min(axis=0)) + _ROOM
    size: Point = (float(points[:, 0].max()) + _ROOM, float(points[:, 1].max()) + _ROOM)
    ends = [(float(x), float(y)) for x, y in points]
    circles = [
        Circle(*ends[n], _RADIUS, KINDS["operand"].colour, INK, 1.5, _tip(label, term))
        for n, (label, term) in enumerate(network.operands)
    ]  # fmt: skip
    lines = [line for wire in wires for line in _lines(wire, ends, network)]
    dots = [
        Circle(*ends[w.point], 3.0, INK, INK, 1.0, str(w.index))
        for w in wires
        if w.point is not None and not w.is_free
    ]
    texts = _texts(network, wires, _Drawn(circles, dots, lines, ends, size))
    return page(network.title, [*lines, *dots, *circles, *texts], size, network.captions)


def _tip(label: str, term: Sequence[Hashable]) -> str:
    return f"{label}: {', '.join(map(str, term))}"


def _wires(network: Network) -> Iterator[_Wire]:
    """Tell which operands have an index, and number the dots and free ends after them."""
    users: dict[Hashable, list[int]] = {}
    for n, (_, term) in enumerate(network.operands):
        for index in dict.fromkeys(term):
            users.setdefault(index, []).append(n)
    point = len(network.operands)
    for index, found in users.items():
        is_open = index in network.out
        if len(found) == 2 and not is_open:  # noqa: PLR2004
            yield _Wire(index, tuple(found), False, None)
        else:
            yield _Wire(index, tuple(found), len(found) == 1, point)
            point += 1


def _lines(wire: _Wire, ends: Sequence[Point], network: Network) -> Iterator[Line]:
    width = min(6.0, 1.0 + 1.1 * math.log10(max(1, network.sizes.get(wire.index, 1))))
    if wire.point is None:
        a, b = wire.users
        yield Line((ends[a], ends[b]), width)
    else:
        for user in wire.users:
            yield Line((ends[user], ends[wire.point]), width)


def _texts(
    network: Network,
    wires: Sequence[_Wire],
    drawn: _Drawn,
) -> list[Text]:
    """Name operands in their circles where the name fits, else beside; then indices."""
    texts: list[Text] = []
    beside = []
    for circle, (label, _) in zip(drawn.circles, network.operands, strict=True):
        size = min(11.0, (2 * _RADIUS - 4) / width_of(label or " ", 1.0))
        if size >= _LEAST:
            texts.append(Text(circle.x, circle.y, label, size))
        else:
            beside.append((circle, label))
    labels = Labels(drawn.size, [*drawn.circles, *drawn.dots], drawn.lines)
    for circle, label in beside:
        texts += labels.place(circle, [[label], [fitted(label, 10.0, 60.0)]], 10.0)
    for wire in wires:
        last = wire.users[-1] if wire.point is None else wire.point
        a, b = drawn.ends[wire.users[0]], drawn.ends[last]
        share = 0.5 if wire.point is None else 1.0
        spot = Circle(a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), 0.0, INK)
        name, length = str(wire.index), network.sizes.get(wire.index)
        options = [[f"{name}={compact(length)}"]] if length is not None else []
        texts += labels.place(spot, [*options, [name]], 10.0)
    return texts


# Where the points lie ----------------------------------------------------------------------------


def _places(count: int, wires: Sequence[_Wire]) -> Floats:
    """Place points so that their distances are those in the network, as nearly as can be."""
    far = _distances(count, wires)
    if len(far) == 1:
        return np.zeros((1, 2))
    return _fitted(_flat(far), far)


def _least_distance(places: Floats) -> float:
    apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    return max(0.01, float((apart + np.eye(len(places)) * 1e9).min()))


def _distances(count: int, wires: Sequence[_Wire]) -> Floats:
    """Lengths of shortest ways; those that hang together not at all are a little further."""
    total = count + sum(wire.point is not None for wire in wires)
    far = np.full((total, total), np.inf)
    np.fill_diagonal(far, 0)
    for wire in wires:
        if wire.point is None:
            a, b = wire.users
            far[a, b] = far[b, a] = 1.0
        else:
            around = _APART * len(wire.users) / (2 * math.pi)  # room for all in a ring
            length = _FREE if wire.is_free else max(0.75, around)
            for user in wire.users:
                far[user, wire.point] = far[wire.point, user] = length
    for k in range(total):
        np.minimum(far, far[:, k, None] + far[k], out=far)
    known = far[np.isfinite(far)].max()
    return np.where(np.isfinite(far), far, known + 1.5)


def _flat(far: Floats) -> Floats:
    """Project onto the two widest directions (classical scaling), found from a circle."""
    n = len(far)
    middle = np.eye(n) - 1 / n
    gram = -0.5 * middle @ (far**2) @ middle
    gram += np.eye(n) * np.abs(gram).sum(axis=1).max()  # so that no direction is negative
    angles = 2 * np.pi * np.arange(n) / n
    found = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for _ in range(_POWERS):
        found, _ = np.linalg.qr(gram @ found)
    spread = np.std(found, axis=0)
    return np.asarray(found / np.where(spread > 0, spread, 1) * far.mean() / 2)


def _fitted(places: Floats, far: Floats) -> Floats:
    """Fit distances: each step solves for places with weights ``1 / distance**2`` (SMACOF)."""
    n = len(far)
    weights = 1 / np.where(far > 0, far, 1) ** 2
    np.fill_diagonal(weights, 0)
    laplacian = np.diag(weights.sum(axis=1)) - weights
    solve = np.linalg.inv(laplacian + 1 / n)
    for _ in range(_STEPS):
        apart = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2))
        ratio = weights * far / np.maximum(apart, 1e-6)
        places = solve @ ((np.diag(ratio.sum(axis=1)) - ratio) @ places)
        places -= places.mean(axis=0)
    return np.asarray(places)

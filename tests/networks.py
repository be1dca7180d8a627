"""Random networks, what a contraction path of one costs, and the least that any path costs.

The oracle shares no code with the planner: it goes through the ways to split a set of operands in
two, with the definition of an intermediate written out.
"""

import functools
import itertools
import math
import random
from typing import NamedTuple

from eingrad._cost import contraction_flops, weighted


class Network(NamedTuple):
    """Subscripts with integers as indices, and the size of each index."""

    terms: tuple[tuple[int, ...], ...]
    out: tuple[int, ...]
    sizes: dict[int, int]

    @property
    def text(self):
        """Subscripts in letters, for the messages of tests."""
        letter = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".__getitem__
        terms = ",".join("".join(map(letter, t)) for t in self.terms)
        sizes = {letter(i): size for i, size in self.sizes.items()}
        return f"{terms}->{''.join(map(letter, self.out))} {sizes}"


def random_network(seed, fewest, most):
    """An index on one, two or many operands, wanted or not; sizes 0 and 1 among them."""
    rng = random.Random(seed)
    count = rng.randint(fewest, most)
    choices = rng.choice([(2, 5, 20), (1, 2, 3, 10, 50), (3,), (1, 2, 1000), (0, 1, 2, 7)])
    shape = rng.choice(["any", "any", "any", "chain", "ring", "tree"])
    if shape == "any":
        indices = range(rng.randint(max(2, count // 2), count + count // 2 + 1))
        widest = min(len(indices), rng.choice([2, 3, 4]))
        terms = [rng.sample(indices, rng.randint(min(1, widest), widest)) for _ in range(count)]
    else:
        terms = _linked(rng, count, shape)
    used = sorted({i for term in terms for i in term})
    out = rng.sample(used, rng.randint(0, min(3, len(used))))
    weights = None if 0 not in choices else [1, 6, 6, 6]
    sizes = {i: rng.choices(choices, weights)[0] for i in used}
    rng.shuffle(terms)
    return Network(tuple(map(tuple, terms)), tuple(out), sizes)


def _linked(rng, count, shape):
    """Matrices in a chain, ring or tree, with vectors on some indices: hyperedges of diagonals."""
    matrices = max(1, count - rng.randint(0, count // 2))
    if shape == "tree":
        terms = [[rng.randrange(k + 1), k + 1] for k in range(matrices)]
    else:
        terms = [[k, k + 1] for k in range(matrices)]
    if shape == "ring":
        terms[-1][1] = 0
    used = sorted({i for term in terms for i in term})
    return [list(dict.fromkeys(t)) for t in terms] + [
        [rng.choice(used)] for _ in range(count - matrices)
    ]


def cost_of_path(network, path):
    """What lowering charges the steps of a path, as opt_einsum and cotengra write one."""
    live = [frozenset({k}) for k in range(len(network.terms))]
    total = 0
    for step in path:
        chosen = [live[k] for k in step]
        live = [part for k, part in enumerate(live) if k not in step]
        while len(chosen) > 1:
            total += _step(network, chosen[0], chosen[1])
            chosen = [chosen[0] | chosen[1], *chosen[2:]]
        live.append(chosen[0])
    (whole,) = live
    assert len(whole) == len(network.terms)
    return total


def least_cost(network, known=frozenset()):
    """The cheapest of all contraction trees: every set of operands, split in every way.

    What is made of known operands alone is free.
    """

    @functools.cache
    def least(part):
        if len(part) == 1 or part <= known:
            return 0
        first, *others = sorted(part)
        return min(
            least(left) + least(part - left) + _step(network, left, part - left)
            for n in range(len(others))
            for chosen in itertools.combinations(others, n)
            for left in [frozenset({first, *chosen})]
        )

    return least(frozenset(range(len(network.terms))))


@functools.lru_cache(maxsize=100_000)
def _indices(terms, out, part):
    """What a contracted set of operands carries: indices that are wanted or used outside."""
    inside = {i for k in part for i in terms[k]}
    outside = {i for k, term in enumerate(terms) if k not in part for i in term}
    return frozenset(inside & (outside | set(out)))


def _step(network, left, right):
    a, b, made = (_indices(network.terms, network.out, s) for s in (left, right, left | right))
    flops = contraction_flops({i: network.sizes[i] for i in a | b}, summed=a | b != made)
    return weighted(flops, math.prod(network.sizes[i] for i in made))


def cost_of(program, but=()):
    """What the steps of a program cost, as the search charges them."""
    return sum(
        weighted(s.flops, s.traffic_bytes // 8)
        for s in program.statements
        if not isinstance(s.kernel, but)
    )


def regular(degree, count, seed):
    """A random graph whose nodes all have one degree, an index of size two on each edge."""
    rng = random.Random(seed)
    while True:
        ends = [node for node in range(count) for _ in range(degree)]
        rng.shuffle(ends)
        edges = {frozenset(ends[n : n + 2]) for n in range(0, len(ends), 2)}
        if len(edges) == len(ends) // 2 and all(len(edge) == 2 for edge in edges):
            ordered = sorted(map(sorted, edges))
            terms = [tuple(n for n, e in enumerate(ordered) if k in e) for k in range(count)]
            return Network(tuple(terms), (), dict.fromkeys(range(len(ordered)), 2))


def shuffled(network, rng):
    """The same network with operands, axes and indices in another order."""
    names = [*network.sizes]
    rng.shuffle(names)
    new = dict(zip(network.sizes, names, strict=True))
    terms = [tuple(rng.sample([new[i] for i in t], len(t))) for t in network.terms]
    sizes = {new[i]: n for i, n in network.sizes.items()}
    items = rng.sample([*sizes.items()], len(sizes))
    return Network(
        tuple(rng.sample(terms, len(terms))), tuple(new[i] for i in network.out), dict(items)
    )

"""Contraction orders: what our search finds, against opt_einsum's, and cotengra's where installed.

Nothing is contracted: an order is judged by its cost, flops plus elements written as planning
weighs them; and one that is searched for flops alone by those. Times are the processor's, of one
search. Ratios are to the best of the others; how far the cost moves over shuffled operands is told
last. With ``--random N``, so many random networks of 3 to 60 operands instead; with ``--large``,
networks of 100 to 500, where ours begins with cotengra's tree too, if that is installed (the extra
`paths`).
``python benchmarks/orders.py [--once] [--json] [--random N | --large]``
"""

import argparse
import importlib.util
import json
import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from networks import Network as Case
from networks import random_network, regular, shuffled
from opt_einsum import path_random, paths

from eingrad._plan.network import Network, Tree, tree_of_path
from eingrad._plan.search import find_tree, polish


class Labels:
    """Numbers for indices that are described by what they join."""

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}
        self._numbers: dict[object, int] = {}

    def of(self, *key: object, size: int) -> int:
        """Number an index."""
        number = self._numbers.setdefault(key, len(self._numbers))
        self.sizes[number] = size
        return number


def operator_norm(sites: int, bond: int = 4) -> Case:
    """``<psi| H |psi>`` of a matrix product state and operator."""
    labels, terms = Labels(), []
    for s in range(sites):
        for layer, size in (("ket", bond), ("operator", 3), ("bra", bond)):
            ends = [labels.of(layer, k, size=size) for k in (s, s + 1) if 0 < k < sites]
            inner = [labels.of("in", s, size=2)] if layer != "bra" else []
            inner += [labels.of("out", s, size=2)] if layer != "ket" else []
            terms.append((*ends, *inner))
    return Case(terms, (), labels.sizes)


def lattice(side: int, bond: int, layers: int) -> Case:
    """A square lattice (PEPS), or the norm of one, two layers of it."""
    labels, terms = Labels(), []
    for layer in range(layers):
        for x in range(side):
            for y in range(side):
                edges = [(x, y, x + 1, y), (x - 1, y, x, y), (x, y, x, y + 1), (x, y - 1, x, y)]
                inside = [e for e in edges if min(e) >= 0 and max(e) < side]
                term = [labels.of(layer, *edge, size=bond) for edge in inside]
                term += [labels.of("physical", x, y, size=2)] if layers > 1 else []
                terms.append(tuple(term))
    return Case(terms, (), labels.sizes)


def hyperedges(count: int, edges: int, widest: int, seed: int) -> Case:
    """Indices on two, three or many operands, two of them wanted."""
    source = random.Random(seed)
    terms: list[set[int]] = [set() for _ in range(count)]
    for edge in range(edges):
        for node in source.sample(range(count), source.choice([2, 2, 3, widest])):
            terms[node].add(edge)
    for term in terms:
        term.update(() if term else [source.randrange(edges)])
    used = sorted(set().union(*terms))
    wanted = tuple(source.sample(used, 2))
    return Case([tuple(sorted(term)) for term in terms], wanted, dict.fromkeys(used, 3))


def circuit(qubits: int, depth: int) -> Case:
    """An amplitude of a circuit of two-qubit gates, in bricks."""
    wires, terms = list(range(qubits)), [(k,) for k in range(qubits)]
    last = qubits
    for layer in range(depth):
        for k in range(layer % 2, qubits - 1, 2):
            terms.append((wires[k], wires[k + 1], last, last + 1))
            wires[k : k + 2] = last, last + 1
            last += 2
    terms += [(wire,) for wire in wires]
    return Case(terms, (), dict.fromkeys(range(last), 2))


def chain(length: int) -> Case:
    """Matrices of very different sizes."""
    source = random.Random(length)
    sizes = {k: source.choice([2, 9, 30, 80]) for k in range(length + 1)}
    return Case([(k, k + 1) for k in range(length)], (0, length), sizes)


CASES = {
    "3-regular graph, 60": regular(3, 60, 2),
    "4-regular graph, 50": regular(4, 50, 3),
    "5-regular graph, 34": regular(5, 34, 4),
    "3-regular graph, 36": regular(3, 36, 1),
    "MPO norm, 12 sites": operator_norm(12),
    "MPO norm, 20 sites": operator_norm(20),
    "lattice 6 x 6": lattice(6, 4, 1),
    "norm of 4 x 4": lattice(4, 3, 2),
    "norm of 5 x 5": lattice(5, 3, 2),
    "hyperedges, 24": hyperedges(24, 30, 4, 1),
    "hyperedges, 30": hyperedges(30, 30, 6, 3),
    "hyperedges, 45": hyperedges(45, 60, 5, 2),
    "circuit 8 x 8": circuit(8, 8),
    "circuit 10 x 12": circuit(10, 12),
    "chain of 30": chain(30),
}


LARGE = {
    "3-regular graph, 100": regular(3, 100, 1),
    "3-regular graph, 200": regular(3, 200, 1),
    "3-regular graph, 500": regular(3, 500, 1),
    "MPO norm, 60 sites": operator_norm(60),
    "lattice 12 x 12": lattice(12, 3, 1),
    "norm of 8 x 8": lattice(8, 2, 2),
    "hyperedges, 100": hyperedges(100, 130, 4, 1),
    "hyperedges, 200": hyperedges(200, 260, 4, 2),
    "circuit 14 x 16": circuit(14, 16),
    "circuit 24 x 20": circuit(24, 20),
    "chain of 300": chain(300),
}
_MOST_DP = 14  # operands for which opt_einsum's dynamic programming ends in a second or so


def others(case: Case, rounds: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Searches of other libraries, all with seeds and a fixed number of rounds."""
    terms, out, sizes = [frozenset(t) for t in case.terms], frozenset(case.out), case.sizes
    yield "opt_einsum greedy", lambda: paths.greedy(terms, out, sizes)
    greedy = path_random.RandomGreedy(max_repeats=rounds, parallel=False)
    yield "opt_einsum random-greedy", lambda: (random.seed(0), greedy(terms, out, sizes))[1]
    if len(terms) <= _MOST_DP:
        yield "opt_einsum dp", lambda: paths.dynamic_programming(terms, out, sizes)
    if importlib.util.find_spec("cotengra"):
        import cotengra  # noqa: PLC0415 - is not needed

        symbols = {index: cotengra.get_symbol(index) for index in sizes}
        inputs = [tuple(symbols[i] for i in t) for t in case.terms]
        output = tuple(symbols[i] for i in case.out)
        named = {symbols[i]: n for i, n in sizes.items()}
        hyper = cotengra.HyperOptimizer(
            methods=["greedy"], max_repeats=rounds, parallel=False, reconf_opts={},
            optlib="random", seed=0, progbar=False,
        )  # fmt: skip
        yield "cotengra hyper", lambda: hyper.search(inputs, output, named).get_path()


def flops(network: Network, tree: Tree) -> int:
    """Flops of a tree, counted as opt_einsum counts them."""
    total = 0
    for left, right in tree.values():
        union = network.contents(left) | network.contents(right)
        total += network.volumes[union] * (2 if union != network.meet(left, right) else 1)
    return total


def measure(case: Case, shuffles: int, *, once: bool, large: bool = False) -> dict[str, Any]:
    """Costs and times of all searches on one network."""
    network = Network(*case)
    row: dict[str, Any] = {"operands": len(case.terms), "others": {}}
    trees = {}
    for name, search in others(case, 8 if once else 64):
        start = time.process_time()
        try:
            found = tree_of_path(search(), network.operands)
        except RuntimeError:  # opt_einsum's dynamic programming finds nothing for some networks
            continue
        seconds = time.process_time() - start
        trees[name] = found, seconds
        row["others"][name] = {
            "cost": network.cost(found), "flops": flops(network, found), "seconds": seconds
        }  # fmt: skip
    start = time.process_time()
    tree = find_tree(network)
    if large and "cotengra hyper" in trees:
        begun, seconds = trees["cotengra hyper"]
        tree = min(tree, polish(network, begun), key=network.cost)
        start -= seconds
    row |= {"seconds": time.process_time() - start}
    row |= {"cost": network.cost(tree), "flops": flops(network, tree)}
    if not large:  # the same search, of flops alone
        row["flops"] = flops(network, find_tree(Network(*case, written=0)))
    again = [Network(*shuffled(case, random.Random(seed))) for seed in range(shuffles)]
    row["shuffled"] = [other.cost(find_tree(other)) for other in again]
    return row


def ratios(row: dict[str, Any]) -> dict[str, float]:
    """Ours to the best of the others, by cost and by flops."""
    return {
        what: max(row[what], 1) / max(min(other[what] for other in row["others"].values()), 1)
        for what in ("cost", "flops")
    }


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """Geometric means and the worst, and the longest search."""
    lines = []
    for what in ("cost", "flops"):
        found = [ratios(row)[what] for row in rows]
        mean = math.exp(sum(map(math.log, found)) / len(found))
        above = sum(ratio > 1.05 for ratio in found)
        lines.append(
            f"{what}: geometric mean {mean:.3f}, worst {max(found):.3f}, "
            f"{above} of {len(found)} above 1.05"
        )
    longest = max(rows, key=lambda row: row["seconds"])
    lines.append(f"longest search {longest['seconds']:.1f} s, {longest['operands']} operands")
    spreads = []
    for row in rows:
        costs = [*row["shuffled"], row["cost"]]
        spreads.append(max(costs) / max(min(costs), 1))
    lines.append(f"most over shuffled operands {max(spreads):.3f}")
    return "\n".join(lines)


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="few rounds, one shuffle")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--random", type=int, metavar="N", help="random networks, so many")
    parser.add_argument("--large", action="store_true", help="networks of 100 to 500 operands")
    options = parser.parse_args()
    cases = LARGE if options.large else CASES
    if options.random:
        cases = {f"random {seed}": random_network(seed, 3, 60) for seed in range(options.random)}
    results = {}
    for n, (name, case) in enumerate(cases.items()):
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{n} of {len(cases)}: {name}\033[K")
        shuffles = 0 if options.large else 1 if options.once or options.random else 6
        results[name] = measure(case, shuffles, once=options.once, large=options.large)
    if options.json:
        print(json.dumps(results, indent=2))
        return
    if not options.random:
        print(f"{'':22}{'cost':>11}{'ratio':>8}{'flops':>8}{'s':>7}  best of the others")
        for name, row in results.items():
            best = min(row["others"], key=lambda other: row["others"][other]["cost"])
            found = ratios(row)
            by = f"{best} ({row['others'][best]['seconds']:.1f} s)"
            print(
                f"{name:22}{row['cost']:11.3g}{found['cost']:8.3f}{found['flops']:8.3f}"
                f"{row['seconds']:7.2f}  {by}"
            )
    print(summary([*results.values()]))


if __name__ == "__main__":
    main()

"""Contraction orders: what our search finds, against opt_einsum's, and cotengra's where installed.

Nothing is contracted: an order is judged by its cost, flops plus elements written as planning
weighs them, and by the flops alone. Times are the processor's, of one search. Ratios are to the
best of the others; the last column says how far the cost moves over shuffled operands.
``python benchmarks/orders.py [--once] [--json]``
"""

import argparse
import importlib.util
import json
import math
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from networks import Network as Case
from networks import regular, shuffled
from opt_einsum import path_random, paths

from eingrad._plan.network import Network, Tree, tree_of_path
from eingrad._plan.search import find_tree


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


def others(case: Case, rounds: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Searches of other libraries, all with seeds and a fixed number of rounds."""
    terms, out, sizes = [frozenset(t) for t in case.terms], frozenset(case.out), case.sizes
    yield "opt_einsum greedy", lambda: paths.greedy(terms, out, sizes)
    greedy = path_random.RandomGreedy(max_repeats=rounds, parallel=False)
    yield "opt_einsum random-greedy", lambda: (random.seed(0), greedy(terms, out, sizes))[1]
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


def measure(case: Case, *, once: bool) -> dict[str, Any]:
    """Costs and times of all searches on one network."""
    network = Network(*case)
    start = time.process_time()
    tree = find_tree(network)
    row: dict[str, Any] = {"operands": len(case.terms), "seconds": time.process_time() - start}
    row |= {"cost": network.cost(tree), "flops": flops(network, tree), "others": {}}
    for name, search in others(case, 8 if once else 64):
        start = time.process_time()
        found = tree_of_path(search(), network.operands)
        seconds = time.process_time() - start
        row["others"][name] = {
            "cost": network.cost(found), "flops": flops(network, found), "seconds": seconds
        }  # fmt: skip
    again = [Network(*shuffled(case, random.Random(seed))) for seed in range(1 if once else 6)]
    row["shuffled"] = [other.cost(find_tree(other)) for other in again]
    return row


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="few rounds, one shuffle")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    results = {name: measure(case, once=options.once) for name, case in CASES.items()}
    if options.json:
        print(json.dumps(results, indent=2))
        return
    print(f"{'':22}{'cost':>11}{'ratio':>8}{'flops':>8}{'s':>7}  best of the others{'spread':>12}")
    ratios = []
    for name, row in results.items():
        best = min(row["others"], key=lambda other: row["others"][other]["cost"])
        other = row["others"][best]
        ratios.append(row["cost"] / other["cost"])
        by = f"{best} ({other['seconds']:.1f} s)"
        spread = max(row["shuffled"]) / min(row["shuffled"])
        print(
            f"{name:22}{row['cost']:11.3g}{ratios[-1]:8.3f}{row['flops'] / other['flops']:8.3f}"
            f"{row['seconds']:7.2f}  {by:30}{spread:.3f}"
        )
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    print(f"geometric mean {mean:.3f}, worst {max(ratios):.3f}")


if __name__ == "__main__":
    main()

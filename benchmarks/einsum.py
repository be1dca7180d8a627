"""`eg.einsum` against NumPy's and opt_einsum's, in microseconds: small, medium, many operands.

For each: ``np.einsum(optimize=True)``, ``opt_einsum.contract``, its ``contract_expression``
with constants, ``eg.einsum``, and ``eg.einsum_plan`` with the same constants. All values are
compared first; then contenders are timed in turn, round after round, and a time is the median of
the rounds. Below are geometric means of ratios. ``python benchmarks/einsum.py [--once] [--json]``
"""

import itertools
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import opt_einsum

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from common.timing import Calls, arguments, medians, microseconds, print_json, print_table

import eingrad as eg

PAIRS = (  # of contenders whose ratio is printed
    ("eg.einsum", "np optimize"),
    ("eg.einsum", "contract"),
    ("eg plan", "expression"),
)


@dataclass(frozen=True)
class Case:
    """An equation, sizes of its indices, and which operands are constants."""

    name: str
    subscripts: str
    sizes: dict[str, int] | int
    constants: Sequence[int]

    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the operands."""
        size = self.sizes
        terms = self.subscripts.partition("->")[0].split(",")
        return [tuple(size if isinstance(size, int) else size[i] for i in term) for term in terms]


CHAIN = ",".join(map("".join, itertools.pairwise("abcdefghijklmnopqrstu")))
CASES = (
    Case("3 x 3 product", "ij,jk->ik", 3, [1]),
    Case("3 x 3 chain of three", "ij,jk,kl->il", 3, [1, 2]),
    Case("quadratic form", "i,ij,j->", 4, [1]),
    Case("batch of traces", "bij,bji->b", {"b": 10, "i": 5, "j": 5}, [1]),
    Case("change of basis, 4", "ea,fb,abcd,gc,hd->efgh", 4, [0, 1, 3, 4]),
    Case("change of basis, 12", "ea,fb,abcd,gc,hd->efgh", 12, [0, 1, 3, 4]),
    Case("seven operands", "cd,bdhe,aidb,hgca,gc,hgibcd,hgac->aei", 3, range(1, 7)),
    Case("matrix by vector, 300", "ij,j->i", 300, [0]),
    Case("chain of four, 100", "ij,jk,kl,lm->im", 100, [1, 2, 3]),
    Case("tensor by vectors", "ijkl,i,j,k->l", 20, [0]),
    Case("chain of rows", "ni,ij,jk,kl->nl", {"n": 500} | dict.fromkeys("ijkl", 60), [1, 2, 3]),
    Case("chain of twenty, 4", f"{CHAIN}->au", 4, range(1, 20)),
)  # fmt: skip


def contenders(case: Case) -> Calls:
    """Calls to compare, by name; the first is the one that the others are checked against."""
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in case.shapes()]
    known = [*case.constants]
    given = [a if n in known else a.shape for n, a in enumerate(arrays)]
    free = [a for n, a in enumerate(arrays) if n not in known]
    expression = opt_einsum.contract_expression(case.subscripts, *given, constants=known)
    plan = eg.einsum_plan(case.subscripts, *given, constants=known)
    return {
        "np optimize": lambda: np.einsum(case.subscripts, *arrays, optimize=True),
        "contract": lambda: opt_einsum.contract(case.subscripts, *arrays),
        "expression": lambda: expression(*free),
        "eg.einsum": lambda: eg.einsum(case.subscripts, *arrays),
        "eg plan": lambda: plan(*free),
    }


def check(calls: Calls) -> None:
    """Refuse to time a wrong answer."""
    expected = next(iter(calls.values()))()
    scale = np.max(np.abs(expected))
    for name, call in calls.items():
        np.testing.assert_allclose(call(), expected, rtol=1e-9, atol=1e-10 * scale, err_msg=name)


def main() -> None:
    """Print a table, or JSON."""
    options = arguments(__doc__).parse_args()
    results = {}
    for case in CASES:
        calls = contenders(case)
        check(calls)
        results[case.name] = medians(microseconds(calls, rounds=3 if options.once else 100))
    if options.json:
        print_json(results)
        return
    print_table(results, list(next(iter(results.values()))), width=13, digits=1)
    for ours, other in PAIRS:
        ratios = [row[ours] / row[other] for row in results.values()]
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"{ours} / {other}: geometric mean {mean:.2f}, worst {max(ratios):.2f}")


if __name__ == "__main__":
    main()

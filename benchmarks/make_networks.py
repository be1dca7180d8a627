"""Makes the committed networks: derivatives, each in normal form and as the plain product rule.

``python benchmarks/make_networks.py [NAME...] [--once] [--cotengra] [--jobs N]``

Writes `src/eingrad/paths/instances/*.json`, one for each entry of `common.families.CASES` whose
plain sum is not too long, and one for its plain sum, named ``...-explicit``. Each has the cheapest
order that is found, by flops: eingrad's, forward or reverse mode, left to right, or one that
opt_einsum finds for each term alone, equal intermediates of all terms made once. With
``--cotengra``, cotengra searches too. Nothing is timed and all searches have seeds, so that the
files are the same wherever they are made. ``--once`` makes one and compares it with what is
committed.
"""

import argparse
import functools
import importlib.metadata
import inspect
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import opt_einsum

from common.families import CASES, Case
from common.outside import NETWORKS
from common.steps import compute
from eingrad.errors import PlanError
from eingrad.paths.along import along
from eingrad.paths.derived import of_function, of_identity
from eingrad.paths.files import read_problem, write_problem, write_problems
from eingrad.paths.normal import eingrad_schedule
from eingrad.paths.problem import Output, Problem, Term
from eingrad.paths.schedule import Schedule

FOLDER = Path(__file__).resolve().parent.parent / "src" / "eingrad" / "paths" / "instances"
SEED = 0
COTENGRA = "cotengra random-greedy-128"
_MOST_OPERANDS = {"opt_einsum optimal": 8, "opt_einsum dp": 16}
_MOST_TERMS = 200
_MOST_FLOPS, _MOST_ELEMENTS = 10**9, 10**7  # of an order that is computed, to compare values

Finder = Callable[[list[tuple[str, ...]], tuple[str, ...], dict[str, int]], Any]


# Orders ------------------------------------------------------------------------------------------


def by_opt_einsum(optimize: Any) -> Finder:
    """Find the path of a term with opt_einsum."""

    def find(terms: Any, out: Any, sizes: Any) -> Any:
        every = dict.fromkeys(label for term in (*terms, out) for label in term)
        symbol = {label: opt_einsum.get_symbol(n) for n, label in enumerate(every)}
        text = ["".join(symbol[label] for label in term) for term in (*terms, out)]
        shapes = [tuple(sizes[label] for label in term) for term in terms]
        how = optimize() if isinstance(optimize, functools.partial) else optimize
        subscripts = f"{','.join(text[:-1])}->{text[-1]}"
        return opt_einsum.contract_path(subscripts, *shapes, shapes=True, optimize=how)[0]

    return find


def by_cotengra(terms: Any, out: Any, sizes: Any) -> Any:
    """Find the path of a term with cotengra, seeded."""
    import cotengra  # noqa: PLC0415 - only where it was asked for

    search = cotengra.RandomGreedyOptimizer(max_repeats=128, seed=SEED, accel=False, parallel=False)
    return search(terms, out, sizes)


def in_pairs(path: Any, count: int) -> list[tuple[int, ...]]:
    """Leave out steps of one operand, which opt_einsum's `dp` writes: they move it to the end."""
    live, place = [*range(count)], [*range(count)]  # by its positions, and by ours
    found, new = [], count
    for step in path:
        met = [live[k] for k in step]
        live = [n for k, n in enumerate(live) if k not in step]
        if len(met) == 1:
            live.append(met[0])
            continue
        found.append(tuple(place.index(n) for n in met))
        place = [n for n in place if n not in met] + [new]
        live.append(new)
        new += 1
    return found


FINDERS: dict[str, Finder] = {
    "left to right": lambda terms, _out, _sizes: left_to_right(len(terms)),
    "opt_einsum greedy": by_opt_einsum("greedy"),
    "opt_einsum random-greedy-128": by_opt_einsum(
        functools.partial(opt_einsum.RandomGreedy, max_repeats=128)
    ),
    "opt_einsum dp": by_opt_einsum("dp"),
    "opt_einsum auto-hq": by_opt_einsum("auto-hq"),
    "opt_einsum optimal": by_opt_einsum("optimal"),
}


def left_to_right(count: int) -> list[tuple[int, ...]]:
    """Contract operands as they stand."""
    return [(0, 1), *((0, n) for n in range(count - 2, 0, -1))]


def orders(problem: Problem, finders: dict[str, Finder]) -> Iterator[tuple[str, Schedule]]:
    """Give all schedules, those that are ours first."""
    yield "eingrad", eingrad_schedule(problem)
    for mode, schedule in problem.pure.items():
        yield f"{mode} mode", replace(schedule, problem=problem)
    longest = max(len(term.operands) for _, term in problem.terms)
    for name, find in finders.items():
        if longest <= _MOST_OPERANDS.get(name, longest):
            yield name, along(problem, [path_of(problem, *pair, find) for pair in problem.terms])


def path_of(problem: Problem, output: Output, term: Term, find: Finder) -> Any:
    """Find the path of a term; of one operand, or two, there is one."""
    count = len(term.operands)
    if count <= 2:
        return [(0, 1)] if count > 1 else [(0,)]
    return in_pairs(find([*term.indices], output.indices, dict(problem.sizes)), count)


# Instances ---------------------------------------------------------------------------------------


def problem_of(case: Case, *, explicit: bool) -> Problem:
    """Make the problem of a case."""
    name = f"{case.name}-explicit" if explicit else case.name
    how: dict[str, Any] = {"order": case.order, "explicit": explicit, "seed": SEED, "name": name}
    if isinstance(case.of, str):
        (size,) = case.shapes
        return of_identity(case.of, (size[0], size[1], size[2]), **how)
    return of_function(case.of, *case.shapes, argnums=case.argnums, **how)


def instance_of(case: Case, *, explicit: bool, finders: dict[str, Finder]) -> Problem:
    """Make a problem with its best order; values are drawn, so that none is in the file."""
    problem = problem_of(case, explicit=explicit)
    if len(problem.terms) > _MOST_TERMS:
        raise PlanError(f"{problem.name} has {len(problem.terms)} terms; at most {_MOST_TERMS}")
    constant = [n for n, operand in problem.operands.items() if operand.kind == "constant"]
    if constant:
        raise PlanError(f"{problem.name} has constants, which no file holds: {constant}")
    told = f"{problem.provenance}; seed {SEED}; family {case.family}"
    problem = replace(problem, provenance=told, known={})
    source = [] if isinstance(case.of, str) else inspect.getsource(case.of).splitlines()
    return with_best(problem, finders, source)


def with_best(problem: Problem, finders: dict[str, Finder], source: list[str]) -> Problem:
    """Add the best of all orders that compute the same."""
    found = dict(orders(problem, finders))
    values = compute(found["eingrad"])
    found = {name: schedule for name, schedule in found.items() if agrees(schedule, values)}
    pure = {mode: found[f"{mode} mode"] for mode in problem.pure if f"{mode} mode" in found}
    best = min(found, key=lambda name: (found[name].flops, found[name].largest))
    schedule = found[best]
    if best != COTENGRA:  # so that the file is the same where cotengra is not installed
        found.pop(COTENGRA, None)
    known: dict[str, Any] = {
        "flops": schedule.flops,
        "size": schedule.largest,
        "by": best,
        "seed": SEED,
        "versions": {name: importlib.metadata.version(name) for name in packages(found)},
        "flops of orders": {name: each.flops for name, each in found.items()},
        "source": source,
        "schedule": schedule,
    }
    return replace(problem, pure=pure, best={k: v for k, v in known.items() if v != []})


def packages(found: dict[str, Schedule]) -> list[str]:
    """Name the packages that searched."""
    return ["eingrad", *sorted({n.split()[0] for n in found} & {"opt_einsum", "cotengra"})]


def agrees(schedule: Schedule, expected: Sequence[Any]) -> bool:
    """Whether a schedule has these values; operands are drawn as if they were unrelated."""
    if schedule.flops > _MOST_FLOPS or schedule.largest > _MOST_ELEMENTS:
        return True
    return all(
        bool(np.allclose(a, b, rtol=1e-7, atol=1e-9 * max(np.abs(b).max(initial=0), 1e-300)))
        for a, b in zip(compute(schedule), expected, strict=True)
    )


# Files -------------------------------------------------------------------------------------------


def text_of(problem: Problem) -> str:
    """What the file of a problem holds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.json"
        write_problem(problem, path)
        return path.read_text("utf-8")


def finders_of(with_cotengra: bool) -> dict[str, Finder]:
    """Give all searches."""
    return FINDERS | ({COTENGRA: by_cotengra} if with_cotengra else {})


def make(case: Case, with_cotengra: bool) -> list[str]:
    """Write both files of a case; say what was done."""
    finders = finders_of(with_cotengra)
    said = []
    for explicit in (False, True):
        name = f"{case.name}-explicit" if explicit else case.name
        path = FOLDER / f"{name}.json"
        try:
            problem = instance_of(case, explicit=explicit, finders=finders)
        except PlanError as error:
            path.unlink(missing_ok=True)
            said.append(f"{name}: left out: {error}")
            continue
        path.write_text(text_of(problem), "utf-8")
        told = f"{problem.best['flops']:>14,} by {problem.best['by']}"
        said.append(f"{name:40}{len(problem.terms):5}{told}")
    return said


def make_outside(finders: dict[str, Finder]) -> int:
    """Write the networks that others chose, in one file."""
    problems = [with_best(each.problem(), finders, []) for each in NETWORKS]
    write_problems(problems, FOLDER / "opt_einsum.json")
    return len(problems)


def is_as_committed(case: Case) -> bool:
    """Whether a case makes the committed file again, versions apart."""
    path = FOLDER / f"{case.name}.json"
    made = instance_of(case, explicit=False, finders=FINDERS)
    committed = read_problem(path)
    versions = committed.best["versions"]
    same = replace(made, best=made.best | {"versions": versions})
    return text_of(same) == path.read_text("utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or compare one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these cases")
    parser.add_argument("--once", action="store_true", help="compare one with what is committed")
    parser.add_argument("--cotengra", action="store_true", help="let cotengra search too")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    options = parser.parse_args(arguments)
    if options.once:
        case = next(case for case in CASES if case.name == "sandwich-by-matrix")
        same = is_as_committed(case)
        print(f"{case.name}: {'as committed' if same else 'NOT as committed'}")
        return 0 if same else 1
    FOLDER.mkdir(exist_ok=True)
    chosen = [case for case in CASES if not options.names or case.name in options.names]
    with ProcessPoolExecutor(options.jobs) as pool:
        for said in pool.map(make, chosen, [options.cotengra] * len(chosen)):
            print("\n".join(said), flush=True)
    if not options.names or "opt_einsum" in options.names:
        print(f"{make_outside(finders_of(options.cotengra))} networks of opt_einsum's")
    return 0


if __name__ == "__main__":
    sys.exit(main())

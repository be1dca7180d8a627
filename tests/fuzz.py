"""Differential fuzzer: random NumPy programs, their derivatives against independent oracles.

    python tests/fuzz.py --programs 100000 --seed 0 --jobs 2
    python tests/fuzz.py --programs 0 --long 200 --flat 1000

A program is a few lines of NumPy, and prints as such. Each is a pure function of its number and
the seed. Program k holds a line made from template k modulo their number, so that every template,
and so every supported function, is met again and again. A program is checked, to order three and
in all its arguments or some:

- *value*: order zero against NumPy itself, dtype included;
- *step*: order one against the complex step of NumPy's own result (analytic programs) or
  eighth-order differences of it (all others, and complex arguments); order n against the same of
  the plan of order n - 1, which was checked before;
- *reference*: the planned code against the plain evaluator of the same expression;
- *print*: every order is written in text and in LaTeX, and the text, read by the independent reader
  of `formula_reader`, has the value of the plan; texts of more than `laws.LONGEST_READ` characters
  are not read;
- *range*: inputs and constants near the ends of the range of float64 and float32, where all that
  the program computes is what it was; lines with such constants are among the templates;
- *written*: a line that changes a value in place is refused, or gives what NumPy gives;
- *memory*: arrays whose memory NumPy does not own, which can be locked but not unlocked;
- *standard*: the steps of a plan, interpreted on arrays of the array API standard, against its
  source;
- *filled*: arrays that are given for the results, in either order, and what is traced once;
- *again*: the same bits at the second call, of the source alone, from a pickle, of another plan;
- *contracted*: a derivative that is contracted where it is called, within a function, against the
  same contraction of it written out;
- *series*, *directions*: Taylor coefficients along a line and a curve; products nested along one
  direction and along two, and from both sides;
- *structured*: a structured value against the dense one; it holds no more numbers;
- *limit*: with a limit of memory, the same or refused;
- *rolled*: loops in Python that are short become scans;
- *batched*: a batch of points, by a scan and by a loop, each with its own derivative;
- *dtype*: each dtype keeps itself as in NumPy, integers become float64, mixtures promote;
- *jax*: against JAX, where it is installed and has the functions; a sample, for it is slow.

Some of these are checked of a share of the programs: the table `oracles.LAWS` says which.

Tolerance: the error may be a multiple of the loss that the same program shows in single precision,
scaled to double: cancellation and condition are measured, not guessed. Where matrices are inverted
it may be `n` times their condition at the least, for the single-precision routines of some LAPACKs
carry more digits than that: at a condition of 12,523 NumPy's own `solve` was 160 units of the last
place from mpmath in double precision, and 0.01 units in single. A difference quotient may
be wrong by 1e-8 more, to which two step sizes must agree, and by the rounding that its step
amplifies. A case whose loss is above `oracles.LARGEST_LOSS`, or whose difference quotients disagree
(a kink in between), is excluded and counted. A program that takes more than `MOST_SECONDS` has
failed. A derivative that is not finite is a failure where the
oracle is. A failure prints the seed and a minimised program; the exit status is 1.

*Long* programs, of 100 to 1,000 calls, are steps on one vector that is sliced, shifted, gathered
and selected from, with loops and scans; see `fuzzing.long`. *Flat* ones are models whose weights
are one vector; see `fuzzing.flat`. Both are checked by the laws of `fuzzing.vectors`.

What a program may say, how one is made and what it is compared with are modules of `fuzzing`.
"""

import argparse
import contextlib
import signal
import sys
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace

from fuzzing.flat import random_flat
from fuzzing.generate import random_program
from fuzzing.lines import functions_of
from fuzzing.long import random_long
from fuzzing.oracles import check
from fuzzing.programs import Program
from fuzzing.quotients import Excluded
from fuzzing.vectors import check_vector

MOST_SECONDS = 120  # of the processor; a program that takes longer has failed
CHUNK = 50  # programs of one job
VECTORS = {"long": random_long, "flat": random_flat}


class TooLongError(Exception):
    """A program that is not planned and checked in the time that it may take."""


@contextlib.contextmanager
def limited(seconds):
    """Raise `TooLongError` after so many seconds of the processor; others may run beside it."""

    def stop(*_):
        raise TooLongError(f"not done in {seconds} seconds of the processor")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def failure_of(program, **how):
    """Return what is wrong with a program: an error, `Excluded`, or counts of what was right."""
    check_one = check if isinstance(program, Program) else check_vector
    try:
        with limited(MOST_SECONDS):
            return check_one(program, **how)
    except Exception as error:
        return error


def minimised(program, **how):
    """Drop lines and orders while the program still fails in the same way."""
    kind = type(failure_of(program, **how))
    changed = True
    while changed:
        changed = False
        for smaller in _smaller(program) if isinstance(program, Program) else program.smaller():
            if type(failure_of(smaller, **how)) is kind:
                program, changed = smaller, True
                break
    return program


def _smaller(program):
    steps, n = program.steps, len(program.shapes)
    if program.order > 1:
        yield replace(program, order=program.order - 1)
    if set(program.dtypes) != {"float64"}:
        yield replace(program, dtypes=("float64",) * n)
    if program.argnums != 0:
        yield replace(program, argnums=0)
    for k in range(len(steps) - 1, -1, -1):
        if k == len(steps) - 1:
            if k:
                yield replace(program, steps=steps[:-1])
            continue
        for stand_in in steps[k].operands:
            moved = lambda i, k=k, s=stand_in: s if i == n + k else i - (i > n + k)  # noqa: E731
            rest = [replace(s, operands=tuple(map(moved, s.operands))) for s in steps[k + 1 :]]
            yield replace(program, steps=(*steps[:k], *rest))


def run_range(seed, numbers, jax_share=0, laws_share=1.0):
    """Check programs; return counts and the failures, minimised."""
    counts: Counter[str] = Counter()
    failures = []
    for number in numbers:
        program = random_program(seed, number)
        counts[f"lines {len(program.steps)}"] += 1
        counts.update({f"argument {dtype}" for dtype in program.dtypes})
        counts.update({f"calls {name}" for s in program.steps for name in functions_of(s.text)})
        how = {"with_jax": is_for_jax(number, jax_share), "laws_share": laws_share}
        _count(counts, failures, program, **how)
    return counts, failures


def run_vectors(family, seed, numbers, jax_share=0, laws_share=1.0):
    """Check functions of one vector, long ones or models; return counts and failures."""
    counts: Counter[str] = Counter()
    failures = []
    for number in numbers:
        program = VECTORS[family](seed, number)
        counts.update(f"{family}: {name}" for name in {*program.kinds})
        found: Counter[str] = Counter()
        how = {"with_jax": is_for_jax(number, jax_share), "laws_share": laws_share}
        _count(found, failures, program, **how)
        counts.update({f"{family}: {name}": count for name, count in found.items()})
    return counts, failures


def is_for_jax(number, share):
    """Whether a program is one of the share that JAX checks too."""
    return share > 0 and number % round(1 / share) == 0


def _count(counts, failures, program, **how):
    """Check a program; add to the counts and, minimised, to the failures."""
    found = failure_of(program, **how)
    counts["programs"] += 1
    if isinstance(found, Counter):
        counts.update(found)
    elif isinstance(found, Excluded):
        counts["excluded"] += 1
        counts[f"excluded: {found}"] += 1
    else:
        counts["failed"] += 1
        if not isinstance(found, TooLongError):
            program = minimised(program, **how)
            found = failure_of(program, **how)
        failures.append(report(program, found))


def report(program, error):
    """Write a program that fails, and what is wrong with it."""
    text = "".join(traceback.format_exception_only(error)).strip()
    where = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else ""
    return f"{program}\n{text}\n  {where}\n"


def main(arguments=None):
    """Run many programs; the exit status is 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", type=int, default=1000, help="short ones, of a few lines")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--long", type=int, default=0, help="programs of 100 to 1,000 calls")
    parser.add_argument("--flat", type=int, default=0, help="models whose weights are one vector")
    parser.add_argument("--first", type=int, default=0, help="number of the first program")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--jax", type=float, default=0.02, help="share that JAX checks too")
    parser.add_argument("--laws", type=float, default=1, help="part of the shares of the laws")
    options = parser.parse_args(arguments)
    total: Counter[str] = Counter()
    with ProcessPoolExecutor(options.jobs) as pool:
        for job in as_completed(_jobs(pool, options)):
            counts, failures = job.result()
            total.update(counts)
            print(*failures, sep="\n", end="", flush=True)
            done = sum(total[name] for name in ("programs", "long: programs", "flat: programs"))
            print(f"{done} done", file=sys.stderr, flush=True)
    for name, count in sorted(total.items()):
        print(f"{name}: {count}")
    return int(any(total[name] for name in ("failed", "long: failed", "flat: failed")))


def _jobs(pool, options):
    """Give the pool what is to be checked, a number of programs at a time."""

    def shards(count, chunk):
        end = options.first + count
        return [range(n, min(n + chunk, end)) for n in range(options.first, end, chunk)]

    seed, how = options.seed, (options.jax, options.laws)
    jobs = [pool.submit(run_range, seed, shard, *how) for shard in shards(options.programs, CHUNK)]
    for family, chunk in (("long", 2), ("flat", 10)):
        found = shards(getattr(options, family), chunk)
        jobs += [pool.submit(run_vectors, family, seed, shard, *how) for shard in found]
    return jobs


if __name__ == "__main__":
    sys.exit(main())

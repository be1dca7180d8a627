"""Differential fuzzer: random NumPy programs, their derivatives against independent oracles.

    python tests/fuzz.py --programs 100000 --seed 0 --jobs 2
    python tests/fuzz.py --programs 0 --long 200

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
- *contracted*: a derivative that is contracted where it is called, within a function, against the
  same contraction of it written out;
- *dtype*: each dtype keeps itself as in NumPy, integers become float64, mixtures promote;
- *jax*: against JAX, where it is installed and has the functions; a sample, for it is slow.

Tolerance: the error may be a multiple of the loss that the same program shows in single precision,
scaled to double: cancellation and condition are measured, not guessed. Where matrices are inverted
it may be `n` times their condition at the least, for the single-precision routines of some LAPACKs
carry more digits than that: at a condition of 12,523 NumPy's own `solve` was 160 units of the last
place from mpmath in double precision, and 0.01 units in single. A difference quotient may
be wrong by 1e-8 more, to which two step sizes must agree, and by the rounding that its step
amplifies. A case whose loss is above `oracles.LARGEST_LOSS`, or whose difference quotients disagree
(a kink in between), is excluded and counted. A derivative that is not finite is a failure where the
oracle is. A failure prints the seed and a minimised program; the exit status is 1.

*Long* programs, of 100 to 1,000 calls, are steps on one vector that is sliced, shifted, gathered
and selected from; see `fuzzing.long`.

What a program may say, how one is made and what it is compared with are modules of `fuzzing`.
"""

import argparse
import sys
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from fuzzing.generate import random_program
from fuzzing.lines import functions_of
from fuzzing.long import check_long, random_long
from fuzzing.oracles import check
from fuzzing.quotients import Excluded


def failure_of(program, *, with_jax=False):
    """Return what is wrong with a program: an error, `Excluded`, or counts of what was right."""
    try:
        return check(program, with_jax=with_jax)
    except Exception as error:
        return error


def minimised(program, *, with_jax=False):
    """Drop lines and orders while the program still fails in the same way."""
    kind = type(failure_of(program, with_jax=with_jax))
    changed = True
    while changed:
        changed = False
        for smaller in _smaller(program):
            if type(failure_of(smaller, with_jax=with_jax)) is kind:
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


def run_range(seed, numbers, jax_share):
    """Check programs; return counts and the failures, minimised."""
    counts: Counter[str] = Counter()
    failures = []
    for number in numbers:
        program = random_program(seed, number)
        with_jax = jax_share > 0 and number % round(1 / jax_share) == 0
        found = failure_of(program, with_jax=with_jax)
        counts["programs"] += 1
        counts[f"lines {len(program.steps)}"] += 1
        counts.update({f"argument {dtype}" for dtype in program.dtypes})
        counts.update({f"calls {name}" for s in program.steps for name in functions_of(s.text)})
        if isinstance(found, Counter):
            counts += found
        elif isinstance(found, Excluded):
            counts["excluded"] += 1
            counts[f"excluded: {found}"] += 1
        else:
            counts["failed"] += 1
            failures.append(report(minimised(program, with_jax=with_jax), with_jax=with_jax))
    return counts, failures


def run_long(seed, number):
    """Check one long program; return what is wrong with it, or an empty text."""
    program = random_long(seed, number)
    try:
        check_long(program)
    except Excluded:
        return ""
    except Exception as error:
        return f"{program}\n{''.join(traceback.format_exception_only(error)).strip()}\n"
    return ""


def report(program, *, with_jax=False):
    """Print a program that fails, and what is wrong with it."""
    error = failure_of(program, with_jax=with_jax)
    text = "".join(traceback.format_exception_only(error)).strip()
    where = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else ""
    return f"{program}\n{text}\n  {where}\n"


def main(arguments=None):
    """Run many programs; the exit status is 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--long", type=int, default=0, help="long programs beside them")
    parser.add_argument("--first", type=int, default=0, help="number of the first program")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--jax", type=float, default=0.02, help="share that JAX checks too")
    options = parser.parse_args(arguments)
    chunk = 100
    starts = range(options.first, options.first + options.programs, chunk)
    end = options.first + options.programs
    shards = [range(start, min(start + chunk, end)) for start in starts]
    total: Counter[str] = Counter()
    failed = 0
    with ProcessPoolExecutor(options.jobs) as pool:
        jobs = [pool.submit(run_range, options.seed, shard, options.jax) for shard in shards]
        end = options.first + options.long
        longs = [pool.submit(run_long, options.seed, k) for k in range(options.first, end)]
        for job in jobs:
            counts, failures = job.result()
            total.update(counts)
            failed += len(failures)
            for text in failures:
                print(text, flush=True)
        for job in longs:
            total["long programs"] += 1
            if job.result():
                failed += 1
                print(job.result(), flush=True)
    for name, count in sorted(total.items()):
        print(f"{name}: {count}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

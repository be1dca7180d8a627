"""Comparisons kept in files, and compared with later ones: ratios, for pipelines.

In: comparisons. Out: a file; ratios of flops and time for each problem, order and executor.
Guaranteed: a file keeps other problems that it has, those of the same name at other sizes, too; one
that is not ours is left alone; what is missing on either side is said.

Flops are the same on all machines, times are not. A baseline of another machine is still of use
with `relative_to`: then the time of each run is first divided by that of the same order on that
executor, in the same comparison, and the ratio is that of the quotients. It says whether a run
became slower than it was beside the other one, however fast the machine.
"""

import json
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eingrad._shown import cut
from eingrad.paths.comparison import Comparison, Run, of_document, to_document
from eingrad.paths.report import aligned
from eingrad.paths.typed import read_json
from eingrad.paths.units import ratio_text

FORMAT = 2


@dataclass(frozen=True, slots=True)
class Ratio:
    """What became of a run, or of an order where `executor` is empty.

    Attributes
    ----------
    problem, order, executor : str
        Which.
    flops : float or None
        Flops now over flops then, of an order.
    time : float or None
        Median time now over that then, of a run; of quotients, where times are relative.
    """

    problem: str
    order: str
    executor: str
    flops: float | None = None
    time: float | None = None

    @property
    def largest(self) -> float:
        """The worse of the two."""
        return max(x for x in (self.flops, self.time, 0.0) if x is not None)


@dataclass(frozen=True, slots=True)
class Change:
    """A comparison beside a stored one.

    Attributes
    ----------
    ratios : tuple of Ratio
        Of what both have.
    new : tuple of str
        Orders and runs that only the new one has measured.
    lost : tuple of Ratio
        Those that only the stored one has measured, without a ratio.
    limit : float or None
        The largest ratio that is well; then nothing must be lost.
    relative_to : str
        The executor that times are relative to; empty where they are not.
    """

    ratios: tuple[Ratio, ...]
    new: tuple[str, ...]
    lost: tuple[Ratio, ...]
    limit: float | None = None
    relative_to: str = ""

    @property
    def exceeded(self) -> tuple[Ratio, ...]:
        """Ratios above the limit, and what is lost; none where there is no limit."""
        if self.limit is None:
            return ()
        return (*[ratio for ratio in self.ratios if ratio.largest > self.limit], *self.lost)

    @property
    def gone(self) -> tuple[str, ...]:
        """Orders and runs that are lost, as they are named."""
        return tuple([_named((ratio.order, ratio.executor)) for ratio in self.lost])

    def __str__(self) -> str:
        rows = [
            [
                ratio.order,
                ratio.executor or "-",
                ratio_text(ratio.flops, 1.0),
                ratio_text(ratio.time, 1.0),
                "ABOVE THE LIMIT" if ratio in self.exceeded else "",
            ]
            for ratio in self.ratios
        ]
        beside = f", relative to {self.relative_to}" if self.relative_to else ""
        lines = [f"ratios to the baseline{beside}: above 1 is worse", ""]
        lines.append(aligned([["order", "executor", "flops", "time", ""], *rows], left=2))
        lines += [f"not in the baseline: {name}" for name in self.new]
        counted = "; COUNTS AS ABOVE THE LIMIT" if self.limit is not None else ""
        lines += [f"only in the baseline: {name}{counted}" for name in self.gone]
        return "\n".join(lines)


def change_document(change: Change) -> dict[str, Any]:
    """Give a change as JSON has it."""
    exceeded = [[r.order, r.executor] for r in change.exceeded]
    document = {**asdict(change), "gone": [*change.gone], "exceeded": exceeded}
    del document["lost"]
    return document


def ratios(
    now: Comparison, then: Comparison, *, limit: float | None = None, relative_to: str = ""
) -> Change:
    """Compare a comparison with a stored one of the same problem.

    Parameters
    ----------
    now, then : Comparison
        The new one, and the stored one.
    limit : float, optional
        The largest ratio that is well, of flops and of times.
    relative_to : str
        An executor; times are divided by its own first.

    Returns
    -------
    Change
        Where no time was given to the new one, of flops alone.
    """
    found, after, before = [], _measured(now, relative_to), _measured(then, relative_to)
    if not now.seconds:  # nobody asked for times
        before = {key: value for key, value in before.items() if not key[1]}
    for key in [key for key in after if key in before]:
        value = _over(after[key], before[key])
        order, executor = key
        is_order = not executor
        found.append(
            Ratio(
                now.problem,
                order,
                executor,
                flops=value if is_order else None,
                time=None if is_order else value,
            )
        )
    return Change(
        tuple(found),
        tuple([_named(key) for key in after if key not in before]),
        tuple([Ratio(now.problem, *key) for key in before if key not in after]),
        limit,
        relative_to,
    )


def _measured(comparison: Comparison, relative_to: str) -> dict[tuple[str, str], float]:
    """Flops of each order, and seconds of each run, those of another executor apart."""
    found: dict[tuple[str, str], float] = {}
    for order in comparison.orders:
        if order.flops is not None:
            found[order.name, ""] = order.flops
        beside = _seconds(comparison.run(order.name, relative_to)) if relative_to else 1.0
        for run in order.runs:
            seconds = _seconds(run)
            if seconds is not None and beside and run.executor != relative_to:
                found[order.name, run.executor] = seconds / beside
    return found


def _seconds(run: Run | None) -> float | None:
    return run.timing.seconds if run is not None and run.timing is not None else None


def _over(now: float, then: float) -> float:
    if now == then:
        return 1.0
    return now / then if then else math.inf


def _named(key: tuple[str, str]) -> str:
    order, executor = key
    return f"{order} on {executor}" if executor else order


# Files -------------------------------------------------------------------------------------------


def load(path: str | os.PathLike[str]) -> list[Comparison]:
    """Read the comparisons of a file.

    Raises
    ------
    OSError
        If there is none that can be read.
    ValueError
        If it is no file that `save` wrote: the message says where.
    """
    document = read_json(Path(path))
    if not isinstance(document, dict) or {*document} != {"eingrad baseline", "comparisons"}:
        raise ValueError(f"{path} is no file of comparisons that eingrad saved")
    if document["eingrad baseline"] != FORMAT or type(document["eingrad baseline"]) is not int:
        raise ValueError(f"{path} has another format; this version reads format {FORMAT}")
    stored: Any = document["comparisons"]
    if type(stored) is not list:
        raise ValueError(f"{path}: comparisons must be a list")
    found = [of_document(x, f"{path}: comparisons[{n}]") for n, x in enumerate(stored)]
    keys = [(comparison.problem, comparison.digest) for comparison in found]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise ValueError(f"{path} has the problem {cut(twice[0][0])!r} twice")
    return found


def find(comparisons: Sequence[Comparison], problem: str, digest: str) -> Comparison | None:
    """Find the comparison of a problem, by its name and by the digest of what it computes."""
    return next((c for c in comparisons if (c.problem, c.digest) == (problem, digest)), None)


def save(comparison: Comparison, path: str | os.PathLike[str]) -> None:
    """Write a comparison to a file, in place of the one of its problem; others in it stay.

    Raises
    ------
    OSError
        If it cannot be written.
    ValueError
        If there is a file that `save` did not write.
    """
    path = Path(path)
    kept = load(path) if path.exists() else []
    same = find(kept, comparison.problem, comparison.digest)
    others = [other for other in kept if other is not same]
    documents = [to_document(each) for each in (*others, comparison)]
    document = {"eingrad baseline": FORMAT, "comparisons": documents}
    write_text(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file as a whole, or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)  # as a file that is opened has it
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

"""What a comparison of contraction orders found, as data; and as JSON, there and back.

In: nothing. Out: classes that store. Guaranteed: what is written is read as the same; what has been
tampered with, or is of another format, is refused with the place.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from eingrad.paths.clock import Timing
from eingrad.paths.problem import Problem
from eingrad.paths.report import table
from eingrad.paths.schedule import Schedule
from eingrad.paths.typed import read_typed

FORMAT = 2

_KEPT_OUT = ("schedules", "subject")

STATUSES = {
    "measured": "values agree, and the time was measured",
    "checked": "values agree, but the time was not measured",
    "planned": "there is an order, but nothing was run",
    "disagrees": "values are not those of the reference",
    "missing": "the library is not installed",
    "too large": "it would not fit into the memory given",
    "too slow": "one run is predicted to take longer than the time given",
    "refused": "the library, or the search, cannot do it",
    "failed": "it raised an error",
    "not reached": "it was interrupted before, or no time was left",
}


@dataclass(frozen=True, slots=True)
class Run:
    """An order on an executor.

    Attributes
    ----------
    executor : str
        Its name.
    status : str
        One of `STATUSES`.
    reason : str
        Why, in a line; empty where all is well.
    predicted_peak_bytes : int or None
        Most memory at once that sizes tell, results included, operands not.
    measured_peak_bytes : int or None
        The same as measured, of arrays of NumPy.
    error : float or None
        Largest difference from the reference, relative to its largest entry.
    timing : Timing or None
        Where it was measured.
    """

    executor: str
    status: str
    reason: str = ""
    predicted_peak_bytes: int | None = None
    measured_peak_bytes: int | None = None
    error: float | None = None
    timing: Timing | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A contraction order, what it costs, and its runs.

    Attributes
    ----------
    name : str
        As it was asked for.
    status, reason : str
        As those of `Run`.
    mode : str
        Forward, reverse, or what is between; empty where nobody said.
    planning_seconds : float or None
        What the search took, by the clock.
    planning_cpu_seconds : float or None
        The same of the processor, all threads of this process.
    flops, multiplications, written, largest, peak_bytes : int or None
        See `eingrad.paths.schedule`; `written` and `largest` in elements.
    steps : int or None
        Contractions and sums.
    predicted_seconds : float or None
        Of eingrad's program, from sizes alone.
    slices : int or None
        How many pieces it is computed in, where the whole does not fit the memory given.
    sliced_flops : int or None
        Flops of all pieces.
    kernels : mapping from str to int
        How many steps of eingrad's program each of its kernels computes.
    runs : tuple of Run
        One for each executor.
    """

    name: str
    status: str
    reason: str = ""
    mode: str = ""
    planning_seconds: float | None = None
    planning_cpu_seconds: float | None = None
    flops: int | None = None
    multiplications: int | None = None
    written: int | None = None
    largest: int | None = None
    peak_bytes: int | None = None
    steps: int | None = None
    predicted_seconds: float | None = None
    slices: int | None = None
    sliced_flops: int | None = None
    kernels: Mapping[str, int] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """What was found of a problem.

    Attributes
    ----------
    problem : str
        Its name.
    digest : str
        Of what it computes; see `digest_of`.
    operands, outputs : int
        How many there are.
    orders : tuple of Order
        As they were asked for.
    executors : mapping from str to str
        The version of each; empty for one that is not installed.
    threads : mapping from str to str
        How many threads were found in use, and by whom.
    facts : mapping from str to str
        Versions and machine.
    seed : int
        Of the operands.
    seconds : float
        Given for the timing.
    memory_bytes : int
        Given for a run.
    tolerance : float
        The largest error that is agreement.
    reference : str
        The run that values are compared with.
    interrupted : bool
        Whether something is missing for that.
    schedules : mapping from str to Schedule
        Of the orders that were found; not in JSON, nor compared.
    subject : Problem or None
        The problem itself; not in JSON, nor compared.
    """

    problem: str
    digest: str
    operands: int
    outputs: int
    orders: tuple[Order, ...]
    executors: Mapping[str, str]
    threads: Mapping[str, str]
    facts: Mapping[str, str]
    seed: int
    seconds: float
    memory_bytes: int
    tolerance: float
    reference: str = ""
    interrupted: bool = False
    schedules: Mapping[str, Schedule] = field(default_factory=dict, compare=False, repr=False)
    subject: Problem | None = field(default=None, compare=False, repr=False)

    @property
    def agrees(self) -> bool:
        """Whether all values that were computed agree."""
        return all(run.status != "disagrees" for order in self.orders for run in order.runs)

    def run(self, order: str, executor: str) -> Run | None:
        """Find a run."""
        return next(
            (r for o in self.orders if o.name == order for r in o.runs if r.executor == executor),
            None,
        )

    def __str__(self) -> str:
        return table(self)


def digest_of(problem: Problem) -> str:
    """Digest what a problem computes: terms, sizes, and what is known of the operands.

    Parameters
    ----------
    problem : Problem
        Of any name.

    Returns
    -------
    str
        Sixteen hexadecimal digits, the same in any process: names and values do not count.
    """
    labels = {label: None for output in problem.outputs for label in output.indices}
    labels |= {label: None for _, term in problem.terms for part in term.indices for label in part}
    number = {label: n for n, label in enumerate(labels)}

    def numbered(indices: Sequence[str]) -> list[int]:
        return [number[label] for label in indices]

    outputs = [
        [
            numbered(output.indices),
            output.result_axes,
            [
                [
                    [problem.number[name] for name in term.operands],
                    [*map(numbered, term.indices)],
                    float(term.coefficient),
                ]
                for term in output.terms
            ],
        ]
        for output in problem.outputs
    ]
    operands = [[o.shape, o.dtype, o.kind, o.symmetric] for o in problem.operands.values()]
    told = json.dumps([outputs, operands, [problem.sizes[label] for label in labels]])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def to_document(comparison: Comparison) -> dict[str, Any]:
    """Give a comparison as JSON has it: dictionaries, lists, numbers, text."""
    stored = [f.name for f in fields(comparison) if f.name not in _KEPT_OUT]
    document: dict[str, Any] = {"eingrad comparison": FORMAT}
    document |= {name: getattr(comparison, name) for name in stored}
    document["orders"] = [_listed(asdict(order)) for order in comparison.orders]
    return document


def _listed(order: dict[str, Any]) -> dict[str, Any]:
    return order | {"runs": [*order["runs"]], "kernels": dict(order["kernels"])}


def of_document(document: Any, where: str = "comparison") -> Comparison:
    """Read what `to_document` gives.

    Raises
    ------
    ValueError
        If it is none: the message says at which place.
    """
    if not isinstance(document, dict) or "eingrad comparison" not in document:
        raise ValueError(f"{where} is no comparison that eingrad saved")
    rest = dict(document)
    version = rest.pop("eingrad comparison")
    if type(version) is not int or version != FORMAT:
        raise ValueError(f"{where} has format {version!r}; this version reads format {FORMAT}")
    found = read_typed(rest, Comparison, where, skip=_KEPT_OUT)
    comparison: Comparison = found
    for order in comparison.orders:
        for status in (order.status, *(run.status for run in order.runs)):
            if status not in STATUSES:
                raise ValueError(
                    f"{where} has a status {status[:40]!r}; there is none of that name"
                )
    return comparison

"""A comparison as text: a table with a row for each order; or as CSV, a line for each run.

In: a comparison. Out: text. Guaranteed: what was not measured is there, with the reason; what is
counted, on which threads and by which versions, is said below.
"""

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eingrad._mode import is_mode
from eingrad.paths.units import bytes_text, count_text, ratio_text, seconds_text

if TYPE_CHECKING:
    from eingrad.paths.comparison import Comparison, Order, Run

DEFINITIONS = {
    "mode": "of a derivative: forward where each product is one that forward mode makes, reverse "
    "likewise; of higher orders with a direction for each differentiation, the last one first; "
    "either where it does not matter, cross-country where no mode makes all products.",
    "steps": "contractions of one or two operands, and sums; views are among them.",
    "flops": "a step of two operands takes the product of the sizes of its indices, twice that if "
    "an index is summed: opt_einsum counts so. But here an index that one operand has alone is "
    "summed first, an addition for each entry, which opt_einsum leaves in the step; and a diagonal "
    "or a transpose takes none, which opt_einsum counts as any step. A sum of terms takes one for "
    "each entry and term but the first, and one for each coefficient.",
    "x": "ratio to the least of the table: of flops beside them, of time behind it.",
    "gain": "flops of the best pure mode of the table, over those of the order.",
    "multiplications": "the product of the sizes of the indices of each step of two operands: what "
    "cotengra calls flops. A complex or real number is one.",
    "written": "elements of all intermediates and outputs; a view has none.",
    "largest": "elements of the largest of these.",
    "peak": "most memory of these at once, operands not counted; beside a time, as measured.",
    "memory": "what --memory gives holds operands, results and intermediates, while peaks leave "
    "operands out.",
    "pieces": "how many an order is computed in, one after the other, where the whole does not fit "
    "the memory; their flops, of all of them; the columns before are those of the whole.",
    "planning": "time of the search, by the clock.",
    "predicted": "time of eingrad's program, from sizes alone.",
    "time": "median of a call over interleaved rounds, warm; ± half of the distance of the "
    "quartiles; then x.",
    "error": "largest difference from the reference, relative to its largest entry.",
}


def table(comparison: "Comparison") -> str:
    """Write a comparison for a terminal."""
    blocks = [_title(comparison), _costs(comparison.orders)]
    if any(run.timing for order in comparison.orders for run in order.runs):
        blocks.append(_times(comparison))
    if any(run.measured_peak_bytes is not None for o in comparison.orders for run in o.runs):
        blocks.append(_peaks(comparison))
    blocks += [_reasons(comparison), _kernels(comparison.orders), _legend(comparison)]
    return "\n\n".join(block for block in blocks if block)


def definitions() -> str:
    """Say what each column counts."""
    width = max(map(len, DEFINITIONS))
    return "\n".join(f"{name:{width}}  {text}" for name, text in DEFINITIONS.items())


def _title(comparison: "Comparison") -> str:
    parts = [(comparison.operands, "operand"), (comparison.outputs, "output")]
    counted = ", ".join(f"{n} {word}{'s' * (n != 1)}" for n, word in parts)
    return f"{comparison.problem}: {counted}" + "; INTERRUPTED" * comparison.interrupted


def _costs(orders: Sequence["Order"]) -> str:
    heads = ["steps", "flops", "x", "mult", "written", "largest", "peak", "planning", "predicted"]
    least = min((o.flops for o in orders if o.flops is not None), default=None)
    rows = [
        [
            *(o.name, o.mode or "-"),
            *(count_text(o.steps), count_text(o.flops), ratio_text(o.flops, least)),
            *(count_text(o.multiplications), count_text(o.written), count_text(o.largest)),
            *(bytes_text(o.peak_bytes), seconds_text(o.planning_seconds)),
            seconds_text(o.predicted_seconds),
        ]
        for o in orders
    ]
    pure = [o.flops for o in orders if is_mode(o.name) and o.flops is not None]
    if len(pure) > 1:
        heads.append("gain")
        rows = [[*row, ratio_text(min(pure), o.flops)] for row, o in zip(rows, orders, strict=True)]
    if any(o.sliced_flops is not None for o in orders):
        heads += ["pieces", "their flops"]
        rows = [[*row, *_pieces(order)] for row, order in zip(rows, orders, strict=True)]
    return aligned([["order", "mode", *heads], *rows], left=2)


def _pieces(order: "Order") -> list[str]:
    """Give the number and flops of the pieces that an order is computed in, if it is."""
    if order.sliced_flops is None:
        return ["-", "-"]
    return [count_text(order.slices), count_text(order.sliced_flops)]


def _times(comparison: "Comparison") -> str:
    times = [run.timing.seconds for o in comparison.orders for run in o.runs if run.timing]
    names = [*comparison.executors]
    rows = [["time of a call", *names]]
    for order in comparison.orders:
        found = {run.executor: run for run in order.runs}
        cells = [_time(found.get(name), min(times)) for name in names]
        rows.append([order.name, *cells])
    return aligned(rows, left=1)


def _time(run: "Run | None", least: float) -> str:
    if run is None:
        return "-"
    if run.timing is None:
        return run.status
    spread = (run.timing.upper - run.timing.lower) / 2
    percent = round(100 * spread / run.timing.seconds) if run.timing.seconds else 0
    ratio = ratio_text(run.timing.seconds, least)
    return f"{seconds_text(run.timing.seconds)} ±{percent}% {ratio}x"


def _peaks(comparison: "Comparison") -> str:
    names = [*comparison.executors]
    rows = [["peak: measured (predicted)", *names]]
    for order in comparison.orders:
        found = {run.executor: run for run in order.runs}
        rows.append([order.name, *[_peak(found.get(name)) for name in names]])
    return aligned(rows, left=1)


def _peak(run: "Run | None") -> str:
    if run is None or run.predicted_peak_bytes is None:
        return "-"
    measured = "?" if run.measured_peak_bytes is None else bytes_text(run.measured_peak_bytes)
    return f"{measured} ({bytes_text(run.predicted_peak_bytes)})"


def _reasons(comparison: "Comparison") -> str:
    """Say why something was not measured, once for what a whole order has in common."""
    lines = [f"{o.name}: {o.status}: {o.reason}" for o in comparison.orders if o.reason]
    groups: dict[tuple[str, str, str], list[str]] = {}
    for order in comparison.orders:
        for run in order.runs:
            if run.reason and run.reason != order.reason:
                where = "" if run.status == "missing" else f"{order.name} on "
                groups.setdefault((where, run.status, run.reason), []).append(run.executor)
    for (where, status, reason), executors in groups.items():
        lines.append(f"{where}{', '.join(dict.fromkeys(executors))}: {status}: {reason}")
    return "\n".join(lines)


def _kernels(orders: Sequence["Order"]) -> str:
    rows = [
        [order.name, ", ".join(f"{count} {name}" for name, count in order.kernels.items())]
        for order in orders
        if order.kernels
    ]
    return aligned([["steps of eingrad's program", ""], *rows], left=2) if rows else ""


_LEGEND = """\
flops: the product of the sizes of a step's indices, twice that if one is summed; mult: the product
time: median of interleaved rounds, ± half of the quartiles' distance; x: ratio to the least
written, largest: elements; peak: most memory at once, operands apart; more with --definitions
""".splitlines()


def _legend(comparison: "Comparison") -> str:
    versions = {**comparison.facts, **{k: v for k, v in comparison.executors.items() if v}}
    threads = [f"{who}: {count}" if who else count for who, count in comparison.threads.items()]
    against = f", against {comparison.reference}" if comparison.reference else ""
    agreement = f"agreement: {comparison.tolerance:.0e}{against}"
    given = f"{comparison.seconds:g} s for the timing, {bytes_text(comparison.memory_bytes)} a run"
    facts = (
        f"values: errors relative to the largest entry, at most {_worst(comparison)} ({agreement})",
        f"threads: {'; '.join(threads)}",
        f"seed {comparison.seed}; {given}",
        ", ".join(f"{name} {version}" for name, version in versions.items()),
    )
    lines = [*_LEGEND, *facts]
    return "\n".join(lines)


def _worst(comparison: "Comparison") -> str:
    errors = [r.error for o in comparison.orders for r in o.runs if r.error is not None]
    return f"{max(errors):.1e}" if errors else "unknown"


def aligned(rows: Sequence[Sequence[str]], left: int) -> str:
    """Align columns, the first `left` to the left, with a line below the heads."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(w) if k < left else cell.rjust(w)
            for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def to_csv(comparison: "Comparison") -> str:
    """Write a line for each order and executor: counts as integers, times in seconds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for order in comparison.orders:
        costs = [getattr(order, name) for name in _COSTS]
        for run in order.runs:
            timing = run.timing
            measured = (
                [timing.seconds, timing.lower, timing.upper, timing.rounds, timing.calls]
                if timing
                else [None] * 5
            )
            found = [run.predicted_peak_bytes, run.measured_peak_bytes, run.error, *measured]
            start = [comparison.problem, order.name, order.mode]
            writer.writerow([*start, *costs, run.executor, run.status, run.reason, *found])
        if not order.runs:
            rest = [None] * (len(CSV_COLUMNS) - len(costs) - 6)
            row = [comparison.problem, order.name, order.mode, *costs, None]
            writer.writerow([*row, order.status, order.reason, *rest])
    return text.getvalue()


_COSTS = (
    "planning_seconds", "planning_cpu_seconds", "flops", "multiplications", "written", "largest",
    "peak_bytes", "steps", "predicted_seconds", "slices", "sliced_flops",
)  # fmt: skip
CSV_COLUMNS = (
    "problem", "order", "mode", *_COSTS, "executor", "status", "reason", "predicted_peak_bytes",
    "measured_peak_bytes", "error", "seconds", "lower_seconds", "upper_seconds", "rounds", "calls",
)  # fmt: skip

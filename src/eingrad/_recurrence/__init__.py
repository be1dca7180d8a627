"""A body that is repeated, as one node: `Scan`, a row that is made for one `Recurrence`.

In: the graph of a step. Out: nodes of what all steps give; of those, tangents, cotangents, series.
Guaranteed: whatever is derived of a scan is a scan, so that all orders follow.

`row` says what a recurrence and a scan are, `forward` and `backward` how one differentiates,
`expand` how a series goes through it, `joined` what several have in common; `composed` is of rows
that are differentiated as scans, or as other expressions. docs/design/scans.md has the whole.
"""

from eingrad._recurrence.arrived import Arrived, Arriving
from eingrad._recurrence.backward import Sweeps, pull
from eingrad._recurrence.composed import (
    expression_of,
    is_composed,
    pull_composed,
    push_composed,
)
from eingrad._recurrence.expand import coefficient_of_scan
from eingrad._recurrence.forward import push
from eingrad._recurrence.joined import join
from eingrad._recurrence.needed import WHOLLY, Partly
from eingrad._recurrence.row import (
    Recurrence,
    Scan,
    is_scan,
    is_step_input,
    results_of_scan,
    scan_of,
    step_input,
)

__all__ = [
    "WHOLLY",
    "Arrived",
    "Arriving",
    "Partly",
    "Recurrence",
    "Scan",
    "Sweeps",
    "coefficient_of_scan",
    "expression_of",
    "is_composed",
    "is_scan",
    "is_step_input",
    "join",
    "pull",
    "pull_composed",
    "push",
    "push_composed",
    "results_of_scan",
    "scan_of",
    "step_input",
]

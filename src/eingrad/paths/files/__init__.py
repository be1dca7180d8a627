"""Networks, paths and schedules in files, ours and those of others: data only, never trusted.

In: a file, or a problem. Out: the other.
Guaranteed: whatever a file holds, the only error is a `FileError`; nothing in it is executed.

`docs/networks.md` describes the formats.
"""

from eingrad.errors import FileError
from eingrad.paths.files.arrays import problem_of_arrays
from eingrad.paths.files.linear import linear_of_ssa, ssa_of_linear
from eingrad.paths.files.networks import (
    read_problem,
    read_problems,
    write_problem,
    write_problems,
)
from eingrad.paths.files.orders import PathFile, read_paths, write_paths
from eingrad.paths.files.problems import problem_from_json
from eingrad.paths.files.schedules import schedule_from_json, schedule_to_json
from eingrad.paths.files.written import problem_to_json

__all__ = [
    "FileError",
    "PathFile",
    "linear_of_ssa",
    "problem_from_json",
    "problem_of_arrays",
    "problem_to_json",
    "read_paths",
    "read_problem",
    "read_problems",
    "schedule_from_json",
    "schedule_to_json",
    "ssa_of_linear",
    "write_paths",
    "write_problem",
    "write_problems",
]

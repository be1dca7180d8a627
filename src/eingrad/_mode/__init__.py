"""The mode of an order of contraction: forward, reverse, forward over reverse, cross-country.

In: what an order computes, and what pure modes compute. Out: names, and the modes by themselves.
Guaranteed: there is one definition, that of `makers`: plans and the bench of orders use it.
"""

from eingrad._mode.makers import Makers, UnknownError
from eingrad._mode.names import (
    CROSS,
    EITHER,
    FORWARD,
    NESTED,
    REVERSE,
    UNKNOWN,
    VALUE,
    directions_of,
    is_mode,
    kind_of_name,
    modes_of,
    name_of,
)
from eingrad._mode.of_plan import NO_MODE, Mode, Question, find_mode
from eingrad._mode.pure import MOST_FACTORS, PureMode, Sweeps, TooLargeError

__all__ = [
    "CROSS",
    "EITHER",
    "FORWARD",
    "MOST_FACTORS",
    "NESTED",
    "NO_MODE",
    "REVERSE",
    "UNKNOWN",
    "VALUE",
    "Makers",
    "Mode",
    "PureMode",
    "Question",
    "Sweeps",
    "TooLargeError",
    "UnknownError",
    "directions_of",
    "find_mode",
    "is_mode",
    "kind_of_name",
    "modes_of",
    "name_of",
]

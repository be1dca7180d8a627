"""Contenders timed in turn, round after round; their medians as a table, or as JSON."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Calls = dict[str, Callable[[], Any]]  # by the name of the contender


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """Make a parser with the options that every table of times has."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--once", action="store_true", help="few rounds")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


def microseconds(calls: Calls, rounds: int, least: float = 1e-3) -> dict[str, list[float]]:
    """Time one call of each contender in each round, as the mean of so many as take `least` s.

    Contenders take turns, so that a machine that slows down slows all of them.
    """
    repeats = {name: _repeats(call, least) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(1e6 * _seconds(call, repeats[name]))
    return times


def medians(times: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Give the median over the rounds, by contender."""
    return {name: statistics.median(values) for name, values in times.items()}


def _repeats(call: Callable[[], Any], least: float) -> int:
    return max(1, round(least / min(_seconds(call, 1) for _ in range(3))))


def _seconds(call: Callable[[], Any], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def print_table(
    results: Mapping[str, Mapping[str, float]], heads: Sequence[str], width: int, digits: int
) -> None:
    """Print microseconds: a row for each case, a column under each head."""
    print(f"{'microseconds a call':28}" + "".join(f"{head:>{width}}" for head in heads))
    for name, row in results.items():
        print(f"{name:28}" + "".join(f"{value:{width}.{digits}f}" for value in row.values()))


def print_json(results: Mapping[str, Mapping[str, float]]) -> None:
    """Print microseconds for other programs to read."""
    print(json.dumps({"unit": "microseconds", "medians": results}, indent=2))

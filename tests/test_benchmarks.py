"""Benchmarks run: what nobody calls for a while breaks with the names that it uses."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
SLOW = {"choices", "orders", "programs"}  # ``make bench`` runs them too
POINTS = {"real_programs": ["1", "15"]}  # of the catalogue, which has tests of its own
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))


def run(name, *options):
    """Run a benchmark as a user does."""
    command = [sys.executable, FOLDER / f"{name}.py", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SLOW])
def test_a_benchmark_runs_once(name):
    done = run(name, *POINTS.get(name, []), "--once")
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("name", sorted(SLOW))
def test_a_slow_benchmark_finds_what_it_imports(name):
    done = run(name, "--help")
    assert done.returncode == 0, done.stderr
    assert "--once" in done.stdout

"""Run emitted source: one signature for every way of running."""

from eingrad._run.dense import load

__all__ = ["load"]

"""Run emitted source: one signature for every way of running."""

from eingrad._run.dense import load
from eingrad._run.plan import Kernel, Plan

__all__ = ["Kernel", "Plan", "load"]

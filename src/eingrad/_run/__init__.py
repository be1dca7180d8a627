"""Run emitted source: one signature for every way of running."""

from eingrad._run.dense import load
from eingrad._run.plan import Kernel, Plan
from eingrad._run.structured import Layout, StructuredTensor

__all__ = ["Kernel", "Layout", "Plan", "StructuredTensor", "load"]

"""Run emitted source: one signature for every way of running."""

from eingrad._run.dense import load
from eingrad._run.plan import CapturedArray, Kernel, Plan
from eingrad._run.structured import Layout, StructuredTensor

__all__ = ["CapturedArray", "Kernel", "Layout", "Plan", "StructuredTensor", "load"]

"""Run emitted source: one signature for every way of running."""

from eingrad._run.dense import load
from eingrad._run.executable import Executable
from eingrad._run.explain import check_limit
from eingrad._run.form import FunctionForm, SymbolForm, check_symmetry, state_of, statics
from eingrad._run.order import ProductPath
from eingrad._run.plan import CapturedArray, Plan, check_buffers
from eingrad._run.structured import Layout, StructuredTensor

__all__ = [
    "CapturedArray",
    "Executable",
    "FunctionForm",
    "Layout",
    "Plan",
    "ProductPath",
    "StructuredTensor",
    "SymbolForm",
    "check_buffers",
    "check_limit",
    "check_symmetry",
    "load",
    "state_of",
    "statics",
]

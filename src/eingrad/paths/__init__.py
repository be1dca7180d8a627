"""Contraction orders compared: the bench whose unit is a set of networks, a derivative mostly.

>>> found = compare("ij,jk->ik", [[1.0, 2.0]], [[3.0], [4.0]], orders=["eingrad"], seconds=0)
>>> found.orders[0].flops
4
"""

from eingrad.paths.api import compare
from eingrad.paths.comparison import Comparison
from eingrad.paths.derived import of_function, of_identity
from eingrad.paths.instances import instance, instances
from eingrad.paths.modes import mode_of
from eingrad.paths.orders import NAMES, Order, find_order, given_order
from eingrad.paths.problem import Problem, of_einsum
from eingrad.paths.schedule import Schedule

__all__ = [
    "NAMES",
    "Comparison",
    "Order",
    "Problem",
    "Schedule",
    "compare",
    "find_order",
    "given_order",
    "instance",
    "instances",
    "mode_of",
    "of_einsum",
    "of_function",
    "of_identity",
]

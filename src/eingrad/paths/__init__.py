"""Contraction orders compared: the bench whose unit is a set of networks, a derivative mostly.

>>> found = compare("ij,jk->ik", [[1.0, 2.0]], [[3.0], [4.0]], orders=["eingrad"], seconds=0)
>>> found.orders[0].flops
4
"""

from eingrad.paths.api import compare
from eingrad.paths.comparison import Comparison

__all__ = ["Comparison", "compare"]

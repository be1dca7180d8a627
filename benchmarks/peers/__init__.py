"""Derivatives on which this library is compared with others, with hand-written NumPy, and how.

``benchmarks/peers.py`` is the command. A *problem* is a derivative of a function at a point, with
the best that people wrote for it by hand; problems stand in files by family, a row each. A
*contender* is one way to compute it. Each contender runs in a process of its own, a *worker*.
"""

from peers.families import PROBLEMS

__all__ = ["PROBLEMS"]

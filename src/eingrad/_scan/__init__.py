"""`scan`: a function that is repeated, in a traced function one node, else a loop.

In: the user's function, what it carries, arrays that are sliced. Out: the last carry, and stacked
outputs.
Guaranteed: in a traced function the body is called once, whatever the length; what it computes of
nothing but values from outside is computed outside, once.

`verb` has the function, `given` what it is given and returns, `record` makes a step of it.
"""

from eingrad._scan.verb import scan

__all__ = ["scan"]

"""Structured values: the terms of a derivative as arrays, what ties their axes kept apart.

In: the cores that a program computed, and the patterns known when it was compiled. Out: a tensor
that holds the cores alone, and is written out on request.

`tensor` is the class, `operators` what Python asks it, `placed` its terms by labels. `network`
contracts these; `contractions`, `axes`, `functions` and `index` say what NumPy's functions and
indexing do, `refusals` what is refused. `sparsity` gives sparse rows, `layout` what a plan knows
beforehand.

>>> import numpy as np
>>> from eingrad._tracer import Term
>>> band = Term(((0, 1),), np.array([1.0, 2.0, 3.0]), (0,), (range(3), range(1, 4)))
>>> tensor = StructuredTensor((4, 4), np.dtype(float), (band,))
>>> tensor
StructuredTensor of shape (4, 4), float64: delta[0,1] core(3)[0] at [0:3, 1:4]
>>> tensor.dense()
array([[0., 1., 0., 0.],
       [0., 0., 2., 0.],
       [0., 0., 0., 3.],
       [0., 0., 0., 0.]])
>>> tensor @ np.ones(4), np.sum(2 * tensor), tensor[1]
(array([1., 2., 3., 0.]), array(12.), array([0., 0., 2., 0.]))
>>> tensor @ tensor
StructuredTensor of shape (4, 4), float64: delta[0,1] core(2)[0] at [0:2, 2:4]
"""

from eingrad._run.structured import axes, contractions, functions  # register what they do
from eingrad._run.structured.layout import Layout
from eingrad._run.structured.tensor import StructuredTensor

__all__ = ["Layout", "StructuredTensor", "axes", "contractions", "functions"]

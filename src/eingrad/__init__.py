"""eingrad: full derivative tensors of NumPy functions, of any order, by tensor contraction.

>>> import numpy as np, eingrad as eg
>>> B = np.array([[1.0, 3.0], [0.0, 1.0]])
>>> eg.hessian(lambda x: x @ B @ x)(np.array([1.0, 2.0]))
array([[2., 3.],
       [3., 2.]])
"""

from eingrad._api import (
    Derivative,
    Expression,
    Plan,
    cache_clear,
    derivative,
    grad,
    hessian,
    jacobian,
    value_and_grad,
)

__version__ = "0.1.0"

__all__ = [
    "Derivative",
    "Expression",
    "Plan",
    "__version__",
    "cache_clear",
    "derivative",
    "grad",
    "hessian",
    "jacobian",
    "value_and_grad",
]

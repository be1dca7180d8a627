"""eingrad: full derivative tensors of NumPy functions, of any order, by tensor contraction.

>>> import numpy as np, eingrad as eg
>>> B = np.array([[1.0, 3.0], [0.0, 1.0]])
>>> eg.hessian(lambda x: x @ B @ x)(np.array([1.0, 2.0]))
array([[2., 3.],
       [3., 2.]])
"""

from eingrad._api import (
    Derivative,
    derivative,
    grad,
    hessian,
    jacobian,
    value_and_derivatives,
    value_and_grad,
)
from eingrad._compile import cache_clear, cache_info
from eingrad._products import hvp, jvp, vjp
from eingrad._run import CapturedArray, Plan, StructuredTensor
from eingrad._symbols import (
    Lift,
    compile,
    differentiate,
    function,
    lift,
    product,
    terms,
    trace,
    transpose,
    variable,
)
from eingrad._tracer import Expression, Term
from eingrad.verify import DerivativeCheck, IdentityCheck, check_derivatives, check_identity

__version__ = "0.1.0"

# What other libraries call it: an attribute that is missing names what to write.
_ELSEWHERE = {
    "jacfwd": "jacobian",
    "jacrev": "jacobian",
    "linearize": "jvp(f).plan(x, v)",
    "elementwise_grad": "vjp(f)(x, np.ones_like(x))",
    "make_jvp": "jvp",
    "make_vjp": "vjp",
    "jit": "derivative(f).plan(x)",
    "vmap": "a function of the whole batch; there is no vmap",
    "stop_gradient": "argnums without what is constant, or capture it",
    "numpy": "NumPy itself; functions are differentiated as they are",
}


def __getattr__(name: str) -> object:
    """Tell who comes from another library what a name of it is called here."""
    if name in _ELSEWHERE:
        raise AttributeError(
            f"module 'eingrad' has no attribute {name!r}; use {_ELSEWHERE[name]}", name=name
        )
    raise AttributeError(f"module 'eingrad' has no attribute {name!r}", name=name)


__all__ = [
    "CapturedArray",
    "Derivative",
    "DerivativeCheck",
    "Expression",
    "IdentityCheck",
    "Lift",
    "Plan",
    "StructuredTensor",
    "Term",
    "__version__",
    "cache_clear",
    "cache_info",
    "check_derivatives",
    "check_identity",
    "compile",
    "derivative",
    "differentiate",
    "function",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "lift",
    "product",
    "terms",
    "trace",
    "transpose",
    "value_and_derivatives",
    "value_and_grad",
    "variable",
    "vjp",
]

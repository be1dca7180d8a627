"""eingrad: full derivative tensors of NumPy functions, of any order, by tensor contraction.

>>> import numpy as np, eingrad as eg
>>> B = np.array([[1.0, 3.0], [0.0, 1.0]])
>>> eg.hessian(lambda x: x @ B @ x)(np.array([1.0, 2.0]))
array([[2., 3.],
       [3., 2.]])
"""

from eingrad._api import (
    derivative,
    grad,
    hessian,
    jacobian,
    value_and_derivatives,
    value_and_grad,
)
from eingrad._cache import cache_clear, cache_info
from eingrad._derivative import Derivative
from eingrad._directional import hvp, jvp, vjp
from eingrad._einsum import einsum, einsum_plan
from eingrad._lift import Lift, lift
from eingrad._remark import product, terms, trace, transpose
from eingrad._run import CapturedArray, Plan, ProductPath, StructuredTensor
from eingrad._scan import scan
from eingrad._symbols import compile, differentiate, function, variable
from eingrad._taylor import taylor
from eingrad._tracebacks import ends_at_the_user as _ends_at_the_user
from eingrad._traced_once import compiled, plan
from eingrad._tracer import Expression, Term
from eingrad.verify import DerivativeCheck, IdentityCheck, check_derivatives, check_identity

__version__ = "0.1.0"

# What other libraries call it: an attribute that is missing names what to write. Names of ours in
# backquotes are calls that a test makes.
_ELSEWHERE = {
    "check_grads": "`eg.check_derivatives(f, x)`",
    "checkpoint": "`eg.plan(eg.grad(f), x, memory_limit='1GB')`: plans choose what they keep",
    "cond": "np.where, or Python's if on what is no traced value",
    "custom_jvp": "the functions of docs/functions.md; there are no derivatives of one's own",
    "custom_vjp": "the functions of docs/functions.md; there are no derivatives of one's own",
    "elementwise_grad": "`eg.vjp(f)(x, np.ones_like(x))`",
    "fori_loop": "Python's for; for many steps alike, eg.scan",
    "grad_and_value": "`eg.value_and_grad(f)(x)`",
    "gradient": "`eg.grad(f)(x)`",
    "hessian_vector_product": "`eg.hvp(f)(x, v)`",
    "jacfwd": "`eg.jacobian(f)(x)`",
    "jacobian_vector_product": "`eg.jvp(f)(x, v)`",
    "jacrev": "`eg.jacobian(f)(x)`",
    "jet": "`eg.taylor(f, 3)(x, v)`, the coefficients without their factorials",
    "jit": "`eg.compiled(f)(x)` to compile a function, `eg.compiled(eg.grad(f))(x)` to compile its "
    "gradient; `eg.plan(f, x)` and `eg.grad(f).plan(x)` for arguments of one shape and dtype",
    "lax": "NumPy, Python's loops, and eg.scan",
    "linearize": "`eg.jvp(f).plan(x, v)`",
    "make_hvp": "`eg.hvp(f)(x, v)`",
    "make_jaxpr": "`eg.derivative(f, order=0).expression(x)`",
    "make_jvp": "`eg.jvp(f)(x, v)`",
    "make_vjp": "`eg.vjp(f)(x, np.ones_like(f(x)))`",
    "numpy": "NumPy itself; functions are differentiated as they are",
    "pmap": "a function of the whole batch; there is no pmap",
    "primitive": "the functions of docs/functions.md; there are no derivatives of one's own",
    "remat": "`eg.plan(eg.grad(f), x, memory_limit='1GB')`: plans choose what they keep",
    "stop_gradient": "`eg.grad(f, argnums=0)(x, c)`, where c is held constant; a captured array is",
    "value_and_jac": "`eg.value_and_derivatives(f, 1)(x)`",
    "value_and_jacobian": "`eg.value_and_derivatives(f, 1)(x)`",
    "vector_jacobian_product": "`eg.vjp(f)(x, np.ones_like(f(x)))`",
    "vmap": "a function of the whole batch; there is no vmap",
    "while_loop": "Python's while, on what is no traced value",
}


@_ends_at_the_user
def __getattr__(name: str) -> object:
    """Tell who comes from another library what a name of it is called here."""
    use = f"; use {_ELSEWHERE[name]}" if name in _ELSEWHERE else ""
    raise AttributeError(f"module 'eingrad' has no attribute {name!r}{use}", name=name)


__all__ = [
    "CapturedArray",
    "Derivative",
    "DerivativeCheck",
    "Expression",
    "IdentityCheck",
    "Lift",
    "Plan",
    "ProductPath",
    "StructuredTensor",
    "Term",
    "__version__",
    "cache_clear",
    "cache_info",
    "check_derivatives",
    "check_identity",
    "compile",
    "compiled",
    "derivative",
    "differentiate",
    "einsum",
    "einsum_plan",
    "function",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "lift",
    "plan",
    "product",
    "scan",
    "taylor",
    "terms",
    "trace",
    "transpose",
    "value_and_derivatives",
    "value_and_grad",
    "variable",
    "vjp",
]

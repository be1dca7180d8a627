"""Checks for users: of an identity they state, and of the derivatives of their own functions.

In: two expressions, or functions of symbols; or a NumPy function and a point. Out: a report that is
true or false, prints as a table, and holds its figures.
Guaranteed: a proof is symbolic; a check at points says at how many and how far off; a failure comes
with a counterexample as small as could be found.

>>> import numpy as np
>>> check = check_identity(lambda A, B: np.trace(A @ B), lambda A, B: np.trace(B @ A),
...                        shapes={"A": "DE", "B": "ED"})
>>> print(check)
proved for D=1, E=1; D=1, E=2; D=2, E=1; D=2, E=3; D=3, E=4
"""

from eingrad.verify.derivatives import check_derivatives
from eingrad.verify.identities import check_identity
from eingrad.verify.reports import DerivativeCheck, IdentityCheck

__all__ = ["DerivativeCheck", "IdentityCheck", "check_derivatives", "check_identity"]

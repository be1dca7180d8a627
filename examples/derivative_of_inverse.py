"""The derivative of a matrix by a matrix is a tensor: ``Y = inv(X)``, all D x D x D x D of it.

Axes of the result come first, then those of the variable, ``dY[i, j, k, l] = dY[i, j] / dX[k, l]``.
For such a tensor, trace and transpose act on the first two axes and leave the variable's alone
(Deisenroth, Faisal, Ong, *Mathematics for Machine Learning*, section 5.5). All three are
checked: the derivative and its trace against closed forms, the transpose against the derivative of
the transpose. The script exits with status 1 if one of them is wrong.
"""

import sys

import numpy as np

import eingrad as eg

D = 4
TOLERANCE = 1e-12


def main() -> int:
    """Differentiate, check, report; the exit status."""
    rng = np.random.default_rng(0)
    X = D * np.eye(D) + rng.uniform(-1, 1, (D, D))  # diagonally dominant: well conditioned
    Y = np.linalg.inv(X)

    dY = eg.jacobian(np.linalg.inv)(X)
    trace = np.einsum("iikl->kl", dY)
    transpose = np.swapaxes(dY, 0, 1)  # not dY.T, which reverses all four axes
    checks = {
        "dY": (dY, -np.einsum("ik,lj->ijkl", Y, Y)),
        "trace of dY": (trace, -(Y @ Y).T),
        "transpose of dY": (transpose, eg.jacobian(lambda X: np.linalg.inv(X).T)(X)),
    }

    plan = eg.jacobian(np.linalg.inv).plan(X)
    print("plan\n")
    print(plan)
    print("\nas NumPy code\n")
    print(plan.source)

    print(f"condition number of X: {np.linalg.cond(X):.1f}\n")
    print(f"{'':17}{'shape':15}largest error")
    correct = True
    for name, (actual, expected) in checks.items():
        error = np.max(np.abs(actual - expected))
        correct &= bool(actual.shape == expected.shape and error <= TOLERANCE)  # nan is an error
        print(f"{name:17}{actual.shape!s:15}{error:.1e}")
    return 0 if correct else 1


if __name__ == "__main__":
    sys.exit(main())

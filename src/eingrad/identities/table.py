"""The table of the identities: one entry each, and nowhere else."""

from collections.abc import Mapping

import numpy as np

from eingrad._remark import product, trace, transpose
from eingrad.identities.known import (
    bilinear_inverse_matrix,
    least_squares_matrix,
    least_squares_value,
    sample_bilinear,
    sample_bilinear_inverse,
    sample_inner,
    sample_least_squares,
    sample_quadratic,
    state_bilinear,
    state_bilinear_inverse,
    state_inner,
    state_least_squares,
    state_quadratic,
    zero,
)
from eingrad.identities.stated import Identity
from eingrad.identities.unknown import (
    back,
    det_matrix,
    inverse_matrix,
    matrices,
    of_unknown_f,
    sample_f,
)

_F_SHAPES = "f(X) D x D, X E x F; derivative D x D x E x F"

IDENTITIES: Mapping[str, Identity] = {
    identity.number: identity
    for identity in (
        Identity(
            "5.99", "d f(X)^T / dX = (df/dX)^T",
            r"\frac{\partial}{\partial X} f(X)^\top"
            r" = \left(\frac{\partial f(X)}{\partial X}\right)^\top",
            _F_SHAPES, of_unknown_f(transpose, lambda _, df: transpose(df)), sample_f,
            lambda arrays: arrays["F"].T,
            lambda arrays, order: back(
                np.swapaxes(matrices(arrays, order)(range(order)), -1, -2)
            ),
        ),
        Identity(
            "5.100", "d tr f(X) / dX = tr(df/dX)",
            r"\frac{\partial}{\partial X} \operatorname{tr} f(X)"
            r" = \operatorname{tr}\left(\frac{\partial f(X)}{\partial X}\right)",
            "f(X) D x D, X E x F; derivative E x F",
            of_unknown_f(trace, lambda _, df: trace(df)), sample_f,
            lambda arrays: np.trace(arrays["F"]),
            lambda arrays, order: np.trace(
                matrices(arrays, order)(range(order)), axis1=-2, axis2=-1
            ),
        ),
        Identity(
            "5.101", "d det f(X) / dX = det(f) tr(f^-1 df/dX)",
            r"\frac{\partial}{\partial X} \det f(X) = \det(f(X)) \operatorname{tr}"
            r"\left(f(X)^{-1} \frac{\partial f(X)}{\partial X}\right)",
            "f(X) D x D, X E x F; derivative E x F",
            of_unknown_f(
                np.linalg.det,
                lambda f, df: np.linalg.det(f) * trace(product(np.linalg.inv(f), df)),
            ),
            sample_f, lambda arrays: np.linalg.det(arrays["F"]), det_matrix,
        ),
        Identity(
            "5.102", "d f(X)^-1 / dX = -f^-1 (df/dX) f^-1",
            r"\frac{\partial}{\partial X} f(X)^{-1}"
            r" = -f(X)^{-1} \frac{\partial f(X)}{\partial X} f(X)^{-1}",
            _F_SHAPES,
            of_unknown_f(
                np.linalg.inv,
                lambda f, df: -product(np.linalg.inv(f), df, np.linalg.inv(f)),
            ),
            sample_f, lambda arrays: np.linalg.inv(arrays["F"]), inverse_matrix,
        ),
        Identity(
            "5.103", "d a^T X^-1 b / dX = -X^-T a b^T X^-T",
            r"\frac{\partial a^\top X^{-1} b}{\partial X} = -(X^{-1})^\top a b^\top (X^{-1})^\top",
            "X D x D; derivative D x D", state_bilinear_inverse, sample_bilinear_inverse,
            lambda arrays: arrays["a"] @ np.linalg.inv(arrays["X"]) @ arrays["b"],
            bilinear_inverse_matrix,
        ),
        Identity(
            "5.104", "d x^T a / dx = a^T",
            r"\frac{\partial x^\top a}{\partial x} = a^\top",
            "x D; derivative D (the book's 1 x D row)", state_inner, sample_inner,
            lambda arrays: arrays["x"] @ arrays["a"],
            lambda arrays, order: arrays["a"] if order == 1 else zero(len(arrays["a"]), order),
        ),
        Identity(
            "5.105", "d a^T x / dx = a^T",
            r"\frac{\partial a^\top x}{\partial x} = a^\top",
            "x D; derivative D (the book's 1 x D row)",
            lambda size, dtype=np.float64: state_inner(size, dtype, swapped=True), sample_inner,
            lambda arrays: arrays["a"] @ arrays["x"],
            lambda arrays, order: arrays["a"] if order == 1 else zero(len(arrays["a"]), order),
        ),
        Identity(
            "5.106", "d a^T X b / dX = a b^T",
            r"\frac{\partial a^\top X b}{\partial X} = a b^\top",
            "X E x F; derivative E x F", state_bilinear, sample_bilinear,
            lambda arrays: arrays["a"] @ arrays["X"] @ arrays["b"],
            lambda arrays, order: (
                np.outer(arrays["a"], arrays["b"]) if order == 1
                else np.zeros(arrays["X"].shape * order)
            ),
        ),
        Identity(
            "5.107", "d x^T B x / dx = x^T (B + B^T)",
            r"\frac{\partial x^\top B x}{\partial x} = x^\top (B + B^\top)",
            "x D; derivative D (the book's 1 x D row)", state_quadratic, sample_quadratic,
            lambda arrays: arrays["x"] @ arrays["B"] @ arrays["x"],
            lambda arrays, order: (
                arrays["x"] @ (arrays["B"] + arrays["B"].T) if order == 1
                else arrays["B"] + arrays["B"].T if order == 2  # noqa: PLR2004
                else zero(len(arrays["x"]), order)
            ),
        ),
        Identity(
            "5.108", "d (x-As)^T W (x-As) / ds = -2 (x-As)^T W A, W symmetric",
            r"\frac{\partial}{\partial s} (x - A s)^\top W (x - A s)"
            r" = -2 (x - A s)^\top W A, \quad W = W^\top",
            "x D, A D x E, s E; derivative E (the book's 1 x E row)",
            state_least_squares, sample_least_squares,
            least_squares_value, least_squares_matrix,
        ),
        Identity(
            "5.108 any W", "d (x-As)^T W (x-As) / ds = -(x-As)^T (W + W^T) A",
            r"\frac{\partial}{\partial s} (x - A s)^\top W (x - A s)"
            r" = -(x - A s)^\top (W + W^\top) A",
            "x D, A D x E, s E; derivative E",
            lambda size, dtype=np.float64: state_least_squares(size, dtype, symmetric=False),
            lambda rng, size: sample_least_squares(rng, size, symmetric=False),
            least_squares_value,
            lambda arrays, order: least_squares_matrix(arrays, order, symmetric=False),
        ),
    )
}  # fmt: skip

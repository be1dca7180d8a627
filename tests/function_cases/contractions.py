"""Contractions, linear algebra, and functions that are composed of others."""

import itertools

import numpy as np

from function_cases.rows import (
    C23,
    DOTS,
    EYE,
    FLAGS,
    INNERS,
    MATMULS,
    case,
    per_shape,
    positive,
    real,
)


def einsums():
    rows = [
        ("ij,jk->ik", (2, 3), (3, 4)),
        ("ij,jk", (2, 3), (3, 4)),
        ("ba", (2, 3)),
        ("Ba", (2, 3)),
        ("ij,ij->", (2, 3), (2, 3)),
        ("i,j->ji", (2,), (3,)),
        ("i,i->i", (3,), (3,)),
        ("ii->i", (3, 3)),
        ("ii->", (3, 3)),
        ("ii", (3, 3)),
        ("iij->j", (2, 2, 3)),
        ("iji->ji", (2, 3, 2)),
        ("iij,jk->ik", (2, 2, 3), (3, 2)),
        ("iii->i", (2, 2, 2)),
        ("ij->j", (2, 3)),
        ("ijk->kij", (2, 3, 2)),
        ("ij->", (2, 3)),
        ("->", ()),
        (",i->i", (), (3,)),
        ("i,ij,j->", (2,), (2, 3), (3,)),
        ("ij,jk,kl->il", (2, 2), (2, 3), (3, 2)),
        ("...ij,...jk->...ik", (2, 2, 3), (2, 3, 2)),
        ("...ij,...jk->...ik", (2, 1, 2, 3), (3, 3, 2)),
        ("...ij,jk->...ik", (2, 2, 3), (3, 2)),
        ("...ii->...i", (2, 3, 3)),
        ("...i->...", (2, 2, 3)),
        ("i...->...i", (2, 3, 2)),
        ("...i,...i", (2, 3), (3,)),
        ("...", (2, 3)),
        ("i...j->ji...", (2, 3, 2)),
        ("ij,jk->ik", (2, 1), (3, 2)),
        ("ij,ij->ij", (1, 3), (2, 1)),
        ("i,i->", (1,), (4,)),
        ("i,i->i", (1,), (4,)),
        (" i j , j k -> i k ", (2, 3), (3, 2)),
        ("ij,jk->ik", (2, 0), (0, 3)),
        ("ij,jk->ik", (0, 2), (2, 3)),
    ]
    for spec, *shapes in rows:
        name = f"einsum {spec!r} {' '.join(map(str, shapes))}"
        yield case(name, lambda *x, spec=spec: np.einsum(spec, *x), *shapes)
    yield from (
        case("einsum lists", lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [0, 2]), (2, 3), (3, 2)),
        case("einsum lists implicit", lambda x: np.einsum(x, [3, 1], x, [2, 1]), (2, 3)),
        case("einsum lists in numerical order", lambda x: np.einsum(x, [10, 2]), (2, 3)),
        case("einsum lists diagonal", lambda x: np.einsum(x, [0, 0], [0]), (3, 3)),
        case("einsum lists trace", lambda x: np.einsum(x, [0, 0], []), (3, 3)),
        case(
            "einsum lists ellipsis",
            lambda x, y: np.einsum(x, [..., 0, 1], y, [1], [..., 0]),
            (2, 2, 3),
            (3,),
        ),
        case("einsum lists implicit ellipsis", lambda x: np.einsum(x, [1, ..., 0]), (2, 3, 2)),
        case("einsum optimize", lambda x: np.einsum("ij,ij", x, x, optimize=True), (2, 3)),
        case("einsum with an array", lambda x: np.einsum("ij,ij->i", x, C23), (2, 3)),
        case("einsum one operand thrice", lambda x: np.einsum("ij,jk,ki->ij", x, x, x), (2, 2)),
    )  # fmt: skip


def contractions():
    yield from per_shape("matmul", np.matmul, *MATMULS)
    yield from per_shape("linalg.matmul", np.linalg.matmul, ((2, 3), (3, 2)), ((2, 2, 3), (3, 1)))
    yield from per_shape("dot", np.dot, *DOTS)
    yield from per_shape("x.dot", lambda x, y: x.dot(y), ((2, 3), (3,)), ((3,), (3,)))
    yield from per_shape("inner", np.inner, *INNERS)
    yield from per_shape("outer", np.outer, ((2,), (3,)), ((2, 2), (3,)), ((), (3,)), ((0,), (2,)))
    yield from per_shape("multiply.outer", np.multiply.outer, ((2,), (3,)), ((2, 2), (2,)))
    for axes, *shapes in (
        (0, (2,), (3,)),
        (1, (2, 3), (3, 2)),
        (2, (2, 3, 2), (3, 2, 2)),
        (([0], [1]), (3, 2), (2, 3)),
        (([0, 1], [1, 0]), (3, 2), (2, 3)),
        ((1, 0), (2, 3), (3, 2)),
        ((-1, -2), (2, 3), (3, 2)),
        (([], []), (2,), (2,)),
        (((1, 0), (0, 2)), (2, 3), (3, 2, 2)),
    ):
        name = f"tensordot {axes}"
        yield case(name, lambda x, y, axes=axes: np.tensordot(x, y, axes), *shapes)
    yield case("tensordot", np.tensordot, (2, 3), (2, 3))
    yield case("tensordot axes=1", lambda x: np.tensordot(x, x, axes=1), (2, 2))
    for offset in (-4, -1, 0, 1, 2, 3):
        yield case(f"trace {offset}", lambda x, k=offset: np.trace(x, k), (2, 3))
        yield case(f"diagonal {offset}", lambda x, k=offset: np.diagonal(x, offset=k), (3, 2))
        yield case(f"diagonal method {offset}", lambda x, k=offset: x.diagonal(k), (2, 3))
        yield case(
            f"linalg.trace {offset}", lambda x, k=offset: np.linalg.trace(x, offset=k), (2, 2, 3)
        )
        yield case(
            f"linalg.diagonal {offset}",
            lambda x, k=offset: np.linalg.diagonal(x, offset=k),
            (2, 2, 3),
        )
    for one, two in ((0, 2), (2, 0), (-1, 1), (1, 0)):
        yield case(
            f"trace of axes {one}, {two}",
            lambda x, a=one, b=two: np.trace(x, 1, axis1=a, axis2=b),
            (2, 3, 2),
        )
        yield case(
            f"diagonal of axes {one}, {two}",
            lambda x, a=one, b=two: np.diagonal(x, 0, axis1=a, axis2=b),
            (2, 3, 2),
        )
    yield case("trace method", lambda x: x.trace(), (3, 3))
    for name, g in (("trace", np.trace), ("linalg.trace", np.linalg.trace)):
        yield real(f"{name} dtype", lambda x, g=g: g(x, dtype=np.float64) ** 2, (3, 3))
    for name, g in (("sum", np.sum), ("mean", np.mean)):
        for axis, keepdims in itertools.product(
            (None, 0, -1, (0, 2), (), (-1, 0, 1)), (True, False)
        ):
            yield case(
                f"{name} axis={axis} keepdims={keepdims}",
                lambda x, g=g, a=axis, k=keepdims: g(x, axis=a, keepdims=k),
                (2, 3, 2),
            )
        yield case(f"{name} of 0-d", g, ())
        yield case(f"{name} method", lambda x, name=name: getattr(x, name)(1), (2, 3))
        yield case(f"{name} of an empty axis kept", lambda x, g=g: g(x, axis=1), (0, 2))
    yield case("sum of nothing", np.sum, (0, 3))
    yield case("sum over an empty axis", lambda x: np.sum(x, axis=0), (0, 3))
    yield case("np.add.reduce", np.add.reduce, (2, 3))
    yield case("np.add.reduce axis", lambda x: np.add.reduce(x, axis=1, keepdims=True), (2, 3))


def linear_algebra():
    def shifted(g):
        return lambda a, *rest: g(a + EYE, *rest)

    for name in ("inv", "det"):
        yield from per_shape(
            f"linalg.{name}", shifted(getattr(np.linalg, name)), ((3, 3),), ((2, 3, 3),)
        )
    log_det = shifted(lambda a: np.linalg.slogdet(a)[1])
    yield from per_shape("slogdet", log_det, ((3, 3),), ((2, 3, 3),), make=real)
    yield from (
        real("slogdet.sign", shifted(lambda a: np.linalg.slogdet(a).sign), (3, 3)),
        real("logabsdet, negative det", lambda a: np.linalg.slogdet(-a - EYE).logabsdet, (3, 3)),
        case("det of one number", np.linalg.det, (1, 1)),
        case("inv of one number", np.linalg.inv, (1, 1), low=0.4),
        case("det of nothing", np.linalg.det, (0, 0)),
        case("inv of nothing", np.linalg.inv, (0, 0)),
        case("det of an empty batch", np.linalg.det, (0, 2, 2)),
        case("inv of a Gram matrix", lambda x: np.linalg.inv(x.T @ x + EYE), (2, 3)),
        case("det of inv", shifted(lambda a: np.linalg.det(np.linalg.inv(a))), (3, 3)),
    )
    yield from per_shape(
        "solve",
        shifted(np.linalg.solve),
        ((3, 3), (3,)),
        ((3, 3), (3, 2)),
        ((3, 3), (3, 1)),
        ((2, 3, 3), (3,)),
        ((2, 3, 3), (2, 3, 2)),
        ((2, 3, 3), (3, 2)),
        ((3, 3), (2, 3, 1)),
        ((2, 1, 3, 3), (2, 3, 1)),
    )
    yield case("solve array", lambda b: np.linalg.solve(EYE + 1, b), (3,))
    yield case("solve for array", lambda a: np.linalg.solve(a + EYE, C23.T), (3, 3))


def compositions():
    """Elementwise functions that are compositions, and functions that are flat."""
    for name in ("floor", "ceil", "trunc", "rint", "fix", "fabs", "round", "around"):
        yield real(name, getattr(np, name), (2, 3))
    for name in ("deg2rad", "rad2deg", "degrees", "radians", "real", "conj"):
        yield case(name, getattr(np, name), (2, 3), analytic=False)
    yield from (
        real("round to a decimal", lambda x: np.round(x, 1) * x, (2,), low=0.07, high=0.13),
        real("round method", lambda x: x.round(1) * x, (2,)),
        real("imag", lambda x: x + np.imag(x), (2,)),
        real(".real, .imag", lambda x: x.real * x + x.imag, (2,)),
        real("conj methods", lambda x: x.conj() * x.conjugate(), (2,)),
        real("logaddexp2", np.logaddexp2, (2, 3), (3,)),
        real("clip", lambda x: np.clip(x, -0.5, 0.7) * x, (2, 3)),
        real("clip from below", lambda x: np.clip(x, 0.1, None) ** 2, (2, 3)),
        real("clip by arrays", lambda x, y: np.clip(x, y - 0.5, y + 0.5), (2, 3), (3,)),
        real("clip by keywords", lambda x: np.clip(x, min=-0.2, max=0.2) + x * x, (3,)),
        real("clip method", lambda x: x.clip(-0.5, 0.7), (2, 3)),
        real("clip method, max", lambda x: x.clip(max=0.7), (2, 3)),
        real("select", lambda x: np.select([x > 1, x > 0], [x**3, x**2], x), (2, 3)),
        real("select without default", lambda x: np.select([x > 0], [np.sin(x)]), (3,)),
        real(
            "where logical_xor", lambda x: np.where(np.logical_xor(x > 0, FLAGS), x * x, x), (2, 3)
        ),
        real("where isinf", lambda x: np.where(np.isinf(x), 0, x * x), (2, 3)),
        real(
            "flags have a layout", lambda x: np.where((x.T > 0)[:, None].T[:, 0], x * x, x), (2, 3)
        ),
        real("where any", lambda x: np.where(np.any(x > 0, axis=1), x[:, 0], x[:, 1] ** 2), (2, 3)),
        real("where any, kept", lambda x: np.where(np.any(x > 1, 1, keepdims=True), x, 1), (2, 3)),
        real("where all", lambda x: x * np.where(np.all(x > 0, keepdims=True), x, 2.0), (2, 3)),
        real(
            "any and all methods", lambda x: np.where((x > 0).any(0) | (x < 0).all(0), x, 1), (2, 3)
        ),
        real("any where", lambda x: np.where(np.any(x > 0, 0, where=FLAGS), x * x, x), (2, 3)),
        real("all where", lambda x: np.where(np.all(x > 0, 0, where=FLAGS), x * x, x), (2, 3)),
        real("any of nothing", lambda x: np.where(np.any(x > 0), 1.0, 2.0) + np.sum(x), (0,)),
        real("logical reduce", lambda x: np.where(np.logical_and.reduce(x > 0), x, x * x), (2, 3)),
        real(
            "logical_or reduce", lambda x: np.where(np.logical_or.reduce(x > 1), x, x * x), (2, 3)
        ),
        case("add.outer", lambda x, y: np.add.outer(x, y) ** 2, (2,), (3,)),
        positive("divide.outer", np.divide.outer, (2, 2), (3,)),
        case("outer with a number", lambda x: np.subtract.outer(x, 2.0) ** 2, (3,)),
        case("ufunc defaults", lambda x: np.add(x, 1, out=None, where=True, dtype=None) ** 2, (2,)),
    )

"""Sums, products, spreads, extrema, norms."""

import itertools

import numpy as np

from function_cases.rows import C23, E4, EYE, FLAGS, ROWS, case, per_shape, positive, real


def reductions():
    """Keywords honoured, zeros and ties among them."""
    axes = (None, 0, -1, (0, 2), (), (1, 0, 2))
    for name in ("sum", "mean", "prod", "var", "std", "max", "min", "ptp"):
        g = getattr(np, name)
        for axis, keepdims in itertools.product(axes, (True, False)):
            if name == "std" and axis == ():
                continue  # zero everywhere
            yield real(
                f"{name} axis={axis} keepdims={keepdims}",
                lambda x, g=g, a=axis, k=keepdims: g(x, axis=a, keepdims=k) ** 2,
                (2, 3, 2),
            )
    for name in ("sum", "prod", "max", "min"):
        g = getattr(np, name)
        yield real(f"{name} initial", lambda x, g=g: g(x, axis=0, initial=0.3) ** 2, (2, 3))
        yield real(f"{name} where", lambda x, g=g: g(x, 1, initial=0.3, where=FLAGS) ** 2, (2, 3))
        yield real(f"{name} of nothing", lambda x, g=g: g(x, axis=0, initial=0.3), (0, 3))
    for name in ("mean", "var", "std"):
        g = getattr(np, name)
        yield real(f"{name} where", lambda x, g=g: g(x, where=FLAGS) ** 2, (2, 3))
        yield real(f"{name} where, axis", lambda x, g=g: g(x, axis=0, where=ROWS) ** 2, (3, 2))
        yield real(f"{name} where traced", lambda x, g=g: g(x, 1, where=x > -1.4) ** 2, (2, 3))
        yield real(f"{name} where traced, of all", lambda x, g=g: g(x, where=x > -1) ** 2, (3, 2))
        yield real(f"{name} of no columns", lambda x, g=g: g(x, axis=0), (2, 0))  # by fuzz
        yield real(f"{name} dtype", lambda x, g=g: g(x, dtype=np.float64) ** 2, (2, 3))
    for name in ("prod", "max", "min", "var", "std", "cumsum", "cumprod"):
        yield real(f"{name} method", lambda x, name=name: getattr(x, name)(1), (2, 3))
    for name in ("var", "std"):
        g = getattr(np, name)
        yield real(f"{name} ddof", lambda x, g=g: g(x, 0, ddof=1), (3, 2))
        yield real(f"{name} correction", lambda x, g=g: g(x, 0, correction=0.5), (3, 2))
        yield real(f"{name} mean", lambda x, g=g: g(x, 0, mean=0.1 * x[:1]), (3, 2))
    for name in ("cumsum", "cumprod"):
        g = getattr(np, name)
        yield case(f"{name}", g, (2, 3))
        yield case(f"{name} of one axis", lambda x, g=g: g(x) ** 2, (4,))
        yield case(f"{name} axis", lambda x, g=g: g(x, axis=0) ** 2, (2, 3))
        yield real(f"{name} dtype", lambda x, g=g: g(x, 1, dtype=np.float64) ** 2, (2, 3))
        total = getattr(np, name.removeprefix("cum"))
        yield real(f"{total.__name__} dtype", lambda x, g=total: g(x, dtype=np.float64), (2, 3))
        yield case(f"{name} of nothing", lambda x, g=g: g(x, axis=0), (0, 3))
    for name in ("cumulative_sum", "cumulative_prod"):
        g = getattr(np, name)
        yield case(f"{name}", lambda x, g=g: g(x, include_initial=True) ** 2, (4,))
        yield case(f"{name} axis", lambda x, g=g: g(x, axis=-1, include_initial=True), (2, 3))
        yield real(f"{name} dtype", lambda x, g=g: g(x, axis=0, dtype=np.float64), (2, 3))
    yield from (
        real("amax", lambda x: np.amax(x, 0) * np.amin(x, 1, keepdims=True), (2, 3)),
        case("prod of seven", np.prod, (7,)),
        case("prod of one", lambda x: np.prod(x, 0), (1, 2)),
        case("cumsum of 70", lambda x: np.cumsum(x)[::23] ** 2, (70,)),
        case("cumsum of 128", lambda x: np.cumsum(x)[::41] ** 2, (128,)),
        case("add.accumulate", lambda x: np.add.accumulate(x) ** 2, (2, 3)),
        case("multiply.accumulate", lambda x: np.multiply.accumulate(x, axis=1), (2, 3)),
        case("multiply.reduce", lambda x: np.multiply.reduce(x, axis=1, keepdims=True), (2, 3)),
        case("add.reduce initial", lambda x: np.add.reduce(x, axis=None, initial=2.0) ** 2, (2, 3)),
        real("maximum.reduce", np.maximum.reduce, (2, 3)),
        real("minimum.reduce", lambda x: np.minimum.reduce(x, axis=-1), (2, 3)),
        case("sum dtype", lambda x: np.sum(x, dtype=complex), (2, 3), analytic=False),
        case("sum by position", lambda x: np.sum(x, 0, None, None, True) ** 2, (2, 3)),
        case("sum method by position", lambda x: x.sum(0, None, None, True) ** 2, (2, 3)),
        case("average", np.average, (2, 3)),
        case("average axis", lambda x: np.average(x, 0, keepdims=True) ** 2, (2, 3)),
        case("average weights", lambda x: np.average(x, weights=1 + C23 * C23), (2, 3)),
        case("average weights of an axis", lambda x: np.average(x, 1, [1.0, 2, 3]) ** 2, (2, 3)),
        case(
            "average weights of axes",
            lambda x: np.average(x, (2, 0), 2 + C23.T[:, :2]) ** 2,
            (2, 2, 3),
        ),
        positive("average traced weights", lambda x, w: np.average(x, weights=w), (3,), (3,)),
        case(
            "average returned",
            lambda x: np.multiply(*np.average(x, 0, [1, 2], returned=True)),
            (2, 3),
        ),
        positive(
            "average returned traced",
            lambda w: np.multiply(*np.average(C23, 1, w, returned=True)),
            (3,),
        ),
        case(
            "average returned, no weights",
            lambda x: np.multiply(*np.average(x, 0, returned=True)),
            (2, 3),
        ),
        case("diff", lambda x: np.diff(x) ** 2, (2, 4)),
        case("diff twice", lambda x: np.diff(x, 2, axis=0) ** 2, (4, 2)),
        case("diff ends", lambda x: np.diff(x, prepend=0.0, append=[[1, 2.0]] * 2) ** 2, (2, 3)),
        case("diff, appended", lambda x: np.diff(x, axis=0, append=1.0) ** 2, (2, 3)),
        case("diff, zero times", lambda x: np.diff(x, 0) ** 2, (2, 3)),
        case("ediff1d", lambda x: np.ediff1d(x, to_end=[1.0], to_begin=x[0, :1]) ** 2, (2, 3)),
        case("trapezoid", lambda y: np.trapezoid(y) ** 2, (2, 3)),
        case("trapezoid dx", lambda y: np.trapezoid(y, dx=0.5, axis=0) ** 2, (3, 2)),
        case("trapezoid x", lambda y, x: np.trapezoid(y, x) ** 2, (2, 3), (3,)),
        case("trapezoid x of more axes", np.trapezoid, (3,), (2, 3)),  # by fuzz
        case("trapezoid x of two axes", lambda y, x: np.trapezoid(y, x, axis=0), (3, 2), (3, 2)),
    )


def products():
    """Products of vectors and matrices beyond matmul."""
    yield from per_shape("vdot", np.vdot, ((3,), (3,)), ((2, 3), (2, 3)), ((), ()), make=real)
    yield from per_shape(
        "kron",
        np.kron,
        ((2,), (3,)),
        ((2, 3), (3, 2)),
        ((2,), (2, 2)),
        ((), (3,)),
        ((2, 1, 2), (2, 2)),
    )
    yield from per_shape("cross", np.cross, ((3,), (3,)), ((2, 3), (3,)), ((2, 1, 3), (4, 3)))
    yield case("cross axes", lambda x, y: np.cross(x, y, 0, 1, 0), (3, 2), (2, 3))
    yield case("cross axis", lambda x, y: np.cross(x, y, axis=0), (3, 2), (3, 2))
    yield case("linalg.cross", lambda x, y: np.linalg.cross(x, y, axis=0), (3, 2), (3, 2))
    yield from per_shape("linalg.outer", np.linalg.outer, ((2,), (3,)))
    yield case("linalg.tensordot", lambda x, y: np.linalg.tensordot(x, y, axes=1), (2, 3), (3, 2))
    for name in ("vecdot", "matvec", "vecmat"):
        if hasattr(np, name):
            shapes = {
                "vecdot": ((2, 3), (3,)),
                "matvec": ((2, 2, 3), (3,)),
                "vecmat": ((2,), (2, 3)),
            }
            yield real(name, getattr(np, name), *shapes[name])
    yield real("linalg.vecdot", lambda x, y: np.linalg.vecdot(x, y, axis=0), (3, 2), (3, 2))
    yield case("conj of an array", lambda x: np.vdot(C23 * (1 + 2j), x), (2, 3), analytic=False)
    yield case("multi_dot", lambda a, b, v: np.linalg.multi_dot([a, b, v]), (2, 3), (3, 2), (2,))
    yield case("multi_dot of matrices", lambda a, b: np.linalg.multi_dot([a, b]), (2, 3), (3, 2))
    for n in (0, 1, 2, 3, 5):
        yield case(f"matrix_power {n}", lambda a, n=n: np.linalg.matrix_power(a, n), (2, 2))
        yield case(
            f"matrix_power {n} of a batch", lambda a, n=n: np.linalg.matrix_power(a, n), (2, 2, 2)
        )
    for n in (-1, -3):
        yield case(
            f"matrix_power {n}", lambda a, n=n: np.linalg.matrix_power(0.3 * a + EYE, n), (3, 3)
        )
    yield case("tensorinv", lambda a: np.linalg.tensorinv(a + E4), (2, 2, 4))
    yield case(
        "tensorinv ind", lambda a: np.linalg.tensorinv(a + E4.reshape(4, 2, 2), ind=1), (4, 2, 2)
    )
    yield case("tensorsolve", lambda a, b: np.linalg.tensorsolve(a + E4, b), (2, 2, 4), (2, 2))
    yield case(
        "tensorsolve axes",
        lambda a, b: np.linalg.tensorsolve(a + np.moveaxis(E4, 2, 0), b, axes=(0,)),
        (4, 2, 2),
        (2, 2),
    )


def norms():
    """Every order of vectors, those of matrices that need no singular values."""
    for p in (None, 2, 1, 3, 2.5, 0.5, -1, -2, np.inf, -np.inf, 0):
        yield real(f"norm {p}", lambda x, p=p: np.linalg.norm(x, p), (4,))
        yield real(f"norm {p} axis", lambda x, p=p: np.linalg.norm(x, p, axis=0), (3, 2))
        if p is not None:
            yield real(
                f"vector_norm {p}",
                lambda x, p=p: np.linalg.vector_norm(x, axis=(0, 2), keepdims=True, ord=p),
                (2, 2, 2),
            )
    for p in (None, "fro", 1, -1, np.inf, -np.inf):
        yield real(f"matrix norm {p}", lambda x, p=p: np.linalg.norm(x, p, axis=(2, 0)), (2, 2, 3))
        yield real(
            f"matrix norm {p} keepdims",
            lambda x, p=p: np.linalg.norm(x, p, keepdims=True) if p != 1 else np.linalg.norm(x, 1),
            (2, 3),
        )
        if p is not None:
            yield real(
                f"matrix_norm {p}", lambda x, p=p: np.linalg.matrix_norm(x, ord=p), (2, 2, 3)
            )
    yield real("norm of all axes", np.linalg.norm, (2, 2, 2))
    yield real("norm of a number", lambda x: np.linalg.norm(x + 2), ())
    yield real("vector_norm", np.linalg.vector_norm, (2, 3))
    yield real("matrix_norm keepdims", lambda x: np.linalg.matrix_norm(x, keepdims=True), (2, 3))
    yield real("norm of nothing", np.linalg.norm, (0,))
    yield real("norms of nothing", lambda x: np.linalg.norm(x, axis=1), (2, 0))
    yield from per_shape(  # by fuzz: NumPy starts at 0
        "norm of a matrix of no rows",
        lambda x: np.linalg.norm(x, np.inf) + np.linalg.norm(x.T, 1),
        ((0, 3),),
        ((0, 0),),
        make=real,
    )

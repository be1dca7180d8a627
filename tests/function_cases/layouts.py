"""What moves, picks and repeats entries."""

import numpy as np

from function_cases.rows import C23, FLAGS, case, real


def layouts():
    yield from (
        case("transpose", np.transpose, (2, 3)),
        case("transpose of three axes", np.transpose, (2, 3, 2)),
        case("transpose axes", lambda x: np.transpose(x, (1, 2, 0)), (2, 3, 2)),
        case("transpose negative axes", lambda x: np.transpose(x, (-1, 0, 1)), (2, 3, 2)),
        case("transpose method", lambda x: x.transpose(2, 0, 1), (2, 3, 2)),
        case("transpose method tuple", lambda x: x.transpose((2, 0, 1)), (2, 3, 2)),
        case("transpose method None", lambda x: x.transpose(None), (2, 3)),
        case("transpose method alone", lambda x: x.transpose(), (2, 3)),
        case("permute_dims", lambda x: np.permute_dims(x, (1, 0)), (2, 3)),
        case(".T", lambda x: x.T, (2, 3)),
        case(".T of 0-d", lambda x: x.T, ()),
        case(".T of one axis", lambda x: x.T, (3,)),
        case("matrix_transpose", np.matrix_transpose, (2, 2, 3)),
        case("linalg.matrix_transpose", np.linalg.matrix_transpose, (2, 2, 3)),
        case("swapaxes", lambda x: np.swapaxes(x, 0, -1), (2, 3, 2)),
        case("swapaxes method", lambda x: x.swapaxes(1, 1), (2, 3)),
        case("moveaxis", lambda x: np.moveaxis(x, 0, -1), (2, 3, 4)),
        case("moveaxis back", lambda x: np.moveaxis(x, -1, 0), (2, 3, 4)),
        case("moveaxis several", lambda x: np.moveaxis(x, [0, 1], [-1, -2]), (2, 3, 4)),
        case("moveaxis pair", lambda x: np.moveaxis(x, (2, 0), (0, 1)), (2, 3, 4)),
        case("ravel", np.ravel, (2, 3)),
        case("ravel method", lambda x: x.ravel(), (2, 3)),
        case("ravel of 0-d", np.ravel, ()),
        case("ravel of nothing", np.ravel, (2, 0)),
        case("flatten", lambda x: x.flatten(), (2, 3)),
        case("expand_dims", lambda x: np.expand_dims(x, 1), (2, 3)),
        case("expand_dims several", lambda x: np.expand_dims(x, (0, -1)), (2, 3)),
        case("expand_dims of nothing", lambda x: np.expand_dims(x, 0), (0,)),
        case("squeeze", np.squeeze, (1, 3, 1)),
        case("squeeze axis", lambda x: np.squeeze(x, axis=-1), (1, 3, 1)),
        case("squeeze method", lambda x: x.squeeze((0, 2)), (1, 3, 1)),
        case("broadcast_to", lambda x: np.broadcast_to(x, (2, 4, 3)), (4, 1)),
        case("broadcast_to one axis", lambda x: np.broadcast_to(x, 3), (1,)),
        case("broadcast_to from 0-d", lambda x: np.broadcast_to(x, (2, 2)), ()),
        case("zeros_like", lambda x: x * x + np.zeros_like(x), (2,)),
        case("ones_like", lambda x: x * np.ones_like(x), (2,)),
        case("ones_like of a shape", lambda x: x * np.ones_like(x, shape=(2, 1)), (3,)),
        *(
            real(
                f"{g.__name__} of a dtype and shape",
                lambda x, g=g, more=more: (
                    x.sum() * (g(x, *more, dtype=np.float64, shape=(2, 1)) * 0 + 2)
                ),
                (3,),
            )
            for g, more in ((np.ones_like, ()), (np.zeros_like, ()), (np.full_like, (2,)))
        ),
        real(
            "empty_like of a dtype and shape",
            lambda x: x * np.empty_like(x, dtype=np.float64, shape=(2, 3)).shape[0],
            (3,),
        ),
        case("x.copy", lambda x: x.copy() * 2, (2,)),
        case("shape, ndim, size", lambda x: x * np.ndim(x) * np.size(x) * np.shape(x)[1], (2, 3)),
        case("size of an axis", lambda x: x * np.size(x, 1) * len(x) * x.ndim * x.size, (2, 3)),
        case("astype", lambda x: x.astype(complex).astype(np.complex128), (2, 2)),
        case("identity", lambda x: x, (2, 3)),
        case("of nothing it reads", lambda x: np.ones(2), (3,)),
    )
    for old, new in (
        ((2, 3), (6,)), ((6,), (2, 3)), ((2, 3), (3, 2)), ((6, 4), (8, 3)), ((4, 6), (3, 8)),
        ((2, 3, 4), (6, 4)), ((2, 3, 4), (2, 12)), ((2, 6), (2, 3, 2)), ((2, 3), (-1,)),
        ((2, 6), (4, -1)), ((2, 3), (2, 1, 3)), ((2, 1, 3), (2, 3)), ((1,), ()), ((), (1, 1)),
        ((0, 3), (3, 0)), ((0, 3), (0,)), ((0, 3), (-1, 3)), ((0, 2), (5, 0)),
        ((2, 2, 3), (4, 3, 1)), ((2, 3, 2), (3, 4)), ((6, 2), (4, 3)),
    ):  # fmt: skip
        name = f"reshape {old} to {new}"
        yield case(name, lambda x, new=new: np.reshape(x, new), old)
        # bent, so that the second derivative passes through the reshape
        yield case(f"{name}, squared", lambda x, new=new: np.reshape(x * x, new).T ** 2, old)
    yield from (
        case("reshape method", lambda x: x.reshape(3, 2), (2, 3)),
        case("reshape method tuple", lambda x: x.reshape((3, 2)), (2, 3)),
        case("reshape method -1", lambda x: x.reshape(-1), (2, 3)),
        case("reshape of a transpose", lambda x: x.T.reshape(2, 3), (2, 3)),
        case("reshape back", lambda x: (x.reshape(6) ** 2).reshape(2, 3), (2, 3)),
        case("reshape in the trace", lambda x: np.trace(x.reshape(3, 3)), (9,)),
    )
    s = np.s_
    for index in (
        s[0], s[-1], s[1, 2], s[-1, -3], s[:, 1], s[1:], s[:-1], s[::2], s[::-1], s[:, ::-2],
        s[-1:0:-1], s[5:], s[1:1], s[None], s[:, None], s[..., None], s[None, ..., 0], s[...],
        s[()], s[..., -1, :], s[0, ...], s[:, None, 1, ..., None], s[1:2, None, ::-1],
        s[np.int64(1)], s[:, 1:3], s[-5:5],
    ):  # fmt: skip
        yield case(f"x[{index}]", lambda x, index=index: x[index], (2, 3))
    yield from (
        case("x[...] of 0-d", lambda x: x[...], ()),
        case("x[None] of 0-d", lambda x: x[None], ()),
        case("x[0] of three axes", lambda x: x[0, ..., ::-1], (2, 2, 3)),
        case("differences", lambda x: (x[1:] - x[:-1]) ** 2, (4,)),
        case("slices of a product", lambda x: (x[:, None] * x[None])[::2, 1], (4,)),
    )
    yield from (
        case("concatenate", lambda x, y: np.concatenate((x, y)), (2, 3), (1, 3)),
        case("concatenate axis=1", lambda x, y: np.concatenate([x, y, x], axis=1), (2, 3), (2, 1)),
        case("concatenate axis=-1", lambda x: np.concatenate([x, C23], axis=-1), (2, 1)),
        case("concatenate axis=None", lambda x: np.concatenate([x, C23], axis=None), (2, 1)),
        case("concatenate one", lambda x: np.concatenate([x]), (3,)),
        case("concatenate nothing", lambda x, y: np.concatenate([x, y]), (0,), (3,)),
        case("concatenate only nothing", lambda x, y: np.concatenate([x, y]), (0, 2), (0, 2)),
        case("concatenate, bent", lambda x, y: np.concatenate([x, x * y]) ** 2, (2,), (2,)),
        case("stack", lambda x, y: np.stack([x, y, x]), (2, 3), (2, 3)),
        case("stack axis=-1", lambda x: np.stack([x, x**2, C23], axis=-1), (2, 3)),
        case("stack axis=1", lambda x: np.stack([x, C23], axis=1), (2, 3)),
        case("stack of entries", lambda x: np.stack([x[0] * x[1], np.sin(x[1])]), (2,)),
        case("stack of nothing", lambda x: np.stack([x, x]), (0,)),
    )


def gathers():
    """Integer arrays and masks, alone and mixed, as NumPy places their axes."""
    s, a = np.s_, np.array
    pair = (a([[0, 1], [1, 0]]), a([2, 0]))
    for index in (
        s[[0, 2]],
        s[a([2, 0, 0])],
        s[a([[0, 1], [2, -1]])],
        s[:, [1, 0]],
        s[..., a([1, 0, 1])],
        s[a([0, 2]), 1],
        s[1, a([0, 1])],
        s[a([0, 2]), :, a([1, 0])],
        s[a([0, 2]), a([1, 0])],
        s[:, a([0, 1]), a([1, 0])],
        s[a([0, 1]), None, a([1, 0])],
        s[a([0, 1]), ..., a([1, 0])],
        s[0, :, a([1, 0])],
        s[:, 0, a([1, 0])],
        s[pair[1], pair[0]],
        s[::-1, a([0, 1])],
        s[a([], int)],
        s[[]],
        s[a(1)],
        s[np.int8(1), a([0, 1])],
        s[a([0, 1], np.uint8)],
        s[a([True, False, True])],
        s[:, a([False, True])],
        s[None, a([0, 1]), 1:],
        s[a([True, False, True]), 1],
        s[..., a([[True, False], [False, True]])],
        s[a([[True, False], [False, True], [True, True]])],
        s[a([0, 1]), 0, a([1, 1])],
        s[[True, False, True], ..., [True, False]],
    ):
        yield case(f"x[{index}]", lambda x, index=index: x[index] ** 2, (3, 2, 2))
    yield case("mask without entries", lambda x: x[np.zeros((0, 2), bool)] ** 2, (0, 2))  # by fuzz
    yield from (
        case("take", lambda x: np.take(x, [3, 0, -1]) ** 2, (2, 3)),
        case("take one", lambda x: np.take(x, 1, axis=1) ** 2, (2, 3)),
        case("take axis", lambda x: np.take(x, [[0, 1], [1, 1]], axis=1) ** 2, (2, 3)),
        case("take wrap", lambda x: np.take(x, [4, -5], axis=1, mode="wrap") ** 2, (2, 3)),
        case("take clip", lambda x: np.take(x, [9, -9, 1], axis=0, mode="clip") ** 2, (2, 3)),
        case("take none", lambda x: np.take(x, []), (2, 3)),
        case("take flags", lambda x: np.take(x, [True, False, True]) ** 2, (3,)),  # as 1, 0, 1
        case("take method", lambda x: x.take([1, 0], axis=1) ** 2, (2, 3)),
        case("take_along_axis", lambda x: np.take_along_axis(x, a([[0], [2]]), 1) ** 2, (2, 3)),
        case("take_along_axis, flat", lambda x: np.take_along_axis(x, a([1, 1, 3]), None), (2, 3)),
        case("compress", lambda x: np.compress([True, False, True], x, axis=1) ** 2, (2, 3)),
        case("compress, flat", lambda x: np.compress([True, False, True], x) ** 2, (2, 3)),
        case("compress method", lambda x: x.compress([False, True], axis=0) ** 2, (2, 3)),
        case("extract", lambda x: np.extract(FLAGS, x) ** 2, (2, 3)),
        case("delete", lambda x: np.delete(x, 1, axis=1) ** 2, (2, 3)),
        case("delete, flat", lambda x: np.delete(x, [0, -1]) ** 2, (2, 3)),
        case("delete by a slice", lambda x: np.delete(x, s[::2], 0) ** 2, (3, 2)),
        case("resize nothing", lambda x: np.sum(x) + np.resize(x, (2, 2)), (0, 3)),  # by fuzz
        case("resize", lambda x: np.resize(x, (2, 4)) ** 2, (3,)),
        case("upper triangle", lambda x: x[np.triu_indices_from(x, 1)] ** 2, (3, 3)),
        case("lower triangle, k", lambda x: x[np.tril_indices_from(x, k=-1)] ** 2, (3, 3)),
        case("lower triangle", lambda x: x[np.tril_indices_from(x)] ** 2, (3, 3)),
        case("diagonal by indices", lambda x: x[np.diag_indices_from(x)] ** 2, (3, 3)),
    )
    for k in (-2, -1, 0, 1, 3):
        yield case(f"diag {k} of a vector", lambda x, k=k: np.diag(x, k) ** 2, (3,))
        yield case(f"diag {k} of a matrix", lambda x, k=k: np.diag(x, k) ** 2, (2, 3))
        yield case(f"diagflat {k}", lambda x, k=k: np.diagflat(x, k=k) ** 2, (2, 2))
        yield case(f"tril {k}", lambda x, k=k: np.tril(x, k) ** 2, (2, 3))
        yield case(f"triu {k}", lambda x, k=k: np.triu(x, k) ** 2, (2, 3, 3))
    yield case("tril of a vector", lambda x: np.tril(x) ** 2, (3,))
    yield case("triu of nothing", np.triu, (0, 3))
    yield case("diag of nothing", np.diag, (0,))


def rearrangements():
    """Join, cut, repeat, turn, pad."""
    s = np.s_
    yield from (
        case("vstack", lambda x, y: np.vstack([x, y]) ** 2, (3,), (2, 3)),
        case("hstack", lambda x, y: np.hstack([x, y]) ** 2, (2, 1), (2, 3)),
        case("hstack of vectors", lambda x, y: np.hstack((x, y, x)) ** 2, (2,), (3,)),
        case("hstack of numbers", lambda x: np.hstack([x, 2 * x]) ** 2, ()),
        case("dstack", lambda x, y: np.dstack([x, y]) ** 2, (2, 3), (2, 3)),
        case("column_stack", lambda x, y: np.column_stack([x, y]) ** 2, (2,), (2, 3)),
        case("append", lambda x: np.append(x, [1.0, 2.0]) ** 2, (2, 3)),
        case("append axis", lambda x: np.append(x, x * x, axis=1) ** 2, (2, 3)),
        case(
            "block", lambda x, y: np.block([[x, y], [np.zeros((1, 3)), y[:1]]]) ** 2, (2, 3), (2, 2)
        ),
        case("block of vectors", lambda x: np.block([x, 2 * x, 1.0]) ** 2, (2,)),
        case("block of one", lambda x: np.block(x) ** 2, (2,)),
        real("concatenate dtype", lambda x: np.concatenate([x, x], dtype=np.float64) ** 2, (2,)),
        real("stack dtype", lambda x: np.stack([x, x], dtype=np.float64) ** 2, (2,)),
        real("hstack dtype", lambda x: np.hstack([x, x], dtype=np.float64) ** 2, (2,)),
        real("vstack dtype", lambda x: np.vstack([x, x], dtype=np.float64) ** 2, (2,)),
        real("join flags", lambda x: np.where(np.concatenate([x > 0, FLAGS[0]]), 1, x[0]), (3,)),
        case("atleast_1d", lambda x: np.atleast_1d(x) ** 2, ()),
        case("atleast_2d", lambda x: np.atleast_2d(x) ** 2, (3,)),
        case("atleast_2d of a number", lambda x: np.atleast_2d(x) ** 2, ()),
        case("atleast_3d", lambda x: np.atleast_3d(x) ** 2, (2,)),
        case("atleast_3d of a matrix", lambda x: np.atleast_3d(x) ** 2, (2, 3)),
        case("atleast_3d of a number", lambda x: np.atleast_3d(x) ** 2, ()),
        case("atleast of several", lambda x, y: np.add(*np.atleast_2d(x, y)) ** 2, (2,), (2, 1)),
        case(
            "broadcast_arrays", lambda x, y: np.multiply(*np.broadcast_arrays(x, y)), (3, 1), (2,)
        ),
        case("meshgrid", lambda x, y: np.multiply(*np.meshgrid(x, y)), (3,), (2,)),
        case(
            "meshgrid ij", lambda x, y: np.multiply(*np.meshgrid(x, y, indexing="ij")), (3,), (2,)
        ),
        case(
            "meshgrid sparse", lambda x, y: np.add(*np.meshgrid(x, y, sparse=True)) ** 2, (3,), (2,)
        ),
        case("meshgrid of one", lambda x: np.meshgrid(x)[0] ** 2, (3,)),
        case("split", lambda x: np.multiply(*np.split(x, 2, axis=1)), (2, 4)),
        case("split at", lambda x: np.concatenate(np.split(x, [1, 3])[::-1]) ** 2, (4,)),
        case("array_split", lambda x: np.concatenate(np.array_split(x, 3)[::-1]) ** 2, (4, 2)),
        case(
            "array_split past the end",
            lambda x: np.concatenate(np.array_split(x, [1, 9])) ** 2,
            (4,),
        ),
        case("hsplit", lambda x: np.multiply(*np.hsplit(x, 2)), (3, 4)),
        case("hsplit of a vector", lambda x: np.multiply(*np.hsplit(x, 2)), (4,)),
        case("vsplit", lambda x: np.multiply(*np.vsplit(x, 2)), (4, 3)),
        case("dsplit", lambda x: np.multiply(*np.dsplit(x, 2)), (2, 1, 4)),
        case("tile", lambda x: np.tile(x, 2) ** 2, (2, 3)),
        case("tile more axes", lambda x: np.tile(x, (2, 1, 2)) ** 2, (2, 2)),
        case("tile fewer", lambda x: np.tile(x, (3,)) ** 2, ()),
        case("tile never", lambda x: np.tile(x, (0, 2)) ** 2, (2,)),
        case("repeat", lambda x: np.repeat(x, 2) ** 2, (2, 3)),
        case("repeat axis", lambda x: np.repeat(x, 3, axis=1) ** 2, (2, 2)),
        case("repeat by counts", lambda x: np.repeat(x, [2, 0, 1], axis=1) ** 2, (2, 3)),
        case("repeat method", lambda x: x.repeat(2, axis=0) ** 2, (2, 3)),
        case("repeat nothing", lambda x: np.repeat(x, [], axis=0) ** 2, (0, 2)),  # by fuzz
        case("repeat never", lambda x: np.repeat(x, 0) ** 2, (2,)),
        case("flip", lambda x: np.flip(x) ** 2, (2, 3)),
        case("flip axis", lambda x: np.flip(x, (0, -1)) ** 2, (2, 2, 3)),
        case("fliplr", lambda x: np.fliplr(x) ** 2, (2, 3)),
        case("flipud", lambda x: np.flipud(x) ** 2, (2, 3)),
        case("roll", lambda x: np.roll(x, 1) ** 2, (2, 3)),
        case("roll axis", lambda x: np.roll(x, -4, axis=1) ** 2, (2, 3)),
        case("roll axes", lambda x: np.roll(x, (1, 2), axis=(0, 1)) ** 2, (2, 3)),
        case("roll two axes alike", lambda x: np.roll(x, 1, axis=(0, 1)) ** 2, (2, 3)),
        case("roll one axis twice", lambda x: np.roll(x, (1, 1), axis=(1, 1)) ** 2, (2, 4)),
        case("roll nothing", lambda x: np.roll(x, 1) ** 2, (0,)),
        case("rollaxis", lambda x: np.rollaxis(x, 2) ** 2, (2, 3, 4)),
        case("rollaxis start", lambda x: np.rollaxis(x, 0, 2) ** 2, (2, 3, 4)),
        case("full_like", lambda x: np.full_like(x, x[0]) * x + np.full_like(x, 2.0), (3,)),
        case("empty_like", lambda x: x + 0 * np.empty_like(x), (3,)),
        case("ravel F", lambda x: np.ravel(x, order="F") ** 2, (2, 3)),
        case("flatten F", lambda x: x.flatten("F") ** 2, (2, 3)),
        case("reshape F", lambda x: np.reshape(x, (3, -1), order="F") ** 2, (2, 3)),
        case("reshape copy", lambda x: np.reshape(x, (3, 2), copy=True) ** 2, (2, 3)),
        case(".mT", lambda x: x.mT**2, (2, 2, 3)),
        real("astype function", lambda x: np.astype(x, np.float64) ** 2, (2,)),
        real("astype method", lambda x: x.astype(np.float64, copy=False) ** 2, (2,)),
        case(
            "kind of numbers",
            lambda x: x * (np.isrealobj(x) + 2 * np.iscomplexobj(x)) if np.isrealobj(x) else x,
            (2,),
        ),
        case("result_type", lambda x: x.astype(np.result_type(x, np.float32)) ** 2, (2,)),
    )
    if hasattr(np, "unstack"):
        yield case("unstack", lambda x: np.multiply(*np.unstack(x, axis=1)), (3, 2))
    for k in (-1, 0, 1, 2, 3):
        yield case(f"rot90 {k}", lambda x, k=k: np.rot90(x, k) ** 2, (2, 3))
        yield case(f"rot90 {k} of axes", lambda x, k=k: np.rot90(x, k, axes=(2, 0)) ** 2, (2, 2, 3))
    for mode in ("constant", "edge", "reflect", "symmetric", "wrap"):
        yield case(
            f"pad {mode}", lambda x, m=mode: np.pad(x, ((1, 2), (0, 1)), mode=m) ** 2, (3, 2)
        )
        yield case(f"pad {mode} by one", lambda x, m=mode: np.pad(x, 1, m) ** 2, (2, 2))
    yield case("pad", lambda x: np.pad(x, (1, 2)) ** 2, (3,))
    yield case(
        "pad with values",
        lambda x: np.pad(x, ((1, 1), (2, 0)), constant_values=((1, 2), (3, 4))) ** 2,
        (2, 3),
    )
    yield case("pad of a number", lambda x: np.pad(x, 2, constant_values=0.7) ** 2, ())  # by fuzz
    yield case("index of s_", lambda x: x[s[1:, ::2]] ** 2, (3, 3))

"""What a program may say: lines of NumPy, each with operands and options in braces.

Every supported function is in one of those that are written here, mostly a call each; `composites`
has lines of several calls. They are kept where they are tame, so that three derivatives are of
moderate size.
"""

import re
import string
from dataclasses import dataclass

import numpy as np

from fuzzing import composites


@dataclass(frozen=True)
class Template:
    """A line with operands ``{0}``, ``{1}`` and options ``{axis}``, ... in braces."""

    text: str
    analytic: bool  # the complex step can be taken through it
    holomorphic: bool  # it can be differentiated at complex values

    def filled(self, options):
        """Draw the options; the operands stay open."""
        return string.Formatter().vformat(self.text, ("{0}", "{1}"), options)


ELEMENTWISE = """
xp.sin({0})
xp.cos({0})
xp.tanh(0.7 * {0})
xp.exp(0.3 * {0})
xp.expm1(0.3 * {0})
xp.exp2(0.3 * {0})
xp.log1p(0.2 * {0} * {0})
xp.log(3 + xp.sin({0}))
xp.log2(3 + xp.cos({0}))
xp.log10(3 + xp.cos({0}))
xp.sqrt(1.5 + xp.sin({0}))
xp.reciprocal(2 + xp.sin({0}))
xp.square({0})
1 / (2.5 + xp.cos({0}))
(2 + xp.sin({0})) ** 1.5
0.2 * {0} ** 3
0.5 * {0} - 1
xp.negative({0})
-{0}
xp.positive({0})
{0} / 3
{0} ** 0
{0} - {0}
xp.power(2 + xp.sin({0}), -0.5)
xp.float_power(2 + xp.cos({0}), 1.7)
2 ** (0.3 * {0})
xp.tan(0.3 * xp.sin({0}))
xp.arcsin(0.5 * xp.sin({0}))
xp.arccos(0.5 * xp.sin({0}))
xp.arctan({0})
xp.sinh(0.5 * {0})
xp.cosh(0.5 * {0})
xp.arcsinh(0.5 * {0})
xp.arccosh(2.5 + xp.sin({0}))
xp.arctanh(0.5 * xp.sin({0}))
xp.where(F(*{0}.shape), {0}, xp.sin({0}))
xp.where(F(*{0}.shape), 2.0, {0} * {0})
K(*{0}.shape) * {0}
K(*{0}.shape, seed=1) + {0}
xp.select([F(*{0}.shape), ~F(*{0}.shape)], [{0} ** 2, xp.cos({0})], 1.0)
xp.copy({0})
{0}.copy() * {0}
xp.astype({0}, {0}.dtype)
{0}.astype(xp.result_type({0}, np.float64))
{0} * xp.ones_like({0}) + xp.zeros_like({0})
{0} + len(xp.shape(xp.empty_like({0})))
xp.full_like({0}, 2) * {0}
{0} * (1 + xp.ndim({0}) + xp.size({0}) + len(xp.shape({0})))
(Z({0}) * {0}) * (xp.cos({0}) / Z({0}))
Z({0}) * ((xp.sin({0}) / Z({0})) * xp.cos({0}))
xp.sqrt(((Z({0}) * {0}) / Z({0})) ** 2 + 1)
(Z({0}) * xp.sin({0}) + Z({0})) / Z({0})
xp.sin({0} / (3 * Z({0}))) * (3 * Z({0}))
"""
BINARY = """
{0} + {1}
{0} - 2 * {1}
{0} * {1}
(Z({0}, {1}) * {0}) * ({1} / Z({0}, {1}))
xp.einsum('...,...->...', Z({0}, {1}) * {0}, {1} / Z({0}, {1}))
{0} / (2.5 + xp.sin({1}))
xp.add({0}, {1})
xp.subtract({0}, {1})
xp.multiply({0}, {1})
xp.divide({0}, 2.5 + xp.sin({1}))
(2 + xp.sin({0})) ** {1}
xp.pow(2 + xp.cos({0}), xp.sin({1}))
xp.where(F(*{0}.shape), {0}, {1})
{0} @ {1}
xp.matmul({0}, {1})
xp.linalg.matmul({0}, {1})
xp.matvec({0}, {1})
xp.dot({0}, {1})
{0}.dot({1})
xp.inner({0}, {1})
xp.outer({0}, {1})
xp.linalg.outer({0}, {1})
xp.multiply.outer({0}, {1})
xp.add.outer({0}, {1})
xp.kron({0}, {1})
xp.tensordot({0}, {1}, 1)
xp.tensordot({0}, {1}, 0)
xp.tensordot({0}, {1}, ([-1], [-1]))
xp.linalg.tensordot({0}, {1}, axes=1)
xp.linalg.multi_dot([{0}, {1}, {0}.T])
xp.cross({0}, {1})
xp.cross(xp.stack([{0}, {1}, {0}]), xp.stack([{1}, xp.sin({0}), {0}]), axis=0)
xp.linalg.cross(xp.stack([{0}, {1}, {1}]), xp.stack([{1}, {0}, {0}]), axis=0)
xp.linalg.solve(0.2 * {0} + 3 * E({0}.shape[-1]), {1})
xp.linalg.tensorsolve(3 * E(4).reshape(2, 2, 4) + 0.2 * xp.sin(xp.sum({0})), K(2, 2) + xp.mean({1}))
xp.einsum('ij,jk->ik', {0}, {1})
xp.einsum('ij,ij->j', {0}, {1})
xp.einsum('i,ij', {0}, {1})
xp.einsum('...i,...i', {0}, {1})
xp.einsum('ii,j->ij{square}', {0}, {1})
xp.einsum('ij,kj->kji', {0}, {1})
xp.einsum('ijk,k->ji', {0}, {1})
xp.einsum({0}, [0, 1], {1}, [1], [0])
xp.multiply(*xp.broadcast_arrays({0}, {1}))
xp.multiply(*xp.meshgrid({0}, {1}))
xp.subtract(*xp.meshgrid({0}, {1}, indexing='ij', sparse={flag}))
xp.trapezoid({0}, 3 * R({0}.shape[-1]) + xp.sin({1}))
xp.trapezoid({0} * {1}, dx=0.5, axis={axis})
xp.concatenate([{0}, {1}])
xp.concatenate([{0}, {1}, {0}], axis={axis})
xp.concatenate([{0}, {1}], axis=None)
xp.stack([{0}, {1}], -1)
xp.stack([{0}, {1}, {0}], {axis})
xp.vstack([{0}, {1}])
xp.hstack([{0}, {1}, {0}])
xp.dstack([{0}, {1}])
xp.column_stack([{0}, {1}])
xp.block([{0}, {1}])
xp.block([[{0}, {0}], [{0}, xp.sin({0})]])
xp.append({0}, {1})
xp.append({0}, {1}, axis={axis})
"""
MATRIX = """
xp.linalg.inv(0.2 * {0} + 3 * E({0}.shape[-1]))
0.1 * xp.linalg.det(0.2 * {0} + 2 * E({0}.shape[-1]))
xp.linalg.det(xp.sin({0}) + 2 * E({0}.shape[-1]))
xp.linalg.tensorinv(3 * E(4).reshape(2, 2, 4) + 0.2 * xp.sin(xp.sum({0})))
xp.linalg.matrix_power({0}, 0)
xp.linalg.matrix_power({0}, 2)
xp.linalg.matrix_power({0}, 3)
xp.linalg.matrix_power(0.2 * {0} + 3 * E({0}.shape[-1]), -2)
xp.trace({0})
xp.trace({0}, {offset}, *{pair})
{0}.trace({offset})
xp.linalg.trace({0}, offset={offset})
xp.diagonal({0})
xp.diagonal({0}, {offset}, *{pair})
{0}.diagonal()
xp.linalg.diagonal({0}, offset={offset})
xp.einsum('ii->i{square}', {0})
xp.einsum('ii{square}', {0})
xp.einsum('...ij->...', {0})
{0}.T @ {0}
xp.matrix_transpose({0}) @ {0}
xp.linalg.matrix_transpose({0})
{0}.mT
xp.tril({0}, {offset})
xp.triu({0}, {offset})
{0}[xp.tril_indices_from({0}, {offset})]
{0}[xp.triu_indices_from({0}, {offset})]
{0}[xp.diag_indices_from({0})]
xp.rot90({0}, {shift}, {pair})
xp.fliplr({0})
"""
LAYOUT = """
xp.ravel({0}, order={order})
{0}.ravel()
{0}.flatten({order})
{0}.T
xp.transpose({0}, {permutation})
{0}.transpose()
xp.permute_dims({0}, {permutation})
xp.swapaxes({0}, {axis}, 0)
{0}.swapaxes({axis}, -1)
xp.moveaxis({0}, {axis}, -1)
xp.moveaxis({0}, {pair}, (0, 1))
xp.rollaxis({0}, {axis})
xp.expand_dims({0}, {axis})
xp.squeeze({0})
{0}.squeeze()
xp.reshape({0}, {new_shape}, order={order})
{0}.reshape({new_shape})
xp.reshape({0}, {0}.shape[::-1])
xp.resize({0}, (2, 3))
xp.atleast_1d({0})
xp.atleast_2d({0})
xp.atleast_3d({0})
xp.broadcast_to({0}, (2, *{0}.shape))
xp.flip({0})
xp.flip({0}, {axis})
xp.flipud({0})
xp.roll({0}, {shift})
xp.roll({0}, {shift}, axis={axis})
xp.roll({0}, ({shift}, 1), axis={pair})
xp.tile({0}, 2)
xp.tile({0}, (2, {few}))
xp.repeat({0}, {few})
xp.repeat({0}, {few}, axis={axis})
xp.repeat({0}, {counts}, axis={axis})
{0}.repeat(2, axis={axis})
xp.diag({0}, {offset})
xp.diagflat({0}, {offset})
xp.pad({0}, {few}, mode={mode})
xp.pad({0}, {few}, constant_values=0.7)
xp.split({0}, [1], axis={axis})[{few} // 2]
xp.array_split({0}, 2, axis={axis})[{few} // 2]
xp.add(*xp.hsplit(xp.concatenate([xp.atleast_2d({0}), xp.atleast_2d(xp.sin({0}))], 1), 2))
xp.add(*xp.vsplit(xp.vstack([{0}, xp.sin({0})]), 2))
xp.multiply(*xp.dsplit(xp.dstack([{0}, xp.sin({0})]), 2))
sum(xp.unstack(xp.stack([{0}, {0} ** 2])))
sum(xp.unstack({0}, axis={axis}))
sum(row * k for k, row in enumerate({0}, 1))
{0}[{index}]
{0}[{index}] ** 2
{0}[{mask}]
{0}[None]
{0}[..., None]
xp.take({0}, np.array({places}), axis={axis})
xp.take({0}, [5, -7, 1], axis={axis}, mode={clipping})
{0}.take({places}, axis={axis})
xp.take_along_axis({0}, np.argsort(K(*{0}.shape), {axis}), {axis})
xp.compress({flags}, {0}, axis={axis})
{0}.compress({flags}, axis={axis})
xp.extract(F(*{0}.shape), {0})
xp.delete({0}, {place}, axis={axis})
xp.delete({0}, {places}, axis={axis})
"""
REDUCTIONS = """
xp.sum({0}, axis={axes}, keepdims={flag}{initial}{where})
{0}.sum({axes})
xp.add.reduce({0}, axis={axes}, keepdims={flag})
xp.mean({0}, axis={axes}, keepdims={flag}{where})
{0}.mean({axes})
xp.average({0}, {axis}, weights=2 + xp.sin({0}))
xp.average({0}, axis={axes}, keepdims={flag})
xp.average({0}, {axis}, K({0}.shape[{axis}]), returned=True)[0]
xp.prod({0}, axis={axes}, keepdims={flag}{initial}{where})
{0}.prod({axes})
xp.prod(xp.where(F(*{0}.shape), {0}, 0 * {0}), axis={axes})
xp.multiply.reduce({0}, axis={axis})
xp.cumsum({0}, {axis})
xp.cumsum({0})
{0}.cumsum({axis})
xp.add.accumulate({0}, {axis})
xp.cumprod(0.5 * {0}, axis={axis})
xp.cumprod(0.5 * {0})
{0}.cumprod({axis})
xp.multiply.accumulate({0}, {axis})
xp.cumulative_sum({0}, axis={axis}, include_initial={flag})
xp.cumulative_prod({0}, axis={axis}, include_initial={flag})
xp.diff({0}, {few}, axis={axis})
xp.diff({0}, axis={axis}, prepend=0.3, append=0.1)
xp.ediff1d({0})
xp.ediff1d({0}, to_end=0.5)
"""
# Holomorphic, but NumPy or the complex step stops at them.
NOT_STEPPED = """
xp.sum({0}, axis={axes}, dtype=np.result_type({0}.dtype, np.float64))
xp.where({0} != 0, {0}, 1 + xp.sin({0}))
xp.where(xp.equal({0}, 0), 2.0, xp.sin({0}) / {0})
xp.where(xp.not_equal({0}, 0), {0} ** 2, 1)
xp.where(xp.isfinite({0}), {0} * {0}, 0)
xp.where(xp.isnan({0}), 0, {0} * {0})
{0} * (1 + xp.isrealobj({0}) + 2 * xp.iscomplexobj({0}))
"""
REAL = """
xp.abs({0})
xp.absolute({0})
xp.fabs({0})
abs({0}) * {0}
xp.sign({0}) * {0}
xp.floor({0}) + {0}
xp.ceil({0}) * {0}
xp.trunc(2 * {0}) + {0}
xp.rint(3 * {0}) * {0}
xp.fix(2 * {0}) * {0}
xp.round({0}, 1) * {0}
xp.around(2 * {0}) * {0}
{0}.round(1) + {0} ** 2
xp.cbrt(1.5 + xp.sin({0}))
xp.deg2rad(30 * {0})
xp.radians(30 * {0})
xp.rad2deg(0.02 * {0})
xp.degrees(0.02 * {0})
xp.real({0}) * {0}
xp.imag({0}) + {0}.real * {0}
xp.conj({0}) * {0}
{0}.conj() * {0}.conjugate()
xp.maximum({0}, 0.1)
xp.minimum({0}, -0.1)
xp.clip({0}, -0.4, 0.6)
xp.clip({0}, None, 0.3)
xp.clip({0}, min=-0.3)
{0}.clip(-0.5, 0.7)
xp.logaddexp({0}, 0.5)
xp.logaddexp2({0}, -{0})
xp.hypot({0}, 1.0)
xp.arctan2({0}, 2.0)
xp.where({0} > 0, {0}, xp.sin({0}))
xp.where({0} > 0.2, xp.log({0}), {0})
xp.where(xp.greater({0}, 0.1), {0} ** 2, xp.exp({0}))
xp.where(xp.greater_equal({0}, 0.1), {0} ** 2, 0.3)
xp.where(xp.less({0}, 0.1), xp.sqrt(1 - {0}), 0.3)
xp.where(xp.less_equal({0}, 0.1), {0}, 0.3)
xp.where(xp.isinf({0}), 0, {0} * {0})
xp.where(xp.logical_and({0} > -0.5, xp.logical_not({0} > 0.5)), {0} ** 2, 1)
xp.where(xp.logical_or({0} > 0.5, F(*{0}.shape)), {0} ** 2, xp.sin({0}))
xp.where(xp.logical_xor({0} > 0.1, F(*{0}.shape)), {0} ** 2, xp.sin({0}))
xp.where(xp.bitwise_and({0} > -0.5, {0} < 0.5), {0} ** 2, 1)
xp.where(xp.bitwise_or({0} < -0.5, {0} > 0.5), {0} ** 2, 1)
xp.where(xp.invert({0} < -0.5), {0} ** 2, 1)
xp.where(xp.any({0} > 0.3, axis={axes}, keepdims=True), {0} ** 2, {0})
xp.where(xp.all({0} > -0.7, axis={axes}, keepdims=True{where}), {0} ** 2, {0})
xp.where(({0} > 0.5).any({axis}, keepdims=True), {0} ** 2, {0})
xp.where(({0} < 0.5).all({axis}, keepdims=True), {0} ** 2, {0})
xp.where(xp.logical_and.reduce({0} > -0.5, axis={axis}, keepdims=True), {0}, {0} ** 2)
xp.where(xp.logical_or.reduce({0} > 0.5, axis={axis}, keepdims=True), {0}, {0} ** 2)
xp.select([{0} > 0.5, {0} > 0], [{0} ** 3, {0} ** 2], {0})
xp.max({0}, axis={axes}, keepdims={flag}{extreme})
xp.amax({0}, axis={axes}) ** 2
xp.exp({0} - xp.max({0})) / xp.sum(xp.exp({0} - xp.max({0})))
xp.exp(xp.min({0}, axis={axis}, keepdims=True) - {0}) * xp.sin({0})
xp.min({0}, axis={axes}, keepdims={flag}{extreme})
xp.amin({0}, axis={axes}) ** 2
{0}.max({axes})
{0}.min({axes})
xp.maximum.reduce({0}, axis={axis})
xp.minimum.reduce({0}, axis={axis})
xp.ptp({0}, axis={axes}, keepdims={flag})
xp.var({0}, axis={axes}, keepdims={flag}{where}, {ddof})
{0}.var({axes})
xp.std({0}, axis={axes}, keepdims={flag}{where}, {ddof})
{0}.std({axes})
xp.linalg.norm({0})
xp.linalg.norm({0}, {norm}, {axis}, {flag})
xp.linalg.norm({0}, {matrix_norm}, {pair}, keepdims={flag})
xp.linalg.vector_norm({0}, axis={axes}, keepdims={flag}, ord=3)
xp.linalg.matrix_norm({0}, keepdims={flag}, ord=1)
xp.linalg.slogdet(0.2 * {0} + 2 * E({0}.shape[-1]))[1]
xp.linalg.slogdet(0.2 * {0} - 2 * E({0}.shape[-1])).sign * {0}
xp.maximum({0}, {1})
xp.minimum({0}, {1})
xp.hypot({0}, {1} + 2)
xp.arctan2({0}, 2 + xp.sin({1}))
xp.logaddexp({0}, {1})
xp.where({0} > {1}, {0} * {1}, {1})
xp.where({0} != 0, {1} / {0}, {1})
xp.clip({0}, {1} - 0.3, {1} + 0.3)
xp.vdot({0}, {1})
xp.vecdot({0}, {1})
xp.linalg.vecdot({0}, {1}, axis={axis})
xp.vecmat({0}, {1})
xp.average({0}, weights=2 + xp.sin({1}))
"""


def _templates(lines, *, analytic, holomorphic):
    return [
        Template(line, analytic, holomorphic)
        for line in lines.strip().split("\n")
        if all(hasattr(np, name) for name in re.findall(r"xp\.(\w+)", line))  # newer NumPy's
    ]


SINGLE = tuple(
    _templates(ELEMENTWISE + BINARY.lstrip() + MATRIX.lstrip() + LAYOUT.lstrip()
               + REDUCTIONS.lstrip(), analytic=True, holomorphic=True)
    + _templates(NOT_STEPPED, analytic=False, holomorphic=True)
    + _templates(REAL, analytic=False, holomorphic=False)
)  # fmt: skip
COMPOSITE = tuple(
    _templates("".join(text.lstrip() for text in composites.ANALYTIC), analytic=True,
               holomorphic=True)
    + _templates(composites.NOT_STEPPED, analytic=False, holomorphic=True)
    + _templates(composites.REAL, analytic=False, holomorphic=False)
)  # fmt: skip
TEMPLATES = SINGLE + COMPOSITE


def functions_of(text):
    """Name the NumPy functions, ufunc methods and array methods that a line calls."""
    functions = re.findall(r"xp\.((?:linalg\.)?\w+(?:\.(?:outer|reduce|accumulate))?)", text)
    return {*functions, *(f"ndarray.{name}" for name in re.findall(r"[\})]\.(\w+)\(", text))}

"""Lines of several calls, as people write them: loops, scans, gathers, code by components.

Those are what passes over a whole function look for: steps that are alike, operations that are done
together, selections with repeats, branches that hide what is not finite. ``K() * {0}`` is an
operand in the dtype of the constants, which a carry keeps.
"""

SCANS = """
scan(lambda c, s: (xp.tanh(c) * s + 0.2 * c, None), K() * {0}, K(4))[0]
scan(lambda c, s: (xp.sin(c + s), c * s), K() * {0}, K(3), reverse=True)[1]
xp.multiply(*scan(lambda c, s: (0.5 * c + xp.cos(c * s), xp.sin(c)), K() * {0}, K(3, seed=1)))
scan(lambda c, s: (0.5 * c + xp.sin(s), c * s), 0.3 * {0}[0], {0}, reverse={flag})[1]
scan(lambda c, s: (xp.tanh({0} * c) + {1}, c), 0 * ({0} + {1}), length=3)[0]
scan(lambda c, s: (c * s + {1}, xp.sum(c * {1})), K() * {0} * ({1} * 0 + 1), K(3))[1]
scan(lambda c, s: (xp.where(s > 1, c, xp.sin(c)), None), K() * {0}, K(4))[0]
scan(lambda c, s: (xp.where(F(*c.shape), c, xp.log(0 * c)) * s, xp.sin(c)), K() * {0}, K(3))[1]
scan(lambda c, s: (scan(lambda d, _: (0.5 * d + s * xp.sin(c), None), c, length=2)[0], None), K() * {0}, K(3))[0]
scan(lambda c, s: ((c[1], 0.5 * xp.sin(c[0]) + s * c[1]), c[0]), (K() * {0}, 0.5 * K() * {0}), K(3))[1]
scan(lambda c, s: (xp.sin(c[np.array([0, 0, 2])]) + s * c[::-1], c[1]), xp.resize(K() * {0}, 3), K(4))[{few} // 2]
scan(lambda c, s: (0.5 * xp.roll(c, {shift}, -1) * c + s, None), K() * {0}, K(3))[0]
scan(lambda c, s: (xp.pad(c, 1)[2:] * s + 0.3 * c, c.sum()), K() * xp.ravel({0}), K(3))[{few} // 2]
scan(lambda c, s: (c + s * xp.sin(c), s @ c), xp.resize(K() * {0}, 3), H(3, 0, 2, 2))[{few} // 2]
scan(lambda c, s: (xp.sin(c), c), K() * {0}, K({few}))[0]
scan(lambda c, s: (xp.linalg.solve(3 * E(c.shape[0]) + 0.2 * s, c), None), K() * {0}, K(3))[0]
scan(lambda c, s: (xp.cumprod(1 + 0.2 * c) * s, xp.prod(c)), xp.resize(K() * {0}, 3), K(3))[{few} // 2]
scan(lambda c, s: (repeated(lambda d, k: xp.sin(d) * s, c, 3), None), K() * {0}, K(3))[0]
"""
LOOPS = """
repeated(lambda c, k: 0.5 * c + xp.sin(c), {0}, 9)
repeated(lambda c, k: xp.tanh(c) * K(9)[k] + 0.1 * c, {0}, 9)
repeated(lambda c, k: xp.tanh(c) * K(9, *{0}.shape)[k] + 0.1 * {0}, {0}, 9)
xp.stack(states(lambda c, k: 0.5 * xp.sin(c) + 0.1 * (k + 1) * c, {0}, 9)[::4])
sum(xp.sum(c * c) for c in states(lambda c, k: xp.cos(c) * 0.7, {0}, 9))
sum(K(10)[k] * xp.sin(c) for k, c in enumerate(states(lambda c, k: 0.6 * xp.tanh(c) ** 2 + 0.1, {0}, 9)))
repeated(lambda c, k: xp.sin(c[np.array([[0, 0, 2], [2, 1, 1]][k % 2])]) + 0.3 * c, xp.resize({0}, 3), 10)
repeated(lambda c, k: (c[1], 0.5 * xp.sin(c[0]) + 0.2 * c[1]), ({0}, 0.3 * {0}), 9)[1]
repeated(lambda c, k: xp.tanh(K(9, 3, 3)[k] @ c / 3), xp.resize({0}, 3), 9)
repeated(lambda c, k: 0.5 * c + 0.5 * xp.sin(xp.roll(c, 1, -1) - {1}), {0} + {1}, 9)
repeated(lambda c, k: xp.where(F(*c.shape), 0.5 * c, xp.sin(c)) + 0.1, {0}, 9)
repeated(lambda c, k: repeated(lambda d, _: 0.5 * d + 0.1 * xp.sin(c), c, 3), {0}, 9)
repeated(lambda c, k: (xp.pad(c, 1)[2:] - c) * 0.3 + xp.cos(c), xp.ravel({0}), 9)
repeated(lambda c, k: c * (1 + 0.1 * xp.tanh(xp.sum(c))), {0}, 9) / 2
xp.stack([xp.sum(H(3, k % 3) * xp.sin(c)) for k, c in enumerate(states(lambda c, k: 0.5 * c[::-1] * c + 0.2, xp.resize({0}, 3), 9))])
"""
COMPONENTS = """
(lambda a, b, c: xp.stack([a * b - c, b * c - a, c * a - b]))(*xp.resize({0}, 3))
(lambda x: xp.stack([(x[(i + 1) % 5] - x[i - 2]) * x[i - 1] - x[i] for i in range(5)]))(xp.resize({0}, 5))
(lambda x: sum(1 / (2.5 + xp.cos(x[i] - x[j])) for i in range(5) for j in range(i)))(xp.resize({0}, 5))
(lambda a: xp.stack([xp.stack([xp.cos(a), -xp.sin(a)]), xp.stack([xp.sin(a), xp.cos(a)])]))(xp.mean({0}))
sum(xp.sqrt(3 + xp.sin(a) * b) for a, b in zip(xp.ravel({0}), xp.ravel({0})[1:]))
sum(a * K(9)[k] for k, a in enumerate(xp.resize(xp.sin({0}), 9)))
sum((-1) ** k * a * a for k, a in enumerate(xp.resize({0}, 9)))
xp.stack([a / (2.5 + xp.sin(b)) for a in xp.resize({0}, 3) for b in xp.resize({1}, 3)])
(lambda q, p: xp.stack([q[0] * p[1] - q[1] * p[0], q[1] * p[2] - q[2] * p[1], q[2] * p[0] - q[0] * p[2]]))(xp.resize({0}, 3), xp.resize({1}, 3))
xp.stack([xp.where(F(4)[0] if k % 2 else F(4)[k], xp.sin(a), xp.log(0 * a)) for k, a in enumerate(xp.resize({0}, 4))])
xp.stack([xp.stack([xp.exp(0.1 * x[i] * x[j]) if i != j else 1 + 0 * x[i] for j in range(3)]) for x in [xp.resize({0}, 3)] for i in range(3)])
"""
GATHERS = """
xp.exp(0.3 * {0})[np.array([0, 0, -1, 0])]
xp.take(xp.exp(0.3 * {0}), np.array([0, 0, 1, -1, 1]))
xp.sin(xp.resize({0}, 4)[np.array([[0, 0, 2], [3, 0, 2]])]) * K(2, 3)
H(4, 0, 2, 2, 3, 0) @ xp.resize({0}, 4)
(H(4, 0, 2, 2, 3, 0) * xp.sin(xp.resize({0}, (5, 4)))).sum(-1)
H(3, 0, 2, 2, 0, 1).T @ xp.sin(xp.resize({0}, (5, 2)))
xp.log(2.5 + xp.sin(xp.resize({0}, (3, 4))))[np.arange(3), np.array([1, 1, 3])]
(lambda x, i, j: (1 / (2.5 + xp.sin(x[i] - x[j]))).sum())(xp.resize({0}, 5), *np.triu_indices(5, 1))
(lambda x, i, j: xp.sin(x[i] - x[j]) @ K(10, 2))(xp.resize({0}, 5), *np.triu_indices(5, 1))
(lambda w: xp.tanh(w[:6].reshape(2, 3) @ w[6:9] + w[9:11]))(xp.resize({0}, 11))
(lambda w: xp.sum(xp.sin(w[:6].reshape(3, 2)[np.array([0, 0, 2, 1])] @ w[6:8]) ** 2))(xp.resize({0}, 8))
xp.sum(xp.resize({0}, (4, 3))[np.array([[0, 1], [1, 3]])] * xp.resize({1}, 3), 1)
(lambda p: p[2:] * p[:-2] - p[1:-1])(xp.pad(xp.ravel({0}), 1, mode={mode}))
(lambda x: x[1:] * x[:-1])(xp.concatenate([xp.ravel({0})[-1:], xp.ravel({0}), xp.ravel({0})[:1]]))
xp.roll({0}, 1, -1) * {0} - xp.roll({0}, {shift}, -1)
xp.cumprod(1 + 0.02 * xp.resize({0}, 70))[::23]
xp.cumsum(xp.sin(xp.resize({0}, 70)))[[3, 3, 69]]
xp.cumprod(xp.resize({0}, (3, 3)) * F(3, 3), axis=0)
xp.prod(xp.where(F(5), xp.resize({0}, 5), 0))
xp.prod(1 + 0.1 * xp.resize({0}, 70))
"""
HIDDEN = """
xp.where(F(*{0}.shape), xp.sin({0}), xp.log(0 * {0}))
xp.where(F(*{0}.shape), xp.sqrt(0 * {0}), {0} * {0})
xp.where(F(*{0}.shape), {0}, {1} / (0 * {0}))
xp.sum(xp.where(F(*{0}.shape), {0}, xp.log(0 * {0})) ** 2)
"""
# A derivative in the program: what its value is, is known of the lines above.
NESTED = """
jvp(lambda u: xp.sin(u) * u ** 2)({0}, 0.5 * {0})
jvp(lambda u: xp.tanh(u) * xp.sum(u))({0}, xp.cos({0}))
vjp(lambda u: xp.tanh(u) * xp.sum(u))({0}, xp.cos({0}))
vjp(lambda u: xp.cumprod(1 + 0.1 * u))({0}, 1 + 0 * xp.ravel({0}))
hvp(lambda u: xp.sum(xp.sin(u) * u ** 2))({0}, {0})
hvp(lambda u: xp.prod(1 + 0.2 * u))({0}, K(*{0}.shape) + 0 * {0})
grad(lambda u: xp.sum(xp.sin(u) * {1}))({0})
grad(lambda u: scan(lambda c, s: (xp.sin(c * s), None), K() * u, K(3))[0].sum())(K() * {0})
grad(lambda u: xp.sum(repeated(lambda c, k: 0.5 * c + xp.sin(c), u, 9)))({0})
xp.einsum('ij,j->i', hessian(lambda u: xp.sum(xp.sin(u)) ** 2 / 9)(xp.ravel({0})), xp.ravel({0}))
xp.trace(hessian(lambda u: xp.sum(xp.tanh(K(3, u.size) @ u / 3)))(xp.ravel({0})))
xp.diagonal(jacobian(lambda u: xp.sin(u) * xp.sum(u))(xp.ravel({0})))
jvp(lambda u: jvp(lambda w: xp.sin(w) * xp.cos(w[::-1]))(u, {0}))({0}, {0}[::-1])
taylor(lambda u: xp.exp(0.3 * u) / (2.5 + xp.sin(u)), 3)({0}, xp.sin({0}))[{few}]
taylor(lambda u: xp.where(F(*u.shape), xp.sin(u), xp.log(0 * u)), 3)({0}, {0})[{few}]
"""
ANALYTIC = SCANS, LOOPS, COMPONENTS, GATHERS, HIDDEN, NESTED
# Holomorphic, but NumPy or the complex step stops at them.
NOT_STEPPED = """
scan(lambda c, s: (xp.where(c == 0, s, xp.sin(c) / c), c), K() * {0}, K(3))[1]
xp.where({0} == 0, 1, xp.sin({0}) / xp.where({0} == 0, 1, {0}))
sum(xp.where(a != 0, xp.sin(a) / a, 1) for a in xp.ravel({0}))
repeated(lambda c, k: xp.where(c != 0, xp.sin(c) / c, 1) * 0.5 + 0.1 * c, {0}, 9)
"""
REAL = """
scan(lambda c, s: (xp.where(c > 0.1, s * c, xp.sin(c)), xp.maximum(c, s)), K() * {0}, K(3))[{few} // 2]
scan(lambda c, s: (xp.where(c > 0, xp.log1p(xp.abs(c)), c) * s, xp.max(c)), K() * {0}, K(3))[{few} // 2]
repeated(lambda c, k: xp.where(c > 0.1, 0.8 * c, xp.sin(c) - 0.1), {0}, 9)
repeated(lambda c, k: xp.clip(c * (1.1 + 0.1 * k), -0.7, 0.9), {0}, 9)
repeated(lambda c, k: c / xp.linalg.norm(c) + 0.1 * xp.roll(c, 1, -1), 0.5 + xp.ravel({0}), 9)
sum(xp.where(a > 0.2, xp.log(a), a) for a in xp.ravel({0}))
xp.stack([xp.where(a > b, xp.sqrt(a - b), 0.1 * a) for a, b in zip(xp.ravel({0}), xp.ravel({0})[::-1])])
xp.where({0} > 0.1, {0} ** 1.5, 0.1 * {0})
xp.where(xp.abs({0}) < 0.5, xp.arctanh({0}), {0})
xp.where({0} > 0.2, xp.log({0}) / {0}, xp.exp({0}))
xp.where({0} > 0.1, xp.sqrt({0}), xp.where({0} < -0.1, xp.log(-{0}), 0 * {0}))
grad(lambda u: xp.sum(xp.where(u > 0.1, xp.log(u), u * u)))({0})
hvp(lambda u: xp.sum(xp.where(u > 0.1, xp.sqrt(u), u * u)))({0}, xp.sin({0}))
(lambda x, i, j: xp.sqrt(0.1 + (x[i] - x[j]) ** 2).sum())(xp.resize({0}, 5), *np.triu_indices(5, 1))
(lambda z: (z - xp.max(z) - xp.log(xp.sum(xp.exp(z - xp.max(z)))))[np.array([1, 1, 0])])(xp.resize({0}, 3))
"""

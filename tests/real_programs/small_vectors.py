"""Small vectors: cross products, frames of cosines and sines, norms by components.

In: sizes. Out: `PROGRAMS`.
Guaranteed: each is bounded, in flops and in lines, by the same as contractions with constants.
"""

import functools

import numpy as np

import eingrad as eg
from real_programs.measure import Bound, Program, Task, evaluations
from real_programs.oracles import complex_jacobian, differences

LEVI_CIVITA = np.zeros((3, 3, 3))
for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    LEVI_CIVITA[i, j, k], LEVI_CIVITA[i, k, j] = 1.0, -1.0


# Cross products ----------------------------------------------------------------------------------


def by_components(a, b):
    """Cross product as a textbook writes it."""
    (a0, a1, a2), (b0, b1, b2) = a, b
    return np.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0])


def by_contraction(a, b):
    """Cross product as a contraction with a constant."""
    return np.einsum("ijk,...j,...k->...i", LEVI_CIVITA, a, b)


def dihedral(cross):
    """Torsion energy of four points."""

    def energy(x):
        a, b, c = x[1] - x[0], x[2] - x[1], x[3] - x[2]
        m, n = cross(a, b), cross(b, c)
        angle = np.arctan2(np.sqrt(b @ b) * (a @ n), m @ n)
        return 1 + np.cos(3 * angle - 0.5)

    return energy


def torsions(cross):
    """Torsion energy of a chain of points, at once."""

    def energy(x):
        bond = x[1:] - x[:-1]
        a, b, c = bond[:-2], bond[1:-1], bond[2:]
        m, n = cross(a, b), cross(b, c)
        angle = np.arctan2(np.sqrt((b * b).sum(1)) * (a * n).sum(1), (m * n).sum(1))
        return (1 + np.cos(3 * angle - 0.5)).sum()

    return energy


def volume(cross):
    """Squared volume of a parallelepiped."""
    return lambda x: (x[0] @ cross(x[1], x[2])) ** 2


def _bounded(f, good, x, order):
    bound = Bound(eg.derivative(good, order), (x,), 1.1)
    return Task(
        eg.derivative(f, order),
        (x,),
        {"flops": bound, "lines": bound},
        lambda: differences(f, x, *[None] * order, step=0.01),
        (f, order),
    )


def crossed(energy, cross, order, rng, points):
    """A derivative of an energy that has cross products."""
    chain = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [1.5, 1, 1], [2, 2, 1]])
    x = np.concatenate([chain[:points], rng.normal(size=(max(0, points - 5), 3)) * 2])
    return _bounded(energy(cross), energy(by_contraction), x + rng.normal(size=x.shape) / 9, order)


def crossed_along(energy, cross, rng, points):
    """The third derivative of such an energy along one vector, by einsum."""
    f, task = energy(cross), crossed(energy, cross, 1, rng, points)
    (x,), v = task.args, rng.normal(size=(points, 3))
    along = lambda f: lambda x, v: np.einsum("abcdef,ab,cd,ef", eg.derivative(f, 3)(x), v, v, v)
    bound = Bound(along(energy(by_contraction)), (x, v), 1.1)
    should = {"flops": bound, "lines": bound}
    return Task(along(f), (x, v), should, lambda: differences(f, x, v, v, v))


def norms_by_components(order, rng, bodies):
    """Gravity of bodies, each distance by components, pair by pair; better of all pairs at once."""

    def f(p):
        total = 0.0
        for i in range(bodies):
            for j in range(i):
                dx, dy, dz = p[i] - p[j]
                total = total - 1 / np.sqrt(dx**2 + dy**2 + dz**2)
        return total

    first, second = np.tril_indices(bodies, -1)
    good = lambda p: -(((p[first] - p[second]) ** 2).sum(1) ** -0.5).sum()
    return _bounded(f, good, _places(rng, bodies), order)


def ring(order, rng, n, steps):
    """Lorenz-96 in loops of Python, an entry after the other, by Heun's method; better by rolls."""

    def entries(x):
        return np.stack([(x[(i + 1) % n] - x[i - 2]) * x[i - 1] - x[i] + 8.0 for i in range(n)])

    def rolls(x):
        return (np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + 8.0

    def energy(rate):
        def f(x):
            for _ in range(steps):
                first = rate(x)
                x = x + 0.01 * (first + rate(x + 0.02 * first))
            return (x**2).sum()

        return f

    return _bounded(energy(entries), energy(rolls), rng.normal(size=n), order)


def bends(order, rng, points):
    """Angles of a chain, each by components; better of all at once."""

    def f(p):
        total = 0.0
        for i in range(1, points - 1):
            (ax, ay, az), (bx, by, bz) = p[i - 1] - p[i], p[i + 1] - p[i]
            lengths = (ax**2 + ay**2 + az**2) * (bx**2 + by**2 + bz**2)
            total += (np.arccos((ax * bx + ay * by + az * bz) / np.sqrt(lengths)) - 2.0) ** 2
        return total

    def good(p):
        a, b = p[:-2] - p[1:-1], p[2:] - p[1:-1]
        lengths = (a**2).sum(1) * (b**2).sum(1)
        return ((np.arccos((a * b).sum(1) / np.sqrt(lengths)) - 2.0) ** 2).sum()

    zigzag = np.arange(points)[:, None] * [1.0, 0.0, 0.0] + np.arange(points)[:, None] % 2
    return _bounded(f, good, zigzag + rng.normal(size=(points, 3)) / 9, order)


def kinetics(order, rng):
    """Rates of a mechanism of six species, by components; the function and its entries."""
    factors = ((1.0, 0.5, 2.0), (2.0, 0.3, 1.0), (0.7, 0.2, 3.0), (1.5, 0.1, 1.2), (0.3, 0.4, 0.8))

    def f(y):
        br2, h2, br, h, hbr, t = y
        k1, k2, k3, k4, k5 = (a * t**n * np.exp(-e / t) for a, n, e in factors)
        r1, r2, r3, r4, r5 = k1 * br2, k2 * br * h2, k3 * h * br2, k4 * h * hbr, k5 * br * br
        return np.stack([
            r5 - r1 - r3, r4 - r2, 2 * r1 - r2 + r3 + r4 - 2 * r5, r2 - r3 - r4, r2 + r3 - r4,
            0.1 * (r1 - r5),
        ])  # fmt: skip

    y = rng.uniform(0.5, 1.5, size=6)
    bound = evaluations(f, y, 6.0 * order)
    value = lambda: differences(f, y, *[None] * order, step=0.01)
    should = {"flops": bound, "lines": bound}
    return Task(eg.derivative(f, order), (y,), should, value, (f, order))


def _places(rng, bodies):
    return rng.normal(size=(bodies, 3)) / 5 + 2 * np.arange(bodies)[:, None]


# Frames ------------------------------------------------------------------------------------------


def stacked(t, axis):
    """Rotation about x, y or z, its entries stacked."""
    c, s, zero, one = np.cos(t), np.sin(t), 0 * t, 0 * t + 1
    rows = {
        0: [[one, zero, zero], [zero, c, -s], [zero, s, c]],
        1: [[c, zero, s], [zero, one, zero], [-s, zero, c]],
        2: [[c, -s, zero], [s, c, zero], [zero, zero, one]],
    }[axis]
    return np.stack([np.stack(row) for row in rows])


def rodrigues(t, axis):
    """The same with constants: ``I + sin(t) K + (1 - cos(t)) K @ K``."""
    K = LEVI_CIVITA[:, axis, :]
    return np.eye(3) + np.sin(t) * K + (1 - np.cos(t)) * (K @ K)


def arm(frame, joints):
    """Places of the links of an arm, each turned about an axis in turn."""
    link = np.array([0.3, 0.2, 1.0])

    def places(q):
        turn, at, found = np.eye(3), np.zeros(3), []
        for n in range(joints):
            turn = turn @ frame(q[n], (2, 1, 0)[n % 3])
            at = at + turn @ link
            found.append(at)
        return np.stack(found)

    return places


def mass(frame, joints):
    """Mass matrix of unit masses at the links."""

    def matrix(q):
        J = eg.jacobian(arm(frame, joints))(q)
        return np.einsum("lki,lkj->ij", J, J)

    return matrix


def coriolis(frame, joints):
    """Coriolis matrix from the Christoffel symbols of the mass matrix."""

    def matrix(q, speed):
        D = eg.jacobian(mass(frame, joints))(q)
        symbols = D + np.swapaxes(D, 1, 2) - np.transpose(D, (2, 1, 0))
        return np.einsum("ijk,k->ij", symbols, speed) / 2

    return matrix


def mechanics(what, rng, joints):
    """A matrix of the dynamics of an arm, its frames stacked."""
    q, speed = rng.normal(size=(2, joints))
    Q = lambda q: complex_jacobian(arm(rodrigues, joints), q)

    def mass_value(q):
        return np.einsum("lki,lkj->ij", Q(q), Q(q))

    def coriolis_value(q):
        D = differences(mass_value, q, None)
        return (D + np.swapaxes(D, 1, 2) - np.transpose(D, (2, 1, 0))) @ speed / 2

    made = {"mass": mass, "coriolis": coriolis, "coriolis differentiated": coriolis}[what]
    derived = eg.jacobian if what.endswith("differentiated") else lambda f: f
    args = (q,) if what == "mass" else (q, speed)
    bound = Bound(derived(made(rodrigues, joints)), args, 1.1)
    value = {
        "mass": lambda: mass_value(q),
        "coriolis": lambda: coriolis_value(q),
        "coriolis differentiated": lambda: differences(coriolis_value, q, None),
    }[what]
    return Task(derived(made(stacked, joints)), args, {"flops": bound, "lines": bound}, value)


def quaternion(order, rng, points):
    """Points turned by a quaternion, entries of the matrix stacked; better by a constant."""
    p, target = rng.normal(size=(2, points, 3))

    def matrix(q):
        w, x, y, z = q
        return np.stack([
            np.stack([w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)]),
            np.stack([2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)]),
            np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z]),
        ])  # fmt: skip

    units = np.eye(4)
    halves = [[matrix(a + b) - matrix(a) - matrix(b) for b in units] for a in units]
    form = np.array(halves) / 2  # a, b, i, j
    f = lambda q: np.exp(-((p @ matrix(q).T - target) ** 2).sum(1) / 9).sum()
    turned = lambda q: p @ np.einsum("abij,a,b->ji", form, q, q)
    good = lambda q: np.exp(-((turned(q) - target) ** 2).sum(1) / 9).sum()
    q = rng.normal(size=4)
    return _bounded(f, good, q / np.sqrt(q @ q), order)


def _row(name, make, *given, sizes, small="the same", slow=False):
    return Program(
        "8",
        name,
        functools.partial(make, *given),
        sizes,
        sizes if small == "the same" else small,
        slow,
    )


PROGRAMS = (
    _row("dihedral by np.cross, gradient", crossed, dihedral, np.cross, 1, sizes=(4,)),
    _row("dihedral by np.cross, Hessian", crossed, dihedral, np.cross, 2, sizes=(4,)),
    _row("dihedral by components, Hessian", crossed, dihedral, by_components, 2, sizes=(4,), slow=True),
    _row("dihedral by np.cross, third derivative", crossed, dihedral, np.cross, 3, sizes=(4,), small=None, slow=True),
    _row("dihedral by np.cross, along a vector thrice", crossed_along, dihedral, np.cross, sizes=(4,), small=None),
    _row("torsions of five points, gradient", crossed, torsions, np.cross, 1, sizes=(5,)),
    _row("torsions of five points, Hessian", crossed, torsions, np.cross, 2, sizes=(5,)),
    _row("volume by np.cross, Hessian", crossed, volume, np.cross, 2, sizes=(3,)),
    _row("volume by components, third derivative", crossed, volume, by_components, 3, sizes=(3,), small=None, slow=True),
    _row("gravity of three bodies by components, gradient", norms_by_components, 1, sizes=(3,), small=(2,)),
    _row("gravity of three bodies by components, Hessian", norms_by_components, 2, sizes=(3,), small=(2,)),
    _row("gravity of six bodies by components, Hessian", norms_by_components, 2, sizes=(6,), small=(2,)),
    _row("Lorenz-96 by entries, 40 numbers, 2 steps, gradient", ring, 1, sizes=(40, 2), small=(5, 2)),
    _row("Lorenz-96 by entries, 8 numbers, 2 steps, Hessian", ring, 2, sizes=(8, 2), small=(5, 1)),
    _row("bends of a chain by components, gradient", bends, 1, sizes=(6,), small=(4,)),
    _row("bends of a chain by components, Hessian", bends, 2, sizes=(6,), small=(4,)),
    _row("kinetics by components, Jacobian", kinetics, 1, sizes=()),
    _row("kinetics by components, second derivative", kinetics, 2, sizes=()),
    _row("mass matrix of two joints", mechanics, "mass", sizes=(2,)),
    _row("mass matrix of four joints", mechanics, "mass", sizes=(4,), small=(2,)),
    _row("Coriolis matrix of two joints", mechanics, "coriolis", sizes=(2,)),
    _row("Coriolis matrix of three joints", mechanics, "coriolis", sizes=(3,), small=(2,), slow=True),
    _row("Coriolis matrix of three joints, differentiated", mechanics, "coriolis differentiated", sizes=(3,), small=(2,), slow=True),
    _row("Coriolis matrix of four joints, differentiated", mechanics, "coriolis differentiated", sizes=(4,), small=(2,), slow=True),
    _row("points turned by a quaternion, gradient", quaternion, 1, sizes=(10,), small=(2,)),
    _row("points turned by a quaternion, Hessian", quaternion, 2, sizes=(10,), small=(2,)),
)  # fmt: skip

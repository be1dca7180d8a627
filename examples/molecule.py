"""Vibrations of a molecule: the Hessian of an energy of pairwise distances, through one plan.

The 60 atoms of C60 ("buckminsterfullerene") are joined by springs, stiff ones along the bonds and
weaker ones between second neighbours; with the distances ``d_ij = |x_i - x_j|``::

    energy(x) = sum over pairs i < j of k_ij / 2 (d_ij - rest_ij)^2

The example relaxes the molecule by Newton's method and diagonalises the Hessian, 180 x 180. The
springs are no force field of carbon, but what follows from symmetry alone must be there: six
motions of the rigid body, at no cost, and 46 frequencies, 1-, 3-, 4- and 5-fold. The Hessian is
compared with a closed form written by hand. At the end, the cost of the plan is set against that of
a dense forward-over-reverse, also for 2,483 atoms. The script exits with status 1 if a check fails.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

import eingrad as eg

try:
    from ase import units
    from ase.build import molecule
except ModuleNotFoundError:
    print("this example needs ase: pip install 'eingrad[demo]'", file=sys.stderr)
    sys.exit(2)

Array = npt.NDArray[np.float64]

# Shells of neighbours: up to which distance (in angstrom), how many pairs, how stiff a spring (in
# eV / angstrom^2). Both kinds of bond, then the diagonals of the pentagons and of the hexagons.
SHELLS = ((1.41, 30, 30.0), (1.60, 60, 30.0), (2.38, 60, 6.0), (2.60, 120, 6.0))
# Number of frequencies by degeneracy. By symmetry, whatever the forces, the vibrations of C60 are
# 2 Ag + Au (1-fold), 3 T1g + 4 T2g + 4 T1u + 5 T2u (3-fold), 6 Gg + 6 Gu (4-fold) and 8 Hg + 7 Hu
# (5-fold); Weeks and Harter, J. Chem. Phys. 90, 4744 (1989).
DEGENERACIES = {1: 3, 3: 16, 4: 12, 5: 15}
TOLERANCE = 1e-10  # relative; rounding leaves about 1e-15
LARGE = 2483  # atoms; for so many, a batch of tangents has 551 GB even in single precision


def energy(positions: Array, stiffness: Array, rest: Array) -> float:
    """Energy of springs between all pairs; stiffness 0 where there is none."""
    difference = positions[:, None, :] - positions[None, :, :]
    # An atom has distance 0 to itself, where the square root has no derivative: make it 1.
    distance = np.sqrt(np.sum(difference**2, axis=-1) + (stiffness == 0))
    return 0.25 * np.sum(stiffness * (distance - rest) ** 2)  # each pair is met twice


def springs(positions: Array) -> tuple[Array, Array]:
    """Stiffness and rest length of each pair: in a shell, all springs are alike."""
    distance = np.linalg.norm(positions[:, None, :] - positions[None, :, :], axis=-1)
    stiffness, rest = np.zeros_like(distance), np.zeros_like(distance)
    inner = 0.0
    for outer, pairs, k in SHELLS:
        shell = (inner < distance) & (distance <= outer)
        if np.count_nonzero(shell) != 2 * pairs:
            raise RuntimeError(
                f"{np.count_nonzero(shell) // 2} pairs of atoms are {inner} to {outer} angstrom "
                f"apart, not {pairs}: these are not the coordinates of C60"
            )
        stiffness[shell], rest[shell] = k, distance[shell].mean()
        inner = outer
    return stiffness, rest


def relax(gradient: Callable[[Array], Array], hessian: Callable[[Array], Array], x: Array) -> Array:
    """Newton's method from close by; of all minima, which rotate into each other, the nearest."""
    for _ in range(10):
        g = gradient(x).ravel()
        if np.max(np.abs(g)) <= 1e-11:
            return x
        step = np.linalg.pinv(hessian(x).reshape(x.size, x.size), rcond=1e-8, hermitian=True) @ g
        x = x - step.reshape(x.shape)
    raise RuntimeError(f"no minimum after 10 steps: the largest force is {np.max(np.abs(g)):.1e}")


def hessian_by_hand(positions: Array, stiffness: Array, rest: Array) -> Array:
    """Minus one 3 x 3 block per pair, and on the diagonal the sum of the blocks of each atom.

    A spring resists along its unit vector ``u``; across, only by its tension:
    ``k ((1 - rest / d) (I - u u^T) + u u^T)``.
    """
    n = len(positions)
    difference = positions[:, None, :] - positions[None, :, :]
    distance = np.linalg.norm(difference, axis=-1) + np.eye(n)
    u = difference / distance[:, :, None]
    along = u[:, :, :, None] * u[:, :, None, :]
    tension = (1 - rest / distance)[:, :, None, None]
    blocks = stiffness[:, :, None, None] * (tension * (np.eye(3) - along) + along)
    result = -blocks
    result[np.arange(n), np.arange(n)] += blocks.sum(axis=1)
    return result.swapaxes(1, 2)  # atom, component, atom, component


def relative_error(actual: Array, expected: Array) -> float:
    """Largest difference, relative to the largest entry."""
    return float(np.max(np.abs(actual - expected)) / np.max(np.abs(expected)))


def rigid_motions(positions: Array) -> Array:
    """Orthonormal columns: three translations, three rotations about the centre."""
    axes = np.eye(3)
    translations = [np.broadcast_to(axis, positions.shape) for axis in axes]
    rotations = [np.cross(axis, positions - positions.mean(axis=0)) for axis in axes]
    return np.linalg.qr(np.stack([*translations, *rotations]).reshape(6, -1).T)[0]


def levels(frequencies: Array) -> list[Array]:
    """Sorted frequencies, cut where the next is more than 1e-3 1/cm higher."""
    return np.split(frequencies, np.flatnonzero(np.diff(frequencies) > 1e-3) + 1)


def histogram(levels: list[Array], width: int = 100) -> str:
    """A row per interval, a digit per mode: ``55555`` is a 5-fold frequency."""
    top = int(levels[-1][-1]) // width
    rows: dict[int, list[str]] = {row: [] for row in range(int(levels[0][0]) // width, top + 1)}
    for level in levels:
        rows[int(level.mean()) // width].append(str(len(level)) * len(level))
    return "\n".join(f"{row * width:6}  {' '.join(modes)}".rstrip() for row, modes in rows.items())


def costs(n: int) -> dict[str, float]:
    """Planned cost for ``n`` atoms; planning needs shapes only, so these arrays hold one number."""
    positions, pairs = np.broadcast_to(0.0, (n, 3)), np.broadcast_to(0.0, (n, n))
    plan = eg.hessian(energy).plan(positions, pairs, pairs)
    gradient = eg.grad(energy).plan(positions, pairs, pairs)
    product = eg.hvp(energy).plan(positions, pairs, pairs, positions)
    tangents = 3 * n
    return {
        "Hessian, bytes": 8 * tangents**2,
        "plan, flops": plan.flops,
        "plan, peak bytes": plan.peak_bytes,
        # The gradient once; then, for each tangent, what a Hessian-vector product adds to it.
        "dense, flops": gradient.flops + tangents * (product.flops - gradient.flops),
        # A tangent of `difference` is n x n x 3, and a batch has all of them.
        "dense, one batched n x n x 3 array, bytes": 8 * tangents * n * n * 3,
    }


def main() -> int:
    """Relax, diagonalise, check, report; the exit status."""
    atoms = molecule("C60")
    stiffness, rest = springs(atoms.positions)
    gradient = eg.grad(energy).plan(atoms.positions, stiffness, rest)
    hessian = eg.hessian(energy).plan(atoms.positions, stiffness, rest)
    x = relax(
        lambda x: gradient(x, stiffness, rest),
        lambda x: hessian(x, stiffness, rest),
        atoms.positions,
    )

    began = time.perf_counter()
    H = hessian(x, stiffness, rest)
    seconds = time.perf_counter() - began
    moved = x + np.random.default_rng(0).normal(scale=0.1, size=x.shape)  # no minimum, no symmetry
    errors = {
        "Hessian by hand, relaxed": relative_error(H, hessian_by_hand(x, stiffness, rest)),
        "Hessian by hand, distorted": relative_error(
            hessian(moved, stiffness, rest), hessian_by_hand(moved, stiffness, rest)
        ),
    }

    root_mass = np.repeat(np.sqrt(atoms.get_masses()), 3)
    weighted = H.reshape(x.size, x.size) / np.outer(root_mass, root_mass)
    squares, modes = np.linalg.eigh(weighted)  # eV / (angstrom^2 u), ascending
    rigid = rigid_motions(x)  # all masses are equal, so mass-weighting leaves them as they are
    errors["rigid motions cost energy"] = np.max(np.abs(weighted @ rigid)) / squares[-1]
    errors["zero modes are others"] = np.max(
        np.abs(modes[:, :6] - rigid @ (rigid.T @ modes[:, :6]))
    )
    zero_modes = int(np.count_nonzero(np.abs(squares) <= TOLERANCE * squares[-1]))

    per_cm = np.sqrt(units._e / units._amu) * 1e10 / (2 * np.pi * units._c * 100)
    vibrations = levels(per_cm * np.sqrt(squares[6:]))
    found = dict(sorted(Counter(map(len, vibrations)).items()))
    splitting = max(float(np.ptp(level)) for level in vibrations)

    print(f"C60: {len(x)} atoms, Hessian {H.shape} in {seconds * 1e3:.2f} ms\n")
    print("largest relative error")
    for name, error in errors.items():
        print(f"  {name:28}{error:.1e}")
    print(f"\nzero modes     {zero_modes}; a rigid body has three translations and three rotations")
    print("frequencies    " + ", ".join(f"{count} {fold}-fold" for fold, count in found.items()))
    print(f"               {len(vibrations)} in all, each within {splitting:.0e} 1/cm")
    print("\n  1/cm  spectrum, one digit per mode: 55555 is one 5-fold frequency")
    print(histogram(vibrations))

    print(f"\n{'cost':44}{f'n = {len(x)}':>12}{f'n = {LARGE:,}':>14}{'(planned, not run)':>20}")
    small, large = costs(len(x)), costs(LARGE)
    for name in small:
        print(f"  {name:42}{small[name]:12.3g}{large[name]:14.3g}")
    print("dense: forward over reverse, 3 n tangents through the gradient; one by one instead of")
    print("in a batch, they need no such array, but no fewer flops")

    correct = all(error <= TOLERANCE for error in errors.values())  # nan is an error
    correct &= zero_modes == 6 and found == DEGENERACIES
    print(f"\nas symmetry and the formula demand: {'yes' if correct else 'NO'}")
    return 0 if correct else 1


if __name__ == "__main__":
    sys.exit(main())

"""Closeness, difference quotients, and the kinks at which they tell nothing."""

import re

import numpy as np

from fuzzing.programs import value_of

EPS = 2.0**-52
UNITS = {2: 2.0**-10, 4: 2.0**-23, 8: EPS}  # bytes of a real number -> unit of its last place
SAFETY = 200  # times the loss that single precision shows
AGREEMENT = 1e-8  # of difference quotients at two steps
LARGEST_KINK = 1e-5  # difference of the slopes on both sides; a smooth one leaves h**3
STEPS = (2e-3, 1e-3)
_STENCIL = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}  # eighth order


class Mismatch(Exception):
    """A derivative that is wrong."""


class Excluded(Exception):
    """A case in which no oracle can tell."""


def scale_of(array):
    return 1 + np.max(np.abs(array), initial=0.0)


def close(actual, expected, allowed, what):
    """Raise where two results differ in shape, or in an entry, relative to the largest."""
    if actual.shape != expected.shape:
        raise Mismatch(f"{what}: shape {actual.shape}, not {expected.shape}")
    finite = np.isfinite(expected)
    if not np.array_equal(finite, np.isfinite(actual)):
        raise Mismatch(f"{what}: {np.sum(~np.isfinite(actual))} entries are not finite, "
                       f"{np.sum(~finite)} expected")  # fmt: skip
    error = np.max(np.abs(actual - expected)[finite], initial=0.0)
    scale = scale_of(expected[finite])
    if error > allowed * scale:
        raise Mismatch(f"{what}: error {error:.2e} at scale {scale:.2e}, allowed {allowed:.2e}")


def check_smooth(step, values):
    """Exclude a line that has a kink here, be it smoothed by the lines after.

    What is differentiated is the formula: ``abs(x)**2`` is smooth at 0, but not by the chain rule.
    """
    rng = np.random.default_rng(len(values))
    directions = {k: rng.uniform(0.5, 1, np.shape(values[k])) for k in sorted({*step.operands})}

    def moved(h):
        return [x + h * directions[k] if k in directions else x for k, x in enumerate(values)]

    differences(lambda h: [np.asarray(value_of(step, moved(h)))], 1.0)
    if re.search(r"norm|std|hypot", step.text) and np.any(value_of(step, values) == 0):
        raise Excluded("the tip of a norm")


def differences(lower, direction):
    """Eighth-order difference quotients of some arrays, after `_agreed`."""
    points = [0.0, *(sign * m * h for h in STEPS for m in _STENCIL for sign in (1, -1))]
    moved = {h: lower(h * direction) for h in points}
    return [_agreed({h: moved[h][n] for h in points}) for n in range(len(moved[0.0]))]


def _agreed(moved):
    """Difference quotients at two steps, which must agree, as must the slopes on both sides."""
    quotients = [
        sum(c * (moved[m * h] - moved[-m * h]) for m, c in _STENCIL.items()) / h for h in STEPS
    ]
    bends = [(moved[h] - 2 * moved[0.0] + moved[-h]) / h for h in STEPS]  # h f'', or a jump
    scale = scale_of(quotients[1])
    apart = np.max(np.abs(quotients[0] - quotients[1]), initial=0.0)
    kink = np.max(np.abs(2 * bends[1] - bends[0]), initial=0.0)
    if not (apart <= AGREEMENT * scale and kink <= LARGEST_KINK * scale):
        raise Excluded("a kink, or too rough for differences")
    return quotients[1]

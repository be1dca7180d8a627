"""The recursions of power series as one writes them by hand, for every row of the table.

In: coefficients of operands, each a list from number zero on; None stands for zero. Out: those of
the result.
Guaranteed: nothing of eingrad is used. Each is the cheapest recursion that we know of, after
Griewank and Walther, *Evaluating Derivatives* (2008), table 13.2: ``y' = g x'`` is
``k y[k] = sum_j j x[j] g[k-j]``, and of a square half the products are made.
"""

import math

import numpy as np

# Sums of products --------------------------------------------------------------------------------


def total(terms):
    """Add what is not zero."""
    found = [term for term in terms if term is not None]
    return sum(found[1:], start=found[0]) if found else None


def product(a, b, multiply=np.multiply):
    return None if a is None or b is None else multiply(a, b)


def scaled(a, number):
    return None if a is None else a if number == 1 else number * a


def over(a, number):
    return None if a is None else a if number == 1 else a / number


def less(a, b):
    return a if b is None else -b if a is None else a - b


def cauchy(a, b, k, first=0, last=None, multiply=np.multiply):
    """``sum_j a[j] b[k-j]``, for j from `first` to `last`."""
    last = k if last is None else last
    return total(product(a[j], b[k - j], multiply) for j in range(first, last + 1))


def square(a, k, first=0, multiply=np.multiply):
    """``sum_j a[j] a[k-j]``, for j from `first` to ``k - first``."""
    twice = total(product(a[j], a[k - j], multiply) for j in range(first, (k + 1) // 2))
    middle = product(a[k // 2], a[k // 2], multiply) if k % 2 == 0 and k // 2 >= first else None
    return total([scaled(twice, 2), middle])


def rates(x):
    """``j x[j]``: with number zero, which is zero."""
    return [None, *(scaled(c, j) for j, c in enumerate(x[1:], 1))]


def integral(value, g, x, order):
    """``y' = g x'`` from the value; `g` gives the coefficient of a number when it is needed."""
    moved, known, y = rates(x), [], [value]
    for k in range(1, order + 1):
        known.append(g(k - 1, y))
        y.append(over(cauchy(moved, known, k, 1), k))
    return y


def divided(a, b, order):
    """``a = b y``."""
    y = []
    for k in range(order + 1):
        rest = less(a[k], cauchy(b, y, k, 1))
        y.append(None if rest is None else rest / b[0])
    return y


def logarithm(x, value, order):
    """``x y' = x'``."""
    y, moved = [value], [None]
    for k in range(1, order + 1):
        rest = less(x[k], over(cauchy(moved, x, k, 1, k - 1), k))
        y.append(None if rest is None else rest / x[0])
        moved.append(scaled(y[k], k))
    return y


def power_by_rates(x, value, exponent, order):
    """``x y' = exponent y x'``."""
    y = [value]
    for k in range(1, order + 1):
        terms = (scaled(product(x[j], y[k - j]), exponent * j - (k - j)) for j in range(1, k + 1))
        rest = total(terms)
        y.append(None if rest is None else rest / (k * x[0]))
    return y


def pair(first, second, signs, x, order):
    """``y' = signs[0] z x'`` and ``z' = signs[1] y x'``: sines and cosines."""
    moved, y, z = rates(x), [first], [second]
    for k in range(1, order + 1):
        y, z = (
            [*y, scaled(over(cauchy(moved, z, k, 1), k), signs[0])],
            [*z, scaled(over(cauchy(moved, y, k, 1), k), signs[1])],
        )
    return y


def inverse_of_pair(value, w, x, signs, order):
    """``w y' = signs[0] x'`` and ``w' = signs[1] x y'``: inverse functions of sines and cosines."""
    moved, y, w, rate = rates(x), [value], [w], []
    for k in range(1, order + 1):
        known = total(product(w[j], rate[k - 1 - j]) for j in range(1, k))
        rest = less(scaled(moved[k], signs[0]), known)
        rate.append(None if rest is None else rest / w[0])
        y.append(over(rate[-1], k))
        w.append(scaled(over(cauchy(x, rate, k - 1), k), signs[1]))
    return y


def root(squares, value, order, half=0.5):
    """``y y = squares``, the numbers of which are given from one on."""
    y, factor = [value], half / value
    for k in range(1, order + 1):
        rest = less(squares(k), square(y, k, 1))
        y.append(None if rest is None else rest * factor)
    return y


def dot(a, b):
    return np.einsum("...i,...i->...", a, b)


# Rows --------------------------------------------------------------------------------------------


def exp(x, order, value=np.exp, factor=1):
    y = integral(value(x[0]), lambda k, y: y[k], x, order)
    return y if factor == 1 else integral(value(x[0]), lambda k, y: factor * y[k], x, order)


def expm1(x, order):
    return [np.expm1(x[0]), *exp(x, order)[1:]]


def log(x, order, value=np.log, factor=1):
    natural = logarithm(x, value(x[0]), order)
    return [natural[0], *(scaled(c, factor) for c in natural[1:])]


def log1p(x, order):
    return logarithm([1 + x[0], *x[1:]], np.log1p(x[0]), order)


def tangent(value, sign, x, order):
    """``y' = (1 + sign y y) x'``."""

    def slope(k, y):
        bent = square(y, k)
        if k == 0:
            return 1 + sign * bent
        return scaled(bent, sign)

    return integral(value(x[0]), slope, x, order)


def arctangent(value, sign, x, order):
    """``(1 + sign x x) y' = x'``."""
    w = [1 + sign * x[0] * x[0], *(scaled(square(x, k), sign) for k in range(1, order + 1))]
    rate, y = divided(rates(x)[1:], w, order - 1), [value(x[0])]
    return y + [over(c, k) for k, c in enumerate(rate, 1)]


def locally_linear(value, slope, x, order):
    """A function with a slope that is a constant, but for jumps."""
    made = slope(x[0])
    return [value(x[0]), *(product(c, made) for c in x[1 : order + 1])]


def extreme_of_two(value, wins, a, b, order):
    """Half of each at a tie."""
    left = wins(a[0], b[0]) + 0.5 * (a[0] == b[0])
    right = 1 - left
    rest = [total([product(left, a[k]), product(right, b[k])]) for k in range(1, order + 1)]
    return [value(a[0], b[0]), *rest]


def extreme(value, x, order):
    """The first of equal ones would do, but the convention is that ties share."""
    y = value(x[0], -1)
    ties = np.equal(x[0], y[..., None]) * 1.0
    weights = ties / ties.sum(-1)[..., None]
    return [y, *(product(weights, c, dot) for c in x[1 : order + 1])]


def hypot(a, b, order):
    """``y y = a a + b b``."""
    squares = [total([square(a, k), square(b, k)]) for k in range(order + 1)]
    return root(squares.__getitem__, np.hypot(a[0], b[0]), order)


def norm(x, order):
    """``y y = sum_i x_i x_i``; its value is made of these, too."""
    value = np.sqrt(dot(x[0], x[0]))
    return root(lambda k: square(x, k, multiply=dot), value, order)


def arctan2(a, b, order):
    """``(a a + b b) y' = b a' - a b'``: on the right one product for each pair of numbers."""
    squares = [total([square(a, k), square(b, k)]) for k in range(order)]
    crossed = []
    for k in range(1, order + 1):
        pairs = ((j, k - j) for j in range(k // 2 + 1, k + 1))
        crossed.append(
            total(scaled(less(product(a[i], b[j]), product(a[j], b[i])), i - j) for i, j in pairs)
        )
    rate = divided(crossed, squares, order - 1)
    return [np.arctan2(a[0], b[0]), *(over(c, k) for k, c in enumerate(rate, 1))]


def logaddexp(a, b, order):
    """``b + log1p(exp(a - b))``."""
    d = [less(a[k], b[k]) for k in range(order + 1)]
    z = log1p(exp(d, order), order)
    return [total([b[k], z[k]]) for k in range(order + 1)]


def whole_power(x, exponent, order):
    """Of small integers by products, which are right at zero too."""
    if exponent == 1:
        return x
    n, odd = divmod(exponent, 2)
    if not odd:
        below = whole_power(x, n, order)
        return [square(below, k) for k in range(order + 1)]
    below = whole_power(x, exponent - 1, order)
    return [cauchy(x, below, k) for k in range(order + 1)]


def power(x, order, exponent):
    exponent = float(exponent)
    if exponent.is_integer() and 1 <= exponent <= order:
        return whole_power(x, int(exponent), order)
    return power_by_rates(x, x[0] ** exponent, exponent, order)


def pow_(x, p, order):
    """``exp(p log x)``."""
    logs = log(x, order)
    inner = [cauchy(p, logs, k) for k in range(order + 1)]
    return [x[0] ** p[0], *exp(inner, order)[1:]]


def _entries(x):
    return [[None if c is None else c[..., n] for c in x] for n in range(x[0].shape[-1])]


def _stacked(entries, order):
    zero = np.zeros_like(entries[0][0])
    filled = [[zero if c is None else c for c in entry] for entry in entries]
    return [np.stack([entry[k] for entry in filled], -1) for k in range(order + 1)]


def _running(factors, order):
    made = [factors[0]]
    for factor in factors[1:]:
        made.append([cauchy(made[-1], factor, k) for k in range(order + 1)])
    return made


def cumprod(x, order):
    """From one entry to the next."""
    return _stacked(_running(_entries(x), order), order)


def others(x, order):
    """What is before each entry, by what is after it."""
    factors = _entries(x)
    before, after = _running(factors[:-1], order), _running(factors[:0:-1], order)[::-1]
    pairs = zip(before[:-1], after[1:], strict=True)
    inner = [[cauchy(*pair, k) for k in range(order + 1)] for pair in pairs]
    return _stacked([after[0], *inner, before[-1]], order)


def prod(x, order):
    """In a tree."""
    factors = _entries(x)
    while len(factors) > 1:
        pairs = [factors[n : n + 2] for n in range(0, len(factors), 2)]
        factors = [
            [cauchy(*two, k) for k in range(order + 1)] if len(two) == 2 else two[0]
            for two in pairs
        ]
    return factors[0]


def each(f):
    """A linear function acts on each coefficient."""
    return lambda x, order: [None if c is None else f(c) for c in x[: order + 1]]


def where(condition, a, b, order):
    zero = np.zeros_like(a[0])
    return [
        None if a[k] is b[k] is None else np.where(
            condition[0], zero if a[k] is None else a[k], zero if b[k] is None else b[k]
        )
        for k in range(order + 1)
    ]  # fmt: skip


def inverse(x, order):
    """``X Y = 1``."""
    y = [np.linalg.inv(x[0])]
    for k in range(1, order + 1):
        moved = cauchy(x, y, k, 1, multiply=np.matmul)
        y.append(None if moved is None else -(y[0] @ moved))
    return y


def trace_of_rates(x, order):
    """``tr(X^-1 X')``, numbers zero to ``order - 1``."""
    made, moved = inverse(x, order - 1), rates(x)
    return [cauchy(made, moved, k, 0, k - 1, multiply=trace) for k in range(1, order + 1)]


def trace(a, b):
    return np.einsum("...ij,...ji->...", a, b)


def det(x, order):
    """``y' = y tr(X^-1 X')``."""
    traces, y = trace_of_rates(x, order), [np.linalg.det(x[0])]
    for k in range(1, order + 1):
        y.append(over(cauchy(y, traces, k - 1), k))
    return y


def slogdet(x, order):
    """``y' = tr(X^-1 X')``."""
    traces = trace_of_rates(x, order)
    return [np.linalg.slogdet(x[0])[1], *(over(c, k) for k, c in enumerate(traces, 1))]


def solve(a, b, order):
    """``A Y = B``, with the inverse that is made once."""
    made = np.linalg.inv(a[0])
    y = [np.linalg.solve(a[0], b[0])]
    for k in range(1, order + 1):
        rest = less(b[k], cauchy(a, y, k, 1, multiply=np.matmul))
        y.append(None if rest is None else made @ rest)
    return y


def bilinear(multiply):
    return lambda a, b, order: [cauchy(a, b, k, multiply=multiply) for k in range(order + 1)]


def concatenate(*series, order, axis):
    zeros = [np.zeros_like(x[0]) for x in series]
    return [
        np.concatenate(
            [z if x[k] is None else x[k] for x, z in zip(series, zeros, strict=True)], axis
        )
        for k in range(order + 1)
    ]


_SLOPES = {"sin": (1, -1), "cos": (-1, 1), "sinh": (1, 1), "cosh": (1, 1)}
_PARTNER = {"sin": np.cos, "cos": np.sin, "sinh": np.cosh, "cosh": np.sinh}


def _of_pair(name):
    return lambda x, order: pair(
        getattr(np, name)(x[0]), _PARTNER[name](x[0]), _SLOPES[name], x, order
    )


def _inverse(value, w, signs):
    return lambda x, order: inverse_of_pair(value(x[0]), w(x[0]), x, signs, order)


# By the names of rows; arguments are the series of operands, the order, and attributes.
BY_HAND = {
    "exp": exp,
    "expm1": expm1,
    "exp2": lambda x, order: exp(x, order, np.exp2, math.log(2)),
    "log": log,
    "log2": lambda x, order: log(x, order, np.log2, 1 / math.log(2)),
    "log10": lambda x, order: log(x, order, np.log10, 1 / math.log(10)),
    "log1p": log1p,
    "sqrt": lambda x, order: root(lambda k: x[k], np.sqrt(x[0]), order),
    "cbrt": lambda x, order: power_by_rates(x, np.cbrt(x[0]), 1 / 3, order),
    "reciprocal": lambda x, order: divided([np.ones_like(x[0]), *[None] * order], x, order),
    "sin": _of_pair("sin"),
    "cos": _of_pair("cos"),
    "sinh": _of_pair("sinh"),
    "cosh": _of_pair("cosh"),
    "tan": lambda x, order: tangent(np.tan, 1, x, order),
    "tanh": lambda x, order: tangent(np.tanh, -1, x, order),
    "arcsin": _inverse(np.arcsin, lambda x: np.sqrt((1 - x) * (1 + x)), (1, -1)),
    "arccos": _inverse(np.arccos, lambda x: np.sqrt((1 - x) * (1 + x)), (-1, 1)),
    "arcsinh": _inverse(np.arcsinh, lambda x: np.sqrt(1 + x * x), (1, 1)),
    "arccosh": _inverse(np.arccosh, lambda x: np.sqrt(x - 1) * np.sqrt(x + 1), (1, 1)),
    "arctan": lambda x, order: arctangent(np.arctan, 1, x, order),
    "arctanh": lambda x, order: arctangent(np.arctanh, -1, x, order),
    "absolute": lambda x, order: locally_linear(np.abs, np.sign, x, order),
    "divide": divided,
    "quotient": divided,
    "arctan2": arctan2,
    "hypot": hypot,
    "logaddexp": logaddexp,
    "maximum": lambda a, b, order: extreme_of_two(np.maximum, np.greater, a, b, order),
    "minimum": lambda a, b, order: extreme_of_two(np.minimum, np.less, a, b, order),
    "power": power,
    "pow": pow_,
    "where": where,
    "cast": lambda x, order, dtype: x,
    "max": lambda x, order: extreme(np.max, x, order),
    "min": lambda x, order: extreme(np.min, x, order),
    "prod": prod,
    "norm": norm,
    "scaled": lambda x, order, factor: each(lambda c: factor * c)(x, order),
    "divided": lambda x, order, divisor: each(lambda c: c / divisor)(x, order),
    "whole": each(np.positive),
    "one_minus_square": lambda x, order: [
        (1 - x[0]) * (1 + x[0]), *(scaled(square(x, k), -1) for k in range(1, order + 1))
    ],
    "cumsum": each(lambda c: np.cumsum(c, -1)),
    "cumprod": cumprod,
    "others": others,
    "inverse": inverse,
    "det": det,
    "slogdet": slogdet,
    "solve": solve,
    "cross": bilinear(np.cross),
    "concatenate": concatenate,
}  # fmt: skip

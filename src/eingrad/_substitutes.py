"""What to write in place of a function that has no derivative here: one table.

In: the name of a function of NumPy, SciPy or Python. Out: an expression of supported ones that
gives the same; after a `#`, where it does, or after "only", what it gives of the whole. A test
evaluates every one, against the function and on traced values.

>>> SUBSTITUTES["np.nansum"]
'np.sum(np.where(np.isnan(x), 0, x))'
"""

_PIECEWISE = "y[0] + np.clip(x[..., None] - s[:-1], 0, np.diff(s)) @ (np.diff(y) / np.diff(s))"

# `x` and `y` are of any shape, or vectors where they have a length; `A` is a matrix, `b` a vector.
# What is applied to `np.eye` alone is a captured matrix: it is known when the function is traced.
SUBSTITUTES = {
    # not a number
    "np.nansum": "np.sum(np.where(np.isnan(x), 0, x))",
    "np.nanprod": "np.prod(np.where(np.isnan(x), 1, x))",
    "np.nancumsum": "np.cumsum(np.where(np.isnan(x), 0, x))",
    "np.nancumprod": "np.cumprod(np.where(np.isnan(x), 1, x))",
    "np.nanmean": "np.sum(np.where(np.isnan(x), 0, x)) / np.sum(np.where(np.isnan(x), 0, 1))",
    "np.nanvar": "np.sum(np.where(np.isnan(x), 0, x - m) ** 2) / n  # of n others, with mean m",
    "np.nanmax": "np.max(np.where(np.isnan(x), -np.inf, x))",
    "np.nanmin": "np.min(np.where(np.isnan(x), np.inf, x))",
    "np.nan_to_num": "np.where(np.isnan(x), 0, x)  # where x is not infinite",
    "np.fmax": "np.maximum(x, y)  # where neither is nan",
    "np.fmin": "np.minimum(x, y)  # where neither is nan",
    # elementwise
    "np.copysign": "np.abs(x) * np.where(y < 0, -1, 1)  # where y is not -0.0",
    "np.floor_divide": "np.floor(x / y)  # where the quotient does not round to an integer",
    "np.fmod": "x - np.trunc(x / y) * y  # where the quotient does not round to an integer",
    "np.heaviside": "np.where(x > 0, 1, np.where(x < 0, 0, y))",
    "np.isneginf": "np.isinf(x) & (x < 0)",
    "np.isposinf": "np.isinf(x) & (x > 0)",
    "np.ldexp": "x * 2.0**n",
    "np.modf": "(x - np.trunc(x), np.trunc(x))",
    "np.remainder": "x - np.floor(x / y) * y  # where the quotient does not round to an integer",
    "np.signbit": "x < 0  # where x is not -0.0",
    "np.sinc": "np.where(x == 0, 1, np.sin(np.pi * x) / (np.pi * np.where(x == 0, 1, x)))",
    "scipy.special.entr": "-x * np.log(x)  # where x > 0",
    "scipy.special.expit": "np.exp(-np.logaddexp(0, -x))",
    "scipy.special.log_expit": "-np.logaddexp(0, -x)",
    "scipy.special.logit": "np.log(x / (1 - x))",
    "scipy.special.xlog1py": "x * np.log1p(y)",
    "scipy.special.xlogy": "x * np.log(y)  # where y > 0",
    "scipy.special.boxcox": "(x**y - 1) / y  # where y is not 0",
    "scipy.special.cbrt": "np.cbrt(x)",
    "scipy.special.exp10": "10**x",
    "scipy.special.exp2": "np.exp2(x)",
    "scipy.special.expm1": "np.expm1(x)",
    "scipy.special.kl_div": "x * np.log(x / y) - x + y  # where x, y > 0",
    "scipy.special.log1p": "np.log1p(x)",
    "scipy.special.rel_entr": "x * np.log(x / y)  # where x, y > 0",
    # functions of plain numbers; those that NumPy calls the same are not listed
    "math.dist": "np.linalg.norm(x - y)",
    "math.fsum": "np.sum(x)",
    "math.isclose": "np.abs(x - y) <= 1e-9 * np.maximum(np.abs(x), np.abs(y))",
    "math.log": "np.log(x)  # and np.log(x) / np.log(b) to a base b",
    "math.remainder": "x - np.round(x / y) * y  # where the quotient does not round to an integer",
    "math.sumprod": "x @ y",
    "statistics.fmean": "np.mean(x)",
    "statistics.geometric_mean": "np.exp(np.mean(np.log(x)))",
    "statistics.harmonic_mean": "len(x) / np.sum(1 / x)",
    "statistics.mean": "np.mean(x)",
    "statistics.pstdev": "np.std(x)",
    "statistics.pvariance": "np.var(x)",
    "statistics.stdev": "np.std(x, ddof=1)",
    "statistics.variance": "np.var(x, ddof=1)",
    # of all entries
    "scipy.integrate.trapezoid": "np.trapezoid(x)",
    "scipy.spatial.distance.cosine": "1 - x @ y / np.sqrt((x @ x) * (y @ y))",
    "scipy.spatial.distance.euclidean": "np.linalg.norm(x - y)",
    "scipy.spatial.distance.sqeuclidean": "np.sum((x - y) ** 2)",
    "scipy.special.log_softmax": "(d := x - np.max(x)) - np.log(np.sum(np.exp(d)))",
    "scipy.special.logsumexp": "(c := np.max(x)) + np.log(np.sum(np.exp(x - c)))",
    "scipy.special.softmax": "(e := np.exp(x - np.max(x))) / np.sum(e)",
    "scipy.stats.multivariate_normal.logpdf": (
        "-((d := x - y) @ np.linalg.solve(A, d) + np.linalg.slogdet(2 * np.pi * A)[1]) / 2"
        "  # of mean y, covariance A"
    ),
    "scipy.stats.norm.logpdf": (
        "-(((x - m) / s) ** 2) / 2 - np.log(s) - np.log(2 * np.pi) / 2  # of mean m, deviation s"
    ),
    "scipy.stats.norm.pdf": (
        "np.exp(-(((x - m) / s) ** 2) / 2) / (s * np.sqrt(2 * np.pi))  # of mean m, deviation s"
    ),
    "scipy.stats.zscore": "(x - np.mean(x)) / np.std(x)",
    # comparisons and places
    "np.bitwise_xor": "np.logical_xor(x > 0, y > 0)  # of flags",
    "np.allclose": "np.all(np.abs(x - y) <= 1e-8 + 1e-5 * np.abs(y))",
    "np.argmax": "x == np.max(x)  # only a mask of the largest, not its position",
    "np.argmin": "x == np.min(x)  # only a mask of the least, not its position",
    "np.array_equal": "np.all(x == y)  # of one shape",
    "np.count_nonzero": "np.sum(np.where(x == 0, 0, 1))",
    "np.isclose": "np.abs(x - y) <= 1e-8 + 1e-5 * np.abs(y)",
    "ndarray.argmax": "x == x.max()  # only a mask of the largest, not its position",
    "ndarray.argmin": "x == x.min()  # only a mask of the least, not its position",
    # arrays made of others
    "np.full": "x * np.ones(n)  # of a number x",
    "np.geomspace": "x * (y / x) ** np.linspace(0, 1, n)  # of numbers x, y > 0",
    "np.insert": "np.concatenate((x[:n], y, x[n:]))",
    "np.linspace": "x + (y - x) * np.linspace(0, 1, n)  # of numbers x, y",
    "np.logspace": "10 ** (x + (y - x) * np.linspace(0, 1, n))  # of numbers x, y",
    "np.polyval": "x[:, None] ** np.arange(len(y))[::-1] @ y  # of coefficients y",
    "np.vander": "x[:, None] ** np.arange(n)[::-1]",
    # linear maps: the matrix is made by NumPy, and captured
    "np.convolve": "np.array([np.convolve(e, k) for e in np.eye(len(x))]).T @ x  # of a known k",
    "np.correlate": "np.array([np.correlate(e, k) for e in np.eye(len(x))]).T @ x  # of a known k",
    "np.gradient": "np.gradient(np.eye(len(x)), axis=0) @ x",
    "np.interp": f"{_PIECEWISE}  # of knots s, values y",
    "np.fft.fft": "np.fft.fft(np.eye(len(x))) @ x",
    "np.fft.ifft": "np.fft.ifft(np.eye(len(x))) @ x",
    "np.fft.fft2": "np.fft.fft(np.eye(len(A))) @ A @ np.fft.fft(np.eye(len(A.T)))",
    "np.fft.ifft2": "np.fft.ifft(np.eye(len(A))) @ A @ np.fft.ifft(np.eye(len(A.T)))",
    "np.fft.rfft": "np.fft.rfft(np.eye(len(x)), axis=0) @ x",
    "np.fft.fftshift": "np.roll(x, len(x) // 2)",
    "np.fft.ifftshift": "np.roll(x, -(len(x) // 2))",
    "scipy.fft.fft": "np.fft.fft(np.eye(len(x))) @ x",
    "scipy.fft.ifft": "np.fft.ifft(np.eye(len(x))) @ x",
    "scipy.signal.convolve": (
        "np.array([np.convolve(e, k) for e in np.eye(len(x))]).T @ x  # of a known k"
    ),
    "scipy.interpolate.CubicSpline": (
        "scipy.interpolate.CubicSpline(s, np.eye(len(s)))(t) @ x  # of known t, s"
    ),
    "scipy.optimize.rosen": (
        "np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2, axis=0)"
    ),
    "scipy.interpolate.interp1d": (
        f"{_PIECEWISE}  # of knots s, values y, linear, and x between the knots"
    ),
    # linear algebra
    "np.cov": "(d := A - A.mean(1, keepdims=True)) @ d.T / (len(A.T) - 1)",
    "np.linalg.cholesky": "np.linalg.slogdet(A)[1]  # only log det A (np.linalg.solve solves)",
    "np.linalg.cond": "np.linalg.norm(A) * np.linalg.norm(np.linalg.inv(A))  # in this norm",
    "np.linalg.eig": "np.trace(A)  # only the sum of the eigenvalues (det: their product)",
    "np.linalg.eigh": "np.trace(A)  # only the sum of the eigenvalues (det: their product)",
    "np.linalg.eigvals": "np.trace(A)  # only their sum (det: their product)",
    "np.linalg.eigvalsh": "np.trace(A)  # only their sum (det: their product)",
    "np.linalg.lstsq": "np.linalg.solve(A.T @ A, A.T @ b)  # of full column rank",
    "np.linalg.pinv": "np.linalg.solve(A.T @ A, A.T)  # of full column rank",
    "np.linalg.qr": "np.linalg.solve(A.T @ A, A.T @ b)  # only least squares, of full column rank",
    "np.linalg.svd": "np.sum(A**2)  # only the sum of the squared singular values",
    "np.linalg.svdvals": "np.sum(A**2)  # only the sum of their squares",
    "scipy.linalg.cho_factor": "np.linalg.slogdet(A)[1]  # only log det A (np.linalg.solve solves)",
    "scipy.linalg.cho_solve": "np.linalg.solve(A, b)  # of the matrix A that was factored",
    "scipy.linalg.cholesky": "np.linalg.slogdet(A)[1]  # only log det A (np.linalg.solve solves)",
    "scipy.linalg.det": "np.linalg.det(A)",
    "scipy.linalg.eigh": "np.trace(A)  # only the sum of the eigenvalues (det: their product)",
    "scipy.linalg.eigvalsh": "np.trace(A)  # only their sum (det: their product)",
    "scipy.linalg.expm": (
        "np.linalg.matrix_power(sum(np.linalg.matrix_power(A / 64, k) / math.factorial(k) "
        "for k in range(18)), 64)  # where the norm of A is below 64"
    ),
    "scipy.linalg.inv": "np.linalg.inv(A)",
    "scipy.linalg.lstsq": "np.linalg.solve(A.T @ A, A.T @ b)  # of full column rank",
    "scipy.linalg.lu": "np.linalg.slogdet(A)[1]  # only log abs(det A) (np.linalg.solve solves)",
    "scipy.linalg.lu_factor": (
        "np.linalg.slogdet(A)[1]  # only log abs(det A) (np.linalg.solve solves)"
    ),
    "scipy.linalg.lu_solve": "np.linalg.solve(A, b)  # of the matrix A that was factored",
    "scipy.linalg.norm": "np.linalg.norm(A)",
    "scipy.linalg.pinv": "np.linalg.solve(A.T @ A, A.T)  # of full column rank",
    "scipy.linalg.qr": (
        "np.linalg.solve(A.T @ A, A.T @ b)  # only least squares, of full column rank"
    ),
    "scipy.linalg.solve": "np.linalg.solve(A, b)",
    "scipy.linalg.solve_triangular": "np.linalg.solve(np.triu(A), b)  # np.tril with lower=True",
    "scipy.linalg.svd": "np.sum(A**2)  # only the sum of the squared singular values",
    "scipy.linalg.svdvals": "np.sum(A**2)  # only the sum of their squares",
}

_LINEAR = (
    "where it is linear, apply it to np.eye(n), once and without traced values, and multiply by "
    "the matrix that this gives"
)

_BY_HAND = "leave it out of the function, and apply the chain rule to it by hand"
_NONE = f"no expression of supported functions gives it: {_BY_HAND}"
_CLOSED = f"write its formula out, if that is made of supported functions; else {_BY_HAND}"

# Functions that no expression of supported ones gives.
_SPECIAL = {
    "math": "comb erf erfc factorial gamma lgamma perm",
    "np": "i0",
    "scipy.special": (
        "beta betainc betaln binom comb dawsn digamma ellipe ellipk erf erfc erfcinv erfcx erfi "
        "erfinv expi factorial gamma gammainc gammaincc gammaln hyp1f1 hyp2f1 i0 i0e i1 iv j0 j1 "
        "jv k0 k1 kv lambertw log_ndtr loggamma multigammaln ndtr ndtri polygamma psi rgamma "
        "spence wofz y0 y1 yv zeta"
    ),
    "scipy.stats.norm": "cdf isf logcdf logsf ppf sf",
}

_STEPS = (
    "write the steps out, of a Runge-Kutta rule say, in a loop; of an adaptive solver, take the "
    "times t where it stepped, which are known"
)

# What to do without functions that have no row above, or without those of a module.
ADVICE = {
    **{f"{module}.{name}": _NONE for module, all_ in _SPECIAL.items() for name in all_.split()},
    "decimal": "leave it out: derivatives here are of floats",
    "fractions": "leave it out: derivatives here are of floats",
    "scipy.fft": _LINEAR,
    **dict.fromkeys(("scipy.integrate.odeint", "scipy.integrate.solve_ivp"), _STEPS),
    "scipy.integrate": (
        "write the rule out: with known nodes t and weights w, of "
        "np.polynomial.legendre.leggauss say, an integral is w @ f(t)"
    ),
    "scipy.interpolate": _LINEAR,
    "scipy.ndimage": _LINEAR,
    "scipy.optimize": (
        "solve without the derivative; the solution y of F(x, y) = 0 has the Jacobian "
        "-np.linalg.solve(dF_dy, dF_dx)"
    ),
    "scipy.signal": _LINEAR,
    "scipy.special": _CLOSED,
    "scipy.stats": _CLOSED,
    "scipy.sparse": "write it with arrays of NumPy; a sparse one has the method toarray",
}

"""What to write in place of a NumPy function that has no derivative here: one table.

In: the name of a function. Out: an expression of supported ones that gives the same; after a `#`,
where it does, or after "only", what it gives of the whole. A test evaluates every one, against
NumPy and on traced values.

>>> SUBSTITUTES["np.nansum"]
'np.sum(np.where(np.isnan(x), 0, x))'
"""

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
    "np.interp": "np.array([np.interp(t, s, e) for e in np.eye(len(s))]).T @ x  # of known t, s",
    "np.fft.fft": "np.fft.fft(np.eye(len(x))) @ x",
    "np.fft.ifft": "np.fft.ifft(np.eye(len(x))) @ x",
    "np.fft.fft2": "np.fft.fft(np.eye(len(A))) @ A @ np.fft.fft(np.eye(len(A.T)))",
    "np.fft.ifft2": "np.fft.ifft(np.eye(len(A))) @ A @ np.fft.ifft(np.eye(len(A.T)))",
    "np.fft.rfft": "np.fft.rfft(np.eye(len(x)), axis=0) @ x",
    "np.fft.fftshift": "np.roll(x, len(x) // 2)",
    "np.fft.ifftshift": "np.roll(x, -(len(x) // 2))",
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
}

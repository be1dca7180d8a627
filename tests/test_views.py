"""Laws of values without axes: NumPy's scalars may be rebound by ``+=``, its arrays are written.

An array without axes may share its memory with another name, or with an array that it is a view of;
a scalar cannot. Each expression below is computed by NumPy, which says what it is.
"""

import numpy as np
import pytest

import eingrad as eg
from eingrad.errors import InPlaceError

ONE, SCALAR_ARRAY, SCALAR = np.array([2.0]), np.array(2.0), np.float64(2.0)

OF_ONE_ENTRY = {
    "x[0]": lambda x: x[0],
    "x[-1]": lambda x: x[-1],
    "x[np.array(0)]": lambda x: x[np.array(0)],
    "x[..., 0]": lambda x: x[..., 0],
    "x[0, ...]": lambda x: x[0, ...],
    "x[None, 0][..., 0]": lambda x: x[None, 0][..., 0],
    "next(iter(x))": lambda x: next(iter(x)),
    "x.reshape(())": lambda x: x.reshape(()),
    "np.reshape": lambda x: np.reshape(x, ()),
    "np.squeeze": np.squeeze,
    "x.squeeze()": lambda x: x.squeeze(),
    "x.squeeze().T": lambda x: x.squeeze().T,
    "np.squeeze of a matrix": lambda x: np.squeeze(x[:, None]),
    "np.squeeze(x)[...]": lambda x: np.squeeze(x)[...],
    "np.squeeze(x)[()]": lambda x: np.squeeze(x)[()],
    "np.transpose": lambda x: np.transpose(np.squeeze(x)),
    "np.moveaxis": lambda x: np.moveaxis(np.squeeze(x), (), ()),
    "np.permute_dims": lambda x: np.permute_dims(np.squeeze(x)),
    "np.real": lambda x: np.real(np.squeeze(x)),
    "real": lambda x: np.squeeze(x).real,
    "np.astype": lambda x: np.astype(np.squeeze(x), np.float32),
    "x.astype(copy=False)": lambda x: np.squeeze(x).astype(np.float64, copy=False),
    "np.broadcast_arrays": lambda x: np.broadcast_arrays(np.squeeze(x), 1.0)[0],
    "np.resize": lambda x: np.resize(x, ()),
    "np.tensordot": lambda x: np.tensordot(x, x, 1),
    "np.where": lambda x: np.where(x[0] > 0, x[0], 0.0),
    "np.select": lambda x: np.select([x[0] > 0], [x[0]], 0.0),
    "np.copy": lambda x: np.copy(x[0]),
    "np.full_like": lambda x: np.full_like(x[0], x[0]),
    "np.expand_dims": lambda x: np.expand_dims(x[0], ()),
    "np.sum": np.sum,
    "x.sum()": lambda x: x.sum(),
    "np.prod": np.prod,
    "np.mean": np.mean,
    "np.std": lambda x: np.std(np.append(x, 1.0)),
    "np.var": lambda x: np.var(np.append(x, 1.0)),
    "np.max": np.max,
    "np.ptp": lambda x: np.ptp(np.append(x, 1.0)),
    "np.average": np.average,
    "np.add.reduce": np.add.reduce,
    "np.cumsum": lambda x: np.cumsum(x)[-1],
    "np.take": lambda x: np.take(x, 0),
    "np.trace": lambda x: np.trace(x[:, None]),
    "np.linalg.trace": lambda x: np.linalg.trace(x[:, None]),
    "np.trapezoid": lambda x: np.trapezoid(np.append(x, 1.0)),
    "np.linalg.det": lambda x: np.linalg.det(x[:, None]),
    "np.linalg.norm": np.linalg.norm,
    "np.linalg.slogdet": lambda x: np.linalg.slogdet(x[:, None])[1],
    "x @ x": lambda x: x @ x,
    "np.dot": lambda x: np.dot(x, x),
    "np.inner": lambda x: np.inner(x, x),
    "np.vdot": lambda x: np.vdot(x, x),
    "np.vecdot": lambda x: np.vecdot(x, x),
    "np.einsum": lambda x: np.einsum("i,i->", x, x),
    "np.diagonal": lambda x: np.diagonal(x[:, None])[0],
    "2 * np.squeeze(x)": lambda x: 2 * np.squeeze(x),
    "-np.squeeze(x)": lambda x: -np.squeeze(x),
    "+np.squeeze(x)": lambda x: +np.squeeze(x),
    "np.positive": lambda x: np.positive(np.squeeze(x)),
    "np.sin": lambda x: np.sin(np.squeeze(x)),
    "np.clip": lambda x: np.clip(np.squeeze(x), 0.0, 9.0),
    "np.round": lambda x: np.round(np.squeeze(x)),
    "np.fabs": lambda x: np.fabs(np.squeeze(x)),
    "np.conj": lambda x: np.conj(np.squeeze(x)),
    "np.maximum": lambda x: np.maximum(np.squeeze(x), 1.0),
}
OF_NO_AXES = {
    "x": lambda x: x,
    "x[()]": lambda x: x[()],
    "x[...]": lambda x: x[...],
    "x.T": lambda x: x.T,
    "x.reshape(())": lambda x: x.reshape(()),
    "np.squeeze": np.squeeze,
    "x.real": lambda x: x.real,
    "+x": lambda x: +x,
    "x * 1": lambda x: x * 1,
    "x - 0": lambda x: x - 0,
    "np.broadcast_to": lambda x: np.broadcast_to(x, ()),
    "np.roll": lambda x: np.roll(x, 1),
    "np.flip": np.flip,
    "np.pad": lambda x: np.pad(x, 0),
    "np.block": np.block,
    "np.kron": lambda x: np.kron(x, x),
    "np.square": np.square,
}
CASES = [
    pytest.param(at, make, id=f"{kind}: {name}")
    for kind, at, table in (
        ("shape (1,)", ONE, OF_ONE_ENTRY),
        ("0-d array", SCALAR_ARRAY, OF_NO_AXES),
        ("scalar", SCALAR, OF_NO_AXES),
    )
    for name, make in table.items()
]


@pytest.mark.parametrize(("at", "make"), CASES)
@pytest.mark.parametrize("again", [False, True])
def test_only_what_numpy_has_as_a_scalar_is_rebound(at, make, again):
    """What it has as an array is refused: other names may be written through it."""

    def f(x):
        y = make(x)
        z = y
        y += 3.0
        return np.sum(x) * np.sum(y) + z

    def of_a_fresh_value(x):
        return f(x * 1.5) if again else f(x)

    if isinstance(make(at * 1.5 if again else at), np.generic):
        expected = of_a_fresh_value(at.copy())
        np.testing.assert_allclose(eg.derivative(of_a_fresh_value, 0)(at), expected)
        step = 1e-6
        after, before = (of_a_fresh_value(type(at)(at + h)) if at is SCALAR else
                         of_a_fresh_value(np.array(at + h)) for h in (step, -step))  # fmt: skip
        slope = np.sum(eg.jacobian(of_a_fresh_value)(at))
        np.testing.assert_allclose(slope, (after - before) / (2 * step), rtol=1e-6)
    else:
        for _ in range(2):  # also where it is recorded from the call before
            with pytest.raises(InPlaceError, match="changed in place"):
                eg.derivative(of_a_fresh_value, 0)(at)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "pow"])
def test_every_operator_in_place_is_refused_of_a_view(name):
    """And is not of a scalar."""

    def in_place(y):
        return getattr(type(y), f"__i{name}__")(y, 2.0)

    with pytest.raises(InPlaceError):
        eg.grad(lambda x: in_place(x[0, ...]) * x[0])(ONE)
    assert eg.derivative(lambda x: in_place(x[0]) * 1.0, 0)(ONE) == getattr(2.0, f"__{name}__")(2.0)


def test_a_derivative_within_a_function_is_an_array():
    """As it is outside of one: a second name for it would be written too."""

    def f(x):
        g = eg.grad(lambda y: y * y)(x)
        h = g
        g += 1.0
        return g * h

    assert f(2.0) == 25.0
    with pytest.raises(InPlaceError):
        eg.grad(f)(2.0)


def test_a_python_number_is_immutable():
    """So a function of one may count up from it."""

    def f(x):
        y = x
        for _ in range(3):
            y += x
        return y * x

    assert eg.grad(f)(2.0) == 16.0
    with pytest.raises(InPlaceError):
        eg.grad(f)(np.array(2.0))


def lattice(steps):
    """An option on a lattice: each step back takes the entries beside each other together."""

    def f(p):
        up = np.exp(p[1])
        price = p[0] * up ** (2.0 * np.arange(steps + 1) - steps)
        value = np.maximum(1 - price, 0)
        for _ in range(steps):
            price = up * price[:-1]
            value = np.maximum(p[2] * value[1:] + (0.99 - p[2]) * value[:-1], 1 - price)
        return value[0]

    return f, np.array([1.003, 0.035, 0.5])


def test_one_entry_of_a_lattice_goes_back_as_arrays_and_not_entry_by_entry():
    """Lines of source grow with the steps, not with their square."""
    plans = [eg.grad(lattice(steps)[0]).plan(lattice(steps)[1]) for steps in (20, 40)]
    lines = [len(plan.source.splitlines()) for plan in plans]
    assert lines[1] < 2.2 * lines[0] < 4000
    f, p = lattice(20)
    steps = 1e-6 * np.eye(3)
    differences = np.stack([(f(p + step) - f(p - step)) / 2e-6 for step in steps])
    np.testing.assert_allclose(eg.grad(f)(p), differences, rtol=1e-6)

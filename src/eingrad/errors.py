"""Exception classes: every one names its cause, a call that raises it, and the remedy.

A message has three parts: what is wrong, with its values; where, in the user's own words; what to
do. Each class also inherits the builtin that fits, so ``except ValueError`` keeps working.
"""

__all__ = [
    "BranchError",
    "DTypeError",
    "EingradError",
    "FileError",
    "InPlaceError",
    "IndependentWarning",
    "MemoryLimitError",
    "PathError",
    "PlanError",
    "RandomnessWarning",
    "ShapeError",
    "SubscriptsError",
    "SymmetryError",
    "TraceError",
    "TracerLeakError",
    "UnsupportedFunctionError",
]


class EingradError(Exception):
    """Base of all errors that eingrad raises on purpose."""


class ShapeError(EingradError, ValueError):
    """Shapes or sizes disagree.

    Raised by ``np.einsum("ij,jk->ik", X, Y)`` when the two sizes of ``j`` differ, or by a plan that
    is called with another shape than it was made for. Make the axes equal.
    """


class DTypeError(EingradError, TypeError):
    """A dtype that has no derivative here.

    Raised for object, string, datetime and structured arrays, ``np.matrix`` and masked arrays.
    Convert to a plain float or complex array first.
    """


class SubscriptsError(EingradError, ValueError):
    """Subscripts that are not a valid einsum.

    Raised by ``np.einsum("i->ij", x)`` on a traced ``x``. Write subscripts that NumPy accepts.
    """


class SymmetryError(EingradError, ValueError):
    """A second or higher derivative that depends on the order of differentiation.

    Raised for a given ``d2F`` whose axes of the variable cannot change places (Schwarz). Check how
    it was made, or average it over the permutations.
    """


class TraceError(EingradError, TypeError):
    """Something about a traced value that cannot be recorded; its subclasses say what."""


class BranchError(TraceError):
    """The truth of a traced value was asked for: ``if x > 0``, ``max(x, y)``, ``x in list``.

    A traced value has no numbers yet. Use ``np.where``, ``np.maximum`` or ``np.minimum``.
    """


class InPlaceError(TraceError):
    """A traced value was written in place: ``x[0] = 1``, ``x += y``, ``np.add(x, y, out=x)``.

    Write the functional form: ``x = x + y``, ``np.stack``, ``np.concatenate``, ``np.where``.
    """


class TracerLeakError(TraceError):
    """A traced value was converted to numbers: ``float(x)``, ``np.asarray(x)``, ``math.sin(x)``.

    Keep to NumPy functions of the traced value itself; build arrays with ``np.stack``, or with
    ``np.block`` of nested lists of numbers.
    """


class UnsupportedFunctionError(TraceError, NotImplementedError):
    """A NumPy function, method or keyword that has no derivative here.

    The message names it. Nothing untraced ever passes as a constant.
    """


class PlanError(EingradError, ValueError):
    """A plan that cannot be used as it is, or that would not notice when it no longer holds.

    Raised when one is unpickled that another version of eingrad made: make it again. And when one
    is made with a static argument whose state cannot be compared later: capture that instead. And
    for an ``out`` that it cannot write to, read-only say: give an array that can be written.
    """


class FileError(EingradError, ValueError):
    """A file that cannot be read or written, or that is not what it says.

    Raised by ``eingrad.paths.files.read_problem("net.json")`` for a field that is missing, a number
    that is none, or a path that does not contract its operands. The message names the file and the
    place in it, ``outputs[0].terms[2].indices[1]`` say: correct what stands there.
    """


class MemoryLimitError(EingradError, MemoryError):
    """A plan that takes more memory than there is, or than its `memory_limit` says.

    Raised by ``eingrad.hessian(f)(np.zeros(10**6))``, before any of it is computed. Ask for a
    product with it, ``eingrad.hvp(f)(x, v)``; for a block, ``hessian(f)(x)[:10]`` in a planned
    function; or pass ``structured=True``, where it is mostly zeros.
    """


class PathError(EingradError, ValueError):
    """A contraction path that cannot be used.

    Raised for a ``path`` that is none of the operands it is for, for a function that fails to find
    one, and for an unknown name. And by ``plan.path`` where a plan is no single product: read
    ``plan.paths`` there.
    """


class IndependentWarning(UserWarning):
    """A derivative that is zero because the function's result was not computed from its arguments.

    Given for ``grad(lambda x: 1.0)``, and where the computation was lost on the way, as in
    ``if isinstance(x, np.ndarray)``, which is false of a traced value.
    """


class RandomnessWarning(UserWarning):
    """A plan or an expression of a function that draws random numbers: it holds one draw for ever.

    Given for ``grad(lambda x: x @ np.random.normal(size=2)).plan(x)``, also where the function only
    seeds a generator; and for a step of a scan, which is recorded once, so that all steps hold the
    draw. Draw outside of the function, and give it the numbers as an argument, or as slices.
    """

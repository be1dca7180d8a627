"""`Plan`: a compiled program that is called with arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad._emit import parameters
from eingrad._ir import Symmetry
from eingrad._mode import NO_MODE, Mode
from eingrad._plan import InputSpec, Program, picoseconds
from eingrad._run.entry import entry, filling_entry
from eingrad._run.executable import Executable
from eingrad._run.form import Form, check_symmetry, inputs_among, label, symmetries
from eingrad._run.order import ProductPath, path_of, paths_of
from eingrad._run.picture import PlanPicture, picture_of
from eingrad._run.tree import PlanTree, tree_of
from eingrad._tracebacks import shorten
from eingrad._tracer import Expression, as_array
from eingrad._tree import flatten
from eingrad.errors import DTypeError, PlanError, ShapeError

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class CapturedArray:
    """An array that a plan copied when it was made: an input of its source that no call gives.

    Attributes
    ----------
    name : str
        What `Plan.source` calls it.
    variable : str or None
        What the function called it when the plan was made: ``B``, ``self.W``, ``part of W`` for a
        view of one; None where it had no name.
    array : numpy.ndarray
        The copy; it cannot be written to.
    """

    name: str
    variable: str | None
    array: Array

    def __str__(self) -> str:
        return f"{self.name} is {self.variable or 'an array without a name'}"


class Plan:
    """A derivative compiled for arguments of given shapes and dtypes: for hot loops.

    Called like the function it came from, without tracing it again; arrays that the function
    captured were copied when the plan was made. `print(plan)` is the table of its steps; for
    functions of few variables and operations it tells what the other direction would have cost.
    """

    def __init__(
        self,
        executable: Executable,
        form: Form,
        captured: Sequence[Array],
        variables: Sequence[str | None] = (),
        directions: Callable[[], Sequence[tuple[str, int]]] | None = None,
        find_mode: Callable[[Program], Mode] | None = None,
    ) -> None:
        self._executable = executable
        unpriced = len(executable.program.candidates) == 1
        self._directions = directions if unpriced else None
        self._priced: Program | None = None
        self._find_mode = find_mode
        self._mode: Mode | None = None  # found when it is asked for
        self._form = form
        self._captured = tuple(np.array(array) for array in captured)
        self._variables = tuple(variables) or (None,) * len(self._captured)
        self._entry = entry(executable, form, self._captured)
        self._filling_entry: Callable[..., Any] | None = None  # written when it is asked for

    def __call__(self, /, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Compute for arguments of the shapes and dtypes that the plan was made for.

        Parameters
        ----------
        *args, **kwargs
            As the function is called; for a plan of symbols, the arrays of `inputs`.
        out : array, or arrays nested as the result is
            Filled with the result and returned, by the steps that compute it. It may be an argument
            too: then it is written last. Where an argument is singular it is not written.

        Returns
        -------
        array, or nested as the results of the function are
            New arrays, which share no memory with the arguments.

        Raises
        ------
        ShapeError
            If the arguments are nested in another way than those that the plan was made for, an
            array has another shape, or a static argument has another state.
        DTypeError
            If a dtype cannot be cast safely to that of the plan.
        PlanError
            If `out` is read-only, or its entries share memory with each other.
        SymmetryError
            If a given derivative tensor is not symmetric.

        Notes
        -----
        A result that is mostly zeros takes longer to fill than to make: the system gives new memory
        that holds zeros, which nobody writes; an array of the user's may hold anything.
        """
        try:
            if out is None:
                return self._entry(self, args, kwargs)
            if self._filling_entry is None:
                self._filling_entry = filling_entry(self._executable, self._form, self._captured)
            return self._filling_entry(self, args, kwargs, out)
        except Exception as error:
            shorten(error)
            raise

    def _interpret(self, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any = None) -> Any:
        """Compute as the form says, at a call that the entry does not take."""
        arrays = self._arrays(args, kwargs)
        if out is not None:
            return self._fill(out, arrays)
        return self._form.result.build(self._executable.run([*arrays, *self._captured]))

    def _arrays(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Array]:
        """Find the inputs among the arguments, and convert them."""
        form, specs = self._form, self._executable.program.inputs
        values = inputs_among(form, args, kwargs)
        arrays = [
            check(value, spec, form, n)
            for n, (value, spec) in enumerate(zip(values, specs, strict=False))
        ]
        known = symmetries(form)
        for spec, array in zip(specs, arrays, strict=False):
            check_symmetry(array, known.get(spec.name, ()), spec.name)
        return arrays

    def _fill(self, out: Any, arrays: Sequence[Array]) -> Any:
        """Write the results to arrays of the user's."""
        if self._executable.layouts is not None:
            raise DTypeError(
                "a structured result has no array of its own to write to; leave out away, or make "
                "the plan with structured=False"
            )
        buffers, tree = flatten(out, self._form.result)
        check_count(buffers, self._executable.program)
        if not tree.is_like(self._form.result):
            raise ShapeError(
                "out is nested in another way than the result; nest it as the result is, with the "
                "same keys"
            )
        check_buffers(buffers, self._executable.program)
        self._executable.fill([*arrays, *self._captured], buffers)
        return out

    @property
    def source(self) -> str:
        """Plain NumPy that computes it without eingrad.

        Its function takes the arrays of `inputs`, then those of `captured`, then those of
        `constants`.
        """
        return self._executable.source

    @property
    def constants(self) -> dict[str, Array]:
        """Index tables and other known arrays of more than 64 entries, by their names in `source`.

        Those of fewer entries stand in its text.
        """
        return dict(parameters(self.program))

    @property
    def program(self) -> Program:
        """The statements, as data."""
        return self._executable.program

    @property
    def flops(self) -> int:
        """Flops of all statements, additions and elementwise work included."""
        return self.program.flops

    @property
    def seconds(self) -> float:
        """Predicted time of a call, in seconds, on one core of a common server: to compare plans.

        What of a machine it knows is in ``eingrad._limits``; other machines differ by a factor.
        """
        return picoseconds(self.program) / 1e12

    @property
    def peak_bytes(self) -> int:
        """Most memory live at once, in bytes: results and intermediates, not inputs."""
        return self.program.peak_bytes

    @property
    def path(self) -> list[tuple[int, ...]]:
        """The path of a plan that is one product of its inputs, as opt_einsum and NumPy write it.

        Positions are those of `inputs`, then `captured`. A `PathError` says why others have none.
        """
        return path_of(self.program)

    @property
    def paths(self) -> tuple[ProductPath, ...]:
        """The path of each product: what several steps use is a product of its own."""
        return paths_of(self.program)

    @property
    def tree(self) -> PlanTree:
        """How the results are computed, as data: steps, and what each is computed from."""
        return tree_of(self.program)

    @property
    def mode(self) -> Mode:
        """Forward, reverse, cross-country: the mode of the order in which products are made.

        It is worked out when it is first asked for, mostly in less than a second; not of functions
        of many operations or of long sums of products, nor of plans of symbols: then its name is
        "unknown", and it says why.
        """
        if self._mode is None:
            find = self._find_mode
            self._mode = NO_MODE if find is None else find(self.program)
            self._find_mode = None  # in this order: threads may ask one plan
        return self._mode

    def picture(self) -> PlanPicture:
        """Draw the steps, coloured by which mode makes each: a notebook shows it."""
        return picture_of(self.tree, self.mode, self.flops)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of what a call gives, in order; `source` takes those of `captured` after them."""
        count = len(self.program.inputs) - len(self._captured)
        return tuple(spec.name for spec in self.program.inputs[:count])

    @property
    def captured(self) -> tuple[CapturedArray, ...]:
        """The arrays that the function used without getting them as arguments, as they were."""
        specs = self.program.inputs[len(self.program.inputs) - len(self._captured) :]
        found = []
        for spec, variable, array in zip(specs, self._variables, self._captured, strict=True):
            shown = array.view()
            shown.flags.writeable = False
            found.append(CapturedArray(spec.variable, variable, shown))
        return tuple(found)

    @property
    def interchangeable(self) -> dict[str, Symmetry]:
        """For inputs by name, groups of blocks of axes that may change places (Schwarz)."""
        return symmetries(self._form)

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the inputs that the value depends on."""
        used = {n for s in self.program.statements for n in s.operands}
        used.update(self.program.outputs)
        return tuple(spec.name for n, spec in enumerate(self.program.inputs) if n in used)

    def __getstate__(self) -> dict[str, Any]:
        """What was not taken stays behind, and the entry, which is written again."""
        left = {"_directions": None, "_find_mode": None, "_filling_entry": None}
        state = {**self.__dict__, **left}
        del state["_entry"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._entry = entry(self._executable, self._form, self._captured)

    def __repr__(self) -> str:
        return self._shown(self.program)

    def __str__(self) -> str:
        return self._shown(self._compared())

    def _shown(self, program: Program) -> str:
        inputs, steps = program.table().split("\n", 1)
        captured = ", ".join(map(str, self.captured))
        return "\n".join([inputs, *([f"captured: {captured}"] if captured else []), steps])

    def _compared(self) -> Program:
        """The program, with directions priced that were not looked at when it was made."""
        directions = self._directions
        if self._priced is None and directions is not None:
            ((taken, _),) = self.program.candidates
            found = tuple(sorted(directions(), key=lambda pair: pair[0] != taken))
            self._priced = replace(self.program, candidates=found or self.program.candidates)
            self._directions = None  # in this order: threads may print one plan
        return self._priced or self.program


def check_count(buffers: Sequence[Any], program: Program) -> None:
    """Refuse more arrays than there are results, or fewer."""
    if len(buffers) != len(program.outputs):
        raise ShapeError(
            f"out holds {len(buffers)} arrays but the plan gives {len(program.outputs)}; "
            "nest it as the result is"
        )


def check_buffers(buffers: Sequence[Any], program: Program) -> None:
    """Refuse arrays that the results cannot be written to, before anything is computed."""
    for n, (buffer, (shape, dtype)) in enumerate(zip(buffers, program.results(), strict=True)):
        what = f"out, array {n}," if len(buffers) > 1 else "out"
        if type(buffer) is not np.ndarray:
            raise DTypeError(f"{what} is a {type(buffer).__name__}; it must be a NumPy array")
        if buffer.shape != shape:
            raise ShapeError(f"{what} has shape {buffer.shape} but the result has shape {shape}")
        if buffer.dtype != dtype:
            raise DTypeError(f"{what} has dtype {buffer.dtype} but the result has dtype {dtype}")
        if not buffer.flags.writeable:
            raise PlanError(f"{what} is read-only; give an array that can be written")
        if overlaps_itself(buffer):
            raise PlanError(f"{what} has entries that share memory; give an array of its own")
        if any(np.shares_memory(buffer, other) for other in buffers[:n]):
            raise PlanError(f"{what} shares memory with another array of out; give each its own")


def overlaps_itself(array: Array) -> bool:
    """Whether entries may share memory: each axis must step over all that is inside of it."""
    reach = array.itemsize
    for step, size in sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True)):
        if size > 1 and step < reach:
            return array.size > 0
        reach += step * (size - 1)
    return False


def check(value: Any, spec: InputSpec, form: Form, n: int) -> Any:
    """Convert a value to what an input must be, or say what differs."""
    if isinstance(value, Expression):
        raise DTypeError(
            f"argument {label(form, n)!r} is a traced value, but a plan computes with numbers; "
            "call what the plan was made of, or eingrad.compiled(f), which is f where it is traced"
        )
    array = value if type(value) is np.ndarray else as_array(value, f"argument {label(form, n)!r}")
    if array.shape != spec.shape:
        raise ShapeError(
            f"argument {label(form, n)!r} has shape {array.shape} but the plan was made for "
            f"{spec.shape}; make a plan for the new shape"
        )
    if array.dtype == spec.dtype:
        return array
    if not np.can_cast(array.dtype, spec.dtype, "safe"):
        raise DTypeError(
            f"argument {label(form, n)!r} has dtype {array.dtype} but the plan was made for "
            f"{spec.dtype}; make a plan for the new dtype, or convert"
        )
    return array.astype(spec.dtype)

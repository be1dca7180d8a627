"""What the machine costs: time in picoseconds, integers, so that plans are the same everywhere.

In: nothing. Out: `MACHINE`.
Guaranteed: each number is one that ``python benchmarks/cost_model.py --fit`` measures, rounded, on
one core of a common server, with NumPy 2 and OpenBLAS; those that it does not print are told of
here. `entry` and `row` are a call and a line of Python; a complex function takes ten to twenty
times a real one; a cache of a core holds some megabytes.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """Times in picoseconds."""

    call: int = 250_000  # a ufunc of NumPy on two small arrays
    view: int = 100_000  # an axis order, a reshape, a slice
    diagonal: int = 700_000  # `np.einsum` for a view, `np.broadcast_to`
    product: int = 800_000  # the matrix product of two small arrays, checks of BLAS included
    batch: int = 100_000  # added to it for leading axes
    reduction: int = 800_000  # a sum of a small array
    selection: int = 900_000  # `np.where` of three small arrays
    factorisation: int = 2_800_000  # a call of `np.linalg`
    entry: int = 600_000  # a call of the plan itself
    byte_written: int = 20  # new memory that a cache holds, and the reads for it
    byte_far: int = 76  # new memory beyond that
    byte_read: int = 12  # by a product or a sum
    byte_moved: int = 60  # copied in another order
    near_bytes: int = 2**22  # of a result that a cache holds
    flop: int = 14  # of a matrix product, of eight bytes; four take half
    flop_of_factorisation: int = 30
    inner_loop: int = 2_000  # NumPy's overhead for each run along the last axis
    inner_loop_of_sum: int = 12_000
    out_of_order: int = 500  # an entry that is read in another order than it lies
    scattered: int = 850  # an entry that is added at a position
    added: int = 8_000  # the same over several axes
    row: int = 500_000  # one line of a mirror in place, in a loop of Python
    complex_function: int = 15  # times that of a real one


MACHINE = Machine()

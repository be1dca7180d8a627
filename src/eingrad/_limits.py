"""The numbers that plans depend on: what the machine costs, what bounds work, what is policy.

In: nothing. Out: `MACHINE`, `BUDGET`, `TREES`, `POLICY`.
Guaranteed: integers, so that what is compared is the same everywhere. (How much noise a random tree
has, and how hot an annealing is, stands where it is drawn: `_plan/greedy.py`, `_plan/anneal.py`.)

Each number of `MACHINE` is one that ``python benchmarks/cost_model.py --fit`` measures, rounded, on
one core of a common server, with NumPy 2 and OpenBLAS; those that it does not print are told of
here. `entry` and `row` are a call and a line of Python; a complex function takes ten to twenty
times a real one; a cache of a core holds some megabytes.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """Times in picoseconds."""

    call: int = 250_000  # a ufunc of NumPy on two small arrays
    broadcast: int = 600_000  # added to it where operands do not lie as the result does
    outer: int = 700_000  # an outer product of two small vectors by BLAS, looks included
    view: int = 100_000  # an axis order, a reshape, a slice
    diagonal: int = 700_000  # `np.einsum` for a view, `np.broadcast_to`
    product: int = 800_000  # the matrix product of two small arrays, checks of BLAS included
    batch: int = 100_000  # added to it for leading axes
    matrix: int = 20_000  # for each matrix of a batch
    dot: int = 5_000  # the same where both are vectors
    reduction: int = 800_000  # a sum of a small array
    selection: int = 900_000  # `np.where` of three small arrays
    factorisation: int = 2_800_000  # a call of `np.linalg`
    entry: int = 600_000  # a call of the plan itself
    byte_written: int = 20  # new memory that a cache holds, and the reads for it
    byte_far: int = 76  # new memory beyond that
    byte_over: int = 40  # far memory that was written before: the system need not give it
    byte_read: int = 12  # by a product or a sum
    byte_moved: int = 60  # copied in another order
    byte_packed: int = (
        40  # of a matrix, by BLAS before it multiplies; small ones take less, large ones more
    )
    byte_repeated: int = 13  # of a result, for each factor that is repeated in NumPy's buffer
    byte_outer: int = 13  # of an outer product, beside writing it
    buffer: int = 8192  # entries of that buffer: each factor and the result have a part of it
    near_bytes: int = 2**22  # of a result that a cache holds
    flop: int = 14  # of a matrix product, of eight bytes; four take half
    flop_of_factorisation: int = 30
    inner_loop: int = 2_000  # NumPy's overhead for each run along the last axis, and operand
    inner_loop_of_sum: int = 12_000
    out_of_order: int = 500  # an entry that is read in another order than it lies
    scattered: int = 850  # an entry that is added at a position
    added: int = 8_000  # the same over several axes
    row: int = 500_000  # one line of a mirror in place, in a loop of Python
    complex_function: int = 15  # times that of a real one


MACHINE = Machine()


@dataclass(frozen=True, slots=True)
class Budget:
    """What bounds the work of planning: more takes longer, and seldom finds more."""

    # Products of a program, together: a few more searches each.
    rounds: int = 100  # one or two are usual
    opened_operands: int = 8  # that a product has after others were opened in it
    shared_values: int = 48  # that might be made for several products
    parts: int = 512  # of one product that are compared with those of others
    readings: int = 16  # of the merges of a placement: two to the power of their number
    # Loops.
    loops: int = 8  # of a program
    seeds: int = 8  # large intermediates that a loop is sought from
    tile_lengths: int = 1000  # that are looked at for one that divides the size
    # The normal form. `benchmarks/normal_form.py --walks` counts walks that change something.
    walks: int = 8
    nested_powers: int = 4  # products and powers in each other that are looked into
    operands: int = 16  # of one product: its parts are subsets
    terms: int = 128  # of one sum: those that share operands are sought among all pairs
    opened_terms: int = 32  # of a sum that is opened, and of the result
    twins: int = 64  # terms, each of which is compared with all
    symmetries: int = 24  # of a term: all orders of four variables, some of five
    entries: int = 4096  # of a derivative of which some are added up
    diagonal_steps: int = 24  # that are looked through for a diagonal
    # Candidates: above that many nodes one is built, as planning takes some 0.1 ms for each.
    compared_nodes: int = 2000
    nodes_between: int = 20  # of a value whose derivatives are planned before the next order
    nodes_in_print: int = 200  # of one whose derivative is derived again for `print(plan)`
    counted_nodes: int = 64  # of a candidate that may be left out for the calls that it makes
    monomials: int = 2500  # that are made to name a mode: about a second


@dataclass(frozen=True, slots=True)
class Trees:
    """How long contraction trees are sought.

    Tuned on the networks of ``benchmarks/orders.py``: more of any takes longer, and finds one per
    cent less on a few of them.
    """

    exact: int = 12  # operands of which all trees are looked at: 3**n / 2 pairs
    at_once: int = 9  # operands for which any tree bounds that well enough
    few_moves: int = 100  # of an annealing for each operand, where only a bound is wanted
    random: int = 32  # random greedy trees
    annealed: int = 16  # trees that are annealed, at most
    agreeing: int = 3  # of them that end equally cheap: no more are tried
    equally: int = 1000  # a thousandth more is equally cheap
    nearly: int = 20  # where fewer are within a twentieth, all are searched by windows
    moves: int = 10  # of an annealing, for each pair of operands
    most_moves: int = 500  # for each operand
    all_moves: int = 800_000  # of the annealings of one network, about
    longer: int = 2  # trees that are annealed again, and times as many moves
    window: int = 8  # parts of a tree that are searched again together
    last_window: int = 11  # the same at the end
    pairs: int = 100_000  # looked at to improve one tree by windows
    singled: int = 128  # operands that are singled out for the canonical order


@dataclass(frozen=True, slots=True)
class Policy:
    """What no measurement decides alone: how candidates are compared, what memory is worth."""

    within: int = 3  # times the smaller bound: above that, a direction is not built
    percent_more_calls: int = 125  # than another's, of small arrays: a candidate is not planned
    far: int = 8  # times the least estimate of a form: above that, it is not planned to be compared
    passes: int = 2  # over the result, in any direction: little is done but that
    nodes_one_way: int = 40  # of a scalar or gradient: the better direction is known
    few_passes: int = 4  # over a result: no form that writes it takes fewer by much
    pass_reads: int = 3  # times what it takes to write: a pass over a result reads as many
    little: int = 8  # a part of one eighth beside them is not worth another candidate
    most_work: int = 2  # times the least: fewer calls do not pay for more than that
    part_alike: int = 1000  # a thousandth more time is as good: the lower peak of memory decides
    percent_for_memory: int = 110  # of the time, for half of the memory or less
    tile_bytes: int = 2**21  # of what one pass of a loop makes: about what a cache holds
    seed_bytes: int = 2**18  # of an intermediate that is worth a loop: an eighth of that
    sliced_bytes: int = 2**16  # of those that are sliced with it
    about_as_much: int = 16  # a sixteenth less memory saved is as good: slices in one piece decide
    part_added: int = 20  # a twentieth of the time of a program, for what a loop adds up
    half_rows: int = 256  # of a product that is made by halves: `benchmarks/pieces.py`
    half_blocks: int = 4  # rows of blocks: 5/8 of the flops
    mirrored_rows: int = 64  # of one that is mirrored while it is made: about what a cache holds
    mirrored_at_once: int = 4096  # elements; more of them by blocks of rows, in place
    rolled_nodes: int = 200  # that a loop which was written out has beyond one step, as a scan has
    rolled_growth: int = 2  # times as many of a derivative, for each order: at least
    rolled_steps: int = 3
    stored: int = 8  # times the carries of a scan: more is computed again on the way back
    again: int = 16  # times the passes of a scan, that are computed again for a memory limit
    pieces: int = 6  # of a derivative, over each other: fewer are never written out
    pieces_beside: int = 2  # the same where there is an array beside them
    pieces_of_entries: int = 6  # single entries of a whole: fewer are never written out
    pieces_filled: int = 2  # arrays with half as many entries as the whole are written out
    ordered_bytes: int = 2**20  # a peak for which another order of the statements is sought
    reused_bytes: int = 2**14  # of a result that is written over a dead one: smaller ones cost more
    written_out: int = 64  # entries of a constant that is text, and not an array


BUDGET = Budget()
TREES = Trees()
POLICY = Policy()

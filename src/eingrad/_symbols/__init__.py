"""The verbs on symbols: make variables and functions, differentiate expressions, compile them.

In: expressions. Out: expressions, plans.
Guaranteed: the same differentiator, normal form and planner as the verbs on Python functions; a
derivative tensor has the axes of the value first, then those of the variable, once per order.

>>> import numpy as np
>>> X = variable("X", (3, 3))
>>> print(differentiate(np.linalg.inv(X), X))
[i,j,k,l] = -inv(X)[i,k] inv(X)[l,j]
"""

from typing import Any

from eingrad import _distribute, _ir, _numpy_functions, _opaque  # noqa: F401 - what it registers is used
from eingrad._cache import input_specs
from eingrad._derive import contract_derivatives, derive, substitute_outer
from eingrad._forms import Forms, compile_program
from eingrad._ir import Input, Node
from eingrad._memory import Limit, checked_limit
from eingrad._plan import Search, mirror, search_of
from eingrad._progress import planning
from eingrad._run import Executable, Plan, SymbolForm, check_limit
from eingrad._shown import shown
from eingrad._simplify import narrowed, remember, remembered, written_nodes
from eingrad._symbols.made import expression_of, function, variable
from eingrad._tracer import Expression, node_of, trace_of
from eingrad._tree import flatten
from eingrad._verbs import check_count, verb
from eingrad.errors import DTypeError

MODES = ("cheapest", "forward", "reverse")


@verb("eg.differentiate(y, x, order)")
def differentiate(
    y: Expression, x: Expression, order: int = 1, *, mode: str = "cheapest"
) -> Expression:
    """Differentiate an expression in a variable or an opaque function, ``order`` times.

    Parameters
    ----------
    y : Expression
        What to differentiate.
    x : Expression
        A `variable` or a `function`; everything else is held constant, and for a function also
        what it is a function of.
    order : int, at least 0
        How often.
    mode : "cheapest", "forward" or "reverse"
        All give the same tensor. "cheapest" takes the faster one, as it is predicted.

    Returns
    -------
    Expression
        Shape ``y.shape + order * x.shape``: axes of ``y`` first, then of ``x``, once per order.

    Raises
    ------
    TypeError
        If ``y`` or ``x`` is no expression, or ``x`` neither a variable nor a function.
    ValueError
        If the order is negative, or the mode unknown; or if ``y`` does not depend on ``x``, but on
        another variable of the same name.

    Notes
    -----
    Of an expression that ``x`` does not occur in, the derivative is zero.

    References
    ----------
    Deisenroth, Faisal, Ong, *Mathematics for Machine Learning* (2020), section 5.4.

    Examples
    --------
    >>> x, B = variable("x", 2), variable("B", (2, 2))
    >>> print(differentiate(x @ B @ x, x, order=2))
    [i,j] = B[i,j] + B[j,i]
    """
    expression_of(y, "what is differentiated")
    node = expression_of(x, "the variable")._node
    if not isinstance(node, Input) and not _opaque.is_opaque(node):
        raise TypeError(
            "an expression is differentiated in a variable or a function, not in the expression\n"
            f"{x}\ngive that a name of its own with eingrad.variable first"
        )
    order = check_count(order, "order")
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(map(repr, MODES))}, not {shown(mode)}")
    _check_namesakes(y._node, node)
    free = node if isinstance(node, Input) else _ir.new_input("free", node.shape, node.dtype)
    outputs = _ir.substitute([y._node], {node: free})
    forms = Forms()
    with planning("a derivative"):
        (root,), _ = derive(outputs, [free], (order,), mode, remembered(outputs), forms)
        (result,), made = substitute_outer(forms.normal([root.plain()]), outputs, {free: node})
    remember([result], made)
    return Expression(result, trace_of((y, x)), symmetry=root.symmetry)


def _check_namesakes(y: Node, x: Node) -> None:
    """Refuse a variable in the place of another one that has its name: all would be zero."""
    present = [node for node in _ir.inputs([y]) if node.key[0] == "variable"]
    shapes = {node.name: node.shape for node in present}
    for node in _ir.inputs([x]):
        if node.key[0] == "variable" and node not in present and node.name in shapes:
            raise ValueError(
                f"the expression does not depend on this variable {node.name!r}, of shape "
                f"{node.shape}, but on another one of that name, of shape {shapes[node.name]}; "
                "every call of eingrad.variable makes another variable: use the one that the "
                "expression was made with, or give them different names"
            )


@verb("eg.compile(expressions)")
def compile(outputs: Any, *, path: Any = "planned", memory_limit: int | str | None = None) -> Plan:
    """Compile expressions to a plan, to be called with arrays.

    Parameters
    ----------
    outputs : Expression, or tuple, list or dict of them
        Several are computed together, and share what they have in common.
    path : str, callable, or list of pairs of int
        How products of three or more operands are ordered. "planned" is the cheapest that was
        found, for all products together; any other sees one product at a time. "greedy" and "left
        to right" are ours too, for comparison; "opt_einsum:auto" and so on are opt_einsum's. A
        callable finds a path as those of opt_einsum do, ``find(inputs, output, sizes,
        memory_limit)``: an optimizer of opt_einsum or cotengra. A list is the path itself, of one
        product whose operands are the inputs of the plan, each once. See docs/einsum.md.
    memory_limit : int or str, or None
        Most bytes that the plan may take at its peak, beside its inputs: a number, or text as
        ``"300MB"``. None: those of the machine. See `plan`.

    Returns
    -------
    Plan
        Called with the arrays of ``plan.inputs``, in order or by name: only the symbols that the
        value depends on, variables in the order in which they were made, then functions and their
        derivatives. Names are safer: a symbol that cancels is not among them.

    Raises
    ------
    TypeError
        If something in ``outputs`` is no expression.
    PathError
        If the path is unknown, or none of the operands; or if its function fails.
    ValueError
        If two symbols have one name, or `memory_limit` is no amount of memory.
    MemoryLimitError
        If it takes more memory than `memory_limit`.

    Examples
    --------
    >>> import numpy as np
    >>> X = variable("X", (2, 2))
    >>> plan = compile(differentiate(np.linalg.det(X), X))
    >>> plan.inputs
    ('X',)
    >>> plan([[1.0, 2.0], [3.0, 4.0]])
    array([[ 4., -3.],
           [-2.,  1.]])
    """
    search, limit = search_of(path), checked_limit(memory_limit)
    with planning("expressions"):
        return _compiled(outputs, search, limit)


def _compiled(outputs: Any, search: Search, limit: Limit | None) -> Plan:
    leaves, tree = flatten(outputs)
    nodes = [expression_of(leaf, f"output {n}")._node for n, leaf in enumerate(leaves)]
    if any(leaf._trace is not None for leaf in leaves):
        raise DTypeError("a plan is compiled from symbols; this expression belongs to a trace")
    made = remembered(nodes)
    written = written_nodes(nodes, made)
    nodes = contract_derivatives(nodes, made, written)
    nodes, written = narrowed(nodes, written)
    opened, inputs = _opaque.open_inputs([*nodes, *written])
    roots, written = opened[: len(nodes)], opened[len(nodes) :]
    needed = {*_ir.inputs(roots)}
    inputs = [n for n in inputs if n in needed]
    names = tuple(n.name for n in inputs)
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two symbols are named {name!r}; give them different names")
    roots = [mirror(root, leaf._symmetry) for root, leaf in zip(roots, leaves, strict=True)]
    specs = input_specs(inputs)
    program = compile_program(roots, inputs, specs, search, written, limit)
    check_limit(program, limit)
    form = SymbolForm(names, tuple(map(_symmetry, inputs)), tree)
    return Plan(Executable(program), form, [])


def _symmetry(node: Input) -> Any:
    """Which axes of the array for an input must be interchangeable."""
    return node.key[1] if node.key[0] == "opaque" else ()


def are_equal(a: Any, b: Any) -> bool:
    """Prove that two expressions are equal: both expand to one normal form.

    Parameters
    ----------
    a, b : Expression or array_like, of one shape and dtype

    Returns
    -------
    bool
        True is a proof, for these shapes. False means that no proof was found.
    """
    nodes = [node_of(value, None) for value in (a, b)]
    same = nodes[0].shape == nodes[1].shape and nodes[0].dtype == nodes[1].dtype
    return same and _distribute.are_equal(*nodes)


__all__ = ["MODES", "are_equal", "compile", "differentiate", "function", "variable"]

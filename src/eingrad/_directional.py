"""Products with derivatives: the tangent goes through the program, no derivative is written out.

In: the user's function, a point, a tangent or cotangent. Out: the product.
Guaranteed: it is the same sweep that computes the derivative, with other seeds than deltas; so it
costs a small multiple of the function, and is traced, planned and cached like any derivative. A
sweep of the same nodes with the same seeds is made once.
"""

import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from eingrad import _ir, _reuse
from eingrad._bind import Argnums, argument_numbers, check_argnums
from eingrad._call import output_node
from eingrad._derivative import Derivative
from eingrad._derive import derive, jacobian_of_entries
from eingrad._diff import pullback, pushforward
from eingrad._ir import Node
from eingrad._lines import is_line
from eingrad._primitives import cast
from eingrad._recorded import rewritten, with_picks_last
from eingrad._shown import shown
from eingrad._simplify import made_by_differentiation, remember
from eingrad._tracer import Expression, node_of, trace_of
from eingrad._tree import Tree, flatten, nesting
from eingrad._verbs import verb
from eingrad.errors import ShapeError


class Sweep:
    """One call of the user's function inside a trace, as nodes, and what is swept through them."""

    def __init__(
        self,
        f: Callable[..., Any],
        argnums: Argnums,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        *,
        keeps_rates: bool = False,
    ) -> None:
        *arguments, self.last = args
        chosen = [arguments[n] for n in argument_numbers(argnums, len(arguments))]
        self.argument = chosen[0] if isinstance(argnums, int) else tuple(chosen)
        leaves, self.argument_tree = flatten(self.argument)
        self.trace = trace_of(leaves)
        self.variables = [node_of(leaf, self.trace) for leaf in leaves]
        results, self.out_tree = flatten(f(*arguments, **kwargs))
        nodes = [output_node(leaf, self.trace, f) for leaf in results]
        outputs = rewritten(self.trace, nodes, self.variables, keeps_rates=keeps_rates, order=1)
        self.outputs = with_picks_last(self.trace, outputs)
        self.name = getattr(f, "__name__", "the function")

    def seeds(
        self, last: Any, nodes: Sequence[Node], tree: Tree, role: str, of: str
    ) -> dict[Node, Node]:
        """Pair nodes with the leaves of the last argument, which is nested as they are."""
        leaves, given = flatten(last, tree)
        if given != tree:
            raise ShapeError(
                f"the {role} must be nested as {of} is: {nesting(tree)}, not {nesting(given)}"
                + ("; np.array makes an array of a list" if given.kind is list else "")
            )
        seeds: dict[Node, Node] = {}
        for node, leaf in zip(nodes, leaves, strict=True):
            value = node_of(leaf, self.trace, f"the {role}")
            if value.shape != node.shape:
                raise ShapeError(
                    f"the {role} has shape {value.shape} but {of} has shape {node.shape}; "
                    "they must be equal"
                )
            value = cast(value, np.result_type(value.dtype, node.dtype))
            seeds[node] = value if node not in seeds else _ir.add([seeds[node], value])
        return seeds

    def seed_variables(self, last: Any, role: str) -> dict[Node, Node]:
        """Pair the variables with what is nested as the argument is."""
        return self.seeds(last, self.variables, self.argument_tree, role, "the argument")

    def find_or_make(
        self,
        verb: Hashable,
        seeds: Mapping[Node, Node],
        make_nodes: Callable[[], Sequence[Node]],
        *,
        is_planned_freely: bool = True,
    ) -> Sequence[Node]:
        """Make the nodes of a product, or find them: those of `outputs` are the same at each call.

        What the user did not write is noted where it is to be planned freely, as derivatives are. A
        lasting trace has inputs of its own, which nothing is found by.
        """

        def make() -> tuple[Sequence[Node], Set[bytes]]:
            nodes = make_nodes()
            if not is_planned_freely:
                return nodes, frozenset()
            return nodes, made_by_differentiation(nodes, [*self.outputs, *seeds.values()])

        if self.trace is None:
            nodes, made = make()
            remember(nodes, made)
            return nodes
        key = verb, (*self.variables,), (*self.outputs,), (*seeds.items(),)
        is_again = not self.trace.lasting
        known = (*key, frozenset(self.trace.made))
        nodes, made = _reuse.find_or_derive(known, make) if is_again else make()
        self.trace.made |= made
        return nodes

    def note_rates(self, nodes: Sequence[Node], seeds: Mapping[Node, Node]) -> None:
        """Note that nodes are rates of the outputs: nested along one line they make a series."""
        along = (*seeds.items(),)
        if self.trace is not None and not self.trace.lasting and is_line(along):
            pairs = zip(nodes, self.outputs, strict=True)
            self.trace.root.rates.update((n, (y, along)) for n, y in pairs if not _ir.is_zero(n))

    def nest(self, tree: Tree, nodes: Sequence[Node]) -> Any:
        """Nest results."""
        return tree.build([Expression(node, self.trace, array=True) for node in nodes])


@verb("eg.jvp(f)(x, v)")
def jvp(
    f: Callable[..., Any], argnums: Argnums = 0, *, memory_limit: int | str | None = None
) -> Derivative:
    """Multiply the Jacobian by a tangent, ``sum_j df[i]/dx[j] v[j]``, without computing it.

    Parameters
    ----------
    f : callable
        See `derivative`.
    argnums : int or tuple of int
        See `derivative`; a tuple takes a tuple of tangents, whose products are added.
    memory_limit : int or str, or None
        See `derivative`.

    Returns
    -------
    Derivative
        Called like ``f``, with the tangent, of the shape of the argument, as one more positional
        argument at the end. The result has the shape of ``f``'s result.

    Raises
    ------
    ShapeError
        If the tangent is not shaped and nested as the argument is.

    Notes
    -----
    Nested k times along one direction, it is ``k!`` times a Taylor coefficient, and is taken from
    the series where that costs less; `taylor` gives all coefficients by one call. Nested along k
    different directions, it takes ``2**k`` sweeps.

    Examples
    --------
    >>> jvp(lambda x: x**3)(np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    array([  3., 120.])
    """

    def product(*args: Any, **kwargs: Any) -> Any:
        sweep = Sweep(f, argnums, args, kwargs, keeps_rates=True)
        seeds = sweep.seed_variables(sweep.last, "tangent")
        nodes = sweep.find_or_make("jvp", seeds, lambda: pushforward(sweep.outputs, seeds))
        sweep.note_rates(nodes, seeds)
        return sweep.nest(sweep.out_tree, nodes)

    return product_of(f, product, argnums, "jvp(f)", "tangent", memory_limit)


@verb("eg.vjp(f)(x, w)")
def vjp(
    f: Callable[..., Any], argnums: Argnums = 0, *, memory_limit: int | str | None = None
) -> Derivative:
    """Multiply a cotangent by the Jacobian, ``sum_i w[i] df[i]/dx[j]``, without computing it.

    Parameters
    ----------
    f : callable
        See `derivative`.
    argnums : int or tuple of int
        See `derivative`; a tuple gives a tuple.
    memory_limit : int or str, or None
        See `derivative`.

    Returns
    -------
    Derivative
        Called like ``f``, with the cotangent, of the shape of ``f``'s result, as one more
        positional argument at the end. The result has the shape of the argument.

    Raises
    ------
    ShapeError
        If the cotangent is not shaped and nested as the result of ``f`` is.

    Examples
    --------
    >>> A = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> vjp(lambda x: A @ x)(np.zeros(2), np.array([1.0, 0.0]))
    array([1., 2.])
    """

    def product(*args: Any, **kwargs: Any) -> Any:
        sweep = Sweep(f, argnums, args, kwargs)
        result = f"the result of {sweep.name}"
        seeds = sweep.seeds(sweep.last, sweep.outputs, sweep.out_tree, "cotangent", result)
        nodes = sweep.find_or_make("vjp", seeds, lambda: _pulled_back(seeds, sweep.variables))
        return sweep.nest(sweep.argument_tree, nodes)

    return product_of(f, product, argnums, "vjp(f)", "cotangent", memory_limit)


def _pulled_back(seeds: dict[Node, Node], variables: Sequence[Node]) -> list[Node]:
    """Multiply cotangents by Jacobians.

    One that is a delta and a factor is contracted as such: `jacobian_of_entries`.
    """
    if len(seeds) == len(variables) == 1:
        ((y, bar),) = seeds.items()
        (x,) = variables
        jacobian = jacobian_of_entries(y, x)
        if jacobian is not None:
            axes = range(2 * y.ndim)
            factors = [(bar, axes[: y.ndim]), (cast(jacobian, bar.dtype), axes)]
            return [_ir.contract(factors, axes[y.ndim :], dtype=bar.dtype)]
    return pullback(seeds, variables)


@verb("eg.hvp(f)(x, v)")
def hvp(
    f: Callable[..., Any], argnums: Argnums = 0, *, memory_limit: int | str | None = None
) -> Derivative:
    """Multiply the Hessian by a tangent, ``sum_j d2f/dx[i]dx[j] v[j]``, without computing it.

    Parameters
    ----------
    f : callable
        See `derivative`.
    argnums : int or tuple of int
        See `derivative`; a tuple takes a tuple of tangents and gives a tuple, mixed parts included.
    memory_limit : int or str, or None
        See `derivative`.

    Returns
    -------
    Derivative
        Called like ``f``, with the tangent, of the shape of the argument, as one more positional
        argument at the end. The result has the axes of ``f``'s result, then those of the argument.

    Raises
    ------
    ShapeError
        If the tangent is not shaped and nested as the argument is.

    Examples
    --------
    >>> hvp(lambda x: (x**3).sum())(np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    array([  6., 120.])
    """

    def product(*args: Any, **kwargs: Any) -> Any:
        sweep = Sweep(f, argnums, args, kwargs)
        seeds = sweep.seed_variables(sweep.last, "tangent")

        def make_nodes() -> Sequence[Node]:
            made = sweep.trace.made if sweep.trace else frozenset()
            gradients, _ = derive(sweep.outputs, sweep.variables, (1,), made=made)
            return pushforward([root.plain() for root in gradients], seeds)

        nodes = sweep.find_or_make("hvp", seeds, make_nodes)
        return sweep.nest(sweep.out_tree.nest(sweep.argument_tree), nodes)

    return product_of(f, product, argnums, "hvp(f)", "tangent", memory_limit)


def product_of(
    f: Callable[..., Any], product: Callable[..., Any], argnums: Argnums, call: str, last: str,
    memory_limit: int | str | None = None,
) -> Derivative:  # fmt: skip
    """Make a product a function of the point and one more argument, traced in all it needs."""
    if not callable(f):
        raise TypeError(f"{shown(f)} is not a function; pass the function itself, not its value")
    numbers = check_argnums(argnums)
    product.__name__ = getattr(f, "__name__", "f")
    try:
        parameters = [*inspect.signature(f).parameters.values()]
    except (TypeError, ValueError):
        parameters = []
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    plain = [inspect.Parameter(p.name, p.POSITIONAL_ONLY) for p in positional]
    if last not in {p.name for p in plain} and len(positional) == len(parameters):
        plain.append(inspect.Parameter(last, inspect.Parameter.POSITIONAL_ONLY))
        product.__signature__ = inspect.Signature(plain)  # type: ignore[attr-defined]
    required = sum(p.default is p.empty for p in positional)

    def check(args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Refuse a call without a point and a last argument, in the words of the user's call."""
        missing = not kwargs and len(args) == required  # as if f itself were called
        if len(args) <= 1 or missing:
            raise ShapeError(
                f"the {last} is missing, or what comes before it: {len(args)} positional arguments "
                f"were given; call {call}(x, v), the {last} v after all arguments of f"
            )
        argument_numbers(argnums, len(args) - 1, f", before the {last}")

    chosen = (*(n if n >= 0 else n - 1 for n in numbers), -1)
    return Derivative(product, (0,), chosen, memory_limit=memory_limit, check=check)

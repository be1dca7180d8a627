"""Results written to operands that die: what is placed onto a sum needs no copy of it.

In: a program, and the values that do not lie in the order of their axes. Out: an equal one, in
which steps whose first operand nobody needs any more are done in place.
Guaranteed: nothing is written to but whole results of other steps, of the same shape and dtype and
in the order of their axes; no input, constant, output or part of one.
"""

import math
from collections.abc import Set
from dataclasses import replace

from eingrad._plan.kernels import Place
from eingrad._plan.program import Program, Statement

_ALWAYS = math.inf  # outputs are needed when all is done


def reused(program: Program, disordered: Set[int]) -> Program:
    """Do in place what places onto an operand that dies."""
    last: dict[int, float] = {}  # by value, the step that needs it last
    for n, statement in enumerate(program.statements):
        last.update(dict.fromkeys((*statement.operands, *statement.targets), n))
    last.update(dict.fromkeys(program.outputs, _ALWAYS))
    owner = {n: n for n in range(program.first)}  # by value, whose memory it is
    needed = dict.fromkeys(range(program.first), _ALWAYS)  # by owner, the step that needs it last
    values, statements = program.values(), []
    for n, statement in enumerate(program.statements):
        made = statement
        if _places_onto_another(statement):
            base, *others = statement.operands
            is_whole = values[base] == values[owner[base]] == statement.results[0]
            is_free = needed[owner[base]] == n and owner[base] not in map(owner.get, others)
            if is_whole and is_free and base not in disordered:
                made = replace(statement, in_place=True)
        statements.append(made)
        for target in made.targets:
            owner[target] = owner[made.operands[0]] if made.is_alias else target
            needed[owner[target]] = max(needed.get(owner[target], n), last[target])
    return replace(program, statements=tuple(statements))


def _places_onto_another(statement: Statement) -> bool:
    return isinstance(statement.kernel, Place) and statement.kernel.has_base

r"""How tightly what is written binds: when an operand needs brackets.

In: the form of a call in one notation. Out: what a notation must know to write it.

>>> Written("{0} / {1}", QUOTIENT).form.format("a", "b")
'a / b'
>>> closed("\\sqrt{{{0}}}").needs == TEST
True
"""

from dataclasses import dataclass

# What binds tighter: x > 0, then a + b, then sum_i a, a / b, a b, and what stands for itself.
TEST, PLUS, SUM, QUOTIENT, PRODUCT, ATOM = range(6)


@dataclass(frozen=True, slots=True)
class Written:
    """A form with places for operands, {0} and {1}, and for attributes by name.

    It binds so tightly; an operand that binds less tightly than it needs is put in brackets.
    """

    form: str
    binds: int = ATOM
    needs: int = ATOM


def closed(form: str) -> Written:
    """Make a form that closes round its operands: they need no brackets."""
    return Written(form, needs=TEST)

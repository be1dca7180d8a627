"""Random NumPy programs, and what their derivatives are compared with; ``fuzz.py`` is the command.

``lines``      what a program may say: the lines, a template each
``options``    what stands in a template besides operands
``programs``   a program: its arguments, its lines, the function they make
``generate``   program number k of a seed
``quotients``  closeness, difference quotients, and the kinks that forbid them
``oracles``    a program's derivatives, order after order, and how exact they can be
``laws``       what else must be so: dtype, range, print, memory, other ways to compute
"""

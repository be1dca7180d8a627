"""Random NumPy programs, and what their derivatives are compared with; ``fuzz.py`` is the command.

Short programs, of a few lines on arrays of any shape:

``lines``       what a program may say: the lines, a template each
``composites``  more of them, of several calls: loops, scans, gathers, code by components
``options``     what stands in a template besides operands
``helpers``     what lines may use besides NumPy
``programs``    a program: its arguments, its lines, the function they make
``generate``    program number k of a seed
``quotients``   closeness, difference quotients, and the kinks that forbid them
``oracles``     a program's derivatives, order after order, and how exact they can be
``case``        a program whose derivatives are right, of which the laws below are checked
``laws``        its dtypes, range, text, memory
``products``    products with derivatives, along one direction and several, and contracted
``ways``        its source, structured values, little memory, scans, batches

Functions of one vector:

``steps``       what long programs are made of
``long``        long program number k of a seed
``flat``        model number k of a seed, of weights that are one vector
``vectors``     the laws of both
"""

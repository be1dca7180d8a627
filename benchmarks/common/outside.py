"""The networks of opt_einsum's tests and documentation: chosen by others, for other ends.

In: nothing. Out: `NETWORKS`, subscripts with sizes, and where each stands.
Guaranteed: subscripts and sizes are those of opt_einsum 3.4.0 (MIT licence; Daniel G. A. Smith and
Johnnie Gray, Journal of Open Source Software 3(26), 753, 2018): facts, no code. Where its documents
give letters sizes by the order of a set, they are given here in the order of first use.
"""

from collections.abc import Mapping
from typing import NamedTuple

from opt_einsum.testing import rand_equation

from eingrad.paths.problem import Operand, Output, Problem, Term


class Network(NamedTuple):
    """One product."""

    name: str
    terms: tuple[tuple[str, ...], ...]
    out: tuple[str, ...]
    sizes: Mapping[str, int]
    where: str

    def problem(self) -> Problem:
        """Make the problem; operands are named by their place."""
        shapes = [tuple(self.sizes[index] for index in term) for term in self.terms]
        names = tuple(f"A{n}" for n in range(len(shapes)))
        operands = {name: Operand(shape) for name, shape in zip(names, shapes, strict=True)}
        output = Output(self.out, (Term(names, self.terms),), len(self.out) // 2)
        told = f"opt_einsum 3.4.0 (MIT licence), {self.where}"
        return Problem(self.name, (output,), operands, dict(self.sizes), told)


_LETTERS = {
    "a": 2, "b": 3, "c": 4, "d": 5, "e": 4, "f": 3, "g": 2, "h": 6, "i": 5, "j": 4, "k": 3, "l": 2,
}  # fmt: skip

_TESTED = """
a,->a ab,->ab ,ab,->ab ,,-> a,ab,abc->abc a,b,ab->ab ea,fb,gc,hd,abcd->efgh
ea,fb,abcd,gc,hd->efgh abcd,ea,fb,gc,hd->efgh acdf,jbje,gihb,hfac,gfac,gifabc,hfac
cd,bdhe,aidb,hgca,gc,hgibcd,hgac abhe,hidj,jgba,hiab,gab bde,cdh,agdb,hica,ibd,hgicd,hiac
chd,bde,agbc,hiad,hgc,hgi,hiad chd,bde,agbc,hiad,bdi,cgh,agdb bdhe,acad,hiab,agac,hibd ab,ab,c->
ab,ab,c->c ab,ab,cd,cd-> ab,ab,cd,cd->ac ab,ab,cd,cd->cd ab,ab,cd,cd,ef,ef-> ab,cd,ef->abcdef
ab,cd,ef->acdf ab,cd,de->abcde ab,cd,de->be ab,bcd,cd->abcd ab,bcd,cd->abd eb,cb,fb->cef
dd,fb,be,cdb->cef bca,cdb,dbf,afc-> dcc,fce,ea,dbf->ab fdf,cdd,ccd,afe->ae abcd,ad
ed,fcd,ff,bcf->be baa,dcf,af,cde->be bd,db,eac->ace fff,fae,bef,def->abd efc,dbc,acf,fd->abe
ab,ab ab,ba abc,abc abc,bac abc,cba ab,bc ab,cb ba,bc ba,cb abcd,cd abcd,ab abcd,cdef
abcd,cdef->feba abcd,efdc aab,bc->ac ab,bcc->ac aab,bcc->ac baa,bcc->ac aab,ccb->ac
aab,fa,df,ecc->bde ecb,fef,bad,ed->ac bcf,bbb,fbf,fc-> bb,ff,be->e bcb,bb,fc,fff->
fbb,dfd,fc,fc-> afd,ba,cc,dc->bf adb,bc,fa,cfc->d bbd,bda,fc,db->acf dba,ead,cad->bce
aef,fbc,dca->bde
"""

_DOCUMENTED = (
    ("bdik,acaj,ikab,ajac,ikbd->", (10, 17, 9, 10, 13, 16, 15), "docs/paths/introduction.md"),
    ("abc,dc,ac->bd", (), "docs/paths/optimal_path.md"),
    ("abc,cd,dbe->ea", (2, 3, 4, 5, 6), "docs/getting_started/reusing_paths.md"),
    ("ij,jk,kl,lm,mn->ni", (9, 5, 5, 5, 5, 8), "docs/getting_started/reusing_paths.md"),
    ("ij,jk,kl->il", (2, 2, 5, 2), "opt_einsum.contract_path"),
    ("ea,fb,abcd,gc,hd->efgh", (10,) * 8, "opt_einsum.contract_path"),
    ("a,ac,ab,ad,cd,bd,bc->", (20,) * 4, "tests/test_paths.py"),
    ("abc,cfd,dbe,efa", (20,) * 6, "tests/test_paths.py"),
    ("abc,bdef,fghj,cem,mhk,ljk->adgl", (), "tests/test_paths.py"),
    ("abd,ac,bdc->", (1, 2, 4, 3), "tests/test_paths.py"),
    ("abcd,abc,bc->", (5, 2, 3, 4), "tests/test_paths.py"),
    ("nlp,nlq,pl->n", (1, 1, 1, 1), "tests/test_paths.py"),
    ("a,bcd,efg->", (2,) * 7, "tests/test_paths.py"),
    ("a,b,abc->c", (2, 2, 3), "tests/test_paths.py"),
)

_RANDOM = ((10, 4, 43), (5, 3, 42), (10, 3, 42), (10, 4, 42), (10, 4, 41), (8, 4, 42), (8, 4, 41))


def _read(name: str, subscripts: str, sizes: Mapping[str, int], where: str) -> Network:
    """Read subscripts; without an arrow, the output has the letters that occur once."""
    left, arrow, right = subscripts.partition("->")
    letters = left.replace(",", "")
    once = (letter for letter in sorted({*letters}) if letters.count(letter) == 1)
    terms = tuple(tuple(term) for term in left.split(","))
    return Network(name, terms, tuple(right) if arrow else tuple(once), sizes, where)


def _given(subscripts: str, sizes: tuple[int, ...]) -> dict[str, int]:
    letters = dict.fromkeys(letter for letter in subscripts if letter.isalpha())
    if not sizes:
        return {letter: _LETTERS.get(letter, 5) for letter in letters}
    return dict(zip(letters, sizes, strict=True))


def _marginals() -> list[Network]:
    """The marginals of a chain of factors, one by one."""
    sizes = dict.fromkeys("abcdef", 1000)
    where = "docs/getting_started/sharing_intermediates.md"
    return [
        _read(f"opt_einsum-marginal-{out}", f"ab,bc,cd,de,ef->{out}", sizes, where)
        for out in "abcdef"
    ]


def _random() -> list[Network]:
    found = []
    for count, regularity, seed in _RANDOM:
        text, _, sizes = rand_equation(count, regularity, seed=seed, return_size_dict=True)
        name = f"opt_einsum-random-{count}-{regularity}-{seed}"
        where = f"tests/test_paths.py, rand_equation({count}, {regularity}, seed={seed})"
        found.append(_read(name, text, {k: int(n) for k, n in sizes.items()}, where))
    return found


def _states(count: int) -> Network:
    """The inner product of two matrix product states."""
    terms, sizes = [], {}
    for site in range(count):
        spin = f"s{site}"
        sizes[spin] = 3
        for row in "ab":
            bonds = [f"{row}{n}" for n in (site - 1, site) if 0 <= n < count - 1]
            sizes.update(dict.fromkeys(bonds, 10))
            terms.append((spin, *bonds))
    where = "docs/examples/large_expr_with_greedy.md"
    return Network(f"opt_einsum-states-{count}", tuple(terms), (), sizes, where)


NETWORKS = (
    *(
        _read(f"opt_einsum-contract-{n}", text, _given(text, ()), "tests/test_contract.py")
        for n, text in enumerate(dict.fromkeys(_TESTED.split()))
    ),
    *(
        _read(f"opt_einsum-document-{n}", text, _given(text, sizes), where)
        for n, (text, sizes, where) in enumerate(_DOCUMENTED)
    ),
    *_marginals(),
    *_random(),
    _states(100),
)

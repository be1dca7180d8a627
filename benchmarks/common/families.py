"""Functions whose derivatives are the committed networks, by family: plain NumPy.

In: nothing. Out: `CASES`, each a function with shapes, an order and what it is differentiated in.
Guaranteed: a function knows nothing of this library; its source is the provenance of its networks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Case:
    """A derivative: of a function, or of an identity by its number."""

    family: str
    name: str
    of: Callable[..., Any] | str
    shapes: Shapes
    order: int = 1
    argnums: int | tuple[int, ...] = 0


# Chains and trees --------------------------------------------------------------------------------


def form(u, A, B, C, D, w):
    return u @ A @ B @ C @ D @ w


def chain(A, B, C, D):
    return A @ B @ C @ D


def fourth_power(X):
    return X @ X @ X @ X


def trace_of_power(X):
    return np.trace(X @ X @ X @ X @ X)


def sandwich(x, A, B):
    return x @ A.T @ B @ A @ x


def tree(A, B, C, D, E, F, G):
    return np.einsum("abc,bde,cfg,d,e,f,g->a", A, B, C, D, E, F, G)


def caterpillar(A, B, C, D, u, v, w):
    return np.einsum("ab,bcx,cdy,de,x,y,e->a", A, B, C, D, u, v, w)


# Networks ----------------------------------------------------------------------------------------


def residual(W0, W1, W2, W3, x):
    h = x
    for W in (W0, W1, W2, W3):
        h = h + W @ h
    return h


def residual_sine(W0, W1, W2, x):
    h = x
    for W in (W0, W1, W2):
        h = h + np.sin(W @ h)
    return h


def residual_loss(W0, W1, W2, x):
    h = x
    for W in (W0, W1, W2):
        h = h + W @ h
    return h @ h


def dense(W0, W1, W2, W3, x):
    seen = x
    for W in (W0, W1, W2):
        seen = seen + W @ seen
    return W3 @ seen


def mlp(W1, W2, W3, X, Y):
    r = W3 @ np.tanh(W2 @ np.tanh(W1 @ X)) - Y
    return (r * r).sum()


def features(W1, W2, x):
    return np.tanh(W2 @ np.tanh(W1 @ x))


# Tensor decompositions ---------------------------------------------------------------------------


def cp(A, B, C, T):
    r = np.einsum("ir,jr,kr->ijk", A, B, C) - T
    return (r * r).sum()


def cp_norm(A, B, C):
    return np.einsum("ir,jr,kr,is,js,ks->", A, B, C, A, B, C)


def cp_tensor(A, B, C, D):
    return np.einsum("ir,jr,kr,lr->ijkl", A, B, C, D)


def tucker(G, A, B, C, T):
    return np.einsum("abc,ia,jb,kc,ijk->", G, A, B, C, T)


def tucker_norm(G, A, B, C):
    return np.einsum("abc,ia,jb,kc,def,id,je,kf->", G, A, B, C, G, A, B, C)


def train(A, B, C, D, T):
    return np.einsum("ia,ajb,bkc,cl,ijkl->", A, B, C, D, T)


def train_tensor(A, B, C, D):
    return np.einsum("ia,ajb,bkc,cl->ijkl", A, B, C, D)


def train_norm(A, B, C, D):
    return np.einsum("ia,ajb,bkc,cl,id,dje,ekf,fl->", A, B, C, D, A, B, C, D)


# States of spins ---------------------------------------------------------------------------------


def state_norm(*sites):
    return np.einsum(*_ladder(sites), [])


def energy(*sites_and_operators):
    count = len(sites_and_operators) // 2
    sites, operators = sites_and_operators[:count], sites_and_operators[count:]
    return np.einsum(*_sandwich(sites, operators), [])


def _ladder(sites):
    """Rows of sites above each other: bonds k and 20 + k, spins 40 + k."""
    n = len(sites)
    parts = []
    for row in (0, 20):
        for k, site in enumerate(sites):
            left = [row + k] if k else []
            right = [row + k + 1] if k < n - 1 else []
            parts += [site, [*left, 40 + k, *right]]
    return parts


def _sandwich(sites, operators):
    """The same with operators between: bonds 10 + k, spins 30 + k above and 40 + k below."""
    n = len(sites)
    parts = []
    for k, (site, operator) in enumerate(zip(sites, operators, strict=True)):
        ends = [(row + k, row + k + 1) for row in (0, 10, 20)]
        axes = [[*(a[:1] if k else ()), *(a[1:] if k < n - 1 else ())] for a in ends]
        place = 1 if k else 0
        top, middle, bottom = axes
        parts += [site, [*top[:place], 30 + k, *top[place:]]]
        parts += [operator, [*middle[:place], 30 + k, 40 + k, *middle[place:]]]
        parts += [site, [*bottom[:place], 40 + k, *bottom[place:]]]
    return parts


def _sites(count: int, bond: int, spin: int = 2) -> Shapes:
    inner = ((bond, spin, bond),) * (count - 2)
    return ((spin, bond), *inner, (bond, spin))


def _operators(count: int, bond: int, spin: int = 2) -> Shapes:
    inner = ((bond, spin, spin, bond),) * (count - 2)
    return ((spin, spin, bond), *inner, (bond, spin, spin))


# Statistics --------------------------------------------------------------------------------------


def evidence(height, width, noise, y, D, eye):
    K = np.exp(height) * np.exp(-np.exp(width) * D) + np.exp(noise) * eye
    return -(y @ np.linalg.inv(K) @ y + np.linalg.slogdet(K)[1]) / 2


def evidence_of_matrix(K, y):
    return -(y @ np.linalg.inv(K) @ y + np.linalg.slogdet(K)[1]) / 2


def log_determinant(X):
    return np.linalg.slogdet(X)[1]


def inverse(X):
    return np.linalg.inv(X)


def inverse_form(X, A, B):
    return np.trace(A @ np.linalg.inv(X) @ B)


def poisson(w, X, y):
    return (np.exp(X @ w) - y * (X @ w)).sum()


def logistic(w, X, y):
    return (np.log1p(np.exp(X @ w)) - y * (X @ w)).sum()


def poisson_low_rank(U, V, X):
    return np.exp(np.einsum("ni,ir,r->n", X, U, V)).sum()


# Attention, energies, Kronecker ------------------------------------------------------------------


def attention(Q, K, V):
    E = np.exp(Q @ K.T)
    return E / E.sum(-1, keepdims=True) @ V


def linear_attention(Q, K, V):
    return np.einsum("id,jd,je->ie", Q, K, V)


def heads(Q, K, V, W):
    E = np.exp(np.einsum("ihd,jhd->hij", Q, K))
    return np.einsum("hij,jhd,hde->ie", E, V, W)


def pair_energy(x):
    d = x[:, None] - x[None]
    return np.exp(-(d * d).sum(-1)).sum()


def pair_force(x, q):
    d = x[:, None] - x[None]
    r = (d * d).sum(-1)
    return np.einsum("i,j,ij,ijk->ik", q, q, np.exp(-r), d)


def spring_energy(x, k):
    d = x[:, None] - x[None]
    r = (d * d).sum(-1)
    return (k * r * r).sum()


def kronecker(A, B, x):
    return np.einsum("ij,kl,jl->ik", A, B, x)


def kronecker_loss(A, B, C, x):
    y = np.einsum("ij,kl,mn,jln->ikm", A, B, C, x)
    return (y * y).sum()


# Hyperedges --------------------------------------------------------------------------------------


def mixture(p, A, B, C, D, E, F):
    return np.einsum("z,az,bz,cz,dz,ez,fz->abc", p, A, B, C, D, E, F)


def grid_of_hyperedges(A, B, C, D, E, F):
    return np.einsum("abx,bcx,cdy,day,xyz,acz->z", A, B, C, D, E, F)


def shared_index(A, B, C, D, E):
    return np.einsum("abi,bci,cdi,dei,eai->i", A, B, C, D, E)


def gram(A, B, C):
    return np.einsum("ia,ja,ib,jb,ic,jc->", A, A, B, B, C, C)


def all_pairs(x, W, V):
    return np.einsum("na,nb,nc,abr,bcr,acr->r", x, x, x, W, V, W)


# The table ---------------------------------------------------------------------------------------

_CHAIN = ((60, 12), (12, 50), (50, 10), (10, 20))
_WIDE = ((8, 120), (120, 30), (30, 150), (150, 12))
_FORM = ((60,), (60, 150), (150, 25), (25, 125), (125, 40), (40,))
_TREE = ((24, 28, 32), (28, 20, 24), (32, 16, 28), (20,), (24,), (16,), (28,))
_BUGS = ((24, 36), (36, 28, 20), (28, 32, 16), (32, 40), (20,), (16,), (40,))
_LAYERS = ((64, 64),) * 4 + ((64,),)
_CP = ((50, 10), (45, 10), (40, 10))
_TUCKER = ((8, 10, 12), (40, 8), (36, 10), (30, 12))
_TRAIN = ((18, 10), (10, 16, 12), (12, 14, 8), (8, 20))
_MLP = ((64, 48), (56, 64), (24, 56), (48, 100), (24, 100))
_SMALL_MLP = ((12, 10), (14, 12), (8, 14), (10, 30), (8, 30))

_EVIDENCE = ((), (), (), (60,), (60, 60), (60, 60))

CASES = (
    *(
        Case("identities", f"identity-{number}-order-{order}", number, ((6, 4, 5),), order)
        for number, orders in (
            ("5.99", 3), ("5.100", 3), ("5.101", 3), ("5.102", 3), ("5.103", 3), ("5.104", 1),
            ("5.105", 1), ("5.106", 1), ("5.107", 2), ("5.108", 2),
        )
        for order in range(1, orders + 1)
    ),
    Case("chains", "form-by-all", form, _FORM, 1, (0, 1, 2, 3, 4, 5)),
    Case("chains", "form-by-two", form, _FORM, 2, (1, 3)),
    Case("chains", "chain-by-first", chain, _CHAIN, 1, 0),
    Case("chains", "chain-by-second", chain, _CHAIN, 1, 1),
    Case("chains", "chain-by-last", chain, _CHAIN, 1, 3),
    Case("chains", "wide-chain-by-second", chain, _WIDE, 1, 1),
    Case("chains", "wide-chain-by-third", chain, _WIDE, 1, 2),
    Case("chains", "chain-by-two", chain, ((7, 5), (5, 8), (8, 4), (4, 6)), 2, (1, 2)),
    Case("chains", "fourth-power", fourth_power, ((24, 24),), 1),
    Case("chains", "fourth-power-order-2", fourth_power, ((8, 8),), 2),
    Case("chains", "trace-of-power", trace_of_power, ((80, 80),), 1),
    Case("chains", "trace-of-power-order-2", trace_of_power, ((24, 24),), 2),
    Case("chains", "sandwich-by-matrix", sandwich, ((120,), (100, 120), (100, 100)), 1, 1),
    Case("chains", "sandwich-order-2", sandwich, ((120,), (100, 120), (100, 100)), 2, 0),
    Case("chains", "sandwich-by-matrix-order-2", sandwich, ((24,), (20, 24), (20, 20)), 2, 1),
    Case("trees", "tree-by-root", tree, _TREE, 1, 0),
    Case("trees", "tree-by-branch", tree, _TREE, 1, 1),
    Case("trees", "tree-by-leaves", tree, _TREE, 1, (3, 4, 5, 6)),
    Case("trees", "tree-by-two-leaves", tree, _TREE, 2, (3, 6)),
    Case("trees", "caterpillar-by-middle", caterpillar, _BUGS, 1, 1),
    Case("trees", "caterpillar-by-all", caterpillar, _BUGS, 1, (0, 1, 2, 3, 4, 5, 6)),
    Case("networks", "residual-by-first", residual, _LAYERS, 1, 0),
    Case("networks", "residual-by-third", residual, _LAYERS, 1, 2),
    Case("networks", "residual-by-input", residual, _LAYERS, 1, 4),
    Case("networks", "residual-sine-by-first", residual_sine, ((64, 64),) * 3 + ((64,),), 1, 0),
    Case("networks", "residual-sine-by-input", residual_sine, ((64, 64),) * 3 + ((64,),), 1, 3),
    Case("networks", "residual-loss-by-all", residual_loss, ((64, 64),) * 3 + ((64,),), 1, (0, 1, 2)),
    Case("networks", "dense-by-first", dense, ((60, 60),) * 3 + ((15, 60), (60,)), 1, 0),
    Case("networks", "dense-by-second", dense, ((60, 60),) * 3 + ((15, 60), (60,)), 1, 1),
    Case("networks", "mlp-by-first", mlp, _MLP, 1, 0),
    Case("networks", "mlp-by-all", mlp, _MLP, 1, (0, 1, 2)),
    Case("networks", "mlp-by-last-order-2", mlp, _SMALL_MLP, 2, 2),
    Case("networks", "features-by-first", features, ((64, 48), (40, 64), (48,)), 1, 0),
    Case("networks", "features-by-input-order-2", features, ((60, 30), (24, 60), (30,)), 2, 2),
    Case("decompositions", "cp-by-first", cp, (*_CP, (50, 45, 40)), 1, 0),
    Case("decompositions", "cp-by-all", cp, (*_CP, (50, 45, 40)), 1, (0, 1, 2)),
    Case("decompositions", "cp-norm-by-first", cp_norm, _CP, 1, 0),
    Case("decompositions", "cp-norm-first-order-2", cp_norm, _CP, 2, 0),
    Case("decompositions", "cp-norm-pair-order-2", cp_norm, _CP, 2, (0, 1)),
    Case("decompositions", "cp-tensor-by-second", cp_tensor, ((8, 5), (7, 5), (6, 5), (9, 5)), 1, 1),
    Case("decompositions", "tucker-by-core", tucker, (*_TUCKER, (40, 36, 30)), 1, 0),
    Case("decompositions", "tucker-by-factor", tucker, (*_TUCKER, (40, 36, 30)), 1, 2),
    Case("decompositions", "tucker-by-all", tucker, (*_TUCKER, (40, 36, 30)), 1, (0, 1, 2, 3)),
    Case("decompositions", "tucker-by-two-factors", tucker, (*_TUCKER, (40, 36, 30)), 2, (1, 2)),
    Case("decompositions", "tucker-norm-by-core", tucker_norm, _TUCKER, 1, 0),
    Case("decompositions", "train-by-second", train, (*_TRAIN, (18, 16, 14, 20)), 1, 1),
    Case("decompositions", "train-by-all", train, (*_TRAIN, (18, 16, 14, 20)), 1, (0, 1, 2, 3)),
    Case("decompositions", "train-by-neighbours", train, ((9, 5), (5, 8, 6), (6, 7, 4), (4, 10), (9, 8, 7, 10)), 2, (1, 2)),
    Case("decompositions", "train-tensor-by-third", train_tensor, ((9, 5), (5, 8, 6), (6, 7, 4), (4, 10)), 1, 2),
    Case("decompositions", "train-norm-by-second", train_norm, _TRAIN, 1, 1),
    Case("decompositions", "train-norm-by-all", train_norm, _TRAIN, 1, (0, 1, 2, 3)),
    Case("states", "mps-4-gradient", state_norm, _sites(4, 32), 1, (0, 1, 2, 3)),
    Case("states", "mps-6-gradient", state_norm, _sites(6, 32), 1, (0, 1, 2, 3, 4, 5)),
    Case("states", "mps-8-middle", state_norm, _sites(8, 32), 1, 4),
    Case("states", "mps-6-hessian-2-4", state_norm, _sites(6, 8), 2, (1, 3)),
    Case("states", "mps-6-hessian-3-4", state_norm, _sites(6, 8), 2, (2, 3)),
    Case("states", "mpo-4-gradient", energy, (*_sites(4, 16), *_operators(4, 6)), 1, (0, 1, 2, 3)),
    Case("states", "mpo-6-gradient", energy, (*_sites(6, 16), *_operators(6, 6)), 1, (0, 1, 2, 3, 4, 5)),
    Case("states", "mpo-6-middle", energy, (*_sites(6, 16), *_operators(6, 6)), 1, 2),
    Case("states", "mpo-5-operators", energy, (*_sites(5, 12), *_operators(5, 5)), 1, (5, 6, 7, 8, 9)),
    Case("states", "mpo-5-hessian-2-3", energy, (*_sites(5, 8), *_operators(5, 4)), 2, (1, 2)),
    Case("statistics", "evidence-gradient", evidence, _EVIDENCE, 1, (0, 1, 2)),
    Case("statistics", "evidence-order-2", evidence, _EVIDENCE, 2, (0, 1, 2)),
    Case("statistics", "evidence-of-matrix-gradient", evidence_of_matrix, ((80, 80), (80,)), 1, 0),
    Case("statistics", "evidence-of-matrix-order-2", evidence_of_matrix, ((20, 20), (20,)), 2, 0),
    Case("statistics", "log-determinant-order-2", log_determinant, ((24, 24),), 2),
    Case("statistics", "log-determinant-order-3", log_determinant, ((8, 8),), 3),
    Case("statistics", "inverse-order-1", inverse, ((24, 24),), 1),
    Case("statistics", "inverse-order-2", inverse, ((8, 8),), 2),
    Case("statistics", "inverse-form-gradient", inverse_form, ((80, 80), (25, 80), (80, 25)), 1, 0),
    Case("statistics", "inverse-form-order-2", inverse_form, ((20, 20), (8, 20), (20, 8)), 2, 0),
    *(
        Case("statistics", f"poisson-order-{order}", poisson, ((16,), (500, 16), (500,)), order)
        for order in (1, 2, 3)
    ),
    Case("statistics", "logistic-order-2", logistic, ((40,), (500, 40), (500,)), 2),
    Case("statistics", "logistic-order-3", logistic, ((16,), (500, 16), (500,)), 3),
    Case("statistics", "poisson-low-rank-order-2", poisson_low_rank, ((20, 6), (6,), (200, 20)), 2, 0),
    Case("attention", "attention-by-q", attention, ((40, 12), (48, 12), (48, 16)), 1, 0),
    Case("attention", "attention-by-k", attention, ((40, 12), (48, 12), (48, 16)), 1, 1),
    Case("attention", "attention-by-v", attention, ((40, 12), (48, 12), (48, 16)), 1, 2),
    Case("attention", "linear-attention-by-k", linear_attention, ((40, 12), (48, 12), (48, 16)), 1, 1),
    Case("attention", "linear-attention-by-q-and-k", linear_attention, ((8, 5), (9, 5), (9, 4)), 2, (0, 1)),
    Case("attention", "heads-by-v", heads, ((24, 4, 8), (28, 4, 8), (28, 4, 8), (4, 8, 32)), 1, 2),
    Case("attention", "heads-by-q", heads, ((24, 4, 8), (28, 4, 8), (28, 4, 8), (4, 8, 32)), 1, 0),
    Case("energies", "pair-energy-gradient", pair_energy, ((150, 3),), 1),
    Case("energies", "pair-energy-order-2", pair_energy, ((60, 3),), 2),
    Case("energies", "pair-force", pair_force, ((50, 3), (50,)), 1),
    Case("energies", "spring-energy-gradient", spring_energy, ((150, 3), (150, 150)), 1),
    Case("energies", "spring-energy-order-2", spring_energy, ((60, 3), (60, 60)), 2),
    Case("kronecker", "kronecker-by-first", kronecker, ((24, 20), (18, 22), (20, 22)), 1, 0),
    Case("kronecker", "kronecker-by-second", kronecker, ((24, 20), (18, 22), (20, 22)), 1, 1),
    Case("kronecker", "kronecker-by-both", kronecker, ((8, 7), (6, 9), (7, 9)), 2, (0, 1)),
    Case("kronecker", "kronecker-loss-gradient", kronecker_loss, ((24, 27), (21, 24), (18, 21), (27, 24, 21)), 1, (0, 1, 2)),
    Case("kronecker", "kronecker-loss-order-2", kronecker_loss, ((15, 18), (12, 15), (18, 12), (18, 15, 12)), 2, 0),
    Case("hyperedges", "mixture-by-weights", mixture, ((6,), (5, 6), (7, 6), (8, 6), (9, 6), (4, 6), (3, 6)), 1, 0),
    Case("hyperedges", "mixture-by-second", mixture, ((6,), (5, 6), (7, 6), (8, 6), (9, 6), (4, 6), (3, 6)), 1, 2),
    Case("hyperedges", "grid-by-second", grid_of_hyperedges, ((12, 14, 8), (14, 16, 8), (16, 18, 10), (18, 12, 10), (8, 10, 12), (12, 16, 12)), 1, 1),
    Case("hyperedges", "grid-by-all", grid_of_hyperedges, ((12, 14, 8), (14, 16, 8), (16, 18, 10), (18, 12, 10), (8, 10, 12), (12, 16, 12)), 1, (0, 1, 2, 3, 4, 5)),
    Case("hyperedges", "shared-index-by-first", shared_index, ((24, 28, 10), (28, 32, 10), (32, 36, 10), (36, 16, 10), (16, 24, 10)), 1, 0),
    Case("hyperedges", "gram-by-first", gram, ((60, 20), (60, 24), (60, 28)), 1, 0),
    Case("hyperedges", "gram-order-2", gram, ((30, 12), (30, 15), (30, 9)), 2, 0),
    Case("hyperedges", "all-pairs-gradient", all_pairs, ((100, 12), (12, 12, 10), (12, 12, 10)), 1, 0),
)  # fmt: skip

"""The kernel score tests written out in loops: independent of `mkfusion`, slow, and easy to check.

Notation: K_m an uncentred kernel (n, n) for each modality; N null and E new modalities; u = R z the
whitened residuals; e signs of the groups; pi what permutations do to rows. The draws are given, the
first of each being what was observed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import null_space, sqrtm

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]


def centre(K: Floats, present: NDArray[np.bool_] | None = None) -> Floats:
    """Centre over the rows that are present; zero rows and columns elsewhere."""
    n = len(K)
    there = np.ones(n) if present is None else present.astype(float)
    H = np.diag(there) - np.outer(there, there) / there.sum()
    return H @ K @ H


def norm(K: Floats) -> Floats:
    trace = sum(K[i, i] for i in range(len(K)))
    return K * 0 if trace <= 1e-12 else K * (len(K) - 1) / trace


def sharp(K: Floats) -> Floats:
    out = np.zeros_like(K)
    for i in range(len(K)):
        for j in range(len(K)):
            if K[i, i] > 0 and K[j, j] > 0:
                out[i, j] = (K[i, j] / np.sqrt(K[i, i] * K[j, j])) ** 4
    return out


def between(groups: NDArray[np.intp]) -> Floats:
    return norm(centre((groups[:, None] == groups[None, :]).astype(float)))


def restricted_loglik(y: Floats, V: Floats) -> float:
    """Log-likelihood of y (n,) of covariance V, in the complement of the constants, but for pi."""
    Q = null_space(np.ones((1, len(y))))
    W, r = Q.T @ V @ Q, Q.T @ y
    return float(-(np.linalg.slogdet(W)[1] + r @ np.linalg.solve(W, r)) / 2)


def profiled_loglik(y: Floats, V: Floats) -> float:
    """The same with the best scale of V."""
    Q = null_space(np.ones((1, len(y))))
    W, r = Q.T @ V @ Q, Q.T @ y
    quadratic = r @ np.linalg.solve(W, r)
    return float(-(np.linalg.slogdet(W)[1] + (len(y) - 1) * np.log(quadratic)) / 2)


def _as_pair(R: Floats, y: Floats) -> Pair:
    u = R @ y
    return u * np.sqrt((len(y) - 1) / (u @ u)), R


def whiten_numbers(y: Floats, nulls: Sequence[Floats]) -> Pair:
    n = len(y)
    Q = null_space(np.ones((1, n)))
    if len(nulls) == 0:
        return _as_pair(Q @ Q.T, y)
    inner = [Q.T @ C @ Q for C in nulls]
    z = Q.T @ y
    identity = np.eye(n - 1)
    if len(nulls) == 1:
        ratios = [0.0, *(0.03 * (100 / 0.03) ** (k / 29) for k in range(30))]
        values = [profiled_loglik(y, s * nulls[0] + np.eye(n)) for s in ratios]
        V = ratios[int(np.argmax(values))] * inner[0] + identity
        return _as_pair(Q @ np.real(sqrtm(np.linalg.inv(V))) @ Q.T, y)
    var = z @ z / (n - 1)
    s, noise = [var / (len(nulls) + 1)] * len(nulls), var / (len(nulls) + 1)
    for _ in range(40):
        V = sum(sk * C for sk, C in zip(s, inner, strict=True)) + noise * identity
        inverse = np.linalg.inv(V)
        a = inverse @ z
        s = [
            sk * np.sqrt(a @ C @ a / np.trace(inverse @ C)) for sk, C in zip(s, inner, strict=True)
        ]
        noise = max(noise * np.sqrt(a @ a / np.trace(inverse)), 1e-3 * var)
    V = sum(sk * C for sk, C in zip(s, inner, strict=True)) + noise * identity
    return _as_pair(Q @ np.real(sqrtm(np.linalg.inv(V / noise))) @ Q.T, y)


def whiten_classes(y: Floats, nulls: Sequence[Floats], dispersed: bool) -> Pair:
    n = len(y)
    one = np.ones(n)
    eta = np.full(n, np.log(y.mean() / (1 - y.mean())))
    s, phi = [1.0] * len(nulls), 1.0
    for step in range(5):
        p = np.clip(1 / (1 + np.exp(-np.clip(eta, -6, 6))), 0.02, 0.98)
        w = p * (1 - p)
        z = eta + (y - p) / w
        for _ in range(14 if step == 4 else 4):
            V = sum((sk * C for sk, C in zip(s, nulls, strict=True)), np.diag(phi / w))
            inverse = np.linalg.inv(V)
            P = inverse - inverse @ np.outer(one, one) @ inverse / (one @ inverse @ one)
            a = P @ z
            s = [
                min(max(sk * np.sqrt(a @ C @ a / np.trace(P @ C)), 1e-3), 50.0)
                for sk, C in zip(s, nulls, strict=True)
            ]
            if step == 4 and dispersed:
                ratio = sum(a[i] ** 2 / w[i] for i in range(n)) / sum(
                    P[i, i] / w[i] for i in range(n)
                )
                phi = min(max(phi * np.sqrt(ratio), 0.05), 5.0)
        V = sum((sk * C for sk, C in zip(s, nulls, strict=True)), np.diag(phi / w))
        if step < 4:
            inverse = np.linalg.inv(V)
            b = one @ inverse @ z / (one @ inverse @ one)
            eta = z - np.diag(1 / w) @ inverse @ (z - b)
    half = np.real(sqrtm(np.linalg.inv(V)))
    v = half @ one
    R = (np.eye(n) - np.outer(v, v) / (v @ v)) @ half
    return R @ z, R


def smallest_rank(statistics: Floats) -> float:
    """Statistics (k, draws); the first draw is the observed one."""
    k, draws = statistics.shape
    best = []
    for b in range(draws):
        ranks = []
        for s in range(k):
            margin = 1e-9 * np.abs(statistics[s]).max()
            ranks.append(sum(value >= statistics[s, b] - margin for value in statistics[s]))
        best.append(min(ranks))
    return sum(one <= best[0] for one in best) / draws


def signed(pairs: Sequence[Pair], S: Floats, groups: NDArray[np.intp], signs: Floats) -> Floats:
    """The score statistic by its definition: all pairs of samples of different groups."""
    others = groups[:, None] != groups[None, :]
    out = np.zeros(len(signs))
    for u, R in pairs:
        M = (R @ S @ R.T) * others
        out += [np.sum(M * np.outer(e[groups] * u, e[groups] * u)) for e in signs]
    return out


def permuted(
    pairs: Sequence[Pair], K: Floats, rows: NDArray[np.intp], anchor: Floats | None = None
) -> tuple[Floats, Floats]:
    """Statistics of permuted kernels, and what is expected of them under the null."""
    scores, expected = np.zeros(len(rows)), np.zeros(len(rows))
    for b, pi in enumerate(rows):
        S = K[np.ix_(pi, pi)] if anchor is None else anchor * K[np.ix_(pi, pi)]
        for u, R in pairs:
            inner = R @ S @ R.T
            scores[b] += u @ inner @ u
            expected[b] += np.trace(inner)
    return scores, expected


def _nulls(C: Sequence[Floats], groups: NDArray[np.intp]) -> list[Floats]:
    some = len(np.unique(groups)) < len(groups)
    return [*C, between(groups)] if some else list(C)


def contrast(
    kernels: Sequence[Floats],
    y: Floats,
    null: Sequence[int],
    new: Sequence[int],
    signs: Floats,
    rows: NDArray[np.intp],
    *,
    groups: NDArray[np.intp] | None = None,
    present: NDArray[np.bool_] | None = None,
    n_classes: int = 0,
) -> tuple[float, float]:
    """Return the p-values by signs and by permutations of "do the E add to the N?"."""
    n = len(y)
    groups = np.arange(n) if groups is None else groups
    there = np.ones((n, len(kernels)), bool) if present is None else present
    C = [norm(centre(K, there[:, m])) for m, K in enumerate(kernels)]
    H = [norm(centre(sharp(K), there[:, m])) for m, K in enumerate(kernels)]
    K_N = sum(C[j] for j in null) / len(null)
    K_E = sum(C[j] for j in new) / len(new)
    H_E = sum(H[j] for j in new) / len(new)
    S = [K_E, centre(K_N * K_E), H_E]
    moved = [(K_E, None), (K_E, K_N), (H_E, None)]
    if len(new) > 1:
        S.append(centre(sum(C[i] * C[j] for i, j in combinations(new, 2))))
        moved.append((S[-1], None))
    nulls = _nulls([C[j] for j in null], groups)
    if n_classes == 0:
        pairs = [whiten_numbers((y - y.mean()) / y.std(ddof=1), nulls)]
    else:
        ones = [1] if n_classes == 2 else range(n_classes)
        pairs = [whiten_classes((y == c).astype(float), nulls, True) for c in ones]
    p_sign = smallest_rank(np.array([signed(pairs, one, groups, signs) for one in S]))
    statistics = []
    for K, anchor in moved:
        scores, expected = permuted(pairs, K, rows, anchor)
        statistics.append(scores / expected)
    return p_sign, smallest_rank(np.array(statistics))


def interactions(
    kernels: Sequence[Floats],
    y: Floats,
    signs: Floats,
    rows: NDArray[np.intp],
    *,
    groups: NDArray[np.intp] | None = None,
    present: NDArray[np.bool_] | None = None,
    n_classes: int = 0,
) -> tuple[float, float | None]:
    """Return the p-values by signs and, for numbers, by permutations of "do they interact?"."""
    n = len(y)
    groups = np.arange(n) if groups is None else groups
    there = np.ones((n, len(kernels)), bool) if present is None else present
    if n_classes:
        total = np.zeros(len(signs))
        for a, b in combinations(range(n_classes), 2):
            some = np.flatnonzero((y == a) | (y == b))
            C = [norm(centre(K[np.ix_(some, some)], there[some, m])) for m, K in enumerate(kernels)]
            pair = whiten_classes((y[some] == b).astype(float), _nulls(C, groups[some]), False)
            P = centre(sum(A * B for A, B in combinations(C, 2)))
            total += signed([pair], P, groups[some], signs)
        return smallest_rank(total[None]), None
    C = [norm(centre(K, there[:, m])) for m, K in enumerate(kernels)]
    pair = whiten_numbers((y - y.mean()) / y.std(ddof=1), _nulls(C, groups))
    P = centre(sum(A * B for A, B in combinations(C, 2)))
    p_sign = smallest_rank(signed([pair], P, groups, signs)[None])
    guards = []
    for m in range(len(C)):
        others = [one for j, one in enumerate(C) if j != m]
        scores, expected = permuted([pair], sum(others), rows, C[m])
        if len(others) > 1:
            among = sum(A * B for A, B in combinations(others, 2))
            more = permuted([pair], among, rows)
            scores, expected = scores + more[0], expected + more[1]
        guards.append(smallest_rank((scores / expected)[None]))
    return p_sign, max(guards)

"""A random matrix with orthonormal columns, uniform (Haar) among all of them, the same to the bit wherever it is made.

The product of Householder reflections along independent Gaussian vectors of lengths m, m - 1, ..., with its columns'
signs set right, has the distribution of the Q of a Gaussian matrix's QR decomposition with positive diagonal of R, and
that is Haar's: G. W. Stewart, "The efficient generation of random orthogonal matrices", SIAM J. Numer. Anal. 17 (1980);
the signs after F. Mezzadri, math-ph/0609050. So nothing has to be factorized. X is m x n, m >= n, binary32 standard
normals widened to binary64. Every operation below is binary64 and rounded by itself; every sum starts from 0 and adds
its products one by one in ascending order of its index.

1. For each column k:  s = sum over i = k .. m-1 of X[i,k] X[i,k],  r = sqrt(s),
   sigma = -1 if X[k,k] < 0, else 1;  V[i,k] = X[i,k] for i > k,  V[k,k] = X[k,k] + sigma r,  0 for i < k;
   tau[k] = 1 / (s + |X[k,k]| r),  d[k] = -sigma.  If s = 0: V[i,k] = 0 for all i, tau[k] = 0, d[k] = 1.
   So H_k = I - tau[k] v_k v_k^T, and the matrix is H_0 H_1 ... H_(n-1) [I; 0] diag(d).
2. A panel is 32 columns from a multiple of 32 on (the last has what is left). Within it, for a < b,
   G[a,b] = sum over i of V[i,a] V[i,b], over the rows i from the panel's first column to m-1.
3. Q, m x n, begins as d on the diagonal, 0 elsewhere. For each panel from the last to the first, K its columns, with i
   from its first column to m-1 and for every column j of Q:
   W[k,j] = sum over i of V[i,k] Q[i,j];
   Y[k,j] = tau[k] (W[k,j] - G[k,k+1] Y[k+1,j] - G[k,k+2] Y[k+2,j] - ...), for k in K from the last to the first, the
   products subtracted one by one in this order;
   Q[i,j] becomes Q[i,j] - V[i,k] Y[k,j], for k in K one by one in ascending order.
4. The element is gain Q[i,j], rounded to binary64, then to binary32.

Columns j do not depend on each other, so threads take slabs of them. Rows and columns of zeros that fill a block up
change at most the sign of a zero in s, G, W or Y, which no element of Q shows: Q holds no negative zero.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from initium_law.dtypes import Doubles, Singles
from initium_law.jit import jit

PANEL = 32
"""Reflections that are applied at once; a part of the law, as sums are formed panel by panel."""
SLAB = 64
"""Columns of Q that a thread works on at a time. The bytes do not depend on it."""

_UNROLL = 8
"""Terms of a sum that a kernel adds between reading and writing it; rows and panels are padded to a multiple."""
_1, _2, _3, _4, _5, _6, _7, _8 = map(np.uint64, range(1, 9))


class Panel(NamedTuple):
    """The reflections of some columns: H_first H_(first+1) ..."""

    first: int
    v: Doubles
    """[rows, columns]: V from row `first` on, both dimensions padded with zeros."""
    g: Doubles
    """[columns, columns]: of G, what is above the diagonal counts."""
    tau: Doubles
    """[columns]"""
    d: Doubles
    """[columns]"""


@jit
def reflect(x: Any, first: Any, v: Any, tau: Any, d: Any) -> None:
    """Step 1 for the panel that begins with column `first` of x, float32[m, n]; v, tau and d as in `Panel`.

    v comes filled with zeros, and tau and d keep what they hold where the panel is padded.
    """
    rows, columns = np.uint64(x.shape[0]) - first, min(np.uint64(v.shape[1]), np.uint64(x.shape[1]) - first)
    s = np.zeros(columns)
    for i in range(rows):
        for k in range(min(i + _1, columns)):
            value = np.float64(x[first + i, first + k])
            v[i, k] = value
            s[k] += value * value
    for k in range(columns):
        pivot, r = v[k, k], np.sqrt(s[k])
        sigma = -1.0 if pivot < 0.0 else 1.0
        if s[k] == 0.0:
            v[k, k], tau[k], d[k] = 0.0, 0.0, 1.0
        else:
            v[k, k], tau[k], d[k] = pivot + sigma * r, 1.0 / (s[k] + np.abs(pivot) * r), -sigma


@jit
def weigh(v: Any, q: Any, w: Any) -> None:
    """w = v^T q, the first part of step 3: float64[rows, columns], [rows, width], [columns, width].

    Also makes G, of q = v. The innermost loop is the one along contiguous columns, which compilers vectorize; eight
    terms go into a sum at a time, so that most operands stay in registers. `subtract` does the same.
    """
    rows, columns, width = np.uint64(v.shape[0]), np.uint64(v.shape[1]), np.uint64(q.shape[1])
    w[:] = 0.0
    for block in range(rows // _8):
        i = block * _8
        for k in range(columns):
            v0, v1, v2, v3 = v[i, k], v[i + _1, k], v[i + _2, k], v[i + _3, k]
            v4, v5, v6, v7 = v[i + _4, k], v[i + _5, k], v[i + _6, k], v[i + _7, k]
            for j in range(width):
                s = w[k, j] + v0 * q[i, j] + v1 * q[i + _1, j] + v2 * q[i + _2, j] + v3 * q[i + _3, j]
                s = s + v4 * q[i + _4, j] + v5 * q[i + _5, j] + v6 * q[i + _6, j] + v7 * q[i + _7, j]
                w[k, j] = s


@jit
def solve(g: Any, tau: Any, w: Any) -> None:
    """Replace W by Y, the second part of step 3: float64[columns, columns], [columns], [columns, width]."""
    columns, width = np.uint64(w.shape[0]), np.uint64(w.shape[1])
    for after in range(columns):
        k = columns - _1 - after
        for later in range(k + _1, columns):
            weight = g[k, later]
            for j in range(width):
                w[k, j] -= weight * w[later, j]
        for j in range(width):
            w[k, j] = tau[k] * w[k, j]


@jit
def subtract(v: Any, y: Any, q: Any) -> None:
    """q -= v y, the third part of step 3: float64[rows, columns], [columns, width], [rows, width]."""
    rows, columns, width = np.uint64(v.shape[0]), np.uint64(v.shape[1]), np.uint64(q.shape[1])
    for i in range(rows):
        for block in range(columns // _8):
            k = block * _8
            v0, v1, v2, v3 = v[i, k], v[i, k + _1], v[i, k + _2], v[i, k + _3]
            v4, v5, v6, v7 = v[i, k + _4], v[i, k + _5], v[i, k + _6], v[i, k + _7]
            for j in range(width):
                s = q[i, j] - v0 * y[k, j] - v1 * y[k + _1, j] - v2 * y[k + _2, j] - v3 * y[k + _3, j]
                s = s - v4 * y[k + _4, j] - v5 * y[k + _5, j] - v6 * y[k + _6, j] - v7 * y[k + _7, j]
                q[i, j] = s


@jit
def finish(q: Any, gain: Any, first: Any, out: Any) -> None:
    """Step 4 for the slab q, float64[at least m, width]: the columns from `first` on of out, float32[m, n]."""
    for i in range(np.uint64(out.shape[0])):
        for j in range(np.uint64(q.shape[1])):
            out[i, first + j] = np.float32(gain * q[i, j])


def _padded(count: int, multiple: int = _UNROLL) -> int:
    return -(-count // multiple) * multiple


def _panel(normals: Singles, first: int) -> Panel:
    """Steps 1 and 2 for the panel that begins with column `first` of float32[m, n]."""
    m, n = normals.shape
    columns = _padded(min(PANEL, n - first))
    v, g = np.zeros((_padded(m - first), columns)), np.empty((columns, columns))
    tau, d = np.zeros(columns), np.ones(columns)
    reflect(normals, np.uint64(first), v, tau, d)
    weigh(v, v, g)
    return Panel(first, v, g, tau, d)


def _slab(panels: list[Panel], columns: range, gain: float, out: Singles, stop: threading.Event) -> None:
    """Steps 3 and 4 for some columns of `out`, float32[m, n]; gives up between panels once `stop` is set.

    A panel right of a column would only subtract zeros from it.
    """
    first, width = columns.start, len(columns)
    q, w = np.zeros((_padded(len(out)), width)), np.empty((len(panels[0].g), width))
    for j in columns:
        q[j, j - first] = panels[j // PANEL].d[j % PANEL]
    for panel in reversed(panels[: columns[-1] // PANEL + 1]):
        if stop.is_set():
            return
        below, y = q[panel.first :], w[: len(panel.g)]
        weigh(panel.v, below, y)
        solve(panel.g, panel.tau, y)
        subtract(panel.v, y, below)
    finish(q, float(gain), np.uint64(first), out)


def orthogonal(normals: Singles, gain: float, threads: int = 1, slab: int = SLAB) -> Singles:
    """`gain` times a Haar-distributed m x n matrix, m >= n, from standard normals: float32[m, n] to float32[m, n].

    Columns are orthonormal up to gain; for a wide matrix transpose the result. `threads` and `slab` (columns that a
    thread works on at a time) change no byte. Memory beyond the result: V, 8 bytes an element but none above the
    diagonal blocks, and `slab` columns of Q for each thread. An exception (Ctrl-C) ends the work within a panel.
    """
    m, n = normals.shape
    if m < n:
        raise ValueError(f"the columns of a {m} x {n} matrix cannot be orthonormal")
    normals, out = np.ascontiguousarray(normals), np.empty((m, n), np.float32)
    width = min(slab, _padded(-(-n // threads), 4))
    slabs = [range(first, min(first + width, n)) for first in range(0, n, max(width, 1))]
    stop = threading.Event()
    with ThreadPoolExecutor(threads, "orthogonal") as pool:
        # Starting a thread takes longer than making a small matrix.
        spread: Any = map if min(threads, len(slabs)) <= 1 else pool.map
        try:
            panels = list(spread(lambda first: _panel(normals, first), range(0, n, PANEL)))
            # Columns to the right take longer, and what takes longest goes first.
            list(spread(lambda columns: _slab(panels, columns, gain, out, stop), reversed(slabs)))
        finally:
            stop.set()
    return out

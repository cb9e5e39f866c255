// Section 9 of stream-v1. Where the text begins a sum at a later row, the terms before it are zeros here.
const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, i) => sum + x * b[i], 0);

/** Gain times the orthogonal matrix of these standard normals, both in row-major order. */
export function orthogonal(X: Float32Array, rows: number, columns: number, gain: number): Float32Array {
  const m = Math.max(rows, columns), n = Math.min(rows, columns), V: Float64Array[] = [], Q: Float64Array[] = [];
  const isTall = rows >= columns, tau: number[] = [];
  for (let k = 0; k < n; k++) { // V[k] and Q[k] are columns; s is never 0, since a standard normal never is
    const v = V[k] = new Float64Array(m).map((_, i) => i < k ? 0 : X[isTall ? i * n + k : k * m + i]);
    const s = dot(v, v), r = Math.sqrt(s), sigma = v[k] < 0 ? -1 : 1;
    Q[k] = new Float64Array(m).fill(-sigma, k, k + 1);
    tau[k] = 1 / (s + Math.abs(v[k]) * r);
    v[k] = v[k] + sigma * r;
  }
  for (let first = n - 1 - (n - 1) % 32; first >= 0; first -= 32) {
    const panel = V.slice(first, first + 32), G = panel.map((a) => panel.map((b) => dot(a, b)));
    for (const q of Q.slice(first)) {
      const y: number[] = []; // filled from its end, so that `reduce` sees the entries after k, in ascending order
      for (let k = panel.length - 1; k >= 0; k--) {
        y[k] = tau[first + k] * y.reduce((w, y, b) => w - G[k][b] * y, dot(panel[k], q));
      }
      panel.forEach((v, k) => v.forEach((x, i) => { q[i] = q[i] - x * y[k]; }));
    }
  }
  return X.map((_, at) => gain * (isTall ? Q[at % n][Math.floor(at / n)] : Q[Math.floor(at / m)][at % m]));
}

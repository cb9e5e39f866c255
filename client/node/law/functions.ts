// Sections 5 and 8 of stream-v1: functions in f64.
import { exponentOf, float, pow2, rint } from './numbers.ts';

const [INV_LN2, LN2_HIGH, LN2_LOW] = ['0x1.71547652b82fep+0', '0x1.62e42feep-1', '0x1.a39ef35793c76p-33'].map(float);
const [PI_HIGH, PI_MIDDLE, PI_LOW] = ['0x1.921fb544p+0', '0x1.0b4611a6p-34', '0x1.3198a2e037073p-69'].map(float);
const [DENSITY, ROOT, PI_INV] = ['0x1.9884533d43651p-2', '0x1.6a09e667f3bcdp-1', '0x1.45f306dc9c883p-1'].map(float);

/** s = next(s, k) for k = from, from - by ... to. */
function down(from: number, to: number, by: number, s: number, next: (s: number, k: number) => number): number {
  for (let k = from; k >= to; k -= by) s = next(s, k);
  return s;
}
export function exp(y: number): number {
  const n = rint(y * INV_LN2), r = (y - n * LN2_HIGH) - n * LN2_LOW, half = n >> 1;
  const s = down(16, 1, 1, 1, (s, k) => 1 + r * s / k);
  return s * pow2(half) * pow2(n - half); // in two steps, since 2^n may be too small for an f64
}
const density = (x: number): number => DENSITY * exp(-0.5 * (x * x));
export function centre(x: number): number {
  let term = x, sum = x;
  for (let k = 1; k <= 40; k++) sum = sum + (term = term * (x * x) / (2 * k + 1));
  return x < 2 ? density(x) * sum : 0.5 - tail(x);
}
export function tail(x: number): number {
  if (x < 2) return 0.5 - centre(x);
  return x >= 37 ? 0 : density(x) / down(100, 1, 1, x, (f, k) => x + k / f);
}
const atMost = (a: number, high: number): number => a > high ? high : a;
export const clamp = (a: number, low: number, high: number): number => atMost(a < low ? low : a, high);
const expm1 = (y: number): number => Math.abs(y) >= 0.5 ? exp(y) - 1 : y * down(17, 2, 1, 1, (s, k) => 1 + y * s / k);

/** Cosine of a and so many right angles. */
function circular(a: number, quadrants: number): number {
  if (!(Math.abs(a) <= 0x100000)) return NaN;
  const n = rint(a * PI_INV) + 0, r = ((a - n * PI_HIGH) - n * PI_MIDDLE) - n * PI_LOW, q = r * r;
  const C = down(18, 2, 2, 1, (C, k) => 1 - q * C / (k * (k - 1)));
  const S = r * down(18, 2, 2, 1, (S, k) => 1 - q * S / (k * (k + 1)));
  return [C, -S, -C, S][(n + quadrants) & 3];
}

/** Results are not rounded to f32 yet (which makes the first four the f32 operations). */
export const OPERATIONS: Record<string, (...operands: number[]) => number> = {
  add: (a, b) => a + b, multiply: (a, b) => a * b, divide: (a, b) => a / b, sqrt: (a) => Math.sqrt(a), clamp,
  exp: (a) => exp(clamp(a, -120, 120)), expm1: (a) => expm1(clamp(a, -120, 120)),
  log(a) {
    if (!(a > 0 && a < Infinity)) return a === 0 ? -Infinity : a > 0 ? a : NaN;
    const exponent = exponentOf(a) + 1, half = a / pow2(exponent); // exact: a is an f32
    const [m, e] = half < ROOT ? [half * 2, exponent - 1] : [half, exponent], s = (m - 1) / (m + 1), q = s * s;
    return e * LN2_HIGH + (2 * s * down(21, 1, 2, 1 / 23, (p, k) => p * q + 1 / k) + e * LN2_LOW);
  },
  cos: (a) => circular(a, 0), sine: (a) => circular(a, 3),
};

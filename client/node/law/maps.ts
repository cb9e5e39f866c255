// Section 4 of stream-v1: from a word to a binary32 number. Every fround (f) is the rounding of one operation.
import { centre, clamp, tail } from './functions.ts';
import { DTYPES, exponentOf, float, need, pow2, rint } from './numbers.ts';

type WordMap = (word: number) => number;
const f = Math.fround, [, , , LARGEST] = DTYPES.F32, WORDS = 0x100000000;
const constant = (x: number): number => f(x) + 0; // an f32 constant: not -0
const line = (a: number, x: number, b: number): number => f(f(a * x) + b);
const table = (words: string): Float32Array =>
  new Float32Array(Uint32Array.from(words.split(' '), (word) => parseInt(word, 16)).buffer);
const P = table('BFB8AA51 3F38AB84 BEF60CEB 3EB7EEE3 BE97B426 3E8A7443 BE2F23EB');
const N = table('3FA06C9B 3EA36F5B 3D35DDD8 3B868AC0 397EB4FB 3697C36D 0');
const D = table('3F800000 3D95F93D 3C820065 3A57AD45 3824AF20 34222D75 0');
const M = table('41464F43 41B1B01A 41E41365 41CF3B66 418C4657 41288F22 3F96C637');
const E = table('411E3A6A 40575B2C 4141D8D5 408F3A9C 409FAADF 3F800000 0'); // y + E4 is 1 * y + E4
/** All five polynomials have one order of operations; where the law has no c[6], adding 0 changes nothing. */
function polynomial(c: Float32Array, x: number): number {
  const x2 = f(x * x), upper = f(f(c[6] * x2) + f(f(c[5] * x) + c[4]));
  const lower = f(f(f(f(c[3] * x) + c[2]) * x2) + f(f(c[1] * x) + c[0]));
  return f(f(upper * f(x2 * x2)) + lower);
}
const single = new Float32Array(1), bits = new Int32Array(single.buffer);
function minusLog2(g: number): number {
  single[0] = g;
  const e = (bits[0] - 0x3f3504f3) >> 23;
  bits[0] -= e << 23;
  const d = f(single[0] - 1);
  return f(f(d * polynomial(P, d)) - e);
}

/** A map with its values moved into the bounds: low and high, rounded inward to the dtype (to f32 for F64). */
function within(low: number, high: number, dtype: string, map: WordMap): WordMap {
  const [, bits, least, largest] = DTYPES[dtype === 'F64' ? 'F32' : dtype];
  const ulp = (x: number): number => pow2(Math.max(exponentOf(x) - bits + 1, least));
  const lower = Math.max(Math.ceil(low / ulp(low)) * ulp(low), -largest) + 0; // + 0: not -0
  const upper = Math.min(Math.floor(high / ulp(high)) * ulp(high), largest) + 0;
  need(lower <= upper, `${dtype} has no number from ${low} to ${high}`);
  return (word) => clamp(map(word), lower, upper);
}

function around(alpha: number, beta: number, std: number, mean: number): WordMap {
  const A = centre(-alpha), B = centre(beta), T = Math.min(rint(WORDS * (A + B === 0 ? 0.5 : A / (A + B))), WORDS - 1);
  const below = 2 * A / Math.max(T, 1), above = 2 * B / (WORDS - T), offset = constant(mean);
  need(std * Math.max(below, above) >= pow2(-126), 'a normal distribution of so small a std');
  const [step0, stride0, outer0] = [below, -std * below, 2 * tail(-alpha)].map(constant);
  const [step1, stride1, outer1] = [above, std * above, 2 * tail(beta)].map(constant);
  return (word) => {
    const u = (word ^ 0x80000000) >>> 0, k = u < T ? u : WORDS - 1 - u, j = u < T ? T - 1 - u : u - T;
    const t = line(u < T ? step0 : step1, f(f(k) + 0.5), u < T ? outer0 : outer1), L = minusLog2(f(t * f(2 - t)));
    return line(f((u < T ? stride0 : stride1) * f(f(j) + 0.5)), f(polynomial(N, L) / polynomial(D, L)), offset);
  };
}

function far(alpha: number, beta: number, std: number, mean: number): WordMap {
  const near = 2 * tail(alpha), end = 2 * tail(beta), K = Math.max(-1 - exponentOf(near), 0);
  const width = (alpha >= 2 ? near - end : 2 * (centre(beta) - centre(alpha))) / WORDS;
  const numbers = [width, 2 * centre(alpha), pow2(K) * width, pow2(K) * end, 16 + K, std, mean];
  const [stride, inner, step, outer, offset, scale, shift] = numbers.map(constant);
  return (word) => {
    const u = (word ^ 0x80000000) >>> 0, k = WORDS - 1 - u;
    const t = line(step, f(f(k) + 0.5), outer), x = line(stride, f(f(u) + 0.5), inner);
    const y = f(f(Math.sqrt(f(minusLog2(f(t * f(1 + x))) + offset))) - 4);
    return line(scale, f(x * f(polynomial(M, y) / polynomial(E, y))), shift);
  };
}

/** With infinite a and b, the numbers of *around* are those that the law has for `normal`. */
function truncated(fields: any, a: number, b: number, dtype: string): WordMap {
  const mean = float(fields.mean), std = float(fields.std), alpha = (a - mean) / std, beta = (b - mean) / std;
  need(Math.abs(mean) <= LARGEST && std >= 0 && std <= LARGEST, `a normal distribution of mean ${mean} and std ${std}`);
  if (std === 0 || alpha >= 37 || beta <= -37) return within(a, b, dtype, () => mean);
  if (beta <= 0) return within(a, b, dtype, far(-beta, -alpha, -std, mean));
  return within(a, b, dtype, (alpha >= 0 ? far : around)(alpha, beta, std, mean));
}

/** Random fills: from their fields and a dtype to the map that their words go through. */
export const MAPS: Record<string, (fields: any, dtype: string) => WordMap> = {
  uniform(fields, dtype) {
    const low = float(fields.low), high = float(fields.high), m = high * 0.5 + low * 0.5;
    need(-LARGEST <= low && low <= high && high <= LARGEST, `uniform from ${low} to ${high}`);
    const middle = constant(m), rest = constant(m - middle), half = constant(high * 0.5 - low * 0.5), unit = pow2(-31);
    const map: WordMap = (word) => f(line(half, f(f(f(word | 0) + 0.5) * unit), rest) + middle);
    return low === high ? () => low : within(low, high, dtype, map);
  },
  normal: (fields, dtype) => truncated(fields, -Infinity, Infinity, dtype),
  trunc_normal(fields, dtype) {
    const a = float(fields.a), b = float(fields.b);
    need(-Infinity < a && a < b && b < Infinity, `trunc_normal from ${a} to ${b}`);
    return truncated(fields, a, b, dtype);
  },
};

// The law stream-v1 (proto/stream-v1.md): the bytes of a tensor.
import { createHash } from 'node:crypto';
import { OPERATIONS } from './functions.ts';
import { MAPS } from './maps.ts';
import { decode, DTYPES, encode, float, need, pow2, sizeOf } from './numbers.ts';
import { orthogonal } from './orthogonal.ts';

/** The JSON mapping of initium.v1.Fill: a kind, with its fields. */
export type Fill = Record<string, any>;
/** `literals`: bytes by their digest, of literals and of stored tensors. */
export interface Tensor { seed: bigint; name: string; dtype: string; literals?: Map<string, Uint8Array> }
/** The elements at these indices of a whole tensor, seen as a tensor of this shape. */
interface Box extends Tensor { whole: number[]; shape: number[]; indices: Float64Array }

/** The bytes of `count` elements of a tensor from `start` on. (Only a random fill is then not drawn as a whole.) */
export function draw(fill: Fill, extents: (number | string)[], tensor: Tensor, start = 0, count?: number): Uint8Array {
  const shape = wholes(extents), total = product(shape), stop = start + (count ?? total - start);
  need(0 <= start && start <= stop && stop <= total, `elements ${start} ... ${stop} of ${total}`);
  need(depth(fill) <= 16, 'fills more than 16 deep');
  if (Object.keys(fill)[0] in MAPS) return bytesOf(fill, { ...tensor, whole: shape, shape, indices: range(stop - start, start) });
  const bytes = bytesOf(fill, { ...tensor, whole: shape, shape, indices: range(total) }), size = sizeOf(tensor.dtype);
  return bytes.subarray(start * size, stop * size);
}

/** Section 2: the words k0, k1, c2, c3. */
export function identityOf(seed: bigint, name: string, law = 'stream-v1'): number[] {
  need(BigInt.asUintN(64, seed) === seed && name.isWellFormed(), `seed ${seed} or name ${name}`);
  const hash = createHash('sha256').update(`${law}\0`).update(BigUint64Array.of(seed)).update(name).digest();
  return [0, 4, 8, 12].map((at) => hash.readUInt32LE(at));
}

/** Section 3: the four words of a counter and a key. */
export function philox(c0: number, c1: number, c2: number, c3: number, k0: number, k1: number): number[] {
  for (let round = 0; round < 10; round++) {
    [c0, c1, c2, c3] = [high(c2, 0xcd9e8d57) ^ c1 ^ k0, Math.imul(c2, 0xcd9e8d57),
      high(c0, 0xd2511f53) ^ c3 ^ k1, Math.imul(c0, 0xd2511f53)];
    k0 = k0 + 0x9e3779b9 | 0, k1 = k1 + 0xbb67ae85 | 0;
  }
  return [c0, c1, c2, c3];
}
function high(a: number, b: number): number { // the upper half of a * b, from products of halves
  const low = a & 0xffff, top = a >>> 16, lowB = b & 0xffff, topB = b >>> 16;
  const x = Math.imul(top, lowB) + (Math.imul(low, lowB) >>> 16) >>> 0, y = Math.imul(low, topB) + (x & 0xffff) >>> 0;
  return Math.imul(top, topB) + (x >>> 16) + (y >>> 16) | 0;
}

/** The words of the elements at these indices, below 2^53. */
export function wordsAt(indices: ArrayLike<number>, [k0, k1, c2, c3]: number[]): Uint32Array {
  const words = new Uint32Array(indices.length);
  for (let i = 0, last = -1, four: number[] = []; i < words.length; i++) {
    const block = Math.floor(indices[i] / 4);
    if (block !== last) four = philox(block >>> 0, Math.floor(block / 0x100000000), c2, c3, k0, k1);
    words[i] = four[indices[i] - 4 * (last = block)];
  }
  return words;
}
const wordsOf = (box: Box, law?: string): Uint32Array => wordsAt(box.indices, identityOf(box.seed, box.name, law));

const product = (extents: number[]): number => extents.reduce((a, b) => a * b, 1);
const range = (count: number, from = 0): Float64Array => new Float64Array(count).map((_, i) => from + i);
/** The index along an axis of the element number i of a tensor of this shape. */
const along = (shape: number[], axis: number, i: number): number =>
  Math.floor(i / product(shape.slice(axis + 1))) % shape[axis];
/** The numbers 0 ... count - 1 in the order of the pairs (word, number). */
const order = (count: number, word: (number: number) => number): Float64Array =>
  range(count).sort((a, b) => word(a) - word(b) || a - b);
function wholes(extents: (number | string)[] = []): number[] {
  const numbers = extents.map(Number), isCounted = numbers.every((n) => Number.isSafeInteger(n) && n >= 0);
  need(isCounted && product(numbers) <= Number.MAX_SAFE_INTEGER, `negative, or more than can be counted: ${extents}`);
  return numbers;
}

function held(fill: Fill): Fill[] {
  const { base, fill: inner, operands = [], parts = [] } = Object.values(fill)[0] ?? {};
  return [base, inner, ...operands, ...parts.map((part: Fill) => part.fill)].filter(Boolean);
}
const depth = (fill: Fill): number => 1 + Math.max(0, ...held(fill).map(depth));
const size = (fill: Fill): number => held(fill).reduce((sum, one) => sum + size(one), 1);

const FLOATING = [...Object.keys(MAPS), 'linspace', 'pointwise', 'orthogonal', 'sparse', 'norm_of'];
const AXES: Record<string, [least: number, most: number]> =
  { eye: [2, 2], dirac: [3, 5], orthogonal: [2, Infinity], sparse: [2, 2], permutation: [1, 1] };

/** Section 6: the bytes that a fill has in a box. */
function bytesOf(fill: Fill = {}, box: Box): Uint8Array {
  const [kind = '', ...others] = Object.keys(fill), [least, most] = AXES[kind] ?? [0, Infinity];
  need(Object.hasOwn(FILLS, kind) && others.length === 0, `not a fill: ${JSON.stringify(fill)}`);
  need(Object.hasOwn(DTYPES, box.dtype), `unknown dtype ${box.dtype}`);
  need(DTYPES[box.dtype].length > 2 || !FLOATING.includes(kind), `${kind} in ${box.dtype}`);
  need(box.shape.length >= least && box.shape.length <= most, `${kind} of ${box.shape.length} axes`);
  const elements = FILLS[kind](fill[kind], box);
  return elements instanceof Uint8Array ? elements : encode(elements, box.dtype);
}
const f32 = (fill: Fill, box: Box): Float32Array => new Float32Array(bytesOf(fill, { ...box, dtype: 'F32' }).buffer);
const normal = (std: string, box: Box): Float32Array => f32({ normal: { mean: '0x0p+0', std } }, box);

const random = (kind: string) => (fields: any, box: Box): Float64Array => {
  const map = MAPS[kind](fields, box.dtype), words = wordsOf(box), values = new Float64Array(words.length);
  for (let i = 0; i < words.length; i++) values[i] = map(words[i]);
  return values;
};

/** The elements of a fill: bytes, or numbers that are then rounded to the dtype. */
const FILLS: Record<string, (fields: any, box: Box) => Uint8Array | Float32Array | Float64Array> = {
  uniform: random('uniform'), normal: random('normal'), trunc_normal: random('trunc_normal'),
  constant({ value }, { dtype, indices }) {
    need(dtype !== 'F8_E4M3' || Math.abs(float(value)) !== Infinity, `${dtype} has no infinity`);
    encode([float(value)], dtype); // throws for a number that is not held, even where there are no elements
    return new Float64Array(indices.length).fill(float(value));
  },
  literal({ digest }, { literals, dtype, indices }) {
    const bytes = literals?.get(digest), length = indices.length * sizeOf(dtype);
    need(bytes?.length === length, `no literal ${digest} of ${length} bytes`);
    return new Uint8Array(bytes);
  },
  eye: (_, { shape, indices }) => indices.map((_, i) => Number(along(shape, 0, i) === along(shape, 1, i))),
  dirac({ groups = 0 }, { shape, indices }) {
    const [rows, , ...others] = shape, middle = others.reduce((at, extent) => at * extent + Math.floor(extent / 2), 0);
    need(groups >= 1 && rows % groups === 0, `dirac: ${groups} groups of ${rows} rows`);
    const isOne = (i: number): boolean => along(shape, 0, i) % (rows / groups) === along(shape, 1, i);
    return indices.map((_, i) => Number(isOne(i) && i % product(others) === middle));
  },
  arange({ start, step, axis = 0 }, { shape, dtype, indices }) {
    const from = float(start), by = float(step);
    need(DTYPES[dtype].length > 1 || shape[axis] < 2 || Number.isInteger(by), `arange by ${by} in ${dtype}`);
    const last = from + by * Math.max(shape[axis] - 1, 0);
    need(Number.isFinite(last), `arange from ${from} by ${by} along axis ${axis}`);
    if (shape[axis]) encode([from, last], dtype); // as above: held or not, whatever elements there are
    return indices.map((_, i) => from + by * along(shape, axis, i));
  },
  linspace({ start, end, axis = 0 }, { shape, indices }) {
    const from = float(start), to = float(end), n = shape[axis], s = n === 1 ? 0 : (to - from) / (n - 1);
    need(axis in shape && Number.isFinite(to - from), `linspace from ${from} to ${to} along axis ${axis}`);
    const at = (i: number): number => i < Math.max(Math.floor(n / 2), 1) ? from + s * i : to - s * (n - 1 - i);
    return indices.map((_, i) => at(along(shape, axis, i)));
  },
  copy: ({ name = '', fill }, box) => bytesOf(fill, { ...box, name }),
  broadcast({ axes = [], fill }, box) {
    const isAxis = (axis: number, k: number): boolean => axis in box.shape && (k === 0 || axis > axes[k - 1]);
    need(axes.length > 0 && axes.every(isAxis), `broadcast along the axes ${axes} of ${box.shape.length}`);
    const shortened = (shape: number[]): number[] => shape.map((extent, k) => axes.includes(k) ? 1 : extent);
    const source = (shape: number[], i: number): number =>
      shortened(shape).reduce((at, extent, k) => at * extent + (axes.includes(k) ? 0 : along(shape, k, i)), 0);
    const shape = shortened(box.shape), indices = new Float64Array(product(shape)), size = sizeOf(box.dtype);
    const places = box.indices.map((_, i) => source(box.shape, i)); // of the box's elements among those repeated
    places.forEach((place, i) => { indices[place] = source(box.whole, box.indices[i]); });
    const bytes = bytesOf(fill, { ...box, whole: shortened(box.whole), shape, indices });
    const out = new Uint8Array(places.length * size);
    places.forEach((place, i) => out.set(bytes.subarray(place * size, (place + 1) * size), i * size));
    return out;
  },
  stored({ digest, dtype, shape: extents, axes = [], start = [] }, box) {
    need(Object.hasOwn(DTYPES, dtype), `unknown dtype ${dtype}`);
    const source = wholes(extents), { shape } = box, bytes = box.literals?.get(digest), size = sizeOf(dtype);
    const order: number[] = axes.length ? axes : source.map((_, k) => k), corner = start.length ? wholes(start) : shape.map(() => 0);
    need([...order].sort((a, b) => a - b).join() === [...source.keys()].join(), `stored: axes ${axes} of ${source}`);
    need(shape.length === source.length && corner.length === source.length, `stored: ${source} in ${shape}`);
    need(shape.every((extent, k) => corner[k] + extent <= source[order[k]]), `stored: ${shape} from ${corner} of ${source}`);
    const isSame = dtype === box.dtype;
    need(isSame || [dtype, box.dtype].every((one) => DTYPES[one].length > 2), `stored: ${dtype} as ${box.dtype}`);
    need(bytes?.length === product(source) * size, `no stored tensor ${digest} of ${source} in ${dtype}`);
    const strides = order.map((axis) => product(source.slice(axis + 1))), out = new Uint8Array(box.indices.length * size);
    box.indices.forEach((_, i) => {
      const at = strides.reduce((sum, stride, k) => sum + (corner[k] + along(shape, k, i)) * stride, 0);
      out.set(bytes.subarray(at * size, (at + 1) * size), i * size);
    });
    return isSame ? out : encode(decode(out, dtype), box.dtype);
  },
  parts({ base, parts = [] }, box) {
    const out = bytesOf(base, box), size = sizeOf(box.dtype);
    need(parts.length <= 1024, `${parts.length} parts`);
    for (const part of parts) {
      const start = wholes(part.start), stop = wholes(part.stop), shape = stop.map((x, k) => x - start[k]);
      const fits = box.shape.every((extent, k) => start[k] <= stop[k] && stop[k] <= extent);
      need(fits && start.length === box.shape.length && stop.length === box.shape.length, 'a part outside its box');
      const places = shape.reduce((places, extent, k) => // of the part's elements among the box's, axis after axis
        places.flatMap((place) => Array.from(range(extent, start[k]), (x) => place * box.shape[k] + x)), [0]);
      const bytes = bytesOf(part.fill, { ...box, shape, indices: Float64Array.from(places, (at) => box.indices[at]) });
      places.forEach((place, i) => out.set(bytes.subarray(i * size, (i + 1) * size), place * size));
    }
    return out;
  },
  pointwise({ op, operands = [] }, box) {
    const f = Object.hasOwn(OPERATIONS, op) ? OPERATIONS[op] : undefined, total = size({ pointwise: { operands } });
    need(f && f.length === operands.length && total <= 64, `${op} of ${operands.length} operands and ${total} fills`);
    const values: Float32Array[] = operands.map((operand: Fill) => f32(operand, box));
    return values[0].map((_, i) => Math.fround(f(...values.map((v) => v[i]))));
  },
  orthogonal({ gain }, box) {
    need(Number.isFinite(float(gain)), `orthogonal: gain ${gain}`);
    return orthogonal(normal('0x1p+0', box), box.shape[0], product(box.shape.slice(1)), float(gain));
  },
  sparse({ sparsity, std }, box) {
    const values = normal(std, box), choices = wordsOf(box, 'stream-v1/choice'), [rows, columns] = box.shape;
    const share = float(sparsity), z = Math.ceil(share * rows);
    need(share >= 0 && share <= 1, `sparsity ${sparsity}`);
    for (let j = 0; j < columns; j++) { // the zeros of a column
      order(rows, (i) => choices[i * columns + j]).subarray(0, z).forEach((i) => { values[i * columns + j] = 0; });
    }
    return values;
  },
  permutation(_, box) {
    const n = box.indices.length, [, bits = 64] = DTYPES[box.dtype], choices = wordsOf(box, 'stream-v1/choice');
    need(n <= 2 ** 32 && n - 1 <= pow2(bits), `a permutation of ${n} elements in ${box.dtype}`); // encode does integers
    return order(n, (i) => choices[i]);
  },
  norm_of({ name = '', shape: extents, fill, axis = 0 }, box) {
    const shape = wholes(extents), sums = new Float64Array(box.indices.length);
    need(shape[axis] === sums.length, `norm_of: ${sums.length} elements for axis ${axis} of ${shape}`);
    const values = f32(fill, { ...box, name, whole: shape, shape, indices: range(product(shape)) });
    values.forEach((v, i) => { sums[along(shape, axis, i)] += v * v; });
    return Float32Array.from(sums, Math.sqrt);
  },
};

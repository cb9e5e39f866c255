// Runs every vector of a directory: node dist/check.js [DIRECTORY]
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { centre, exp, OPERATIONS, tail } from './functions.ts';
import { draw, identityOf, philox, wordsAt } from './law.ts';
import { MAPS } from './maps.ts';
import { encode } from './numbers.ts';

const hex = (x: number): string => x.toString(16).padStart(8, '0');
const fromHex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
const reversed = (text: string): Uint8Array => fromHex(text).reverse();
const f64 = (text: string): number => new Float64Array(reversed(text).buffer)[0];
const f32 = (text: string): number => new Float32Array(reversed(text).buffer)[0];
const pattern = (x: number, dtype: string): string => Buffer.from(encode([x], dtype)).reverse().toString('hex');
const DTYPES = ['F64', 'F32', 'BF16', 'F16', 'F8_E5M2', 'F8_E4M3'];
const FAR = [0n, 1n, 2n, 3n, 4n, 5n, 1023n, 1024n, 1n << 32n, (1n << 34n) - 1n, 1n << 34n, (1n << 34n) + 1n,
  (1n << 40n) + 3n, (1n << 62n) - 1n];
const literals = new Map<string, Uint8Array>();

function tensor([seed, name, dtype, extents, fill]: string[], start?: number, count?: number): Uint8Array {
  const shape = extents === '-' ? [] : extents.split('x');
  const place = { seed: BigInt(seed), name: JSON.parse(name) as string, dtype, literals };
  return draw(JSON.parse(fill), shape, place, start, count);
}

/** The columns of a line: what this implementation gives, and what it should. */
const CHECKS: Record<string, (columns: string[]) => [got: string, expected: string]> = {
  philox4x32([line]) {
    const [c0, c1, c2, c3, k0, k1, ...expected] = line.split(/\s+/).map((word) => parseInt(word, 16));
    return [philox(c0, c1, c2, c3, k0, k1).map((x) => hex(x >>> 0)).join(' '), expected.map(hex).join(' ')];
  },
  identity([purpose, seed, name, identity, expected]) {
    const id = identityOf(BigInt(seed), JSON.parse(name), purpose === '-' ? 'stream-v1' : `stream-v1/${purpose}`);
    const got = FAR.map((i) => hex(i < 1n << 53n ? wordsAt([Number(i)], id)[0]
      : philox(Number(i >> 2n & 0xffffffffn), Number(i >> 34n), id[2], id[3], id[0], id[1])[Number(i & 3n)] >>> 0));
    return [`${id.map(hex).join(' ')} | ${got.join(' ')}`, `${identity} | ${expected}`];
  },
  maps([fill, dtype, word, expected]) {
    const [[kind, fields]] = Object.entries(JSON.parse(fill));
    return [pattern(MAPS[kind](fields, dtype)(parseInt(word, 16)), 'F32'), expected];
  },
  bounds([name, x, expected]) {
    return [pattern({ tail, centre, exp }[name]!(f64(x)), 'F64'), expected];
  },
  functions([name, x, expected]) {
    return [pattern(Math.fround(OPERATIONS[name](f32(x))), 'F32'), expected];
  },
  renderings([x, ...expected]) {
    return [DTYPES.map((dtype) => pattern(f32(x), dtype)).join(' '), expected.join(' ')];
  },
  constants([x, ...expected]) {
    return [DTYPES.map((dtype) => pattern(f64(x), dtype)).join(' '), expected.join(' ')];
  },
  tensors(columns) {
    const all = Buffer.from(tensor(columns)), width = all.length / columns[3].split('x').reduce((n, x) => n * +x, 1);
    let wrong = ''; // and the same in pieces of five
    for (let i = 0; i * width < all.length; i += 5) {
      const piece = all.subarray(i * width, (i + 5) * width);
      if (!piece.equals(tensor(columns, i, piece.length / width))) wrong = ', but in pieces other bytes';
    }
    return [all.toString('hex') + wrong, columns[5] ?? ''];
  },
  digests(columns) {
    return [createHash('sha256').update(tensor(columns)).digest('hex'), columns[5]];
  },
  refusals([dtype, shape, fill]) {
    try {
      return [`${tensor(['7', '"r"', dtype, shape, fill]).length} bytes`, 'a refusal'];
    } catch (error) { // a TypeError, say, is no refusal
      if (process.env.VERBOSE) console.log(String(error), fill.slice(0, 100));
      return [String(error).startsWith('Error: stream-v1: ') ? 'a refusal' : String(error), 'a refusal'];
    }
  },
};

const CONTENT = /([0-9a-f]{64}) is the bytes ([0-9a-f]+)/g;
const here = dirname(fileURLToPath(import.meta.url)).replace(/[\\/]dist$/, '');
const directory = process.argv[2] ?? join(here, '..', '..', '..', 'proto', 'vectors');
for (const name of Object.keys(CHECKS)) {
  const wrong: string[] = [];
  let count = 0;
  try {
    readFileSync(join(directory, `${name}.txt`), 'utf8').split('\n').forEach((line, i) => {
      for (const [, digest, bytes] of line.matchAll(CONTENT)) literals.set(digest, fromHex(bytes));
      if (line === '' || line.startsWith('#')) return;
      count++;
      try {
        const [got, expected] = CHECKS[name](line.split(' | ').map((column) => column.trim()));
        if (got !== expected) wrong.push(`line ${i + 1}: expected ${expected}, got ${got}: ${line.slice(0, 200)}`);
      } catch (error) {
        wrong.push(`line ${i + 1}: ${String(error)}: ${line.slice(0, 200)}`);
      }
    });
  } catch (error) {
    wrong.push(String(error));
  }
  console.log(`${name}.txt: ${Math.max(count - wrong.length, 0)} of ${count}`);
  for (const message of wrong.slice(0, 5)) console.log(`  ${message}`);
  if (wrong.length || count === 0) process.exitCode = 1;
}

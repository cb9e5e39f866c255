// The numbers of stream-v1: as a plan writes them, and as the bytes of a dtype (section 7).
export function need(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`stream-v1: ${message}`);
}
const double = Float64Array.of(-1), halves = new Int32Array(double.buffer), whole = new BigUint64Array(double.buffer);
need(halves[1] < 0, 'this code needs a little-endian machine');

/** 2^n, from -1022 to 1023; e of 2^e <= |x| < 2^(e + 1), or -1023; and |x| < 2^51 to an integer, ties to even. */
export const pow2 = (n: number): number => (halves[0] = 0, halves[1] = n + 1023 << 20, double[0]);
export const exponentOf = (x: number): number => (double[0] = x, (halves[1] >>> 20 & 0x7ff) - 1023);
export const rint = (x: number): number => x + 0x18000000000000 - 0x18000000000000;

/** A float as glibc's printf("%a") writes it. */
export function float(text: string): number {
  const match = /^(-?)(?:0x([01])\.?([0-9a-f]{0,13})p([+-]\d{1,4})|inf|nan)$/.exec(text);
  need(match, `not an exact float: ${text}`);
  const [, sign, lead, fraction, exponent] = match, special = text.endsWith('inf') ? Infinity : NaN;
  const size = lead ? parseInt(lead + fraction, 16) * pow2(-4 * fraction.length) * pow2(+exponent) : special;
  return sign ? -size : size;
}

/** Array of the bits. Floats: significand bits, lowest exponent, largest number, and bits of infinity and NaN. */
export const DTYPES: Record<string, [any, ...number[]]> = {
  F64: [BigUint64Array, 53, -1074], C64: [BigUint64Array, 24], // F64 needs no rounding here, and C64 is two F32
  F32: [Uint32Array, 24, -149, float('0x1.fffffep+127'), 0x7f800000, 0x7fc00000],
  BF16: [Uint16Array, 8, -133, float('0x1.fep+127'), 0x7f80, 0x7fc0],
  F16: [Uint16Array, 11, -24, 65504, 0x7c00, 0x7e00],
  F8_E5M2: [Uint8Array, 3, -16, 57344, 0x7c, 0x7e], F8_E4M3: [Uint8Array, 4, -9, 448, 0x7f, 0x7f],
  U64: [BigUint64Array], U32: [Uint32Array], U16: [Uint16Array], U8: [Uint8Array], BOOL: [Uint8Array],
  I64: [BigInt64Array], I32: [Int32Array], I16: [Int16Array], I8: [Int8Array],
};
export const sizeOf = (dtype: string): number => DTYPES[dtype][0].BYTES_PER_ELEMENT;

/** The numbers of bytes of a floating dtype: n * 2^(low + k) has the bits n + k * unit, as `encode` has it. */
export function decode(bytes: Uint8Array, dtype: string): Float64Array {
  const [Bits, bits, low, , inf, nan] = DTYPES[dtype];
  if (dtype === 'F64') return new Float64Array(bytes.buffer);
  const unit = pow2(bits - 1), minus = pow2(8 * sizeOf(dtype) - 1);
  return Float64Array.from(new Bits(bytes.buffer), (word: number) => {
    const size = word % minus, k = Math.max(Math.floor(size / unit) - 1, 0), finite = (size - k * unit) * pow2(low + k);
    const x = size === nan || size > inf ? NaN : size === inf ? Infinity : finite;
    return word < minus ? x : -x;
  });
}

/** The bytes of numbers, each rounded to the dtype once. */
export function encode(values: ArrayLike<number>, dtype: string): Uint8Array {
  if (dtype === 'C64') return encode(Array.from(values).flatMap((x) => [x, 0]), 'F32');
  const [Bits, bits, low, largest, inf, nan] = DTYPES[dtype], width = 8 * sizeOf(dtype);
  const out = new Bits(values.length), unit = pow2(bits - 1), minus = pow2(width - 1);
  for (let i = 0; i < values.length; i++) {
    const x = values[i], size = Math.min(Math.abs(x), largest);
    if (dtype === 'F64') out[i] = Number.isNaN(x) ? 0x7ff8000000000000n : (double[0] = x, whole[0]);
    else if (bits) { // n * 2^(low + k) has the bits n + k * unit: subnormal, normal, or carried to the next exponent
      const k = Math.max(exponentOf(size) - bits + 1 - low, 0), finite = rint(size / pow2(low + k)) + k * unit;
      const word = Number.isNaN(x) ? nan : Math.abs(x) === Infinity ? inf : finite;
      out[i] = word !== nan && (x < 0 || Object.is(x, -0)) ? word + minus : word;
    } else { // the array stores a whole number modulo 2^width: one that it does not hold comes back as another
      out[i] = width === 64 ? BigInt(Number.isInteger(x) ? x : 0) : x;
      need(Number(out[i]) === x && !(dtype === 'BOOL' && x > 1), `${dtype} does not hold ${x}`);
    }
  }
  return new Uint8Array(out.buffer);
}

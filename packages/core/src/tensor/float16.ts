import { describeValue, InvalidInputError } from "../errors.js";
import { typedArrayName } from "./typed-array.js";

/**
 * IEEE 754 binary16. Every runtime can hold float16 data as a `Uint16Array` of bits; newer ones also
 * have `Float16Array` (ES2025). This file is the only place that knows the difference.
 */

/** The members of ES2025's `Float16Array` that Heed uses; spelled out since not every lib has it. */
export interface Float16ArrayLike {
  readonly [Symbol.toStringTag]: "Float16Array";
  readonly BYTES_PER_ELEMENT: number;
  readonly buffer: ArrayBufferLike;
  readonly byteLength: number;
  readonly byteOffset: number;
  readonly length: number;
  [index: number]: number;
  fill(value: number, start?: number, end?: number): this;
  set(source: ArrayLike<number>, offset?: number): void;
  slice(start?: number, end?: number): Float16ArrayLike;
  subarray(start?: number, end?: number): Float16ArrayLike;
}

interface Float16ArrayConstructor {
  new (length: number): Float16ArrayLike;
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): Float16ArrayLike;
}

/** The runtime's `Float16Array`, or `undefined` where there is none (Node 20 and 22). */
export const Float16ArrayConstructor: Float16ArrayConstructor | undefined = (
  globalThis as { Float16Array?: Float16ArrayConstructor }
).Float16Array;

/** Whether a value is a `Float16Array` of a runtime that has them. */
export function isFloat16Array(value: unknown): value is Float16ArrayLike {
  return typedArrayName(value) === "Float16Array";
}

/**
 * The bits of a polyfilled `Float16Array`, a view of the same memory; null for everything else.
 * Polyfills for Node 20 and 22 (such as `@petamoriken/float16`) wrap a `Uint16Array` of bits in a proxy,
 * which backends that hand arrays to native code cannot use.
 */
export function polyfilledFloat16Bits(value: unknown): Uint16Array | null {
  if (typeof value !== "object" || value === null || typedArrayName(value)) return null;
  try {
    if (Object.prototype.toString.call(value) !== "[object Float16Array]") return null;
    const { buffer, byteOffset, length, BYTES_PER_ELEMENT } = value as Float16ArrayLike;
    const isBuffer = byteLengthOf(buffer) !== null;
    if (!isBuffer || BYTES_PER_ELEMENT !== 2 || !Number.isInteger(length)) return null;
    return new Uint16Array(buffer, byteOffset, length);
  } catch {
    return null;
  }
}

const bufferGetters = [
  ArrayBuffer,
  ...(typeof SharedArrayBuffer === "undefined" ? [] : [SharedArrayBuffer]),
].map(({ prototype }) => Object.getOwnPropertyDescriptor(prototype, "byteLength")?.get);

/** The size of a buffer, by its internal slots; null for what is no buffer. */
function byteLengthOf(buffer: unknown): number | null {
  for (const get of bufferGetters) {
    try {
      return get?.call(buffer) as number;
    } catch {
      // Not this kind of buffer.
    }
  }
  return null;
}

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/**
 * The number that 16 bits stand for. Exact: every binary16 value is a binary64 value.
 *
 * @param bits 0 to 0xffff; higher bits are ignored
 * @throws InvalidInputError for what is no number
 */
export function float16BitsToNumber(bits: number): number {
  if (typeof bits !== "number") throw notANumber("bits", bits);
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (fraction + 1024) * 2 ** (exponent - 25);
}

/**
 * The nearest binary16 value of a number, ties to even, as 16 bits; overflow gives ±∞.
 *
 * @throws InvalidInputError for what is no number
 */
export function numberToFloat16Bits(value: number): number {
  if (typeof value !== "number") throw notANumber("value", value);
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  // 65520 is halfway between the largest finite value, 65504, and 2^16: it rounds to ∞.
  if (magnitude >= 65520) return sign | 0x7c00;
  // In the subnormal range the spacing is 2^-24; the division is exact and rounding is to even. A
  // carry to 1024 is the smallest normal value, whose bits follow on.
  if (magnitude < 2 ** -14) return sign | roundHalfToEven(magnitude * 2 ** 24);
  // The exponent is read off the float32 below or equal in binade; one that rounded up is put back.
  f32[0] = magnitude;
  let exponent = ((u32[0] as number) >> 23) - 127;
  if (2 ** exponent > magnitude) exponent -= 1;
  const fraction = roundHalfToEven(magnitude * 2 ** (10 - exponent)) - 1024;
  // fraction may carry to 1024, which the addition turns into the next binade.
  return sign | (((exponent + 15) << 10) + fraction);
}

/**
 * The same from the bits of a binary32 value, by integers, which takes a tenth of the time.
 *
 * @param bits of a `Uint32Array` over float32 elements
 */
export function float32BitsToFloat16Bits(bits: number): number {
  const magnitude = bits & 0x7fffffff;
  // From 2^-14, the smallest normal value, to below 65520: half an ulp less what makes ties even, then cut.
  if (magnitude >= 0x38800000 && magnitude < 0x477ff000) {
    const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
    return ((bits >>> 16) & 0x8000) | ((rounded - 0x38000000) >>> 13);
  }
  u32[0] = bits;
  return numberToFloat16Bits(f32[0] as number);
}

function notANumber(argument: string, value: unknown): InvalidInputError {
  return new InvalidInputError(argument, "a number", describeValue(value));
}

function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest > 0.5 || (rest === 0.5 && floor % 2 === 1)) return floor + 1;
  return floor;
}

/** The nearest binary16 value of a number, as a number. */
export function roundToFloat16(value: number): number {
  return float16BitsToNumber(numberToFloat16Bits(value));
}

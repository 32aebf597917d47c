import { Random } from "@heed/conformance";
import { type HostTensor, tensor } from "@heed/core";
import type { DecodeSizes } from "./problem.js";

export interface DecodeInputs {
  readonly sizes: DecodeSizes;
  /** Keys and values of every token; the first step appends the one with the index `length`. */
  readonly tokens: TokenRows;
  /** `[batch, queryHeads, 1, headDim]`. */
  readonly query: HostTensor;
}

/** Which of a token's rows: its key or its value. */
export type Side = "key" | "value";

/** Values that rows are cut from. A power of two, so that a hash is cut to its size. */
const poolSize = 2 ** 18;
/** Largest size of a row. */
const mostDims = 2 ** 10;
let normals: Float32Array | null = null;

function poolOf(dtype: DecodeSizes["dtype"]): Float32Array {
  normals ??= Float32Array.from(new Random("decode").normals(poolSize + mostDims));
  if (dtype !== "int8") return normals;
  return normals.map((x) => Math.round(127 * Math.max(-1, Math.min(1, x / 3))) / 127);
}

/**
 * Keys and values of any number of tokens: rows cut from a pool of numbers at places that a hash of token, head,
 * batch entry and side gives, so that gigabytes of them take no time to draw and are the same every time.
 *
 * For storage in int8 they are multiples of 1/127 with a 1 in each row: a scale for each row and one for all
 * are then the same, so that caches with the one and with the other hold the same values.
 */
export class TokenRows {
  readonly #sizes: DecodeSizes;
  readonly #pool: Float32Array;

  constructor(sizes: DecodeSizes) {
    this.#sizes = sizes;
    this.#pool = poolOf(sizes.dtype);
  }

  /** Rows of every batch entry and head: `[batch, kvHeads, count, headDim]`, of `count` tokens from `first` on. */
  chunk(side: Side, first: number, count: number): HostTensor<"float32"> {
    const { batch, kvHeads, headDim } = this.#sizes;
    const data = new Float32Array(batch * kvHeads * count * headDim);
    for (let b = 0, at = 0; b < batch; b++) {
      for (let head = 0; head < kvHeads; head++) {
        for (let i = 0; i < count; i++, at += headDim) {
          this.#write(data, at, side, b, head, first + i);
        }
      }
    }
    return tensor(data, [batch, kvHeads, count, headDim]);
  }

  /** The first `count` rows of one batch entry and head: `[1, 1, count, headDim]`. */
  head(side: Side, batch: number, head: number, count: number): HostTensor<"float32"> {
    const { headDim } = this.#sizes;
    const data = new Float32Array(count * headDim);
    for (let i = 0; i < count; i++) this.#write(data, i * headDim, side, batch, head, i);
    return tensor(data, [1, 1, count, headDim]);
  }

  #write(
    to: Float32Array,
    at: number,
    side: Side,
    batch: number,
    head: number,
    token: number,
  ): void {
    const { kvHeads, headDim, dtype } = this.#sizes;
    const row = (batch * kvHeads + head) * 2 + (side === "key" ? 0 : 1);
    const place = hash(Math.imul(row, 0x9e3779b1) ^ token);
    const start = place & (poolSize - 1);
    to.set(this.#pool.subarray(start, start + headDim), at);
    if (dtype === "int8") to[at + ((place >>> 18) % headDim)] = 1;
  }
}

/** The finaliser of MurmurHash3: every bit of the result depends on every bit of the number. */
function hash(number: number): number {
  let mixed = number;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

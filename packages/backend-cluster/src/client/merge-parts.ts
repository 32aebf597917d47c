import {
  bytesPerElement,
  cast,
  type DType,
  elementCount,
  type HostTensor,
  type TypedArray,
  tensor,
} from "@heed/core";
import type { PartOutputs } from "../message/answers.js";
import { typedArray } from "../message/reader.js";

/** Attention in host memory. */
export interface MergedOutputs {
  /** float64, or else float32. */
  readonly output: HostTensor;
  readonly logSumExp: HostTensor;
}

type Numbers = TypedArray & Record<number, number>;

/**
 * Merges the outputs of parts as core's operation merge does: weights and sums in float64, each number rounded once.
 * Belongs to a plan, whose calls have one shape: its scratch memory is reused by all of them.
 */
export class PartMerge {
  readonly #dtype: DType;
  readonly #wide: DType;
  readonly #shape: readonly number[];
  readonly #rows: number;
  readonly #valueDim: number;
  /** Elements of one part, aligned. */
  readonly #part: HostTensor;
  readonly #bytes: Uint8Array;
  readonly #sums: Float64Array;
  /** Log-sum-exps of one part, aligned. */
  readonly #statistics: Numbers;
  /** For each row, the largest log-sum-exp of a part, and the sum of exponentials relative to it. */
  readonly #most: Float64Array;
  readonly #totals: Float64Array;

  /**
   * @param dtype of the outputs in the messages: float64, float32 or float16
   * @param shape of the output, `[batch, queryHeads, queryLength, valueDim]`
   */
  constructor(dtype: DType, shape: readonly number[]) {
    this.#dtype = dtype;
    this.#wide = dtype === "float64" ? dtype : "float32";
    this.#shape = shape;
    this.#valueDim = shape[shape.length - 1] as number;
    this.#rows = elementCount(shape.slice(0, -1));
    const count = this.#rows * this.#valueDim;
    this.#part = tensor(made(dtype, count), [...shape], { dtype });
    this.#bytes = bytesOf(this.#part.data);
    this.#sums = new Float64Array(count);
    this.#statistics = made(this.#wide, this.#rows);
    this.#most = new Float64Array(this.#rows);
    this.#totals = new Float64Array(this.#rows);
  }

  /** @param parts at least one, as they lie in their messages */
  merge(parts: readonly PartOutputs[]): MergedOutputs {
    const logSumExp = made(this.#wide, this.#rows);
    const output = parts.length === 1 ? this.#only(parts, logSumExp) : this.#sum(parts, logSumExp);
    return {
      output: tensor(output, [...this.#shape]),
      logSumExp: tensor(logSumExp, this.#shape.slice(0, -1)),
    };
  }

  /** The output of a part that is alone. */
  #only([part]: readonly PartOutputs[], logSumExp: Numbers): TypedArray {
    bytesOf(logSumExp).set((part as PartOutputs).logSumExp);
    return this.#aligned(part as PartOutputs).slice();
  }

  #sum(parts: readonly PartOutputs[], logSumExp: Numbers): TypedArray {
    const most = this.#most.fill(Number.NEGATIVE_INFINITY);
    const totals = this.#totals.fill(0);
    for (const part of parts) {
      const lse = this.#statisticsOf(part);
      for (let r = 0; r < lse.length; r++) most[r] = Math.max(most[r] as number, lse[r] as number);
    }
    for (const part of parts) {
      const lse = this.#statisticsOf(part);
      for (let r = 0; r < lse.length; r++) {
        (totals[r] as number) += Math.exp((lse[r] as number) - (most[r] as number));
      }
    }
    this.#sums.fill(0);
    for (const part of parts) this.#add(this.#aligned(part), this.#statisticsOf(part));
    for (let r = 0; r < totals.length; r++) {
      const empty = most[r] === Number.NEGATIVE_INFINITY;
      logSumExp[r] = (most[r] as number) + (empty ? 0 : Math.log(totals[r] as number));
    }
    const output = made(this.#wide, this.#sums.length);
    output.set(this.#sums);
    return output;
  }

  /** Adds the rows of a part, each with its weight. */
  #add(part: Numbers, lse: Numbers): void {
    const sums = this.#sums;
    const size = this.#valueDim;
    for (let r = 0; r < lse.length; r++) {
      const own = lse[r] as number;
      // A part that saw no key contributes nothing, whatever it sent: 0 · NaN would be NaN.
      if (own === Number.NEGATIVE_INFINITY) continue;
      const weight = Math.exp(own - (this.#most[r] as number)) / (this.#totals[r] as number);
      const end = (r + 1) * size;
      for (let i = r * size; i < end; i++) (sums[i] as number) += weight * (part[i] as number);
    }
  }

  /** @returns numbers that are valid until the next part is read; float16 as float32 */
  #aligned({ output }: PartOutputs): Numbers {
    this.#bytes.set(output);
    return (this.#dtype === "float16" ? cast(this.#part, "float32") : this.#part).data as Numbers;
  }

  /** @returns numbers that are valid until the next part is read */
  #statisticsOf({ logSumExp }: PartOutputs): Numbers {
    bytesOf(this.#statistics).set(logSumExp);
    return this.#statistics;
  }
}

function made(dtype: DType, count: number): Numbers {
  return typedArray(dtype, new ArrayBuffer(count * bytesPerElement(dtype))) as Numbers;
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

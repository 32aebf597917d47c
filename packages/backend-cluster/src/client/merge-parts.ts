import {
  bytesPerElement,
  cast,
  type DType,
  elementCount,
  type HostTensor,
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

/**
 * Merges the outputs of parts where they lie in their messages, as core's operation merge does: weights and sums in float64,
 * each number rounded once.
 *
 * @param parts at least one
 * @param dtype of the outputs in the messages: float64, float32 or float16
 * @param shape of the output, `[batch, queryHeads, queryLength, valueDim]`
 */
export function mergeParts(
  parts: readonly PartOutputs[],
  dtype: DType,
  shape: readonly number[],
): MergedOutputs {
  const wide = dtype === "float64" ? dtype : "float32";
  const [first] = parts as readonly [PartOutputs];
  if (parts.length === 1) {
    return {
      output: widened(tensor(copied(first.output, dtype), [...shape], { dtype })),
      logSumExp: tensor(copied(first.logSumExp, wide), shape.slice(0, -1)),
    };
  }
  const valueDim = shape[shape.length - 1] as number;
  const rows = elementCount(shape.slice(0, -1));
  const lses = parts.map(({ logSumExp }) => copied(logSumExp, wide));
  const output = typedArray(wide, new ArrayBuffer(rows * valueDim * bytesPerElement(wide)));
  const logSumExp = typedArray(wide, new ArrayBuffer(first.logSumExp.byteLength));
  const row = new AlignedRow(dtype, valueDim);
  const sum = new Float64Array(valueDim);
  for (let r = 0; r < rows; r++) {
    let most = Number.NEGATIVE_INFINITY;
    for (const lse of lses) most = Math.max(most, lse[r] as number);
    logSumExp[r] = most;
    if (most === Number.NEGATIVE_INFINITY) continue;
    let total = 0;
    for (const lse of lses) total += Math.exp((lse[r] as number) - most);
    logSumExp[r] = most + Math.log(total);
    sum.fill(0);
    for (let p = 0; p < parts.length; p++) {
      const lse = lses[p]?.[r] as number;
      // A part that saw no key contributes nothing, whatever it sent: 0 · NaN would be NaN.
      if (lse === Number.NEGATIVE_INFINITY) continue;
      const weight = Math.exp(lse - most) / total;
      const from = row.read((parts[p] as PartOutputs).output, r);
      for (let i = 0; i < valueDim; i++) (sum[i] as number) += weight * (from[i] as number);
    }
    output.set(sum, r * valueDim);
  }
  return {
    output: tensor(output, [...shape]),
    logSumExp: tensor(logSumExp, shape.slice(0, -1)),
  };
}

/** One row at a time of elements that are not aligned. */
class AlignedRow {
  readonly #bytes: Uint8Array;
  readonly #row: HostTensor;

  constructor(dtype: DType, length: number) {
    const data = typedArray(dtype, new ArrayBuffer(length * bytesPerElement(dtype)));
    this.#bytes = new Uint8Array(data.buffer);
    this.#row = tensor(data, [length], { dtype });
  }

  /** @returns numbers that are valid until the next row is read */
  read(from: Uint8Array, row: number): ArrayLike<number> {
    const { length } = this.#bytes;
    this.#bytes.set(from.subarray(row * length, (row + 1) * length));
    return widened(this.#row).data as ArrayLike<number>;
  }
}

/** float16 as float32, anything else as it is. */
function widened(t: HostTensor): HostTensor {
  return t.dtype === "float16" ? cast(t, "float32") : t;
}

function copied(
  bytes: Uint8Array,
  dtype: DType,
): ReturnType<typeof typedArray> & ArrayLike<number> {
  return typedArray(dtype, new Uint8Array(bytes).buffer) as never;
}

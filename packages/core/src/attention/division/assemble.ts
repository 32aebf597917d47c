import { mergePartials } from "../../merge/merge.js";
import type { OperandSpec } from "../../operation/operation.js";
import { isRowMajor } from "../../tensor/layout.js";
import { type HostTensor, zeros } from "../../tensor/tensor.js";
import { copyRowMajor } from "../../tensor/values.js";
import type { Part } from "./parts.js";

/** The outputs of a part, in host memory, by name. */
export type PartOutputs = Readonly<Record<string, HostTensor | undefined>>;

/** The outputs of a call while its parts come in, in the order of `partsOf`. */
export class Assembly {
  readonly outputs: Readonly<Record<string, HostTensor>>;
  readonly #keyLength: number;
  /** Attention over the ranges of keys of the rows that are being put together. */
  #partial: { readonly output: HostTensor; readonly logSumExp: HostTensor }[] = [];

  /** @param operands the outputs of the call */
  constructor(operands: readonly OperandSpec[], keyLength: number) {
    this.outputs = Object.fromEntries(
      operands.map(({ name, dtype, shape }) => [name, zeros(dtype, shape)]),
    );
    this.#keyLength = keyLength;
  }

  add(part: Part, outputs: PartOutputs): void {
    const { output, logSumExp, weights, scores } = outputs;
    this.#place("weights", weights, part);
    this.#place("scores", scores, part);
    const { start, end } = part.keys;
    if (end - start === this.#keyLength) {
      this.#place("output", output, part);
      this.#place("logSumExp", logSumExp, part);
      return;
    }
    this.#partial.push({ output: output as HostTensor, logSumExp: logSumExp as HostTensor });
    if (end < this.#keyLength) return;
    const merged = mergePartials(this.#partial);
    this.#partial = [];
    this.#place("output", merged.output, part);
    this.#place("logSumExp", merged.logSumExp, part);
  }

  /** Copies a part's tensor to its place among the rows, and keys, of the whole. */
  #place(name: string, given: HostTensor | undefined, part: Part): void {
    const whole = this.outputs[name];
    if (whole === undefined || given === undefined) return;
    const t = isRowMajor(given) ? given : copyRowMajor(given);
    const { batch, heads, rows, keys } = part;
    const [, allHeads, allRows, allColumns = 1] = whole.shape as readonly number[];
    const columns = t.shape[3] ?? 1;
    const firstColumn = name === "weights" || name === "scores" ? keys.start : 0;
    const from = bytesOf(t);
    const to = bytesOf(whole);
    const size = t.data.BYTES_PER_ELEMENT;
    // One piece where rows lie one after another in both, which they do unless keys are apart.
    const together = columns === allColumns ? rows.end - rows.start : 1;
    const length = together * columns * size;
    let at = t.offset * size;
    for (let b = batch.start; b < batch.end; b++) {
      for (let h = heads.start; h < heads.end; h++) {
        for (let i = rows.start; i < rows.end; i += together) {
          const row = (b * (allHeads as number) + h) * (allRows as number) + i;
          to.set(from.subarray(at, at + length), (row * allColumns + firstColumn) * size);
          at += length;
        }
      }
    }
  }
}

/** The memory of a tensor: float16 comes in arrays of two kinds, and NaN keeps its bits. */
function bytesOf({ data }: HostTensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

import { allocate, type FloatDType, holdsBits, statisticsDType, type TypedArray } from "@heed/core";
import type { RuntimeTensor } from "../../runtime/runtime.js";
import type { PartResults } from "../stored/assemble.js";
import type { TileCall } from "./call.js";
import type { VisitGroup } from "./groups.js";

/** The outputs of a call, into which those of its groups are put. */
export class VisitResults {
  readonly #call: TileCall;
  readonly #outputs: Readonly<Record<string, RuntimeTensor>>;

  /** @param dtype of the graph's output */
  constructor(call: TileCall, dtype: FloatDType) {
    const { batch, queryHeads, queryLength, valueDim, returns } = call.problem;
    this.#call = call;
    const made = (type: FloatDType, size: number): RuntimeTensor => ({
      type,
      dims: [batch, queryHeads, queryLength, size],
      data: allocate(type, batch * queryHeads * queryLength * size),
      location: "cpu",
      dispose: () => {},
    });
    const outputs: Record<string, RuntimeTensor> = { output: made(dtype, valueDim) };
    if (returns.logSumExp) {
      outputs.logSumExp = made(statisticsDType(call.problem.dtype), 1);
      this.#startSums(outputs.logSumExp.data as Float32Array);
    }
    this.#outputs = outputs;
  }

  /** Rows that see no key have the sum of their sink. */
  #startSums(sums: Float32Array): void {
    const { queryLength, queryHeads } = this.#call.problem;
    const { sinks } = this.#call.bound;
    for (let row = 0; row < sums.length; row++) {
      const head = Math.floor(row / queryLength) % queryHeads;
      sums[row] = sinks?.[head] ?? Number.NEGATIVE_INFINITY;
    }
  }

  /** @param results `[visits, heads, rows, size]` of each output */
  put({ visits, heads: { queries: heads }, rows }: VisitGroup, results: PartResults): void {
    const { queryHeads, queryLength } = this.#call.problem;
    for (const [name, output] of Object.entries(this.#outputs)) {
      const into = output.data as Float32Array;
      const from = asBits(results[name]?.data as TypedArray, into) as Float32Array;
      const size = output.dims[3] as number;
      for (const [n, visit] of visits.entries()) {
        for (let h = 0; h < heads; h++) {
          const start = (n * heads + h) * rows * size;
          const head = visit.batch * queryHeads + visit.head + h;
          const at = (head * queryLength + visit.row) * size;
          into.set(from.subarray(start, start + visit.rows * size), at);
        }
      }
    }
  }

  get all(): PartResults {
    return this.#outputs;
  }
}

/** Elements as bits, where the engine has arrays of float16 that would be read as numbers. */
function asBits(data: TypedArray, like: TypedArray): TypedArray {
  const { buffer, byteOffset, length } = data;
  return holdsBits(like) ? new Uint16Array(buffer, byteOffset, length) : data;
}

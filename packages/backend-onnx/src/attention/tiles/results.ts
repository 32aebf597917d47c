import {
  allocate,
  type FloatDType,
  type Sequence,
  statisticsDType,
  type TypedArray,
} from "@heed/core";
import type { Scratch } from "../../layout/scratch.js";
import type { ModelValue } from "../../model/model.js";
import { runtimeTensor } from "../../runtime/native-data.js";
import type { Runtime, RuntimeTensor } from "../../runtime/runtime.js";
import type { PartResults } from "../stored/assemble.js";
import type { TileCall } from "./call.js";
import type { VisitGroup } from "./groups.js";
import { firstRowOf } from "./neighbours.js";

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

  /**
   * Tensors into which a run of a group writes its outputs: parts of the call's own where the group's rows lie one after another
   * there, else arrays that are used again. Without them each run makes new ones, and engines collect garbage by how much memory
   * such arrays hold.
   *
   * @param values outputs of the group's graph
   * @param taken gets the arrays that are to be given back after {@link put}
   */
  fetches(
    runtime: Runtime,
    group: VisitGroup,
    values: readonly ModelValue[],
    scratch: Scratch,
    taken: TypedArray[],
  ): Readonly<Record<string, RuntimeTensor | null>> {
    const { visits, heads, rows } = group;
    const first = firstRowOf(this.#call, group);
    const fetches: Record<string, RuntimeTensor | null> = {};
    for (const { name } of values) {
      const output = this.#outputs[name];
      if (output === undefined) {
        // Made by the run, such as the sum that tells of a leak: outputs that are not named are not computed.
        fetches[name] = null;
        continue;
      }
      const [type, size] = [output.type as FloatDType, output.dims[3] as number];
      const count = visits.length * heads.queries * rows * size;
      let data: TypedArray;
      if (first === null) {
        data = scratch.take(type, count);
        taken.push(data);
      } else {
        const start = first * size;
        data = (output.data as Float32Array).subarray(start, start + count);
      }
      fetches[name] = runtimeTensor(runtime, type, data, [
        visits.length,
        heads.queries,
        rows,
        size,
      ]);
    }
    return fetches;
  }

  /** @param results `[visits, heads, rows, size]` of each output */
  put({ visits, heads: { queries: heads }, rows }: VisitGroup, results: PartResults): void {
    const { problem, sequences } = this.#call;
    const { queryHeads, queryLength } = problem;
    for (const [name, output] of Object.entries(this.#outputs)) {
      const into = output.data as Float32Array;
      const from = asKindOf(into, results[name]?.data as TypedArray);
      // The run has written it in place.
      if (from.buffer === into.buffer) continue;
      const size = output.dims[3] as number;
      for (const [n, visit] of visits.entries()) {
        const { batch, queryStart } = sequences[visit.sequence] as Sequence;
        for (let h = 0; h < heads; h++) {
          const start = (n * heads + h) * rows * size;
          const first = (batch * queryHeads + visit.head + h) * queryLength + queryStart;
          for (const { row, rows: count, at } of visit.spans) {
            const own = from.subarray(start + at * size, start + (at + count) * size);
            into.set(own, (first + row) * size);
          }
        }
      }
    }
  }

  get all(): PartResults {
    return this.#outputs;
  }
}

/**
 * Results of a run with the tensors that it was given to write into. onnxruntime-node 1.30 returns copies of these, whose
 * memory is given back at once where engines can: garbage is collected the sooner the more of it there is.
 */
export function asGiven(
  results: PartResults,
  given: Readonly<Record<string, RuntimeTensor | null>> = {},
): PartResults {
  const own: Record<string, RuntimeTensor> = { ...results };
  for (const [name, tensor] of Object.entries(given)) {
    if (tensor === null) continue;
    const copy = memoryOf(own[name]);
    if (copy !== memoryOf(tensor)) copy?.transfer?.(0);
    own[name] = tensor;
  }
  return own;
}

/** An array's memory; Node 20 has no way to give it back. */
type Memory = ArrayBufferLike & { transfer?(length: number): unknown };

function memoryOf(tensor: RuntimeTensor | undefined): Memory | undefined {
  return (tensor?.data as TypedArray | undefined)?.buffer;
}

/** Elements in an array of another's kind: float16 may be numbers or their bits. */
function asKindOf<T extends TypedArray>(like: T, { buffer, byteOffset, length }: TypedArray): T {
  const Elements = like.constructor as new (...of: [ArrayBufferLike, number, number]) => T;
  return new Elements(buffer, byteOffset, length);
}

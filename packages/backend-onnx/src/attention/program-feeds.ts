import { type BoundAttention, statisticsDType, type TypedArray, tensor } from "@heed/core";
import type { BlockMask, BoundProgram, TableData } from "@heed/core/program";
import { elementsOf } from "../model/model.js";
import { zeroOrOne } from "../runtime/booleans.js";
import { runtimeTensor } from "../runtime/native-data.js";
import type { Runtime, RuntimeDType, RuntimeTensor } from "../runtime/runtime.js";
import { scalarInput, tableInput } from "./graph/program-nodes.js";
import type { FedGraph, Feeds } from "./position-feeds.js";

/**
 * The inputs of a graph that hold the data of its programs: tables, scalars and blocks. They change without
 * another graph.
 *
 * @param sequences numbers of the graph's batch entries
 */
export function programFeeds(
  runtime: Runtime,
  { types }: FedGraph,
  bound: BoundAttention,
  sequences: readonly number[],
): Feeds {
  const feeds: Feeds = {};
  const compute = statisticsDType(bound.problem.dtype);
  for (const program of [bound.maskMod, bound.scoreMod]) {
    if (program) addProgram(feeds, runtime, types, program, compute);
  }
  const type = types.get("blocks");
  if (bound.blockMask && type) {
    feeds.blocks = blocks(runtime, bound.blockMask.blocks, sequences, type);
  }
  return feeds;
}

/** Adds the tables and scalars of a program. */
export function addProgram(
  feeds: Feeds,
  runtime: Runtime,
  types: FedGraph["types"],
  { form, tables, scalars }: BoundProgram,
  compute: "float64" | "float32",
): void {
  const one = (name: string, value: number): void => {
    feeds[name] = new runtime.Tensor("int32", Int32Array.of(value), [1, 1, 1, 1]);
  };
  for (const [slot, table] of tables.entries()) {
    const name = tableInput(form, slot);
    const type = types.get(name);
    if (type === undefined) continue;
    feeds[name] = elements(runtime, table, type);
    let stride = 1;
    for (let axis = table.shape.length - 1; axis >= 0; axis--) {
      const size = table.shape[axis] as number;
      one(`${name}Last${axis}`, size - 1);
      if (axis < table.shape.length - 1) one(`${name}Stride${axis}`, stride);
      stride *= size;
    }
  }
  for (const [slot, value] of scalars.entries()) {
    const name = scalarInput(form, slot);
    const type =
      form.scalars[slot] === "float32" ? compute : (form.scalars[slot] as "int32" | "bool");
    feeds[name] = new runtime.Tensor(type, elementsOf(type, [value]), [1, 1, 1, 1]);
  }
}

function elements(runtime: Runtime, { data, dtype }: TableData, type: RuntimeDType): RuntimeTensor {
  const dims = [data.length];
  if (dtype !== "bool") return runtimeTensor(runtime, type, data, dims);
  const bools = zeroOrOne(tensor(data as Uint8Array, dims, { dtype: "bool" })).data as Uint8Array;
  return runtimeTensor(runtime, type, type === "bool" ? bools : Int32Array.from(bools), dims);
}

function blocks(
  runtime: Runtime,
  { mask }: BlockMask,
  sequences: readonly number[],
  type: RuntimeDType,
): RuntimeTensor {
  const [batch, heads, queries, keys] = mask.shape as readonly [number, number, number, number];
  const size = heads * queries * keys;
  const all = mask.data;
  const whole = batch === 1 || sequences.every((number, b) => number === b);
  const entries = batch === 1 ? 1 : sequences.length;
  const chosen = whole ? all.subarray(0, entries * size) : new Uint8Array(entries * size);
  if (!whole) {
    for (const [b, number] of sequences.entries()) {
      chosen.set(all.subarray(number * size, (number + 1) * size), b * size);
    }
  }
  const data = type === "bool" ? chosen : Int32Array.from(chosen);
  return runtimeTensor(runtime, type, data as TypedArray, [entries, heads, queries, keys]);
}

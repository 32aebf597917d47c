import type { AttentionProblem, TypedArray } from "@heed/core";
import { GraphBuilder, type Value } from "../../model/builder.js";
import { encodeModel, type ModelValue } from "../../model/model.js";
import type { Runtime, RuntimeTensor } from "../../runtime/runtime.js";
import type { SessionModel } from "../../runtime/sessions.js";
import type { Feeds } from "../position-feeds.js";
import type { Group } from "./groups.js";

/** Results of the runs of a call, by name. */
export type PartResults = Readonly<Record<string, RuntimeTensor>>;

/** Outputs that may come in parts; others have a column for each key, and come from one run. */
const names = ["output", "logSumExp"] as const;

/** Puts the outputs of all groups together, `[batch, queryHeads, queryLength, size]`, in host memory. */
export function assembled(
  problem: AttentionProblem,
  groups: readonly Group[],
  results: readonly PartResults[],
): Record<string, RuntimeTensor> {
  const { batch, queryHeads, queryLength } = problem;
  const outputs: Record<string, RuntimeTensor> = {};
  for (const name of names) {
    const first = results[0]?.[name];
    if (!first) continue;
    const size = first.dims[3] as number;
    const Elements = (first.data as TypedArray).constructor as new (length: number) => TypedArray;
    const data = new Elements(batch * queryHeads * queryLength * size);
    for (const [at, { entries, rows }] of groups.entries()) {
      const part = results[at]?.[name]?.data as Float32Array;
      for (const [b, { sequence }] of entries.entries()) {
        const { queryStart, queryLength: own } = sequence;
        for (let h = 0; h < queryHeads; h++) {
          const from = (b * queryHeads + h) * rows * size;
          const to = ((sequence.batch * queryHeads + h) * queryLength + queryStart) * size;
          (data as Float32Array).set(part.subarray(from, from + own * size), to);
        }
      }
    }
    outputs[name] = {
      ...hostTensor,
      type: first.type,
      dims: [batch, queryHeads, queryLength, size],
      data,
    };
  }
  return outputs;
}

/** A result as sessions give it, for those that read results. */
const hostTensor = { location: "cpu", dispose: () => {} } as const;

/** A model that puts outputs of runs together on the device. */
export interface Assembly extends SessionModel {
  readonly outputs: readonly ModelValue[];
}

/**
 * Joins the outputs of runs and puts rows, or entries, in the call's order. Inputs: `output0`, `output1` … and
 * `logSumExp0` …, `[entries, queryHeads, rows, size]`, and `places`, int32: where each row of a ragged batch, or
 * each entry, is among those of all runs, in their order.
 */
export function assembly(
  parts: number,
  { queryHeads, valueDim, ragged }: AttentionProblem,
  outputs: readonly ModelValue[],
): Assembly {
  const g = new GraphBuilder(18);
  const places = g.input("places", "int32", ["places"]);
  for (const { name, dtype } of outputs) {
    const size = name === "output" ? valueDim : 1;
    const all: Value[] = [];
    for (let part = 0; part < parts; part++) {
      const dims = [`entries${part}`, queryHeads, `rows${part}`, size];
      const given = g.input(`${name}${part}`, dtype, dims);
      if (!ragged) {
        all.push(given);
        continue;
      }
      const byHead = g.op("Transpose", [given], { perm: [1, 0, 2, 3] });
      all.push(g.reshape(byHead, 1, queryHeads, -1, size));
    }
    const axis = ragged ? 2 : 0;
    const joined = all.length === 1 ? (all[0] as Value) : g.op("Concat", all, { axis });
    const rows = ["batch", queryHeads, "queryLength", size];
    g.output(name, g.op("Gather", [joined, places], { axis }), dtype, rows);
  }
  const graph = g.build();
  const shown = outputs.map(({ name, dtype }) => `${name} ${dtype}`).join();
  return {
    key: `assembly ${parts} ${ragged ? "rows" : "entries"} ${queryHeads} ${valueDim} ${shown}`,
    model: () => encodeModel(graph),
    outputs: graph.outputs,
  };
}

/** The inputs of {@link assembly}. */
export function assemblyFeeds(
  { Tensor }: Runtime,
  { batch, queryLength, ragged }: AttentionProblem,
  groups: readonly Group[],
  results: readonly PartResults[],
): Feeds {
  const places = new Int32Array(ragged ? queryLength : batch);
  const feeds: Feeds = {};
  let before = 0;
  for (const [part, { entries, rows }] of groups.entries()) {
    for (const [name, result] of Object.entries(results[part] as PartResults)) {
      feeds[`${name}${part}`] = result;
    }
    for (const { sequence } of entries) {
      if (!ragged) places[sequence.batch] = before++;
      else {
        for (let i = 0; i < sequence.queryLength; i++) places[sequence.queryStart + i] = before + i;
        before += rows;
      }
    }
  }
  feeds.places = new Tensor("int32", places, [places.length]);
  return feeds;
}

import {
  type AttentionInputs,
  type AttentionOutputs,
  bindInputs,
  describeProblem,
  type HostTensor,
  keyHeadOf,
  slice,
} from "@heed/core";
import { Random } from "../../../calls/random.js";
import type { Arithmetic } from "../../../judge/arithmetic.js";
import { summarise, type Verdict } from "../../../judge/verdict.js";
import { judge } from "./judge.js";

/** A query row: `[batch, queryHead, query]`. */
export type Row = readonly [batch: number, head: number, query: number];

/** Rows of a call spread over all of it, the first and the last among them. */
export function sampleRows(inputs: AttentionInputs<HostTensor>, count: number): Row[] {
  const [batch, heads, length] = inputs.query.shape as [number, number, number];
  const total = batch * heads * length;
  const random = new Random(total);
  const flat = new Set<number>(total > 0 ? [0, total - 1] : []);
  while (flat.size < Math.min(count, total)) flat.add(Math.floor(random.uniform() * total));
  return [...flat].map((at) => [
    Math.floor(at / (heads * length)),
    Math.floor(at / length) % heads,
    at % length,
  ]);
}

/**
 * Judges some rows of a call too large for the float64 reference as a whole. Rows do not depend on
 * each other: each is judged as a call of its own, whose one query sits where the row was.
 */
export function judgeRows(
  inputs: AttentionInputs<HostTensor>,
  outputs: AttentionOutputs<HostTensor>,
  rows: readonly Row[],
  arithmetic?: Arithmetic,
): Verdict {
  const problem = describeProblem(inputs);
  const bound = bindInputs(problem, inputs);
  const verdicts = rows.map(([b, h, i]) => {
    const g = keyHeadOf(problem, h);
    const row = (t: HostTensor, head: number): HostTensor =>
      slice(slice(t, 0, b, b + 1), 1, head, head + 1);
    const one = (t: HostTensor, head = h): HostTensor => slice(row(t, head), 2, i, i + 1);
    const call: AttentionInputs<HostTensor> = {
      ...inputs,
      query: one(bound.query),
      key: row(bound.key, g),
      value: row(bound.value, g),
      mask: bound.mask ? one(bound.mask) : undefined,
      bias: bound.bias ? one(bound.bias) : undefined,
      queryOffset: (bound.offsets[b] as number) + i,
      kvLengths: inputs.kvLengths && [bound.kvLengths[b] as number],
      alibiSlopes: bound.alibiSlopes?.slice(h, h + 1),
      sinks: bound.sinks?.slice(h, h + 1),
      scale: problem.scale,
    };
    const { logSumExp, weights, scores } = outputs;
    const got = {
      output: one(outputs.output),
      ...(logSumExp && { logSumExp: one(logSumExp) }),
      ...(weights && { weights: one(weights) }),
      ...(scores && { scores: one(scores) }),
    };
    return judge(call, got, undefined, arithmetic);
  });
  return summarise(
    verdicts,
    verdicts.flatMap(({ violations }) => violations),
  );
}

import {
  type AttentionInputs,
  type AttentionOutputs,
  type BoundAttention,
  bindInputs,
  describeProblem,
  type HostTensor,
  keyHeadOf,
  slice,
} from "@heed/core";
import {
  type BlockMaskData,
  type Program,
  type ProgramKind,
  programFromJSON,
} from "@heed/core/program";
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
  const verdicts = rows.map((at) => {
    const [b, h, i] = at;
    const one = (t: HostTensor): HostTensor => slice(rowOf(t, b, h), 2, i, i + 1);
    const call = callOfRow(inputs, bound, at);
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

/** A head of a batch entry: `[1, 1, …]`. */
function rowOf(t: HostTensor, batch: number, head: number): HostTensor {
  return slice(slice(t, 0, batch, batch + 1), 1, head, head + 1);
}

/** The call that has one row of another call, and nothing but what that row sees. */
function callOfRow(
  inputs: AttentionInputs<HostTensor>,
  bound: BoundAttention<HostTensor>,
  row: Row,
): AttentionInputs<HostTensor> {
  const [b, h, i] = row;
  const { problem, queryStarts, keyStarts } = bound;
  const g = keyHeadOf(problem, h);
  const one = (t: HostTensor): HostTensor => slice(rowOf(t, b, h), 2, i, i + 1);
  // Sequences without queries begin where the next one does.
  const sequence = queryStarts ? queryStarts.filter((start) => start <= i).length - 1 : b;
  const [from, to] = keyStarts
    ? [keyStarts[sequence] as number, keyStarts[sequence + 1] as number]
    : [0, problem.keyLength];
  const ofSequence = (t: HostTensor): HostTensor => (keyStarts ? slice(t, 2, from, to) : t);
  const first = queryStarts ? (queryStarts[sequence] as number) : 0;
  const { maskMod, scoreMod, blockMask } = inputs;
  // Programs and blocks count within the sequence.
  const place: Row = [sequence, h, i - first];
  return {
    ...inputs,
    queryStarts: undefined,
    keyStarts: undefined,
    query: one(bound.query),
    key: ofSequence(rowOf(bound.key, b, g)),
    value: ofSequence(rowOf(bound.value, b, g)),
    mask: bound.mask ? one(bound.mask) : undefined,
    bias: bound.bias ? one(bound.bias) : undefined,
    queryOffset: (bound.offsets[sequence] as number) + i - first,
    kvLengths: inputs.kvLengths && [bound.kvLengths[sequence] as number],
    alibiSlopes: bound.alibiSlopes?.slice(h, h + 1),
    sinks: bound.sinks?.slice(h, h + 1),
    scale: problem.scale,
    maskMod: maskMod && programOfRow(maskMod, place),
    scoreMod: scoreMod && programOfRow(scoreMod, place),
    blockMask: blockMask && blocksOfRow(blockMask, place, to - from),
  };
}

/** A program in which the row's batch entry, head and index are numbers: its own call has one of each. */
function programOfRow<K extends ProgramKind>(
  program: Program<K>,
  [batch, head, queryIndex]: Row,
): Program<K> {
  const places: Readonly<Record<string, number>> = { batch, head, queryIndex };
  const { nodes, ...json } = program.toJSON();
  const fixed = nodes.map((node) =>
    node.op === "variable" && Object.hasOwn(places, node.name as string)
      ? { op: "constant", type: node.type, value: places[node.name as string] as number }
      : node,
  );
  const { tables, scalars } = program;
  return programFromJSON({ ...json, nodes: fixed }, { tables, scalars }) as Program<K>;
}

/** The row of blocks that a row of queries is in. */
function blocksOfRow(
  { mask, queryBlock, keyBlock }: BlockMaskData,
  [s, h, i]: Row,
  keyLength: number,
): BlockMaskData {
  const block = Math.floor(i / queryBlock);
  const own = rowOf(mask, mask.shape[0] === 1 ? 0 : s, mask.shape[1] === 1 ? 0 : h);
  const row = slice(own, 2, block, block + 1);
  return { mask: slice(row, 3, 0, Math.ceil(keyLength / keyBlock)), queryBlock: 1, keyBlock };
}

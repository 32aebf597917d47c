import { type AttentionOutputs, type BackendInfo, type HostTensor, slice } from "@heed/core";
import { differing, outputBits } from "../../../calls/bits.js";
import { difference, toleranceOf } from "./compare.js";
import { choose, type Law } from "./law.js";
import { everyFeature } from "./problems.js";
import {
  type Call,
  onBatch,
  onHead,
  onKeys,
  onQueries,
  repeatHeads,
  withOffsets,
} from "./transform.js";

type Outputs = AttentionOutputs<HostTensor>;

/** The outputs' rows in `from ≤ index < to` of an axis. */
function part({ output, logSumExp }: Outputs, axis: number, from: number, to: number): Outputs {
  return {
    output: slice(output, axis, from, to),
    ...(logSumExp && { logSumExp: slice(logSumExp, axis, from, to) }),
  };
}

/** Each index of an axis on its own gives what it gives among the others. */
async function independent(
  call: Call,
  axis: 0 | 1,
  alone: (call: Call, index: number) => Call,
  run: (call: Call) => Promise<Outputs>,
): Promise<string | null> {
  const whole = await run(call);
  for (let index = 0; index < (call.query.shape[axis] as number); index++) {
    const one = alone(call, index);
    const broken = difference(
      await run(one),
      part(whole, axis, index, index + 1),
      toleranceOf(one),
    );
    if (broken) return `${axis === 0 ? "batch" : "head"} ${index}: ${broken}`;
  }
  return null;
}

/** Whether a backend says that it is batch-invariant, among its features or its notes. */
function saysInvariant({ features, notes = [] }: BackendInfo): boolean {
  return [...features, ...notes].some((told) => /^batch-?invariant\b/i.test(told));
}

export const partLaws: readonly Law[] = [
  {
    name: "batch-invariance",
    statement:
      "Where the backend promises it, a row has the same bits whatever rows, heads and batches stand beside it.",
    features: everyFeature,
    isPromised: saysInvariant,
    check: async (call, { run, random }) => {
      const whole = await run(call);
      const [batch, heads, rows] = call.query.shape as [number, number, number];
      const [b, h, i] = [batch, heads, rows].map((size) => choose(random, size - 1)) as [
        number,
        number,
        number,
      ];
      const end = i + 1 + choose(random, rows - i - 1);
      const tries: readonly (readonly [string, Call, Outputs])[] = [
        [`batch ${b}`, onBatch(call, b), part(whole, 0, b, b + 1)],
        [`head ${h}`, onHead(call, h), part(whole, 1, h, h + 1)],
        [`row ${i}`, onQueries(call, i, i + 1), part(whole, 2, i, i + 1)],
        [`rows ${i} to ${end}`, onQueries(call, i, end), part(whole, 2, i, end)],
      ];
      for (const [what, alone, among] of tries) {
        const names = differing(outputBits(await run(alone)), outputBits(among));
        if (names.length > 0) return `${what} alone: ${names.join(" and ")} has other bits`;
      }
      return null;
    },
  },
  {
    name: "batch-independence",
    statement: "Each batch on its own gives what it gives among the others.",
    features: everyFeature,
    check: (call, { run }) => independent(call, 0, onBatch, run),
  },
  {
    name: "head-independence",
    statement: "Each head on its own gives what it gives among the others.",
    features: everyFeature,
    check: (call, { run }) => independent(call, 1, onHead, run),
  },
  {
    name: "repeated-heads",
    statement: "Grouped query heads give what each key head repeated for its group gives.",
    features: everyFeature,
    check: async (call, { run }) =>
      difference(await run(repeatHeads(call)), await run(call), toleranceOf(call)),
  },
  {
    name: "query-offset-shifts-queries",
    statement: "Some of the query rows, with an offset that says which, give their rows.",
    features: everyFeature,
    check: async (call, { run, random }) => {
      const rows = call.query.shape[2] as number;
      const from = choose(random, rows - 1);
      const to = from + 1 + choose(random, rows - from - 1);
      const some = onQueries(call, from, to);
      const whole = part(await run(call), 2, from, to);
      const broken = difference(await run(some), whole, toleranceOf(some));
      return broken && `rows ${from} to ${to}: ${broken}`;
    },
  },
  {
    name: "causal-prefix",
    statement: "The first rows of a causal call do not depend on later keys and queries.",
    features: everyFeature,
    always: { causal: true },
    check: async (call, { run, random }) => {
      const [rows, count] = [call.query.shape[2] as number, call.key.shape[2] as number];
      const to = 1 + choose(random, rows - 1);
      const { queryOffset } = withOffsets(call);
      const last = Math.max(...(queryOffset as Int32Array)) + to;
      const prefix = onKeys(onQueries(call, 0, to), 0, Math.max(0, Math.min(count, last)));
      const whole = part(await run(call), 2, 0, to);
      const broken = difference(await run(prefix), whole, toleranceOf(prefix));
      return broken && `the first ${to} rows: ${broken}`;
    },
  },
];

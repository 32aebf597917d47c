import { createAttention } from "@heed/core";
import { differing, type OutputBits, outputBits } from "../../../calls/bits.js";
import { Random } from "../../../calls/random.js";
import { passes } from "../../../judge/verdict.js";
import { borrow } from "../../../run/borrow.js";
import type { ProgramCase } from "../../../run/case.js";
import { judge } from "../judge/judge.js";
import { acceptedCalls, bitsOnce, planOf } from "./context.js";
import { variations } from "./variations.js";

/** Results may not depend on what ran before, is planned, or runs at the same time. */
export const orderBehaviours: readonly ProgramCase[] = [
  {
    id: "behaviour/plan-cache",
    profile: "behaviour",
    statement:
      "Problems that differ in one thing, run in any order through a small cache of plans, each give their own result.",
    run: async ({ backend, arithmetic, seed }) => {
      const calls = acceptedCalls(backend, variations, arithmetic);
      const attention = await createAttention({
        backends: [{ name: backend.name, load: async () => borrow(backend) }],
        selfTest: false,
        planCacheSize: 7,
      });
      const random = new Random(seed);
      const failures: string[] = [];
      try {
        const first = new Map<string, ReturnType<typeof outputBits>>();
        for (let round = 0; round < 3; round++) {
          const order = calls
            .map((call) => ({ call, by: random.uniform() }))
            .sort((a, b) => a.by - b.by);
          for (const { call } of order) {
            const { backend: _, ...outputs } = await attention.run(call.inputs);
            const bits = outputBits(outputs);
            const before = first.get(call.name);
            first.set(call.name, before ?? bits);
            if (before === undefined) {
              if (!passes(judge(call.inputs, outputs, undefined, arithmetic))) {
                failures.push(`${call.name}: wrong numbers`);
              }
            } else if (differing(before, bits).length > 0) {
              failures.push(`${call.name}: other bits in round ${round + 1} than in the first`);
            }
          }
        }
      } finally {
        await attention.dispose();
      }
      return { failures };
    },
  },
  {
    id: "behaviour/concurrent-runs",
    profile: "behaviour",
    statement: "Runs that overlap, of one plan and of several, give what they give one by one.",
    run: async ({ backend, arithmetic }) => {
      const calls = acceptedCalls(backend, variations, arithmetic).slice(0, 8);
      const failures: string[] = [];
      const alone: OutputBits[] = [];
      for (const { inputs } of calls) alone.push(await bitsOnce(backend, inputs));
      const plans = await Promise.all(calls.map(({ inputs }) => planOf(backend, inputs)));
      try {
        const overlapping = await Promise.all(
          [0, 1, 2].flatMap(() =>
            calls.map(async ({ name, inputs }, i) => ({
              name,
              i,
              bits: outputBits((await plans[i]?.run(inputs)) as never),
            })),
          ),
        );
        for (const { name, i, bits } of overlapping) {
          if (differing(alone[i] as OutputBits, bits).length > 0) {
            failures.push(`${name}: other bits while others run`);
          }
        }
      } finally {
        for (const plan of plans) plan.dispose();
      }
      return { failures: [...new Set(failures)] };
    },
  },
  {
    id: "behaviour/plans-at-once",
    profile: "behaviour",
    statement: "Disposing a plan leaves others as they are, of other problems and of the same.",
    run: async ({ backend, arithmetic }) => {
      const calls = acceptedCalls(backend, variations, arithmetic).slice(0, 4);
      const failures: string[] = [];
      for (const { name, inputs } of calls) {
        const [kept, dropped] = [await planOf(backend, inputs), await planOf(backend, inputs)];
        const before = outputBits((await kept.run(inputs)) as never);
        await dropped.run(inputs);
        dropped.dispose();
        dropped.dispose();
        if (differing(before, outputBits((await kept.run(inputs)) as never)).length > 0) {
          failures.push(`${name}: other bits once a second plan is disposed`);
        }
        kept.dispose();
      }
      return { failures };
    },
  },
];

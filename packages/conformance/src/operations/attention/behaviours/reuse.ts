import { type Attention, type AttentionInputs, createAttention, type HostTensor } from "@heed/core";
import { differing, type OutputBits, outputBits, takeToHost } from "../../../calls/bits.js";
import { layOut } from "../../../calls/layout.js";
import { passes } from "../../../judge/verdict.js";
import { borrow } from "../../../run/borrow.js";
import type { CheckContext, ProgramCase } from "../../../run/case.js";
import { judge } from "../judge/judge.js";
import type { CaseSpec, Layout } from "../spec.js";
import { acceptedCalls, bitsOnce, planOf, runOnce } from "./context.js";

type Call = AttentionInputs<HostTensor>;

/** A call with lengths, offsets, sinks and slopes, of those that the backend computes. */
const plain: CaseSpec = {
  batch: 2,
  queryHeads: 4,
  kvHeads: 2,
  queryLength: 3,
  keyLength: 40,
  headDim: 16,
  returns: {},
};

const rules: Readonly<Record<string, CaseSpec>> = {
  kvLengths: { ...plain, kvLengths: [17, 29] },
  queryOffset: { ...plain, causal: true, queryOffset: [11, 23] },
  sinks: { ...plain, sinks: [0.5, 1, -1, 2] },
  alibiSlopes: { ...plain, alibi: true, queryOffset: [37, 37] },
};

/** An argument's array for one step of a loop: every step has other numbers. */
function numbersOf(argument: string, step: number): Int32Array | Float32Array {
  switch (argument) {
    case "kvLengths":
      return Int32Array.of(40 - step, 3 + 2 * step);
    case "queryOffset":
      return Int32Array.of(step, 30 - 2 * step);
    default:
      return Float32Array.of(0.1 * step, 1, -0.2 * step, 2 - 0.3 * step);
  }
}

const steps = 6;

/** Runs a loop that reuses one array without awaiting, and compares with runs on arrays of their own. */
async function loop(
  argument: string,
  call: Call,
  run: (call: Call) => Promise<object>,
): Promise<string[]> {
  const alone: OutputBits[] = [];
  for (let step = 0; step < steps; step++) {
    alone.push(
      outputBits((await run({ ...call, [argument]: numbersOf(argument, step) })) as never),
    );
  }
  const reused = numbersOf(argument, 0);
  const pending: Promise<object>[] = [];
  for (let step = 0; step < steps; step++) {
    reused.set(numbersOf(argument, step));
    pending.push(run({ ...call, [argument]: reused }));
  }
  reused.fill(0);
  const outputs = await Promise.all(pending);
  return outputs.flatMap((output, step) =>
    differing(alone[step] as OutputBits, outputBits(output as never)).length > 0
      ? [`${argument}: step ${step} is computed with numbers written after the call`]
      : [],
  );
}

/** The same tensors in other places of memory: one problem, several layouts. */
const layouts: readonly Layout[] = ["bhld", "blhd", "bhdl", "offset", "odd-start", "odd-heads"];

function laidOut(call: Call, layout: Layout): Call {
  const { query, key, value } = call;
  return {
    ...call,
    query: layOut(query, layout),
    key: layOut(key, layout),
    value: layOut(value, layout),
  };
}

/** The call with query, key and value in the backend's memory; `null` where it has none. */
async function uploaded(backend: CheckContext["backend"], call: Call): Promise<Call | null> {
  if (!backend.upload) return null;
  const upload = backend.upload.bind(backend);
  const [query, key, value] = await Promise.all([call.query, call.key, call.value].map(upload));
  return { ...call, query, key, value } as unknown as Call;
}

async function bitsOf(outputs: object): Promise<OutputBits> {
  return outputBits(await takeToHost(outputs));
}

function attentionOf(backend: CheckContext["backend"]): Promise<Attention> {
  return createAttention({
    backends: [{ name: backend.name, load: async () => borrow(backend) }],
    selfTest: false,
    fallback: "silent",
  });
}

/** Pairs of calls of one problem that differ in one thing only, most of all in what comes last. */
const twins: Readonly<Record<string, (call: Call) => Partial<Call>>> = {
  "the length of the last batch": () => ({ kvLengths: Int32Array.of(17, 5) }),
  "the offset of the last batch": () => ({ queryOffset: Int32Array.of(11, 2) }),
  "the sink of the last head": () => ({ sinks: [0.5, 1, -1, -3] }),
  "the slope of the last head": ({ alibiSlopes }) => ({
    alibiSlopes: Float32Array.from(alibiSlopes as Float32Array, (slope, h) =>
      h === 3 ? 2 * slope : slope,
    ),
  }),
};

const twinRules: Readonly<Record<string, string>> = {
  "the length of the last batch": "kvLengths",
  "the offset of the last batch": "queryOffset",
  "the sink of the last head": "sinks",
  "the slope of the last head": "alibiSlopes",
};

/** Checks that no state of one call reaches another: arrays, layouts, and everything that is cached. */
export const reuseBehaviours: readonly ProgramCase[] = [
  {
    id: "behaviour/read-at-the-call",
    profile: "behaviour",
    statement:
      "Lengths, offsets, sinks and slopes are read when a call is made: a loop may reuse one array without awaiting.",
    run: async ({ backend, arithmetic }) => {
      const failures: string[] = [];
      for (const { name, inputs } of acceptedCalls(backend, rules, arithmetic)) {
        const attention = await attentionOf(backend);
        const plan = await planOf(backend, inputs);
        try {
          const throughCore = async (call: Call): Promise<object> => {
            const { backend: _, ...outputs } = await attention.run(call);
            return outputs;
          };
          failures.push(...(await loop(name, inputs, throughCore)));
          const found = await loop(name, inputs, (call) => plan.run(call));
          failures.push(...found.map((failure) => `plan.run, ${failure}`));
        } finally {
          plan.dispose();
          await attention.dispose();
        }
      }
      return { failures };
    },
  },
  {
    id: "behaviour/overlapping-layouts",
    profile: "behaviour",
    statement:
      "Runs of one plan that overlap may have their tensors in any layout, in host memory or the backend's own.",
    run: async ({ backend, arithmetic }) => {
      const specs = {
        few: { ...plain, queryLength: 4, keyLength: 4 },
        many: { ...plain, queryLength: 37, keyLength: 61 },
      };
      const failures: string[] = [];
      for (const { name, inputs } of acceptedCalls(backend, specs, arithmetic)) {
        const host = layouts.map((layout) => ({ what: layout, call: laidOut(inputs, layout) }));
        const alone: OutputBits[] = [];
        for (const { call } of host) alone.push(await bitsOnce(backend, call));
        const held: Call[] = [];
        const plan = await planOf(backend, inputs);
        try {
          for (const { call } of host) {
            const device = await uploaded(backend, call);
            if (device) held.push(device);
          }
          const started = [...host.map(({ call }) => call), ...held].flatMap((call) => [
            plan.run(call),
            plan.run(call),
          ]);
          const outputs = await Promise.allSettled(started);
          for (const [i, outcome] of outputs.entries()) {
            const at = Math.floor(i / 2);
            const what = `${name}, ${layouts[at % layouts.length]}${at >= layouts.length ? ", uploaded" : ""}`;
            if (outcome.status === "rejected") failures.push(`${what}: ${String(outcome.reason)}`);
            else {
              const bits = await bitsOf(outcome.value);
              if (differing(alone[at % layouts.length] as OutputBits, bits).length > 0) {
                failures.push(`${what}: other bits than alone`);
              }
            }
          }
        } finally {
          plan.dispose();
          for (const { query, key, value } of held) {
            for (const t of [query, key, value]) (t as unknown as { dispose(): void }).dispose();
          }
        }
      }
      return { failures: [...new Set(failures)] };
    },
  },
  {
    id: "behaviour/calls-that-differ-in-one-thing",
    profile: "behaviour",
    statement:
      "Calls of one plan that differ in one number, layout or place in memory give what each gives on a plan of its own.",
    run: async ({ backend, arithmetic }) => {
      const failures: string[] = [];
      const calls = new Map(
        acceptedCalls(backend, { plain, ...rules }, arithmetic).map((c) => [c.name, c.inputs]),
      );
      const check = async (what: string, one: Call, other: Call): Promise<void> => {
        const apart = [await runOnce(backend, one), await runOnce(backend, other)] as const;
        for (const [i, outputs] of apart.entries()) {
          if (!passes(judge(i === 0 ? one : other, outputs, undefined, arithmetic))) {
            failures.push(`${what}: wrong numbers on a plan of its own`);
          }
        }
        const wanted = apart.map(outputBits);
        const plan = await planOf(backend, one);
        try {
          for (const which of [0, 1, 0, 1, 1] as const) {
            const bits = await bitsOf(await plan.run([one, other][which] as Call));
            if (differing(wanted[which] as OutputBits, bits).length > 0) {
              failures.push(`${what}: a call gives other bits after one that differs in it`);
            }
          }
        } finally {
          plan.dispose();
        }
      };
      for (const [what, change] of Object.entries(twins)) {
        const call = calls.get(twinRules[what] as string);
        if (call) await check(what, call, { ...call, ...change(call) });
      }
      const call = calls.get("plain");
      if (call) {
        for (const layout of layouts.slice(1)) {
          await check(`the layout ${layout}`, call, laidOut(call, layout));
        }
      }
      return { failures: [...new Set(failures)] };
    },
  },
];

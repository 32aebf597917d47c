import { js } from "@heed/backend-js";
import { checkBackend, type Profile } from "@heed/conformance";
import {
  type AttentionInputs,
  type AttentionProvider,
  broadcastTo,
  describeProblem,
  type HostTensor,
  slice,
} from "@heed/core";
import { expect, test } from "vitest";

type Call = AttentionInputs<HostTensor>;

/** Bugs that other projects have shipped, as what they do to a call. */
const mutants: readonly (readonly [
  name: string,
  profile: Profile,
  change: (call: Call) => Call,
])[] = [
  [
    "the last key is skipped",
    "core",
    (call) => {
      const [batch, , keyLength] = call.key.shape as [number, number, number];
      const lengths = call.kvLengths ?? new Array<number>(batch).fill(keyLength);
      // What was aligned by the lengths stays where it was.
      const queryLength = call.query.shape[2] as number;
      const queryOffset =
        call.queryOffset === "bottom-right"
          ? Int32Array.from(lengths, (n) => n - queryLength)
          : (call.queryOffset ?? 0);
      return {
        ...call,
        queryOffset,
        kvLengths: Int32Array.from(lengths, (n) => Math.max(0, n - 1)),
      };
    },
  ],
  [
    "the window's left edge is off by one",
    "masks",
    (call) => {
      const left = call.window?.left;
      return left === undefined ? call : { ...call, window: { ...call.window, left: left + 1 } };
    },
  ],
  [
    "the mask of head 0 serves all heads",
    "masks",
    (call) => {
      const { mask } = call;
      if (!mask || mask.shape.length < 3 || mask.shape.at(-3) === 1) return call;
      const first = slice(mask, mask.shape.length - 3, 0, 1);
      return { ...call, mask: broadcastTo(first, mask.shape) };
    },
  ],
  [
    "queryOffset is ignored",
    "masks",
    (call) => (call.queryOffset === undefined ? call : { ...call, queryOffset: 0 }),
  ],
  [
    "the sink is scaled",
    "masks",
    (call) => {
      const { sinks, scale = 1 / Math.sqrt(call.query.shape[3] as number) } = call;
      if (sinks === undefined || "data" in sinks) return call;
      return { ...call, sinks: Array.from(sinks, (sink) => sink * scale) };
    },
  ],
];

/** The js backend with a bug: every call is changed on its way in. */
function mutant(change: (call: Call) => Call): AttentionProvider {
  return {
    name: "mutant",
    load: async () => {
      const inner = await js().load();
      return {
        name: "mutant",
        info: inner.info,
        supports: (problem) => inner.supports(problem),
        plan: async (problem) => {
          const own = await inner.plan(problem);
          return {
            description: own.description,
            run: async (inputs) => {
              const changed = change(inputs as Call);
              const plan = await inner.plan(describeProblem(changed));
              return plan.run(changed);
            },
            dispose: () => own.dispose(),
          };
        },
        dispose: () => inner.dispose(),
      };
    },
  };
}

test.each(["core", "masks"] as const)(
  "without a bug, the wrapper passes profile %s",
  async (profile) => {
    const report = await checkBackend(
      mutant((call) => call),
      { profile },
    );
    expect(report.counts).toMatchObject({ fail: 0, unsupported: 0 });
  },
);

test.each(mutants)(
  "the suite kills a backend in which %s, by profile %s",
  async (_, profile, change) => {
    const report = await checkBackend(mutant(change), { profile });
    const killers = report.results.filter((result) => result.outcome === "fail");
    expect(killers.length).toBeGreaterThan(0);
    // Killed for its numbers, not because the wrapper broke.
    expect(killers.flatMap((killer) => killer.failures).join()).not.toContain("then failed");
  },
);

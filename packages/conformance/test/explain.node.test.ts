import { type CaseResult, checkBackend, selectCases } from "@heed/conformance";
import {
  type AttentionInputs,
  type AttentionProvider,
  describeProblem,
  type HostTensor,
  reference,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import { hypotheses } from "../src/explain/hypotheses.js";
import { commonMistakes, commonTraits, traitsOf } from "../src/explain/traits.js";
import { describeRows } from "../src/explain/where.js";

type Call = AttentionInputs<HostTensor>;

/** A backend that makes a mistake. */
function mistaken(change: (call: Call) => Call | null): AttentionProvider {
  return {
    name: "mistaken",
    load: async () => {
      const inner = await reference().load();
      return {
        name: "mistaken",
        info: inner.info,
        supports: () => ({ ok: true }),
        plan: async (problem) => {
          const own = await inner.plan(problem);
          return {
            description: own.description,
            run: async (inputs) => {
              const changed = change(inputs as Call) ?? (inputs as Call);
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

const traits = new Map(
  selectCases().flatMap((c) => ("spec" in c ? [[c.id, traitsOf(c)] as const] : [])),
);

/** Mistakes, with cases that show them. */
const shown = [
  ["the query offset is taken for 0", "masks/causal-"],
  [
    "query head h reads key head h mod kvHeads instead of floor(h · kvHeads / queryHeads)",
    "heads-",
  ],
  ["keys past the last whole tile of 8 are left out", "core/shape-l"],
  ["the mask of head 0 serves all heads", "masks/mask-"],
  ["the window's left end is exclusive", "masks/window-left-"],
  ["the scale is ignored: it is always 1/√headDim", "core/scale-"],
  ["strides and offset of query are ignored: it is read as if it were row-major", "core/layout-"],
  ["softcap is ignored", "core/softcap"],
] as const;

function provider(name: string): AttentionProvider {
  const { change } = hypotheses.find((h) => h.name === name) as (typeof hypotheses)[number];
  return mistaken(change);
}

describe("a failure tells the mistake that gives it", () => {
  test.each(shown)("%s", { timeout: 120_000 }, async (name, filter) => {
    const { results } = await checkBackend(provider(name), { filter, vectors: false });
    expect(commonMistakes(results)[0]?.mistake).toBe(name);
  });
});

test("failures are told apart from passes by what they have", { timeout: 120_000 }, async () => {
  const { results } = await checkBackend(provider(shown[1][0]), { profile: "core" });
  expect(commonTraits(results, traits)[0]).toMatchObject({ trait: "grouped-query heads" });
});

test("names are told apart, and a right backend has none", async () => {
  expect(new Set(hypotheses.map(({ name }) => name)).size).toBe(hypotheses.length);
  const { results } = await checkBackend(reference(), { filter: "core/heads-" });
  expect(commonMistakes(results)).toEqual([]);
  expect(commonTraits(results, traits)).toEqual([]);
});

describe("commonTraits", () => {
  const result = (id: string, outcome: CaseResult["outcome"]) => ({ id, outcome }) as CaseResult;

  test("explains failures one trait after another", () => {
    const results = [
      ...["a1", "a2", "a3", "b1", "b2"].map((id) => result(id, "fail")),
      ...["c1", "c2"].map((id) => result(id, "pass")),
    ];
    const named = new Map(results.map(({ id }) => [id, [id[0] as string, "every"]]));
    expect(commonTraits(results, named)).toEqual([
      { trait: "a", failing: 3, passing: 0 },
      { trait: "b", failing: 2, passing: 0 },
    ]);
  });
});

test("describeRows names the axes that matter", () => {
  expect(describeRows([0, 1, 2, 3, 4, 5], [1, 2, 3])).toBe("wrong in 6 of 6 rows");
  expect(describeRows([3, 4, 5], [1, 2, 3])).toBe("wrong in 3 of 6 rows: head 1 of 2");
  expect(describeRows([0, 2, 3, 5], [1, 2, 3])).toBe("wrong in 4 of 6 rows: query rows 0, 2 of 3");
});

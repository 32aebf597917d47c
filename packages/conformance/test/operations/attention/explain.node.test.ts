import { type CaseResult, checkBackend, selectCases } from "@heed/conformance";
import {
  type AttentionInputs,
  type AttentionProvider,
  broadcastTo,
  describeProblem,
  fromFloat64,
  type HostTensor,
  reference,
  referenceAttention,
  type Tensor,
  toFloat64,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import { describeRows } from "../../../src/judge/where.js";
import { commonTraits, traitsOf } from "../../../src/operations/attention/explain/traits.js";
import { catalogue } from "../../../src/operations/attention/mistakes/index.js";
import { sentenceOf } from "../../../src/operations/attention/mistakes/mistake.js";
import { commonMistakes } from "../../../src/report/common-mistakes.js";
import { explainReport, formatExplanation } from "../../../src/run/summary.js";
import { backendOf } from "./mutants/backend.js";
import { type ToyBug, toy } from "./toy.js";

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

const known = catalogue([8, 24, 120]);

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
  ["the scales of the keys are ignored", "serving/int8-kv-d"],
  ["the page table is ignored: pages follow one another", "serving/pages-of-"],
  ["a sequence of a ragged batch starts one key late", "serving/ragged-causal"],
  ["the positions of the keys are ignored", "serving/key-positions-"],
  ["the window's left end is exclusive", "masks/window-"],
  ["keys of the first tile of 8 that a window cuts are left out", "masks/window-"],
  ["keys of the last tile of 8 that causal, window or lengths cut are left out", "masks/window-"],
  ["of the last tile of 8 that causal or window cuts, all keys are seen", "masks/causal-"],
  ["the scale is ignored: it is always 1/√headDim", "core/scale-"],
  ["strides and offset of query are ignored: it is read as if it were row-major", "core/layout-"],
  ["softcap is ignored", "core/softcap"],
  ["softcap comes before the scale", "masks/pair-bias-softcap"],
  ["ALiBi counts queries from 0, without their offset", "masks/pair-causal-alibi"],
  ["sinks are scaled", "masks/sinks"],
  ["elements of query and key past the last whole 8 are left out", "core/shape-l59"],
  ["elements of the output past the last whole 4 are left at 0", "core/shape-l33"],
  ["query and key are multiplied over valueDim, not headDim, elements", "core/shape-dv"],
  ["batch b has the query offset of batch b − 1", "core/causal-offset"],
  ["batch b has the mask of batch b + 1", "masks/mask-"],
  ["keys lie as far apart as values: by valueDim instead of headDim", "core/shape-dv"],
  ["heads of key and value lie as far apart as queryLength, not keyLength, rows", "core/heads-"],
  ["batches of query lie as far apart as kvHeads, not queryHeads, heads", "core/heads-"],
  ["bias is read as if nothing of it were broadcast, and is 0 past its end", "masks/bias-5"],
  ["mask is read as if nothing of it were broadcast, and hides past its end", "masks/mask-5"],
  ["programs get the key head instead of the query head", "programs/mask-"],
  ["programs get batch 0 for every batch", "programs/score-by-batch"],
  ["programs get the next key", "programs/mask-causal"],
  ["partial blocks are treated as full", "programs/mask-documents-blocks"],
] as const;

/** A backend whose output is right, and what it returns beside it is not. */
function besides(name: string): AttentionProvider {
  return {
    name: "besides",
    load: async () => {
      const inner = await reference().load();
      return {
        name: "besides",
        info: inner.info,
        supports: () => ({ ok: true }),
        dispose: () => inner.dispose(),
        plan: async (problem) => ({
          description: (await inner.plan(problem)).description,
          dispose: () => {},
          run: async (inputs) => {
            const { output, logSumExp, weights, scores } = await (await inner.plan(problem)).run(
              inputs,
            );
            const returns = { weights: true, logSumExp: true, scores: "raw" } as const;
            const all = referenceAttention({ ...(inputs as Call), returns });
            const keys = (all.weights as HostTensor).shape[3] as number;
            const largest = largestOfRows(all.weights as HostTensor, keys);
            return {
              output,
              ...(logSumExp && {
                logSumExp: name.includes("base 2")
                  ? changed(logSumExp, (x) => x / Math.LN2)
                  : logSumExp,
              }),
              ...(weights && {
                weights: name.startsWith("weights")
                  ? changed(weights, (w, at) => w / (largest[Math.floor(at / keys)] as number))
                  : weights,
              }),
              ...(scores && {
                scores: name.startsWith("scores")
                  ? changed(all.scores as HostTensor, (x) => x)
                  : scores,
              }),
            };
          },
        }),
      };
    },
  };
}

function changed(t: Tensor, change: (x: number, at: number) => number): HostTensor {
  const host = t as HostTensor;
  return fromFloat64(toFloat64(host).map(change), host.shape, "float32");
}

function largestOfRows(weights: HostTensor, keys: number): number[] {
  const all = toFloat64(weights);
  return Array.from({ length: all.length / keys }, (_, row) =>
    Math.max(...all.subarray(row * keys, (row + 1) * keys)),
  );
}

function provider(name: string): AttentionProvider {
  const mistake = known.find((one) => sentenceOf(one) === name);
  if (mistake?.semantics.kind !== "call") throw new Error(`no such mistake: ${name}`);
  return mistaken(mistake.semantics.change);
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

describe("several bugs at once, in a profile that a first backend runs", () => {
  const names: Readonly<Record<ToyBug, string>> = {
    "offset of batch 0": "the query offset of batch 0 serves all batches",
    "mask of the key head": "query head h reads the mask of its key head's number",
    "no rescale by the last tile":
      "the output so far is not rescaled when a last tile of 16 keys that is not full raises the maximum",
    "softcap after the bias": "softcap comes after the bias, and caps it too",
    "a sink a tile": "the sink counts once for each tile of 24 keys, not once for the row",
    "tiles of batch 0":
      "tiles of 24 keys end where those of batch 0 do, whatever the batch's own length",
    "length of the next batch": "batch b has the length of batch b + 1",
    "values as far apart as keys":
      "values lie as far apart as keys: by headDim instead of valueDim",
    "sink after the normalisation":
      "the sink comes after the normalisation: weights are divided by their sum, then by 1 + exp(sink − max)",
    "last tile by 24 only": "",
  };
  test.each<ToyBug[][]>([
    [["offset of batch 0", "mask of the key head", "no rescale by the last tile"]],
    [["softcap after the bias", "a sink a tile", "tiles of batch 0"]],
    [["length of the next batch", "values as far apart as keys", "sink after the normalisation"]],
  ])("%s are each named, and nothing else is", { timeout: 120_000 }, async (bugs) => {
    const report = await checkBackend(toy(bugs), { profile: "core" });
    const { mistakes } = explainReport(report, selectCases());
    expect(mistakes.map(({ mistake }) => mistake).sort()).toEqual(
      bugs.map((bug) => names[bug]).sort(),
    );
  });

  test("also where both are in one case", async () => {
    const spec = {
      batch: 2,
      queryLength: 6,
      keyLength: 35,
      causal: true,
      queryOffset: [29, 20],
      values: "rising-scores",
    } as const;
    const { results } = await checkBackend(
      toy(["offset of batch 0", "no rescale by the last tile"]),
      {
        pasted: { id: "both", spec },
      },
    );
    expect(results[0]?.explanations).toContainEqual([
      names["offset of batch 0"],
      names["no rescale by the last tile"],
    ]);
  });

  test("one that is not known is set apart, and told by its tile", {
    timeout: 120_000,
  }, async () => {
    const report = await checkBackend(toy(["offset of batch 0", "last tile by 24 only"]), {
      profile: "core",
    });
    const { mistakes, traits: found } = explainReport(report, selectCases());
    expect(mistakes.map(({ mistake }) => mistake)).toEqual([names["offset of batch 0"]]);
    expect(found[0]?.trait).toBe("more than 24 keys, and no multiple of 24");
    const text = formatExplanation(report, selectCases());
    expect(text).toMatch(/what the \d+ cases that they do not explain have in common/);
  });
});

describe("what is wrong beside the output", () => {
  test.each([
    ["the log-sum-exp is a logarithm to base 2", "core/returns-lse"],
    ["weights are not divided by their sum", "core/returns-weights"],
    ["scores are raw ones, whatever is asked for", "core/returns-scores-capped"],
  ])("%s", async (name, filter) => {
    const { results } = await checkBackend(besides(name), { filter });
    expect(commonMistakes(results)[0]?.mistake).toBe(name);
  });
});

test("names are told apart, and a right backend has none", async () => {
  for (const tell of [sentenceOf, ({ name }: (typeof known)[number]) => name]) {
    const names = catalogue().flatMap((mistake) => tell(mistake) ?? []);
    expect(new Set(names).size).toBe(names.length);
  }
  const { results } = await checkBackend(reference(), { filter: "core/heads-" });
  expect(commonMistakes(results)).toEqual([]);
  expect(commonTraits(results, traits)).toEqual([]);
});

test("query rows that are never computed are told by their tile", async () => {
  const short: AttentionProvider = backendOf(async ({ queryLength, valueDim }, inputs) => {
    const output = referenceAttention({ ...(inputs as Call), returns: undefined }).output;
    const made = toFloat64(output).map((x, at) =>
      Math.floor(at / valueDim) % queryLength < queryLength - (queryLength % 32) ? x : 0,
    );
    return {
      output: fromFloat64(queryLength > 32 ? made : toFloat64(output), output.shape, "float32"),
    };
  });
  const { results } = await checkBackend(short, { filter: "core/shape-l59" });
  expect(commonMistakes(results)[0]?.mistake).toBe(
    "query rows past the last whole tile of 32 are left at 0",
  );
});

test("what hides after the softmax is told by the rule", async () => {
  const late: AttentionProvider = backendOf(async (_, inputs) => {
    const call = inputs as Call;
    const { mask, ...seen } = call;
    const { output, weights } = referenceAttention({ ...seen, returns: { weights: true } });
    const [keys, size] = [call.key.shape[2] as number, call.value.shape[3] as number];
    const [batch, heads, queries] = call.query.shape as [number, number, number];
    const shown = mask && toFloat64(broadcastTo(mask, [batch, heads, queries, keys]));
    const value = toFloat64(call.value);
    const w = toFloat64(weights as HostTensor);
    const group = heads / (call.key.shape[1] as number);
    const made = new Float64Array(batch * heads * queries * size);
    for (let at = 0; at < made.length; at++) {
      const row = Math.floor(at / size);
      const head = Math.floor(Math.floor(row / queries) / group);
      for (let j = 0; j < keys; j++) {
        if (shown?.[row * keys + j] === 0) continue;
        const v = value[(head * keys + j) * size + (at % size)] as number;
        (made[at] as number) += (w[row * keys + j] as number) * v;
      }
    }
    return { output: fromFloat64(made, output.shape, "float32") };
  });
  const { results } = await checkBackend(late, { filter: "core/mask-heads" });
  expect(results[0]?.explanations).toContainEqual([
    "mask comes after the softmax: what it hides still counts in the sum",
  ]);
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

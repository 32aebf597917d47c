import { type AttentionInputs, describeProblem, tensor } from "@heed/core";
import { expect, test } from "vitest";
import { typicalBand } from "../src/bounds.js";
import { chooseGraph, kernelName } from "../src/graph/choose.js";
import { graphSpec, type HiddenGuard } from "../src/graph/spec.js";
import type { OnnxProvider } from "../src/runtime/options.js";
import { traitsOf } from "../src/traits.js";

type Rules = Omit<Partial<AttentionInputs>, "query" | "key" | "value">;

/** The choice for a call of 1 × 2 heads × 4 queries and keys × 8, and some rules. */
function choose(rules: Rules, provider: OnnxProvider = "cpu", guard: HiddenGuard = "none"): string {
  const t = tensor(new Float32Array(64), [1, 2, 4, 8]);
  const problem = describeProblem({ query: t, key: t, value: t, ...rules });
  const traits = traitsOf(provider, { float16: true, largestTensor: null });
  const spec = graphSpec(problem, traits, { band: typicalBand(problem), guard });
  return chooseGraph(spec, traits, problem.queryLength);
}

const mask = (...shape: number[]) =>
  tensor(new Uint8Array(shape.reduce((a, b) => a * b, 1)).fill(1), shape, { dtype: "bool" });

test.each<[string, Rules]>([
  ["causal", { causal: true }],
  ["a window", { window: { left: 2 } }],
  ["causal with lengths", { causal: true, kvLengths: [3], queryOffset: 0 }],
  ["a whole mask", { mask: mask(4, 4) }],
  ["a bias a head", { bias: tensor(new Float32Array(32), [2, 4, 4]) }],
  ["causal with a mask of keys", { causal: true, mask: mask(4) }],
  ["no rule", {}],
  ["a mask of keys", { mask: mask(4) }],
  ["lengths alone", { kvLengths: [3] }],
])("the operator Attention for %s, on CPU providers", (_, rules) => {
  expect(choose(rules)).toBe("attention");
  expect(choose(rules, "wasm")).toBe("attention");
  // There it is registered and not implemented.
  expect(choose(rules, "webgpu")).toBe("plain");
});

test.each<[string, Rules]>([
  ["sinks", { causal: true, sinks: [0, 0] }],
  ["ALiBi", { causal: true, alibiSlopes: [1, 1] }],
  ["a softcap", { causal: true, softcap: 2 }],
  ["a scale of 0, which the operator takes for none", { causal: true, scale: 0 }],
  ["a negative scale", { causal: true, scale: -1 }],
  ["the log-sum-exp", { causal: true, returns: { logSumExp: true } }],
  ["weights", { causal: true, returns: { weights: true } }],
  ["scores", { causal: true, returns: { scores: "raw" } }],
])("plain operators for %s", (_, rules) => {
  expect(choose(rules)).toBe("plain");
});

test("grouped heads of few rows share their keys in plain operators", () => {
  const problemOf = (queryLength: number) => {
    const query = tensor(new Float32Array(2 * queryLength * 8), [1, 2, queryLength, 8]);
    const key = tensor(new Float32Array(16 * 8), [1, 1, 16, 8]);
    return describeProblem({ query, key, value: key });
  };
  const traits = traitsOf("cpu", { float16: true, largestTensor: null });
  const choice = (queryLength: number) => {
    const problem = problemOf(queryLength);
    const spec = graphSpec(problem, traits, { band: null, guard: "none" });
    return chooseGraph(spec, traits, problem.queryLength);
  };
  expect(choice(1)).toBe("plain");
  expect(choice(16)).toBe("attention");
});

test("plain operators where hidden data is not finite", () => {
  expect(choose({ causal: true }, "cpu", "rows")).toBe("plain");
});

test("plans name provider and graph", () => {
  const traits = traitsOf("wasm", { float16: true, largestTensor: null });
  expect(kernelName("attention", traits)).toBe("wasm Attention");
  expect(kernelName("plain", traits)).toBe("wasm MatMul, Softmax, MatMul");
});

import { type AttentionInputs, describeProblem, tensor } from "@heed/core";
import { expect, test } from "vitest";
import { boundsOf, typicalBand } from "../src/attention/bounds.js";
import { chooseGraph } from "../src/attention/graph/choose.js";
import { prepareGraph } from "../src/attention/graph/prepare.js";
import { graphSpec, type HiddenGuard } from "../src/attention/graph/spec.js";
import { kernelName } from "../src/kernel-name.js";
import type { OnnxProvider } from "../src/runtime/options.js";
import { traitsOf } from "../src/runtime/traits.js";

type Rules = Omit<Partial<AttentionInputs>, "query" | "key" | "value">;

interface Sizes {
  readonly kvHeads?: number;
  readonly length?: number;
  readonly dim?: number;
  readonly valueDim?: number;
}

/** The choice for a call of 1 × 2 heads × 4 queries and keys × 8, and some rules. */
function choose(
  rules: Rules,
  provider: OnnxProvider = "cpu",
  guard: HiddenGuard = "none",
  { kvHeads = 2, length = 4, dim = 8, valueDim = dim }: Sizes = {},
): string {
  const of = (heads: number, size: number) =>
    tensor(new Float32Array(heads * length * size), [1, heads, length, size]);
  const [query, key, value] = [of(2, dim), of(kvHeads, dim), of(kvHeads, valueDim)];
  const problem = describeProblem({ query, key, value, ...rules });
  const traits = traitsOf(provider, { float16: true, largestTensor: null });
  const spec = graphSpec(problem, traits, { band: typicalBand(problem), guard });
  return chooseGraph(spec, traits, problem);
}

/** The choice for a call that is long enough for tiles. */
const chooseLong = (rules: Rules, sizes: Sizes = {}, provider: OnnxProvider = "cpu"): string =>
  choose(rules, provider, "none", { length: 768, dim: 64, ...sizes });

const mask = (...shape: number[]) =>
  tensor(new Uint8Array(shape.reduce((a, b) => a * b, 1)).fill(1), shape, { dtype: "bool" });

test("plain operators on wasm where 32 bits do not count a head's operations", () => {
  const sizes = { length: 4096, dim: 63 };
  expect(choose({}, "wasm", "none", sizes)).toBe("operator");
  expect(choose({}, "wasm", "none", { ...sizes, valueDim: 64 })).toBe("plain");
  expect(choose({}, "wasm", "none", { ...sizes, dim: 64 })).toBe("plain");
  expect(choose({}, "cpu", "none", { ...sizes, dim: 64 })).toBe("operator");
});

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
  expect(choose(rules)).toBe("operator");
  expect(choose(rules, "wasm")).toBe("operator");
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
    return chooseGraph(spec, traits, problem);
  };
  expect(choice(1)).toBe("plain");
  expect(choice(16)).toBe("operator");
});

test("plain operators where hidden data is not finite", () => {
  expect(choose({ causal: true }, "cpu", "rows")).toBe("plain");
  expect(choose({ causal: true }, "cpu", "rows", { length: 512 })).toBe("plain");
});

test.each<[string, Rules, Sizes?]>([
  ["causal", { causal: true }],
  ["causal with a window", { causal: true, window: { left: 9 } }],
  ["a window that ends at the query", { window: { left: 9, right: 0 } }],
  ["causal with grouped heads", { causal: true }, { kvHeads: 1 }],
  ["causal with sinks", { causal: true, sinks: [0, 1] }],
  [
    "shorter ones, where they need plain operators",
    { causal: true, sinks: [0, 1] },
    { length: 512 },
  ],
  ["narrow heads, which have to be longer", { causal: true }, { dim: 32, length: 1536 }],
])("long calls along the diagonal are GroupQueryAttention, natively: %s", (_, rules, sizes) => {
  expect(chooseLong(rules, sizes)).toBe("group-query");
});

test("short ones are not, nor those of providers where it is slower", () => {
  expect(chooseLong({ causal: true }, { length: 767 })).toBe("operator");
  expect(chooseLong({ causal: true, sinks: [0, 1] }, { length: 511 })).toBe("plain");
  expect(chooseLong({ causal: true }, { dim: 32 })).toBe("operator");
  // In whole matrices, which plain operators do faster.
  expect(chooseLong({ causal: true, softcap: 3 })).toBe("plain");
  expect(chooseLong({ causal: true }, {}, "wasm")).toBe("operator");
  expect(chooseLong({ causal: true }, {}, "webgpu")).toBe("plain");
});

test.each<[string, Rules, Sizes?]>([
  ["no rule", {}],
  ["a head size that it does not take", { causal: true }, { dim: 68 }],
  ["values of another size", { causal: true }, { valueDim: 16 }],
  ["a window past the query", { window: { left: 9, right: 1 } }],
  ["a mask", { causal: true, mask: mask(768) }],
  ["lengths", { causal: true, kvLengths: [3], queryOffset: 0 }],
])("not with %s", (_, rules, sizes) => {
  expect(chooseLong(rules, sizes)).toBe("operator");
});

test("rows that a call moves off the diagonal are not taken to lie on it", () => {
  const t = tensor(new Float32Array(32), [1, 1, 4, 8]);
  const problem = describeProblem({
    query: t,
    key: t,
    value: t,
    causal: true,
    window: { left: 2 },
  });
  const diagonal = (offset: number, length = 4) =>
    boundsOf(problem, { offsets: Int32Array.of(offset), kvLengths: Int32Array.of(length) }).band
      ?.diagonal;
  expect(diagonal(0)).toEqual({ keys: 3 });
  expect(diagonal(1)).toBe(null);
  expect(diagonal(-1)).toBe(null);
  expect(diagonal(0, 3)).toBe(null);
});

test("a window is part of the operator's model, and of no other's", () => {
  const t = tensor(new Float32Array(2 * 768 * 64), [1, 2, 768, 64]);
  const keyOf = (left: number, provider: OnnxProvider): string => {
    const problem = describeProblem({ query: t, key: t, value: t, causal: true, window: { left } });
    const traits = traitsOf(provider, { float16: true, largestTensor: null });
    const spec = graphSpec(problem, traits, { band: typicalBand(problem), guard: "none" });
    return prepareGraph(spec, traits, problem).key;
  };
  expect(keyOf(9, "cpu")).not.toBe(keyOf(8, "cpu"));
  expect(keyOf(9, "wasm")).toBe(keyOf(8, "wasm"));
});

test("plans name provider and graph", () => {
  expect(kernelName("attention", "operator", "wasm")).toBe("attention-operator-wasm");
  expect(kernelName("attention", "plain", "webgpu")).toBe("attention-plain-webgpu");
  expect(kernelName("attention", "group-query", "cpu")).toBe("attention-group-query-cpu");
});

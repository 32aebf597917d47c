/** Choices that measurements made, as `choose` takes them: pure, on any machine. */
import {
  type AttentionInputs,
  type AttentionProblem,
  attention,
  describeProblem,
  type FloatDType,
  lengthClassKey,
  zeros,
} from "@heed/core";
import { expect, test } from "vitest";
import { choiceOf, settingsOf } from "../../src/attention/choice/from-settings.js";
import type { Settings } from "../../src/attention/choice/settings.js";
import { choose, type MeasuredChoices } from "../../src/attention/choose.js";
import { operandsOf } from "../../src/attention/operands.js";
import { decide } from "../../src/attention/program.js";
import { schedule } from "../../src/attention/schedule/schedule.js";
import { shapesToTry, splitsToTry } from "../../src/attention/tuning/candidates.js";
import { type Capabilities, floor } from "../../src/capabilities.js";
import { denseLayouts } from "../../src/execution/program.js";

const gpu: Capabilities = {
  ...floor,
  float16: true,
  subgroups: true,
  limits: { ...floor.limits, maxComputeWorkgroupStorageSize: 32_768 },
};
const software: Capabilities = { ...floor, subgroups: true, software: true };
const matrices: Capabilities = { ...gpu, matrices: { m: 16, n: 16, k: 16 } };

function problemOf(
  queries: number,
  keys: number,
  {
    heads = [32, 8],
    size = 64,
    dtype = "float32",
    ...rules
  }: { heads?: readonly [number, number]; size?: number; dtype?: FloatDType } & Partial<
    Omit<AttentionInputs, "query" | "key" | "value">
  > = {},
): AttentionProblem {
  return describeProblem({
    query: zeros(dtype, [1, heads[0], queries, size]),
    key: zeros(dtype, [1, heads[1], keys, size]),
    value: zeros(dtype, [1, heads[1], keys, size]),
    ...rules,
  });
}

const measuredFor = (problem: AttentionProblem, settings: Settings, gain = 2): MeasuredChoices =>
  new Map([[lengthClassKey(problem), { settings, gain, source: "a test" }]]);

const decoding = problemOf(1, 2048);
const decode: Settings = { kernel: "decode", columns: 128, splits: 8 };

test("a measured choice takes the place of the rule's, for all lengths of its class", () => {
  const measured = measuredFor(decoding, decode);
  for (const keys of [1025, 1500, 2048]) {
    const choice = choose(problemOf(1, keys), gpu, {}, measured);
    expect(settingsOf(choice)).toEqual(decode);
    expect(choice.measured).toEqual({ settings: decode, gain: 2, source: "a test" });
  }
  for (const other of [problemOf(1, 1024), problemOf(1, 2048, { size: 128 }), problemOf(2, 2048)]) {
    expect(choose(other, gpu, {}, measured)).toEqual(choose(other, gpu));
  }
});

test("the same arguments give the same choice, and the table is not changed", () => {
  const measured = measuredFor(decoding, decode);
  const before = structuredClone([...measured]);
  expect(choose(decoding, gpu, {}, measured)).toEqual(choose(decoding, gpu, {}, measured));
  expect([...measured]).toEqual(before);
});

test("where the rule was the fastest it goes on to choose, and says that it was measured", () => {
  const rule = choose(problemOf(1, 1100), gpu);
  const choice = choose(problemOf(1, 1100), gpu, {}, measuredFor(decoding, decode, 1));
  expect(choice).toEqual({ ...rule, measured: expect.objectContaining({ gain: 1 }) });
});

test("settings that the device cannot have leave the choice to the rule", () => {
  const prefill = problemOf(512, 512, { heads: [8, 8] });
  const cases: [AttentionProblem, Capabilities, Settings][] = [
    // More workgroup memory, invocations, subgroups or private memory than there is; matrices without the feature.
    [prefill, floor, { kernel: "tile", lanes: 16, columns: 64, subgroups: false, splits: 1 }],
    [prefill, floor, { kernel: "tile", lanes: 8, columns: 64, subgroups: true, splits: 1 }],
    [prefill, gpu, { kernel: "tile", lanes: 16, columns: 32, subgroups: false, splits: 1 }],
    [prefill, gpu, { kernel: "subgroup-matrix", rows: 64, columns: 64, splits: 1 }],
    [prefill, matrices, { kernel: "subgroup-matrix", rows: 64, columns: 64, splits: 1 }],
    [
      problemOf(512, 512, { size: 128 }),
      software,
      { kernel: "quad", rows: 16, keys: 2, subgroups: true, splits: 1 },
    ],
    [
      prefill,
      { ...software, subgroups: false },
      { kernel: "quad", rows: 8, keys: 2, subgroups: true, splits: 1 },
    ],
    [problemOf(1, 512, { size: 256 }), software, { kernel: "stream", rows: 4, splits: 4 }],
    [problemOf(1, 512, { size: 1024 }), gpu, { kernel: "decode", columns: 256, splits: 1 }],
    // Partial outputs of 512 MiB.
    [
      problemOf(4096, 4096),
      gpu,
      { kernel: "tile", lanes: 8, columns: 64, subgroups: false, splits: 16 },
    ],
  ];
  for (const [problem, capabilities, settings] of cases) {
    expect(choiceOf(problem, capabilities, settings), JSON.stringify(settings)).toBe(null);
    const measured = measuredFor(problem, settings);
    expect(choose(problem, capabilities, {}, measured)).toEqual(choose(problem, capabilities));
  }
});

test("wishes of the caller come first: invariant rows, and a kernel for everything", () => {
  const measured = measuredFor(decoding, decode);
  for (const preferences of [{ batchInvariant: true }, { kernel: "tile" }] as const) {
    expect(choose(decoding, gpu, preferences, measured)).toEqual(
      choose(decoding, gpu, preferences),
    );
  }
  const same = choose(decoding, gpu, { kernel: "decode" }, measured);
  expect(settingsOf(same)).toEqual(decode);
});

test("splits are limited to what the keys have, and those of streams come in fours", () => {
  const splitsOf = (keys: number, settings: Settings, capabilities: Capabilities) =>
    choiceOf(problemOf(1, keys), capabilities, settings)?.splits;
  expect(splitsOf(200, { ...decode, splits: 1000 }, gpu)).toBe(3);
  expect(splitsOf(10, { ...decode, splits: 1000 }, gpu)).toBe(1);
  expect(splitsOf(200, { kernel: "stream", rows: 4, splits: 5 }, software)).toBe(4);
  expect(splitsOf(2048, { kernel: "stream", rows: 4, splits: 6 }, software)).toBe(8);
});

test("a ragged batch keeps the rules: it may have two kernels", () => {
  const starts = Int32Array.of(0, 1, 64);
  const ragged = describeProblem({
    query: zeros("float32", [1, 8, 64, 64]),
    key: zeros("float32", [1, 8, 64, 64]),
    value: zeros("float32", [1, 8, 64, 64]),
    queryStarts: starts,
    keyStarts: starts,
  });
  expect(choose(ragged, gpu, {}, measuredFor(ragged, decode))).toEqual(choose(ragged, gpu));
});

test("a measured choice that cannot be scheduled never refuses a problem", () => {
  // A binding has room for the tensors, and not for 32 parts of the output.
  const limits = { ...gpu.limits, maxStorageBufferBindingSize: 2 ** 18 };
  const small = { ...gpu, limits };
  const problem = problemOf(1, 1024, { heads: [64, 1] });
  const settings: Settings = { kernel: "decode", columns: 64, splits: 16 };
  const choices = measuredFor(problem, settings);
  const context = { capabilities: small, preferences: {}, tuning: { choices } };
  expect("decision" in decide(problem, { capabilities: small, preferences: {} })).toBe(true);
  expect("decision" in decide(problem, context)).toBe(true);
});

const problems: [string, AttentionProblem, Capabilities][] = [
  ["prefill", problemOf(512, 512), gpu],
  ["wide prefill", problemOf(512, 512, { size: 128 }), gpu],
  ["prefill on the least of devices", problemOf(512, 512), floor],
  ["prefill in float16", problemOf(512, 512, { dtype: "float16" }), matrices],
  ["float16 without shader-f16", problemOf(64, 512, { dtype: "float16" }), floor],
  ["decode", decoding, gpu],
  ["decode of odd sizes", problemOf(1, 1000, { size: 59 }), gpu],
  ["a few queries", problemOf(4, 2048), gpu],
  ["few keys", problemOf(100, 7), gpu],
  ["prefill on a software adapter", problemOf(512, 512), software],
  ["decode on a software adapter", decoding, software],
  ["one of everything", problemOf(1, 1, { heads: [1, 1], size: 1 }), software],
];

test.each(problems)(
  "every candidate can be chosen and scheduled: %s",
  (_, problem, capabilities) => {
    const rule = choose(problem, capabilities);
    const shapes = shapesToTry(problem, capabilities, rule).flat();
    const candidates = [rule, ...shapes];
    for (const shape of candidates)
      candidates.push(...splitsToTry(problem, capabilities, shape, candidates));
    const names = candidates.map((choice) => JSON.stringify(settingsOf(choice)));
    expect(new Set(names).size).toBe(names.length);
    for (const choice of candidates) {
      const settings = settingsOf(choice);
      // A table with these settings gives the very same choice.
      expect(choose(problem, capabilities, {}, measuredFor(problem, settings))).toEqual({
        ...choice,
        measured: expect.anything(),
      });
      const operands = operandsOf(denseLayouts(attention.operands(problem)));
      expect(schedule(problem, choice, operands, capabilities)).not.toBe(null);
    }
  },
);

test("candidates are of every kernel that suits, the rule's own kernel in the first stage", () => {
  const kernels = (problem: AttentionProblem, capabilities: Capabilities) =>
    shapesToTry(problem, capabilities, choose(problem, capabilities)).map((stage) => [
      ...new Set(stage.map(({ kernel }) => kernel)),
    ]);
  expect(kernels(problemOf(512, 512), gpu)).toEqual([["tile"], []]);
  expect(kernels(problemOf(512, 512, { dtype: "float16" }), matrices)).toEqual([
    ["subgroup-matrix"],
    ["tile"],
  ]);
  expect(kernels(decoding, gpu)).toEqual([[], ["tile"]]);
  expect(kernels(problemOf(4, 200, { size: 128 }), gpu)).toEqual([["decode"], ["tile", "row"]]);
  expect(kernels(decoding, software)).toEqual([[], ["stream", "quad", "tile"]]);
  // Each unrolled kernel would take a minute to be compiled.
  const slow = { ...software, slowCompiler: true };
  expect(kernels(decoding, slow).flat()).not.toContain("quad");
  expect(kernels(problemOf(512, 512), slow)).toEqual([["tile"], []]);
});

import { type AttentionInputs, attentionWork, describeProblem } from "@heed/core";
import { expect, test } from "vitest";
import {
  selectNames,
  selectWorkloads,
  UnknownNameError,
  workloads,
} from "../src/workloads/select.js";
import type { Workload } from "../src/workloads/workload.js";

test("ids are unique and say where they come from", () => {
  expect(new Set(workloads.map(({ id }) => id)).size).toBe(workloads.length);
  for (const { source, suite } of workloads) {
    expect(source).toMatch(suite === "models" ? /^https:/ : /./);
  }
});

test("by id, suite and pattern, in the list's order and once each", () => {
  const ids = (names: string[]) => selectWorkloads(names).map(({ id }) => id);
  expect(ids(["vit-b16-197", "bert*", "bert-base-512"])).toEqual([
    "bert-base-128",
    "bert-base-512",
    "bert-base-b8-128",
    "vit-b16-197",
  ]);
  expect(ids(["models"])).toContain("whisper-encoder-1500");
  expect(ids(["all"])).toHaveLength(workloads.length);
  expect(ids(["standard"])).toContain("sentence-encoder-layer0");
  expect(ids(["sweep-h*"])).toEqual(ids(["sweep-head-size", "sweep-heads"]));
});

test("unknown names list the known ones", () => {
  expect(() => selectWorkloads(["bert-base-512", "berta"])).toThrow(UnknownNameError);
  expect(() => selectWorkloads(["berta"])).toThrow(/unknown cases berta; known: .*bert-base-512/);
  expect(() => selectNames("backends", ["cuda"], ["js", "wasm"])).toThrow(
    "unknown backends cuda; known: js, wasm",
  );
});

test("the cases of a series differ in the size that it names", () => {
  const series = new Map<string, Workload[]>();
  for (const workload of workloads) {
    const { name } = workload.series ?? {};
    if (name !== undefined) series.set(name, [...(series.get(name) ?? []), workload]);
  }
  expect(series.size).toBeGreaterThan(5);
  for (const cases of series.values()) {
    const sizes = cases.map(({ series }) => series?.at as number);
    expect(sizes).toEqual([...new Set(sizes)].sort((a, b) => a - b));
    const flops = cases.map((workload) => workload.flops);
    expect(flops).toEqual([...flops].sort((a, b) => a - b));
    expect(new Set(cases.map(({ series }) => series?.axis)).size).toBe(1);
  }
});

test("recorded tensors come in the dtype asked for", async () => {
  const real = selectWorkloads(["real"]);
  expect(real).toHaveLength(4);
  for (const workload of real) {
    const inputs = (await workload.load("float16")) as AttentionInputs;
    expect(describeProblem(inputs).dtype).toBe("float16");
    // An estimate from the sizes alone: lengths can only make it less.
    const { flops } = attentionWork(describeProblem(inputs), inputs);
    expect(flops).toBeLessThanOrEqual(workload.flops);
    expect(flops).toBeGreaterThan(workload.flops / 5);
  }
});

test("a workload's own estimate is what its call is counted at", async () => {
  for (const workload of selectWorkloads([
    "vit-b16-197",
    "swin-t-*",
    "gpt-oss*",
    "*-rotary-decode-*",
    "merge",
  ])) {
    const { definition } = workload.operation;
    const inputs = await workload.load("float32");
    const { flops } = definition.work(definition.bind(definition.describe(inputs), inputs));
    expect(workload.flops).toBe(flops);
  }
});

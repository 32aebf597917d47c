import { describeProblem } from "@heed/core";
import { expect, test } from "vitest";
import { attentionWork } from "../src/work.js";
import {
  selectNames,
  selectWorkloads,
  UnknownNameError,
  workloads,
} from "../src/workloads/select.js";

test("ids are unique and say where they come from", () => {
  expect(new Set(workloads.map(({ id }) => id)).size).toBe(workloads.length);
  for (const { source } of workloads) expect(source).not.toBe("");
});

test("by id, suite and pattern, in the list's order and once each", () => {
  const ids = (names: string[]) => selectWorkloads(names).map(({ id }) => id);
  expect(ids(["vit-b16-197", "bert*", "bert-base-512"])).toEqual(["bert-base-512", "vit-b16-197"]);
  expect(ids(["models"])).toContain("whisper-encoder-1500");
  expect(ids(["all"])).toHaveLength(workloads.length);
});

test("unknown names list the known ones", () => {
  expect(() => selectWorkloads(["bert-base-512", "berta"])).toThrow(UnknownNameError);
  expect(() => selectWorkloads(["berta"])).toThrow(/unknown cases berta; known: .*bert-base-512/);
  expect(() => selectNames("backends", ["cuda"], ["js", "wasm"])).toThrow(
    "unknown backends cuda; known: js, wasm",
  );
});

test("recorded tensors come in the dtype asked for", async () => {
  const real = selectWorkloads(["real"]);
  expect(real).toHaveLength(4);
  for (const workload of real) {
    const inputs = await workload.load("float16");
    expect(describeProblem(inputs).dtype).toBe("float16");
    // An estimate from the sizes alone: lengths can only make it less.
    const { flops } = attentionWork(describeProblem(inputs), inputs);
    expect(flops).toBeLessThanOrEqual(workload.flops);
    expect(flops).toBeGreaterThan(workload.flops / 5);
  }
});

test("a workload's own estimate is what its call is counted at", async () => {
  for (const workload of selectWorkloads(["vit-b16-197", "yolo12-area", "*decode-2048"])) {
    const inputs = await workload.load("float32");
    expect(workload.flops).toBe(attentionWork(describeProblem(inputs), inputs).flops);
  }
});

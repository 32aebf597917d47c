/** Scatter in place, by the cases of the suite, and its refusal where onnxruntime has a device. */
import { onnx } from "@heed/backend-onnx";
import { checkBackend } from "@heed/conformance";
import { scatter, zeros } from "@heed/core";
import { expect, test } from "vitest";
import { decideScatter } from "../src/scatter/plan.js";

test("every case of scatter on host tensors", async () => {
  const provider = onnx({ provider: "wasm", threads: 1 });
  const report = await checkBackend(provider as never, { profile: "scatter" });
  expect(report.results.filter(({ outcome }) => outcome !== "pass")).toEqual([]);
  expect(report.counts.pass).toBeGreaterThan(60);
});

test("tensors of onnxruntime's device cannot be written in place, which is said", () => {
  const call = {
    target: zeros("float32", [1, 1, 4, 8]),
    source: zeros("float32", [1, 1, 1, 8]),
    slots: Int32Array.of(0),
  };
  expect(decideScatter(scatter.describe(call), { memory: {} as never })).toMatchObject({
    reasons: [{ code: "in-place" }],
  });
});

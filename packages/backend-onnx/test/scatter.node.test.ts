/** Scatter in place, by the cases of the suite, and what is refused where onnxruntime has a device. */
import { onnx } from "@heed/backend-onnx";
import { checkBackend } from "@heed/conformance";
import { type HostTensor, scatter, zeros } from "@heed/core";
import { describe, expect, test } from "vitest";
import { decideScatter } from "../src/scatter/plan.js";

test("every case of scatter on host tensors", async () => {
  const provider = onnx({ provider: "wasm", threads: 1 });
  const report = await checkBackend(provider as never, { profile: "scatter" });
  expect(report.results.filter(({ outcome }) => outcome !== "pass")).toEqual([]);
  expect(report.counts.pass).toBeGreaterThan(60);
});

describe("on onnxruntime's device", () => {
  const limits = { maxStorageBufferBindingSize: 1 << 16 };
  const memory = { tensors: { device: { limits } } } as never;
  const decided = (target: HostTensor, source: HostTensor) =>
    decideScatter(
      scatter.describe({
        target,
        source,
        slots: Int32Array.of(0),
        ...(target.dtype === "int8" && { scales: zeros("float32", [1, 1, 4]) }),
      }),
      { memory },
    );

  test("rows are written in the type that they have", () => {
    for (const dtype of ["float32", "float16"] as const) {
      const verdict = decided(zeros(dtype, [1, 1, 4, 8]), zeros(dtype, [1, 1, 1, 8]));
      expect(verdict).toEqual({ decision: undefined });
    }
  });

  test.each([
    ["float16", "float32", "rows of float32 are not converted to float16"],
    ["float32", "float16", "rows of float16 are not converted to float32"],
    ["int8", "float32", "rows of float32 are not converted to int8"],
  ] as const)("a target of %s takes no rows of %s, which is said", (to, from, message) => {
    expect(decided(zeros(to, [1, 1, 4, 8]), zeros(from, [1, 1, 1, 8]))).toMatchObject({
      reasons: [{ code: "in-place", message: expect.stringContaining(message) }],
    });
  });

  test("a target larger than a binding is refused", () => {
    const source = zeros("float32", [1, 1, 1, 8]);
    expect(decided(zeros("float32", [1, 1, 1 << 11, 8]), source)).toEqual({ decision: undefined });
    expect(decided(zeros("float32", [1, 1, (1 << 11) + 1, 8]), source)).toMatchObject({
      reasons: [{ code: "too-large" }],
    });
  });
});

/** Scatter in place, by the cases of the suite, and what only the device can get wrong. */
import { webgpu } from "@heed/backend-webgpu";
import { checkBackend } from "@heed/conformance";
import {
  createAttention,
  fromFloat64,
  InvalidInputError,
  isDeviceTensor,
  scatter,
  slice,
  toFloat64,
  zeros,
} from "@heed/core";
import { describe, expect, test } from "vitest";
import { floor } from "../src/capabilities.js";
import { decideScatter } from "../src/scatter/plan.js";
import { available } from "./available.js";

const provider = () => webgpu({ allowFallbackAdapter: true });

test("a target that is more than a binding is refused", () => {
  const call = {
    target: zeros("float16", [2, 1, 64, 8]),
    source: zeros("float32", [2, 1, 1, 8]),
    slots: Int32Array.of(0, 0),
  };
  const problem = scatter.describe(call);
  const limits = { ...floor.limits, maxStorageBufferBindingSize: 1024 };
  expect(decideScatter(problem, { capabilities: floor })).toEqual({ decision: undefined });
  expect(decideScatter(problem, { capabilities: { ...floor, limits } })).toMatchObject({
    reasons: [{ code: "size" }],
  });
});

describe.skipIf(!available)("scatter", () => {
  test("every case of the suite", async () => {
    const report = await checkBackend(provider() as never, { profile: "scatter" });
    const failing = report.results.filter(({ outcome }) => outcome !== "pass");
    expect(failing.map(({ id, failures, worst }) => [id, failures, worst])).toEqual([]);
    expect(report.counts.pass).toBeGreaterThan(60);
  });

  test("rows become float16 with infinities and the largest numbers as they round", async () => {
    const attention = await createAttention({ backends: [provider()], selfTest: false });
    const numbers = [Infinity, -Infinity, 65519, 65520, -65520, 3e38, Number.NaN, 2 ** -24];
    const target = await attention.upload(zeros("float16", [1, 1, 1, 8]));
    // A source of the host's is rounded there.
    const source = await attention.upload(
      fromFloat64(Float64Array.from(numbers), [1, 1, 1, 8], "float32"),
    );
    await attention.apply(scatter, { target, source, slots: Int32Array.of(0) });
    expect([...toFloat64(await target.read())]).toEqual([
      ...[Infinity, -Infinity, 65504, Infinity, -Infinity, Infinity, Number.NaN, 2 ** -24],
    ]);
    for (const t of [target, source]) t.dispose();
    await attention.dispose();
  });

  test("rows of int8 whose scale is rounded, as it is subnormal, do not wrap around", async () => {
    const attention = await createAttention({ backends: [provider()], selfTest: false });
    const target = await attention.upload(zeros("int8", [1, 1, 1, 4]));
    const scales = await attention.upload(zeros("float32", [1, 1, 1]));
    // 190 times the least number over 127 is rounded to the least number.
    const numbers = Float64Array.of(190, -190, 1, 0).map((x) => x * 2 ** -149);
    const source = await attention.upload(fromFloat64(numbers, [1, 1, 1, 4], "float32"));
    await attention.apply(scatter, { target, scales, source, slots: Int32Array.of(0) });
    const [most = 0, least = 0] = toFloat64(await target.read());
    // Devices may take such numbers for 0.
    expect([0, 127]).toContain(most);
    expect([0, -127]).toContain(least);
    for (const t of [target, scales, source]) t.dispose();
    await attention.dispose();
  });

  test("a source in the target's own buffer is refused, and the target stays", async () => {
    const attention = await createAttention({ backends: [provider()], selfTest: false });
    const both = await attention.upload(
      fromFloat64(Float64Array.of(1, 2, 3, 4), [1, 1, 4, 1], "float32"),
    );
    const [target, source] = [slice(both, 2, 0, 2), slice(both, 2, 2, 4)];
    const call = { target, source, slots: Int32Array.of(1, 0) };
    await expect(attention.apply(scatter, call)).rejects.toThrow(InvalidInputError);
    expect([...toFloat64(await both.read())]).toEqual([1, 2, 3, 4]);
    for (const t of [both, target, source]) if (isDeviceTensor(t)) t.dispose();
    await attention.dispose();
  });
});
